"""Activations by name."""

import math

import pytest

import autodiff
from autodiff import Value
from nn import ACTIVATIONS, activation, linear
from nn.activations import gain
from nn.lookup import name_of

AT_1 = {
    "linear": 1.0,
    "tanh": math.tanh(1),
    "sigmoid": 1 / (1 + math.exp(-1)),
    "relu": 1.0,
    "leaky_relu": 1.0,
    "elu": 1.0,
    "selu": 1.0507009873554805,
    "gelu": 0.5 * (1 + math.erf(1 / math.sqrt(2))),
    "gelu_tanh": 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * 1.044715)),
    "silu": 1 / (1 + math.exp(-1)),
    "softplus": math.log1p(math.e),
    "sin": math.sin(1),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_each_name_is_the_function_it_says(name):
    assert activation(name)(1.0) == pytest.approx(AT_1[name], rel=1e-15)
    assert name_of(activation(name)) == name


def test_linear_adds_no_node():
    x = Value(2.0)
    assert linear(x) is x


def test_a_function_is_returned_as_it_is():
    assert activation(autodiff.cos) is autodiff.cos


def test_gain():
    assert gain(activation("relu")) == math.sqrt(2)
    assert gain(activation("tanh")) == 1


@pytest.mark.parametrize(("given", "nearest"), [("tahn", "tanh"), ("ReLU", "relu"), ("sigmoidd", "sigmoid")])
def test_an_unknown_name_suggests_the_nearest(given, nearest):
    with pytest.raises(ValueError, match=f"no activation '{given}'; did you mean '{nearest}'.*There are: elu, "):
        activation(given)


def test_a_name_like_no_other_gets_the_list():
    with pytest.raises(ValueError, match=r"no activation 'zzz'\. There are: elu, "):
        activation("zzz")


def test_neither_name_nor_function():
    with pytest.raises(TypeError, match="activation is a name or a function, and was given None"):
        activation(None)
