"""From nodes to boxes and edges."""

import sys

import pytest

from autodiff import Tensor, Value, no_grad, scope
from tests.viz.graphs import SMALL, network
from viz.views.model import graph_of, in_order


def test_both_edges_of_a_square_are_kept_in_order():
    a = Value(3.0)
    graph = graph_of([a * a])
    assert [(e.source, e.target, e.port, e.ports) for e in graph.edges] == [(0, 1, 0, 2), (0, 1, 1, 2)]


@pytest.mark.parametrize("make", SMALL)
def test_boxes_stand_after_all_their_inputs(make):
    graph = graph_of([make()])
    assert all(edge.source < edge.target for edge in graph.edges)


def test_the_order_follows_from_the_graph_and_not_from_time():
    b, a = Value(1.0, label="b"), Value(2.0, label="a")
    assert [node.label for node in in_order([a - b])] == ["a", "b", None]


def test_kinds():
    x = Value(2.0, label="x")
    with no_grad():
        frozen = x * 3
    graph = graph_of([x * frozen + 1])
    assert [box.kind for box in graph.boxes] == ["leaf", "constant", "operation", "constant", "operation"]
    assert [box.is_output for box in graph.boxes] == [False] * 4 + [True]


def test_gradients_of_constants_are_no_gradients():
    x = Value(2.0)
    y = x * 3
    y.backward()
    assert [box.gradient for box in graph_of([y]).boxes] == [3.0, None, 1.0]
    assert [box.carries for box in graph_of([y]).boxes] == [True, False, True]


def test_scope_and_parameters_reach_the_box():
    with scope("layer 1"):
        y = Tensor([[1.0, 2.0]]).sum(axis=0)
    box = graph_of([y]).boxes[-1]
    assert (box.scope, box.detail, box.operation) == ("layer 1", "axis=0", "sum")
    assert graph_of([Tensor([1.0]).sum()]).boxes[-1].detail == ""
    assert graph_of([Tensor([1.0, 2.0, 3.0])[1:3]]).boxes[-1].detail == "index=[1:3]"


def test_shared_nodes_are_drawn_once():
    graph = graph_of([network()])
    assert sum(box.label in ("x0", "x1") for box in graph.boxes) == 2


def test_several_outputs_share_one_graph():
    a = Value(1.0)
    b, c = a + 1, a * 2
    graph = graph_of([b, c, b])
    assert len(graph.boxes) == 5
    assert sum(box.is_output for box in graph.boxes) == 2


def test_a_long_chain_needs_no_recursion():
    y = x = Value(1.0)
    for _ in range(100_000):
        y = -y
    assert sys.getrecursionlimit() < 100_000
    assert in_order([y])[0] is x
    assert len(in_order([y])) == 100_001
