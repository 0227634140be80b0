"""The cyclic garbage collector, asked to wait."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_resting() -> Iterator[None]:
    """Keep the cyclic collector from looking through what only grows, and has no cycles, again and again.

    A graph, a program and its blocks are millions of small objects: half of the time would go to the collector.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
