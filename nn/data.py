"""Rows of numbers and their targets, checked before a model sees them, and dealt out in batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


def checked_rows(X: Any, features: int | None = None, name: str = "X") -> list[list[float]]:
    """``X`` as rows of floats, each of length ``features`` where that is known.

    Raises:
        ValueError: X is empty, is not made of rows, or has rows of unequal or unexpected length, or a
            NaN or an infinity.
        TypeError: X holds something other than numbers.
    """
    expected = "rows of numbers" if features is None else f"rows of {features} numbers"
    table = _array(X, name)
    if table.size == 0:
        raise ValueError(f"{name} is empty, with shape {table.shape}; expected {expected}")
    if table.ndim != 2:
        hint = f"; for one row write [{name}]" if table.ndim == 1 else ""
        raise ValueError(f"{name} has shape {table.shape}; expected {expected}{hint}")
    if features is not None and table.shape[1] != features:
        raise ValueError(f"{name} has {table.shape[1]} features in each row, and the model takes {features}")
    rows: list[list[float]] = table.astype(float).tolist()
    return rows


def checked_examples(
    X: Any, y: Any, features: int | None = None, names: tuple[str, str] = ("X", "y")
) -> tuple[list[list[float]], list[Any]]:
    """``X`` as rows and ``y`` as one target (a number, or a row of numbers) for each of them.

    Raises:
        ValueError: as :func:`checked_rows`, for both; or they differ in length.
        TypeError: X or y holds something other than numbers.
    """
    rows = checked_rows(X, features, names[0])
    targets = _array(y, names[1])
    if targets.ndim == 0:
        raise ValueError(f"{names[1]} is the single number {targets}; expected one target for each row")
    if len(targets) != len(rows):
        raise ValueError(f"{names[0]} has {len(rows)} rows and {names[1]} has {len(targets)} targets")
    return rows, targets.tolist()


def batches(count: int, size: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """The numbers 0 ... count - 1 in random order, ``size`` at a time; the last batch may be smaller.

    >>> [len(batch) for batch in batches(10, 4, np.random.default_rng(0))]
    [4, 4, 2]
    """
    order = rng.permutation(count).tolist()
    for start in range(0, count, size):
        yield order[start : start + size]


def _array(data: Any, name: str) -> NDArray[Any]:
    """``data`` as an array of finite numbers."""
    if isinstance(data, np.ndarray) and hasattr(data, "mask"):
        raise TypeError(f"{name} is a masked array, and what it masks would be learnt from; fill it first")
    try:
        table = np.asarray(data)
    except ValueError:  # NumPy's word for it is "inhomogeneous shape"
        lengths = [np.size(row) for row in data]
        odd = next((i for i, n in enumerate(lengths) if n != lengths[0]), 0)
        raise ValueError(
            f"{name} has rows of unequal length: row 0 has {lengths[0]} numbers, row {odd} has {lengths[odd]}"
        ) from None
    if table.dtype.kind not in "biuf":
        raise TypeError(f"{name} holds {table.flat[0]!r}; expected real numbers")
    bad = np.argwhere(~np.isfinite(table))
    if len(bad):
        place = tuple(bad[0].tolist())
        raise ValueError(f"{name}[{', '.join(map(str, place))}] is {table[place]}; expected finite numbers")
    return table
