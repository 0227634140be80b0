"""Layouts with frames and loops.

What is inside a frame is laid out by itself, and then takes its place among the other boxes as if it were one large
box: so a frame holds what belongs to it and nothing else. An arrow that enters or leaves it is put together from its
way outside and its way inside, which meet at the frame.

Coordinates are (along, across) the flow, as in the built-in layout, until the last moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal, get_args

from viz.layout import ARROW, PAGE, Direction, Layout, Point, best_direction, built_in, port_offset, ranks_of
from viz.lettering import LONGEST_NAME, SIZES
from viz.model import Edge, Frame, Graph
from viz.placing import Engine, laid_out
from viz.text import clean, width

TITLE = 20.0
"""Height of the line with a frame's name."""

_BORDER = 10.0  # between a frame and the boxes inside, across the flow
_BRIDGE = 20.0  # and along the flow, where arrows from outside find their lanes
_LOOP = 28.0  # space for the loop arrow of a rolled box, on both of its sides
_DOT = (1.0, 1.0)  # size of a point that arrows pass
_TRIED = 400  # boxes of a graph that is laid out in both directions to see which is better
_PORT = 16.0  # between two arrows that enter a frame

Route = tuple[Point, ...]


def title_width(frame: Frame) -> float:
    """Of the line with its name, in pixels."""
    return width(title_of(frame), SIZES["head"])


def title_of(frame: Frame) -> str:
    """The line with its name."""
    return clean(frame.name, 3 * LONGEST_NAME)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A layout, and what is drawn around its boxes.

    Attributes:
        layout: where boxes and edges are.
        flow: "LR" or "TB".
        frames: for every frame of the graph, its upper left corner and its width and height.
        loops: for every rolled box that hands numbers on to its next step, the way of the arrow.
        note: that another engine had to step in, or "".
    """

    layout: Layout
    flow: Direction
    frames: tuple[tuple[Point, Point], ...]
    loops: Mapping[int, Route]
    note: str


def arranged(
    graph: Graph, sizes: Sequence[Point], engine: Engine, direction: Direction | Literal["auto"], limit: float
) -> Arrangement:
    """Where the boxes of a graph are, whose sizes (width, height) are given; each frame is kept together.

    Raises:
        DotError: engine="dot", and Graphviz is missing or fails.
    """
    flow = _best_flow(graph, sizes) if direction == "auto" else direction
    sizes = [_turned(size, flow) for size in sizes]
    loops = [_LOOP if box.group is not None and box.group.state else 0.0 for box in graph.boxes]
    roomy = [(length, breadth + 2 * loop) for (length, breadth), loop in zip(sizes, loops, strict=True)]
    insides = [_inside(graph, frame, roomy, flow) for frame in graph.frames]
    layout, frames, note = _nested(graph, roomy, insides, engine, flow, limit)
    corners = [(x, y + loop) for (x, y), loop in zip(layout.corners, loops, strict=True)]
    ways = {k: _loop(corners[k], sizes[k]) for k, loop in enumerate(loops) if loop}
    return Arrangement(
        _all_turned(replace(layout, corners=tuple(corners)), flow),
        flow,
        tuple((_turned(corner, flow), _turned(size, flow)) for corner, size in frames),
        {k: tuple(_turned(point, flow) for point in way) for k, way in ways.items()},
        note,
    )


def _best_flow(graph: Graph, sizes: Sequence[Point]) -> Direction:
    """Left to right where that fits a page; otherwise, whatever is narrower."""
    if not graph.frames or len(graph.boxes) > _TRIED:
        return best_direction(sizes, graph.edges)
    width = {flow: arranged(graph, sizes, "builtin", flow, 0.0).layout.width for flow in get_args(Direction)}
    return "LR" if width["LR"] <= max(PAGE, width["TB"]) else "TB"


def _turned(point: Point, flow: Direction) -> Point:
    return point if flow == "LR" else (point[1], point[0])


def _all_turned(layout: Layout, flow: Direction) -> Layout:
    """From (x, y) to (along, across), or back."""
    width, height = _turned((layout.width, layout.height), flow)
    return replace(
        layout,
        corners=tuple(_turned(corner, flow) for corner in layout.corners),
        routes=tuple(tuple(_turned(point, flow) for point in route) for route in layout.routes),
        width=width,
        height=height,
    )


# ── inside a frame ───────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class _Inside:
    """What is inside a frame, seen from the frame's corner.

    Attributes:
        size: of the frame.
        corners: of its boxes.
        routes: of the edges between its boxes, by their number in the graph.
        entering: for every box outside that feeds it, where arrows from there begin their way inside.
        arriving: the ways inside of edges that come from outside, by their number.
        leaving: for every box inside that feeds others, its way out.
    """

    size: Point
    corners: dict[int, Point]
    routes: dict[int, Route]
    entering: dict[int, Point]
    arriving: dict[int, Route]
    leaving: dict[int, Route]


def _inside(graph: Graph, frame: Frame, sizes: Sequence[Point], flow: Direction) -> _Inside:
    """Lay out the inside of a frame, with points for the boxes outside that feed it or are fed.

    Every source outside has a row of points, as many as it takes to reach from the frame to its first consumer,
    so that its arrow has a lane of its own all the way.
    """
    place = {box: k for k, box in enumerate(sorted(frame.boxes))}
    within = [k for k, edge in enumerate(graph.edges) if edge.source in place and edge.target in place]
    coming = [k for k, edge in enumerate(graph.edges) if edge.source not in place and edge.target in place]
    exits = list(
        dict.fromkeys(edge.source for edge in graph.edges if edge.source in place and edge.target not in place)
    )
    sources = list(dict.fromkeys(graph.edges[k].source for k in coming))

    def wired(rows: Sequence[int]) -> list[Edge]:
        """First along the rows of points, then inside, then out; all lead from smaller to larger numbers."""
        ends = list(accumulate(rows))
        first = ends[-1] if ends else 0
        number = {box: end - 1 for box, end in zip(sources, ends, strict=True)}
        number |= {box: first + k for box, k in place.items()}
        along = [Edge(a, a + 1, 0, 1) for end, n in zip(ends, rows, strict=True) for a in range(end - n, end - 1)]
        inner = [
            replace(e, source=number[e.source], target=number[e.target]) for e in map(graph.edges.__getitem__, given)
        ]
        return [*along, *inner, *(Edge(number[box], first + len(place) + k, 0, 1) for k, box in enumerate(exits))]

    given = within + coming
    ranks = ranks_of(len(sources) + len(place) + len(exits), wired([1] * len(sources)))
    rows = [rank + 1 for rank in ranks[: len(sources)]]
    edges = wired(rows)
    points = sum(rows)
    flat = [_DOT] * points + [sizes[box] for box in place] + [_DOT] * len(exits)
    layout = _all_turned(built_in([_turned(size, flow) for size in flat], edges, flow), flow)
    left, top = (_BRIDGE, _BORDER + TITLE) if flow == "LR" else (_BRIDGE + TITLE, _BORDER)
    corners = [(x + left, y + top) for x, y in layout.corners]
    routes = [_at(route, (left, top)) for route in layout.routes]

    lanes, passed = {}, 0
    for box, n, end in zip(sources, rows, accumulate(rows), strict=True):
        x, y = corners[end - n]
        lane = _line((left, y + _DOT[1] / 2), (x, y + _DOT[1] / 2))
        for route in routes[passed : passed + n - 1]:
            lane = _joined(lane, route)
        lanes[box] = lane
        passed += n - 1
    ways = dict(zip(given, routes[passed:], strict=False))
    out = zip(exits, routes[passed + len(given) :], strict=True)
    right = left + layout.width
    title = _turned((title_width(frame) + 2 * _BORDER, 0.0), flow)
    return _Inside(
        size=(max(right + _BRIDGE, title[0]), max(top + layout.height + _BORDER, title[1])),
        corners={box: corners[points + k] for box, k in place.items()},
        routes={k: ways[k] for k in within},
        entering={box: lane[0] for box, lane in lanes.items()},
        arriving={k: _joined(lanes[graph.edges[k].source], ways[k]) for k in coming},
        leaving={box: _joined(route, _line(route[-1], (right, route[-1][1]))) for box, route in out},
    )


# ── outside ──────────────────────────────────────────────────────────────────────────────────────────
def _nested(
    graph: Graph, sizes: Sequence[Point], insides: Sequence[_Inside], engine: Engine, flow: Direction, limit: float
) -> tuple[Layout, list[tuple[Point, Point]], str]:
    """The boxes outside all frames, and each frame with what is inside, as one layout; and the frames."""
    outside = _Outside(graph, sizes, insides)
    upright = [_turned(size, flow) for size in outside.sizes]
    if insides and engine == "auto":
        engine = "builtin"  # its arrows reach every part of a frame's side, those of dot only the middle
    layout, note = laid_out(upright, list(outside.edges.values()), engine, flow, limit)
    layout = _all_turned(layout, flow)
    ways = dict(zip(outside.edges, layout.routes, strict=True))
    at = [layout.corners[item] for item in outside.frames]
    frame_of = outside.frame_of

    corners = [layout.corners[item] if item >= 0 else (0.0, 0.0) for item in outside.items]
    for corner, inside in zip(at, insides, strict=True):
        for box, (x, y) in inside.corners.items():
            corners[box] = (corner[0] + x, corner[1] + y)
    routes = []
    for k, edge in enumerate(graph.edges):
        a, b = frame_of.get(edge.source, -1), frame_of.get(edge.target, -1)
        if a == b >= 0:
            routes.append(_at(insides[a].routes[k], at[a]))
            continue
        route = ways[outside.key(k)]
        if a >= 0:
            begin = _at(insides[a].leaving[edge.source], at[a])
            if (edge.source,) in ways:
                gap = ways[edge.source,]
                begin = _joined(begin, _line(begin[-1], (gap[0][0], begin[-1][1])))
                gap = _starting_at(gap, begin[-1][1])
                gap = gap if gap[0] == begin[-1] else _met((begin[-1],), (gap[-1],))
                route = _joined(_joined(gap, _line(gap[-1], route[0])), route)
            route = _met(begin, _starting_at(route, begin[-1][1]))
        if b >= 0:
            end = _at(insides[b].arriving[k], at[b])
            route = _met(_starting_at(route[::-1], end[0][1])[::-1], end)
        routes.append(route)
    frames = [(corner, inside.size) for corner, inside in zip(at, insides, strict=True)]
    return replace(layout, corners=tuple(corners), routes=tuple(routes)), frames, note


class _Outside:
    """What the engine lays out: boxes outside frames, frames as boxes, and points where arrows leave a frame.

    Attributes:
        items: for every box of the graph, what stands for it; -1 inside a frame.
        frames: for every frame, what stands for it.
        frame_of: the frame of every box that is in one.
        sizes: of all items.
        edges: by what they are for: ``(box,)`` leads from a frame to the point where the arrows of ``box`` leave,
            ``(box, frame)`` to a frame, ``(box, -1, edge)`` to a box.
    """

    def __init__(self, graph: Graph, sizes: Sequence[Point], insides: Sequence[_Inside]) -> None:
        self.graph = graph
        self.frame_of = {box: f for f, frame in enumerate(graph.frames) for box in frame.boxes}
        self.items = [-1] * len(graph.boxes)
        self.frames = [-1] * len(graph.frames)
        self.sizes: list[Point] = []
        self.edges: dict[tuple[int, ...], Edge] = {}
        begins: dict[int, int] = {}
        for box in self._inputs_first():
            f = self.frame_of.get(box, -1)
            if f < 0:
                self.items[box] = begins[box] = self._add(sizes[box])
                continue
            if self.frames[f] < 0:
                self.frames[f] = self._add(insides[f].size)
                for source in insides[f].leaving:
                    begins[source] = self.frames[f]
                    if len(insides[f].leaving) > 1:
                        begins[source] = self._add(_DOT)
                        self.edges[source,] = Edge(self.frames[f], begins[source], 0, 1)
        for k, edge in enumerate(graph.edges):
            key = self.key(k)
            if len(key) == 3:
                self.edges[key] = replace(edge, source=begins[edge.source], target=self.items[edge.target])
            elif key and key not in self.edges:
                port, ports = _nearest_port(insides[key[1]], edge.source)
                self.edges[key] = Edge(begins[edge.source], self.frames[key[1]], port, ports)

    def key(self, k: int) -> tuple[int, ...]:
        """Which edge between items number ``k`` of the graph runs along; none inside a frame."""
        edge = self.graph.edges[k]
        a, b = self.frame_of.get(edge.source, -1), self.frame_of.get(edge.target, -1)
        return () if a == b >= 0 else (edge.source, b) if b >= 0 else (edge.source, -1, k)

    def _add(self, size: Point) -> int:
        self.sizes.append(size)
        return len(self.sizes) - 1

    def _inputs_first(self) -> list[int]:
        """The boxes in topological order, also where a frame counts as one."""
        stands_for = [self.frame_of.get(box, -1 - box) for box in range(len(self.graph.boxes))]
        members: dict[int, list[int]] = {}
        for box, item in enumerate(stands_for):
            members.setdefault(item, []).append(box)
        missing = dict.fromkeys(members, 0)
        feeds: dict[int, list[int]] = {}
        for edge in self.graph.edges:
            a, b = stands_for[edge.source], stands_for[edge.target]
            if a != b:
                feeds.setdefault(a, []).append(b)
                missing[b] += 1
        ready = [item for item in reversed(members) if not missing[item]]
        order: list[int] = []
        while ready:
            item = ready.pop()
            order += members[item]
            for following in feeds.get(item, []):
                missing[following] -= 1
                if not missing[following]:
                    ready.append(following)
        return order


def _nearest_port(inside: _Inside, source: int) -> tuple[int, int]:
    """The place on a frame's side that is closest to where the arrow goes on inside, and how many places there are."""
    breadth = inside.size[1]
    ports = max(2, int(0.7 * breadth / _PORT))
    across = inside.entering[source][1] - breadth / 2
    return min(range(ports), key=lambda port: abs(port_offset(Edge(0, 1, port, ports), breadth) - across)), ports


# ── lines ────────────────────────────────────────────────────────────────────────────────────────────
def _at(route: Sequence[Point], corner: Point) -> Route:
    return tuple((x + corner[0], y + corner[1]) for x, y in route)


def _joined(first: Route, second: Route) -> Route:
    """One after the other: the second begins where the first ends."""
    return (*first, *second[1:])


def _line(a: Point, b: Point) -> Route:
    (x, y), (u, v) = a, b
    return (a, (x + (u - x) / 3, y + (v - y) / 3), (x + 2 * (u - x) / 3, y + 2 * (v - y) / 3), b)


def _starting_at(route: Route, across: float) -> Route:
    """A way from a frame that begins at another place of the same side.

    It may, because as far as its first bend it runs straight along the frame, where nothing else is. A way whose
    bends are of another make (those of dot) stays as it is.
    """
    for k in range(0, len(route) - 3, 3):
        if route[k + 1][0] == route[k + 2][0] and all(y == route[0][1] for _, y in route[: k + 2]):
            return (*((x, across) for x, _ in route[: k + 2]), *route[k + 2 :])
    return route


def _met(first: Route, second: Route) -> Route:
    """Two ways that meet at a frame, with a bend between them, as they may not be at the same place."""
    middle = (first[-1][0] + second[0][0]) / 2
    return (*first, (middle, first[-1][1]), (middle, second[0][1]), *second)


def _loop(corner: Point, size: Point) -> Route:
    """Out at the end of a box, back along its side, and in again at its beginning."""
    (x, y), (length, breadth) = corner, size
    side, door, out = y - 0.7 * _LOOP, y + min(20.0, breadth / 3), 14.0
    return (
        *((x + length, door), (x + length + out, door), (x + length + out, side), (x + length - out, side)),
        *_line((x + length - out, side), (x + out, side))[1:],
        *((x - out - ARROW, side), (x - out - ARROW, door), (x - ARROW, door)),
        *_line((x - ARROW, door), (x, door))[1:],
    )
