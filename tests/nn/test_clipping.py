"""Clipping against definitions, PyTorch and exact arithmetic; and what it refuses."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff import Tensor, Value
from nn import Dense, clip_by_norm, clip_by_value

REFERENCE = np.load(Path(__file__).parent / "reference" / "optimizers.npz")


def leaves_with(*gradients):
    leaves = []
    for g in gradients:
        leaf = Tensor(np.zeros(g.shape), dtype=g.dtype) if isinstance(g, np.ndarray) else Value(0.0)
        leaf.grad = g
        leaves.append(leaf)
    return leaves


def exact_norm(gradients):
    """The norm with 60 digits: the integer root of an exact sum of squares."""
    total = sum(Fraction(x) ** 2 for g in gradients for x in np.ravel(g).tolist())
    scale = 10 ** max(0, 40 - (len(str(total.numerator)) - len(str(total.denominator))))
    return Fraction(math.isqrt(total.numerator * scale**2 // total.denominator), scale)


numbers = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)


@given(st.lists(numbers, min_size=1, max_size=12), st.integers(0, 11), st.sampled_from([1e-3, 1.0, 77.0]))
def test_the_norm_is_that_of_exact_arithmetic_and_the_direction_stays(found, cut, max_norm):
    array, singles = np.array(found[:cut]), found[cut:]
    leaves = leaves_with(array, *singles)
    norm = clip_by_norm(leaves, max_norm)
    exact = exact_norm([array, *singles])
    assert norm == pytest.approx(float(exact), rel=1e-14, abs=1e-35)
    after = [*leaves[0].grad.tolist(), *(p.grad for p in leaves[1:])]
    if norm <= max_norm:
        assert after == found
    else:
        expected = [float(Fraction(x) * Fraction(max_norm) / exact) for x in found]
        np.testing.assert_allclose(after, expected, rtol=1e-14, atol=1e-307)


@pytest.mark.parametrize("size", [1e200, 1e-200, 1e308, 5e-324, 1.0])
def test_no_overflow_and_no_underflow_on_the_way(size):
    array, single = np.array([[0.75 * size, 0.0]]), size
    a, b = leaves_with(array, single)
    norm = clip_by_norm([a, b], math.inf)
    assert norm == pytest.approx(float(exact_norm([array, single])) if size > 1e-30 else math.hypot(*array.flat, size))
    assert (a.grad is array, b.grad) == (True, single)
    if size >= 1:
        assert clip_by_norm([a, b], 1e-3) == norm
        np.testing.assert_allclose([*a.grad.flat, b.grad], [0.6e-3, 0, 0.8e-3], rtol=1e-15)


def test_numbers_are_those_of_pytorch():
    leaves = leaves_with(*(REFERENCE[f"clip {i}"] for i in range(3)))
    assert clip_by_norm(leaves, 2.5) == pytest.approx(float(REFERENCE["clip norm"]), rel=1e-15)
    for i, p in enumerate(leaves):  # PyTorch adds 1e-6 to the norm
        expected = REFERENCE[f"clip result {i}"] * (1 + 1e-6 / REFERENCE["clip norm"])
        np.testing.assert_allclose(p.grad, expected, rtol=1e-14)
    assert clip_by_norm(leaves, 100.0) == pytest.approx(2.5, rel=1e-15)


def test_by_value():
    array = np.array([[-5.0, 0.1], [2.0, 0.7]])
    a, b, c, d = leaves_with(array, -3.0, 0.25, np.array([1e30, 1.0], np.float32))
    clip_by_value([a, b, c, d], 0.7)
    assert a.grad.tolist() == [[-0.7, 0.1], [0.7, 0.7]]
    assert (b.grad, c.grad) == (-0.7, 0.25)
    assert d.grad.dtype == np.float32
    assert d.grad.tolist() == [np.float32(0.7)] * 2
    assert array[0, 0] == -5.0, "the array that someone else may hold is left alone"
    clip_by_value([d], 1e300)
    assert d.grad.tolist() == [np.float32(0.7)] * 2


def test_float32_stays_float32_and_its_squares_do_not_overflow():
    (p,) = leaves_with(np.full(4, 3e38, np.float32))
    assert clip_by_norm([p], 2.0) == pytest.approx(6e38, rel=1e-7)
    assert p.grad.dtype == np.float32
    assert p.grad.tolist() == [1.0] * 4


def test_parameters_of_a_model_and_those_without_a_gradient():
    model = Dense(3, 2, seed=0)
    (1000 * model(np.ones((1, 3))) ** 2).sum().backward()
    model.bias.zero_grad()
    clip_by_norm(model.parameters(), 1.0)
    assert np.linalg.norm(model.weight.grad) == pytest.approx(1.0, rel=1e-15)
    assert model.bias.grad is None
    clip_by_value({"layer": [model.weight, (model.bias,)]}, 0.5)
    assert np.abs(model.weight.grad).max() == 0.5
    clip_by_value(model.named_parameters(), 0.1)
    assert np.abs(model.weight.grad).max() == 0.1
    assert clip_by_norm(leaves_with(np.zeros((0, 2)), 0.0), 1.0) == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_nan_is_named_and_nothing_changes(bad):
    first, other = leaves_with(5.0, np.array([1.0, bad]))
    for clip in (clip_by_norm, clip_by_value):
        with pytest.raises(FloatingPointError, match=f"the gradient of layers.0.weight holds {bad}"):
            clip([("b", first), ("layers.0.weight", other)], 0.1)
        other.label = "W"
        with pytest.raises(FloatingPointError, match=f"the gradient of W holds {bad}"):
            clip([first, other], 0.1)
        other.label = None
        with pytest.raises(FloatingPointError, match=f"the gradient of parameter 1 holds {bad}"):
            clip([first, other], 0.1)
        assert first.grad == 5.0
    single = leaves_with(bad)
    with pytest.raises(FloatingPointError, match="the gradient of parameter 0 holds"):
        clip_by_norm(single, 0.1)


def test_a_norm_beyond_all_floats_is_an_error():
    leaves = leaves_with(np.full(4, 1.7e308))
    with pytest.raises(FloatingPointError, match="larger than the largest float"):
        clip_by_norm(leaves, 1.0)


BAD = {
    "zero": (lambda v: clip_by_norm([v], 0.0), ValueError, "max_norm is a number above 0, and was given 0.0"),
    "nan": (lambda v: clip_by_value([v], math.nan), ValueError, "limit is a number above 0, and was given nan"),
    "no gradient": (lambda v: clip_by_norm([Value(1.0)], 1.0), ValueError, "no parameter has a gradient yet"),
    "nothing": (lambda v: clip_by_value([], 1.0), ValueError, "no parameter has a gradient yet"),
    "a leaf": (lambda v: clip_by_norm(v, 1.0), TypeError, r"such as \[weight, bias\], and was given Value"),
    "a model": (lambda v: clip_by_norm(Dense(1, 1), 1.0), TypeError, r"such as model.parameters\(\), and was given D"),
    "numbers": (lambda v: clip_by_norm([1.0], 1.0), TypeError, "a leaf that carries a gradient, and was given 1.0"),
    "computed": (lambda v: clip_by_norm([v * v], 1.0), TypeError, "a leaf that carries a gradient"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    call, kind, message = BAD[case]
    v = Value(1.0)
    v.grad = 2.0
    with pytest.raises(kind, match=message):
        call(v)
    assert v.grad == 2.0
