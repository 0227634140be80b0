"""Sums of products without the array of all products: a product that only a sum (or a mean) reads is contracted.

Dot products of rows that vary with the example are such sums: in attention, a query with every key, for each example.
The products need not fit into the cache then, and are read by nobody. Sums of very many are left to NumPy, which adds
them up in pairs and loses less.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from autodiff.compiler.replay.plan import Array, Inner, Plan, Step
from autodiff.primitives.calls import LONGEST
from autodiff.primitives.elementwise import multiply, square
from autodiff.primitives.reductions import mean
from autodiff.primitives.reductions import sum as array_sum
from autodiff.primitives.shapes import axes_of

SMALLEST = 2048  # products; with fewer of them the two calls are quicker than one of einsum


def contracted(plan: Plan, kept: Iterable[int]) -> list[Step]:
    """The steps of a plan with sums and means of products taken together."""
    readers = Counter(root for step in plan.steps for root in {plan.root(a) for a in step.args})
    readers.update(plan.root(value) for value in kept)
    makers = {step.out: step for step in plan.steps if step.op in _FACTORS and step.out not in step.args}
    merged = set()
    for step in plan.steps:
        contraction = CONTRACTIONS.get(step.op)
        product = makers.get(step.args[0]) if contraction is not None else None
        if product is None or product.backward != step.backward or readers[step.args[0]] != 1:
            continue
        factors = _FACTORS[product.op](*product.args)
        whole, out = plan.samples[step.args[0]], plan.samples[step.out]
        parts = [plan.samples[a] for a in factors]
        alike = whole.dtype.char in "fd" and {x.dtype for x in (*parts, out)} == {whole.dtype}
        if alike and whole.size <= LONGEST * out.size and (whole.size >= SMALLEST or _in_one_row(whole, out, parts)):
            step.op, step.args = contraction, factors
            merged.add(product)
    return [step for step in plan.steps if step not in merged]


def _in_one_row(whole: Array, out: Array, parts: list[Array]) -> bool:
    """Whether all products of two arrays are added up, that lie in the same way in memory: BLAS has that."""
    return bool(out.size == 1 < whole.size and all(x.shape == whole.shape and x.flags.c_contiguous for x in parts))


def _sum_of_products(a: Array, b: Array, out: Array, axis: Any, keepdims: bool) -> Any:
    whole = np.broadcast(a, b)
    if _in_one_row(whole, out, [a, b]):
        return [(np.dot, (a.reshape(-1), b.reshape(-1), out.reshape(())))]
    summed = axes_of(whole, axis)
    letters = string.ascii_letters[: whole.ndim]
    left, right = (_named(x, letters[whole.ndim - x.ndim :]) for x in (a, b))
    kept = letters if keepdims else "".join(c for i, c in enumerate(letters) if i not in summed)
    result = _named(out, kept)
    return [(partial(np.einsum, f"{left[1]},{right[1]}->{result[1]}", out=result[0]), (left[0], right[0]))]


def _mean_of_products(a: Array, b: Array, out: Array, axis: Any, keepdims: bool) -> Any:
    whole = np.broadcast(a, b)
    if _in_one_row(whole, out, [a, b]):
        return [(_mean_dot, (a.reshape(-1).dot, b.reshape(-1), out.dtype.type(whole.size), out.reshape(())))]
    count = np.array(whole.size // out.size, out.dtype)
    return [*_sum_of_products(a, b, out, axis, keepdims), (np.divide, (out, count, out))]


def _mean_dot(dot: Any, b: Array, count: Any, out: Array) -> None:
    out[()] = dot(b) / count  # of numbers: half the time of two calls on arrays


def _named(array: Array, letters: str) -> tuple[Array, str]:
    """The array without its axes of length 1, and the letters of those that are left."""
    index = tuple(slice(None) if n != 1 else 0 for n in array.shape)
    return array[(*index, ...)], "".join(c for c, n in zip(letters, array.shape, strict=True) if n != 1)


_FACTORS: dict[Any, Any] = {multiply: lambda a, b: (a, b), square: lambda a: (a, a)}
CONTRACTIONS = {array_sum: Inner(None, calls=_sum_of_products), mean: Inner(None, calls=_mean_of_products)}
