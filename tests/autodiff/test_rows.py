"""What single rows promise where the loop over the table does not look."""

import mpmath
import numpy as np
import pytest

import autodiff as ad
from autodiff import TABLE, Tensor, Value, gradients, primitive
from autodiff.context import silent
from tests.autodiff.reference import pullback, relative_error


def test_clip_with_crossed_bounds_is_flat():
    for x in (0.5, 1.5, 2.5):
        v = Value(x)
        y = ad.clip(v, 2, 1)
        assert y.data == np.clip(x, 2, 1) == 1
        assert gradients(y, [v]) == [0.0]


def test_clip_between_arrays():
    x = Tensor([0.0, 1.0, 2.0, 3.0])
    y = x.clip(np.array([1.0, 1, 1, 1]), np.array([2.0, 2, 1.5, 4]))
    y.sum().backward()
    assert y.data.tolist() == [1, 1, 1.5, 3]
    assert x.grad.tolist() == [0, 1, 0, 1]


def test_where_asks_only_whether_the_condition_holds():
    for condition in (2.5, -1.0, 0.0, True, False):
        a, b, t, u = Value(3.0), Value(5.0), Tensor([3.0]), Tensor([5.0])
        y, z = ad.where(condition, a, b), ad.where(np.array([condition]), t, u)
        assert y.data == z.data.item() == (3 if condition else 5)
        assert gradients(y, [a, b]) == [float(bool(condition)), float(not condition)]
        assert [g.item() for g in gradients(z, [t, u])] == [float(bool(condition)), float(not condition)]


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_angles_and_distances_neither_overflow_nor_vanish(scale):
    y, x = Value(3 * scale), Value(4 * scale)
    assert gradients(ad.arctan2(y, x), [y, x]) == pytest.approx([0.16 / scale, -0.12 / scale], rel=1e-14)
    assert gradients(ad.hypot(y, x), [y, x]) == pytest.approx([0.6, 0.8], rel=1e-14)
    t = Tensor([3 * scale, 4 * scale])
    assert ad.norm(t).data == pytest.approx(5 * scale, rel=1e-14)
    assert gradients(ad.norm(t), [t])[0] == pytest.approx([0.6, 0.8], rel=1e-14)


@pytest.mark.parametrize("x", [-40.0, -10.0, 0.0, 3.0])
def test_expm1_keeps_the_digits_of_its_slope(x):
    v = Value(x)
    assert gradients(ad.expm1(v), [v])[0] == pytest.approx(float(mpmath.exp(x)), rel=1e-15)


def test_reciprocal_of_integers():
    assert ad.reciprocal(np.array([2, 4])).tolist() == [0.5, 0.25]
    assert ad.reciprocal(4) == 0.25


@pytest.mark.parametrize("ddof", [1, 2])
def test_variance_without_degrees_of_freedom_is_nan(ddof):
    for f in (ad.var, ad.std):
        x = Tensor([3.0])
        y = f(x, ddof=ddof)
        assert np.isnan(y.data)
        assert np.isnan(gradients(y, [x])[0]).all()


def test_variance_keeps_its_digits_far_from_zero():
    x = 1e8 + np.array([1.0, 2.0, 4.0])
    assert ad.var(x) == pytest.approx(14 / 9, rel=1e-15)
    assert ad.grad(ad.var)(x) == pytest.approx(2 / 3 * (np.array([1.0, 2, 4]) - 7 / 3), rel=1e-14)


@pytest.mark.parametrize(
    ("a", "b"), [((2, 3, 3), (3,)), ((3, 3, 3), (3,)), ((3, 3), (4, 3, 2)), ((4, 1, 3, 3), (2, 3, 1))]
)
def test_solve_with_stacks(a, b):
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=a) + 4 * np.eye(3), rng.normal(size=b)]
    leaves = [Tensor(x) for x in inputs]
    y = ad.solve(*leaves)
    g = rng.normal(size=y.shape)
    for got, want, size in zip(gradients(y, leaves, g), *pullback(np.linalg.solve, inputs, g), strict=True):
        assert relative_error(got, want, size) <= 1e-12


@pytest.mark.parametrize(("a", "b"), [((4, 2, 0), (0, 3)), ((0, 2, 3), (3, 2)), ((0,), (0, 3)), ((2, 0), (0,))])
def test_products_without_entries(a, b):
    x, y = Tensor(np.ones(a)), Tensor(np.ones(b))
    z = x @ y
    assert np.array_equal(z.data, np.matmul(x.data, y.data))
    assert [g.shape for g in gradients(z, [x, y], np.ones(z.shape))] == [a, b]


def test_rounding_to_integers_has_no_slope():
    x = Tensor([1.5, 2.5])
    y = x.astype(int).astype(float)
    assert y.data.tolist() == [1, 2]
    assert not y.requires_grad or gradients(y.sum(), [x])[0].tolist() == [0, 0]


def test_a_list_as_index_picks_entries():
    x, v = Tensor(np.zeros((2, 3))), Tensor([5.0, 7.0])
    assert ad.put(x, 1.0, [0, 1]).data.tolist() == [[1, 1, 1], [1, 1, 1]]
    assert ad.put(x, 1.0, (0, 1)).data.tolist() == [[0, 1, 0], [0, 0, 0]]
    assert ad.scatter(v, [2, 2], (4,)).data.tolist() == [0, 0, 12, 0]
    assert ad.scatter_add(np.zeros(3), v, [0, 0]).data.tolist() == [12, 0, 0]


def test_indices_along_an_axis_broadcast():
    x = Tensor(np.arange(6.0).reshape(2, 3))
    y = x.take_along_axis(np.array([[2, 2]]), axis=1)
    assert y.data.tolist() == [[2, 2], [5, 5]]
    assert gradients(y.sum(), [x])[0].tolist() == [[0, 0, 2], [0, 0, 2]]


@pytest.mark.parametrize(
    "name", ["softmax", "log_softmax", "logsumexp", "sigmoid", "erf", "gelu", "var", "norm", "relu"]
)
def test_lists_and_integers_are_arrays(name):
    row = TABLE[name]
    want = row(np.array([1.0, 2.0]))
    assert np.array_equal(row([1, 2]), want)
    assert np.array_equal(row(np.array([1, 2])), want)
    assert np.array_equal(row(Tensor([1, 2])).data, want)


def test_softmax_with_masked_entries():
    x = Tensor([0.0, -np.inf, 0.0])
    for f in (ad.softmax, lambda x: ad.exp(ad.log_softmax(x))):
        y = f(x)
        assert y.data == pytest.approx([0.5, 0, 0.5], rel=1e-15)
        assert gradients(y[0], [x])[0][[0, 2]] == pytest.approx([0.25, -0.25], rel=1e-15)
    assert gradients(ad.logsumexp(x), [x])[0] == pytest.approx([0.5, 0, 0.5], rel=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_choices_keep_the_dtype(dtype):
    a, b = Tensor(np.array([1, 2], dtype)), Tensor(np.array([2, 2], dtype))
    for row in (ad.maximum, ad.wins, ad.is_positive, ad.relu, ad.elu, ad.selu, ad.sigmoid, ad.erf, ad.leaky_relu):
        assert row(*[a, b][: row.arity]).dtype == dtype


def test_error_function_in_every_region():
    """To the last digits in all three regions of Cody's approximation and in the tails."""
    x = np.concatenate([np.linspace(-6, 6, 241), [0.46875, 4, -4, 26.5, 1e-300, 0, np.inf, -np.inf]])
    for name, exact in (("erf", mpmath.erf), ("erfc", mpmath.erfc)):
        want = np.array([float(exact(v)) for v in x])
        assert relative_error(TABLE[name](x), want) <= 1e-15
        assert relative_error(np.array([TABLE[name](v) for v in x.tolist()]), want) <= 1e-15
    assert np.isnan(ad.erf(np.array([np.nan])))
    with pytest.raises(TypeError, match="real"):
        ad.erf(np.array([1j]))


def test_a_row_may_have_any_number_as_its_slope():
    half = primitive("half_for_this_test", lambda x: x / 2, partials=[0.5])
    try:
        for x in (Value(3.0), Tensor([3.0])):
            y = half(x)
            y.backward()
            assert x.grad == 0.5
    finally:
        del TABLE["half_for_this_test"]


def test_prod_of_no_entries():
    x = Tensor(np.zeros((2, 0)))
    assert x.prod(axis=1).data.tolist() == [1, 1]
    assert gradients(x.prod(), [x])[0].shape == (2, 0)


# ── whole numbers ────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "name", ["sigmoid", "log_sigmoid", "softplus", "silu", "elu", "selu", "gelu", "gelu_tanh", "var", "std"]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, bool])
def test_small_whole_numbers_do_not_wrap_around(name, dtype):
    numbers = np.array([1, 0, 1, 1] if dtype is bool else [3, 1, 0, 7], dtype)
    function = getattr(ad, name)
    np.testing.assert_array_equal(function(Tensor(numbers)).data, function(Tensor(numbers.astype(float))).data)


def test_an_operation_that_numpy_does_not_have_for_a_type_says_so():
    with pytest.raises(TypeError, match=r"sign of shape \(2,\): ufunc 'sign' did not contain a loop"):
        ad.sign(Tensor([True, False]))


def test_silence_holds_for_all_operations_inside_and_no_longer():
    with np.errstate(all="raise"):
        with silent():
            assert Tensor([0.0]).log().data[0] == -np.inf
            assert (Tensor([1.0]) / 0.0).data[0] == np.inf
        assert set(np.geterr().values()) == {"raise"}
        assert Tensor([0.0]).log().data[0] == -np.inf  # as outside, each operation for itself
        with pytest.raises(FloatingPointError):
            np.log(np.zeros(1))
