"""Frames and loops: what belongs together stands together, and arrows find their way in and out."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.viz.graphs import SMALL, SVG, Drawing, along, crossed, overlapping, words
from tests.viz.graphs import network as small_network
from tests.viz.scoped import array_steps, chain, network, recurrent, scoped_graphs
from tests.viz.test_dot import needs_dot
from viz import draw
from viz.drawing.face import face_of
from viz.layouts.framing import arranged
from viz.views.view import view_of

GRAPHS = {
    "single numbers": (small_network, {}),
    "one neuron open": (lambda: network([4, 8, 3]), {}),
    "by layer": (lambda: network([2, 16, 16, 1]), {}),
    "rolled": (lambda: recurrent(30), {}),
    "rolled, none open": (lambda: recurrent(30), {"open": None}),
    "unrolled": (lambda: recurrent(5), {"level": "step"}),
    "single steps": (lambda: recurrent(4), {}),
    "arrays": (lambda: array_steps(12), {"level": "step"}),
    "stretches": (lambda: chain(500), {}),
}


def placed(make, options, direction, engine="builtin"):
    outputs = make()
    view = view_of(outputs if isinstance(outputs, list) else [outputs], **options)
    faces = [face_of(box) for box in view.graph.boxes]
    sizes = [(face.width, face.height) for face in faces]
    return view.graph, sizes, arranged(view.graph, sizes, engine, direction, 10.0)


def holds(frame, box):
    (x, y), (width, height) = frame
    (left, top), (wide, tall) = box
    return x < left and y < top and left + wide < x + width and top + tall < y + height


def apart(frame, box):
    (x, y), (width, height) = frame
    (left, top), (wide, tall) = box
    return left + wide <= x or x + width <= left or top + tall <= y or y + height <= top


def check(graph, sizes, arrangement, near=0.6):
    layout = arrangement.layout
    boxes = list(zip(layout.corners, sizes, strict=True))
    assert overlapping(layout, sizes) == []
    for frame, rectangle in zip(graph.frames, arrangement.frames, strict=True):
        for k, box in enumerate(boxes):
            assert holds(rectangle, box) if k in frame.boxes else apart(rectangle, box)
    for a, b in pairwise(sorted(arrangement.frames)):
        assert apart(a, b)
    for edge, route in zip(graph.edges, layout.routes, strict=True):
        for end, box in ((route[0], boxes[edge.source]), (route[-1], boxes[edge.target])):
            (left, top), (wide, tall) = box
            assert left - near <= end[0] <= left + wide + near
            assert top - near <= end[1] <= top + tall + near
    for (x, y), (width, height) in [*boxes, *arrangement.frames]:
        assert -1e-6 <= x <= layout.width - width + 1e-6
        assert -1e-6 <= y <= layout.height - height + 1e-6


@pytest.mark.parametrize("direction", ["LR", "TB", "auto"])
@pytest.mark.parametrize("name", GRAPHS)
def test_frames_hold_what_belongs_to_them_and_nothing_else(name, direction):
    graph, sizes, arrangement = placed(*GRAPHS[name], direction)
    check(graph, sizes, arrangement)
    assert crossed(arrangement.layout, sizes, graph.edges) == []


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("name", GRAPHS)
def test_arrows_lead_forward_all_the_way(name, direction):
    graph, _, arrangement = placed(*GRAPHS[name], direction)
    axis = 0 if direction == "LR" else 1
    for route in arrangement.layout.routes:
        steps = [point[axis] for point in along(route)]
        assert all(b >= a - 0.6 for a, b in pairwise(steps))
    assert len(arrangement.layout.routes) == len(graph.edges)


@given(scoped_graphs(), st.sampled_from(["LR", "TB"]), st.sampled_from(["scalar", "neuron", "layer"]))
@settings(deadline=None, max_examples=60)
def test_the_same_holds_in_any_other_graph(outputs, direction, level):
    graph, sizes, arrangement = placed(lambda: outputs, {"level": level}, direction)
    check(graph, sizes, arrangement)
    assert crossed(arrangement.layout, sizes, graph.edges) == []


@needs_dot
@pytest.mark.parametrize("name", ["one neuron open", "rolled", "single steps"])
def test_dot_lays_out_what_is_around_a_frame(name):
    graph, sizes, arrangement = placed(*GRAPHS[name], "LR", engine="dot")
    check(graph, sizes, arrangement, near=2.0)
    assert arrangement.layout.engine == "dot"


def test_a_rolled_box_has_an_arrow_from_its_end_to_its_beginning():
    for direction, axis in (("LR", 0), ("TB", 1)):
        graph, sizes, arrangement = placed(lambda: recurrent(30), {"open": None}, direction)
        ((box, route),) = arrangement.loops.items()
        assert graph.boxes[box].group.repeats == 30
        corner, size = arrangement.layout.corners[box], sizes[box]
        assert route[0][axis] == pytest.approx(corner[axis] + size[axis])
        assert route[-1][axis] == pytest.approx(corner[axis])
        assert all(y >= 0 for _, y in along(route))
        assert all(x >= 0 for x, _ in along(route)) or direction == "LR"


def test_a_drawing_shows_frames_loops_and_stacks():
    drawing = Drawing(draw(recurrent(30), layout="builtin"))
    assert len(drawing.with_class("scope")) == 1
    assert [e.find(f"{SVG}title").text for e in drawing.with_class("loop")] == ["step 0–28 → its next step, 3 numbers"]
    (rolled,) = [e for e in drawing.with_class("group") if "step" in e.get("aria-label")]
    assert words(rolled).startswith("step 0–28 × 29 29 × 24 operations")
    assert len(rolled.findall(f"{SVG}rect")) == 3  # one more behind: a stack
    assert "770 nodes" in drawing.root.find(f"{SVG}desc").text


def test_small_networks_are_framed_by_neuron_and_readable_on_a_page():
    picture = draw(small_network(), layout="builtin")
    titles = [words(e) for e in Drawing(picture).with_class("scope-title")]
    assert sorted(titles) == [*(f"layer 0/neuron {k}" for k in range(3)), "layer 1/neuron 0"]
    assert 12 * min(1, 1400 / (picture.layout.width + 24)) >= 11


def test_a_graph_without_scopes_has_no_frames():
    for make in SMALL:
        if make is not small_network:
            assert Drawing(draw(make(), layout="builtin")).with_class("scope") == []


def test_thicker_arrows_carry_more_numbers():
    drawing = Drawing(draw(network([2, 3, 1], samples=20), layout="builtin", open=None))
    titles = {e.find(f"{SVG}title").text for e in drawing.with_class("n1")}
    assert "inputs → layers.0/neurons.0, 40 numbers" in titles
    plain = Drawing(draw(network([2, 3, 1]), layout="builtin"))
    assert plain.with_class("n1") == []


def test_what_an_arrow_carries_out_of_a_box_is_said():
    drawing = Drawing(draw(recurrent(8), layout="builtin", level="step"))
    titles = [e.find(f"{SVG}title").text for e in drawing.edges]
    assert "parameters (W01) → ×, input 1 of 2" in titles
