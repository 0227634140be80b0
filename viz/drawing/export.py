"""A picture as a file: what is written for each ending, and a way of writing that leaves no half a file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from viz.drawing.image import pdf_of, png_of
from viz.drawing.web_page import page_of

if TYPE_CHECKING:
    from viz.picture import Picture

Writer = Callable[[], bytes]


def saved(picture: Picture, path: Path) -> Path:
    """Write the picture in the format that the ending of ``path`` names; returns the path.

    Raises:
        ValueError: the ending is unknown, or the picture too large for the format.
        FileNotFoundError: there is no such folder.
        ImportError: a package that makes the format is missing.
    """
    source = lambda: str(picture.to_dot().source).encode()
    return write_as(path, {**formats(picture.svg), ".dot": source}, "a picture")


def formats(svg: str) -> dict[str, Writer]:
    """For each ending of a file name, what makes such a file of a drawing."""
    return {
        ".svg": svg.encode,
        ".png": lambda: png_of(svg),
        ".pdf": lambda: pdf_of(svg),
        ".html": lambda: page_of(svg).encode(),
    }


def write_as(path: Path, writers: Mapping[str, Writer], what: str) -> Path:
    """Write ``path`` by the writer for its ending, in capitals or not.

    Raises:
        ValueError: there is none.
        FileNotFoundError: there is no such folder.
    """
    writer = writers.get(path.suffix.lower())
    if writer is None:
        *others, last = writers
        raise ValueError(f"{what} is saved as {', '.join(others)} or {last}, and {path.name!r} ends otherwise")
    return write(path, writer())


def write(path: Path, content: bytes) -> Path:
    """All of the content or nothing: into a file beside it, which then takes its name.

    Raises:
        FileNotFoundError: there is no such folder.
        IsADirectoryError: the path is a folder.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {str(path.parent)!r} for {path.name!r} does not exist; make it first")
    if path.is_dir():
        raise IsADirectoryError(f"{str(path)!r} is a folder, and no file can take its place")
    beside = path.with_name(f".{sha256(path.name.encode()).hexdigest()[:16]}.{os.getpid()}.part")  # short, always
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
    return path
