"""The backward pass of a program as further steps: the rules of the table, run once on nodes and written down.

What arrives at a value over several paths is added up. A gradient that is asked for, and the gradient of a value of
which views are taken, is gathered in one array: the gradient of ``x[2]`` is part 2 of the gradient of ``x``, so that
views cost nothing, and the first contribution to a part writes where later ones add.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import Context
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

from autodiff.chain import fitted, local_derivative
from autodiff.compiler.gathering import ACCUMULATE, Into, settle
from autodiff.compiler.plan import Array, Inner, Plan, Step, is_one_to_one, key_of
from autodiff.compiler.program import Program, Recorder
from autodiff.context import Tracer, observe, traced_by
from autodiff.graph import Node, new
from autodiff.primitives.elementwise import add
from autodiff.primitives.row import Primitive, gate
from autodiff.tensor import Tensor


# ── the rule of one edge ─────────────────────────────────────────────────────────────────────────────
class _LookedAtError(Exception):
    """A rule looks at numbers, so what it records holds for these alone."""


class _Guard(Tracer):
    def look(self, node: Any, how: str) -> None:
        raise _LookedAtError


class Rule(NamedTuple):
    """What was recorded of a rule: a program over (upstream, *inputs, out), and the number of its result."""

    program: Program
    result: int


GATE = Inner(gate)


@cache
def _edge(op: Primitive, k: int) -> Inner:
    """The rule of input ``k`` as one operation on plain arrays, for rules that decide by what they see."""

    def on_arrays(upstream: Array, *values: Array, **params: Any) -> Any:
        *inputs, out = values
        if op.partials is None:
            return (
                op.rules(k, upstream, inputs, out, **params)
                if op.variadic
                else op.rules[k](upstream, *values, **params)
            )
        local = op.partials[k](*inputs, out, **params)
        return gate(upstream, local) if op.selects else upstream * local

    return Inner(on_arrays)


def _leaf(array: Array) -> Tensor:
    """A node whose history is recorded, integers too."""
    node = new(Tensor)
    node._set_leaf(array, True, None)
    return node


def _recorded(rule: Any, arrays: Sequence[Array]) -> Rule | None:
    """What a rule does to nodes; None where it looks at their numbers."""
    recorder = Recorder()
    leaves = [_leaf(array) for array in arrays]
    for leaf in leaves:
        recorder.shared(leaf)

    def run() -> Any:
        with traced_by(_Guard()), observe(recorder), np.errstate(all="ignore"):
            return rule(*leaves)

    try:
        result = Context().run(run)  # nobody who observes or records around us sees this
    except Exception:  # a rule need not run on nodes; on arrays it will raise again, if it is wrong
        return None
    if not isinstance(result, Node):
        result = Tensor(result, requires_grad=False)
    return Rule(recorder.program, recorder.number(result))


class Derivatives:
    """Contributions over edges, as steps of a plan.

    Where a row selects (``relu``, ``maximum``), an infinite upstream gradient times a local derivative of 0 is 0.
    Nearly always nothing is infinite: ``careful=False`` leaves this out, and whoever then finds a gradient that is
    not finite has to run a careful plan. ``careless`` says whether anything was left out.
    """

    def __init__(self, plan: Plan, careful: bool) -> None:
        self.plan = plan
        self.careful = careful
        self.careless = False
        self._rules: dict[Any, Rule | None] = {}

    def contribution(self, op: Any, k: int, upstream: int, args: tuple[int, ...], out: int, params: Any) -> int | None:
        """The value of what flows back to input ``k``; None where nothing does."""
        partial = None if op.partials is None else op.partials[k]
        if type(partial) is int and (partial == 1 or (partial == 0 and op.selects)):
            return self._fitted(upstream, args[k]) if partial else None
        values = (*args, out)
        if op.partials is None:
            if op.variadic:
                rule: Any = lambda g, *nodes: op.rules(k, g, nodes[:-1], nodes[-1], **params)
            else:
                rule = lambda g, *nodes: op.rules[k](g, *nodes, **params)
            contribution = self._expanded((op, k), rule, (upstream, *values), params)
        else:
            local: Any = lambda *nodes: local_derivative(op, k, nodes[:-1], nodes[-1], params)
            if op.selects and self.careful:
                factor = self._expanded((op, k, "local"), local, values, params)
                contribution = None if factor is None else self.plan.apply(GATE, (upstream, factor), {})
            else:
                product: Any = lambda g, *nodes: g * local(*nodes)
                contribution = self._expanded((op, k), product, (upstream, *values), params)
                self.careless |= op.selects and contribution is not None
        if contribution is None:
            contribution = self.plan.apply(_edge(op, k), (upstream, *values), params)
        return self._fitted(contribution, args[k])

    def _fitted(self, contribution: int, x: int) -> int:
        """In the shape and dtype of the input: what was broadcast is summed."""
        given, wanted = self.plan.samples[contribution], self.plan.samples[x]
        if given.shape == wanted.shape and given.dtype == wanted.dtype:
            return contribution
        value = self._expanded(("fitted",), fitted, (contribution, x), {})
        assert value is not None
        return value

    def _expanded(self, name: tuple[Any, ...], rule: Any, values: tuple[int, ...], params: Any) -> int | None:
        """A rule as the steps that it consists of; None where it looks at numbers."""
        samples = [self.plan.samples[v] for v in values]
        key = (name, key_of(params), *((s.shape, s.dtype, s.strides) for s in samples))
        if key not in self._rules:
            self._rules[key] = _recorded(rule, samples)
        recorded = self._rules[key]
        if recorded is None:
            return None
        program = recorded.program
        numbers = dict(enumerate(values))
        for i in range(len(values), len(program)):
            op = program.ops[i]
            if op is None:
                numbers[i] = self.plan.add_given(np.asarray(program.constants[i]), constant=True)
            else:
                numbers[i] = self.plan.apply(op, tuple([numbers[a] for a in program.args[i]]), program.params[i] or {})
        return numbers[recorded.result]


# ── the sweep ────────────────────────────────────────────────────────────────────────────────────────
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
            arrive(output, derivatives._fitted(value, numbers[output]))
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
            view = (
                plan.look(gathered[args[0]], op, program.params[n] or {})
                if op.moves and _is_view(plan, numbers[n])
                else None
            )
            if view is not None and is_one_to_one(plan.samples[view]):
                gathered[n] = view
                continue
        if n in parts:
            gathered[n] = plan.room(plan.samples[numbers[n]])


def _is_view(plan: Plan, value: int) -> bool:
    return plan.sources[value] is not None
