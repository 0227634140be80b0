"""Repeats: time steps (or layers, or neurons) of which each computes the same as the one before, with other numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import attrgetter
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from viz.views.places import Grain, around, is_inside, kind_and_number, place_of, step_of
from viz.views.wiring import Numbers, Wiring

ROLLED_FROM = 9
"""So many repeated time steps are rolled without being asked."""

Roll = bool | Literal["auto"]

_INSIDE, _SHARED, _FED, _AMISS = -1, -2, -3, -4
"""Where an input comes from, if not from the repeat before: from the same repeat, from a node that all repeats share,
from a node outside that is this repeat's own; or from a repeat further away, which no row of repeats can show."""


@dataclass(frozen=True, slots=True)
class Run:
    """Places in a row that compute the same.

    Attributes:
        places: their names.
        state: how many numbers each hands to the next.
        begin: the nodes that stand in the place of these numbers for the first one.
    """

    places: tuple[str, ...]
    state: int
    begin: frozenset[int] = frozenset()


def repeats(wiring: Wiring, grain: Grain, roll: Roll) -> list[Run]:
    """What can be rolled at a grain that tells the repeats apart: time steps, or, with True, whatever repeats."""
    if not roll:
        return []

    def wanted(place: str) -> bool:
        return place_of(place, grain) == place

    if roll == "auto":
        return runs(wiring, list(map(step_of, wiring.scopes)), ROLLED_FROM, wanted)
    found: list[Run] = []
    taken: set[str] = set()
    for depth in range(1, 2 + max(scope.count("/") for scope in wiring.scopes)):
        of = ["/".join(scope.split("/")[:depth]) if scope.count("/") >= depth - 1 else "" for scope in wiring.scopes]
        found += runs(wiring, ["" if around(place) & taken else place for place in of], 2, wanted)
        taken |= {place for run in found for place in run.places}
    return found


def without(run: Run, part: str) -> list[Run]:
    """What is left of a run when a part of it is open."""
    rows: list[list[str]] = [[]]
    for place in run.places:
        if is_inside(part, place) or is_inside(place, part):
            rows.append([])
        else:
            rows[-1].append(place)
    return [replace(run, places=tuple(row)) for row in rows if len(row) > 1]


def runs(wiring: Wiring, of: Sequence[str], least: int, wanted: Callable[[str], bool]) -> list[Run]:
    """All maximal rows of at least ``least`` repeats: places that differ in the number at their end.

    Args:
        wiring: the graph.
        of: for every scope of the wiring, the place that may be a repeat, or "".
        least: shorter rows are left alone.
        wanted: whether a place may be part of a row.
    """
    names = sorted({place for place in of if place and wanted(place) and kind_and_number(place)[1] >= 0})
    families: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        kind, number = kind_and_number(name)
        families.setdefault(kind, []).append((number, name))
    families = {kind: sorted(family) for kind, family in families.items() if len(family) >= least}
    index = {name: k for k, name in enumerate(name for family in families.values() for _, name in family)}
    place = np.array([index.get(name, -1) for name in of], np.intp)[wiring.scope]
    place[~wiring.made] = -1
    if not index or not (place >= 0).any():
        return []
    parts = _Parts(wiring, place, len(index))
    found = []
    for family in families.values():
        numbers = np.array([number for number, _ in family])
        members = np.array([index[name] for _, name in family])
        for a, b in _rows(parts, members, numbers):
            if b - a >= least:
                places = tuple(name for _, name in family[a:b])
                found.append(Run(places, *parts.handed_on(int(members[a]), int(members[a + 1]))))
    return found


class _Parts:
    """The nodes and inputs of every place, in the order of creation."""

    def __init__(self, wiring: Wiring, place: Numbers, count: int) -> None:
        self.wiring, self.place = wiring, place
        inside = np.flatnonzero(place >= 0)
        self.nodes = inside[np.lexsort((wiring.clock[inside], place[inside]))]
        self.node_at = np.searchsorted(place[self.nodes], np.arange(count + 1))
        self.local = np.zeros(len(place), np.intp)
        self.local[self.nodes] = np.arange(len(self.nodes)) - self.node_at[place[self.nodes]]
        self.code = np.zeros(len(place), np.intp)
        self.code[self.nodes] = _codes(wiring, self.nodes)
        arriving = np.flatnonzero(place[wiring.target] >= 0)
        target = wiring.target[arriving]
        order = np.lexsort((wiring.position[arriving], self.local[target], place[target]))
        self.inputs = arriving[order]
        self.input_at = np.searchsorted(place[wiring.target[self.inputs]], np.arange(count + 1))

    def table(self, rows: Numbers, of: Numbers, at: Numbers) -> Numbers:
        """The entries of several places of equal size, one row for each."""
        width = int(at[rows[0] + 1] - at[rows[0]])
        entries: Numbers = of[at[rows][:, None] + np.arange(width)]
        return entries

    def sizes(self, members: Numbers) -> Numbers:
        """How many nodes and inputs each place has, of shape (places, 2)."""
        return np.stack([np.diff(self.node_at)[members], np.diff(self.input_at)[members]], axis=1)

    def handed_on(self, a: int, b: int) -> tuple[int, frozenset[int]]:
        """How many numbers go from one place to the next, and what stands there for the former of the two."""
        given, source = (self.wiring.source[self.inputs[self.input_at[k] : self.input_at[k + 1]]] for k in (a, b))
        state = self.place[source] == a
        return int(self.wiring.size[np.unique(source[state])].sum()), frozenset(given[state].tolist())


def _rows(parts: _Parts, members: Numbers, numbers: Numbers) -> list[tuple[int, int]]:
    """From where to where the members of a family are repeats of each other."""
    sizes = parts.sizes(members)
    follows = np.concatenate([[False], (np.diff(numbers) == 1) & (sizes[1:] == sizes[:-1]).all(axis=1)])
    cuts = [*np.flatnonzero(~follows).tolist(), len(members)]
    rows = []
    for a, b in pairwise(cuts):
        same, alike = _compared(parts, members[a:b], members)
        start = 0
        for k in range(1, b - a):
            if not same[k] or (k - start > 1 and not alike[k]):
                rows.append((a + start, a + k))
                start = k
        rows.append((a + start, b))
    return rows


def _compared(parts: _Parts, rows: Numbers, family: Numbers) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For every place, whether it repeats the one before, and whether it is joined to it as that one to its own."""
    wiring, place = parts.wiring, parts.place
    codes = parts.code[parts.table(rows, parts.nodes, parts.node_at)]
    inputs = parts.table(rows, parts.inputs, parts.input_at)
    source = wiring.source[inputs]
    within = place[source] == rows[:, None]
    wires = np.where(within, parts.local[source], -1 - _first_use(source))
    shape = np.concatenate([codes, parts.local[wiring.target[inputs]], wires], axis=1)
    before = np.concatenate([rows[:1], rows[:-1]])[:, None]
    joined = np.where(np.isin(place[source], family), _AMISS, _FED)
    joined[1:][(source[1:] == source[:-1]) & (joined[1:] == _FED)] = _SHARED
    joined = np.where(place[source] == before, parts.local[source], joined)
    joined = np.where(within, _INSIDE, joined)
    same, alike = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
    same[1:] = (shape[1:] == shape[:-1]).all(axis=1) & (joined[1:] != _AMISS).all(axis=1)
    alike[1:] = (joined[1:] == joined[:-1]).all(axis=1)
    return same, alike


def _first_use(source: Numbers) -> Numbers:
    """In every row, for every entry, the first column that has the same."""
    order = np.argsort(source, axis=1, kind="stable")
    ordered = np.take_along_axis(source, order, axis=1)
    column = np.arange(source.shape[1])
    begins = np.zeros_like(source)
    begins[:, 1:] = np.where(ordered[:, 1:] != ordered[:, :-1], column[1:], 0)
    first = np.take_along_axis(order, np.maximum.accumulate(begins, axis=1), axis=1)
    result = np.empty_like(source)
    np.put_along_axis(result, order, first, axis=1)
    return result


def _codes(wiring: Wiring, nodes: Numbers) -> Numbers:
    """A number for what each node computes: the operation, the names of its parameters, the shape of the result."""
    known: dict[Any, int] = {}
    parts = [wiring.nodes[k] for k in nodes.tolist()]  # of parameters only the names: step t takes row t
    shapes = [getattr(node.data, "shape", None) for node in parts]
    params = [params and tuple(params) for params in map(attrgetter("params"), parts)]
    kinds = zip(map(id, map(attrgetter("op"), parts)), shapes, params, strict=True)
    return np.array([known.setdefault(kind, len(known)) for kind in kinds], np.intp)
