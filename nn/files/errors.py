"""What is raised where a file cannot be trusted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


class CheckpointError(ValueError):
    """A file that is damaged, forged, not a checkpoint, or the checkpoint of something else.

    Attributes:
        path: the file.
        problem: what was found there, and what was expected.
    """

    def __init__(self, path: str | os.PathLike[str], problem: str) -> None:
        super().__init__(path, problem)
        self.path = os.fspath(path)
        self.problem = "".join([c if c.isprintable() or c == "\n" else "?" for c in problem])  # it may quote the file

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


class FlawError(ValueError):
    """What is wrong inside a file, said by code that does not know the path."""


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[None]:
    """Flaws found inside become a CheckpointError of this file."""
    try:
        yield
    except FlawError as flaw:
        raise CheckpointError(path, str(flaw)) from flaw.__cause__
