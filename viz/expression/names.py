"""What the names in an expression stand for, and what is said where one stands for nothing."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from autodiff import TABLE, Primitive, maximum, minimum
from viz.expression.errors import ExpressionError
from viz.expression.syntax import Statement
from viz.expression.tokens import is_name

CONSTANTS = {"pi": math.pi, "π": math.pi, "e": math.e}
"""Names that have a value unless they are given another."""

_OTHER_NAMES = {
    "ln": "log", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2", "asinh": "arcsinh",
    "acosh": "arccosh", "atanh": "arctanh", "pow": "power", "fabs": "abs", "sgn": "sign", "σ": "sigmoid",
    "logistic": "sigmoid", "expit": "sigmoid", "swish": "silu", "sqr": "square", "tg": "tan",
}  # fmt: skip
"""What other languages and books call the rows: for suggestions."""

SEVERAL = {"max": maximum, "min": minimum}  # of two numbers, and so of any more


def functions() -> dict[str, Primitive]:
    """What can be called: the rows of the table that work on single numbers; max and min are those of two numbers."""
    rows = {name: op for name, op in TABLE.items() if op.number is not None and not op.variadic}
    return rows | SEVERAL


def check_names(text: str, parts: Iterable[Statement], values: Mapping[str, Any]) -> None:
    """Every name that is used has a value, every function exists and has its inputs, every value is used."""
    for name in values:
        if not is_name(name):
            raise ExpressionError(f"{name!r:.60} is no name; names are made of letters, digits and _, such as w1")
    rows = functions()
    results: set[str] = set()
    used: set[str] = set()
    missing: dict[str, int] = {}
    for part in parts:
        known = {*values, *results, *CONSTANTS}
        for node in sorted(in_order(part.tree), key=lambda node: node.col_offset):
            if isinstance(node, ast.Call):
                _check_call(text, part, node, rows, known)
            elif isinstance(node, ast.Name):
                used.add(node.id)
                if node.id not in known:
                    missing.setdefault(node.id, part.token(node).at)
        if part.name is not None:
            if part.name.text in (*values, *results):
                raise ExpressionError(f"{part.name.text} has a value already; choose another name", text, part.name.at)
            results.add(part.name.text)
    unused = [name for name in values if name not in used]
    if missing:
        raise _without_value(text, missing, rows, results, unused or [*values, *results, *CONSTANTS])
    if unused:
        raise ExpressionError(f"{_and(unused)} {'is' if len(unused) == 1 else 'are'} given, and not in the expression")


def in_order(tree: ast.expr) -> Iterator[ast.expr]:
    """All parts of a tree but the names of functions, without recursion."""
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        stack += operands(node)


def operands(node: ast.expr) -> list[ast.expr]:
    """The parts that have to be computed before ``node``, left to right."""
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.UnaryOp):
        return [node.operand]
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    return node.args if isinstance(node, ast.Call) else []


def _check_call(text: str, part: Statement, node: ast.Call, rows: Mapping[str, Primitive], known: set[str]) -> None:
    assert isinstance(node.func, ast.Name)
    name, at = node.func.id, part.token(node).at
    op = rows.get(name)
    if op is None:
        if name in known:
            raise ExpressionError(f"{name} is a number and no function; a product is written {name}*(...)", text, at)
        close = _closest(name, rows)
        hint = f"did you mean {close}?" if close else "python -m viz --list shows all"
        raise ExpressionError(f"there is no function {name:.60}; {hint}", text, at)
    given, least = len(node.args), op.arity or 0
    most = given if name in SEVERAL else least + len(op.defaults)
    if not least <= given <= most:
        raise ExpressionError(f"{name} is written {signature(name, op)}, and is given {_inputs(given)}", text, at)


def signature(name: str, op: Primitive) -> str:
    """How a function is written: ``clip(x, min=None, max=None)``."""
    return f"{name}(a, b, ...)" if name in SEVERAL else op.signature()


def _inputs(count: int) -> str:
    return "nothing" if count == 0 else "1 input" if count == 1 else f"{count} inputs"


def _without_value(
    text: str,
    missing: Mapping[str, int],
    rows: Mapping[str, Primitive],
    results: set[str],
    candidates: Iterable[str],
) -> ExpressionError:
    name, at = next(iter(missing.items()))
    if name in rows:
        return ExpressionError(f"{name} is a function; write {signature(name, rows[name])}", text, at)
    if name in results:
        return ExpressionError(f"{name} is used before it has a value; write what it is further in front", text, at)
    alike = {known.lower(): known for known in sorted(candidates)}
    close = get_close_matches(name.lower(), alike, 1)
    if close and len(missing) == 1:
        return ExpressionError(f"{name} has no value; did you mean {alike[close[0]]}?", text, at)
    without = [other for other in missing if other not in rows]
    verb, them = ("has", "it one") if len(without) == 1 else ("have", "each one")
    return ExpressionError(f"{_and(without)} {verb} no value; give {them}, such as {name:.40}=0.5", text, at)


def _closest(name: str, rows: Mapping[str, Primitive]) -> str | None:
    """The function that was meant: another language's name, letters in another order, or a slip of the finger."""
    if name.lower() in _OTHER_NAMES:
        return _OTHER_NAMES[name.lower()]
    swapped = [row for row in rows if sorted(row) == sorted(name.lower())]
    return next(iter(swapped or get_close_matches(name.lower(), rows, 1)), None)


def _and(names: list[str]) -> str:
    shown = [f"{name:.40}" for name in names[:8]] + (["others"] if len(names) > 8 else [])
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
