"""Ten thousand training steps of a small scalar network: the memory of the process must not grow.

The cyclic garbage collector is off, so that a graph that is not freed by itself shows. (With it on, the
same steps are repeated in a second process.)

Run: python -m tests.benchmarks.training_growth [STEPS]
"""

from __future__ import annotations

import gc
import random
import subprocess
import sys
import time

from autodiff import Value, scope
from tests.benchmarks.side_by_side import verdict

XOR = [([0.0, 0.0], -1.0), ([0.0, 1.0], 1.0), ([1.0, 0.0], 1.0), ([1.0, 1.0], -1.0)]
HIDDEN = 4


def train(steps: int) -> list[tuple[int, float, int]]:
    """(step, loss, bytes of the resident set), eleven times over ``steps`` steps; the first is the warm-up."""
    import psutil

    rng = random.Random(0)
    first = [[Value(rng.uniform(-1, 1)) for _ in range(3)] for _ in range(HIDDEN)]
    last = [Value(rng.uniform(-1, 1)) for _ in range(HIDDEN + 1)]
    parameters = [p for row in [*first, last] for p in row]
    process, rows = psutil.Process(), []
    warm_up = max(steps // 10, 1)
    for step in range(steps + warm_up + 1):
        loss = Value(0.0, requires_grad=False)
        for (x1, x2), target in XOR:
            with scope("hidden"):
                hidden = [(a * x1 + b * x2 + bias).tanh() for a, b, bias in first]
            out = sum((w * h for w, h in zip(last, hidden, strict=False)), last[-1])
            loss = loss + (out - target) ** 2
        loss.backward()
        for p in parameters:
            p.data -= 0.05 * p.grad
            p.grad = None
        if step == warm_up:
            gc.collect()
        if step >= warm_up and (step - warm_up) % max(steps // 10, 1) == 0:
            rows.append((step - warm_up, loss.data, process.memory_info().rss))
    return rows


def main(steps: int, collector: bool) -> None:
    if not collector:
        gc.disable()
    start = time.perf_counter()
    rows = train(steps)
    seconds = time.perf_counter() - start
    print(f"\n{steps:,} steps after warm-up, cyclic collector {'on' if collector else 'off'}, {seconds:.1f} s")
    print(f"  {'step':>8}{'loss':>12}{'resident set':>16}{'growth':>10}")
    for step, loss, held in rows:
        print(f"  {step:>8,}{loss:>12.2e}{held / 1e6:>13.2f} MB{(held / rows[0][2] - 1) * 100:>9.3f}%")
    verdict("growth in %", (rows[-1][2] / rows[0][2] - 1) * 100, 1)
    if not collector:
        left = gc.collect()
        verdict("objects in cycles after all steps", left, 0)


if __name__ == "__main__":
    given = [int(a) for a in sys.argv[1:] if a.isdigit()]
    steps = given[0] if given else 10_000
    try:
        import psutil  # noqa: F401
    except ImportError:
        sys.exit("(training_growth is left out: pip install psutil)")
    main(steps, collector="--collect" in sys.argv)
    if "--collect" not in sys.argv:
        again = [sys.executable, "-m", "tests.benchmarks.training_growth", str(steps), "--collect"]
        sys.stdout.flush()
        subprocess.run(again, check=True)
