"""What ``blocks(...)`` of a compiled function shows: the re-rolled program, on the batch that was given."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from autodiff import Tensor, TraceError, Value, compile, scope, tanh
from viz import draw

RNG = np.random.default_rng(0)
W, B, V = RNG.normal(size=(3, 2)), RNG.normal(size=3), RNG.normal(size=3)
X, Y = RNG.normal(size=(5, 2)), RNG.normal(size=5)


@compile(in_axes=(None, None, None, 0, 0))
def loss(W, b, v, x, y):
    hidden = [tanh(sum((w * xi for w, xi in zip(row, x, strict=True)), bi)) for row, bi in zip(W, b, strict=True)]
    return (sum(vi * h for vi, h in zip(v, hidden, strict=True)) - y) ** 2


@pytest.mark.parametrize("examples", [1, 2, 5])
def test_the_graph_has_the_numbers_of_the_batch(examples):
    losses = loss.blocks(W, B, V, X, Y).graph(examples)
    np.testing.assert_allclose(losses.data[0], loss(W, B, V, X, Y)[:examples], rtol=1e-12)
    losses.sum().backward()
    leaves = {node.label: node for node in ancestors(losses) if node.label}
    expected = loss.grad(W, B, V, X[:examples], Y[:examples])
    np.testing.assert_allclose(leaves["W"].grad, expected * examples, rtol=1e-13)


def ancestors(node):
    found, stack = set(), [node]
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack += node.inputs
    return found


def test_it_reads_what_the_function_reaches_by_itself():
    w = Value(3.0)
    fast = compile(lambda x: tanh(w * x), in_axes=0)
    np.testing.assert_allclose(fast.blocks(X[:, 0]).graph(5).data[0], np.tanh(3 * X[:, 0]), rtol=1e-14)
    w.data = -1.0
    np.testing.assert_allclose(fast.blocks(X[:, 0]).graph(5).data[0], np.tanh(-X[:, 0]), rtol=1e-14)


def test_it_prints_as_its_program_for_the_batch():
    blocks = loss.blocks(W, B, V, X, Y)
    assert str(blocks) == str(blocks.program()) == str(blocks.program(5))
    assert "W @ x" in str(blocks)
    assert repr(blocks) == "<Rerolled 6 instructions on 3 shared and 2 varying leaves, 1 output, for a batch of 5>"
    assert blocks.program(1000).example[3].shape == (2, 1000)


@pytest.mark.parametrize("examples", [0, 6, -1])
def test_as_many_examples_as_there_are(examples):
    with pytest.raises(ValueError, match=f"examples={examples}: the batch has 5"):
        loss.blocks(W, B, V, X, Y).graph(examples)


def test_arrays_are_not_rerolled():
    fast = compile(lambda x: (x * x).sum(), of=Tensor)
    with pytest.raises(TraceError, match=r"computes with arrays already.*program"):
        fast.blocks(X)


def test_time_steps_stay_alike_and_are_drawn_as_one():
    """A view of what all steps read belongs to none of them: the first to read it would differ from the others."""

    @compile(in_axes=(None, 0))
    def network(params, xs):
        w, U, b = params
        h = [0.0] * len(b)
        for t, x in enumerate(xs):
            with scope(f"step {t}"):
                h = [
                    tanh(wi * x + sum((u * hi for u, hi in zip(row, h, strict=True)), bi))
                    for wi, row, bi in zip(w, U, b, strict=True)
                ]
        return sum(h)

    params = [RNG.normal(size=4), RNG.normal(size=(4, 4)), RNG.normal(size=4)]
    blocks = network.blocks(params, RNG.normal(size=(3, 14)))
    program = blocks.program()
    made = [(place, op.name) for place, op in zip(program.scopes, program.ops, strict=True) if op is not None]
    steps = [Counter(op for place, op in made if place == f"step {t}") for t in range(1, 14)]
    assert steps[1]["matmul"] == 1
    assert all(step == steps[1] for step in steps[1:])
    assert "× 1" in draw(blocks.graph(), layout="builtin", level="step").svg  # ten steps or more, in one box
