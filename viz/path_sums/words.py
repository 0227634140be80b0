"""How paths are told: shares, counts and products of any size, in few characters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from viz.drawing.format import MINUS, number

ENDS = 3
"""Steps of a long path that are written out at each end."""


def share_of(part: Any, gradient: Any) -> Any:
    """``part / gradient``, or None where that says nothing."""
    if gradient == 0 or gradient - gradient != 0 or part - part != 0:
        return None
    return part / gradient


def percent(share: Any) -> str:
    """A share to read; complex ones by their size."""
    if share is None:
        return "—"
    try:
        whole = 100 * float(abs(share) if isinstance(share, complex) else share)
    except OverflowError:
        return "—"
    if not whole:
        return "0 %"
    digits = f"{whole:.0f}" if abs(whole) >= 100 else f"{whole:.3g}"
    return (digits if abs(whole) < 1e6 and abs(whole) >= 1e-4 else number(whole)).replace("-", MINUS) + " %"


def amount_of(product: Any, log10: float) -> str:
    """A product in four digits, also where a float cannot hold it."""
    held = isinstance(product, Fraction | complex) or (math.isfinite(product) and product) or not math.isfinite(log10)
    if held:
        return number(product)
    exponent = math.floor(log10)
    sign = MINUS if math.copysign(1, product) < 0 else ""
    return f"{sign}{10 ** (log10 - exponent):.3f}e{exponent}".replace("-", MINUS)


def shortened(parts: Sequence[Any], gap: Any) -> list[Any]:
    """Both ends of what is long, with ``gap`` in between."""
    return list(parts) if len(parts) <= 2 * ENDS + 1 else [*parts[:ENDS], gap, *parts[-ENDS:]]


def ranges(numbers: Iterable[int]) -> str:
    """``1–3,5`` for 1, 2, 3 and 5.

    >>> ranges([1, 2, 3, 5]), ranges([1, 2])
    ('1–3,5', '1,2')
    """
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    told = [f"{run[0]}–{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs]
    return ",".join(told)
