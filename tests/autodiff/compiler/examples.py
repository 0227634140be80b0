"""Functions of single numbers, as a learner writes them, and random ones; and how to record and evaluate them."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from autodiff import Value, exp, observe, relu, sigmoid, sin, tanh
from autodiff.compiler.passes import simplify
from autodiff.compiler.program import Program, Recorder
from autodiff.trees import flatten, map_tree


def dot(w, x):
    return sum(a * b for a, b in zip(w, x, strict=True))


def mlp(params, x, y):
    """Layers of neurons, and the hinge loss of one example."""
    *hidden, (W, b) = params
    for V, c in hidden:
        x = [relu(dot(row, x) + shift) for row, shift in zip(V, c, strict=True)]
    return relu(1 - y * (dot(W[0], x) + b[0]))


def rnn(params, xs, ys):
    """A recurrent network with an output at every step."""
    w, U, b, v, c = params
    h = [Value(0.0) for _ in b]
    loss = 0
    for x, y in zip(xs, ys, strict=True):
        h = [tanh(w[i] * x + dot(U[i], h) + b[i]) for i in range(len(b))]
        loss = loss + (dot(v, h) + c - y) ** 2
    return loss / len(xs)


def lstm(params, xs, y):
    """Gates one unit after the other, as in a cell of objects."""
    W, U, b, v = params
    units = range(len(v))
    h = c = [Value(0.0)] * len(v)
    for x in xs:
        new_h, new_c = [], []
        for k in units:
            i, f, g, o = (W[gate][k] * x + dot(U[gate][k], h) + b[gate][k] for gate in range(4))
            new_c.append(sigmoid(f) * c[k] + sigmoid(i) * tanh(g))
            new_h.append(sigmoid(o) * tanh(new_c[k]))
        h, c = new_h, new_c
    return (dot(v, h) - y) ** 2


def attention(params, X, Y):
    """One head over a few positions."""
    queries, keys, values = ([[dot(w, x) for w in W] for x in X] for W in params[:3])
    loss = 0
    for query, target in zip(queries, Y, strict=True):
        scores = [exp(dot(query, key) / len(query) ** 0.5) for key in keys]
        total = sum(scores)
        mixed = [sum(s / total * value[d] for s, value in zip(scores, values, strict=True)) for d in range(len(query))]
        out = [dot(w, mixed) for w in params[3]]
        loss = loss + sum((a - b) ** 2 for a, b in zip(out, target, strict=True))
    return loss


def newton(a, x):
    """The root of z + a exp(z) = x, unrolled."""
    z = Value(0.0)
    for _ in range(8):
        z = z - (z + a * exp(z) - x) / (1 + a * exp(z))
    return z


def convolution(K, X):
    """A kernel that slides over an image."""
    rows, columns = range(len(X) - len(K) + 1), range(len(X[0]) - len(K[0]) + 1)
    size = [(a, b) for a in range(len(K)) for b in range(len(K[0]))]
    return sum(relu(sum(K[a][b] * X[i + a][j + b] for a, b in size)) for i in rows for j in columns)


def sizes(rng: np.random.Generator, *shape: int) -> Any:
    return (rng.normal(size=shape) * 0.5).tolist()


def cases(rng: np.random.Generator, batch: int) -> dict[str, tuple[Any, Any, tuple[Any, ...]]]:
    """name -> (function, parameters, batches of arguments)"""
    n = lambda *shape: sizes(rng, *shape)
    return {
        "mlp": (mlp, [[n(16, 2), n(16)], [n(16, 16), n(16)], [n(1, 16), n(1)]], (n(batch, 2), n(batch))),
        "rnn": (rnn, [n(5), n(5, 5), n(5), n(5), n()], (n(batch, 6), n(batch, 6))),
        "lstm": (lstm, [n(4, 3), n(4, 3, 3), n(4, 3), n(3)], (n(batch, 4), n(batch))),
        "attention": (attention, n(4, 4, 4), (n(batch, 5, 4), n(batch, 5, 4))),
        "newton": (newton, 0.7, (np.abs(n(batch)).tolist(),)),
        "convolution": (convolution, n(3, 3), (n(batch, 6, 6),)),
    }


def random_function(seed: int):
    """A function of lists of parameters and inputs: layers, products, sums and elementwise functions at random."""

    def function(params, *xs):
        rng = random.Random(seed)
        weights, pools = flatten(params)[0], [flatten(list(xs))[0]]
        for _ in range(rng.randint(1, 6)):
            pool, other = rng.choice(pools[-3:]), rng.choice(pools)
            k = rng.randint(1, min(len(pool), 5))
            start = rng.randrange(len(pool) - k + 1)
            some = pool[start : start + k] if rng.random() < 0.7 else rng.sample(pool, k)
            pools.append(_layer(rng, weights, pool, other, some))
        last = pools[-1]
        return sum(z * z for z in last) if rng.random() < 0.7 else last

    return function


def _layer(rng, weights, pool, other, some):
    functions = [tanh, sigmoid, relu, sin, lambda z: z * z]
    kind = rng.choice(["dense", "dense", "signed", "mixed", "map", "products", "dots", "shares", "sums"])
    if kind in ("dense", "signed"):
        rows, width = rng.randint(1, 5), len(some) + 1
        start = rng.randrange(len(weights))
        outputs = []
        for i in range(rows):
            *w, b = [weights[(start + i * width + j) % len(weights)] for j in range(width)]
            total = b if rng.random() < 0.6 else 0
            for a, x in zip(w, some, strict=True):
                total = total - x * a if kind == "signed" and rng.random() < 0.3 else total + a * x
            outputs.append(total)
        return outputs
    if kind == "mixed":
        return [rng.choice(functions)(z) for z in some]
    if kind == "map":
        f = rng.choice(functions)
        return [f(z) for z in some]
    if kind == "products":
        return [a * b for a, b in zip(some, other, strict=False)]
    if kind == "dots":
        return [sum(a * b for a, b in zip(some[i:] + some[:i], other, strict=False)) for i in range(len(some))]
    if kind == "shares":
        total = sum(some)
        return [z / (total * total + 1.5) for z in some]
    mixed = [a + b - c for a in some[:2] for b in some[:2] for c in pool[:2]]
    return [sum(some), some[0] - some[-1], -some[0], *mixed]


def random_case(seed: int, batch: int) -> tuple[Any, Any, tuple[Any, ...]]:
    rng = np.random.default_rng(seed)
    params = [sizes(rng, int(rng.integers(1, 30))), sizes(rng, 3, 4)]
    return random_function(seed), params, (sizes(rng, batch, int(rng.integers(1, 8))), sizes(rng, batch))


def as_values(tree: Any) -> Any:
    return map_tree(Value, tree)


def recorded(function, params: Any, batches: tuple[Any, ...]) -> Program:
    """The program of a function, traced on the first example of the batches."""
    recorder = Recorder()
    args = [as_values(params), *[as_values(X[0]) for X in batches]]
    for node in flatten(args[0])[0]:
        recorder.shared(node)
    for node in flatten(args[1:])[0]:
        recorder.varying(node)
    with observe(recorder):
        outputs = flatten(function(*args))[0]
    recorder.program.outputs = [recorder.number(node) for node in outputs]
    return simplify(recorder.program)


def flat(params: Any, batches: tuple[Any, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The parameters as a vector, and the arguments as a matrix with one column for each example."""
    columns = [[x for X in batches for x in flatten(X[i])[0]] for i in range(len(batches[0]))]
    return np.array(flatten(params)[0], float), np.array(columns, float).T


def evaluated(program: Program, leaves: dict[int, Any]) -> list[Any]:
    """The outputs of a program, one instruction after the other."""
    values: dict[int, Any] = {**program.constants, **leaves}
    for i, (op, args, params) in enumerate(zip(program.ops, program.args, program.params, strict=True)):
        if op is not None:
            values[i] = op.quiet(*[np.asarray(values[k]) for k in args], **params or {})
    return [values[i] for i in program.outputs]
