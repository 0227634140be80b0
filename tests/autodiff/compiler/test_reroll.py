"""Re-rolling finds the matrices that scalar code spelled out, and computes the same numbers."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff import Value, negative, no_grad, observe, sigmoid, tanh
from autodiff.compiler.program import Recorder
from autodiff.compiler.reroll import reroll
from autodiff.compiler.rerolling.views import strided
from tests.autodiff.compiler.examples import cases, dot, evaluated, flat, mlp, recorded, rnn, sizes
from tests.autodiff.compiler.random_functions import random_case
from tests.autodiff.compiler.rounding import bounds

CASES = cases(np.random.default_rng(0), 3)


def both(function, params, batches):
    """(outputs of the scalar program, outputs of the blocks), each of shape (outputs, batch)."""
    program = recorded(function, params, batches)
    P, X = flat(params, batches)
    scalar = evaluated(program, dict(zip(program.shared + program.varying, [*P, *X], strict=True)))
    blocks = reroll(program)
    arrays = blocks.program(X.shape[1])
    leaves = {i: P[index] for i, index in zip(arrays.shared, blocks.parameters, strict=True)}
    leaves |= {i: X[index] for i, index in zip(arrays.varying, blocks.inputs, strict=True)}
    leaves = {i: x.reshape(blocks.leaf_shape(arrays, i, X.shape[1])) for i, x in leaves.items()}
    (found,) = evaluated(arrays, leaves)
    return np.array([np.broadcast_to(x, X.shape[1:]) for x in scalar]), found


def operations(function, params, batches):
    blocks = reroll(recorded(function, params, batches))
    return Counter(op.name for op in blocks.program(len(batches[0])).ops if op is not None), blocks


@pytest.mark.parametrize("name", CASES)
def test_the_numbers_are_those_of_the_scalar_program(name):
    scalar, blocks = both(*CASES[name])
    np.testing.assert_allclose(blocks, scalar, rtol=1e-13)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from([1, 2, 7]))
def test_random_functions(seed, batch):
    function, params, batches = random_case(seed, batch)
    scalar, blocks = both(function, params, batches)
    program, (P, X) = recorded(function, params, batches), flat(params, batches)
    apart = np.abs(blocks - scalar)
    assert (apart <= 2 * bounds(program, P, X, np.ones(scalar.shape)).outputs).all(), apart.max()


# ── what is found ────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("hidden", [[3], [16, 16], [5, 4, 3, 2]])
def test_a_network_has_one_matrix_product_for_each_layer(hidden):
    rng = np.random.default_rng(1)
    widths = [2, *hidden, 1]
    params = [[sizes(rng, n, m), sizes(rng, n)] for m, n in pairwise(widths)]
    found, blocks = operations(mlp, params, (sizes(rng, 4, 2), sizes(rng, 4)))
    layers = len(params)
    assert found["matmul"] == layers
    assert found["relu"] == layers  # with that of the hinge
    assert sum(found.values()) == 3 * layers + 2  # matmul, add, relu; and 1 - y * s
    assert all_in_place(blocks, sum(len(W) * (len(W[0]) + 1) for W, _ in params))


@pytest.mark.parametrize("steps", [4, 9])
def test_a_recurrent_network_has_one_matrix_product_a_step(steps):
    rng = np.random.default_rng(2)
    n = lambda *shape: sizes(rng, *shape)
    found, blocks = operations(rnn, [n(5), n(5, 5), n(5), n(5), n()], (n(4, steps), n(4, steps)))
    assert found["matmul"] == steps + 1  # and one for the outputs of all steps
    assert found["tanh"] == steps
    assert found["square"] == 1
    assert all_in_place(blocks, 41)


def all_in_place(blocks, entries):
    """Whether no weight is gathered: each leaf is a view of a vector with this many entries."""
    return all(strided(np.zeros(entries), index) is not None for index in blocks.parameters)


def test_gates_are_one_product_however_their_code_is_ordered():
    found, _ = operations(*CASES["lstm"])
    steps = 4
    assert found["matmul"] == steps + 1
    assert found["sigmoid"] <= 2 * steps  # i and f stand together, o behind g
    assert found["tanh"] == 2 * steps
    assert found["take"] == 0


def test_attention_is_a_few_products():
    found, _ = operations(*CASES["attention"])
    assert found["matmul"] == 2  # queries, keys and values in one; and the outputs
    assert found["sum"] == 4  # scores, their totals, the mixture, the loss
    assert found["exp"] == 1


def test_a_convolution_by_hand_is_one_product_over_all_places():
    found, blocks = operations(*CASES["convolution"])
    assert found["matmul"] == 1
    assert found["relu"] == 1
    assert len(blocks.parameters) == 1


def test_positions_share_their_weights():
    rng = np.random.default_rng(3)
    apply = lambda W, X: [tanh(dot(w, x)) for x in X for w in W]
    found, _ = operations(apply, sizes(rng, 4, 3), (sizes(rng, 2, 5, 3),))
    assert found == {"matmul": 1, "reshape": 1, "tanh": 1}


def test_a_layer_written_with_objects_is_found_too():
    rng = np.random.default_rng(4)

    def neurons(params, x):
        return [sigmoid(sum((w_i * x_i for w_i, x_i in zip(w, x, strict=True)), b)) for *w, b in params]

    found, blocks = operations(neurons, sizes(rng, 6, 4), (sizes(rng, 2, 3),))
    assert found == {"matmul": 1, "add": 1, "sigmoid": 1}
    assert all_in_place(blocks, 24)  # weights beside their biases: views with a stride


def test_signs_go_into_the_weights():
    rng = np.random.default_rng(5)
    signed = lambda W, x: [w[0] * x[0] - w[1] * x[1] - w[2] * x[2] for w in W]
    scalar, blocks = both(signed, sizes(rng, 4, 3), (sizes(rng, 2, 3),))
    np.testing.assert_allclose(blocks, scalar, rtol=1e-14)


def test_parameters_alone_are_computed_once_for_all_examples():
    rng = np.random.default_rng(6)
    decay = lambda w, x: (dot(w, x)) ** 2 + 0.1 * sum(v * v for v in w)
    blocks = reroll(recorded(decay, sizes(rng, 5), (sizes(rng, 7, 5),)))
    program = blocks.program(7)
    made = {op.name: i for i, op in enumerate(program.ops) if op is not None}
    assert {"multiply", "sum", "matmul"} <= set(made)
    scalar, found = both(decay, sizes(rng, 5), (sizes(rng, 7, 5),))
    np.testing.assert_allclose(found, scalar, rtol=1e-13)


# ── what must not be changed ─────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_nothing_is_padded_so_infinities_stay_where_they_are(bad):
    sparse = lambda w, x: [w[0] * x[0] + w[1] * x[1], w[2] * x[1] + w[3] * x[2], w[4] * x[0] + w[5] * x[2]]
    scalar, blocks = both(sparse, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], ([[1.0, bad, 2.0]],))
    np.testing.assert_array_equal(blocks, scalar)
    assert np.isfinite(blocks[2]).all()


def test_zero_times_infinity_and_infinity_minus_itself_stay_nan():
    odd = lambda w, x: [w[0] * x[0] + w[1] * x[1], x[0] - x[0], 0 * x[0]]
    scalar, blocks = both(odd, [0.0, 1.0], ([[np.inf, 1.0]],))
    assert np.isnan(scalar).all()
    assert np.isnan(blocks).all()


def test_no_gradient_passes_what_was_computed_without():
    def stopped(w, x):
        with no_grad():
            fixed = [tanh(w[0] * z + w[1]) for z in x]
            other = negative(negative(w[0]))
        return dot(fixed, x) + other * x[0]

    program = recorded(stopped, [0.5, 0.25], ([[1.0, 2.0, 3.0]],))
    arrays = reroll(program).program(1)
    reached, stack = set(), list(arrays.outputs)
    while stack:
        i = stack.pop()
        if i not in arrays.stopped and i not in reached:
            reached.add(i)
            stack += arrays.args[i]
    assert reached.isdisjoint(arrays.shared)


def test_outputs_may_be_given_numbers():
    recorder = Recorder()
    w, x = Value(2.0), Value(3.0)
    recorder.shared(w)
    recorder.varying(x)
    with observe(recorder):
        y = w * x
    recorder.program.outputs = [recorder.number(node) for node in (x, y, w)]
    blocks = reroll(recorder.program)
    arrays = blocks.program(2)
    leaves = {i: np.full(blocks.leaf_shape(arrays, i, 2), 2.0) for i in arrays.shared}
    leaves |= {i: np.full(blocks.leaf_shape(arrays, i, 2), 3.0) for i in arrays.varying}
    np.testing.assert_array_equal(evaluated(arrays, leaves)[0], [[3.0, 3.0], [6.0, 6.0], [2.0, 2.0]])
