"""Which line of a program made a node."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from autodiff.context import observe
from autodiff.graph import Node

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@dataclass(frozen=True, slots=True)
class Origin:
    """The line of the user's program that made a node."""

    filename: str
    line: int
    function: str

    @property
    def code(self) -> str:
        """The text of the line, or "" where the source is not at hand."""
        import linecache  # costs a tenth of the time to import this package

        return linecache.getline(self.filename, self.line).strip()

    def __str__(self) -> str:
        return f"{self.filename}:{self.line} in {self.function}" + (f":  {self.code}" if self.code else "")


def caller(inside: Sequence[str] = ("autodiff",)) -> Origin:
    """The innermost line of the stack that is outside the packages named."""
    folders = tuple([os.path.join(_ROOT, package, "") for package in inside])
    frame = sys._getframe(1)
    while frame.f_back is not None and os.path.abspath(frame.f_code.co_filename).startswith(folders):
        frame = frame.f_back
    return Origin(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def remember(node: Node, origin: Origin) -> Origin:
    """Note on a node where it was made."""
    node._notes = {**(node._notes or {}), "origin": origin}
    return origin


@contextmanager
def source_lines() -> Iterator[None]:
    """Let every node made inside know the line of the program that made it: ``node.origin``.

    It is the innermost line outside autodiff, nn and viz, so a layer of ``nn`` counts as the line that calls it.
    Each operation inside takes a few microseconds more.

    >>> from autodiff import Value, source_lines
    >>> with source_lines():
    ...     y = Value(2.0) * 3
    >>> y.origin.code
    'y = Value(2.0) * 3'
    """
    with observe(_note):
        yield


def _note(node: Node, op: Any, inputs: Any) -> None:
    remember(node, caller(("autodiff", "nn", "viz")))
