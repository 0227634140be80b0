"""Losses: PyTorch's numbers, mpmath and the complex step; one answer for lists of Values, Tensors and arrays."""

import json
import math
import re
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff
import nn
from autodiff import Tensor, Value, check_gradients, no_grad, observe
from nn.losses import (
    LOSSES,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge,
    huber,
    kl_divergence,
    loss_named,
    mae,
    mse,
    nll,
)

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
    return [values(row) for row in x] if np.ndim(x) else Value(x)


def flat(nodes):
    return [leaf for part in nodes for leaf in flat(part)] if isinstance(nodes, list) else [nodes]


def shape_of(nested):
    return (len(nested), *shape_of(nested[0])) if isinstance(nested, list) else ()


def gradients(nodes, shape):
    return np.array([0.0 if node.grad is None else node.grad for node in flat(nodes)]).reshape(shape)


def log_of_softmax(z):
    z = z - z.real.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


rng = np.random.default_rng(5)
NUMBERS, ROWS = rng.normal(0, 2, 7), rng.normal(0, 2, (6, 4))
PROBABILITIES = rng.uniform(0.01, 0.99, 7)
HARD, SOFT = rng.integers(0, 2, 7), rng.uniform(0, 1, 7)
LABELS = np.array([3, 0, 1, 2, 2, 0])
SHARES = rng.dirichlet(np.ones(4), 6)


# ── PyTorch ──────────────────────────────────────────────────────────────────────────────────────────
REFERENCE = np.load(Path(__file__).parent / "reference" / "losses.npz")
ABOUT = json.loads(str(REFERENCE["about"]))
CASES = [(case, reduction) for case, about in ABOUT.items() for reduction in about["reductions"]]

GRADIENT_DIFFERS = {  # PyTorch divides by p (1 - p), or 1e-12; here the gradient is that of the bounded logarithm
    "bce, bound"
}


def reference(case, reduction):
    about = ABOUT[case]
    at = about["reductions"].index(reduction)
    value = REFERENCE[f"{case}/each"] if reduction == "none" else REFERENCE[f"{case}/numbers"][at]
    g = REFERENCE[f"{case}/g"] if reduction == "none" else None
    given = REFERENCE[f"{case}/predictions"], REFERENCE[f"{case}/targets"]
    return LOSSES[about["loss"]], *given, about["options"], g, value, REFERENCE[f"{case}/gradients"][at]


def close(got, wanted, rtol=1e-10):
    """Relatively; where digits cancel (p - 1 where p is nearly 1), to the last digit of the largest."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    finite = np.abs(wanted[np.isfinite(wanted)])
    np.testing.assert_allclose(got, wanted, rtol=rtol, atol=1e-15 * min(finite.max(initial=0), 1))


@pytest.mark.parametrize(("case", "reduction"), CASES)
def test_the_numbers_of_pytorch(case, reduction):
    loss, predictions, targets, options, g, value, gradient = reference(case, reduction)
    node = Tensor(predictions)
    result = loss(node, targets, reduction=reduction, **options)
    assert result.shape == np.shape(value)
    close(result.data, value)
    result.backward(g)
    if case not in GRADIENT_DIFFERS:
        close(node.grad, gradient)


@pytest.mark.parametrize(("case", "reduction"), CASES)
def test_both_tiers_agree(case, reduction):
    loss, predictions, targets, options, g, *_ = reference(case, reduction)
    tensor, nodes = Tensor(predictions), values(predictions)
    array = loss(tensor, targets, reduction=reduction, **options)
    array.backward(g)
    result = loss(nodes, targets.tolist(), reduction=reduction, **options)
    scale = np.abs(predictions[np.isfinite(predictions)]).max() if "shifted" in case else 1
    if reduction == "none":
        assert shape_of(result) == array.shape
        np.testing.assert_allclose([x.data for x in flat(result)], array.data.ravel(), rtol=1e-12, atol=1e-15 * scale)
        result = sum((x * w for x, w in zip(flat(result), g.ravel().tolist(), strict=True)), Value(0.0))
    else:
        assert result.data == pytest.approx(array.item(), rel=1e-12)
    result.backward()
    np.testing.assert_allclose(gradients(nodes, predictions.shape), tensor.grad, rtol=1e-12, atol=1e-15 * scale)


@pytest.mark.parametrize(("case", "reduction"), CASES)
def test_plain_arrays_give_plain_numbers(case, reduction):
    loss, predictions, targets, options, *_ = reference(case, reduction)
    array = loss(Tensor(predictions), targets, reduction=reduction, **options)
    with np.errstate(all="raise", under="ignore"):
        result = loss(predictions, targets, reduction=reduction, **options)
        again = loss(predictions.tolist(), targets.tolist(), reduction=reduction, **options)
    assert type(result) is type(again) is (np.ndarray if array.ndim else float)
    np.testing.assert_array_equal(result, array.data)
    np.testing.assert_array_equal(again, array.data)


def test_every_loss_has_cases():
    assert {about["loss"] for about in ABOUT.values()} == set(LOSSES)
    assert all(loss_named(name) is loss and loss.__name__ == name for name, loss in LOSSES.items())


# ── closed forms by the complex step ─────────────────────────────────────────────────────────────────
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
    "labels": (cross_entropy, ROWS, LABELS, lambda z: -np.mean(log_of_softmax(z)[np.arange(6), LABELS])),
    "probabilities": (cross_entropy, ROWS, SHARES, lambda z: -np.mean((log_of_softmax(z) * SHARES).sum(axis=1))),
    "nll": (nll, ROWS, LABELS, lambda x: -np.mean(x[np.arange(6), LABELS])),
    "kl": (kl_divergence, ROWS, SHARES, lambda x: np.mean(SHARES * (np.log(SHARES) - x))),
}


@pytest.mark.parametrize("case", ANALYTIC)
def test_value_and_gradient(case):
    loss, x, targets, formula = ANALYTIC[case]
    for nodes in (values(x), Tensor(x)):
        result = loss(nodes, targets)
        result.backward()
        got = nodes.grad if isinstance(nodes, Tensor) else gradients(nodes, x.shape)
        np.testing.assert_allclose(result.data, formula(x), rtol=1e-13)
        np.testing.assert_allclose(got, by_complex_step(formula, x), rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("case", ANALYTIC)
def test_second_derivatives(case):
    loss, x, targets, _ = ANALYTIC[case]
    assert check_gradients(lambda p: loss(p, targets), Tensor(x), order=2) < 1e-9
    three = values(x[:3])
    assert check_gradients(lambda *p: loss(list(p), targets[:3]), *three, order=2) < 1e-9


# ── both tiers, any shape ────────────────────────────────────────────────────────────────────────────
def numbers(low, high):
    return st.floats(low, high, allow_subnormal=False).map(lambda x: round(x, 6))


@st.composite
def classified(draw):
    """Scores, and labels or probabilities for them."""
    shape = draw(st.sampled_from([(2,), (5,), (1, 2), (3, 2), (2, 7), (2, 3, 3), (3, 1, 4)]))
    scores = np.array(draw(st.lists(numbers(-30, 30), min_size=math.prod(shape), max_size=math.prod(shape))))
    seeded = np.random.default_rng(draw(st.integers(0, 99)))
    labels = seeded.integers(0, shape[-1], shape[:-1])
    shares = seeded.dirichlet(np.ones(shape[-1]), shape[:-1]) if len(shape) > 1 else labels
    return scores.reshape(shape), labels, shares


def agree(loss, predictions, targets, **options):
    tensor, nodes = Tensor(predictions), values(predictions)
    array, result = loss(tensor, targets, **options), loss(nodes, targets, **options)
    array.backward()
    result.backward()
    digit = 1e-15 * max(1, np.abs(predictions).max())  # what the last digit of a score is worth
    assert result.data == pytest.approx(array.item(), rel=1e-12, abs=digit)
    np.testing.assert_allclose(gradients(nodes, predictions.shape), tensor.grad, rtol=1e-12, atol=digit)


@settings(max_examples=60, deadline=None)
@given(classified(), st.sampled_from(["mean", "sum"]), st.sampled_from([0.0, 0.1, 1.0]))
def test_losses_of_classes_agree_in_both_tiers(data, reduction, smoothing):
    scores, labels, shares = data
    agree(cross_entropy, scores, labels, reduction=reduction, label_smoothing=smoothing)
    agree(cross_entropy, scores, shares, reduction=reduction, label_smoothing=smoothing)
    agree(nll, scores, labels, reduction=reduction)
    agree(hinge, scores, labels, reduction=reduction)
    agree(hinge, scores, labels, reduction=reduction, multiclass="crammer-singer")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(numbers(-30, 30), numbers(-30, 30)), min_size=1, max_size=8),
    st.sampled_from([(-1,), (-1, 1), (1, -1)]),
    st.sampled_from(["mean", "sum"]),
    st.sampled_from(["hard", "soft", "mixed"]),
)
def test_losses_of_numbers_agree_in_both_tiers(pairs, shape, reduction, kind):
    p, t = (np.array(side).reshape(shape) for side in zip(*pairs, strict=True))
    share = {"hard": t > 0, "soft": 1 / (1 + np.exp(-t)), "mixed": np.clip(t, 0, 1)}[kind] * 1.0
    for loss in (mse, mae, huber):
        agree(loss, p, t, reduction=reduction)
    agree(huber, p, t, reduction=reduction, delta=3.0)
    agree(binary_cross_entropy, np.clip(p, 0, 1), share, reduction=reduction)
    agree(binary_cross_entropy_with_logits, p, share, reduction=reduction)
    agree(hinge, p, np.where(t > 0, 1, -1), reduction=reduction)
    agree(kl_divergence, -np.abs(p), share, reduction=reduction)


@pytest.mark.parametrize(
    "loss", [mse, mae, huber, binary_cross_entropy, binary_cross_entropy_with_logits, kl_divergence]
)
def test_a_column_and_a_row_of_numbers_are_the_same(loss):
    flat_answer = loss(Tensor(PROBABILITIES), HARD)
    for p, t in [
        (PROBABILITIES[:, None], HARD),
        (PROBABILITIES, HARD[:, None]),
        (PROBABILITIES[:, None], HARD[:, None].tolist()),
    ]:
        nodes = Tensor(p)
        loss(nodes, t).backward()
        assert loss(nodes, t).item() == flat_answer.item()
        assert nodes.grad.shape == p.shape
        assert loss(values(p), t).data == pytest.approx(flat_answer.item(), rel=1e-15)
    each = loss(Tensor(PROBABILITIES[:, None]), HARD, reduction="none")
    assert each.shape == (7, 1)
    assert shape_of(loss(values(PROBABILITIES[:, None]), HARD, reduction="none")) == (7, 1)


def test_columns_of_signs_and_labels():
    signs = 2 * HARD - 1
    assert hinge(Tensor(NUMBERS[:, None]), signs).item() == hinge(Tensor(NUMBERS), signs[:, None]).item()
    for loss in (cross_entropy, nll, hinge):
        assert loss(Tensor(ROWS), LABELS[:, None]).item() == loss(Tensor(ROWS), LABELS).item()
        assert loss(values(ROWS), LABELS[:, None]).data == loss(values(ROWS), LABELS).data


def test_what_labels_may_be():
    wanted = cross_entropy(ROWS, LABELS)
    for labels in (
        LABELS.astype(np.uint8),
        LABELS.astype(float),
        LABELS.tolist(),
        Tensor(LABELS),
        [*map(float, LABELS)],
    ):
        assert cross_entropy(ROWS, labels) == wanted
        assert cross_entropy(Tensor(ROWS), labels).item() == wanted
        assert cross_entropy(values(ROWS), labels).data == pytest.approx(wanted, rel=1e-14)
    assert cross_entropy(ROWS, np.eye(4, dtype=bool)[LABELS]) == pytest.approx(wanted, rel=1e-15)
    assert cross_entropy(ROWS[:2, :2], np.array([True, False])) == cross_entropy(ROWS[:2, :2], [1, 0])


def test_predictions_one_tensor_for_each_sample():
    nodes = [Tensor(row) for row in ROWS]
    cross_entropy(nodes, LABELS).backward()
    whole = Tensor(ROWS)
    cross_entropy(whole, LABELS).backward()
    np.testing.assert_array_equal([node.grad for node in nodes], whole.grad)


# ── hinge ────────────────────────────────────────────────────────────────────────────────────────────
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
        total += (margins * (wrong > 0)).sum()
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
    np.testing.assert_allclose(gradients(nodes, NUMBERS.shape), gradient, rtol=1e-15)


@pytest.mark.parametrize("variant", ["weston-watkins", "crammer-singer"])
def test_multiclass_hinge(variant):
    nodes = values(ROWS)
    loss = hinge(nodes, LABELS, multiclass=variant)
    loss.backward()
    value, gradient = multiclass_by_hand(ROWS, LABELS, variant)
    assert loss.data == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(gradients(nodes, ROWS.shape), gradient, rtol=1e-14, atol=1e-16)


def test_the_two_multiclass_hinges_agree_on_two_classes_and_differ_on_more():
    both = [hinge(ROWS[:, :2], LABELS % 2, multiclass=v) for v in ("weston-watkins", "crammer-singer")]
    assert both[0] == pytest.approx(both[1], rel=1e-15)
    many = [hinge(ROWS, LABELS, multiclass=v) for v in ("weston-watkins", "crammer-singer")]
    assert many[0] > many[1] + 0.5


def test_hinge_on_the_margin_has_gradient_zero():
    score = Value(1.0)
    hinge(score, 1).backward()
    assert score.grad == 0.0


def test_classes_that_are_equally_wrong_share_the_gradient():
    tensor, nodes = Tensor(np.zeros((1, 4))), values(np.zeros((1, 4)))
    for scores in (tensor, nodes):
        hinge(scores, [1], multiclass="crammer-singer").backward()
    assert tensor.grad.tolist() == gradients(nodes, (1, 4)).tolist() == [[1 / 3, -1.0, 1 / 3, 1 / 3]]


# ── extremes ─────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("z", [-1e4, -745.0, -40.0, -1e-9, 0.0, 1e-9, 40.0, 745.0, 1e4])
@pytest.mark.parametrize("t", [0, 1, 0.25])
def test_logits_are_exact_at_any_size(z, t):
    with mpmath.workdps(5000):
        exact = mpmath.log(1 + mpmath.exp(mpmath.mpf(z))) - t * mpmath.mpf(z)
        slope = 1 / (1 + mpmath.exp(-mpmath.mpf(z))) - t
    for node, shown in ((Value(z), [Value(z)]), (Tensor([z]), None)):
        loss = binary_cross_entropy_with_logits([node] if shown else node, [t])
        loss.backward()
        assert loss.item() == pytest.approx(float(exact), rel=1e-14, abs=5e-324)
        assert node.grad == pytest.approx(float(slope), rel=1e-14, abs=5e-324)


@pytest.mark.parametrize("z", [-1e4, -745.0, -40.0, 40.0, 745.0, 1e4])
def test_cross_entropy_is_exact_at_any_size(z):
    row, tensor = [Value(z), Value(0.0)], Tensor([[z, 0.0]])
    loss = cross_entropy([row], [0])
    loss.backward()
    array = cross_entropy(tensor, [0])
    array.backward()
    exact = math.log1p(math.exp(-z)) if z > 0 else -z + math.log1p(math.exp(z))
    share = math.exp(-z) / (1 + math.exp(-z)) if z > 0 else 1 / (1 + math.exp(z))  # the probability of class 1
    assert loss.data == pytest.approx(exact, rel=1e-14, abs=5e-324)
    assert row[1].grad == pytest.approx(share, rel=1e-13, abs=5e-324)
    assert row[0].grad == pytest.approx(-share, rel=1e-13, abs=5e-324)
    assert array.item() == pytest.approx(exact, rel=1e-14, abs=5e-17)  # log p of a p of nearly 1
    np.testing.assert_allclose(tensor.grad, [[-share, share]], rtol=1e-13, atol=5e-17)


@pytest.mark.parametrize(
    ("p", "t", "value", "slope"),
    [(0.0, 1, 100, 0), (1.0, 0, 100, 0), (0.0, 0, 0, 1), (1.0, 1, 0, -1), (1e-60, 1, 100, 0), (0.0, 0.5, 50, 0.5)],
)
def test_probabilities_0_and_1(p, t, value, slope):
    for node in (Value(p), Tensor(p), Tensor(np.float32(p))):
        loss = binary_cross_entropy(node, t)
        loss.backward()
        assert loss.item() == value
        assert node.grad == slope


def test_a_small_probability_keeps_its_digits():
    assert binary_cross_entropy([1e-20], [0]) == pytest.approx(1e-20, rel=1e-14, abs=0)


def test_what_is_impossible_and_does_not_happen_costs_nothing():
    impossible = [[0.0, -math.inf], [-math.inf, -1.0]]
    for loss, targets in [
        (kl_divergence, [[1.0, 0.0], [0.0, 1.0]]),
        (nll, [0, 1]),
        (cross_entropy, [0, 1]),
        (cross_entropy, [[1.0, 0.0], [0.0, 1.0]]),
    ]:
        tensor, nodes = Tensor(impossible), values(impossible)
        array, result = loss(tensor, targets, reduction="sum"), loss(nodes, targets, reduction="sum")
        array.backward()
        result.backward()
        wanted = 0.0 if loss is cross_entropy else 1.0
        assert array.item() == result.data == loss(impossible, targets, reduction="sum") == wanted
        assert tensor.grad[[0, 1], [1, 0]].tolist() == [0.0, 0.0]
        np.testing.assert_array_equal(gradients(nodes, (2, 2)), tensor.grad)


def test_what_is_impossible_and_happens_costs_infinitely_much():
    for loss, targets in [
        (kl_divergence, [[0.5, 0.5]]),
        (nll, [1]),
        (cross_entropy, [1]),
        (cross_entropy, [[0.5, 0.5]]),
    ]:
        for rows in ([[0.0, -math.inf]], Tensor([[0.0, -math.inf]]), values([[0.0, -math.inf]])):
            result = loss(rows, targets)
            assert (result if isinstance(result, float) else result.item()) == math.inf


TARGETS = {"cross_entropy": LABELS[:2], "nll": LABELS[:2], "hinge": LABELS[:2]}


@pytest.mark.parametrize("name", LOSSES)
def test_a_prediction_that_is_no_number_gives_none(name):
    rows = np.array([[0.5, 0.25, 0.5, 1.0], [0.5, math.nan, 0.5, 0.5]])
    targets = TARGETS.get(name, np.full((2, 4), 0.5))
    assert math.isnan(LOSSES[name](rows, targets))
    assert math.isnan(LOSSES[name](Tensor(rows), targets).item())
    if name != "nll":  # which looks at the right class only
        assert math.isnan(LOSSES[name](values(rows), targets).data)


@pytest.mark.parametrize("name", LOSSES)
def test_float32_stays_float32(name):
    rows = np.array([[0.5, 0.25, 0.5, 1.0], [0.0, 0.25, 0.5, 0.5]], np.float32)
    node = Tensor(rows)
    targets = TARGETS.get(name, np.eye(4)[:2])
    result = LOSSES[name](node, targets)
    result.backward()
    assert result.dtype == node.grad.dtype == np.float32


# ── what is recorded, and what is kept ───────────────────────────────────────────────────────────────
FEW = {"mse": 3, "mae": 3, "huber": 6, "cross_entropy": 3, "nll": 2, "binary_cross_entropy_with_logits": 3}


@pytest.mark.parametrize("name", FEW)
def test_few_nodes(name):
    seen = []
    targets = {"binary_cross_entropy_with_logits": HARD}.get(name, NUMBERS)
    classes = name in ("cross_entropy", "nll")
    node = Tensor(ROWS if classes else PROBABILITIES)
    with observe(lambda node, op, inputs: seen.append(op.name)):
        LOSSES[name](node, LABELS if classes else targets)
    assert len(seen) <= FEW[name], seen


def test_the_side_that_does_not_count_is_not_in_the_graph():
    assert binary_cross_entropy_with_logits([Value(0.5)], [0]).op.name == "softplus"
    assert binary_cross_entropy_with_logits([Value(0.5)], [1]).op.name == "softplus"


def test_one_sample_needs_no_list():
    assert mse(Value(3.0), 1.0).data == 4.0
    assert hinge(Value(0.25), -1).data == 1.25
    assert binary_cross_entropy(Value(0.5), 1).data == pytest.approx(math.log(2))
    assert cross_entropy([Value(0.0), Value(0.0), Value(0.0)], 2).data == pytest.approx(math.log(3))
    assert hinge([Value(0.0), Value(0.0), Value(0.0)], 2).data == 2.0
    assert mse(3.0, 1.0) == 4.0
    assert mse(3.0, 1.0, reduction="none") == 4.0
    assert mse(Tensor(3.0), 1.0).item() == 4.0
    assert cross_entropy(Tensor([0.0, 0.0, 0.0]), 2).item() == pytest.approx(math.log(3))
    assert mse(Value(3.0), 1.0, reduction="none").data == 4.0
    assert kl_divergence(0.0, 1.0, reduction="batchmean") == 0.0


def test_fractions_stay_exact():
    p = Value(Fraction(1, 3))
    loss = mse([p], [Fraction(1, 2)])
    loss.backward()
    assert (loss.data, p.grad) == (Fraction(1, 36), Fraction(-1, 3))


def test_a_target_may_carry_a_gradient_where_the_loss_is_symmetric():
    for loss in (mse, mae, huber):
        p, t = Tensor([1.0, 5.0]), Tensor([[1.5], [2.0]])
        loss(p, t).backward()
        np.testing.assert_allclose(t.grad.ravel(), -p.grad)
        q = Tensor([1.5, 2.0])
        loss(np.array([1.0, 5.0]), q).backward()
        np.testing.assert_allclose(q.grad, t.grad.ravel())
        v = [Value(1.5), Value(2.0)]
        loss([1.0, 5.0], v).backward()
        np.testing.assert_allclose(gradients(v, 2), q.grad)


def test_without_a_gradient_the_answer_is_a_constant_node():
    with no_grad():
        assert not mse(Tensor([1.0]), [2.0]).requires_grad
        assert mse([Value(1.0)], [2.0]).data == 1.0


# ── bad input ────────────────────────────────────────────────────────────────────────────────────────
TWO = [[0.5, 0.1], [0.2, 0.3]]

BAD = {
    "lengths": (mse, [[1.0, 2.0, 3.0], [1.0, 2.0]], ValueError, r"mse: predictions have shape \(3,\) and targets have shape \(2,\); give one target for each"),
    "lengths of a row": (mse, [[[1.0, 2.0]], [[1.0]]], ValueError, r"shape \(1, 2\) and targets have shape \(1, 1\)"),
    "transposed": (mae, [np.ones((2, 3)), np.ones((3, 2))], ValueError, r"shape \(3, 2\); if they are the same numbers in the same order, write np.reshape\(targets, \(2, 3\)\)"),
    "labels for mse": (mse, [np.ones((5, 3)), np.ones(5)], ValueError, r"\(5, 3\) and targets have shape \(5,\); if the targets are class labels, use cross_entropy, or write np.eye\(3\)\[labels\]"),
    "one and a row": (mse, [[1.0, 2.0], [[1.0], [2.0, 3.0]]], ValueError, "mse: the target has rows of unequal length: row 0 has 1 numbers, row 1 has 2"),
    "nothing": (mse, [[], []], ValueError, r"mse: there are no predictions: their shape is \(0,\)"),
    "no predictions": (huber, [np.ones((0, 3)), np.ones((0, 3))], ValueError, r"no predictions: their shape is \(0,"),
    "text": (mse, [[1.0, 2.0], ["a", "b"]], TypeError, "mse: the target holds 'a'"),
    "text predicted": (mse, [["a", 1.0], [1.0, 2.0]], TypeError, "mse: the prediction holds 'a'"),
    "nothing at all": (mse, [None, [1.0]], TypeError, "mse: the prediction is the NoneType None"),
    "target NaN": (mse, [[1.0, 2.0], [1.0, math.nan]], ValueError, "mse: target 1 is nan, expected a number"),
    "target NaN in a row": (huber, [TWO, [[0.0, 1.0], [math.nan, 1.0]]], ValueError, r"huber: target \(1, 0\) is nan"),
    "delta": (lambda *a: huber(*a, delta=0), [[1.0], [1.0]], ValueError, "delta is a number above 0, and was given 0"),
    "delta NaN": (lambda *a: huber(*a, delta=math.nan), [[1.0], [1.0]], ValueError, "and was given nan"),
    "bce lengths": (binary_cross_entropy, [[0.5], [1, 0]], ValueError, r"shape \(1,\) and targets have shape \(2,\)"),
    "p above 1": (binary_cross_entropy, [[0.5, 1.5], [1, 0]], ValueError, "probability 1 is 1.5, outside .*there is binary_cross_entropy_with_logits"),
    "p below 0": (binary_cross_entropy, [[-1e-9], [1]], ValueError, "probability 0 is -1e-09, outside"),
    "bce target": (binary_cross_entropy, [[0.5], [2]], ValueError, r"target 0 is 2, outside \[0, 1\]"),
    "bce target NaN": (binary_cross_entropy, [[0.5], [math.nan]], ValueError, "target 0 is nan"),
    "logits target": (binary_cross_entropy_with_logits, [[0.5], [-1]], ValueError, "target 0 is -1, outside"),
    "kl target": (kl_divergence, [TWO, [[0.5, 0.5], [1.5, -0.5]]], ValueError, r"target \(1, 0\) is 1.5, outside \[0, 1\]"),
    "hinge target": (hinge, [[0.5, 0.5], [1, 0]], ValueError, r"target 1 is 0, targets are -1 or \+1 \(for 0 and 1, write 2 \* y - 1\)"),
    "hinge lengths": (hinge, [[0.5, 0.5, 0.5], [1, -1]], ValueError, r"shape \(3,\) and targets have shape \(2,\)"),
    "hinge label": (hinge, [[[0.5, 0.1]], [2]], IndexError, "label 0 is 2, and with 2 classes labels go from 0 to 1"),
    "hinge label -1": (hinge, [[[0.5, 0.1]], [-1]], IndexError, "label 0 is -1"),
    "hinge one class": (hinge, [np.ones((3, 1, 1)), [1, 1, 1]], ValueError, "two or more scores"),
    "label": (cross_entropy, [[[0.5, 0.1, 0.2]] * 2, [0, 3]], IndexError, "label 1 is 3, and with 3 classes labels go from 0 to 2"),
    "label -1": (cross_entropy, [[[0.5, 0.1, 0.2]], [-1]], IndexError, "label 0 is -1"),
    "label of a sequence": (cross_entropy, [np.ones((2, 3, 4)), [[0, 1, 2], [3, 4, 0]]], IndexError, r"label \(1, 1\) is 4"),
    "label in a column": (nll, [TWO, [[0], [2]]], IndexError, "label 1 is 2"),
    "label too large for an integer": (nll, [TWO, [0.0, 1e300]], IndexError, r"label 1 is 1e\+300"),
    "label 0.5": (cross_entropy, [[[0.5, 0.1]], [0.5]], TypeError, "label 0 is 0.5, and a class index is a whole number"),
    "label NaN": (cross_entropy, [TWO, [0, math.nan]], ValueError, "label 1 is nan"),
    "rows": (cross_entropy, [TWO, [0, 1, 0]], ValueError, r"shape \(2, 2\) and targets have shape \(3,\); expected one class index for each row of scores, shape \(2,\), or probabilities, shape \(2, 2\)"),
    "rows of nll": (nll, [TWO, TWO], ValueError, r"targets have shape \(2, 2\); expected one class index for each row of scores, shape \(2,\)$"),
    "one class": (cross_entropy, [[[0.5]], [0]], ValueError, r"predictions have shape \(1, 1\); the last axis needs two or more scores, one for each class \(for two"),
    "no row": (cross_entropy, [[0.5, 0.1], [0, 1]], ValueError, r"shape \(2,\) and targets have shape \(2,\); expected one class index for each row of scores, shape \(\)$"),
    "no rows": (cross_entropy, [[], []], ValueError, "no predictions"),
    "no distribution": (cross_entropy, [TWO, [[0.5, 0.5], [1, 1]]], ValueError, "sum of target row 1 is 2, and is no distribution"),
    "share": (cross_entropy, [TWO, [[0.5, 0.5], [1.5, -0.5]]], ValueError, r"target \(1, 0\) is 1.5, outside"),
    "share NaN": (cross_entropy, [TWO, [[0.5, 0.5], [math.nan, 0.5]]], ValueError, r"target \(1, 0\) is nan"),
    "smoothing": (lambda *a: cross_entropy(*a, label_smoothing=1.5), [TWO, [0, 1]], ValueError, "label_smoothing is from 0 to 1, and was given 1.5"),
    "reduction": (lambda *a: cross_entropy(*a, reduction="avg"), [TWO, [0, 1]], ValueError, r"no reduction 'avg'\. There are: mean, none, sum"),
    "reduction, nearly": (lambda *a: mse(*a, reduction="means"), [[1.0], [1.0]], ValueError, "did you mean 'mean'"),
    "batchmean": (lambda *a: mse(*a, reduction="batchmean"), [[1.0], [1.0]], ValueError, "no reduction 'batchmean'"),
    "multiclass": (lambda *a: hinge(*a, multiclass="cramer-singer"), [TWO, [0, 1]], ValueError, "did you mean 'crammer-singer'"),
}  # fmt: skip


def given_as(kind, x):
    plain = isinstance(x, list) and "a" not in x and len({np.shape(row) for row in x}) == 1
    return (
        x if not (plain or isinstance(x, np.ndarray)) else values(x) if kind == "values" else Tensor(np.array(x, float))
    )


@pytest.mark.parametrize("kind", ["plain", "values", "tensor"])
@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case, kind):
    loss, (predictions, targets), error, message = BAD[case]
    if kind != "plain":
        predictions = given_as(kind, predictions)
    with pytest.raises(error, match=message):
        loss(predictions, targets)


OF_NODES = {
    "ragged": (lambda: mse([[Value(1.0)], [Value(1.0), Value(2.0)]], [1, 2]), ValueError, "mse: the prediction has rows of unequal length: row 0 has 1 numbers, row 1 has 2"),
    "a row and a number": (lambda: mse([Value(1.0), [Value(2.0)]], [1, 2]), ValueError, "row 0 is one number, row 1 has 1 numbers"),
    "text among values": (lambda: mse([Value(1.0), "cat"], [1, 2]), TypeError, "mse: the prediction holds 'cat', a str; expected numbers and Values"),
    "values and tensors": (lambda: mse([Value(1.0), Tensor([1.0])], [1, 2]), TypeError, "a Tensor; expected numbers and Values"),
    "learning targets": (lambda: binary_cross_entropy(Tensor([0.5]), Tensor([0.5])), TypeError, r"the targets carry a gradient, and are constants here; give plain numbers, or targets.detach\(\)"),
    "learning labels": (lambda: cross_entropy(values(TWO), [Value(0.0), Value(1.0)]), TypeError, "the targets carry a gradient"),
    "unknown name": (lambda: loss_named("mes"), ValueError, "no loss 'mes'; did you mean 'mse'"),
    "no name": (lambda: loss_named(3), TypeError, "loss is a name or a function, and was given 3"),
}  # fmt: skip


@pytest.mark.parametrize("case", OF_NODES)
def test_bad_nodes_are_named(case):
    run, error, message = OF_NODES[case]
    with pytest.raises(error, match=message):
        run()


@pytest.mark.parametrize("loss", [mse, mae, huber])
def test_small_integers_do_not_wrap_around(loss):
    p, t = np.array([1, 20, 7], np.uint8), np.array([2, 4, 7], np.uint8)
    wanted = loss(p.astype(float), t.astype(float))
    assert loss(p, t) == loss(Tensor(p), t).item() == loss([Tensor(x) for x in p], t).item() == wanted


@pytest.mark.parametrize("name", ["mse", "mae", "huber"])
def test_losses_of_numbers_are_compiled(name):
    loss = getattr(nn, name)
    network = nn.Network([2, 4, 3], seed=0)
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(5, 2)), rng.normal(size=(5, 3))
    fast = autodiff.compile(lambda network, x, y: loss(network(x), y))
    value, gradients = fast.value_and_grad(network, X, Y)
    each = [loss(network(x), y) for x, y in zip(X.tolist(), Y.tolist(), strict=True)]
    total = sum(each[1:], each[0]) / len(each)
    total.backward()
    np.testing.assert_allclose(value, total.data, rtol=1e-12)
    np.testing.assert_allclose(gradients, [p.grad for p in network.parameters()], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(
    ("name", "formula", "one"),
    [
        ("hinge", "maximum(0, 1 - y * s)", lambda s, y: autodiff.maximum(0, 1 - y * s)),
        ("binary_cross_entropy_with_logits", "softplus(z) - y * z", lambda z, y: autodiff.softplus(z) - y * z),
        (
            "binary_cross_entropy",
            "-(y * log(p) + (1 - y) * log(1 - p))",
            lambda p, y: -(y * autodiff.log(p) + (1 - y) * autodiff.log(1 - p)),
        ),
    ],
)
def test_the_loss_of_one_number_written_out(name, formula, one):
    loss, w, X = getattr(nn, name), 0.5, np.array([0.25, 1.5, 0.75])
    Y = np.array([1.0, -1.0, 1.0]) if name == "hinge" else np.array([1.0, 0.0, 1.0])
    with pytest.raises(TypeError, match=f"write the loss out: .*{re.escape(formula)}"):
        autodiff.compile(lambda w, x, y: loss(w * x, y))(w, X, Y)
    written_out = autodiff.compile(lambda w, x, y: one(w * x, y), reduction="mean")(w, X, Y)
    assert written_out == pytest.approx(loss(w * X, Y), rel=1e-14)


def test_losses_of_classes_say_what_to_write_in_a_compiled_function():
    network = nn.Network([2, 3], seed=0)
    fast = autodiff.compile(lambda network, x, y: nn.cross_entropy(network(x), y))
    with pytest.raises(TypeError, match="in a compiled function write the loss out"):
        fast(network, [[1.0, 2.0]], [[0.0, 1.0, 0.0]])
