"""The animation: which frames show what, and what remains where nothing moves."""

from __future__ import annotations

import re

import pytest

from autodiff import Tensor, Value
from tests.viz.graphs import HARMLESS, SVG, Drawing, horner, network, neuron, shared, square, tensors
from viz import animate, draw
from viz.animation.film import MOST_FRAMES, frames_of
from viz.drawing.format import number
from viz.story import story_of
from viz.views.view import scalar_view

GRAPHS = [neuron, shared, square, horner, network, tensors]


def seen(film):
    """For every element that is switched: its text (or tag), and whether it is seen in each frame."""
    spans = {}
    frames = film.frames
    total = film.seconds
    step = (total / (frames - 1 + 4)) / total * 100
    for name, keys in re.findall(r"@keyframes (\S+) \{ (.*) \}", film.svg):
        times = [
            (float(at), state == "visible") for at, state in re.findall(r"([\d.e+-]+)% \{ visibility: (\w+); \}", keys)
        ]
        spans[name] = [[state for at, state in times if at <= k * step + 0.01][-1] for k in range(frames)]
    return spans


def shown_texts(film, frame):
    """All texts that are seen in a frame."""
    spans = seen(film)
    drawing = Drawing(film)
    texts = []
    for element in drawing.root.iter(f"{SVG}text"):
        switches = [name for name in element.get("class", "").split() if name in spans]
        if all(spans[name][frame] for name in switches):
            texts.append(element.text)
    return texts


@pytest.mark.parametrize("make", GRAPHS, ids=lambda make: make.__name__)
def test_it_is_an_svg_without_script_or_reference(make):
    film = animate(make(), layout="builtin")
    drawing = Drawing(film)
    assert {element.tag.removeprefix(SVG) for element in drawing.root.iter()} <= HARMLESS
    assert "http" not in film.svg.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert film.frames <= MOST_FRAMES


@pytest.mark.parametrize("make", GRAPHS, ids=lambda make: make.__name__)
def test_the_last_frame_shows_every_number_of_the_finished_drawing(make):
    output = make()
    film = animate(output, layout="builtin")
    output.backward()
    written = Drawing(draw(output, layout="builtin")).root.iter(f"{SVG}text")
    finished = [t.text for t in written if "scope-name" not in t.get("class")]
    shown = shown_texts(film, film.frames - 1)
    for text in set(finished):
        assert shown.count(text) >= finished.count(text), text


def test_the_first_frame_shows_no_number_that_is_not_given():
    film = animate(shared(), layout="builtin")
    texts = shown_texts(film, 0)
    assert texts.count("?") == 2
    assert "−6.0" not in texts
    assert not any(text.startswith("∇ ") and text != "∇ not" for text in texts)


def test_a_partial_gradient_is_seen_with_its_dots():
    film = animate(square(), layout="builtin")
    frames = [shown_texts(film, k) for k in range(film.frames)]
    assert [("∇ 3.0" in texts, "●○" in texts) for texts in frames] == [(k == 3, k == 3) for k in range(film.frames)]
    assert "∇ 6.0" in frames[4]
    assert "●●" in frames[4]


def test_each_frame_says_what_happens():
    film = animate(square(), layout="builtin")
    said = [shown_texts(film, k) for k in range(film.frames)]
    assert "v1 = a * a = 3 * 3 = 9.0" in said[1]
    assert "∇a = 3.0 + 1.0 × 3.0 = 6.0  (use 2 of 2)" in said[4]
    assert "Every gradient is complete." in said[-1]


def test_without_animation_the_base_style_is_the_last_frame():
    film = animate(neuron(), layout="builtin")
    spans = seen(film)
    base = dict(re.findall(r"\.(c\w+-\d+) \{ visibility: (\w+);", film.svg))
    assert base
    assert {name: state == "visible" for name, state in base.items()} == {
        name: span[-1] for name, span in spans.items()
    }
    assert "prefers-reduced-motion" in film.svg


@pytest.mark.parametrize("make", GRAPHS, ids=lambda make: make.__name__)
def test_every_step_is_in_exactly_one_frame_in_order(make):
    output = make()
    steps = story_of(output, lambda output: scalar_view([output])).steps
    frames = frames_of(steps)
    assert [k for frame in frames for k in frame] == list(range(len(steps)))
    for frame in frames:
        assert len({steps[k].kind == "forward" for k in frame}) == 1


def test_the_same_graph_gives_the_same_bytes():
    assert animate(neuron(), layout="builtin").svg == animate(neuron(), layout="builtin").svg


def test_two_drawings_in_one_page_do_not_switch_each_other():
    names = [set(re.findall(r"@keyframes (\S+)", animate(make(), layout="builtin").svg)) for make in (neuron, shared)]
    assert names[0]
    assert not names[0] & names[1]


def test_what_cannot_be_animated_is_refused():
    total = Value(0.0)
    for k in range(80):
        total = total + Value(float(k))
    with pytest.raises(ValueError, match=r"this graph has \d+ boxes, and more than 60 cannot be read"):
        animate(total)
    with pytest.raises(TypeError, match="a node, or a function"):
        animate(3.0)
    with pytest.raises(ValueError, match="theme is one of"):
        animate(neuron(), theme="blue")
    with pytest.raises(ValueError, match="layout is one of 'auto', 'builtin', 'dot', not 'bogus'"):
        animate(neuron(), layout="bogus")
    with pytest.raises(ValueError, match="direction is one of"):
        animate(neuron(), direction="diagonal")
    with pytest.raises(ValueError, match=r"seconds is a number from 0\.05 to 60, not 0"):
        animate(neuron(), seconds=0)


def test_it_is_saved_as_svg_only(tmp_path):
    film = animate(neuron(), layout="builtin")
    assert film.save(tmp_path / "film.svg").read_text(encoding="utf-8") == film.svg
    with pytest.raises(ValueError, match=r"saved as \.svg"):
        film.save(tmp_path / "film.gif")


def test_arrays_move_too():
    t = Tensor([[1.0, -2.0], [0.5, 3.0]], label="t")
    film = animate((t * t).mean(), layout="builtin")
    assert number(-2.0) in shown_texts(film, film.frames - 1)
