"""A re-rolled program beside the batch for which it was asked: to print and to draw."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from autodiff.compiler.program import Program
from autodiff.compiler.reroll import Blocks
from autodiff.tensor import Tensor


class Rerolled:
    """What became of a function of single numbers: matrix products, and operations on blocks of numbers.

    Attributes:
        batch: how many examples there were.

    >>> import numpy as np
    >>> from autodiff import compile, tanh
    >>> @compile
    ... def layer(W, x):
    ...     return [tanh(sum(w * xi for w, xi in zip(row, x))) for row in W]
    >>> blocks = layer.blocks(np.ones((3, 2)), np.ones((5, 2)))
    >>> print(blocks)
    2 instructions on 1 shared and 1 varying leaf, 1 output
      v2 = W @ x
      v3 = tanh(v2)
      return v3
    >>> blocks.graph(4).shape  # an output for each row, an example in each column
    (3, 4)
    """

    def __init__(self, blocks: Blocks, P: NDArray[Any], X: NDArray[Any]) -> None:
        self._blocks, self._P, self._X = blocks, P, X
        self.batch: int = X.shape[1]

    def program(self, batch: int | None = None) -> Program:
        """The array program for so many examples, by default for those of the batch."""
        return self._blocks.program(self.batch if batch is None else batch)

    def graph(self, examples: int = 1) -> Tensor:
        """The same as a graph of tensors, of shape (outputs, examples): to look at, to explain and to draw.

        Args:
            examples: how many of the batch, from its first on.

        Raises:
            ValueError: there are not so many.
        """
        if not 1 <= examples <= self.batch:
            raise ValueError(f"examples={examples!r}: the batch has {self.batch}, and at least one is drawn")
        return self._blocks.graph(examples, self._P, self._X[:, :examples])

    def __str__(self) -> str:
        return str(self.program())

    def __repr__(self) -> str:
        return f"<Rerolled {repr(self.program())[9:-1]}, for a batch of {self.batch:,}>"
