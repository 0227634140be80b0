"""Models of single numbers at the speed of matrices: their forward pass, compiled, on whole batches.

The model is called on one row, by ``autodiff.compile``, which finds the matrix products that its neurons spell out.
From then on batches run through them, and the model is not called any more.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import autodiff
from autodiff import Node, Tensor, TraceError, Value
from autodiff.context import current
from autodiff.hooks import has_hooks
from nn.lookup import Function
from nn.losses import LOSSES, cross_entropy, nll
from nn.losses.classes import cross_entropy_to_the_last_digit

if TYPE_CHECKING:
    from autodiff.compiler.calling.sessions import Session
    from autodiff.compiler.calling.traced import Traced

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


def kept(outputs: Any) -> Any:
    """The same outputs, remembered. Not where the traced function could reach them: it is to change nothing."""
    _kept.get().append(outputs)
    return outputs


def traced(compiled: Any, X: NDArray[Any], known: dict[Any, Any], make: Callable[[Traced], Any], most: int) -> Any:
    """A compiled model as it is now, for input such as this, as ``make`` makes it of its trace.

    Args:
        compiled: a function of ``autodiff.compile``.
        X: the input.
        known: what was made before, by trace; at ``most`` so many.

    Raises:
        RefusedError: a trace cannot capture what it does, or somebody wants to see every operation.
    """
    if current()[2] is not None:
        raise RefusedError(TraceError("every operation is observed here, so that each has to be computed"), [])
    outputs: list[Any] = []
    token = _kept.set(outputs)
    try:
        trace = compiled.traced(X)
        return remembered(known, trace, lambda: make(trace), most)
    except Exception as error:  # an error of the model itself comes again where it goes eagerly
        raise RefusedError(error, outputs) from error
    finally:
        _kept.reset(token)


def remembered(known: dict[Any, Any], key: Any, make: Callable[[], Any], most: int) -> Any:
    """What is known for a key; else it is made. No more than ``most`` are kept."""
    found = known.get(key)
    if found is None:
        found = make()
        if len(known) >= most:
            known.clear()
        known[key] = found
    return found


def check_hooks(parameters: list[Any]) -> None:
    """See that nobody waits for the gradient of a parameter.

    Raises:
        RefusedError: one has a hook.
    """
    for p in parameters:
        if has_hooks(p):
            raise RefusedError(TraceError(f"{p.name()} has a gradient hook, which would not be called"), [])


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
        self._models: dict[Any, RowModel] = {}

    def traced(self, X: NDArray[Any]) -> RowModel:
        """The model as it is now, for rows such as these.

        Raises:
            RefusedError: a trace cannot capture what it does, or somebody wants to see every operation.
        """
        before = random.getstate(), np.random.get_state()
        try:
            model: RowModel = traced(self._compiled, X, self._models, RowModel, KEPT)
        except RefusedError as refused:
            if not refused.outputs:
                random.setstate(before[0])
                np.random.set_state(before[1])
            raise
        return model

    def outputs(self, X: NDArray[Any]) -> NDArray[Any]:
        """The outputs for rows, of shape (n,) or (n, outputs)."""
        return self.traced(X).outputs(X)


class RowModel:
    """A model of single numbers as it was traced.

    Attributes:
        parameters: the leaves that it computes with.
        switches: whether it may do something else where it is switched to evaluation.
    """

    def __init__(self, trace: Traced) -> None:
        outputs = trace.returned
        if not isinstance(outputs, Node) and any(isinstance(part, list | tuple) for part in outputs):
            raise TraceError("the model gives nested lists for a row; expected a Value or a list")
        self._trace = trace
        self.parameters = trace.parameters
        self.switches = not _DYNAMIC.isdisjoint(trace.names)
        self._carried = [p.requires_grad for p in self.parameters]
        self._trained: dict[tuple[int, ...] | None, Any] = {}
        self._sessions: dict[tuple[int, bool], Session] = {}

    def numbers(self) -> NDArray[Any]:
        """What the parameters hold now."""
        numbers: NDArray[Any] = self._trace.numbers()
        return numbers

    def trained(self, outputs: list[int] | None = None) -> Any:
        """Which parameters a gradient flows to from these outputs, or from all: their places, as an index."""
        key = None if outputs is None else tuple(outputs)
        if key not in self._trained:
            places = [i for i in self._trace.reached(outputs) if self._carried[i]]
            every = len(places) == len(self.parameters)
            self._trained[key] = slice(0, len(places)) if every else np.array(places, np.intp)
        return self._trained[key]

    def check(self) -> bool:
        """Whether the parameters carry gradients as they did, and none has a hook, which would not be called.

        Raises:
            RefusedError: one has a hook, or holds a number other than a float.
        """
        check_hooks(self.parameters)
        for p in self.parameters:
            if type(p.data) is not float:
                raise RefusedError(
                    TraceError(f"{p.name()} is {p.data!r}, and what is compiled computes with floats"), []
                )
        return [p.requires_grad for p in self.parameters] == self._carried

    def session(self, rows: int, gradients: bool = True) -> Session:
        """The model beside arrays of its own, for so many rows at a time."""
        session: Session = remembered(
            self._sessions, (rows, gradients), lambda: self._trace.session(rows, gradients=gradients), KEPT
        )
        return session

    def outputs(self, X: NDArray[Any], numbers: NDArray[Any] | None = None) -> NDArray[Any]:
        """The outputs for any number of rows."""
        numbers = self.numbers() if numbers is None else numbers
        chunks = [X[start : start + CHUNK] for start in range(0, len(X), CHUNK)]
        parts = [self.session(len(rows), gradients=False).forward(numbers, rows) for rows in chunks]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


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
