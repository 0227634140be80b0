"""The lesson on linear regression: every number it shows is checked by another way to it."""

import re
from fractions import Fraction
from xml.etree import ElementTree

import numpy as np
import pytest

from examples.datasets import read_diabetes
from tests.examples.lessons import assert_png, run_lesson


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run_lesson("linear_regression", tmp_path_factory.mktemp("lesson"))


def test_descent_finds_the_line_of_least_squares(lesson):
    result, _ = lesson
    X, y = read_diabetes()
    slope, intercept = np.polyfit(X[:, 2], y, 1)
    assert result.best_slope == pytest.approx(slope, rel=1e-10) == pytest.approx(10.2331, abs=5e-5)
    assert result.best_intercept == pytest.approx(intercept, rel=1e-10)
    assert result.slope == pytest.approx(slope, rel=2e-6)
    assert result.intercept == pytest.approx(intercept, rel=3e-6)


def test_it_is_as_far_as_it_was_foretold_to_be(lesson):
    _, shown = lesson
    foretold, found = re.search(
        r"steps\s+should\s+leave\s+(\S+)\s+of\s+it\.\s+Of\s+w's\s+they\s+left\s+(\S+)\.", shown
    ).groups()
    assert float(foretold) == pytest.approx(0.8**60, rel=1e-3)
    assert float(found) == pytest.approx(float(foretold), rel=2e-3)


def test_the_gradient_on_paper_and_in_the_graph_is_the_exact_one(lesson):
    _, shown = lesson
    x, y = [Fraction("32.1"), Fraction("21.6"), Fraction("30.5")], [151, 75, 141]
    errors = [5 * x_i - y_i for x_i, y_i in zip(x, y, strict=True)]
    dw = sum(2 * e * x_i for e, x_i in zip(errors, x, strict=True)) / 3
    db = sum(2 * e for e in errors) / 3
    assert re.findall(r"(?:of 2 · e · x|w\.grad) += (\S+)", shown) == 2 * [f"{float(dw):.4f}"]
    assert re.findall(r"(?:of 2 · e  |b\.grad) +?= (\S+)", shown.replace("2 · e     =", "2 · e   =")) == 2 * [
        f"{float(db):.4f}"
    ]


def test_ten_measurements_explain_half_and_as_much_as_least_squares(lesson):
    result, shown = lesson
    assert result.best_r2 > 0.4
    assert result.r2 == pytest.approx(result.best_r2, abs=0.01)
    assert f"{100 * result.r2:.2f} %" in shown


def test_the_pictures(lesson):
    result, shown = lesson
    words = " ".join(ElementTree.parse(result.graph).getroot().itertext())
    for label in ("w", "b", "x0", "y2", "e1", "loss"):
        assert re.search(rf"\b{label}\b", words), label
    assert str(result.graph) in shown
    assert_png(result.picture)
