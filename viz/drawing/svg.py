"""From a graph that has its places to the text of an SVG file.

Whoever draws elements of their own (films, paths, broken passes) makes them with :func:`element` as well. It escapes
attributes; the text inside an element must have passed ``html.escape``. There is no script, no link and no reference
to anything outside the file, and the tests look for all three behind 10,000 hostile labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from math import hypot

from viz.drawing.face import HEADER, Face, Text, described, hover
from viz.drawing.heat import Heat
from viz.drawing.style import THICKEST, Theme, level_class, stylesheet
from viz.drawing.text import is_plain
from viz.layouts.builtin import ARROW, MARGIN, Layout, Point
from viz.layouts.framing import Arrangement
from viz.layouts.inside import TITLE, title_of, title_width
from viz.views.model import Box, Edge, Graph

_LONGEST_HOVER = 4000


@dataclass(frozen=True, slots=True)
class Marks:
    """What a drawing says besides its graph: classes of boxes and edges, and the CSS that gives them a look.

    Every rule of the CSS begins with ``{root}``, which becomes the class of the theme. ``over`` are elements that
    are drawn on top of all, in the coordinates of the layout.
    """

    boxes: Mapping[int, str] = field(default_factory=dict)
    edges: Mapping[int, str] = field(default_factory=dict)
    css: str = ""
    over: Sequence[str] = ()


def svg_of(
    graph: Graph,
    faces: Sequence[Face],
    layout: Layout,
    *,
    title: str,
    note: str,
    theme: Theme,
    marks: Marks | None = None,
    around: Arrangement | None = None,
) -> str:
    """The drawing as the text of an SVG file; the same drawing is the same text.

    ``around`` has the frames and loops that come with ``layout``; without it, there are none.
    """
    marks = marks or Marks()
    width, height = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN + (20 if note else 0)
    if note:
        width = max(width, Text(0, 0, note, "small").width + 2 * MARGIN)
    shift = f"translate({MARGIN:g} {MARGIN:g})"
    drawn = zip(graph.edges, layout.routes, strict=True)
    edges = [_edge(graph, edge, route, marks.edges.get(k, "")) for k, (edge, route) in enumerate(drawn)]
    placed = zip(graph.boxes, faces, layout.corners, strict=True)
    nodes = [_node(box, face, corner, marks.boxes.get(k, "")) for k, (box, face, corner) in enumerate(placed)]
    frames, names, loops = _around(graph, around) if around else ([], [], [])
    css = stylesheet(theme) + marks.css.replace("{root}", f".clearprop-{theme}")
    return element(
        "svg",
        element("title", escape(title)),
        element("desc", escape(_description(graph))),
        f"<style>\n{css}</style>",
        element("rect", width="100%", height="100%", class_="paper"),
        element("g", *frames, transform=shift, role="presentation") if frames else "",
        element("g", *edges, *loops, transform=shift, role="presentation"),
        element("g", *names, transform=shift) if names else "",
        element("g", *nodes, transform=shift),
        element("g", *marks.over, transform=shift) if marks.over else "",
        element("text", escape(note), x=MARGIN, y=height - MARGIN, class_="small note") if note else "",
        xmlns="http://www.w3.org/2000/svg",
        class_=f"clearprop-{theme}",
        role="graphics-document",
        aria_label=title,
        width=width,
        height=height,
        viewBox=f"0 0 {_round(width)} {_round(height)}",
    )


def element(tag: str, *children: str, **attributes: str | float) -> str:
    """``<tag ...>children</tag>``; attributes are escaped here, children have been.

    >>> element("g", element("rect", x=1.0), class_='"<')
    '<g class="&quot;&lt;"><rect x="1"/></g>'
    """
    given = []
    for name, value in attributes.items():
        shown = value if isinstance(value, str) else _round(value)
        given.append(f' {name.rstrip("_").replace("_", "-")}="{escape(shown)}"')
    opening = f"<{tag}{''.join(given)}"
    return f"{opening}>{''.join(children)}</{tag}>" if children else f"{opening}/>"


def _round(x: float) -> str:
    """A tenth of a pixel is enough, and -0 is 0."""
    return f"{round(x, 1) + 0:g}" if abs(x) < 1e5 else f"{x:.1f}"


def _description(graph: Graph) -> str:
    leaves = sum(box.kind != "operation" for box in graph.boxes)
    if any(box.group for box in graph.boxes):
        return _collapsed_description(graph)
    outputs = ", ".join(described(box) for box in graph.boxes if box.is_output)
    return (
        f"A computation graph of {leaves} leaves and {len(graph.boxes) - leaves} operations,"
        f" joined by {len(graph.edges)} arrows from inputs to results. Output: {outputs[:_LONGEST_HOVER]}."
    )


def _collapsed_description(graph: Graph) -> str:
    nodes = sum(box.group.nodes if box.group else 1 for box in graph.boxes)
    outputs = ", ".join(described(box) for box in graph.boxes if box.is_output)
    opened = f" {', '.join(title_of(frame) for frame in graph.frames)} is open." if graph.frames else ""
    return (
        f"A computation graph of {nodes:,} nodes, drawn as {len(graph.boxes)} boxes that are joined by"
        f" {len(graph.edges)} arrows from inputs to results.{opened} Output: {outputs[:_LONGEST_HOVER]}."
    )


def _around(graph: Graph, around: Arrangement) -> tuple[list[str], list[str], list[str]]:
    """The frames, their names, and the loops."""
    frames, names, loops = [], [], []
    for frame, ((x, y), (width, height)) in zip(graph.frames, around.frames, strict=True):
        words = element("text", escape(title_of(frame)), x=x + 10, y=y + TITLE - 5, class_="head scope-name")
        plate = element("rect", x=x + 6, y=y + 2, width=title_width(frame) + 8, height=TITLE - 3, class_="plate")
        frames.append(element("rect", x=x, y=y, width=width, height=height, rx=10, class_="scope"))
        names.append(element("g", plate, words, class_="scope-title"))
    for box, route in around.loops.items():
        group = graph.boxes[box].group
        line, head = arrow_of(route)
        path = [element("path", d=line, class_="edge"), element("path", d=head, class_="arrow")]
        flow = group.state if group else 0
        title = f"{graph.boxes[box].name} → its next step, {flow:,} number{'s' if flow != 1 else ''}"
        loops.append(element("g", element("title", escape(title)), *path, class_="loop"))
    return frames, names, loops


def _node(box: Box, face: Face, corner: Point, mark: str) -> str:
    x, y = corner
    kinds = f"node {box.kind}" + (" group" if box.group else "")
    kinds += (" output" if box.is_output else "") + (f" {mark}" if mark else "")
    return element(
        "g",
        element("title", escape(hover(box)[:_LONGEST_HOVER])),
        *_outline(box, face),
        *(_text(text, face) for text in face.texts),
        *(heat_map(heat) for heat in face.heats),
        class_=kinds,
        role="img",
        aria_label=described(box),
        transform=f"translate({_round(x)} {_round(y)})",
    )


def _outline(box: Box, face: Face) -> list[str]:
    """Leaves are round; operations are square and carry a header; several nodes are a stack."""
    width, height = face.width, face.height
    if box.kind != "operation":
        radius = min(height / 2, 16.0)
        stack = [element("rect", x=4, y=4, width=width, height=height, rx=radius, class_="box")] if box.group else []
        return [*stack, element("rect", width=width, height=height, rx=radius, class_="box")]
    header = element("path", d=f"M0 0H{_round(width)}V{HEADER}H0Z", class_="header")
    frame = element("path", d=f"M0 {HEADER}H{_round(width)}", class_="frame")
    body = element("rect", width=width, height=height, class_="box")
    stack = [element("rect", x=4, y=4, width=width, height=height, class_="box")] if box.group else []
    return [*stack, body, header, frame, element("rect", width=width, height=height, class_="frame")]


def _text(text: Text, face: Face) -> str:
    words = element("text", escape(text.words), x=text.x, y=text.y, class_=text.style, text_anchor=text.anchor)
    if is_plain(text.words):
        return words
    # Characters of unknown width: an inner svg cuts off what would leave the box.
    return element("svg", words, width=face.width, height=face.height, overflow="hidden")


def _edge(graph: Graph, edge: Edge, route: Sequence[Point], mark: str) -> str:
    source, target = graph.boxes[edge.source], graph.boxes[edge.target]
    which = f", input {edge.port + 1} of {edge.ports}" if edge.ports > 1 else ""
    flow = f", {edge.numbers:,} numbers" if edge.numbers > 1 else ""
    carried = f" ({edge.carried})" if edge.carried else ""
    thick = min(len(f"{edge.numbers}") - 1, THICKEST)
    line, head = arrow_of(route)
    return element(
        "g",
        element("title", escape(f"{source.name or described(source)}{carried} → {target.name}{which}{flow}")),
        element("path", d=line, class_="edge"),
        element("path", d=head, class_="arrow"),
        class_=" ".join(filter(None, ["arrowed", f"n{thick}" if thick else "", mark])),
    )


def arrow_of(route: Sequence[Point]) -> tuple[str, str]:
    """The paths of an arrow: its line, and the head that the line ends in."""
    tip, back = route[-1], _before_tip(route)
    return _curve([*route[:-1], back]), _arrow(tip, back)


def _curve(route: Sequence[Point]) -> str:
    points = [f"{_round(x)} {_round(y)}" for x, y in route]
    return f"M{points[0]}C{' '.join(points[1:])}"


def _before_tip(route: Sequence[Point]) -> Point:
    """Where the line ends and the arrow head begins."""
    (tx, ty) = route[-1]
    for x, y in reversed(route[:-1]):
        length = hypot(tx - x, ty - y)
        if length > 0.1:
            return tx - (tx - x) / length * ARROW, ty - (ty - y) / length * ARROW
    return route[-1]


def _arrow(tip: Point, back: Point) -> str:
    (x, y), (bx, by) = tip, back
    dx, dy = (x - bx) * 0.45, (y - by) * 0.45
    corners = [(x, y), (bx - dy, by + dx), (bx + dy, by - dx)]
    return "M" + "L".join(f"{_round(a)} {_round(b)}" for a, b in corners) + "Z"


def heat_map(heat: Heat) -> str:
    """One path for all cells of a level, so that a theme can colour them; dashes and crosses on top."""
    cells: dict[int, list[str]] = {}
    marks: list[str] = []
    for i, row in enumerate(heat.levels):
        start = 0
        for level, run in groupby(row):  # neighbours of one level are drawn at one stroke, in units of cells
            length = len(list(run))
            cells.setdefault(level or 0, []).append(f"M{start} {i}h{length}v1h-{length}z")
            start += length
        for j, level in enumerate(row):
            marks += _mark(level, heat.x + (j + 0.5) * heat.cell, heat.y + (i + 0.5) * heat.cell, heat.cell / 4)
    colours = [element("path", d="".join(d), class_=level_class(level)) for level, d in sorted(cells.items())]
    scaled = element(
        "g", *colours, transform=f"translate({_round(heat.x)} {_round(heat.y)}) scale({_round(heat.cell)})"
    )
    frame = element("rect", x=heat.x, y=heat.y, width=heat.width, height=heat.height, class_="frame")
    return element("g", scaled, frame, element("path", d="".join(marks), class_="mark") if marks else "", class_="heat")


def _mark(level: int | None, x: float, y: float, r: float) -> list[str]:
    if level is None:
        a, b, c, d = map(_round, (x - r, y - r, x + r, y + r))
        return [f"M{a} {b}L{c} {d}M{a} {d}L{c} {b}"]
    return [f"M{_round(x - r)} {_round(y)}h{_round(2 * r)}"] if level < 0 else []
