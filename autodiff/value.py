"""Value: a node that holds one number."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from autodiff.casting import as_number, as_number_like, number_gradient, number_result
from autodiff.context import current
from autodiff.errors import mixed, needs_array, wrong_shape
from autodiff.graph import Node, new, record, tick
from autodiff.operators import Operators, bind
from autodiff.primitives import TABLE
from autodiff.primitives.row import NUMBERS, Primitive

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
        if type(data) is float is type(self._held):
            return data
        if np.ndim(data):
            raise wrong_shape(self, data, "new data")
        return as_number_like(self._held, data)

    def one(self) -> Any:
        return type(self._held)(1)

    def own(self, gradient: Any, taken: set[int]) -> Any:
        return gradient if type(gradient) is float is type(self._held) else number_gradient(self, gradient)

    @classmethod
    def lift(cls, other: Any, beside: Any) -> Value:
        """A number that meets a value, as a constant of the same kind."""
        if isinstance(other, Value):
            return other
        if type(other) not in NUMBERS and (isinstance(other, Node) or np.ndim(other)):
            raise mixed(beside, other)
        exact = type(beside._held) is Fraction and isinstance(other, int)
        return Value(Fraction(other) if exact else other, requires_grad=False)

    @classmethod
    def apply(cls, op: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        if op.number is None:
            raise needs_array(op)
        if op in _SHORT and len(args) == op.arity and type(args[0]) is Value:
            return _SHORT[op](*args)
        beside = next(x for x in args if isinstance(x, Value))
        inputs = tuple([x if type(x) is Value else cls.lift(x, beside) for x in args])
        given = tuple([x._held for x in inputs])
        try:
            data = op.number(*given, **params)
        except _RAISED:
            data = op.on_numbers(given, params)
        if {type(data), *map(type, given)} != {float}:
            data = number_result(op, given, data)
        return record(Value, op, inputs, data, params or None, any([x.requires_grad for x in inputs]))


_SHORT: dict[Primitive, Callable[..., Value]] = {}  # tanh(x) takes the same short way as x.tanh()


def _unary(op: Primitive) -> Callable[[Value], Value]:
    compute: Any = op.number

    def method(self: Value) -> Value:
        a = self._held
        try:
            data = compute(a)
        except _RAISED:
            data = op.on_numbers((a,), {})
        if not type(data) is type(a) is float:
            data = number_result(op, (a,), data)
        return record(Value, op, (self,), data, None, self.requires_grad)  # type: ignore[no-any-return]

    return _SHORT.setdefault(op, method)


def _binary(op: Primitive) -> Callable[[Value, Any], Value]:
    """Two numbers are the most frequent case by far, so they take the shortest way there is."""
    compute: Any = op.number

    def method(self: Value, other: Any) -> Value:
        if type(other) is not Value:
            other = Value.lift(other, self)
        a, b = self._held, other._held
        try:
            data = compute(a, b)
        except _RAISED:
            data = op.on_numbers((a, b), {})
        if not type(data) is type(a) is type(b) is float:
            data = number_result(op, (a, b), data)
        enabled, scope, observer, _ = current()  # from here on: record(), spelt out
        node = new(Value)
        node._held = data
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

    return _SHORT.setdefault(op, method)


bind(Value, [op for op in TABLE.values() if op.number is not None], _unary, _binary)
