"""compile: what it computes, for all forms of arguments, against the same function run eagerly."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import random
import threading
from array import array
from collections import ChainMap, UserDict, UserList
from typing import Any, NamedTuple

import numpy as np
import pytest

import autodiff
from autodiff import (
    Tensor,
    Value,
    compile,
    exp,
    gradients,
    no_grad,
    relu,
    sigmoid,
    softmax,
    tanh,
    value_and_grad,
    where,
)
from autodiff.trees import flatten, map_tree

BACKENDS = ["reference", "numpy", "auto"]
EXACT = 1e-12
rng = np.random.default_rng(5)


# ── functions as a learner writes them ───────────────────────────────────────────────────────────────
def total(numbers):
    result = numbers[0]
    for x in numbers[1:]:
        result = result + x
    return result


def dot(w, x):
    return total([a * b for a, b in zip(w, x, strict=True)])


def mlp(p, x, y):
    hidden = [tanh(dot(w, x) + b) for w, b in zip(p["W"], p["b"], strict=True)]
    return (dot(p["v"], hidden) - y) ** 2 + 0.01 * dot(p["v"], p["v"])


def rnn(p, xs, y):
    h = [0.0] * 3
    for x in xs:
        h = [tanh(dot(u, h) + w * x + b) for u, w, b in zip(p["U"], p["w"], p["b"], strict=True)]
    return (total(h) - y) ** 2


def lstm_cell(p, x, y):
    h, c = [0.1, -0.2], [0.0, 0.5]
    gates = [[dot(row, [*h, *x]) for row in p[name]] for name in ("i", "f", "o", "g")]
    i, f, o = ([sigmoid(a) for a in gate] for gate in gates[:3])
    c = [f_k * c_k + i_k * tanh(g_k) for f_k, c_k, i_k, g_k in zip(f, c, i, gates[3], strict=True)]
    h = [o_k * tanh(c_k) for o_k, c_k in zip(o, c, strict=True)]
    return (h[0] - y) ** 2 + h[1] ** 2


def attention(p, x, y):
    keys, queries = ([[dot(w, row) for w in p[name]] for row in x] for name in ("K", "Q"))
    mixed = []
    for q in queries:
        weights = [exp(dot(q, k)) for k in keys]
        whole = total(weights)
        mixed.append([dot([w / whole for w in weights], column) for column in zip(*x, strict=True)])
    return (total([total(row) for row in mixed]) - y) ** 2


def newton(p, x, y):
    root = p["start"]
    for _ in range(8):
        root = root - (root * root - x) / (2 * root)
    return (root * p["scale"] - y) ** 2


def choosing(p, x, y):
    inside = where((x[0] > 0) & (x[1] < 1), p["a"] * x[0], relu(x[1]) * p["b"])
    return autodiff.maximum(inside, -y) + abs(x[1] * p["a"])


def uniform(*shape):
    return rng.uniform(0.3, 1.5, shape) * rng.choice([-1, 1], shape)


B = 5
CASES = {
    "mlp": (mlp, {"W": uniform(4, 3), "b": uniform(4), "v": uniform(4)}, uniform(B, 3)),
    "rnn": (rnn, {"U": uniform(3, 3), "w": uniform(3), "b": uniform(3)}, uniform(B, 6)),
    "lstm": (lstm_cell, {name: uniform(2, 5) for name in "ifog"}, uniform(B, 3)),
    "attention": (attention, {"K": uniform(2, 3) / 3, "Q": uniform(2, 3) / 3}, uniform(B, 4, 3)),
    "newton": (newton, {"start": np.array(1.5), "scale": np.array(0.7)}, np.abs(uniform(B)) + 1),
    "choosing": (choosing, {"a": np.array(0.8), "b": np.array(-0.4)}, uniform(B, 2)),
}
Y = uniform(B)


def nested(x, leaf=float):
    """An array as nested lists."""
    return [nested(part, leaf) for part in x] if np.ndim(x) else leaf(x)


def as_lists(params, leaf=float):
    return {name: nested(x, leaf) for name, x in params.items()}


def eagerly(function, params, X, Y=Y):
    """For each example the output and the gradients, as arrays in the structure of the parameters; and dX."""
    values, slopes, slopes_x = [], [], []
    for k, x in enumerate(X):
        p, row, y = as_lists(params, Value), nested(x, Value), Value(Y[k])
        out = function(p, row, y)
        leaves = [*flatten(p)[0], *flatten(row)[0]]
        found = gradients(out, leaves)
        count = len(flatten(p)[0])
        values.append(out.data)
        slopes.append(found[:count])
        slopes_x.append(np.reshape(found[count:], np.shape(x)))
    return np.array(values), np.array(slopes), np.array(slopes_x)


def flat(tree):
    return np.concatenate([np.ravel(x) for x in flatten(tree)[0]])


def close(a, b, size=1.0):
    np.testing.assert_allclose(a, b, rtol=EXACT, atol=EXACT * max(size, np.max(np.abs(b), initial=0.0)))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CASES)
def test_compiled_is_eager(name, backend):
    function, params, X = CASES[name]
    values, slopes, slopes_x = eagerly(function, params, X)
    fast = compile(function, backend=backend, check=True)
    close(fast(params, X, Y), values)
    value, gradient = fast.value_and_grad(params, X, Y)
    assert isinstance(value, float)
    close(value, values.mean())
    close(flat(gradient), slopes.mean(0))
    assert {k: np.shape(g) for k, g in gradient.items()} == {k: x.shape for k, x in params.items()}
    each, per_example = fast.value_and_grad(params, X, Y, per_example=True)
    close(each, values)
    close(np.concatenate([per_example[k].reshape(B, -1) for k in params], axis=1), slopes)
    (by_params, by_x) = fast.grad(params, X, Y, argnums=(0, 1))
    close(flat(by_params), slopes.mean(0))
    close(by_x, slopes_x / B)
    close(fast.grad(params, X, Y, argnums=1, per_example=True), slopes_x)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("batch", [1, 2, 7, 64])
def test_sizes_of_batch(batch, backend):
    function, params, _ = CASES["mlp"]
    X, y = uniform(batch, 3), uniform(batch)
    values, slopes, _ = eagerly(function, params, X, y)
    fast = compile(function, backend=backend)
    for _ in range(2):
        value, gradient = fast.value_and_grad(params, X, y)
        close(value, values.mean())
        close(flat(gradient), slopes.mean(0))
    assert fast.cache_info().traces == 1


# ── forms of arguments ───────────────────────────────────────────────────────────────────────────────
def test_gradients_come_in_the_form_of_the_parameters():
    function, params, X = CASES["mlp"]
    fast = compile(function)
    value, gradient = fast.value_and_grad(params, X, Y)
    for leaf, kind in ((float, float), (Value, float)):
        other_value, other = fast.value_and_grad(as_lists(params, leaf), nested(X), nested(Y))
        assert other_value == value
        assert flatten(other)[0] == flat(gradient).tolist()
        assert {type(g) for g in flatten(other)[0]} == {kind}
        assert type(other["W"][0]) is list
    _, tensors = compile(function, of=Value).value_and_grad({k: Tensor(x) for k, x in params.items()}, Tensor(X), Y)
    assert np.array_equal(flat(tensors), flat(gradient))
    for dtype in (np.float32, np.int64):
        w = np.array([1, 2], dtype)
        _, single = compile(lambda w, x: w[0] * x + w[1]).value_and_grad(w, Y)
        assert single.dtype == (np.float32 if dtype is np.float32 else np.float64)


class Pair(NamedTuple):
    left: Any
    right: Any


def test_trees_of_arguments():
    def f(p, x, flag, none):
        assert isinstance(p, Pair)
        assert type(p.right[1]) is tuple
        assert flag == "yes"
        assert none is None
        return p.left * x["a"][0] + p.right[0] * x["b"] * p.right[1][1]

    p = Pair(2.0, [np.array(3.0), (1.0, 5.0)])
    x = {"a": (Y, Y), "b": Y}
    fast = compile(f, in_axes=(None, 0, None, None))
    close(fast(p, x, "yes", None), 2 * Y + 15 * Y)
    gradient = fast.grad(p, x, "yes", None)
    assert isinstance(gradient, Pair)
    close(gradient.left, Y.mean())
    close(gradient.right[0], 5 * Y.mean())
    assert gradient.right[1] == (0.0, pytest.approx(3 * Y.mean(), rel=1e-14))
    by_x = fast.grad(p, x, "yes", None, argnums=1)
    close(by_x["b"], np.full(B, 15 / B))


def test_in_axes():
    x, table = uniform(2, B), uniform(B, 3)
    fast = compile(lambda x, w, y: x[0] * w["a"] + x[1] * y[2] + w["b"][0], in_axes=(1, {"a": None, "b": 0}, -2))
    out = fast(x, {"a": 2.0, "b": table}, table)
    close(out, x[0] * 2 + x[1] * table[:, 2] + table[:, 0])
    gradient = fast.grad(x, {"a": 2.0, "b": table}, table, argnums=0)
    assert gradient.shape == x.shape
    close(gradient, np.stack([np.full(B, 2 / B), table[:, 2] / B]))
    assert compile(lambda a, b: a * b, in_axes=0)(Y, Y).tolist() == (Y * Y).tolist()
    with_keyword = compile(lambda w, x, *, scale: w * x * scale)
    close(with_keyword(2.0, Y, scale=3.0), 6 * Y)
    close(with_keyword(x=Y, w=2.0, scale=np.array(3.0)), 6 * Y)


def test_one_example_without_a_batch():
    fast = compile(lambda p: p[0] * p[1] ** 2)
    assert fast([2.0, 3.0]) == 18.0
    assert type(fast([2.0, 3.0])) is float
    assert fast.value_and_grad([2.0, 3.0]) == (18.0, [9.0, 12.0])
    assert compile(lambda p: [p[0], p[1] * 2])([2.0, 3.0]).tolist() == [2.0, 6.0]
    assert compile(lambda a, b: (a * b, {"sum": a + b}), in_axes=None)(2.0, 3.0) == (6.0, {"sum": 5.0})


def test_static_arguments():
    calls = []

    def power(w, x, n, kind):
        calls.append(0) if False else None
        return total([w * x] * n) if kind == "sum" else w * x**n

    fast = compile(power, static_argnums=2, static_argnames="kind")
    close(fast(2.0, Y, 3, kind="sum"), 6 * Y)
    close(fast(2.0, Y, 3, kind="power"), 2 * Y**3)
    close(fast(2.0, Y, n=2, kind="power"), 2 * Y**2)
    assert fast.cache_info().traces == 3
    fast(2.0, Y, 3, "sum")
    assert fast.cache_info().traces == 3
    assert compile(lambda w, k: w / k, static_argnums=1, in_axes=None)(1.0, -0.0) == -math.inf
    signs = compile(lambda w, k: w * math.copysign(1.0, k), static_argnums=1, in_axes=None)
    assert (signs(1.0, 0.0), signs(1.0, -0.0), signs(1.0, 0)) == (1.0, -1.0, 1.0)


def test_reductions():
    f = lambda w, x: [w * x, x]
    close(compile(f, reduction="mean")(2.0, Y), [2 * Y.mean(), Y.mean()])
    close(compile(f, reduction="sum")(2.0, Y), [2 * Y.sum(), Y.sum()])
    assert compile(f)(2.0, Y).shape == (B, 2)
    g = lambda w, x: w * x
    assert type(compile(g, reduction="mean")(2.0, Y)) is float
    close(compile(g, reduction="sum").value_and_grad(2.0, Y), (2 * Y.sum(), Y.sum()))


def test_outputs_of_any_form():
    f = compile(lambda w, x: {"list": [w * x, w + x], "pair": (w, x), "rows": [[x], [w]], "ragged": [x, [w]]})
    out = f(2.0, Y)
    close(out["list"], np.stack([2 * Y, 2 + Y], axis=1))
    close(out["pair"][0], np.full(B, 2.0))
    assert out["rows"].shape == (B, 2, 1)
    assert [np.shape(x) for x in (out["ragged"][0], out["ragged"][1])] == [(B,), (B, 1)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_vjp(backend):
    f = compile(lambda w, x: [w[0] * x[0], tanh(w[1] * x[1])], backend=backend)
    w, X = uniform(2), uniform(B, 2)
    outputs, pull = f.vjp(w, X)
    close(outputs, np.stack([w[0] * X[:, 0], np.tanh(w[1] * X[:, 1])], axis=1))
    for _ in range(2):
        c = uniform(B, 2)
        slope = 1 - np.tanh(w[1] * X[:, 1]) ** 2
        close(pull(c), [(c[:, 0] * X[:, 0]).sum(), (c[:, 1] * slope * X[:, 1]).sum()])
        f.vjp(uniform(2), uniform(B, 2))  # another call does not disturb it
    _, pull = f.vjp(w, X, argnums=(0, 1))
    close(pull(c)[1], np.stack([c[:, 0] * w[0], c[:, 1] * slope * w[1]], axis=1))
    pair = compile(lambda w, x: (w * x, w), backend=backend)
    outputs, pull = pair.vjp(2.0, Y)
    close(pull((np.ones(B), np.ones(B))), Y.sum() + B)


# ── models ───────────────────────────────────────────────────────────────────────────────────────────
def squared_error(model, x, y):
    return (model(x) - y) ** 2


def test_a_network_of_values():
    from nn import Network

    model, X = Network([3, 4, 1], seed=0), uniform(B, 3)
    fast = compile(squared_error, check=True)
    value, gradient = fast.value_and_grad(model, X, Y)
    loss = total([squared_error(model, x, y) for x, y in zip(X.tolist(), Y.tolist(), strict=True)]) / B
    loss.backward()
    close(value, loss.data)
    close(gradient, [p.grad for p in model.parameters()])
    model.zero_grad()
    assert fast.backward(model, X, Y) == value
    assert fast.backward(model, X, Y) == value
    close([p.grad for p in model.parameters()], 2 * np.array(gradient))
    model.parameters()[0].data = 5.0
    assert fast.value_and_grad(model, X, Y)[0] != value
    assert fast.cache_info().traces == 1
    assert "model.layers.0.neurons.0.weights.0 * x[0]" in str(fast.program(model, X, Y))
    other = Network([3, 4, 1], seed=1)
    close(fast(other, X, Y)[0], squared_error(other, X[0].tolist(), Y[0]).data)
    assert fast.cache_info().traces == 2


def test_a_model_that_is_reached_and_not_given():
    from nn import Network

    model, X = Network([2, 3, 1], seed=0), uniform(B, 2)
    fast = compile(lambda x: model(x), in_axes=0)
    before = fast(X)
    close(before, [model(x).data for x in X.tolist()])
    for p in model.parameters():
        p.data = p.data * 0.5
    close(fast(X), [model(x).data for x in X.tolist()])
    assert fast.cache_info().traces == 1
    close(fast.grad(X)[0], gradients(model(v := nested(X[0], Value)), v) / np.array(B))
    fast.backward(X)
    assert all(p.grad is not None for p in model.parameters())


def test_methods():
    class Line:
        def __init__(self):
            self.slope, self.power = Value(2.0), 2

        def parameters(self):
            return [self.slope]

        @compile
        def loss(self, x, y):
            return (self.slope * x**self.power - y) ** 2

    line = Line()
    close(line.loss(Y, Y), (2 * Y**2 - Y) ** 2)
    _, (slope,) = line.loss.value_and_grad(Y, Y)
    close(slope, (2 * (2 * Y**2 - Y) * Y**2).mean())
    line.power = 3
    close(line.loss(Y, Y), (2 * Y**3 - Y) ** 2)
    assert Line.loss.cache_info().traces == 2


def test_tensor_functions():
    def f(p, X, y):
        return ((X @ p["W"] + p["b"]).tanh().sum(axis=1) - y).square().mean()

    p, X = {"W": uniform(3, 2), "b": uniform(2)}, uniform(B, 3)
    fast = compile(f, of=Tensor, check=True)
    want, gradient = value_and_grad(f)(p, X, Y)
    for params in (p, map_tree(Tensor, p)):
        value, found = fast.value_and_grad(params, X, Y)
        close(value, want)
        close(flat(found), flat(gradient))
        assert type(value) is float
    by_x = fast.grad(p, X, Y, argnums=1)
    close(by_x, autodiff.grad(f, 1)(p, X, Y))
    assert compile(f)(map_tree(Tensor, p), X, Y) == pytest.approx(want.item(), rel=1e-14)
    outputs, pull = compile(lambda t: {"a": softmax(t), "b": t.sum()}, of=Tensor).vjp(Y)
    close(outputs["a"], softmax(Y))
    close(pull({"a": np.zeros(B), "b": 2.0}), np.full(B, 2.0))
    single = compile(lambda t, scale: (t * scale).sum(), of=Tensor)
    value, slope = single.value_and_grad(Y.astype(np.float32), 2.0)
    assert slope.dtype == np.float32
    assert single.grad(Y, 2.0, argnums=1) == pytest.approx(Y.sum(), rel=1e-14)


def test_tensor_modules():
    from nn import Dense, Sequential

    mse = lambda outputs, targets: (outputs - targets).square().mean()
    model, X, T = Sequential(Dense(3, 4, "tanh", seed=0), Dense(4, 1, seed=1)), uniform(B, 3), uniform(B, 1)
    fast = compile(lambda model, X, T: mse(model(X), T))
    value, gradient = fast.value_and_grad(model, X, T)
    loss = mse(model(X), T)
    loss.backward()
    close(value, loss.data)
    for g, p in zip(gradient, model.parameters(), strict=True):
        close(g, p.grad)
    model.zero_grad()
    fast.backward(model, X, T)
    for g, p in zip(gradient, model.parameters(), strict=True):
        close(p.grad, g)
        assert p.grad is not g


# ── gradients inside ─────────────────────────────────────────────────────────────────────────────────
INNER = {
    "polynomial": lambda z: z * z * z - 2 * z,
    "relu": lambda z: relu(z) * z * z,
    "where": lambda z: where(z > 0.5, z * z, exp(z)),
    "abs": lambda z: abs(z) ** 3,
    "power": lambda z: z**3 + (z * z) ** z,
    "maximum": lambda z: autodiff.maximum(z, z * z),
    "hypot": lambda z: autodiff.hypot(z, z * 2.0),
}


@pytest.mark.parametrize("name", INNER)
def test_gradients_inside_a_function(name):
    """A penalty on a slope: the rules are traced, and choose for each example anew."""
    inner = INNER[name]
    x = np.array([0.0, 0.7, -0.8, 1.0, 2.0]) if name != "power" else np.array([0.2, 0.7, 1.5])
    f = lambda w, x: w * autodiff.grad(inner)(x) ** 2
    fast = compile(f, check=True)
    close(fast(0.5, x), [f(0.5, Value(k)).data for k in x])
    close(fast.grad(0.5, x, argnums=1, per_example=True), [autodiff.grad(f, 1)(0.5, k) for k in x.tolist()])


# ── constants, detached values, NaN ──────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("backend", BACKENDS)
def test_stopped_gradients(backend):
    def f(w, x):
        with no_grad():
            scale = exp(w * x)
        return w * scale + (w * w * x).detach() * w

    fast = compile(f, backend=backend, check=True)
    close(fast.grad(0.7, Y, per_example=True), np.exp(0.7 * Y) + 0.49 * Y)
    close(fast(0.3, Y), 0.3 * np.exp(0.3 * Y) + 0.027 * Y)  # no number of the first call is left in it


@pytest.mark.parametrize("backend", BACKENDS)
def test_nan_and_infinity(backend):
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 2.0])
    fast = compile(lambda w, x: x * 0.0 + (x - x) + w / x + autodiff.sqrt(x), backend=backend)
    with np.errstate(all="ignore"):
        want = x * 0.0 + (x - x) + 1.0 / x + np.sqrt(x)
        slopes = 1 / x
    np.testing.assert_allclose(fast(1.0, x), want, rtol=EXACT)
    np.testing.assert_allclose(fast.grad(1.0, x, per_example=True), slopes, rtol=EXACT)


def test_captured_leaves_are_read_at_every_call():
    scale, offset = Value(2.0), Value(1.0, requires_grad=False)
    fast = compile(lambda w, x: w * x * scale + offset)
    close(fast(3.0, Y), 6 * Y + 1)
    scale.data, offset.data = 4.0, -1.0
    close(fast(3.0, Y), 12 * Y - 1)
    assert fast.cache_info().traces == 1
    frozen = compile(lambda w, x: w * x * offset.data)  # a plain number, read in the trace
    close(frozen(3.0, Y), -3 * Y)
    offset.data = 5.0
    close(frozen(3.0, Y), 15 * Y)
    assert frozen.cache_info().traces == 2


# ── guards ───────────────────────────────────────────────────────────────────────────────────────────
RATE = 2.0
SETTINGS = {"rate": 2.0, "list": [1.0, 2.0]}
WEIGHTS = np.array([1.0, 2.0])


def helper(x):
    return x * RATE


def test_globals_closures_and_attributes_are_never_stale(monkeypatch):
    factor = 3.0

    class Config:
        rate = 1.0

        def __init__(self):
            self.scale = 1.0

        def of(self, x):
            return x * self.scale * self.rate

    config = Config()
    settings, weights = SETTINGS, WEIGHTS
    fast = compile(
        lambda w, x: w * helper(x) * settings["rate"] * settings["list"][1] * weights[0] * factor * config.of(x)
    )

    def want():
        return RATE * SETTINGS["rate"] * SETTINGS["list"][1] * WEIGHTS[0] * factor * config.scale * config.rate * Y * Y

    close(fast(1.0, Y), want())
    fast(1.0, Y)
    assert fast.cache_info()[:2] == (1, 1)
    monkeypatch.setitem(globals(), "RATE", 5.0)
    close(fast(1.0, Y), want())
    assert fast.cache_info().reason == "the global RATE"
    monkeypatch.setitem(SETTINGS, "rate", 7.0)
    close(fast(1.0, Y), want())
    SETTINGS["list"][1] = -1.0
    close(fast(1.0, Y), want())
    weights[0] = 4.0
    close(fast(1.0, Y), want())
    weights[0] = 1.0
    factor = 0.5
    close(fast(1.0, Y), want())
    config.scale = 3.0
    close(fast(1.0, Y), want())
    config.rate = 6.0
    close(fast(1.0, Y), want())
    Config.rate = 9.0
    del config.rate
    close(fast(1.0, Y), want())
    monkeypatch.setitem(globals(), "helper", lambda x: x * x)
    close(fast(1.0, Y), want() * Y / RATE)
    SETTINGS["list"][1] = 2.0
    traces = fast.cache_info().traces
    fast(1.0, Y)
    fast(1.0, Y)
    assert fast.cache_info().traces == traces + 1  # for the list


def rated(x):
    return x * rated.rate


rated.rate = 1.0


def importing(x):
    from tests.autodiff.compiler import examples

    return x * getattr(examples, "rate", 1.0)


HOLDERS = {
    "the attribute of a function": (rated, lambda r, f: setattr(f, "rate", r)),
    "UserDict": (lambda x, d=UserDict(r=1.0): x * d["r"], lambda r, f: f.__defaults__[0].update(r=r)),
    "UserList": (lambda x, d=UserList([1.0]): x * d[0], lambda r, f: f.__defaults__[0].__setitem__(0, r)),
    "ChainMap": (lambda x, d=ChainMap({"r": 1.0}): x * d["r"], lambda r, f: f.__defaults__[0].update(r=r)),
    "array": (lambda x, d=array("d", [1.0]): x * d[0], lambda r, f: f.__defaults__[0].__setitem__(0, r)),  # noqa: B008
    "an array of objects": (
        lambda x, d=np.array([1.0, None], object): x * d[0],  # noqa: B008
        lambda r, f: f.__defaults__[0].__setitem__(0, r),
    ),
    "a method of a dictionary": (
        lambda x, get={"r": 1.0}.get: x * get("r"),
        lambda r, f: f.__defaults__[0].__self__.update(r=r),
    ),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_numbers_in_unusual_places_are_never_stale(name):
    function, change = HOLDERS[name]
    fast = compile(lambda w, x: w * function(x))
    close(fast(1.0, Y), Y)
    change(3.0, function)
    close(fast(1.0, Y), 3 * Y)


def test_a_module_that_is_imported_inside(monkeypatch):
    from tests.autodiff.compiler import examples

    monkeypatch.setattr(examples, "rate", 2.0, raising=False)
    fast = compile(lambda w, x: w * importing(x))
    close(fast(1.0, Y), 2 * Y)
    monkeypatch.setattr(examples, "rate", 5.0)
    close(fast(1.0, Y), 5 * Y)


class HasEverything:
    """As proxies and mocks do: whatever attribute it is asked for, it has."""

    def __getattr__(self, name):
        return HasEverything()

    def __call__(self, *args):
        return None


anything = HasEverything()


def test_an_object_that_has_every_attribute():
    def logged(w, x):
        anything.info("called")
        return w * x

    close(compile(logged)(2.0, Y), 2 * Y)


def test_what_inherited_methods_read_is_guarded():
    from nn import BatchNorm, Dense, Dropout, Sequential

    class Net(Sequential):
        pass

    model, X = Net(Dense(2, 2, seed=0), Dropout(0.5, seed=0)).eval(), uniform(B, 2)
    fast = compile(lambda m, X: m(X).sum())
    fast(model, X)
    model.train()
    with pytest.raises(autodiff.TraceError, match="randomness"):
        fast(model, X)

    class Norm(BatchNorm):
        pass

    norm = Norm(2).eval()
    fast(norm, X)
    norm.eps = 1.0
    close(fast(norm, X), norm(X).sum().data)


def test_what_moves_in_unusual_places_is_refused():
    def naturals():
        k = 0
        while True:
            k += 1
            yield k

    def counting(w, x):
        counting.calls += 1
        return w * x

    counting.calls, steps, remember, draw = 0, naturals(), [].append, random.Random(0).random
    next(steps)
    for function, message in [
        (lambda w, x: w * x * next(steps), "changes something: the variable steps"),
        (lambda w, x: [remember(1), w * x][1], "changes something: the variable remember"),
        (counting, "changes something: counting"),
        (lambda w, x: w * x * draw(), "randomness"),
    ]:
        with pytest.raises(autodiff.TraceError, match=message):
            compile(function)(1.0, Y)


def test_a_setting_that_changes_back_finds_its_old_trace(monkeypatch):
    fast = compile(lambda w, x: w * helper(x))
    for rate in (2.0, 3.0, 2.0, 3.0, -0.0, 0.0):
        monkeypatch.setitem(globals(), "RATE", rate)
        assert np.array_equal(np.signbit(fast(1.0, Y)), np.signbit(Y * rate))
        close(fast(1.0, Y), Y * rate)
    assert fast.cache_info().traces == 4


def test_what_changes_at_every_call_is_warned_of():
    step = 0
    fast = compile(lambda w, x: w * x * step, maxsize=2)

    def train():
        nonlocal step
        for step in range(25):
            close(fast(1.0, Y), Y * step)

    with pytest.warns(RuntimeWarning, match="the variable step, the last time; pass it as an argument"):
        train()
    assert fast.cache_info().currsize == 2


def test_train_and_eval_are_different_traces():
    from nn import BatchNorm, Dense, Sequential

    model, X = Sequential(Dense(2, 3, seed=0), BatchNorm(3)).eval(), uniform(B, 2)
    fast = compile(lambda m, X: m(X).sum())
    close(fast(model, X), model(X).sum().data)
    buffer = next(b for _, b in model.named_buffers())
    buffer.data = buffer.data + 1.0
    close(fast(model, X), model(X).sum().data)


# ── the cache ────────────────────────────────────────────────────────────────────────────────────────
def test_the_cache_is_bounded_and_inspectable():
    fast = compile(lambda w, x: total(x) * w, maxsize=3)
    for n in (1, 2, 3, 4, 4, 2):
        fast(1.0, np.ones((2, n)))
    info = fast.cache_info()
    assert (info.hits, info.traces, info.maxsize, info.currsize) == (2, 4, 3, 3)
    assert [len(p.varying) for p in fast.programs] == [3, 4, 2]
    assert len(fast.program(1.0, np.ones((2, 4))).varying) == 4
    fast.clear_cache()
    assert fast.cache_info().currsize == 0
    close(fast(1.0, np.ones((2, 4))), [4, 4])
    assert repr(fast) == "<compiled <lambda>, 1 programs>"


def test_names_and_documentation_are_those_of_the_function():
    @compile
    def one(w, x):
        """A line."""
        return w * x

    @compile(reduction="sum")
    def two(w, x):
        return w * x

    assert (one.__name__, one.__doc__, two.__name__) == ("one", "A line.", "two")
    assert two(2.0, np.ones(3)) == 6.0
    assert one.__wrapped__(2.0, 3.0) == 6.0


@compile
def doubled(w, x):
    return 2 * w * x


def test_copies_are_the_function_itself():
    assert pickle.loads(pickle.dumps(doubled)) is doubled
    fast = compile(lambda w, x: w * x)
    assert copy.deepcopy({"loss": fast})["loss"] is fast
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(fast)


def test_a_number_for_tensors_may_be_whole_at_first():
    fast = compile(lambda t, k: (t * k).sum(), of=Tensor)
    assert [fast(Y, 2), fast(Y, 2.5)] == pytest.approx([2 * Y.sum(), 2.5 * Y.sum()], rel=EXACT)
    assert fast.grad(Y, 3, argnums=1) == pytest.approx(Y.sum(), rel=EXACT)
    assert fast.cache_info().traces == 1


def test_results_are_fresh():
    fast = compile(lambda w, x: total([a * b for a, b in zip(w, x, strict=True)]))
    w, X = uniform(3), uniform(B, 3)
    first = (
        fast(w, X),
        fast.grad(w, X),
        fast.grad(w, X, argnums=1),
        fast.vjp(w, X)[0],
        fast.grad(w, X, per_example=True),
    )
    kept = [x.copy() for x in first]
    for _ in range(2):
        fast(w * 2, X * 3), fast.grad(w * 2, X * 3), fast.grad(w, X * 2, argnums=1), fast.vjp(w, X * 5)
        fast.grad(w, X * 7, per_example=True)
    for x, y in zip(first, kept, strict=True):
        assert np.array_equal(x, y)
        x[...] = 0  # they are the caller's own
    array = compile(lambda t: t * 2, of=Tensor)
    one = array(Y)
    array(Y * 2)
    assert np.array_equal(one, Y * 2)


def test_arguments_are_not_kept_and_not_changed():
    fast = compile(lambda w, x: w[0] * x * w[1])
    w, x = uniform(2), uniform(B)
    before = w.copy(), x.copy()
    fast.grad(w, x)
    assert np.array_equal(w, before[0])
    assert np.array_equal(x, before[1])
    w *= 2
    close(fast(w, x), w[0] * x * w[1])


@pytest.mark.parametrize("of", [Value, Tensor])
def test_one_pull_in_several_threads(of):
    fast = compile(lambda w, x: (w * x).tanh(), of=of, backend="numpy")
    y, pull = fast.vjp(0.5 if of is Value else np.full(5, 0.5), np.linspace(0, 1, 5))
    expected, wrong = pull(np.ones_like(y)), []

    def repeat(k):
        for _ in range(300):
            if not np.allclose(pull(np.full_like(y, k)), k * expected):
                wrong.append(k)

    threads = [threading.Thread(target=repeat, args=(k,)) for k in (1.0, 2.0, 3.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_threads():
    function, params, X = CASES["mlp"]
    fast = compile(function, backend="numpy")
    inputs = [X * k for k in range(1, 9)]
    want = [fast.value_and_grad(params, x, Y) for x in inputs]
    fast = compile(function, backend="numpy")
    wrong = []

    def work(k):
        for _ in range(30):
            value, gradient = fast.value_and_grad(params, inputs[k], Y)
            if value != want[k][0] or not np.array_equal(flat(gradient), flat(want[k][1])):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []
    assert fast.cache_info().traces == 1


def test_a_trace_lets_go_of_the_graph_that_it_saw():
    def values():
        gc.collect()
        return sum(type(thing) is Value for thing in gc.get_objects())

    def sums(w, x):
        for _ in range(1000):
            x = x * w + 1.0
        return {"sum": x, "more": (x, [x + 1.0])}

    before = values()
    fast = compile(sums)
    out = fast(0.5, Y)
    assert [type(part) for part in out["more"]] == [np.ndarray, np.ndarray]
    assert fast.cache_info().currsize == 1
    assert values() <= before + 3  # of the outputs


# ── precision ────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("backend", ["reference", "numpy"])
def test_single_precision(backend):
    function, params, X = CASES["mlp"]
    values, slopes, _ = eagerly(function, params, X)
    fast = compile(function, dtype=np.float32, backend=backend, check=True)
    out = fast(params, X, Y)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, values, rtol=2e-5, atol=2e-5 * np.abs(values).max())
    _, gradient = fast.value_and_grad(params, X, Y)
    np.testing.assert_allclose(flat(gradient), slopes.mean(0), rtol=1e-4, atol=1e-5 * np.abs(slopes).max())
    assert gradient["W"].dtype == np.float64


def test_the_check_finds_a_back_end_that_is_wrong(monkeypatch):
    from autodiff.compiler.reference import Reference

    forward = Reference.forward

    def wrong(self):
        forward(self)
        self.outputs[...] *= 1.001

    monkeypatch.setattr(Reference, "forward", wrong)
    with pytest.raises(autodiff.TraceError, match=r"output 0 of example 0 is .*, and the compiled function gives"):
        compile(lambda w, x: w * x, backend="reference", check=True)(2.0, Y)


@pytest.mark.parametrize("cotangent", [np.array([1.0, 2j]), ["a", "b"], np.array([None, 1.0])])
def test_a_cotangent_holds_real_numbers(cotangent):
    for fast, given in ((compile(lambda w, x: w * x), 2.0), (compile(lambda w, x: w * x, of=Tensor), Tensor(2.0))):
        _, pull = fast.vjp(given, np.ones(2))
        with pytest.raises(TypeError, match="a cotangent holds real numbers, and was given"):
            pull(cotangent)


@pytest.mark.parametrize("backend", [*BACKENDS, "numba"])
@pytest.mark.parametrize("batch", [2, 3000])
def test_no_warning_escapes(backend, batch):
    """Warnings are errors here: infinities and NaN are answers, and so is what a float32 cannot hold."""
    if backend == "numba":
        pytest.importorskip("numba")
    fast = compile(lambda w, x: relu(w * x), backend=backend)
    for ends, total in (((1e308, 1e308), np.inf), ((np.inf, -1.0), np.inf), ((1e200, 1.0), 1e200 / batch)):
        X = np.zeros(batch)
        X[:2] = ends
        value, gradient = fast.value_and_grad(1.0, X)
        assert value == pytest.approx(total)
        assert gradient == pytest.approx((np.maximum(X, 0) / batch).sum())
        fast.value_and_grad(1.0, X, per_example=True)
        fast.vjp(1.0, X)[1](np.full(batch, 1e200))
    signed = compile(lambda w, x: w * x, backend=backend)
    X = np.zeros(batch)
    X[:2] = np.inf, -np.inf
    assert np.isnan(signed.value_and_grad(1.0, X)[0])
    single = compile(lambda w, x: w[0] * x * x, backend=backend)
    X = np.full(batch, 1e30)
    assert single.grad(np.ones(1, np.float32), X) == np.inf  # in the dtype of the argument
    single.grad(np.ones(1, np.float32), X, per_example=True)
    assert (compile(lambda w, x: w * x, dtype=np.float32, backend=backend)(1.0, X * 1e30) == np.inf).all()


def test_no_warning_escapes_from_tensors():
    fast = compile(lambda w, x: (relu(w) * x).sum(), of=Tensor)
    assert (fast.grad(np.ones(5, np.float32), np.full(5, 1e25, np.float32)) == np.float32(1e25)).all()
    pull = compile(lambda w: w * 2, of=Tensor).vjp(np.ones(2, np.float32))[1]
    assert (pull(np.array([1e300, 1e300])) == np.inf).all()


class Model:
    def __init__(self, w):
        self.w = w

    @compile
    def loss(self, x):
        return self.w * x


def test_a_compiled_method_can_be_copied_and_pickled():
    model = Model(3.0)
    for other in (copy.copy(model.loss), copy.deepcopy(model.loss), pickle.loads(pickle.dumps(model.loss))):
        assert other(np.array([1.0, 2.0])).tolist() == [3.0, 6.0]
    model.kept = model.loss
    assert copy.deepcopy(model).kept(np.array([2.0])).tolist() == [6.0]
    with pytest.raises(AttributeError, match="_nothing"):
        model.loss._nothing  # noqa: B018


def test_static_arguments_that_are_equal_but_not_the_same():
    fast = compile(lambda x, k: x * float(np.copysign(1.0, k)), static_argnums=1)
    X = np.array([1.0, 2.0])
    for zero, sign in ((np.float32(0.0), 1), (np.float32(-0.0), -1), (0.0, 1), (-0.0, -1)):
        assert fast(X, zero).tolist() == (sign * X).tolist()
    sets = compile(lambda x, k: x * (2.0 if all(type(e) is bool for e in k) else 3.0), static_argnums=1)
    assert sets(X, frozenset({1})).tolist() == (3 * X).tolist()
    assert sets(X, frozenset({True})).tolist() == (2 * X).tolist()


def test_keys_that_are_equal_but_not_the_same():
    fast = compile(lambda w, x: sum(v * x * (2.0 if isinstance(k, bool) else 1.0) for k, v in w.items()))
    X = np.array([1.0, 2.0])
    assert list(fast.grad({1: 1.0}, X).items()) == [(1, 1.5)]
    assert fast.grad({True: 1.0}, X)[True] == 3.0
