"""The lines of the program in step, the optimizer's updates, and several rounds."""

import linecache
from itertools import pairwise
from pathlib import Path

import pytest

from autodiff import Value, source_lines
from nn import SGD
from tests.browser.samples import product, training
from tests.browser.truth import brief
from viz.drawing.format import number
from viz.player import steps


def walk(screen):
    return screen.play()


def test_the_line_is_in_step(open_page):
    a, b = Value(2.0, label="a"), Value(-1.0, label="b")

    def program():
        c = a * b  # line 1

        d = c + a  # line 3
        return d * d  # line 4

    player = steps(program, layout="builtin")
    screen = open_page(player)
    shown = screen.page.eval_on_selector_all("#lines li", "lines => lines.map(line => line.textContent)")
    first = program.__code__.co_firstlineno + 1
    assert [line.strip().split("  ", 1)[0] for line in shown] == [str(first + k) for k in range(4)]
    assert "c = a * b  # line 1" in shown[0]
    assert screen.page.is_visible("#program")
    for step, frame in zip(player.steps, screen.play()[1:], strict=True):
        if step.kind == "seed":
            assert frame["line"] is None
            continue
        origin = step.told.node.origin
        assert frame["line"].strip().startswith(str(origin.line))
        assert linecache.getline(str(Path(__file__)), origin.line).strip() in frame["line"]


def test_a_long_program_is_scrolled_to_the_line(open_page):
    x = Value(1.0, label="x")

    def program():
        a = x * 2
        # fmt: off
        a = a + x
        a = a + x
        a = a + x
        a = a + x
        a = a + x
        a = a + x
        a = a + x
        a = a + x
        a = a + x
        a = a + x
        a = a + x
        a = a + x
        a = a + x
        a = a + x
        a = a + x
        a = a + x
        a = a + x
        a = a + x
        # fmt: on
        return a.tanh()

    screen = open_page(steps(program, layout="builtin"))
    inside = """() => { const list = document.getElementById("lines").getBoundingClientRect();
      const line = document.querySelector("#lines [aria-current]").getBoundingClientRect();
      return line.top >= list.top - 1 && line.bottom <= list.bottom + 1; }"""
    for at in range(1, 20):
        screen.seek(at)
        assert screen.page.evaluate(inside), at


def test_a_node_made_inside_source_lines(open_page):
    with source_lines():
        node = product()
    screen = open_page(steps(node, layout="builtin"))
    screen.press("ArrowRight")
    assert "c = a * b" in screen.read()["line"]


def test_no_program_without_lines(open_page):
    assert not open_page(steps(product(), layout="builtin")).page.is_visible("#program")


def test_updates_and_rounds(open_page):
    player, w, b = training(rounds=3)
    before = (w.data, b.data)
    screen = open_page(player)
    frames = screen.play()
    assert (w.data, b.data) == before
    names = screen.page.eval_on_selector_all("#phases span", "parts => parts.map(part => part.dataset.name)")
    assert names == ["forward", "backward", "update"] * 3 + ["forward"]
    rounds = [frame["where"].split("round ")[1].split(",")[0] for frame in frames[1:]]
    assert sorted(set(rounds)) == ["1", "2", "3", "4"]
    assert rounds == sorted(rounds)
    losses = [
        s.changes[0].data
        for s in player.steps
        if s.kind == "forward" and s.box == player.view.box_of[player.view.nodes[-1]]
    ]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) == 4
    told = [row for frame in frames for row in frame["rows"] if row[0] == "round before"]
    assert [row[1] for row in told] == [
        f"loss was {number(was)}, and is {number(now)}" for was, now in pairwise(losses)
    ]


def test_an_update_can_be_predicted(open_page):
    p = Value(2.0, label="p")
    player = steps(lambda: (p * 3.0 - 1.0) ** 2, optimizer=SGD([p], learning_rate=0.05), layout="builtin")
    screen = open_page(player)
    at = next(k for k, step in enumerate(player.steps) if step.kind == "update")
    screen.seek(at)
    screen.page.check("#predicting")
    screen.page.evaluate("document.activeElement.blur()")
    screen.press("ArrowRight")
    shown = screen.read()
    assert shown["question"].startswith("What is p after this step?")
    new = 2.0 - 0.05 * 2 * (3 * 2.0 - 1) * 3  # by hand
    assert all(not text.endswith(f"= {brief(new)}") for _, text in shown["rows"])
    assert screen.predict("3.5").startswith("That is a step uphill")
    assert screen.predict("-28").startswith("You forgot the learning rate")
    assert screen.predict(str(new)).startswith("Right.")


@pytest.mark.parametrize("at", [5, 14, 23])
def test_a_link_into_a_round(open_page, at):
    player, _, _ = training(rounds=3)
    screen = open_page(player)
    there = screen.play()[at]
    screen.show(player, f"#step={at}")
    assert {**screen.read(), "address": ""} == {**there, "address": ""}
