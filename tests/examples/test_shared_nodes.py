"""The lesson on numbers used twice: what it claims is computed again, by other means."""

import re
from fractions import Fraction
from itertools import product
from math import prod
from xml.etree import ElementTree

import pytest

from autodiff import Value
from examples.shared_nodes import RUNGS, WALKED, every_path, ladder
from tests.examples.lessons import run_lesson


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run_lesson("shared_nodes", tmp_path_factory.mktemp("new") / "folder")


def test_the_first_two_examples(lesson):
    result, shown = lesson
    assert [path.product for path in result.square] == [3.0, 3.0]
    assert "/ 0.002 = 6.0000" in shown
    assert [path.product for path in result.two_ways] == [1.0, -0.5]
    f = lambda a: a * -0.5 + a
    assert (f(2 + 1e-6) - f(2 - 1e-6)) / 2e-6 == pytest.approx(result.two_ways.gradient)
    assert result.overwritten == -0.5  # what comes last stays: the sign is wrong, as the lesson says
    assert "It is -0.5, and 0.5 is right." in shown


def test_predictions_come_before_answers(lesson):
    _, shown = lesson
    parts = re.split(r"^Part \d\. ", shown, flags=re.M)[1:]
    assert len(parts) == 4
    answers = ("∇a = 3 + 3 = 6", "∂y/∂a = 0.5", "4,096", "the sum over 6 paths")
    for text, answer in zip(parts, answers, strict=True):
        assert -1 < text.find("Predict") < text.find(answer)


def test_ladders_have_all_products_of_left_and_right(lesson):
    result, shown = lesson
    for rungs in (1, 2, 3, 6):
        y, a = ladder(rungs, Value(Fraction(1), label="a"))
        products, _ = every_path(y, a)
        sides = (Fraction(3, 4), Fraction(1, 2))
        assert sorted(products) == sorted(prod(way) for way in product(sides, repeat=rungs))
    assert list(result.walked) == list(WALKED)
    for rungs, (walked, arrows) in result.walked.items():
        assert walked == sum(2 * 2**k for k in range(1, rungs + 1))  # two arrows a rung, for each way up to it
        assert arrows == 4 * rungs
        assert f"{2**rungs:,}" in shown
    assert "they differ" not in shown


def test_the_high_ladder(lesson):
    result, shown = lesson
    assert result.ladder.count == 2**RUNGS
    assert f"{2**RUNGS:,} paths" in " ".join(shown.split())
    assert result.ladder.gradient == pytest.approx(1.25**RUNGS)
    expected = [0.75**RUNGS, 0.75 ** (RUNGS - 1) * 0.5, 0.75 ** (RUNGS - 1) * 0.5]
    assert [path.product for path in result.ladder] == pytest.approx(expected)
    assert f"{2**RUNGS / 1e9 / 31_536_000:,.0f} years" in " ".join(shown.split())


def test_the_network(lesson):
    result, _ = lesson
    found = result.network
    assert found.count == 3 * 2
    assert len(found) == 4
    assert sum(path.product for path in found) + found.rest == pytest.approx(found.gradient)


def test_the_pictures_and_the_page(lesson):
    result, shown = lesson
    assert len(result.pictures) == 4
    for picture in result.pictures:
        assert str(picture) in shown
        assert "paths" in ElementTree.parse(picture).getroot().get("aria-label")
    assert result.page.read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    assert str(result.page) in shown


@pytest.mark.parametrize(("seed", "epochs"), [(2, 1), (3, 20)])
def test_other_seeds_and_ladders(seed, epochs, tmp_path):
    result, shown = run_lesson("shared_nodes", tmp_path, seed=seed, epochs=epochs)
    assert result.ladder.count == 2**epochs
    assert result.network.count == 6
    assert "they differ" not in shown
