"""Groups of computed nodes, before it is known where the leaves belong: their names, and joining and parting them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from viz.views.acyclic import arrows, in_topological_order
from viz.views.places import OUTSIDE, kind_and_number, together
from viz.views.rolling import Run
from viz.views.wiring import Numbers, Wiring


@dataclass(slots=True)
class Groups:
    """Computed nodes in groups without cycles; leaves are in none (-1) as yet.

    Attributes:
        of: for every node the number of its group.
        names: what each group is called.
        places: the same without the number of the part.
        runs: for groups that are rolled, what they repeat.
        alone: groups of one node that stays by itself, and takes no leaves in.
        step: for every node that is rolled, which of the repeats it is in, from 1.
    """

    of: Numbers
    names: list[str]
    places: list[str]
    runs: dict[int, Run] = field(default_factory=dict)
    alone: set[int] = field(default_factory=set)
    step: Numbers | None = None


def first_members(groups: Numbers) -> Numbers:
    """One node of each group."""
    values, first = np.unique(groups, return_index=True)
    return first[values >= 0]


def first_clocks(wiring: Wiring, groups: Numbers, count: int) -> Numbers:
    """When the oldest node of each group was made."""
    first = np.full(count, np.iinfo(np.intp).max)
    grouped = groups >= 0
    np.minimum.at(first, groups[grouped], wiring.clock[grouped])
    return first


def named(wiring: Wiring, groups: Numbers, places: list[str]) -> Groups:
    """Groups by the names of their places; the parts of a place that is split are counted."""
    first = first_clocks(wiring, groups, len(places))
    visits: dict[str, list[int]] = {}
    for g in np.argsort(first).tolist():
        visits.setdefault(places[g], []).append(g)
    names = [place or OUTSIDE for place in places]
    for place, members in visits.items():
        for k, g in enumerate(members, 1):
            if len(members) > 1:
                names[g] = f"{place or OUTSIDE}, part {k} of {len(members)}"
    return Groups(groups, names, places)


def scattered(groups: Groups, which: NDArray[np.bool_]) -> Groups:
    """The same with some nodes each in a group of its own."""
    which = which & (groups.of >= 0)
    of = np.where(which, len(groups.names) + np.cumsum(which) - 1, groups.of)
    count = int(which.sum())
    places = [*groups.places, *[groups.places[g] for g in groups.of[which].tolist()]]
    alone = groups.alone | set(range(len(groups.names), len(groups.names) + count))
    return _compact(Groups(of, [*groups.names, *[""] * count], places, groups.runs, alone, groups.step))


def _compact(groups: Groups) -> Groups:
    """The same numbered without gaps."""
    used = np.unique(groups.of[groups.of >= 0])
    number = {g: k for k, g in enumerate(used.tolist())}
    of = np.where(groups.of >= 0, np.searchsorted(used, groups.of), -1)
    return Groups(
        of,
        [groups.names[g] for g in number],
        [groups.places[g] for g in number],
        {number[g]: run for g, run in groups.runs.items() if g in number},
        {number[g] for g in groups.alone if g in number},
        groups.step,
    )


def merged(wiring: Wiring, groups: Groups, free: Sequence[int], most: int, sealed: bool = False) -> Groups:
    """The same with neighbours in a topological order joined, so that of the ``free`` groups about ``most`` are left.

    Stretches of a topological order never form a cycle. Groups of one kind ("step 3", "step 4") stay among themselves,
    unless kinds alternate.

    Args:
        wiring: the graph.
        groups: all groups, of which those that are not free stay as they are.
        free: the groups that may be joined.
        most: how many are wanted.
        sealed: whether no path leads out of the free groups and back, so that only their own order matters.
    """
    count, may = len(groups.names), set(free)
    stretches: list[list[int]] = [[]]
    for g in in_topological_order(arrows(wiring, groups.of), first_clocks(wiring, groups.of, count)):
        if g in may:
            stretches[-1].append(g)
        elif not sealed:
            stretches.append([])
    rows = [list(row) for stretch in stretches for _, row in groupby(stretch, lambda g: _kind(groups.places[g]))]
    if len(rows) > most // 2:
        rows = [stretch for stretch in stretches if stretch]
    size = _round_number(len(may) / max(most - len(rows), most // 3, 1))
    number = np.arange(count)
    names, places = list(groups.names), list(groups.places)
    for row in rows:
        for k in range(0, len(row), size):
            piece = row[k : k + size]
            number[piece] = piece[0]
            if len(piece) > 1:
                names[piece[0]] = places[piece[0]] = together([groups.places[g] or OUTSIDE for g in piece])
    of = np.where(groups.of >= 0, number[groups.of], -1)
    return _compact(Groups(of, names, places, groups.runs, groups.alone, groups.step))


def _kind(place: str) -> str:
    return kind_and_number(place)[0]


def _round_number(least: float) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ..."""
    unit = 1
    while True:
        for step in (1, 2, 5):
            if step * unit >= least:
                return step * unit
        unit *= 10
