"""Every graph of single numbers that a lesson differentiates, and every program that it compiles, in both back ends.

The lessons run as they are. What they hand to the backward pass is written down as a program, and so is what they
compile; each program runs on batches of numbers near those of the lesson, against Values, one example at a time.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest

import autodiff
from autodiff import Value
from autodiff.compiler.calling import scalar_entry
from autodiff.compiler.program import Program, Recorder
from examples.__main__ import LESSONS
from tests.autodiff.compiler.random_programs import compared
from tests.autodiff.compiler.shrinking import Run, shrunk
from tests.examples.lessons import run_lesson, without_matplotlib

pytest.importorskip("numba")

OF_ARRAYS = {"names", "sunspots", "digits", "digits_convolution", "deep_linear", "logistic_regression"}
QUICK = {"1 s", "2 s", "3 s"}
KEPT, LONGEST = 6, 3000  # programs of each lesson, and instructions of those that run on all batches


def graph_as_program(output):
    """The history of a node; its leaves are parameters and inputs by turns."""
    order = autodiff.backprop.newest_first(output)[::-1]
    leaves = dict.fromkeys(x for node in order for x in node.inputs if x.op is None and x.requires_grad)
    if not order or any(type(x) is not Value or type(x._held) is not float for node in order for x in node.inputs):
        return None  # arrays, and exact fractions
    recorder = Recorder()
    for k, leaf in enumerate(leaves):
        (recorder.varying if k % 2 == 0 else recorder.shared)(leaf)
    for node in order:
        recorder(node, node.op, node.inputs)
    recorder.program.outputs = [recorder.number(output)]
    given = {number: node._held for node, number in recorder.numbers.items()}
    recorder.program.example = [given[i] for i in (*recorder.program.shared, *recorder.program.varying)]
    return recorder.program


@pytest.fixture
def met(monkeypatch):
    """Programs of all that is differentiated or compiled from here on, one of each structure."""
    found: dict[object, Program] = {}
    newest_first, simplify = autodiff.backprop.newest_first, scalar_entry.simplify
    inside = []

    def add(program):
        if program is not None and program.varying:
            found.setdefault(hash((tuple(map(repr, program.ops)), tuple(program.args))), program)

    def watched(output, *rest):
        if type(output) is Value and not inside:
            inside.append(1)
            add(graph_as_program(output))
            inside.pop()
        return newest_first(output, *rest)

    def simplified(program):
        slim = simplify(program)
        add(slim)
        return slim

    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("autodiff", "viz", "nn", "examples"):
            for at, value in list(vars(module).items()):
                if value is newest_first:
                    monkeypatch.setattr(module, at, watched)
    monkeypatch.setattr(scalar_entry, "simplify", simplified)
    return found


def run_of(program, batch, rng):
    """The program on numbers near those that it was recorded with."""
    count = len(program.shared)
    example = program.example or rng.normal(size=count + len(program.varying)).tolist()
    near = lambda *shape: 1 + rng.uniform(-0.01, 0.01, shape)
    P = np.array(example[:count], float) * near(count)
    X = np.array(example[count:], float)[:, None] * near(len(program.varying), batch)
    return Run(program, P, X, rng.normal(size=(len(program.outputs), batch)))


@pytest.mark.parametrize(
    "lesson",
    [
        pytest.param(name, marks=[] if lesson.time in QUICK else pytest.mark.slow)
        for name, lesson in LESSONS.items()
        if name not in OF_ARRAYS
    ],
)
def test_programs_of_a_lesson(lesson, met, tmp_path, monkeypatch):
    without_matplotlib(monkeypatch)
    run_lesson(lesson, tmp_path)
    rng = np.random.default_rng(0)
    programs = sorted(met.values(), key=len)
    assert programs
    for program in programs[:: -(-len(programs) // KEPT)]:
        for batch in (1, 2, 7, 64) if len(program) < LONGEST else (1, 7):
            run = run_of(program, batch, rng)
            if compared(run).wrong:
                small = shrunk(run, lambda run: bool(compared(run).wrong))
                raise AssertionError(f"{compared(small).wrong}\n{small}")
