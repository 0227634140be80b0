"""The lesson on vanishing and exploding gradients: what it claims is computed again, by other means."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from examples.vanishing_gradients import FACTORS, RADII, STEPS, TRAINING, UNITS, answer, rotation, tiny_network
from nn import RNN
from tests.examples.lessons import run_lesson
from viz.drawing.format import number


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run_lesson("vanishing_gradients", tmp_path_factory.mktemp("new") / "folder")


def test_one_number(lesson):
    result, shown = lesson
    assert list(result.left) == list(FACTORS)
    for w, gradient in result.left.items():
        assert gradient == pytest.approx(w**STEPS, rel=1e-12)
        row = re.search(rf"^ +{w} +(\S+) +(\S+) +(\S+)$", shown, re.M).groups()
        assert [float(x) for x in row] == pytest.approx([w**10, w**20, w**STEPS], rel=5e-3)


def test_predictions_come_before_answers(lesson):
    _, shown = lesson
    parts = re.split(r"^Part \d\. ", shown, flags=re.M)[1:]
    assert len(parts) == 5
    answers = ("1.07e+09", "No: wherever", "step 29", "Vanishes", "(over)")
    for text, told in zip(parts, answers, strict=True):
        assert -1 < text.find("Predict") < text.find(told)


def test_one_unit(lesson):
    result, shown = lesson
    found = result.single
    assert found.count == STEPS
    assert sum(path.product for path in found) + found.rest == pytest.approx(found.gradient)
    assert [len(path) for path in found] == sorted(len(path) for path in found)  # the largest are the short ones
    assert abs(found.rest) < abs(found[0].product) / 100
    assert f"25 that are not listed bring {number(found.rest)}" in " ".join(shown.split())
    assert float(re.search(r"^  h0 +(\S+)$", shown, re.M)[1]) < 1e-3


def test_every_step_back_is_the_radius(lesson):
    result, shown = lesson
    assert list(result.flows) == list(RADII)
    for radius, flow in result.flows.items():
        np.testing.assert_allclose(flow.norms, UNITS**0.5 * radius ** (STEPS - 1.0 - np.arange(STEPS)), rtol=1e-9)
    for verdict in ("Vanishes", "Is kept", "Explodes"):
        assert verdict in shown
    assert [flow.tracks[0].verdict.split(":")[0] for flow in result.flows.values()] == [
        "Vanishes",
        "Is kept",
        "Explodes",
    ]


def test_the_answer_against_differences():
    """The gradient that comes back to the first input through all steps."""
    rng = np.random.default_rng(0)
    layer = RNN(1, UNITS, seed=0)
    inputs = rng.normal(size=(1, 6, 1))
    nudged = [inputs.copy(), inputs.copy()]
    nudged[0][0, 0, 0] += 1e-6
    nudged[1][0, 0, 0] -= 1e-6
    slope = (answer(layer, nudged[0]).item() - answer(layer, nudged[1]).item()) / 2e-6
    states = np.zeros(UNITS)
    back = np.ones(UNITS)
    cell = layer.cells[0]
    over_time = []
    for x in inputs[0, :, 0]:
        states = np.tanh(cell.weight_ih.data[:, 0] * x + cell.weight_hh.data @ states)
        over_time.append(states)
    for h in over_time[:0:-1]:
        back = cell.weight_hh.data.T @ (back * (1 - h * h))
    assert (back * (1 - over_time[0] ** 2)) @ cell.weight_ih.data[:, 0] == pytest.approx(slope, rel=1e-6)


def test_many_ways(lesson):
    result, shown = lesson
    assert result.many.count == 3**9
    assert "3^9 = 19,683 paths" in " ".join(shown.split())


def test_tanh_loses_what_an_open_gate_keeps(lesson):
    flows = lesson[0].squashed
    left = {name: flow.tracks[0].norms[0] / flow.tracks[0].norms[-1] for name, flow in flows.items()}
    assert left["RNN with tanh, radius 1"] < 1e-3
    assert left["RNN with tanh, radius 1"] < left["LSTM, b_f = 1"] < left["LSTM, b_f = 5"]
    assert left["LSTM, b_f = 5"] > 0.5


def test_clipping(lesson):
    result, shown = lesson
    without, clipped = result.losses
    assert len(without) < 5
    assert not np.isfinite(without[-1]) or without[-1] > 1e50
    assert len(clipped) == TRAINING
    assert clipped[-1] < clipped[0] / 10
    assert f"{result.norms[0]:.1e}" in shown


def test_the_pictures_and_the_page(lesson):
    result, shown = lesson
    assert len(result.pictures) == 7
    for picture in result.pictures:
        assert str(picture) in shown
        assert ElementTree.parse(picture).getroot().get("aria-label")
    assert result.page.read_text(encoding="utf-8").lower().startswith("<!doctype html>")


def test_small_things():
    turn = rotation(np.random.default_rng(3))
    np.testing.assert_allclose(turn @ turn.T, np.eye(UNITS), atol=1e-12)
    assert tiny_network().label == "loss"


@pytest.mark.parametrize(("seed", "epochs"), [(2, 1), (3, 12), (4, 3)])
def test_other_seeds(seed, epochs, tmp_path):
    result, _ = run_lesson("vanishing_gradients", tmp_path, seed=seed, epochs=epochs)
    assert len(result.losses[1]) == epochs
    assert result.single.count == STEPS
    ratio = [flow.tracks[0].norms[0] / flow.tracks[0].norms[-1] for flow in result.squashed.values()]
    assert ratio[0] < 0.01 < ratio[2]
