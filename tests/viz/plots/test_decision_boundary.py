"""Decision boundaries: the regions that are drawn are those that the model decides for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.contour import QuadContourSet

import nn
from autodiff import Tensor, Value, sigmoid
from viz import plots

X = np.random.default_rng(0).normal(0, 1, (60, 2))


def filled(axes):
    return [item for item in axes.collections if isinstance(item, QuadContourSet) and item.filled]


def regions(axes):
    """The hatched areas, in the order of the classes."""
    return [item for item in filled(axes) if any(item.hatches)]


def inside(region, points):
    (path,) = region.get_paths()
    return path.contains_points(points)


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def assert_regions_agree(axes, winners, points, clear):
    """Each region holds the points that are decided for its class, where that is clear."""
    for k, region in enumerate(regions(axes)):
        np.testing.assert_array_equal(inside(region, points)[clear], (winners == k)[clear])


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_the_regions_of_scores_are_where_they_are_the_largest(seed, count):
    rng = np.random.default_rng(seed)
    W, b = rng.normal(size=(2, count)), rng.normal(size=count)
    predict = lambda P: P @ W + b
    points = rng.uniform(X.min(axis=0), X.max(axis=0), (400, 2))
    scores = np.sort(predict(points), axis=1)
    winners = predict(points).argmax(axis=1)
    drawn = [k for k in range(count) if (predict(_grid()).argmax(axis=1) == k).any()]
    axes = plots.decision_boundary(predict, X, resolution=60)
    assert len(regions(axes)) == len(drawn)
    clear = scores[:, -1] - scores[:, -2] > 0.15 * np.abs(W).max()  # about a cell of the grid
    for k, region in zip(drawn, regions(axes), strict=True):
        np.testing.assert_array_equal(inside(region, points)[clear], (winners == k)[clear])


def _grid(resolution=60):
    low, high = X.min(axis=0), X.max(axis=0)
    beyond = 0.08 * (high - low)
    ticks = np.linspace(low - beyond, high + beyond, resolution)
    return np.stack(np.meshgrid(*ticks.T), axis=-1).reshape(-1, 2)


def test_the_regions_of_labels_are_where_predict_says_so():
    labels = np.array([-3, 5, 9])
    predict = lambda P: labels[(P[:, 0] > 0).astype(int) + (P[:, 0] > 1)]
    axes = plots.decision_boundary(predict, X, predict(X))
    points = np.random.default_rng(1).uniform(X.min(axis=0), X.max(axis=0), (500, 2))
    clear = (abs(points[:, 0]) > 0.05) & (abs(points[:, 0] - 1) > 0.05)
    assert_regions_agree(axes, np.searchsorted(labels, predict(points)), points, clear)
    assert legend(axes) == ["-3", "5", "9"]


@pytest.mark.parametrize(("squash", "threshold"), [(lambda z: z, 0), (lambda z: 1 / (1 + np.exp(-z)), 0.5)])
@pytest.mark.parametrize("column", [False, True])
def test_one_score_and_a_threshold(squash, threshold, column):
    predict = lambda P: squash(P[:, :1] * 2 - P[:, 1:]) if column else squash(P[:, 0] * 2 - P[:, 1])
    axes = plots.decision_boundary(predict, X, (X[:, 0] * 2 > X[:, 1]).astype(int), threshold=threshold)
    points = np.random.default_rng(1).uniform(X.min(axis=0), X.max(axis=0), (500, 2))
    ahead = points[:, 0] * 2 - points[:, 1]
    assert_regions_agree(axes, (ahead > 0).astype(int), points, abs(ahead) > 0.05)


def test_the_line_stands_where_two_scores_are_equal():
    axes = plots.decision_boundary(lambda P: np.stack([P[:, 0], 1 - P[:, 1]], axis=1), X)
    lines = [item for item in axes.collections if isinstance(item, QuadContourSet) and not item.filled]
    assert lines
    for line in lines:
        for path in line.get_paths():
            np.testing.assert_allclose(path.vertices.sum(axis=1), 1, atol=1e-9)


def test_the_dashed_line_is_where_the_model_is_sure():
    p = lambda P: 1 / (1 + np.exp(-3 * P[:, 0]))
    axes = plots.decision_boundary(lambda P: np.stack([1 - p(P), p(P)], axis=1), X)
    assert "90 % sure" in axes.get_title("left")
    sets = [item for item in axes.collections if isinstance(item, QuadContourSet) and not item.filled]
    dashed = [item for item in sets if item.get_linestyle()[0][1] is not None]
    assert len(dashed) == 2
    for item in dashed:
        for path in item.get_paths():
            surest = np.maximum(p(path.vertices), 1 - p(path.vertices))
            np.testing.assert_allclose(surest, 0.9, atol=1e-3)
    darker = [item for item in filled(axes) if not any(item.hatches)][1::2]
    points = np.random.default_rng(1).uniform(X.min(axis=0), X.max(axis=0), (300, 2))
    for item, share in zip(darker, (1 - p(points), p(points)), strict=True):
        clear = abs(share - 0.9) > 1e-3
        np.testing.assert_array_equal(inside(item, points)[clear], (share > 0.9)[clear])


def test_regions_and_samples_differ_by_more_than_colour():
    rng = np.random.default_rng(0)
    axes = plots.decision_boundary(lambda P: P @ rng.normal(size=(2, 4)), X, np.arange(60) % 4)
    patterns = [region.hatches[0] for region in regions(axes)]
    assert len(set(patterns)) == len(patterns) > 1
    markers = [str(item.get_paths()[0].vertices) for item in axes.collections if item.get_label() in "0123"]
    assert len(set(markers)) == 4


def test_mistaken_samples_have_a_ring():
    y = (X[:, 0] > 0).astype(int)
    y[[3, 7, 11]] = 1 - y[[3, 7, 11]]
    axes = plots.decision_boundary(lambda P: (P[:, 0] > 0).astype(int), X, y)
    assert legend(axes)[-1] == "mistaken: 3 of 60"
    (ring,) = [item for item in axes.collections if item.get_label() == "mistaken: 3 of 60"]
    np.testing.assert_array_equal(ring.get_offsets(), X[[3, 7, 11]])


def test_samples_that_were_held_out_are_full():
    y, held_out = np.arange(60) % 2, np.arange(60) < 20
    axes = plots.decision_boundary(lambda P: (P[:, 0] > 0).astype(int), X, y, held_out=held_out)
    assert "hollow: learnt from" in legend(axes)
    (full,) = [item for item in axes.collections if item.get_label() == "1"]
    np.testing.assert_array_equal(full.get_offsets(), X[held_out & (y == 1)])


def test_models_of_nn_of_both_tiers_and_functions_of_nodes():
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    linear = nn.LogisticRegression(2)
    linear.fit(X, y, epochs=5, seed=0, verbose=0)
    network = nn.Network([2, 3, 2], seed=0)
    dense = nn.Sequential(nn.Dense(2, 4, activation="relu", seed=0), nn.Dense(4, 2, seed=0))
    points = np.random.default_rng(1).uniform(-1, 1, (200, 2))
    for model, scores in (
        (linear, linear.predict_proba),
        (network, network.predict),
        (dense, dense.predict),
        (lambda P: dense(P), dense.predict),
        (lambda P: [network(row) for row in P], network.predict),
    ):
        axes = plots.decision_boundary(model, X, y, resolution=40)
        ahead = scores(points) @ [-1, 1]
        clear = abs(ahead) > 0.1 * abs(ahead).max()
        present = [k for k in (0, 1) if (scores(_grid(40)).argmax(axis=1) == k).any()]
        for k, region in zip(present, regions(axes), strict=True):
            np.testing.assert_array_equal(inside(region, points)[clear], ((ahead > 0) == k)[clear])
    assert all(parameter.grad is None for parameter in dense.parameters())


def test_two_of_several_features():
    data = np.column_stack([np.full(60, 5.0), X[:, 1], X[:, 0]])
    asked = []

    def predict(P):
        asked.append(P)
        return (P[:, 2] > 0).astype(int)

    axes = plots.decision_boundary(predict, data, features=(2, 1), fixed=[7.0, 0.0, 0.0])
    assert set(asked[0][:, 0]) == {7.0}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("feature 2", "feature 1")
    assert inside(regions(axes)[1], [[1.0, 0.0], [-1.0, 0.0]]).tolist() == [True, False]
    plots.decision_boundary(predict, data, features=np.array([2, 1]))
    assert set(asked[1][:, 0]) == {5.0}


def test_frames_name_the_axes():
    pandas = pytest.importorskip("pandas")
    axes = plots.decision_boundary(
        lambda P: (P[:, 0] > 0).astype(int), pandas.DataFrame(X, columns=["length", "width"])
    )
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("length", "width")


def test_words_nodes_and_one_hot_rows_are_classes():
    names = np.where(X[:, 0] > 0, "right", "left")
    predict = lambda P: np.where(P[:, 0] > 0, "right", "left")
    assert legend(plots.decision_boundary(predict, X, names)) == ["left", "right"]
    scores = lambda P: Tensor(np.stack([-P[:, 0], P[:, 0]], axis=1))
    one_hot = np.eye(2)[(X[:, 0] > 0).astype(int)]
    assert legend(plots.decision_boundary(scores, Tensor(X), one_hot, classes=["a", "b"])) == ["a", "b"]
    signs = np.sign(X[:, 0])
    assert legend(plots.decision_boundary(lambda P: np.where(P[:, 0] > 0, 1.0, -1.0), X, signs)) == ["-1", "1"]
    values = [[Value(a), Value(b)] for a, b in X[:4]]
    plots.decision_boundary(lambda P: [sigmoid(Value(a)) for a, _ in P], values, threshold=0.5, resolution=8)


def test_a_model_that_always_says_the_same():
    axes = plots.decision_boundary(lambda P: np.zeros(len(P), int), X, np.zeros(60, int))
    assert inside(regions(axes)[0], X).all()
    axes.figure.draw_without_rendering()


@pytest.mark.parametrize(
    ("predict", "X", "options", "error", "says"),
    [
        (3, X, {}, TypeError, "expected a model with predict, or a function"),
        (lambda P: P[:, 0] / 3, X, {}, ValueError, "write threshold=0.5 where they are probabilities"),
        (lambda P: np.zeros(3), X, {}, ValueError, r"was given 22500 points and answered with the shape \(3,\)"),
        (lambda P: P, X[:, 0], {}, ValueError, r"X: expected the shape \(n, features\), got \(60,\)"),
        (lambda P: P, X[:, :1], {}, ValueError, r"features=\(0, 1\): expected two of the 1 features"),
        (lambda P: P, X, {"features": (0, 2)}, ValueError, "expected two of the 2 features"),
        (lambda P: P, np.full((3, 2), np.nan), {}, ValueError, "X: expected finite numbers"),
        (lambda P: P, np.zeros((0, 2)), {}, ValueError, "X: expected finite numbers for some samples"),
        (lambda P: P, X, {"y": [0, 1]}, ValueError, "y: expected one class for each of 60 samples, and got 2"),
        (lambda P: P, X, {"y": np.arange(60)}, ValueError, "predict gives scores of 2 classes, and y holds"),
        (lambda P: P, X, {"classes": ["a"]}, ValueError, "classes: expected 2 names, for 0, 1; got 1"),
        (lambda P: P, X, {"fixed": [1.0]}, ValueError, "fixed: expected a value for each of 2 features"),
        (lambda P: P, X, {"held_out": [True]}, ValueError, "held_out: expected 60 booleans"),
        (lambda P: P, X, {"resolution": 1}, ValueError, "resolution=1: expected at least 2"),
        (lambda P: P[:, 0], X, {"y": np.arange(60) % 3, "threshold": 0}, ValueError, "tell two classes apart"),
    ],
)
def test_bad_input(predict, X, options, error, says):
    with pytest.raises(error, match=says):
        plots.decision_boundary(predict, X, **options)


def test_answers_that_are_no_numbers_and_one_feature_twice_are_refused():
    X, y = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 1])
    with pytest.raises(ValueError, match="predict answers with NaN for"):
        plots.decision_boundary(lambda X: np.full((len(X), 2), np.nan), X, y)
    with pytest.raises(ValueError, match="expected two different features"):
        plots.decision_boundary(lambda X: np.zeros(len(X), int), X, y, features=(0, 0))
