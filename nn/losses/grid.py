"""Grid: nested lists of Values seen as an array, so that the same checks and formulas serve both tiers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from numbers import Number
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import Node, Value


class Grid:
    """Numbers and Values, with the shape in which they are laid out.

    >>> grid = Grid.of([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]], "the prediction")
    >>> grid.shape
    (2, 2)
    >>> grid.each(lambda p, t: p - t, Grid([1, 1, 1, 1], (2, 2))).mean().data
    1.5
    """

    __slots__ = ("numbers", "shape")

    def __init__(self, numbers: list[Any], shape: tuple[int, ...]) -> None:
        self.numbers = numbers
        self.shape = shape

    @classmethod
    def of(cls, nested: Any, name: str) -> Grid:
        """Lists of lists of numbers and Values, or a single one; a message calls it ``name``.

        Raises:
            ValueError: lists beside each other differ in length.
            TypeError: there is something other than numbers and Values.
        """
        level: list[Any] = [nested]
        shape: tuple[int, ...] = ()
        while level and any(_is_list(part) for part in level):
            lengths = [len(part) if _is_list(part) else None for part in level]
            if len(set(lengths)) > 1:
                odd = next(i for i, length in enumerate(lengths) if length != lengths[0])
                shown = [
                    f"row {i} is one number" if lengths[i] is None else f"row {i} has {lengths[i]} numbers"
                    for i in (0, odd)
                ]
                raise ValueError(f"{name} has rows of unequal length: {', '.join(shown)}")
            shape = (*shape, len(level[0]))
            level = [x for part in level for x in (part.tolist() if isinstance(part, np.ndarray) else part)]
        for x in level:
            if not isinstance(x, Value | Number):
                raise TypeError(f"{name} holds {str(x)[:60]!r}, a {type(x).__name__}; expected numbers and Values")
        return cls(level, shape)

    @property
    def data(self) -> NDArray[Any]:
        """What the Values hold, as an array of floats."""
        plain = [x.data if isinstance(x, Node) else x for x in self.numbers]
        return np.array(plain, dtype=float).reshape(self.shape)

    def reshape(self, shape: tuple[int, ...]) -> Grid:
        """The same numbers in another shape."""
        return Grid(self.numbers, shape)

    def each(self, formula: Callable[[Any, Any], Any], other: Grid) -> Grid:
        """``formula`` of every number and the one in the same place of ``other``."""
        return Grid([formula(a, b) for a, b in zip(self.numbers, other.numbers, strict=True)], self.shape)

    def each_row(self, formula: Callable[[list[Any], Any], Any], beside: Sequence[Any]) -> Grid:
        """``formula`` of every row (along the last axis) and the item of ``beside`` that belongs to it."""
        n = self.shape[-1]
        rows = [self.numbers[start : start + n] for start in range(0, len(self.numbers), n)]
        return Grid([formula(row, item) for row, item in zip(rows, beside, strict=True)], self.shape[:-1])

    def sum(self) -> Any:
        """The sum of all numbers."""
        return reduce(add, self.numbers)

    def mean(self) -> Any:
        """The mean of all numbers."""
        return self.sum() / len(self.numbers) if len(self.numbers) > 1 else self.numbers[0]

    def tolist(self) -> Any:
        """Lists of lists again, or the single number."""
        rows = self.numbers
        for n in reversed(self.shape):
            rows = [rows[start : start + n] for start in range(0, len(rows), n)]
        return rows[0]


def _is_list(thing: Any) -> bool:
    return isinstance(thing, list | tuple) or (isinstance(thing, np.ndarray) and thing.ndim > 0)
