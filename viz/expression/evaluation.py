"""Statements turned into nodes, or into a plain number."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from numbers import Rational
from operator import add, ge, gt, le, lt, mul, pow, sub, truediv
from typing import Any

from autodiff import TABLE, ExactError, Primitive, Tensor, Value, identity, observe
from autodiff.origins import Origin, remember
from viz.expression.errors import ExpressionError
from viz.expression.names import CONSTANTS, SEVERAL, check_names, functions, in_order, operands
from viz.expression.syntax import Statement, statements

_LARGEST_EXACT = 4000  # bits: fractions grow with every operation, and nobody reads more digits

_ROWS = {op.operator: op for op in TABLE.values() if op.operator}
_POWER = _ROWS["pow"]

# What each operator does to nodes, and the row that does it to plain numbers: there 1 / 0 is inf.
_OPERATORS: dict[type, tuple[Callable[[Any, Any], Any], Primitive]] = {
    ast.Add: (add, _ROWS["add"]),
    ast.Sub: (sub, _ROWS["sub"]),
    ast.Mult: (mul, _ROWS["mul"]),
    ast.Div: (truediv, _ROWS["truediv"]),
    ast.Pow: (pow, _POWER),
}
_COMPARISONS: dict[type, Callable[[Any, Any], bool]] = {ast.Lt: lt, ast.LtE: le, ast.Gt: gt, ast.GtE: ge}


@dataclass(frozen=True, slots=True)
class Result:
    """What an expression gave: the last result, the values it was given, all results with a name, and its lines."""

    output: Value
    leaves: dict[str, Value]
    named: dict[str, Value]
    lines: list[str]


def computed(text: str, values: Mapping[str, Any], source: str = "") -> Result:
    """Everything that has a name in an expression, and its output; see :func:`from_expression`.

    With the name of a ``source``, each node knows its statement as a line of that file: see ``node.origin``.
    """
    parts = statements(text)
    check_names(text, parts, values)
    exact = any(_is_exact(value) for value in values.values())
    leaves = {name: _leaf(name, value, exact) for name, value in values.items()}
    run = _Run(text, dict(leaves), exact)
    named: dict[str, Value] = {}
    result: Any = None
    for line, part in enumerate(parts, 1):
        with observe(_noting(Origin(source, line, ""))) if source else nullcontext():
            result = run.value_of(part)
            if part.name is not None:
                result = run.names[part.name.text] = named[part.name.text] = _labelled(result, part.name.text)
    if not isinstance(result, Value):
        raise ExpressionError(
            "no value with a name is in this, so there is nothing to differentiate; write x for a number, and give x=2",
            text,
            parts[-1].token(parts[-1].tree).at,
        )
    return Result(result, leaves, named, [part.line for part in parts])


def _noting(origin: Origin) -> Callable[[Any, Any, Any], None]:
    def note(node: Any, op: Any, inputs: Any) -> None:
        remember(node, origin)

    return note


def number(text: str, exact: bool = False) -> float | Fraction:
    """One number, which may be written as an expression: ``-1``, ``7/3``, ``pi/2``.

    >>> number("1e-3"), number("7/3", exact=True)
    (0.001, Fraction(7, 3))

    Raises:
        ExpressionError: as :func:`from_expression`; or there are names in it.
    """
    parts = statements(text)
    for part in parts:
        for node in in_order(part.tree):
            if part is not parts[0] or part.name or (isinstance(node, ast.Name) and node.id not in CONSTANTS):
                place = part.name or part.token(node)
                raise ExpressionError("a value is one number, such as 0.5, 7/3 or pi/2", text, place.at)
    check_names(text, parts, {})
    result = _Run(text, {}, exact).value_of(parts[0])
    data = result.data if isinstance(result, Value) else result
    return Fraction(data) if exact else float(data)


def _is_exact(value: Any) -> bool:
    return type(value.data if isinstance(value, Value) else value) is Fraction


def _leaf(name: str, value: Any, exact: bool) -> Value:
    if isinstance(value, Value):
        data = value.data
    elif isinstance(value, Tensor):
        raise TypeError(f"{name} is a Tensor, and expressions are of single numbers; give a number, such as {name}=2")
    else:
        data = value = Fraction(value) if exact and isinstance(value, int) else value
    if isinstance(data, complex):
        raise TypeError(f"{name} is the complex number {data!r}, and expressions are of real ones")
    if exact and type(data) is not Fraction:
        raise TypeError(
            f"{name} is {data!r:.60} beside fractions; give fractions only, such as Fraction(1, 2), or none"
        )
    try:
        leaf = value if isinstance(value, Value) else Value(value)
    except (TypeError, OverflowError) as error:
        raise type(error)(f"{name}: {error}") from None
    leaf.label = leaf.label or name
    return leaf


def _labelled(result: Any, name: str) -> Value:
    """A result under a name of its own; where it has one already, a node of its own too."""
    if not isinstance(result, Value):
        return Value(result, requires_grad=False, label=name)
    if result.is_leaf or result.label:
        result = identity(result) if result.requires_grad else result.detach()
    result.label = name
    return result  # type: ignore[no-any-return]


class _Run:
    """Computes one statement after the other; results under a name are in ``names``."""

    def __init__(self, text: str, names: dict[str, Value], exact: bool) -> None:
        self.text, self.names, self.exact = text, names, exact
        self.rows = functions()

    def value_of(self, part: Statement) -> Any:
        """A node, or a plain number where no node is involved. Operands come first, left to right, as in Python."""
        stack: list[tuple[ast.expr, bool]] = [(part.tree, False)]
        values: list[Any] = []
        while stack:
            node, inner_done = stack.pop()
            inner = operands(node)
            if inner and not inner_done:
                stack.append((node, True))
                stack += [(operand, False) for operand in reversed(inner)]
            else:
                first = len(values) - len(inner)
                values[first:] = [self._node(part, node, values[first:])]
        return values[0]

    def _node(self, part: Statement, node: ast.expr, given: list[Any]) -> Any:
        """What one node of the tree gives, once its operands are known."""
        if isinstance(node, ast.Constant):
            written = part.token(node).text
            return Fraction(written) if self.exact else float(written)
        if isinstance(node, ast.Name):
            return self._named(node.id, part.token(node).at)
        if isinstance(node, ast.UnaryOp):
            return -given[0] if isinstance(node.op, ast.USub) else given[0]
        if isinstance(node, ast.BinOp):
            operate, row = _OPERATORS[type(node.op)]
            nodes = any(isinstance(x, Value) for x in given)
            return self._result(operate if nodes else row, row, given, part.operator(node.left).at)
        if isinstance(node, ast.Call):
            return self._call(part, node, given)
        assert isinstance(node, ast.Compare)
        return self._comparison(part, node, given)

    def _named(self, name: str, at: int) -> Value:
        if name not in self.names:
            if self.exact:
                raise ExpressionError(f"{name} is no fraction; compute with floats to use it", self.text, at)
            self.names[name] = Value(CONSTANTS[name], requires_grad=False, label=name)
        return self.names[name]

    def _comparison(self, part: Statement, node: ast.Compare, given: list[Any]) -> Value:
        """1 or 0, under the name of what was compared."""
        if len(node.ops) > 1:
            second = part.operator(node.comparators[0])
            raise ExpressionError("one comparison at a time, such as x > 0", self.text, second.at)
        holds = _COMPARISONS[type(node.ops[0])](given[0], given[1])
        return Value(Fraction(holds) if self.exact else holds, requires_grad=False, label=part.written(node))

    def _call(self, part: Statement, node: ast.Call, given: list[Any]) -> Any:
        assert isinstance(node.func, ast.Name)
        name, at = node.func.id, part.token(node).at
        op = self.rows[name]
        if name in SEVERAL:
            return self._result(lambda *x: reduce(op, x), op, given, at)
        for k, (parameter, x) in enumerate(zip(op.defaults, given[op.arity :], strict=False), op.arity or 0):
            if isinstance(x, Value):
                if x.requires_grad:
                    raise ExpressionError(
                        f"{parameter} of {op.signature()} is a fixed number, and here it would need a gradient",
                        self.text,
                        part.token(node.args[k]).at,
                    )
                given[k] = x.data
        return self._result(op, op, given, at)

    def _result(self, compute: Callable[..., Any], op: Primitive, given: list[Any], at: int) -> Any:
        """What ``compute`` gives, which is ``op`` or leads to it."""
        if not self.exact:
            result = compute(*given)
            return result if isinstance(result, Value) else float(result)
        if op is _POWER:
            self._check_power(given[0], given[1], at)
        if any(isinstance(x, Value) for x in given):  # beside a node a whole number is written as in Python: x ** 2
            given = [int(x) if type(x) is Fraction and x.denominator == 1 else x for x in given]
            if type(given[0]) is Fraction:  # which turns to a float in front of **
                given[0] = Value(given[0], requires_grad=False)
        try:
            result = compute(*given)
        except ExactError:
            result = None
        data = result.data if isinstance(result, Value) else result
        if not isinstance(data, Rational):
            raise ExpressionError(f"{op.name} has no exact answer here; compute with floats instead", self.text, at)
        self._check_size(data, 1, at)
        return result if isinstance(result, Value) else Fraction(data)

    def _check_power(self, base: Any, exponent: Any, at: int) -> None:
        """A power is measured before it is computed: 10**10**10 would never end."""
        base, exponent = (x.data if isinstance(x, Value) else x for x in (base, exponent))
        if exponent.denominator == 1:
            self._check_size(base, abs(exponent.numerator), at)

    def _check_size(self, base: Any, exponent: int, at: int) -> None:
        bits = max(abs(base.numerator), base.denominator).bit_length() - 1
        if bits * exponent > _LARGEST_EXACT:
            raise ExpressionError("this has more than a thousand digits; compute with floats instead", self.text, at)
