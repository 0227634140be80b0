"""summary: shapes, counts, and a model that is left as it was."""

import re

import numpy as np
import pytest

from autodiff import Tensor, relu
from nn import (
    LSTM,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Layer,
    MaxPool2d,
    Module,
    Network,
    Neuron,
    Residual,
    Sequential,
)
from nn.summary import summary


def digits():
    return Sequential(
        Conv2d(1, 4, 3, padding=1, activation="relu", seed=0), BatchNorm(4), MaxPool2d(2), Flatten(), Dropout(0.5, seed=0),
        Residual(Dense(64, 64, seed=0)), relu, Dense(64, 10, seed=0),
    )  # fmt: skip


TABLE = """\
path            layer                                          output        parameters
layers.0        Conv2d(1, 4, 3, padding=1, activation='relu')  (N, 4, 8, 8)          40
layers.1        BatchNorm(4)                                   (N, 4, 8, 8)          16
layers.2        MaxPool2d(2)                                   (N, 4, 4, 4)           0
layers.3        Flatten()                                      (N, 64)                0
layers.4        Dropout(0.5)                                   (N, 64)                0
layers.5.layer  Dense(64, 64)                                  (N, 64)            4,160
layers.7        Dense(64, 10)                                  (N, 10)              650

4,866 parameters, 4,858 of them trained, 38.9 kB"""


def test_table():
    assert str(summary(digits(), (1, 8, 8))) == repr(summary(digits(), (1, 8, 8))) == TABLE


def test_without_a_shape_there_are_counts_and_a_hint():
    found = summary(digits())
    assert {part.output for part in found.parts} == {"-"}
    assert found.parameters == 4866
    assert str(found).endswith("for the shapes: the shape of one sample as input_shape, such as summary((1, 28, 28))")


def test_the_first_layer_may_know_the_shape():
    found = summary(Sequential(Sequential(Dense(4, 8, seed=0)), relu, Dense(8, 2, bias=False, seed=0)))
    assert [(part.path, part.output, part.parameters) for part in found.parts] == [
        ("layers.0.layers.0", "(N, 8)", 40),
        ("layers.2", "(N, 2)", 16),
    ]
    assert (found.parameters, found.trainable, found.bytes, found.hint) == (56, 56, 448, "")
    assert summary(Dense(4, 8, seed=0)).parts[0].path == "(model)"


def test_single_numbers():
    network = Network([3, 4, 1], seed=0)
    found = summary(network)
    assert [(p.path, p.layer, p.output, p.parameters) for p in found.parts] == [
        ("layers.0", "Layer(3, 4, activation='tanh')", "(N, 4)", 16),
        ("layers.1", "Layer(4, 1, activation='linear')", "(N, 1)", 5),
    ]
    assert (found.parameters, found.trainable, found.bytes) == (21, 21, 168)
    assert [(p.path, p.output, p.parameters) for p in summary(Layer(3, 2, seed=0)).parts] == [("(model)", "(N, 2)", 8)]
    assert [(p.path, p.output, p.parameters) for p in summary(Neuron(3, seed=0)).parts] == [("(model)", "(N,)", 4)]
    assert summary(network, 3) == summary(network, (3,)) == summary(network, np.zeros((7, 3))) == found


def test_a_recurrent_network_is_one_line():
    model = Sequential(Embedding(5, 8, seed=0), LSTM(8, 4, layers=2, bidirectional=True, return_state=True, seed=0))
    assert [(p.path, p.output, p.parameters) for p in summary(model, 6).parts] == [
        ("layers.0", "(N, 6, 8)", 40),
        ("layers.1", "(N, 6, 8), (4, N, 4), (4, N, 4)", 896),
    ]


class Shared(Module):
    def __init__(self):
        self.a = Dense(3, 3, seed=0)
        self.again = [self.a, Dense(3, 2, seed=0)]
        self.again[1].bias = Tensor(np.zeros(2), requires_grad=False)
        self.scale = Tensor(2.0)

    def forward(self, x):
        x = self.a(self.a(x))
        return x, {"scaled": self.again[1](x) * self.scale, "nothing": None}


def test_what_is_shared_counts_once_and_outputs_may_be_several():
    found = summary(Shared(), 3)
    assert [(p.path, p.output, p.parameters) for p in found.parts] == [
        ("(model)", "(N, 3), (N, 2)", 1),
        ("a", "(N, 3)", 12),
        ("again.1", "(N, 2)", 8),
    ]
    assert (found.parameters, found.trainable) == (21, 19)


class Odd(Module):
    def __init__(self):
        self.inner = Inner()

    def forward(self, x):
        self.inner(x)
        return x.sum()


class Inner(Module):
    def forward(self, x):
        return x.T, x.reshape(-1)


def test_the_axis_of_samples_is_found_wherever_it_is():
    assert [(p.path, p.output) for p in summary(Odd(), (4, 3)).parts] == [("inner", "(3, 4, N), (12·N,)")]


def test_an_example_or_an_embedding_says_that_there_are_whole_numbers():
    model = Sequential(Embedding(5, 3, seed=0), Flatten(), Dense(12, 2, seed=0))
    for given in (4, (4,), np.zeros((1, 4), int), np.zeros((0, 4), int), Tensor(np.zeros((9, 4), int))):
        assert [part.output for part in summary(model, given).parts] == ["(N, 4, 3)", "(N, 12)", "(N, 2)"]


def test_the_model_is_left_as_it_was():
    model = digits().eval()
    model[1].train()
    del model[4].training
    before = [vars(module).get("training") for _, module in model.named_modules()]
    state, drawn = model.state_dict(), model[4].rng.bit_generator.state
    summary(model, (1, 8, 8))
    with pytest.raises(ValueError, match="takes arrays of shape"):
        summary(model, (3, 8, 8))
    assert [vars(module).get("training") for _, module in model.named_modules()] == before
    assert before.count(None) == 1
    assert model[4].rng.bit_generator.state == drawn
    assert all((array == state[name]).all() for name, array in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_memory():
    for inputs, text in ((9, "80 bytes"), (999, "8.0 kB"), (10**6 - 1, "8.0 MB")):
        assert str(summary(Dense(inputs, 1, initializer="zeros"))).endswith(f"all trained, {text}")


def test_bad_arguments():
    wrong = {
        "summary takes a module, and was given 3": lambda: summary(3),
        "input_shape is the shape of a sample, such as (1, 28, 28), or an array; given 'big'": lambda: summary(digits(), "big"),
        "an example is an array of samples, and was given the single array(0.)": lambda: summary(digits(), np.zeros(())),
        "each length in input_shape is a whole number, and was given 2.5": lambda: summary(digits(), (1, 2.5)),
    }  # fmt: skip
    for message, make in wrong.items():
        with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
            make()
