"""What a replay takes together: sums and means of products, and constant factors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff import Tensor
from autodiff.compiler.numpy_backend import Replay
from tests.autodiff.compiler.test_numpy_backend import Bound

SHAPES = [(3,), (4, 5), (2, 3, 4), (1, 1), (6, 1)]


def calls(replay: Replay, backward: bool) -> list[str]:
    return [getattr(function, "__name__", "?") for function, _ in replay._main.calls[backward]]


def arrays(*shapes: tuple[int, ...]) -> list[Any]:
    rng = np.random.default_rng(1)
    return [rng.normal(size=shape) for shape in shapes]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("total", [ad.sum, ad.mean])
def test_sums_and_means_of_all_products(shape: Any, keepdims: bool, total: Any) -> None:
    products = lambda a, b: total((a + 0.5) * (b - 1.0), keepdims=keepdims)
    squares = lambda a, b: total((a - b) ** 2, keepdims=keepdims)
    for function in (products, squares):
        bound = Bound(function, arrays(shape, shape))
        bound.check(tolerance=1e-12)
        bound.check(*[3 * x for x in bound.arrays], tolerance=1e-12)


def test_a_mean_of_squares_is_one_product_and_one_factor() -> None:
    one = np.ones(())
    one.setflags(write=False)  # a constant, and therefore 1 / 20 too
    bound = Bound(lambda a, b: ad.mean((a - b) ** 2), arrays((4, 5), (4, 5)), [one])
    assert calls(bound.replay, False) == ["subtract", "_mean_dot"]
    assert calls(bound.replay, True).count("multiply") == 2  # by 2 / 20, and for b by -1
    bound.check()


def test_products_that_are_read_elsewhere_are_written_out() -> None:
    def function(a: Any, b: Any) -> Any:
        product = a * b
        return ad.sum(product) + ad.sum(ad.sin(product))

    bound = Bound(function, arrays((4, 5), (4, 5)))
    assert "dot" not in calls(bound.replay, False)
    bound.check(tolerance=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64])
def test_other_types_of_numbers(dtype: Any) -> None:
    given = [(x * 4).astype(dtype) for x in arrays((4, 5), (4, 5))]
    Bound(lambda a, b: ad.mean((a - b) ** 2), given).check(tolerance=1e-2 if dtype is np.float16 else 1e-5)


def test_means_along_an_axis_of_many_products() -> None:
    for axis in (0, 1, (0, 1)):
        bound = Bound(lambda a, b, axis=axis: ad.mean(a * b, axis=axis), arrays((60, 50), (60, 50)))
        bound.check(tolerance=1e-11)


# ── constant factors ─────────────────────────────────────────────────────────────────────────────────
def test_constant_factors_are_taken_together() -> None:
    function = lambda a: ad.sum(ad.sin(a) * 3.0 * 0.5 * np.full((4, 5), 0.25))
    bound = Bound(function, arrays((4, 5)))
    assert calls(bound.replay, True).count("multiply") <= 2  # one factor, and the cosine
    bound.check(tolerance=1e-14)


@pytest.mark.parametrize(
    "factors", [(1e200, 1e200, 1e-300), (1e-200, 1e-200, 1e300), (0.0, np.inf, 2.0), (1e90, 1e90, 1e-90)]
)
def test_factors_whose_product_has_no_number_stay_apart(factors: Any) -> None:
    def function(a: Any) -> Any:
        for factor in factors:
            a = a * factor
        return ad.sum(a)

    bound = Bound(function, [np.array([0.0, 1e-30, -2.5])])
    bound.check()
    bound.check(np.array([1e-200, 0.0, np.nan]))


def test_factors_that_are_not_constant_or_not_alike_stay() -> None:
    def function(a: Any, w: Any) -> Any:
        return ad.sum(a * w * 2.0 * np.array([[1.0], [2.0], [3.0]]) * 0.5)

    bound = Bound(function, arrays((3, 4), (4,)))
    bound.check(tolerance=1e-14)
    bound.check(*[x - 2.0 for x in bound.arrays], tolerance=1e-14)


@pytest.mark.parametrize(
    ("dtype", "factor", "last"),
    [(np.float32, 1e30, 1e-38), (np.float32, 1e-30, 1e38), (np.float16, 512.0, 1e-6), (np.float64, 1e200, 1e-300)],
)
def test_factors_whose_product_the_dtype_cannot_hold(dtype: Any, factor: float, last: float) -> None:
    """Taken together they would be infinite or 0, though each product by itself is a number."""
    x, s = np.array([1, 2, 3], dtype), np.full(3, last, dtype)
    expected = ad.grad(lambda x: (x * factor * factor * s).sum())(x)
    found = ad.compile(lambda x, s: (x * factor * factor * s).sum(), of=Tensor).grad(x, s)
    assert np.isfinite(expected).all()
    assert expected.all()
    np.testing.assert_allclose(found, expected, rtol=1e-2 if dtype is np.float16 else 1e-6)


@pytest.mark.parametrize("axis", [0, 1, None])
def test_sums_of_very_many_products_keep_their_digits(axis: Any) -> None:
    """NumPy adds up in pairs; one running sum of a million float32 would keep two digits less."""
    z = np.random.default_rng(0).uniform(0.9, 1.1, (2, 1 << 20)).astype(np.float32)
    z = z.T.copy() if axis == 0 else z
    mean = lambda z: (z**2).mean(axis=axis)
    np.testing.assert_allclose(ad.compile(mean, of=Tensor)(z), mean(Tensor(z)).data, rtol=1e-6)
