"""Activations by name. Each is a function of the engine, so it works on numbers, arrays and nodes alike."""

from __future__ import annotations

import math
from typing import Any

import autodiff
from nn.lookup import Function, lookup, name_of


def linear(x: Any) -> Any:
    """``x`` itself: no activation, and no node in the graph."""
    return x


ACTIVATIONS: dict[str, Function] = {
    "linear": linear,
    "tanh": autodiff.tanh,
    "sigmoid": autodiff.sigmoid,
    "relu": autodiff.relu,
    "leaky_relu": autodiff.leaky_relu,
    "elu": autodiff.elu,
    "selu": autodiff.selu,
    "gelu": autodiff.gelu,
    "gelu_tanh": autodiff.gelu_tanh,
    "silu": autodiff.silu,
    "softplus": autodiff.softplus,
    "sin": autodiff.sin,
}

_HALVES = {"relu", "leaky_relu"}  # activations that let about half of the signal's power through


def activation(which: str | Function) -> Function:
    """The activation of that name; a function of your own is returned as it is.

    >>> activation("tanh")(0.5) == math.tanh(0.5)
    True
    >>> activation(lambda x: x * x)(3.0)
    9.0

    Raises:
        ValueError: no such name; the message suggests the nearest.
        TypeError: neither a name nor a function.
    """
    return lookup("activation", which, ACTIVATIONS)


def gain(function: Function) -> float:
    """How much larger weights should start so that the signal keeps its power through ``function``.

    Source: He, Zhang, Ren, Sun 2015, arXiv:1502.01852: √2 for rectifiers. 1 for all others.
    """
    return math.sqrt(2) if name_of(function) in _HALVES else 1.0
