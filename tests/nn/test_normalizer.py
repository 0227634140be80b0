"""Normalizer: there and back again, whatever the scale; against exact rational arithmetic, not against itself."""

import copy
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import nn
from autodiff import Tensor, Value, check_gradients
from nn.data.normalizer import METHODS, Normalizer

pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")

ROWS = np.random.default_rng(1).normal(3, [1.0, 20.0, 0.01], (50, 3))


def exact(column):
    """The mean, the standard deviation, the minimum and the range, from fractions."""
    numbers = [Fraction(float(x)) for x in column]
    mean = sum(numbers) / len(numbers)
    variance = sum((x - mean) ** 2 for x in numbers) / len(numbers)
    scale = 1 << 1600  # a root of a fraction, by whole numbers
    std = Fraction(math.isqrt(int(variance * scale * scale)), scale)
    return float(mean), float(std), float(min(numbers)), float(max(numbers) - min(numbers))


HARD = {
    "ordinary": ROWS[:, 0],
    "far away": 1e9 + 1e-3 * np.random.default_rng(2).normal(size=1000),
    "far and fine": 1e15 + np.random.default_rng(2).integers(0, 3, 1000),
    "huge": 1e200 * np.random.default_rng(3).normal(size=100),
    "nearly the largest": np.array([-8e307, 8e307, 1e307]),
    "tiny": 1e-200 * np.random.default_rng(4).normal(size=100),
    "subnormal": np.array([0.0, 5e-324, 0.0, 0.0]),
    "one apart": np.array([1.0, 1.0 + 2**-52]),
    "an outlier": np.array([1.0, 2.0, 3.0, 1e12]),
    "integers": np.arange(-5, 6),
}


@pytest.mark.parametrize("case", HARD)
def test_offset_and_scale_to_the_last_digits(case):
    column = HARD[case]
    mean, std, low, span = exact(column)
    by_range = Normalizer("min-max").fit(column)
    assert (by_range.offset_[0], by_range.scale_[0]) == (low, span)
    normalizer = Normalizer().fit(column)
    np.testing.assert_allclose(normalizer.offset_, mean, rtol=4e-16, atol=4e-16 * span)
    if case != "subnormal":  # its deviation is no float
        np.testing.assert_allclose(normalizer.scale_, std, rtol=1e-14)
    there = normalizer.transform(column)
    assert np.isfinite(there).all()
    back = normalizer.inverse_transform(there)
    np.testing.assert_allclose(back, column, rtol=1e-15, atol=1e-15 * abs(column).max())


numbers = st.floats(-1e150, 1e150, allow_subnormal=False)


@given(arrays(float, array_shapes(max_dims=4, max_side=5), elements=numbers), st.sampled_from(sorted(METHODS)))
def test_there_and_back(X, method):
    normalizer = Normalizer(method)
    there = normalizer.fit_transform(X)
    assert there.shape == X.shape
    columns = X.reshape(-1, X.shape[-1] if X.ndim > 1 else 1)
    largest = abs(columns).max(axis=0)
    back = normalizer.inverse_transform(there).reshape(columns.shape)
    assert (abs(back - columns) <= 1e-12 * largest).all()
    there = there.reshape(columns.shape)
    constant = columns.max(axis=0) == columns.min(axis=0)
    assert (there[:, constant] == 0).all()
    assert (back[:, constant] == columns[:, constant]).all()
    if method == "min-max":
        assert (there.min(axis=0)[~constant] == 0).all()
        assert (there.max(axis=0)[~constant] == 1).all()


def test_z_scores_have_mean_0_and_variance_1_over_all_axes_but_the_last():
    X = np.random.default_rng(5).normal(7, 3, (20, 11, 4)) * [1, 10, 100, 1000]
    scores = Normalizer().fit_transform(X)
    np.testing.assert_allclose(scores.mean(axis=(0, 1)), 0, atol=1e-14)
    np.testing.assert_allclose(scores.std(axis=(0, 1)), 1, rtol=1e-14)
    np.testing.assert_allclose(scores, (X - X.mean(axis=(0, 1))) / X.std(axis=(0, 1)), rtol=1e-12, atol=1e-14)


def test_known_numbers():
    X = [[1.0, 0.0], [2.0, 10.0], [6.0, 5.0]]
    assert Normalizer("min-max").fit_transform(X).tolist() == [[0.0, 0.0], [0.2, 1.0], [1.0, 0.5]]
    normalizer = Normalizer().fit([0.0, 0.0, 4.0, 4.0])
    assert (normalizer.offset_.tolist(), normalizer.scale_.tolist()) == ([2.0], [2.0])
    assert normalizer.transform([0.0, 8.0]).tolist() == [-1.0, 3.0]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("constant", [0.0, 0.1, 1 / 3, -1e300, 1e-300, 5e-324])
def test_constant_columns(method, constant):
    X = np.full((10, 2), constant)
    X[:, 1] = np.arange(10)
    normalizer = Normalizer(method).fit(X)
    there = normalizer.transform(X)
    assert (there[:, 0] == 0).all()
    assert (normalizer.inverse_transform(there)[:, 0] == constant).all()


def test_targets_are_one_feature():
    y = np.array([10.0, 20.0, 60.0])
    normalizer = Normalizer("min-max").fit(y)
    assert normalizer.transform(y).tolist() == [0.0, 0.2, 1.0]
    # a model of one output may give (n,) or (n, 1); both come back
    assert normalizer.inverse_transform(np.array([0.2, 1.0])).tolist() == [20.0, 60.0]
    assert normalizer.inverse_transform(np.array([[0.2], [1.0]])).tolist() == [[20.0], [60.0]]
    assert Normalizer("min-max").fit(y[:, None]).transform(y).tolist() == [0.0, 0.2, 1.0]


WAYS = {
    "lists": ROWS.tolist(),
    "pandas": pd.DataFrame(ROWS, columns=["a", "b", "c"]),
    "polars": pl.DataFrame(ROWS, schema=["a", "b", "c"]),
    "Fortran's order": np.asfortranarray(ROWS),
}


@pytest.mark.parametrize("way", WAYS)
def test_all_kinds_of_data(way):
    normalizer = Normalizer().fit(WAYS[way])
    expected = Normalizer().fit_transform(ROWS)
    for other in WAYS.values():
        transformed = normalizer.transform(other)
        assert type(transformed) is np.ndarray
        assert (transformed == expected).all()
    assert normalizer.columns_ == (("a", "b", "c") if way in ("pandas", "polars") else None)


def test_the_data_are_left_alone():
    X = ROWS.copy()
    normalizer = Normalizer().fit(X)
    normalizer.inverse_transform(normalizer.transform(X))
    assert (X == ROWS).all()


def test_float32_stays_float32_and_keeps_its_digits():
    X = (1000 + ROWS).astype(np.float32)
    for method in METHODS:
        normalizer = Normalizer(method).fit(X)
        in_double = Normalizer(method).fit(X.astype(float))
        assert (normalizer.offset_ == in_double.offset_).all()
        there = normalizer.transform(X)
        assert there.dtype == np.float32
        assert (there == in_double.transform(X.astype(float)).astype(np.float32)).all()
        tensor = normalizer.transform(Tensor(X))
        assert tensor.dtype == np.float32
        assert (tensor.data == there).all()
        back = normalizer.inverse_transform(there)
        assert back.dtype == np.float32
        np.testing.assert_allclose(back, X, rtol=3e-7)
    assert Normalizer().fit_transform(np.arange(6).reshape(3, 2)).dtype == np.float64


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_tensors_stay_in_the_graph(method, dtype):
    normalizer = Normalizer(method).fit(ROWS)
    x = Tensor(ROWS[:4], dtype=dtype)
    seed = np.random.default_rng(0).normal(size=(4, 3)).astype(dtype)
    there = normalizer.transform(x)
    assert (there.data == normalizer.transform(x.data)).all()
    there.backward(seed)
    assert x.grad.dtype == dtype
    np.testing.assert_allclose(x.grad, seed / normalizer.scale_, rtol=1e-6 if dtype is np.float32 else 1e-15)
    z = Tensor(seed)
    normalizer.inverse_transform(z).backward(np.ones((4, 3), dtype))
    np.testing.assert_allclose(z.grad, np.tile(normalizer.scale_, (4, 1)), rtol=1e-6 if dtype is np.float32 else 1e-15)


def test_gradients_by_the_complex_step():
    normalizer = Normalizer().fit(ROWS)
    assert check_gradients(lambda x: normalizer.transform(x).tanh(), Tensor(ROWS[:3])) < 1e-12


# ── state ────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("method", METHODS)
def test_a_state_restores_exactly(method, tmp_path):
    fitted = Normalizer(method).fit(WAYS["pandas"])
    np.savez(tmp_path / "state.npz", **fitted.state_dict())
    with np.load(tmp_path / "state.npz", allow_pickle=False) as file:
        restored = Normalizer()
        restored.load_state_dict(dict(file))
    assert (restored.transform(ROWS) == fitted.transform(ROWS)).all()
    assert (restored.method, restored.columns_, repr(restored)) == (method, ("a", "b", "c"), repr(fitted))
    assert (restored.offset_.tobytes(), restored.scale_.tobytes()) == (
        fitted.offset_.tobytes(),
        fitted.scale_.tobytes(),
    )
    assert (copy.deepcopy(fitted).transform(ROWS) == fitted.transform(ROWS)).all()


def test_a_state_is_a_copy():
    fitted = Normalizer().fit(ROWS)
    before = fitted.transform(ROWS)
    state = fitted.state_dict()
    state["scale"][:] = 7.0
    assert (fitted.transform(ROWS) == before).all()
    fitted.load_state_dict(state)
    state["scale"][:] = 1.0
    assert fitted.scale_.tolist() == [7.0] * 3


def test_a_normalizer_that_is_not_fitted_has_a_state_too():
    restored = Normalizer().fit(ROWS)
    restored.load_state_dict(Normalizer("min-max").state_dict())
    assert repr(restored) == "Normalizer(method='min-max')"
    assert restored.offset_ is restored.scale_ is restored.columns_ is None


FITTED = Normalizer().fit(WAYS["pandas"]).state_dict()
WRONG_STATES = {
    "missing": ({"method": "z-score", "offset": np.ones(2)}, ValueError, r"given \['method', 'offset'\]"),
    "unexpected": ({**FITTED, "mean": np.ones(3)}, ValueError, "method, offset, scale and maybe columns; given"),
    "columns alone": ({"method": "z-score", "columns": np.array(["a"])}, ValueError, "given"),
    "nothing": ({}, ValueError, r"given \[\]"),
    "method": ({**FITTED, "method": "z-scor"}, ValueError, "did you mean 'z-score'"),
    "shapes": ({**FITTED, "scale": np.ones(4)}, ValueError, r"given shapes \(3,\) and \(4,\)"),
    "axes": ({**FITTED, "offset": np.eye(3), "scale": np.eye(3)}, ValueError, r"shapes \(3, 3\)"),
    "columns": ({**FITTED, "columns": np.array(["a"])}, ValueError, "for 1 columns"),
    "scale 0": ({**FITTED, "scale": np.array([1.0, 0.0, 1.0])}, ValueError, "scale .* above 0; given 0"),
    "NaN": ({**FITTED, "offset": np.array([1.0, math.nan, 1.0])}, ValueError, r"offset\[1\] is nan"),
    "text": ({**FITTED, "scale": np.array(["a", "b", "c"])}, TypeError, "scale holds 'a'"),
}


@pytest.mark.parametrize("case", WRONG_STATES)
def test_a_wrong_state_changes_nothing(case):
    state, kind, message = WRONG_STATES[case]
    normalizer = Normalizer("min-max").fit(ROWS)
    before = normalizer.transform(ROWS)
    with pytest.raises(kind, match=message):
        normalizer.load_state_dict(state)
    assert (normalizer.transform(ROWS) == before).all()


# ── bad input ────────────────────────────────────────────────────────────────────────────────────────
def with_nan():
    X = ROWS.copy()
    X[4, 2] = math.nan
    return X


three = Normalizer().fit(ROWS)
named = Normalizer().fit(WAYS["pandas"])
WRONG = {
    "method": (lambda: Normalizer("zscore"), ValueError, "no method of normalization 'zscore'; did you mean 'z-score'"),
    "no name": (lambda: Normalizer(len), TypeError, "is a name, and was given <built-in function len>"),
    "not fitted": (lambda: Normalizer().transform(ROWS), ValueError, r"not fitted; call fit\(X\)"),
    "not fitted, back": (lambda: Normalizer().inverse_transform(ROWS), ValueError, "not fitted"),
    "empty": (lambda: Normalizer().fit([]), ValueError, r"X has shape \(0,\); expected samples"),
    "a number": (lambda: Normalizer().fit(3.0), ValueError, r"X has shape \(\)"),
    "NaN": (lambda: Normalizer().fit(with_nan()), ValueError, r"X\[4, 2\] is nan"),
    "NaN in a frame": (
        lambda: Normalizer().fit(pd.DataFrame(with_nan(), columns=["a", "b", "age"])),
        ValueError,
        "X is nan in row 4, column 'age'",
    ),
    "NaN later": (lambda: three.transform(with_nan()), ValueError, r"X\[4, 2\] is nan"),
    "inf": (lambda: Normalizer().fit([1.0, math.inf]), ValueError, r"X\[1\] is inf"),
    "text": (lambda: Normalizer().fit([["a"]]), TypeError, "X holds 'a'"),
    "too wide": (lambda: Normalizer().fit([-1.5e308, 1.5e308]), ValueError, "feature 0 goes from -1.5e.308 to 1.5e"),
    "features": (lambda: three.transform(ROWS[:, :2]), ValueError, "X has 2 features, and this .* was fitted on 3"),
    "features, back": (
        lambda: three.inverse_transform(np.ones((2, 4))),
        ValueError,
        "X has 4 features, .* fitted on 3",
    ),
    "features of a tensor": (lambda: three.transform(Tensor(ROWS[:, :2])), ValueError, "X has 2 features"),
    "one row": (lambda: three.transform(ROWS[0]), ValueError, r"X has shape \(3,\); .* for one row write \[X\]"),
    "one number": (lambda: three.transform(1.0), ValueError, r"X has shape \(\); expected rows of 3 numbers$"),
    "columns": (
        lambda: named.transform(WAYS["pandas"][["b", "a", "c"]]),
        ValueError,
        r"another order; .*X = X\[\['a', 'b', 'c'\]\]",
    ),
    "values": (lambda: three.transform([[Value(1.0)] * 3]), TypeError, "lose its gradient"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_is_named(case):
    call, kind, message = WRONG[case]
    with pytest.raises(kind, match=message):
        call()


def test_a_failed_fit_leaves_the_last_one():
    normalizer = Normalizer().fit(ROWS)
    with pytest.raises(ValueError, match="nan"):
        normalizer.fit(with_nan())
    assert (normalizer.transform(ROWS) == Normalizer().fit_transform(ROWS)).all()


def test_it_is_exported():
    assert nn.Normalizer is Normalizer
