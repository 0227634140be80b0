"""Embedding: a learnt row of numbers for each letter, word or category."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff import Tensor, take
from nn.checks import Seed, size, tensor
from nn.initializers import Initializer
from nn.initializers import initializer as initializer_named
from nn.module import Module


class Embedding(Module):
    """The rows of a matrix, picked by number: the linear layer of a one-hot vector, without the zeros.

    Source: Bengio, Ducharme, Vincent, Jauvin 2003, Journal of Machine Learning Research 3.

    Args:
        count: how many things there are; they are numbered from 0 to count - 1.
        outputs: how many numbers each of them becomes.
        initializer: of the numbers: a name (see ``nn.initializers``) or a function; by default normal, of variance 1.
        seed: an integer, or the NumPy generator to draw them from; None draws others every time.

    Shapes: x (...) of whole numbers, such as (N, T); output (..., outputs); weight (count, outputs).

    A row that is picked several times gets the sum of the gradients.

    >>> letters = Embedding(27, 8, seed=0)
    >>> letters([[0, 1, 26], [3, 3, 3]]).shape
    (2, 3, 8)
    >>> letters([[0, 1, 27], [3, 3, 3]])
    Traceback (most recent call last):
    ...
    IndexError: Embedding(27, 8) has rows from 0 to 26, and x[0, 2] is 27

    Raises:
        ValueError: a size below one, an unknown initializer.
        IndexError: x has a number below 0, or of count and more.
        TypeError: x holds no whole numbers; floats such as 3.0 are not taken either.
    """

    def __init__(
        self, count: int, outputs: int, *, initializer: str | Initializer = "normal", seed: Seed = None
    ) -> None:
        self.count, self.outputs = size(count, "count"), size(outputs, "outputs")
        draw = initializer_named(initializer)
        self.weight = Tensor(draw((self.count, self.outputs), np.random.default_rng(seed)), label="E")

    def forward(self, x: Any) -> Any:
        """The rows with the numbers in x."""
        places = tensor(self, x).data
        if places.dtype.kind not in "iu":
            raise TypeError(f"{self!r} takes whole numbers, and was given {places.dtype}; write x.astype(int)")
        outside = np.argwhere((places < 0) | (places >= self.count))
        if len(outside):
            at = tuple(outside[0].tolist())
            where = f"x[{', '.join(map(str, at))}]" if at else "x"
            raise IndexError(f"{self!r} has rows from 0 to {self.count - 1}, and {where} is {places[at]}")
        return take(self.weight, places, axis=0)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.count}, {self.outputs}"
