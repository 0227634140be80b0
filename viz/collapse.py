"""Semantic zoom: which nodes share a box, so that a graph of any size can be read.

Boxes are the places (scopes) that nodes were made in. A drawing has a grain: every single number, neurons, layers or
time steps. One place can be open, which shows what is inside it. Time steps that repeat each other can be rolled into
one box. Where there are no scopes, stretches in the order of creation take their place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from viz.acyclic import acyclic, arrows, in_topological_order
from viz.opening import Opened, before_stretch, in_order_of_creation, opened, stretch_name
from viz.places import OUTSIDE, Grain, Level, is_inside, kind_and_number, place_of, step_of, together
from viz.rolling import Run, runs
from viz.text import clean
from viz.wiring import Numbers, Wiring

SINGLE = 150
"""Nodes that are drawn one by one without being asked."""

LARGEST = 2000
"""Boxes that are drawn without being asked twice."""

MOST_BOXES, MOST_EDGES = 60, 300
"""Of an automatic drawing; where there would be more, it takes a coarser grain."""

ROLLED_FROM = 9
"""So many repeated time steps are rolled without being asked."""

_FEW_LOOSE = 8  # operations outside all scopes that are drawn one by one
_FEW_LEAVES = 4  # leaves shared by several boxes that are drawn one by one
_FEW_USED = 12  # shared leaves that an open part uses and that are drawn one by one
_LEAST_PIECE = 8  # operations of one of them
_PIECES = 12  # stretches of a place without places inside
_TYPICAL = range(2, 41)  # operations of a part that is opened without being asked

Roll = bool | Literal["auto"]


@dataclass(slots=True)
class Partition:
    """Every node in one group, and some groups in frames.

    Attributes:
        group: for every node the number of its group.
        names: what each group is called; a group of one node is drawn as that node.
        frame: for every node the number of the frame around it, or -1.
        frames: what each frame is called.
        runs: for groups that are rolled, what they repeat.
        level: by what the boxes were made.
        note: what a reader should know about it.
    """

    group: Numbers
    names: list[str]
    frame: Numbers
    frames: list[str]
    runs: dict[int, Run] = field(default_factory=dict)
    level: Level = "scalar"
    note: str = ""


@dataclass(slots=True)
class _Groups:
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


def partition_of(
    wiring: Wiring, *, level: Level = "auto", open: str | None = "auto", roll: Roll = "auto", full: bool = False
) -> Partition:
    """Sort the nodes of a graph into boxes; see :func:`viz.view.view_of`."""
    count = len(wiring.nodes)
    named = None if open in ("auto", None) else opened(wiring, str(open))
    if level == "scalar" or (level == "auto" and (full or count <= SINGLE)):
        if count > LARGEST and not full:
            raise ValueError(
                f"this graph has {count:,} nodes, and a picture of more than {LARGEST:,} cannot be read; write"
                ' level="auto" for boxes of them, draw a part of it (a node further inside, or the loss of one'
                " sample), or write draw(..., full=True)"
            )
        return _scalars(wiring)
    steps = any(map(step_of, wiring.scopes))
    if level == "step" and not steps:
        raise ValueError(
            'level="step" needs scopes that are called like time steps, such as with scope("step 3"), and this graph'
            ' has none; write level="layer" or level="neuron"'
        )
    grains: list[Grain] = ["neuron", "step" if steps else "layer"] if level == "auto" else [level]
    for grain in grains:
        groups, part = _collapsed(wiring, grain, named, open == "auto", roll)
        partition = _filled(wiring, groups, part, full)
        if level != "auto" or _is_clear(wiring, partition):
            break
    else:
        groups = _merged(wiring, groups, part)
        partition = _filled(wiring, groups, part, full)
    boxes = len(partition.names)
    if boxes > LARGEST and not full:
        raise ValueError(
            f'level="{grain}" makes {boxes:,} boxes of this graph, and a picture of more than {LARGEST:,} cannot be'
            ' read; write level="auto", or draw(..., full=True)'
        )
    partition.level = grain
    partition.note = _note(wiring, partition, grain)
    return partition


def _note(wiring: Wiring, partition: Partition, grain: Grain) -> str:
    count, boxes = len(wiring.nodes), len(partition.names)
    if not _has_scopes(wiring):
        return f'{count:,} nodes in {boxes} boxes, in the order of creation; with scope("name"): gives boxes with names'
    closed = [name for name in partition.names if name and name in wiring.scopes]
    hint = f'; open="{clean(closed[0], 60)}" looks into one' if closed else ""
    return f"{count:,} nodes in {boxes} boxes, by {grain}{hint}"


def _has_scopes(wiring: Wiring) -> bool:
    return any(wiring.scopes[k] for k in np.unique(wiring.scope[wiring.made]).tolist())


# ── every number by itself ───────────────────────────────────────────────────────────────────────────
def _scalars(wiring: Wiring) -> Partition:
    """Each node in a box; frames around the places."""
    groups = _grouped(wiring, list(wiring.scopes), None)
    frames = [g for g, place in enumerate(groups.places) if place and g not in groups.alone]
    return _all_single(wiring, groups, frames)


# ── boxes ────────────────────────────────────────────────────────────────────────────────────────────
def _collapsed(
    wiring: Wiring, grain: Grain, named: Opened | None, typical: bool, roll: Roll
) -> tuple[_Groups, Opened | None]:
    """Groups at a grain, and which part is open."""
    if not _has_scopes(wiring):
        return _stretched(wiring, named, typical)
    repeats = _repeats(wiring, grain, roll)
    part = named
    if typical:
        place = _typical_place(wiring, repeats)
        part = opened(wiring, place) if place else None
    while True:
        rows = [row for repeat in repeats for row in _around(repeat, part)]
        keys = {place: k for k, row in enumerate(rows) for place in row.places}
        names = [together(row.places) for row in rows]
        of = [_rolled_or(place_of(scope, grain), scope, keys, names) for scope in wiring.scopes]
        groups = _grouped(wiring, of, part)
        split = {place for place in names if groups.places.count(place) > 1}
        if not split:
            break
        repeats = [row for row, name in zip(rows, names, strict=True) if name not in split]  # they would be in a knot
    rolled = {name: row for row, name in zip(rows, names, strict=True)}
    groups.runs = {g: rolled[place] for g, place in enumerate(groups.places) if place in rolled}
    step = {place: k for row in rows for k, place in enumerate(row.places, 1)}
    groups.step = np.array([_first_of(_prefixes(scope), step) for scope in wiring.scopes], np.intp)[wiring.scope]
    return groups, part


def _rolled_or(place: str, scope: str, keys: dict[str, int], names: Sequence[str]) -> str:
    parts = scope.split("/")
    for depth in range(1, len(parts) + 1) if keys else ():
        k = keys.get("/".join(parts[:depth]))
        if k is not None:
            return names[k]
    return place


def _repeats(wiring: Wiring, grain: Grain, roll: Roll) -> list[Run]:
    """What can be rolled: time steps, or, where it is wanted, whatever repeats."""
    if not roll:
        return []
    if roll == "auto":
        return runs(wiring, list(map(step_of, wiring.scopes)), ROLLED_FROM, lambda p: place_of(p, grain) == p)
    found: list[Run] = []
    for depth in range(1, 2 + max(scope.count("/") for scope in wiring.scopes)):
        of = ["/".join(scope.split("/")[:depth]) if scope.count("/") >= depth - 1 else "" for scope in wiring.scopes]
        taken = {place for run in found for place in run.places}
        free = ["" if any(is_inside(place, t) for t in _prefixes(place) & taken) else place for place in of]
        found += runs(wiring, free, 2, lambda p: place_of(p, grain) == p)
    return found


def _first_of(keys: Iterable[str], numbers: Mapping[str, int]) -> int:
    return next((numbers[key] for key in keys if key in numbers), 0)


def _prefixes(place: str) -> set[str]:
    parts = place.split("/")
    return {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}


def _around(run: Run, part: Opened | None) -> list[Run]:
    """The run without the places that are open."""
    if part is None:
        return [run]
    rows: list[list[str]] = [[]]
    for place in run.places:
        if is_inside(part.name, place) or is_inside(place, part.name):
            rows.append([])
        else:
            rows[-1].append(place)
    return [replace(run, places=tuple(row)) for row in rows if len(row) > 1]


def _typical_place(wiring: Wiring, repeats: Sequence[Run]) -> str:
    """A small place that shows what the others are like: the last of a run, or else the first there is."""
    operations = np.bincount(wiring.scope[wiring.made], minlength=len(wiring.scopes)).tolist()
    for run in repeats:
        inside = sum(n for scope, n in zip(wiring.scopes, operations, strict=True) if is_inside(scope, run.places[-1]))
        if inside in _TYPICAL:
            return run.places[-1]
    around = set().union(*(_prefixes(scope) - {scope} for scope in wiring.scopes))
    small = [
        k for k, n in enumerate(operations) if n in _TYPICAL and wiring.scopes[k] and wiring.scopes[k] not in around
    ]
    if not small:
        return ""
    first = np.full(len(wiring.scopes), np.iinfo(np.intp).max)
    np.minimum.at(first, wiring.scope[wiring.made], wiring.clock[wiring.made])
    return wiring.scopes[min(small, key=lambda k: int(first[k]))]


def _grouped(wiring: Wiring, of_scope: Sequence[str], part: Opened | None) -> _Groups:
    """One group for every place, or for every visit to it; the open part is one by itself."""
    index: dict[str, int] = {}
    keys = np.array([index.setdefault(place, len(index)) for place in of_scope], np.intp)[wiring.scope]
    if part is not None:
        keys = np.where(part.inside, index.setdefault(part.name, len(index)), keys)
    enclosing = set().union(*(_prefixes(place) - {place} for place in index)) | {""}
    groups = acyclic(wiring, keys, {index[place] for place in enclosing & index.keys()})
    places = list(index)
    result = _named(wiring, groups, [places[k] for k in keys[_first_members(groups)].tolist()])
    return _loosened(wiring, result, part)


def _first_members(groups: Numbers) -> Numbers:
    values, first = np.unique(groups, return_index=True)
    return first[values >= 0]


def _first_clocks(wiring: Wiring, groups: Numbers, count: int) -> Numbers:
    first = np.full(count, np.iinfo(np.intp).max)
    grouped = groups >= 0
    np.minimum.at(first, groups[grouped], wiring.clock[grouped])
    return first


def _named(wiring: Wiring, groups: Numbers, places: list[str]) -> _Groups:
    """Groups by the names of their places; the parts of a place that is split are counted."""
    first = _first_clocks(wiring, groups, len(places))
    visits: dict[str, list[int]] = {}
    for g in np.argsort(first).tolist():
        visits.setdefault(places[g], []).append(g)
    names = [place or OUTSIDE for place in places]
    for place, members in visits.items():
        for k, g in enumerate(members, 1):
            if len(members) > 1:
                names[g] = f"{place or OUTSIDE}, part {k} of {len(members)}"
    return _Groups(groups, names, places)


def _loosened(wiring: Wiring, groups: _Groups, part: Opened | None) -> _Groups:
    """The same with few operations outside all scopes each by itself."""
    size = np.bincount(groups.of[wiring.made], minlength=len(groups.names))
    loose = [g for g, place in enumerate(groups.places) if not place and size[g] <= _FEW_LOOSE]
    if (part is not None and part.name == OUTSIDE) or sum(int(size[g]) for g in loose) > 2 * _FEW_LOOSE:
        return groups
    return _scattered(groups, np.isin(groups.of, loose))


def _scattered(groups: _Groups, which: NDArray[np.bool_]) -> _Groups:
    """The same with some nodes each in a group of its own."""
    which = which & (groups.of >= 0)
    of = np.where(which, len(groups.names) + np.cumsum(which) - 1, groups.of)
    count = int(which.sum())
    places = [*groups.places, *[groups.places[g] for g in groups.of[which].tolist()]]
    alone = groups.alone | set(range(len(groups.names), len(groups.names) + count))
    return _compact(_Groups(of, [*groups.names, *[""] * count], places, groups.runs, alone, groups.step))


def _compact(groups: _Groups) -> _Groups:
    """The same numbered without gaps."""
    used = np.unique(groups.of[groups.of >= 0])
    number = {g: k for k, g in enumerate(used.tolist())}
    of = np.where(groups.of >= 0, np.searchsorted(used, groups.of), -1)
    return _Groups(
        of,
        [groups.names[g] for g in number],
        [groups.places[g] for g in number],
        {number[g]: run for g, run in groups.runs.items() if g in number},
        {number[g] for g in groups.alone if g in number},
        groups.step,
    )


# ── without scopes ───────────────────────────────────────────────────────────────────────────────────
def _stretched(wiring: Wiring, named: Opened | None, typical: bool) -> tuple[_Groups, Opened | None]:
    """Stretches in the order of creation, and the open one: by itself, the last few operations."""
    order = in_order_of_creation(wiring, wiring.made)
    count = len(order)
    part = named
    if typical and count > 2 * _PIECES:
        part = opened(wiring, stretch_name("", count - _PIECES + 1, count))
    cuts = set(_cuts(count))
    if part is not None:
        inside = np.flatnonzero(part.inside[order]).tolist()
        cuts = {cut for cut in cuts if not inside[0] < cut <= inside[-1]} | {inside[0], inside[-1] + 1}
    groups = np.full(len(wiring.nodes), -1)
    edges = np.array(sorted(cuts - {0, count}), np.intp)
    groups[order] = np.searchsorted(edges, np.arange(count), side="right")
    starts = [0, *edges.tolist(), count]
    names = [stretch_name("", a + 1, b) for a, b in pairwise(starts)] if count else []
    if part is not None:
        names[int(groups[part.inside][0])] = part.name
    return _Groups(groups, names, list(names)), part


def _cuts(count: int) -> list[int]:
    pieces = max(1, min(_PIECES, count // _LEAST_PIECE))
    return [count * k // pieces for k in range(1, pieces)]


# ── too many boxes ───────────────────────────────────────────────────────────────────────────────────
def _merged(wiring: Wiring, groups: _Groups, part: Opened | None) -> _Groups:
    """Neighbours in a topological order share boxes, so that there are few of them and still no cycles."""
    fixed = groups.alone | set(groups.runs)
    fixed |= {g for g, place in enumerate(groups.places) if part is not None and place == part.name}
    count = len(groups.names)
    order = in_topological_order(arrows(wiring, groups.of), _first_clocks(wiring, groups.of, count))
    rows: list[list[int]] = []
    kind: str | None = None
    for g in order:
        its_kind = None if g in fixed else kind_and_number(groups.places[g])[0]
        if its_kind is None or its_kind != kind:
            rows.append([])
        rows[-1].append(g)
        kind = its_kind
    if len(rows) > MOST_BOXES // 2:  # kinds that alternate
        rows = _joined(rows, fixed)
    free = sum(len(row) for row in rows if row[0] not in fixed)
    size = _round_number(free / max(MOST_BOXES - len(fixed) - len(rows) - 2 * _FEW_LEAVES, MOST_BOXES // 3))
    pieces = [row[k : k + size] for row in rows for k in range(0, len(row), size)]
    number = np.empty(count, np.intp)
    for k, piece in enumerate(pieces):
        number[piece] = k
    return _Groups(
        np.where(groups.of >= 0, number[groups.of], -1),
        [groups.names[p[0]] if len(p) == 1 else together([groups.places[g] or OUTSIDE for g in p]) for p in pieces],
        [groups.places[p[0]] if len(p) == 1 else together([groups.places[g] or OUTSIDE for g in p]) for p in pieces],
        {int(number[g]): run for g, run in groups.runs.items()},
        {int(number[g]) for g in groups.alone},
        groups.step,
    )


def _joined(rows: Sequence[list[int]], fixed: set[int]) -> list[list[int]]:
    joined: list[list[int]] = []
    for row in rows:
        if joined and row[0] not in fixed and joined[-1][0] not in fixed:
            joined[-1] += row
        else:
            joined.append(list(row))
    return joined


def _round_number(least: float) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ..."""
    unit = 1
    while True:
        for step in (1, 2, 5):
            if step * unit >= least:
                return step * unit
        unit *= 10


# ── what is open, and where leaves belong ────────────────────────────────────────────────────────────
def _filled(wiring: Wiring, groups: _Groups, part: Opened | None, full: bool) -> Partition:
    """The groups with the open part taken apart, and with the leaves."""
    homes = _homes(wiring, groups)
    frame = np.full(len(homes), -1)
    frames: list[str] = []
    large: list[NDArray[np.bool_]] = []
    scattered = np.zeros(len(homes), bool)
    for g, place in enumerate(groups.places):
        if part is not None and place == part.name and g not in groups.alone:
            members = homes == g
            frame[members] = len(frames)
            frames.append(groups.names[g])
            if members.sum() <= SINGLE or full:
                scattered |= members
            else:
                large.append(members & wiring.made)
    for members in large:
        groups = _taken_apart(wiring, groups, members, part.name if part else "")
    return _with_leaves(wiring, _scattered(groups, scattered), frame, frames)


def _taken_apart(wiring: Wiring, groups: _Groups, members: NDArray[np.bool_], name: str) -> _Groups:
    """The open group in groups of what lies one step further in, or else in stretches."""
    inner = ["" if not is_inside(scope, name) else scope[len(name) + 1 :].partition("/")[0] for scope in wiring.scopes]
    keys = list(dict.fromkeys(inner))
    below = np.array([keys.index(key) for key in inner], np.intp)[wiring.scope]
    places = [f"{name}/{key}" if key else name for key in keys]
    around = {len(groups.names) + keys.index("")} if "" in keys else set()
    if len(np.unique(below[members])) == 1:
        order = in_order_of_creation(wiring, members)
        cuts = _cuts(len(order))
        below = np.zeros(len(members), np.intp)
        below[order] = np.searchsorted(np.array(cuts, np.intp), np.arange(len(order)), side="right")
        prefix, offset = before_stretch(name)
        ends = pairwise([0, *cuts, len(order)])
        places, around = [stretch_name(prefix, offset + a + 1, offset + b) for a, b in ends], set()
    before = len(groups.names)
    labels = np.where(members, before + below, groups.of)
    of = acyclic(wiring, labels, around)
    label = labels[_first_members(of)].tolist()
    every = [*groups.places, *places]
    named = _named(wiring, of, [every[k] for k in label])
    named.names = [groups.names[k] if k < before else name for k, name in zip(label, named.names, strict=True)]
    named.runs = {g: groups.runs[k] for g, k in enumerate(label) if k in groups.runs}
    named.step = groups.step
    named.alone = {g for g, k in enumerate(label) if k in groups.alone}
    own = np.isin(of, [g for g, k in enumerate(label) if k in around])
    return _scattered(named, own) if 0 < own.sum() <= _FEW_LOOSE else named


def _homes(wiring: Wiring, groups: _Groups) -> Numbers:
    """The groups of computed nodes, and for leaves the only group that uses them, or -1.

    A leaf that several of the steps in a rolled group use belongs to none of them, nor does what they begin with.
    """
    step = np.zeros_like(groups.of) if groups.step is None else groups.step
    users = groups.of * (int(step.max(initial=0)) + 1) + step
    count = int(users.max(initial=0)) + 1
    from_leaf = ~wiring.made[wiring.source]
    pairs = np.unique(wiring.source[from_leaf] * count + users[wiring.target[from_leaf]])
    leaf, user = pairs // count, pairs % count
    only = np.bincount(leaf, minlength=len(users))[leaf] == 1
    homes = groups.of.copy()
    homes[leaf[only]] = user[only] // (int(step.max(initial=0)) + 1)
    homes[[k for k in _begin(groups) if not wiring.made[k]]] = -1
    return homes


def _begin(groups: _Groups) -> list[int]:
    """What the rolled steps begin with."""
    return sorted(frozenset().union(*(run.begin for run in groups.runs.values())))


def _with_leaves(wiring: Wiring, groups: _Groups, frame: Numbers, frames: list[str]) -> Partition:
    """Leaves go where they are used; what several boxes share has boxes of its own."""
    of = _homes(wiring, groups)
    names = list(groups.names)
    alone = np.zeros(len(names) + 1, bool)
    alone[list(groups.alone)] = True
    leaf = ~wiring.made
    single = leaf & (of >= 0) & alone[of]
    shared = leaf & (of < 0)
    boxed = np.zeros(len(of), bool)
    into_group = shared[wiring.source] & ~alone[groups.of[wiring.target]]
    boxed[wiring.source[into_group]] = True
    single |= shared & ~boxed
    into_open = boxed[wiring.source] & alone[groups.of[wiring.target]] & (frame[wiring.target] >= 0)
    used = np.unique(wiring.source[into_open])
    if len(used) <= _FEW_USED:
        single[used] = True
        boxed[used] = False
    begin = set(_begin(groups))
    buckets: dict[tuple[str, int, str], list[int]] = {}
    homes = {wiring.scopes[k].partition("/")[0] for k in np.unique(wiring.scope[boxed]).tolist()}
    for k in np.flatnonzero(boxed).tolist():
        home = wiring.scopes[wiring.scope[k]].partition("/")[0] if len(homes) <= _PIECES else ""
        kind = "initial state" if k in begin else "parameters" if wiring.carries[k] else "inputs"
        buckets.setdefault((kind, int(frame[k]), home), []).append(k)
    for (kind, _, home), members in buckets.items():
        if len(members) <= _FEW_LEAVES:
            single[members] = True
        else:
            of[members] = len(names)
            names.append(f"{home} {kind}".strip())
    of[single] = len(names) + np.arange(int(single.sum()))
    names += [""] * int(single.sum())
    return Partition(of, names, frame, frames, groups.runs)


def _all_single(wiring: Wiring, groups: _Groups, framed: Sequence[int]) -> Partition:
    """Every node in a group of its own, and some groups of nodes in frames."""
    homes = _homes(wiring, groups)
    frame = np.full(len(homes), -1)
    frames: list[str] = []
    for g in framed:
        frame[homes == g] = len(frames)
        frames.append(groups.names[g])
    return Partition(np.arange(len(homes)), [""] * len(homes), frame, frames)


def _is_clear(wiring: Wiring, partition: Partition) -> bool:
    """Whether a picture has few enough boxes and arrows; what is open counts as one box."""
    count = len(partition.names)
    boxes = np.where(partition.frame >= 0, count + partition.frame, partition.group)
    return len(np.unique(boxes)) <= MOST_BOXES and len(arrows(wiring, boxes)) <= MOST_EDGES
