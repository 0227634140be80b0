"""Paths drawn on top of their graph: broad numbered lines, the local derivative on each arrow, a legend below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import Literal, get_args

from viz.drawing.face import SIZES, Anchor
from viz.drawing.format import number
from viz.drawing.style import Theme
from viz.drawing.svg import Marks, element, svg_of
from viz.drawing.text import clean, width
from viz.drawing.themed import Palette, themed
from viz.layouts.builtin import Direction, Layout, Point, best_direction, port_offset
from viz.layouts.placing import Engine, laid_out
from viz.options import require
from viz.path_sums.paths import Paths
from viz.path_sums.sketch import Arrow, Sketch, sketch_of
from viz.path_sums.words import percent, ranges, share_of
from viz.picture import Picture
from viz.views.model import Graph

_LEGEND = 20.0  # height of a line of the legend
_LEAST_WIDTH = 620.0  # of the legend, where the drawing is narrow
_TURN = 14.0  # height in which an arrow from above turns to its place
_SAMPLE = 46.0  # length of the line that the legend shows
_LOOKS = ((6.0, ""), (5.0, "11 5"), (4.2, "4 4"), (3.5, "12 4 3 4"), (3.0, "7 7"))  # width and dashes by rank


def picture_of(
    paths: Paths, *, layout: Engine, direction: Direction | Literal["auto"], theme: Theme, title: str | None
) -> Picture:
    """The graph of ``paths``, with the paths on top and a legend below."""
    require("layout", layout, get_args(Engine))
    require("direction", direction, ("auto", *get_args(Direction)))
    require("theme", theme, get_args(Theme))
    sketch = sketch_of(paths)
    graph = Graph(sketch.boxes, tuple([arrow.edge for arrow in sketch.arrows]))
    several = len(paths) > 1
    flow = direction if direction != "auto" else best_direction(_roomy(sketch, "LR", several), graph.edges)
    roomy = _roomy(sketch, flow, several)
    placed, note = laid_out(roomy, graph.edges, layout, flow, 10.0)
    placed = _with_room_taken(sketch, placed, roomy, flow)
    over = _labels(sketch, placed, flow, several)
    legend, wide, tall = _legend(paths, placed)
    marks = Marks(
        boxes=dict.fromkeys(sketch.on_path, "on-path"),
        edges={k: f"path p{_look(arrow.ranks[0])}" for k, arrow in enumerate(sketch.arrows) if arrow.ranks},
        css=themed(theme, _rules),
        over=[*over, legend],
    )
    placed = replace(placed, width=max(placed.width, wide), height=tall)
    note = "; ".join(filter(None, [sketch.note, note]))
    name = clean(title) if title is not None else clean(paths.headline)
    svg = svg_of(graph, sketch.faces, placed, title=name, note=note, theme=theme, marks=marks)
    return Picture(svg, graph, placed, flow, note)


# ── room for what is written on arrows: boxes are laid out with a margin on the side where arrows arrive ─────────


def _tag(arrow: Arrow, several: bool) -> tuple[float, float]:
    """Width of the ranks and of the factor that are written on an arrow."""
    ranks = width(ranges(arrow.ranks), SIZES["small"]) + 8 if several and arrow.ranks else 0.0
    return ranks, width(arrow.label, SIZES["value"]) + 6 if arrow.label else 0.0


def _roomy(sketch: Sketch, flow: Direction, several: bool) -> list[Point]:
    """The sizes of the boxes, with room before them for what is written on their arrows."""
    sizes = [(face.width, face.height) for face in sketch.faces]
    for arrow in sketch.arrows:
        if not arrow.ranks:
            continue
        target, tag = arrow.edge.target, sum(_tag(arrow, several))
        face = sketch.faces[target]
        wide, tall = sizes[target]
        if flow == "LR":
            sizes[target] = (max(wide, face.width + tag + 24), max(tall, 18.0 * arrow.edge.ports))
        else:
            rows = 1 if arrow.edge.ports < 3 else arrow.edge.ports
            sizes[target] = (max(wide, 2 * tag + 40), face.height + _TURN + 22.0 * rows + 10)
    return sizes


def _with_room_taken(sketch: Sketch, placed: Layout, roomy: Sequence[Point], flow: Direction) -> Layout:
    """The boxes at the far end of their room, and the arrows prolonged to them."""
    corners = []
    for (x, y), (wide, tall), face in zip(placed.corners, roomy, sketch.faces, strict=True):
        if flow == "LR":
            corners.append((x + wide - face.width, y + (tall - face.height) / 2))
        else:
            corners.append((x + (wide - face.width) / 2, y + tall - face.height))
    routes = []
    for arrow, route in zip(sketch.arrows, placed.routes, strict=True):
        (x, y), (left, top), face = route[-1], corners[arrow.edge.target], sketch.faces[arrow.edge.target]
        if flow == "LR":
            turn, tip = [], (left, y)
        else:  # to the place of this input on the box itself, which is narrower than the room before it
            to = left + face.width / 2 + port_offset(arrow.edge, face.width)
            turn, tip = [(x, y + _TURN / 2), (to, y + _TURN / 2), (to, y + _TURN)], (to, top)
        start = turn[-1] if turn else route[-1]
        routes.append((*route, *turn, _between(start, tip, 1 / 3), _between(start, tip, 2 / 3), tip))
    return replace(placed, corners=tuple(corners), routes=tuple(routes))


def _between(a: Point, b: Point, share: float) -> Point:
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def _labels(sketch: Sketch, placed: Layout, flow: Direction, several: bool) -> list[str]:
    """Ranks and factors, each on the last, straight stretch of its arrow."""
    drawn = []
    for arrow, route in zip(sketch.arrows, placed.routes, strict=True):
        if not arrow.ranks:
            continue
        ranks, factor = _tag(arrow, several)
        if not ranks + factor:
            continue
        (x0, y0), (x1, _) = route[-4], route[-1]
        if flow == "LR":
            left, middle = (x0 + x1 - 10 - ranks - factor) / 2, y0
        elif arrow.edge.ports == 2 and arrow.edge.port == 0:
            left, middle = x0 - 6 - ranks - factor, y0 + 12
        else:
            left, middle = x0 + 6, y0 + 12 + (22.0 * arrow.edge.port if arrow.edge.ports > 2 else 0)
        drawn.append(_label(arrow, left, middle, ranks, factor))
    return drawn


def _label(arrow: Arrow, left: float, middle: float, ranks: float, factor: float) -> str:
    parts = [element("rect", x=left - 2, y=middle - 9, width=ranks + factor + 4, height=18, class_="paper")]
    if ranks:
        parts.append(_badge(left, middle, ranks, ranges(arrow.ranks)))
    if arrow.label:
        words = escape(arrow.label)
        parts.append(element("text", words, x=left + ranks + 3, y=middle + 4.5, class_="value factor"))
    which = f"path {ranges(arrow.ranks)}" if len(arrow.ranks) == 1 else f"paths {ranges(arrow.ranks)}"
    said = f"local derivative {arrow.label}, {which}" if arrow.label else which
    return element("g", element("title", escape(said)), *parts, class_="tag")


def _badge(left: float, middle: float, wide: float, words: str) -> str:
    return element("rect", x=left, y=middle - 8, width=wide, height=16, rx=8, class_="badge") + element(
        "text", escape(words), x=left + wide / 2, y=middle + 4, class_="small badge-text", text_anchor="middle"
    )


# ── the legend, and how paths look ───────────────────────────────────────────────────────────────────────────────


def _legend(paths: Paths, placed: Layout) -> tuple[str, float, float]:
    """Under the drawing: the gradient, a line per path, and the rest; then the size that all of it takes."""
    wide = max(placed.width, _LEAST_WIDTH)
    rows = [(path.amount, percent(path.share), " × ".join(path.shown_factors)) for path in paths]
    if paths.others:
        rows.append((number(paths.rest), percent(share_of(paths.rest, paths.gradient)), paths.others))
    columns = [_SAMPLE + 34 + max((width(row[0], SIZES["value"]) for row in rows), default=0)]
    columns.append(columns[0] + 14 + max((width(row[1], SIZES["value"]) for row in rows), default=0))
    columns.append(columns[1] + 20)
    y = placed.height + 2 * _LEGEND
    lines = [_cell(paths.headline, 0, y, wide, "name")]
    for rank, row in enumerate(rows, 1):
        y += _LEGEND
        cells = [_cell(words, x, y, wide, "value", "end") for words, x in zip(row[:2], columns, strict=False)]
        cells.append(_cell(row[2], columns[2], y, wide, "value"))
        if rank <= len(paths):
            sample = element("path", d=f"M30 {y - 4.5:g}h{_SAMPLE - 6:g}", class_="edge")
            cells += [element("g", sample, class_=f"path p{_look(rank)}"), _badge(0, y - 4.5, 22, str(rank))]
            cells.insert(0, element("title", escape(f"path {rank}: {paths[rank - 1]}")))
        lines.append(element("g", *cells))
    return element("g", *lines, role="group", aria_label="The paths, largest first"), wide, y + 6


def _cell(words: str, x: float, y: float, wide: float, style: str, anchor: Anchor = "start") -> str:
    """A text that ends where the picture does."""
    room = max(int((wide - x) / width("x", SIZES[style])), 1) if anchor == "start" else len(words)
    return element("text", escape(clean(words, room)), x=x, y=y, class_=style, text_anchor=anchor)


def _look(rank: int) -> int:
    return min(rank, len(_LOOKS))


def _rules(palette: Palette) -> list[str]:
    line = palette["gradient"]
    rules = [
        f"{{root}} .path .edge {{ stroke: {line}; }}",
        f"{{root}} .path .arrow {{ fill: {line}; stroke: {line}; stroke-width: 4; }}",
        "{root} .on-path .box { stroke-width: 3; }",
        f"{{root}} .badge {{ fill: {palette['ink']}; }}",
        f"{{root}} text.badge-text {{ fill: {palette['paper']}; }}",
    ]
    for rank, (broad, dashes) in enumerate(_LOOKS, 1):
        dashed = f" stroke-dasharray: {dashes};" if dashes else ""
        rules.append(f"{{root}} .p{rank} .edge {{ stroke-width: {broad:g};{dashed} }}")
    return rules
