"""What users give and what operations return, as what nodes keep: one number, or a read-only array."""

from __future__ import annotations

import numbers
from fractions import Fraction
from typing import Any

import numpy as np

from autodiff.errors import ExactError, GraphError, describe, holds_no_array, holds_one_number, inexact
from autodiff.graph import Node
from autodiff.primitives.row import NUMBERS

FLOAT = np.dtype(float)


def as_number(data: Any) -> Any:
    """``data`` as a Value keeps it; TypeError where it is not one number."""
    if isinstance(data, np.ndarray) and data.ndim == 0:
        data = data[()]
    if not isinstance(data, (float, int)):  # nearly always one of these
        if isinstance(data, Fraction):
            return data
        if isinstance(data, (complex, np.complexfloating)):
            return complex(data)
        if not isinstance(data, (numbers.Real, np.bool_)):
            raise holds_one_number(data)
    try:
        return float(data)
    except OverflowError:
        raise OverflowError(f"{str(data)[:20]}... is too large for a float; Fraction(...) keeps it exact") from None


def as_number_like(number: Any, data: Any) -> Any:
    """``data`` as a number that can stand where ``number`` stood: exact, where it is exact."""
    data = as_number(data)
    if type(number) is Fraction and isinstance(data, float) and data.is_integer():
        return Fraction(int(data))
    if type(number) is float and isinstance(data, Fraction):
        return float(data)
    if type(data) is not type(number) and type(number) is not complex:
        kind = ExactError if type(number) is Fraction else TypeError
        raise kind(f"a {type(number).__name__} was there, and {describe(data)} would change its kind")
    return complex(data) if type(number) is complex else data


def number_gradient(node: Any, gradient: Any) -> Any:
    """A gradient in the type of the number that it belongs to."""
    if type(node._held) is Fraction and not isinstance(gradient, numbers.Rational):
        if gradient != 0:
            raise ExactError(f"the gradient of {node.name()} is no fraction: {gradient!r}")
        gradient = 0
    if type(node._held) is float and isinstance(gradient, complex):
        raise GraphError(f"{node.name()} is real and its gradient is complex; make it a complex leaf")
    return type(node._held)(gradient)


def as_constant(other: Any, dtype: Any) -> Any:
    """What meets an array of ``dtype``, as an array; a plain number takes that dtype (NumPy's rule)."""
    if type(other) not in NUMBERS:
        return as_array(other)
    if dtype.kind != "f" or type(other) is complex:
        dtype = np.result_type(dtype, other)
    return as_array(other, dtype)


def as_array(data: Any, dtype: Any = None) -> Any:
    """``data`` as a Tensor keeps it: an array that nobody else can change; TypeError where it is no numbers."""
    if type(data) is not np.ndarray:
        if isinstance(data, Node):
            raise TypeError(f"Tensor was given {describe(data)}, a node already; .detach() is a constant of it")
        if isinstance(data, np.ndarray) and hasattr(data, "mask"):
            raise TypeError("Tensor would lose the mask of a masked array; fill it first, with .filled(0)")
    array = np.array(data, dtype=dtype)
    if array.dtype.kind not in "fciub":
        raise holds_no_array(data, array.dtype)
    array.setflags(write=False)
    return array


def number_result(op: Any, given: tuple[Any, ...], data: Any) -> Any:
    """The result as a float, a Fraction or a complex number; exact where the inputs were exact."""
    kinds = {type(x) for x in given}
    if Fraction in kinds:
        if len(kinds) > 1:
            raise ExactError(
                f"{op.name}{given} mixes fractions and floats; write Fraction(1, 2) for 0.5, or floats only"
            )
        if not isinstance(data, numbers.Rational):
            raise inexact(op.name, given)
        return Fraction(data)
    if complex in kinds and not op.analytic:
        raise TypeError(f"{op.name} has no derivative at a complex number, and was given {given}")
    return complex(data) if complex in kinds else float(data)


def as_array_like(array: Any, data: Any) -> Any:
    """``data`` as an array that can stand where ``array`` stood: of its dtype, where that loses nothing in kind."""
    data = np.asarray(data)
    if not np.can_cast(data.dtype, array.dtype, "same_kind"):
        raise TypeError(f"data of dtype {array.dtype} were there, and {data.dtype} would be cut to fit")
    return as_array(data, array.dtype)


def array_result(op: Any, inputs: tuple[Any, ...], data: Any) -> Any:
    """The result as an array of numbers; complex numbers only through operations that continue to them."""
    data = np.asarray(data)
    if data.dtype.kind not in "fciub" or (not op.analytic and any(x._held.dtype.kind == "c" for x in inputs)):
        raise TypeError(f"{op.name} has no derivative on {', '.join([str(x.dtype) for x in inputs])}")
    return data


def array_gradient(node: Any, gradient: Any, taken: set[int]) -> Any:
    """A gradient as an array that no other node shares (``taken`` has the ids of those given away)."""
    if type(gradient) is not np.ndarray:
        gradient = np.full(node._held.shape, gradient, node._held.dtype)
    elif node.op is not None and id(gradient) not in taken:
        gradient.setflags(write=False)  # several computed nodes may share it: for looking at only
    elif id(gradient) in taken or gradient.base is not None or not gradient.flags.writeable:
        gradient = gradient.copy()
    if node.op is None:
        taken.add(id(gradient))
    return gradient
