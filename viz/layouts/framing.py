"""Layouts with frames and loops.

What is inside a frame is laid out by itself, and then takes its place among the other boxes as if it were one large
box: so a frame holds what belongs to it and nothing else. An arrow that enters or leaves it is put together from its
way outside and its way inside, which meet at the frame.

Coordinates are (along, across) the flow, as in the built-in layout, until the last moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from viz.layouts.builtin import ARROW, PAGE, Direction, Layout, Point, best_direction, port_offset
from viz.layouts.inside import DOT, Inside, inside_of
from viz.layouts.placing import Engine, laid_out
from viz.layouts.routes import Route, all_turned, at, joined, line, met, starting_at, turned
from viz.views.model import Edge, Graph

_LOOP = 28.0  # space for the loop arrow of a rolled box, on both of its sides
_TRIED = 400  # boxes of a graph that is laid out in both directions to see which is better
_PORT = 16.0  # between two arrows that enter a frame


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
    sizes = [turned(size, flow) for size in sizes]
    loops = [_LOOP if box.group is not None and box.group.state else 0.0 for box in graph.boxes]
    roomy = [(length, breadth + 2 * loop) for (length, breadth), loop in zip(sizes, loops, strict=True)]
    touching = _touching(graph)
    insides = [inside_of(graph, frame, touching[f], roomy, flow) for f, frame in enumerate(graph.frames)]
    layout, frames, note = _nested(graph, roomy, insides, engine, flow, limit)
    corners = [(x, y + loop) for (x, y), loop in zip(layout.corners, loops, strict=True)]
    ways = {k: _loop(corners[k], sizes[k]) for k, loop in enumerate(loops) if loop}
    return Arrangement(
        all_turned(replace(layout, corners=tuple(corners)), flow),
        flow,
        tuple((turned(corner, flow), turned(size, flow)) for corner, size in frames),
        {k: tuple(turned(point, flow) for point in way) for k, way in ways.items()},
        note,
    )


def _best_flow(graph: Graph, sizes: Sequence[Point]) -> Direction:
    """Left to right where that fits a page; otherwise, whatever is narrower."""
    if not graph.frames or len(graph.boxes) > _TRIED:
        return best_direction(sizes, graph.edges)
    width = {flow: arranged(graph, sizes, "builtin", flow, 0.0).layout.width for flow in get_args(Direction)}
    return "LR" if width["LR"] <= max(PAGE, width["TB"]) else "TB"


# ── outside ──────────────────────────────────────────────────────────────────────────────────────────
def _touching(graph: Graph) -> list[list[int]]:
    """For every frame the edges that begin or end in it."""
    home = {box: f for f, frame in enumerate(graph.frames) for box in frame.boxes}
    found: list[list[int]] = [[] for _ in graph.frames]
    for k, edge in enumerate(graph.edges):
        for f in {home.get(edge.source), home.get(edge.target)} - {None}:
            found[f].append(k)  # type: ignore[index]
    return found


def _nested(
    graph: Graph, sizes: Sequence[Point], insides: Sequence[Inside], engine: Engine, flow: Direction, limit: float
) -> tuple[Layout, list[tuple[Point, Point]], str]:
    """The boxes outside all frames, and each frame with what is inside, as one layout; and the frames."""
    outside = _Outside(graph, sizes, insides)
    upright = [turned(size, flow) for size in outside.sizes]
    if insides and engine == "auto":
        engine = "builtin"  # its arrows reach every part of a frame's side, those of dot only the middle
    layout, note = laid_out(upright, list(outside.edges.values()), engine, flow, limit)
    layout = all_turned(layout, flow)
    ways = dict(zip(outside.edges, layout.routes, strict=True))
    origin = [layout.corners[item] for item in outside.frames]
    frame_of = outside.frame_of

    corners = [layout.corners[item] if item >= 0 else (0.0, 0.0) for item in outside.items]
    for corner, inside in zip(origin, insides, strict=True):
        for box, (x, y) in inside.corners.items():
            corners[box] = (corner[0] + x, corner[1] + y)
    routes = []
    for k, edge in enumerate(graph.edges):
        a, b = frame_of.get(edge.source, -1), frame_of.get(edge.target, -1)
        if a == b >= 0:
            routes.append(at(insides[a].routes[k], origin[a]))
            continue
        route = ways[outside.key(k)]
        if a >= 0:
            begin = at(insides[a].leaving[edge.source], origin[a])
            if (edge.source,) in ways:
                gap = ways[edge.source,]
                begin = joined(begin, line(begin[-1], (gap[0][0], begin[-1][1])))
                gap = starting_at(gap, begin[-1][1])
                gap = gap if gap[0] == begin[-1] else met((begin[-1],), (gap[-1],))
                route = joined(joined(gap, line(gap[-1], route[0])), route)
            route = met(begin, starting_at(route, begin[-1][1]))
        if b >= 0:
            end = at(insides[b].arriving[k], origin[b])
            route = met(starting_at(route[::-1], end[0][1])[::-1], end)
        routes.append(route)
    frames = [(corner, inside.size) for corner, inside in zip(origin, insides, strict=True)]
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

    def __init__(self, graph: Graph, sizes: Sequence[Point], insides: Sequence[Inside]) -> None:
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
                        begins[source] = self._add(DOT)
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


def _nearest_port(inside: Inside, source: int) -> tuple[int, int]:
    """The place on a frame's side that is closest to where the arrow goes on inside, and how many places there are."""
    breadth = inside.size[1]
    ports = max(2, int(0.7 * breadth / _PORT))
    across = inside.entering[source][1] - breadth / 2
    return min(range(ports), key=lambda port: abs(port_offset(Edge(0, 1, port, ports), breadth) - across)), ports


def _loop(corner: Point, size: Point) -> Route:
    """Out at the end of a box, back along its side, and in again at its beginning."""
    (x, y), (length, breadth) = corner, size
    side, door, out = y - 0.7 * _LOOP, y + min(20.0, breadth / 3), 14.0
    return (
        *((x + length, door), (x + length + out, door), (x + length + out, side), (x + length - out, side)),
        *line((x + length - out, side), (x + out, side))[1:],
        *((x - out - ARROW, side), (x - out - ARROW, door), (x - ARROW, door)),
        *line((x - ARROW, door), (x, door))[1:],
    )
