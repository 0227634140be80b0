"""The operations of the table written a second time, with NumPy only, and derivatives that know no rules.

``REFERENCES`` maps the name of each row to a function of arrays, with the row's own parameters. Fed complex
numbers it continues analytically: operations that choose (relu, maximum, sort, ...) choose by the real
parts and follow the branch that is active there. So the derivative of any of them is the imaginary part of
f(x + ih) / h, exact to the last digits: no difference is taken, and nothing of the engine is used
(Squire and Trapp 1998, "Using complex variables to estimate derivatives of real functions").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from autodiff import Primitive

STEP = 1e-30
Function = Callable[..., Any]


# ── what NumPy does not have, or does not continue to complex numbers ────────────────────────────────
def _choose(condition: Any, a: Any, b: Any) -> Any:
    return np.where(condition, a, b)


def _from_definition(real_part: Function, density: Function) -> Function:
    """A function given by math on real numbers, and off them by the integral of its defining density."""
    on_reals = np.vectorize(real_part, otypes=[float])
    nodes, weights = np.polynomial.legendre.leggauss(8)

    def continued(z: Any) -> Any:
        z = np.asarray(z)
        if not np.iscomplexobj(z):
            return on_reals(z).astype(z.dtype)
        step = 1j * z.imag
        path = z.real[..., None] + step[..., None] * (nodes + 1) / 2
        return on_reals(z.real) + step * (density(path) * weights).sum(-1) / 2

    return continued


_erf = _from_definition(math.erf, lambda t: 2 / np.sqrt(np.pi) * np.exp(-t * t))
_erfc = _from_definition(math.erfc, lambda t: -2 / np.sqrt(np.pi) * np.exp(-t * t))


def _arctan2(a: Any, b: Any) -> Any:
    a0, b0 = np.real(a), np.real(b)
    return np.arctan2(a0, b0) + np.arctan((a * b0 - b * a0) / (a * a0 + b * b0))


def _logaddexp(a: Any, b: Any) -> Any:
    top = np.maximum(np.real(a), np.real(b))
    return top + np.log(np.exp(a - top) + np.exp(b - top))


def _elu(z: Any, alpha: float = 1.0) -> Any:
    return _choose(np.real(z) > 0, z, alpha * np.expm1(_choose(np.real(z) > 0, 0, z)))


def _clip(z: Any, min: Any = None, max: Any = None) -> Any:
    z = z if min is None else _choose(np.real(z) < min, min, z)
    return z if max is None else _choose(np.real(z) > max, max, z)


def _wins(a: Any, b: Any) -> Any:
    return np.sign(np.real(a) - np.real(b)) / 2 + 0.5


def _abs(z: Any) -> Any:
    return z * np.sign(np.real(z))


def _astype(z: Any, dtype: Any) -> Any:
    return z.astype(np.result_type(dtype, np.complex64) if np.iscomplexobj(z) else dtype)


def _mean(z: Any, axis: Any = None, keepdims: bool = False) -> Any:
    with np.errstate(invalid="ignore"):
        return z.sum(axis=axis, keepdims=keepdims) / np.ones(z.shape).sum(axis=axis, keepdims=keepdims)


def _var(z: Any, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Any:
    squares = (z - z.mean(axis=axis, keepdims=True)) ** 2
    total = squares.sum(axis=axis, keepdims=keepdims)
    return total / (squares.size / total.size - ddof)


def _norm(z: Any, ord: Any = 2, axis: Any = None, keepdims: bool = False) -> Any:
    if ord == 2:
        return np.sqrt((z * z).sum(axis=axis, keepdims=keepdims))
    sizes = _abs(z)
    return sizes.sum(axis, keepdims=keepdims) if ord == 1 else sizes.max(axis, keepdims=keepdims, initial=0)


def _logsumexp(z: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.log(np.exp(z).sum(axis=axis, keepdims=keepdims))


def _scatter(values: Any, index: Any, shape: Any) -> Any:
    out = np.zeros(shape, values.dtype)
    np.add.at(out, index, values)
    return out


def _put(x: Any, values: Any, index: Any) -> Any:
    out = np.array(x)
    out[index] = values
    return out


def _scatter_add(x: Any, values: Any, index: Any) -> Any:
    out = np.array(x)
    np.add.at(out, index, values)
    return out


def _cholesky(a: Any) -> Any:
    """Cholesky's algorithm, entry by entry and without conjugation."""
    a = (a + np.swapaxes(a, -1, -2)) / 2
    L = np.zeros_like(a)
    for i in range(a.shape[-1]):
        for j in range(i):
            L[..., i, j] = (a[..., i, j] - (L[..., i, :j] * L[..., j, :j]).sum(-1)) / L[..., j, j]
        L[..., i, i] = np.sqrt(a[..., i, i] - (L[..., i, :i] ** 2).sum(-1))
    return L


def _logabsdet(a: Any) -> Any:
    d = np.linalg.det(a)
    return np.log(d * np.sign(np.real(d)))


def _per_axis(size: Any, *others: Any) -> tuple[tuple[int, ...], ...]:
    size = np.atleast_1d(size)
    return tuple(tuple(np.broadcast_to(v, size.shape).tolist()) for v in (size, *others))


def _sliding_windows(
    x: Any, size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, padding_value: float = 0.0
) -> Any:
    size, stride, padding, dilation = _per_axis(size, stride, padding, dilation)
    lead = x.ndim - len(size)
    x = np.pad(x, [(0, 0)] * lead + [(p, p) for p in padding], constant_values=padding_value)
    span = tuple(d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True))
    windows = np.lib.stride_tricks.sliding_window_view(x, span, axis=tuple(range(lead, x.ndim)))
    return windows[(..., *(slice(None, None, s) for s in (*stride, *dilation)))]


def _fold_windows(windows: Any, shape: Any, size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> Any:
    size, stride, padding, dilation = _per_axis(size, stride, padding, dilation)
    lead, n = len(shape) - len(size), len(size)
    padded = (*shape[:lead], *(length + 2 * p for length, p in zip(shape[lead:], padding, strict=True)))
    out = np.zeros(padded, windows.dtype)
    for at in np.ndindex(*windows.shape[lead:]):
        position = (a * s + o * d for a, o, s, d in zip(at[:n], at[n:], stride, dilation, strict=True))
        out[(..., *position)] += windows[(..., *at)]
    return out[(..., *(slice(p, p + length) for p, length in zip(padding, shape[lead:], strict=True)))]


SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

REFERENCES: dict[str, Function] = {
    # arithmetic
    "identity": lambda z: z,
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "negative": np.negative,
    "power": np.power,
    "reciprocal": lambda z: 1 / z,
    "square": np.square,
    "sqrt": np.sqrt,
    "hypot": lambda a, b: np.sqrt(a * a + b * b),
    # exponentials and logarithms
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "logaddexp": _logaddexp,
    # circular and hyperbolic functions
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "arcsin": np.arcsin,
    "arccos": np.arccos,
    "arctan": np.arctan,
    "arctan2": _arctan2,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "arcsinh": np.arcsinh,
    "arccosh": np.arccosh,
    "arctanh": np.arctanh,
    # functions of neural networks
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softplus": lambda z: np.log1p(np.exp(z)),
    "log_sigmoid": lambda z: -np.log1p(np.exp(-z)),
    "relu": lambda z: _choose(np.real(z) > 0, z, 0),
    "leaky_relu": lambda z, negative_slope=0.01: _choose(np.real(z) > 0, z, negative_slope * z),
    "elu": _elu,
    "selu": lambda z: SELU_SCALE * _elu(z, SELU_ALPHA),
    "gelu": lambda z: z * _erfc(-z / math.sqrt(2)) / 2,
    "gelu_tanh": lambda z: z / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "erf": _erf,
    "erfc": _erfc,
    # choices
    "maximum": lambda a, b: _choose(np.real(a) > np.real(b), a, b),
    "minimum": lambda a, b: _choose(np.real(a) < np.real(b), a, b),
    "clip": _clip,
    "where": lambda condition, a, b: _choose(np.real(condition) != 0, a, b),
    "abs": _abs,
    # flat functions
    "sign": lambda z: np.sign(np.real(z)),
    "floor": lambda z: np.floor(np.real(z)),
    "ceil": lambda z: np.ceil(np.real(z)),
    "round": lambda z: np.round(np.real(z)),
    "is_positive": lambda z: _choose(np.real(z) > 0, 1.0, 0.0),
    "wins": _wins,
    # truths
    "greater": lambda a, b: _choose(np.real(a) > np.real(b), 1.0, 0.0),
    "greater_equal": lambda a, b: _choose(np.real(a) >= np.real(b), 1.0, 0.0),
    "less": lambda a, b: _choose(np.real(a) < np.real(b), 1.0, 0.0),
    "less_equal": lambda a, b: _choose(np.real(a) <= np.real(b), 1.0, 0.0),
    "equal": lambda a, b: _choose(np.real(a) == np.real(b), 1.0, 0.0),
    "not_equal": lambda a, b: _choose(np.real(a) != np.real(b), 1.0, 0.0),
    "logical_and": lambda a, b: _choose((np.real(a) != 0) & (np.real(b) != 0), 1.0, 0.0),
    "logical_or": lambda a, b: _choose((np.real(a) != 0) | (np.real(b) != 0), 1.0, 0.0),
    "logical_not": lambda z: _choose(np.real(z) == 0, 1.0, 0.0),
    # shapes
    "reshape": lambda z, shape: z.reshape(shape),
    "ravel": np.ravel,
    "transpose": np.transpose,
    "swapaxes": np.swapaxes,
    "moveaxis": np.moveaxis,
    "squeeze": np.squeeze,
    "expand_dims": np.expand_dims,
    "broadcast_to": np.broadcast_to,
    "astype": _astype,
    "flip": np.flip,
    "roll": np.roll,
    "tile": np.tile,
    "repeat": np.repeat,
    "pad_constant": np.pad,
    "triu": np.triu,
    "tril": np.tril,
    "diagonal": np.diagonal,
    "trace": np.trace,
    "sort": np.sort,  # complex numbers by their real parts, and so do max and min
    "getitem": lambda z, index: z[index],
    "scatter": _scatter,
    "put": _put,
    "scatter_add": _scatter_add,
    "take": np.take,
    "take_along_axis": np.take_along_axis,
    "concatenate": lambda *inputs, axis=0: np.concatenate(inputs, axis),
    "stack": lambda *inputs, axis=0: np.stack(inputs, axis),
    # reductions
    "sum": np.sum,
    "mean": _mean,
    "prod": np.prod,
    "max": np.max,
    "min": np.min,
    "var": _var,
    "std": lambda z, **params: np.sqrt(_var(z, **params)),
    "norm": _norm,
    "logsumexp": _logsumexp,
    "cumsum": np.cumsum,
    "cumprod": np.cumprod,
    "softmax": lambda z, axis=-1: np.exp(z) / np.exp(z).sum(axis, keepdims=True),
    "log_softmax": lambda z, axis=-1: z - _logsumexp(z, axis, keepdims=True),
    # products and linear algebra
    "matmul": np.matmul,
    "dot": np.dot,
    "inner": np.inner,
    "outer": np.outer,
    "tensordot": np.tensordot,
    "einsum": lambda *operands, equation: np.einsum(equation, *operands),
    "inv": np.linalg.inv,
    "det": np.linalg.det,
    "logabsdet": _logabsdet,
    "solve": np.linalg.solve,
    "cholesky": _cholesky,
    # windows
    "sliding_windows": _sliding_windows,
    "fold_windows": _fold_windows,
}


def reference_of(row: Primitive) -> Function:
    """The reference of a row, or an error that says what is to be written."""
    if row.name not in REFERENCES:
        raise AssertionError(
            f"the row {row.name!r} is not tested: add to REFERENCES in tests/autodiff/reference.py what it computes,"
            " written with NumPy and working for complex arrays"
        )
    return REFERENCES[row.name]


def mpmath_functions() -> dict[str, Function]:
    """Smooth functions of one number in any precision, by the names of their rows."""
    import mpmath as mp

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + mp.exp(-x))

    def gelu_tanh(x: Any) -> Any:
        return x / 2 * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (x + mp.mpf(0.044715) * x**3)))

    mine = {
        "square": lambda x: x * x,
        "reciprocal": lambda x: 1 / x,
        "negative": lambda x: -x,
        "exp2": lambda x: mp.mpf(2) ** x,
        "log2": lambda x: mp.log(x, 2),
        "arcsin": mp.asin,
        "arccos": mp.acos,
        "arctan": mp.atan,
        "arcsinh": mp.asinh,
        "arccosh": mp.acosh,
        "arctanh": mp.atanh,
        "sigmoid": sigmoid,
        "softplus": lambda x: mp.log1p(mp.exp(x)),
        "log_sigmoid": lambda x: -mp.log1p(mp.exp(-x)),
        "silu": lambda x: x * sigmoid(x),
        "gelu": lambda x: x * mp.erfc(-x / mp.sqrt(2)) / 2,
        "gelu_tanh": gelu_tanh,
    }
    same = ["sqrt", "exp", "expm1", "log", "log10", "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh", "erf", "erfc"]
    return {**{name: getattr(mp, name) for name in same}, **mine}


# ── derivatives of references ────────────────────────────────────────────────────────────────────────
def pullback(f: Function, inputs: Sequence[Any], cotangent: Any) -> tuple[list[Any], list[Any]]:
    """``cotangent`` times the Jacobian of ``f`` for each input, by one complex step for each entry.

    The second list has the same sums over absolute values: what rounding errors are measured against.
    """
    gradients, magnitudes = [], []
    for k, x in enumerate(inputs):
        gradient, magnitude = np.zeros(x.shape), np.zeros(x.shape)
        for at in np.ndindex(*x.shape):
            moved = [np.asarray(v, complex) for v in inputs]
            moved[k] = moved[k].copy()
            moved[k][at] += 1j * STEP
            terms = cotangent * (np.imag(f(*moved)) / STEP)
            gradient[at], magnitude[at] = terms.sum(), np.abs(terms).sum()
        gradients.append(gradient)
        magnitudes.append(magnitude)
    return gradients, magnitudes


def second_pullback(f: Function, inputs: Sequence[Any], cotangent: Any, directions: Sequence[Any]) -> list[Any]:
    """The derivative of :func:`pullback` in a direction: differences of complex steps, extrapolated twice."""

    def slope(h: float) -> list[Any]:
        ahead, behind = (
            pullback(f, [x + s * h * v for x, v in zip(inputs, directions, strict=True)], cotangent)[0] for s in (1, -1)
        )
        return [(a - b) / (2 * h) for a, b in zip(ahead, behind, strict=True)]

    rows = [slope(h) for h in (1 / 128, 1 / 256, 1 / 512)]  # errors of order h², h⁴, then h⁶
    for weight in (4, 16):
        rows = [
            [(weight * f - c) / (weight - 1) for c, f in zip(coarse, fine, strict=True)]
            for coarse, fine in pairwise(rows)
        ]
    return rows[0]


def largest(x: Any) -> float:
    """The largest absolute value, apart from NaN; 0 of an empty array."""
    return float(np.max(np.abs(x), initial=0, where=~np.isnan(x)))


def relative_error(got: Any, want: Any, magnitude: Any = 0.0) -> float:
    """The largest |got - want| / |want| over the entries.

    Where terms cancel, |want| is small against the ``magnitude`` of the terms; there a thousandth of that
    takes its place. Where all terms are 0, so must be what was got. NaN agrees with NaN alone.
    """
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"shape {got.shape} instead of {want.shape}"
    scale = np.maximum(np.abs(want), 1e-3 * np.asarray(magnitude))
    difference = np.where(np.isnan(got) & np.isnan(want), 0, np.abs(got - want))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.max(np.where(difference == 0, 0, difference / scale), initial=0))
