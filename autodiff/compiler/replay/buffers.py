"""Memory for the values of a plan: as little as their lifetimes allow, and where the cache is warm.

A value needs memory from the step that first writes it to the last step that reads it or one of its views. Then the
same memory serves the next value of that size. An elementwise operation writes over an operand that dies with it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from autodiff.compiler.replay.kernels import may_overwrite
from autodiff.compiler.replay.plan import Array, Plan, Step

ALIGNMENT = 64  # bytes: a line of the cache, and the widest vector register


def needed(plan: Plan, kept: Iterable[int]) -> list[Step]:
    """The steps that lead to the values that are kept."""
    roots = {plan.root(value) for value in kept}
    steps = []
    for step in reversed(plan.steps):
        if plan.root(step.out) in roots:
            roots.update([plan.root(a) for a in step.args])
            steps.append(step)
    return steps[::-1]


def arrays_for(plan: Plan, kept: Iterable[int]) -> list[Array]:
    """An array for each value of a plan (None for those that no step writes). Values in ``kept`` are never reused."""
    roots = [plan.root(value) for value in range(len(plan.samples))]
    arrays: list[Array] = [plan.samples[v] if v in plan.given else None for v in range(len(plan.samples))]
    places = _places(plan, roots, {roots[v] for v in kept})
    offsets, total = _offsets(places, plan)
    memory = np.empty(total + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    for root, block in places.items():
        like = plan.samples[root]
        arrays[root] = np.ndarray(like.shape, like.dtype, memory, start + offsets[block], like.strides)
    for value in range(len(arrays)):
        if arrays[roots[value]] is not None:
            _look(plan, arrays, value)
    for step in plan.steps:
        if not arrays[step.out].flags.writeable:  # np.diagonal gives a view for reading only
            arrays[step.out].flags.writeable = True
    return arrays


def _look(plan: Plan, arrays: list[Array], value: int) -> None:
    """Make the array of a view, and those of the views on the way to it."""
    way = []
    while arrays[value] is None:
        seen, op, params = plan.sources[value]  # type: ignore[misc]
        way.append((value, op, params))
        value = seen
    for view, op, params in reversed(way):
        arrays[view] = (op.view or op.array)(arrays[value], **params)
        value = view


def _places(plan: Plan, roots: list[int], kept: set[int]) -> dict[int, int]:
    """The block of memory of each root that the plan computes. Blocks are numbered, and have one size each."""
    last: dict[int, int] = {}
    for i, step in enumerate(plan.steps):
        for value in (*step.args, step.out):
            last[roots[value]] = i
    places: dict[int, int] = {}
    free: dict[int, list[int]] = {}
    count = 0
    for i, step in enumerate(plan.steps):
        out = roots[step.out]
        dying = {roots[a] for a in step.args if last[roots[a]] == i} - kept - plan.given - {out}
        if out not in plan.given and out not in places:
            size = _bytes(plan.samples[out])
            over = _overwritten(plan, step, roots, dying)
            if over is not None:
                dying.remove(over)
                places[out] = places[over]
            elif free.get(size):
                places[out] = free[size].pop()
            else:
                places[out] = count
                count += 1
        if last[out] == i and out not in kept and out not in plan.given:
            dying.add(out)
        for root in dying:
            free.setdefault(_bytes(plan.samples[root]), []).append(places[root])
    return places


def _overwritten(plan: Plan, step: Step, roots: list[int], dying: set[int]) -> int | None:
    """The operand whose memory an elementwise step may take for its result: it dies, and lies there in the same way."""
    if roots[step.out] != step.out:  # a part of a larger array
        return None
    out = plan.samples[step.out]
    for a in step.args:
        root = roots[a]
        if root not in dying or _bytes(plan.samples[root]) != _bytes(out):
            continue
        same = [plan.samples[b] for b in step.args if roots[b] == root]
        alike = all(x.shape == out.shape and x.strides == out.strides and x.dtype == out.dtype for x in same)
        if alike and may_overwrite(step.op, [plan.samples[b] for b in step.args], out, step.params):
            return root
    return None


def _bytes(array: Array) -> int:
    return -(-int(array.nbytes) // ALIGNMENT) * ALIGNMENT


def _offsets(places: dict[int, int], plan: Plan) -> tuple[dict[int, int], int]:
    """Where each block begins, and the bytes of all."""
    offsets: dict[int, int] = {}
    total = 0
    for root, block in places.items():
        if block not in offsets:
            offsets[block] = total
            total += _bytes(plan.samples[root])
    return offsets, total
