"""What the compiler is measured on: losses of one example, written with single numbers, as a lesson writes them.

Each loss is made for a set of functions (``tanh``, ``exp``, ...): with those of ``autodiff`` it runs on ``Value``s,
with those of a peer on the peer's numbers; ``by_hand`` has the same problem with matrices. Parameters are nested
lists of numbers, kept here as arrays; inputs have the batch as their first axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from tests.benchmarks import by_hand
from tests.benchmarks.by_hand import NEWTON_STEPS

Step = Callable[[], tuple[float, Any]]
"""Computes the mean loss over the batch and its gradients, in the structure of the parameters."""


@dataclass(eq=False)
class Problem:
    """A loss of one example, ``written`` with single numbers, and with matrices ``by_hand``."""

    title: str
    written: Callable[[Any], Callable[..., Any]]  # functions -> loss(parameters, *inputs of one example)
    by_hand: Callable[..., Step]
    parameters: Any
    inputs: tuple[Any, ...]

    @property
    def batch(self) -> int:
        """The number of examples."""
        return len(self.inputs[0])

    def first(self, examples: int) -> Problem:
        """The same problem with fewer examples."""
        return Problem(
            self.title, self.written, self.by_hand, self.parameters, tuple(x[:examples] for x in self.inputs)
        )


# ── networks ─────────────────────────────────────────────────────────────────────────────────────────
def layer(weights: Any, biases: Any, x: Sequence[Any]) -> list[Any]:
    """Each neuron adds what its weights make of the inputs to its bias."""
    return [sum((w * xi for w, xi in zip(row, x, strict=True)), b) for row, b in zip(weights, biases, strict=True)]


def hinge_network(f: Any) -> Callable[..., Any]:
    """A network with ReLU whose one score should be above 1 or below -1."""

    def loss(layers: Any, x: Any, label: Any) -> Any:
        *hidden, last = layers
        for weights, biases in hidden:
            x = [f.relu(z) for z in layer(weights, biases, x)]
        [score] = layer(*last, x)
        return f.relu(1 - label * score)

    return loss


def regression_network(f: Any) -> Callable[..., Any]:
    """A network with tanh and a linear output: the mean squared error."""

    def loss(layers: Any, x: Any, y: Any) -> Any:
        hidden, output = layers
        h = [f.tanh(z) for z in layer(*hidden, x)]
        return sum((o - yi) ** 2 for o, yi in zip(layer(*output, h), y, strict=True)) / len(y)

    return loss


def classifier(f: Any) -> Callable[..., Any]:
    """A network with ReLU and softmax: the cross-entropy with a label written as ten numbers."""

    def loss(layers: Any, x: Any, label: Any) -> Any:
        hidden, output = layers
        h = [f.relu(z) for z in layer(*hidden, x)]
        scores = layer(*output, h)
        right = sum(s * yes for s, yes in zip(scores, label, strict=True))
        return f.log(sum(f.exp(s) for s in scores)) - right

    return loss


def dense(rng: np.random.Generator, *sizes: int) -> list[list[Any]]:
    """The weights and the biases of each layer."""
    return [[rng.normal(size=(o, i)) / i**0.5, 0.1 * rng.normal(size=o)] for i, o in pairwise(sizes)]


def small_network() -> Problem:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 2))
    label = np.where(x[:, 0] * x[:, 1] + 0.3 * rng.normal(size=100) > 0, 1.0, -1.0)
    return Problem("2-16-16-1", hinge_network, by_hand.hinge_network, dense(rng, 2, 16, 16, 1), (x, label))


def middle_network(batch: int = 128) -> Problem:
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(batch, 64)), rng.normal(size=(batch, 10))
    return Problem("64-64-10", regression_network, by_hand.regression_network, dense(rng, 64, 64, 10), inputs)


def large_network() -> Problem:
    rng = np.random.default_rng(2)
    inputs = rng.uniform(size=(128, 784)), np.eye(10)[rng.integers(10, size=128)]
    return Problem("784-128-10", classifier, by_hand.classifier, dense(rng, 784, 128, 10), inputs)


# ── sequences ────────────────────────────────────────────────────────────────────────────────────────
def rnn_last(f: Any) -> Callable[..., Any]:
    """A tanh recurrent network, read after the last step of a sequence of numbers."""

    def loss(parameters: Any, xs: Any, y: Any) -> Any:
        inward, recurrent, biases, readout, offset = parameters
        h = [0.0] * len(biases)
        for x in xs:
            z = layer(recurrent, biases, h)
            h = [f.tanh(w * x + zi) for w, zi in zip(inward, z, strict=True)]
        return (sum(v * hi for v, hi in zip(readout, h, strict=True)) + offset - y) ** 2

    return loss


def rnn_every(f: Any) -> Callable[..., Any]:
    """The same network, read after every step."""

    def loss(parameters: Any, xs: Any, ys: Any) -> Any:
        inward, recurrent, biases, readout, offset = parameters
        h = [0.0] * len(biases)
        total = 0.0
        for x, y in zip(xs, ys, strict=True):
            z = layer(recurrent, biases, h)
            h = [f.tanh(w * x + zi) for w, zi in zip(inward, z, strict=True)]
            total += (sum(v * hi for v, hi in zip(readout, h, strict=True)) + offset - y) ** 2
        return total / len(ys)

    return loss


def lstm_last(f: Any) -> Callable[..., Any]:
    """A long short-term memory, read after the last step of a sequence of numbers."""

    def loss(parameters: Any, xs: Any, y: Any) -> Any:
        weights, biases, readout, offset = parameters
        h = [0.0] * len(readout)
        c = [0.0] * len(readout)
        for x in xs:
            gates = [layer(w, b, [x, *h]) for w, b in zip(weights, biases, strict=True)]
            keep, write, show = ([f.sigmoid(z) for z in gate] for gate in gates[:3])
            new = [f.tanh(z) for z in gates[3]]
            c = [k * ci + w * n for k, ci, w, n in zip(keep, c, write, new, strict=True)]
            h = [s * f.tanh(ci) for s, ci in zip(show, c, strict=True)]
        return (sum(v * hi for v, hi in zip(readout, h, strict=True)) + offset - y) ** 2

    return loss


def rnn(every: bool = False, hidden: int = 16, steps: int = 30, batch: int = 32) -> Problem:
    rng = np.random.default_rng(3)
    n = hidden
    recurrent = rng.normal(size=(n, n)) / n**0.5
    parameters = [rng.normal(size=n), recurrent, 0.1 * rng.normal(size=n), rng.normal(size=n) / n**0.5, 0.1]
    xs = rng.normal(size=(batch, steps))
    if every:
        title = f"RNN, hidden {n}, {steps} steps, read at each"
        return Problem(title, rnn_every, by_hand.rnn_every, parameters, (xs, rng.normal(size=(batch, steps))))
    return Problem(
        f"RNN, hidden {n}, {steps} steps", rnn_last, by_hand.rnn_last, parameters, (xs, rng.normal(size=batch))
    )


def lstm(hidden: int = 8, steps: int = 30, batch: int = 32) -> Problem:
    rng = np.random.default_rng(4)
    n = hidden
    weights, biases = rng.normal(size=(4, n, 1 + n)) / n**0.5, 0.1 * rng.normal(size=(4, n))
    parameters = [weights, biases, rng.normal(size=n) / n**0.5, 0.1]
    inputs = rng.normal(size=(batch, steps)), rng.normal(size=batch)
    return Problem(f"LSTM, hidden {n}, {steps} steps", lstm_last, by_hand.lstm_last, parameters, inputs)


def attention_head(f: Any) -> Callable[..., Any]:
    """Every position asks all positions, and takes the mean of their values weighted by how well their keys fit."""

    def dot(a: Sequence[Any], b: Sequence[Any]) -> Any:
        return sum(ai * bi for ai, bi in zip(a, b, strict=True))

    def loss(parameters: Any, xs: Any, ys: Any) -> Any:
        queries, keys, values = ([[dot(row, x) for row in weights] for x in xs] for weights in parameters)
        scale = 1 / len(queries[0]) ** 0.5
        total = 0.0
        for query, y in zip(queries, ys, strict=True):
            fits = [f.exp(dot(query, key) * scale) for key in keys]
            everything = sum(fits)
            shares = [fit / everything for fit in fits]
            for k, yk in enumerate(y):
                total += (sum(s * value[k] for s, value in zip(shares, values, strict=True)) - yk) ** 2
        return total / (len(ys) * len(ys[0]))

    return loss


def attention(positions: int = 8, size: int = 8, batch: int = 32) -> Problem:
    rng = np.random.default_rng(5)
    parameters = [rng.normal(size=(size, size)) / size**0.5 for _ in range(3)]
    inputs = rng.normal(size=(batch, positions, size)), rng.normal(size=(batch, positions, size))
    return Problem(f"attention, {positions} x {size}", attention_head, by_hand.attention_head, parameters, inputs)


# ── an orbit ─────────────────────────────────────────────────────────────────────────────────────────


def orbit(f: Any) -> Callable[..., Any]:
    """How far a planet is from where it was seen: Kepler's equation E - e sin(E) = M, solved by Newton's method.

    The parameters are the orbit's size and eccentricity e; M, an angle, stands for the time of the observation.
    """

    def loss(parameters: Any, angle: Any, seen: Any) -> Any:
        size, eccentricity = parameters
        e = angle
        for _ in range(NEWTON_STEPS):
            e = e - (e - eccentricity * f.sin(e) - angle) / (1 - eccentricity * f.cos(e))
        return (size * (f.cos(e) - eccentricity) - seen) ** 2

    return loss


def newton(batch: int) -> Problem:
    rng = np.random.default_rng(6)
    angles = rng.uniform(0.2, 3, size=batch)
    inputs = angles, 1.5 * (np.cos(angles) - 0.3)
    return Problem(f"Newton's method, {NEWTON_STEPS} times", orbit, by_hand.orbit, [1.4, 0.4], inputs)
