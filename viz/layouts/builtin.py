"""A layered layout in plain Python: where boxes go and how the arrows between them run.

Boxes stand in ranks, each just before its first consumer. A long edge passes each rank in between
through a slot of its own, so no arrow crosses a box: it bends only in the gaps between ranks, where no
box is. All edges of one box share these slots, like a bus that consumers branch off.

Coordinates are (along, across) the direction of the flow until the last moment, where a layout from
top to bottom swaps them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from math import inf
from typing import Literal

from viz.layouts.alignment import straightened
from viz.layouts.ordering import Link, ordered
from viz.views.model import Edge

Point = tuple[float, float]
Direction = Literal["LR", "TB"]

MARGIN = 12.0
"""Left free around a picture."""

PAGE = 1400 * 12 // 11 - 2 * MARGIN
"""A layout of this width, shrunk to a page of 1400 pixels, shows text of 12 pixels in 11."""

ARROW = 8.0
"""Length of an arrow head; the last stretch of an edge, as long as this, is straight."""

_GAP, _ROOMY_GAP, _WIDEST_GAP = 26.0, 44.0, 90.0  # between ranks: at least, where there is room, at most
_SLOPE = 0.14  # gaps are wider where edges climb
_BEND = 4.0  # width of the slot of a passing edge
_BESIDE = 14.0  # between boxes of one rank
_LANES = 9.0  # between passing edges
_LEVEL = 0.1  # what differs by less is level
_AFFORDABLE = 20_000  # ranks passed by edges that are drawn from end to end


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is.

    Attributes:
        corners: the upper left corner of every box.
        routes: every edge as a chain of cubic Bezier curves: a start, then three points per curve.
        width, height: the space taken.
        engine: "builtin" or "dot".
    """

    corners: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]
    width: float
    height: float
    engine: str


@dataclass(slots=True)
class _Slots:
    """Places in ranks: first one for every box, then one for every bend of a long edge."""

    ranks: list[list[int]]
    breadth: list[float]
    links: list[Link] = field(default_factory=list)
    buses: list[list[int]] = field(default_factory=list)  # for every box: itself, then the bends of its edges


def built_in(sizes: Sequence[Point], edges: Sequence[Edge], direction: Direction = "LR") -> Layout:
    """Lay out boxes of the given sizes (width, height).

    >>> layout = built_in([(40, 20), (40, 20)], [Edge(0, 1, 0, 1)])
    >>> layout.corners, layout.width
    (((0.0, 0.0), (84.0, 0.0)), 124.0)
    """
    flow = [(w, h) if direction == "LR" else (h, w) for w, h in sizes]
    rank = ranks_of(len(flow), edges)
    slots = _slots(flow, edges, rank)
    slots.ranks = ordered(slots.ranks, slots.links)
    across = straightened(slots.ranks, slots.links, slots.breadth, lambda s: _BESIDE if s < len(flow) else _LANES)
    columns = _columns(slots, flow, across, PAGE if direction == "LR" else inf)
    corners = []
    for (length, breadth), r, y in zip(flow, rank, across, strict=False):
        corners.append((sum(columns[r]) / 2 - length / 2, y - breadth / 2))
    routes = []
    for edge, begin in zip(edges, _begins(edges, rank), strict=True):
        first, last = rank[edge.source] + begin, rank[edge.target]
        bus = slots.buses[edge.source][begin : last - rank[edge.source]]
        stops = [*(across[slot] for slot in bus), across[edge.target] + port_offset(edge, flow[edge.target][1])]
        leaves = columns[first][0] if begin else corners[edge.source][0] + flow[edge.source][0]
        routes.append(_route(leaves, corners[edge.target][0], stops, columns[first : last + 1]))
    if direction == "TB":
        corners = [(y, x) for x, y in corners]
        routes = [[(y, x) for x, y in route] for route in routes]
    return fitted(sizes, corners, routes, "builtin")


def best_direction(sizes: Sequence[Point], edges: Sequence[Edge]) -> Direction:
    """Left to right, unless that is too wide for a page and top to bottom is narrower.

    >>> chain = [Edge(k, k + 1, 0, 1) for k in range(50)]
    >>> best_direction([(80, 60)] * 51, chain)
    'TB'
    """
    widths: dict[int, list[float]] = {}
    for (w, _), r in zip(sizes, ranks_of(len(sizes), edges), strict=True):
        widths.setdefault(r, []).append(w)
    left_to_right = sum(max(row) + _GAP for row in widths.values()) - _GAP
    top_to_bottom = max(sum(row) + _BESIDE * len(row) for row in widths.values())
    return "TB" if left_to_right > PAGE and top_to_bottom < left_to_right else "LR"


def ranks_of(count: int, edges: Sequence[Edge]) -> list[int]:
    """The rank of every box: one before its earliest consumer; boxes that nothing consumes come last."""
    consumers: list[list[int]] = [[] for _ in range(count)]
    for edge in edges:
        consumers[edge.source].append(edge.target)
    to_the_end = [0] * count
    for box in reversed(range(count)):  # boxes are numbered in topological order
        to_the_end[box] = max((to_the_end[c] + 1 for c in consumers[box]), default=0)
    last = max(to_the_end, default=0)
    return [last - steps for steps in to_the_end]


def port_offset(edge: Edge, breadth: float) -> float:
    """Where an edge meets its target, from the middle of the side: the first operand comes first."""
    spread = min(0.7 * breadth, 16.0 * (edge.ports - 1))
    return spread * (edge.port / (edge.ports - 1) - 0.5) if edge.ports > 1 else 0.0


def fitted(sizes: Sequence[Point], corners: Sequence[Point], routes: Sequence[Sequence[Point]], engine: str) -> Layout:
    """The layout moved so that it begins at (0, 0)."""
    xs = [x for x, _ in corners] + [x for route in routes for x, _ in route]
    ys = [y for _, y in corners] + [y for route in routes for _, y in route]
    left, top = min(xs, default=0.0), min(ys, default=0.0)
    right = max([*xs, *(x + w for (x, _), (w, _) in zip(corners, sizes, strict=True))], default=0.0)
    bottom = max([*ys, *(y + h for (_, y), (_, h) in zip(corners, sizes, strict=True))], default=0.0)
    return Layout(
        tuple((x - left, y - top) for x, y in corners),
        tuple(tuple((x - left, y - top) for x, y in route) for route in routes),
        right - left,
        bottom - top,
        engine,
    )


def _slots(flow: Sequence[Point], edges: Sequence[Edge], rank: Sequence[int]) -> _Slots:
    """A slot for every box and for every rank that its edges pass, and the links between them."""
    count = len(flow)
    slots = _Slots([[] for _ in range(max(rank, default=-1) + 1)], [breadth for _, breadth in flow])
    furthest = list(rank)
    for edge in edges:
        furthest[edge.source] = max(furthest[edge.source], rank[edge.target])
    lengths = [[0] * (furthest[box] - rank[box]) for box in range(count)]  # how many edges of each length
    for edge in edges:
        lengths[edge.source][rank[edge.target] - rank[edge.source] - 1] += 1
    for box in range(count):
        passed = max(furthest[box] - rank[box] - 1, 0)
        bus = [box, *range(len(slots.breadth), len(slots.breadth) + passed)]
        slots.breadth += [_BEND] * passed
        slots.buses.append(bus)
        for r, slot in enumerate(bus, rank[box]):
            slots.ranks[r].append(slot)
        longer = [*accumulate(reversed(lengths[box]))][-2::-1]
        for (a, b), on_board in zip(pairwise(bus), longer, strict=True):
            slots.links.append(Link(a, b, 0.0, _stiffness(a, b, count), on_board))
    for edge in edges:
        last = slots.buses[edge.source][rank[edge.target] - rank[edge.source] - 1]
        offset = port_offset(edge, flow[edge.target][1])
        slots.links.append(Link(last, edge.target, offset, _stiffness(last, edge.target, count)))
    return slots


def _begins(edges: Sequence[Edge], rank: Sequence[int]) -> list[int]:
    """How many ranks after its source each edge's own line begins.

    At the source, as long as that is affordable: a number used a thousand times along a chain would repeat
    its bus a thousand times. Then an edge begins where it leaves what the shorter ones have drawn.
    """
    begins = [0] * len(edges)
    if sum(rank[edge.target] - rank[edge.source] for edge in edges) <= _AFFORDABLE:
        return begins
    drawn: dict[int, int] = {}
    for k in sorted(range(len(edges)), key=lambda k: rank[edges[k].target]):
        edge = edges[k]
        begins[k] = drawn.get(edge.source, 0)
        drawn[edge.source] = rank[edge.target] - rank[edge.source] - 1
    return begins


def _stiffness(a: int, b: int, count: int) -> float:
    """How much an edge wants to be straight: most where it passes other boxes."""
    return 1.0 + 2.0 * (a >= count) + 2.0 * (b >= count) + 3.0 * (a >= count and b >= count)


def _columns(slots: _Slots, flow: Sequence[Point], across: Sequence[float], room: float) -> list[Point]:
    """Where along the flow each rank begins and ends."""
    of = {slot: r for r, row in enumerate(slots.ranks) for slot in row}
    climb = [0.0] * len(slots.ranks)
    for link in slots.links:
        climb[of[link.b]] = max(climb[of[link.b]], abs(across[link.a] - across[link.b] - link.offset))
    lengths = [max((flow[s][0] for s in row if s < len(flow)), default=_BEND) for row in slots.ranks]
    columns, x = [], 0.0
    for gap, length in zip([0.0, *_gaps(climb[1:], room - sum(lengths))], lengths, strict=False):
        columns.append((x + gap, x + gap + length))
        x += gap + length
    return columns


def _gaps(climb: Sequence[float], room: float) -> list[float]:
    """The gaps between ranks: as wide as edges that climb would like, as far as there is room."""
    least = _GAP * len(climb)
    wishes = [min(max(_ROOMY_GAP if room > least else _GAP, _SLOPE * c), _WIDEST_GAP) for c in climb]
    if room < least or sum(wishes) <= room:
        return wishes
    share = (room - least) / (sum(wishes) - least)
    return [_GAP + (wish - _GAP) * share for wish in wishes]


def _route(leaves: float, arrives: float, stops: Sequence[float], columns: Sequence[Point]) -> list[Point]:
    """Straight through every rank at its stop, and curved in the gaps between where the stops differ."""
    x, y = leaves, stops[0]
    route = [(x, y)]
    columns = [*columns[:-1], (columns[-1][0] - ARROW, arrives)]
    for to, (_, end), (start, _) in zip(stops[1:], columns, columns[1:], strict=False):
        if abs(to - y) < _LEVEL:
            continue
        if end > x:
            route += _straight((x, y), (end, y))
        middle = (end + start) / 2
        route += [(middle, y), (middle, to), (start, to)]
        x, y = start, to
    return route + _straight((x, y), (arrives, stops[-1]))


def _straight(begin: Point, end: Point) -> list[Point]:
    (x, y), (u, v) = begin, end
    return [(x + (u - x) / 3, y + (v - y) / 3), (u - (u - x) / 3, v - (v - y) / 3), (u, v)]
