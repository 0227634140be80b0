"""Equal small steps that do not wait for each other, taken as one.

A program that repeats the same thing for each step of a sequence has the same small operations many times over. Most
follow from each other. But the local derivatives of all time steps are known once the forward pass is done, and the
products that add up to the gradient of a weight matrix can wait for the last of them. Such steps become one on an
array with an axis more. Their operands are laid side by side in memory for it, so that nothing is copied.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from autodiff.compiler.replay.plan import Array, Inner, Plan, Step, key_of
from autodiff.primitives.elementwise import add
from autodiff.primitives.linalg import matmul
from autodiff.primitives.reductions import sum as array_sum
from autodiff.primitives.row import Primitive

FEWEST = 4  # steps worth taking together
LARGEST = 32 * 1024  # bytes of a result; beyond, a call of its own does not count
ROOM = 1024 * 1024  # bytes of all results together, which should stay in the cache

PLACE = Inner(None, view=lambda x, at, shape, dtype, strides: np.ndarray(shape, dtype, x, at, strides))
SPREAD = Inner(
    None,
    view=lambda x, count, step, axes: np.lib.stride_tricks.as_strided(
        x, (count, *(1,) * (axes - x.ndim), *x.shape), (step, *(0,) * (axes - x.ndim), *x.strides)
    ),
)


def abreast(plan: Plan) -> list[Step]:
    """The steps of a plan, with equal small ones of the backward pass taken together."""
    rows = _Rows(plan)
    return _sums_of_products(plan, rows, _local_derivatives(plan, rows))


class _Rows:
    """Values side by side: where each stands, and the arrays that span several."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.placed: dict[int, tuple[int, int]] = {}  # root: the array in which it was placed, and at which byte

    def spanning(self, values: Sequence[int], axes: int) -> int | None:
        """A value with ``values`` along its first axis and ``axes`` more behind it; None where that cannot be."""
        if len(set(values)) == 1:
            return values[0]
        samples = [self.plan.samples[v] for v in values]
        if len({(x.shape, x.strides, x.dtype) for x in samples}) > 1:
            return None
        roots = [self._root(v) for v in values]
        if not self.placed.keys() & set(roots) and len(set(roots)) == len(roots):
            self._lay(roots)
        places = [self._place(v, root) for v, root in zip(values, roots, strict=True)]
        steps = {b - a for (_, a), (_, b) in pairwise(places)}
        if len({root for root, _ in places}) > 1 or len(steps) > 1 or steps == {0}:
            return None
        params = {"count": len(values), "step": steps.pop(), "axes": axes}
        return self.plan.add_view(values[0], SPREAD, params)

    def _root(self, value: int) -> int:
        """The root of a value, before it was placed."""
        while value not in self.placed and (source := self.plan.sources[value]) is not None:
            value = source[0]
        return value

    def _place(self, value: int, root: int) -> tuple[int, int]:
        offset = _address(self.plan.samples[value]) - _address(self.plan.samples[root])
        whole, start = self.placed.get(root, (root, 0))
        return whole, start + offset

    def _lay(self, roots: list[int]) -> None:
        """Lay arrays that the plan computes side by side."""
        first = self.plan.samples[roots[0]]
        if not self.plan.given.isdisjoint(roots) or any(self.plan.samples[r].nbytes != first.nbytes for r in roots):
            return
        whole = self.plan.room(np.empty(len(roots) * first.nbytes, np.uint8))
        for i, root in enumerate(roots):
            at, x = i * first.nbytes, self.plan.samples[root]
            self.plan.sources[root] = (
                whole,
                PLACE,
                {"at": at, "shape": x.shape, "dtype": x.dtype, "strides": x.strides},
            )
            self.placed[root] = whole, at


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def _layout(array: Array) -> Hashable:
    return array.shape, array.strides, array.dtype


# ── local derivatives ────────────────────────────────────────────────────────────────────────────────
@dataclass(eq=False)
class _Group:
    """Equal elementwise steps, and the groups that make their operands."""

    operands: set[int]
    steps: list[Step] = field(default_factory=list)


def _local_derivatives(plan: Plan, rows: _Rows) -> list[Step]:
    """Elementwise steps that follow from what is known before the backward pass, taken together at its beginning."""
    together, done = [], set()
    taken: set[int] = set()
    for number, group in enumerate(_groups(plan)):
        size = sum([plan.samples[step.out].nbytes for step in group.steps])
        if len(group.steps) >= FEWEST and size <= ROOM and group.operands <= taken:
            step = _one_for(plan, rows, group.steps)
            if step is not None:
                taken.add(number)
                together.append(step)
                done.update(group.steps)
    forward = [step for step in plan.steps if not step.backward]
    return forward + together + [step for step in plan.steps if step.backward and step not in done]


def _groups(plan: Plan) -> list[_Group]:
    """The small elementwise steps that wait for no other kind of step, by what they do to what."""
    groups: list[_Group] = []
    numbers: dict[Hashable, int] = {}
    makers: dict[int, int] = {}  # the group that makes a value
    waiting: set[int] = set()
    for step in plan.steps:
        if not step.backward:
            continue
        sources = [plan.root(a) for a in step.args]
        if not _is_small(plan, step) or not waiting.isdisjoint(sources):
            waiting.add(plan.root(step.out))
            continue
        operands = [
            a if a in plan.constants else (makers.get(root), _layout(plan.samples[a]))
            for root, a in zip(sources, step.args, strict=True)
        ]
        key = step.op, key_of(step.params), _layout(plan.samples[step.out]), *operands
        number = makers[step.out] = numbers.setdefault(key, len(groups))
        if number == len(groups):
            groups.append(_Group({makers[root] for root in sources if root in makers}))
        groups[number].steps.append(step)
    return groups


def _is_small(plan: Plan, step: Step) -> bool:
    elementwise = isinstance(step.op, Primitive) and step.op.partials is not None
    return elementwise and plan.sources[step.out] is None and plan.samples[step.out].nbytes <= LARGEST


def _one_for(plan: Plan, rows: _Rows, steps: Sequence[Step]) -> Step | None:
    """One step for several; None where their operands cannot stand side by side."""
    axes = plan.samples[steps[0].out].ndim
    args = []
    for values in zip(*[step.args for step in steps], strict=True):
        value = rows.spanning(values, axes)
        if value is None:
            return None
        args.append(value)
    out = rows.spanning([step.out for step in steps], axes)
    return None if out is None else Step(steps[0].op, tuple(args), steps[0].params, out, backward=True)


# ── sums of products of matrices ─────────────────────────────────────────────────────────────────────
def _sums_of_products(plan: Plan, rows: _Rows, steps: list[Step]) -> list[Step]:
    """Matrix products that are added up in one gradient: all products in one call, and their sum in another."""
    readers = Counter(plan.root(a) for step in steps for a in step.args)
    makers = {step.out: step for step in steps if step.op is matmul}
    writers: dict[int, set[Step]] = defaultdict(set)
    terms: dict[tuple[int, Hashable], list[tuple[Step, Step]]] = defaultdict(
        list
    )  # for each sum: products, and what adds them
    for step in steps:
        writers[plan.root(step.out)].add(step)
        product, place = makers.get(step.args[-1]) if step.op is add else step, plan.sources[step.out]
        if step.op is add and step.out == step.args[0] and readers[step.args[1]] == 1:
            total = step.out
        elif step.op is matmul and place is not None:
            total = place[0]  # the first is computed where the sum is to stand
        else:
            continue
        small = product is not None and plan.samples[product.out].nbytes <= LARGEST // 4
        if product is not None and small and all([plan.samples[a].ndim == 2 for a in product.args]):
            layouts = tuple([_layout(plan.samples[a]) for a in product.args])
            terms[(total, layouts)].append((product, step))
    replaced: dict[Step, list[Step]] = {}
    for (total, _), found in terms.items():
        whole = writers[plan.root(total)] == {step for _, step in found}
        if not whole:
            found = [(product, step) for product, step in found if product is not step]
        if len(found) >= FEWEST:
            new = _summed(plan, rows, [product for product, _ in found], total, whole)
            if new is not None:
                replaced |= {step: [] for pair in found for step in pair}
                replaced[found[-1][1]] = new
    return [new for step in steps for new in replaced.get(step, [step])]


def _summed(plan: Plan, rows: _Rows, products: list[Step], total: int, whole: bool) -> list[Step] | None:
    left = rows.spanning([step.args[0] for step in products], 2)
    right = rows.spanning([step.args[1] for step in products], 2)
    if left is None or right is None:
        return None
    like = plan.samples[products[0].out]
    every = plan.room(np.empty((len(products), *like.shape), like.dtype))
    result = total if whole else plan.room(np.empty(like.shape, like.dtype))
    steps = [
        Step(matmul, (left, right), {}, every, backward=True),
        Step(array_sum, (every,), {"axis": 0, "keepdims": False}, result, backward=True),
    ]
    return steps if whole else [*steps, Step(add, (total, result), {}, total, backward=True)]
