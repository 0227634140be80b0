"""The inside of a frame: laid out by itself, with lanes for the arrows that come in and go out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from viz.drawing.lettering import LONGEST_NAME, SIZES
from viz.drawing.text import clean, width
from viz.layouts.builtin import Direction, Point, built_in, ranks_of
from viz.layouts.routes import Route, all_turned, at, joined, line, turned
from viz.views.model import Edge, Frame, Graph

TITLE = 20.0
"""Height of the line with a frame's name."""

DOT = (1.0, 1.0)
"""Size of a point that arrows pass."""

_BORDER = 10.0  # between a frame and the boxes inside, across the flow
_BRIDGE = 20.0  # and along the flow, where arrows from outside find their lanes


def title_width(frame: Frame) -> float:
    """Of the line with its name, in pixels."""
    return width(title_of(frame), SIZES["head"])


def title_of(frame: Frame) -> str:
    """The line with its name."""
    return clean(frame.name, 3 * LONGEST_NAME)


@dataclass(frozen=True, slots=True)
class Inside:
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


def inside_of(graph: Graph, frame: Frame, touching: Sequence[int], sizes: Sequence[Point], flow: Direction) -> Inside:
    """Lay out the inside of a frame, with points for the boxes outside that feed it or are fed.

    Every source outside has a row of points, as many as it takes to reach from the frame to its first consumer,
    so that its arrow has a lane of its own all the way. ``touching`` are the edges that begin or end inside.
    """
    place = {box: k for k, box in enumerate(sorted(frame.boxes))}
    edges_here = [(k, graph.edges[k]) for k in touching]
    within = [k for k, edge in edges_here if edge.source in place and edge.target in place]
    coming = [k for k, edge in edges_here if edge.source not in place]
    exits = list(dict.fromkeys(edge.source for _, edge in edges_here if edge.target not in place))
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
    flat = [DOT] * points + [sizes[box] for box in place] + [DOT] * len(exits)
    layout = all_turned(built_in([turned(size, flow) for size in flat], edges, flow), flow)
    left, top = (_BRIDGE, _BORDER + TITLE) if flow == "LR" else (_BRIDGE + TITLE, _BORDER)
    corners = [(x + left, y + top) for x, y in layout.corners]
    routes = [at(route, (left, top)) for route in layout.routes]

    lanes, passed = {}, 0
    for box, n, end in zip(sources, rows, accumulate(rows), strict=True):
        x, y = corners[end - n]
        lane = line((left, y + DOT[1] / 2), (x, y + DOT[1] / 2))
        for route in routes[passed : passed + n - 1]:
            lane = joined(lane, route)
        lanes[box] = lane
        passed += n - 1
    ways = dict(zip(given, routes[passed:], strict=False))
    out = zip(exits, routes[passed + len(given) :], strict=True)
    right = left + layout.width
    title = turned((title_width(frame) + 2 * _BORDER, 0.0), flow)
    return Inside(
        size=(max(right + _BRIDGE, title[0]), max(top + layout.height + _BORDER, title[1])),
        corners={box: corners[points + k] for box, k in place.items()},
        routes={k: ways[k] for k in within},
        entering={box: lane[0] for box, lane in lanes.items()},
        arriving={k: joined(lanes[graph.edges[k].source], ways[k]) for k in coming},
        leaving={box: joined(route, line(route[-1], (right, route[-1][1]))) for box, route in out},
    )
