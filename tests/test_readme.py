"""The README tells the truth: its picture is what draw() draws, its commands are those that CI runs."""

from __future__ import annotations

import re
from pathlib import Path

from autodiff import TABLE, Value
from viz import draw

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def neuron():
    w, x, b = Value(0.5, label="w"), Value(2.0, label="x"), Value(-0.3, label="b")
    loss = ((w * x + b).tanh() * w - 1) ** 2
    loss.label = "loss"
    loss.backward()
    return loss


def test_the_picture_is_that_of_the_example():
    kept = ROOT / "examples" / "pictures" / "neuron.svg"
    assert kept.read_text(encoding="utf-8") == draw(neuron(), layout="builtin").svg, (
        "draw() has changed: look at the new picture, then keep it with python -m tests.test_readme"
    )


def test_what_the_readme_links_to_is_there():
    for target in re.findall(r"\]\(((?!https?:)[^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_nothing_is_left_to_fill_in():
    assert not re.search(r"^\(\w+\)$|TODO|\{\w+\}", README, flags=re.MULTILINE)


def test_the_number_of_operations():
    (stated,) = re.findall(r"Each of the (\d+) operations is one row", README)
    assert int(stated) == len(TABLE)


if __name__ == "__main__":
    draw(neuron(), layout="builtin").save(ROOT / "examples" / "pictures" / "neuron.svg")
