"""The table, fourth part: products of arrays and linear algebra.

Matrix gradients follow Giles, "Collected matrix derivative results for forward and reverse mode
algorithmic differentiation" (2008), except where a row names another source. Stacks of matrices in the
leading axes are allowed wherever NumPy allows them.
"""

# fmt: off
from __future__ import annotations

import builtins
import math
import string
from typing import Any, NamedTuple

import numpy as np

from autodiff.graph import Node
from autodiff.primitives import calls
from autodiff.primitives.reductions import norm
from autodiff.primitives.row import Primitive, plain, primitive
from autodiff.primitives.shapes import expand_dims, reshape, structural, swapaxes, trace, tril


# ── einsum, and the products that are an einsum ──────────────────────────────────────────────────────
def explicit(equation: str, shapes: Any) -> tuple[list[str], str]:
    """The subscripts of each operand and of the result, with ``...`` and the implied result spelt out."""
    given, arrow, result = equation.replace(" ", "").partition("->")
    operands = given.split(",")
    if len(operands) != len(shapes):
        raise ValueError(f"einsum {equation!r} names {len(operands)} operands, and {len(shapes)} were given")
    free = [c for c in string.ascii_letters if c not in equation]
    missing = [len(s) - len(o.replace("...", "")) for o, s in zip(operands, shapes, strict=True)]
    dots = "".join(free[: builtins.max([m for o, m in zip(operands, missing, strict=True) if "..." in o], default=0)])
    operands = [o.replace("...", dots[len(dots) - m:]) for o, m in zip(operands, missing, strict=True)]
    if not arrow:
        letters = "".join(operands)
        result = dots + "".join(sorted(c for c in set(letters) - set(dots) if letters.count(c) == 1))
    return operands, result.replace("...", dots)

def contraction_rule(k: int, g: Any, inputs: Any, equation: str) -> Any:
    """The gradient of operand k: an einsum of the upstream gradient with all other operands."""
    operands, result = explicit(equation, [x.shape for x in inputs])
    shape = dict(zip(operands[k], inputs[k].shape, strict=True))
    others = [(o, x) for i, (o, x) in enumerate(zip(operands, inputs, strict=True)) if i != k]
    target, spare = "", [c for c in string.ascii_letters if c not in result + "".join(operands)]
    for letter in operands[k]:
        if letter in target:  # a diagonal: only entries with equal indices are read
            fresh = spare.pop()
            others.append((letter + fresh, np.eye(shape[letter], dtype=g.dtype)))
            letter = fresh
        elif builtins.all(letter not in o for o in [result, *(o for o, _ in others)]):  # summed within the operand
            others.append((letter, np.ones(shape[letter], dtype=g.dtype)))
        target += letter
    return einsum(",".join([result, *(o for o, _ in others)]) + "->" + target, g, *(x for _, x in others))

def contraction(name: str, array: Any, equation: Any, **columns: Any) -> Primitive:
    """A product of two arrays whose gradient is that of an einsum; ``equation(a, b, **params)`` names it."""
    rules = [lambda g, a, b, out, k=k, **params: contraction_rule(k, g, (a, b), equation(a, b, **params)) for k in (0, 1)]
    return primitive(name, None, array, rules=rules, **columns)

_letters: Any = lambda a, b: (string.ascii_lowercase[: a.ndim], string.ascii_uppercase[: b.ndim])

def _tensordot(a: Any, b: Any, axes: Any = 2) -> str:
    left, right = _letters(a, b)
    if isinstance(axes, int | np.integer):
        pairs = list(zip(range(a.ndim - axes, a.ndim), range(axes), strict=True))
    else:
        pairs = list(zip(np.atleast_1d(axes[0]).tolist(), np.atleast_1d(axes[1]).tolist(), strict=True))
    for i, j in pairs:
        right = right.replace(right[j], left[i])
    joined = [left[i] for i, _ in pairs]
    return f"{left},{right}->{''.join(c for c in left + right if c not in joined)}"

def _dot(a: Any, b: Any) -> str:
    if a.ndim == 0 or b.ndim == 0:
        return _tensordot(a, b, 0)
    return _tensordot(a, b, ((a.ndim - 1,), (builtins.max(b.ndim - 2, 0),)))

_inner    = lambda a, b: _tensordot(a, b, 0 if a.ndim == 0 or b.ndim == 0 else ((a.ndim - 1,), (b.ndim - 1,)))

def einsum(equation: str, *operands: Any, optimize: Any = True) -> Any:
    """The sum of products that ``equation`` names, as ``np.einsum`` computes it.

    >>> from autodiff import Tensor, einsum
    >>> einsum("ij,j->i", Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([1.0, 10.0])).data
    array([21., 43.])
    """
    if not isinstance(equation, str):
        raise TypeError(f"einsum takes its equation first, as a string such as 'ij,jk->ik', not {type(equation).__name__}")
    return _einsum(operands, equation=equation)


# ── matmul ───────────────────────────────────────────────────────────────────────────────────────────
def _matmul_left(g: Any, a: Any, b: Any, out: Any) -> Any:
    if b.ndim == 1:
        return expand_dims(g, -1) * b if a.ndim > 1 else g * b
    if a.ndim == 1:
        return reshape(b @ expand_dims(g, -1), b.shape[:-1])
    return g @ b.mT

def _matmul_right(g: Any, a: Any, b: Any, out: Any) -> Any:
    if a.ndim == 1:
        return expand_dims(a, -1) * expand_dims(g, -2) if b.ndim > 1 else g * a
    if b.ndim == 1:
        return reshape(a.mT @ expand_dims(g, -1), (*a.shape[:-2], a.shape[-1]))
    if a.ndim > 2 and b.ndim == 2:  # one product over the whole stack, instead of a sum of products
        rows = math.prod(a.shape[:-1])
        return reshape(a, (rows, a.shape[-1])).mT @ reshape(g, (rows, g.shape[-1]))
    return a.mT @ g


# ── square matrices ──────────────────────────────────────────────────────────────────────────────────
def norm_of_numpy(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """``np.linalg.norm`` where it is a vector norm; it means a matrix norm by other arguments, which are refused."""
    if ord is not None and (np.size(axis) == 2 or (axis is None and np.ndim(x) != 1)):
        raise TypeError(f"np.linalg.norm(ord={ord!r}, axis={axis!r}) is a matrix norm and not recorded; autodiff.norm(x, {ord!r}, axis) is the vector norm")
    return norm(x, 2 if ord is None else ord, axis, keepdims)

class SlogdetResult(NamedTuple):
    """The sign of a determinant (a constant) and the logarithm of its absolute value."""

    sign: Any
    logabsdet: Any

def slogdet(a: Any) -> SlogdetResult:
    """``(sign, logabsdet)`` as ``np.linalg.slogdet``; the sign is a constant."""
    return SlogdetResult(np.linalg.slogdet(plain(a))[0], logabsdet(a))

def _cofactors(a: Any) -> Any:
    """d det / d a without an inverse, so that singular matrices are no exception.

    Faddeev and LeVerrier's recursion: n products of matrices (Gantmacher, The Theory of Matrices, IV.5).
    """
    n = a.shape[-1]
    eye = np.eye(n, dtype=a.dtype)
    adjugate = eye + 0 * a
    for k in range(1, n):
        product = a @ adjugate
        adjugate = product - expand_dims(expand_dims(trace(product, axis1=-2, axis2=-1), -1), -1) / k * eye
    return swapaxes(adjugate if n % 2 else -adjugate, -1, -2)

def _svd_cofactors(a: Any) -> Any:
    """The same on plain arrays: from U diag(s) Vh, products of all other singular values (accurate at any scale)."""
    u, s, vh = np.linalg.svd(a)
    others = np.stack([np.prod(np.delete(s, i, -1), -1) for i in range(s.shape[-1])], -1)
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return sign[..., None, None] * ((u.conj() * others[..., None, :]) @ vh.conj())

def _det_rule(g: Any, a: Any, out: Any) -> Any:
    g = expand_dims(expand_dims(g, -1), -1)
    if a.size == 0:
        return g * a
    if not isinstance(a, Node):
        return g * _svd_cofactors(a)
    regular = builtins.bool(np.all(np.linalg.cond(plain(a)) < 1e12))
    return g * expand_dims(expand_dims(out, -1), -1) * inv(a).mT if regular else g * _cofactors(a)


def _solve_right(g: Any, a: Any, b: Any, out: Any) -> Any:
    if b.ndim == 1:  # one vector, perhaps beside a stack of matrices
        return solve(a.mT, expand_dims(g, -1))[..., 0]
    return solve(a.mT, g)

def _solve_left(g: Any, a: Any, b: Any, out: Any) -> Any:
    back = _solve_right(g, a, b, out)
    return -(expand_dims(back, -1) * expand_dims(out, -2)) if b.ndim == 1 else -(back @ out.mT)

_cholesky = lambda a: np.linalg.cholesky((a + np.swapaxes(a, -1, -2)) / 2)

def _cholesky_rule(g: Any, a: Any, out: Any) -> Any:
    half = 1 - 0.5 * np.eye(a.shape[-1], dtype=a.dtype)
    middle = tril(out.mT @ tril(g)) * half
    left = solve(out.mT, swapaxes(solve(out.mT, middle.mT), -1, -2))
    return (left + left.mT) / 2


# ── the rows ─────────────────────────────────────────────────────────────────────────────────────────
matmul    = structural("matmul", np.matmul, _matmul_left, _matmul_right, calls=calls.matmul, symbol="@", text="{0} @ {1}", latex=r"{0} \, {1}", operator="matmul",
    cases=[([(3,), (3,)], {}), ([(2, 3), (3,)], {}), ([(3,), (3, 2)], {}), ([(2, 3), (3, 4)], {}), ([(5, 2, 3), (3, 4)], {}), ([(2, 3), (5, 3, 4)], {}), ([(4, 1, 2, 3), (5, 3, 2)], {}), ([(3,), (2, 3, 2)], {}), ([(2, 2, 3), (3,)], {}), ([(0, 3), (3, 2)], {}), ([(4, 2, 0), (0, 3)], {})])
dot       = contraction("dot",       lambda a, b: np.dot(a, b),                 _dot,       symbol="·", cases=[([(3,), (3,)], {}), ([(2, 3), (3, 2)], {}), ([(2, 3), (4, 3, 2)], {}), ([(), (2, 3)], {})])
inner     = contraction("inner",     lambda a, b: np.inner(a, b),               _inner,     symbol="·", cases=[([(3,), (3,)], {}), ([(2, 3), (4, 3)], {}), ([(), (3,)], {})])
outer     = structural("outer",      lambda a, b: np.outer(a, b),  lambda g, a, b, out: reshape(g @ reshape(b, (-1,)), a.shape), lambda g, a, b, out: reshape(reshape(a, (-1,)) @ g, b.shape), symbol="⊗", cases=[([(3,), (2,)], {}), ([(2, 2), (3,)], {})])
tensordot = contraction("tensordot", lambda a, b, axes=2: np.tensordot(a, b, axes), _tensordot, symbol="·", cases=[([(2, 3, 4), (3, 4, 2)], {}), ([(2, 3), (3, 2)], {"axes": 1}), ([(2, 3, 4), (4, 3)], {"axes": ((1, 2), (1, 0))})])
_einsum   = primitive("einsum", None, lambda *operands, equation: np.einsum(equation, *operands, optimize=len(operands) > 1),
    rules=lambda k, g, inputs, out, equation: contraction_rule(k, g, inputs, equation), variadic=True, symbol="Σ",
    cases=[([(2, 3), (3, 4)], {"equation": "ij,jk->ik"}), ([(2, 3), (3, 4)], {"equation": "ij,jk"}), ([(3, 3)], {"equation": "ii->"}), ([(3, 3)], {"equation": "ii->i"}), ([(2, 3)], {"equation": "ij->j"}), ([(2, 3), (2, 3), (3,)], {"equation": "ij,ij,j->i"}), ([(2, 3, 4), (2, 4, 3)], {"equation": "...ij,...jk->...ik"}), ([(2, 1, 3), (4, 3)], {"equation": "...k,...k->...k"}), ([(2, 3, 2)], {"equation": "iji->j"})])

inv       = structural("inv",      np.linalg.inv,      lambda g, a, out: -(out.mT @ g @ out.mT), cases=[([(3, 3)], {}), ([(2, 2, 2)], {})], latex="{0}^{{-1}}", symbol="⁻¹", numpy=["linalg.inv"])
det       = structural("det",      np.linalg.det,      _det_rule, cases=[([(3, 3)], {}), ([(2, 2, 2)], {}), ([(1, 1)], {})], symbol="det", numpy=["linalg.det"], doc="The determinant; its gradient, the cofactors, is right for singular matrices too.")
logabsdet = structural("logabsdet", lambda a: np.log(np.abs(np.linalg.det(a))) if np.iscomplexobj(a) else np.linalg.slogdet(a)[1], lambda g, a, out: expand_dims(expand_dims(g, -1), -1) * inv(a).mT, analytic=False, cases=[([(3, 3)], {}), ([(2, 2, 2)], {})], doc="log |det a|: the second result of slogdet.")
solve     = structural("solve",    np.linalg.solve,    _solve_left, _solve_right, numpy=["linalg.solve"], cases=[([(3, 3), (3,)], {}), ([(3, 3), (3, 2)], {}), ([(2, 3, 3), (2, 3, 1)], {}), ([(2, 3, 3), (3,)], {}), ([(3, 3), (2, 3, 2)], {})])
cholesky  = structural("cholesky", _cholesky,          _cholesky_rule, analytic=False, numpy=["linalg.cholesky"], cases=[([(3, 3)], {}), ([(2, 2, 2)], {})], doc="L with L Lᵀ = a, for a symmetric positive definite a; only the symmetric part of ``a`` counts.", source="Murray 2016, arXiv:1602.07527")
