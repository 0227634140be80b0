"""Kill a process while it writes checkpoints, and see what is left.

    python -m tests.nn.faults.kill --runs 300

Each run starts a process that saves one checkpoint after the other to the same path, and kills it (SIGKILL) at a
random moment of the saving. Then the file must be readable, whole, and no older than the last one that was reported
as saved; and one more save must leave no temporary file. The exit code is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.nn.faults.subjects import number_in, save, temporaries

SIZES = (3_000, 10_000, 200_000, 600_000)  # numbers; the last is a model of 200,000 parameters with Adam's two moments


def child(path: Path, size: int, first: int) -> None:
    """Save until killed, and report every save."""
    number = first
    while True:
        save(path, number, size)
        print(number, flush=True)
        number += 1


def one_run(path: Path, rng: random.Random, first: int) -> tuple[int, str, list[str]]:
    """(the last number that was saved, what the kill left, what failed)."""
    command = [sys.executable, "-m", "tests.nn.faults.kill", "--child", str(path)]
    size = rng.choice(SIZES)
    with subprocess.Popen([*command, str(size), str(first)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.perf_counter()
        process.stdout.readline()
        time.sleep(rng.uniform(0, 3) * (time.perf_counter() - began))  # anywhere in the next three saves
        process.kill()
        reported = process.stdout.read().split()

    problems = []
    last = int(reported[-1]) if reported else first + 1
    left = temporaries(path.parent)
    sizes = [path.with_name(name).stat().st_size for name in left]
    found = "nothing" if not sizes else "empty" if not sizes[0] else "whole" if sizes[0] > 8 * size else "part"
    if len(left) > 1:
        problems.append(f"{len(left)} temporaries")
    try:
        number = number_in(path)
        if number < last:
            problems.append(f"{last} was reported as saved, and the file tells {number}")
        last = number
    except Exception as error:
        problems.append(f"unreadable: {error!r}")
    save(path, last + 1, size=0)
    if number_in(path) != last + 1 or temporaries(path.parent):
        problems.append(f"after the next save there are still {temporaries(path.parent)}")
    return last + 1, found, problems


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill a process while it writes checkpoints, many times.")
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(Path(arguments.child[0]), int(arguments.child[1]), int(arguments.child[2]))
    rng, number, count = random.Random(arguments.seed), 0, Counter()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for run in range(arguments.runs):
            number, found, problems = one_run(Path(folder, "model.npz"), rng, number + 1)
            count[found] += 1
            count["failed"] += bool(problems)
            for problem in problems:
                print(f"run {run}: {problem}")
    inside = arguments.runs - count["nothing"]
    print(
        f"{arguments.runs} kills in {time.perf_counter() - began:.0f} s, {inside} of them inside of a write: they left "
        f"{count['empty']} empty, {count['part']} partial and {count['whole']} whole temporaries; "
        f"{count['failed']} runs failed"
    )
    return 1 if count["failed"] or not inside else 0


if __name__ == "__main__":
    sys.exit(main())
