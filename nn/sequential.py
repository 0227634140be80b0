"""Sequential and Residual: modules made of modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from autodiff import Value
from nn.checks import head
from nn.module import Module


class Sequential(Module):
    """Layers one after the other: each is called on what the one before gives.

    Args:
        layers: modules, or plain functions such as ``nn.tanh``. An activation that a Dense or convolution is told of,
            ``Dense(64, 128, "relu")``, also decides how its weights start; of a function that comes after it in the
            list it knows nothing.

    >>> import numpy as np
    >>> from nn import Dense
    >>> rng = np.random.default_rng(0)
    >>> model = Sequential(Dense(64, 128, "relu", seed=rng), Dense(128, 10, seed=rng))
    >>> model(np.zeros((5, 64))).shape
    (5, 10)
    >>> model[1]
    Dense(128, 10)

    Raises:
        TypeError: a layer that cannot be called, such as a list of layers.
    """

    def __init__(self, *layers: Callable[..., Any]) -> None:
        for i, layer in enumerate(layers):
            if not callable(layer) or isinstance(layer, type):
                hint = "; write Sequential(*layers)" if isinstance(layer, list | tuple) else ""
                hint = f"; write {layer.__name__}(...)" if isinstance(layer, type) else hint
                raise TypeError(f"layer {i} of Sequential is {layer!r}, which is no layer{hint}")
        self.layers = list(layers)

    def forward(self, x: Any) -> Any:
        """What the last layer gives."""
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, i: int | slice) -> Any:
        return Sequential(*self.layers[i]) if isinstance(i, slice) else self.layers[i]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{len(self.layers)} layers"


class Residual(Module):
    """``x + layer(x)``: a layer learns what to change, and the gradient has a way around it.

    Source: He, Zhang, Ren, Sun 2016, "Deep Residual Learning for Image Recognition", arXiv:1512.03385.

    Args:
        layer: a module or function that gives an output of the shape of its input.

    Works in both tiers: of a row of Values, every number gets the output that stands in its place.

    >>> from nn import Dense, Layer
    >>> Residual(Dense(3, 3, seed=0))([1.0, 2.0, 3.0]).shape
    (3,)
    >>> len(Residual(Layer(3, 3, seed=0))([1.0, 2.0, 3.0]))
    3

    Raises:
        ValueError: the layer changes the shape.
    """

    def __init__(self, layer: Callable[..., Any]) -> None:
        self.layer = layer

    def forward(self, x: Any) -> Any:
        """x plus what the layer gives for it."""
        change = self.layer(x)
        before, after = _shape(x), _shape(change)
        if before != after:
            raise ValueError(f"{head(self.layer)} turns shape {before} into {after}, and x + layer(x) needs one shape")
        if isinstance(change, list | tuple):  # of Values; lists would be joined by +
            return [a + b for a, b in zip(x, change, strict=True)]
        return x + change

    def extra_repr(self) -> str:
        """The arguments."""
        return ""


def _shape(x: Any) -> tuple[int, ...]:
    """The shape of a tensor, an array or nested lists; a row of Values has one axis."""
    if isinstance(x, list | tuple) and any(isinstance(part, Value) for part in x):
        return (len(x),)
    return np.shape(x)
