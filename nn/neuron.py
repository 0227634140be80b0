"""Neurons, layers of neurons and networks of layers, made of single numbers: every weight is a Value.

Each neuron records under its own scope ("layers.0/neurons.3"), so that drawings and explanations know
which part of the network a node belongs to.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import numpy as np

from autodiff import Value, scope
from nn.activations import activation as activation_named
from nn.activations import acts_on_rows, gain, linear
from nn.checks import Seed, size
from nn.lookup import Function, name_of
from nn.module import Module


class Neuron(Module):
    """``activation(w · x + b)``: a weighted sum of its inputs, bent by an activation.

    Args:
        inputs: how many numbers it takes.
        activation: a name (see ``nn.activations``) or a function of one number.
        seed: an integer, or the NumPy generator to draw the weights from; None draws others every time.

    Weights start normally distributed with variance 1 / inputs, twice that before a rectifier; the bias
    starts at 0. Source: LeCun, Bottou, Orr, Müller 1998, "Efficient BackProp", and see ``activations.gain``.

    >>> neuron = Neuron(2, "relu", seed=0)
    >>> neuron.weights[0].data, neuron.weights[1].data = 0.5, -1.0
    >>> neuron([4.0, 1.0])
    Value(1.0, op=relu)

    Raises:
        ValueError: fewer than one input, an unknown activation; calling it on a row of another length.
    """

    def __init__(self, inputs: int, activation: str | Function = "tanh", *, seed: Seed = None) -> None:
        self.inputs = size(inputs, "inputs")
        self.activation = activation_named(activation)
        if acts_on_rows(self.activation):
            name = name_of(self.activation)
            raise ValueError(f"{name} is of several numbers together; write Layer({inputs}, outputs, {name!r})")
        spread = gain(self.activation) / math.sqrt(inputs)
        drawn = np.random.default_rng(seed).normal(0.0, spread, inputs)
        self.weights = [Value(w, label=f"w{i}") for i, w in enumerate(drawn)]
        self.bias = Value(0.0, label="b")

    def forward(self, row: Iterable[Any]) -> Value:
        """The output for a row of numbers or Values."""
        x = _as_values(row, self.inputs)
        weighted = [w_i * x_i for w_i, x_i in zip(self.weights, x, strict=True)]
        return self.activation(reduce(add, weighted) + self.bias)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.inputs}, activation={name_of(self.activation)!r}"


class Layer(Module):
    """``outputs`` neurons that all see the same ``inputs`` numbers. Called on a row, it gives a list of Values.

    Softmax and log-softmax are of all outputs together: the neurons are linear then, and the layer applies it.

    >>> layer = Layer(3, 2, seed=0)
    >>> [output.scope for output in layer([1.0, 2.0, 3.0])]
    ['neurons.0', 'neurons.1']
    >>> len(layer.parameters())
    8

    Raises:
        ValueError: as :class:`Neuron`.
    """

    def __init__(self, inputs: int, outputs: int, activation: str | Function = "tanh", *, seed: Seed = None) -> None:
        rng = np.random.default_rng(seed)
        self.inputs = size(inputs, "inputs")
        self.outputs = size(outputs, "outputs")
        self.activation = activation_named(activation)
        of_one = linear if acts_on_rows(self.activation) else self.activation
        self.neurons = []
        for i in range(outputs):
            with scope(f"neurons.{i}"):
                self.neurons.append(Neuron(inputs, of_one, seed=rng))

    def forward(self, row: Iterable[Any]) -> list[Value]:
        """The output of every neuron for a row of numbers or Values."""
        x = _as_values(row, self.inputs)
        outputs = [neuron(x) for neuron in self.neurons]
        return self.activation(outputs) if acts_on_rows(self.activation) else outputs

    def __repr__(self) -> str:
        return f"Layer({self.inputs}, {self.outputs}, activation={name_of(self.activation)!r})"


class Network(Module):
    """Layers one after the other, also called a multi-layer perceptron.

    Args:
        sizes: how many numbers go in, then how many neurons each layer has: ``[4, 8, 3]``.
        activation: of every layer but the last.
        output: the activation of the last layer.
        seed: as for :class:`Neuron`.

    Called on a row of ``sizes[0]`` numbers or Values, it gives a list of ``sizes[-1]`` Values, or the one
    Value where there is a single output. ``fit`` and ``predict`` find the matrices in it, and run batches through
    them; with ``compile=False`` they go number by number, as it is written.

    >>> network = Network([2, 3, 1], seed=0)
    >>> output = network([1.0, -1.0])
    >>> output.backward()
    >>> len(network.parameters()), all(p.grad is not None for p in network.parameters())
    (13, True)

    Raises:
        ValueError: fewer than two sizes, a size below one, an unknown activation; calling it on a row of
            another length.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str | Function = "tanh",
        *,
        output: str | Function = "linear",
        seed: Seed = None,
    ) -> None:
        if not hasattr(sizes, "__iter__"):
            raise TypeError(_one_list(sizes, activation))
        self.sizes = [size(n, "each size") for n in sizes]
        if len(self.sizes) < 2:
            raise ValueError(f"sizes are the inputs and then each layer, such as [4, 8, 3]; given {self.sizes}")
        rng = np.random.default_rng(seed)
        activation = activation_named(activation)  # an error also where no layer has it
        self.layers = []
        for i, (inputs, outputs) in enumerate(pairwise(self.sizes)):
            last = i == len(self.sizes) - 2
            with scope(f"layers.{i}"):
                self.layers.append(Layer(inputs, outputs, output if last else activation, seed=rng))

    @property
    def inputs(self) -> int:
        """How many numbers a row has."""
        return self.sizes[0]

    def forward(self, row: Iterable[Any]) -> Any:
        """The outputs for a row of numbers or Values: a list, or the one output alone."""
        x = _as_values(row, self.inputs)
        for layer in self.layers:
            x = layer(x)
        return x[0] if len(x) == 1 else x

    def __repr__(self) -> str:
        hidden, last = (name_of(layer.activation) for layer in (self.layers[0], self.layers[-1]))
        output = "" if last == "linear" else f", output={last!r}"
        return f"Network({self.sizes}, activation={hidden!r}{output})"


MLP = Network


def _one_list(inputs: Any, layers: Any) -> str:
    """What to say to who gives the inputs and the layers one by one, as micrograd has it."""
    rest = [*layers] if isinstance(layers, list | tuple) else [8, 1]
    return f"sizes are one list, the inputs and then each layer: Network({[inputs, *rest]}); given {inputs!r}"


def _as_values(row: Iterable[Any], expected: int) -> list[Value]:
    """A row as Values; plain numbers become constants, labelled by their place."""
    if not hasattr(row, "__iter__"):
        raise TypeError(f"expected a row of {expected} numbers or Values, and was given {row!r}")
    given = list(row)
    if any(np.ndim(x) for x in given if not isinstance(x, Value)):
        raise ValueError(f"expected one row of {expected} numbers, and was given rows; predict(X) takes many rows")
    if len(given) != expected:
        raise ValueError(f"expected a row of {expected} numbers, and was given {len(given)}")
    return [x if isinstance(x, Value) else Value(x, requires_grad=False, label=f"x{i}") for i, x in enumerate(given)]
