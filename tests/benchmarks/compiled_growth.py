"""Does tracing and compiling cost the same for each node, whether there are a thousand or a million of them?

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python -m tests.benchmarks.compiled_growth [MOST NODES]

Networks that become wider, recurrent networks over longer sequences, and random programs. Each size runs in a
process of its own; measured is the time until the first loss and gradients, without that of computing them once more.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff import observe
from tests.benchmarks import peers, problems
from tests.benchmarks.depth import peak
from tests.benchmarks.measured import NO_COMPILE, Asked, apart
from tests.benchmarks.problems import Problem

SIZES = [1_000, 10_000, 100_000, 1_000_000]
BATCH = 4


def unmeasured(*_: Any) -> Any:
    raise NotImplementedError("this problem is not written by hand")


def wide(nodes: int) -> Problem:
    """Two layers of n x n weights have 4 n² nodes, and each neuron a few more."""
    n = max(2, round((nodes / 4) ** 0.5 - 1))
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(BATCH, n)), rng.normal(size=(BATCH, n))
    return Problem("network, wider", problems.regression_network, unmeasured, problems.dense(rng, n, n, n), inputs)


def long(nodes: int) -> Problem:
    """A step of 16 hidden numbers has 16 (2 * 16 + 3) nodes."""
    return problems.rnn(steps=max(1, round(nodes / 560)), batch=BATCH)


ONE = ["sin", "cos", "tanh", "arctan", "square", "negative"]
TWO = ["multiply", "minimum", "maximum"]


def random(nodes: int) -> Problem:
    """Operations that keep numbers between -1 and 1, each of values among the last hundred."""
    rng = np.random.default_rng(0)
    names = rng.choice(ONE + TWO, nodes).tolist()
    back = rng.integers(1, 100, (nodes, 2)).tolist()

    def written(f: Any) -> Callable[..., Any]:
        plan = tuple((getattr(f, name), a, b if name in TWO else 0) for name, (a, b) in zip(names, back, strict=True))

        def loss(parameters: Any, xs: Any) -> Any:
            values = [*parameters, *xs]
            for function, a, b in plan:
                values.append(function(values[-a], values[-b]) if b else function(values[-a]))
            return sum(values[-100:])

        return loss

    return Problem("random program", written, unmeasured, rng.uniform(-1, 1, 50), (rng.uniform(-1, 1, (BATCH, 50)),))


def cost(kind: str, nodes: int) -> dict[str, float]:
    """How many nodes one example has, the processor time of each to trace and compile, and the peak of memory."""
    problem = {"wide": wide, "long": long, "random": random}[kind](nodes)
    counted = 0

    def count(*_: Any) -> None:
        nonlocal counted
        counted += 1

    one = problem.first(1)
    with observe(count):
        loss = problem.written(peers.OURS)(
            peers.nested(one.parameters, peers.Value), *(x[0].tolist() for x in one.inputs)
        )
    del loss
    for first in (long, random):  # what is imported or loaded once
        peers.clearprop(first(1000))()
    seconds = []
    for _ in range(max(1, min(7, 50_000 // nodes))):
        start = time.process_time()
        step = peers.clearprop(problem)
        step()
        first = time.process_time()
        step()
        seconds.append(first - start - (time.process_time() - first))
    return {"nodes": counted, "each": statistics.median(seconds) / counted, "peak": peak()}


def main(most: int = SIZES[-1]) -> Asked:
    asked = Asked()
    sizes = [size for size in SIZES if size <= most]
    if NO_COMPILE:
        return asked
    print("\nMicroseconds to trace and compile each node; peak of memory")
    for kind in ("wide", "long", "random"):
        found = {size: [apart("compiled_growth", f"cost('{kind}', {size})") for _ in range(3)] for size in sizes}
        each = {size: statistics.median(run["each"] for run in runs) * 1e6 for size, runs in found.items()}
        for size in sizes:
            run = found[size][0]
            print(f"  {kind:<10}{run['nodes']:>12,} nodes{each[size]:>10.2f} µs{run['peak'] / 1e6:>10.0f} MB")
        growth = max(each.values()) / min(each.values())
        asked.at_most(f"{kind}: cost of a node, the highest over the lowest", growth, 1.5)
    return asked


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SIZES[-1]).show()
