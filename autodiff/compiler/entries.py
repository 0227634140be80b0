"""A traced function for arguments of one structure, ready to be called on numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff.compiler.arguments import Filler, Tree, numbers_of
from autodiff.compiler.backends import Backends
from autodiff.compiler.outputs import layout, parts_of, reduced
from autodiff.compiler.passes import simplify
from autodiff.compiler.pool import Pool
from autodiff.compiler.program import Program
from autodiff.compiler.refusals import needs_one_output
from autodiff.compiler.trace import Trace
from autodiff.errors import TraceError
from autodiff.graph import Node
from autodiff.value import Value

_KEPT = 16  # kinds of replays (sizes of batch, which gradients) that are kept beside one program


class Scalar:
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
        self.pool = Pool(_KEPT)
        self._spread: Backends | None = None
        self._build = layout(trace.returned, merge=True)
        self._single = len(self.program.outputs) == 1

    @property
    def spread(self) -> Backends:
        """The program with a copy of every parameter for each example: for gradients per example."""
        if self._spread is None:
            self._spread = Backends(_spread(self.program), self.backend, self.dtype)
        return self._spread

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────
    def call(self, found: list[Any], reduction: str) -> Any:
        """The outputs, in the form in which the function returned them."""
        key, bound = self._take(found, "none", False, False)
        bound.machine.forward()
        rows = bound.machine.outputs.copy()
        self.pool.give(key, bound)
        return self.results(rows, reduction)

    def results(self, rows: Any, reduction: str) -> Any:
        """Rows of outputs, (outputs, batch), in the form in which the function returned them."""
        if not self.batched:
            return self._build(lambda at: _alone(rows[at, 0]))
        if self._single:
            return self._build(lambda at: reduced(rows.reshape(-1), reduction))
        return self._build(lambda at: reduced(np.ascontiguousarray(np.moveaxis(rows[at], -1, 0)), reduction))

    def value_and_grad(
        self, found: list[Any], wanted: Sequence[int], reduction: str, per_example: bool
    ) -> tuple[Any, list[Any]]:
        """The one output, and the gradients of the arguments with the numbers ``wanted``."""
        wrt_P, wrt_X = self._kinds(wanted)
        key, bound = self._take(found, reduction, wrt_P, wrt_X, per_example)
        machine = bound.machine
        machine.run()
        row = machine.outputs[0]
        value = reduced(row, reduction) if not per_example else row.copy()
        gradients = self._gradients(bound, wanted, per_example)
        self.pool.give(key, bound)
        return value, gradients

    def vjp(self, found: list[Any], wanted: Sequence[int]) -> tuple[Any, Callable[[Any], list[Any]]]:
        """The outputs, and the function that takes d loss / d outputs to gradients."""
        key, bound = self._take(found, "vjp", *self._kinds(wanted))
        bound.machine.forward()
        outputs = self.results(bound.machine.outputs.copy(), "none")
        return outputs, _Pull(self, key, bound, wanted)

    def accumulate(self, found: list[Any], reduction: str) -> Any:
        """The one output; its gradients are added to ``.grad`` of all Values among the arguments and captured."""
        key, bound = self._take(found, reduction, True, False)
        bound.machine.run()
        value = reduced(bound.machine.outputs[0], reduction)
        flat = bound.machine.dP.tolist()
        self.pool.give(key, bound)
        for run, given in zip(self.runs, found, strict=True):
            nodes = given if run.nodes is not None or run.values else (given,) if run.kind is Value else ()
            for node, gradient in zip(nodes, flat[run.start : run.stop], strict=False):
                node.grad = gradient if node.grad is None else node.grad + gradient
        for node, gradient in zip(self.trace.captured, flat[len(flat) - len(self.trace.captured) :], strict=True):
            if node.requires_grad:
                node.grad = gradient if node.grad is None else node.grad + gradient
        return value

    def evaluated(self, found: list[Any], weights: list[Any]) -> tuple[list[Any], list[Any]]:
        """For one example: each output, and the gradient of their weighted sum by every leaf."""
        key, bound = self._take(found, "vjp", True, True)
        machine = bound.machine
        machine.seed[...] = np.array(weights, float)[:, None]
        machine.run()
        outputs, gradients = list(machine.outputs[:, 0]), [*machine.dP.copy(), *machine.dX[:, 0]]
        self.pool.give(key, bound)
        return outputs, gradients

    def needs_one_output(self, function: Callable[..., Any]) -> None:
        """Raise where the function returned anything but one number."""
        if not isinstance(self.trace.returned, Node) or np.size(self.trace.returned._held) != 1:
            raise needs_one_output(function, self.trace.returned)

    # ── their parts ──────────────────────────────────────────────────────────────────────────────────
    def _kinds(self, wanted: Sequence[int]) -> tuple[bool, bool]:
        varies = [run.axis is not None for k in wanted for run in self.trees[k].runs]
        return not all(varies), any(varies)

    def batch(self, found: list[Any]) -> int:
        """How many examples there are.

        Raises:
            TraceError: arguments do not agree, or there is no example.
        """
        if not self.batched:
            return 1
        sizes = [found[k].shape[axis] for k, axis, _ in self.batched]
        if sizes.count(sizes[0]) != len(sizes) or not sizes[0]:
            given = ", ".join(f"{text} has {n}" for n, (_, _, text) in zip(sizes, self.batched, strict=True))
            raise TraceError(f"a batch has the same number of examples in all arguments, at least one: {given}")
        return int(sizes[0])

    def _take(
        self, found: list[Any], reduction: str, wrt_P: bool, wrt_X: bool, per_example: bool = False
    ) -> tuple[Any, _Bound]:
        key = (self.batch(found), reduction, wrt_P, wrt_X, per_example)
        bound = self.pool.take(key, lambda: _Bound(self, *key))
        bound.fill(found)
        return key, bound

    def _gradients(self, bound: _Bound, wanted: Sequence[int], per_example: bool) -> list[Any]:
        machine, parameters = bound.machine, len(self.program.shared)
        if per_example:
            flat, varied = machine.dX[:parameters], machine.dX[parameters:]
        else:
            flat, varied = machine.dP, machine.dX
        if flat is not None:
            flat = flat.copy()
        gradients = []
        for k in wanted:
            parts = [run.gradient(flat if run.axis is None else varied) for run in self.trees[k].runs]
            gradients.append(self.trees[k].build(iter(parts)))
        return gradients


class _Bound:
    """A machine, and how the arguments of a call get into it."""

    def __init__(self, entry: Scalar, batch: int, reduction: str, wrt_P: bool, wrt_X: bool, per_example: bool) -> None:
        if per_example:
            self.machine = entry.spread.bound(batch, False, True)
            parameters = len(entry.program.shared)
            self.P: Any = np.ones(parameters, entry.dtype)
            self.copies, inputs = self.machine.X[:parameters], self.machine.X[parameters:]
        else:
            self.machine = entry.backends.bound(batch, wrt_P, wrt_X)
            self.P, self.copies, inputs = self.machine.P, None, self.machine.X
        self.machine.seed[...] = 1 / batch if reduction == "mean" and not per_example else 1
        self.filler = Filler(entry.runs, self.P, inputs)
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

    def __init__(self, entry: Scalar, key: Any, bound: _Bound, wanted: Sequence[int]) -> None:
        self._entry, self._key, self._bound, self._wanted = entry, key, bound, wanted
        self._fresh = True

    def __call__(self, cotangents: Any) -> list[Any]:
        entry, machine = self._entry, self._bound.machine
        _spread_out(entry, cotangents, machine.seed)
        if not self._fresh:
            machine.forward()
        machine.backward()
        self._fresh = False
        return entry._gradients(self._bound, self._wanted, False)

    def __del__(self) -> None:
        self._entry.pool.give(self._key, self._bound)


def _spread_out(entry: Scalar, cotangents: Any, seed: Any) -> None:
    """Cotangents in the form of the outputs, as rows."""
    for at, part in parts_of(entry._build(lambda at: at), cotangents):
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
