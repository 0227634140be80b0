"""Convolution against PyTorch's numbers, against a sum written out, and by differences."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nn
from autodiff import Tensor, check_gradients, relu
from nn import Conv1d, Conv2d
from tests.nn.by_pytorch import agrees

CASES = {
    "conv1d": lambda: Conv1d(2, 3, 3),
    "conv1d stride padding dilation": lambda: Conv1d(2, 3, 3, stride=2, padding=2, dilation=2, bias=False),
    "conv1d same": lambda: Conv1d(2, 2, 4, padding="same"),
    "conv2d": lambda: Conv2d(2, 3, 3, padding=1),
    "conv2d by axis": lambda: Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2)),
    "conv2d same": lambda: Conv2d(1, 2, (2, 3), padding="same", dilation=(3, 1)),
    "conv2d valid": lambda: Conv2d(1, 2, 2, stride=2, padding="valid", bias=False),
    "conv2d of one place": lambda: Conv2d(3, 2, 1),
}


@pytest.mark.parametrize("case", CASES)
def test_pytorch(case):
    agrees(CASES[case](), case)


def test_a_small_network_by_pytorch():
    model = nn.Sequential(
        Conv2d(1, 4, 3, padding=1, activation="relu"), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3)
    )
    place = {"0": "0", "3": "4"}  # PyTorch's relu is a layer of its own
    agrees(model, "stack", lambda name: f"{place[name.split('.')[1]]}.{name.split('.')[2]}")


def written_out(x, weight, bias, stride, padding, dilation):
    """The definition, one product at a time."""
    padded = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    kernel = weight.shape[2:]
    lengths = [
        (n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(padded.shape[2:], kernel, stride, dilation, strict=True)
    ]
    out = np.zeros((len(x), len(weight), *lengths))
    for place in itertools.product(*map(range, lengths)):
        for at in itertools.product(*map(range, kernel)):
            seen = [p * s + a * d for p, s, a, d in zip(place, stride, at, dilation, strict=True)]
            out[(..., *place)] += padded[(..., *seen)] @ weight[(..., *at)].T
    return out + bias.reshape(-1, *(1,) * len(kernel))


sizes = st.integers(1, 3)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(1, 2), st.integers(0, 2**32 - 1))
def test_the_definition_at_any_size(data, axes, seed):
    draw = lambda strategy: tuple(data.draw(strategy) for _ in range(axes))
    kernel, stride, dilation, padding = draw(sizes), draw(sizes), draw(sizes), draw(st.integers(0, 2))
    lengths = tuple(d * (k - 1) + 1 + data.draw(st.integers(0, 4)) for k, d in zip(kernel, dilation, strict=True))
    rng = np.random.default_rng(seed)
    batch, inputs, outputs = (data.draw(sizes) for _ in range(3))
    layer = (Conv1d, Conv2d)[axes - 1](
        inputs, outputs, kernel, stride=stride, padding=padding, dilation=dilation, seed=rng
    )
    layer.bias.data = rng.normal(size=outputs)
    x = rng.normal(size=(batch, inputs, *lengths))
    expected = written_out(x, layer.weight.data, layer.bias.data, stride, padding, dilation)
    np.testing.assert_allclose(layer(x).data, expected, rtol=1e-12, atol=1e-12)


def test_gradients_by_the_complex_step_and_of_the_second_order():
    rng = np.random.default_rng(0)
    layer = Conv2d(2, 2, 2, padding="same", activation="tanh", seed=0)

    def model(x, weight, bias):
        layer.weight, layer.bias = weight, bias
        return layer(x)

    x, weight = rng.normal(size=(1, 2, 3, 2)), layer.weight.data
    assert check_gradients(model, x, weight, rng.normal(size=2), order=2) < 1e-11


def test_same_keeps_the_length():
    for kernel, dilation in itertools.product((1, 2, 3, 4, 5), (1, 2, 3)):
        layer = Conv1d(1, 1, kernel, padding="same", dilation=dilation, seed=0)
        assert layer(np.zeros((1, 1, 6))).shape == (1, 1, 6)


def test_softmax_is_over_the_channels():
    output = Conv2d(1, 3, 2, activation="softmax", seed=0)(np.random.default_rng(0).normal(size=(2, 1, 4, 5)))
    np.testing.assert_allclose(output.data.sum(axis=1), 1, rtol=1e-14)


def test_an_empty_batch_passes():
    x = Tensor(np.zeros((0, 2, 5, 5)))
    layer = Conv2d(2, 3, 3, seed=0)
    output = layer(x)
    output.sum().backward()
    assert (output.shape, x.grad.shape) == ((0, 3, 3, 3), (0, 2, 5, 5))
    assert not layer.weight.grad.any()


def test_single_precision_stays():
    layer = Conv1d(2, 3, 3, padding=1, activation="relu", seed=0)
    layer.weight, layer.bias = Tensor(layer.weight.data, dtype=np.float32), Tensor(layer.bias.data, dtype=np.float32)
    output = layer(np.ones((2, 2, 5), np.float32))
    output.sum().backward()
    assert (output.dtype, layer.weight.grad.dtype) == (np.float32, np.float32)


def test_it_starts_as_its_activation_asks():
    drawn = Conv2d(8, 64, 3, activation="relu", seed=0).weight.data
    assert drawn.var() == pytest.approx(2 / 72, rel=0.05)
    assert Conv2d(8, 64, 3, seed=0).weight.data.var() == pytest.approx(1 / 72, rel=0.05)
    assert Conv1d(1, 2, 3, initializer="ones").weight.data.tolist() == [[[1, 1, 1]], [[1, 1, 1]]]
    same = [Conv1d(2, 3, 3, seed=np.random.default_rng(4)).weight.data for _ in range(2)]
    assert (same[0] == same[1]).all()


def test_repr():
    assert repr(Conv2d(1, 16, 3)) == "Conv2d(1, 16, 3)"
    layer = Conv2d(1, 2, (3, 2), stride=2, padding=(1, 0), dilation=3, bias=False, activation=relu)
    assert repr(layer) == "Conv2d(1, 2, (3, 2), stride=2, padding=(1, 0), dilation=3, bias=False, activation='relu')"
    assert repr(Conv1d(1, 2, 4, padding="same")) == "Conv1d(1, 2, 4, padding='same')"
    assert repr(Conv1d(1, 2, 4, padding="valid")) == "Conv1d(1, 2, 4)"


def test_bad_arguments():
    wrong = {
        "inputs is at least 1, and was given 0": lambda: Conv1d(0, 1, 1),
        "kernel_size is at least 1, and was given 0": lambda: Conv1d(1, 1, 0),
        "each kernel_size is at least 1, and was given 0": lambda: Conv2d(1, 1, (2, 0)),
        "stride is at least 1, and was given 0": lambda: Conv1d(1, 1, 1, stride=0),
        "padding is at least 0, and was given -1": lambda: Conv1d(1, 1, 1, padding=-1),
        "kernel_size is a whole number, or 2 of them, and was given (1, 2, 3)": lambda: Conv2d(1, 1, (1, 2, 3)),
        "kernel_size is one whole number, and was given (1, 2)": lambda: Conv1d(1, 1, (1, 2)),
        "there is no padding 'smae'; did you mean 'same'? There are: same, valid": lambda: Conv1d(1, 1, 1, padding="smae"),
        "padding='same' is for stride=1, and with stride=2 the output is shorter": lambda: Conv1d(1, 1, 1, padding="same", stride=2),
    }  # fmt: skip
    for message, make in wrong.items():
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            make()
    with pytest.raises(TypeError, match=r"kernel_size is a whole number, and was given 2\.5"):
        Conv1d(1, 1, 2.5)


def test_bad_input():
    layer = Conv2d(3, 8, 3, seed=0)
    narrow = Conv2d(3, 8, 3, dilation=(1, 2), padding=(1, 0), seed=0)
    wrong = {
        "Conv2d(3, 8, 3) takes arrays of shape (N, C, H, W) with C = 3, and was given shape (2, 1, 8, 8)": lambda: layer(np.zeros((2, 1, 8, 8))),
        "Conv2d(3, 8, 3) takes arrays of shape (N, C, H, W) with C = 3, and was given shape (3, 8, 8)": lambda: layer(np.zeros((3, 8, 8))),
        "Conv2d(3, 8, 3, padding=(1, 0), dilation=(1, 2)) looks through windows of 3 x 5, which do not fit into an input of shape (2, 3, 8, 4), with padding 10 x 4": lambda: narrow(np.zeros((2, 3, 8, 4))),
    }  # fmt: skip
    for message, make in wrong.items():
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            make()
