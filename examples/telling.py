"""How a lesson speaks: parts with titles, and paragraphs."""

from __future__ import annotations

from inspect import cleandoc


def part(title: str) -> None:
    """Begin a part of the lesson."""
    print(f"{title}\n{'─' * len(title)}")


def tell(text: str) -> None:
    """A paragraph, as it stands in the source but for the indentation; an empty line follows."""
    print(f"{cleandoc(text)}\n")
