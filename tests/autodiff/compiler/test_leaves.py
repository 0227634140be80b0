"""backward of a compiled function: its gradient gets somewhere, and nothing of it gets lost."""

from __future__ import annotations

import numpy as np
import pytest

from autodiff import GraphError, Tensor, Value, compile

X = np.array([1.0, -2.0, 4.0])


def product(w, x):
    return w * x


@pytest.mark.parametrize("w", [2.0, np.array(2.0), Value(2.0, requires_grad=False)])
def test_no_leaf_to_receive_it(w):
    with pytest.raises(GraphError, match=r"plain numbers, or constants.*value, gradient = fast.value_and_grad"):
        compile(product).backward(w, X)


@pytest.mark.parametrize("W", [[0.5, 2.0], {"a": [0.5], "b": 2.0}, (0.5, 2.0), np.ones(2), [[0.5, 2.0]]])
def test_no_leaf_among_many(W):
    with pytest.raises(GraphError, match="Give Values, a list of them or a model"):
        compile(lambda W, x: x * 2).backward(W, X)


def test_no_leaf_among_tensors():
    f = compile(lambda a, b: (a * b).sum(), of=Tensor)
    with pytest.raises(GraphError, match="value_and_grad"):
        f.backward(X, X)
    with pytest.raises(GraphError, match="value_and_grad"):
        f.backward(Tensor(X, requires_grad=False), X)
    a = Tensor(X)
    assert f.backward(a, X) == 21.0
    assert a.grad.tolist() == X.tolist()


def test_one_leaf_is_enough():
    w = Value(2.0)
    assert compile(lambda W, x: W[0] * W[1] * x).backward([3.0, w], X) == 6.0
    assert w.grad == 3.0


def test_leaves_that_are_captured():
    w, fixed = Value(2.0), Value(3.0, requires_grad=False)
    assert compile(lambda x: x * w, in_axes=0).backward(X) == 2.0
    assert w.grad == 1.0
    with pytest.raises(GraphError, match="plain numbers, or constants"):
        compile(lambda x: x * fixed, in_axes=0).backward(X)


def test_leaves_that_vary_from_example_to_example():
    w = Value(2.0)
    for batch in ([Value(1.0), Value(2.0)], [1.0, Value(2.0)], Tensor([1.0, 2.0])):
        with pytest.raises(GraphError, match=r"x varies from example to example: the gradient of .* would be lost"):
            compile(product, of=Value).backward(w, batch)
    with pytest.raises(GraphError, match=r"x\['a'\] varies from example to example"):
        compile(lambda w, x: w * x["a"][0]).backward(w, {"a": [[Value(1.0)], [Value(2.0)]]})
    assert w.grad is None
    constants = [Value(1.0, requires_grad=False), Value(2.0, requires_grad=False)]
    assert compile(product).backward(w, constants) == 3.0
    assert w.grad == 1.5


def test_tensors_in_a_function_of_values():
    weights, w = Tensor([0.5, 2.0]), Value(1.0)
    fast = compile(lambda p, x: p["t"][0] * p["t"][1] * p["w"] * x, of=Value)
    for p in ({"t": weights, "w": 1.0}, {"t": weights, "w": w}):
        with pytest.raises(GraphError, match=r"p\['t'\] is a Tensor: its gradient would be lost. Give Values, such as"):
            fast.backward(p, X)
    assert weights.grad is w.grad is None
    assert fast.backward({"t": Tensor([0.5, 2.0], requires_grad=False), "w": w}, X) == w.grad == 1.0
    assert fast.grad({"t": weights, "w": w}, X)["t"].tolist() == [2.0, 0.5]
