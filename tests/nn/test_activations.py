"""Activations: PyTorch's numbers, mpmath where PyTorch is inexact, one answer for numbers, arrays, Values and Tensors."""

import math
from functools import partial
from pathlib import Path

import mpmath
import numpy as np
import pytest

import autodiff
from autodiff import Tensor, Value, check_gradients
from nn import ACTIVATIONS, Activation, Dense, Network, ReLU, activation, linear
from nn.activations import acts_on_rows, gain, leaky_relu, log_softmax, softmax
from nn.lookup import name_of

REFERENCE = np.load(Path(__file__).parent / "reference" / "activations.npz")
CASES = sorted({key.split("/")[0] for key in REFERENCE if "/" in key})
OF_NUMBERS = [case for case in CASES if "softmax" not in case]
ROWS = {"softmax", "log_softmax"}


def built(case):
    """The activation and what the reference says: ``leaky_relu alpha=0.2``."""
    name, *rest = case.split()
    options = {k: int(v) if k == "axis" else float(v) for k, v in (word.split("=") for word in rest if "=" in word)}
    return activation(name, **options), *(REFERENCE[f"{case}/{part}"] for part in ("x", "g", "value", "gradient"))


# Where PyTorch loses digits, mpmath has the word (below). Everywhere else its numbers are the truth.
TORCH_INEXACT = {
    "gelu": lambda x: x < -3,  # 1 + erf(x) cancels
    "gelu_tanh": lambda x: x < -2,  # 1 + tanh(u) cancels
    "sigmoid": lambda x: x > 10,  # s (1 - s) cancels
    "softplus": lambda x: x > 15,  # linear from 20 on
    "tanh": lambda x: (abs(x) > 5) & (abs(x) < 20),  # 1 - tanh² cancels, in ours too
}


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_of_pytorch(case):
    function, x, g, value, gradient = built(case)
    node = Tensor(x)
    y = function(node)
    y.backward(g)
    exact = ~TORCH_INEXACT.get(case, lambda x: x != x)(x)
    least = 1e-15 if case.split()[0] in ROWS else 1e-307  # below, floats have fewer digits
    assert np.count_nonzero(exact) >= 20 or case.split()[0] in ROWS
    np.testing.assert_allclose(y.data[exact], value[exact], rtol=1e-10, atol=least)
    np.testing.assert_allclose(node.grad[exact], gradient[exact], rtol=1e-10, atol=least)


def test_there_are_enough_cases_and_every_name_has_one():
    assert len(CASES) >= 25
    assert {case.split()[0] for case in CASES} == set(ACTIVATIONS)


def logistic(x):
    return 1 / (1 + mpmath.exp(-x))


def gate(x):
    return 2 * mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)


def gelu_tanh_slope(x):
    inner = 2 * mpmath.sqrt(2 / mpmath.pi) * (1 + 3 * mpmath.mpf("0.044715") * x**2)
    return logistic(gate(x)) * (1 + x * logistic(-gate(x)) * inner)


EXACT = {  # value and derivative
    "sigmoid": (logistic, lambda x: logistic(x) * logistic(-x)),
    "tanh": (mpmath.tanh, lambda x: mpmath.sech(x) ** 2),
    "softplus": (lambda x: mpmath.log1p(mpmath.exp(x)), logistic),
    "silu": (lambda x: x * logistic(x), lambda x: logistic(x) * (1 + x * logistic(-x))),
    "gelu": (
        lambda x: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
        lambda x: mpmath.erfc(-x / mpmath.sqrt(2)) / 2 + x * mpmath.npdf(x),
    ),
    "gelu_tanh": (lambda x: x * logistic(gate(x)), gelu_tanh_slope),
    "elu": (lambda x: x if x > 0 else mpmath.expm1(x), lambda x: 1 if x > 0 else mpmath.exp(x)),
}


@pytest.mark.parametrize("name", EXACT)
def test_the_numbers_of_mpmath(name):
    function, (value, slope) = activation(name), EXACT[name]
    points = REFERENCE[f"{name}/x"]
    tensor = Tensor(points)
    y = function(tensor)
    y.sum().backward()
    for i, x in enumerate(points.tolist()):
        with mpmath.workdps(50):
            wanted = float(value(mpmath.mpf(x))), float(slope(mpmath.mpf(x)))
        node = Value(x)
        out = function(node)
        out.backward()
        cancels = 1.2e-16 if name == "tanh" else 0  # 1 - out²
        for got in ((out.data, node.grad), (y.data[i], tensor.grad[i])):
            assert got[0] == pytest.approx(wanted[0], rel=1e-12, abs=1e-307)
            assert got[1] == pytest.approx(wanted[1], rel=1e-12, abs=max(1e-307, cancels))


@pytest.mark.parametrize("case", OF_NUMBERS)
def test_one_answer_for_numbers_arrays_values_and_tensors(case):
    function, points, *_ = built(case)
    tensor = Tensor(points)
    y = function(tensor)
    y.sum().backward()
    np.testing.assert_array_equal(function(points), y.data)
    for i, x in enumerate(points.tolist()):
        node = Value(x)
        out = function(node)
        out.backward()
        assert type(function(x)) in (float, int)
        assert out.data == function(x)
        assert out.data == pytest.approx(y.data[i], rel=1e-13, abs=1e-307)
        assert node.grad == pytest.approx(tensor.grad[i], rel=1e-13, abs=1e-307)


@pytest.mark.parametrize("function", [softmax, log_softmax])
@pytest.mark.parametrize("case", ["", " far", " shifted"])
def test_rows_of_values_and_tensors_agree(function, case):
    rows = REFERENCE[f"softmax{case}/x"].reshape(-1, REFERENCE[f"softmax{case}/x"].shape[-1])
    g = np.random.default_rng(0).uniform(0.5, 1.5, rows.shape)
    tensor = Tensor(rows)
    y = function(tensor)
    y.backward(g)
    for i, row in enumerate(rows):
        nodes = [Value(x) for x in row]
        out = function(tuple(nodes))
        assert isinstance(out, list)
        sum((o * w for o, w in zip(out, g[i].tolist(), strict=True)), Value(0.0)).backward()
        scale = 1e-15 * max(1, np.abs(rows).max())  # what the last digit of a score is worth
        np.testing.assert_allclose([o.data for o in out], y.data[i], rtol=1e-12, atol=scale)
        np.testing.assert_allclose([n.grad for n in nodes], tensor.grad[i], rtol=1e-12, atol=scale)


def test_a_list_of_rows_of_values():
    rows = [[Value(0.0), Value(0.0)], [Value(0.0), Value(math.log(3))]]
    assert [[round(p.data, 15) for p in row] for row in softmax(rows)] == [[0.5, 0.5], [0.25, 0.75]]
    assert softmax([Value(1.0), 1.0])[1].data == 0.5
    assert softmax([1.0, 1.0]).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("function", [softmax, log_softmax])
def test_softmax_of_a_row_to_the_second_order(function):
    row = [0.3, -1.2, 2.0]
    assert check_gradients(lambda a, b, c: function([a, b, c])[1], *map(Value, row), order=2) < 1e-9
    assert check_gradients(function, Tensor([row]), order=2) < 1e-9


def test_a_not_a_number_is_not_hidden():
    for name in ACTIVATIONS:
        with np.errstate(all="raise"):
            assert np.isnan(activation(name)(Tensor([math.nan, 1.0])).data[0]), name
    assert all(math.isnan(p.data) for p in softmax([Value(0.0), Value(math.nan)]))
    assert math.isnan(log_softmax([Value(math.nan), Value(0.0)])[1].data)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_float32_stays_float32(name):
    node = Tensor(np.array([[-2.0, 0.5, 3.0]], np.float32))
    y = activation(name)(node)
    (y.sum() if y.op else y).backward(None if y.op else np.ones_like(y.data))
    assert y.dtype == np.float32
    assert node.grad.dtype == np.float32


def test_linear_adds_no_node():
    x = Value(2.0)
    assert linear(x) is x


# ── names ────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_each_name_is_the_function_it_says(name):
    assert name_of(activation(name)) == name


def test_a_function_is_returned_as_it_is():
    assert activation(autodiff.cos) is autodiff.cos


def test_options():
    assert activation("leaky_relu", alpha=0.2)(-1.0) == -0.2
    assert name_of(activation("leaky_relu", alpha=0.2)) == "leaky_relu(alpha=0.2)"
    assert name_of(activation("elu", alpha=2)) == "elu(alpha=2)"
    assert name_of(partial(leaky_relu, alpha=0.5)) == "leaky_relu(alpha=0.5)"
    assert name_of(partial(pow, 2, mod=3)) == "pow(2, mod=3)"
    assert activation(lambda x, power: x**power, power=3)(2.0) == 8.0


def test_gain():
    assert gain(activation("relu")) == gain(activation("leaky_relu", alpha=0.2)) == math.sqrt(2)
    assert gain(activation("tanh")) == gain(activation("softmax", axis=-1)) == 1


def test_what_acts_on_rows():
    rowwise = [name for name in ACTIVATIONS if acts_on_rows(activation(name))]
    assert rowwise == ["softmax", "log_softmax"]
    assert acts_on_rows(partial(softmax, axis=-1))
    assert acts_on_rows(autodiff.softmax)
    assert not acts_on_rows(partial(leaky_relu, alpha=0.2))
    assert not acts_on_rows(lambda x: x)


@pytest.mark.parametrize(("given", "nearest"), [("tahn", "tanh"), ("ReLU", "relu"), ("sigmoidd", "sigmoid")])
def test_an_unknown_name_suggests_the_nearest(given, nearest):
    with pytest.raises(ValueError, match=f"no activation '{given}'; did you mean '{nearest}'.*There are: elu, "):
        activation(given)


def test_a_name_like_no_other_gets_the_list():
    with pytest.raises(ValueError, match=r"no activation 'zzz'\. There are: elu, "):
        activation("zzz")


BAD = {
    "neither name nor function": (
        lambda: activation(None),
        TypeError,
        "activation is a name or a function, and was given None",
    ),
    "unknown option": (
        lambda: activation("leaky_relu", alfa=1),
        TypeError,
        "leaky_relu has no option 'alfa'; it has alpha",
    ),
    "no options": (lambda: activation("tanh", alpha=1), TypeError, "tanh has no option 'alpha'; it has none"),
    "softmax of one value": (lambda: softmax(Value(1.0)), TypeError, r"of a row, .*given the single Value\(1.0\)"),
    "axis of a row": (lambda: softmax([Value(1.0)], axis=1), ValueError, "one axis 0, also called -1, and axis is 1"),
    "axis of rows": (lambda: log_softmax([[Value(1.0)]], axis=0), ValueError, "in the last axis, -1, and axis is 0"),
    "alpha that learns": (lambda: leaky_relu(Tensor([1.0]), Value(0.1)), TypeError, "its gradient would be lost"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    run, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        run()


def test_a_class_is_no_activation():
    for make in (activation, Activation, lambda kind: Dense(2, 1, kind), lambda kind: Network([2, 1, 1], kind)):
        with pytest.raises(TypeError, match=r"was given a class; write ReLU\(\)$"):
            make(ReLU)
