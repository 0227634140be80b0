"""Samples and their targets, checked before a model sees them, split, and dealt out in batches.

Both come as lists, arrays, or frames of pandas and polars, the samples along the first axis.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.data.arrays import as_numbers, check_finite
from nn.data.arrays import column_names as column_names

ENCODE = "; class labels are whole numbers: names, y = numpy.unique(y, return_inverse=True)"


def checked_array(X: Any, features: int | None = None, name: str = "X", *, integers: bool = False) -> NDArray[Any]:
    """``X`` as a contiguous array of floats; float32 stays float32, everything else becomes float64.

    Args:
        X: n samples of any shape: rows (n, features), sequences (n, steps, features), images (n, channels,
            height, width).
        features: the length of the last axis, where it is known.
        name: what messages call it.
        integers: keep whole numbers as they are, such as the tokens (n, steps) that an embedding takes; then
            a sample may also be one number, (n,).

    >>> checked_array([[1, 2], [3, 4]], features=2)
    array([[1., 2.],
           [3., 4.]])
    >>> checked_array([[4, 0, 7]], integers=True)
    array([[4, 0, 7]])

    Raises:
        ValueError: X is empty, has too few axes, rows of unequal or unexpected length, or a NaN or an infinity.
        TypeError: X holds something other than numbers.
    """
    expected = _rows(features)
    table = as_numbers(X, name)
    if table.size == 0:
        raise ValueError(f"{name} is empty, with shape {table.shape}; expected {expected}")
    whole = integers and table.dtype.kind in "biu"
    if table.ndim < 2 - whole:
        hint = f"; for one row write [{name}]" if table.ndim == 1 else ""
        raise ValueError(f"{name} has shape {table.shape}; expected {expected}{hint}")
    if features is not None and table.shape[-1] != features:
        where = "each row" if table.ndim == 2 else f"the last axis of its shape {table.shape}"
        raise ValueError(f"{name} has {table.shape[-1]} features in {where}, and the model takes {features}")
    check_finite(table, name, X)
    if whole and table.dtype.kind != "b":
        return np.ascontiguousarray(table)
    return np.ascontiguousarray(table, int if whole else np.float32 if table.dtype == np.float32 else float)


def checked_targets(y: Any, count: int | None = None, name: str = "y", beside: str = "X") -> NDArray[Any]:
    """``y`` as an array with one target for each sample: a number, or an array of them.

    Whole numbers stay whole (they may be class indices), float32 stays float32, other floats become float64.

    Args:
        y: n targets, of shape (n,) or (n, ...).
        count: how many samples there are, where it is known.
        name: what messages call it.
        beside: what messages call the samples.

    >>> checked_targets([True, False], count=2)
    array([1, 0])

    Raises:
        ValueError: y is one number, is empty, has rows of unequal length, a NaN or an infinity, or not ``count``
            targets.
        TypeError: y holds something other than numbers; for texts the message says how to encode them.
    """
    targets = as_numbers(y, name, ENCODE)
    if targets.ndim == 0:
        raise ValueError(f"{name} is the single number {targets}; expected one target for each row")
    if count is not None and len(targets) != count:
        raise ValueError(f"{beside} has {count} rows and {name} has {len(targets)} targets")
    if targets.size == 0:
        raise ValueError(f"{name} is empty, with shape {targets.shape}; expected one target for each row")
    check_finite(targets, name, y)
    kind = {"b": int, "f": np.float32 if targets.dtype == np.float32 else float}.get(targets.dtype.kind)
    return np.ascontiguousarray(targets, kind)


def checked_rows(X: Any, features: int | None = None, name: str = "X") -> list[list[float]]:
    """``X`` as rows of floats, each of length ``features`` where that is known: for models of single numbers.

    Raises:
        ValueError: X is empty, is not made of rows, or has rows of unequal or unexpected length, or a
            NaN or an infinity.
        TypeError: X holds something other than numbers.
    """
    table = checked_array(X, features, name)
    if table.ndim != 2:
        raise ValueError(f"{name} has shape {table.shape}; expected {_rows(features)}")
    rows: list[list[float]] = table.tolist()
    return rows


def check_columns(X: Any, expected: tuple[str, ...] | None, name: str = "X") -> None:
    """Nothing where X has the named columns that a model was trained on, in their order, or no names at all.

    Raises:
        ValueError: the columns are others, or stand in another order; the message says how to pick them.
    """
    given = column_names(X)
    if expected is None or given is None or given == expected:
        return
    missing = [column for column in expected if column not in given]
    unknown = [column for column in given if column not in expected]
    if not missing:
        problem = f"also the columns {unknown}" if unknown else "its columns in another order"
        raise ValueError(f"{name} has {problem}; the model was trained on: {name} = {name}[{list(expected)}]")
    also = f", and has {unknown}" if unknown else ""
    raise ValueError(f"{name} lacks the columns {missing} that the model was trained on{also}")


def split(X: Any, y: Any, fraction: float) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """``(X, y)`` without its last samples, and those: the ``fraction`` of all that is held out for validation.

    The last samples, before any shuffling, as in Keras: data in the order of time are then judged by their
    future. Samples that are sorted (all of one class at the end) need shuffling before.

    Args:
        X: n samples.
        y: n targets.
        fraction: how much of them to hold out, above 0 and below 1; rounded to whole samples, at least one.

    >>> (X, y), (last_X, last_y) = split(np.arange(10), np.arange(10), 0.2)
    >>> len(X), last_X
    (8, array([8, 9]))

    Raises:
        ValueError: the fraction is out of range, or leaves nothing to train on.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"the fraction held out for validation is above 0 and below 1, and was given {fraction!r}")
    count = len(X)
    held_out = max(1, round(count * fraction))
    if held_out >= count:
        raise ValueError(f"{fraction:.6g} of {count} samples held out for validation leave none to train on")
    kept = count - held_out
    return (X[:kept], y[:kept]), (X[kept:], y[kept:])


def epoch_order(count: int, rng: np.random.Generator | None) -> NDArray[np.intp]:
    """The numbers 0 ... count - 1 in random order, drawn at once; without a generator in their own order.

    Whoever keeps this order and the number of the next batch can go on in the middle of an epoch: :func:`deal`.
    """
    return np.arange(count) if rng is None else rng.permutation(count)


def deal(order: NDArray[np.intp], size: int, start: int = 0) -> Iterator[NDArray[np.intp]]:
    """``order``, ``size`` numbers at a time, from batch number ``start`` on; the last batch may be smaller.

    >>> [batch.tolist() for batch in deal(np.array([3, 1, 4, 0, 2]), 2, start=1)]
    [[4, 0], [2]]
    """
    return (order[first : first + size] for first in range(start * size, len(order), size))


def _rows(features: int | None) -> str:
    return "rows of numbers" if features is None else f"rows of {features} numbers"
