"""A picture as a file: what is written for each ending, and a way of writing that leaves no half a file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from viz.picture import Picture

WRITERS: dict[str, Callable[[Picture], bytes]] = {
    ".svg": lambda picture: picture.svg.encode(),
    ".dot": lambda picture: str(picture.to_dot().source).encode(),
}
"""For each ending of a file name, what is written into the file."""


def saved(picture: Picture, path: Path) -> Path:
    """Write the picture in the format that the ending of ``path`` names; returns the path.

    Raises:
        ValueError: the ending is unknown.
        FileNotFoundError: there is no such folder.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise ValueError(
            f"a picture is saved as .svg or .dot, and {path.name!r} ends otherwise;"
            " a browser or rsvg-convert makes PNG and PDF from the .svg"
        )
    return write(path, writer(picture))


def write(path: Path, content: bytes) -> Path:
    """All of the content or nothing: into a file beside it, which then takes its name.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {str(path.parent)!r} for {path.name!r} does not exist; make it first")
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
    return path
