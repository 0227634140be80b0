"""Repeats: time steps (or layers, or neurons) of which each computes the same as the one before, with other numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from viz.places import kind_and_number
from viz.wiring import Numbers, Wiring

SHARED, FED = -1, -2
"""An input from outside that is the same node in every repeat, and one that is another node in each."""


@dataclass(frozen=True, slots=True)
class Run:
    """Places in a row that compute the same, and how many numbers each hands to the next."""

    places: tuple[str, ...]
    state: int


@dataclass(frozen=True, slots=True)
class _Part:
    """One repeat, in terms that do not say which one: equal shapes are isomorphic."""

    shape: tuple[bytes, ...]
    given: Numbers  # the nodes from outside, in the order of their first use
    local: dict[int, int]  # its own nodes, by their place in the order of creation


def runs(wiring: Wiring, of: Sequence[str], least: int, wanted: Callable[[str], bool]) -> list[Run]:
    """All maximal rows of at least ``least`` repeats.

    Args:
        wiring: the graph.
        of: for every scope of the wiring, the place that may be a repeat, or "".
        least: shorter rows are left alone.
        wanted: whether a place may be part of a row.
    """
    names = sorted({place for place in of if place and wanted(place) and kind_and_number(place)[1] >= 0})
    index = {name: k for k, name in enumerate(names)}
    place = np.array([index.get(name, -1) for name in of], np.intp)[wiring.scope]
    place[~wiring.made] = -1
    families: dict[str, list[tuple[int, int]]] = {}
    for name in names:
        kind, number = kind_and_number(name)
        families.setdefault(kind, []).append((number, index[name]))
    found = []
    families = {kind: sorted(family) for kind, family in families.items() if len(family) >= least}
    parts = _parts(wiring, place, [k for family in families.values() for _, k in family])
    for family in families.values():
        for row in _rows(place, family, parts):
            if len(row) >= least:
                state = _state(wiring, place, row[0], row[1], parts)
                found.append(Run(tuple(names[k] for k in row), state))
    return found


def _parts(wiring: Wiring, place: Numbers, members: Sequence[int]) -> dict[int, _Part]:
    """The shape of every place among ``members``."""
    order = np.lexsort((wiring.clock, place))
    first = np.searchsorted(place[order], np.arange(place.max(initial=-1) + 2))
    by_target = np.argsort(place[wiring.target], kind="stable")
    edge = np.searchsorted(place[wiring.target][by_target], np.arange(place.max(initial=-1) + 2))
    local = np.empty(len(order), np.intp)
    local[order] = np.arange(len(order))
    codes = _codes(wiring, place)
    parts = {}
    for k in members:
        nodes = order[first[k] : first[k + 1]]
        arriving = by_target[edge[k] : edge[k + 1]]
        arriving = arriving[np.lexsort((wiring.position[arriving], local[wiring.target[arriving]]))]
        source = wiring.source[arriving]
        outside = place[source] != k
        given, which = _by_first_use(source[outside])
        code = local[source] - first[k]
        code[outside] = -1 - which
        shape = (codes[nodes].tobytes(), (local[wiring.target[arriving]] - first[k]).tobytes(), code.tobytes())
        parts[k] = _Part(shape, given, dict(zip(nodes.tolist(), range(len(nodes)), strict=True)))
    return parts


def _codes(wiring: Wiring, place: Numbers) -> Numbers:
    """A number for what every node computes: the operation, its parameters, the shape of the result."""
    known: dict[object, int] = {}
    codes = np.zeros(len(place), np.intp)
    for k in np.flatnonzero(place >= 0).tolist():
        node = wiring.nodes[k]  # of parameters only the names: step t takes row t
        what = (id(node.op), getattr(node.data, "shape", None), tuple(node.params or ()))
        codes[k] = known.setdefault(what, len(known))
    return codes


def _by_first_use(source: Numbers) -> tuple[Numbers, Numbers]:
    """The different entries in the order in which they first come, and for every entry which of them it is."""
    values, first, which = np.unique(source, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    return values[order], rank[which]


def _rows(place: Numbers, family: Sequence[tuple[int, int]], parts: dict[int, _Part]) -> list[list[int]]:
    """Stretches of consecutive places of the same shape, joined to the one before in the same way."""
    rows: list[list[int]] = []
    joined: tuple[int, ...] | None = None
    members = {k for _, k in family}
    before = -1
    for number, k in family:
        how = None
        if rows and number == before + 1:
            how = _joined(place, members, rows[-1][-1], k, parts)
        if how is not None and (len(rows[-1]) == 1 or how == joined):
            rows[-1].append(k)
        else:
            rows.append([k])
        joined, before = how, number
    return rows


def _joined(place: Numbers, members: set[int], a: int, b: int, parts: dict[int, _Part]) -> tuple[int, ...] | None:
    """Where each thing given to ``b`` comes from, if ``b`` repeats ``a`` and may stand in a row with it."""
    if parts[a].shape != parts[b].shape:
        return None
    how = []
    for x, y in zip(parts[a].given.tolist(), parts[b].given.tolist(), strict=True):
        origin = int(place[y])
        if origin == a:
            how.append(parts[a].local[y])
        elif origin in members:
            return None
        else:
            how.append(SHARED if x == y else FED)
    return tuple(how)


def _state(wiring: Wiring, place: Numbers, a: int, b: int, parts: dict[int, _Part]) -> int:
    """How many numbers go from ``a`` to ``b``."""
    return int(sum(wiring.size[y] for y in parts[b].given.tolist() if place[y] == a))
