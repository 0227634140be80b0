"""The table, fifth part: sliding windows, from which convolution and pooling are built."""

# fmt: off
from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from autodiff.primitives.shapes import structural


def per_axis(value: Any, count: int, name: str) -> tuple[int, ...]:
    """One integer for each windowed axis; a single one holds for all."""
    values = tuple(int(v) for v in value) if isinstance(value, tuple) else (int(value),) * count
    if len(values) != count or min(values) < (0 if name == "padding" else 1):
        raise ValueError(f"sliding_windows: {name}={value!r} does not fit {count} windowed axes")
    return values

def _geometry(shape: Any, size: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """Sizes, strides, paddings, dilations and the number of positions, one for each windowed axis."""
    size = size if isinstance(size, tuple) else (size,)
    n = len(size)
    size, stride, padding, dilation = (per_axis(v, n, k) for v, k in [(size, "size"), (stride, "stride"), (padding, "padding"), (dilation, "dilation")])
    if len(shape) < n:
        raise ValueError(f"sliding_windows: size {size} needs an array of at least {n} axes, not shape {tuple(shape)}")
    positions = tuple((length + 2 * p - d * (k - 1) - 1) // s + 1 for length, k, s, p, d in zip(shape[-n:], size, stride, padding, dilation, strict=True))
    if min(positions) < 1:
        raise ValueError(f"sliding_windows: a window of {size} with dilation {dilation} does not fit into shape {tuple(shape)} with padding {padding}")
    return size, stride, padding, dilation, positions

def _padded(shape: Any, padding: Any) -> tuple[int, ...]:
    lead = len(shape) - len(padding)
    return (*shape[:lead], *(n + 2 * p for n, p in zip(shape[lead:], padding, strict=True)))

def _inside(shape: Any, padding: Any) -> Any:
    return (..., *(slice(p, p + n) for p, n in zip(padding, shape[len(shape) - len(padding):], strict=True)))

def _windows(x: Any, size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, padding_value: float = 0.0) -> Any:
    x = np.asarray(x)
    size, stride, padding, dilation, positions = _geometry(x.shape, size, stride, padding, dilation)
    lead = x.ndim - len(size)
    if any(padding):
        padded = np.full_like(x, padding_value, shape=_padded(x.shape, padding))
        padded[_inside(x.shape, padding)] = x
        x = padded
    steps = x.strides[lead:]
    strides = (*x.strides[:lead], *(s * b for s, b in zip(stride, steps, strict=True)), *(d * b for d, b in zip(dilation, steps, strict=True)))
    return np.lib.stride_tricks.as_strided(x, (*x.shape[:lead], *positions, *size), strides, writeable=False)

def _fold(windows: Any, shape: Any, size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> Any:
    size, stride, padding, dilation, positions = _geometry(shape, size, stride, padding, dilation)
    first = windows[(..., *(0,) * len(size))]
    out = np.zeros_like(first, shape=_padded(shape, padding))  # its axes lie in memory as those of the windows do
    for offset in itertools.product(*map(range, size)):  # one strided addition for each place in the window
        into = tuple(slice(o * d, o * d + s * (n - 1) + 1, s) for o, d, s, n in zip(offset, dilation, stride, positions, strict=True))
        out[(..., *into)] += windows[(..., *offset)]
    return out[_inside(shape, padding)]


sliding_windows = structural("sliding_windows", _windows, lambda g, x, out, size, stride, padding, dilation, padding_value: fold_windows(g, tuple(x.shape), size, stride, padding, dilation),
    doc="Views of x under a window that slides over its last axes: shape (..., *positions, *size). ``size`` is an\ninteger (one axis) or a tuple; stride, padding and dilation are integers or one for each axis.",
    cases=[([(6,)], {"size": 3}), ([(2, 7)], {"size": 3, "stride": 2, "padding": 1, "dilation": 2}), ([(2, 5, 6)], {"size": (2, 3), "stride": (2, 1), "padding": (0, 1)}), ([(5, 6)], {"size": (2, 2), "dilation": (2, 3), "padding_value": 7.0, "padding": 1})])
fold_windows    = structural("fold_windows",    _fold,    lambda g, windows, out, shape, size, stride, padding, dilation: sliding_windows(g, size, stride, padding, dilation),
    doc="The transpose of sliding_windows: an array of the given shape in which overlapping windows are added up.",
    cases=[([(4, 3)], {"shape": (6,), "size": 3}), ([(2, 2, 4, 2, 3)], {"shape": (2, 5, 6), "size": (2, 3), "stride": (2, 1)})])
