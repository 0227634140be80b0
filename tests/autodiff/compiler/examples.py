"""Functions of single numbers, as a learner writes them, and how to record and evaluate them."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff import Value, exp, observe, relu, sigmoid, tanh
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
