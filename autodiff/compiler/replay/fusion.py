"""Sums of products without the array of all products: a product that nothing but a sum reads becomes one contraction.

Dot products of rows that vary with the example are such sums: in attention, a query with every key, for each example.
The products need not fit into the cache then, and are read by nobody.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from autodiff.compiler.replay.plan import Array, Inner, Plan, Step
from autodiff.primitives.elementwise import multiply
from autodiff.primitives.reductions import sum as array_sum
from autodiff.primitives.shapes import axes_of

SMALLEST = 2048  # products; with fewer of them the two calls are quicker than one of einsum


def contracted(plan: Plan, kept: Iterable[int]) -> list[Step]:
    """The steps of a plan with sums of products taken together."""
    readers = Counter(root for step in plan.steps for root in {plan.root(a) for a in step.args})
    readers.update(plan.root(value) for value in kept)
    makers = {step.out: step for step in plan.steps if step.op is multiply and step.out not in step.args}
    merged = set()
    for step in plan.steps:
        if step.op is not array_sum:
            continue
        product = makers.get(step.args[0])
        if product is not None and product.backward == step.backward and readers[step.args[0]] == 1:
            whole, parts = plan.samples[step.args[0]], [plan.samples[a] for a in product.args]
            if whole.size >= SMALLEST and whole.dtype.kind == "f" and {x.dtype for x in parts} == {whole.dtype}:
                step.op, step.args = CONTRACTION, product.args
                merged.add(product)
    return [step for step in plan.steps if step not in merged]


def _calls(a: Array, b: Array, out: Array, axis: Any, keepdims: bool) -> Any:
    whole = np.broadcast(a, b)
    summed = axes_of(whole, axis)
    letters = string.ascii_letters[: whole.ndim]
    left, right = (_named(x, letters[whole.ndim - x.ndim :]) for x in (a, b))
    kept = letters if keepdims else "".join(c for i, c in enumerate(letters) if i not in summed)
    result = _named(out, kept)
    return [(partial(np.einsum, f"{left[1]},{right[1]}->{result[1]}", out=result[0]), (left[0], right[0]))]


def _named(array: Array, letters: str) -> tuple[Array, str]:
    """The array without its axes of length 1, and the letters of those that are left."""
    index = tuple(slice(None) if n != 1 else 0 for n in array.shape)
    return array[(*index, ...)], "".join(c for c, n in zip(letters, array.shape, strict=True) if n != 1)


CONTRACTION = Inner(None, calls=_calls)
