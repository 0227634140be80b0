"""Activations as modules: the functions of the same names, shown with their options."""

import numpy as np
import pytest

from autodiff import Tensor
from nn.activations import activation, acts_on_rows, gain
from nn.layers.activation import (
    ELU,
    GELU,
    SELU,
    Activation,
    Identity,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)

X = np.random.default_rng(3).normal(0, 2, (2, 3, 4))

MODULES = {
    "Identity()": (Identity(), "linear", {}),
    "ReLU()": (ReLU(), "relu", {}),
    "LeakyReLU(alpha=0.01)": (LeakyReLU(), "leaky_relu", {}),
    "LeakyReLU(alpha=0.3)": (LeakyReLU(0.3), "leaky_relu", {"alpha": 0.3}),
    "ELU(alpha=1.0)": (ELU(), "elu", {}),
    "ELU(alpha=0.5)": (ELU(alpha=0.5), "elu", {"alpha": 0.5}),
    "SELU()": (SELU(), "selu", {}),
    "GELU(approximate='none')": (GELU(), "gelu", {}),
    "GELU(approximate='tanh')": (GELU("tanh"), "gelu_tanh", {}),
    "SiLU()": (SiLU(), "silu", {}),
    "Sigmoid()": (Sigmoid(), "sigmoid", {}),
    "Tanh()": (Tanh(), "tanh", {}),
    "Softplus()": (Softplus(), "softplus", {}),
    "Softmax(axis=-1)": (Softmax(), "softmax", {}),
    "Softmax(axis=1)": (Softmax(axis=1), "softmax", {"axis": 1}),
    "LogSoftmax(axis=-1)": (LogSoftmax(), "log_softmax", {}),
    "LogSoftmax(axis=0)": (LogSoftmax(axis=0), "log_softmax", {"axis": 0}),
    "Activation('tanh')": (Activation("tanh"), "tanh", {}),
    "Activation('elu(alpha=2.0)')": (Activation("elu", alpha=2.0), "elu", {"alpha": 2.0}),
}


@pytest.mark.parametrize("shown", MODULES)
def test_a_module_is_its_function_and_shows_how_it_was_made(shown):
    module, name, options = MODULES[shown]
    assert repr(module) == shown
    assert module.parameters() == []
    assert module.state_dict() == {}
    one, other = Tensor(X), Tensor(X)
    y, z = module(one), activation(name, **options)(other)
    np.testing.assert_array_equal(y.data, z.data)
    g = np.random.default_rng(4).normal(size=X.shape)
    y.backward(g)
    z.backward(g)
    np.testing.assert_array_equal(one.grad, other.grad)


def test_a_function_of_your_own():
    module = Activation(lambda x: x * x)
    assert module(Tensor([3.0])).data.tolist() == [9.0]
    assert "<lambda>" in repr(module)


def test_what_is_asked_of_functions_can_be_asked_of_modules():
    assert acts_on_rows(Softmax())
    assert not acts_on_rows(ReLU())
    assert gain(ReLU()) == gain(LeakyReLU()) == 2**0.5


BAD = {
    "name": (lambda: Activation("rleu"), ValueError, "no activation 'rleu'; did you mean 'relu'"),
    "option": (lambda: Activation("relu", alpha=1), TypeError, "relu has no option 'alpha'; it has none"),
    "approximation": (lambda: GELU("tan"), ValueError, "no approximation of gelu 'tan'; did you mean 'tanh'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    run, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        run()
