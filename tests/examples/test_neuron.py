"""The lesson on a neuron: what it tells is true."""

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from examples.neuron import INPUTS, LEARNING_RATE, TARGET
from tests.examples.lessons import run_lesson


def loss_of(w1, w2, b):
    """The neuron, written anew."""
    return (math.tanh(w1 * INPUTS[0] + w2 * INPUTS[1] + b) - TARGET) ** 2


def slopes(numbers, h=1e-6):
    """Central differences."""
    found = []
    for k in range(3):
        above, below = list(numbers), list(numbers)
        above[k] += h
        below[k] -= h
        found.append((loss_of(*above) - loss_of(*below)) / (2 * h))
    return found


def table(shown):
    rows = re.findall(r"^ +(\d+)" + 5 * r" +(-?\d+\.\d{4})" + "$", shown, re.M)
    return [[float(number) for number in row] for row in rows]


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run_lesson("neuron", tmp_path_factory.mktemp("new") / "folder")


@pytest.fixture(scope="module", params=range(1, 13))
def any_lesson(request, tmp_path_factory):
    return run_lesson("neuron", tmp_path_factory.mktemp("seeds"), seed=request.param, epochs=4)


def weights(shown):
    said = re.search(r"w1 = (\S+), w2 = (\S+), b = (\S+)\. We want", " ".join(shown.split()))
    return [float(number) for number in said.groups()]


def test_forward_and_backward(any_lesson):
    result, shown = any_lesson
    numbers = weights(shown)
    assert result.losses[0] == pytest.approx(loss_of(*numbers), rel=1e-12)
    assert list(result.gradients.values()) == pytest.approx(slopes(numbers), rel=1e-6)
    assert list(result.nudged.values()) == pytest.approx(slopes(numbers), rel=1e-5)
    for name, gradient in result.gradients.items():
        nudged, backward = re.search(rf"^  {name} +nudged: +(\S+)   backward: +(\S+)$", shown, re.M).groups()
        assert float(backward) == pytest.approx(gradient, abs=5.1e-5)
        assert nudged == backward


def test_the_signs_are_as_predicted(any_lesson):
    result, shown = any_lesson
    w1, w2, b = result.gradients.values()
    assert w1 < b < 0 < w2
    assert abs(w1) > abs(b) > abs(w2)
    assert (w1, w2) == pytest.approx((b * INPUTS[0], b * INPUTS[1]), rel=1e-12)
    assert "w1 should go up" in shown


def test_one_step(any_lesson):
    result, shown = any_lesson
    numbers = weights(shown)
    stepped = [x - LEARNING_RATE * slope for x, slope in zip(numbers, slopes(numbers), strict=True)]
    for name, old, new in zip(result.gradients, numbers, stepped, strict=True):
        said = re.search(rf"^  {name} += (\S+) ([+-]) {LEARNING_RATE} × (\S+) = (\S+)$", shown, re.M)
        sign = 1 if said[2] == "+" else -1
        assert float(said[1]) == old
        assert float(said[1]) + sign * LEARNING_RATE * float(said[3]) == pytest.approx(new, abs=1e-3)
        assert float(said[4]) == pytest.approx(new, rel=1e-3)
    assert result.fell == pytest.approx(loss_of(*stepped) - loss_of(*numbers), rel=1e-6)
    assert result.predicted == pytest.approx(-LEARNING_RATE * sum(slope**2 for slope in slopes(numbers)), rel=1e-6)
    assert f"= {result.predicted:.4f}." in shown
    assert result.losses[1] == pytest.approx(loss_of(*stepped), rel=1e-6)


def test_the_loss_falls_with_every_step(any_lesson, lesson):
    for result, shown in (any_lesson, lesson):
        assert all(after < before for before, after in pairwise(result.losses))
        rows = table(shown)
        assert [row[0] for row in rows] == list(range(len(result.losses)))
        for (_, w1, w2, b, out, loss), exact in zip(rows, result.losses, strict=True):
            assert loss == pytest.approx(exact, abs=5.1e-5)
            assert loss_of(w1, w2, b) == pytest.approx(exact, abs=1e-3)
            assert (out - TARGET) ** 2 == pytest.approx(exact, abs=1e-3)
        assert rows[0][1:4] == weights(shown)


def test_steps_get_smaller_near_the_target(lesson):
    _, shown = lesson
    moves = [math.dist(a[1:4], b[1:4]) for a, b in pairwise(table(shown))]
    assert moves[-1] < moves[0] / 3


def test_the_picture_and_the_page(lesson):
    result, shown = lesson
    assert str(result.picture) in shown
    assert str(result.page) in shown
    words = " ".join(ElementTree.parse(result.picture).getroot().itertext())
    assert all(name in words for name in ("w1", "w2", "x1", "x2", "b", "out", "loss"))
    assert words.count("∇ ") > 8
    page = result.page.read_text(encoding="utf-8")
    assert "out = tanh(z)" in page
    assert "SGD" in page or "learning_rate" in page
