"""traced: a compiled function whose parameters get their numbers from the caller, against the function itself."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff import Tensor, TraceError, Value, compile, gradients, relu, tanh, where
from autodiff.trees import flatten

BACKENDS = ["reference", "numpy", "auto"]
EXACT = 1e-12
rng = np.random.default_rng(11)


def dot(w, x):
    return functools.reduce(lambda a, b: a + b, [p * q for p, q in zip(w, x, strict=True)])


class Perceptron:
    """Two hidden neurons, reached by attributes; ``form`` makes what is returned of the two outputs."""

    def __init__(self, form=lambda a, b: [a, b]):
        self.W = [[Value(x) for x in row] for row in rng.normal(size=(2, 3))]
        self.v = [Value(x) for x in rng.normal(size=2)]
        self.form = form

    def parameters(self):
        return [p for row in self.W for p in row] + self.v

    def __call__(self, x):
        hidden = [tanh(dot(w, x)) for w in self.W]
        return self.form(dot(self.v, hidden), relu(hidden[0]) * self.v[1] - x[2])


FORMS = {
    "one": lambda a, b: a * b,
    "list": lambda a, b: [a, b],
    "rows": lambda a, b: [[a, b], [b * a, -a]],
    "tuple": lambda a, b: (a, b),
    "dict": lambda a, b: {"a": a, "rest": [b, a + b]},
}
X = rng.normal(size=(5, 3))


def eagerly(model, numbers, X, cotangents):
    """The outputs for each row, flat, and the gradient of their weighted sum: computed by the engine."""
    before = [p.data for p in model.parameters()]
    for p, x in zip(model.parameters(), numbers, strict=True):
        p.data = float(x)
    try:
        rows = [flatten(model([Value(x, requires_grad=False) for x in row]))[0] for row in X]
        values = np.array([[y.data for y in row] for row in rows])
        weighted = [
            y * c
            for row, part in zip(rows, cotangents.reshape(values.shape), strict=True)
            for y, c in zip(row, part, strict=True)
        ]
        return values, np.array(gradients(functools.reduce(lambda a, b: a + b, weighted), model.parameters()))
    finally:
        for p, x in zip(model.parameters(), before, strict=True):
            p.data = x


# ── functions of Values ──────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("form", FORMS)
def test_a_session_is_the_function(form, backend):
    model = Perceptron(FORMS[form])
    fast = compile(lambda x: model(x), in_axes=0, of=Value, backend=backend)
    traced = fast.traced(X)
    order = [model.parameters().index(p) for p in traced.parameters]
    assert sorted(order) == list(range(8))
    np.testing.assert_array_equal(traced.numbers(), [p.data for p in traced.parameters])
    called = fast(X)
    whole = flatten(traced.returned)[0]
    shape = (5,) if form == "one" else (5, len(whole))
    session = traced.session(5)
    outputs = session.forward(traced.numbers(), X)
    assert outputs.shape == shape
    parts = [called] if isinstance(called, np.ndarray) else flatten_arrays(called)
    np.testing.assert_array_equal(outputs.reshape(5, -1), np.concatenate([y.reshape(5, -1) for y in parts], axis=1))
    for _ in range(2):  # and once more, with other numbers
        numbers, cotangents = rng.normal(size=8), rng.normal(size=shape)
        moved = np.empty(8)
        moved[order] = numbers
        values, slopes = eagerly(model, moved, X, cotangents)
        np.testing.assert_allclose(session.forward(numbers, X).reshape(5, -1), values, rtol=EXACT, atol=1e-15)
        np.testing.assert_allclose(session.pull(cotangents), slopes[order], rtol=1e-11, atol=1e-14)


def flatten_arrays(tree):
    if isinstance(tree, dict):
        return [x for part in tree.values() for x in flatten_arrays(part)]
    return [x for part in tree for x in flatten_arrays(part)] if isinstance(tree, tuple | list) else [tree]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.floats(-3, 3), min_size=3, max_size=3),
    st.lists(st.lists(st.floats(-3, 3), min_size=2, max_size=2), min_size=1, max_size=4),
)
def test_gradients_are_those_of_value_and_grad(numbers, rows):
    """The mean loss, by whoever holds the numbers, and by value_and_grad of the function that is given them."""

    def loss(w, x):
        return (tanh(w[0] * x[0] + w[1] * x[1]) - w[2]) ** 2

    w = [Value(0.5), Value(-1.0), Value(0.25)]
    traced = compile(lambda x: loss(w, x), in_axes=0, of=Value).traced(np.ones((1, 2)))
    session = traced.session(len(rows))
    numbers, rows = np.array(numbers), np.array(rows)
    value, slope = compile(loss, of=Value).value_and_grad(numbers, rows)
    assert session.forward(numbers, rows).mean() == pytest.approx(value, rel=EXACT, abs=1e-15)
    np.testing.assert_allclose(session.pull(np.full(len(rows), 1 / len(rows))), slope, rtol=1e-11, atol=1e-14)
    assert [p.data for p in w] == [0.5, -1.0, 0.25]
    assert [p.grad for p in w] == [None, None, None]


def test_models_numbers_and_what_is_static_among_the_arguments():
    model, other = Perceptron(FORMS["one"]), Value(2.0)

    def loss(scale, net, x, kind, y):
        return (scale * net(x) - y) ** 2 * (other if kind == "twice" else 1)

    fast = compile(loss, in_axes=(None, None, 1, None, 0), static_argnames="kind", of=Value)
    y = rng.normal(size=5)
    traced = fast.traced(0.5, model, X.T, "twice", y)
    assert traced.parameters == [*model.parameters(), other]
    session = traced.session(5)
    np.testing.assert_array_equal(session.forward(traced.numbers(), 3.0, X.T, y), fast(3.0, model, X.T, "twice", y))
    slopes = session.pull(np.full(5, 0.2))
    fast.backward(3.0, model, X.T, "twice", y)
    np.testing.assert_allclose(slopes, [p.grad for p in traced.parameters], rtol=EXACT)


def test_a_method():
    class Line:
        def __init__(self):
            self.a, self.b = Value(2.0), Value(1.0)

        @functools.partial(compile, in_axes=(None, 0), of=Value)
        def at(self, x):
            return self.a * x + self.b

    line = Line()
    traced = line.at.traced(np.ones(3))
    assert traced.parameters == [line.a, line.b]
    assert traced.session(3).forward([1.0, 0.5], np.arange(3.0)).tolist() == [0.5, 1.5, 2.5]


def test_one_example():
    w = Value(3.0)
    traced = compile(lambda x: [w * x, x], in_axes=None, of=Value).traced(2.0)
    session = traced.session()
    assert session.forward(np.array([5.0]), 4.0).tolist() == [[20.0, 4.0]]
    assert session.pull([[1.0, 1.0]]).tolist() == [4.0]


def test_what_a_gradient_flows_to():
    a, b, c = Value(1.0), Value(2.0), Value(3.0)

    def function(x):
        return [a * x, b * x + (c * x).detach(), where(c > 0, x, 2 * x)]

    traced = compile(function, in_axes=0, of=Value).traced(np.ones(2))
    names = {a: "a", b: "b", c: "c"}

    def reached(outputs):
        return {names[traced.parameters[i]] for i in traced.reached(outputs)}

    assert reached([0]) == {"a"}
    assert reached([1]) == {"b"}
    assert reached(None) == {"a", "b"} | reached([2])
    assert reached([]) == set()


def test_one_object_as_long_as_nothing_changes():
    model = Perceptron()
    model.slope = 2.0
    fast = compile(lambda x: [model.slope * y for y in model(x)], in_axes=0, of=Value)
    traced = fast.traced(X)
    assert fast.traced(X[:2]) is traced
    for p in model.parameters():
        p.data = 2 * p.data
    assert fast.traced(X) is traced
    assert "slope" in traced.names
    model.slope = 3.0
    assert fast.traced(X) is not traced


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_large_batches_and_what_they_are_read_from(dtype):
    """Without gradients rows may be read where they stand; they stay as they were, and so do the outputs."""
    w = [Value(x) for x in rng.normal(size=8)]
    fast = compile(lambda x: dot(w, x), in_axes=0, of=Value, backend="numpy", dtype=dtype)
    first, second = rng.normal(size=(2, 9000, 8)).astype(dtype)
    traced = fast.traced(first)
    numbers = traced.numbers()
    assert numbers.dtype == dtype
    session = traced.session(9000, gradients=False)
    outputs = session.forward(numbers, first)
    before = outputs.copy()
    np.testing.assert_array_equal(outputs, fast(first))
    np.testing.assert_array_equal(session.forward(numbers, second), fast(second))
    np.testing.assert_array_equal(session.forward(numbers, second[::-1]), fast(second[::-1]))
    np.testing.assert_array_equal(outputs, before)
    with_gradients, given = traced.session(9000), first.copy()
    with_gradients.forward(numbers, given)
    given[:] = 0  # before a pull the caller may do with his arrays what he likes
    slopes, exact = with_gradients.pull(np.ones(9000, dtype)), first.sum(axis=0, dtype=float)
    bound = 9000 * np.finfo(dtype).eps * np.abs(first).sum(axis=0, dtype=float)
    assert (np.abs(slopes - exact) <= bound).all()


# ── functions of Tensors ─────────────────────────────────────────────────────────────────────────────
def test_a_session_of_arrays():
    W, b, frozen, unused = Tensor(rng.normal(size=(3, 2))), Tensor([0.5, -0.5]), Tensor([2.0]), Tensor([1.0, 2.0])
    frozen.requires_grad = False

    def function(x, scale):
        return {"h": tanh(x @ W + b) * frozen, "s": [(unused.detach().sum() + x.sum() * W[0]) * scale]}

    traced = compile(function, of=Tensor).traced(X, 2.0)
    assert set(traced.parameters) >= {W, b, frozen}
    session = traced.session()
    numbers = [rng.normal(size=p.shape) for p in traced.parameters]
    outputs = session.forward(numbers, X, 0.5)
    cotangents = [rng.normal(size=y.shape) for y in outputs]
    found = dict(zip(traced.parameters, session.pull(cotangents), strict=True))
    for p, x in zip(traced.parameters, numbers, strict=True):
        p.data = x
    returned = flatten(function(Tensor(X), Tensor(0.5)))[0]
    for y, expected in zip(outputs, returned, strict=True):
        np.testing.assert_allclose(y, expected.data, rtol=EXACT)
    total = sum((y * c).sum() for y, c in zip(returned, cotangents, strict=True))
    for p, slope in zip((W, b), gradients(total, [W, b]), strict=True):
        np.testing.assert_allclose(found[p], slope, rtol=1e-11, atol=1e-14)
    assert found[frozen] is None
    assert found.get(unused) is None
    for slope, again in zip(found.values(), _pulled_again(session, numbers, cotangents), strict=True):
        assert slope is again or slope.tolist() == again.tolist()


def _pulled_again(session, numbers, cotangents):
    session.forward(numbers, X, 0.5)
    return session.pull(cotangents)


def test_one_tensor_and_whole_models():
    class Affine:
        def __init__(self):
            self.W, self.b = Tensor(rng.normal(size=(3, 2))), Tensor([0.5, -0.5])

        def parameters(self):
            return [self.W, self.b]

    model = Affine()
    fast = compile(lambda model, x: x @ model.W + model.b, of=Tensor)
    traced = fast.traced(model, X)
    assert traced.parameters == [model.W, model.b]
    session = traced.session()
    np.testing.assert_array_equal(session.forward(traced.numbers(), X), fast(model, X))
    found = session.pull(np.ones((5, 2)))
    np.testing.assert_allclose(found[0], np.repeat(X.sum(axis=0)[:, None], 2, axis=1), rtol=EXACT)
    assert found[1].tolist() == [5.0, 5.0]


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────
def test_wrong_shapes():
    model = Perceptron()
    traced = compile(lambda x: model(x), in_axes=0, of=Value).traced(X)
    session, numbers = traced.session(5), traced.numbers()
    for wrong, word in (
        (lambda: session.forward(numbers, X[:4]), r"x has shape \(4, 3\); expected \(5, 3\)"),
        (lambda: session.forward(numbers, X[0]), r"x has shape \(3,\)"),
        (lambda: session.forward(numbers), r"1 arrays were given; expected 2: x \(5, 3\), numbers \(8,\)"),
        (lambda: session.forward(numbers[:1], X), r"numbers has shape \(1,\); expected \(8,\)"),
        (lambda: traced.session(), "batch=None; expected how many examples"),
        (lambda: traced.session(0), "batch=0; expected how many"),
    ):
        with pytest.raises(ValueError, match=word):
            wrong()
    session.forward(numbers, X)
    for gradient in (np.ones(2), np.ones((2, 5)), 1.0):
        with pytest.raises(ValueError, match=r"the gradient has shape .*; expected \(5, 2\)"):
            session.pull(gradient)
    W = Tensor(np.ones((3, 2)))
    traced = compile(lambda x: x @ W, of=Tensor).traced(X)
    with pytest.raises(ValueError, match="expected None, as the function maps over none"):
        traced.session(5)
    with pytest.raises(ValueError, match=r"numbers\[0\] has shape \(2,\); expected \(3, 2\)"):
        traced.session().forward([np.ones(2)], X)
    with pytest.raises(ValueError, match="1 arrays were given; expected 2"):
        traced.session().forward([], X)


@pytest.mark.parametrize("backend", BACKENDS)
def test_pull_follows_forward(backend):
    model = Perceptron()
    traced = compile(lambda x: model(x), in_axes=0, of=Value, backend=backend).traced(X)
    W = Tensor(np.ones((3, 2)))
    arrays = compile(lambda x: x @ W, of=Tensor).traced(X)
    for session, numbers in (
        (traced.session(5), traced.numbers()),
        (arrays.session(), arrays.numbers()),
    ):
        with pytest.raises(RuntimeError, match="pull follows forward"):
            session.pull(np.ones((5, 2)))
        session.forward(numbers, X)
        session.pull(np.ones((5, 2)))
        with pytest.raises(RuntimeError, match="pull follows forward"):
            session.pull(np.ones((5, 2)))
    for session, numbers in (
        (traced.session(5, gradients=False), traced.numbers()),
        (arrays.session(gradients=False), arrays.numbers()),
    ):
        session.forward(numbers, X)
        with pytest.raises(RuntimeError, match="gradients=True"):
            session.pull(np.ones((5, 2)))


def test_arguments_that_are_no_arrays():
    loss = lambda p, x: p["w"][0] * x[0] + p["b"]
    with pytest.raises(TypeError, match=r"p\['w'\] is a part of an argument, and traced\(\) takes arrays"):
        compile(loss, of=Value).traced({"w": [1.0], "b": 0.0}, X)
    for value, x in ((Value(1.0), 1.0), (Tensor([1.0]), np.ones(1))):
        with pytest.raises(TypeError, match=rf"w is a {type(value).__name__}, and traced\(\) takes arrays"):
            compile(lambda w, x: w * x, in_axes=None).traced(value, x)
    inner = compile(lambda x: x * 2, in_axes=0, of=Value)
    with pytest.raises(TraceError, match="inside another compiled function"):
        compile(lambda x: inner.traced(x), in_axes=0, of=Value)(X)
