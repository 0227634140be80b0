"""Learning curves: what is drawn is what was measured."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

import nn
from autodiff import Tensor, Value
from viz import plots

HISTORY = {
    "loss": [2.0, 1.0, 0.5, 0.4, 0.3],
    "accuracy": [0.2, 0.5, 0.7, 0.8, 0.9],
    "validation_loss": [2.1, 1.2, 0.8, 0.9, 1.0],
    "validation_accuracy": [0.2, 0.4, 0.6, 0.7, 0.7],
    "learning_rate": [0.1] * 5,
}


def curve(axes, label):
    (line,) = [line for line in axes.get_lines() if line.get_label() == label]
    return line.get_data()


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def marked(axes):
    """Where the dotted line stands."""
    (line,) = [line for line in axes.get_lines() if line.get_linestyle() == ":"]
    return line.get_xdata()[0]


def test_a_panel_for_each_measure_with_its_validation():
    axes = plots.learning_curves(HISTORY)
    below = axes.figure.axes[1]
    assert axes.figure.axes[0] is axes
    assert len(axes.figure.axes) == 2
    for panel, name in ((axes, "loss"), (below, "accuracy")):
        for label, column in (("learning", name), ("validation", f"validation_{name}")):
            x, y = curve(panel, label)
            assert list(x) == [1, 2, 3, 4, 5]
            assert list(y) == HISTORY[column]
    assert [panel.get_ylabel() for panel in axes.figure.axes] == ["loss", "accuracy"]
    assert below.get_xlabel() == "epoch"


def test_learning_and_validation_differ_by_more_than_colour():
    axes = plots.learning_curves(HISTORY, names=["loss"])
    learnt, held_out = axes.get_lines()[0], axes.get_lines()[1]
    assert learnt.get_linestyle() != held_out.get_linestyle()
    assert learnt.get_marker() != held_out.get_marker()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=30))
def test_the_best_epoch_is_the_first_of_the_lowest(losses):
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
    axes = plots.learning_curves({"loss": losses[::-1], "validation_loss": losses})
    assert marked(axes) == best + 1
    assert f"epoch {best + 1}" in legend(axes)[-1]


def test_the_same_epoch_is_marked_in_all_panels():
    axes = plots.learning_curves(HISTORY)
    assert [marked(panel) for panel in axes.figure.axes] == [3, 3]
    assert legend(axes)[-1] == "lowest validation loss: 0.8, epoch 3"


def test_a_best_epoch_of_ones_own_and_none():
    assert marked(plots.learning_curves(HISTORY, best=4, names=["loss"])) == 4
    assert legend(plots.learning_curves(HISTORY, best=False, names=["loss"])) == ["learning", "validation"]
    assert marked(plots.learning_curves([3.0, 1.0, 2.0])) == 2


def test_numbers_that_are_none_leave_gaps_and_crosses():
    losses = [1.0, math.nan, 3.0, math.inf, -math.inf, 2.0]
    axes = plots.learning_curves({"loss": losses})
    _, y = curve(axes, "learning")
    np.testing.assert_array_equal(y, [1.0, np.nan, 3.0, np.nan, np.nan, 2.0])
    x, at = curve(axes, "learning: no finite number")
    assert list(x) == [2, 4, 5]
    assert set(at) == {1.0}
    assert marked(axes) == 1
    axes.figure.draw_without_rendering()


def test_a_history_of_nothing_finite_is_drawn_too():
    axes = plots.learning_curves({"loss": [math.nan, math.inf], "validation_loss": [math.nan, math.nan]})
    assert legend(axes)[0] == "learning"
    axes.figure.draw_without_rendering()


@pytest.mark.parametrize(
    "losses", [[1e-308, 1e308], [1e10, 1e190, 1e300, math.inf], [-1e308, 1e308], [5e-324, 1.0], [0, 0]]
)
def test_numbers_at_the_end_of_the_scale_are_drawn_without_a_warning(losses):
    plots.learning_curves(losses).figure.draw_without_rendering()


@pytest.mark.parametrize(
    ("losses", "scale"),
    [
        ([10.0, 1.0, 0.1], "log"),
        ([1.0, 1e5], "log"),  # it diverges
        ([1.0, 0.5], "linear"),
        ([10.0, 0.1, 0.0], "linear"),
        ([10.0, -0.1], "linear"),
    ],
)
def test_the_scale_is_logarithmic_where_the_numbers_span_decades(losses, scale):
    axes = plots.learning_curves(losses)
    assert axes.get_yscale() == scale
    assert ("log scale" in axes.get_ylabel()) == (scale == "log")


def test_the_scale_can_be_chosen_and_accuracies_stay_plain():
    assert plots.learning_curves([2.0, 1.0], log=True).get_yscale() == "log"
    assert plots.learning_curves([1e9, 1.0], log=False).get_yscale() == "linear"
    assert plots.learning_curves({"accuracy": [0.01, 0.9]}).get_yscale() == "linear"


def test_histories_of_all_kinds():
    history = nn.Network([1, 1], seed=0).fit(
        [[0.0], [1.0], [2.0], [3.0]], [1.0, 3.0, 5.0, 7.0], validation_split=0.25, epochs=4, seed=0, verbose=0
    )
    axes = plots.learning_curves(history)
    assert list(curve(axes, "learning")[1]) == history["loss"]
    assert list(curve(axes, "validation")[1]) == history["validation_loss"]
    for given_ in ([Value(2.0), Value(1.0)], Tensor([2.0, 1.0]), np.array([2.0, 1.0], np.float32), (2, 1)):
        assert list(curve(plots.learning_curves(given_), "learning")[1]) == [2.0, 1.0]
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"loss": [2.0, 1.0], "val_loss": [3.0, 2.0]})
    assert list(curve(plots.learning_curves(frame.to_dict("list")), "validation")[1]) == [3.0, 2.0]


def test_curves_of_different_lengths():
    axes = plots.learning_curves({"loss": [3.0, 2.0, 1.0], "validation_loss": [3.0]})
    assert [len(curve(axes, label)[0]) for label in ("learning", "validation")] == [3, 1]


def test_panels_of_given_axes_stay_where_these_were():
    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2)
    plots.learning_curves(HISTORY, axes=right)
    figure.draw_without_rendering()
    assert len(figure.axes) == 3
    assert all(panel.get_position().x0 >= left.get_position().x1 for panel in figure.axes if panel is not left)


@pytest.mark.parametrize(
    ("history", "options", "error", "says"),
    [
        ({}, {}, ValueError, r"the history is empty.*expected such as \{'loss'"),
        ({"loss": []}, {}, ValueError, "the history is empty"),
        (HISTORY, {"names": ["los"]}, ValueError, "'los' was not measured; the history has 'loss', 'accuracy'"),
        (HISTORY, {"names": []}, ValueError, "names is empty"),
        (HISTORY, {"best": 6}, ValueError, "best=6: expected an epoch from 1 to 5"),
        (HISTORY, {"best": 0}, ValueError, "best=0: expected an epoch from 1 to 5"),
        ({"loss": [[1.0, 2.0], [3.0, 4.0]]}, {}, ValueError, r"history\['loss'\]: expected the shape \(epochs,\), got"),
        ({"loss": ["high", "low"]}, {}, TypeError, r"history\['loss'\]: expected numbers, and was given words"),
        ({"loss": [1j]}, {}, TypeError, "expected real numbers"),
        (None, {}, TypeError, "was given None"),
    ],
)
def test_bad_input(history, options, error, says):
    with pytest.raises(error, match=says):
        plots.learning_curves(history, **options)


def test_columns_may_have_any_name():
    assert plots.learning_curves({1: [2.0, 1.0]}).figure is not None
