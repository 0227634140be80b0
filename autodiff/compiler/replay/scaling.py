"""Constant factors taken together: what is multiplied by one constant and then by another is multiplied once.

The gradient of a mean of squares is such a product, of 1/n and of 2. Only the backward pass is changed, whose last
digits may differ from those of the engine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from autodiff.compiler.replay.plan import Plan, Step
from autodiff.primitives.elementwise import multiply


def scaled(plan: Plan, kept: Iterable[int]) -> list[Step]:
    """The steps of a plan with constant factors taken together."""
    readers = Counter(root for step in plan.steps for root in {plan.root(a) for a in step.args})
    readers.update(plan.root(value) for value in kept)
    made: dict[int, tuple[Step, float, int]] = {}  # by the result: the step, its factor, and what it multiplies
    merged = set()
    for step in plan.steps:
        found = _factor(plan, step)
        if found is None:
            continue
        factor, other = found
        before = made.get(other)
        if before is not None and readers[other] == 1 and _is_moderate(before[1] * factor, plan.samples[other].dtype):
            factor, other = before[1] * factor, before[2]
            step.args = plan.add_given(np.array(factor, plan.samples[other].dtype), constant=True), other
            merged.add(before[0])
        if plan.root(step.out) == step.out and step.out not in plan.given:
            made[step.out] = step, factor, other
    return [step for step in plan.steps if step not in merged]


def _factor(plan: Plan, step: Step) -> tuple[float, int] | None:
    """The constant by which a step multiplies all entries of a value, and that value."""
    if step.op is not multiply or not step.backward:
        return None
    for constant, other in (step.args, step.args[::-1]):
        number, array, out = (plan.samples[v] for v in (constant, other, step.out))
        if constant not in plan.constants or other in plan.constants or array.dtype.kind != "f":
            continue
        if array.shape == out.shape and array.dtype == out.dtype == number.dtype and number.size:
            first = number.flat[0]
            if _is_moderate(first, number.dtype) and (number.size == 1 or bool((number == first).all())):
                return float(first), other
    return None


def _is_moderate(factor: Any, dtype: Any) -> bool:
    """Whether a factor is far from what overflows in this dtype, as is its inverse."""
    largest = 2.0 ** (np.finfo(dtype).maxexp // 4)
    return bool(1 / largest < abs(float(factor)) < largest)
