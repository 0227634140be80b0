"""From scores to classes: what predictions decide for, beside what is right. Metrics of classes count over these."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nn.data import ENCODE
from nn.data.arrays import as_numbers
from nn.losses.targets import alike, classed, labels, mismatch, refuse

ORDER = "the predictions come first, then the targets"


class Decisions(NamedTuple):
    """Class indices side by side, flat, and how many classes there are."""

    predicted: NDArray[np.intp]
    actual: NDArray[np.intp]
    classes: int


def decisions(metric: str, predictions: Any, targets: Any, threshold: float | None = None) -> Decisions:
    """What the predictions decide for, and what is right, in one of four forms.

    - Scores of shape (..., K) and class indices (...): the class of the largest score, the first of equal ones.
    - Scores of shape (..., K) and one-hot targets (..., K): the same.
    - Scores, one for each target, and a ``threshold``: class 1 where the score is above it, else class 0. Targets
      are 0 and 1, or -1 and +1.
    - Class indices, which are whole numbers, one for each target. Where all are -1 or +1, these are classes 0 and 1.

    (N, 1) and (N,) are the same. Scores may be logits or probabilities, for they have the same order.

    >>> decisions("accuracy", [[0.1, 0.9], [2.0, -2.0]], [1, 1]).predicted.tolist()
    [1, 0]
    >>> decisions("accuracy", [0.3, -2.0], [1, 1], threshold=0).predicted.tolist()
    [1, 0]

    Raises:
        ValueError: there are none, shapes do not fit, a number is NaN; one score for each target and no threshold;
            targets that are not two classes beside a threshold.
        IndexError: a class index outside 0 ... K - 1.
        TypeError: a class index that is no whole number.
    """
    p, t = beside(metric, predictions, targets)
    if not alike(p.shape, t.shape):
        return _of_rows(metric, p, t)
    t = t.reshape(p.shape)
    if threshold is not None:
        return Decisions((p > threshold).ravel().astype(np.intp), two_classes(metric, t).ravel(), 2)
    if p.dtype.kind == "f":
        if p.ndim > 1 and p.shape[-1] > 1:
            return _of_rows(metric, p, _from_one_hot(metric, t))
        raise ValueError(
            f"{metric}: predictions are one score for each target; write threshold=0.5 where they are probabilities, "
            "threshold=0 where they are logits, or predictions.astype(int) where they are class indices"
        )
    if p.ndim > 1 and p.shape[-1] > 1 and _is_one_hot(p).all() and _is_one_hot(t).all():
        raise ValueError(
            f"{metric}: predictions and targets of shape {p.shape} may be one-hot rows or class indices; write "
            ".argmax(-1) of both if they are rows, and .ravel() of both if they are indices"
        )
    return _of_indices(metric, p.ravel(), t.ravel())


def beside(metric: str, predictions: Any, targets: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Predictions and targets as arrays, both without NaN.

    Raises:
        ValueError: there are none, a number is NaN, or the targets have more axes than the predictions.
        TypeError: there is something other than numbers.
    """
    p, t = as_numbers(predictions, f"{metric}: predictions"), as_numbers(targets, f"{metric}: targets", ENCODE)
    if p.size == 0:
        raise ValueError(f"{metric}: there are no predictions: their shape is {p.shape}")
    if t.ndim > p.ndim and not alike(p.shape, t.shape):
        raise mismatch(metric, p.shape, t.shape, ORDER)
    if p.ndim == t.ndim == 1 and len(p) != len(t):
        raise mismatch(metric, p.shape, t.shape, "give one target for each prediction")
    refuse(metric, "prediction", np.isnan, p, ValueError, "expected a number")
    refuse(metric, "target", np.isnan, t, ValueError, "expected a number")
    return p, t


def scores_and_labels(metric: str, scores: Any, targets: Any) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Rows of K scores, and the index of the right class of each, from class indices or one-hot targets.

    Raises:
        IndexError, TypeError, ValueError: as :func:`decisions`.
    """
    p, t = beside(metric, scores, targets)
    if p.ndim > 1 and p.shape == t.shape:
        t = _from_one_hot(metric, t)
    return p.reshape(-1, p.shape[-1] if p.ndim else 1).astype(float), classed(metric, p, t).ravel()


def two_classes(metric: str, t: NDArray[Any]) -> NDArray[np.intp]:
    """Targets as 0 and 1.

    Raises:
        ValueError: they are neither 0 and 1 nor -1 and +1.
    """
    negative = -1 if (t == -1).any() else 0
    why = f"expected {negative} or 1, one of two classes, beside a score ({ORDER})"
    refuse(metric, "target", lambda t: (t != 1) & (t != negative), t, ValueError, why)
    return np.asarray(t == 1, np.intp)


def _of_rows(metric: str, p: NDArray[Any], t: NDArray[Any]) -> Decisions:
    actual = classed(metric, p, t)
    return Decisions(p.argmax(axis=-1).ravel(), actual.ravel(), p.shape[-1])


def _of_indices(metric: str, p: NDArray[Any], t: NDArray[Any]) -> Decisions:
    refuse(metric, "target", lambda t: t != np.rint(t), t, TypeError, f"and a class index is a whole number; {ORDER}")
    if (abs(p) == 1).all() and (abs(t) == 1).all():
        p, t = p > 0, t > 0
    refuse(metric, "prediction", lambda p: p < 0, p, IndexError, "and class indices begin at 0")
    classes = int(max(p.max(), t.max())) + 1
    return Decisions(p.astype(np.intp), labels(metric, t.astype(np.intp), classes), classes)


def _is_one_hot(t: NDArray[Any]) -> NDArray[np.bool_]:
    """For each row, whether it is 1 in one place and 0 in all others."""
    known: NDArray[np.bool_] = ((t == 0) | (t == 1)).all(axis=-1) & (np.count_nonzero(t, axis=-1) == 1)
    return known


def _from_one_hot(metric: str, t: NDArray[Any]) -> NDArray[np.intp]:
    wrong = ~_is_one_hot(t)
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0].tolist())
        raise ValueError(
            f"{metric}: targets in the shape of the predictions are one-hot rows, and row "
            f"{', '.join(map(str, place))} is {t[place].tolist()}; where each number is a decision of its own, "
            "write threshold=0.5 for probabilities or threshold=0 for logits"
        )
    return np.asarray(t.argmax(axis=-1))
