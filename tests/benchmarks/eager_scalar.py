"""micrograd's demonstration program, one number at a time: this engine and micrograd, side by side.

A 2-16-16-1 network with ReLU, hinge loss and 1e-4 L2 on 100 samples: the loss and its 337 gradients. Every
system runs the same text (``Program``); loss and gradients are compared before anything is timed.

It is timed twice: with the cyclic garbage collector as Python starts it, and with the collector off. A
graph with reference cycles (micrograd's) waits for the collector, which is part of what that design costs:
so blocks of steps are timed, and what a system leaves behind is collected before the next one's turn. With
the collector off such a graph is never freed, which saves the time of freeing it; the last row frees it.

Run: python -m tests.benchmarks.eager_scalar [ROUNDS] [--all]
(--all adds PyTorch and HIPS autograd, which take 0.6 s and 6 s a step: few rounds.)
"""

from __future__ import annotations

import gc
import math
import random
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from autodiff import Value
from tests.benchmarks.side_by_side import available, interleaved, paired_ratio, print_table, verdict

SIZES = [2, 16, 16, 1]
SAMPLES = 100
BLOCK = 5  # steps in a row: enough for a system with cycles to meet its own collections


def moons() -> tuple[list[list[float]], list[int]]:
    """Two interleaved half circles with noise, and their labels -1 and 1."""
    rng = random.Random(1337)
    points, labels = [], []
    for k in range(SAMPLES):
        angle, upper = math.pi * (k // 2) / (SAMPLES / 2 - 1), k % 2 == 0
        x, y = (math.cos(angle), math.sin(angle)) if upper else (1 - math.cos(angle), 0.5 - math.sin(angle))
        points.append([x + rng.gauss(0, 0.1), y + rng.gauss(0, 0.1)])
        labels.append(-1 if upper else 1)
    return points, labels


def start() -> list[float]:
    """Weights in (-1, 1) and biases 0, neuron by neuron."""
    rng = random.Random(0)
    weights = []
    for inputs, outputs in pairwise(SIZES):
        for _ in range(outputs):
            weights += [rng.uniform(-1, 1) for _ in range(inputs)] + [0.0]
    return weights


def relu_method(x: Any) -> Any:
    return x.relu()


class Program:
    """The program as a beginner writes it, for any engine whose numbers know +, *, unary - and relu."""

    def __init__(self, value: Callable[[float], Any], relu: Callable[[Any], Any] = relu_method) -> None:
        self.value, self.relu = value, relu
        self.points, self.labels = moons()

    def neuron(self, weights: list[Any], bias: Any, x: list[Any], hidden: bool) -> Any:
        act = sum((wi * xi for wi, xi in zip(weights, x, strict=True)), bias)
        return self.relu(act) if hidden else act

    def model(self, parameters: list[Any], x: list[Any]) -> Any:
        k = 0
        for inputs, outputs in pairwise(SIZES):
            out = []
            for _ in range(outputs):
                weights, bias = parameters[k : k + inputs], parameters[k + inputs]
                out.append(self.neuron(weights, bias, x, hidden=outputs > 1))
                k += inputs + 1
            x = out
        return x[0]

    def loss(self, parameters: list[Any]) -> Any:
        inputs = [list(map(self.value, row)) for row in self.points]
        scores = [self.model(parameters, x) for x in inputs]
        losses = [self.relu(1 + -y * score) for y, score in zip(self.labels, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        reg_loss = 1e-4 * sum(p * p for p in parameters)
        return data_loss + reg_loss


Step = Callable[[], tuple[float, list[float]]]


def clearprop(weights: list[float]) -> Step:
    program, parameters = Program(Value), [Value(w) for w in weights]

    def step() -> tuple[float, list[float]]:
        for p in parameters:
            p.grad = None
        loss = program.loss(parameters)
        loss.backward()
        return loss.data, [p.grad for p in parameters]

    return step


def micrograd(weights: list[float]) -> Step:
    from micrograd.engine import Value

    program, parameters = Program(Value), [Value(w) for w in weights]

    def step() -> tuple[float, list[float]]:
        for p in parameters:
            p.grad = 0
        loss = program.loss(parameters)
        loss.backward()
        return loss.data, [p.grad for p in parameters]

    return step


def pytorch(weights: list[float]) -> Step:
    import torch

    def value(x: float) -> Any:
        return torch.tensor(x, dtype=torch.float64, requires_grad=True)

    program, parameters = Program(value), [value(w) for w in weights]

    def step() -> tuple[float, list[float]]:
        for p in parameters:
            p.grad = None
        loss = program.loss(parameters)
        loss.backward()
        return loss.item(), [p.grad.item() for p in parameters]

    return step


def hips(weights: list[float]) -> Step:
    import autograd
    import autograd.numpy as anp

    program = Program(float, relu=lambda x: anp.maximum(x, 0.0))
    both = autograd.value_and_grad(program.loss)
    return lambda: both(weights)


def collecting(step: Step) -> Step:
    """The same step when it must not leak: with the collector off, cycles have to be collected by hand."""

    def collected() -> tuple[float, list[float]]:
        result = step()
        gc.collect()
        return result

    return collected


def main(rounds: int, everything: bool = False) -> None:
    makers = {"clearprop": clearprop} | available({"micrograd": ("micrograd", micrograd)})
    if everything:
        makers |= available({"torch": ("PyTorch eager", pytorch), "autograd": ("HIPS autograd", hips)})
    steps = {name: make(start()) for name, make in makers.items()}
    loss, gradients = steps["clearprop"]()
    print(f"loss {loss:.6f}, {len(gradients)} gradients")
    for name, step in steps.items():
        other_loss, other_gradients = step()
        np.testing.assert_allclose(other_loss, loss, rtol=1e-12, err_msg=name)
        np.testing.assert_allclose(other_gradients, gradients, rtol=1e-9, atol=1e-15, err_msg=name)

    for collector, target in [(True, 5.0), (False, 1.3)]:
        if not collector:
            gc.disable()
            if "micrograd" in steps:
                steps["micrograd + gc.collect()"] = collecting(steps["micrograd"])
        try:
            table = interleaved(steps, rounds, BLOCK, before=gc.collect, clock=time.process_time)
        finally:
            gc.enable()
        state = "on (the default)" if collector else "off"
        print_table(f"2-16-16-1, 100 samples, cyclic collector {state}, processor time", table, "clearprop")
        if "micrograd" in table:
            ratio = paired_ratio(table["micrograd"], table["clearprop"])
            verdict("times as fast as micrograd", ratio, target, at_least=True)


if __name__ == "__main__":
    numbers = [int(a) for a in sys.argv[1:] if a.isdigit()]
    everything = "--all" in sys.argv
    main(numbers[0] if numbers else 1 if everything else 5, everything)
