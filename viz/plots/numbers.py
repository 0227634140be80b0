"""What users give as plain arrays: Values, Tensors, lists of them, frames and arrays alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import Node
from autodiff.trees import map_tree

Array = NDArray[Any]

LARGEST = 1e200  # beyond this the scales of matplotlib overflow


def plain(given: Any) -> Any:
    """The same without nodes: each gives what it holds."""
    return map_tree(lambda leaf: leaf.data if isinstance(leaf, Node) else leaf, given)


def any_array(given: Any, what: str) -> Array:
    """``given`` as an array of numbers or words; a message calls it ``what``.

    Raises:
        TypeError: it is neither.
        ValueError: its rows differ in length.
    """
    if given is None or callable(given):
        raise TypeError(f"{what}: expected an array, a list or a Tensor, and was given {_described(given)}")
    try:
        array = np.asarray(plain(given))
    except ValueError as error:
        raise ValueError(f"{what}: the rows differ in length; expected as many numbers in each") from error
    if array.dtype.kind == "O" and all(isinstance(item, str) for item in array.flat):
        return array.astype(str)
    if array.dtype.kind == "O":  # fractions, and columns of frames
        try:
            return array.astype(float)
        except (TypeError, ValueError):
            pass
    if array.dtype.kind not in "fiubUT":
        raise TypeError(f"{what}: expected real numbers, and was given {_described(given)} of {array.dtype}")
    return array


def number_array(given: Any, what: str, *shape: str) -> Array:
    """``given`` as an array of floats, with as many axes as ``shape`` has names (any number without names).

    >>> from autodiff import Value
    >>> number_array([Value(1.0), 2], "the series", "n")
    array([1., 2.])

    Raises:
        TypeError: it is not made of real numbers.
        ValueError: it has another number of axes, or its rows differ in length.
    """
    array = any_array(given, what)
    if array.dtype.kind in "UT":
        raise TypeError(f"{what}: expected numbers, and was given words such as {str(array.flat[0])!r}")
    if len(shape) == 1 and array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]  # a column is a list of numbers
    if shape and array.ndim != len(shape):
        raise ValueError(f"{what}: expected the shape ({', '.join(shape)}{',' * (len(shape) == 1)}), got {array.shape}")
    return array.astype(float)


def drawable(numbers: Array) -> Any:
    """Which numbers can be drawn: those that are finite, and not beyond all scales."""
    with np.errstate(invalid="ignore"):
        return np.abs(numbers) <= LARGEST


def _described(given: Any) -> str:
    return "None" if given is None else f"{type(given).__name__}"
