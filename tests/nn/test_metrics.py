"""Metrics against scikit-learn's numbers, against counting by hand, and in every form that data come in."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn
from autodiff import Tensor, Value
from nn import metrics
from nn.metrics import (
    METRICS,
    accuracy,
    confusion_matrix,
    f1,
    mean_absolute_error,
    mean_squared_error,
    metric_named,
    perplexity,
    precision,
    r2,
    recall,
    roc_auc,
    root_mean_squared_error,
    top_k_accuracy,
)

pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")

REFERENCE = dict(np.load(Path(__file__).parent / "reference" / "metrics.npz"))
LOGITS, LABELS = REFERENCE["logits"], REFERENCE["labels"]
SCORES, TRUTH = REFERENCE["scores"], REFERENCE["truth"]

SAME = {
    "accuracy": lambda: accuracy(LOGITS, LABELS),
    "confusion": lambda: confusion_matrix(LOGITS, LABELS),
    "perplexity": lambda: perplexity(LOGITS, LABELS),
    "roc_auc": lambda: roc_auc(SCORES, TRUTH),
    "binary_accuracy": lambda: accuracy(SCORES, TRUTH, threshold=0.3),
    **{f"top_{k}": partial(top_k_accuracy, LOGITS, LABELS, k=k) for k in (1, 2, 3, 6)},
    **{
        f"{metric.__name__}_{average or 'each'}": partial(metric, LOGITS, LABELS, average=average)
        for metric in (precision, recall, f1)
        for average in ("macro", "micro", None)
    },
    **{
        f"{metric.__name__}_binary": partial(metric, SCORES, TRUTH, threshold=0.3) for metric in (precision, recall, f1)
    },
    **{
        f"{name}_{key}": partial(METRICS[name], REFERENCE[f"guesses_{key}"], REFERENCE[f"numbers_{key}"])
        for name in ("mse", "rmse", "mae", "r2")
        for key in ("1d", "2d")
    },
}


@pytest.mark.parametrize("case", SAME)
def test_the_same_as_scikit_learn(case):
    found = SAME[case]()
    np.testing.assert_allclose(found, REFERENCE[case], rtol=1e-13)
    assert isinstance(found, np.ndarray if np.ndim(REFERENCE[case]) else float)


def test_every_reference_is_used():
    data = {"logits", "labels", "scores", "truth", *(f"{n}_{k}" for n in ("numbers", "guesses") for k in ("1d", "2d"))}
    assert set(REFERENCE) == data | set(SAME)


# ── counted by hand ──────────────────────────────────────────────────────────────────────────────────
scored = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=30)


@given(scored)
def test_roc_auc_is_the_share_of_pairs(pairs):
    scores, truth = zip(*pairs, strict=True)
    if len(set(truth)) < 2:
        with pytest.raises(ValueError, match=f"all {len(truth)} targets are of one class"):
            roc_auc(scores, truth)
        return
    positives, negatives = ([s for s, t in pairs if t is which] for which in (True, False))
    wins = sum((p > n) + (p == n) / 2 for p in positives for n in negatives)
    assert roc_auc(scores, truth) == wins / (len(positives) * len(negatives))
    assert roc_auc(np.exp(np.array(scores)), truth) == roc_auc(scores, truth), "only the order counts"
    assert roc_auc(-np.array(scores), truth) == pytest.approx(1 - roc_auc(scores, truth), rel=1e-12, abs=1e-15)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_class_metrics_are_counts(pairs):
    predicted, actual = map(list, zip(*pairs, strict=True))
    counts = confusion_matrix(predicted, actual, classes=4)
    assert counts.tolist() == [[pairs.count((j, i)) for j in range(4)] for i in range(4)]
    assert accuracy(predicted, actual) == np.trace(counts) / len(pairs)
    share = lambda part, whole: part / whole if whole else 0.0
    known = max(*predicted, *actual) + 1
    for metric, wholes in ((precision, counts.sum(axis=0)), (recall, counts.sum(axis=1))):
        each = [share(counts[i, i], wholes[i]) for i in range(max(known, 2))]
        assert metric(predicted, actual, average=None).tolist() == each
        occurring = [each[i] for i in {*predicted, *actual}]
        assert metric(predicted, actual, average="macro") == pytest.approx(np.mean(occurring), rel=1e-14)
        assert metric(predicted, actual, average="micro") == accuracy(predicted, actual)
        if known <= 2:
            assert metric(predicted, actual) == each[1]
    p, r = precision(predicted, actual, average=None), recall(predicted, actual, average=None)
    harmonic = [share(2 * a * b, a + b) for a, b in zip(p, r, strict=True)]
    np.testing.assert_allclose(f1(predicted, actual, average=None), harmonic, rtol=1e-14)


@given(st.lists(st.lists(st.integers(0, 2), min_size=4, max_size=4), min_size=1, max_size=10), st.data())
def test_top_k_takes_the_first_of_equal_scores(rows, data):
    labels = data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)))
    for k in (1, 2, 3, 4):
        best = [sorted(range(4), key=lambda i: (-row[i], i))[:k] for row in rows]
        expected = np.mean([label in top for label, top in zip(labels, best, strict=True)])
        assert top_k_accuracy(rows, labels, k=k) == expected
    assert top_k_accuracy(rows, labels, k=1) == accuracy(np.array(rows, float), labels)


def test_a_model_that_says_nothing_gains_nothing():
    """All scores equal: the first class is chosen, not the right one."""
    zeros, labels = np.zeros((4, 2)), [1, 1, 1, 0]
    assert accuracy(zeros, labels) == top_k_accuracy(zeros, labels, k=1) == 0.25
    assert roc_auc(np.zeros(4), labels) == 0.5
    assert accuracy(np.zeros(4), labels, threshold=0) == 0.25


@given(st.integers(2, 9), st.integers(1, 6), st.sampled_from([0.0, 700.0, -1e4, 1e300]))
def test_perplexity_of_equal_logits_is_the_number_of_classes(classes, n, logit):
    assert perplexity(np.full((n, classes), logit), [0] * n) == pytest.approx(classes, rel=1e-13)


def test_perplexity_is_safe():
    assert perplexity([[1e4, 0.0]], [0]) == 1.0
    assert perplexity([[500.0, 0.0]], [1]) == pytest.approx(math.exp(500), rel=1e-12)
    assert perplexity([[1e4, 0.0]], [1]) == math.inf
    assert perplexity([[0.0, -math.inf, 0.0]], [2]) == 2.0
    assert perplexity([[0.0, -math.inf, 0.0]], [1]) == math.inf
    loss = nn.cross_entropy([[Value(z) for z in row] for row in LOGITS[:9]], LABELS[:9].tolist()).data
    assert perplexity(LOGITS[:9], LABELS[:9]) == pytest.approx(math.exp(loss), rel=1e-13)


def test_nothing_over_nothing_is_0():
    assert precision([0, 0], [1, 1]) == recall([1, 1], [0, 0]) == f1([0, 0], [0, 0]) == 0.0
    assert precision([0, 2], [0, 2], average=None).tolist() == [1.0, 0.0, 1.0]
    assert precision([0, 2], [0, 2], average="macro") == 1.0, "a class that does not occur is left out"


def test_r2_of_equal_targets():
    for target in (0.0, 0.1, 1e9 + 0.1):
        assert r2([target] * 10, [target] * 10) == 1.0
        assert r2([target + 1.0] * 10, [target] * 10) == 0.0
    exact_and_wrong = [[1.0, 5.0], [2.0, 6.0], [3.0, 7.0]], [[1.0, 0.1], [2.0, 0.1], [3.0, 0.1]]
    assert r2(*exact_and_wrong) == 0.5
    assert r2([1e9 + 1, 1e9 + 2, 1e9 + 3], [1e9 + 1, 1e9 + 2, 1e9 + 4]) == pytest.approx(1 - 1 / (14 / 3), rel=1e-12)


def test_huge_numbers_are_silent():
    assert mean_squared_error([1e200], [-1e200]) == root_mean_squared_error([1e200], [-1e200]) == math.inf
    assert mean_absolute_error([1.5e308], [-1.5e308]) == math.inf
    assert accuracy([[math.inf, 0.0], [-math.inf, 0.0]], [0, 1]) == 1.0
    assert roc_auc([math.inf, 0.0, -math.inf], [1, 1, 0]) == 1.0


# ── forms ────────────────────────────────────────────────────────────────────────────────────────────
ROWS = [[0.1, 0.7, 0.2], [0.8, 0.1, 0.1], [0.3, 0.3, 0.4], [0.2, 0.5, 0.3]]
FORMS = {
    "lists": (ROWS, [1, 0, 0, 1]),
    "arrays": (np.array(ROWS, np.float32), np.array([1, 0, 0, 1], np.uint8)),
    "tensors": (Tensor(ROWS), Tensor([1, 0, 0, 1])),
    "values": ([[Value(x) for x in row] for row in ROWS], [1, 0, 0, 1]),
    "frames": (pd.DataFrame(ROWS), pd.Series([1, 0, 0, 1])),
    "polars": (pl.DataFrame(ROWS, orient="row"), pl.Series([1, 0, 0, 1])),
    "whole floats": (ROWS, [1.0, 0.0, 0.0, 1.0]),
    "columns": (ROWS, [[1], [0], [0], [1]]),
    "one-hot": (ROWS, np.eye(3)[[1, 0, 0, 1]]),
    "one-hot booleans": (ROWS, np.eye(3, dtype=bool)[[1, 0, 0, 1]]),
    "sequences": (np.array(ROWS).reshape(2, 2, 3), [[1, 0], [0, 1]]),
    "one-hot sequences": (np.array(ROWS).reshape(2, 2, 3), np.eye(3)[[[1, 0], [0, 1]]]),
    "class indices": ([1, 0, 2, 1], [1, 0, 0, 1]),
    "sequences of class indices": ([[1, 0], [2, 1]], [[1, 0], [0, 1]]),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_classes(form):
    predictions, targets = FORMS[form]
    assert accuracy(predictions, targets) == 0.75
    assert confusion_matrix(predictions, targets).tolist() == [[1, 0, 1], [0, 2, 0], [0, 0, 0]]
    assert recall(predictions, targets, average="macro") == pytest.approx((0.5 + 1 + 0) / 3)
    if "indices" not in form:
        assert top_k_accuracy(predictions, targets, k=2) == 1.0
        assert perplexity(predictions, targets) == pytest.approx(perplexity(ROWS, [1, 0, 0, 1]), rel=1e-6)


TWO = {
    "probabilities": ([0.9, 0.4, 0.6, 0.2], [1, 1, 1, 0], 0.5),
    "logits": ([2.0, -0.1, 0.3, -5.0], [1, 1, 1, 0], 0),
    "-1 and +1": ([2.0, -0.1, 0.3, -5.0], [1, 1, 1, -1], 0),
    "columns": ([[2.0], [-0.1], [0.3], [-5.0]], [1, 1, 1, 0], 0),
    "two columns": ([[2.0], [-0.1], [0.3], [-5.0]], [[1], [1], [1], [0]], 0),
    "values": ([Value(2.0), Value(-0.1), Value(0.3), Value(-5.0)], [1.0, 1.0, 1.0, 0.0], 0),
    "tensors": (Tensor([2.0, -0.1, 0.3, -5.0]), Tensor([1.0, 1.0, 1.0, 0.0]), 0),
    "decided": ([1, 0, 1, 0], [1, 1, 1, 0], None),
    "decided as -1 and +1": ([1, -1, 1, -1], [1, 1, 1, -1], None),
    "booleans": ([True, False, True, False], [True, True, True, False], None),
    "scores of both": ([[0, 2.0], [0, -0.1], [0, 0.3], [0, -5.0]], [1, 1, 1, 0], None),
    "several labels at once": ([[2.0, -0.1], [0.3, -5.0]], [[1, 1], [1, 0]], 0),
}


@pytest.mark.parametrize("form", TWO)
def test_every_form_of_two_classes(form):
    predictions, targets, threshold = TWO[form]
    given = (predictions, targets)
    assert accuracy(*given, threshold=threshold) == 0.75
    assert precision(*given, threshold=threshold) == 1.0
    assert recall(*given, threshold=threshold) == 2 / 3
    assert f1(*given, threshold=threshold) == 0.8
    assert confusion_matrix(*given, threshold=threshold).tolist() == [[1, 0], [1, 2]]
    if threshold is not None:
        assert roc_auc(*given) == 1.0


def test_one_output_stands_beside_1d_targets_and_nothing_is_broadcast():
    p, t = np.array([[1.0], [2.0], [4.0]]), [1.0, 2.0, 3.0]
    for one, other in ((p, t), (p.ravel(), np.array(t)[:, None]), (p, np.array(t)[:, None])):
        assert mean_squared_error(one, other) == 1 / 3
        assert mean_absolute_error(one, other) == 1 / 3
        assert root_mean_squared_error(one, other) == math.sqrt(1 / 3)
        assert r2(one, other) == 0.5
    assert mean_squared_error([Value(1.0), Value(2.0)], [1, 4]) == 2.0
    assert mean_squared_error(Tensor([1.0, 2.0], dtype=np.float32), [1, 4]) == 2.0


# ── by name ──────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", METRICS)
def test_every_name(name):
    assert metric_named(name) is METRICS[name]
    assert metric_named(METRICS[name]) is METRICS[name]


def test_the_loss_says_what_scores_mean():
    targets = [1, 1, 0, 0]
    logits = np.array([0.4, -0.2, -3.0, 5.0])
    probabilities = 1 / (1 + np.exp(-logits))
    for metric in ("accuracy", "precision", "recall", "f1"):
        expected = METRICS[metric](logits, targets, threshold=0)
        for loss in ("binary_cross_entropy_with_logits", "hinge", nn.hinge, partial(nn.hinge)):
            assert metric_named(metric, loss)(logits, targets) == expected == 0.5
        for loss in ("binary_cross_entropy", nn.binary_cross_entropy):
            assert metric_named(metric, loss)(probabilities, targets) == expected
        for loss in ("mse", nn.mse, None, lambda p, t: 0):
            assert metric_named(metric, loss) is METRICS[metric]
    assert metric_named("accuracy", "hinge").__name__ == "accuracy"
    assert metric_named("accuracy", "hinge")(LOGITS, LABELS) == accuracy(LOGITS, LABELS), "rows of scores stay rows"
    assert metric_named("roc_auc", "hinge") is roc_auc
    assert metric_named(np.maximum, "hinge") is np.maximum


def test_names_do_not_hide_the_losses():
    assert metrics.METRICS["mse"] is mean_squared_error
    assert nn.mse is not mean_squared_error
    assert not {"mse", "mae", "rmse"} & set(metrics.__all__)
    assert sorted(metrics.__all__) == metrics.__all__


# ── bad input ────────────────────────────────────────────────────────────────────────────────────────
nan = math.nan
WRONG = {
    "name": (lambda: metric_named("acuracy"), ValueError, "no metric 'acuracy'; did you mean 'accuracy'"),
    "no name": (lambda: metric_named(3), TypeError, "a name or a function, and was given 3"),
    "lengths": (
        lambda: accuracy([1, 0], [1]),
        ValueError,
        r"predictions have shape \(2,\) and targets have shape \(1,\)",
    ),
    "rows": (lambda: accuracy(ROWS, [0, 1]), ValueError, r"accuracy: predictions have shape \(4, 3\) and .* \(2,\)"),
    "numbers": (
        lambda: mean_squared_error([1.0, 2.0], [1.0]),
        ValueError,
        r"\(2,\) and targets have shape \(1,\); give",
    ),
    "no broadcasting": (
        lambda: mean_squared_error(np.ones((3, 3)), np.ones(3)),
        ValueError,
        "give one target for each",
    ),
    "none": (lambda: accuracy([], []), ValueError, r"there are no predictions: their shape is \(0,\)"),
    "NaN": (lambda: accuracy([[0.1, nan]], [0]), ValueError, "accuracy: prediction .*1.* is nan"),
    "NaN in targets": (lambda: r2([1.0, 2.0], [1.0, nan]), ValueError, "r2: target 1 is nan"),
    "text": (lambda: accuracy([0, 1], ["a", "b"]), TypeError, r"accuracy: targets holds 'a' .*numpy.unique"),
    "label": (
        lambda: accuracy(ROWS, [0, 1, 3, 0]),
        IndexError,
        "label 2 is 3, and with 3 classes labels go from 0 to 2",
    ),
    "label -1": (lambda: accuracy(ROWS, [0, 1, -1, 0]), IndexError, "label 2 is -1"),
    "index -1": (lambda: accuracy([0, -1], [0, 2]), IndexError, "prediction 1 is -1, and class indices begin at 0"),
    "target -1": (lambda: accuracy([0, 1], [-1, 2]), IndexError, "label 0 is -1"),
    "no threshold": (lambda: accuracy([0.3, 0.7], [0, 1]), ValueError, "threshold=0.5 where .*threshold=0 where"),
    "no threshold, column": (lambda: f1([[0.3], [0.7]], [0, 1]), ValueError, "f1: predictions are one score for each"),
    "three beside a threshold": (
        lambda: accuracy([0.3, 0.7], [0, 2], threshold=0.5),
        ValueError,
        "target 1 is 2, expected 0 or 1",
    ),
    "two kinds beside a threshold": (
        lambda: accuracy([0.3, 0.7, 0.1], [0, -1, 1], threshold=0),
        ValueError,
        "target 0 is 0, expected -1 or 1",
    ),
    "not one-hot": (
        lambda: accuracy([[0.3, 0.7], [0.1, 0.2]], [[0, 1], [1, 1]]),
        ValueError,
        r"one-hot rows, and row 1 is \[1, 1\]; .*threshold=0.5",
    ),
    "rows or indices": (lambda: accuracy(np.eye(3, dtype=int), np.eye(3, dtype=int)), ValueError, r"\.argmax\(-1\)"),
    "k": (lambda: top_k_accuracy(ROWS, [0, 1, 2, 0], k=4), ValueError, "k = 4, and there are 3 classes"),
    "k 0": (lambda: top_k_accuracy(ROWS, [0, 1, 2, 0], k=0), ValueError, "k is at least 1"),
    "average": (lambda: f1([0, 1], [0, 1], average="makro"), ValueError, "no average 'makro'; did you mean 'macro'"),
    "binary of three": (lambda: recall([0, 2], [0, 1]), ValueError, "recall: there are 3 classes, .*average='macro'"),
    "classes": (lambda: confusion_matrix([0, 2], [0, 1], classes=2), ValueError, "classes = 2, and there are 3"),
    "one class": (lambda: roc_auc([0.1, 0.2], [1, 1]), ValueError, "all 2 targets are of one class"),
    "two columns of scores": (lambda: roc_auc([[0.1, 0.9]], [1]), ValueError, r"scores\[:, 1\]"),
    "one sample": (lambda: r2([1.0], [1.0]), ValueError, "there is one sample"),
    "perplexity of labels": (lambda: perplexity([0, 1], [0, 1]), ValueError, r"expected one class index for each row"),
    # the order of scikit-learn
    "swapped": (lambda: accuracy(LABELS, LOGITS), ValueError, "the predictions come first, then the targets"),
    "swapped scores": (lambda: accuracy(TRUTH, SCORES), TypeError, "whole number; the predictions come first"),
    "swapped, with a threshold": (
        lambda: accuracy(TRUTH, SCORES, threshold=0),
        ValueError,
        "the predictions come first",
    ),
    "swapped auc": (lambda: roc_auc(TRUTH, SCORES), ValueError, "the predictions come first"),
    "swapped perplexity": (lambda: perplexity(LABELS, LOGITS), ValueError, "the predictions come first"),
    "swapped top k": (lambda: top_k_accuracy(LABELS, LOGITS), ValueError, "the predictions come first"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_is_named(case):
    call, kind, message = WRONG[case]
    with pytest.raises(kind, match=message):
        call()
