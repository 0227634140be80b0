"""A view of a graph: which box of the drawing each node is in, and which arrow each of its inputs comes over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autodiff import Node
from viz.model import Graph, graph_from, in_order


@dataclass(frozen=True, slots=True)
class View:
    """A graph of nodes, seen as boxes and edges.

    Attributes:
        graph: what is drawn.
        nodes: all nodes behind it, inputs first.
        box_of: for every node, the index of its box in ``graph.boxes``.
        edge_of: for every ``(node, position)``, the index in ``graph.edges`` of the arrow over which input number
            ``position`` reaches the node; None where both are inside the same box.
    """

    graph: Graph
    nodes: tuple[Node, ...]
    box_of: dict[Node, int]
    edge_of: dict[tuple[Node, int], int | None]


def scalar_view(outputs: Sequence[Node]) -> View:
    """Every node is a box of its own.

    >>> from autodiff import Value
    >>> a = Value(3.0, label="a")
    >>> view = scalar_view([a * a])
    >>> view.box_of[a], list(view.edge_of.values())
    (0, [0, 1])
    """
    nodes = in_order(outputs)
    graph = graph_from(nodes, outputs)
    number = {node: k for k, node in enumerate(nodes)}
    edges = {(nodes[edge.target], edge.port): k for k, edge in enumerate(graph.edges)}
    return View(graph, tuple(nodes), number, dict(edges))
