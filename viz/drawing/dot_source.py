"""A graph as DOT source, for people who want to go on with Graphviz themselves."""

from __future__ import annotations

from typing import Any

from viz.drawing.face import described
from viz.drawing.format import number
from viz.drawing.text import clean
from viz.layouts.builtin import Direction
from viz.views.model import Box, Graph

_SHAPES = {"leaf": "ellipse", "constant": "plaintext", "operation": "box"}


def digraph(graph: Graph, direction: Direction = "LR") -> Any:
    """The graph as a ``graphviz.Digraph``; labels are text, whatever they contain.

    >>> from autodiff import Value
    >>> from viz.views.model import graph_of
    >>> "<b>x" in digraph(graph_of([Value(2.0, label="<b>x")])).source
    True

    Raises:
        ImportError: the package graphviz is missing.
    """
    try:
        import graphviz
    except ImportError:
        raise ImportError("to_dot needs the Python package graphviz: pip install graphviz") from None
    result = graphviz.Digraph(graph_attr={"rankdir": direction})
    for k, box in enumerate(graph.boxes):
        result.node(f"n{k}", label=_label(box, graphviz.escape, graphviz.nohtml), shape=_SHAPES[box.kind])
    for edge in graph.edges:
        result.edge(f"n{edge.source}", f"n{edge.target}")
    return result


def _label(box: Box, escape: Any, literal: Any) -> Any:
    """The lines of a label, each escaped, joined by DOT's own line break."""
    lines = [clean(box.name, 60)] if box.name else []
    if box.group is None and getattr(box.data, "size", 1) == 1:
        lines.append(number(box.data))
        lines += [_gradient(box)] if box.carries else []
    else:
        lines.append(clean(described(box)))
    # DOT reads backslashes and HTML entities in plain labels; a line break of its own joins the lines.
    return literal("\\n".join(escape(line.replace("&", "&amp;")) for line in lines))


def _gradient(box: Box) -> str:
    return "∇ not computed yet" if box.gradient is None else f"∇ {number(box.gradient)}"
