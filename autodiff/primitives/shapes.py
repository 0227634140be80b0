"""The table, third part: operations that move, copy and pick entries without changing them."""

# fmt: off
from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from autodiff.context import look
from autodiff.graph import Node
from autodiff.primitives import calls
from autodiff.primitives.row import Primitive, plain, primitive


def structural(name: str, array: Any, *rules: Any, **columns: Any) -> Primitive:
    return primitive(name, None, array, rules=rules, **columns)


def axes_of(x: Any, axis: Any) -> tuple[int, ...]:
    """``axis`` as a tuple of axis numbers from 0."""
    if axis is None:
        return tuple(builtins.range(x.ndim))
    return tuple(a % x.ndim if -x.ndim <= a < x.ndim else a for a in (axis if isinstance(axis, tuple) else (axis,)))


# ── indices ──────────────────────────────────────────────────────────────────────────────────────────
def frozen(index: Any) -> Any:
    """An index that nobody can change later: lists and nodes become arrays of their own."""
    if isinstance(index, tuple):
        return tuple(frozen(i) for i in index)
    if isinstance(index, Node):
        look(index, "an index")
    if isinstance(index, Node) and index.requires_grad:
        raise TypeError("an index that carries a gradient is not differentiable; index with .data or with integers")
    if isinstance(index, list | np.ndarray | Node):
        return np.array(plain(index), dtype=int if isinstance(index, list) and not np.size(index) else None)
    return index

_BASIC = frozenset({int, slice, type(None), type(...)})

def is_basic(index: Any) -> bool:
    """Whether the index picks each entry at most once, by construction (integers, slices, None, ...)."""
    if type(index) is slice or type(index) is int:
        return True
    parts = index if isinstance(index, tuple) else (index,)
    if _BASIC.issuperset(map(type, parts)):
        return True
    return builtins.all(i is None or i is Ellipsis or (isinstance(i, slice | int | np.integer) and not isinstance(i, bool)) for i in parts)

def _part(x: Any, index: Any) -> Any:
    parts = index if isinstance(index, tuple) else (index,)
    return x[parts if Ellipsis in parts else (*parts, ...)] if is_basic(index) else None

def _getitem_rule(g: Any, x: Any, out: Any, index: Any) -> Any:
    parts = index if isinstance(index, tuple) else (index,)
    if x.size == out.size and is_basic(index) and not builtins.any(isinstance(i, slice) and i.step not in (None, 1) for i in parts):
        return reshape(g, x.shape)  # all entries in their order
    return scatter(g, index, x.shape)

def _scatter(values: Any, index: Any, shape: Any) -> Any:
    out = np.zeros(shape, np.asarray(values).dtype)
    _add_at(out, values, index)
    return out

def _add_at(total: Any, values: Any, index: Any) -> None:
    if is_basic(index):
        part = total[index]
        if part.ndim:
            part += values  # a view: this writes into total
        else:
            total[index] += values
    elif _once(index, len(total)):
        total[index] += values
    else:
        np.add.at(total, index, values)

def _once(index: Any, length: int) -> bool:
    """Whether a list of rows names each at most once. (To add to rows that may come twice takes five times as long.)"""
    rows = isinstance(index, np.ndarray) and index.ndim == 1 and index.dtype.kind == "i" and index.size <= length
    return rows and len(set((index % length).tolist())) == index.size

def _put(x: Any, values: Any, index: Any) -> Any:
    positions = np.arange(np.size(x)).reshape(np.shape(x))[index]
    if not is_basic(index) and len(np.unique(positions)) != positions.size:
        raise ValueError("put: an index occurs twice, so which value stays is left to chance; scatter_add adds them up")
    out = np.array(x, dtype=np.result_type(x, values))
    out[index] = values
    return out

_scatter_add = lambda x, values, index: x + _scatter(np.broadcast_to(values, np.asarray(x)[index].shape), index, np.shape(x))

def _along_rule(g: Any, x: Any, out: Any, indices: Any, axis: Any) -> Any:
    if axis is None:
        return _take_rule(g, x, out, indices, None)
    grid = list(np.ogrid[tuple(slice(n) for n in x.shape)])
    grid[axis] = indices
    return scatter(g, tuple(grid), x.shape)

def _take_rule(g: Any, x: Any, out: Any, indices: Any, axis: Any) -> Any:
    if axis is None:
        return reshape(scatter(g, np.asarray(indices), (x.size,)), x.shape)
    return scatter(g, (slice(None),) * (axis % x.ndim) + (np.asarray(indices),), x.shape)

def _sort_rule(g: Any, x: Any, out: Any, axis: Any) -> Any:
    if axis is None:
        return reshape(_sort_rule(g, ravel(x), out, 0), x.shape)
    if x.ndim == 0:
        return g
    order = np.argsort(plain(x), axis=axis, kind="stable")
    return take_along_axis(g, np.argsort(order, axis=axis, kind="stable"), axis)


# ── parts and copies ─────────────────────────────────────────────────────────────────────────────────
def _concatenate_rule(k: int, g: Any, inputs: Any, out: Any, axis: Any) -> Any:
    if axis is None:
        start = builtins.sum(x.size for x in inputs[:k])
        return reshape(g[start : start + inputs[k].size], inputs[k].shape)
    start = builtins.sum(x.shape[axis] for x in inputs[:k])
    return g[(slice(None),) * (axis % out.ndim) + (slice(start, start + inputs[k].shape[axis]),)]

def _tile_rule(g: Any, x: Any, out: Any, reps: Any) -> Any:
    reps = tuple(np.atleast_1d(reps))
    reps = (1,) * (x.ndim - len(reps)) + reps
    shape = (1,) * (len(reps) - x.ndim) + x.shape
    parts = tuple(n for pair in builtins.zip(reps, shape, strict=True) for n in pair)
    return reshape(reshape(g, parts).sum(axis=tuple(builtins.range(0, len(parts), 2))), x.shape)

def _repeat_rule(g: Any, x: Any, out: Any, repeats: Any, axis: Any) -> Any:
    size = x.size if axis is None else x.shape[axis]
    return _take_rule(g, x, out, np.repeat(np.arange(size), repeats), axis)

def _pad_rule(g: Any, x: Any, out: Any, pad_width: Any, constant_values: Any) -> Any:
    before = np.broadcast_to(pad_width, (x.ndim, 2))[:, 0]
    return g[tuple(slice(int(b), int(b) + n) for b, n in builtins.zip(before, x.shape, strict=True))]

def _diagonal_index(x: Any, offset: int, axis1: int, axis2: int) -> Any:
    n, m = x.shape[axis1], x.shape[axis2]
    k = np.arange(builtins.max(0, builtins.min(n + builtins.min(offset, 0), m - builtins.max(offset, 0))))
    return (Ellipsis, k - builtins.min(offset, 0), k + builtins.max(offset, 0))

def diagonal_rule(g: Any, x: Any, out: Any, offset: int, axis1: int, axis2: int) -> Any:
    moved = np.moveaxis(np.empty(x.shape, bool), (axis1, axis2), (-2, -1)).shape
    return moveaxis(scatter(g, _diagonal_index(x, offset, axis1, axis2), moved), (-2, -1), (axis1, axis2))


# ── the rows ─────────────────────────────────────────────────────────────────────────────────────────
reshape      = structural("reshape",      lambda x, shape: np.reshape(x, shape),                            lambda g, x, out, shape: reshape(g, x.shape),                                  moves=True, cases=[([(2, 3)], {"shape": (3, -1)}), ([()], {"shape": (1, 1)})])
ravel        = structural("ravel",        lambda x: np.ravel(x),                                            lambda g, x, out: reshape(g, x.shape),                                         moves=True, cases=[([(2, 3)], {}), ([()], {})])
transpose    = structural("transpose",    lambda x, axes=None: np.transpose(x, axes),                       lambda g, x, out, axes: g.T if axes is None else transpose(g, tuple(int(i) for i in np.argsort(np.asarray(axes) % x.ndim))), moves=True, cases=[([(2, 3)], {}), ([(2, 3, 4)], {"axes": (1, -1, 0)})], symbol="ᵀ", latex=r"{0}^{{\top}}", numpy=["transpose", "permute_dims"])
swapaxes     = structural("swapaxes",     lambda x, axis1, axis2: np.swapaxes(x, axis1, axis2),             lambda g, x, out, axis1, axis2: swapaxes(g, axis1, axis2),                     moves=True, cases=[([(2, 3, 4)], {"axis1": 0, "axis2": -1})])
moveaxis     = structural("moveaxis",     lambda x, source, destination: np.moveaxis(x, source, destination), lambda g, x, out, source, destination: moveaxis(g, destination, source),      moves=True, cases=[([(2, 3, 4)], {"source": 0, "destination": -1}), ([(2, 3, 4)], {"source": (0, 1), "destination": (-1, 0)})])
squeeze      = structural("squeeze",      lambda x, axis=None: np.squeeze(x, axis),                         lambda g, x, out, axis: reshape(g, x.shape),                                   moves=True, cases=[([(2, 1, 3)], {}), ([(2, 1, 3)], {"axis": 1})])
expand_dims  = structural("expand_dims",  lambda x, axis: np.expand_dims(x, axis),                          lambda g, x, out, axis: reshape(g, x.shape),                                   moves=True, cases=[([(2, 3)], {"axis": 1}), ([()], {"axis": (0, 1)})])
broadcast_to = structural("broadcast_to", lambda x, shape: np.broadcast_to(x, shape),                       lambda g, x, out, shape: g,  # the engine sums on the edge
    cases=[([(3,)], {"shape": (2, 3)}), ([(2, 1)], {"shape": (2, 3)}), ([()], {"shape": (2,)})])
astype       = structural("astype",       lambda x, dtype: np.asarray(x).astype(dtype),                     lambda g, x, out, dtype: g if out.dtype.kind in "fc" else g * 0,  # the engine casts on the edge; integers are flat
    cases=[([(3,)], {"dtype": "float64"})])
flip         = structural("flip",         lambda x, axis=None: np.flip(x, axis),                            lambda g, x, out, axis: flip(g, axis),                                         moves=True, cases=[([(2, 3)], {}), ([(2, 3)], {"axis": 1})])
roll         = structural("roll",         lambda x, shift, axis=None: np.roll(x, shift, axis),              lambda g, x, out, shift, axis: roll(g, tuple(-s for s in shift) if isinstance(shift, tuple) else -shift, axis), cases=[([(2, 3)], {"shift": 1}), ([(2, 3)], {"shift": (1, 2), "axis": (0, 1)})])
tile         = structural("tile",         lambda x, reps: np.tile(x, reps),                                 _tile_rule,                                                                    cases=[([(2, 3)], {"reps": (2, 1)}), ([(3,)], {"reps": 2}), ([(3,)], {"reps": (2, 2)}), ([(2, 3)], {"reps": 2})])
repeat       = structural("repeat",       lambda x, repeats, axis=None: np.repeat(x, repeats, axis),        _repeat_rule,                                                                  cases=[([(2, 3)], {"repeats": 2}), ([(2, 3)], {"repeats": (1, 0, 2), "axis": 1})])
pad_constant = structural("pad_constant", lambda x, pad_width, constant_values=0: np.pad(x, pad_width, constant_values=constant_values), _pad_rule,                                        cases=[([(2, 3)], {"pad_width": ((1, 0), (0, 2))}), ([(3,)], {"pad_width": 1, "constant_values": 5})], symbol="pad")
triu         = structural("triu",         lambda x, k=0: np.triu(x, k),                                     lambda g, x, out, k: triu(g, k),                                               cases=[([(3, 3)], {}), ([(2, 3)], {"k": 1})])
tril         = structural("tril",         lambda x, k=0: np.tril(x, k),                                     lambda g, x, out, k: tril(g, k),                                               cases=[([(3, 3)], {}), ([(2, 3)], {"k": -1})])
diagonal     = structural("diagonal",     lambda x, offset=0, axis1=0, axis2=1: np.diagonal(x, offset, axis1, axis2), diagonal_rule,                                                        moves=True, cases=[([(3, 3)], {}), ([(2, 3, 4)], {"offset": 1, "axis1": 2, "axis2": 0}), ([(2, 3)], {"offset": -1})])
trace        = structural("trace",        lambda x, offset=0, axis1=0, axis2=1: np.trace(x, offset, axis1, axis2),
    lambda g, x, out, offset, axis1, axis2: diagonal_rule(broadcast_to(expand_dims(g, -1), (*g.shape, len(_diagonal_index(x, offset, axis1, axis2)[1]))), x, out, offset, axis1, axis2), symbol="tr", cases=[([(3, 3)], {}), ([(2, 3, 4)], {"offset": 1, "axis1": 2, "axis2": 0})])
sort         = structural("sort",         lambda x, axis=-1: np.sort(x, axis=axis, kind="stable"),          _sort_rule, analytic=False,                                                    cases=[([(5,)], {}), ([(2, 3)], {"axis": 0}), ([(2, 3)], {"axis": None})], doc="In rising order; among equals the first stays first, with its own gradient.")

getitem      = structural("getitem",      lambda x, index: np.asarray(x)[index],                            _getitem_rule, into=_add_at, view=_part, calls=calls.take_rows, symbol="[ ]", text="{0}[...]", latex="{0}[\\cdot]",
    moves=True, cases=[([(2, 3)], {"index": 1}), ([(2, 3)], {"index": (slice(None), slice(None, None, -2))}), ([(4,)], {"index": np.array([0, 0, 1])}), ([(2, 3)], {"index": (np.array([0, 1, 1]), np.array([2, 2, 2]))}), ([(3, 2)], {"index": (None, Ellipsis, 0)})])
scatter      = structural("scatter",      _scatter,     lambda g, values, out, index, shape: getitem(g, index),                        doc="Zeros of a shape, with the values added at the index (twice where it occurs twice).", cases=[([(3,)], {"index": np.array([0, 0, 2]), "shape": (4,)}), ([(2,)], {"index": (slice(None), 1), "shape": (2, 3)})])
put          = structural("put",          _put,         lambda g, x, values, out, index: put(g, 0.0, index), lambda g, x, values, out, index: getitem(g, index), numpy=(), doc="A copy of x with x[index] = values.", cases=[([(4,), (2,)], {"index": np.array([3, 1])}), ([(2, 3), ()], {"index": (slice(None), 1)})])
scatter_add  = structural("scatter_add",  _scatter_add, lambda g, x, values, out, index: g, lambda g, x, values, out, index: getitem(g, index), doc="A copy of x with the values added at the index (twice where it occurs twice).", cases=[([(4,), (3,)], {"index": np.array([3, 1, 1])}), ([(2, 3), ()], {"index": (slice(None), 1)})])
take         = structural("take",         lambda x, indices, axis=None: np.take(x, np.asarray(indices), axis), _take_rule,                                                                 cases=[([(2, 3)], {"indices": np.array([0, 5, 5])}), ([(2, 3)], {"indices": np.array([[0, 2], [2, 2]]), "axis": 1})])
take_along_axis = structural("take_along_axis", lambda x, indices, axis=-1: np.take_along_axis(x, indices, axis), _along_rule, cases=[([(2, 3)], {"indices": np.array([[2, 0], [1, 1]]), "axis": 1}), ([(2, 3)], {"indices": np.array([[1, 1]])}), ([(2, 3)], {"indices": np.array([5, 0, 5]), "axis": None})])

concatenate  = primitive("concatenate", None, lambda *inputs, axis=0: np.concatenate(inputs, axis), rules=_concatenate_rule, variadic=True, calls=calls.concatenate, numpy=["concatenate", "concat"], cases=[([(2,), (3,)], {}), ([(2, 1), (2, 3)], {"axis": -1}), ([(2, 1), (3,)], {"axis": None})])
stack        = primitive("stack",       None, lambda *inputs, axis=0: np.stack(inputs, axis), rules=lambda k, g, inputs, out, axis: g[(slice(None),) * (axis % out.ndim) + (k,)], variadic=True, calls=calls.stack, cases=[([(2,), (2,)], {}), ([(2, 3), (2, 3), (2, 3)], {"axis": -1}), ([(), ()], {})])


# ── functions made of rows ───────────────────────────────────────────────────────────────────────────
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Cut ``x`` along ``axis`` into equal sections or at indices, as ``np.split`` does."""
    pieces = np.split(np.arange(x.shape[axis]), indices_or_sections)
    before = (slice(None),) * (axis % x.ndim)
    stops = np.cumsum([len(p) for p in pieces]).tolist()
    return [x[(*before, slice(stop - len(p), stop))] for p, stop in builtins.zip(pieces, stops, strict=True)]

def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: float = 0) -> Any:
    """Pad each axis, as ``np.pad`` does: with a constant, or by entries of ``x`` (edge, reflect, symmetric, wrap)."""
    if mode == "constant":
        return pad_constant(x, pad_width, constant_values)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise ValueError(f"pad: mode {mode!r} is none of constant, edge, reflect, symmetric, wrap")
    return take(x, np.pad(np.arange(math.prod(x.shape)).reshape(x.shape), pad_width, mode=mode))  # type: ignore[call-overload]
