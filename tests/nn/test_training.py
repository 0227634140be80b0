"""fit and predict: what they learn, record, print and refuse."""

import math
import re

import numpy as np
import pytest

from autodiff import Value
from nn import SGD, History, Module, Network, fit, mse, predict

X = np.array([[0.0, 1.0], [1.0, 0.5], [2.0, -1.0], [-1.0, 3.0], [0.5, 0.5]])
Y = X @ [2.0, -1.0] + 0.5


def quietly(model, **options):
    return model.fit(X, Y, verbose=0, **options)


def test_fit_is_gradient_descent_batch_by_batch():
    """A linear model: every loss and weight as a NumPy loop over the same batches gives them."""
    network = Network([2, 1], seed=4)
    history = quietly(network, epochs=7, batch_size=2, learning_rate=0.05, seed=9)

    w = np.array([p.data for p in Network([2, 1], seed=4).parameters()])
    A, rng, losses = np.column_stack([X, np.ones(5)]), np.random.default_rng(9), []
    for _ in range(7):
        total = 0.0
        order = rng.permutation(5)
        for i in (order[:2], order[2:4], order[4:]):
            error = A[i] @ w - Y[i]
            total += (error**2).sum()
            w = w - 0.05 * 2 * A[i].T @ error / len(i)
        losses.append(total / 5)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-12)
    np.testing.assert_allclose([p.data for p in network.parameters()], w, rtol=1e-12)


def test_it_learns_what_a_line_cannot_separate():
    """Two rings, which need the hidden layer: a straight line gets about 0.7 right."""
    rng = np.random.default_rng(0)
    angle, inside = rng.uniform(0, 2 * np.pi, 60), np.arange(60) % 2 == 0
    rings = np.where(inside, 0.5, 1.5)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    network = Network([2, 8, 1], "tanh", seed=0)
    optimizer = SGD(network.parameters(), 0.1, momentum=0.9)
    history = network.fit(rings, 2 * inside - 1, loss="hinge", optimizer=optimizer, epochs=40, seed=0, verbose=0)
    assert ((network.predict(rings) > 0) == inside).mean() >= 0.95
    assert history["loss"][-1] < 0.2 < 0.8 < history["loss"][0]


def test_class_indices_and_several_outputs():
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    labels = np.array([0, 1, 2, 1])
    for loss in ("cross_entropy", "hinge"):
        network = Network([2, 6, 3], seed=2)
        network.fit(corners, labels, loss=loss, learning_rate=0.2, epochs=150, batch_size=4, seed=0, verbose=0)
        outputs = network.predict(corners)
        assert outputs.shape == (4, 3)
        assert outputs.argmax(axis=1).tolist() == labels.tolist()


def test_seeds_reproduce_bit_for_bit():
    def train(weights, shuffle):
        network = Network([2, 3, 1], seed=weights)
        history = quietly(network, epochs=3, batch_size=2, seed=shuffle)
        return history, [p.data for p in network.parameters()]

    assert train(1, 2) == train(1, 2)
    assert train(1, 2) != train(1, 3)
    assert train(1, 2) != train(2, 2)


def test_history_and_validation():
    network = Network([2, 3, 1], seed=0)
    history = quietly(network, epochs=4, validation_data=(X[:2], Y[:2] + 1), seed=0)
    assert isinstance(history, History)
    assert {name: len(numbers) for name, numbers in history.items()} == {"loss": 4, "validation_loss": 4}
    expected = np.mean((network.predict(X[:2]) - Y[:2] - 1) ** 2)
    assert history["validation_loss"][-1] == pytest.approx(expected, rel=1e-14)
    alone = quietly(Network([2, 3, 1], seed=0), epochs=4, seed=0)
    assert history["loss"] == alone["loss"], "validation teaches nothing"


def test_predict_accepts_lists():
    network = Network([2, 3, 1], seed=0)
    assert predict(network, X.tolist()).tolist() == [network(row).data for row in X]


def test_a_graph_is_recorded_for_training_only():
    class Watched(Network):
        def __call__(self, row):
            output = super().__call__(row)
            recorded.append(output.requires_grad)
            return output

    recorded = []
    network = Watched([2, 1], seed=0)
    quietly(network, epochs=1, validation_data=(X[:3], Y[:3]), loss=lambda p, t: mse(p, t))
    assert recorded == [True] * 5 + [False] * 3
    network.predict(X[:2])
    assert recorded[8:] == [False] * 2


def test_any_model_and_any_loss():
    class Line(Module):
        def __init__(self):
            self.slope = Value(0.0)

        def __call__(self, row):
            return self.slope * row[0]

    def absolute(predictions, targets):
        return sum(abs(p - t) for p, t in zip(predictions, targets, strict=True)) / len(targets)

    line = Line()
    fit(line, [[1.0], [2.0]], [3.0, 6.0], loss=absolute, learning_rate=0.01, epochs=300, seed=0, verbose=0)
    assert line.slope.data == pytest.approx(3.0, abs=0.02)


def test_gradients_left_from_before_do_not_count():
    fresh, used = Network([2, 1], seed=0), Network([2, 1], seed=0)
    used([5.0, 5.0]).backward()
    assert quietly(fresh, epochs=2, seed=0) == quietly(used, epochs=2, seed=0)


def test_progress(capsys):
    network = Network([2, 1], seed=0)
    history = network.fit(X, Y, epochs=10, seed=0, validation_data=(X, Y))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    shown = re.fullmatch(r"epoch 10/10   loss (\S+)   validation loss (\S+)   \d+ ms", lines[-1])
    assert shown.groups() == (f"{history['loss'][-1]:.4f}", f"{history['validation_loss'][-1]:.4f}")
    network.fit(X, Y, epochs=10, seed=0, verbose=4)
    assert [line[:11] for line in capsys.readouterr().out.splitlines()] == ["epoch  4/10", "epoch  8/10", "epoch 10/10"]
    network.fit(X, Y, epochs=2, verbose=0)
    assert capsys.readouterr().out == ""


def call(X=X, y=Y, **options):
    return lambda: Network([2, 1], seed=0).fit(X, y, verbose=options.pop("verbose", 0), **options)


def changed(array, place, number):
    copy = array.copy()
    copy[place] = number
    return copy


BAD = {
    "features": (call(X=X[:, :1]), ValueError, "X has 1 features in each row, and the model takes 2"),
    "empty": (call(X=[], y=[]), ValueError, r"X is empty, with shape \(0,\); expected rows of 2 numbers"),
    "no columns": (call(X=[[], []]), ValueError, "X is empty"),
    "one row": (
        call(X=[1.0, 2.0]),
        ValueError,
        r"X has shape \(2,\); expected rows of 2 numbers; for one row write \[X\]",
    ),
    "cube": (call(X=np.zeros((2, 2, 2))), ValueError, r"X has shape \(2, 2, 2\)"),
    "ragged": (call(X=[[1.0, 2.0], [3.0]]), ValueError, "row 0 has 2 numbers, row 1 has 1"),
    "lengths": (call(y=Y[:3]), ValueError, "X has 5 rows and y has 3 targets"),
    "one target": (call(y=3.0), ValueError, "y is the single number 3.0"),
    "NaN": (call(X=changed(X, (3, 1), math.nan)), ValueError, r"X\[3, 1\] is nan; expected finite numbers"),
    "inf": (call(X=changed(X, (0, 0), math.inf)), ValueError, r"X\[0, 0\] is inf"),
    "NaN in y": (call(y=changed(Y, 2, math.nan)), ValueError, r"y\[2\] is nan"),
    "text": (call(X=[["a", "b"]], y=[1]), TypeError, "X holds .*'a'.*; expected real numbers"),
    "text in y": (call(y=["setosa"] * 5), TypeError, "y holds .*'setosa'"),
    "validation": (
        call(validation_data=(X, Y[:1])),
        ValueError,
        "validation X has 5 rows and validation y has 1 targets",
    ),
    "epochs": (call(epochs=0), ValueError, "epochs is at least 1, and was given 0"),
    "batch_size": (call(batch_size=0), ValueError, "batch_size is at least 1, and was given 0"),
    "verbose": (call(verbose=-1), ValueError, "verbose is at least 0"),
    "loss": (call(loss="mes"), ValueError, "no loss 'mes'; did you mean 'mse'"),
    "both": (call(optimizer=SGD([Value(1.0)], 0.1), learning_rate=0.1), ValueError, "either an optimizer"),
    "plain loss": (call(loss=lambda p, t: 1.0), TypeError, "the loss is 1.0, a plain float"),
    "diverges": (call(learning_rate=1e3, epochs=500), FloatingPointError, "in epoch .*smaller learning rate"),
    "targets": (
        call(y=np.column_stack([Y, Y])),
        ValueError,
        r"predictions have shape \(5,\) and targets have shape \(5, 2\)",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    run, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        run()


def test_predict_refuses_what_fit_refuses():
    with pytest.raises(ValueError, match="X has 3 features in each row, and the model takes 2"):
        Network([2, 1], seed=0).predict(np.ones((4, 3)))


def test_bad_data_is_refused_before_anything_is_learnt():
    network = Network([2, 1], seed=0)
    before = [p.data for p in network.parameters()]
    with pytest.raises(ValueError, match="nan"):
        network.fit(X, changed(Y, 4, math.nan), batch_size=1, verbose=0)
    assert [p.data for p in network.parameters()] == before


def test_defaults():
    spelt_out = {"loss": mse, "learning_rate": 0.1, "batch_size": 16, "epochs": 100}
    assert quietly(Network([2, 1], seed=0), seed=0) == quietly(Network([2, 1], seed=0), seed=0, **spelt_out)


def test_masked_arrays_are_refused():
    with pytest.raises(TypeError, match="masked array"):
        Network([1, 1], seed=0).fit(np.ma.array([[1.0], [1e9]], mask=[[False], [True]]), [1.0, 2.0], verbose=0)
