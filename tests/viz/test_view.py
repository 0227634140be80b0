"""Views: every node in exactly one box, every input of every node accounted for, and no cycles."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff import GraphError, Tensor, Value, no_grad, scope, stack
from tests.viz.graphs import SMALL
from tests.viz.scoped import array_steps, chain, check, network, recurrent, scoped_graphs
from viz.views.acyclic import acyclic, arrows, in_topological_order, knotted
from viz.views.model import graph_of
from viz.views.view import scalar_view, view_of
from viz.views.wiring import wiring_of

levels = st.sampled_from(["auto", "scalar", "neuron", "layer", "step"])


def with_steps_if_there_are(outputs, level):
    there_are = any("step" in node.scope for node in scalar_view(outputs).nodes)
    return "layer" if level == "step" and not there_are else level


@given(scoped_graphs(), levels, st.sampled_from(["auto", None]), st.sampled_from(["auto", True, False]))
@settings(deadline=None, max_examples=150)
def test_every_node_is_in_one_box_and_every_arrow_is_accounted_for(outputs, level, part, roll):
    level = with_steps_if_there_are(outputs, level)
    check(view_of(outputs, level=level, open=part, roll=roll), outputs)


@given(scoped_graphs(), st.sampled_from(["neuron", "layer"]), st.data())
@settings(deadline=None, max_examples=100)
def test_any_scope_can_be_opened(outputs, level, data):
    places = sorted({node.scope for node in scalar_view(outputs).nodes if node.op and node.scope})
    if not places:
        return
    place = data.draw(st.sampled_from(places))
    view = view_of(outputs, level=level, open=place)
    check(view, outputs)
    inside = [node for node in view.nodes if node.op and (node.scope + "/").startswith(place + "/")]
    boxes = [view.graph.boxes[view.box_of[node]] for node in inside]
    assert all(box.group is None for box in boxes)
    framed = {box for frame in view.graph.frames for box in frame.boxes}
    assert {view.box_of[node] for node in inside} <= framed or len(inside) == 1 or not framed


@given(st.integers(2, 300), st.data())
@settings(deadline=None, max_examples=40)
def test_any_stretch_can_be_opened(length, data):
    y = chain(length)
    count = 2 * (length // 2)
    first = data.draw(st.integers(1, count))
    last = data.draw(st.integers(first, count))
    view = view_of([y], level="neuron", open=f"operations {first}-{last}")
    check(view, [y])
    made = sorted((node for node in view.nodes if node.op), key=lambda node: node.clock)
    if last - first < 100:
        assert all(view.graph.boxes[view.box_of[node]].group is None for node in made[first - 1 : last])


@pytest.mark.parametrize("make", [*SMALL, lambda: network([2, 3, 1]), lambda: recurrent(5)])
def test_single_numbers_are_the_graph_itself(make):
    y = make()
    view = scalar_view([y])
    plain = graph_of([y])
    assert [(e.source, e.target, e.port, e.ports) for e in view.graph.edges] == [
        (e.source, e.target, e.port, e.ports) for e in plain.edges
    ]
    assert [box.name for box in view.graph.boxes] == [box.name for box in plain.boxes]
    check(view, [y])


def test_the_same_program_gives_the_same_view():
    first, second = view_of([network([4, 8, 3])]).graph, view_of([network([4, 8, 3])]).graph
    assert (first.edges, first.frames) == (second.edges, second.frames)
    assert [box.label for box in first.boxes] == [box.label for box in second.boxes]


def test_a_scope_between_others_is_split_and_those_around_it_are_not():
    total = None
    with scope("net"):
        w = Value(0.5)
    for k in range(50):
        x = Value(float(k), requires_grad=False) - 0.5  # outside: before
        with scope("net"):
            y = (x * w).tanh()
        total = y if total is None else total + y  # outside: after
    view = view_of([total], level="neuron", open=None)
    check(view, [total])
    assert [box.name for box in view.graph.boxes] == ["net", "outside scopes"]  # x - 0.5 is a constant: no gradient
    a = Value(0.1, label="a")
    total = None
    for k in range(50):
        x = k - a
        with scope("net"):
            y = (x * w).tanh()
        total = y if total is None else total + y
    view = view_of([total], level="neuron", open=None)
    check(view, [total])
    assert [b.name for b in view.graph.boxes] == ["outside scopes, part 1 of 2", "net", "outside scopes, part 2 of 2"]


def test_a_scope_that_is_entered_again_is_two_visits():
    x = Value(1.0, label="x")
    with scope("a"):
        y = x * 2 + 1
    with scope("b"):
        y = y * 3 + 1
    with scope("a"):
        y = y * 4 + 1
    view = view_of([y], level="neuron", open=None)
    check(view, [y])
    assert [box.name for box in view.graph.boxes] == ["a, part 1 of 2", "b", "a, part 2 of 2"]


def test_a_box_of_one_node_is_that_node():
    x = Value(1.0)
    with scope("a"):
        y = x.tanh()
    with scope("b"):
        z = y * x
    view = view_of([z], level="neuron", open=None)
    assert [box.group for box in view.graph.boxes] == [None, None, None]


def test_many_inputs_of_a_node_from_one_box_are_one_arrow():
    with scope("part"):
        x = Tensor([1.0, 2.0], label="x")
        rows = [x * k for k in range(1, 9)]
    y = stack(rows)
    view = view_of([y], level="neuron", open=None)
    check(view, [y])
    assert len(view.graph.edges) == 1
    assert view.graph.edges[0].numbers == 16
    assert {view.edge_of[y, k] for k in range(8)} == {0}
    with pytest.raises(KeyError):
        view.edge_of[y, 8]


def test_numbers_of_arrays_are_counted():
    y = array_steps(12)
    view = view_of([y], level="step", open=None)
    check(view, [y])
    (rolled,) = [box for box in view.graph.boxes if box.group]
    assert (rolled.group.repeats, rolled.group.state) == (12, 6)


def test_knots_agree_with_reachability():
    rng = np.random.default_rng(0)
    for _ in range(200):
        count = int(rng.integers(1, 9))
        pairs = np.unique(rng.integers(0, count, (int(rng.integers(0, 15)), 2)), axis=0)
        pairs = pairs[pairs[:, 0] != pairs[:, 1]].reshape(-1, 2)
        reach = np.eye(count, dtype=bool)
        for a, b in pairs:
            reach[a, b] = True
        for _ in range(count):
            reach = reach | (reach.astype(int) @ reach.astype(int) > 0)
        mutual = {frozenset(np.flatnonzero(reach[k] & reach[:, k]).tolist()) for k in range(count)}
        assert {frozenset(knot) for knot in knotted(pairs, count)} == {knot for knot in mutual if len(knot) > 1}
        if not knotted(pairs, count):
            order = in_topological_order(pairs, rng.permutation(count))
            assert all(order.index(a) < order.index(b) for a, b in pairs.tolist())


@given(scoped_graphs())
@settings(deadline=None, max_examples=60)
def test_groups_are_split_only_where_they_must_be(outputs):
    wiring = wiring_of(outputs)
    groups = acyclic(wiring, wiring.scope)
    pairs = arrows(wiring, groups)
    assert not knotted(pairs, int(groups.max(initial=-1)) + 1)
    for group in range(int(groups.max(initial=-1)) + 1):
        assert len(set(wiring.scope[groups == group].tolist())) == 1
    places = acyclic(wiring, wiring.scope * 0)  # one place for all: no reason to split
    assert int(places.max(initial=0)) == 0


def test_a_changed_leaf_is_noticed_in_collapsed_views_too():
    x = Value(1.0, label="x")
    y = x
    for _ in range(400):
        y = y * 0.5
    x.data = 2.0
    with pytest.raises(GraphError, match="x was changed"):
        view_of([y])


def test_what_carries_no_gradient_is_drawn_too():
    with no_grad():
        y = Value(1.0) * 2
    view = view_of([y], level="neuron")
    assert [box.kind for box in view.graph.boxes] == ["constant"]


def test_a_large_graph_needs_little_memory_for_its_view():
    y = chain(100_000)
    tracemalloc.start()
    view = view_of([y])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(view.graph.boxes) < 60
    assert peak < 1000 * len(view.nodes)  # bytes: the nodes themselves take about 200 each
