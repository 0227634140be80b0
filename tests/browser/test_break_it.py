"""Break it: each wrong backward pass on the page, beside ``viz.broken``, the right pass, and finite differences."""

import pytest

from autodiff import Value, explain
from tests.browser.random_programs import program
from tests.browser.samples import product, training
from tests.browser.truth import brief
from viz import BUGS, broken
from viz.drawing.format import exact
from viz.player import steps


def choose(screen, name):
    screen.page.select_option("#bug", label=BUGS[name].title if name else "nothing")
    screen.page.evaluate("document.activeElement.blur()")


@pytest.fixture(scope="module")
def player():
    return steps(product(), layout="builtin")


@pytest.fixture
def screen(open_page, player):
    return open_page(player)


@pytest.mark.parametrize("seed", [None, 20])
@pytest.mark.parametrize("name", BUGS)
def test_every_number_of_a_broken_pass(open_page, name, seed):
    output = product() if seed is None else program(seed).nodes()[-1]
    player = steps(output, layout="builtin")
    wrong, told = broken(output, name), explain(output)
    screen = open_page(player)
    choose(screen, name)
    forward = len(told.forward)
    frames = [screen.read()]
    assert frames[0]["at"] == forward  # the broken pass begins, and the forward pass is done
    while frames[-1]["at"] < frames[-1]["steps"]:
        screen.press("ArrowRight")
        frames.append(screen.read())
    earlier = "A first backward pass is over" in frames[1]["sentence"][0]  # a step of its own says what it has left
    assert earlier == any(step.path == 1 and step.before is not None for step in wrong.steps)
    del frames[: 1 + earlier]
    assert len(frames) == 1 + len(wrong.steps)
    box_of = player.view.box_of
    for k, (step, frame) in enumerate(zip(wrong.steps, frames[1:], strict=True)):
        box = frame["boxes"][box_of[step.input]]
        assert box["gradient"] == [f"∇ {brief(step.total)}"]
        assert f"gradient {exact(step.total)}" in box["label"]
        assert frame["rows"][-1][1].startswith(f"∇{step.input_name} = ")
        assert brief(step.total) in frame["rows"][-1][1]
        sentence = frame["sentence"][0]
        assert sentence.startswith(f"Back from {step.name} to {step.input_name}")
        assert ("✗" in sentence) == (k in wrong.slips)
        if k in wrong.slips:
            assert wrong.slips[k] in sentence
    last = frames[-1]["boxes"]
    for node, gradient in wrong.gradients.items():
        box = last[box_of[node]]
        assert box["gradient"] == [f"∇ {brief(gradient)}"]
        assert box["wrong"] == (node in wrong.wrong_nodes), box["label"]
        assert box["label"].endswith(", wrong") == box["wrong"]

    head, *rows = frames[-1]["table"]
    passes = "" if wrong.bug.passes == 1 else f"{wrong.bug.passes} × "
    assert head == ["gradient of", "broken", "right", f"{passes}finite difference"]
    assert len(rows) == len(wrong.leaves)
    for leaf, (label, bad, right, slope) in zip(wrong.leaves, rows, strict=True):
        mark = "✗" if leaf in wrong.wrong_nodes else "✓"
        assert (label, bad) == (wrong.names[leaf], f"{mark} {brief(wrong.gradients[leaf])}")
        assert right == brief(wrong.right[leaf])
        assert slope == (brief(wrong.numerical[leaf]) if leaf in wrong.numerical else "–")


def test_what_it_says(screen):
    for name, bug in BUGS.items():
        choose(screen, name)
        said = screen.page.inner_text("#lab")
        assert f"Broken: {bug.title}" in said
        assert bug.what in said
        assert screen.page.inner_text("#lab pre").split() == bug.code.split()
        assert not screen.page.is_visible("#table")  # the outcome is not given away
        screen.press("End")
        assert screen.page.is_visible("#table")
        assert bug.why in screen.page.inner_text("#table caption")
        assert bug.fix in screen.page.inner_text("#table caption")
        screen.press("ArrowLeft")
        assert not screen.page.is_visible("#table")


def test_the_wrong_numbers_are_wrong_and_the_right_ones_right(screen):
    """By hand: y = (c + a) ** 2, c = a * b, a = 1.5, b = -3: ∇a = -6 + 18 = 12, ∇b = -6 * 1.5 = -9."""
    choose(screen, "overwrite")
    screen.press("End")
    assert screen.read()["table"][1:] == [["a", "✗ 18.0", "12.0", "12.0"], ["b", "✓ −9.0", "−9.0", "−9.0"]]
    choose(screen, "no_zero_grad")
    screen.press("End")
    assert screen.read()["table"][1:] == [["a", "✗ 24.0", "12.0", "12.0"], ["b", "✗ −18.0", "−9.0", "−9.0"]]


def test_wrong_numbers_are_struck_through_and_not_only_coloured(screen, player):
    choose(screen, "overwrite")
    screen.press("End")
    lines = screen.page.eval_on_selector_all(
        "#stage .node .gradient", "all => all.map(text => getComputedStyle(text).textDecorationLine)"
    )
    wrong = [box["wrong"] for box in screen.read()["boxes"]]
    assert lines == ["line-through" if is_wrong else "none" for is_wrong in wrong]
    assert any(wrong)


def test_back_to_right(screen):
    right = screen.play()
    for name in BUGS:
        choose(screen, name)
        screen.press("End")
        choose(screen, None)
        assert screen.at == 0
        assert screen.page.is_hidden("#lab")
        assert screen.read()["table"] == []
        again = screen.play()
        assert [{**frame, "address": ""} for frame in again] == [{**frame, "address": ""} for frame in right]


def test_from_one_bug_to_the_next(screen, player):
    choose(screen, "stale")
    screen.press("End")
    stale = screen.read()
    choose(screen, "wrong_local")
    screen.press("End")
    choose(screen, "stale")
    screen.press("End")
    assert {**screen.read(), "address": ""} == {**stale, "address": ""}
    screen.press("Home")
    start = screen.read()
    assert start["boxes"] == screen.play()[0]["boxes"]
    assert not any(box["wrong"] for box in start["boxes"])


def test_going_back_in_a_broken_pass(screen):
    choose(screen, "stale")
    frames = screen.play()
    for frame in frames[-2::-1]:
        screen.press("ArrowLeft")
        assert {**screen.read(), "address": ""} == {**frame, "address": ""}


def test_a_broken_pass_by_box(screen):
    choose(screen, "overwrite")
    screen.page.select_option("#by", "node")
    screen.page.evaluate("document.activeElement.blur()")
    stops = [screen.at]
    while screen.at < screen.read()["steps"]:
        screen.press("ArrowRight")
        stops.append(screen.at)
    walked = stops[:]
    while screen.at > walked[0]:
        screen.press("ArrowLeft")
        stops.append(screen.at)
    assert stops[len(walked) :] == walked[-2::-1]
    assert len(walked) < screen.read()["steps"] - walked[0] + 1


def test_a_bug_that_does_not_show(open_page):
    a, b = Value(2.0, label="a"), Value(3.0, label="b")
    screen = open_page(steps(a * b, layout="builtin"))
    choose(screen, "overwrite")
    assert "does not show it" in screen.page.inner_text("#lab")
    screen.press("End")
    assert all(row[1].startswith("✓") for row in screen.read()["table"][1:])


def test_some_bugs_or_none(open_page):
    chosen = steps(product(), layout="builtin", bugs=["stale"])
    screen = open_page(chosen)
    assert screen.page.eval_on_selector_all("#bug option", "all => all.length") == 2
    assert not open_page(steps(product(), layout="builtin", bugs=False)).page.is_visible("#bug")


def test_a_bug_in_training(open_page):
    player, _, _ = training()
    screen = open_page(player)
    choose(screen, "no_zero_grad")
    screen.press("End")
    assert screen.read()["table"]
    assert "round" not in screen.read()["where"]
    choose(screen, None)
    assert screen.read()["steps"] == len(player.steps)


def test_predictions_are_not_asked_of_what_is_broken(screen):
    screen.page.check("#predicting")
    choose(screen, "overwrite")
    screen.press("ArrowRight", "ArrowRight")
    assert screen.read()["question"] is None
