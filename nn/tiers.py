"""From arrays to single numbers and back: the same network in the other tier, with the same weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import numpy as np

from autodiff import Tensor, scope
from nn.activations import acts_on_rows, linear
from nn.layers.activation import Activation
from nn.layers.dense import Dense
from nn.lookup import Function, name_of
from nn.module import Module
from nn.neuron import Layer, Network
from nn.sequential import Sequential


def to_network(model: Sequential) -> Network:
    """The network of neurons that computes what ``model`` does, one number at a time: for reading and drawing.

    Args:
        model: a Sequential of Dense and Linear layers, of activations between them, and of Sequentials of those.

    The weights are copied: training one of the two leaves the other as it was.

    >>> model = Sequential(Dense(2, 3, "tanh", seed=0), Dense(3, 1, seed=1))
    >>> network = to_network(model)
    >>> network
    Network([2, 3, 1], activation='tanh')
    >>> abs(network([0.5, -1.0]).data - model([[0.5, -1.0]]).data.item()) < 1e-15
    True

    Raises:
        TypeError: ``model`` is no Sequential, or holds a layer that neurons have no word for; it is named.
        ValueError: an activation before the first Dense; sizes that do not follow each other; softmax along the
            batch, or beside another activation of one layer.
    """
    if not isinstance(model, Sequential):
        raise TypeError(f"to_network takes a Sequential, and was given {model!r}")
    parts = _dense_layers(model)
    sizes = [parts[0][0].inputs, *(dense.outputs for dense, _ in parts)]
    network = Network(sizes, seed=0)
    network.layers = []
    for i, (dense, function) in enumerate(parts):
        with scope(f"layers.{i}"):
            network.layers.append(_neurons(dense, function))
    return network


def to_sequential(network: Network) -> Sequential:
    """The Sequential that computes what ``network`` does, on whole batches: for speed.

    The weights are copied: training one of the two leaves the other as it was.

    >>> network = Network([2, 3, 1], "tanh", seed=0)
    >>> to_sequential(network)
    Sequential(2 layers)
      layers.0: Dense(2, 3, activation='tanh')
      layers.1: Dense(3, 1)

    Raises:
        TypeError: ``network`` is no Network.
        ValueError: the neurons of one layer have different activations.
    """
    if not isinstance(network, Network):
        raise TypeError(f"to_sequential takes a Network, and was given {network!r}")
    return Sequential(*(_dense(f"layers.{i}", layer) for i, layer in enumerate(network.layers)))


# ── to neurons ───────────────────────────────────────────────────────────────────────────────────────
def _dense_layers(model: Sequential) -> list[tuple[Dense, Function]]:
    """Each Dense with the activation of its outputs: its own, or those that follow it."""
    found: list[tuple[Dense, list[Function]]] = []
    for path, layer in _flat(model, ""):
        if isinstance(layer, Dense):
            if found and layer.inputs != found[-1][0].outputs:
                before = found[-1][0].outputs
                raise ValueError(f"{path} is {layer!r}, and the layer before has {before} outputs")
            found.append((layer, [layer.activation]))
        elif isinstance(layer, Module) and not isinstance(layer, Activation):
            raise TypeError(f"{path} is {layer!r}; to_network knows Dense and Linear layers and activations")
        elif not found:
            raise ValueError(f"{path} is {_name(layer)} of the inputs, and neurons have activations of their outputs")
        else:
            found[-1][1].append(layer.function if isinstance(layer, Activation) else layer)
    if not found:
        raise ValueError("to_network needs at least one Dense layer, and was given none")
    return [(dense, _one_after_the_other(dense, functions)) for dense, functions in found]


def _flat(model: Sequential, path: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    for i, layer in enumerate(model.layers):
        inner = f"{path}layers.{i}"
        if isinstance(layer, Sequential):
            yield from _flat(layer, f"{inner}.")
        else:
            yield inner, layer


def _one_after_the_other(dense: Dense, functions: list[Function]) -> Function:
    bending = [function for function in functions if function is not linear]
    if not bending:
        return linear
    of_rows = [function for function in bending if acts_on_rows(function)]
    if of_rows and getattr(of_rows[0], "keywords", {}).get("axis", -1) != -1:
        raise ValueError(f"{name_of(of_rows[0])} after {dense!r} is not along the last axis, the outputs of a layer")
    if len(bending) == 1:
        return bending[0]
    if of_rows:
        raise ValueError(f"{dense!r} is followed by {' and '.join(map(name_of, bending))}, and a layer has one of them")

    def composed(x: Any) -> Any:
        return reduce(lambda x, function: function(x), bending, x)

    composed.__name__ = " then ".join(map(name_of, bending))
    return composed


def _neurons(dense: Dense, function: Function) -> Layer:
    layer = Layer(dense.inputs, dense.outputs, function, seed=0)
    biases = Tensor(np.zeros(dense.outputs), requires_grad=False) if dense.bias is None else dense.bias
    for neuron, weights, bias in zip(layer.neurons, dense.weight.data.tolist(), biases.data.tolist(), strict=True):
        for w, number in zip(neuron.weights, weights, strict=True):
            w.data, w.requires_grad = number, dense.weight.requires_grad
        neuron.bias.data, neuron.bias.requires_grad = bias, biases.requires_grad
    return layer


def _name(layer: Any) -> str:
    return name_of(layer.function if isinstance(layer, Activation) else layer)


# ── to arrays ────────────────────────────────────────────────────────────────────────────────────────
def _dense(path: str, layer: Layer) -> Dense:
    weights = [[w.data for w in neuron.weights] for neuron in layer.neurons]
    biases = [neuron.bias for neuron in layer.neurons]
    bias = any(b.requires_grad or b.data for b in biases)
    dense = Dense(layer.inputs, layer.outputs, _activation_of(path, layer), bias=bias, initializer="zeros")
    dense.weight.data = weights
    if dense.bias is not None:
        dense.bias.data = [b.data for b in biases]
    return dense


def _activation_of(path: str, layer: Layer) -> Function:
    used = {neuron.activation for neuron in layer.neurons}
    if len(used) > 1:
        names = " and ".join(sorted(map(name_of, used)))
        raise ValueError(f"the neurons of {path} have different activations, {names}, and a Dense has one")
    (of_neurons,) = used
    of_all = getattr(layer, "activation", None) or linear  # such as softmax, which is of all neurons together
    return of_neurons if of_all is linear else of_all
