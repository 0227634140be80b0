"""From arrays to single numbers and back: the same network in the other tier, with the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import numpy as np

from autodiff import Tensor, Value, scope
from nn.activations import acts_on_rows, linear
from nn.checks import head
from nn.layers.activation import Activation
from nn.layers.dense import Dense
from nn.lookup import Function, name_of
from nn.module import Module
from nn.neuron import Layer, Network, Neuron
from nn.sequential import Sequential

_KINDS = (Activation, Dense, Sequential, Neuron, Layer, Network)


def to_network(model: Sequential) -> Network:
    """The network of neurons that computes what ``model`` does, one number at a time: for reading and drawing.

    Args:
        model: a Sequential of Dense and Linear layers, of activations between them, and of Sequentials of those.

    The weights are copied: training one of the two leaves the other as it was. What is frozen stays frozen.

    >>> model = Sequential(Dense(2, 3, "tanh", seed=0), Dense(3, 1, seed=1))
    >>> network = to_network(model)
    >>> network
    Network([2, 3, 1], activation='tanh')
    >>> abs(network([0.5, -1.0]).data - model([[0.5, -1.0]]).data.item()) < 1e-15
    True

    Raises:
        TypeError: ``model`` is no Sequential, or holds a layer that neurons have no word for, such as one with a
            ``forward`` of its own; it is named.
        ValueError: an activation before the first Dense; sizes that do not follow each other; softmax along the
            batch, or beside another activation of one layer.
    """
    if not _is(Sequential, model):
        raise TypeError(f"to_network takes a Sequential, and was given {_shown(model)}")
    parts = _dense_layers(model)
    sizes = [parts[0][0].inputs, *(dense.outputs for dense, _ in parts)]
    network = Network(sizes, seed=0)
    network.layers = []
    for i, (dense, function) in enumerate(parts):
        with scope(f"layers.{i}"):
            network.layers.append(_neurons(dense, function))
    return network


def to_sequential(network: Network) -> Sequential:
    """The Sequential that computes what ``network`` does, on whole batches of arrays.

    The weights are copied: training one of the two leaves the other as it was. What is frozen stays frozen.

    >>> network = Network([2, 3, 1], "tanh", seed=0)
    >>> to_sequential(network)
    Sequential(2 layers)
      layers.0: Dense(2, 3, activation='tanh')
      layers.1: Dense(3, 1)

    Raises:
        TypeError: ``network`` is no Network, or a part of it has a ``forward`` of its own.
        ValueError: the neurons of one layer have different activations, or only some of its weights are frozen.
    """
    if not _is(Network, network):
        raise TypeError(f"to_sequential takes a Network, and was given {_shown(network)}")
    return Sequential(*(_dense(f"layers.{i}", layer) for i, layer in enumerate(network.layers)))


def _is(kind: type[Module], thing: Any) -> bool:
    """Whether it is of that kind, and computes what it does: a subclass may have a ``forward`` of its own."""
    return isinstance(thing, kind) and type(thing).forward is kind.forward


def _shown(thing: Any) -> str:
    own = isinstance(thing, _KINDS) and not any(_is(kind, thing) for kind in _KINDS)
    return f"{head(thing)}{', which has a forward of its own' if own else ''}"


# ── to neurons ───────────────────────────────────────────────────────────────────────────────────────
def _dense_layers(model: Sequential) -> list[tuple[Dense, Function]]:
    """Each Dense with the activation of its outputs: its own, or those that follow it."""
    found: list[tuple[Dense, list[Function]]] = []
    for path, layer in _flat(model, ""):
        if _is(Dense, layer):
            if found and layer.inputs != found[-1][0].outputs:
                before = found[-1][0].outputs
                raise ValueError(f"{path} is {head(layer)}, and the layer before has {before} outputs")
            found.append((layer, [_function(f"{path}.activation", layer.activation)]))
            continue
        function = _function(path, layer)
        if not found:
            name = name_of(function)
            raise ValueError(f"{path} is {name} of the inputs, and neurons have activations of their outputs")
        found[-1][1].append(function)
    if not found:
        raise ValueError("to_network needs at least one Dense layer, and was given none")
    return [(dense, _one_after_the_other(dense, functions)) for dense, functions in found]


def _flat(model: Any, path: str) -> Iterator[tuple[str, Any]]:
    for i, layer in enumerate(model.layers):
        inner = f"{path}layers.{i}"
        if _is(Sequential, layer):
            yield from _flat(layer, f"{inner}.")
        else:
            yield inner, layer


def _one_after_the_other(dense: Dense, functions: list[Function]) -> Function:
    bending = [function for function in functions if function is not linear]
    if not bending:
        return linear
    of_rows = [function for function in bending if acts_on_rows(function)]
    if of_rows and getattr(of_rows[0], "keywords", {}).get("axis", -1) != -1:
        raise ValueError(
            f"{name_of(of_rows[0])} after {head(dense)} is not along the last axis, the outputs of a layer"
        )
    if len(bending) == 1:
        return bending[0]
    if of_rows:
        raise ValueError(
            f"{head(dense)} is followed by {' and '.join(map(name_of, bending))}, and a layer has one of them"
        )

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


def _function(path: str, layer: Any) -> Function:
    """What a layer without parameters is of each row; an Activation is the function inside it."""
    while _is(Activation, layer):
        layer = layer.function
    if isinstance(layer, Module):
        raise TypeError(f"{path} is {_shown(layer)}; to_network knows Dense and Linear layers and activations")
    return layer  # type: ignore[no-any-return]


# ── to arrays ────────────────────────────────────────────────────────────────────────────────────────
def _dense(path: str, layer: Layer) -> Dense:
    for part in (layer, *layer.neurons):
        if not _is(Layer, part) and not _is(Neuron, part):
            raise TypeError(f"{path} has {_shown(part)}; to_sequential knows Layers of Neurons")
    weights = [w for neuron in layer.neurons for w in neuron.weights]
    biases = [neuron.bias for neuron in layer.neurons]
    bias = any(b.requires_grad or b.data for b in biases)
    dense = Dense(layer.inputs, layer.outputs, _activation_of(path, layer), bias=bias, initializer="zeros")
    for leaf, values in ((dense.weight, weights), (dense.bias, biases)):
        if leaf is not None:
            leaf.data = np.reshape([value.data for value in values], leaf.shape)
            leaf.requires_grad = _trained(path, values)
    return dense


def _trained(path: str, values: list[Value]) -> bool:
    kinds = {value.requires_grad for value in values}
    if len(kinds) > 1:
        raise ValueError(f"{path} has weights that are trained and others that are frozen, and a Dense has one array")
    return kinds.pop()


def _activation_of(path: str, layer: Layer) -> Function:
    used = {neuron.activation for neuron in layer.neurons}
    if len(used) > 1:
        names = " and ".join(sorted(map(name_of, used)))
        raise ValueError(f"the neurons of {path} have different activations, {names}, and a Dense has one")
    (of_neurons,) = used
    of_all = getattr(layer, "activation", None) or linear  # such as softmax, which is of all neurons together
    return of_neurons if of_all is linear else of_all
