"""Python's operators and NumPy's protocols, bound to nodes; a row of the table says which operator it implements."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

from autodiff import numpy_protocols
from autodiff.backprop import backward
from autodiff.copying import reduce_leaf
from autodiff.exits import Exits
from autodiff.hooks import register_hook
from autodiff.primitives import TABLE
from autodiff.primitives.row import Primitive


class Operators(Exits):
    """What Value and Tensor have in common, beyond being nodes."""

    __slots__ = ()
    __array_ufunc__ = numpy_protocols.array_ufunc
    __array_function__ = numpy_protocols.array_function
    __array__ = numpy_protocols.array
    backward = backward
    register_hook = register_hook
    __reduce_ex__ = reduce_leaf  # type: ignore[assignment]

    if TYPE_CHECKING:  # bound from the table: one method for each row, see bind()

        def __getattr__(self, name: str) -> Callable[..., Self]: ...
        def __add__(self, other: Any) -> Self: ...
        def __neg__(self) -> Self: ...

        __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __add__
        __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __add__
        __abs__ = __neg__


def bind(kind: Any, rows: Iterable[Primitive], unary: Callable[..., Any], binary: Callable[..., Any]) -> None:
    """Give ``kind`` a method for each row, and the Python operator that the row implements."""
    for op in rows:
        make = _method if op.defaults else {1: unary, 2: binary}.get(op.arity or 0, _method)
        method = make(op)
        method.__name__, method.__doc__ = op.name, op.__doc__
        if not hasattr(kind, op.name):
            setattr(kind, op.name, method)
        if op.operator:
            setattr(kind, f"__{op.operator}__", _with_shortcuts(op, method) if op.shortcuts else method)
            if op.arity == 2:
                setattr(kind, f"__r{op.operator}__", _reflected(kind, method))


def _method(op: Primitive) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **params: Any) -> Any:
        if args or params or op.needs or op.arity != 1:
            return op(self, *args, **params)
        return self.apply(op, (self,), op.defaults)

    return method


def _reflected(kind: Any, method: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: method(kind.lift(other, self), self)


def _with_shortcuts(op: Primitive, method: Callable[..., Any]) -> Callable[..., Any]:
    shorter = {number: TABLE[name] for number, name in op.shortcuts.items()}

    def shortened(self: Any, other: Any) -> Any:
        if type(other) in (int, float) and other in shorter:
            return shorter[other](self)
        return method(self, other)

    return shortened
