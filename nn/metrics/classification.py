"""Metrics of classes: how often, and in what ways, predictions are right. All take ``(predictions, targets)``.

Predictions are scores of shape (..., K), or one score for each target and a threshold, or class indices: see
:func:`nn.metrics.decisions.decisions`, which says how each is read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.checks import size
from nn.lookup import Function, lookup
from nn.losses.targets import alike, mismatch
from nn.metrics.decisions import beside, decisions, scores_and_labels, two_classes


def accuracy(predictions: Any, targets: Any, *, threshold: float | None = None) -> float:
    """The share of right predictions.

    Args:
        predictions: scores (..., K), of which the largest decides; or class indices (...); or one score for each
            target, and a threshold.
        targets: class indices (...), or one-hot rows (..., K); beside a threshold 0 and 1, or -1 and +1.
        threshold: scores above it decide for class 1: 0.5 for probabilities, 0 for logits.

    >>> accuracy([[2.0, 1.0, 0.0], [0.1, 0.2, 0.7]], [0, 1])
    0.5
    >>> accuracy([0.9, 0.2, 0.6], [1, 0, 0], threshold=0.5) == 2 / 3
    True

    Raises:
        ValueError: shapes do not fit, there are no predictions, a number is NaN, or a threshold is missing.
        IndexError: a class index outside 0 ... K - 1.
        TypeError: a class index that is no whole number.
    """
    predicted, actual, _ = decisions("accuracy", predictions, targets, threshold)
    return float(np.mean(predicted == actual))


def top_k_accuracy(scores: Any, targets: Any, *, k: int = 5) -> float:
    """The share of samples whose right class is among the ``k`` largest scores; of equal scores the first count.

    Args:
        scores: of shape (..., K).
        targets: class indices (...), or one-hot rows (..., K).
        k: from 1, which is :func:`accuracy`, to K.

    >>> top_k_accuracy([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]], [1, 2], k=2)
    0.5

    Raises:
        ValueError, IndexError, TypeError: as :func:`accuracy`; or k is more than there are classes.
    """
    rows, right = scores_and_labels("top_k_accuracy", scores, targets)
    if size(k, "k") > rows.shape[1]:
        raise ValueError(f"top_k_accuracy: k = {k}, and there are {rows.shape[1]} classes")
    own = rows[np.arange(len(rows)), right][:, None]
    earlier = np.arange(rows.shape[1]) < right[:, None]
    before = ((rows > own) | ((rows == own) & earlier)).sum(axis=1)
    return float(np.mean(before < k))


def confusion_matrix(
    predictions: Any, targets: Any, *, threshold: float | None = None, classes: int | None = None
) -> NDArray[np.intp]:
    """How often each class was taken for each: entry (i, j) counts samples of class i that were predicted as j.

    Args:
        predictions, targets, threshold: as for :func:`accuracy`.
        classes: how many there are. By default as many as there are scores, or up to the largest class index.

    >>> confusion_matrix([0, 1, 1, 2], [0, 1, 2, 2])
    array([[1, 0, 0],
           [0, 1, 0],
           [0, 1, 1]])

    Raises:
        ValueError, IndexError, TypeError: as :func:`accuracy`; or there are more classes than ``classes``.
    """
    predicted, actual, known = decisions("confusion_matrix", predictions, targets, threshold)
    count = known if classes is None else size(classes, "classes")
    if count < known:
        raise ValueError(f"confusion_matrix: classes = {count}, and there are {known}")
    return np.bincount(actual * count + predicted, minlength=count * count).reshape(count, count)


def precision(predictions: Any, targets: Any, *, average: str | None = "binary", threshold: float | None = None) -> Any:
    """Of what was predicted as a class, the share that is of this class: true positives / predicted positives.

    Args:
        predictions, targets, threshold: as for :func:`accuracy`.
        average: "binary": of class 1, where there are two; "macro": the mean of all classes that occur in
            predictions or targets; "micro": counted over all classes together; None: an array, one for each class.

    A share of nothing, 0 / 0, counts as 0, without a warning. All is as in scikit-learn, but that None gives
    a class that does not occur its place, with 0, so that the place is the class index.

    >>> precision([1, 1, 1, 0], [1, 1, 0, 1]) == 2 / 3
    True
    >>> precision([0, 1, 2, 2], [0, 1, 1, 2], average=None).tolist()
    [1.0, 1.0, 0.5]

    Raises:
        ValueError, IndexError, TypeError: as :func:`accuracy`; an unknown ``average``; more than two classes
            and the average "binary".
    """
    hits, predicted, actual = _counts("precision", predictions, targets, threshold, average)
    return _averaged(hits, predicted, predicted + actual > 0, average)


def recall(predictions: Any, targets: Any, *, average: str | None = "binary", threshold: float | None = None) -> Any:
    """Of what is of a class, the share that was predicted as this class: true positives / positives.

    Arguments and errors as for :func:`precision`; 0 / 0 counts as 0.

    >>> recall([1, 0, 0, 0], [1, 1, 0, 1]) == 1 / 3
    True
    """
    hits, predicted, actual = _counts("recall", predictions, targets, threshold, average)
    return _averaged(hits, actual, predicted + actual > 0, average)


def f1(predictions: Any, targets: Any, *, average: str | None = "binary", threshold: float | None = None) -> Any:
    """The harmonic mean of :func:`precision` and :func:`recall`: 2 · true positives / (predicted + actual positives).

    Arguments and errors as for :func:`precision`; 0 / 0 counts as 0.

    Source: van Rijsbergen 1979, "Information Retrieval", chapter 7.

    >>> f1([1, 1, 1, 0], [1, 0, 0, 1])
    0.4
    """
    hits, predicted, actual = _counts("f1", predictions, targets, threshold, average)
    return _averaged(2 * hits, predicted + actual, predicted + actual > 0, average)


def roc_auc(scores: Any, targets: Any) -> float:
    """The area under the receiver operating characteristic: how often a positive scores higher than a negative.

    That is the share of all pairs of a positive and a negative, equal scores counting half. It is exact: counted
    in whole numbers, from the ranks of the scores (the mid-rank where scores are equal).

    Source: Hanley, McNeil 1982, "The meaning and use of the area under a receiver operating characteristic curve".

    Args:
        scores: one for each target, such as logits or probabilities of class 1: (N,) or (N, 1).
        targets: 0 and 1, or -1 and +1.

    >>> roc_auc([0.9, 0.4, 0.4, 0.1], [1, 1, 0, 0])
    0.875

    Raises:
        ValueError: there is one class only, the targets are not two classes, shapes do not fit, or a NaN.
    """
    s, t = beside("roc_auc", scores, targets)
    if not alike(s.shape, t.shape):
        two = s.ndim == 2 and s.shape[1] == 2
        advice = "take the scores of class 1: scores[:, 1] - scores[:, 0] for logits, scores[:, 1] for probabilities"
        raise mismatch("roc_auc", s.shape, t.shape, advice if two else "give one score for each target")
    positive = two_classes("roc_auc", t.ravel()) == 1
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        raise ValueError(f"roc_auc: all {positive.size} targets are of one class; it compares two")
    _, place, counts = np.unique(s.ravel(), return_inverse=True, return_counts=True)
    twice_ranks = 2 * np.cumsum(counts) - counts + 1  # of equal scores the middle of their ranks; doubled, it is whole
    twice_sum = int(twice_ranks[place.ravel()][positive].sum())
    return (twice_sum - positives * (positives + 1)) / (2 * positives * negatives)


def perplexity(logits: Any, targets: Any) -> float:
    """``exp`` of the mean negative log-likelihood: among how many equally likely classes the model hesitates.

    Source: Jelinek, Mercer, Bahl, Baker 1977, "Perplexity: a measure of the difficulty of speech recognition tasks".

    Args:
        logits: of shape (..., K), any real numbers (log-probabilities are logits too; of probabilities take the log).
        targets: class indices (...), or one-hot rows (..., K).

    It is computed without overflow up to the last step, and inf where it is larger than any float.

    >>> round(perplexity([[0.0, 0.0, 0.0], [5.0, 5.0, 5.0]], [2, 0]), 12)
    3.0

    Raises:
        ValueError, IndexError, TypeError: as :func:`accuracy`.
    """
    rows, right = scores_and_labels("perplexity", logits, targets)
    with np.errstate(all="ignore"):
        rows = rows - rows.max(axis=1, keepdims=True)
        surprise = np.log(np.exp(rows).sum(axis=1)) - rows[np.arange(len(rows)), right]
        return float(np.exp(surprise.mean()))


# ── averages over classes ────────────────────────────────────────────────────────────────────────────
AVERAGES: dict[str, Function] = {
    "binary": lambda parts, wholes, occurs: _share(parts, wholes)[1],
    "macro": lambda parts, wholes, occurs: _share(parts, wholes)[occurs].mean(),
    "micro": lambda parts, wholes, occurs: _share(parts.sum(), wholes.sum()),
}


def _counts(
    metric: str, predictions: Any, targets: Any, threshold: float | None, average: str | None
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """For each class: the right predictions, all predictions and all samples of it."""
    predicted, actual, classes = decisions(metric, predictions, targets, threshold)
    if average is not None:
        lookup("average", average, AVERAGES)
    if average == "binary" and classes > 2:
        raise ValueError(
            f"{metric}: there are {classes} classes, and average='binary' is about class 1 of two; write "
            "average='macro' (the mean of all classes) or 'micro' (counted together), or None for each of them"
        )
    each = [np.bincount(x, minlength=max(classes, 2)) for x in (actual[actual == predicted], predicted, actual)]
    return each[0], each[1], each[2]


def _averaged(parts: Any, wholes: Any, occurs: NDArray[np.bool_], average: str | None) -> Any:
    return _share(parts, wholes) if average is None else float(AVERAGES[average](parts, wholes, occurs))


def _share(parts: Any, wholes: Any) -> NDArray[np.float64]:
    """``parts / wholes``, and 0 where both are."""
    return np.asarray(parts / np.maximum(wholes, 1))
