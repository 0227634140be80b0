"""A view of a graph: which box of the drawing each node is in, and which arrow each of its inputs comes over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from autodiff import Node
from autodiff.explanation import names_of
from viz.drawing.text import clean
from viz.options import require
from viz.views.collapse import SINGLE, partition_of
from viz.views.contents import group_box, label_of
from viz.views.leaves import Partition
from viz.views.model import Box, Edge, Frame, Gradients, Graph, box_of, own_gradient
from viz.views.places import Level
from viz.views.rolling import Roll
from viz.views.wiring import Numbers, Wiring, wiring_of

_BUNDLED_FROM = 4
"""More arrows than these from one box of several nodes to one node are drawn as one."""


@dataclass(frozen=True, slots=True)
class View:
    """A graph of nodes, seen as boxes and edges.

    Attributes:
        graph: what is drawn.
        nodes: all nodes behind it, inputs first.
        box_of: for every node, the index of its box in ``graph.boxes``.
        edge_of: for every ``(node, position)``, the index in ``graph.edges`` of the arrow over which input number
            ``position`` reaches the node; None where both are inside the same box.
        level: "scalar", "neuron", "layer" or "step": by what boxes were made.
        note: what a reader should know about how it was collapsed, or "".
    """

    graph: Graph
    nodes: tuple[Node, ...]
    box_of: dict[Node, int]
    edge_of: Mapping[tuple[Node, int], int | None]
    level: str = "scalar"
    note: str = ""


class Arrows(Mapping[tuple[Node, int], int | None]):
    """Which edge each input of each node comes over, worked out when it is asked for: of a million nodes, few are."""

    def __init__(self, box_of: Mapping[Node, int], edges: Sequence[Edge], boxes: Sequence[Box]) -> None:
        self._box_of, self._boxes = box_of, boxes
        self._edges = {(edge.source, edge.target, edge.port): k for k, edge in enumerate(edges)}
        self._first = {(edge.source, edge.target): k for k, edge in reversed(list(enumerate(edges)))}

    def __getitem__(self, key: tuple[Node, int]) -> int | None:
        node, position = key
        inputs = node.inputs
        if not 0 <= position < len(inputs):
            raise KeyError(key)
        source, target = self._box_of[inputs[position]], self._box_of[node]
        if source == target:
            return None
        if self._boxes[target].group is None and (source, target, position) in self._edges:
            return self._edges[source, target, position]
        return self._first[source, target]

    def __iter__(self) -> Iterator[tuple[Node, int]]:
        return ((node, k) for node in self._box_of for k in range(len(node.inputs)))

    def __len__(self) -> int:
        return sum(len(node.inputs) for node in self._box_of)


def scalar_view(outputs: Sequence[Node]) -> View:
    """Every node is a box of its own.

    >>> from autodiff import Value
    >>> a = Value(3.0, label="a")
    >>> view = scalar_view([a * a])
    >>> view.box_of[a], list(view.edge_of.values())
    (0, [0, 1])
    """
    return view_of(outputs, level="scalar", full=True)


def view_of(
    outputs: Sequence[Node],
    *,
    level: Level = "auto",
    open: str | None = "auto",
    roll: Roll = "auto",
    full: bool = False,
    gradient_of: Gradients = own_gradient,
) -> View:
    """Everything that ``outputs`` were computed from, in as many boxes as can be read.

    Args:
        outputs: the nodes to draw.
        level: "scalar" draws every node; "neuron" makes a box of each scope, "layer" of each outermost scope, "step"
            of each time step. "auto" takes "scalar" up to 150 nodes, "neuron" above, and "layer" or "step" where there
            would be more than 60 boxes or 300 arrows between them.
        open: the scope of one part that is shown from inside, such as "layers.0/neurons.3", or a stretch of operations
            in the order of creation, "operations 1-20"; None for no part. "auto" takes a small one.
        roll: whether repeated time steps share a box: "auto" from nine on; True rolls whatever repeats.
        gradient_of: where the gradient of a node is taken from, by default its ``.grad``.
        full: with "auto", draw every node, however many; otherwise, draw even more than 2,000 boxes.

    Raises:
        ValueError: an unknown level, a part that does not exist, or too many boxes for one picture.
        GraphError: a leaf was changed after a node was computed from it.

    >>> from autodiff import Value, scope
    >>> x = Value(1.0)
    >>> with scope("line"):
    ...     y = 2 * x + 1
    >>> view = view_of([y * y], level="neuron", open=None)
    >>> [box.name for box in view.graph.boxes]
    ['line', '×']
    """
    require("level", level, get_args(Level))
    require("roll", roll, ("auto", True, False))
    if open is not None and not isinstance(open, str):
        raise TypeError(
            f"open takes the name of a part, such as 'layers.0/neurons.3', or None, not {clean(repr(open), 60)}"
        )
    wiring = wiring_of(outputs)
    partition = partition_of(wiring, level=level, open=open, roll=roll, full=full)
    return _seen(wiring, partition, outputs, gradient_of)


def _seen(wiring: Wiring, partition: Partition, outputs: Sequence[Node], gradient_of: Gradients) -> View:
    """The boxes of a partition, inputs first, and the arrows between them."""
    members = np.argsort(partition.group, kind="stable")
    size = np.bincount(partition.group, minlength=len(partition.names))
    first = members[np.cumsum(size) - size]
    alone = size == 1
    a, b = partition.group[wiring.source], partition.group[wiring.target]
    crossing = np.flatnonzero(a != b)
    port = _bundled(a, b, np.where(alone[b], wiring.position, 0), crossing[alone[b[crossing]] & ~alone[a[crossing]]])
    order = _inputs_first(a[crossing], b[crossing], partition.group[wiring.outputs], len(size))
    number = np.empty(len(size), np.intp)
    number[order] = np.arange(len(order))

    boxes = []
    aliases = _aliases(wiring, outputs) if bool(alone.all()) or len(wiring.nodes) <= SINGLE else {}
    asked_for = set(wiring.outputs.tolist())
    leaving = _leaving(wiring, partition.group)
    starts = np.cumsum(size) - size
    for g in order:
        if alone[g]:
            k = int(first[g])
            node = wiring.nodes[k]
            boxes.append(replace(box_of(node, k in asked_for, gradient_of), alias=aliases.get(node, "")))
        else:
            own = members[starts[g] : starts[g] + size[g]]
            boxes.append(
                group_box(wiring, partition.names[g], own, leaving.get(g, []), partition.runs.get(g), gradient_of)
            )
    edges = _edges(wiring, number[a], number[b], port, crossing, boxes)
    frames = []
    for f, name in enumerate(partition.frames):
        inside = frozenset(np.unique(number[partition.group[partition.frame == f]]).tolist())
        frames.append(Frame(clean(name), inside))
    nodes = tuple(wiring.nodes)
    home = dict(zip(nodes, number[partition.group].tolist(), strict=True))
    graph = Graph(tuple(boxes), tuple(edges), tuple(frames))
    return View(graph, nodes, home, Arrows(home, edges, boxes), partition.level, partition.note)


def _bundled(source: Numbers, target: Numbers, port: Numbers, among: Numbers) -> Numbers:
    """The ports, where many inputs of one node that come from one box of many nodes share an arrow."""
    pairs = source[among] * (int(target.max(initial=0)) + 1) + target[among]
    _, first, which, count = np.unique(pairs, return_index=True, return_inverse=True, return_counts=True)
    shared = count[which] > _BUNDLED_FROM
    port = port.copy()
    port[among[shared]] = port[among[first[which]]][shared]
    return port


def _inputs_first(source: Numbers, target: Numbers, outputs: Numbers, count: int) -> list[int]:
    """The groups in the order of a walk from the outputs, left operands before right ones: see ``model.in_order``."""
    pairs, at = np.unique(target * count + source, return_index=True)
    by_use = np.lexsort((at, pairs // count))
    starts = np.searchsorted(pairs // count, np.arange(count + 1)).tolist()
    feeding = (pairs % count)[by_use].tolist()
    done: dict[int, None] = {}
    stack = [(g, False) for g in reversed(outputs.tolist())]
    while stack:
        g, inputs_done = stack.pop()
        if inputs_done:
            done[g] = None
        elif g not in done:
            stack.append((g, True))
            stack += [(x, False) for x in reversed(feeding[starts[g] : starts[g + 1]]) if x not in done]
    return list(done)


def _edges(
    wiring: Wiring, source: Numbers, target: Numbers, port: Numbers, crossing: Numbers, boxes: Sequence[Box]
) -> list[Edge]:
    """One edge for each input of a node that is drawn, and one for each pair of boxes otherwise."""
    keys = np.stack([target[crossing], port[crossing], source[crossing]], axis=1)
    kinds, at, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    passing = np.unique(np.stack([which.reshape(-1), wiring.source[crossing]], axis=1), axis=0)
    numbers = np.zeros(len(kinds), np.intp)
    np.add.at(numbers, passing[:, 0], wiring.size[passing[:, 1]])
    nodes = np.bincount(passing[:, 0], minlength=len(kinds))
    ports = np.bincount(wiring.target, minlength=len(wiring.nodes))[wiring.target[crossing[at]]]
    edges = []
    for k in np.lexsort((at, kinds[:, 0])).tolist():
        b, where, a = kinds[k].tolist()
        one = boxes[a].group is not None and nodes[k] == 1
        name = label_of(wiring.nodes[wiring.source[crossing[at[k]]]]) if one else ""
        edges.append(Edge(a, b, where, 1 if boxes[b].group else int(ports[k]), int(numbers[k]), name))
    return edges


def _leaving(wiring: Wiring, group: Numbers) -> dict[int, list[int]]:
    """For every group, which of its nodes others use, or were asked for."""
    out = np.unique(np.concatenate([wiring.source[group[wiring.source] != group[wiring.target]], wiring.outputs]))
    found: dict[int, list[int]] = {}
    for k, g in zip(out.tolist(), group[out].tolist(), strict=True):
        found.setdefault(g, []).append(k)
    return found


def _aliases(wiring: Wiring, outputs: Sequence[Node]) -> dict[Node, str]:
    """What explain calls nodes, if not by their label, where it tells one story of few enough nodes to be followed."""
    if len(set(outputs)) != 1 or len(wiring.nodes) > SINGLE:
        return {}
    return {node: name for node, name in names_of(outputs[0]).items() if node.requires_grad and name != node.label}
