"""BatchNorm and LayerNorm against PyTorch's numbers, and against exact arithmetic far from 0."""

import re
from fractions import Fraction

import numpy as np
import pytest

from autodiff import Tensor, check_gradients, no_grad
from nn import BatchNorm, BatchNorm1d, BatchNorm2d, LayerNorm
from tests.nn.by_pytorch import agrees

CASES = {
    "batch norm": lambda: BatchNorm1d(3),
    "batch norm of sequences": lambda: BatchNorm1d(3, eps=1e-2, momentum=0.3),
    "batch norm of images": lambda: BatchNorm2d(3),
    "batch norm of images, not affine": lambda: BatchNorm2d(3, affine=False),
    "batch norm, eval": lambda: BatchNorm1d(3).eval(),
    "batch norm of images, eval": lambda: BatchNorm2d(3).eval(),
    "layer norm": lambda: LayerNorm(5),
    "layer norm of two axes": lambda: LayerNorm((3, 5), eps=1e-2),
    "layer norm, not affine": lambda: LayerNorm(5, affine=False),
}


@pytest.mark.parametrize("case", CASES)
def test_pytorch(case):
    agrees(CASES[case](), case)


def exactly(column, eps):
    """(x - mean) / sqrt(var + eps), with nothing rounded before the root."""
    x = [Fraction(float(number)) for number in column]
    mean = sum(x) / len(x)
    var = sum((number - mean) ** 2 for number in x) / len(x)
    return np.array([float(number - mean) for number in x]) / np.sqrt(float(var + Fraction(eps)))


@pytest.mark.parametrize("offset", [0.0, 1e6, -1e12])
def test_a_large_offset_costs_no_digits(offset):
    x = np.random.default_rng(0).normal(size=(50, 2)) * [1.0, 1e-3] + offset
    wanted = np.stack([exactly(column, 1e-5) for column in x.T], axis=1)
    np.testing.assert_allclose(BatchNorm(2)(x).data, wanted, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(LayerNorm(50)(x.T).data, wanted.T, rtol=1e-12, atol=1e-14)


def test_a_large_offset_in_single_precision():
    x = (np.random.default_rng(0).normal(size=(20000, 1)) + 3000).astype(np.float32)
    layer = LayerNorm(20000, affine=False)
    got = layer(x.T)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got.data[0], exactly(x[:, 0], 1e-5), rtol=1e-4, atol=1e-5)


def test_constant_features_give_the_bias_and_no_gradient():
    layer, x = BatchNorm(2), Tensor([[0.1, 7e9]] * 3)
    layer.bias.data = [1.0, 2.0]
    output = layer(x)
    assert output.data.tolist() == [[1.0, 2.0]] * 3
    output.backward(np.ones((3, 2)))
    assert not x.grad.any()


@pytest.mark.parametrize("layer", [BatchNorm(2), BatchNorm(2).eval(), LayerNorm((2, 3)), LayerNorm(3)])
def test_gradients_by_the_complex_step_and_of_the_second_order(layer):
    x = np.random.default_rng(0).normal(3, 2, size=(3, 2, 3))

    def model(x, weight, bias):
        layer.weight, layer.bias = weight, bias
        return layer(x)

    shape = layer.weight.shape
    assert check_gradients(model, x, np.full(shape, 1.5), np.full(shape, 0.5), order=2) < 1e-9


def test_running_averages():
    rng = np.random.default_rng(0)
    layer = BatchNorm(2, momentum=0.2)
    mean, var = np.zeros(2), np.ones(2)
    for _ in range(3):
        x = rng.normal(5, 3, size=(7, 2))
        mean, var = 0.8 * mean + 0.2 * x.mean(0), 0.8 * var + 0.2 * x.var(0, ddof=1)
        with no_grad():
            layer(x)
    np.testing.assert_allclose(layer.running_mean.data, mean, rtol=1e-14)
    np.testing.assert_allclose(layer.running_var.data, var, rtol=1e-14)
    assert list(layer.state_dict()) == ["weight", "bias", "running_mean", "running_var"]
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    layer.eval()
    np.testing.assert_allclose(layer(x[:1]).data, (x[:1] - mean) / np.sqrt(var + 1e-5), rtol=1e-12)
    np.testing.assert_allclose(layer.running_mean.data, mean, rtol=1e-14)  # an evaluation teaches nothing
    assert (layer(x).data[:1] == layer(x[:1]).data).all()


def test_training_goes_on_after_the_averages_have_moved():
    layer = BatchNorm(1)
    first, second = layer([[1.0], [2.0]]), layer([[3.0], [5.0]])
    (first.sum() + second.sum()).backward()  # the graphs hold nothing of the buffers
    assert layer.bias.grad.tolist() == [4.0]


def test_repr():
    assert repr(BatchNorm(3)) == "BatchNorm(3)"
    assert repr(BatchNorm2d(3, eps=0.01, momentum=0.2, affine=False)) == (
        "BatchNorm(3, eps=0.01, momentum=0.2, affine=False)"
    )
    assert repr(LayerNorm(3)) == "LayerNorm(3)"
    assert repr(LayerNorm((2, 3), eps=0.01, affine=False)) == "LayerNorm((2, 3), eps=0.01, affine=False)"


def test_bad_arguments_and_input():
    one = "BatchNorm(3) needs more than one number for each feature to train on, and was given shape (1, 3); use larger batches, or model.eval()"
    wrong = {
        "features is at least 1, and was given 0": lambda: BatchNorm(0),
        "eps is a small number of at least 0, and was given -1": lambda: BatchNorm(3, eps=-1),
        "momentum is the share of the new batch, from 0 to 1, and was given 2": lambda: BatchNorm(3, momentum=2),
        "each length in shape is at least 1, and was given 0": lambda: LayerNorm((3, 0)),
        "shape is the lengths of the last axes, such as 64 or (16, 64), and was given ()": lambda: LayerNorm(()),
        "BatchNorm(3) takes shapes (N, 3, ...), and was given shape (2, 4)": lambda: BatchNorm(3)(np.zeros((2, 4))),
        "BatchNorm(3) takes shapes (N, 3, ...), and was given shape (3,)": lambda: BatchNorm(3)(np.zeros(3)),
        one: lambda: BatchNorm(3)(np.zeros((1, 3))),
        "LayerNorm((2, 3)) takes shapes (..., 2, 3), and was given shape (3, 2)": lambda: LayerNorm((2, 3))(np.zeros((3, 2))),
    }  # fmt: skip
    for message, make in wrong.items():
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            make()


def test_an_error_leaves_the_averages_alone():
    layer = BatchNorm(3)
    with pytest.raises(ValueError, match="more than one number"):
        layer(np.ones((1, 3)))
    assert layer.running_mean.data.tolist() == [0, 0, 0]
    assert layer(np.ones((1, 3, 2))).shape == (1, 3, 2)  # two places of one sample are enough


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, bool])
@pytest.mark.parametrize("layer", [BatchNorm(2), LayerNorm(4), BatchNorm(2, affine=False).eval()])
def test_small_integers_do_not_wrap_around(layer, dtype):
    x = np.random.default_rng(0).integers(-100, 300, (3, 2, 4)).astype(dtype)
    np.testing.assert_array_equal(layer(x).data, layer(x.astype(float)).data)
