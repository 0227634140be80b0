"""A traced function for arguments of one structure, ready to be called on numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any

import numpy as np

from autodiff.compiler.backends import Backends
from autodiff.compiler.calling.filling import Filler
from autodiff.compiler.calling.outputs import layout, parts_of, real_numbers, reduced, total_of
from autodiff.compiler.calling.rerolled import Rerolled
from autodiff.compiler.passes import simplify
from autodiff.compiler.program import Program
from autodiff.compiler.quiet import quiet
from autodiff.compiler.replay.lending import LARGE, Loan, Loans, is_free
from autodiff.compiler.replay.pool import Pool
from autodiff.compiler.tracing.arguments import Run, Tree, joiner, numbers_of
from autodiff.compiler.tracing.trace import Trace
from autodiff.errors import TraceError
from autodiff.graph import Node
from autodiff.hooks import hooked
from autodiff.primitives.calls import LONGEST
from autodiff.tensor import Tensor
from autodiff.value import Value

_KEPT = 16  # sizes of batch whose replays are kept, of each kind


class ScalarEntry:
    """A function of Values: one example was traced, batches are run.

    Attributes:
        program: simplified; its shared leaves are the vector P, its varying leaves the rows of the matrix X.
        trace: the function's run on one example.
        trees: the structure of each argument.
        places, captured: where each run, and what the function reaches by itself, stands in P (or in the rows of X).
        traced: what is shown of it to others, when somebody has asked.
    """

    def __init__(self, trace: Trace, trees: list[Tree], backend: str, dtype: Any) -> None:
        self.trace, self.trees, self.backend, self.dtype = trace, trees, backend, dtype
        self.program = simplify(trace.program)
        self.runs = [run for tree in trees for run in tree.runs]
        self.tensors = [k for k, run in enumerate(self.runs) if run.kind is Tensor]  # which are read as numbers
        self.batched = [(k, run.axis, run.text) for k, run in enumerate(self.runs) if run.axis is not None]
        self.backends = Backends(self.program, backend, dtype)
        self.runners: dict[Any, ScalarRunner] = {}
        self.traced: Any = None
        self.build = layout(trace.returned, merge=True)
        self.returns_a_number = isinstance(trace.returned, Node)
        self.places = [slice(run.start, run.stop) for run in self.runs]
        self.captured = slice(len(self.program.shared) - len(trace.captured), None)
        self._spread: Backends | None = None

    @property
    def spread(self) -> Backends:
        """The program with a copy of every parameter for each example: for gradients per example."""
        if self._spread is None:
            self._spread = Backends(_spread(self.program), self.backend, self.dtype)
        return self._spread

    def runner(self, purpose: str, wanted: Any = (), per_example: bool = False) -> ScalarRunner:
        """How calls are run for a purpose: "none" (outputs only), "mean" or "sum" (with gradients), "vjp"."""
        key = (purpose, wanted, per_example)
        if key not in self.runners:
            self.runners[key] = ScalarRunner(self, *key)
        return self.runners[key]

    def call(self, found: list[Any], reduction: str) -> Any:
        """The outputs, in the form in which the function returned them."""
        runner = self.runner("none")
        bound, batch = runner.take(found)
        rows = bound.in_quiet(bound.outputs, found)
        runner.pool.give(batch, bound)
        return self.results(rows, reduction)

    def results(self, rows: Any, reduction: str) -> Any:
        """Rows of outputs, (outputs, batch), in the form in which the function returned them."""
        if not self.batched:
            return self.build(lambda at: _alone(rows[at, 0]))
        if self.returns_a_number:
            return reduced(rows[0], reduction)
        return self.build(lambda at: reduced(np.ascontiguousarray(np.moveaxis(rows[at], -1, 0)), reduction))

    def vjp(self, found: list[Any], wanted: tuple[int, ...]) -> tuple[Any, Callable[[Any], Any]]:
        """The outputs, and the function that takes d loss / d outputs to gradients."""
        runner = self.runner("vjp", wanted)
        bound, batch = runner.take(found)
        return self.results(bound.in_quiet(bound.outputs, found), "none"), _Pull(runner, bound, batch)

    def accumulate(self, found: list[Any], reduction: str) -> Any:
        """The one output; its gradients are added to ``.grad`` of all Values among the arguments and captured."""
        runner = self.runner(reduction, ())
        bound, batch = runner.take(found)
        bound.in_quiet(bound.run, found)
        value = reduced(bound.machine.outputs[0], reduction)
        flat = bound.machine.dP.tolist()
        runner.pool.give(batch, bound)
        for run, given in zip(self.runs, found, strict=True):
            nodes = given if run.nodes is not None or run.values else (given,) if run.kind is Value else ()
            _add(nodes, flat[run.start : run.stop] if nodes else ())
        _add(self.trace.captured, flat[len(flat) - len(self.trace.captured) :])
        return value

    def evaluated(self, found: list[Any], weights: list[Any]) -> tuple[list[Any], list[Any]]:
        """For one example: each output, and the gradient of their weighted sum by every leaf."""
        machine = self.backends.bound(1, True, True)
        self._fill(machine.P, machine.X, found)
        machine.seed[...] = np.array(weights, float)[:, None]
        machine.run()
        return list(machine.outputs[:, 0]), [*machine.dP, *machine.dX[:, 0]]

    def rerolled(self, found: list[Any]) -> Rerolled:
        """The blocks beside the numbers of a call."""
        X = np.ones((self.batch(found), len(self.program.varying))).T
        P = np.ones(len(self.program.shared))
        self._fill(P, X, found)
        return Rerolled(self.backends.blocks, P, X)

    def _fill(self, P: Any, X: Any, found: list[Any]) -> None:
        """Write the numbers of a call into a vector and a matrix."""
        Filler(self.runs, P, X)(found)
        P[len(P) - len(self.trace.captured) :] = numbers_of(self.trace.captured)

    def batch(self, found: list[Any]) -> int:
        """How many examples there are.

        Raises:
            TraceError: arguments do not agree, or there is no example.
        """
        if not self.batched:
            return 1
        size: int = found[self.batched[0][0]].shape[self.batched[0][1]]
        for k, axis, _ in self.batched:
            if found[k].shape[axis] != size or not size:
                given = ", ".join(f"{text} has {found[k].shape[axis]}" for k, axis, text in self.batched)
                raise TraceError(f"a batch has the same number of examples in all arguments, at least one: {given}")
        return size


def _add(nodes: Any, gradients: Any) -> None:
    for node, gradient in zip(nodes, gradients, strict=True):
        if node.requires_grad:
            gradient = gradient if node._notes is None else hooked(node, gradient)
            node.grad = gradient if node.grad is None else node.grad + gradient


class ScalarRunner:
    """How the calls of one kind are run: by which arguments to differentiate, and what becomes of the batch.

    Called with the runs of a call, it gives the one output and the gradients of the arguments ``wanted`` (of one
    argument, if that is a number).
    """

    def __init__(self, entry: ScalarEntry, purpose: str, wanted: Any, per_example: bool) -> None:
        self.entry, self.purpose, self.per_example = entry, purpose, per_example
        trees = [entry.trees[k] for k in ((wanted,) if isinstance(wanted, int) else wanted)]
        self.runs = [run for tree in trees for run in tree.runs]
        varies = [run.axis is not None for run in self.runs]
        self.wrt_P, self.wrt_X = purpose != "none" and not (varies and all(varies)), any(varies)
        self.join = joiner(trees, isinstance(wanted, int))
        self.pool = Pool(_KEPT)
        self.loans = Loans()
        self.lends = False  # whether a replay of it has been worth lending

    def __call__(self, found: list[Any]) -> tuple[Any, Any]:
        """The output and the gradients."""
        bound, batch = self.take(found)
        both: tuple[Any, Any] = bound.in_quiet(self._computed, bound, found)
        self.pool.give(batch, bound)
        return both

    def _computed(self, bound: _Bound, found: list[Any]) -> tuple[Any, Any]:
        bound.run(found)
        return bound.value(), self.gradients(bound, lend=True)

    def take(self, found: list[Any]) -> tuple[_Bound, int]:
        """A replay for the batch of a call, and its size; it is to be given back to the pool."""
        batch = self.entry.batch(found)
        return self.pool.take(batch, self.new, is_free if self.lends else None), batch

    def gradients(self, bound: _Bound, lend: bool = False) -> Any:
        """What a machine has written, in the form of the arguments."""
        lent = self.loans.lend(bound.loan, bound.machine.dP) if lend and bound.is_large else None
        if lent is not None:
            return self.join([run.taker(lent, lent=True)() for run in self.runs])
        return self.join([take() for take in bound.takers])

    def new(self, batch: int) -> _Bound:
        """A replay for so many examples."""
        bound = _Bound(self, batch)
        self.lends |= bound.is_large
        return bound


class _Bound:
    """A machine, how the arguments of a call get into it, and how the results get out.

    Attributes:
        takers: for each run by which to differentiate, what gives its gradient.
        is_large: whether it is worth while to lend its gradients.
    """

    def __init__(self, runner: ScalarRunner, batch: int) -> None:
        entry, purpose = runner.entry, runner.purpose
        if runner.per_example:
            self.machine = entry.spread.bound(batch, False, True)
            parameters = len(entry.program.shared)
            self.P: Any = np.ones(parameters, entry.dtype)
            self.copies, inputs = self.machine.X[:parameters], self.machine.X[parameters:]
        else:
            self.machine = entry.backends.bound(batch, runner.wrt_P, runner.wrt_X)
            self.P, self.copies, inputs = self.machine.P, None, self.machine.X
        machine = self.machine
        machine.seed[...] = 1 / batch if purpose == "mean" and not runner.per_example else 1
        # Before a pull the caller may change his arrays; until then a replay has to have copies.
        borrow = None if runner.per_example or purpose == "vjp" else getattr(machine, "borrow", None)
        self.filler = Filler(entry.runs, self.P, inputs, borrow)
        self.captured = entry.trace.captured
        self.tail = self.P[len(self.P) - len(self.captured) :]
        self.takers = [self._taker(run, runner.per_example, len(self.P)) for run in runner.runs]
        dP = machine.dP
        own = len(set(runner.runs)) == len(runner.runs)  # what is asked for twice is two arrays
        self.is_large = own and dP is not None and dP.size >= LARGE and dP.dtype == np.float64 and not runner.wrt_X
        self.loan = Loan()
        self.value = _value(machine.outputs, purpose == "mean", runner.per_example)
        self.in_quiet = quiet()

    def _taker(self, run: Run, per_example: bool, parameters: int) -> Callable[[], Any]:
        machine = self.machine
        if per_example:
            return partial(run.gradient_of_each, machine.dX[parameters if run.axis is not None else 0 :])
        return run.taker(machine.dP) if run.axis is None else partial(run.gradient_of_each, machine.dX)

    def run(self, found: list[Any]) -> None:
        """Forward and backward, on the numbers of a call."""
        self._fill(found)
        self.machine.run()

    def outputs(self, found: list[Any]) -> Any:
        """The outputs, of shape (outputs, batch), for the numbers of a call."""
        self._fill(found)
        self.machine.forward()
        return self.machine.outputs.copy()

    def _fill(self, found: list[Any]) -> None:
        self.filler(found)
        if self.captured:
            self.tail[:] = numbers_of(self.captured)
        if self.copies is not None:
            self.copies[...] = self.P[:, None]


def _value(outputs: Any, is_mean: bool, per_example: bool) -> Callable[[], Any]:
    """What takes the one output from where a machine writes it."""
    if not len(outputs):  # no number: it is refused elsewhere
        return lambda: None
    row = outputs[0]
    if per_example:
        return row.copy  # type: ignore[no-any-return]
    batch = row.size
    if batch == 1:
        return row.item  # type: ignore[no-any-return]
    count = batch if is_mean else 1
    if batch <= LONGEST:
        total = np.ones_like(row).dot  # half the time of np.add.reduce
        return lambda: float(total(row)) / count
    return lambda: float(total_of(row)) / count


class _Pull:
    """From d loss / d outputs to gradients. It may be called again; its replay is free when it is let go."""

    def __init__(self, runner: ScalarRunner, bound: _Bound, batch: int) -> None:
        self._runner, self._bound, self._batch = runner, bound, batch
        self._fresh = True
        self._lock = Lock()

    def __call__(self, cotangents: Any) -> Any:
        with self._lock:
            return self._bound.in_quiet(self._pulled, cotangents)

    def _pulled(self, cotangents: Any) -> Any:
        machine = self._bound.machine
        _spread_out(self._runner.entry, cotangents, machine.seed)
        if not self._fresh:
            machine.forward()
        machine.backward()
        self._fresh = False
        return self._runner.gradients(self._bound)

    def __del__(self) -> None:
        self._runner.pool.give(self._batch, self._bound)


def _spread_out(entry: ScalarEntry, cotangents: Any, seed: Any) -> None:
    """Cotangents in the form of the outputs, as rows."""
    for at, part in parts_of(entry.build(lambda at: at), cotangents):
        wanted = (*np.shape(at), seed.shape[1])
        given = real_numbers(part)
        given = np.moveaxis(given, 0, -1) if entry.batched and given.ndim else given[..., None]
        if given.shape != wanted:
            shape = (seed.shape[1], *np.shape(at)) if entry.batched else np.shape(at)
            raise ValueError(f"the output has shape {shape}, and its cotangent {np.shape(part)}")
        seed[at] = given


def _alone(x: Any) -> Any:
    return np.array(x) if np.ndim(x) else float(x)


def _spread(program: Program) -> Program:
    """The same program with every shared leaf varying."""
    return Program(
        ops=program.ops,
        args=program.args,
        params=program.params,
        constants=program.constants,
        varying=[*program.shared, *program.varying],
        outputs=program.outputs,
        stopped=program.stopped,
        scopes=program.scopes,
        labels=program.labels,
        names=program.names,
        example=program.example,
    )
