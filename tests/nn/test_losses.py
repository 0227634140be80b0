"""Losses against NumPy and mpmath: values in closed form, gradients by the complex step."""

import math

import mpmath
import numpy as np
import pytest

from autodiff import Value
from nn import binary_cross_entropy, binary_cross_entropy_with_logits, cross_entropy, hinge, mse

H = 1e-30  # of the complex step: d f / d x = Im f(x + iH) / H, to the last digit


def by_complex_step(f, x):
    x = np.asarray(x, float)
    slopes = np.empty(x.size)
    for i in range(x.size):
        shifted = x.astype(complex)
        shifted.flat[i] += 1j * H
        slopes[i] = f(shifted).imag / H
    return slopes.reshape(x.shape)


def values(x):
    return [values(row) for row in x] if np.ndim(x) > 1 else [Value(number) for number in x]


def gradients(nodes):
    return np.array([[node.grad for node in row] if isinstance(row, list) else row.grad for row in nodes])


def log_softmax(z):
    z = z - z.real.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


rng = np.random.default_rng(5)
NUMBERS, ROWS = rng.normal(0, 2, 7), rng.normal(0, 2, (6, 4))
PROBABILITIES = rng.uniform(0.01, 0.99, 7)
HARD, SOFT = rng.integers(0, 2, 7), rng.uniform(0, 1, 7)
LABELS = np.array([3, 0, 1, 2, 2, 0])


def reference_bce(t):
    return lambda p: -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))


def reference_with_logits(t):
    return lambda z: np.mean(np.log(1 + np.exp(z)) - t * z)


ANALYTIC = {
    "mse": (mse, NUMBERS, SOFT, lambda p: np.mean((p - SOFT) ** 2)),
    "mse of rows": (mse, ROWS, ROWS[::-1], lambda p: np.mean((p - ROWS[::-1]) ** 2)),
    "bce, hard": (binary_cross_entropy, PROBABILITIES, HARD, reference_bce(HARD)),
    "bce, soft": (binary_cross_entropy, PROBABILITIES, SOFT, reference_bce(SOFT)),
    "logits, hard": (binary_cross_entropy_with_logits, NUMBERS, HARD, reference_with_logits(HARD)),
    "logits, soft": (binary_cross_entropy_with_logits, NUMBERS, SOFT, reference_with_logits(SOFT)),
    "cross-entropy": (cross_entropy, ROWS, LABELS, lambda z: -np.mean(log_softmax(z)[np.arange(6), LABELS])),
}


@pytest.mark.parametrize("case", ANALYTIC)
def test_value_and_gradient(case):
    loss, x, targets, reference = ANALYTIC[case]
    nodes = values(x)
    result = loss(nodes, targets)
    result.backward()
    np.testing.assert_allclose(result.data, reference(x), rtol=1e-14)
    np.testing.assert_allclose(gradients(nodes), by_complex_step(reference, x), rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("case", ANALYTIC)
def test_plain_numbers_give_a_plain_number(case):
    loss, x, targets, reference = ANALYTIC[case]
    result = loss(x, targets)
    assert isinstance(result, float)
    assert result == pytest.approx(reference(x), rel=1e-13)


def hinge_by_hand(s, y):
    """Value and gradient of the binary hinge loss, sample by sample."""
    margins = 1 - s * y
    return np.maximum(0, margins).mean(), np.where(margins > 0, -y, 0) / len(s)


def multiclass_by_hand(S, y, variant):
    """Value and gradient of both multi-class hinge losses, one sample at a time."""
    total, gradient = 0.0, np.zeros_like(S)
    for i, label in enumerate(y):
        margins = 1 + S[i] - S[i, label]
        margins[label] = 0
        wrong = (margins > 0).astype(float)
        if variant == "crammer-singer":
            wrong = (np.arange(len(margins)) == margins.argmax()) * wrong
        total += (margins * wrong).sum()
        gradient[i] += wrong
        gradient[i, label] -= wrong.sum()
    return total / len(y), gradient / len(y)


def test_binary_hinge():
    signs = 2 * HARD - 1
    nodes = values(NUMBERS)
    loss = hinge(nodes, signs)
    loss.backward()
    value, gradient = hinge_by_hand(NUMBERS, signs)
    assert 0 < np.count_nonzero(gradient) < len(gradient), "the sample should have both sides of the kink"
    assert loss.data == pytest.approx(value, rel=1e-15)
    np.testing.assert_allclose([n.grad or 0.0 for n in nodes], gradient, rtol=1e-15)


@pytest.mark.parametrize("variant", ["weston-watkins", "crammer-singer"])
def test_multiclass_hinge(variant):
    nodes = values(ROWS)
    loss = hinge(nodes, LABELS, multiclass=variant)
    loss.backward()
    value, gradient = multiclass_by_hand(ROWS, LABELS, variant)
    assert loss.data == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(gradients(nodes), gradient, rtol=1e-14, atol=1e-16)


def test_the_two_multiclass_hinges_agree_on_two_classes_and_differ_on_more():
    both = [hinge(ROWS[:, :2], LABELS % 2, multiclass=v) for v in ("weston-watkins", "crammer-singer")]
    assert both[0] == pytest.approx(both[1], rel=1e-15)
    many = [hinge(ROWS, LABELS, multiclass=v) for v in ("weston-watkins", "crammer-singer")]
    assert many[0] > many[1] + 0.5


def test_hinge_on_the_margin_has_gradient_zero():
    score = Value(1.0)
    hinge(score, 1).backward()
    assert score.grad == 0.0


@pytest.mark.parametrize("z", [-1e4, -745.0, -40.0, -1e-9, 0.0, 1e-9, 40.0, 745.0, 1e4])
@pytest.mark.parametrize("t", [0, 1, 0.25])
def test_logits_are_exact_at_any_size(z, t):
    node = Value(z)
    loss = binary_cross_entropy_with_logits([node], [t])
    loss.backward()
    with mpmath.workdps(5000):
        exact = mpmath.log(1 + mpmath.exp(mpmath.mpf(z))) - t * mpmath.mpf(z)
        slope = 1 / (1 + mpmath.exp(-mpmath.mpf(z))) - t
    assert loss.data == pytest.approx(float(exact), rel=1e-14, abs=5e-324)
    assert node.grad == pytest.approx(float(slope), rel=1e-14, abs=5e-324)


@pytest.mark.parametrize("z", [-1e4, -40.0, 40.0, 1e4])
def test_cross_entropy_is_exact_at_any_size(z):
    row = [Value(z), Value(0.0)]
    loss = cross_entropy([row], [0])
    loss.backward()
    exact = math.log1p(math.exp(-z)) if z > 0 else -z + math.log1p(math.exp(z))
    share = 1 / (1 + math.exp(min(z, 700)))  # the probability of class 1
    assert loss.data == pytest.approx(exact, rel=1e-14, abs=5e-17)
    assert row[1].grad == pytest.approx(share, rel=1e-13, abs=1e-300)


@pytest.mark.parametrize(
    ("p", "t", "value", "slope"), [(0.0, 1, 100, 0), (1.0, 0, 100, 0), (0.0, 0, 0, 1), (1.0, 1, 0, -1)]
)
def test_probabilities_0_and_1(p, t, value, slope):
    node = Value(p)
    loss = binary_cross_entropy([node], [t])
    loss.backward()
    assert loss.data == pytest.approx(value, rel=1e-14)
    assert node.grad == slope


def test_a_small_probability_keeps_its_digits():
    assert binary_cross_entropy([1e-20], [0]) == pytest.approx(1e-20, rel=1e-14, abs=0)


def test_the_side_that_does_not_count_is_not_in_the_graph():
    assert binary_cross_entropy_with_logits([Value(0.5)], [0]).op.name == "softplus"
    assert binary_cross_entropy_with_logits([Value(0.5)], [1]).op.name == "softplus"


def test_one_sample_needs_no_list():
    assert mse(Value(3.0), 1.0).data == 4.0
    assert hinge(Value(0.25), -1).data == 1.25
    assert binary_cross_entropy(Value(0.5), 1).data == pytest.approx(math.log(2))
    assert cross_entropy([Value(0.0), Value(0.0), Value(0.0)], 2).data == pytest.approx(math.log(3))
    assert hinge([Value(0.0), Value(0.0), Value(0.0)], 2).data == 2.0


BAD = {
    "lengths": (mse, [[1.0, 2.0, 3.0], [1.0, 2.0]], ValueError, "mse: 3 predictions and 2 targets"),
    "lengths of a row": (mse, [[[1.0, 2.0]], [[1.0]]], ValueError, "sample 0: 2 predictions and 1 targets"),
    "one and a row": (
        mse,
        [[1.0, 2.0], [[1.0], [2.0]]],
        ValueError,
        "sample 0: the prediction is one number and the tar",
    ),
    "nothing": (mse, [[], []], ValueError, "no predictions"),
    "bce lengths": (binary_cross_entropy, [[0.5], [1, 0]], ValueError, "1 predictions and 2 targets"),
    "p above 1": (binary_cross_entropy, [[0.5, 1.5], [1, 0]], ValueError, "probability 1 is 1.5, outside"),
    "p below 0": (binary_cross_entropy, [[-1e-9], [1]], ValueError, "probability 0 is -1e-09, outside"),
    "p is NaN": (binary_cross_entropy, [[math.nan], [1]], ValueError, "probability 0 is nan"),
    "bce target": (binary_cross_entropy, [[0.5], [2]], ValueError, "target 0 is 2, outside"),
    "logits target": (binary_cross_entropy_with_logits, [[0.5], [-1]], ValueError, "target 0 is -1, outside"),
    "hinge target": (hinge, [[0.5, 0.5], [1, 0]], ValueError, "target 1 is 0; targets are -1 or"),
    "hinge lengths": (hinge, [[0.5, 0.5], [1]], ValueError, "2 predictions and 1 targets"),
    "hinge label": (hinge, [[[0.5, 0.1]], [2]], IndexError, "label 0 is 2, and with 2 classes labels go from 0 to 1"),
    "hinge label -1": (hinge, [[[0.5, 0.1]], [-1]], IndexError, "label 0 is -1"),
    "label": (cross_entropy, [[[0.5, 0.1, 0.2]] * 2, [0, 3]], IndexError, "label 1 is 3, and with 3 classes"),
    "label -1": (cross_entropy, [[[0.5, 0.1, 0.2]], [-1]], IndexError, "label 0 is -1"),
    "label 0.5": (cross_entropy, [[[0.5, 0.1]], [0.5]], TypeError, "label 0 is 0.5"),
    "rows": (cross_entropy, [[[0.5, 0.1]], [0, 1]], ValueError, "1 rows of scores and 2 labels"),
    "one class": (cross_entropy, [[[0.5]], [0]], ValueError, "two or more scores"),
    "no row": (cross_entropy, [[0.5, 0.1], [0, 1]], ValueError, "sample 0 needs a row"),
    "no rows": (cross_entropy, [[], []], ValueError, "no predictions"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    loss, arguments, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        loss(*arguments)


def test_unknown_multiclass_hinge():
    with pytest.raises(ValueError, match="did you mean 'crammer-singer'"):
        hinge([[0.0, 1.0]], [0], multiclass="cramer-singer")
