"""The structure of an expression.

Python's own parser finds it. What it is handed has been read here first, token by token, so that nothing but numbers,
names, calls and the operators of arithmetic ever reaches it.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from viz.expression.errors import ExpressionError
from viz.expression.tokens import Token, tokens

LONGEST = 4000
"""Characters that an expression may have."""

DEEPEST = 100
"""Brackets that may stand inside one another."""

OPERATORS = frozenset({"+", "-", "*", "/", "**", "<", "<=", ">", ">="})


@dataclass(frozen=True, slots=True)
class Statement:
    """``name = tree``, or an expression alone, whose name is None.

    In the tree every number is 0: its digits are those of its token.

    Attributes:
        line: the statement as it was written.
        offsets, tokens: where in the source of the tree each token of the right-hand side stands.
    """

    name: Token | None
    line: str
    tree: ast.expr
    offsets: Sequence[int]
    tokens: Sequence[Token]

    def token(self, node: ast.expr) -> Token:
        """The first token of a part of the tree."""
        return self.tokens[bisect_left(self.offsets, node.col_offset)]

    def operator(self, left: ast.expr) -> Token:
        """The operator behind an operand."""
        behind = bisect_left(self.offsets, left.end_col_offset or 0)
        return next(token for token in self.tokens[behind:] if token.text != ")")

    def written(self, node: ast.expr) -> str:
        """A part of the tree as it was written, but for the blanks."""
        inside = self.tokens[
            bisect_left(self.offsets, node.col_offset) : bisect_left(self.offsets, node.end_col_offset or 0)
        ]
        return re.sub(r" (?=[),])|(?<=\() |(?<=\w) (?=\()", "", " ".join(token.text for token in inside))


def statements(text: str) -> list[Statement]:
    """The statements of an expression, in order; the last one is what it is about.

    >>> first, last = statements("z = w*x; tanh(z)")
    >>> first.name.text, ast.unparse(first.tree), last.name, ast.unparse(last.tree)
    ('z', 'w * x', None, 'tanh(z)')

    Raises:
        ExpressionError: with the place where the expression stops making sense.
    """
    if not isinstance(text, str):
        raise TypeError(f"an expression is text, such as 'tanh(w*x + b)', and not {type(text).__name__} {text!r:.60}")
    if len(text) > LONGEST:
        raise ExpressionError(f"the expression has {len(text):,} characters, and at most {LONGEST:,} are read")
    found = [_statement(text, part) for part in _split(text, list(tokens(text)))]
    if not found:
        raise ExpressionError("there is no expression; write one such as tanh(w*x + b)", text)
    return found


def _split(text: str, read: Sequence[Token]) -> list[list[Token]]:
    """The tokens of each statement; ";" and, outside of brackets, the end of a line stand between two."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in read:
        depth += (token.text == "(") - (token.text == ")")
        if token.text == "\n":
            if depth <= 0:
                parts.append([])
        elif token.text == ";":
            if depth > 0:
                raise ExpressionError("a bracket is still open in front of this ;", text, token.at)
            if not parts[-1]:
                raise ExpressionError("nothing stands in front of this ;", text, token.at)
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def _statement(text: str, part: list[Token]) -> Statement:
    name = None
    if len(part) > 1 and part[0].kind == "name" and part[1].text == "=":
        name = part[0]
        if len(part) == 2:
            raise ExpressionError(f"nothing stands behind =; write what {name.text} is", text, part[1].at + 1)
        part = part[2:]
    _check_order(text, part)
    offsets, source = [], ""
    for token in part:
        offsets.append(len(source.encode()))
        source += "0 " if token.kind == "number" else f"{token.text} "
    try:
        tree = ast.parse(source.rstrip(), mode="eval").body
    except (RecursionError, MemoryError, SyntaxError):  # the order is right, so this is Python's limit on depth
        raise ExpressionError(
            "too much hangs together in one expression; give parts of it a name, as in z = w*x + b; tanh(z)",
            text,
            part[0].at,
        ) from None
    line = text[(name or part[0]).at : part[-1].at + len(part[-1].text)]
    return Statement(name, " ".join(line.split()), tree, offsets, part)


def _check_order(text: str, part: Sequence[Token]) -> None:
    """Operands and operators take turns, and brackets come in pairs."""
    open_brackets: list[tuple[Token, bool]] = []  # each with whether it is a call's
    before: Token | None = None
    for token in part:
        wanted = before is None or before.text in OPERATORS or before.text in ("(", ",")  # is an operand
        if token.text == "=":
            raise ExpressionError(_misplaced_equals(bool(open_brackets)), text, token.at)
        if token.text == "(":
            is_call = before is not None and before.kind == "name"
            if not wanted and not is_call:
                raise _no_operator(text, before, token)
            open_brackets.append((token, is_call))
            if len(open_brackets) > DEEPEST:
                raise ExpressionError(
                    f"more than {DEEPEST} brackets inside one another; give the inner part a name,"
                    " as in z = w*x + b; tanh(z)",
                    text,
                    token.at,
                )
        elif token.kind != "sign":
            if not wanted:
                raise _no_operator(text, before, token)
        elif token.text == ")":
            if not open_brackets:
                raise ExpressionError("this bracket closes none; its ( is missing", text, token.at)
            opening, is_call = open_brackets.pop()
            if wanted and not (before is opening and is_call):
                raise _no_operand(text, before, token)
        elif token.text == ",":
            if not open_brackets or not open_brackets[-1][1]:
                raise ExpressionError(
                    "a comma stands between the inputs of a function, as in maximum(a, b); a number has a point: 0.5",
                    text,
                    token.at,
                )
            if wanted:
                raise _no_operand(text, before, token)
        elif wanted and token.text not in "+-":
            raise _no_operand(text, before, token)
        before = token
    assert before is not None
    if open_brackets:
        raise ExpressionError("this bracket is never closed; its ) is missing", text, open_brackets[-1][0].at)
    if before.text in OPERATORS:
        raise ExpressionError(
            f"something is missing behind {before.text}: a number, a name or a bracket",
            text,
            before.at + len(before.text),
        )


def _misplaced_equals(in_brackets: bool) -> str:
    if in_brackets:
        return "= has no place inside brackets; numbers are given after the expression, as in x=2"
    return "= gives one name to a result, as in z = w*x; here something else stands in front of it"


def _no_operator(text: str, before: Token | None, token: Token) -> ExpressionError:
    assert before is not None
    shown = "(...)" if token.text == "(" else token.text
    product = f"{'(...)' if before.text == ')' else before.text}*{shown}"
    function = f", and a function {before.text}({token.text})" if before.kind == "name" else ""
    return ExpressionError(f"an operator is missing here; a product is written {product}{function}", text, token.at)


def _no_operand(text: str, before: Token | None, token: Token) -> ExpressionError:
    where = f"between {before.text} and {token.text}" if before else f"in front of {token.text}"
    what = "an input of the function" if token.text == "," or (before and before.text == ",") else "a number or a name"
    return ExpressionError(f"{what} is missing {where}", text, token.at)
