"""The lesson on deep linear networks: the leaps come when the theory says, and in its order."""

import re
from itertools import pairwise

import numpy as np
import pytest

from examples.deep_linear import DISTINCTIONS, ITEMS, KNOWLEDGE, PROPERTIES, TAU, strength_foretold
from tests.examples.lessons import assert_png, run_lesson


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run_lesson("deep_linear", tmp_path_factory.mktemp("lesson"))


def test_the_leaps_come_when_they_are_foretold(lesson):
    result, _ = lesson
    assert np.isfinite(result.halfway).all()
    assert abs(result.halfway / result.foretold - 1).max() < 0.05
    assert_png(result.picture)


def test_the_strong_ones_come_first_with_plateaus_between(lesson):
    result, _ = lesson
    leaps = [result.halfway[0], result.halfway[1], result.halfway[2:4], result.halfway[4:]]
    for before, after in pairwise(leaps):
        assert np.max(before) + 40 < np.min(after)


def test_what_is_known_of_a_canary_on_each_plateau(lesson):
    _, shown = lesson
    rows = [
        [float(x) for x in line.split()] for line in re.findall(r"after \d+ steps +((?:-?\d\.\d\d *){7})$", shown, re.M)
    ]
    theory = [  # grows, moves, has roots, flies, swims, sings, is red: the mean of all that it is not yet told apart from
        [1, 1 / 2, 1 / 2, 1 / 4, 1 / 4, 1 / 8, 1 / 8],
        [1, 1, 0, 1 / 2, 1 / 2, 1 / 4, 1 / 4],
        [1, 1, 0, 1, 0, 1 / 2, 1 / 2],
        [1, 1, 0, 1, 0, 1, 0],
    ]
    np.testing.assert_allclose(rows, theory, atol=0.08)


def test_the_distinctions_are_the_singular_vectors():
    v = np.array(list(DISTINCTIONS.values()), float)
    np.testing.assert_allclose(v @ v.T, np.diag((v**2).sum(axis=1)), atol=1e-12)
    square = KNOWLEDGE @ KNOWLEDGE.T
    strengths = np.array([row @ square @ row / (row @ row) for row in v])
    np.testing.assert_allclose(v @ square, strengths[:, None] * v, atol=1e-12)
    np.testing.assert_allclose(strengths, [15, 7, 3, 3, 1, 1, 1, 1], rtol=1e-12)


def test_the_formula_solves_the_equation_it_shows():
    s, start, step, h = 1.7, 1e-3, np.linspace(0, 300, 31), 1e-3
    a = strength_foretold(s, start, step)
    slope = (strength_foretold(s, start, step + h) - strength_foretold(s, start, step - h)) / (2 * h)
    np.testing.assert_allclose(slope, 2 * a * (s - a) / TAU, rtol=1e-5)
    assert strength_foretold(s, start, 0.0) == pytest.approx(start, rel=1e-12)


def test_everything_is_known_of_something():
    assert KNOWLEDGE.shape == (len(ITEMS), len(PROPERTIES)) == (8, 15)
    assert (KNOWLEDGE.sum(axis=1) == 4).all()
