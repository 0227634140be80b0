"""Random functions of single numbers, in the style of a learner: what re-rolling finds, and what it does not.

A function is drawn as it runs, from a seed, so that it is the same function at every run. It takes parameters and
inputs as nested lists, and makes pools of numbers, each from earlier ones.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from autodiff import (
    abs,
    clip,
    elu,
    exp,
    leaky_relu,
    log,
    maximum,
    minimum,
    no_grad,
    relu,
    sigmoid,
    silu,
    sin,
    softplus,
    sqrt,
    tanh,
    where,
)
from autodiff.trees import flatten
from tests.autodiff.compiler.examples import dot, sizes

Numbers = list[Any]

MANY, WIDE = 100, 16

FUNCTIONS = [tanh, sigmoid, relu, sin, softplus, silu, lambda z: z * z, lambda z: z**2, lambda z: -z, abs]


class Draw:
    """What a kind of layer draws from.

    Attributes:
        weights: all parameters.
        pools: the inputs, and the numbers of each layer so far.
        pool, other: two of the pools.
        widest: how many numbers a layer takes and makes at most: five, or more where there are many weights.
        some: so many numbers of ``pool``, mostly in their order.
    """

    def __init__(self, rng: random.Random, weights: Numbers, pools: list[Numbers]) -> None:
        self.rng, self.weights, self.pools = rng, weights, pools
        self.pool, self.other = rng.choice(pools[-3:]), rng.choice(pools)
        self.widest = WIDE if len(weights) > MANY else 5
        k = rng.randint(1, min(len(self.pool), self.widest))
        start = rng.randrange(len(self.pool) - k + 1)
        self.some = self.pool[start : start + k] if rng.random() < 0.7 else rng.sample(self.pool, k)

    def take(self, count: int) -> Numbers:
        """Parameters that stand one after the other, from the first on if there are not enough."""
        start = self.rng.randrange(len(self.weights))
        return [self.weights[(start + i) % len(self.weights)] for i in range(count)]

    def several(self) -> Numbers:
        """Two at least: a softmax of one number is 1, and what is left of its gradient are rounding errors."""
        return self.some if len(self.some) > 1 else [self.some[0], self.weights[0]]

    def matrix(self, rows: int, columns: int) -> list[Numbers]:
        flat = self.take(rows * columns)
        return [flat[i * columns : (i + 1) * columns] for i in range(rows)]

    def function(self) -> Callable[[Any], Any]:
        return self.rng.choice(FUNCTIONS)


def dense(d: Draw, signs: bool = False) -> Numbers:
    """Rows of weights, each with its bias beside it."""
    outputs = []
    for *w, b in d.matrix(d.rng.randint(1, d.widest), len(d.some) + 1):
        total = b if d.rng.random() < 0.6 else 0
        for a, x in zip(w, d.some, strict=True):
            total = total - x * a if signs and d.rng.random() < 0.3 else total + a * x
        outputs.append(total)
    return outputs


def signed(d: Draw) -> Numbers:
    return dense(d, signs=True)


def layer(d: Draw) -> Numbers:
    """A matrix, a vector of biases and an activation."""
    f, rows = d.function(), d.rng.randint(1, d.widest)
    W, b = d.matrix(rows, len(d.some)), d.take(rows)
    return [f(dot(w, d.some) + c) for w, c in zip(W, b, strict=True)]


def mapped(d: Draw) -> Numbers:
    f = d.function()
    return [f(z) for z in d.some]


def mixed(d: Draw) -> Numbers:
    return [d.function()(z) for z in d.some]


def products(d: Draw) -> Numbers:
    return [a * b for a, b in zip(d.some, d.other, strict=False)]


def dots(d: Draw) -> Numbers:
    return [sum(a * b for a, b in zip(d.some[i:] + d.some[:i], d.other, strict=False)) for i in range(len(d.some))]


def shares(d: Draw) -> Numbers:
    total = sum(d.some)
    return [z / (total * total + 1.5) for z in d.some]


def sums(d: Draw) -> Numbers:
    """Totals, differences, and the same numbers added up in several ways."""
    a, *rest = d.some
    if not rest:
        return [a + d.weights[0], -a]
    return [sum(d.some), a - rest[-1], -a, *[a + b - c for b, c in zip(rest, d.weights, strict=False)]]


def nested_sums(d: Draw) -> Numbers:
    left, right = d.some[0], d.some[-1]
    for z in d.some[1:]:
        left, right = z - left, right + (z - d.weights[0])
    return [left, right - d.weights[-1], -(left + d.weights[0])]


def long_sum(d: Draw) -> Numbers:
    return [sum(a * b for a in d.pool[:8] for b in d.other[:8]), sum(z for pool in d.pools for z in pool[:6])]


def across(d: Draw) -> Numbers:
    """Values of different layers in one sum, and in one dot product."""
    picked = [d.rng.choice(pool) for pool in d.pools for _ in range(2)]
    return [sum(picked), dot(d.take(len(picked)), picked), sum(p * q for p, q in pairwise(picked))]


def residual(d: Draw) -> Numbers:
    f, n = d.function(), len(d.some)
    return [z + f(dot(w, d.some)) for z, w in zip(d.some, d.matrix(n, n), strict=True)]


def tied(d: Draw) -> Numbers:
    """The same weights applied twice, once the other way round."""
    W = d.matrix(d.rng.randint(1, 4), len(d.some))
    hidden = [tanh(dot(w, d.some)) for w in W]
    return [dot([w[i] for w in W], hidden) for i in range(len(d.some))]


def convolution(d: Draw) -> Numbers:
    K = d.take(d.rng.randint(1, min(3, len(d.pool))))
    return [relu(dot(K, d.pool[i : i + len(K)])) for i in range(min(8, len(d.pool) - len(K) + 1))]


def positions(d: Draw) -> Numbers:
    """One small layer for each pair of neighbours."""
    W = d.matrix(2, 2)
    return [tanh(dot(w, pair)) for pair in zip(d.pool[:5], d.pool[1:6], strict=False) for w in W] or d.some


def recurrence(d: Draw) -> Numbers:
    n = d.rng.randint(1, 3)
    w, U, b = d.take(n), d.matrix(n, n), d.take(n)
    h: Numbers = [0.0] * n
    for x in d.some[:4]:
        h = [tanh(w[i] * x + dot(U[i], h) + b[i]) for i in range(n)]
    return h


def gated(d: Draw) -> Numbers:
    n = d.rng.randint(1, 2)
    W, U = d.matrix(3, n), [d.matrix(n, n) for _ in range(3)]
    h: Numbers = [0.0] * n
    for x in d.some[:3]:
        new = []
        for k in range(n):
            forget, keep, candidate = (W[g][k] * x + dot(U[g][k], h) for g in range(3))
            new.append(sigmoid(forget) * h[k] + sigmoid(keep) * tanh(candidate))
        h = new
    return h


def softmax(d: Draw) -> Numbers:
    scores = [exp(tanh(z)) for z in d.several()]
    total = sum(scores)
    parts = [s / total for s in scores]
    return [*parts, sum(p * v for p, v in zip(parts, d.other, strict=False)), log(total)]


def attention(d: Draw) -> Numbers:
    some = d.several()
    pairs = list(zip(some, some[1:] + some[:1], strict=True))
    scores = [[exp(0.5 * tanh(dot(p, q))) for q in pairs] for p in pairs]
    return [sum(s * q[0] for s, q in zip(row, pairs, strict=True)) / sum(row) for row in scores]


def normalized(d: Draw) -> Numbers:
    some = d.several()
    n = len(some)
    mean = sum(some) / n
    centred = [z - mean for z in some]
    spread = sqrt(sum(c * c for c in centred) / n + 0.3)
    return [c / spread for c in centred]


def decay(d: Draw) -> Numbers:
    """Parts that depend on nothing but parameters."""
    some = d.take(d.rng.randint(1, 6))
    norm = 0.1 * sum(w * w for w in some) + abs(some[0])
    total = sum(exp(w) for w in some)
    chosen = [exp(w) / total for w in some]
    return [d.some[0] + norm, dot(chosen[: len(d.some)], d.some[: len(chosen)]), norm * d.some[-1], -norm]


def constants(d: Draw) -> Numbers:
    """Fixed coefficients."""
    stencil = [a - 2 * b + 0.5 * c for a, b, c in zip(d.pool[:4], d.pool[1:5], d.pool[2:6], strict=False)]
    fixed = [d.rng.choice([-1.5, 0.25, 1.0, 2.0]) for _ in d.some]
    return [*stencil, dot(fixed, d.some), d.some[0] / 3 + 1, 2 - d.some[-1], (1.5 * d.some[0]) ** 3]


def polynomial(d: Draw) -> Numbers:
    """Horner's rule, with the same coefficients for all."""
    coefficients = d.take(3)
    found = []
    for z in d.some:
        total = 0
        for c in coefficients:
            total = total * z + c
        found.append(total)
    return found


def stopped(d: Draw) -> Numbers:
    """Numbers that no gradient passes, and what is computed from them."""
    with no_grad():
        fixed = [tanh(d.weights[0] * z) for z in d.some]
        total = sum(d.some)
    held = [z.detach() for z in d.some]
    return [a * b + c for a, b, c in zip(fixed, d.some, held, strict=True)] + [d.some[0] - total * d.weights[-1]]


def choices(d: Draw) -> Numbers:
    w = d.take(2)
    kinds = [
        lambda z: where(z > 0.1, z * w[0], w[1]),
        lambda z: where(z < w[0], tanh(z), 0.5 * z),
        lambda z: maximum(z, w[0]),
        lambda z: minimum(z * z, w[0] + 0.3),
        lambda z: maximum(z, 0.2) - minimum(w[1], 0.1),
        lambda z: clip(z, -0.3, 0.4),
        lambda z: leaky_relu(z, 0.1),
        lambda z: leaky_relu(z - w[0]),
        elu,
    ]
    f = d.rng.choice(kinds)
    return [f(z) for z in d.some] if d.rng.random() < 0.6 else [d.rng.choice(kinds)(z) for z in d.some]


def distances(d: Draw) -> Numbers:
    w = d.take(len(d.some))
    squares = [(a - b) ** 2 for a, b in zip(d.some, w, strict=True)]
    return [sqrt(sum(squares) + 0.04), exp(-sum(squares)), *[1 / (1 + s) for s in squares]]


KINDS = [
    dense, dense, layer, layer, signed, mapped, mixed, products, dots, shares, sums, nested_sums, long_sum, across,
    residual, tied, convolution, positions, recurrence, gated, softmax, attention, normalized, decay, constants,
    polynomial, stopped, choices, choices, distances,
]  # fmt: skip


def random_function(seed: int) -> Callable[..., Any]:
    """A function of lists of parameters and inputs, of two to six layers; it returns a number or a list."""

    def function(params: Any, *xs: Any) -> Any:
        rng = random.Random(seed)
        weights, pools = flatten(params)[0], [flatten(list(xs))[0]]
        for _ in range(rng.randint(2, 6)):
            draw = Draw(rng, weights, pools)
            pools.append(rng.choice(KINDS)(draw))
        last = pools[-1]
        way = rng.random()
        if way < 0.5:
            return sum((z - xs[-1]) ** 2 for z in last)
        return sum(z * z for z in last) if way < 0.7 else last

    return function


def random_case(seed: int, batch: int) -> tuple[Any, Any, tuple[Any, ...]]:
    """(function, parameters, batches of arguments)"""
    rng = np.random.default_rng(seed)
    wide = rng.random() < 0.05
    weights, inputs = (rng.integers(MANY, 3 * MANY), rng.integers(8, 20)) if wide else rng.integers(1, [30, 8])
    params = [sizes(rng, int(weights)), sizes(rng, 3, 4)]
    return random_function(seed), params, (sizes(rng, batch, int(inputs)), sizes(rng, batch))
