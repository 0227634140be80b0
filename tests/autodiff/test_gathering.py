"""Rows that touch a small part of a long tensor add their contribution in place: same gradients, less memory."""

import tracemalloc

import numpy as np
import pytest

import autodiff
from autodiff import Tensor, gradients

RNG = np.random.default_rng(3)

INDICES = {
    "rows": [0, 1, 1, 2, -1],
    "slices": [slice(0, 2), slice(1, 3), slice(None, None, -1)],
    "single entries": [(0, 0), (2, 1), (0, 0)],
    "new axes": [None, (Ellipsis, None), (slice(None), 1, None)],
    "rows once": [np.array([2, 0]), np.array([0, 2]), np.array([], int)],
    "rows twice, counted from both ends": [np.array([0, -3]), np.array([2, -1, 1])],
    "arrays, entries twice": [np.array([0, 0, 1]), (np.array([1, 1]), np.array([0, 0])), np.array([True, False, True])],
}


@pytest.mark.parametrize("indices", INDICES.values(), ids=INDICES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128])
def test_the_gradient_is_that_of_the_rule(indices, dtype):
    x = Tensor(RNG.normal(size=(3, 2)).astype(dtype))
    middle = x * x  # the adjoint of a computed node, which other nodes feed too
    out = sum(((k + 2.0) * (middle[i] * middle[i]).sum() for k, i in enumerate(indices)), (middle * 3.0).sum())
    by_rule = gradients(out, [x], create_graph=True)[0].data  # on nodes nothing can be added in place
    out.backward()
    assert x.grad.dtype == dtype
    np.testing.assert_allclose(x.grad, by_rule, rtol=1e-5 if dtype == np.float32 else 1e-13)


def test_what_is_shared_is_not_written_into():
    x, y = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    total = x + y  # hands one and the same array to both
    (total.sum() + 10 * x[0]).backward()
    assert x.grad.tolist() == [11.0, 1.0]
    assert y.grad.tolist() == [1.0, 1.0]
    assert total.grad.tolist() == [1.0, 1.0]


def test_a_long_tensor_read_step_by_step_costs_one_array():
    x = Tensor(np.zeros((2000, 100)))
    loss = autodiff.stack([x[t].sum() for t in range(2000)]).sum()
    tracemalloc.start()
    loss.backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (x.grad == 1).all()
    assert peak < 6 * x.data.nbytes  # an array of its own for each step would be 2000 times as much
