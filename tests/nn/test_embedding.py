"""Embedding against PyTorch's numbers, and what it refuses."""

import numpy as np
import pytest

from autodiff import Tensor
from nn import Dense, Embedding, Sequential
from tests.nn.by_pytorch import agrees


def test_pytorch():
    agrees(Embedding(6, 3), "embedding")


def test_rows_picked_twice_get_the_sum_of_the_gradients():
    layer = Embedding(4, 2, seed=0)
    layer([[0, 3], [3, 3]]).sum().backward()
    assert layer.weight.grad.tolist() == [[1, 1], [0, 0], [0, 0], [3, 3]]


def test_it_is_the_linear_layer_of_one_hot_rows():
    layer, places = Embedding(5, 3, seed=0), np.array([4, 0, 2])
    assert (layer(places).data == np.eye(5)[places] @ layer.weight.data).all()


def test_shapes_and_kinds_of_indices():
    layer = Embedding(5, 3, seed=0)
    assert layer(2).shape == (3,)
    assert layer([[[1]]]).shape == (1, 1, 1, 3)
    assert layer(np.zeros((0, 4), int)).shape == (0, 4, 3)
    for kind in (np.uint8, np.int16, np.int64):
        assert (layer(np.array([1, 4], kind)).data == layer.weight.data[[1, 4]]).all()
    assert layer(Tensor([1, 4])).shape == (2, 3)
    assert Sequential(layer, Dense(3, 2, seed=0))([[0, 1, 2]]).shape == (1, 3, 2)


def test_start():
    assert Embedding(200, 100, seed=0).weight.data.std() == pytest.approx(1, rel=0.03)
    assert Embedding(2, 3, initializer="zeros").weight.data.tolist() == [[0, 0, 0]] * 2


def test_bad_input():
    layer = Embedding(27, 8, seed=0)
    for x, message in [
        ([[0, 1], [27, 3]], "Embedding(27, 8) has rows from 0 to 26, and x[1, 0] is 27"),
        ([-1], "Embedding(27, 8) has rows from 0 to 26, and x[0] is -1"),
        (30, "Embedding(27, 8) has rows from 0 to 26, and x is 30"),
    ]:
        with pytest.raises(IndexError) as caught:
            layer(x)
        assert str(caught.value) == message
    for x, kind in [([1.0], "float64"), ([True], "bool")]:
        with pytest.raises(TypeError) as caught:
            layer(x)
        assert str(caught.value) == f"Embedding(27, 8) takes whole numbers, and was given {kind}; write x.astype(int)"
    with pytest.raises(ValueError, match="count is at least 1, and was given 0"):
        Embedding(0, 8)
    with pytest.raises(ValueError, match="outputs is at least 1, and was given 0"):
        Embedding(8, 0)
