"""A traced function for arguments of one structure, ready to be called on numbers."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np

from autodiff.compiler.backends import Backends
from autodiff.compiler.calling.filling import Filler
from autodiff.compiler.calling.outputs import layout, parts_of, reduced
from autodiff.compiler.passes import simplify
from autodiff.compiler.program import Program
from autodiff.compiler.replay.lending import LARGE, LOANS, Loan
from autodiff.compiler.replay.pool import Pool
from autodiff.compiler.tracing.arguments import Run, Tree, numbers_of
from autodiff.compiler.tracing.trace import Trace
from autodiff.errors import TraceError
from autodiff.graph import Node
from autodiff.hooks import hooked
from autodiff.value import Value

_KEPT = 16  # sizes of batch whose replays are kept, of each kind


class ScalarEntry:
    """A function of Values: one example was traced, batches are run.

    Attributes:
        program: simplified; its shared leaves are the vector P, its varying leaves the rows of the matrix X.
        trace: the function's run on one example.
        trees: the structure of each argument.
    """

    def __init__(self, trace: Trace, trees: list[Tree], backend: str, dtype: Any) -> None:
        self.trace, self.trees, self.backend, self.dtype = trace, trees, backend, dtype
        self.program = simplify(trace.program)
        self.runs = [run for tree in trees for run in tree.runs]
        self.batched = [(k, run.axis, run.text) for k, run in enumerate(self.runs) if run.axis is not None]
        self.backends = Backends(self.program, backend, dtype)
        self.runners: dict[Any, ScalarRunner] = {}
        self.build = layout(trace.returned, merge=True)
        self.returns_a_number = isinstance(trace.returned, Node)
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
        bound.machine.forward()
        rows = bound.machine.outputs.copy()
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
        bound.machine.forward()
        return self.results(bound.machine.outputs.copy(), "none"), _Pull(runner, bound, batch)

    def accumulate(self, found: list[Any], reduction: str) -> Any:
        """The one output; its gradients are added to ``.grad`` of all Values among the arguments and captured."""
        runner = self.runner(reduction, ())
        bound, batch = runner.take(found)
        bound.machine.run()
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
        bound = _Bound(self, 1, "vjp", True, True, False)
        bound.fill(found)
        bound.machine.seed[...] = np.array(weights, float)[:, None]
        bound.machine.run()
        return list(bound.machine.outputs[:, 0]), [*bound.machine.dP, *bound.machine.dX[:, 0]]

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
        varies = [run.axis is not None for tree in trees for run in tree.runs]
        self.wrt_P, self.wrt_X = purpose != "none" and not (varies and all(varies)), any(varies)
        self.builders = [tree.builder(self._taken) for tree in trees]
        self.single = self.builders[0] if isinstance(wanted, int) else None
        self.pool = Pool(_KEPT)
        self.loans: list[Loan] = []
        self.parameters = len(entry.program.shared)

    def __call__(self, found: list[Any]) -> tuple[Any, Any]:
        """The output and the gradients."""
        bound, batch = self.take(found)
        machine = bound.machine
        machine.run()
        row = machine.outputs[0]
        if self.per_example:
            value = row.copy()
        else:
            value = float(np.add.reduce(row))
            value = value / batch if self.purpose == "mean" else value
        gradients = self.gradients(machine, self._lent(bound))
        self.pool.give(batch, bound)
        return value, gradients

    def take(self, found: list[Any]) -> tuple[_Bound, int]:
        """A replay that has the numbers of a call; it is to be given back to the pool."""
        batch = self.entry.batch(found)
        bound = self.pool.take(batch, self.new, _is_free)
        bound.fill(found)
        return bound, batch

    def _lent(self, bound: _Bound) -> Any:
        """The gradients of the parameters without a copy, where they are many; or None."""
        gradients = bound.machine.dP
        if gradients is None or gradients.size < LARGE or gradients.dtype != np.float64 or self.wrt_X:
            return None
        self.loans = [loan for loan in self.loans if loan.is_open]
        if len(self.loans) >= LOANS:
            return None
        self.loans.append(bound.loan)
        return bound.loan.of(gradients)

    def gradients(self, machine: Any, lent: Any = None) -> Any:
        """What a machine has written, in the form of the arguments."""
        if self.per_example:
            source: Any = machine.dX
        elif self.wrt_X:
            source = None if machine.dP is None else machine.dP.astype(np.float64), machine.dX
        else:
            # A copy, unless the machine lends its own; single gradients come in the dtype of their leaf.
            source = machine.dP.astype(np.float64) if lent is None else lent
        if self.single is not None:
            return self.single(source)
        return tuple([build(source) for build in self.builders])

    def new(self, batch: int) -> _Bound:
        """A replay for so many examples."""
        return _Bound(self.entry, batch, self.purpose, self.wrt_P, self.wrt_X, self.per_example)

    def _taken(self, run: Run) -> Callable[[Any], Any]:
        """How the gradient of a run is taken from what :meth:`gradients` has."""
        if self.per_example:
            first = len(self.entry.program.shared) if run.axis is not None else 0
            return lambda rows: run.gradient_of_each(rows[first:])
        take = run.gradient()
        if run.axis is not None:
            return lambda both: run.gradient_of_each(both[1])
        return (lambda both: take(both[0])) if self.wrt_X else take


def _is_free(bound: _Bound) -> bool:
    return not bound.loan.is_open


class _Bound:
    """A machine, and how the arguments of a call get into it."""

    def __init__(
        self, entry: ScalarEntry, batch: int, purpose: str, wrt_P: bool, wrt_X: bool, per_example: bool
    ) -> None:
        if per_example:
            self.machine = entry.spread.bound(batch, False, True)
            parameters = len(entry.program.shared)
            self.P: Any = np.ones(parameters, entry.dtype)
            self.copies, inputs = self.machine.X[:parameters], self.machine.X[parameters:]
        else:
            self.machine = entry.backends.bound(batch, wrt_P, wrt_X)
            self.P, self.copies, inputs = self.machine.P, None, self.machine.X
        self.machine.seed[...] = 1 / batch if purpose == "mean" and not per_example else 1
        # Before a pull the caller may change his arrays; until then a replay has to have copies.
        borrow = None if per_example or purpose == "vjp" else getattr(self.machine, "borrow", None)
        self.filler = Filler(entry.runs, self.P, inputs, borrow)
        self.loan = Loan()
        self.captured = entry.trace.captured
        self.tail = self.P[len(self.P) - len(self.captured) :]

    def fill(self, found: list[Any]) -> None:
        self.filler(found)
        if self.captured:
            self.tail[:] = numbers_of(self.captured)
        if self.copies is not None:
            self.copies[...] = self.P[:, None]


class _Pull:
    """From d loss / d outputs to gradients. It may be called again; its replay is free when it is let go."""

    def __init__(self, runner: ScalarRunner, bound: _Bound, batch: int) -> None:
        self._runner, self._bound, self._batch = runner, bound, batch
        self._fresh = True
        self._lock = Lock()

    def __call__(self, cotangents: Any) -> Any:
        machine = self._bound.machine
        with self._lock:
            _spread_out(self._runner.entry, cotangents, machine.seed)
            if not self._fresh:
                machine.forward()
            machine.backward()
            self._fresh = False
            return self._runner.gradients(machine)

    def __del__(self) -> None:
        self._runner.pool.give(self._batch, self._bound)


def _spread_out(entry: ScalarEntry, cotangents: Any, seed: Any) -> None:
    """Cotangents in the form of the outputs, as rows."""
    for at, part in parts_of(entry.build(lambda at: at), cotangents):
        wanted = (*np.shape(at), seed.shape[1])
        given = np.asarray(part, seed.dtype)
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
