"""Replace a file whole or not at all: at every moment, the path holds the old file or the new one, complete.

The new file is written beside the old one under a name of its own (".model.npz.5f0c1d2e3b4a6978.tmp"), brought to
the disk, and renamed. A process that is killed leaves its temporary behind; the next one to write the same path
removes it. What tells it from the temporary of a process that is still writing is a lock, which the system
releases when its process ends, however it ends.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows: there, an open file cannot be removed, which does as well
    fcntl = None  # type: ignore[assignment]


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file to write to, which takes the place of ``path`` when the block ends without an error.

    A link is followed: the file it points to is replaced. The permissions of the old file are kept.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "note.txt")
    ...     with replacing(path) as file:
    ...         _ = file.write(b"all of it")
    ...     path.read_bytes(), os.listdir(folder)
    (b'all of it', ['note.txt'])

    Raises:
        OSError: the disk is full, the folder is missing, writing is not allowed; the old file stands, and no
            temporary is left.
    """
    target = Path(os.path.realpath(path))
    try:
        _check_replaceable(target)
        remove_stale(target)
        temporary, lock = _create(target)
        try:
            with os.fdopen(lock if fcntl is None else os.dup(lock), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        finally:
            if fcntl is not None:  # only now: without its lock, another process would take the temporary for stale
                os.close(lock)
    except OSError as error:
        stands = "; the file that was there stands unchanged" if target.is_file() else ""
        raise OSError(error.errno, f"cannot write {target}: {error.strerror or error}{stands}") from error
    _sync_directory(target.parent)


def remove_stale(target: Path) -> None:
    """Remove the temporaries that killed processes left beside ``target``, and none that is being written."""
    pattern = re.compile(re.escape(f".{target.name}.") + "[0-9a-f]{16}[.]tmp")
    with suppress(OSError):
        for name in os.listdir(target.parent):
            if pattern.fullmatch(name):
                with suppress(OSError):
                    _remove_unless_locked(target.with_name(name))


def _remove_unless_locked(temporary: Path) -> None:
    if fcntl is None:
        os.unlink(temporary)
        return
    descriptor = os.open(temporary, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(temporary)
    finally:
        os.close(descriptor)


def _create(target: Path) -> tuple[Path, int]:
    """A new, empty temporary and a descriptor that holds its lock."""
    while True:
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        if fcntl is None:
            return temporary, descriptor
        with suppress(OSError):  # a file system without locks: there, others leave every temporary alone
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        with suppress(OSError):
            os.fchmod(descriptor, os.stat(target).st_mode & 0o777)
        if temporary.exists():  # else another process came between the creation and the lock, and removed it
            return temporary, descriptor
        os.close(descriptor)


def _check_replaceable(target: Path) -> None:
    """Renaming would replace even a device, and a file that is marked as not to be written."""
    if target.exists():
        if not target.is_file():
            raise OSError(None, "it is there, and is not a file")
        if not os.access(target, os.W_OK):
            raise PermissionError(13, "it is marked read-only")


def _sync_directory(directory: Path) -> None:
    """Bring the new name to the disk, where the system can; the file itself is there, old or new, in any case."""
    if fcntl is None:
        return
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
