"""How long something takes, measured and in words."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any


def timed(ways: dict[str, Callable[..., Any]], *args: Any, times: int = 50) -> dict[str, float]:
    """The median of so many runs of each, in turns, in seconds; a first round does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(times + 1):
        for name, run in ways.items():
            started = perf_counter()
            run(*args)
            seconds[name].append(perf_counter() - started)
    return {name: median(taken[1:]) for name, taken in seconds.items()}


def duration(seconds: float) -> str:
    """Seconds in words.

    >>> duration(0.0123), duration(2.345), duration(95.0), duration(7000.0)
    ('12 ms', '2.3 s', '95 s', '1.9 hours')
    """
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 180:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def compared(taken: float, other: float) -> str:
    """How long something takes beside something else, in words; what measuring again would change is not told apart.

    >>> compared(1.1, 1.0), compared(1.5, 1.0)
    ('about as long', '1.5 times as long')
    """
    ratio = taken / other
    return "about as long" if 0.85 <= ratio <= 1.15 else f"{ratio:.1f} times as long"
