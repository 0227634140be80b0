"""What flows back over one edge, as steps: the rule of a row is run once on nodes and written down.

What it records are plain operations, so that work which several rules have in common is done once, and constants are
computed beforehand. A rule that looks at the numbers themselves (to decide what ``0 ** 0`` is, or to sort) decides anew
at every run: it stays one operation, on arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import Context
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from autodiff.chain import fitted, local_derivative
from autodiff.compiler.program import Program, Recorder
from autodiff.compiler.replay.plan import Array, Inner, Plan, key_of
from autodiff.context import Tracer, observe, traced_by
from autodiff.graph import Node, new
from autodiff.primitives.row import Primitive, gate
from autodiff.tensor import Tensor


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
        if op.variadic:
            return op.rules(k, upstream, inputs, out, **params)
        if op.partials is None:
            return op.rules[k](upstream, *values, **params)
        local = op.partials[k](*values, **params)
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
        if type(partial) is int and partial == 1:
            return self.fitted(upstream, args[k])
        if type(partial) is int and partial == 0 and op.selects:
            # Nothing of the upstream gradient arrives, and yet 0 does: further down 0 * inf is NaN.
            x = self.plan.samples[args[k]]
            return self.plan.add_given(np.zeros(x.shape, x.dtype), constant=True)
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
        return self.fitted(contribution, args[k])

    def fitted(self, contribution: int, x: int) -> int:
        """In the shape and dtype of the input: what was broadcast is summed."""
        given, wanted = self.plan.samples[contribution], self.plan.samples[x]
        if given.shape == wanted.shape and given.dtype == wanted.dtype:
            return contribution
        value = self._expanded(("fitted",), fitted, (contribution, x), {})
        if value is None:
            fitted(_leaf(given), _leaf(wanted))  # raises what is wrong
            raise AssertionError("a contribution fits, and yet it does not")
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
