"""The lesson on iris, in full."""

import re

import numpy as np
import pytest

from examples import iris
from examples.datasets import read_iris, stratified_split
from tests.examples.lessons import accuracies, assert_png, run_lesson, without_matplotlib


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run_lesson("iris", tmp_path_factory.mktemp("lesson"))


def test_in_full(lesson):
    result, shown = lesson
    assert result.accuracy >= 0.95
    assert result.confusion.sum(axis=1).tolist() == [17, 17, 17]
    assert f"Test accuracy: {result.accuracy:.3f} ({np.trace(result.confusion)} of 51" in shown
    assert shown.count("and was called") == 51 - np.trace(result.confusion)
    assert_png(result.picture)


def test_the_loss_by_hand_is_the_loss_of_nn(lesson):
    _, shown = lesson
    by_hand, by_nn = re.search(r"= (\d\.\d{4}); nn calls it\s+cross_entropy and gives (\d\.\d{4})\.", shown).groups()
    assert by_hand == by_nn
    shares = [float(p) for p in re.findall(r"p = \S+ / \S+ = (\S+)", shown)]
    assert sum(shares) == pytest.approx(1, abs=2e-4)
    assert float(by_hand) == pytest.approx(-np.log(shares[0]), abs=3e-4)


def test_nothing_about_the_test_flowers_leaks_into_training(monkeypatch, tmp_path):
    without_matplotlib(monkeypatch)

    def losses(data):
        monkeypatch.setattr(iris, "read_iris", lambda: data)
        return re.findall(r"loss (\d\S+)", run_lesson("iris", tmp_path, epochs=5)[1])

    data, others = read_iris(), read_iris()
    _, test = stratified_split(data.labels, 1 / 3, np.random.default_rng(1))
    others.features[test] *= 100
    assert len(losses(data)) == 1
    assert losses(others) == losses(data)


@pytest.mark.slow
def test_ten_other_seeds(tmp_path):
    assert np.mean(found := accuracies("iris", tmp_path, range(2, 12))) >= 0.94, found
