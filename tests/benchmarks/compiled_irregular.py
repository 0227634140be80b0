"""Programs without a matrix product in them, compiled: beside CasADi and one NumPy call for each operation.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python -m tests.benchmarks.compiled_irregular [ROUNDS] [--all]

A random program of ten thousand operations, and Newton's method; the mean loss over 1 or 64 examples and the
gradients of the parameters, in float64 and one thread; all agree to 1e-10 before they are timed. CasADi runs the
same program on its virtual machine, and sums over the batch there. With --all, also a random program of every
elementwise row of the table.
"""

from __future__ import annotations

import sys
from functools import partial

from autodiff import TABLE
from tests.benchmarks import peers, problems, random_program
from tests.benchmarks.measured import BY_HAND, NO_COMPILE, Asked, Maker, made, measure
from tests.benchmarks.side_by_side import available, interleaved, print_table

NUMBA, NUMPY, CASADI = "clearprop, numba", "clearprop, NumPy", "CasADi SX"


def ours() -> dict[str, Maker]:
    """Both back ends, as far as they are there."""
    if NO_COMPILE:
        return {}
    numba = {"numba": (NUMBA, partial(peers.clearprop, backend="numba"))}
    return available(numba) | {NUMPY: partial(peers.clearprop, backend="numpy")}


def main(rounds: int = 20) -> Asked:
    asked = Asked()
    both = [TABLE[name] for name in random_program.BY_HAND]
    for batch in (1, 64):
        random = random_program.irregular(both, 10_000, batch)
        functions = {random: random_program.casadi_functions, problems.newton(batch): lambda: None}
        for problem, theirs in functions.items():
            casadi = available({"casadi": (CASADI, lambda p, f=theirs: peers.casadi(p, f()))})
            times = measure(problem, ours() | casadi, rounds, 1 if problem is random else 10)
            claim = f"{problem.title}, batch {batch}: "
            asked.faster(claim + "with numba, times as fast as CasADi", times, NUMBA, CASADI, 1)
            if batch == 64:
                asked.slower(claim + "without numba, times by hand", times, NUMPY, BY_HAND, 3)
    return asked


def whole_table(rounds: int = 5) -> None:
    """The same with every elementwise row of the table, which no peer has: beside our own eager engine."""
    rows = [row for row in TABLE.values() if row.partials is not None]
    eager = "clearprop eager"
    for batch in (1, 64):
        problem = random_program.irregular(rows, 10_000, batch)
        steps, _ = made(problem, {eager: peers.eager} | ours())
        print_table(f"{problem.title}, batch {batch}", interleaved(steps, rounds), eager)


if __name__ == "__main__":
    given = [int(a) for a in sys.argv[1:] if a.isdigit()]
    main(*given).show()
    if "--all" in sys.argv:
        whole_table(*given)
