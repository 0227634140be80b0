"""What boxes of several nodes say: never more than the engine knows."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff import Tensor, Value, explain, scope
from tests.viz.graphs import HARMLESS, SVG, Drawing, network, neuron, words
from tests.viz.scoped import array_steps, chain, recurrent, scoped_graphs
from tests.viz.scoped import network as neurons
from tests.viz.test_labels import HOSTILE
from viz import draw
from viz.drawing.face import described, face_of, hover
from viz.drawing.format import exact, number
from viz.drawing.lettering import SIZES
from viz.views.view import view_of


def box(view, name):
    (found,) = [box for box in view.graph.boxes if box.name == name and box.group]
    return found


def written(box):
    return " ".join(text.words for text in face_of(box).texts)


def fits(box):
    face = face_of(box)
    for text in face.texts:
        assert text.left >= 2
        assert text.left + text.width <= face.width - 2
        assert SIZES[text.style] * 0.8 <= text.y <= face.height - 2


@pytest.mark.parametrize(
    "make", [lambda: neurons([4, 8, 3]), lambda: recurrent(30), lambda: array_steps(30), lambda: chain(400)]
)
@pytest.mark.parametrize("backward", [False, True])
def test_every_word_is_inside_its_box_and_over_no_other(make, backward):
    y = make()
    if backward:
        y.backward()
    for box in view_of([y], level="neuron", open=None).graph.boxes:
        fits(box)
        texts = face_of(box).texts
        for i, a in enumerate(texts):
            for b in texts[:i]:
                assert a.left + a.width <= b.left or b.left + b.width <= a.left or abs(a.y - b.y) >= 13


@given(scoped_graphs(), st.booleans())
@settings(deadline=None, max_examples=40)
def test_and_in_any_other_graph(outputs, backward):
    if backward and outputs[0].requires_grad:
        outputs[0].backward()
    for box in view_of(outputs, level="neuron").graph.boxes:
        fits(box)
        assert described(box)
        assert hover(box)


def test_before_backward_no_gradient_is_claimed():
    for box in view_of([neurons([4, 8, 3])], open=None).graph.boxes:
        if box.group and box.carries:
            assert "∇ not computed yet" in written(box)
            assert "not computed yet" in described(box)
            assert not re.search(r"∇\|? [−0-9]", written(box))


def test_after_backward_the_numbers_are_those_of_the_engine():
    y = neurons([4, 8, 3])
    y.backward()
    view = view_of([y], open=None)
    for k, shown in enumerate(view.graph.boxes):
        if not shown.group:
            continue
        own = [node for node in view.nodes if view.box_of[node] == k]
        learned = [node.grad for node in own if node.op is None and node.requires_grad]
        assert shown.group.gradient == pytest.approx(math.hypot(*learned), rel=1e-12)
        (out,) = [n for n in own if any(n in m.inputs and view.box_of[m] != k for m in view.nodes if m.op)]
        assert f"{number(out.data)} ∇ {number(out.grad)}" in written(shown)
        assert exact(out.data) in hover(shown)
        assert exact(out.grad) in hover(shown)


def test_the_range_of_what_leaves_is_shown_where_there_is_much():
    y = neurons([2, 16, 16, 1])
    view = view_of([y], open=None)
    hidden = [n.data for n in view.nodes if n.op and n.op.name == "tanh" and n.scope.startswith("layers.1")]
    assert f"{number(min(hidden))} … {number(max(hidden))}" in written(box(view, "layers.1"))


def test_the_gradient_of_arrays_is_their_norm():
    W, x = Tensor([[1.0, 2.0], [3.0, 4.0]], label="W"), Tensor([[1.0], [1.0]], label="x", requires_grad=False)
    with scope("layer"):
        y = (W @ x).tanh()
    loss = (y * y).sum()
    loss.backward()
    layer = box(view_of([loss], level="layer", open=None), "layer")
    assert layer.group.gradient == pytest.approx(float(np.sqrt((W.grad**2).sum())), rel=1e-12)
    assert "(2, 1)" in written(layer)


def test_numbers_beyond_comparison_are_not_ranked():
    with scope("part"):
        a, b = Value(1 + 2j), Value(3 - 1j)
        outs = [a * b, a + b, a - b, b * b]
    view = view_of(outs, level="neuron", open=None)
    assert box(view, "part").group.least is None
    with scope("part"):
        a = Value(float("nan"), label="a")
        outs = [a * k for k in range(2, 7)]
    assert "…" not in written(box(view_of(outs, level="neuron", open=None), "part"))


def test_rolled_boxes_say_how_often_and_what_each_step_does():
    rolled = box(view_of([recurrent(30)], open=None), "step 0–29")
    assert written(rolled).startswith("step 0–29 × 30 30 × 24 operations")
    assert "3 numbers to the next step" in hover(rolled)
    assert "30 × 24 operations" in described(rolled)


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:20]))
def test_hostile_scopes_are_only_text(name):
    with scope(name), scope("inner"):
        y = Value(1.0, label=name)
        for _ in range(5):
            y = y * 0.5
    with scope("other"):
        y = (y + 1) * 2
    for options in ({}, {"level": "neuron", "open": None}, {"level": "neuron"}, {"level": "layer"}):
        drawing = Drawing(draw(y, layout="builtin", **options))
        assert {e.tag.removeprefix(SVG) for e in drawing.root.iter()} <= HARMLESS
        assert len(drawing.text) < 60_000
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", drawing.text)
    for shown in view_of([y], level="neuron", open=None).graph.boxes:
        fits(shown)


def test_boxes_carry_the_names_that_explain_uses():
    y = neuron()
    y.label = None
    told = explain(y).names
    view = view_of([y])
    for node in view.nodes:
        shown = view.graph.boxes[view.box_of[node]]
        assert shown.alias == ("" if node.label else told[node])
        if node.op:
            assert told[node] in words(Drawing(draw(y, layout="builtin")).nodes[view.box_of[node]]).split()


def test_leaves_with_the_same_label_are_told_apart_as_explain_does():
    y = network()
    told = explain(y).names
    view = view_of([y])
    (second,) = [node for node in view.nodes if told[node] == "w0#2"]
    assert written(view.graph.boxes[view.box_of[second]]).startswith("w0 #2 ")


def test_names_of_explain_are_left_out_where_they_would_not_fit_one_story():
    y = neuron()
    assert all(not box.alias for box in view_of([y, y.inputs[0]]).graph.boxes)
    assert all(not box.alias for box in view_of([chain(400)], full=True).graph.boxes)


def test_dot_source_knows_boxes_of_several_nodes():
    source = draw(neurons([4, 8, 3]), layout="builtin", open=None).to_dot().source
    assert "layers.0/neurons.3, 9 operations, 5 parameters" in source
