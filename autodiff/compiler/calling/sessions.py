"""Sessions: a traced function beside arrays of its own, given the numbers of its parameters with every batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.compiler.calling.filling import Filler
from autodiff.compiler.calling.packing import Packed
from autodiff.compiler.calling.scalar_entry import ScalarEntry
from autodiff.compiler.calling.tensor_entry import TensorEntry
from autodiff.compiler.numpy_backend import Replay
from autodiff.compiler.tracing.arguments import Run
from autodiff.graph import Node


class Session:
    """A traced function for batches of one size; see :meth:`Traced.session`.

    Shapes: of a function of Values, ``numbers`` is a vector, (parameters,); the outputs are (batch,) where the
    function returns one Value, else (batch, outputs), in the order in which they were returned. Of a function of
    Tensors, ``numbers`` is a list with the array of each parameter; the outputs are an array where it returns one
    Tensor, else a list of arrays.
    """

    def forward(self, numbers: Any, *arrays: Any) -> Any:
        """The outputs, in arrays that are new.

        Args:
            numbers: for all parameters, in their order.
            arrays: the arrays and numbers among the arguments of the function. (Models and what is static stay.)

        Raises:
            ValueError: something has another shape, or is missing.
        """
        raise NotImplementedError

    def pull(self, gradient: Any) -> Any:
        """From d loss / d outputs to d loss / d numbers, once after each ``forward``.

        Args:
            gradient: in the form and shapes of the outputs.

        Returns:
            for a function of Values a vector, (parameters,); for one of Tensors a list with an array for each
            parameter, or None where no gradient flows to it, or it carries none. The next pull writes over them.

        Raises:
            ValueError: the gradient has another shape.
            RuntimeError: no ``forward`` came before, or the session was made without gradients.
        """
        raise NotImplementedError


class RowSession(Session):
    """A session of a function of Values: ``places`` are those of the parameters in the vector P."""

    def __init__(self, entry: ScalarEntry, places: list[int], batch: int, gradients: bool) -> None:
        self._machine = machine = entry.backends.bound(batch, gradients, False)
        runs = [run for run in entry.runs if run.nodes is None]
        # Before a pull the caller may change his arrays; until then a session has to have copies.
        self._fill = Filler(runs, machine.P, machine.X, None if gradients else getattr(machine, "borrow", None))
        self._where, self._single = _index(places), entry.returns_a_number
        self._check = _Fitting([*[(run.text, _with_batch(run, batch)) for run in runs], ("numbers", (len(places),))])
        outputs = machine.seed.shape
        self._check_gradient = _Fitting([("the gradient", outputs[1:] if self._single else outputs[::-1])])
        self._differentiates, self._ready = gradients, False

    def forward(self, numbers: Any, *arrays: Any) -> Any:
        """The outputs; see :class:`Session`."""
        self._check((*arrays, numbers))
        machine = self._machine
        self._fill(arrays)
        machine.P[self._where] = numbers
        machine.forward()
        self._ready = self._differentiates
        return machine.outputs[0].copy() if self._single else np.ascontiguousarray(machine.outputs.T)

    def pull(self, gradient: Any) -> Any:
        """The gradients of the parameters; see :class:`Session`."""
        gradient = np.asarray(gradient)
        self._check_gradient((gradient,))
        if not self._ready:
            raise _not_ready()
        self._ready = False
        machine = self._machine
        machine.seed[...] = gradient.T
        machine.backward()
        return machine.dP[self._where]


class ArraySession(Session):
    """A session of a function of Tensors: ``places`` are those of the parameters among the program's shared leaves.

    ``wanted`` says which of the parameters to differentiate by; None: there will be no pull.
    """

    def __init__(self, entry: TensorEntry, places: list[int], wanted: list[int] | None) -> None:
        shared = entry.program.shared
        arrays = [np.array(sample) for sample in entry.samples]
        given = [
            (run, arrays[place.start]) for run, place in zip(entry.runs, entry.places, strict=True) if not run.nodes
        ]
        inputs = [(run.text, array) for run, array in given]
        inputs += [(f"numbers[{k}]", arrays[i]) for k, i in enumerate(places)]
        self._targets = [array for _, array in inputs]
        self._check = _Fitting([(name, array.shape) for name, array in inputs])
        found = Packed({shared[places[k]]: arrays[places[k]] for k in wanted or ()}).arrays
        self._gradients = [found.get(shared[i]) for i in places]
        self._seeds = None if wanted is None else [np.ones_like(y) for y in entry.outputs]
        self._check_gradient = _Fitting([("the gradient", y.shape) for y in entry.outputs])
        self._replay = Replay(entry.program, dict(zip(shared, arrays, strict=True)), found, self._seeds)
        self._single = isinstance(entry.trace.returned, Node)
        self._ready = False

    def forward(self, numbers: Any, *arrays: Any) -> Any:
        """The outputs; see :class:`Session`."""
        given = (*arrays, *numbers)
        self._check(given)
        for target, array in zip(self._targets, given, strict=True):
            np.copyto(target, array)
        self._replay.forward()
        self._ready = self._seeds is not None
        outputs = self._replay.outputs
        return outputs[0].copy() if self._single else [y.copy() for y in outputs]

    def pull(self, gradient: Any) -> Any:
        """The gradients of the parameters; see :class:`Session`."""
        gradients = (gradient,) if self._single else gradient
        self._check_gradient(gradients)
        if not self._ready:
            raise _not_ready()
        self._ready = False
        for seed, given in zip(self._seeds or (), gradients, strict=True):
            seed[...] = given
        self._replay.backward()
        return [*self._gradients]


def _index(places: list[int]) -> Any:
    """Places as an index: as a slice, which makes a view, where they stand in one row."""
    start = places[0] if places else 0
    in_a_row = places == [*range(start, start + len(places))]
    return slice(start, start + len(places)) if in_a_row else np.array(places, np.intp)


def _with_batch(run: Run, batch: int) -> tuple[int, ...]:
    """The shape of what is given for a run."""
    if run.axis is None:
        return run.shape
    axis = run.axis % (len(run.shape) + 1)
    return (*run.shape[:axis], batch, *run.shape[axis:])


class _Fitting:
    """What arrays are to look like, by name: checked in half a microsecond where they do."""

    def __init__(self, expected: Sequence[tuple[str, tuple[int, ...]]]) -> None:
        self._names = [name for name, _ in expected]
        self._shapes = [shape for _, shape in expected]

    def __call__(self, given: Sequence[Any]) -> None:
        """Raises: ValueError: there are more or fewer, or one has another shape."""
        try:
            if [x.shape for x in given] == self._shapes:
                return
        except AttributeError:  # plain numbers, or lists
            pass
        if len(given) != len(self._shapes):
            names = ", ".join(map("{} {}".format, self._names, self._shapes))
            raise ValueError(f"{len(given)} arrays were given; expected {len(self._shapes)}: {names}")
        for x, name, shape in zip(given, self._names, self._shapes, strict=True):
            if np.shape(x) != shape:
                raise ValueError(f"{name} has shape {np.shape(x)}; expected {shape}")


def _not_ready() -> RuntimeError:
    return RuntimeError("pull follows forward, once, in a session that was made with gradients=True")
