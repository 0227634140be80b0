"""Tensor: a node that holds one array."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

import numpy as np

from autodiff.casting import FLOAT, array_gradient, array_result, as_array, as_array_like, as_constant
from autodiff.context import current
from autodiff.errors import in_context, in_place, mixed, wrong_shape
from autodiff.graph import Node, new, record
from autodiff.operators import Operators, bind
from autodiff.primitives import TABLE
from autodiff.primitives.row import Primitive
from autodiff.primitives.shapes import frozen, is_basic, pad, split

GETITEM, TRANSPOSE = TABLE["getitem"], TABLE["transpose"]
_RAISED = (ValueError, IndexError, TypeError, np.linalg.LinAlgError)  # what NumPy raises at shapes that do not fit


class Tensor(Operators):
    """One NumPy array in a computation graph.

    Args:
        data: an array or nested lists of numbers. The tensor keeps a read-only copy of its own.
        requires_grad: whether gradients flow to it: by default where the dtype is floating or complex;
            integers and booleans are constants.
        label: the name of the variable, for drawings, explanations and messages.
        dtype: a NumPy dtype to convert to.

    Raises:
        TypeError: the data are not numbers, or integers are asked to carry a gradient.

    >>> from autodiff import Tensor
    >>> w = Tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> (w @ [1.0, 10.0]).sum().backward()
    >>> w.grad
    array([[ 1., 10.],
           [ 1., 10.]])
    """

    __slots__ = ()

    def __init__(
        self, data: Any, *, requires_grad: bool | None = None, label: str | None = None, dtype: Any = None
    ) -> None:
        array = as_array(data, dtype)
        floating = array.dtype.kind in "fc"
        if requires_grad and not floating:
            raise TypeError(f"integers carry no gradient, and these are {array.dtype}; write Tensor(..., dtype=float)")
        self._set_leaf(array, floating if requires_grad is None else requires_grad, label)

    def cast_like(self, data: Any) -> Any:
        if np.shape(data) != self._held.shape:
            raise wrong_shape(self, data, "new data")
        return as_array_like(self._held, data)

    def one(self) -> Any:
        return np.ones(self._held.shape, self._held.dtype)

    def own(self, gradient: Any, taken: set[int]) -> Any:
        return array_gradient(self, gradient, taken)

    @classmethod
    def lift(cls, other: Any, beside: Any) -> Tensor:
        """A number or array that meets a tensor, as a constant; plain numbers take its dtype (NumPy's rule)."""
        if isinstance(other, Tensor):
            return other
        if isinstance(other, Node):
            raise mixed(beside, other)
        node = new(Tensor)
        node._set_leaf(as_constant(other, beside._held.dtype), False, None)
        return node

    @classmethod
    def apply(cls, op: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        beside = next(x for x in args if isinstance(x, Tensor))
        inputs = tuple([x if type(x) is Tensor else cls.lift(x, beside) for x in args])
        return _computed(op, inputs, [x._held for x in inputs], params, any([x.requires_grad for x in inputs]))

    shape = property(attrgetter("_held.shape"), doc="The lengths of the axes.")
    ndim = property(attrgetter("_held.ndim"), doc="The number of axes.")
    size = property(attrgetter("_held.size"), doc="The number of entries.")
    dtype = property(attrgetter("_held.dtype"), doc="The NumPy dtype.")
    T = property(lambda self: _viewed(self, TRANSPOSE, self._held.T, {"axes": None}), doc="All axes in reverse order.")
    mT = property(lambda self: self.swapaxes(-1, -2), doc="The matrix transpose: the last two axes swapped.")

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        index = index if is_basic(index) else frozen(index)
        try:
            view = self._held[index]
        except IndexError as error:
            raise in_context(error, GETITEM, (self,), {"index": index}) from error
        return _viewed(self, GETITEM, view, {"index": index})

    def __setitem__(self, index: Any, value: Any) -> None:
        raise in_place()

    def reshape(self, *shape: Any) -> Tensor:
        """The same entries in another shape: ``t.reshape(2, -1)`` or ``t.reshape((2, -1))``."""
        return TABLE["reshape"](self, shape[0] if len(shape) == 1 else shape)  # type: ignore[no-any-return]

    def transpose(self, *axes: Any) -> Tensor:
        """The axes in reverse order, or in the order given."""
        return TABLE["transpose"](self, (axes[0] if len(axes) == 1 else axes) or None)  # type: ignore[no-any-return]

    split = split
    pad = pad


def _viewed(x: Tensor, op: Primitive, view: Any, params: dict[str, Any]) -> Any:
    """A part or another order of ``x``: recorded straight on, as loops over time steps take many small views."""
    view = view if type(view) is np.ndarray else array_result(op, (x,), view)
    view.setflags(False)  # type: ignore[call-arg]
    return record(Tensor, op, (x,), view, params, x.requires_grad)


def _computed(op: Primitive, inputs: tuple[Tensor, ...], arrays: Any, params: dict[str, Any], carries: bool) -> Any:
    try:
        data = (op.array if current()[3] else op.quiet)(*arrays, **params)
    except _RAISED as error:
        raise in_context(error, op, inputs, params) from error
    if type(data) is not np.ndarray or data.dtype is not FLOAT:
        data = array_result(op, inputs, data)
    data.setflags(False)  # not to be written to; with the argument's name it takes twice the time
    return record(Tensor, op, inputs, data, params or None, carries)


def _unary(op: Primitive) -> Callable[[Tensor], Tensor]:
    return lambda self: _computed(op, (self,), (self._held,), {}, self.requires_grad)


def _binary(op: Primitive) -> Callable[[Tensor, Any], Tensor]:
    def method(self: Tensor, other: Any) -> Any:
        if type(other) is not Tensor:
            other = Tensor.lift(other, self)
        return _computed(op, (self, other), (self._held, other._held), {}, self.requires_grad or other.requires_grad)

    return method


bind(Tensor, [op for op in TABLE.values() if not op.variadic], _unary, _binary)
