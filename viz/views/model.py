"""What is drawn: a graph of nodes as plain boxes and edges.

Nothing here knows about pixels. A box holds what a reader wants to know of one node, an edge says which
input of which box it feeds; layouts and writers need no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from autodiff import Node
from autodiff.errors import leaf_changed
from autodiff.formula import index_text
from viz.drawing.text import clean

Kind = Literal["leaf", "constant", "operation"]


@dataclass(frozen=True, slots=True)
class Leaving:
    """A number or array that other boxes get from a box of several nodes, and its gradient."""

    name: str
    data: Any
    gradient: Any
    carries: bool


@dataclass(frozen=True, slots=True)
class Group:
    """What a box of several nodes holds.

    Attributes:
        nodes, operations: how many.
        parameters, constants: how many numbers its leaves hold that carry a gradient, and that do not.
        leaving: what other boxes get from it, or is asked for: all of it, or, if that is much, nothing.
        leaves: how many nodes those are.
        least, greatest: of the numbers that leave it.
        gradient: the Euclidean norm of the gradient of its parameters or, without any, of what leaves it; None
            where it has not been computed.
        repeats: how many time steps it stands for.
        state: how many numbers each of them hands to the next.
    """

    nodes: int
    operations: int
    parameters: int
    constants: int
    leaving: tuple[Leaving, ...]
    leaves: int
    least: Any
    greatest: Any
    gradient: float | None
    repeats: int = 1
    state: int = 0


@dataclass(frozen=True, slots=True)
class Box:
    """One node, or several, as far as a drawing is concerned.

    Attributes:
        kind: a leaf that carries a gradient, a constant, or the result of an operation.
        label, symbol, operation: the variable's name, the sign and the name of the operation ("" if none).
        detail: parameters of the operation that are not the usual ones, such as ``axis=0``.
        data, gradient: the number or array, and the gradient, None where there is none yet.
        carries: whether gradients flow to the node.
        is_output: whether the drawing was asked for this node.
        scope: the place it was made in, such as ``layer 1/neuron 3``.
        group: what it holds, if it stands for several nodes; it has no data of its own then.
        alias: what ``explain`` calls the node, where that is not its label.
    """

    kind: Kind
    label: str
    symbol: str
    operation: str
    detail: str
    data: Any
    gradient: Any
    carries: bool
    is_output: bool
    scope: str
    group: Group | None = None
    alias: str = ""

    @property
    def name(self) -> str:
        """The label, or else the sign of the operation."""
        return self.label or self.symbol


@dataclass(frozen=True, slots=True)
class Edge:
    """Box ``source`` is input number ``port`` of box ``target``, which has ``ports`` inputs.

    Into a box of several nodes leads one edge from each box that feeds it; ``numbers`` come over an edge. If they are
    those of one node in a box of several, ``carried`` is what it is called.
    """

    source: int
    target: int
    port: int
    ports: int
    numbers: int = 1
    carried: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """A line around some boxes, with the name of their place."""

    name: str
    boxes: frozenset[int]


@dataclass(frozen=True, slots=True)
class Graph:
    """Boxes in topological order, which also numbers them, and the edges between them; frames share no box."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    frames: tuple[Frame, ...] = ()


def graph_of(outputs: Sequence[Node]) -> Graph:
    """Everything that ``outputs`` were computed from.

    >>> from autodiff import Value
    >>> a = Value(3.0, label="a")
    >>> graph = graph_of([a * a])
    >>> [box.name for box in graph.boxes], len(graph.edges)
    (['a', '×'], 2)
    """
    return graph_from(in_order(outputs), outputs)


def graph_from(nodes: Sequence[Node], outputs: Sequence[Node]) -> Graph:
    """Boxes and edges of ``nodes``, which stand in topological order and hold all their inputs."""
    number = {node: k for k, node in enumerate(nodes)}
    asked_for = set(outputs)
    boxes = tuple(box_of(node, node in asked_for) for node in nodes)
    edges = []
    for node in nodes:
        inputs = node.inputs
        for x in inputs:
            if x.clock > node.clock:  # its box would show a number that the node was not computed from
                raise leaf_changed(x, node)
        for port, x in enumerate(inputs):
            edges.append(Edge(number[x], number[node], port, len(inputs), getattr(x.data, "size", 1)))
    return Graph(boxes, tuple(edges))


def in_order(outputs: Iterable[Node]) -> list[Node]:
    """All nodes that ``outputs`` were made from, inputs first and left operands before right ones.

    The order follows from the graph alone, not from when or where it was made.
    """
    done: dict[Node, None] = {}
    stack: list[tuple[Node, bool]] = [(node, False) for node in reversed(list(outputs))]
    while stack:
        node, inputs_done = stack.pop()
        if inputs_done:
            done[node] = None
        elif node not in done:
            stack.append((node, True))
            stack += [(x, False) for x in reversed(node.inputs) if x not in done]
    return list(done)


Gradients = Callable[[Node], Any]
"""Where a drawing takes the gradient of a node from: its ``.grad``, or what a story has computed."""


def own_gradient(node: Node) -> Any:
    """The gradient that the node keeps itself."""
    return node.grad


def box_of(node: Node, is_output: bool, gradient_of: Gradients = own_gradient) -> Box:
    """A box for one node."""
    op = node.op
    kind: Kind = "operation" if op else "leaf" if node.requires_grad else "constant"
    return Box(
        kind=kind,
        label="" if node.label is None else clean(node.label),
        symbol=clean(op.symbol) if op else "",
        operation=clean(op.name) if op else "",
        detail=_detail(node),
        data=node.data,
        gradient=gradient_of(node) if node.requires_grad else None,
        carries=node.requires_grad,
        is_output=is_output,
        scope=clean(node.scope),
    )


def _detail(node: Node) -> str:
    """Parameters that differ from their defaults."""
    if node.op is None or not node.params:
        return ""
    usual = {name: repr(value) for name, value in node.op.defaults.items()}
    given = {name: repr(value) for name, value in node.params.items()}
    if "index" in given:
        given["index"] = f"[{index_text(node.params['index'])}]"
    return clean(", ".join(f"{name}={shown}" for name, shown in given.items() if usual.get(name) != shown))
