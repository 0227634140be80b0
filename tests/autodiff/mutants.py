"""Damage every derivative rule by a thousandth, one at a time, and see whether the tests of the table notice.

    python -m tests.autodiff.mutants --jobs 2

For each row and each of its inputs, the rule of that input is multiplied by 1.001 (a rule that is constantly
0 is raised by 0.001), and the ordinary tests of the row run in a process of their own. Prints a line for each
mutant that survives; the exit code is 1 if any does.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from autodiff import TABLE, Primitive

TESTS = Path(__file__).with_name("test_table.py")
CHECKS = ("test_first_derivative", "test_second_derivative")


IN_PLACE = -1


class Mutant(NamedTuple):
    name: str  # of the row
    k: int  # number of the input; IN_PLACE for the way that adds in place


def all_mutants() -> list[Mutant]:
    """One for each rule of the table; a row with any number of inputs counts as many as its cases have."""
    in_place = [Mutant(row.name, IN_PLACE) for row in TABLE.values() if row.into is not None]
    return [Mutant(row.name, k) for row in TABLE.values() for k in range(_inputs(row))] + in_place


def _inputs(row: Primitive) -> int:
    return max(len(shapes) for shapes, _ in row.cases) if row.variadic else row.arity or 0


def _damage(rule: Any) -> Any:
    if not callable(rule):
        return lambda *_, **params: rule * 1.001 if rule else 0.001
    return lambda *args, **params: rule(*args, **params) * 1.001


@contextlib.contextmanager
def damaged(mutant: Mutant) -> Iterator[None]:
    """The table with one rule damaged."""
    row, k = TABLE[mutant.name], mutant.k
    before = row.partials, row.rules, row.scalar, row.into
    if k == IN_PLACE:
        into = row.into
        row.into = lambda total, upstream, **params: into(total, upstream * 1.001, **params)
    elif row.partials is not None:
        row.partials = (*row.partials[:k], _damage(row.partials[k]), *row.partials[k + 1 :])
        if row.scalar is not None:
            row.scalar = (*row.scalar[:k], row.partials[k], *row.scalar[k + 1 :])
    elif row.variadic:
        rule = row.rules
        row.rules = lambda i, *args, **params: rule(i, *args, **params) * (1.001 if i == k else 1)
    else:
        row.rules = [*row.rules[:k], _damage(row.rules[k]), *row.rules[k + 1 :]]
    try:
        yield
    finally:
        row.partials, row.rules, row.scalar, row.into = before


def start(mutant: Mutant) -> int:
    """A process in which pytest runs the tests of one damaged row; it exits with 1 if a test fails."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    code = 2
    try:
        with damaged(mutant):
            nodes = [f"{TESTS}::{check}[{mutant.name}]" for check in CHECKS]
            code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *nodes]))
    finally:
        os._exit(code)


def main() -> int:
    parser = argparse.ArgumentParser(description="Damage every derivative rule and count how many are noticed.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    jobs = parser.parse_args().jobs
    import tests.autodiff.test_table  # noqa: F401 — once, before the processes divide

    began, waiting, running, survivors = time.perf_counter(), all_mutants()[::-1], {}, []
    total = len(waiting)
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop()
            running[start(mutant)] = mutant
        child, status = os.wait()
        mutant, code = running.pop(child), os.waitstatus_to_exitcode(status)
        if code != pytest.ExitCode.TESTS_FAILED:
            survivors.append(mutant)
            what = "survived" if code == 0 else f"was not tested: pytest ended with {code}"
            print(f"{mutant.name}, input {mutant.k}: {what}")
    seconds = time.perf_counter() - began
    print(f"{total - len(survivors)} of {total} mutants killed in {seconds:.0f} s")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
