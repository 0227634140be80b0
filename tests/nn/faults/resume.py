"""Kill training anywhere, go on from its checkpoint, and compare every bit with a training that was not killed.

    python -m tests.nn.faults.resume --cuts 50

Each cut starts a process that trains and writes checkpoints every few batches or after every epoch, and kills it
(SIGKILL) at a random line of code. A model with other random weights then goes on from the file. Weights, running averages, the optimizer's
state, the history, random generators, callbacks and learning rates must be equal, bit by bit, to those of a training
that nothing happened to. The exit code is 1 if one is not.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from functools import cache
from pathlib import Path

from nn import Checkpoint, load_checkpoint
from tests.nn.faults.trainings import KINDS, Run, acting, lines_of


class Cut(BaseException):
    """What stops a training in the place of a kill."""


def cut():
    raise Cut


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


@cache
def uncut(kind):
    return Run(kind).fit().state()


def train_until(kind, path, every, line, action):
    """Write checkpoints every so many batches, or for 0 after every epoch, and act at that line."""
    with acting({line: action}):
        Run(kind).fit(Checkpoint(path, every_batches=every or None))


def go_on(kind, path):
    """(where the file stands, what is wrong with the training that went on from it)."""
    if not path.exists():
        return "before the first checkpoint", None
    progress = load_checkpoint(path).progress
    middle = progress["batch"] > 0
    run = Run(kind, seed=99).fit(resume_from=path)
    problem = None if run.state() == uncut(kind) else f"goes on otherwise from {progress['epoch'], progress['batch']}"
    return "in an epoch" if middle else "between epochs", problem


def one_cut(kind, path, rng, process=False):
    every, line = rng.randint(0, 5), rng.randrange(1, lines(kind))
    path.unlink(missing_ok=True)
    if process:
        command = [sys.executable, "-m", "tests.nn.faults.resume", "--child", kind, str(path), str(every), str(line)]
        ended = subprocess.run(command, check=False).returncode
        if ended != -signal.SIGKILL:
            return "not killed", f"the process ended with {ended}"
    else:
        with suppress(Cut):
            train_until(kind, path, every, line, cut)
    return go_on(kind, path)


@cache
def lines(kind, every=5):
    """How many lines a training runs that writes checkpoints every so many batches."""
    with tempfile.TemporaryDirectory() as folder:
        return lines_of(kind, Checkpoint(Path(folder, "run.npz"), every_batches=every))


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill training anywhere, and go on.")
    parser.add_argument("--cuts", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        kind, path, every, line = arguments.child
        train_until(kind, path, int(every), int(line), kill)
        return 0
    rng, count, began = random.Random(arguments.seed), Counter(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for i in range(arguments.cuts):
            kind = list(KINDS)[i % len(KINDS)]
            where, problem = one_cut(kind, Path(folder, "run.npz"), rng, process=True)
            count[where] += 1
            if problem:
                count["failed"] += 1
                print(f"cut {i}, {kind}: {problem}")
    failed = count.pop("failed", 0)
    places = ", ".join(f"{n} {where}" for where, n in count.items())
    print(
        f"{arguments.cuts} cuts of {len(KINDS)} kinds of training in {time.perf_counter() - began:.0f} s, "
        f"with the last checkpoint: {places}; {failed} went on otherwise than if uncut"
    )
    return 1 if failed or not count["in an epoch"] else 0


if __name__ == "__main__":
    sys.exit(main())
