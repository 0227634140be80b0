"""Which back end runs a program: blocks on NumPy, or the tape of numba."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff import compile, exp
from autodiff.compiler import cost
from autodiff.compiler.passes import simplify
from autodiff.compiler.reroll import reroll
from tests.autodiff.compiler.examples import cases, newton, recorded
from tests.autodiff.compiler.random_functions import random_case

EXAMPLES = cases(np.random.default_rng(0), 2)


def unasked():
    raise AssertionError("the program was re-rolled only to count its operations")


def check_least(program):
    least = cost.least_operations(program)
    assert least <= reroll(program).program(1).instructions
    return least


@given(st.integers(0, 10_000))
def test_no_program_is_rerolled_to_fewer_operations_than_foretold(seed):
    check_least(simplify(recorded(*random_case(seed, 1))))


@pytest.mark.parametrize(("name", "least"), [("mlp", 3), ("rnn", 6), ("lstm", 8), ("attention", 1), ("newton", 6)])
def test_the_longest_chain_of_an_example(name, least):
    """Layers, time steps and iterations wait for each other."""
    assert check_least(recorded(*EXAMPLES[name])) >= least


def test_without_numba_there_is_no_choice_and_nothing_is_counted(monkeypatch):
    monkeypatch.setattr(cost, "available", lambda: False)
    assert cost.choose(recorded(*EXAMPLES["newton"]), 1000, unasked, 1) == "numpy"


def test_a_long_chain_goes_to_the_tape_without_being_rerolled(monkeypatch):
    monkeypatch.setattr(cost, "available", lambda: True)
    monkeypatch.setattr(cost, "is_loaded", lambda: True)
    program = recorded(*EXAMPLES["newton"])
    assert cost.choose(program, cost.least_operations(program), unasked, 1) == "numba"


@pytest.mark.parametrize("batch", [1, 8, 64, 512])
def test_what_is_foretold_decides_as_the_count_does(batch, monkeypatch):
    monkeypatch.setattr(cost, "available", lambda: True)
    for case in EXAMPLES.values():
        program = recorded(*case)
        count = reroll(program).program(1).instructions
        least = cost.least_operations(program)
        assert cost.choose(program, least, lambda n=count: n, batch) == cost.choose(
            program, 0, lambda n=count: n, batch
        )


def test_numba_is_loaded_only_where_that_pays(monkeypatch):
    """Nine operations gain some microseconds on the tape; to load it takes half a second."""
    monkeypatch.setattr(cost, "available", lambda: True)
    short, long = (recorded(f, 0.7, EXAMPLES["newton"][2]) for f in (lambda a, x: a * exp(-x) + x, newton))
    for loaded, chosen in ((False, "numpy"), (True, "numba")):
        monkeypatch.setattr(cost, "is_loaded", lambda loaded=loaded: loaded)
        assert cost.choose(short, cost.least_operations(short), lambda: 9, 1) == chosen
        assert cost.choose(long, cost.least_operations(long), lambda: 56, 1) == "numba"


def test_large_batches_of_networks_run_as_blocks(monkeypatch):
    monkeypatch.setattr(cost, "available", lambda: True)
    program = recorded(*EXAMPLES["mlp"])
    count = reroll(program).program(1).instructions
    assert cost.choose(program, cost.least_operations(program), lambda: count, 512) == "numpy"


def test_irregular_code_runs_on_the_tape_and_can_still_be_drawn_as_blocks():
    pytest.importorskip("numba")
    x = np.abs(np.random.default_rng(1).normal(size=1))
    compile(newton, backend="numba").grad(0.7, x)  # now it is loaded
    fast = compile(newton)
    fast.value_and_grad(0.7, x)
    entry = fast._entry((0.7, x), {})[0]
    assert entry.backends.chosen(1) == "numba"
    assert entry.backends._blocks is None
    assert fast.blocks(0.7, x).program(1).instructions > 0
