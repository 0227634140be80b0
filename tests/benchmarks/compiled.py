"""All figures of the compiler in one run, and at the end what was asked for beside what was found.

OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python -m tests.benchmarks.compiled [ROUNDS]
"""

from __future__ import annotations

import sys

from tests.benchmarks import compiled_growth, compiled_irregular, compiled_networks, compiled_recurrent


def main(rounds: int = 30) -> None:
    found = [part.main(rounds) for part in (compiled_networks, compiled_recurrent, compiled_irregular)]
    everything = found[0]
    for asked in (*found[1:], compiled_growth.main()):
        everything.lines += asked.lines
    everything.show()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
