"""The backward pass of a program as further steps of its plan.

What arrives at a value over several paths is added up. A gradient that is asked for, and the gradient of a value of
which views are taken, is gathered in one array: the gradient of ``x[2]`` is part 2 of the gradient of ``x``, so that
views cost nothing, and the first contribution to a part writes where later ones add.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from autodiff.compiler.program import Program
from autodiff.compiler.replay.expansion import Derivatives
from autodiff.compiler.replay.gathering import ACCUMULATE, Into, settle
from autodiff.compiler.replay.plan import Array, Plan, Step, is_one_to_one
from autodiff.primitives.elementwise import add


def differentiate(
    plan: Plan,
    program: Program,
    numbers: Mapping[int, int],
    gradients: Mapping[int, Array],
    seeds: Sequence[Array],
    careful: bool,
) -> bool:
    """Append the backward pass of ``program`` to a plan of its forward pass; whether it was careless.

    Args:
        numbers: the plan's value for each value of the program.
        gradients: for each leaf by which to differentiate, the array for its gradient.
        seeds: d loss / d output, one array for each output; read-only arrays are taken as constants.
    """
    plan.backward = True
    derivatives = Derivatives(plan, careful)
    active = _active(program, gradients)
    gathered = {n: plan.add_given(array) for n, array in gradients.items()}
    wanted = list(gathered.values())
    _gather_views(plan, program, numbers, active, gathered)
    arrived: dict[int, int] = {}

    def arrive(n: int, contribution: int) -> None:
        if n in gathered:
            plan.steps.append(Step(ACCUMULATE, (contribution,), {}, gathered[n], backward=True))
            arrived[n] = gathered[n]
        else:
            arrived[n] = plan.apply(add, (arrived[n], contribution), {}) if n in arrived else contribution

    for output, seed in zip(program.outputs, seeds, strict=True):
        if output in active:
            value = plan.add_given(seed, constant=not seed.flags.writeable)
            arrive(output, derivatives.fitted(value, numbers[output]))
    for n in range(len(program) - 1, -1, -1):
        op = program.ops[n]
        if op is None or n not in arrived:
            continue
        upstream, args, params = arrived[n], program.args[n], program.params[n] or {}
        if n in gathered and plan.sources[gathered[n]] is not None:
            arrived[args[0]] = gathered[args[0]]  # a view: its gradient stands where it belongs already
            continue
        if op.into is not None and args[0] in gathered:
            into = Into(None, calls=partial(_add_into, op.into, params))
            plan.steps.append(Step(into, (upstream,), {}, gathered[args[0]], backward=True))
            arrived[args[0]] = gathered[args[0]]
            continue
        values = tuple([numbers[a] for a in args])
        for k, x in enumerate(args):
            if x in active:
                contribution = derivatives.contribution(op, k, upstream, values, numbers[n], params)
                if contribution is not None:
                    arrive(x, contribution)
    settle(plan, wanted)
    return derivatives.careless


def _add_into(into: Any, params: dict[str, Any], upstream: Array, out: Array) -> Any:
    return [(partial(into, **params), (out, upstream))]


def _active(program: Program, gradients: Mapping[int, Any]) -> set[int]:
    """The values through which gradients flow from the outputs to the leaves that ask for them."""
    depends = set(gradients)
    for n, args in enumerate(program.args):
        if args and n not in program.stopped and not depends.isdisjoint(args):
            depends.add(n)
    return depends


def _gather_views(
    plan: Plan, program: Program, numbers: Mapping[int, int], active: set[int], gathered: dict[int, int]
) -> None:
    """Which gradients are gathered in one array: those asked for, and those of which a part alone arrives at times."""
    parts = set()
    for n in active:
        op, args = program.ops[n], program.args[n]
        if op is not None and len(args) == 1 and n in numbers:
            whole, part = plan.samples[numbers[args[0]]], plan.samples[numbers[n]]
            is_part = op.moves and _is_view(plan, numbers[n]) and part.size < whole.size and is_one_to_one(part)
            if is_part or (op.into is not None and whole.ndim and not _is_view(plan, numbers[n])):
                parts.add(args[0])
    for n in sorted(active):
        if n in gathered or n not in numbers:
            continue
        op, args = program.ops[n], program.args[n]
        if op is not None and len(args) == 1 and args[0] in gathered:
            moves = op.moves and _is_view(plan, numbers[n])
            view = plan.look(gathered[args[0]], op, program.params[n] or {}) if moves else None
            if view is not None and is_one_to_one(plan.samples[view]):
                gathered[n] = view
                continue
        if n in parts:
            gathered[n] = plan.room(plan.samples[numbers[n]])


def _is_view(plan: Plan, value: int) -> bool:
    return plan.sources[value] is not None
