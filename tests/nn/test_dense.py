"""Dense and Linear beside PyTorch's numbers and their definition; Sequential and Residual around them."""

import re

import numpy as np
import pytest

import autodiff
from autodiff import Tensor, Value, check_gradients
from nn import Dense, Layer, Linear, Network, Residual, Sequential
from tests.nn.by_pytorch import agrees

RNG = np.random.default_rng(4)


@pytest.mark.parametrize(
    ("case", "layer"),
    {
        "linear": lambda: Dense(3, 4),
        "linear without bias": lambda: Linear(3, 2, bias=False),
        "linear on sequences": lambda: Linear(3, 2),
    }.items(),
)
def test_pytorch(case, layer):
    agrees(layer(), case)


@pytest.mark.parametrize("activation", ["tanh", "softmax", lambda x: x * x])
def test_the_definition_and_its_gradient(activation):
    layer = Dense(3, 2, activation, seed=0)
    x = RNG.normal(size=(5, 3))
    np.testing.assert_allclose(layer(x).data, layer.activation(x @ layer.weight.data.T + layer.bias.data), rtol=1e-14)
    assert check_gradients(layer, x) < 1e-12


def test_what_it_starts_with():
    relu, tanh = Dense(400, 300, "relu", seed=0), Dense(400, 300, "tanh", seed=0)
    assert abs(relu.weight.data.var() * 400 - 2) < 0.05
    assert abs(tanh.weight.data.var() * 400 - 1) < 0.05
    assert not relu.bias.data.any()
    assert (Dense(4, 3, initializer="ones").weight.data == 1).all()
    assert (Dense(4, 3, seed=7).weight.data == Dense(4, 3, seed=7).weight.data).all()


def test_one_sample_and_many_axes():
    layer = Linear(3, 2, seed=0)
    x = RNG.normal(size=(4, 5, 3))
    assert layer(x).shape == (4, 5, 2)
    np.testing.assert_allclose(layer(x[1, 2]).data, layer(x).data[1, 2], rtol=1e-14)


def test_the_data_carry_no_gradient_unless_they_are_a_leaf():
    layer = Linear(2, 1, seed=0)
    x = Tensor([[1.0, 2.0]])
    layer(x).sum().backward()
    np.testing.assert_allclose(x.grad, layer.weight.data)
    assert layer([[1.0, 2.0]]).inputs[0].inputs[0].requires_grad is False


def test_looks():
    model = Sequential(Dense(2, 3, "relu", seed=0), autodiff.tanh, Residual(Linear(3, 3, bias=False, seed=0)))
    assert repr(model).splitlines() == [
        "Sequential(3 layers)",
        "  layers.0: Dense(2, 3, activation='relu')",
        "  layers.2: Residual()",
        "    layer: Linear(3, 3, bias=False)",
    ]
    assert len(model) == 3
    assert list(model)[2] is model[2]


MESSAGES = {
    "features": (
        ValueError,
        lambda: Dense(3, 2)(np.zeros((4, 2))),
        "Dense(3, 2) takes 3 features in the last axis, and was given shape (4, 2)",
    ),
    "a number": (ValueError, lambda: Dense(3, 2)(1.0), "and was given shape ()"),
    "values": (TypeError, lambda: Dense(1, 2)([Value(1.0)]), "Dense(1, 2) takes arrays, and was given Values; nn.to_n"),
    "tensors in a list": (TypeError, lambda: Dense(1, 2)([Tensor([1.0])]), "was given a list of them; autodiff.stack"),
    "size": (ValueError, lambda: Dense(0, 2), "inputs is at least 1, and was given 0"),
    "no size": (TypeError, lambda: Dense(2.5, 2), "inputs is a whole number, and was given 2.5"),
    "activation": (ValueError, lambda: Dense(2, 2, "rleu"), "there is no activation 'rleu'; did you mean 'relu'?"),
    "initializer": (
        ValueError,
        lambda: Dense(2, 2, initializer="he_norml"),
        "there is no initializer 'he_norml'; did you mean 'he_normal'?",
    ),
    "a list of layers": (
        TypeError,
        lambda: Sequential([Dense(2, 2)]),
        "which is no layer; write Sequential(*layers)",
    ),
    "a class": (TypeError, lambda: Sequential(Dense), "which is no layer; write Dense(...)"),
    "residual": (
        ValueError,
        lambda: Residual(Dense(2, 3))(Tensor([1.0, 2.0])),
        "Dense(2, 3) turns shape (2,) into (3,)",
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_bad_input(case):
    kind, call, words = MESSAGES[case]
    with pytest.raises(kind, match=re.escape(words)):
        call()


def test_residual_around_neurons_adds_number_by_number():
    layer = Layer(2, 2, seed=0)
    for row in ([1.0, -2.0], (1.0, -2.0), np.array([1.0, -2.0]), [Value(1.0), Value(-2.0)]):
        outputs = Residual(layer)(row)
        assert [y.data for y in outputs] == [x + y.data for x, y in zip([1.0, -2.0], layer(row), strict=True)]
    x = Value(1.0)
    Residual(layer)([x, 0.0])[0].backward()
    inner = Value(1.0)
    layer([inner, 0.0])[0].backward()
    assert x.grad == 1 + inner.grad
    assert len(Sequential(Residual(layer), Layer(2, 1, seed=1))([1.0, 2.0])) == 1


@pytest.mark.parametrize(
    ("layer", "x"), [(Dense(3, 1), [1.0, 2.0, 3.0]), (Layer(2, 3), [1.0, 2.0]), (Network([1, 1]), [1.0])]
)
def test_residual_never_broadcasts(layer, x):
    with pytest.raises(ValueError, match=r"and x \+ layer\(x\) needs one shape"):
        Residual(layer)(x)


def test_a_slice_of_a_sequential_is_one():
    model = Sequential(Dense(3, 4, "tanh", seed=0), Dense(4, 2, seed=1), autodiff.relu)
    x = RNG.normal(size=(5, 3))
    assert (model[1:](model[:1](x)).data == model(x).data).all()
    assert model[:1].layers == [model[0]]
