"""Predict first: what is hidden, what counts as right, and what is said to each mistake."""

import re
from fractions import Fraction

import pytest

from autodiff import Value, exp
from nn import SGD
from tests.browser.samples import chain, neuron, product
from viz.drawing.format import MINUS, number
from viz.player import steps
from viz.player.mistakes import MISTAKES, quiz_of


@pytest.fixture(scope="module")
def player():
    return steps(product(), layout="builtin")


@pytest.fixture
def screen(open_page, player):
    screen = open_page(player)
    screen.page.check("#predicting")
    return screen


def ask(screen, at):
    """Let step ``at`` be asked, counted from 1."""
    screen.seek(at - 1)
    screen.page.evaluate("document.activeElement.blur()")
    screen.press("ArrowRight")
    assert screen.at == at - 1
    assert screen.focused == "answer"


def answer_of(step):
    return step.told.total if step.kind == "backward" else step.told.result


def test_the_number_is_hidden_until_it_is_known(screen, player):
    asked = [k for k, step in enumerate(player.steps, 1) if step.asks]
    assert len(asked) == len(player.steps) - 1  # all but the beginning of the backward pass
    for k in asked:
        step = player.steps[k - 1]
        ask(screen, k)
        shown = screen.read()
        assert shown["question"] == f"{step.asks} (Two digits are enough.)"
        assert shown["boxes"][step.box]["now"]
        secret = number(answer_of(step))
        visible = " ".join(f" {text} " for _, text in shown["rows"])
        if step.kind == "forward":
            assert shown["boxes"][step.box]["value"] == ["?"]
            assert f"= {secret} " not in visible
        else:
            assert not re.search(rf"∇{step.told.input_name} = {re.escape(secret)}( |$)", visible)
        assert "?" in visible
        screen.press("Escape")
        assert screen.read()["question"] is None
        assert screen.at == k - 1


def test_right_answers(screen, player):
    count = 0
    for k, step in enumerate(player.steps, 1):
        screen.press("ArrowRight")
        if not step.asks:
            assert screen.at == k
            continue
        count += 1
        said = screen.predict(number(answer_of(step)))
        assert said == f"Right. {count} of {count} predicted at the first try."
        assert screen.page.get_attribute("#verdict", "class") == "right"
        assert screen.at == k
        assert screen.focused == ("next" if k < len(player.steps) else "back")
        assert screen.read()["question"] is None
    assert screen.at == len(player.steps)


def test_every_right_answer_may_be_typed_as_a_reader_would(screen, player):
    k, step = next(
        (k, step) for k, step in enumerate(player.steps, 1) if step.kind == "backward" and answer_of(step) < 0
    )
    x = answer_of(step)
    name = step.told.input_name
    ways = [number(x), str(x), f"  {x} ", f"{x:.3e}", str(Fraction(x).limit_denominator(1000)), f"{x}".replace(".", ","),
            f"–{-x}", f"−{-x}", f"∇{name} = {x}", f"{x:+}", f"{x * 1.004}", f"{MINUS}{-x}/1"]  # fmt: skip
    for way in ways:
        ask(screen, k)
        assert screen.predict(way).startswith("Right."), way


def test_wrong_answers_and_the_score(screen, player):
    ask(screen, 1)
    said = screen.predict("123.456")
    assert said == "Not that. Try again, or let it be shown."
    assert screen.page.get_attribute("#verdict", "class") == "wrong"
    assert screen.at == 0
    assert screen.focused == "answer"
    assert screen.page.evaluate("document.getSelection().toString()") == "123.456"  # ready to be typed over
    assert screen.predict(number(answer_of(player.steps[0]))) == "Right. 0 of 1 predicted at the first try."
    screen.press("ArrowRight")
    assert screen.predict(number(answer_of(player.steps[1]))) == "Right. 1 of 2 predicted at the first try."
    screen.press("ArrowRight")
    screen.page.click("#show")
    assert screen.at == 3
    assert screen.read()["verdict"] == "It is shown now. 1 of 3 predicted at the first try."
    screen.press("ArrowRight")  # the seed is not asked
    assert screen.at == 4
    assert screen.read()["verdict"] == ""


GARBAGE = ["", "   ", "abc", "1.2.3", "--1", "1/0", "1/2/3", "NaN", "Infinity", "-inf", "0x10", "1e", "e5", "7/", "/7", "1 2",
           "<img src=x onerror=alert(1)>", "alert(1)", "1e999", "٣", "∇", "−", "1+1"]  # fmt: skip


@pytest.mark.parametrize("text", GARBAGE)
def test_what_is_no_number_is_no_try(screen, player, text):
    ask(screen, 1)
    assert screen.predict(text) == "Please type one number, such as 0.25, −1e−3 or 7/3."
    assert screen.at == 0
    assert screen.predict(number(answer_of(player.steps[0]))) == "Right. 1 of 1 predicted at the first try."


def test_the_way_a_number_is_asked_for_is_one_that_is_taken(screen):
    ask(screen, 1)
    for text in ("0.25", "−1e−3", "7/3"):
        assert "Please type" not in screen.predict(text)


# ── each mistake that has a name ──
def programs():
    """Graphs in which, between them, every usual mistake can be made."""
    yield steps(product(), layout="builtin")
    yield steps(neuron(), layout="builtin")
    x, w = Value(0.5, label="x"), Value(1.5, label="w")
    y = exp(x * w) * w
    yield steps(y, layout="builtin")
    p = Value(2.0, label="p")
    yield steps(lambda: (p * 3.0 - 1.0) ** 2, optimizer=SGD([p], learning_rate=0.05), layout="builtin")


def test_each_mistake_is_named(open_page):
    met = set()
    for player in programs():
        screen = open_page(player)
        screen.page.check("#predicting")
        for k, step in enumerate(player.steps, 1):
            quiz = quiz_of(step)
            if quiz is None:
                continue
            for name, wrong in quiz.mistakes:
                if name in met:
                    continue
                met.add(name)
                ask(screen, k)
                assert screen.predict(repr(float(wrong))) == MISTAKES[name]
                assert screen.page.get_attribute("#verdict", "class") == "wrong"
                assert screen.at == k - 1
    assert met == set(MISTAKES)


def test_mistakes_are_what_they_are_called():
    """Worked out by hand for y = (c + a) ** 2 with c = a * b, a = 1.5, b = -3: c = -4.5, c + a = -3, y = 9."""
    player = steps(product(), layout="builtin")
    first, second = (
        {wrong: name for name, wrong in quiz_of(step).mistakes}
        for step in player.steps
        if step.kind == "backward" and step.told.input_name == "a"
    )
    # dy/d(c + a) = 2 * -3 = -6. Over the sum: -6 * 1 = -6. Over the product: -6 * b = 18, so that ∇a = 12.
    assert {(1, "upstream"), (-5, "added"), (6, "sign")} <= set(first.items())
    assert {(18, "other_branch"), (-6 - 3, "upstream"), (-6 - 6, "local"), (-6 - 6 - 3, "added")} <= set(second.items())
    square = next(quiz_of(step) for step in player.steps if step.kind == "backward")
    assert ("output", 2 * 9) in square.mistakes


# ── the rest of the page meanwhile ──
def test_while_asking_the_walk_is_free(screen):
    ask(screen, 3)
    screen.page.click("#back")  # takes the question back
    assert (screen.at, screen.read()["question"]) == (2, None)
    ask(screen, 3)
    screen.page.click("#next")  # leaves it open
    assert (screen.at, screen.read()["question"]) == (3, None)
    ask(screen, 3)
    screen.seek(5)
    assert (screen.at, screen.read()["question"]) == (5, None)
    ask(screen, 3)
    screen.page.uncheck("#predicting")
    assert screen.read()["question"] is None


def test_the_keys_of_the_field_are_its_own(screen):
    ask(screen, 3)
    screen.page.keyboard.type("12 5")
    screen.press("ArrowLeft", "ArrowLeft", "Home", "End", "ArrowLeft")
    assert screen.at == 2
    assert screen.page.input_value("#answer") == "12 5"


def test_a_walk_by_box_is_asked_arrow_by_arrow(screen, player):
    screen.page.select_option("#by", "node")
    ask(screen, 2)
    screen.press("Escape")
    screen.page.uncheck("#predicting")
    screen.press("Home")
    screen.press("ArrowRight")
    assert screen.read()["question"] is None


def test_play_waits_for_an_answer(screen):
    screen.page.evaluate("document.activeElement.blur()")
    screen.press("Space")
    screen.wait("!document.getElementById('question').hidden")
    assert screen.page.get_attribute("#play", "aria-pressed") == "false"
    assert screen.at == 0


def test_what_nobody_can_type_is_not_asked(open_page):
    x = Value(1e200, label="x")
    player = steps(x * x * 0.0 + x, layout="builtin")  # inf and NaN
    screen = open_page(player)
    screen.page.check("#predicting")
    shown = []
    for _ in range(2 * len(player.steps)):
        screen.press("ArrowRight")
        if screen.read()["question"]:
            screen.page.click("#show")
        shown.append(screen.at)
    assert screen.at == len(player.steps)
    assert any("inf" in box["words"] for box in screen.read()["boxes"])
    assert any("NaN" in box["words"] for box in screen.read()["boxes"])


def test_fractions(open_page):
    a = Value(Fraction(7, 3), label="a")
    screen = open_page(steps(a * a, layout="builtin"))
    screen.page.check("#predicting")
    ask(screen, 1)
    assert screen.predict("49/9").startswith("Right.")


def test_numbers_of_any_size(open_page):
    a, b = Value(3e-12, label="a"), Value(-2e9, label="b")
    player = steps((a * b) * a, layout="builtin")
    screen = open_page(player)
    screen.page.check("#predicting")
    ask(screen, 1)
    assert screen.predict("0") == "Not that. Try again, or let it be shown."
    assert screen.predict("−6e−3").startswith("Right.")
    ask(screen, 2)
    assert screen.predict("0") == "Not that. Try again, or let it be shown."
    assert screen.predict("-1.8e-14").startswith("Right.")


def test_a_long_graph_can_be_predicted_too(open_page):
    screen = open_page(steps(chain(30), layout="builtin", full=True))
    screen.page.check("#predicting")
    ask(screen, 20)
    assert screen.read()["question"].startswith("What is ")
