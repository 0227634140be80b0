"""The lesson on logistic regression, in full."""

import re

import numpy as np
import pytest

from examples import logistic_regression
from examples.datasets import read_breast_cancer, stratified_split
from tests.examples.lessons import accuracies, assert_png, run_lesson, without_matplotlib


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run_lesson("logistic_regression", tmp_path_factory.mktemp("lesson"))


def test_in_full(lesson):
    result, shown = lesson
    assert result.accuracy >= 0.96
    assert result.area >= 0.98
    assert result.confusion.sum(axis=1).tolist() == [119, 71]
    assert np.trace(result.confusion) / result.confusion.sum() == pytest.approx(result.accuracy, rel=1e-12)
    assert re.search(rf"Test accuracy: {result.accuracy:.3f} \({np.trace(result.confusion)} of 190", shown)
    missed = [int(n) for n in re.findall(r"missed +(\d+)", shown)]
    frightened = [int(n) for n in re.findall(r"frightened +(\d+)$", shown, re.M)]
    assert missed == sorted(missed, reverse=True)
    assert frightened == sorted(frightened)
    assert [missed[0], frightened[0]] == [result.confusion[1, 0], result.confusion[0, 1]]
    assert_png(result.picture)


def test_nothing_about_the_test_patients_leaks_into_training(monkeypatch, tmp_path):
    without_matplotlib(monkeypatch)

    def losses(data):
        monkeypatch.setattr(logistic_regression, "read_breast_cancer", lambda: data)
        return re.findall(r"loss (\d\S+)", run_lesson("logistic_regression", tmp_path, epochs=20)[1])

    data, others = read_breast_cancer(), read_breast_cancer()
    _, test = stratified_split(1 - data.labels, 1 / 3, np.random.default_rng(1))
    others.features[test] *= 100
    assert len(losses(data)) == 5
    assert losses(others) == losses(data)


@pytest.mark.slow
def test_ten_other_seeds(tmp_path):
    assert np.mean(found := accuracies("logistic_regression", tmp_path, range(2, 12))) >= 0.965, found
