"""Lists of rows as views: where a list runs evenly, no row has to be copied."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff.primitives.shapes import reshape, transpose

Rows = NDArray[np.intp]
Axes = list[tuple[int, int]]  # (length, stride in rows) of each axis, the outermost first


def even(rows: Rows) -> tuple[int, Axes] | None:
    """The first row and the fewest axes along which a list of rows runs evenly, or None if it does not.

    >>> even(np.array([5, 6, 7, 5, 6, 7]))
    (5, [(2, 0), (3, 1)])
    >>> even(np.array([0, 1, 5])) is None
    True
    """
    axes: Axes = []
    first = int(rows[0])
    while len(rows) > 1:
        stride = int(rows[1] - rows[0])
        breaks = np.flatnonzero(np.diff(rows) != stride)
        length = int(breaks[0]) + 1 if len(breaks) else len(rows)
        if len(rows) % length:
            return None
        grid = rows.reshape(-1, length)
        if (grid != grid[:, :1] + stride * np.arange(length)).any():
            return None
        axes.insert(0, (length, stride))
        rows = grid[:, 0]
    return first, axes or [(1, 0)]


def common_lengths(several: Sequence[Axes], inner: int = 1) -> list[int] | None:
    """The lengths of the fewest axes that are finer than all of ``several``, with a seam after the last ``inner`` rows.

    >>> common_lengths([[(6, 1)], [(2, 0), (3, 1)]])
    [2, 3]
    """
    total = prod(length for length, _ in several[0])
    seams = {1, inner, total}
    for axes in several:
        behind = 1
        for length, _ in reversed(axes):
            behind *= length
            seams.add(behind)
    ordered = sorted(seams)
    lengths = []
    for small, large in pairwise(ordered):
        if large % small:
            return None
        lengths.append(large // small)
    return lengths[::-1] or [1]


def finer(axes: Axes, lengths: Sequence[int]) -> Axes:
    """The same list along axes of these lengths."""
    pieces: Axes = []
    rest = list(axes)
    length, stride = rest.pop() if rest else (1, 0)
    for wanted in reversed(lengths):
        while length == 1 and rest:
            length, stride = rest.pop()
        pieces.insert(0, (wanted, stride if length > 1 else 0))
        length, stride = length // wanted, stride * wanted
    return pieces


def part(x: Any, first: int, axes: Axes) -> Any:
    """The rows ``first + i * stride + ...`` of ``x``, of shape (rows, batch), as a view.

    The result has shape (*lengths, batch), with length 1 where the stride is 0 (it broadcasts); None where basic
    indexing cannot say it.
    """
    order = sorted([k for k, (_, stride) in enumerate(axes) if stride], key=lambda k: -axes[k][1])
    if any(axes[k][1] < 0 for k in order):
        return None
    for position, k in enumerate(order):
        length, stride = axes[k]
        available = x.shape[-2]
        if position == len(order) - 1:
            x = _sliced(x, first, first + (length - 1) * stride + 1, stride)
            break
        extent = 1 + sum((axes[j][0] - 1) * axes[j][1] for j in order[position + 1 :])
        low = max(0, first + extent - stride)
        if extent > stride or low > min(first, available - length * stride):
            return None
        x = _sliced(x, low, low + length * stride, 1)
        x = reshape(x, (*x.shape[:-2], length, stride, x.shape[-1]))
        first -= low
    if not order:
        x = _sliced(x, first, first + 1, 1)
        return x if len(axes) == 1 else reshape(x, (1,) * len(axes) + x.shape[-1:])
    ranks = [sorted(order).index(k) for k in order]
    if ranks != sorted(ranks):
        x = transpose(x, (*np.argsort(ranks).tolist(), len(order)))
    if len(order) < len(axes):
        x = x[tuple([slice(None) if stride else None for _, stride in axes])]
    return x


def _sliced(x: Any, start: int, stop: int, step: int) -> Any:
    if (start, stop, step) == (0, x.shape[-2], 1):
        return x
    rows = slice(start, stop, None if step == 1 else step)
    return x[rows] if x.ndim == 2 else x[..., rows, :]


def strided(vector: NDArray[Any], index: NDArray[np.intp]) -> NDArray[Any] | None:
    """``vector[index]`` along the first axis of ``vector`` as a view that can be written to, or None.

    >>> strided(np.arange(6.0), np.array([[1, 2], [4, 5]]))
    array([[1., 2.],
           [4., 5.]])
    """
    if index.size == 0:
        return None
    first = int(index.flat[0])
    steps = []
    grid: Any = first
    for axis, length in enumerate(index.shape):
        step = int(np.take(index, 1, axis).flat[0]) - first if length > 1 else 0
        if length > 1 and step == 0:
            return None
        steps.append(step)
        grid = grid + step * np.arange(length).reshape((-1,) + (1,) * (index.ndim - axis - 1))
    if (grid != index).any():
        return None
    inner = vector.strides[0]
    return np.lib.stride_tricks.as_strided(
        vector[first:], (*index.shape, *vector.shape[1:]), (*[s * inner for s in steps], *vector.strides[1:])
    )
