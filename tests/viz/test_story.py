"""The story of a backward pass: whatever it tells is what the engine did."""

from __future__ import annotations

import random

import numpy as np
import pytest

from autodiff import Tensor, Value, explain, scope
from tests.viz.graphs import SMALL, network, shared, square
from viz.story import NOTHING, newest_boxes_first, story_of
from viz.views.view import scalar_view, view_of


def told(output, **zoom):
    return story_of(
        output, lambda output, **given: view_of([output], **zoom, **given) if zoom else scalar_view([output])
    )


def at_the_end(story, what):
    """What each box shows after all steps."""
    shown = {}
    for step in story.steps:
        for change in step.changes:
            new = getattr(change, what)
            if new is not NOTHING:
                shown[change.box] = new
    return shown


@pytest.mark.parametrize("make", SMALL, ids=lambda make: make.__name__)
def test_of_single_nodes_the_story_is_explain(make):
    output = make()
    story, explained = told(output), explain(output)
    forward = [step.told for step in story.steps if step.kind == "forward"]
    backward = [step.told for step in story.steps if step.kind == "backward"]
    assert [str(step) for step in forward] == [str(step) for step in explained.forward]
    assert [str(step) for step in backward] == [str(step) for step in explained.backward]
    assert story.names == explained.names


@pytest.mark.parametrize("make", SMALL, ids=lambda make: make.__name__)
def test_at_the_end_every_box_shows_the_engines_gradient(make):
    output = make()
    story = told(output)
    output.backward()
    shown = at_the_end(story, "gradient")
    nodes = [node for node in story.view.nodes if node.requires_grad]
    assert nodes
    for node in nodes:
        assert np.array_equal(shown[story.view.box_of[node]], node.grad)


def test_a_story_touches_no_gradient():
    output = network((2, 4, 3, 1))
    nodes = scalar_view([output]).nodes
    for node in nodes:
        node.grad = 7.0
    for zoom in ({}, {"level": "layer", "open": None}):
        told(output, **zoom)
        assert all(node.grad == 7.0 for node in nodes)


def test_paths_are_counted():
    story = told(square())
    arrived = [change.arrived for step in story.steps if step.kind == "backward" for change in step.changes]
    assert arrived == [1, 2]
    a = story.view.box_of[story.output.inputs[0]]
    assert story.paths[a] == 2


def test_the_sentence_says_whether_a_gradient_is_final():
    sentences = [step.sentence for step in told(square()).steps if step.kind == "backward"]
    assert sentences[0].endswith("use 1 of 2: more is still to come, so ∇a is not final.")
    assert sentences[1].endswith("use 2 of 2: all have arrived, ∇a is complete.")


def test_the_arrows_of_a_step_are_the_edges_it_goes_over():
    output = shared()
    story = told(output)
    edges = story.view.graph.edges
    for step in story.steps:
        if step.kind == "backward":
            (k,) = step.arrows
            assert edges[k].source == step.box
            assert edges[k].port == step.told.position
        if step.kind == "forward":
            assert step.arrows == tuple(k for k, edge in enumerate(edges) if edge.target == step.box)
    walked = [k for step in story.steps if step.kind == "backward" for k in step.arrows]
    assert sorted(walked) == list(range(len(edges)))


def test_a_closed_box_is_computed_from_all_that_leads_into_it():
    story = told(network((2, 4, 3, 1)), level="layer", open=None)
    edges = story.view.graph.edges
    closed = [step for step in story.steps if step.kind == "forward" and story.view.graph.boxes[step.box].group]
    assert closed
    for step in closed:
        assert step.arrows == tuple(k for k, edge in enumerate(edges) if edge.target == step.box)
    assert any(step.arrows for step in closed)


@pytest.mark.parametrize("seed", range(20))
def test_boxes_of_many_nodes_take_their_turn_after_all_that_use_them(seed):
    draw = random.Random(seed)
    nodes = [Value(draw.uniform(0.5, 1.5), label=f"x{k}") for k in range(3)]
    for k in range(40):
        with scope(f"part {draw.randrange(4)}"):
            a, b = draw.choice(nodes), draw.choice(nodes)
            nodes.append(a * b if k % 2 else a + b)
    with scope("sum"):
        total = Value(0.0)
        for node in nodes:
            total = total + node
    for level in ("layer", "scalar"):
        view = view_of([total], level=level, open=None)
        computed = [[] for _ in view.graph.boxes]
        for node in sorted(view.nodes, key=lambda node: -node.clock):
            if node.op is not None:
                computed[view.box_of[node]].append(node)
        order = newest_boxes_first(view, computed)
        place = {box: k for k, box in enumerate(order)}
        assert sorted(order) == [k for k, nodes in enumerate(computed) if nodes]
        for edge in view.graph.edges:
            if edge.source in place and edge.source != edge.target:
                assert place[edge.target] < place[edge.source]


@pytest.mark.parametrize("level", ["neuron", "layer"])
def test_collapsed_every_gradient_that_is_shown_is_the_engines(level):
    output = network((2, 4, 3, 1))
    story = told(output, level=level, open=None)
    output.backward()
    shown = at_the_end(story, "gradient")
    groups = [k for k, box in enumerate(story.view.graph.boxes) if box.group]
    assert groups
    for k in groups:
        members = [node for node in story.view.nodes if story.view.box_of[node] == k]
        learned = [node.grad for node in members if node.op is None and node.requires_grad]
        if learned:
            assert shown[k].group.gradient == pytest.approx(np.linalg.norm(learned), rel=1e-12)
    for box, node in story.alone.items():
        if node.requires_grad:
            assert shown[box] == pytest.approx(node.grad, rel=1e-12)


def test_numbers_that_cannot_be_typed_are_not_asked_for():
    x = Value(0.0, label="x")
    y = (x.log() * 2).exp()
    assert not any(step.asks for step in told(y).steps if step.kind == "forward" and "inf" in step.rows[1][2])
    t = Tensor([1.0, 2.0], label="t")
    asked = [step.asks for step in told((t * t).sum()).steps if step.kind == "forward"]
    assert asked == ["", "What is v2?"]
