"""Losses of classes: a row of scores, one for each class, and the class that is right."""

from __future__ import annotations

import math
from functools import reduce
from operator import add, mul
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import logaddexp, logsumexp, relu, softplus, take_along_axis, where
from autodiff import max as max_of
from autodiff import sum as sum_of
from nn.activations import log_softmax
from nn.lookup import Function, lookup
from nn.losses.grid import Grid
from nn.losses.probabilities import counted
from nn.losses.targets import aligned, alike, both, classed, each, one_hot, reduced, refuse


def cross_entropy(logits: Any, targets: Any, *, label_smoothing: float = 0.0, reduction: str = "mean") -> Any:
    """``log Σ exp(logits) - logits[label]``: minus the log-probability that a softmax gives to the right class.

    With probabilities t in the place of labels, minus their mean over the classes: ``-Σ t log softmax(logits)``.

    Args:
        logits: any real numbers, a Tensor or array of shape (..., K) with the K classes in the last axis, such as
            (N, K) or (N, T, K); or n rows of K Values; or one row.
        targets: class indices from 0 to K - 1, of shape (...), such as (N,) or (N, T); or probabilities of shape
            (..., K), each row adding up to 1, such as one-hot rows.
        label_smoothing: the part of the probability, from 0 to 1, that is spread evenly over all classes.
            Source: Szegedy and others 2015, arXiv:1512.00567.
        reduction: "mean" over all rows, "sum", or "none": one for each row.

    >>> from autodiff import Tensor, Value
    >>> logits = [Value(0.0), Value(0.0)]
    >>> loss = cross_entropy(logits, 1)
    >>> loss.backward()
    >>> print(f"{loss:.4f}", [z.grad for z in logits])
    0.6931 [0.5, -0.5]
    >>> rows = Tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 3.0]])
    >>> cross_entropy(rows, [0, 2]).item() == cross_entropy(rows, [[1, 0, 0], [0, 0, 1]]).item()
    True

    Raises:
        IndexError: a label outside 0 ... K - 1; -1 too.
        TypeError: a label that is not a whole number, or targets that carry a gradient.
        ValueError: shapes that do not fit, a row of probabilities that does not add up to 1, a target that is NaN,
            fewer than two classes, no rows, a label_smoothing outside [0, 1], or an unknown reduction.
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing is from 0 to 1, and was given {label_smoothing!r}")
    z, t = both("cross_entropy", logits, targets)
    t = classed("cross_entropy", z, t, probabilities=True)
    labelled = t.ndim < len(z.shape)
    if labelled and not label_smoothing and isinstance(z, Grid):
        return reduced(z.each_row(_against_the_rest, t.ravel().tolist()), reduction)
    weights = one_hot(t, z.shape[-1]) if labelled else t
    if label_smoothing:
        weights = (1 - label_smoothing) * weights + label_smoothing / z.shape[-1]
    if isinstance(z, Grid):
        rows = weights.reshape(-1, z.shape[-1]).tolist()
        return reduced(z.each_row(lambda row, weights: _expected(log_softmax(row), weights), rows), reduction)
    return _mean_surprise(log_softmax(z), weights, reduction)


def cross_entropy_to_the_last_digit(
    logits: Any, targets: Any, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Any:
    """:func:`cross_entropy` of a Tensor, with all digits of a loss near 0, as rows of Values have them.

    The score of the right class is compared with those of all others, which takes a few operations more than a
    log-softmax, where the loss of a class that is nearly certain is the small difference of two larger numbers.

    >>> from autodiff import Tensor
    >>> logits = Tensor([[40.0, 0.0]])
    >>> cross_entropy(logits, [0]).item(), cross_entropy_to_the_last_digit(logits, [0]).item()
    (0.0, 4.248354255291589e-18)

    Raises:
        IndexError, TypeError, ValueError: as :func:`cross_entropy`.
    """
    z, t = both("cross_entropy", logits, targets)
    if label_smoothing or isinstance(z, Grid):
        return cross_entropy(logits, targets, label_smoothing=label_smoothing, reduction=reduction)
    t = classed("cross_entropy", z, t, probabilities=True)
    if t.ndim == len(z.shape):
        return cross_entropy(logits, targets, reduction=reduction)
    classes = one_hot(t, z.shape[-1], bool)
    rest, right = logsumexp(where(classes, -math.inf, z), axis=-1), z[classes].reshape(t.shape)
    return reduced(softplus(rest - right), reduction)


def nll(log_probabilities: Any, labels: Any, *, reduction: str = "mean") -> Any:
    """Negative log-likelihood: ``-log_probabilities[label]``; after a ``log_softmax`` it is the cross-entropy.

    Args:
        log_probabilities: a Tensor or array of shape (..., K) with the K classes in the last axis; or n rows of K
            Values; or one row.
        labels: class indices from 0 to K - 1, of shape (...), such as (N,) or (N, T).
        reduction: as for :func:`cross_entropy`.

    >>> nll([[-0.1, -2.4], [-0.7, -0.7]], [0, 1], reduction="none")
    array([0.1, 0.7])

    Raises:
        IndexError, TypeError, ValueError: as :func:`cross_entropy`.
    """
    x, t = both("nll", log_probabilities, labels)
    t = classed("nll", x, t)
    if isinstance(x, Grid):
        return reduced(x.each_row(lambda row, label: -row[label], t.ravel().tolist()), reduction)
    return _mean_surprise(x, one_hot(t, x.shape[-1]), reduction)


def hinge(scores: Any, targets: Any, *, multiclass: str = "weston-watkins", reduction: str = "mean") -> Any:
    """Hinge loss: 0 for a sample that is on the right side by a margin of 1, growing linearly before.

    With targets -1 or +1, one for each score, it is ``max(0, 1 - target · score)``.

    With a row of K scores per sample and class indices, ``max(0, 1 + score_j - score_label)`` for every
    wrong class j, of which ``multiclass`` takes the sum ("weston-watkins") or the largest
    ("crammer-singer").

    Sources: Cortes, Vapnik 1995, Machine Learning 20; Weston, Watkins 1999, ESANN; Crammer, Singer 2001,
    Journal of Machine Learning Research 2.

    Args:
        scores: a Tensor or array, of any shape, or of shape (..., K) with the K classes in the last axis; or Values,
            or rows of K Values.
        targets: numbers -1 or +1 in the shape of the scores ((N,) and (N, 1) are the same); or class indices from 0
            to K - 1, of shape (...).
        multiclass: which of the two, for rows of scores.
        reduction: "mean" over all samples, "sum", or "none": one for each sample.

    >>> from autodiff import Value
    >>> hinge([Value(0.5), Value(-3.0)], [1, -1])
    Value(0.25, op=divide)
    >>> rows = [[Value(2.0), Value(1.5), Value(2.5)]]
    >>> hinge(rows, [0]).data, hinge(rows, [0], multiclass="crammer-singer").data
    (2.0, 1.5)

    Raises:
        IndexError: a class index outside 0 ... K - 1; -1 too.
        TypeError: a class index that is not a whole number, or targets that carry a gradient.
        ValueError: a target other than -1 and +1, shapes that do not fit, an unknown ``multiclass`` or
            ``reduction``, fewer than two classes, or no scores.
    """
    combine = lookup("multiclass hinge", multiclass, MULTICLASS)
    s, t = both("hinge", scores, targets)
    if alike(s.shape, t.shape):
        s, t = aligned("hinge", s, t)
        hint = "targets are -1 or +1 (for 0 and 1, write 2 * y - 1)"
        refuse("hinge", "target", lambda t: np.abs(t) != 1, t, ValueError, hint)
        return reduced(each(lambda s, t: relu(1 - t * s), s, t), reduction)
    t = classed("hinge", s, t)
    if isinstance(s, Grid):
        return reduced(s.each_row(lambda row, label: combine(_margins(row, label)), t.ravel().tolist()), reduction)
    return reduced(combine(each(_margins_of_all, s, t)), reduction)


def _against_the_rest(row: list[Any], label: int) -> Any:
    """Minus the log-probability of one class. To compare it with all others keeps the digits where it is nearly 1."""
    rest = reduce(logaddexp, row[:label] + row[label + 1 :])
    return softplus(rest - row[label])


def _expected(logs: list[Any], weights: list[float]) -> Any:
    """-Σ weights · logs for one row."""
    return -reduce(add, [w * x for w, x in zip(weights, logs, strict=True) if w])


def _mean_surprise(logs: Any, weights: NDArray[Any], reduction: str) -> Any:
    """-Σ weights · logs for every row, reduced. A mean is taken through the weights: an operation less."""
    logs = counted(logs, weights)
    weights = weights.astype(logs.dtype, copy=False)
    if reduction == "mean":
        rows = weights.size // weights.shape[-1]
        return reduced(each(mul, logs, weights / -rows), "sum")
    return reduced(sum_of(each(mul, logs, -weights), axis=-1), reduction)


def _margins(row: list[Any], label: int) -> list[Any]:
    """How far each wrong class is from being beaten by 1."""
    return [relu(score - row[label] + 1) for j, score in enumerate(row) if j != label]


def _margins_of_all(scores: Any, labels: NDArray[np.intp]) -> Any:
    """The same for all rows, with 0 for the right class."""
    right = take_along_axis(scores, labels[..., None], axis=-1)
    return relu(scores - right + (1 - one_hot(labels, scores.shape[-1], scores.dtype)))


def _total(margins: Any) -> Any:
    return reduce(add, margins) if isinstance(margins, list) else sum_of(margins, axis=-1)


def _largest(margins: Any) -> Any:
    """The largest of a row; ties share the gradient evenly."""
    if not isinstance(margins, list):
        return max_of(margins, axis=-1)
    winners = [x for x in margins if not any(y > x for y in margins)]
    return Grid(winners, (len(winners),)).mean()


MULTICLASS: dict[str, Function] = {"weston-watkins": _total, "crammer-singer": _largest}
