"""Numbers, names and signs: all that an expression may be made of."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from viz.expression.errors import ExpressionError

_LONGEST_NUMBER = 100

_LETTER = "A-Za-z_\u0391-\u03a1\u03a3-\u03a9\u03b1-\u03c9"  # of names: Latin and Greek
_NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_NAME = rf"[{_LETTER}][{_LETTER}0-9]*"
_SIGN = r"\*\*|<=|>=|==|!=|//|:=|[-+*/(),;=<>\n]"
_TOKEN = re.compile(rf"(?P<number>{_NUMBER})|(?P<name>{_NAME})|(?P<sign>{_SIGN})|(?P<blank>[ \t\r\u00a0]+)")

_INSTEAD = {
    "==": "= gives a result a name, as in z = w*x, and < <= > >= compare",
    "!=": "< <= > >= compare",
    "//": "a quotient is written /, as in x/2",
    ":=": "a result is given a name by =, as in z = w*x; tanh(z)",
    "^": "a power is written **, as in x**2",
    "²": "a square is written x**2",
    "³": "a cube is written x**3",
    "√": "a root is written sqrt(x)",
    "|": "an absolute value is written abs(x)",
    "!": "there are no factorials here",
    "%": "a remainder has no place here; 5 percent is 0.05",
    ".": "a point stands in a number, such as 0.5; nothing is looked up inside a name",
    "∞": "infinity is no number to compute with",
    **dict.fromkeys("×·⋅∗•", "a product is written *, as in 2*x"),
    **dict.fromkeys("÷∕⁄", "a quotient is written /, as in x/2"),
    **dict.fromkeys("−–—", "a minus sign is written -, as on the keyboard"),
    **dict.fromkeys("≤≥", "comparisons are written <= and >="),
    **dict.fromkeys("[]{}", "brackets are round: ( and )"),
    **dict.fromkeys("\"'`‘’“”", "text in quotes has no place here, only numbers and names"),
}
_WORDS = {
    **dict.fromkeys(("if", "else"), "a choice is written where(x > 0, a, b)"),
    **dict.fromkeys(("and", "or", "not"), "conditions are single comparisons, such as x > 0"),
    **dict.fromkeys(("True", "False"), "write 1 and 0"),
}


@dataclass(frozen=True, slots=True)
class Token:
    """A number, a name or a sign, and where in the expression it stands."""

    kind: Literal["number", "name", "sign"]
    text: str
    at: int


def is_name(text: str) -> bool:
    """Whether ``text`` can name a value: Latin or Greek letters, digits and _, and no word of Python's own.

    >>> is_name("w_1"), is_name("θ"), is_name("2x"), is_name("lambda")
    (True, True, False, False)
    """
    return re.fullmatch(_NAME, text) is not None and not keyword.iskeyword(text)


def tokens(text: str) -> Iterator[Token]:
    """Piece by piece, without the blanks.

    Raises:
        ExpressionError: at the first character that has no meaning in an expression.
    """
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(_no_meaning(text[at]), text, at)
        kind, piece = match.lastgroup, match[0]
        if kind == "number":
            _check_number(text, piece, at)
            yield Token("number", piece, at)
        elif kind == "name":
            if keyword.iskeyword(piece):
                hint = _WORDS.get(piece, "choose another name")
                raise ExpressionError(f"{piece} is a word of the Python language; {hint}", text, at)
            yield Token("name", piece, at)
        elif kind == "sign":
            if piece in _INSTEAD:
                raise ExpressionError(_no_meaning(piece), text, at)
            yield Token("sign", piece, at)
        at = match.end()


def _no_meaning(piece: str) -> str:
    shown = piece if piece.isprintable() else f"the character U+{ord(piece):04X}"
    instead = _INSTEAD.get(piece)
    if instead is None and piece.isalpha():
        instead = "names are made of the letters A to Z and Α to Ω, digits and _"
    return f"{shown} has no meaning here: {instead or 'numbers, names, + - * / ** and round brackets have'}"


def _check_number(text: str, number: str, at: int) -> None:
    end = at + len(number)
    rest = re.match(rf"[{_LETTER}0-9.]*", text[end:])
    behind = rest[0] if rest else ""
    if behind.startswith((".", "_")):
        raise ExpressionError("a number is written with digits and one point, such as 1000.5", text, end)
    if behind and number == "0" and behind[0] in "xXbBoO":
        raise ExpressionError("a number is written in tens: 16 instead of 0x10", text, at)
    if behind:
        raise ExpressionError(f"a product is written with *: {number}*{behind[:20]}", text, end)
    if len(number) > _LONGEST_NUMBER:
        raise ExpressionError(f"a number of {len(number)} characters; at most {_LONGEST_NUMBER} are read", text, at)
    read = float(number)
    if read == float("inf"):
        raise ExpressionError("this number is too large: numbers go up to about 1.8e308", text, at)
    if read == 0 and re.search(r"[1-9]", re.split("[eE]", number)[0]):
        raise ExpressionError(
            "this number is too small: numbers go down to about 4.9e-324, and then there is 0", text, at
        )
