"""Which engine lays a picture out: Graphviz where it works, ours where it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from viz.layouts.builtin import Direction, Layout, Point, built_in
from viz.layouts.dot_layout import DotError, by_dot
from viz.views.model import Edge

Engine = Literal["auto", "builtin", "dot"]


def laid_out(
    sizes: Sequence[Point], edges: Sequence[Edge], engine: Engine, flow: Direction, limit: float
) -> tuple[Layout, str]:
    """A layout, and a note if it is not by the engine that was hoped for."""
    if engine == "builtin":
        return built_in(sizes, edges, flow), ""
    try:
        return by_dot(sizes, edges, flow, limit), ""
    except DotError as error:
        if engine == "dot":
            raise DotError(
                f"{error}; install Graphviz (apt install graphviz, brew install graphviz, or graphviz.org/download),"
                ' or write layout="builtin"'
            ) from None
        return built_in(sizes, edges, flow), f"built-in layout: {error}"
