"""What users give, as what nodes keep: a float, a Fraction or a complex number; a read-only array."""

from __future__ import annotations

import numbers
from fractions import Fraction
from typing import Any

import numpy as np

from autodiff.errors import describe, holds_no_array, holds_one_number
from autodiff.graph import Node


def as_number(data: Any) -> Any:
    """``data`` as a Value keeps it; TypeError where it is not one number."""
    if isinstance(data, np.ndarray) and data.ndim == 0:
        data = data[()]
    if isinstance(data, Fraction):
        return data
    if isinstance(data, np.complexfloating | complex):
        return complex(data)
    if isinstance(data, numbers.Real | np.bool_):
        try:
            return float(data)
        except OverflowError:
            raise OverflowError(f"{str(data)[:20]}... is too large for a float; Fraction(...) keeps it exact") from None
    raise holds_one_number(data)


def as_array(data: Any, dtype: Any = None) -> Any:
    """``data`` as a Tensor keeps it: an array that nobody else can change; TypeError where it is no numbers."""
    if type(data) is not np.ndarray:
        if isinstance(data, Node):
            raise TypeError(f"Tensor was given {describe(data)}, a node already; .detach() is a constant of it")
        if hasattr(data, "mask"):
            raise TypeError("Tensor would lose the mask of a masked array; fill it first, with .filled(0)")
    array = np.array(data, dtype=dtype)
    if array.dtype.kind not in "fciub":
        raise holds_no_array(data, array.dtype)
    array.setflags(write=False)
    return array
