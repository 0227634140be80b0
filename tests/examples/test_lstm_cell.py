"""The lesson on the LSTM cell: what it prints is true."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from examples.lstm_cell import INPUTS, STEPS, Cell, lstm_memories, plain_states, ways_back
from nn import LSTMCell
from tests.examples.lessons import assert_png, run_lesson


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run_lesson("lstm_cell", tmp_path_factory.mktemp("new") / "folder")


def random_cell(seed):
    rng = np.random.default_rng(seed)
    return Cell(*rng.normal(0, 2, (3, 4)).tolist())


@pytest.mark.parametrize("seed", range(5))
def test_it_is_an_lstm_cell(seed):
    cell = random_cell(seed)
    twin = LSTMCell(1, 1)
    for name, where in (("w", twin.weight_ih), ("u", twin.weight_hh), ("b", twin.bias_ih)):
        where.data = np.reshape([getattr(gate, name).data for gate in cell.gates], where.shape)
    state = None
    for x, step in zip(INPUTS, cell.run(INPUTS), strict=True):
        state = twin([[x]], state)
        assert step.h.data == pytest.approx(state[0].item(), rel=1e-12)
        assert step.c.data == pytest.approx(state[1].item(), rel=1e-12)
    (step.h + 2 * step.c).backward()
    (state[0] + 2 * state[1]).sum().backward()
    for name, where in (("w", twin.weight_ih), ("u", twin.weight_hh), ("b", twin.bias_ih)):
        by_hand = [getattr(gate, name).grad for gate in cell.gates]
        np.testing.assert_allclose(by_hand, where.grad.ravel(), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_the_two_ways_back_are_all_ways(seed):
    steps = random_cell(seed).run([0.3, -1.0, 0.8, 0.5])
    steps[-1].h.backward()
    for step, after in pairwise(steps):
        assert sum(ways_back(step, after)) == pytest.approx(step.c.grad, rel=1e-10)


def test_what_is_left_is_the_gradient_of_the_last_state():
    inputs = [0.5, -1.0, 2.0, 0.1]
    states = plain_states(inputs, 0.7, 1.3)
    factors = [1.3 * (1 - h.data**2) for h in states]
    assert [h.grad for h in states] == pytest.approx([np.prod(factors[t + 1 :]) for t in range(4)], rel=1e-12)
    memories = lstm_memories(inputs, 3.0)
    assert memories[-1].grad == 1
    assert len(memories) == 4


def test_in_full(lesson):
    result, shown = lesson
    assert result.difference < 1e-12
    assert f"The largest difference: {result.difference:.1e}." in " ".join(shown.split())
    for found in re.findall(
        r"= (\S+) through the plus, and (\S+) through the output,\s+together (\S+); the backward pass said (\S+)", shown
    ):
        plus, output, together, said = map(float, found)
        assert plus + output == pytest.approx(together, abs=2e-5)
        assert together == said
    assert shown.count("through the plus, and") == 2
    for name, left in result.left.items():
        assert len(left) == STEPS + 1
        assert left[0] == 1
        assert f"{left[STEPS]:.2g}" in next(line for line in shown.splitlines() if line.startswith(f"    {name}  "))


def test_plain_cells_that_listen_lose_the_gradient_and_open_gates_keep_it(lesson):
    left = {name: line[-1] for name, line in lesson[0].left.items()}
    for u in ("0.5", "1", "2"):
        assert left[f"plain cell, u = {u}"] < 1e-6
    assert 0.05 < left["plain cell, u = 1, w = 0.1"] < 1
    assert 1e-3 < left["LSTM cell, b_f = 1"] < 0.1
    for b in (3, 5):
        assert left[f"LSTM cell, b_f = {b}"] > 0.5


def test_the_pictures(lesson):
    result, shown = lesson
    assert str(result.drawing) in shown
    words = " ".join("".join(ElementTree.parse(result.drawing).getroot().itertext()).split())
    for label in ("w_i", "u_f", "b_g", "w_o", "x", "h", "c", "c'", "h'"):
        assert re.search(rf"(?<!\w){re.escape(label)}(?!\w)", words), label
    for gate in ("input_gate", "forget_gate", "candidate", "output_gate"):
        assert f"in {gate}" in words  # what a reader sees who points at a box
    assert_png(result.picture)


@pytest.mark.parametrize("seed", [2, 3])
def test_other_seeds(seed, tmp_path):
    result, _ = run_lesson("lstm_cell", tmp_path, seed=seed, epochs=2)
    assert result.difference < 1e-12
