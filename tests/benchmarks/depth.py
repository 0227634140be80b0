"""Deep graphs: what a chain of a million operations costs in time and memory, at the default recursion limit.

Each chain is built, differentiated and freed in a process of its own, so that the peak of its resident set
is its own. The second table says whether the cost of a node grows with the depth. With --all the peers
build the same chain (minutes, and up to 3 GB).

Run: python -m tests.benchmarks.depth [OPERATIONS] [--all]
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from tests.benchmarks.side_by_side import available, verdict

MILLION = 1_000_000
SIZES = [1_000, 10_000, 100_000, MILLION]


def chain(x: Any, operations: int, tanh: Callable[[Any], Any]) -> Any:
    """``operations`` (a multiple of 4) in a row, half of them with a constant; the slope settles near 1.6."""
    for _ in range(operations // 4):
        x = tanh(x * 1.5) * x + 0.5
    return x


def resident() -> int:
    """Bytes of memory that this process holds, and 0 where that cannot be told."""
    try:
        import psutil
    except ImportError:
        return 0
    return int(psutil.Process().memory_info().rss)


def peak() -> int:
    """The most bytes of memory that this process ever held."""
    try:
        with open("/proc/self/status") as status:  # ru_maxrss starts with the peak of the parent process
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def clearprop(operations: int) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    from autodiff import Value, tanh

    return lambda: chain(Value(0.7), operations, tanh), Value.backward


def micrograd(operations: int) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    from micrograd.engine import Value

    return lambda: chain(Value(0.7), operations, Value.relu), Value.backward  # it has no tanh


def pytorch(operations: int) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    import torch

    return lambda: chain(torch.tensor(0.7, requires_grad=True), operations, torch.tanh), torch.Tensor.backward


def hips(operations: int) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    import autograd.numpy as anp
    from autograd.core import make_vjp

    def build() -> Any:
        return make_vjp(lambda x: chain(x, operations, anp.tanh), 0.7)[0]

    return build, lambda pull: pull(1.0)


def mygrad(operations: int) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    import mygrad as mg

    return lambda: chain(mg.tensor(0.7), operations, mg.tanh), mg.Tensor.backward


MAKERS = {"clearprop": clearprop, "micrograd": micrograd, "pytorch": pytorch, "hips": hips, "mygrad": mygrad}


def phases(system: str, operations: int, repeats: int = 1) -> dict[str, float]:
    """Seconds to build, differentiate and free one chain (medians), and the bytes it holds."""
    build, backward = MAKERS[system](operations)
    backward(MAKERS[system](8)[0]())  # what is imported or set up once
    gc.collect()
    before = resident()
    rows = []
    for _ in range(repeats):
        t0 = time.perf_counter()
        y = build()
        t1 = time.perf_counter()
        built = resident()
        t2 = time.perf_counter()
        backward(y)
        t3 = time.perf_counter()
        after = resident()
        t4 = time.perf_counter()
        del y
        if system != "clearprop":
            gc.collect()
        t5 = time.perf_counter()
        rows.append((t1 - t0, t3 - t2, t5 - t4, built - before, after - before))
    build_s, backward_s, free_s, built, after = map(statistics.median, zip(*rows, strict=True))
    return {
        "build": build_s,
        "backward": backward_s,
        "free": free_s,
        "built": built,
        "differentiated": after,
        "peak": peak(),
    }


def traced(operations: int) -> dict[str, float]:
    """Bytes that Python allocates for one chain: while it stands, with its gradients, and at most."""
    build, backward = clearprop(operations)
    backward(clearprop(8)[0]())
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    y = build()
    built = tracemalloc.get_traced_memory()[0] - before
    backward(y)
    after, most = (n - before for n in tracemalloc.get_traced_memory())
    del y
    left = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return {"built": built, "differentiated": after, "peak": most, "left": left}


def apart(call: str) -> dict[str, float]:
    """The result of ``call`` in a new process, or an error with what it said last."""
    code = f"import json; from tests.benchmarks import depth; print(json.dumps(depth.{call}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if run.returncode:
        said = run.stderr.strip().splitlines()
        raise RuntimeError(said[-1][:80] if said else f"it ended with signal {-run.returncode}")
    return dict(json.loads(run.stdout))


def print_chain(title: str, figures: dict[str, float]) -> float:
    """One line of the first table; returns the seconds for all three phases."""
    total = figures["build"] + figures["backward"] + figures["free"]
    columns = "".join(f"{figures[name]:>10.2f}" for name in ("build", "backward", "free"))
    print(f"  {title:<14}{columns}{total:>10.2f} s{figures['peak'] / 1e6:>10.0f} MB")
    return total


def main(operations: int, everything: bool = False) -> None:
    print(f"A chain of {operations:,} operations; median of 3 processes")
    print(f"  {'':<14}{'build':>10}{'backward':>10}{'free':>10}{'in all':>12}{'peak':>13}")
    runs = [apart(f"phases('clearprop', {operations})") for _ in range(3)]
    middle = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    total = print_chain("clearprop", middle)
    if everything:
        peers = {"torch": "pytorch", "autograd": "hips", "mygrad": "mygrad", "micrograd": "micrograd"}
        for peer in available({module: (name, name) for module, name in peers.items()}):
            try:
                print_chain(peer, apart(f"phases('{peer}', {operations})"))
            except RuntimeError as error:
                print(f"  {peer:<14}fails: {error}")

    memory = apart(f"traced({operations})")
    print(f"\nBytes for each of {operations:,} operations")
    print(f"  {'':<26}{'built':>8}{'with gradients':>16}{'at most':>9}{'after del':>11}")
    each = {name: figure / operations for name, figure in memory.items()}
    allocated = "{built:>8.0f}{differentiated:>16.0f}{peak:>9.0f}{left:>11.2f}".format(**each)
    print(f"  {'allocated (tracemalloc)':<26}{allocated}")
    if middle["built"] > 0:
        held = "".join(f"{middle[n] / operations:>{w}.0f}" for n, w in (("built", 8), ("differentiated", 16)))
        print(f"  {'resident set':<26}{held}")

    repeats = {n: max(1, 200_000 // n) for n in SIZES}
    rounds: dict[int, list[dict[str, float]]] = {n: [] for n in SIZES}
    for _ in range(3):
        for n in SIZES:
            rounds[n].append(apart(f"phases('clearprop', {n}, {repeats[n]})"))
    print("\nMicroseconds for each operation, by depth; medians of 3 processes")
    print(f"  {'operations':<14}{'build':>10}{'backward':>10}{'free':>10}{'in all':>12}")
    cost = {}
    for n in SIZES:
        parts = [statistics.median(run[p] for run in rounds[n]) / n * 1e6 for p in ("build", "backward", "free")]
        cost[n] = sum(parts)
        print(f"  {n:<14,}" + "".join(f"{part:>10.3f}" for part in parts) + f"{cost[n]:>12.3f}")

    print()
    if operations == MILLION:
        verdict("seconds for a million operations", total, 8)
        verdict("peak resident set, GB", middle["peak"] / 1e9, 1)
    verdict("bytes allocated for each operation", each["built"], 250)
    verdict("growth of the cost of an operation from 1e3 to 1e6", cost[MILLION] / cost[1_000], 2.5)


if __name__ == "__main__":
    numbers = [int(a) for a in sys.argv[1:] if a.isdigit()]
    main(numbers[0] if numbers else MILLION, "--all" in sys.argv)
