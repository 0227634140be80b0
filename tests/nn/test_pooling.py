"""Pooling against PyTorch's numbers; ties, edges and errors."""

import re

import numpy as np
import pytest

from autodiff import Tensor, check_gradients
from nn import AvgPool1d, AvgPool2d, GlobalAvgPool, GlobalMaxPool, MaxPool1d, MaxPool2d
from tests.nn.by_pytorch import agrees

CASES = {
    "max1d": MaxPool1d(2),
    "max1d overlapping": MaxPool1d(3, stride=2, padding=1),
    "max2d": MaxPool2d(2),
    "max2d with a rest": MaxPool2d(2),
    "max2d overlapping": MaxPool2d((3, 2), stride=(2, 1), padding=(1, 0)),
    "avg1d": AvgPool1d(2),
    "avg1d overlapping": AvgPool1d(3, stride=2, padding=1),
    "avg2d": AvgPool2d((2, 3)),
    "avg2d overlapping": AvgPool2d((3, 2), stride=(2, 1), padding=(1, 0)),
}


@pytest.mark.parametrize("case", CASES)
def test_pytorch(case):
    agrees(CASES[case], case)


@pytest.mark.parametrize("kind", [MaxPool2d, AvgPool2d])
def test_windows_side_by_side_are_a_special_case_of_all_windows(kind):
    x = np.random.default_rng(0).integers(0, 3, (2, 3, 4, 6)).astype(float)  # with ties
    exact, with_a_rest = Tensor(x), Tensor(np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 2)), constant_values=9))
    upstream = np.random.default_rng(1).normal(size=(2, 3, 2, 2))
    quick, general = kind((2, 3))(exact), kind((2, 3))(with_a_rest)
    quick.backward(upstream)
    general.backward(upstream)
    assert (quick.inputs[0].op.name, general.inputs[0].op.name) == ("reshape", "sliding_windows")
    np.testing.assert_allclose(quick.data, general.data, rtol=1e-15)
    np.testing.assert_allclose(exact.grad, with_a_rest.grad[:, :, :4, :6], rtol=1e-15)
    assert not with_a_rest.grad[:, :, 4:].any()
    assert not with_a_rest.grad[:, :, :, 6:].any()


def test_ties_share_the_gradient():
    x = Tensor([[[2.0, 2.0, 1.0, 3.0, 3.0, 3.0]]])
    MaxPool1d(3)(x).sum().backward()
    np.testing.assert_allclose(x.grad, [[[1 / 2, 1 / 2, 0, 1 / 3, 1 / 3, 1 / 3]]], rtol=1e-15)


def test_what_is_padded_is_never_the_largest_and_counts_in_the_mean():
    x = [[[-5.0, -6.0, -7.0, -8.0]]]
    assert MaxPool1d(2, padding=1)(x).data.tolist() == [[[-5.0, -6.0, -8.0]]]
    assert AvgPool1d(2, padding=1)(x).data.tolist() == [[[-2.5, -6.5, -4.0]]]


def test_whole_numbers_are_taken_as_floats():
    x = np.array([[[-5, -6, -7, -8]]])
    assert MaxPool1d(2, padding=1)(x).data.tolist() == [[[-5.0, -6.0, -8.0]]]
    assert MaxPool1d(2)(x).dtype == AvgPool1d(2)(x.astype(np.uint8)).dtype == float


def test_nan_is_passed_on():
    assert np.isnan(MaxPool1d(2)([[[np.nan, 1.0]]]).data).all()


def test_global_pooling():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    np.testing.assert_allclose(GlobalAvgPool()(x).data, x.mean(axis=(2, 3)), rtol=1e-14)
    assert (GlobalMaxPool()(x).data == x.max(axis=(2, 3))).all()
    assert GlobalAvgPool()(x[:, :, 0]).shape == GlobalMaxPool()(x[:, :, 0]).shape == (2, 3)
    assert check_gradients(GlobalAvgPool(), x[:1]) < 1e-12
    assert check_gradients(GlobalMaxPool(), x[:1]) < 1e-6


def test_gradients_by_differences():
    x = np.random.default_rng(0).permutation(24).reshape(1, 2, 3, 4) / 10 + 0.05  # no ties within a step
    assert check_gradients(MaxPool2d((2, 3), stride=1, padding=1), x) < 1e-6
    assert check_gradients(AvgPool2d((2, 3), stride=(1, 2), padding=1), x) < 1e-12


def test_single_precision_stays():
    x = np.ones((1, 1, 5), np.float32)
    for layer in (MaxPool1d(2), MaxPool1d(2, padding=1), AvgPool1d(2), AvgPool1d(2, padding=1)):
        assert layer(x).dtype == np.float32


def test_repr():
    assert repr(MaxPool2d(2)) == "MaxPool2d(2)"
    assert repr(AvgPool2d((3, 2), stride=1, padding=(1, 0))) == "AvgPool2d((3, 2), stride=1, padding=(1, 0))"
    assert repr(GlobalAvgPool()) == "GlobalAvgPool()"


def test_bad_arguments_and_input():
    wrong = {
        "kernel_size is at least 1, and was given 0": lambda: MaxPool1d(0),
        "stride is at least 1, and was given 0": lambda: MaxPool1d(2, stride=0),
        "padding is at most half of kernel_size=3, so that no window lies outside, and was given 2": lambda: AvgPool1d(3, padding=2),
        "MaxPool2d(2) takes arrays of shape (N, C, H, W), and was given shape (4, 4)": lambda: MaxPool2d(2)(np.zeros((4, 4))),
        "MaxPool1d(4) looks through windows of 4, which do not fit into an input of shape (1, 1, 3)": lambda: MaxPool1d(4)(np.zeros((1, 1, 3))),
        "GlobalMaxPool() takes arrays of shape (N, C, L) or (N, C, H, W), and was given shape (2, 3)": lambda: GlobalMaxPool()(np.zeros((2, 3))),
    }  # fmt: skip
    for message, make in wrong.items():
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            make()
