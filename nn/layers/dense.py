"""Dense: a layer of neurons as one matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff import Tensor, add, matmul
from nn.activations import activation as activation_named
from nn.activations import gain, linear
from nn.checks import Seed, features_of, size
from nn.initializers import Initializer
from nn.initializers import initializer as initializer_named
from nn.lookup import Function, name_of
from nn.module import Module


class Dense(Module):
    """``activation(x @ W.T + b)``: every output is a weighted sum of all inputs, bent by an activation.

    The same as a scalar :class:`Layer`, for a whole batch at once; see ``nn.to_network``.

    Args:
        inputs: how many features the last axis of x has.
        outputs: how many it has afterwards.
        activation: a name (see ``nn.activations``) or a function of a tensor.
        bias: whether b is added.
        initializer: of the weights: a name (see ``nn.initializers``) or a function ``(shape, rng) -> array``. By
            default normal with variance 1 / inputs, twice that before a rectifier. The bias starts at 0.
        seed: an integer, or the NumPy generator to draw the weights from; None draws others every time.

    Shapes: x (..., inputs); output (..., outputs); weight (outputs, inputs); bias (outputs,).

    >>> layer = Dense(3, 2, "relu", seed=0)
    >>> layer(np.ones((5, 3))).shape
    (5, 2)
    >>> layer(np.ones((5, 4)))
    Traceback (most recent call last):
    ...
    ValueError: Dense(3, 2, activation='relu') takes 3 features in the last axis, and was given shape (5, 4)

    Raises:
        ValueError: a size below one, an unknown activation or initializer; x has another number of features.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        activation: str | Function = "linear",
        *,
        bias: bool = True,
        initializer: str | Initializer | None = None,
        seed: Seed = None,
    ) -> None:
        self.inputs, self.outputs = size(inputs, "inputs"), size(outputs, "outputs")
        self.activation = activation_named(activation)
        draw = initializer_named(initializer or start_before(self.activation))
        self.weight = Tensor(draw((self.outputs, self.inputs), np.random.default_rng(seed)), label="W")
        self.bias = Tensor(np.zeros(self.outputs), label="b") if bias else None

    def forward(self, x: Any) -> Any:
        """The outputs for x of shape (..., inputs)."""
        x = features_of(self, x, self.inputs)
        weighted = matmul(x, self.weight.T)
        return self.activation(weighted if self.bias is None else add(weighted, self.bias))

    def extra_repr(self) -> str:
        """The arguments."""
        shown = "" if self.activation is linear else f", activation={name_of(self.activation)!r}"
        return f"{self.inputs}, {self.outputs}{shown}{'' if self.bias is not None else ', bias=False'}"


class Linear(Dense):
    """``x @ W.T + b``: :class:`Dense` without an activation.

    Shapes: x (..., inputs); output (..., outputs); weight (outputs, inputs); bias (outputs,).

    >>> layer = Linear(2, 1, seed=0)
    >>> layer.weight.data, layer.bias.data = [[2.0, 3.0]], [1.0]
    >>> layer([10.0, 1.0])
    Tensor([24.], op=add)

    Raises:
        ValueError: as :class:`Dense`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        bias: bool = True,
        initializer: str | Initializer | None = None,
        seed: Seed = None,
    ) -> None:
        super().__init__(inputs, outputs, bias=bias, initializer=initializer, seed=seed)


def start_before(activation: Function) -> str:
    """The initializer of weights whose outputs go through ``activation``, so that the signal keeps its power.

    >>> from autodiff import relu, tanh
    >>> start_before(relu), start_before(tanh)
    ('he_normal', 'lecun_normal')
    """
    return "he_normal" if gain(activation) > 1 else "lecun_normal"
