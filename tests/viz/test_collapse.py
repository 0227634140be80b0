"""Which level is drawn by itself, what is open, what is rolled, and what is said where nothing fits."""

import pytest

from autodiff import Tensor, Value, scope
from tests.viz.scoped import chain, check, network, recurrent
from viz.views.collapse import MOST_BOXES, MOST_EDGES
from viz.views.view import view_of


def names(view):
    return [box.name for box in view.graph.boxes if box.group]


def outside_frames(view):
    framed = {box for frame in view.graph.frames for box in frame.boxes}
    return [box for k, box in enumerate(view.graph.boxes) if k not in framed]


def chained(lengths, place="part {}"):
    """A chain with so many operations in each of several scopes."""
    y = Value(0.5, label="x")
    for k, length in enumerate(lengths):
        with scope(place.format(k)):
            for _ in range(length):
                y = -y
    return y


# ── levels ───────────────────────────────────────────────────────────────────────────────────────────
def test_up_to_150_nodes_every_number_is_drawn():
    assert view_of([chained([149])]).level == "scalar"
    assert len(view_of([chained([149])]).graph.boxes) == 150
    assert view_of([chained([75, 75])]).level == "neuron"


@pytest.mark.parametrize(("sizes", "level"), [([2, 3, 1], "scalar"), ([4, 8, 3], "neuron"), ([2, 16, 16, 1], "layer")])
def test_networks_are_drawn_at_the_level_that_can_be_read(sizes, level):
    y = network(sizes)
    view = view_of([y])
    check(view, [y])
    assert view.level == level
    assert len(outside_frames(view)) <= MOST_BOXES


def test_a_network_by_neuron_has_a_box_for_each_and_one_open():
    view = view_of([network([4, 8, 3])])
    expected = [f"layers.0/neurons.{k}" for k in range(1, 8)] + [f"layers.1/neurons.{k}" for k in range(3)]
    assert sorted(names(view)) == expected
    (frame,) = view.graph.frames
    assert (frame.name, len(frame.boxes)) == ("layers.0/neurons.0", 14)  # 4 products, 4 sums, tanh; 4 weights, bias
    assert names(view_of([network([4, 8, 3])], open=None))[0] == "layers.0/neurons.0"


def test_more_than_300_arrows_between_neurons_are_drawn_by_layer():
    view = view_of([network([2, 16, 16, 1])], level="neuron", open=None)
    assert len(view.graph.edges) > MOST_EDGES
    assert names(view_of([network([2, 16, 16, 1])], open=None)) == ["layers.0", "layers.1", "layers.2"]


def test_a_layer_with_an_open_neuron_shows_the_rest_of_the_layer():
    view = view_of([network([2, 16, 16, 1])], open="layers.1/neurons.3")
    by_name = {box.name: box.group for box in view.graph.boxes if box.group}
    assert by_name["layers.0"].operations == 16 * 5
    assert by_name["layers.1"].operations == 15 * 33
    assert by_name["layers.1"].parameters == 15 * 17
    assert [frame.name for frame in view.graph.frames] == ["layers.1/neurons.3"]


def test_more_than_2000_numbers_need_full():
    y = chained([2000])
    with pytest.raises(ValueError, match=r"2,001 nodes.*level=\"auto\".*full=True"):
        view_of([y], level="scalar")
    assert len(view_of([y], level="scalar", full=True).graph.boxes) == 2001
    assert len(view_of([y], full=True).graph.boxes) == 2001
    assert len(view_of([y]).graph.boxes) <= MOST_BOXES


def test_more_than_2000_boxes_are_refused_with_a_way_out():
    y = chained([2] * 2001)
    with pytest.raises(ValueError, match=r'level="neuron" makes 2,00\d boxes.*level="auto"'):
        view_of([y], level="neuron")
    assert len(view_of([y]).graph.boxes) <= MOST_BOXES


def test_the_note_says_how_much_was_collapsed_and_how_to_look_inside():
    assert view_of([network([2, 3, 1])]).note == ""
    note = view_of([network([4, 8, 3])]).note
    assert note == '202 nodes in 39 boxes, by neuron; open="layers.1/neurons.0" looks into one'
    assert 'with scope("name"): gives boxes with names' in view_of([chain(300)]).note


# ── samples, layers, parameters ──────────────────────────────────────────────────────────────────────
def test_many_samples_share_the_boxes_of_their_neurons():
    y = network([2, 3, 1], samples=20)
    view = view_of([y])
    check(view, [y])
    by_name = {box.name: box.group for box in view.graph.boxes if box.group}
    assert list(by_name) == [
        "inputs",
        *(f"layers.0/neurons.{k}" for k in range(3)),
        "layers.1/neurons.0",
        "outside scopes",
    ]
    assert by_name["inputs"].constants == 40
    assert by_name["layers.0/neurons.1"].operations == 20 * 5
    assert by_name["layers.0/neurons.1"].parameters == 3
    assert by_name["outside scopes"].operations == 59


def test_parameters_of_all_steps_have_a_box_of_their_own():
    view = view_of([recurrent(5)], level="step", open=None)
    (parameters,) = [box for box in view.graph.boxes if box.name == "parameters"]
    assert (parameters.kind, parameters.group.parameters, parameters.group.operations) == ("leaf", 12, 0)
    (feeding,) = {edge.source for edge in view.graph.edges if view.graph.boxes[edge.target].name == "step 3"} & {
        view.graph.boxes.index(parameters)
    }
    assert [e.numbers for e in view.graph.edges if e.source == feeding] == [12] * 5


def test_few_shared_leaves_stay_by_themselves():
    view = view_of([network([4, 8, 3])], open=None)
    assert [box.name for box in view.graph.boxes][:4] == ["x0", "x1", "x2", "x3"]


def test_layers_of_arrays_are_boxes_if_asked():
    X, W = Tensor([[1.0, 2.0]], label="X", requires_grad=False), Tensor([[0.5], [0.25]], label="W")
    with scope("layers.0"):
        y = (X @ W).tanh()
    y = y.sum()
    assert view_of([y]).level == "scalar"
    (box,) = [box for box in view_of([y], level="layer", open=None).graph.boxes if box.group]
    assert (box.group.parameters, box.group.constants, box.group.operations) == (2, 2, 2)


# ── time steps ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("steps", [9, 30, 100])
def test_many_steps_are_rolled_and_the_last_one_is_open(steps):
    y = recurrent(steps)
    view = view_of([y])
    check(view, [y])
    (rolled,) = [box for box in view.graph.boxes if box.group and box.group.repeats > 1]
    assert rolled.name == f"step 0–{steps - 2}"
    assert rolled.group.repeats == steps - 1
    assert rolled.group.operations == (steps - 1) * 24
    assert rolled.group.constants == steps - 1  # the input of each step
    assert rolled.group.parameters == 0
    assert rolled.group.state == 3
    assert [frame.name for frame in view.graph.frames] == [f"step {steps - 1}"]


def test_what_the_first_step_begins_with_stands_beside_the_rolled_box():
    view = view_of([recurrent(30)], open=None)
    assert names(view) == ["parameters", "step 0–29"]
    assert [box.name for box in view.graph.boxes if box.group is None][:3] == ["h0", "h1", "h2"]


def test_nodes_of_different_steps_share_the_rolled_box():
    view = view_of([recurrent(30)], open=None)
    places = {view.box_of[node] for node in view.nodes if node.scope.startswith("step") and node.op}
    assert len(places) == 1
    (rolled,) = places
    assert sum(box == rolled for box in view.box_of.values()) == view.graph.boxes[rolled].group.nodes == 30 * 25


def test_few_steps_are_unrolled_unless_asked():
    assert [name for name in names(view_of([recurrent(5)], level="step", open=None)) if "step" in name] == [
        f"step {k}" for k in range(5)
    ]
    assert names(view_of([recurrent(5)], roll=True, open=None)) == ["parameters", "step 0–4"]
    assert len(names(view_of([recurrent(30)], roll=False, open=None))) == 31


def test_an_open_step_parts_the_rolled_ones():
    view = view_of([recurrent(30)], open="step 4")
    rolled = [box for box in view.graph.boxes if box.group and box.group.repeats > 1]
    assert [(box.name, box.group.repeats) for box in rolled] == [("step 0–3", 4), ("step 5–29", 25)]


def test_only_steps_that_compute_the_same_are_rolled_together():
    y = recurrent(30, irregular={10})
    view = view_of([y], open=None)
    check(view, [y])
    rolled = [box.name for box in view.graph.boxes if box.group and "step" in box.name]
    # Step 11 is joined to step 10 at another operation than step 12 to step 11.
    assert rolled == ["step 0–9", "step 10", "step 11–29"]


def test_a_missing_step_parts_the_rolled_ones():
    y = Value(0.5)
    for k in [*range(10), *range(11, 30)]:
        with scope(f"step {k}"):
            y = (y * 2).tanh()
    view = view_of([y], level="step", open=None)
    assert names(view) == ["step 0–9", "step 11–29"]


def test_a_step_that_looks_further_back_is_not_hidden_in_a_loop():
    a = b = Value(0.5)
    for k in range(20):
        with scope(f"step {k}"):
            a, b = (a * b).tanh(), a
    view = view_of([a], level="step", open=None)
    check(view, [a])
    assert all(box.group.repeats <= 2 for box in view.graph.boxes if box.group)


def test_neurons_inside_steps_are_rolled_with_their_step():
    y = recurrent(30, name="step {}/neurons")
    view = view_of([y])
    check(view, [y])
    assert "step 0–28" in names(view)
    inner = view_of([y], open="step 29/neurons")
    assert [frame.name for frame in inner.graph.frames] == ["step 29/neurons"]


def test_everything_that_repeats_is_rolled_if_asked():
    y = network([2, 16, 16, 1])
    view = view_of([y], roll=True, open=None)
    check(view, [y])
    rolled = {box.name: box.group.repeats for box in view.graph.boxes if box.group}
    assert rolled["layers.0/neurons.0–15"] == rolled["layers.1/neurons.0–15"] == 16


def test_steps_that_other_places_lie_between_are_not_rolled_into_a_cycle():
    y = Value(0.5)
    for k in range(12):
        with scope(f"step {k}"):
            y = (y * 2).tanh()
        with scope("norm"):
            y = y / 2 + 1
    view = view_of([y], level="neuron", open=None)
    check(view, [y])
    assert all(box.group.repeats == 1 for box in view.graph.boxes if box.group)


@pytest.mark.parametrize("steps", [300, 3000])
def test_thousands_of_unrolled_steps_are_drawn_in_pieces(steps):
    y = recurrent(steps, hidden=1)
    view = view_of([y], roll=False)
    check(view, [y])
    assert len(outside_frames(view)) <= MOST_BOXES
    pieces = [box for box in view.graph.boxes if "–" in box.name]
    assert pieces
    assert sum(box.group.operations for box in view.graph.boxes if box.group) >= 3 * (steps - 1)


def test_level_step_needs_steps():
    with pytest.raises(ValueError, match=r'level="step" needs scopes.*with scope\("step 3"\)'):
        view_of([network([2, 3, 1])], level="step")


# ── no scopes ────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("length", [200, 5000, 100_000])
def test_without_scopes_there_are_stretches_in_the_order_of_creation(length):
    y = chain(length)
    view = view_of([y])
    if length < 10_000:
        check(view, [y])
    assert len(view.graph.boxes) <= MOST_BOXES
    assert sum(box.group.operations for box in view.graph.boxes if box.group) == length - 12
    assert [frame.name for frame in view.graph.frames] == [f"operations {length - 11:,}–{length:,}"]


def test_a_large_part_that_is_opened_collapses_again_inside():
    y = chain(100_000)
    view = view_of([y], open="operations 1-50,000")
    (frame,) = view.graph.frames
    assert frame.name == "operations 1–50,000"
    inside = [view.graph.boxes[box] for box in frame.boxes]
    assert sum(box.group.operations for box in inside if box.group) == 50_000
    assert len(view.graph.boxes) <= MOST_BOXES
    assert "operations 1–4,166" in names(view)


def test_a_large_scope_that_is_opened_shows_the_scopes_inside():
    view = view_of([network([2, 16, 16, 1])], open="layers.1")
    (frame,) = view.graph.frames
    assert sorted(view.graph.boxes[box].name for box in frame.boxes) == sorted(
        f"layers.1/neurons.{k}" for k in range(16)
    )


def test_a_large_scope_without_scopes_inside_opens_in_stretches():
    y = chained([300, 5])
    view = view_of([y], level="neuron", open="part 0")
    check(view, [y])
    assert names(view)[:2] == ["part 0/operations 1–25", "part 0/operations 26–50"]
    deeper = view_of([y], level="neuron", open="part 0/operations 26–50")
    check(deeper, [y])
    assert [frame.name for frame in deeper.graph.frames] == ["part 0/operations 26–50"]


def test_what_is_outside_scopes_can_be_opened_too():
    y = network([2, 3, 1], samples=20)
    view = view_of([y], open="outside scopes")
    check(view, [y])
    assert [frame.name for frame in view.graph.frames] == ["outside scopes"]


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": "neurons"}, r"level is one of 'auto', 'scalar', .*not 'neurons'; did you mean 'neuron'\?"),
        ({"level": 3}, r"level is one of .*, not 3$"),
        ({"roll": "yes"}, r"roll is one of 'auto', True, False, not 'yes'"),
        ({"roll": 1}, r"roll is one of 'auto', True, False, not 1"),
        ({"open": "layers.0/neuron.3"}, r"no part 'layers.0/neuron.3' to open; did you mean 'layers.0/neurons.3'"),
        ({"open": "nowhere"}, r"What can be opened: 'layers.0', 'layers.0/neurons.0'.* and \d more"),
        ({"open": ""}, r"no part '' to open"),
        ({"open": "operations 5-2"}, "no part 'operations 5-2' to open"),
        ({"open": "operations 1-99999999"}, "no part"),
        ({"open": "layers.9/operations 1-2"}, "no part"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(options, message):
    with pytest.raises(ValueError, match=message):
        view_of([network([4, 8, 3])], **options)


def test_without_scopes_stretches_are_offered():
    with pytest.raises(ValueError, match=r'this graph has no scopes.* 300 operations .*open="operations 1-20"'):
        view_of([chain(300)], open="layers.0")


@pytest.mark.parametrize("part", [3, ["a"], True])
def test_a_part_is_named(part):
    with pytest.raises(TypeError, match=r"open takes the name of a part"):
        view_of([network([4, 8, 3])], open=part)
