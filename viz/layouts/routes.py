"""Ways of arrows as chains of Bezier curves, in coordinates along and across the flow: turning and joining them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from viz.layouts.builtin import Direction, Layout, Point

Route = tuple[Point, ...]
"""A start, then three points per curve."""


def turned(point: Point, flow: Direction) -> Point:
    """From (x, y) to (along, across), or back."""
    return point if flow == "LR" else (point[1], point[0])


def all_turned(layout: Layout, flow: Direction) -> Layout:
    """A whole layout from (x, y) to (along, across), or back."""
    width, height = turned((layout.width, layout.height), flow)
    return replace(
        layout,
        corners=tuple(turned(corner, flow) for corner in layout.corners),
        routes=tuple(tuple(turned(point, flow) for point in route) for route in layout.routes),
        width=width,
        height=height,
    )


def at(route: Sequence[Point], corner: Point) -> Route:
    """The way of something whose corner is there."""
    return tuple((x + corner[0], y + corner[1]) for x, y in route)


def joined(first: Route, second: Route) -> Route:
    """One after the other: the second begins where the first ends."""
    return (*first, *second[1:])


def line(a: Point, b: Point) -> Route:
    """Straight from one point to another."""
    (x, y), (u, v) = a, b
    return (a, (x + (u - x) / 3, y + (v - y) / 3), (x + 2 * (u - x) / 3, y + 2 * (v - y) / 3), b)


def starting_at(route: Route, across: float) -> Route:
    """A way from a frame that begins at another place of the same side.

    It may, because as far as its first bend it runs straight along the frame, where nothing else is. A way whose
    bends are of another make (those of dot) stays as it is.
    """
    for k in range(0, len(route) - 3, 3):
        if route[k + 1][0] == route[k + 2][0] and all(y == route[0][1] for _, y in route[: k + 2]):
            return (*((x, across) for x, _ in route[: k + 2]), *route[k + 2 :])
    return route


def met(first: Route, second: Route) -> Route:
    """Two ways that meet at a frame, with a bend between them, as they may not be at the same place."""
    middle = (first[-1][0] + second[0][0]) / 2
    return (*first, (middle, first[-1][1]), (middle, second[0][1]), *second)
