"""Value: a node that holds one number."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from autodiff.casting import as_number
from autodiff.context import current
from autodiff.errors import ExactError, inexact, mixed, wrong_shape
from autodiff.graph import Node, new, record, tick
from autodiff.operators import Operators, bind, general_method
from autodiff.primitives import TABLE
from autodiff.primitives.row import Primitive

_RAISED = (ArithmeticError, ValueError, TypeError)  # what math raises where IEEE arithmetic has an answer


class Value(Operators):
    """One number in a computation graph.

    Args:
        data: a number. Integers and NumPy numbers become floats; a ``Fraction`` stays exact, and so does
            everything computed from it; a complex number is differentiated as holomorphic functions are.
        requires_grad: whether gradients flow to it; False makes a constant.
        label: the name of the variable, for drawings, explanations and messages.

    Raises:
        TypeError: ``data`` is not one number.

    >>> from autodiff import Value
    >>> w, x = Value(0.5, label="w"), Value(2.0, label="x")
    >>> y = (w * x).tanh()
    >>> y.backward()
    >>> f"{y:.4f}", round(w.grad, 4)
    ('0.7616', 0.8399)
    """

    __slots__ = ()

    def __init__(self, data: Any, *, requires_grad: bool = True, label: str | None = None) -> None:
        self._set_leaf(data if type(data) is float else as_number(data), requires_grad, label)

    def cast_like(self, data: Any) -> Any:
        if np.ndim(data):
            raise wrong_shape(self, data, "new data")
        data = as_number(data)
        if type(self._data) is Fraction and isinstance(data, float) and data.is_integer():
            return Fraction(int(data))
        return complex(data) if type(self._data) is complex else data

    def one(self) -> Any:
        return type(self._data)(1)

    def own(self, gradient: Any, taken: set[int]) -> Any:
        if type(gradient) is float is type(self._data):
            return gradient
        if type(self._data) is Fraction and not isinstance(gradient, numbers.Rational):
            if gradient != 0:
                raise ExactError(f"the gradient of {self.name()} is no fraction: {gradient!r}")
            gradient = 0
        return type(self._data)(gradient)

    @classmethod
    def lift(cls, other: Any, beside: Any) -> Value:
        """A number that meets a value, as a constant of the same kind."""
        if isinstance(other, Value):
            return other
        if isinstance(other, Node) or np.ndim(other):
            raise mixed(beside, other)
        if type(beside._data) is Fraction and isinstance(other, int):
            other = Fraction(other)
        return Value(other, requires_grad=False)

    @classmethod
    def apply(cls, op: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        if op.number is None:
            raise TypeError(f"{op.name} works on arrays, and a Value holds one number; use Tensor")
        beside = next(x for x in args if isinstance(x, Value))
        inputs = tuple([x if type(x) is Value else cls.lift(x, beside) for x in args])
        data = _computed(op, tuple([x._data for x in inputs]), params)
        return record(Value, op, inputs, data, params or None, any([x.requires_grad for x in inputs]))


def _computed(op: Primitive, given: tuple[Any, ...], params: dict[str, Any]) -> Any:
    try:
        data = op.number(*given, **params)  # type: ignore[misc]
    except _RAISED:
        data = op.on_numbers(given, params)
    return data if type(data) is float and set(map(type, given)) == {float} else _settled(op, given, data)


def _settled(op: Primitive, given: tuple[Any, ...], data: Any) -> Any:
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


def _method(op: Primitive) -> Callable[..., Value]:
    """The method of a row. Two numbers, the most frequent case by far, take the shortest way there is."""
    compute: Any = op.number

    def unary(self: Value) -> Value:
        data = _computed(op, (self._data,), {})
        return record(Value, op, (self,), data, None, self.requires_grad)  # type: ignore[no-any-return]

    def binary(self: Value, other: Any) -> Value:
        if type(other) is not Value:
            other = Value.lift(other, self)
        a, b = self._data, other._data
        try:
            data = compute(a, b)
        except _RAISED:
            data = op.on_numbers((a, b), {})
        if type(data) is not float or type(a) is not type(b):
            data = _settled(op, (a, b), data)
        enabled, scope, observer = current()  # from here on: record(), spelt out
        node = new(Value)
        node._data = data
        node._notes = node.grad = node.label = node.params = None
        node.clock = tick()
        node.scope = scope
        if enabled and (self.requires_grad or other.requires_grad):
            node._a = self
            node._b = other
            node.op = op
            node.requires_grad = True
        else:
            node._a = node._b = node.op = None
            node.requires_grad = False
        if observer is not None:
            observer(node, op, (self, other))
        return node

    if op.defaults or op.arity not in (1, 2):
        return general_method(op)
    return unary if op.arity == 1 else binary


bind(Value, [op for op in TABLE.values() if op.number is not None], _method)
