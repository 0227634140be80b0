"""A re-rolled program beside the vector of parameters and the matrix of inputs that it reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff.compiler.numpy_backend import Replay
from autodiff.compiler.reroll import Blocks
from autodiff.compiler.views import Rows, strided


class BoundBlocks:
    """A re-rolled program for one size of batch. Write into ``P``, ``X`` and ``seed``, run, and read the rest.

    Attributes:
        P: the parameters, of shape (parameters,).
        X: the inputs, of shape (inputs, batch). In memory the numbers of one example stand together.
        outputs: of shape (outputs, batch).
        seed: the gradient that each output starts from, of the same shape.
        dP, dX: gradients in the shapes of P and X, or None where they were not asked for.
    """

    def __init__(
        self, blocks: Blocks, batch: int, *, wrt_P: bool = True, wrt_X: bool = False, dtype: Any = np.float64
    ) -> None:
        scalar, program = blocks.scalar, blocks.program(batch, dtype)
        self.P = np.ones(len(scalar.shared), dtype)
        self.X = np.ones((batch, len(scalar.varying)), dtype).T
        self.seed = np.ones((len(scalar.outputs), batch), dtype)
        self.dP = np.zeros_like(self.P) if wrt_P else None
        self.dX = np.zeros_like(self.X) if wrt_X else None
        self._copied: list[tuple[NDArray[Any], NDArray[Any] | None, NDArray[Any], Rows]] = []
        self._scattered: list[_Scattered] = []
        leaves: dict[int, NDArray[Any]] = {}
        gradients: dict[int, NDArray[Any]] = {}
        for numbers, indices, source, gradient in (
            (program.shared, blocks.parameters, self.P, self.dP),
            (program.varying, blocks.inputs, self.X, self.dX),
        ):
            shapes = {number: blocks.leaf_shape(program, number, batch) for number in numbers}
            for k, (number, index) in enumerate(zip(numbers, indices, strict=True)):
                in_place = source is self.P or k in blocks.multiplied
                leaves[number] = self._leaf(source, index, in_place).reshape(shapes[number])
            if gradient is not None:
                scattered = _Scattered(gradient)
                for number, index in zip(numbers, indices, strict=True):
                    gradients[number] = scattered.slot(index).reshape(shapes[number])
                self._scattered.append(scattered)
        differentiated = wrt_P or wrt_X
        self._replay = Replay(program, leaves, gradients, [self.seed] if differentiated else None)
        self.outputs = self._replay.outputs[0]

    def _leaf(self, source: NDArray[Any], index: Rows, in_place: bool) -> NDArray[Any]:
        view = strided(source, index)
        if view is not None and in_place:
            return view
        # A matrix product reads the examples one after the other as quickly; everything else wants them side by side.
        copy = np.array(source[index], order="C")
        self._copied.append((copy, view, source, index))
        return copy

    def forward(self) -> None:
        """Compute the outputs."""
        for copy, view, source, index in self._copied:
            if view is not None:
                np.copyto(copy, view)
            else:
                np.take(source, index, 0, copy, "clip")
        self._replay.forward()

    def backward(self) -> None:
        """Compute the gradients, after ``forward``."""
        self._replay.backward()
        for scattered in self._scattered:
            scattered.collect()

    def run(self) -> None:
        """Both."""
        self.forward()
        self.backward()


class _Scattered:
    """The places of one vector of gradients into which the gradients of leaves go, wherever their entries stand."""

    def __init__(self, total: NDArray[Any]) -> None:
        self.total = total
        self.taken = np.zeros(len(total), bool)
        self.rest: Rows | None = None  # what is not taken, known when all leaves have asked
        self.others: list[tuple[Rows, NDArray[Any], bool]] = []

    def slot(self, index: Rows) -> NDArray[Any]:
        """Where the gradient of a leaf with these entries is to be written: in place, if no other leaf has them."""
        once = np.bincount(index.ravel()).max(initial=0) <= 1  # windows that overlap are no place to write to
        view = strided(self.total, index) if once and not self.taken[index].any() else None
        if view is not None:
            self.taken[index] = True
            return view
        copy = np.zeros((*index.shape, *self.total.shape[1:]), self.total.dtype)
        self.others.append((index, copy, once))
        return copy

    def collect(self) -> None:
        """Add what could not be written in place; what no leaf has is 0."""
        if self.rest is None:
            self.rest = np.flatnonzero(~self.taken)
        if self.rest.size:
            self.total[self.rest] = 0
        for index, gradient, once in self.others:
            if once:
                self.total[index] += gradient
            else:
                np.add.at(self.total, index, gradient)
