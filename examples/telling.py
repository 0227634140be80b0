"""How a lesson speaks: parts with titles, and paragraphs."""

from __future__ import annotations

from inspect import cleandoc
from textwrap import fill

WIDTH = 110


def part(title: str) -> None:
    """Begin a part of the lesson."""
    print(f"{title}\n{'─' * len(title)}")


def tell(text: str) -> None:
    """Print paragraphs, each broken into lines anew, and an empty line; what is indented stays as it is.

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
        print(paragraph if indented else fill(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False))
        print()
