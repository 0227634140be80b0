"""The table, second part: operations that take an array's entries together, along axes.

A rule takes the upstream gradient, the inputs and the result, and gives the contribution to its input.
``axis`` is None (all), an integer or several, as in NumPy.
"""

# fmt: off
from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from autodiff.graph import Node
from autodiff.primitives import calls
from autodiff.primitives.elementwise import abs, exp, sign
from autodiff.primitives.row import Primitive, gate, is_zero, plain, primitive
from autodiff.primitives.shapes import axes_of, broadcast_to, concatenate, flip, moveaxis, ravel, reshape, stack


def reduction(name: str, array: Any, rule: Any, **columns: Any) -> Primitive:
    shapes = columns.pop("shapes", [(4,), (2, 3), (2, 0, 3), ()])
    cases = [([s], {"axis": a, "keepdims": k}) for s in shapes for a, k in [(None, False), (-1, True), ((0, 1), False)] if a is None or np.size(a) <= len(s)]
    return primitive(name, None, array, rules=[rule], cases=columns.pop("cases", cases), **columns)


def kept(x: Any, axis: Any) -> tuple[int, ...]:
    """The shape of ``x`` with the reduced axes kept as 1."""
    axes = axes_of(x, axis)
    return tuple(1 if i in axes else n for i, n in enumerate(x.shape))

def spread(g: Any, x: Any, axis: Any) -> Any:
    """The gradient of a reduction, laid beside ``x`` so that it broadcasts."""
    return g if axis is None or g.shape == kept(x, axis) else g.reshape(kept(x, axis))

def fill(g: Any, x: Any) -> Any:
    """``g`` repeated to the shape of ``x``."""
    if isinstance(g, Node):
        return broadcast_to(g, x.shape)
    full = np.empty(x.shape, g.dtype)
    full[...] = g
    return full

def count(x: Any, axis: Any) -> int:
    """How many entries are taken together."""
    return x.size if axis is None else math.prod(x.shape[i] for i in axes_of(x, axis))

def centered(x: Any, axis: Any) -> Any:
    """``x`` minus its mean, exactly 0 where ``x`` is constant: the first entry is taken off before."""
    if x.size == 0:
        return x
    first = plain(x)[tuple(slice(0, 1) if i in axes_of(x, axis) else slice(None) for i in builtins.range(x.ndim))]
    shifted = x - first
    return shifted - mean(shifted, axis, keepdims=True)

def shares(x: Any, out: Any, axis: Any) -> Any:
    """1/k at each of the k entries that equal the extreme, as plain numbers; NaN where the extreme is NaN."""
    ties = plain(x) == plain(out).reshape(kept(x, axis))
    return ties * (1 / ties.sum(axis=axes_of(x, axis), keepdims=True)).astype(x.dtype)


# ── forward functions ────────────────────────────────────────────────────────────────────────────────
def _mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    x = np.asarray(x)
    if x.dtype == np.float16:  # NumPy adds these up in float32
        return np.mean(x, axis=axis, keepdims=keepdims)
    return np.add.reduce(x, axis=axis, keepdims=keepdims) / count(x, axis)

def _var(x: Any, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Any:
    x = _floating(x)
    return np.sum(centered(x, axis) ** 2, axis=axis, keepdims=keepdims) / builtins.max(count(x, axis) - ddof, 0)

_std         = lambda x, axis=None, keepdims=False, ddof=0: np.sqrt(_var(x, axis, keepdims, ddof))

def _norm(x: Any, ord: Any = 2, axis: Any = None, keepdims: bool = False) -> Any:
    if ord not in (1, 2, np.inf):
        raise ValueError(f"norm knows the orders 1, 2 and inf, not {ord!r}")
    x = np.asarray(x)
    if ord == 1:
        return np.sum(np.abs(x), axis=axis, keepdims=keepdims)
    if ord == np.inf or x.size == 0:
        return np.max(np.abs(x), axis=axis, keepdims=keepdims, initial=0)
    scale = np.max(np.abs(x), axis=axis, keepdims=True)  # squares neither overflow nor vanish
    scale = np.where((scale == 0) | ~np.isfinite(scale), 1, scale)
    return (np.sqrt(np.sum((x / scale) ** 2, axis=axis, keepdims=True)) * scale).reshape(np.sum(x, axis=axis, keepdims=keepdims).shape)

def _finite_max(x: Any, axis: Any) -> Any:
    top = np.maximum.reduce(x, axis=axis, keepdims=True, initial=-np.inf)
    finite = np.isfinite(top)
    return top if finite.all() else np.where(finite, top, 0).astype(x.dtype)

def _floating(x: Any) -> Any:
    x = np.asarray(x)
    return x if x.dtype.kind in "fc" else x.astype(float)

def _logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    x = _floating(x)
    top = _finite_max(x, axis)
    out = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return out.reshape(np.sum(x, axis=axis, keepdims=keepdims).shape)

def _softmax(x: Any, axis: int = -1) -> Any:
    x = _floating(x)
    e = np.exp(x - _finite_max(x, axis))
    return e / e.sum(axis=axis, keepdims=True)

def _log_softmax(x: Any, axis: int = -1) -> Any:
    x = _floating(x)
    x = x - _finite_max(x, axis)  # first: large scores that differ little keep their digits
    return x - np.log(np.add.reduce(np.exp(x), axis=axis, keepdims=True))


# ── rules that take more than a line ─────────────────────────────────────────────────────────────────
def _norm_rule(g: Any, x: Any, out: Any, ord: Any, axis: Any, keepdims: bool) -> Any:
    if ord == 1:
        return spread(g, x, axis) * sign(x)
    if ord == 2:
        return spread(g, x, axis) * (x / spread(out + is_zero(out), x, axis))
    return gate(spread(g, x, axis) * sign(x), shares(abs(x), out, axis))

def _prod_rule(g: Any, x: Any, out: Any, axis: Any, keepdims: bool) -> Any:
    """The product of all others, from products of what stands before and behind: exact beside zeros."""
    axes = axes_of(x, axis)
    last = tuple(builtins.range(x.ndim - len(axes), x.ndim))
    moved = moveaxis(x, axes, last)
    rows = reshape(moved, (*moved.shape[: x.ndim - len(axes)], count(x, axis)))
    if rows.shape[-1] == 0:
        return x * 0
    one = np.ones((*rows.shape[:-1], 1), x.dtype)
    before = concatenate([one, cumprod(rows[..., :-1], axis=-1)], axis=-1)
    behind = concatenate([one, cumprod(flip(rows, -1)[..., :-1], axis=-1)], axis=-1)
    others = moveaxis(reshape(before * flip(behind, -1), moved.shape), last, axes)
    return spread(g, x, axis) * others

def _cumprod_rule(g: Any, x: Any, out: Any, axis: Any) -> Any:
    """d/dx[i] = p[i-1] s[i] with s[i] = g[i] + x[i+1] s[i+1]: no division, so zeros are no exception."""
    if x.size == 0:
        return g
    if axis is None:
        return reshape(_cumprod_rule(g, ravel(x), out, 0), x.shape)
    g, rows, products = moveaxis(g, axis, 0), moveaxis(x, axis, 0), moveaxis(out, axis, 0)
    later = g[-1]
    gradients = []
    for i in builtins.range(len(rows) - 1, 0, -1):
        gradients.append(products[i - 1] * later)
        later = g[i - 1] + rows[i] * later
    return moveaxis(stack([later, *reversed(gradients)]), 0, axis)

def _cumsum_rule(g: Any, x: Any, out: Any, axis: Any) -> Any:
    at = 0 if axis is None else axis
    return reshape(flip(cumsum(flip(g, at), at), at), x.shape)


_SPREADS = [([s], {"axis": a, "keepdims": k, "ddof": d}) for s, a, k, d in [((4,), None, False, 0), ((4,), 0, True, 1), ((2, 3), None, True, 2), ((2, 3), -1, False, 1), ((2, 3), (0, 1), False, 0)]]

# ── the rows ─────────────────────────────────────────────────────────────────────────────────────────
sum       = reduction("sum",       lambda x, axis=None, keepdims=False: np.add.reduce(x, axis=axis, keepdims=keepdims),
    lambda g, x, out, axis, keepdims: fill(spread(g, x, axis), x), calls=calls.reduce(np.add), quick_calls=calls.quick_sum, symbol="Σ", latex=r"\sum {0}")
mean      = reduction("mean",      _mean,
    lambda g, x, out, axis, keepdims: fill(spread(g, x, axis) / builtins.max(count(x, axis), 1), x), calls=calls.mean)
prod      = reduction("prod",      lambda x, axis=None, keepdims=False: np.prod(x, axis=axis, keepdims=keepdims), _prod_rule, symbol="Π", latex=r"\prod {0}")
max       = reduction("max",       lambda x, axis=None, keepdims=False: np.max(x, axis=axis, keepdims=keepdims),
    lambda g, x, out, axis, keepdims: gate(spread(g, x, axis), shares(x, out, axis)), calls=calls.reduce(np.maximum), analytic=False, shapes=[(4,), (2, 3), ()], doc="The largest entry; ties share the gradient evenly.")
min       = reduction("min",       lambda x, axis=None, keepdims=False: np.min(x, axis=axis, keepdims=keepdims),
    lambda g, x, out, axis, keepdims: gate(spread(g, x, axis), shares(x, out, axis)), calls=calls.reduce(np.minimum), analytic=False, shapes=[(4,), (2, 3), ()], doc="The smallest entry; ties share the gradient evenly.")
var       = reduction("var",       _var, lambda g, x, out, axis, keepdims, ddof: spread(g, x, axis) * centered(x, axis) * 2 / builtins.max(count(x, axis) - ddof, 0), cases=_SPREADS)
std       = reduction("std",       _std, lambda g, x, out, axis, keepdims, ddof: spread(g, x, axis) * centered(x, axis) / spread(out + is_zero(out), x, axis) / builtins.max(count(x, axis) - ddof, 0), cases=_SPREADS)
norm      = reduction("norm",      _norm, _norm_rule, analytic=False, numpy=(), doc="The vector norm over ``axis`` (over all entries for None), of order 1, 2 or inf; its gradient at 0 is 0.",
    cases=[([s], {"ord": o, "axis": a, "keepdims": k}) for s in [(4,), (2, 3), (2, 0)] for o in (1, 2, np.inf) for a, k in [(None, False), (-1, True)]])
logsumexp = reduction("logsumexp", _logsumexp, lambda g, x, out, axis, keepdims: spread(g, x, axis) * exp(x - spread(out, x, axis)), calls=calls.logsumexp, shapes=[(4,), (2, 3), ()], doc="log(sum(exp(x))), without overflow.")

cumsum      = primitive("cumsum",      None, lambda x, axis=None: np.cumsum(x, axis=axis),  rules=[_cumsum_rule],  cases=[([(4,)], {}), ([(2, 3)], {"axis": 1}), ([(2, 3)], {}), ([(0,)], {})])
cumprod     = primitive("cumprod",     None, lambda x, axis=None: np.cumprod(x, axis=axis), rules=[_cumprod_rule], cases=[([(4,)], {}), ([(2, 3)], {"axis": 1}), ([(2, 3)], {}), ([(0,)], {})])
softmax     = primitive("softmax",     None, _softmax,     rules=[lambda g, x, out, axis: out * (g - sum(g * out, axis, keepdims=True))], calls=calls.softmax,          cases=[([(4,)], {}), ([(2, 3)], {"axis": 0})])
log_softmax = primitive("log_softmax", None, _log_softmax, rules=[lambda g, x, out, axis: g - exp(out) * sum(g, axis, keepdims=True)], calls=calls.log_softmax, cases=[([(4,)], {}), ([(2, 3)], {"axis": 0})])
