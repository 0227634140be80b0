"""What a picture of paths holds: boxes, arrows, and which path takes which arrow.

A small graph is drawn whole. Of a large one only the paths are drawn, and a long stretch on which they meet nothing
else is one box, so that the picture stays a picture however long the paths are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from autodiff import Node, gradients
from autodiff.explanation import names_of
from viz.drawing.face import HEADER, LINE, PAD, SIZES, Face, Text, face_of
from viz.drawing.format import number
from viz.drawing.text import clean, width
from viz.path_sums.best import product_of
from viz.path_sums.paths import Paths
from viz.path_sums.words import amount_of
from viz.picture import LARGEST
from viz.views.model import Box, Edge, box_of, in_order

WHOLE = 60
"""Nodes of a graph that is drawn whole."""

_SHORTEST_RUN = 3  # steps in a row that become one box
_LONGEST_NAME = 24


@dataclass(frozen=True, slots=True)
class Arrow:
    """One arrow of the drawing: the step of the gradient that it shows, and which of the paths take it."""

    edge: Edge
    factor: Any
    ranks: tuple[int, ...]

    @property
    def label(self) -> str:
        """The factor, or "" where nothing is written: no path comes by, or a box holds the product."""
        return "" if self.factor is None else number(self.factor)


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is drawn: boxes in topological order, their faces, arrows, and what was left out."""

    boxes: tuple[Box, ...]
    faces: tuple[Face, ...]
    arrows: tuple[Arrow, ...]
    on_path: frozenset[int]
    note: str


def sketch_of(paths: Paths) -> Sketch:
    """Boxes and arrows for ``paths``.

    Raises:
        ValueError: even with long stretches as one box each, it is too much for a picture.
    """
    nodes = in_order([paths.output])
    taken: dict[tuple[Node, int], list[int]] = {}
    factors: dict[tuple[Node, int], Any] = {}
    for rank, path in enumerate(paths, 1):
        for node, position, factor in zip(path.nodes, path.positions, path.factors, strict=False):
            taken.setdefault((node, position), []).append(rank)
            factors[node, position] = factor
    on_path = {paths.output, paths.leaf, *(node for path in paths for node in path.nodes)}
    whole = len(nodes) <= WHOLE
    kept = [node for node in nodes if whole or node in on_path]
    kept += [paths.leaf] if paths.leaf not in set(kept) else []
    runs = {} if whole else _runs(paths, taken)
    place: dict[Node, int] = {}
    members: list[list[Node]] = []
    of_run: dict[Node, int] = {}
    for node in kept:
        first = runs.get(node, node)
        if first not in of_run:
            of_run[first] = len(members)
            members.append([])
        place[node] = of_run[first]
        members[place[node]].append(node)
    boxes, faces = _boxes(paths, members, factors)
    arrows = []
    for node in kept:
        for position, x in enumerate(node.inputs):
            ranks = tuple(taken.get((node, position), ()))
            if (ranks or whole) and place.get(x, place[node]) != place[node]:
                run = len(members[place[node]]) > 1
                edge = Edge(place[x], place[node], 0 if run else position, 1 if run else len(node.inputs))
                arrows.append(Arrow(edge, None if run else factors.get((node, position)), ranks))
    arrows.sort(key=lambda arrow: arrow.edge.target)  # as in a drawing of the whole graph
    if len(boxes) > LARGEST:
        raise ValueError(f"the {len(paths)} paths pass {len(boxes):,} boxes, too many for a picture; take a smaller k")
    note = "" if whole else f"only these paths are drawn: {len(on_path):,} of {len(nodes):,} nodes"
    return Sketch(boxes, faces, tuple(arrows), frozenset(place[node] for node in on_path), note)


def _runs(paths: Paths, taken: Mapping[tuple[Node, int], Sequence[int]]) -> dict[Node, Node]:
    """For every node inside a long stretch without any branch, the node that stands for the stretch."""
    leaving: dict[Node, int] = {}
    arriving: dict[Node, int] = {}
    for node, position in taken:
        x = node.inputs[position]
        leaving[node] = leaving.get(node, 0) + 1
        arriving[x] = arriving.get(x, 0) + 1
    passed = {node for node in leaving if leaving[node] == arriving.get(node) == 1}
    found: dict[Node, Node] = {}
    if len(leaving) < WHOLE:
        return found
    for path in paths:
        for inside, stretch in groupby(path.nodes, passed.__contains__):
            run = list(stretch)
            if inside and len(run) >= _SHORTEST_RUN:
                found |= dict.fromkeys(run, run[0])
    return found


def _boxes(
    paths: Paths, members: Sequence[Sequence[Node]], factors: Mapping[tuple[Node, int], Any]
) -> tuple[tuple[Box, ...], tuple[Face, ...]]:
    """A box for every place: a node under the name that the list uses, or a stretch with its product."""
    names = names_of(paths.output)
    single = [run[0] for run in members if len(run) == 1]
    known = [node for node in single if node.requires_grad]
    gradient = dict(zip(known, gradients(paths.output, known), strict=True))
    boxes, faces = [], []
    for run in members:
        if len(run) > 1:
            box, face = _stretch(run, factors)
        else:
            node = run[0]
            box = box_of(node, node is paths.output)
            label = box.label or (clean(names.get(node, ""), _LONGEST_NAME) if node.op else "")
            box = replace(box, label=label, gradient=gradient.get(node))
            face = face_of(box)
        boxes.append(box)
        faces.append(face)
    return tuple(boxes), tuple(faces)


def _stretch(run: Sequence[Node], factors: Mapping[tuple[Node, int], Any]) -> tuple[Box, Face]:
    """A stretch as one box: how many steps it is, and their product."""
    inside = [
        factors[node, position] for node in run for position in range(len(node.inputs)) if (node, position) in factors
    ]
    product = product_of(inside)
    head, body = f"⋯ {len(run):,} steps", f"× {amount_of(product.value, product.log10)}"
    wide = max(width(head, SIZES["small"]), width(body, SIZES["value"])) + 2 * PAD
    texts = [Text(wide / 2, HEADER - 7, head, "small"), Text(wide / 2, HEADER + LINE, body, "value")]
    box = Box("operation", "", "⋯", f"{len(run):,} steps in a row", "", product.value, None, False, False, run[0].scope)
    return box, Face(wide, HEADER + LINE + PAD + 2, texts)
