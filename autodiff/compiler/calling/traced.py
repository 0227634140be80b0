"""A traced function for somebody who keeps the numbers of its parameters himself, as a training loop does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.compiler.calling.scalar_entry import ScalarEntry
from autodiff.compiler.calling.sessions import ArraySession, RowSession, Session
from autodiff.compiler.calling.tensor_entry import TensorEntry
from autodiff.compiler.program import Program
from autodiff.compiler.tracing.arguments import Tree, numbers_of


class Traced:
    """What one trace of a function showed, and sessions that run it with whatever numbers they are given.

    A call of a compiled function reads every parameter, and checks that nothing else has changed. A loop that moves
    the parameters itself does this once, by ``fast.traced(*args)``, and then computes with numbers of its own; it asks
    again where something else may have changed the model.

    Attributes:
        parameters: leaves of models among the arguments, and those that the function reaches without being given them.
        returned: what the function returned, in its form: leaves with the numbers of the trace (of its one example).
        names: which attributes and globals the code of the function, and of what it calls, looks up.

    >>> from autodiff import Value, compile
    >>> slope, bias = Value(2.0), Value(1.0)
    >>> fast = compile(lambda row: slope * row[0] + bias, in_axes=0, of=Value)
    >>> X = np.array([[1.0], [3.0], [5.0]])
    >>> line = fast.traced(X)
    >>> session, numbers = line.session(batch=3), line.numbers()
    >>> numbers
    array([2., 1.])
    >>> for _ in range(500):  # least squares, for targets 0, 1 and 2
    ...     errors = session.forward(numbers, X) - [0.0, 1.0, 2.0]
    ...     numbers = numbers - 0.05 * session.pull(errors)
    >>> numbers.round(3)
    array([ 0.5, -0.5])
    """

    def __init__(self, entry: ScalarEntry | TensorEntry) -> None:
        _check_arguments(entry.trees)
        self._entry = entry
        models = [(run.nodes, place) for run, place in zip(entry.runs, entry.places, strict=True) if run.nodes]
        self.parameters: list[Any] = [node for nodes, _ in models for node in nodes] + entry.trace.captured
        self.returned: Any = entry.trace.returned
        self.names: frozenset[str] = frozenset(entry.trace.guards.names)
        leaves = range(len(entry.program.shared))
        self._places = [i for place in [*[place for _, place in models], entry.captured] for i in leaves[place]]

    def numbers(self) -> Any:
        """What the parameters hold now: a vector for Values, a list of (read-only) arrays for Tensors."""
        if isinstance(self._entry, ScalarEntry):
            return np.array(numbers_of(self.parameters), self._entry.dtype)
        return [p.data for p in self.parameters]

    def reached(self, outputs: Sequence[int] | None = None) -> list[int]:
        """The parameters, by their places in ``parameters``, that a gradient can flow to.

        Args:
            outputs: from which of the outputs, counted through all that was returned; None: from any.
        """
        program = self._entry.program
        ends = program.outputs if outputs is None else [program.outputs[k] for k in outputs]
        found = _upstream(program, ends)
        return [k for k, place in enumerate(self._places) if program.shared[place] in found]

    def session(self, batch: int | None = None, *, gradients: bool = True) -> Session:
        """Arrays for computing with batches of one size: to be kept, and used by one thread at a time.

        Args:
            batch: how many examples; None where the function maps over none, as functions of Tensors, which are given
                batches of the size of the trace.
            gradients: whether ``pull`` will be called.

        Raises:
            ValueError: a function of examples without their number, or another one with it; or it is no number of
                examples.
        """
        entry = self._entry
        maps = isinstance(entry, ScalarEntry) and bool(entry.batched)
        if maps != (batch is not None) or (batch is not None and batch < 1):
            expected = "how many examples there are, at least one" if maps else "None, as the function maps over none"
            raise ValueError(f"batch={batch!r}; expected {expected}")
        if isinstance(entry, ScalarEntry):
            return RowSession(entry, self._places, batch or 1, gradients)
        wanted = [i for i in self.reached() if self.parameters[i].requires_grad] if gradients else None
        return ArraySession(entry, self._places, wanted)

    def __repr__(self) -> str:
        return f"<Traced {self._entry.program!r}, {len(self.parameters)} parameters>"


def _check_arguments(trees: list[Tree]) -> None:
    for tree in trees:
        if tree.runs and tree.joiner(0)(tree.runs) is not tree.runs[0]:
            raise TypeError(f"{tree.runs[0].text} is a part of an argument, and {_EXPECTED}")
        for run in tree.runs:
            if run.nodes is None and run.kind not in (np.ndarray, float):
                raise TypeError(f"{run.text} is a {run.kind.__name__}, and {_EXPECTED}")


_EXPECTED = (
    "traced() takes arrays, numbers and models, each as an argument of its own; Values and Tensors that are to be"
    " parameters belong to a model, or are reached by the function itself"
)


def _upstream(program: Program, ends: Sequence[int]) -> set[int]:
    """The values of a program that a gradient flows to from some of its values."""
    found = set(ends) - program.stopped
    stack = list(found)
    while stack:
        fresh = set(program.args[stack.pop()]) - found - program.stopped
        found |= fresh
        stack += fresh
    return found
