"""Confusion matrices: counted again by a loop, and legible."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from autodiff import Tensor, Value
from nn import metrics
from viz import plots


def cells(axes, count):
    """The counts and the shares that are written in the cells."""
    counts, shares = np.zeros((count, count), int), {}
    for text in axes.texts:
        j, i = (round(x) for x in text.get_position())
        if "%" in text.get_text():
            shares[i, j] = text.get_text()
        else:
            counts[i, j] = int(text.get_text())
    return counts, shares


def ticks(axes):
    return [text.get_text() for text in axes.get_yticklabels()]


@settings(max_examples=8, deadline=None)
@given(st.integers(2, 6), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=40))
def test_counts_and_shares_against_a_loop(count, pairs):
    pairs = [(p % count, t % count) for p, t in pairs]
    expected = np.zeros((count, count), int)
    for predicted, actual in pairs:
        expected[actual, predicted] += 1
    predictions, targets = zip(*pairs, strict=True)
    axes = plots.confusion_matrix(predictions, targets, classes=list("abcdef")[:count])
    counts, shares = cells(axes, count)
    np.testing.assert_array_equal(counts, expected)
    for (i, j), shown in shares.items():
        share = 100 * expected[i, j] / expected[i].sum()
        assert shown == (f"{share:.0f} %" if share == 0 or share >= 1 else "< 1 %")
    right = sum(predicted == actual for predicted, actual in pairs)
    assert axes.get_title("left") == f"Confusions: {100 * right / len(pairs):.1f} % of {len(pairs)} are right"
    assert ticks(axes) == list("abcdef")[:count]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted as", "is really")


def test_rows_are_what_is_right_and_columns_what_was_predicted():
    axes = plots.confusion_matrix([1, 1, 1], targets=[0, 0, 1])
    assert cells(axes, 2)[0].tolist() == [[0, 2], [0, 1]]
    assert axes.get_ylim() == (1.5, -0.5)  # row 0 on top


def test_it_counts_as_the_metric_of_nn_does():
    rng = np.random.default_rng(0)
    scores, targets = rng.normal(size=(50, 4)), rng.integers(0, 4, 50)
    for predictions, right, threshold in (
        (scores, targets, None),
        (Tensor(scores), targets, None),
        (scores, np.eye(4)[targets], None),
        (scores.argmax(axis=1), targets, None),
        (scores[:, 0], targets % 2, 0.0),
        (scores[:, :1], 2 * (targets % 2) - 1, 0.3),
        ([Value(x) for x in scores[:, 0]], targets % 2, 0.5),
    ):
        expected = metrics.confusion_matrix(predictions, right, threshold=threshold)
        for drawn in (
            plots.confusion_matrix(predictions, right, threshold=threshold),
            plots.confusion_matrix(matrix=expected),
        ):
            np.testing.assert_array_equal(cells(drawn, len(expected))[0], expected)


def test_a_class_that_does_not_occur_keeps_its_place():
    axes = plots.confusion_matrix([0, 2], [0, 2], classes=["a", "b", "c", "d"])
    assert ticks(axes) == ["a", "b", "c", "d"]
    assert cells(axes, 4)[0].diagonal().tolist() == [1, 0, 1, 0]
    assert ticks(plots.confusion_matrix(np.eye(5)[[0, 2]], [0, 2])) == ["0", "1", "2", "3", "4"]


def test_words_and_signs_are_labels():
    axes = plots.confusion_matrix(["dog", "cat", "dog"], ["dog", "dog", "cat"])
    assert (ticks(axes), cells(axes, 2)[0].tolist()) == (["cat", "dog"], [[0, 1], [1, 1]])
    assert ticks(plots.confusion_matrix([-1, 1, 1], [1, 1, -1])) == ["-1", "1"]
    words = plots.confusion_matrix([0.2, 0.9], ["no", "yes"], threshold=0.5)
    assert (ticks(words), cells(words, 2)[0].tolist()) == (["no", "yes"], [[1, 0], [0, 1]])


def luminance(colour):
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_text_is_legible_on_every_cell_and_mistakes_are_seen():
    matrix = np.array([[100, 0, 1], [50, 50, 0], [0, 100, 0]])
    axes = plots.confusion_matrix(matrix=matrix)
    colours = axes.images[0].get_array()
    ink = luminance([int(axes.texts[0].get_color()[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    for colour in colours.reshape(-1, 3):
        assert (luminance(colour) + 0.05) / (ink + 0.05) >= 4.5
    assert luminance(colours[2, 1]) < luminance(colours[1, 0]) < luminance(colours[0, 2]) < luminance(colours[0, 1])
    weights = {text.get_position(): text.get_fontweight() for text in axes.texts if "%" not in text.get_text()}
    assert weights[0, 0] == "bold"
    assert weights[0, 1] == "normal"


def test_numbers_fit_their_cells():
    rng = np.random.default_rng(0)
    for count, figure in ((2, None), (10, None), (30, None), (10, Figure(figsize=(3, 3)))):
        matrix = rng.integers(0, 200, (count, count))
        axes = plots.confusion_matrix(matrix=matrix, axes=figure and figure.subplots())
        axes.figure.draw_without_rendering()
        cell = axes.get_window_extent().width / count
        heights = [text.get_window_extent().height for text in axes.texts]
        widths = [text.get_window_extent().width for text in axes.texts]
        if count < 30:
            assert max(widths) < cell
            assert max(heights) < cell


@pytest.mark.parametrize(
    ("given_", "error", "says"),
    [
        ({}, TypeError, "takes predictions and targets, or matrix=counts"),
        ({"predictions": [[3, 1], [0, 2]]}, TypeError, "takes predictions and targets, or matrix=counts"),
        ({"predictions": [0], "targets": [0], "matrix": [[1]]}, TypeError, "was given both"),
        ({"matrix": [[1, 2, 3], [1, 2, 3]]}, ValueError, r"as many rows as columns, and got the shape \(2, 3\)"),
        ({"matrix": [[0.5, 0.5], [0, 1]]}, ValueError, "expected counts"),
        ({"matrix": [[-1, 2], [0, 1]]}, ValueError, "expected counts"),
        ({"matrix": [[0, 0], [0, 0]]}, ValueError, "there is nothing in it"),
        ({"predictions": [], "targets": []}, ValueError, "there are no predictions"),
        ({"predictions": [0, 1], "targets": [0]}, ValueError, r"shape \(2,\) and targets of shape \(1,\)"),
        ({"predictions": [0, 1], "targets": [[0.1, 0.9], [0.9, 0.1]]}, ValueError, "the predictions come first"),
        ({"predictions": [0.3, 0.9], "targets": [0, 1]}, ValueError, "write threshold=0.5 where they are prob"),
        ({"predictions": [np.nan], "targets": [0]}, ValueError, "a prediction is NaN"),
        ({"predictions": [0], "targets": [0.5]}, ValueError, "a class index is a whole number"),
        ({"predictions": ["a"], "targets": [0]}, ValueError, "the predictions come first"),
        ({"predictions": [[0.1, 0.9]], "targets": [2]}, ValueError, "scores of 2 classes, and a target of class 2"),
        ({"predictions": [0.3, 2, 1], "targets": [0, 1, 2], "threshold": 0.5}, ValueError, "tells two classes apart"),
        ({"predictions": [0, 1], "targets": [0, 1], "classes": ["a"]}, ValueError, "classes: expected 2 names"),
        ({"matrix": [[1]], "classes": ["a", "b"]}, ValueError, "classes: expected 1 names"),
    ],
)
def test_bad_input(given_, error, says):
    with pytest.raises(error, match=says):
        plots.confusion_matrix(**given_)
