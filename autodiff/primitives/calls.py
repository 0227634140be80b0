"""Rows of the table in place: the calls that write into an array what the row's ``array`` function returns.

A program that runs many times has an array for every result. NumPy's own functions write into it when they are given
it; for the most used rows that are no single such function, the calls stand here. They give the same numbers, bit for
bit. A row without calls, and one whose calls are None for the inputs at hand, is computed and copied.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

Calls = list[tuple[Callable[..., Any], tuple[Any, ...]]]


def _number(value: Any, like: Any) -> Any:
    """A number as NumPy would take it beside an array: converted once, not at every call."""
    return np.array(value, like.dtype)


def _is_float(x: Any, out: Any) -> bool:
    return bool(x.dtype.kind == "f" and x.dtype == out.dtype)


# ── elementwise ──────────────────────────────────────────────────────────────────────────────────────
def power(a: Any, b: Any, out: Any) -> Calls | None:
    return [(np.power, (a, b, out))] if b.ndim else None  # a single exponent may be a square or a root


def reciprocal(x: Any, out: Any) -> Calls | None:
    return [(np.divide, (_number(1, x), x, out))] if _is_float(x, out) else None


def relu(x: Any, out: Any) -> Calls | None:
    return [(partial(np.maximum, out=out), (x, _number(0, x)))]


def leaky_relu(x: Any, out: Any, negative_slope: float) -> Calls | None:
    if not _is_float(x, out) or not 0 < negative_slope <= 1:
        return None
    return [(np.multiply, (x, _number(negative_slope, x), out)), (partial(np.maximum, out=out), (x, out))]


def is_positive(x: Any, out: Any) -> Calls | None:
    if not _is_float(x, out):
        return None
    holds = np.empty_like(x, bool)
    return [(np.greater, (x, _number(0, x), holds)), (np.copyto, (out, holds)), (_keep_nan, (x, out))]


def _keep_nan(x: Any, out: Any) -> None:
    if x.size:
        top = x.item(x.argmax())  # argmax finds a NaN first
        if top != top:
            out[...] = np.heaviside(x, 0)


def sigmoid(x: Any, out: Any) -> Calls | None:
    if not _is_float(x, out):
        return None
    one = _number(1, x)
    return [
        (np.negative, (x, out)),
        (np.exp, (out, out)),
        (np.add, (out, one, out)),
        (np.divide, (one, out, out)),
        (_keep_small, (x, out)),
    ]


def _keep_small(x: Any, out: Any) -> None:
    if x.size and not x.item(x.argmin()) > -709:  # exp(-x) has overflown, or x is NaN
        out[...] = np.where(x > -709, out, np.exp(np.minimum(x, 0)))


def softplus(x: Any, out: Any) -> Calls | None:
    return [(np.logaddexp, (x, _number(0, x), out))] if _is_float(x, out) else None


def log_sigmoid(x: Any, out: Any) -> Calls | None:
    if not _is_float(x, out):
        return None
    return [(np.negative, (x, out)), (np.logaddexp, (out, _number(0, x), out)), (np.negative, (out, out))]


def silu(x: Any, out: Any) -> Calls | None:
    gate = sigmoid(x, out)
    return gate and [*gate, (np.multiply, (x, out, out))]


def clip(x: Any, out: Any, min: Any, max: Any) -> Calls | None:
    return [(partial(np.clip, out=out), (x, min, max))]


def whole(function: Any) -> Callable[..., Calls | None]:
    """Rounding to integers, none of which is -0.0."""
    return lambda x, out: [(function, (x, out)), (np.add, (out, _number(0, x), out))] if _is_float(x, out) else None


def truth(compare: Any) -> Callable[..., Calls]:
    def calls(*inputs: Any, out: Any) -> Calls:
        holds = np.empty_like(out, bool)
        return [(compare, (*inputs, holds)), (np.copyto, (out, holds))]

    return calls


# ── along axes ───────────────────────────────────────────────────────────────────────────────────────
def reduce(function: Any) -> Callable[..., Calls]:
    """Sums and extremes: what a ufunc makes of all entries along an axis."""
    return lambda x, out, axis, keepdims: [(function.reduce, (x, axis, None, out, keepdims))]


LONGEST = 2048  # entries that a product with ones adds up, in about eight running sums; np.add.reduce loses less


def _axes(x: Any, axis: Any) -> Any:
    return range(x.ndim) if axis is None else [a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,))]


def quick_sum(x: Any, out: Any, axis: Any, keepdims: bool) -> Calls | None:
    """Sums over leading or trailing axes as products with ones, which take half the time."""
    if not x.flags.c_contiguous or not out.flags.c_contiguous or not _is_float(x, out) or x.dtype.itemsize < 4:
        return None
    axes = _axes(x, axis)
    kept = [i for i in range(x.ndim) if i not in axes and x.shape[i] != 1]
    first, last = (kept[0], kept[-1] + 1) if kept else (x.ndim, x.ndim)
    if any(i in axes and x.shape[i] != 1 for i in range(first, last)):
        return None
    before, middle, behind = (
        math.prod(x.shape[i] for i in part) for part in (range(first), range(first, last), range(last, x.ndim))
    )
    if not 1 < max(before, behind) <= LONGEST or not x.size:
        return None
    calls: Calls = []
    if behind > 1:
        rows, x = (
            x.reshape(before * middle, behind),
            out.reshape(middle) if before == 1 else np.empty(before * middle, x.dtype),
        )
        calls.append((np.dot, (rows, np.ones(behind, x.dtype), x)))
    if before > 1:
        calls.append((np.dot, (np.ones(before, x.dtype), x.reshape(before, middle), out.reshape(middle))))
    return calls


def mean(x: Any, out: Any, axis: Any, keepdims: bool) -> Calls | None:
    if not _is_float(x, out) or x.dtype == np.float16:
        return None
    count = x.size // out.size if out.size else 0
    return [(np.add.reduce, (x, axis, None, out, keepdims)), (np.divide, (out, _number(count, x), out))]


def softmax(x: Any, out: Any, axis: int) -> Calls | None:
    if not _is_float(x, out) or not x.size:
        return None
    top = _one_along(x, axis)
    return [
        *_below_top(x, axis, top, out),
        (np.exp, (out, out)),
        (np.add.reduce, (out, axis, None, top, True)),
        (np.divide, (out, top, out)),
    ]


def log_softmax(x: Any, out: Any, axis: int) -> Calls | None:
    if not _is_float(x, out) or not x.size:
        return None
    top, powers = _one_along(x, axis), np.empty_like(out)
    return [
        *_below_top(x, axis, top, out),
        (np.exp, (out, powers)),
        (np.add.reduce, (powers, axis, None, top, True)),
        (np.log, (top, top)),
        (np.subtract, (out, top, out)),
    ]


def logsumexp(x: Any, out: Any, axis: Any, keepdims: bool) -> Calls | None:
    if not _is_float(x, out) or not x.size:
        return None
    top, powers = _one_along(x, axis), np.empty_like(x)
    kept = out.reshape(top.shape)
    if not np.may_share_memory(kept, out):
        return None
    return [
        *_below_top(x, axis, top, powers),
        (np.exp, (powers, powers)),
        (np.add.reduce, (powers, axis, None, kept, True)),
        (np.log, (kept, kept)),
        (np.add, (kept, top, kept)),
    ]


def _one_along(x: Any, axis: Any) -> Any:
    """An array for one number along an axis, or several. (What ``x`` holds yet may be anything, and is not read.)"""
    axes = _axes(x, axis)
    return np.empty([1 if i in axes else n for i, n in enumerate(x.shape)], x.dtype)


def _below_top(x: Any, axis: Any, top: Any, out: Any) -> Calls:
    """``x`` minus its largest entry along the axis, or minus 0 where that is not finite."""
    return [
        (np.maximum.reduce, (x, axis, None, top, True, -np.inf)),
        (_zero_if_infinite, (top, np.zeros(top.size, top.dtype))),
        (np.subtract, (x, top, out)),
    ]


def _zero_if_infinite(top: Any, zeros: Any) -> None:
    if np.vdot(top, zeros) != 0:  # inf * 0 is NaN
        top[~np.isfinite(top)] = 0


# ── parts and products ───────────────────────────────────────────────────────────────────────────────
def concatenate(*inputs: Any, out: Any, axis: Any) -> Calls:
    if axis is None:
        return [(partial(np.concatenate, axis=None, out=out), (inputs,))]
    calls: Calls = []
    start = 0
    for x in inputs:
        stop = start + x.shape[axis]
        calls.append((np.copyto, (out[(slice(None),) * (axis % out.ndim) + (slice(start, stop),)], x)))
        start = stop
    return calls


def stack(*inputs: Any, out: Any, axis: int) -> Calls:
    before = (slice(None),) * (axis % out.ndim)
    return [(np.copyto, (out[(*before, k, ...)], x)) for k, x in enumerate(inputs)]


def take_rows(x: Any, out: Any, index: Any) -> Calls | None:
    """Rows by a list of their numbers (which were in bounds when the list was written down)."""
    if not isinstance(index, np.ndarray) or index.dtype.kind != "i" or not x.ndim or not out.flags.c_contiguous:
        return None
    return [(x.take, (index % max(len(x), 1), 0, out, "wrap"))]


def matmul(a: Any, b: Any, out: Any) -> Calls | None:
    # The same BLAS, sooner; but not with a single number: np.dot takes 0 * inf to be 0 there.
    if a.ndim == b.ndim == 2 and a.size > 1 < b.size and out.flags.c_contiguous and a.dtype == b.dtype:
        return [(np.dot, (a, b, out))]
    if a.ndim >= 2 <= b.ndim and a.shape[-1] == 1:  # many outer products; matmul takes twice the time
        return [(np.multiply, (a, b, out))]
    return [(np.matmul, (a, b, out))]
