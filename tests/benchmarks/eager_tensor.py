"""One eager training step with arrays, side by side: this engine, PyTorch, HIPS autograd, MyGrad, NumPy by hand.

The program: tanh hidden layer, linear output, mean squared error; loss and all gradients; float64.
Peers that are not installed are left out. Run: python -m tests.benchmarks.eager_tensor
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff import Tensor
from tests.benchmarks.side_by_side import available, interleaved, print_table

SIZES = [(64, 64, 10, 32), (784, 256, 10, 128)]


def data(inputs: int, hidden: int, outputs: int, batch: int) -> tuple[list[Any], Any, Any]:
    rng = np.random.default_rng(0)
    weights = [
        rng.normal(size=(inputs, hidden)) / inputs**0.5,
        np.zeros(hidden),
        rng.normal(size=(hidden, outputs)) / hidden**0.5,
        np.zeros(outputs),
    ]
    return weights, rng.normal(size=(batch, inputs)), rng.normal(size=(batch, outputs))


def clearprop(weights: list[Any], x: Any, y: Any) -> Callable[[], Any]:
    params = [Tensor(w) for w in weights]
    w1, b1, w2, b2 = params
    x, y = Tensor(x, requires_grad=False), Tensor(y, requires_grad=False)

    def step() -> Any:
        for p in params:
            p.grad = None
        loss = (((x @ w1 + b1).tanh() @ w2 + b2 - y) ** 2).mean()
        loss.backward()
        return [p.grad for p in params]

    return step


def by_hand(weights: list[Any], x: Any, y: Any) -> Callable[[], Any]:
    w1, b1, w2, b2 = weights

    def step() -> Any:
        hidden = np.tanh(x @ w1 + b1)
        error = hidden @ w2 + b2 - y
        (error * error).mean()
        d_out = error * (2 / error.size)
        d_hidden = d_out @ w2.T * (1 - hidden * hidden)
        return [x.T @ d_hidden, d_hidden.sum(0), hidden.T @ d_out, d_out.sum(0)]

    return step


def pytorch(weights: list[Any], x: Any, y: Any) -> Callable[[], Any]:
    import torch

    params = [torch.tensor(w, requires_grad=True) for w in weights]
    w1, b1, w2, b2 = params
    x, y = torch.tensor(x), torch.tensor(y)

    def step() -> Any:
        for p in params:
            p.grad = None
        loss = (((x @ w1 + b1).tanh() @ w2 + b2 - y) ** 2).mean()
        loss.backward()
        return [p.grad for p in params]

    return step


def hips(weights: list[Any], x: Any, y: Any) -> Callable[[], Any]:
    import autograd
    import autograd.numpy as anp

    def loss(params: Any) -> Any:
        w1, b1, w2, b2 = params
        return anp.mean((anp.tanh(x @ w1 + b1) @ w2 + b2 - y) ** 2)

    both = autograd.value_and_grad(loss)
    return lambda: both(weights)[1]


def mygrad(weights: list[Any], x: Any, y: Any) -> Callable[[], Any]:
    import mygrad as mg

    params = [mg.tensor(w) for w in weights]
    w1, b1, w2, b2 = params

    def step() -> Any:
        loss = mg.mean((mg.tanh(x @ w1 + b1) @ w2 + b2 - y) ** 2)
        loss.backward()
        return [p.grad for p in params]

    return step


def main(rounds: int) -> None:
    systems = {"clearprop": clearprop, "by hand (NumPy)": by_hand}
    systems |= available(
        {"torch": ("PyTorch eager", pytorch), "autograd": ("HIPS autograd", hips), "mygrad": ("MyGrad", mygrad)}
    )
    for size in SIZES:
        steps = {name: make(*data(*size)) for name, make in systems.items()}
        expected = [np.asarray(g) for g in steps["by hand (NumPy)"]()]
        for name, step in steps.items():
            for got, want in zip(step(), expected, strict=True):
                np.testing.assert_allclose(np.asarray(got), want, rtol=1e-9, atol=1e-12, err_msg=name)
        table = interleaved(steps, rounds, block=20 if size[0] < 100 else 2)
        print_table(f"{size[0]}-{size[1]}-{size[2]}, batch {size[3]}", table, "clearprop")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
