"""The lesson on the chain rule: what it tells is true."""

import re
from xml.etree import ElementTree

import pytest

from examples.chain_rule import NUDGES, chain
from tests.examples.lessons import run_lesson


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run_lesson("chain_rule", tmp_path_factory.mktemp("new") / "folder")


def test_the_table_of_nudges(lesson):
    result, shown = lesson
    rows = re.findall(r"^  (0\.\d+) +(\d+\.\d+) +(\d+\.\d+) +(\d+\.\d+)$", shown, re.M)
    assert [float(row[0]) for row in rows] == list(NUDGES)
    for nudge, y, moved, per_nudge in (map(float, row) for row in rows):
        assert y == pytest.approx((3 + nudge) ** 2, abs=1e-6)
        assert moved == pytest.approx(y - 9, abs=1e-6)
        assert per_nudge == pytest.approx(6 + nudge, abs=1e-4)  # (x + h)² - x² = h (2x + h)
    assert result.slopes == pytest.approx([6.1, 6.01, 6.001], abs=1e-9)


def test_the_predictions_are_what_comes_out(lesson):
    result, shown = lesson
    assert result.gradients == {"y": 1, "u": 12, "x": 36}
    words = " ".join(shown.split())
    assert "y, by 12 × 0.003 = 0.036" in words
    u_moved, y_moved = map(float, re.search(r"u = \S+ moved by (\S+); y = \S+ moved by (\S+)", words).groups())
    assert u_moved == pytest.approx(0.003, rel=1e-3)
    assert y_moved == pytest.approx(0.036, rel=1e-3)
    assert "backward ∂y/∂u = 2 * u = 2 * 6 = 12; 1 × 12 = 12; ∇u = 12" in words
    assert "backward ∂u/∂x = 3; 12 × 3 = 36; ∇x = 36" in words
    assert "The engine says ∇w = 2 and ∇x = 5." in words


def test_the_chain_is_nudged_too():
    h = 1e-6
    slope = ((3 * (2 + h)) ** 2 - (3 * (2 - h)) ** 2) / (2 * h)
    y = chain()
    y.backward()
    (x,) = [leaf for leaf in y.inputs[0].inputs if leaf.label == "x"]
    assert x.grad == pytest.approx(slope, rel=1e-9)


@pytest.mark.parametrize(("seed", "epochs"), [(1, 3), (2, 3), (3, 7), (4, 1)])
def test_the_exercises_and_their_answers(seed, epochs, tmp_path):
    result, shown = run_lesson("chain_rule", tmp_path, seed=seed, epochs=epochs)
    questions = re.findall(r"^  (\d)\.  (u = .+),  (y = .+),  at x = (\d)$", shown, re.M)
    answers = re.findall(r"^  (\d)\.  ∇x = (.+) = (\S+);   nudged: (\S+)$", shown, re.M)
    assert len(questions) == len(answers) == len(result.answers) == epochs
    for (_, first, second, at), (_, product, answer, nudged), exact in zip(
        questions, answers, result.answers, strict=True
    ):
        x = float(at)
        text = [side.partition(" = ")[2].replace("·", "*").replace("²", "**2") for side in (first, second)]
        y = lambda x, text=text: eval(text[1], {"u": eval(text[0], {"x": x})})  # the program as it is printed
        slope = (y(x + 1e-5) - y(x - 1e-5)) / 2e-5
        assert exact[0] == pytest.approx(slope, rel=1e-8)
        assert exact[1] == pytest.approx(slope, rel=1e-8)
        assert float(answer) == float(nudged) == exact[0]
        assert eval(product.replace("×", "*")) == exact[0]


def test_the_picture_and_the_page(lesson):
    result, shown = lesson
    assert str(result.picture) in shown
    assert str(result.page) in shown
    words = " ".join(ElementTree.parse(result.picture).getroot().itertext())
    assert all(name in words for name in ("x", "u", "y", "36", "∇ 12.0"))
    page = result.page.read_text(encoding="utf-8")
    assert "u = 3 * x" in page  # the lines of the lesson itself
