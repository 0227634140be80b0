"""Sequences written with single numbers, compiled: recurrent networks and attention, beside NumPy by hand.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python -m tests.benchmarks.compiled_recurrent [ROUNDS]

The mean loss over a batch of 32 and all gradients, in float64; both agree to 1e-10 before they are timed.
"""

from __future__ import annotations

import sys

from tests.benchmarks import peers, problems
from tests.benchmarks.measured import BY_HAND, NO_COMPILE, Asked, measure

OURS = "clearprop compiled"


def main(rounds: int = 30) -> Asked:
    asked = Asked()
    limits = [
        (problems.rnn(), 2.0),
        (problems.rnn(every=True), 2.0),
        (problems.lstm(), 2.0),
        (problems.attention(), 4.0),
    ]
    for problem, limit in limits:
        times = measure(problem, {} if NO_COMPILE else {OURS: peers.clearprop}, rounds, 20)
        asked.slower(f"{problem.title}: times by hand", times, OURS, BY_HAND, limit)
    return asked


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30).show()
