"""Neurons, layers, networks: against the same thing written with NumPy arrays."""

import math

import numpy as np
import pytest

import nn
from autodiff import Value, gradients
from nn import Layer, Network, Neuron


def arrays(network):
    """The weights (inputs, outputs) and biases of each layer."""
    return [
        (
            np.array([[w.data for w in n.weights] for n in layer.neurons]).T,
            np.array([n.bias.data for n in layer.neurons]),
        )
        for layer in network.layers
    ]


def test_forward_is_a_product_of_matrices():
    network = Network([3, 5, 4, 2], "tanh", output="sigmoid", seed=3)
    for i, parameter in enumerate(network.parameters()):
        parameter.data += 0.01 * i  # the biases too
    x = np.array([0.3, -1.2, 2.0])
    (W1, b1), (W2, b2), (W3, b3) = arrays(network)
    expected = 1 / (1 + np.exp(-(np.tanh(np.tanh(x @ W1 + b1) @ W2 + b2) @ W3 + b3)))
    np.testing.assert_allclose([out.data for out in network(x)], expected, rtol=1e-14)


def test_gradients_are_those_of_backpropagation_by_hand():
    network = Network([2, 4, 1], "tanh", seed=1)
    x, target = np.array([0.7, -0.4]), 0.25
    ((network(x) - target) ** 2).backward()
    (W1, b1), (W2, b2) = arrays(network)
    h = np.tanh(x @ W1 + b1)
    g_out = 2 * (h @ W2 + b2 - target)
    g_hidden = (W2 @ g_out) * (1 - h**2)
    for neuron, g in zip(network.layers[0].neurons, g_hidden, strict=True):
        np.testing.assert_allclose([w.grad for w in neuron.weights], g * x, rtol=1e-13)
        assert neuron.bias.grad == pytest.approx(g, rel=1e-13)
    last = network.layers[1].neurons[0]
    np.testing.assert_allclose([w.grad for w in last.weights], g_out[0] * h, rtol=1e-13)
    assert last.bias.grad == pytest.approx(g_out[0], rel=1e-13)


def test_a_gradient_reaches_inputs_that_are_values():
    neuron = Neuron(2, "linear", seed=0)
    x = [Value(1.0), Value(2.0)]
    assert gradients(neuron(x), x) == [w.data for w in neuron.weights]


def test_outputs():
    assert isinstance(Network([2, 3, 1], seed=0)([1, 2]), Value)
    assert [type(out) for out in Network([2, 3, 2], seed=0)([1, 2])] == [Value, Value]
    assert len(Layer(2, 1, seed=0)([1, 2])) == 1


def test_labels_and_scopes_tell_a_drawing_where_a_node_belongs():
    network = Network([2, 3, 1], seed=0)
    neuron = network.layers[0].neurons[2]
    assert [(w.label, w.scope) for w in (*neuron.weights, neuron.bias)] == [
        ("w0", "layers.0/neurons.2"),
        ("w1", "layers.0/neurons.2"),
        ("b", "layers.0/neurons.2"),
    ]
    output = network([1.0, 2.0])
    assert output.scope == "layers.1/neurons.0"
    found, stack = {}, [output]
    while stack:
        node = stack.pop()
        found[node] = node.scope
        stack.extend(node.inputs)
    assert set(found.values()) == {
        "",
        "layers.0/neurons.0",
        "layers.0/neurons.1",
        "layers.0/neurons.2",
        "layers.1/neurons.0",
    }
    inputs = [node for node in found if node.scope == ""]
    assert sorted(node.label for node in inputs) == ["x0", "x1"], "each input is one node, shared by all neurons"
    assert not any(node.requires_grad for node in inputs)


def test_a_seed_decides_every_weight():
    draw = lambda seed: [p.data for p in Network([3, 4, 2], seed=seed).parameters()]
    assert draw(7) == draw(7) == draw(np.random.default_rng(7))
    assert draw(7) != draw(8)
    assert draw(None) != draw(None)
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    draw(7)
    assert (np.random.get_state()[1] == before).all(), "the global generator is left alone"


@pytest.mark.parametrize(("activation", "variance"), [("tanh", 1 / 100), ("linear", 1 / 100), ("relu", 2 / 100)])
def test_weights_start_at_a_sensible_scale(activation, variance):
    drawn = [w.data for neuron in Layer(100, 60, activation, seed=0).neurons for w in neuron.weights]
    assert np.var(drawn) == pytest.approx(variance, rel=0.06)  # 6000 numbers: 3.3 standard errors
    assert np.mean(drawn) == pytest.approx(0, abs=4 * math.sqrt(variance / 6000))
    assert all(neuron.bias.data == 0 for neuron in Layer(2, 3, activation, seed=0).neurons)


def test_an_activation_of_your_own():
    neuron = Neuron(1, lambda x: x * x + 1, seed=0)
    neuron.weights[0].data = 3.0
    output = neuron([2.0])
    output.backward()
    assert (output.data, neuron.weights[0].grad) == (37.0, 24.0)


def test_names():
    assert nn.MLP is Network
    assert (
        repr(Network([4, 8, 3], "relu", output="sigmoid", seed=0))
        == "Network([4, 8, 3], activation='relu', output='sigmoid')"
    )
    assert repr(Network([4, 3], seed=0)) == "Network([4, 3], activation='linear')"
    assert repr(Layer(2, 3, seed=0)) == "Layer(2, 3, activation='tanh')"
    assert repr(Neuron(2, "relu", seed=0)) == "Neuron(2, activation='relu')"


BAD = {
    "too few": (lambda: Network([4, 1])([1, 2, 3]), ValueError, "a row of 4 numbers, and was given 3"),
    "too many": (lambda: Neuron(2)([1, 2, 3]), ValueError, "a row of 2 numbers, and was given 3"),
    "rows": (lambda: Layer(2, 1)([[1, 2], [3, 4]]), ValueError, "one row of 2 numbers, and was given rows; predict"),
    "no row": (lambda: Neuron(2)(3.0), TypeError, "a row of 2 numbers or Values, and was given 3.0"),
    "text": (lambda: Neuron(2)("ab"), TypeError, "one number"),
    "one size": (lambda: Network([4]), ValueError, r"such as \[4, 8, 3\]; given \[4\]"),
    "one by one": (lambda: Network(3, [4, 1]), TypeError, r"one list, .*: Network\(\[3, 4, 1\]\); given 3"),
    "one number": (lambda: Network(3), TypeError, r"Network\(\[3, 8, 1\]\); given 3"),
    "size 0": (lambda: Network([4, 0, 1]), ValueError, "each size is at least 1, and was given 0"),
    "half a neuron": (lambda: Layer(2, 1.5), TypeError, "outputs is a whole number, and was given 1.5"),
    "no inputs": (lambda: Neuron(0), ValueError, "inputs is at least 1"),
    "activation": (lambda: Network([2, 2, 1], "tahn"), ValueError, "no activation 'tahn'; did you mean 'tanh'"),
    "activation of no layer": (
        lambda: Network([2, 1], "tahn"),
        ValueError,
        "no activation 'tahn'; did you mean 'tanh'",
    ),
    "output": (lambda: Network([2, 1], output="signoid"), ValueError, "did you mean 'sigmoid'"),
    "no activation": (lambda: Neuron(2, 3), TypeError, "a name or a function, and was given 3"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    call, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        call()
