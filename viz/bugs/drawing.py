"""A wrong backward pass and the right one as two drawings of the same graph, in one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from autodiff import Node
from viz.drawing.face import PAD, Face, Text, face_of
from viz.drawing.style import Theme
from viz.drawing.svg import Marks, element, svg_of
from viz.layouts.builtin import Direction, Layout, Point, best_direction
from viz.layouts.placing import Engine, laid_out
from viz.picture import Picture
from viz.views.model import Box, Edge, Graph
from viz.views.view import View

WIDEST = 1100
"""Two drawings stand side by side if they are not wider together, and else one above the other."""

LARGEST = 1000
"""Nodes that are drawn twice."""

_HEAD = 34.0  # room for a heading
_BETWEEN = 48.0

_CSS = """
{root} .wrong .gradient { font-weight: bold; }
{root} .slip .edge { stroke-width: 3; stroke-dasharray: 6 4; }
"""


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the drawings: its heading, the gradients it shows, and which of them are wrong, and which arrows."""

    heading: str
    gradients: Mapping[Node, Any]
    wrong: frozenset[Node] = frozenset()
    slips: frozenset[int] = frozenset()


def side_by_side(
    view: View, panels: Sequence[Panel], *, title: str, note: str, engine: Engine, theme: Theme, time_limit: float
) -> Picture:
    """The graph of ``view`` once for each panel: wrong gradients carry a ✗ and are bold, wrong arrows are dashed."""
    boxes, faces, layouts, excuse = [], [], [], ""
    direction: Direction | None = None
    for panel in panels:
        shown = _boxes(view, panel)
        drawn = [_face(box, view.nodes[k] in panel.wrong) for k, box in enumerate(shown)]
        sizes = [(face.width, face.height) for face in drawn]
        direction = direction or best_direction(sizes, view.graph.edges)
        placed, excuse = laid_out(sizes, view.graph.edges, engine, direction, time_limit)
        boxes += shown
        faces += drawn
        layouts.append(placed)
    assert direction is not None
    corners, whole = _together(layouts, [Text(0, 0, panel.heading, "name").width for panel in panels])
    graph = Graph(tuple(boxes), tuple(_edges(view.graph, len(panels))))
    marks = Marks(
        boxes={
            p * len(view.nodes) + k: "wrong"
            for p, panel in enumerate(panels)
            for k, node in enumerate(view.nodes)
            if node in panel.wrong
        },
        edges={p * len(view.graph.edges) + k: "slip" for p, panel in enumerate(panels) for k in panel.slips},
        css=_CSS,
        over=[
            element("text", escape(panel.heading), x=x, y=y + 14, class_="name")
            for panel, (x, y) in zip(panels, corners, strict=True)
        ],
    )
    told = " ".join(filter(None, [note, excuse]))
    svg = svg_of(graph, faces, whole, title=title, note=told, theme=theme, marks=marks)
    return Picture(svg, graph, whole, direction, told)


def _boxes(view: View, panel: Panel) -> list[Box]:
    gradients = [panel.gradients.get(node) for node in view.nodes]
    return [replace(box, gradient=g) for box, g in zip(view.graph.boxes, gradients, strict=True)]


def _face(box: Box, is_wrong: bool) -> Face:
    """The face of a box, with a ✗ before its gradient if that is wrong."""
    face = face_of(box)
    if not is_wrong:
        return face
    marked = [
        replace(text, words=f"✗ {text.words}") if text.style == "gradient" and text.words.startswith("∇") else text
        for text in face.texts
    ]
    missing = max(0.0, max(text.width for text in marked) + 2 * PAD - face.width)
    share = {"start": 0.0, "middle": 0.5, "end": 1.0}
    moved = [replace(text, x=text.x + share[text.anchor] * missing) for text in marked]
    return Face(face.width + missing, face.height, moved, face.heats)


def _edges(graph: Graph, times: int) -> list[Edge]:
    count = len(graph.boxes)
    return [
        replace(edge, source=edge.source + p * count, target=edge.target + p * count)
        for p in range(times)
        for edge in graph.edges
    ]


def _together(layouts: Sequence[Layout], headings: Sequence[float]) -> tuple[list[Point], Layout]:
    """All layouts as one, each under its heading, and the upper left corner of each."""
    widths = [max(placed.width, heading) for placed, heading in zip(layouts, headings, strict=True)]
    heights = [placed.height + _HEAD for placed in layouts]
    beside = sum(widths) + _BETWEEN * (len(widths) - 1) <= WIDEST
    places: list[Point] = []
    x = y = 0.0
    for wide, tall in zip(widths, heights, strict=True):
        places.append((x, y))
        x, y = (x + wide + _BETWEEN, y) if beside else (x, y + tall + _BETWEEN)
    corners, routes = [], []
    for (left, top), placed in zip(places, layouts, strict=True):
        corners += [(x + left, y + top + _HEAD) for x, y in placed.corners]
        routes += [tuple((x + left, y + top + _HEAD) for x, y in route) for route in placed.routes]
    width = max(left + wide for (left, _), wide in zip(places, widths, strict=True))
    height = max(top + tall for (_, top), tall in zip(places, heights, strict=True))
    return places, Layout(tuple(corners), tuple(routes), width, height, layouts[0].engine)
