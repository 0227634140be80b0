"""``draw``: from nodes to a picture that a notebook shows and a file keeps."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from autodiff import Node
from viz.drawing.dot_source import digraph
from viz.drawing.export import saved
from viz.drawing.face import face_of
from viz.drawing.style import Theme
from viz.drawing.svg import svg_of
from viz.drawing.text import clean
from viz.layouts.builtin import Direction, Layout
from viz.layouts.framing import arranged
from viz.layouts.placing import Engine
from viz.options import require, require_number
from viz.views.collapse import LARGEST
from viz.views.model import Graph
from viz.views.places import Level
from viz.views.rolling import Roll
from viz.views.view import view_of

__all__ = ["LARGEST", "Engine", "Picture", "draw"]


@dataclass(frozen=True, repr=False)
class Picture:
    """A drawing of a graph. A notebook shows it by itself; ``save`` keeps it.

    Attributes:
        svg: the text of the SVG file.
        graph: the boxes and edges that are drawn.
        layout: where they are.
        direction: "LR" or "TB".
        note: what a reader should know about how it was drawn, or "".
    """

    svg: str
    graph: Graph = field(compare=False)
    layout: Layout = field(compare=False)
    direction: Direction
    note: str

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        boxes = self.graph.boxes
        nodes = sum(box.group.nodes if box.group else 1 for box in boxes)
        what = f"{nodes:,} nodes" if nodes == len(boxes) else f"{nodes:,} nodes in {len(boxes)} boxes"
        return f"<Picture of {what} and {len(self.graph.edges)} edges, {self.layout.engine} layout>"

    def to_dot(self) -> Any:
        """The same graph as a ``graphviz.Digraph``, for those who want to go on in DOT.

        Raises:
            ImportError: the package graphviz is missing.
        """
        return digraph(self.graph, self.direction)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture into a file, which appears complete or not at all; returns the path.

        The ending says what is written:

        ========= ==========================================================================================
        ``.svg``  the drawing: sharp at any size, all digits on hover, light or dark as the reader likes
        ``.html`` a page around it that can be scrolled, for a browser or a telephone; works offline
        ``.png``  an image, twice as large, in the light colours; needs ``pip install "clearprop[image]"``
        ``.pdf``  one page of its own size, in the light colours; needs ``pip install "clearprop[image]"``
        ``.dot``  the graph as source for Graphviz
        ========= ==========================================================================================

        >>> from autodiff import Value
        >>> draw(Value(2.0, label="x"), layout="builtin").save("x.jpg")
        Traceback (most recent call last):
        ValueError: a picture is saved as .svg, .png, .pdf, .html or .dot, and 'x.jpg' ends otherwise

        Raises:
            ValueError: the ending is none of these, or the picture is too large for a PNG.
            FileNotFoundError: there is no such folder.
            ImportError: what makes this format is missing; the message says what to install.
        """
        return saved(self, Path(path))


def draw(
    nodes: Node | Iterable[Node],
    *,
    level: Level = "auto",
    open: str | None = "auto",
    roll: Roll = "auto",
    full: bool = False,
    layout: Engine = "auto",
    direction: Direction | Literal["auto"] = "auto",
    theme: Theme = "auto",
    statistics: bool = True,
    title: str | None = None,
    time_limit: float = 10.0,
) -> Picture:
    """Draw the graph that one or several nodes were computed from.

    Args:
        nodes: the output, or several.
        level: "scalar" draws every number; "neuron" makes one box of each place (scope) that numbers were made in,
            "layer" of each outermost one, "step" of each time step. "auto" draws up to 150 numbers, and boxes of more.
        open: the place that is shown from inside, such as "layers.0/neurons.3", or a stretch of operations in the
            order of creation, "operations 1-20"; None for none. "auto" opens a small one.
        roll: whether time steps that repeat each other share a box: "auto" from nine on; True rolls whatever repeats.
        full: draw every number of a graph of any size.
        layout: "dot" uses Graphviz, "builtin" needs nothing; "auto" takes dot where it works and nothing is framed.
        direction: "LR", "TB", or "auto": left to right where that fits a page.
        theme: "light", "dark", "print", or "auto", which follows the reader's setting.
        statistics: whether boxes of arrays show the least, the mean and the greatest entry; without, they are narrower.
        title: what the picture is called; by default, after its outputs.
        time_limit: seconds after which dot is stopped.

    Raises:
        TypeError: what is to be drawn is not made of nodes.
        ValueError: an option is unknown, there is no such part to open, nothing to draw, or too much for one picture.
        DotError: layout="dot", and Graphviz is missing or fails.

    >>> from autodiff import Value
    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> draw(a * b + a, layout="builtin")
    <Picture of 4 nodes and 4 edges, builtin layout>

    More than 150 numbers are drawn as boxes, and repeated steps as one:

    >>> from autodiff import scope
    >>> for k in range(200):
    ...     with scope(f"step {k}"):
    ...         a = a * b
    >>> draw(a, layout="builtin", open=None).graph.boxes[-1].name
    'step 0–199'
    """
    require("layout", layout, get_args(Engine))
    require("direction", direction, ("auto", *get_args(Direction)))
    require("theme", theme, get_args(Theme))
    require_number("time_limit", time_limit, 0)
    outputs = _outputs(nodes)
    view = view_of(outputs, level=level, open=open, roll=roll, full=full)
    graph = view.graph
    faces = [face_of(box, narrow=not statistics) for box in graph.boxes]
    sizes = [(face.width, face.height) for face in faces]
    placed = arranged(graph, sizes, layout, direction, time_limit)
    note = "; ".join(filter(None, [view.note, placed.note]))
    name = clean(title) if title is not None else _title(outputs)
    svg = svg_of(graph, faces, placed.layout, title=name, note=note, theme=theme, around=placed)
    return Picture(svg, graph, placed.layout, placed.flow, note)


def _outputs(nodes: Any) -> list[Node]:
    outputs = [nodes] if isinstance(nodes, Node) else list(nodes) if isinstance(nodes, Iterable) else [nodes]
    for node in outputs:
        if not isinstance(node, Node):
            raise TypeError(
                "draw takes a node of a graph, such as the Value or Tensor that a computation gave, or a list of"
                f" them, and was given {type(node).__name__} {clean(repr(node), 40)}"
            )
    if not outputs:
        raise ValueError("there is nothing to draw: the list of nodes is empty")
    return list(dict.fromkeys(outputs))


def _title(outputs: Sequence[Node]) -> str:
    names = [str(node.label or (node.op.symbol if node.op else "")) for node in outputs]
    return clean(f"Computation graph of {', '.join(filter(None, names))}" if any(names) else "Computation graph")
