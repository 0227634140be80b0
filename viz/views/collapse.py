"""Semantic zoom: which nodes share a box, so that a graph of any size can be read.

Boxes are the places (scopes) that nodes were made in. A drawing has a grain: every single number, neurons, layers or
time steps. One place can be open, which shows what is inside it. Time steps that repeat each other can be rolled into
one box. Where there are no scopes, stretches in the order of creation take their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from viz.drawing.text import clean
from viz.views.acyclic import acyclic, arrows
from viz.views.groups import Groups, first_members, merged, named, scattered
from viz.views.leaves import Partition, homes_of, with_leaves
from viz.views.opening import Opened, before_stretch, in_order_of_creation, opened, stretch_name
from viz.views.places import OUTSIDE, Grain, Level, around, is_inside, place_of, step_of, together
from viz.views.rolling import Roll, Run, repeats, without
from viz.views.wiring import Wiring

__all__ = ["LARGEST", "MOST_BOXES", "MOST_EDGES", "SINGLE", "Partition", "Roll", "partition_of"]

SINGLE = 150
"""Nodes that are drawn one by one without being asked."""

LARGEST = 2000
"""Boxes that are drawn without being asked twice."""

MOST_BOXES, MOST_EDGES = 60, 300
"""Of an automatic drawing; where there would be more, it takes a coarser grain."""

_FEW_LOOSE = 8  # operations outside all scopes that are drawn one by one
_LEAST_PIECE = 8  # operations of a stretch
_PIECES = 12  # stretches of a place without places inside
_TYPICAL = range(2, 41)  # operations of a part that is opened without being asked


def partition_of(
    wiring: Wiring, *, level: Level = "auto", open: str | None = "auto", roll: Roll = "auto", full: bool = False
) -> Partition:
    """Sort the nodes of a graph into boxes; see :func:`viz.views.view.view_of`."""
    count = len(wiring.nodes)
    asked = None if open in ("auto", None) else opened(wiring, str(open))
    if level == "scalar" or (level == "auto" and (full or (count <= SINGLE and roll is not True))):
        if count > LARGEST and not full:
            raise ValueError(
                f"this graph has {count:,} nodes, and a picture of more than {LARGEST:,} cannot be read; write"
                ' level="auto" for boxes of them, draw a part of it (a node further inside, or the loss of one'
                " sample), or write full=True"
            )
        return _scalars(wiring)
    steps = any(map(step_of, wiring.scopes))
    if level == "step" and not steps:
        raise ValueError(
            'level="step" needs scopes that are called like time steps, such as with scope("step 3"), and this graph'
            ' has none; write level="layer" or level="neuron"'
        )
    grain: Grain = "neuron"
    if level == "auto":
        grain, partition = _clearest(wiring, asked, open == "auto", roll, steps)
    else:
        grain = level
        partition = _filled(wiring, *_collapsed(wiring, grain, asked, open == "auto", roll), full)
    boxes = len(partition.names)
    if boxes > LARGEST and not full:
        raise ValueError(
            f'level="{grain}" makes {boxes:,} boxes of this graph, and a picture of more than {LARGEST:,} cannot be'
            ' read; write level="auto", or full=True'
        )
    partition.level = grain
    partition.note = _note(wiring, partition, grain)
    return partition


def _clearest(wiring: Wiring, asked: Opened | None, typical: bool, roll: Roll, steps: bool) -> tuple[Grain, Partition]:
    """The finest grain that can be read, with boxes joined if need be."""
    finest: list[Grain] = ["neuron", "step"] if steps else ["neuron"]
    for grain in (*finest, "layer"):
        groups, part = _collapsed(wiring, grain, asked, typical, roll)
        partition = _filled(wiring, groups, part, False)
        boxes, between = _counted(wiring, partition)
        if boxes <= MOST_BOXES and between <= MOST_EDGES:
            break
        if grain != "neuron":
            partition = _filled(wiring, _joined(wiring, groups, part), part, False)
            if _counted(wiring, partition)[0] <= MOST_BOXES:
                break
    return grain, partition


def _counted(wiring: Wiring, partition: Partition) -> tuple[int, int]:
    """How many boxes and arrows there are, if what is open counts as one box."""
    boxes = np.where(partition.frame >= 0, len(partition.names) + partition.frame, partition.group)
    return len(np.unique(boxes)), len(arrows(wiring, boxes))


def _joined(wiring: Wiring, groups: Groups, part: Opened | None) -> Groups:
    """The same in about as many boxes as are clear."""
    fixed = groups.alone | set(groups.runs)
    fixed |= {g for g, place in enumerate(groups.places) if part is not None and place == part.name}
    free = [g for g in range(len(groups.names)) if g not in fixed]
    return merged(wiring, groups, free, max(MOST_BOXES - len(fixed) - _PIECES, MOST_BOXES // 3))


def _note(wiring: Wiring, partition: Partition, grain: Grain) -> str:
    count, boxes = len(wiring.nodes), len(partition.names)
    if not _has_scopes(wiring):
        return f'{count:,} nodes in {boxes} boxes, in the order of creation; with scope("name"): gives boxes with names'
    closed = [name for name in partition.names if name and name in wiring.scopes]
    hint = f'; open="{clean(closed[0], 60)}" looks into one' if closed else ""
    return f"{count:,} nodes in {boxes} boxes, by {_kind_of_boxes(partition, grain)}{hint}"


def _kind_of_boxes(partition: Partition, grain: Grain) -> str:
    """The grain, or what the finest scopes are where they are no neurons."""
    if grain != "neuron" or any("neuron" in name.lower() for name in partition.names):
        return grain
    places = [*partition.names, *(run.places[0] for run in partition.runs.values())]
    return "step" if any(map(step_of, places)) else "scope"


def _has_scopes(wiring: Wiring) -> bool:
    return any(wiring.scopes[k] for k in np.unique(wiring.scope[wiring.made]).tolist())


# ── every number by itself ───────────────────────────────────────────────────────────────────────────
def _scalars(wiring: Wiring) -> Partition:
    """Each node in a box; frames around the places."""
    groups = _grouped(wiring, wiring.scopes, None)
    homes = homes_of(wiring, groups)
    frame = np.full(len(homes), -1)
    frames: list[str] = []
    for g, place in enumerate(groups.places):
        if place and g not in groups.alone:
            frame[homes == g] = len(frames)
            frames.append(groups.names[g])
    return Partition(np.arange(len(homes)), [""] * len(homes), frame, frames)


# ── boxes ────────────────────────────────────────────────────────────────────────────────────────────
def _collapsed(
    wiring: Wiring, grain: Grain, asked: Opened | None, typical: bool, roll: Roll
) -> tuple[Groups, Opened | None]:
    """Groups at a grain, and which part is open."""
    if not _has_scopes(wiring):
        return _stretched(wiring, asked, typical)
    found, part = repeats(wiring, grain, roll), asked
    if typical:
        place = _typical_place(wiring, found)
        part = opened(wiring, place) if place else None
    rows = [row for run in found for row in (without(run, part.name) if part else [run])]
    places = [place_of(scope, grain) for scope in wiring.scopes]
    while True:
        rolled = {together(row.places): row for row in rows if together(row.places) not in places}
        into = {place: name for name, row in rolled.items() for place in row.places}
        shared = [around(scope) & into.keys() for scope in wiring.scopes]
        of = [into[min(inside)] if inside else place for inside, place in zip(shared, places, strict=True)]
        groups = _grouped(wiring, of, part)
        split = [name for name in rolled if groups.places.count(name) > 1]
        if not split:
            break
        rows = [row for name, row in rolled.items() if name not in split]  # they would be in a knot
    groups.runs = {g: rolled[place] for g, place in enumerate(groups.places) if place in rolled}
    turn = {place: k for row in rolled.values() for k, place in enumerate(row.places, 1)}
    groups.step = np.array([turn[min(inside)] if inside else 0 for inside in shared], np.intp)[wiring.scope]
    return groups, part


def _typical_place(wiring: Wiring, repeats: Sequence[Run]) -> str:
    """A small place that shows what the others are like: the last of a run, or else the first there is."""
    operations = np.bincount(wiring.scope[wiring.made], minlength=len(wiring.scopes)).tolist()
    for run in repeats:
        inside = sum(n for scope, n in zip(wiring.scopes, operations, strict=True) if is_inside(scope, run.places[-1]))
        if inside in _TYPICAL:
            return run.places[-1]
    enclosing = set().union(*(around(scope) - {scope} for scope in wiring.scopes))
    small = [
        k for k, n in enumerate(operations) if n in _TYPICAL and wiring.scopes[k] and wiring.scopes[k] not in enclosing
    ]
    if not small:
        return ""
    first = np.full(len(wiring.scopes), np.iinfo(np.intp).max)
    np.minimum.at(first, wiring.scope[wiring.made], wiring.clock[wiring.made])
    return wiring.scopes[min(small, key=lambda k: int(first[k]))]


def _grouped(wiring: Wiring, of_scope: Sequence[str], part: Opened | None) -> Groups:
    """One group for every place, or for every visit to it; the open part is one by itself."""
    index: dict[str, int] = {}
    keys = np.array([index.setdefault(place, len(index)) for place in of_scope], np.intp)[wiring.scope]
    if part is not None:
        keys = np.where(part.inside, index.setdefault(part.name, len(index)), keys)
    enclosing = set().union(*(around(place) - {place} for place in index)) | {""}
    groups = acyclic(wiring, keys, {index[place] for place in enclosing & index.keys()})
    places = list(index)
    result = named(wiring, groups, [places[k] for k in keys[first_members(groups)].tolist()])
    return _loosened(wiring, result, part)


def _loosened(wiring: Wiring, groups: Groups, part: Opened | None) -> Groups:
    """The same with few operations outside all scopes each by itself."""
    size = np.bincount(groups.of[wiring.made], minlength=len(groups.names))
    loose = [g for g, place in enumerate(groups.places) if not place and size[g] <= _FEW_LOOSE]
    if (part is not None and part.name == OUTSIDE) or sum(int(size[g]) for g in loose) > 2 * _FEW_LOOSE:
        return groups
    return scattered(groups, np.isin(groups.of, loose))


# ── without scopes ───────────────────────────────────────────────────────────────────────────────────
def _stretched(wiring: Wiring, asked: Opened | None, typical: bool) -> tuple[Groups, Opened | None]:
    """Stretches in the order of creation, and the open one: by itself, the last few operations."""
    order = in_order_of_creation(wiring, wiring.made)
    count = len(order)
    part = asked
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
    return Groups(groups, names, list(names)), part


def _cuts(count: int) -> list[int]:
    pieces = max(1, min(_PIECES, count // _LEAST_PIECE))
    return [count * k // pieces for k in range(1, pieces)]


# ── what is open ─────────────────────────────────────────────────────────────────────────────────────
def _filled(wiring: Wiring, groups: Groups, part: Opened | None, full: bool) -> Partition:
    """The groups with the open part taken apart, and with the leaves."""
    homes = homes_of(wiring, groups)
    frame = np.full(len(homes), -1)
    frames: list[str] = []
    small = np.zeros(len(homes), bool)
    large: list[NDArray[np.bool_]] = []
    for g, place in enumerate(groups.places):
        if part is not None and place == part.name and g not in groups.alone:
            members = homes == g
            frame[members] = len(frames)
            frames.append(groups.names[g])
            if members.sum() <= SINGLE or full:
                small |= members
            else:
                large.append(members & wiring.made)
    for members in large:
        groups = _taken_apart(wiring, groups, members, part.name if part else "")
    return with_leaves(wiring, scattered(groups, small), frame, frames)


def _taken_apart(wiring: Wiring, groups: Groups, members: NDArray[np.bool_], name: str) -> Groups:
    """The open group in groups of what lies one step further in, or else in stretches."""
    below = {scope: scope[len(name) + 1 :].partition("/")[0] for scope in wiring.scopes if is_inside(scope, name)}
    index = {key: k for k, key in enumerate(dict.fromkeys(below.values()))}
    part = np.array([index[below[scope]] if scope in below else -1 for scope in wiring.scopes], np.intp)[wiring.scope]
    places = [f"{name}/{key}" if key else name for key in index]
    enclosing = {index[""]} if "" in index else set()
    if len(np.unique(part[members])) == 1:
        order = in_order_of_creation(wiring, members)
        cuts = _cuts(len(order))
        part = np.zeros(len(members), np.intp)
        part[order] = np.searchsorted(np.array(cuts, np.intp), np.arange(len(order)), side="right")
        place, skipped = before_stretch(name)
        ends = pairwise([0, *cuts, len(order)])
        places, enclosing = [stretch_name(place, skipped + a + 1, skipped + b) for a, b in ends], set()
    before = len(groups.names)
    labels = np.where(members, before + part, groups.of)
    of = acyclic(wiring, labels, {before + k for k in enclosing})
    label = labels[first_members(of)].tolist()
    result = named(wiring, of, [[*groups.places, *places][k] for k in label])
    result.names = [groups.names[k] if k < before else name for k, name in zip(label, result.names, strict=True)]
    result.runs = {g: groups.runs[k] for g, k in enumerate(label) if k in groups.runs}
    result.alone = {g for g, k in enumerate(label) if k in groups.alone}
    result.step = groups.step
    own = np.isin(of, [g for g, k in enumerate(label) if k - before in enclosing])
    if 0 < own.sum() <= _FEW_LOOSE:
        result = scattered(result, own)
    inside = [g for g in np.unique(result.of[members]).tolist() if g not in result.alone]
    return merged(wiring, result, inside, MOST_BOXES // 2, sealed=True) if len(inside) > MOST_BOXES else result
