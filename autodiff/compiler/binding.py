"""A re-rolled program beside the vector of parameters and the matrix of inputs that it reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff.compiler.bound import Bound
from autodiff.compiler.numpy_backend import Replay
from autodiff.compiler.replay.lending import LARGE
from autodiff.compiler.reroll import Blocks
from autodiff.compiler.rerolling.views import Rows, strided


class BoundBlocks(Bound):
    """A re-rolled program for one size of batch; see :class:`Bound`."""

    def __init__(
        self, blocks: Blocks, batch: int, *, wrt_P: bool = True, wrt_X: bool = False, dtype: Any = np.float64
    ) -> None:
        super().__init__(blocks.scalar, batch, wrt_P, wrt_X, dtype)
        program = blocks.program(batch, dtype)
        self._copied: list[tuple[NDArray[Any], NDArray[Any] | None, NDArray[Any], Rows]] = []
        self._scattered: list[_Scattered] = []
        self._borrowers: dict[tuple[bool, int, int], _Borrower] = {}
        leaves: dict[int, NDArray[Any]] = {}
        gradients: dict[int, NDArray[Any]] = {}
        for numbers, indices, source, gradient in (
            (program.shared, blocks.parameters, self.P, self.dP),
            (program.varying, blocks.inputs, self.X, self.dX),
        ):
            shapes = {number: blocks.leaf_shape(program, number, batch) for number in numbers}
            for k, (number, index) in enumerate(zip(numbers, indices, strict=True)):
                in_place = source is self.P or k in blocks.multiplied
                if in_place and _is_large_run(k, indices, source):
                    first, last = int(index.flat[0]), int(index.flat[-1]) + 1
                    part = source[first:last]
                    own = part.reshape(shapes[number]) if source is self.P else np.ones_like(part)
                    self._borrowers[source is self.X, first, last] = _Borrower(number, own, part)
                    leaves[number] = own
                else:
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

    def borrow(self, array: NDArray[Any], varies: bool, start: int, stop: int) -> bool:
        """Read many parameters, or rows of inputs, from ``array`` itself until told otherwise, if that can be.

        Args:
            array: in the order of memory the parameters, or the inputs of each example.
            varies: whether they are inputs.
            start, stop: where they are in ``P`` or ``X``.

        Returns:
            whether it can; else they are to be written into ``P`` or ``X``.
        """
        borrower = self._borrowers.get((varies, start, stop))
        if borrower is None:
            return False
        own = borrower.own
        if array.dtype == own.dtype and array.flags.c_contiguous and array.flags.aligned and array.size == own.size:
            wanted = array.reshape(own.T.shape).T if varies else array.reshape(own.shape)
        else:
            wanted = own
        if wanted.strides != own.strides:  # along an axis of length 1 they may be anything
            wanted = own
        if wanted.ctypes.data != borrower.now.ctypes.data:
            self._replay.rebind(borrower.leaf, wanted)
            borrower.now = wanted
        return wanted is not own

    def forward(self) -> None:
        """Compute the outputs."""
        for borrower in self._borrowers.values():
            if borrower.now is borrower.own and borrower.own.base is not borrower.part.base:
                np.copyto(borrower.own, borrower.part)
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


@dataclass
class _Borrower:
    """A leaf that can be read from an array of the caller, so that it need not be copied."""

    leaf: int
    own: NDArray[Any]  # from where it is read else: a part of P, or a copy of
    part: NDArray[Any]  # ... this part of X
    now: NDArray[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.now = self.own


def _is_large_run(k: int, indices: list[Rows], source: NDArray[Any]) -> bool:
    """Whether leaf ``k`` is a run of many numbers, each in its place, that no other leaf has."""
    index = indices[k]
    first, size = int(index.flat[0]), index.size
    if size * source[0].size < LARGE or (source.ndim == 2 and index.ndim > 1):
        return False
    if (index.ravel() != np.arange(first, first + size)).any():
        return False
    return not any(((other >= first) & (other < first + size)).any() for i, other in enumerate(indices) if i != k)


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
        if not self.others:
            return
        with np.errstate(all="ignore"):  # inf and NaN are answers here
            for index, gradient, once in self.others:
                if once:
                    self.total[index] += gradient
                else:
                    np.add.at(self.total, index, gradient)
