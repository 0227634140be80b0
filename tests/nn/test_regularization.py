"""Dropout drops as often as it says, and nothing else changes."""

import math

import numpy as np
import pytest

from autodiff import Tensor
from nn import Dense, Dropout, Sequential


def test_share_and_scale():
    n, p = 40_000, 0.3
    x = Tensor(np.full(n, 7.0))
    output = Dropout(p, seed=0)(x)
    dropped = output.data == 0
    assert dropped.mean() == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / n))
    assert set(output.data[~dropped]) == {7 / (1 - p)}
    output.sum().backward()
    np.testing.assert_array_equal(x.grad, np.where(dropped, 0, 1 / (1 - p)))


def test_evaluation_is_the_identity_without_a_node():
    x = Tensor([1.0, 2.0])
    layer = Dropout(0.5, seed=0)
    before = layer.rng.bit_generator.state
    assert layer.eval()(x) is x
    assert layer.rng.bit_generator.state == before
    assert Dropout(0.0, seed=0)(x) is x


def test_every_call_draws_anew_and_a_seed_draws_the_same():
    x = np.ones(100)
    layer, other = Dropout(seed=3), Dropout(seed=3)
    first, second = layer(x).data, layer(x).data
    assert (first != second).any()
    assert (other(x).data == first).all()


def test_its_generator_is_found():
    model = Sequential(Dense(2, 3, seed=0), Dropout(0.2, seed=0))
    assert [name for name, _ in model.named_generators()] == ["layers.1.rng"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_stays(dtype):
    assert Dropout(seed=0)(np.ones(3, dtype)).dtype == dtype


def test_bad_arguments():
    for p in (-0.1, 1, 1.5, float("nan"), "half"):
        with pytest.raises(
            ValueError, match=f"^p is the probability of being dropped, from 0 to below 1, and was given {p!r}$"
        ):
            Dropout(p)


def test_repr():
    assert repr(Dropout(0.25)) == repr(Dropout(np.float32(0.25))) == "Dropout(0.25)"
