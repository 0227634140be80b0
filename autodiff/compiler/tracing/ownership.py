"""What belongs to the user, and what to the engine, to Python or to an installed package: that does not change."""

from __future__ import annotations

import functools
import os
import sys
from types import FrameType
from typing import Any

from autodiff.exits import OURS, is_ours

_FOREIGN = (*OURS, os.path.join(os.path.dirname(os.path.abspath(os.__file__)), ""), "<frozen")


@functools.lru_cache(maxsize=1024)
def is_foreign_file(filename: str) -> bool:
    """Whether it belongs to the engine, to Python or to an installed package: what does not change while we look."""
    path = filename if filename.startswith("<") else os.path.abspath(filename)
    return path.startswith(_FOREIGN) or f"{os.sep}site-packages{os.sep}" in path


def user_frame() -> FrameType | None:
    """The innermost frame of the user's: not of the engine, of Python's library or of a package."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_foreign_file(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def _file_of(kind: type) -> str:
    module = sys.modules.get(kind.__module__)
    return getattr(module, "__file__", None) or ("" if kind.__module__ == "__main__" else "<frozen")


def is_foreign(kind: type) -> bool:
    """The same of a class."""
    return is_foreign_file(_file_of(kind))


@functools.lru_cache(maxsize=1024)
def extends_ours(kind: Any) -> bool:
    """Whether it is a class of this project or derived from one: what that asks for is not looked through."""
    return any(is_ours(_file_of(base)) for base in kind.__mro__[:-1])


@functools.lru_cache(maxsize=1024)
def extends_foreign(kind: Any) -> bool:
    """Whether it is a class of Python or of an installed package, or derived from one, other than of ours."""
    return not extends_ours(kind) and any(is_foreign(base) for base in kind.__mro__[:-1])
