"""Models of arrays: their forward pass, replayed on batches of one shape, without its graph being built again."""

from __future__ import annotations

from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

import autodiff
from autodiff import Tensor, TraceError
from autodiff.compiler.numpy_backend import Replay
from autodiff.context import current
from autodiff.hooks import has_hooks
from nn.checks import head
from nn.training.compiled import RefusedError, keeping, kept, reached

KEPT = 4  # shapes of batches: whole ones and the last, and others where a callback changes the model


class ArrayForward:
    """What a model of arrays gives for batches.

    >>> from nn import Dense
    >>> model, X = Dense(2, 3, seed=0), np.ones((5, 2))
    >>> batch = ArrayForward(model).batch(X)
    >>> bool((batch.forward(X) == model(X).data).all())
    True
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._restless = [module for module in _modules(model) if _changes_in_training(module)]

        def forward(x: Tensor) -> Any:
            return kept(model(x))

        self._compiled = autodiff.compile(forward, in_axes=None, of=Tensor, maxsize=KEPT)
        self._batches: dict[Any, ArrayBatch] = {}

    def batch(self, X: NDArray[Any]) -> ArrayBatch:
        """The model as it is now, for batches of this shape.

        Raises:
            RefusedError: a trace cannot capture what it does, or somebody wants to see every operation or gradient.
        """
        if current()[2] is not None:
            raise RefusedError(TraceError("every operation is observed here, so that each has to be computed"), [])
        for module in self._restless:
            if module.training and getattr(module, "p", None) != 0:
                what = f"{head(module)} draws random numbers or keeps averages in training"
                raise RefusedError(TraceError(f"{what}, which the replay of a trace would not do"), [])
        with keeping() as outputs:
            try:
                entry, _ = self._compiled._entry((X,), {})
                batch = self._batches.get(entry)
                if batch is None:
                    if len(self._batches) >= KEPT:
                        self._batches.clear()
                    batch = self._batches[entry] = ArrayBatch(entry)
            except Exception as error:  # an error of the model itself comes again where it goes eagerly
                raise RefusedError(error, outputs) from error
        for p in batch.parameters:
            if has_hooks(p):
                raise RefusedError(TraceError(f"{p.name()} has a gradient hook, which would not be called"), [])
        return batch


class ArrayBatch:
    """A traced model beside arrays of its own, for batches of one shape.

    Attributes:
        parameters: the leaves that it computes with.
        carried: which of them carried a gradient when it was traced.
    """

    def __init__(self, entry: Any) -> None:
        outputs, program = entry.trace.returned, entry.program
        if not isinstance(outputs, Tensor) or not outputs.ndim:
            raise TraceError("the model gives no Tensor with an output for each sample")
        self.parameters: list[Any] = list(entry.trace.captured)
        self.carried = [p.requires_grad for p in self.parameters]
        found = reached(program, [0])
        self._arrays = [np.array(sample) for sample in entry.samples]
        leaves = dict(zip(program.shared, self._arrays, strict=True))
        self._moved = []  # parameters beside the arrays for their gradients
        gradients = {}
        for number, p in zip(program.shared[1:], self.parameters, strict=True):
            if p.requires_grad and number in found:
                gradients[number] = np.zeros_like(p.data)
                self._moved.append((p, gradients[number]))
        self._seed = np.ones_like(outputs.data)
        with np.errstate(all="ignore"):
            self._replay = Replay(program, leaves, gradients, [self._seed])

    def forward(self, X: NDArray[Any]) -> NDArray[Any]:
        """The outputs."""
        np.copyto(self._arrays[0], X)
        for array, p in zip(self._arrays[1:], self.parameters, strict=True):
            np.copyto(array, p.data)
        self._replay.forward()
        outputs: NDArray[Any] = self._replay.outputs[0].copy()
        return outputs

    def pull(self, gradient: NDArray[Any]) -> list[tuple[Any, NDArray[Any]]]:
        """From d loss / d outputs to each parameter with its gradient, in arrays that are new."""
        self._seed[...] = gradient
        self._replay.backward()
        return [(p, found.copy()) for p, found in self._moved]


def _modules(model: Any) -> list[Any]:
    return [module for _, module in model.named_modules()] if hasattr(model, "named_modules") else []


def _changes_in_training(module: Any) -> bool:
    """Whether it is a layer of nn that asks whether it is being trained, as Dropout and BatchNorm do."""
    own = [f for kind in type(module).__mro__ if kind.__module__.startswith("nn.layers") for f in vars(kind).values()]
    return any("training" in f.__code__.co_names for f in own if isinstance(f, FunctionType))
