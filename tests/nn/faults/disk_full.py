"""Let every step of writing a checkpoint fail, and see whether the old file stands.

    python -m tests.nn.faults.disk_full

Three ways: an error (no space left) put in the place of each write, flush, fsync, close and rename, with the half of
each write done; a real limit to the size of files at every byte; and, where the system lets a process mount one, a
real file system with every number of free pages. After each failure the old file must be there byte for byte, with
no temporary beside it, and the error must name the path and say what stands. The exit code is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

from tests.nn.faults.subjects import number_in, save, temporaries

COMMAND = [sys.executable, "-m", "tests.nn.faults.disk_full"]


class Failing:
    """Everything that writing does to the disk, of which the ``fail_at``-th step fails."""

    def __init__(self, fail_at=None):
        self.fail_at = fail_at
        self.steps: list[str] = []

    def step(self, name):
        self.steps.append(name)
        return len(self.steps) - 1 == self.fail_at

    def instead_of(self, name, function):
        def step(*args, **kwargs):
            if self.step(name):
                raise full()
            return function(*args, **kwargs)

        return step

    @contextlib.contextmanager
    def installed(self):
        fdopen = os.fdopen
        with (
            patch("os.fdopen", lambda *args: FailingFile(fdopen(*args), self)),
            patch("os.fsync", self.instead_of("fsync", os.fsync)),
            patch("os.replace", self.instead_of("replace", os.replace)),
        ):
            yield


class FailingFile:
    def __init__(self, file, failing):
        self.file, self.failing = file, failing

    def write(self, data):
        if self.failing.step("write"):
            self.file.write(data[: len(data) // 2])
            raise full()
        return self.file.write(data)

    def flush(self):
        if self.failing.step("flush"):
            raise full()
        self.file.flush()

    def fileno(self):
        return self.file.fileno()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        fails = self.failing.step("close")
        self.file.close()
        if fails:
            raise full()


def full():
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def check_failure(path: Path, before: bytes | None, error: OSError) -> list[str]:
    """What is not as it must be after a failed save."""
    problems = []
    if (path.read_bytes() if path.exists() else None) != before:
        problems.append("the old file has changed")
    if temporaries(path.parent):
        problems.append(f"left: {temporaries(path.parent)}")
    if str(path) not in str(error) or (before is not None and "stands unchanged" not in str(error)):
        problems.append(f"the error does not say so: {error}")
    return problems


def attempt(path: Path, number: int, size: int = 0) -> tuple[bool, list[str]]:
    """Save where it may fail: (whether it did, what is not as it must be)."""
    before = path.read_bytes() if path.exists() else None
    try:
        save(path, number, size)
    except OSError as error:
        problems = check_failure(path, before, error)
        if error.errno not in (errno.ENOSPC, errno.EFBIG):
            problems.append(f"another error: {error!r}")
        return True, problems
    return False, [] if number_in(path) == number else ["not what was saved"]


def injected(folder: Path) -> tuple[int, int, list[str]]:
    """(failures, saves, problems) with each step failing in turn, over an old file and without one."""
    problems, failures, saves = [], 0, 0
    for name, old in (("over.npz", True), ("new.npz", False)):
        path = folder / name
        counting = Failing()
        with counting.installed():
            save(path, 1)
        for k, step in enumerate(counting.steps):
            path.unlink()
            if old:
                save(path, 1)
            with Failing(k).installed():
                failed, found = attempt(path, 2)
            last = k == len(counting.steps) - 1  # the folder's fsync: the new file has taken its place
            if failed == last:
                found.append("failed after the rename" if failed else "a failure was not reported")
            problems += [f"{name}, step {k} ({step}): {problem}" for problem in found]
            failures, saves = failures + failed, saves + 1
            if not path.exists():
                save(path, 1)
    return failures, saves, problems


def limited(folder: Path, step: int, size: int) -> tuple[int, int, list[str]]:
    """(failures, saves, problems) under a real limit to the size of a file. To be run in a process of its own."""
    import resource

    path = folder / "limited.npz"
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    save(path, 1, size)
    whole, problems, failures, saves = path.stat().st_size, [], 0, 0
    for limit in range(0, whole + step, step):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        failed, found = attempt(path, saves % 8 + 2, size)  # one digit: all files have the same size
        if failed != (limit < whole):
            found.append("the limit was not met" if not failed else "it failed below the limit")
        problems += [f"limit of {limit} bytes: {problem}" for problem in found]
        failures, saves = failures + failed, saves + 1
    return failures, saves, problems


def on_small_disk(folder: Path) -> tuple[int, int, list[str]]:
    """(failures, saves, problems) in ``folder``, a file system of 64 pages, with every number of them free."""
    path, filler, size = folder / "model.npz", folder / "filler", 5000
    problems, failures, saves = [], 0, 0
    save(path, 1, size)
    page = 4096
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize // page
    for pages in range(free + 1):
        filler.write_bytes(bytes((free - pages) * page))
        failed, found = attempt(path, saves % 8 + 2, size)
        problems += [f"{pages} free pages: {problem}" for problem in found]
        failures, saves = failures + failed, saves + 1
        filler.unlink()
    if not 0 < failures < saves:
        problems.append(f"{failures} of {saves} saves failed on the small disk")
    return failures, saves, problems


def report(name: str, failures: int, saves: int, problems: list[str]) -> int:
    for problem in problems:
        print(f"{name}: {problem}")
    print(f"{name}: {saves} saves, {failures} failed as they should, {len(problems)} problems", flush=True)
    return 1 if problems else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Let every step of writing a checkpoint fail.")
    parser.add_argument("--step", type=int, default=1, help="try a limit at every so many bytes")
    parser.add_argument("--limited", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--small-disk", metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.limited:
        folder = Path(arguments.limited)
        return report("limit of file size", *limited(folder, arguments.step, 0)) | report(
            "limit of file size, large", *limited(folder, 97 * arguments.step, 20_000)
        )
    if arguments.small_disk:
        return report("full file system", *on_small_disk(Path(arguments.small_disk)))
    with tempfile.TemporaryDirectory() as name:
        failed = report("injected", *injected(Path(name)))
        failed |= subprocess.run([*COMMAND, "--limited", name, "--step", str(arguments.step)]).returncode
        mount = f'mount -t tmpfs -o size=256k none "{name}" && exec "$@"'
        inside = ["unshare", "-rm", "sh", "-c", mount, "sh", *COMMAND, "--small-disk", name]
        try:
            possible = subprocess.run([*inside[:4], mount, "sh", "true"], capture_output=True).returncode == 0
        except FileNotFoundError:
            possible = False
        if possible:
            failed |= subprocess.run(inside).returncode
        else:
            print("full file system: this system lets no ordinary process mount one")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
