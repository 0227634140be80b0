"""Python's operators and NumPy's protocols, bound to nodes; a row of the table says which operator it implements."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from autodiff import errors, numpy_protocols
from autodiff.backprop import backward
from autodiff.copying import reduce_leaf
from autodiff.graph import Node
from autodiff.hooks import register_hook
from autodiff.primitives import TABLE
from autodiff.primitives.row import Primitive, plain


def _comparison(relation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda self, other: relation(self._held, plain(other))


def _conversion(kind: type) -> Callable[[Any], Any]:
    def convert(self: Any) -> Any:
        if self.requires_grad:
            raise errors.leaves_graph(self, f"{kind.__name__}()")
        return kind(self.item())

    return convert


class Operators(Node):
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

    # Comparisons answer with plain booleans. == is left alone: a node is equal only to itself.
    __lt__ = _comparison(operator.lt)
    __le__ = _comparison(operator.le)
    __gt__ = _comparison(operator.gt)
    __ge__ = _comparison(operator.ge)
    # A plain number out of a node would have lost its gradient, so math.exp(value) is refused.
    __float__ = _conversion(float)
    __int__ = _conversion(int)
    __complex__ = _conversion(complex)

    def __bool__(self) -> bool:
        return bool(self._held)

    def __format__(self, spec: str) -> str:
        return format(self._held if np.ndim(self._held) else self.item(), spec)

    def item(self) -> Any:
        """The one number as a plain Python number: the explicit way out of the graph."""
        return self._held.item() if isinstance(self._held, np.ndarray) else self._held

    def __round__(self, digits: int | None = None) -> Any:
        if digits and self.requires_grad:
            raise errors.leaves_graph(self, f"round() to {digits} digits")
        return round(self.item(), digits) if digits else TABLE["round"](self)

    def __repr__(self) -> str:
        shown = repr(self._held)
        if isinstance(self._held, np.ndarray):
            shown = np.array2string(self._held, separator=", ", prefix="Tensor(", threshold=100)
            shown += "" if self._held.dtype in (np.float64, np.int64, np.bool_) else f", dtype={self._held.dtype}"
        label = f", label={self.label!r}" if self.label else ""
        made = f", op={self.op.name}" if self.op else "" if self.requires_grad else ", requires_grad=False"
        return f"{type(self).__name__}({shown}{label}{made})"


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
