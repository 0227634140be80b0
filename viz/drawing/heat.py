"""A small array as a picture: one cell per entry, its colour the sign and the size of the number.

Colour is not needed to read the sign: negative cells carry a dash, and what is no number a cross.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

LEVELS = 5
"""Steps of colour on each side of zero."""

_LARGEST = 16  # rows and columns
_WIDEST, _CELL = 96.0, 12.0  # pixels


@dataclass(frozen=True, slots=True)
class Heat:
    """Levels from -LEVELS to LEVELS, row by row, None where an entry is NaN, and where the map is drawn."""

    levels: tuple[tuple[int | None, ...], ...]
    cell: float
    x: float = 0
    y: float = 0

    @property
    def width(self) -> float:
        """Of the whole map, in pixels."""
        return self.cell * len(self.levels[0])

    @property
    def height(self) -> float:
        """Of the whole map, in pixels."""
        return self.cell * len(self.levels)

    @property
    def cells(self) -> int:
        """How many entries it shows."""
        return len(self.levels) * len(self.levels[0])

    def at(self, x: float, y: float) -> Heat:
        """The same map with its upper left corner at ``(x, y)``."""
        return replace(self, x=x, y=y)


def heat_of(data: Any) -> Heat | None:
    """The heat map of a vector or matrix of at most 16x16 entries, None for any other array.

    Full colour is the largest magnitude in the array; complex numbers show their magnitudes.

    >>> heat_of([1.0, -0.5, 0.0]).levels
    ((5, -2, 0),)
    """
    array = np.asarray(data)
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or not array.size or max(array.shape) > _LARGEST:
        return None
    real = np.abs(array) if array.dtype.kind == "c" else array.astype(float)
    rows = tuple(tuple(_level(x, _scale(real)) for x in row) for row in real.tolist())
    return Heat(rows, min(_CELL, _WIDEST / max(array.shape)))


def _scale(real: Any) -> float:
    finite = np.abs(real[np.isfinite(real)])
    return float(finite.max()) if finite.size else 0.0


def _level(x: float, scale: float) -> int | None:
    if x != x:
        return None
    if not scale or abs(x) > scale:  # all zero, or infinite
        return 0 if x == 0 else LEVELS if x > 0 else -LEVELS
    step = round(x / scale * LEVELS)
    return step or (x > 0) - (x < 0)  # only zero looks like zero
