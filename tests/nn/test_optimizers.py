"""SGD against the same rule in NumPy."""

import math

import numpy as np
import pytest

from autodiff import Tensor, Value
from nn import SGD


def bowl(x0, x1):
    """½ x·Ax - b·x, with A = [[3, 1], [1, 2]] and b = [1, -1]."""
    return 1.5 * x0 * x0 + x0 * x1 + x1 * x1 - x0 + x1


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_steps_are_those_of_a_numpy_loop(momentum):
    A, b = np.array([[3.0, 1.0], [1.0, 2.0]]), np.array([1.0, -1.0])
    p, v = np.array([2.0, -3.0]), np.zeros(2)
    x = [Value(2.0), Value(-3.0)]
    t = Tensor([2.0, -3.0])
    scalars, array = SGD(x, 0.05, momentum), SGD([t], 0.05, momentum)
    for _ in range(50):
        v = momentum * v + (A @ p - b)
        p = p - 0.05 * v
        for optimizer, leaves in ((scalars, x), (array, t)):
            optimizer.zero_grad()
            bowl(*leaves).backward()
            optimizer.step()
        np.testing.assert_allclose([node.data for node in x], p, rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(t.data, p, rtol=1e-13, atol=1e-15)
    if momentum:
        assert not np.allclose(v, 0, atol=1e-4), "the velocity should still matter"


def test_gradients_add_up_until_zero_grad():
    x = Value(0.0)
    optimizer = SGD([x], 0.5)
    for _ in range(2):
        (3 * x).backward()
    optimizer.step()
    assert x.data == -3.0
    optimizer.zero_grad()
    assert x.grad is None


def test_a_parameter_without_a_gradient_stays():
    x, unused = Value(1.0), Value(5.0)
    (x * x).backward()
    SGD([x, unused], 0.25, momentum=0.9).step()
    assert (x.data, unused.data) == (0.5, 5.0)


BAD = {
    "none": (lambda: SGD([], 0.1), ValueError, "no parameters"),
    "constant": (lambda: SGD([Value(1.0, requires_grad=False)], 0.1), TypeError, "a leaf that carries a gradient"),
    "computed": (lambda: SGD([Value(1.0) * 2], 0.1), TypeError, "a leaf that carries a gradient, and was given Value"),
    "number": (lambda: SGD([1.0], 0.1), TypeError, "was given 1.0"),
    "rate 0": (lambda: SGD([Value(1.0)], 0.0), ValueError, "learning_rate is a number above 0, and was given 0.0"),
    "rate nan": (lambda: SGD([Value(1.0)], math.nan), ValueError, "was given nan"),
    "rate inf": (lambda: SGD([Value(1.0)], math.inf), ValueError, "was given inf"),
    "momentum": (lambda: SGD([Value(1.0)], 0.1, momentum=1.0), ValueError, "momentum is from 0 to below 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    call, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        call()


def test_the_same_parameter_twice():
    x = Value(1.0)
    with pytest.raises(ValueError, match="given twice"):
        SGD([x, x], 0.1)


def test_a_step_without_gradients_is_an_error():
    x = Value(1.0)
    with pytest.raises(ValueError, match=r"no parameter has a gradient yet; call backward\(\)"):
        SGD([x], 0.1).step()
    assert x.data == 1.0
