"""What ``import autodiff`` costs beyond ``import numpy``, which it contains: fresh processes, in turn.

Each process times its own import statement, so that starting Python is left out of the ratio. All modules
are compiled beforehand (into a temporary folder), as they are for anybody who imports them a second time.
Where the target is missed, the modules that cost the most beyond NumPy are listed.

Run: python -m tests.benchmarks.import_time [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

from tests.benchmarks.side_by_side import paired_ratio, print_table, verdict

TARGET = 1.3


def python(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, env=environment)


def seconds(environment: dict[str, str], module: str) -> float:
    """How long ``import module`` takes in a new process."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    return float(python(environment, "-c", code).stdout)


def own_costs(environment: dict[str, str], module: str) -> dict[str, int]:
    """Microseconds that each module takes by itself, without what it imports; the median of five processes."""
    runs = [_own_costs(python(environment, "-X", "importtime", "-c", f"import {module}").stderr) for _ in range(5)]
    return {name: int(statistics.median(run[name] for run in runs)) for name in runs[0]}


def _own_costs(report: str) -> dict[str, int]:
    costs = {}
    for line in report.splitlines():
        own, _, name = line.removeprefix("import time:").split("|")
        if own.strip().isdigit():
            costs[name.strip()] = int(own)
    return costs


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as compiled:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        compare(rounds, environment)


def compare(rounds: int, environment: dict[str, str]) -> None:
    modules = ["numpy", "autodiff"]
    for module in modules:
        seconds(environment, module)  # compiles, and warms the file cache
    table: dict[str, list[float]] = {f"import {module}": [] for module in modules}
    for _ in range(rounds):
        for module in modules:
            table[f"import {module}"].append(seconds(environment, module))
    print_table("Imports in fresh processes", table, "import numpy")
    ratio = paired_ratio(table["import autodiff"], table["import numpy"])
    verdict("times the cost of import numpy", ratio, TARGET)
    if ratio > TARGET:
        without = own_costs(environment, "numpy")
        costs = own_costs(environment, "autodiff")
        extra = {name: cost for name, cost in costs.items() if name not in without}
        print("\nModules beyond NumPy, milliseconds of their own")
        for name, cost in sorted(extra.items(), key=lambda item: -item[1])[:20]:
            print(f"  {name:<40}{cost / 1e3:>8.2f}")
        print(f"  {'all of them':<40}{sum(extra.values()) / 1e3:>8.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 21)
