"""Linear layers beside PyTorch's numbers, regressions beside their closed forms, deep linear networks beside theory."""

import re

import numpy as np
import pytest

from autodiff import Tensor, matmul, softplus
from autodiff import mean as mean_of
from nn import Linear, LinearNetwork, LinearRegression, LogisticRegression, Sequential
from tests.nn.by_pytorch import close


def descend(model, loss, steps, learning_rate):
    for _ in range(steps):
        model.zero_grad()
        loss().backward()
        for parameter in model.parameters():
            parameter.data = parameter.data - learning_rate * parameter.grad


def test_gradient_descent_reaches_least_squares():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3)) + 0.5
    Y = X @ rng.normal(size=(3, 2)) + [1.0, -2.0] + 0.1 * rng.normal(size=(40, 2))
    model = LinearRegression(3, 2)
    assert model.default_loss == "mse"
    descend(model, lambda: ((model(X) - Y) ** 2).mean(), 1500, 0.4)
    wanted = np.linalg.lstsq(np.column_stack([X, np.ones(40)]), Y, rcond=None)[0]
    close(model.weight.data, wanted[:3].T)
    close(model.bias.data, wanted[3])
    close(model.predict(X), X @ wanted[:3] + wanted[3])


def test_predictions_of_a_regression():
    model = LinearRegression(2)
    assert model(np.ones((4, 2))).shape == (4, 1)
    assert model.predict(np.ones((4, 2))).shape == (4,)
    assert LinearRegression(2, 1).predict([[1, 2]]).tolist() == [0.0]
    assert LinearRegression(2, 3).predict([[1, 2]]).shape == (1, 3)


def newton(X, y, steps=30):
    """Logistic regression by Newton's method, written with NumPy."""
    A, w = np.column_stack([X, np.ones(len(X))]), np.zeros(X.shape[1] + 1)
    for _ in range(steps):
        p = 1 / (1 + np.exp(-A @ w))
        w = w + np.linalg.solve(A.T @ (A * (p * (1 - p))[:, None]), A.T @ (y - p))
    return w


def test_gradient_descent_reaches_the_answer_of_newtons_method():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 2))
    y = (X[:, 0] - 0.5 * X[:, 1] + rng.normal(size=60) > 0.2).astype(int)
    model = LogisticRegression(2)
    assert model.default_loss == "binary_cross_entropy_with_logits"

    def loss():
        z = model(X)[:, 0]
        return (softplus(z) - z * y).mean()

    descend(model, loss, 1500, 1.5)
    w = newton(X, y)
    close(np.append(model.weight.data, model.bias.data), w, rtol=1e-9)
    proba = model.predict_proba(X)
    close(proba[:, 1], 1 / (1 + np.exp(-(X @ w[:2] + w[2]))), rtol=1e-9)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-15)
    assert (model.predict(X) == (proba[:, 1] > 0.5)).all()


def test_several_classes():
    model = LogisticRegression(2, classes=3)
    assert model.default_loss == "cross_entropy"
    model.weight.data, model.bias.data = [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], [0.0, 0.0, 1.5]
    X = [[3.0, 1.0], [0.0, 2.0], [0.5, 0.5]]
    assert model(X).shape == (3, 3)
    assert model.predict(X).tolist() == [0, 1, 2]
    powers = np.exp(np.array(X) @ model.weight.data.T + model.bias.data)
    close(model.predict_proba(X), powers / powers.sum(axis=1, keepdims=True))


def test_fit_knows_their_losses():
    X, y = [[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]], [1, 0, 1]
    for model, start in (
        (LinearRegression(2), 2 / 3),
        (LogisticRegression(2), np.log(2)),
        (LogisticRegression(2, classes=3), np.log(3)),
        (LinearNetwork([2, 2, 1], initializer="zeros"), 2 / 3),
    ):
        history = model.fit(X, y, epochs=1, batch_size=3, learning_rate=0.01, verbose=0)
        assert history["loss"] == [pytest.approx(start, rel=1e-12)]


def test_probabilities_far_from_the_border_keep_their_digits():
    model = LogisticRegression(1)
    model.weight.data = [[1.0]]
    (likely, unlikely), (_, certain) = model.predict_proba([[-40.0], [800.0]])
    assert unlikely == pytest.approx(np.exp(-40.0), rel=1e-12)
    assert likely == certain == 1.0


def test_a_linear_network_is_one_matrix():
    x = np.random.default_rng(0).normal(size=(7, 4))
    model = LinearNetwork([4, 6, 5, 2], seed=0)
    close(model(x).data, x @ model.weight.T)
    assert not model.bias.any()
    assert len(model.parameters()) == 3
    with_bias = LinearNetwork([4, 6, 2], bias=True, seed=0)
    for i, layer in enumerate(with_bias):
        layer.bias.data = np.arange(layer.outputs) + i
    close(with_bias(x).data, x @ with_bias.weight.T + with_bias.bias)


def test_its_modes_learn_as_saxe_solved_them():
    """On white inputs, from balanced small weights, mode k grows as u(t) = s e^{2st} / (e^{2st} - 1 + s / u(0))."""
    rng = np.random.default_rng(0)
    U, V = (np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(2))
    s, start = np.array([3.0, 1.5, 0.5]), 0.01
    model = LinearNetwork([3, 3, 3])
    model[0].weight.data, model[1].weight.data = np.sqrt(start) * V.T, np.sqrt(start) * U
    target, step = U @ np.diag(s) @ V.T, 1e-3

    def loss():
        return ((matmul(model[1].weight, model[0].weight) - target) ** 2).sum() / 2

    for after in (1.0, 2.0):
        descend(model, loss, 1000, step)
        strength = np.diag(U.T @ model.weight @ V)
        growth = np.exp(2 * s * after)
        np.testing.assert_allclose(strength, s * growth / (growth - 1 + s / start), rtol=0.02)


def test_it_starts_from_one_stream_of_numbers():
    rng = np.random.default_rng(5)
    by_hand = Sequential(Linear(3, 4, bias=False, seed=rng), Linear(4, 2, bias=False, seed=rng))
    model = LinearNetwork([3, 4, 2], seed=5)
    assert all((a.data == b.data).all() for a, b in zip(model.parameters(), by_hand.parameters(), strict=True))
    small = LinearNetwork([3, 3], initializer=lambda shape, rng: np.full(shape, 0.01))
    assert (small.weight == 0.01).all()


def test_gradients_flow_through_the_whole_network():
    model, x = LinearNetwork([2, 3, 1], seed=0), Tensor([[1.0, -2.0]])
    mean_of(model(x)).backward()
    close(x.grad, model.weight)


def test_repr():
    assert repr(LinearRegression(3)) == "LinearRegression(3, 1)"
    assert repr(LogisticRegression(3)) == "LogisticRegression(3, classes=2)"
    assert repr(LinearNetwork([3, 4, 2], bias=True)).splitlines() == [
        "LinearNetwork([3, 4, 2], bias=True)",
        "  layers.0: Linear(3, 4)",
        "  layers.1: Linear(4, 2)",
    ]


def test_bad_arguments_and_input():
    wrong = {
        "classes is at least 2, and was given 1": lambda: LogisticRegression(3, classes=1),
        "inputs is at least 1, and was given 0": lambda: LinearRegression(0),
        "sizes are the inputs and then each layer, such as [8, 16, 4]; given [3]": lambda: LinearNetwork([3]),
        "each size is at least 1, and was given 0": lambda: LinearNetwork([3, 0]),
        "LinearRegression(3, 1) takes 3 features in the last axis, and was given shape (1, 2)": lambda: LinearRegression(3).predict([[1, 2]]),
        "X[0, 1] is nan; expected finite numbers": lambda: LogisticRegression(2).predict_proba([[1, np.nan]]),
        "LinearRegression(3, 1) takes 3 features in the last axis, and was given shape (2,)": lambda: LinearRegression(3)([1.0, 2.0]),
    }  # fmt: skip
    for message, make in wrong.items():
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            make()
