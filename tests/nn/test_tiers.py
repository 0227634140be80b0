"""The two tiers compute the same: outputs and gradients to 1e-12, start and way back."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff import Tensor, Value, relu, tanh
from nn import (
    Activation,
    Dense,
    Dropout,
    Layer,
    Linear,
    LinearNetwork,
    Network,
    Neuron,
    Sequential,
    Softmax,
    to_network,
    to_sequential,
)
from nn.activations import ACTIVATIONS

ROWWISE = {"softmax", "log_softmax"}


def flat(x):
    return x if isinstance(x, list) else [x]


def same(got, wanted):
    """Equal to a relative 1e-12; what cancels to nearly 0, to 1e-15 of the largest."""
    wanted = np.asarray(wanted)
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-14 * np.abs(wanted).max(initial=0))


def compute_the_same(network, model, X, upstream):
    """Outputs and all gradients: of the inputs, of the weights and of the biases."""
    x = Tensor(X)
    output = model(x)
    output.backward(upstream)
    total, rows = 0.0, []
    for row, seeds, wanted in zip(X.tolist(), upstream.tolist(), output.data, strict=True):
        rows.append([Value(number) for number in row])
        outputs = flat(network(rows[-1]))
        same([y.data for y in outputs], wanted)
        for y, seed in zip(outputs, seeds, strict=True):
            total = total + y * seed
    total.backward()
    same([[value.grad for value in row] for row in rows], x.grad)
    for layer, dense in zip(network.layers, denses(model), strict=True):
        same([[w.grad for w in neuron.weights] for neuron in layer.neurons], dense.weight.grad)
        if dense.bias is not None:
            same([neuron.bias.grad for neuron in layer.neurons], dense.bias.grad)


def denses(model):
    return [module for _, module in model.named_modules() if isinstance(module, Dense)]


sizes = st.lists(st.integers(1, 5), min_size=2, max_size=4)
names = st.sampled_from(sorted(set(ACTIVATIONS) - ROWWISE))


@settings(max_examples=60, deadline=None)
@given(sizes, st.data(), st.integers(0, 2**32 - 1))
def test_any_shape_and_activation(sizes, data, seed):
    rng = np.random.default_rng(seed)
    layers = []
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        last = i == len(sizes) - 2
        name = data.draw(st.sampled_from(sorted(ACTIVATIONS)) if last else names)
        own = name if data.draw(st.booleans()) else "linear"
        layers.append(Dense(inputs, outputs, own, bias=data.draw(st.booleans()), seed=rng))
        if own != name:
            layers.append(data.draw(st.sampled_from([Activation(name), ACTIVATIONS[name]])))
    model = Sequential(*layers)
    for dense in denses(model):
        if dense.bias is not None:
            dense.bias.data = rng.normal(size=dense.outputs)
    X, upstream = rng.normal(size=(3, sizes[0])), rng.normal(size=(3, sizes[-1]))
    network = to_network(model)
    compute_the_same(network, model, X, upstream)
    back = to_sequential(network)
    assert (back(X).data == Sequential(*denses_of(network))(X).data).all()
    same(back(X).data, model(X).data)
    assert len(back.parameters()) == len(model.parameters())


def denses_of(network):
    return list(to_sequential(network))


@pytest.mark.parametrize("name", sorted(ROWWISE))
def test_softmax_is_of_the_whole_layer(name):
    rng = np.random.default_rng(0)
    model = Sequential(Dense(2, 3, "tanh", seed=rng), Dense(3, 4, name, seed=rng))
    compute_the_same(to_network(model), model, rng.normal(size=(3, 2)), rng.normal(size=(3, 4)))
    network = Network([2, 3, 4], output=name, seed=0)
    compute_the_same(network, to_sequential(network), rng.normal(size=(3, 2)), rng.normal(size=(3, 4)))


@pytest.mark.parametrize("activation", ["tanh", "relu", "selu"])
def test_one_seed_starts_both_with_the_same_weights(activation):
    network = Network([4, 8, 3], activation, seed=0)
    rng = np.random.default_rng(0)
    model = Sequential(Dense(4, 8, activation, seed=rng), Dense(8, 3, seed=rng))
    for converted, other in ((to_sequential(network), model), (to_network(model), network)):
        ours, theirs = converted.state_dict(), other.state_dict()
        assert list(ours) == list(theirs)
        assert all((ours[name] == theirs[name]).all() for name in ours)
    assert repr(to_sequential(network)) == repr(model)
    assert repr(to_network(model)) == repr(network)


def test_the_copies_know_nothing_of_each_other():
    model = Sequential(Dense(2, 1, seed=0))
    network = to_network(model)
    before = model[0].weight.data
    network.layers[0].neurons[0].weights[0].data = 7.0
    model[0].bias.data = [3.0]
    assert (model[0].weight.data == before).all()
    assert network.layers[0].neurons[0].bias.data == 0.0


def test_drawings_know_the_places():
    network = to_network(Sequential(Dense(2, 2, "tanh", seed=0), Dense(2, 1, seed=0)))
    made = Network([2, 2, 1], seed=0)
    assert [(p.scope, p.label) for p in network.parameters()] == [(p.scope, p.label) for p in made.parameters()]
    assert network([1.0, 2.0]).scope == made([1.0, 2.0]).scope


def test_without_a_bias_there_is_none_to_train():
    model = LinearNetwork([3, 4, 2], seed=0)
    network = to_network(model)
    assert len(network.parameters()) == 3 * 4 + 4 * 2
    assert [dense.bias for dense in to_sequential(network)] == [None, None]
    network.layers[0].neurons[0].bias.data = 1.0
    assert to_sequential(network)[0].bias.data.tolist() == [1, 0, 0, 0]


def test_several_activations_of_one_layer_follow_each_other():
    rng = np.random.default_rng(0)
    model = Sequential(Dense(2, 3, "sin", seed=0), Sequential(tanh, Activation("linear")), relu, Linear(3, 1, seed=1))
    network = to_network(model)
    assert network.layers[0].neurons[0].activation.__name__ == "sin then tanh then relu"
    compute_the_same(network, model, rng.normal(size=(3, 2)), rng.normal(size=(3, 1)))


def test_a_function_of_your_own():
    model = Sequential(Dense(2, 2, lambda x: x * x, seed=0), Dense(2, 1, seed=0))
    rng = np.random.default_rng(0)
    compute_the_same(to_network(model), model, rng.normal(size=(3, 2)), rng.normal(size=(3, 1)))


def test_what_neurons_cannot_do_is_named():
    dense, softmax = Dense(2, 3, seed=0), Softmax()
    mixed = Network([2, 2], seed=0)
    mixed.layers[0].neurons[0].activation = tanh
    wrong = {
        "to_network takes a Sequential, and was given Dense(2, 3)": (TypeError, lambda: to_network(dense)),
        "layers.1.layers.0 is Dropout(0.5); to_network knows Dense and Linear layers and activations": (TypeError, lambda: to_network(Sequential(dense, Sequential(Dropout())))),
        "layers.0 is tanh of the inputs, and neurons have activations of their outputs": (ValueError, lambda: to_network(Sequential(tanh, dense))),
        "layers.2 is Dense(4, 1), and the layer before has 3 outputs": (ValueError, lambda: to_network(Sequential(dense, tanh, Dense(4, 1, seed=0)))),
        "to_network needs at least one Dense layer, and was given none": (ValueError, lambda: to_network(Sequential())),
        "Dense(2, 3, activation='tanh') is followed by tanh and softmax(axis=-1), and a layer has one of them": (ValueError, lambda: to_network(Sequential(Dense(2, 3, "tanh", seed=0), softmax))),
        "softmax(axis=0) after Dense(2, 3) is not along the last axis, the outputs of a layer": (ValueError, lambda: to_network(Sequential(dense, Softmax(axis=0)))),
        "to_sequential takes a Network, and was given Layer(2, 3, activation='tanh')": (TypeError, lambda: to_sequential(Layer(2, 3, seed=0))),
        "the neurons of layers.0 have different activations, linear and tanh, and a Dense has one": (ValueError, lambda: to_sequential(mixed)),
    }  # fmt: skip
    for message, (kind, make) in wrong.items():
        with pytest.raises(kind, match=f"^{re.escape(message)}$"):
            make()


def test_what_is_frozen_stays_frozen():
    network = Network([2, 3, 1], seed=0)
    for parameter in network.layers[0].parameters():
        parameter.requires_grad = False
    network.layers[0].neurons[1].bias.data = 2.0
    model = to_sequential(network)
    assert [name for name, _ in model.named_parameters()] == ["layers.1.weight", "layers.1.bias"]
    assert [name for name, _ in model.named_buffers()] == ["layers.0.weight", "layers.0.bias"]
    assert len(to_network(model).parameters()) == 4
    network.layers[1].neurons[0].weights[2].requires_grad = False
    with pytest.raises(ValueError, match=r"^layers\.1 has weights that are trained and others that are frozen"):
        to_sequential(network)


def test_an_activation_inside_a_dense_is_looked_into():
    dense = Dense(2, 3, Softmax(axis=0), seed=0)
    with pytest.raises(ValueError, match=r"^softmax\(axis=0\) after Dense\(2, 3, activation='softmax'\) is not along"):
        to_network(Sequential(dense))
    model = Sequential(Dense(2, 3, Activation("tanh"), seed=0), Dense(3, 2, Softmax(), seed=1))
    rng = np.random.default_rng(0)
    compute_the_same(to_network(model), model, rng.normal(size=(3, 2)), rng.normal(size=(3, 2)))
    with pytest.raises(TypeError, match=r"^layers\.0\.activation is Dense\(3, 3\); to_network knows"):
        to_network(Sequential(Dense(2, 3, Dense(3, 3, seed=0), seed=0)))


def test_a_forward_of_its_own_is_not_ignored():
    def doubled(kind):
        class Doubled(kind):
            def forward(self, x):
                return [2 * y for y in y] if isinstance(y := super().forward(x), list) else 2 * y

        return Doubled

    own = ", which has a forward of its own"
    network = Network([2, 2], seed=0)
    network.layers[0].neurons[0] = doubled(Neuron)(2, seed=0)
    wrong = {
        f"to_network takes a Sequential, and was given Doubled(1 layers){own}": lambda: to_network(doubled(Sequential)(Dense(2, 2, seed=0))),
        f"layers.0 is Doubled(2, 2){own}; to_network knows Dense": lambda: to_network(Sequential(doubled(Dense)(2, 2, seed=0))),
        f"layers.1 is Doubled('tanh'){own}; to_network knows Dense": lambda: to_network(Sequential(Dense(2, 2, seed=0), doubled(Activation)("tanh"))),
        f"to_sequential takes a Network, and was given Network([2, 1], activation='linear'){own}": lambda: to_sequential(doubled(Network)([2, 1], seed=0)),
        f"layers.0 has Doubled(2, activation='tanh'){own}; to_sequential knows": lambda: to_sequential(network),
    }  # fmt: skip
    for message, make in wrong.items():
        with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
            make()
