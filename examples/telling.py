"""How a lesson speaks: parts with titles, and paragraphs."""

from __future__ import annotations

import re
from inspect import cleandoc
from textwrap import fill

WIDTH = 110
KEPT = re.compile(r" (?=[·×@=+-] )|(?<= [·×@=+-]) ")  # the spaces around an operator: a line does not end there
HARD = "\u00a0"  # the space at which no line is broken


def part(title: str) -> None:
    """Begin a part of the lesson."""
    print(f"{title}\n{'─' * len(title)}")


def tell(text: str) -> None:
    """Print paragraphs, each broken into lines anew, and an empty line; what is indented stays as it is.

    A formula such as ``w · x + b`` stays on one line.

    >>> tell('''
    ...     Once upon
    ...     a time
    ...
    ...       y = w · x
    ...     ''')
    Once upon a time
    <BLANKLINE>
      y = w · x
    <BLANKLINE>
    """
    for paragraph in cleandoc(text).split("\n\n"):
        indented = any(line.startswith(" ") for line in paragraph.splitlines())
        print(paragraph if indented else _broken(paragraph))
        print()


def _broken(paragraph: str) -> str:
    words = " ".join(paragraph.split())
    lines = fill(KEPT.sub(HARD, words), WIDTH, break_long_words=False, break_on_hyphens=False)
    return lines.replace(HARD, " ")
