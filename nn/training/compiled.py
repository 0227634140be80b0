"""Models of single numbers at the speed of matrices: their forward pass, compiled, on whole batches.

The model is called on one row, by ``autodiff.compile``, which finds the matrix products that its neurons spell out.
From then on batches run through them, and the model is not called any more.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import autodiff
from autodiff import Node, Tensor, TraceError, Value
from autodiff.compiler.program import Program
from autodiff.context import current
from autodiff.hooks import has_hooks
from nn.lookup import Function
from nn.losses import LOSSES, cross_entropy, nll
from nn.losses.classes import cross_entropy_to_the_last_digit

KEPT = 8  # structures of a model that changes while it is trained, such as one whose settings a callback moves
CHUNK = 256  # rows at a time where nothing is learnt

_DYNAMIC = {"training", "getattr", "vars", "__dict__", "__getattribute__", "__getattr__"}


class RefusedError(Exception):
    """A model is not compiled, and why; with the outputs for the first row, where it has computed them already."""

    def __init__(self, why: Exception, outputs: list[Any]) -> None:
        super().__init__(str(why))
        self.why = why
        self.outputs = outputs


_kept: ContextVar[list[Any]] = ContextVar("kept")  # what a model gives while it is traced


@contextmanager
def keeping() -> Iterator[list[Any]]:
    """The outputs of the models that are called inside by :func:`kept`: also where the trace is refused then."""
    outputs: list[Any] = []
    token = _kept.set(outputs)
    try:
        yield outputs
    finally:
        _kept.reset(token)


def kept(outputs: Any) -> Any:
    """The same outputs, remembered. Not where the traced function could reach them: it is to change nothing."""
    _kept.get().append(outputs)
    return outputs


class Forward:
    """What a model of single numbers gives for rows.

    >>> from nn import Network
    >>> network = Network([2, 3, 1], seed=0)
    >>> forward = Forward(network)
    >>> row = [0.5, -1.0]
    >>> abs(forward.outputs(np.array([row]))[0] - network(row).data) < 1e-15
    np.True_
    """

    def __init__(self, model: Any) -> None:
        self.model = model

        def forward(row: list[Value]) -> Any:
            outputs = model(row)
            return kept(outputs if isinstance(outputs, Node) else list(outputs))

        # Not the tape of numba: a network is quick as blocks, and a first training would wait for its machine.
        self._compiled = autodiff.compile(forward, in_axes=0, of=Value, backend="numpy", maxsize=KEPT)
        self._traced: dict[Any, Traced] = {}

    def traced(self, X: NDArray[Any]) -> Traced:
        """The model as it is now, for rows such as these.

        Raises:
            RefusedError: a trace cannot capture what it does, or somebody wants to see every operation.
        """
        if current()[2] is not None:
            raise RefusedError(TraceError("every operation is observed here, so that each has to be computed"), [])
        before = random.getstate(), np.random.get_state()
        with keeping() as outputs:
            try:
                entry, _ = self._compiled._entry((X,), {})
            except Exception as error:  # an error of the model itself comes again where it goes eagerly
                if not outputs:
                    random.setstate(before[0])
                    np.random.set_state(before[1])
                raise RefusedError(error, outputs) from error
        traced = self._traced.get(entry)
        if traced is None:
            if len(self._traced) >= KEPT:
                self._traced.clear()
            traced = self._traced[entry] = Traced(entry)
        return traced

    def outputs(self, X: NDArray[Any]) -> NDArray[Any]:
        """The outputs for rows, of shape (n,) or (n, outputs)."""
        return self.traced(X).outputs(X)


class Traced:
    """A model as it was traced: which parameters it has, and its batches.

    Attributes:
        parameters: the leaves that it computes with.
        single: whether it gives one Value, not a list.
        switches: whether it may do something else where it is switched to evaluation.
    """

    def __init__(self, entry: Any) -> None:
        self.entry = entry
        outputs = entry.trace.returned
        self.single = isinstance(outputs, Node)
        if not self.single and any(isinstance(part, list | tuple) for part in outputs):
            raise RefusedError(
                TraceError("the model gives nested lists for a row; expected a Value or a list"), [outputs]
            )
        self.parameters: list[Any] = list(entry.trace.captured)
        self._carried = [p.requires_grad for p in self.parameters]
        self._count = 1 if self.single else len(outputs)
        self._reached: dict[tuple[int, ...], Any] = {}
        self.switches = not _DYNAMIC.isdisjoint(entry.trace.guards.names)
        self._batches: dict[tuple[int, bool], Batch] = {}

    def trained(self, outputs: Sequence[int] | None = None) -> Any:
        """Which parameters a gradient flows to from these outputs, or from all: their places, as an index."""
        key = tuple(range(self._count) if outputs is None else outputs)
        if key not in self._reached:
            program = self.entry.program
            leaves = zip(program.shared, self._carried, strict=True)
            found = reached(program, key)
            places = [i for i, (leaf, carries) in enumerate(leaves) if carries and leaf in found]
            every = len(places) == len(self.parameters)
            self._reached[key] = slice(0, len(places)) if every else np.array(places, np.intp)
        return self._reached[key]

    def check(self) -> bool:
        """Whether the parameters carry gradients as they did, and none has a hook, which would not be called.

        Raises:
            RefusedError: one has a hook, or holds a number other than a float.
        """
        for p in self.parameters:
            if has_hooks(p):
                raise RefusedError(TraceError(f"{p.name()} has a gradient hook, which would not be called"), [])
            if type(p.data) is not float:
                raise RefusedError(
                    TraceError(f"{p.name()} is {p.data!r}, and what is compiled computes with floats"), []
                )
        return [p.requires_grad for p in self.parameters] == self._carried

    def numbers(self) -> NDArray[Any]:
        """What the parameters hold now."""
        return np.array([p.data for p in self.parameters], float)

    def batch(self, rows: int, gradients: bool = True) -> Batch:
        """The model for so many rows at a time."""
        found = self._batches.get((rows, gradients))
        if found is None:
            if len(self._batches) >= KEPT:
                self._batches.clear()
            found = self._batches[rows, gradients] = Batch(self, rows, gradients)
        return found

    def outputs(self, X: NDArray[Any], numbers: NDArray[Any] | None = None) -> NDArray[Any]:
        """The outputs for any number of rows."""
        numbers = self.numbers() if numbers is None else numbers
        parts = []
        for start in range(0, len(X), CHUNK):
            rows = X[start : start + CHUNK]
            parts.append(self.batch(len(rows), False).forward(rows, numbers))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


class Batch:
    """A traced model beside arrays of its own, for one number of rows."""

    def __init__(self, traced: Traced, rows: int, gradients: bool) -> None:
        self._traced = traced
        self._bound = traced.entry.runner("vjp" if gradients else "none").new(rows)

    def forward(self, X: NDArray[Any], numbers: NDArray[Any]) -> NDArray[Any]:
        """The outputs, of shape (n,) or (n, outputs)."""
        bound = self._bound
        bound.filler([X])
        bound.tail[:] = numbers
        bound.machine.forward()
        outputs = bound.machine.outputs
        return outputs[0].copy() if self._traced.single else np.ascontiguousarray(outputs.T)

    def pull(self, gradient: NDArray[Any]) -> NDArray[Any]:
        """From d loss / d outputs to d loss / d number, for every parameter."""
        machine = self._bound.machine
        machine.seed[...] = gradient.T
        machine.backward()
        found: NDArray[Any] = machine.dP[len(machine.dP) - len(self._traced.parameters) :]
        return found


# ── losses of outputs that are arrays ────────────────────────────────────────────────────────────────
def on_arrays(loss: Function) -> Function | None:
    """A loss of nn on a Tensor, where it gives every digit and every gradient that it gives on rows of Values.

    None for losses of others, which are shown Values; and for those of nn that leave outputs out of the graph which
    they do not count: no gradient flows to them then, where an array would have zeros.
    """
    function, keywords = getattr(loss, "func", loss), getattr(loss, "keywords", {})
    if function not in LOSSES.values() or function is nll or keywords.get("multiclass") == "crammer-singer":
        return None
    return partial(cross_entropy_to_the_last_digit, **keywords) if function is cross_entropy else loss


def score(loss: Function, outputs: Any, targets: Any) -> Any:
    """The loss of outputs from which nothing is learnt; those of a compiled model are an array."""
    if not isinstance(outputs, np.ndarray):
        return loss(outputs, targets)
    of_arrays = on_arrays(loss)
    if of_arrays is None:
        return loss(as_values(outputs, requires_grad=False), targets)
    return of_arrays(Tensor(outputs, requires_grad=False), np.asarray(targets))


def as_values(outputs: NDArray[Any], requires_grad: bool = True) -> list[Any]:
    """Outputs as leaves, in the form in which a model gives them."""

    def value(x: float) -> Value:
        return Value(x, requires_grad=requires_grad)

    if outputs.ndim == 1:
        return [value(x) for x in outputs.tolist()]
    return [[value(x) for x in row] for row in outputs.tolist()]


def gradients_of(leaves: list[Any]) -> tuple[NDArray[Any], list[int]]:
    """The gradients of leaves that :func:`as_values` made, and which outputs of the model the loss has looked at."""
    rows = [[leaf.grad] if isinstance(leaf, Node) else [part.grad for part in leaf] for leaf in leaves]
    seen = [k for k, column in enumerate(zip(*rows, strict=True)) if any(x is not None for x in column)]
    array = np.array([[0.0 if x is None else x for x in row] for row in rows])
    return array[:, 0] if isinstance(leaves[0], Node) else array, seen


def reached(program: Program, outputs: Sequence[int]) -> set[int]:
    """The values of a program that a gradient flows to from these of its outputs."""
    found = {program.outputs[k] for k in outputs} - set(program.stopped)
    stack = list(found)
    while stack:
        fresh = set(program.args[stack.pop()]) - found - program.stopped
        found |= fresh
        stack += fresh
    return found
