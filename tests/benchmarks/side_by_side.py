"""Timing several systems fairly in one run: interleaved rounds, medians, ratios."""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import Any


def available(systems: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    """Those of ``{module: (title, maker)}`` whose module is installed; says which are not."""
    found = {}
    for module, (title, maker) in systems.items():
        if importlib.util.find_spec(module) is not None:
            found[title] = maker
        else:
            print(f"({title} is left out: pip install {module})")
    return found


def interleaved(
    systems: dict[str, Callable[[], Any]],
    rounds: int,
    block: int = 1,
    before: Callable[[], Any] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds per call; each round calls every system ``block`` times, so that noise hits all alike.

    ``before`` is called ahead of each block and not timed: ``gc.collect`` there makes every system pay
    for its own garbage and for no other's. Where every system runs in one thread, ``time.process_time`` is
    the better clock: what else the machine does is then left out.
    """
    for step in systems.values():
        step()
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(rounds):
        for name, step in systems.items():
            if before is not None:
                before()
            start = clock()
            for _ in range(block):
                result = step()
                del result  # freeing the graph is part of the step
            seconds[name].append((clock() - start) / block)
    return seconds


def paired_ratio(times: list[float], reference: list[float]) -> float:
    """How many times slower than the reference: the median over rounds, each compared with itself."""
    return statistics.median(t / r for t, r in zip(times, reference, strict=True))


def print_table(title: str, seconds: dict[str, list[float]], reference: str) -> None:
    """Medians, and how many times slower than the reference each system is (median of paired ratios)."""
    print(f"\n{title}  ({len(seconds[reference])} rounds, medians)")
    for name, times in seconds.items():
        ratio = paired_ratio(times, seconds[reference])
        print(f"  {name:<28}{statistics.median(times) * 1e3:>10.3f} ms{ratio:>10.2f} x {reference}")


def verdict(claim: str, figure: float, limit: float, at_least: bool = False) -> None:
    """One line that says whether a target was met: ``ok`` or ``MISSED``."""
    met = figure >= limit if at_least else figure <= limit
    print(f"  {'ok' if met else 'MISSED':<8}{claim}: {figure:.3g} ({'at least' if at_least else 'at most'} {limit:g})")
