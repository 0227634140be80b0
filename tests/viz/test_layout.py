"""Geometry: nothing overlaps, nothing is crossed, everything fits."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.viz.graphs import SMALL, along, crossed, entered, network, overlapping
from viz.drawing.face import face_of
from viz.layouts.builtin import PAGE, best_direction, built_in, port_offset, ranks_of
from viz.views.model import Edge, graph_of


def measured(make):
    graph = graph_of([make()])
    return [(face.width, face.height) for face in map(face_of, graph.boxes)], graph.edges


@st.composite
def graphs(draw):
    """Boxes of any size, joined at random in topological order, with shared and repeated inputs."""
    count = draw(st.integers(1, 14))
    seed = draw(st.integers(0, 10**6))
    chance = random.Random(seed)
    sizes = [(chance.uniform(10, 200), chance.uniform(10, 200)) for _ in range(count)]
    edges = []
    for target in range(1, count):
        ports = chance.choice([0, 1, 1, 2, 2, 3])
        edges += [Edge(chance.randrange(target), target, port, ports) for port in range(ports)]
    return sizes, edges


def check(sizes, edges, direction):
    layout = built_in(sizes, edges, direction)
    assert overlapping(layout, sizes) == []
    assert crossed(layout, sizes, edges) == []
    assert entered(layout, sizes, edges) == []
    for (x, y), (width, height) in zip(layout.corners, sizes, strict=True):
        assert -1e-6 <= x <= layout.width - width + 1e-6
        assert -1e-6 <= y <= layout.height - height + 1e-6


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("make", SMALL)
def test_no_box_is_overlapped_or_crossed(make, direction):
    check(*measured(make), direction)


@given(graphs(), st.sampled_from(["LR", "TB"]))
@settings(deadline=None, max_examples=60)
def test_nor_in_any_other_graph(graph, direction):
    check(*graph, direction)


@pytest.mark.parametrize("make", SMALL)
def test_every_edge_joins_its_boxes_and_points_forward(make):
    sizes, edges = measured(make)
    layout = built_in(sizes, edges, "LR")
    for edge, route in zip(edges, layout.routes, strict=True):
        (sx, sy), (sw, sh) = layout.corners[edge.source], sizes[edge.source]
        (tx, ty), (_, th) = layout.corners[edge.target], sizes[edge.target]
        assert route[0] == pytest.approx((sx + sw, sy + sh / 2))
        assert route[-1] == pytest.approx((tx, ty + th / 2 + port_offset(edge, th)))
        steps = [x for x, _ in along(route)]
        assert all(b >= a - 1e-6 for a, b in pairwise(steps))


def test_operands_arrive_in_their_order():
    layout = built_in([(50, 60)] * 3, [Edge(0, 2, 0, 2), Edge(1, 2, 1, 2)])
    (_, first), (_, second) = layout.routes[0][-1], layout.routes[1][-1]
    assert first < second


def test_top_to_bottom_is_left_to_right_turned():
    layout = built_in([(50, 20), (30, 40)], [Edge(0, 1, 0, 1)], "TB")
    assert layout.corners[1][1] > layout.corners[0][1] + 20
    assert layout.corners[0][0] + 25 == pytest.approx(layout.corners[1][0] + 15)


def test_a_box_stands_just_before_its_first_consumer():
    # 0 feeds 1 feeds 2 feeds 4; 3 feeds 4 only
    edges = [Edge(0, 1, 0, 1), Edge(1, 2, 0, 1), Edge(2, 4, 0, 2), Edge(3, 4, 1, 2)]
    assert ranks_of(5, edges) == [0, 1, 2, 2, 3]


def test_a_tree_has_no_crossings():
    # ((0, 1) -> 4, (2, 3) -> 5) -> 6, numbered so that the order of numbers would cross
    edges = [Edge(0, 5, 0, 2), Edge(2, 5, 1, 2), Edge(1, 4, 0, 2), Edge(3, 4, 1, 2), Edge(5, 6, 0, 2), Edge(4, 6, 1, 2)]
    corners = built_in([(50, 20)] * 7, edges).corners
    leaves = sorted(range(4), key=lambda k: corners[k][1])
    assert leaves == [0, 2, 1, 3]


def test_a_picture_turns_where_it_is_too_wide():
    chain = [Edge(k, k + 1, 0, 1) for k in range(50)]
    assert best_direction([(80, 60)] * 51, chain) == "TB"
    assert best_direction([(80, 60)] * 5, chain[:4]) == "LR"
    assert best_direction([(80, 60)] * 50, []) == "LR"


@pytest.mark.parametrize("widths", [(2, 3, 1), (3, 3, 1), (3, 4, 1), (2, 2, 2, 1)])
def test_sixty_nodes_are_readable_on_a_page(widths):
    sizes, edges = measured(lambda: network(widths))
    assert 40 <= len(sizes) <= 64
    assert built_in(sizes, edges, best_direction(sizes, edges)).width <= PAGE


def test_a_thousand_nodes_have_each_their_place():
    sizes, edges = measured(lambda: network((2, 15, 14, 4, 1)))
    assert 900 < len(sizes) < 1100
    assert overlapping(built_in(sizes, edges, "TB"), sizes) == []


def test_a_number_used_along_a_whole_chain_stays_affordable():
    edges = [Edge(0, 1, 0, 1)]
    for k in range(2, 900):
        edges += [Edge(k - 1, k, 0, 2), Edge(0, k, 1, 2)]
    sizes = [(60.0, 40.0)] * 900
    layout = built_in(sizes, edges)
    assert sum(map(len, layout.routes)) < 30_000
    assert overlapping(layout, sizes[:1] + sizes[1:]) == []


def test_nothing_at_all_and_one_box():
    assert built_in([], []).width == 0
    assert built_in([(30, 20)], []).corners == ((0, 0),)
