"""Text as it can be shown: cleaned, cut to a length, and measured without a font at hand."""

from __future__ import annotations

import unicodedata

EM = 0.6021
"""Width of a character of the widest common monospaced font (DejaVu Sans Mono), in font sizes."""

HELD = frozenset("∇−…×÷·√ΣΠσ⁻ᵀ⊗≈∞–—‘’“”•←→≤≥≠∂")
"""Signs, besides the letters of Europe, that monospaced fonts hold."""

_JOINER = "\u200d"  # holds emoji together, and is the one format character that may stay
_TOO_MANY_MARKS = 3  # combining marks in a row: more of them climb out of the box


def clean(text: object, limit: int = 200) -> str:
    r"""``text`` on one line, without control characters, and at most ``limit`` characters long.

    What XML cannot hold and what turns the direction of writing is dropped; a cut is shown by an ellipsis.

    >>> clean("a\x00b\n\u202ec"), clean("weight" * 9, 8)
    ('ab c', 'weightw…')
    """
    given = str(text)
    kept: list[str] = []
    marks = 0
    for character in given[: 4 * limit]:
        kind = unicodedata.category(character)
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if character in "\t\n\r" or kind in ("Zs", "Zl", "Zp"):
            kept.append(" ")
        elif character == _JOINER or (kind[0] != "C" and marks < _TOO_MANY_MARKS):
            kept.append(character)
    words = " ".join("".join(kept).split())
    if len(words) > limit or len(given) > 4 * limit:
        return words[: limit - 1].rstrip() + "…"
    return words


def width(text: str, size: float) -> float:
    """Width of ``text`` in a monospaced font of ``size`` pixels, rather too wide than too narrow.

    >>> round(width("tanh", 10), 1)
    24.1
    """
    return sum(map(_cells, text)) * EM * size


def is_plain(text: str) -> bool:
    """Whether every character is one that monospaced fonts hold, so that its width is known for sure."""
    return all(_cells(character) == 1 for character in text)


def _cells(character: str) -> float:
    if character < "\u0250" or "\u0370" <= character < "\u0400" or character in HELD:
        return 1
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2
