"""A problem given to several systems: they agree first, then they are timed, and what was asked for is judged."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import autodiff
from autodiff.primitives.row import plain
from autodiff.trees import flatten
from tests.benchmarks.problems import Problem, Step
from tests.benchmarks.side_by_side import interleaved, paired_ratio, print_table, verdict

BY_HAND = "by hand (NumPy)"
Maker = Callable[[Problem], Step]
Times = dict[str, list[float]]

NO_COMPILE = not hasattr(autodiff, "compile")
if NO_COMPILE:
    print("(clearprop is left out: this version has no autodiff.compile)")


class Asked:
    """The figures that were asked for, judged one by one and shown together at the end."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, float, float, bool]] = []

    def at_most(self, claim: str, figure: float, limit: float) -> None:
        self.lines.append((claim, figure, limit, False))

    def at_least(self, claim: str, figure: float, limit: float) -> None:
        self.lines.append((claim, figure, limit, True))

    def slower(self, claim: str, times: Times, ours: str, reference: str, limit: float) -> None:
        """``ours`` takes at most ``limit`` times as long as the reference."""
        if ours in times and reference in times:
            self.at_most(claim, paired_ratio(times[ours], times[reference]), limit)

    def faster(self, claim: str, times: Times, ours: str, reference: str, limit: float) -> None:
        """The reference takes at least ``limit`` times as long as ``ours``."""
        if ours in times and reference in times:
            self.at_least(claim, paired_ratio(times[reference], times[ours]), limit)

    def show(self) -> None:
        if self.lines:
            print("\nAsked for")
        for line in self.lines:
            verdict(*line)


def vector(result: tuple[Any, Any]) -> np.ndarray:
    """Loss and gradients of a step, one after the other."""
    loss, gradients = result
    return np.concatenate([np.ravel(np.asarray(plain(x), float)) for x in flatten([loss, gradients])[0]])


def agree(found: np.ndarray, expected: np.ndarray, name: str) -> None:
    """Loss and gradients are the same to 1e-10 of each or, where terms cancel, of the largest gradient."""
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * np.abs(expected[1:]).max(), err_msg=name)


def eager_agrees(problem: Problem, examples: int = 2) -> None:
    """The program written with scalars and the one by hand are the same function."""
    from tests.benchmarks.peers import eager

    few = problem.first(examples)
    agree(vector(by_hand(few)()), vector(eager(few)()), f"{problem.title}: by hand and eager")


def made(problem: Problem, systems: dict[str, Maker]) -> tuple[dict[str, Step], dict[str, float]]:
    """The steps of all systems, which agree with the first; and the seconds until each had its first result."""
    steps, seconds, expected = {}, {}, None
    for name, make in systems.items():
        start = time.perf_counter()
        steps[name] = make(problem)
        result = steps[name]()
        seconds[name] = time.perf_counter() - start
        if expected is None:
            expected = vector(result)
        agree(vector(result), expected, f"{problem.title}: {name}")
    return steps, seconds


def by_hand(problem: Problem) -> Step:
    return problem.by_hand(problem.parameters, *problem.inputs)


def measure(problem: Problem, systems: dict[str, Maker], rounds: int, block: int, title: str = "") -> Times:
    """Check and time a problem, by hand first, and print the table."""
    eager_agrees(problem)
    steps, first = made(problem, {BY_HAND: by_hand} | systems)
    times = interleaved(steps, rounds, block)
    print_table(title or f"{problem.title}, batch {problem.batch}", times, BY_HAND)
    for name in systems:
        print(f"  {name:<28}{first[name] * 1e3:>10.0f} ms until its first result")
    return times


def apart(module: str, call: str) -> Any:
    """The result of a call of one of these files, in a process of its own."""
    code = f"import json; from tests.benchmarks import {module}; print(json.dumps({module}.{call}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(run.stderr.strip().splitlines()[-1])
    return json.loads(run.stdout.splitlines()[-1])
