"""Rows of the table as expressions: what a machine has to do for one instruction, and for one edge backward.

A row's functions are ordinary Python, so they are run on symbols, which write down what is done to them. Where a
function branches on a symbol it is run again for either answer, and the two results become one choice.

An expression is a tuple: ``("input", 0)``, ``("number", "2.0")`` (as text, which tells 0.0 from -0.0), ``("+", a, b)``,
``("<", a, b)``, ``("choose", c, a, b)``, ``("math", "exp", a)`` for a function of C's (and Python's) ``math``.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from types import BuiltinFunctionType, FunctionType
from typing import Any, NamedTuple

from autodiff.primitives import elementwise
from autodiff.primitives.row import Primitive, gate

Expression = tuple[Any, ...]

UPSTREAM: Expression = ("upstream",)
OUT: Expression = ("out",)
ZERO: Expression = ("number", "0.0")
ONE: Expression = ("number", "1.0")
BOOLEAN = frozenset({"<", "<=", ">", ">=", "==", "!=", "and"})


class _UndecidedError(Exception):
    """A function asked whether a condition holds, of which nothing is known yet."""


def _of(x: Any) -> Expression:
    """The expression of a symbol or of a plain number."""
    return x.expression if isinstance(x, Symbol) else ("number", repr(float(x)))


def _as_number(x: Any) -> Expression:
    expression = _of(x)
    return ("choose", expression, ONE, ZERO) if expression[0] in BOOLEAN else expression


def _binary(sign: str) -> Callable[[Symbol, Any], Symbol]:
    return lambda self, other: Symbol((sign, _as_number(self), _as_number(other)), self.known)


def _reflected(sign: str) -> Callable[[Symbol, Any], Symbol]:
    return lambda self, other: Symbol((sign, _as_number(other), _as_number(self)), self.known)


def _unary(name: str) -> Callable[[Symbol], Symbol]:
    return lambda self: Symbol(("math", name, _as_number(self)), self.known)


def _to_integer(name: str) -> Callable[[Symbol], Symbol]:
    """Python rounds to an integer, and no integer is -0.0."""
    rounded = _unary(name)
    return lambda self: rounded(self) + 0.0


class Symbol:
    """Stands for a number, and remembers how it was computed.

    Args:
        expression: what it stands for.
        known: the conditions that are decided in this run of the function.
    """

    __slots__ = ("expression", "known")

    def __init__(self, expression: Expression, known: dict[Expression, bool]) -> None:
        self.expression = expression
        self.known = known

    __add__, __sub__, __mul__, __truediv__ = map(_binary, "+-*/")
    __radd__, __rsub__, __rmul__, __rtruediv__ = map(_reflected, "+-*/")
    __lt__, __le__, __gt__, __ge__ = map(_binary, ("<", "<=", ">", ">="))
    __eq__ = _binary("==")  # type: ignore[assignment]
    __ne__ = _binary("!=")  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]
    __abs__ = _unary("fabs")
    __floor__, __ceil__, __round__ = map(_to_integer, ("floor", "ceil", "rint"))

    def __neg__(self) -> Symbol:
        return Symbol(("neg", _as_number(self)), self.known)

    def __pow__(self, other: Any) -> Symbol:
        if type(other) in (int, float) and other == 2:
            return self * self
        return Symbol(("math", "pow", _as_number(self), _as_number(other)), self.known)

    def __rpow__(self, other: Any) -> Symbol:
        return Symbol(("math", "pow", _as_number(other), _as_number(self)), self.known)

    def __and__(self, other: Any) -> Symbol:
        both = [_of(x) if _of(x)[0] in BOOLEAN else ("!=", _of(x), ZERO) for x in (self, other)]
        return Symbol(("and", *both), self.known)

    def __bool__(self) -> bool:
        condition = _of(self) if self.expression[0] in BOOLEAN else ("!=", self.expression, ZERO)
        if condition not in self.known:
            raise _UndecidedError(condition)
        return self.known[condition]


def explore(function: Callable[..., Any], given: tuple[Any, ...]) -> Expression:
    """What ``function`` computes from ``given`` (expressions, and None where a parameter is absent)."""
    return _explore(_symbolic(function), given, {})


def _explore(function: Callable[..., Any], given: tuple[Any, ...], known: dict[Expression, bool]) -> Expression:
    try:
        return _as_number(function(*[x if x is None else Symbol(x, known) for x in given]))
    except _UndecidedError as question:
        (condition,) = question.args
        yes, no = (_explore(function, given, known | {condition: answer}) for answer in (True, False))
        return yes if yes == no else ("choose", condition, yes, no)


# ── the functions of the table, with symbols in the place of numbers ─────────────────────────────────
class _Row:
    """A row of the table, as the functions of other rows see it."""

    def __init__(self, row: Primitive) -> None:
        self.row = row

    def __call__(self, *args: Any, **params: Any) -> Any:
        inputs, bound = self.row.bind(args, params)
        given = (*inputs, *bound.values())
        known = next((x.known for x in given if isinstance(x, Symbol)), None)
        if known is None:
            return self.row(*args, **params)
        instruction = Instruction(self.row, tuple([x is not None for x in bound.values()]))
        return Symbol(substitute(instruction.forward(), [_as_number(x) for x in given if x is not None]), known)

    number = property(lambda self: self)


class _Math:
    """The module ``math`` for symbols."""

    def __getattr__(self, name: str) -> Any:
        function = getattr(math, name)
        by_itself = not callable(function) or function in (math.floor, math.ceil)  # these ask the symbol
        return function if by_itself else partial(_call, function)


def _call(function: Any, *args: Any) -> Any:
    known = next((x.known for x in args if isinstance(x, Symbol)), None)
    if known is None:
        return function(*args)
    return Symbol(("math", function.__name__, *map(_as_number, args)), known)


def _symbolic(x: Any) -> Any:
    """What stands in the place of ``x`` (a function, a module, a row) where symbols are computed with."""
    if isinstance(x, Primitive):
        return _Row(x)
    if x is math:
        return _Math()
    if isinstance(x, BuiltinFunctionType) and x.__module__ == "math":
        return getattr(_Math(), x.__name__)
    if isinstance(x, FunctionType) and x.__module__.startswith("autodiff.primitives"):
        return partial(_rebuilt, x)
    return x


def _rebuilt(function: FunctionType, *args: Any, **params: Any) -> Any:
    """Call ``function`` with all that its code names replaced by what works on symbols."""
    code, names = function.__code__, function.__globals__
    seen = {name: _symbolic(names[name]) for name in code.co_names if name in names}
    again = FunctionType(code, {**seen, "__builtins__": builtins}, function.__name__, None, function.__closure__)
    return again(*args, **params)


def substitute(expression: Expression, inputs: Sequence[Expression]) -> Expression:
    """The same expression with others in the place of its inputs."""
    if expression[0] == "input":
        return inputs[expression[1]]
    return tuple([substitute(x, inputs) if isinstance(x, tuple) else x for x in expression])


# ── instructions and edges ───────────────────────────────────────────────────────────────────────────
class Instruction(NamedTuple):
    """A row with its parameters absent or present: absent ones are None to its functions, the others operands."""

    row: Primitive
    present: tuple[bool, ...]

    @property
    def operands(self) -> tuple[Any, ...]:
        """What the row's functions are given: inputs, then parameters."""
        numbers = iter(range((self.row.arity or 0) + sum(self.present)))
        inputs = [("input", next(numbers)) for _ in range(self.row.arity or 0)]
        return (*inputs, *[("input", next(numbers)) if given else None for given in self.present])

    @property
    def numbered(self) -> list[Expression]:
        """The operands that are there."""
        return [x for x in self.operands if x is not None]

    def forward(self) -> Expression:
        """The value."""
        return explore(self.row.number, self.operands)  # type: ignore[arg-type]

    def backward(self, k: int) -> Expression:
        """What flows back to input ``k``."""
        local = self.row.partials[k]  # type: ignore[index]
        inputs, params = self.operands[: self.row.arity], self.operands[self.row.arity :]
        if type(local) is int:
            if local == 1:
                return UPSTREAM
            derivative = _of(local)
        else:
            names = tuple(self.row.defaults)

            def differentiate(*given: Any) -> Any:
                values, parameters = given[: len(inputs) + 1], given[len(inputs) + 1 :]
                return _symbolic(local)(*values, **dict(zip(names, parameters, strict=True)))

            derivative = explore(differentiate, (*inputs, OUT, *params))
        return explore(gate, (UPSTREAM, derivative)) if self.row.selects else ("*", UPSTREAM, derivative)


def instructions() -> Iterator[Instruction]:
    """Every instruction on single numbers that the table of elementwise rows has."""
    for row in vars(elementwise).values():
        if isinstance(row, Primitive) and row.partials is not None and row.number is not None:
            optional = [(False, True) if default is None else (True,) for default in row.defaults.values()]
            for present in product(*optional):
                yield Instruction(row, present)
