"""Gradients of several leaves in one piece of memory, so that to look at all of them, or to lend them, is one act."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class _Place(NamedTuple):
    dtype: Any
    start: int
    stop: int
    shape: tuple[int, ...]
    by_columns: bool  # Fortran's order


class Packed:
    """Zeros like some arrays, which stand side by side in memory (in one piece for each dtype).

    Args:
        arrays: by the number of the leaf.

    Attributes:
        memory: one vector for each dtype.
        arrays: the zeros, in the shapes of the arrays; parts of ``memory``.

    >>> packed = Packed({3: np.ones((2, 2)), 5: np.ones(3)})
    >>> packed.arrays[5][:] = 7
    >>> packed.memory
    [array([0., 0., 0., 0., 7., 7., 7.])]
    """

    def __init__(self, arrays: Mapping[int, NDArray[Any]]) -> None:
        self._places: dict[int, _Place] = {}
        sizes: dict[Any, int] = {}
        for number, array in arrays.items():
            start = sizes.get(array.dtype, 0)
            sizes[array.dtype] = stop = start + array.size
            by_columns = array.flags.f_contiguous and not array.flags.c_contiguous
            self._places[number] = _Place(array.dtype, start, stop, array.shape, by_columns)
        self.memory = [np.zeros(size, dtype) for dtype, size in sizes.items()]
        self.arrays = self.parts(self.memory)

    def parts(self, memory: list[NDArray[Any]]) -> dict[int, NDArray[Any]]:
        """The same arrays as parts of other vectors, of the sizes and dtypes of ``memory``."""
        vectors = {vector.dtype: vector for vector in memory}
        return {number: _part(vectors[place.dtype], place) for number, place in self._places.items()}


def _part(vector: NDArray[Any], place: _Place) -> NDArray[Any]:
    part = vector[place.start : place.stop]
    return part.reshape(place.shape[::-1]).T if place.by_columns else part.reshape(place.shape)
