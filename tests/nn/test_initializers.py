"""Initializers: moments within stated standard errors, orthogonality, fans; and the same stream as neurons."""

import math
from functools import partial

import numpy as np
import pytest

import nn
from nn import initializers
from nn.initializers import INITIALIZERS, constant, fans, initializer, orthogonal

DENSE, CONV = (200, 300), (60, 20, 5, 7)
VARIANCE = {  # of fan_in and fan_out
    "glorot": lambda i, o: 2 / (i + o),
    "xavier": lambda i, o: 2 / (i + o),
    "he": lambda i, o: 2 / i,
    "kaiming": lambda i, o: 2 / i,
    "lecun": lambda i, o: 1 / i,
}
KURTOSIS = {"normal": 3.0, "uniform": 1.8}
SCALED = [f"{family}_{kind}" for family in VARIANCE for kind in KURTOSIS if f"{family}_{kind}" in INITIALIZERS]


def draw(which, shape, seed=0):
    return initializer(which)(shape, np.random.default_rng(seed))


def test_there_are_all_of_them():
    assert len(SCALED) == 10
    assert set(INITIALIZERS) == {*SCALED, "zeros", "ones", "identity", "uniform", "normal", "orthogonal"}


@pytest.mark.parametrize("shape", [DENSE, CONV])
@pytest.mark.parametrize("name", SCALED)
def test_variance_and_shape_of_the_distribution(name, shape):
    family, kind = name.split("_")
    fan_in, fan_out = {DENSE: (300, 200), CONV: (20 * 35, 60 * 35)}[shape]
    assert fans(shape) == (fan_in, fan_out)
    variance = VARIANCE[family](fan_in, fan_out)
    drawn = draw(name, shape)
    n = drawn.size
    assert (drawn.shape, drawn.dtype) == (shape, np.float64)
    # four standard errors of the mean, of the variance, and (about) of the kurtosis
    assert drawn.mean() == pytest.approx(0, abs=4 * math.sqrt(variance / n))
    assert drawn.var() == pytest.approx(variance, rel=4 * math.sqrt((KURTOSIS[kind] - 1) / n))
    assert np.mean(drawn**4) / drawn.var() ** 2 == pytest.approx(KURTOSIS[kind], abs=4 * math.sqrt(24 / n))
    if kind == "uniform":
        bound = math.sqrt(3 * variance)
        assert 0.999 * bound < abs(drawn).max() <= bound


def test_both_tiers_start_with_the_same_weights():
    for name, activation in (("lecun_normal", "tanh"), ("he_normal", "relu")):
        rng = np.random.default_rng(11)
        network = nn.Network([7, 5, 3], activation, output=activation, seed=11)
        for layer in network.layers:
            weights = [[w.data for w in neuron.weights] for neuron in layer.neurons]
            drawn = initializer(name)((layer.outputs, layer.inputs), rng)
            assert drawn.tolist() == weights, name


@pytest.mark.parametrize("shape", [(6, 6), (3, 8), (8, 3), (1, 5), (5, 1), (4, 3, 2, 2), (30, 2, 3)])
def test_orthogonal(shape):
    W = draw("orthogonal", shape)
    assert (W.shape, W.dtype, W.flags.c_contiguous) == (shape, np.float64, True)
    W = W.reshape(shape[0], -1)
    gram = W @ W.T if W.shape[0] <= W.shape[1] else W.T @ W
    np.testing.assert_allclose(gram, np.eye(len(gram)), rtol=0, atol=1e-12)
    gained = draw(partial(orthogonal, gain=1.7), shape).reshape(W.shape)
    np.testing.assert_allclose(gained, 1.7 * W, rtol=1e-15)


def test_orthogonal_matrices_are_drawn_evenly():
    """Without the signs of R, LAPACK's Q has a diagonal that is mostly of one sign, and no mean of 0."""
    rng = np.random.default_rng(3)
    drawn = np.array([orthogonal((3, 3), rng) for _ in range(2000)])
    # entries of a random direction in three dimensions have variance 1/3: four standard errors
    np.testing.assert_allclose(drawn.mean(0), 0, atol=4 * math.sqrt(1 / 3 / 2000))
    assert np.mean(np.linalg.det(drawn) > 0) == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(2000))


def test_those_without_chance():
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    assert initializer("zeros")((2, 3), rng).tolist() == [[0.0] * 3] * 2
    assert initializer("ones")((2,), rng).tolist() == [1.0, 1.0]
    assert initializer(constant(-3))((2, 1), rng).tolist() == [[-3.0], [-3.0]]
    assert initializer("identity")((2, 3), rng).tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    assert all(INITIALIZERS[name]((2, 2), rng).dtype == np.float64 for name in ("zeros", "ones", "identity"))
    assert rng.bit_generator.state == before


def test_spreads_of_your_choice():
    drawn = draw("uniform", (100, 100))
    assert 0 <= drawn.min() < 0.001 < 0.999 < drawn.max() < 1
    drawn = draw(partial(initializers.normal, mean=5.0, std=0.1), (100, 100))
    assert drawn.mean() == pytest.approx(5.0, abs=4 * 0.1 / 100)
    assert drawn.std() == pytest.approx(0.1, rel=4 / math.sqrt(2 * 10_000))
    assert draw("normal", (100, 100)).std() == pytest.approx(1, rel=4 / math.sqrt(2 * 10_000))


@pytest.mark.parametrize("name", INITIALIZERS)
def test_a_seed_decides_every_number_and_the_global_generator_is_left_alone(name):
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    assert (draw(name, (4, 3), 5) == draw(name, (4, 3), 5)).all()
    if name not in ("zeros", "ones", "identity"):
        assert (draw(name, (4, 3), 5) != draw(name, (4, 3), 6)).any()
    assert (np.random.get_state()[1] == before).all()


def test_a_function_of_your_own():
    assert draw(lambda shape, rng: np.arange(6).reshape(shape), (2, 3)).tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert initializer("he_normal") is initializers.he_normal
    assert initializer(initializers.he_normal) is initializers.he_normal

    def mine(shape, rng):
        return rng.normal(size=shape)

    assert initializer(mine).__name__ == "mine"


def mine(given):
    def halves(shape, rng):
        return given

    return lambda: initializer(halves)((2, 3), np.random.default_rng(0))


BAD = {
    "name": (lambda: initializer("he_norml"), ValueError, "no initializer 'he_norml'; did you mean 'he_normal'"),
    "no name": (lambda: initializer(3), TypeError, "a name or a function, and was given 3"),
    "a shape without fans": (lambda: draw("he_normal", (4,)), ValueError, r"\(outputs, inputs, \*kernel\).* is \(4,\)"),
    "no inputs": (lambda: draw("glorot_normal", (4, 0)), ValueError, r"each at least 1; this one is \(4, 0\)"),
    "orthogonal vector": (lambda: draw("orthogonal", (4,)), ValueError, r"this one is \(4,\)"),
    "identity of kernels": (lambda: draw("identity", (4, 4, 3)), ValueError, r"asked for the shape \(4, 4, 3\)"),
    "another shape": (mine([1.0, 2.0]), ValueError, r"halves gave an array of shape \(2,\); expected \(2, 3\)"),
    "no numbers": (mine("abc"), TypeError, "halves gave <U3 values; expected real numbers"),
    "NaN": (mine(np.full((2, 3), np.nan)), ValueError, "halves gave a NaN or an infinity"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    call, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        call()
