"""The bug lab from end to end: what it says is computed again, by other means."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

import viz
from examples.bug_lab import GRAPHS, PROGRAMS, QUESTIONS, random_tangle, random_tree
from tests.examples.lessons import run_lesson
from viz.views.model import in_order


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bug_lab") / "new"
    result, shown = run_lesson("bug_lab", folder)
    return result, shown, folder


def test_every_bug_has_its_part(lesson):
    result, shown, _ = lesson
    assert list(result.numbers) == list(PROGRAMS) == list(QUESTIONS) == list(viz.BUGS)
    titles = re.findall(r"^Bug (\d)\. (.+)\n─+$", shown, re.M)
    assert titles == [(str(k), bug.title) for k, bug in enumerate(viz.BUGS.values(), 1)]
    joined = " ".join(shown.split())
    for bug in viz.BUGS.values():
        for sentence in (bug.what, bug.why, bug.fix):
            assert sentence in joined
        for line in bug.code.splitlines():
            assert f"\n  {line}\n" in shown


def test_the_numbers_are_true(lesson):
    """By hand: the derivative of each example, and what the mistake makes of it."""
    result, shown, _ = lesson
    a = 3.0
    assert result.numbers["overwrite"] == (a, 2 * a)
    assert result.numbers["wrong_local"] == (2 * a**2, 2 * a)
    assert result.numbers["no_zero_grad"] == (2 * a + 2 * a, 2 * a)
    a = 2.0
    assert result.numbers["depth_first"] == (1 * 2 * a, (1 + 2 * a**2) * 2 * a)
    slope = 4 * a**3
    assert result.numbers["stale"] == (slope + 2 * a * 2 * (2 * a**2), 2 * slope)
    rows = re.findall(r"^  [aw]   ✗ +(\S+) +(\S+) +(\S+)$", shown, re.M)
    assert [(float(wrong), float(right)) for wrong, right, _ in rows] == list(result.numbers.values())
    assert all(float(right) == pytest.approx(float(difference), rel=1e-9) for _, right, difference in rows)


def test_predictions_come_before_answers(lesson):
    _, shown, _ = lesson
    for part in re.split(r"^Bug \d\. ", shown, flags=re.M)[1:]:
        assert 0 < part.find("Predict") < part.find("finite difference") < part.find("It goes wrong at step")
        question = part[: part.find("What the wrong code does")]
        assert "✗" in question
        assert "so ∇" not in question


def test_steps_add_up(lesson):
    _, shown, _ = lesson
    steps = re.findall(r"^  [✗ ] \d\. (\w+) → (\w+):  (\S+) × (\S+) = (\S+), so ∇(\w+) = (.+)$", shown, re.M)
    assert len(steps) == 2 + 6 + 4 + 1 + 1
    for _, source, upstream, local, flow, name, total in steps:
        assert source == name
        assert float(upstream) * float(local) == float(flow)
        terms, _, result = total.rpartition(" = ")
        if terms:
            assert sum(map(float, terms.split(" + "))) == float(result)


def test_the_engine_is_right(lesson):
    result, shown, _ = lesson
    said = dict(re.findall(r"^  (\w+) +y\.backward\(\)(?: twice)? +∇[aw] = (\S+)$", shown, re.M))
    assert {name: float(gradient) for name, gradient in said.items()} == {
        name: right for name, (_, right) in result.numbers.items()
    }


def test_where_bugs_hide(lesson):
    result, shown, _ = lesson
    assert result.shows["overwrite"][0] == result.shows["depth_first"][0] == 0
    assert result.shows["overwrite"][1] > GRAPHS / 2
    assert result.shows["depth_first"][1] > GRAPHS / 4
    for name in ("stale", "no_zero_grad", "wrong_local"):
        assert min(result.shows[name]) > 0.9 * GRAPHS
    said = re.findall(r"^  (\w+) +(\d+) % +(\d+) %$", shown, re.M)
    assert {name: (int(once), int(again)) for name, once, again in said} == result.shows


def test_trees_use_everything_once():
    rng = np.random.default_rng(3)
    for _ in range(20):
        uses = [x for node in in_order([random_tree(rng)]) for x in node.inputs]
        assert len(uses) == len(set(uses)) >= 10
        uses = [x for node in in_order([random_tangle(rng)]) for x in node.inputs]
        assert len(uses) > len(set(uses))


def test_the_check_finds_the_rule(lesson):
    result, shown, _ = lesson
    assert "relative error 2," in result.message  # 18 in the place of 6
    assert "relative error 0e+00" in shown


def test_training(lesson):
    result, _, _ = lesson
    wrong, right = result.weights
    assert right == pytest.approx([3 * 0.8**k for k in range(13)], rel=1e-12)
    w, total = 3.0, 0.0
    for k, weight in enumerate(wrong):
        assert weight == pytest.approx(w, rel=1e-9, abs=1e-12), k
        total += 2 * w
        w -= 0.1 * total
    assert min(wrong) < -2.9


def test_pictures_and_pages(lesson):
    result, shown, folder = lesson
    assert [path.name for path in result.pictures] == [f"bug_{name}.svg" for name in viz.BUGS]
    assert [path.name for path in result.pages] == [f"bug_{name}.html" for name in viz.BUGS]
    for path in (*result.pictures, *result.pages):
        assert path.parent == folder
        assert str(path) in shown
    for path in result.pictures:
        texts = [e.text or "" for e in ElementTree.parse(path).getroot().iter("{http://www.w3.org/2000/svg}text")]
        assert any(text.startswith("✗ ∇") for text in texts)
    for bug, path in zip(viz.BUGS.values(), result.pages, strict=True):
        assert bug.title in path.read_text(encoding="utf-8")


def test_another_seed_and_other_steps(tmp_path):
    result, _ = run_lesson("bug_lab", tmp_path, seed=5, epochs=3)
    assert len(result.weights[0]) == 4
    assert result.shows["overwrite"][0] == 0
