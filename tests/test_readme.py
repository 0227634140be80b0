"""The README tells the truth: its picture is what draw() draws, its commands are those that CI runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from autodiff import TABLE, Value, compile, scope, tanh
from viz import animate, draw, gradient_flow, paths

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


PICTURES = ROOT / "examples" / "pictures"


def neuron():
    w, x, b = Value(0.5, label="w"), Value(2.0, label="x"), Value(-0.3, label="b")
    loss = ((w * x + b).tanh() * w - 1) ** 2
    loss.label = "loss"
    return loss


def differentiated_neuron():
    loss = neuron()
    loss.backward()
    return loss


def recurrent():
    """Four numbers that turn into each other and shrink, for thirty steps."""
    weights = [[0.6, -0.3, 0.1, 0.0], [0.3, 0.6, 0.0, -0.2], [-0.1, 0.0, 0.6, 0.3], [0.0, 0.2, -0.3, 0.6]]
    h = [Value(x) for x in (0.5, -0.4, 0.3, -0.2)]
    for t in range(30):
        with scope(f"step {t}"):
            h = [sum((w * x for w, x in zip(row, h, strict=True)), start=0.1).tanh() for row in weights]
    return h[0] - h[1] + h[2] - h[3]


def two_ways():
    """A number used along four ways of different weight."""
    a = Value(0.4, label="a")
    b = (a * 2.0 + a.tanh()).tanh()
    b.label = "b"
    y = b * a + b * 0.5
    y.label = "y"
    return y, a


def neuron_of(weights, bias, inputs):
    return sum((w * x for w, x in zip(weights, inputs, strict=True)), bias)


@compile
def loss_of_one(net, x, y):
    hidden = [tanh(neuron_of(w, b, x)) for w, b in zip(net["W"], net["b"], strict=True)]
    return (neuron_of(net["v"], net["c"], hidden) - y) ** 2


def three_neurons():
    net = {
        "W": np.array([[0.5, -1.0], [0.2, 0.8], [-0.7, 0.3]]),
        "b": np.array([0.1, -0.2, 0.0]),
        "v": np.array([1.0, -0.5, 0.6]),
        "c": 0.3,
    }
    X = np.array([[1.0, 2.0], [-0.5, 1.0], [0.3, 0.4], [-1.0, 0.6], [0.2, -1.4]])
    return net, X, np.array([0.5, -0.5, 0.0, 1.0, -1.0])


def number_by_number():
    loss = loss_of_one.program(*three_neurons()).graph()
    loss.backward()
    return draw(loss, layout="builtin", direction="LR", title="One example, number by number").svg


def rerolled():
    losses = loss_of_one.blocks(*three_neurons()).graph(5)
    losses.sum().backward()
    return draw(losses, layout="builtin", direction="LR", title="Re-rolled, on five examples").svg


DRAWN = {
    "numbers.svg": number_by_number,
    "blocks.svg": rerolled,
    "neuron.svg": lambda: draw(differentiated_neuron(), layout="builtin").svg,
    "backprop.svg": lambda: animate(neuron(), layout="builtin").svg,
    "vanishing.svg": lambda: gradient_flow(recurrent(), title="Thirty steps of a recurrent network").svg,
    "paths.svg": lambda: paths(*two_ways()).draw(layout="builtin").svg,
}


@pytest.mark.parametrize("name", DRAWN)
def test_the_pictures_are_what_is_drawn(name):
    kept = (PICTURES / name).read_text(encoding="utf-8")
    assert kept == DRAWN[name](), "a drawing has changed: look at it, then keep it with python -m tests.test_readme"


def test_what_the_readme_links_to_is_there():
    for target in re.findall(r"\]\(((?!https?:)[^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_nothing_is_left_to_fill_in():
    assert not re.search(r"^\(\w+\)$|TODO|\{\w+\}", README, flags=re.MULTILINE)


def test_the_number_of_operations():
    (stated,) = re.findall(r"Each of the (\d+) operations is one row", README)
    assert int(stated) == len(TABLE)


if __name__ == "__main__":
    for name, drawn in DRAWN.items():
        (PICTURES / name).write_text(drawn(), encoding="utf-8", newline="\n")
