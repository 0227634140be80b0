"""Programs that the tests walk through."""

from __future__ import annotations

import numpy as np

from autodiff import Node, Tensor, Value, scope
from nn import SGD
from viz.player import Player, steps


def product() -> Value:
    """``(a * b + a) ** 2``: four forward steps less one, a node that is used twice, and all numbers different."""
    a, b = Value(1.5, label="a"), Value(-3.0, label="b")
    c = a * b
    c.label = "c"
    y = (c + a) ** 2
    y.label = "y"
    return y


def neuron() -> Node:
    x, w, b = Value(2.0, label="x"), Value(0.4, label="w"), Value(-0.3, label="b")
    z = w * x + b
    y = z.tanh()
    loss = (y - 1) ** 2 + w * w
    loss.label = "loss"
    return loss


def training(rounds: int = 2) -> tuple[Player, Value, Value]:
    """A page of some training steps, and the two parameters."""
    w, b = Value(0.4, label="w"), Value(-0.3, label="b")

    def program() -> Value:
        loss = ((w * 2.0 + b).tanh() - 1) ** 2
        loss.label = "loss"
        return loss

    return steps(program, optimizer=SGD([w, b], learning_rate=0.1), rounds=rounds), w, b


def arrays() -> Tensor:
    rng = np.random.default_rng(0)
    X = Tensor(rng.normal(size=(4, 3)), label="X", requires_grad=False)
    W, b = Tensor(rng.normal(size=(3, 2)), label="W"), Tensor(np.zeros(2), label="b")
    loss = ((X @ W + b).tanh() ** 2).mean()
    loss.label = "loss"
    return loss


def chain(length: int) -> Value:
    """A long graph: ``length`` operations, every one of which needs ``x`` and the one before."""
    x = Value(0.7, label="x")
    y = x
    for k in range(length):
        y = y * x if k % 3 == 0 else y + x if k % 3 == 1 else y.tanh()
    return y


def network(widths: tuple[int, ...] = (3, 4, 4, 1)) -> Value:
    """A network of single numbers, with scopes."""
    rng = np.random.default_rng(1)
    values = [Value(float(x), label=f"x{k}") for k, x in enumerate(rng.normal(size=widths[0]).round(2))]
    for layer, width in enumerate(widths[1:]):
        following = []
        for k in range(width):
            with scope(f"layers.{layer}"), scope(f"neurons.{k}"):
                total = Value(0.1, label="b")
                for i, x in enumerate(values):
                    total = total + Value(float(rng.normal()), label=f"w{i}") * x
                following.append(total.tanh())
        values = following
    loss = (values[0] - 1.0) ** 2
    loss.label = "loss"
    return loss
