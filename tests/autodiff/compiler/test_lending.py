"""Large arrays are read where they are and gradients are lent: nobody notices but by the time it takes."""

from __future__ import annotations

from threading import Thread

import numpy as np
import pytest

from autodiff import Tensor, compile, relu
from autodiff.compiler.replay.lending import LARGE, LOANS, Loan, Loans

INPUTS, OUTPUTS, BATCH = 300, 120, 150


def loss(params, x, y):
    W, b = params
    hidden = [relu(sum(w * xi for w, xi in zip(row, x, strict=True)) + bi) for row, bi in zip(W, b, strict=True)]
    return (sum(hidden) - y) ** 2


def by_hand(params, X, y):
    W, b = params
    Z = X @ W.T + b
    error = np.maximum(Z, 0).sum(1) - y
    dZ = 2 * error[:, None] / len(X) * (Z > 0)
    return np.mean(error**2), (dZ.T @ X, dZ.sum(0))


def with_tensors(params, X, y):
    W, b = params
    return ((relu(X @ W.T + b).sum(axis=1) - y) ** 2).mean()


@pytest.fixture(scope="module", params=["numbers", "tensors"])
def fast(request):
    return compile(loss, backend="numpy") if request.param == "numbers" else compile(with_tensors, of=Tensor)


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    assert min(INPUTS * OUTPUTS, INPUTS * BATCH) >= LARGE
    params = rng.normal(size=(OUTPUTS, INPUTS)), rng.normal(size=OUTPUTS)
    return params, rng.normal(size=(BATCH, INPUTS)), rng.normal(size=BATCH)


def check(found, params, X, y):
    value, gradients = by_hand(params, X, y)
    np.testing.assert_allclose(found[0], value, rtol=1e-12)
    for got, expected in zip(found[1], gradients, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-10 * np.abs(expected).max())


def test_results_stay_as_they_are_however_many_are_kept(fast, problem):
    (W, b), X, y = problem
    kept = []
    for k in range(LOANS + 3):
        params = (W * (k + 1), b)
        kept.append((params, fast.value_and_grad(params, X, y)))
    for params, found in kept:
        check(found, params, X, y)


def test_results_may_be_written_to(fast, problem):
    params, X, y = problem
    for _ in range(3):
        found = fast.value_and_grad(params, X, y)
        check(found, params, X, y)
        for gradient in found[1]:
            gradient *= np.nan


def test_a_part_of_a_result_keeps_it(fast, problem):
    params, X, y = problem
    row = fast.value_and_grad(params, X, y)[1][0][7]
    before = row.copy()
    for k in range(4):
        fast.value_and_grad((params[0] * (k + 2), params[1]), X, y)
    np.testing.assert_array_equal(row, before)


def test_what_is_changed_in_place_between_calls_is_read_anew(fast, problem):
    (W, b), X, y = problem
    for _ in range(3):
        check(fast.value_and_grad((W, b), X, y), (W, b), X, y)
        W -= 0.01
        X *= 1.5


def test_arrays_in_other_layouts_and_types(fast, problem):
    (W, b), X, y = problem
    layouts = (
        lambda a: a,
        np.asfortranarray,
        lambda a: a[::-1].copy()[::-1],
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: a,
    )
    for lay in layouts:
        check(fast.value_and_grad((lay(W), b), lay(X), y), (W, b), X, y)
    single = X.astype(np.float32)
    check(fast.value_and_grad((W, b), single, y), (W, b), single.astype(float), y)
    check(fast.value_and_grad((W, b), X, y), (W, b), X, y)


def test_the_careful_pass_reads_the_same_arrays(fast, problem):
    """relu sends back 0 where it is off, even if infinity arrives."""
    (W, b), X, y = problem
    W[0], b[0] = 0, -1  # a neuron that is off for all examples
    for scale in (1e306, 1.0, 1e306):
        value, (dW, db) = fast.value_and_grad((W * scale, b), X, y)
        assert np.isfinite(value) == np.isfinite(dW).all() == (scale == 1.0)
        assert not dW[0].any()
        assert db[0] == 0
    check(fast.value_and_grad((W, b), X, y), (W, b), X, y)


def test_a_pull_uses_the_numbers_of_its_call(fast, problem):
    (W, b), X, y = problem
    expected = by_hand((W, b), X, y)[1][0]
    outputs, pull = fast.vjp((W, b), X, y)
    W *= 0
    X *= 0
    gradients = pull(np.full(np.shape(outputs), 1 / np.size(outputs)))
    np.testing.assert_allclose(gradients[0], expected, rtol=1e-9, atol=1e-10 * np.abs(expected).max())


def test_tensors_that_get_other_numbers_are_read_anew(problem):
    (W, b), X, y = problem
    fast = compile(with_tensors)
    params = Tensor(W), Tensor(b)
    for k in range(4):
        check(fast.value_and_grad(params, X, y), (params[0].data, params[1].data), X, y)
        check(fast.value_and_grad((W, b), Tensor(X), y), (W, b), X, y)
        params[0].data = W * (k + 2)
        X = X - 0.1
    _, pull = fast.vjp(params, X, y)
    expected = by_hand((params[0].data, b), X, y)[1][0]
    params[0].data = W * 0
    np.testing.assert_allclose(pull(1.0)[0], expected, rtol=1e-9, atol=1e-10 * np.abs(expected).max())


def test_gradients_that_are_given_back_as_arguments(fast, problem):
    """They lie in the memory of a replay, which is not to write there while it reads them."""
    (W, b), X, y = problem
    for _ in range(4):
        before = W, b
        value, gradients = fast.value_and_grad(before, X, y)
        check((value, gradients), before, X, y)
        W, b = gradients[0] / 1e4, gradients[1] / 1e4
    held = fast.value_and_grad((W, b), X, y)[1]
    for _ in range(3):
        arguments = held
        copies = held[0].copy(), held[1].copy()
        found = fast.value_and_grad(arguments, X, y)
        check(found, copies, X, y)
        held = found[1]


def dot(w, x):
    return sum((a * b for a, b in zip(w, x, strict=True)), 0.0)


@pytest.mark.parametrize("batch", [1, 2])
def test_one_example_of_many_inputs(batch):
    fast = compile(dot, backend="numpy")
    w, X = np.arange(LARGE + 3.0), np.ones((batch, LARGE + 3))
    for _ in range(2):
        value, gradient = fast.value_and_grad(w, X)
        assert value == w.sum()
        np.testing.assert_array_equal(gradient, X[0])


def test_a_row_of_another_array():
    """Along an axis of length 1 an array may have any stride."""
    fast = compile(lambda W, x: dot(W[0], x), backend="numpy")
    W = np.arange(4.0 * LARGE).reshape(4, LARGE)[::2][:1]
    value, gradient = fast.value_and_grad(W, np.ones((2, LARGE)))
    assert value == W.sum()
    np.testing.assert_array_equal(gradient, np.ones((1, LARGE)))


def test_what_is_asked_for_twice_is_two_arrays(fast, problem):
    (W, b), X, y = problem
    for _ in range(3):
        first, second = fast.grad((W, b), X, y, argnums=(0, 0))
        expected = second[0].copy()
        first[0][...] = 0
        np.testing.assert_array_equal(second[0], expected)
        assert expected.any()


def test_loans_are_kept_apart_by_threads():
    """A thread that looks at the loans while another adds one does not forget it."""
    loans, replays = Loans(), [Loan() for _ in range(LOANS + 1)]
    held = [loans.lend(replay, np.zeros(3)) for replay in replays]
    assert [array is not None for array in held] == [True] * LOANS + [False]
    assert loans._lock.acquire(blocking=False)
    thread = Thread(target=loans.lend, args=(Loan(), np.zeros(3)))
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()  # it waits
    loans._lock.release()
    thread.join()
