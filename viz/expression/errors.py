"""Errors that point at the place."""

from __future__ import annotations

import unicodedata

_SHOWN = 100  # characters of a line around the place that is pointed at


class ExpressionError(ValueError):
    """An expression cannot be read or computed.

    Attributes:
        reason: what is wrong, and what to write instead.
        text: the expression.
        column: the index in ``text`` of the character in question, or None where there is no such place.
    """

    def __init__(self, reason: str, text: str = "", column: int | None = None) -> None:
        super().__init__(reason, text, column)
        self.reason, self.text, self.column = reason, text, column

    def __str__(self) -> str:
        if self.column is None:
            return self.reason
        return f"{self.reason}\n\n{pointed(self.text, self.column)}"


def pointed(text: str, column: int) -> str:
    """The line of ``text`` that holds character number ``column``, with a caret under it; long lines are cut.

    >>> print(pointed("tanh(2x)", 6))
      tanh(2x)
            ^
    """
    start = text.rfind("\n", 0, column) + 1
    line, place = text[start:].partition("\n")[0], column - start
    cut = max(0, place - _SHOWN * 2 // 3)
    before = ("…" if cut else "") + visible(line[cut:place])
    after = visible(line[place : cut + _SHOWN]) + ("…" if len(line) > cut + _SHOWN else "")
    return f"  {before}{after}\n  {' ' * sum(map(_columns, before))}^"


def visible(text: str) -> str:
    r"""Text for a terminal: of control characters and their like only a mark is left.

    >>> visible("\x1b[31mred\tname")
    '�[31mred name'
    """
    return "".join(c if c.isprintable() else " " if c in "\t\u00a0" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _columns(character: str) -> int:
    """How many columns of a terminal a character takes."""
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
