"""The lesson on the order of a backward pass: what it tells is true."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

import viz
from autodiff import explain
from examples.topological_order import lucky, program
from tests.examples.lessons import run_lesson


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run_lesson("topological_order", tmp_path_factory.mktemp("new") / "folder")


def test_the_gradient(lesson):
    result, shown = lesson
    f = lambda a: 3 * a + (3 * a) ** 2
    slope = (f(2 + 1e-6) - f(2 - 1e-6)) / 2e-6
    assert result.right == pytest.approx(slope, rel=1e-8)
    assert result.nudged == pytest.approx(slope, rel=1e-6)
    above, below, nudged = map(float, re.search(r"\((\S+) - (\S+)\) / 0.0002 = (\S+)", shown).groups())
    assert (above - below) / 0.0002 == pytest.approx(nudged, rel=1e-4)
    assert "the short way:   3 × 1 = 3 " in shown
    assert "the long way:    3 × 12 × 1 = 36 " in shown


def test_the_wrong_order_loses_the_long_way(lesson):
    result, shown = lesson
    assert result.wrong == 3  # of 3 + 36
    assert shown.count("← too early") == 1
    assert "  3. b → a:  1 × 3 = 3        ∇a = 3   ← too early\n" in shown
    assert "∇a = 3, and it should be 39" in shown
    assert not viz.broken(lucky(), "depth_first").shows
    assert "∇a = 39, by luck" in shown


def test_the_right_order(lesson):
    result, shown = lesson
    assert result.order == ["y", "c", "b"]
    steps = explain(program()).backward
    position = {step.node: k for k, step in enumerate(steps)}
    for step in steps:  # nobody hands on before all has arrived
        assert all(position[user.node] < position[step.node] for user in steps if user.input is step.node)
    assert "  1. y → b:  1 × 1 = 1        ∇b = 1                b waits for 1 more\n" in shown
    assert "  3. c → b:  1 × 12 = 12      ∇b = 1 + 12 = 13      b has it all\n" in shown
    made = re.findall(r"^  (\d)              +(\w) +(\(given\)|.+?)  +(\d|\(a leaf.*)$", shown, re.M)
    assert [(node, turn[:7]) for _, node, _, turn in made] == [("a", "(a leaf"), ("b", "3"), ("c", "2"), ("y", "1")]


def test_ways_and_arrows(lesson, tmp_path):
    result, shown = lesson
    for doublings, arrows, ways in result.paths:
        assert (arrows, ways) == (2 * doublings, 2**doublings)
        assert re.search(rf"^ +{doublings} +{arrows} +{ways:,}$", shown, re.M)
    assert [row[0] for row in result.paths] == [1, 2, 3, 10, 20, 40]
    assert all(a < b for a, b in pairwise(row[2] for row in result.paths))
    assert run_lesson("topological_order", tmp_path, epochs=5)[0].paths[3] == (5, 10, 32)


@pytest.mark.parametrize("seed", range(1, 7))
def test_the_exercise(seed, tmp_path):
    result, shown = run_lesson("topological_order", tmp_path, seed=seed, epochs=1)
    at, factor = map(int, re.search(r"At a = (\d):\n\n  b = (\d) · a\n", shown).groups())
    y = lambda a: (factor * a * a) * (factor * a + factor * a * a)
    slope = (y(at + 1e-5) - y(at - 1e-5)) / 2e-5
    assert result.answer == pytest.approx((slope, slope), rel=1e-6)
    assert f"∇a = {result.answer[0]:g}, and nudges say {result.answer[0]:.4f}." in shown
    assert "The order is y, d, c, b. Contributions to wait for: b 2, c 2, d 1, a 2." in shown


def test_the_pictures_and_the_page(lesson):
    result, shown = lesson
    for path in (*result.pictures, result.page):
        assert str(path) in shown
    right, wrong = (" ".join(ElementTree.parse(path).getroot().itertext()) for path in result.pictures)
    assert "∇ 39.0" in right
    assert "✗ ∇ 3.0" in wrong
    page = result.page.read_text(encoding="utf-8")
    assert "c = b**2" in page
    assert "Depth first" in page
