"""Losses: one number that says how wrong the predictions are, as the mean over the samples.

Predictions come as a model gives them: one Value per sample, or a row of Values per sample. Targets are
plain numbers. Everything also works for one sample alone, and on plain numbers, where the loss is a float.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import reduce
from numbers import Number
from operator import add, index
from typing import Any

import numpy as np

from autodiff import Value, log, log1p, logaddexp, maximum, relu, softplus
from nn.lookup import Function, lookup

SMALLEST = math.exp(-100)  # a probability below it counts as this one: its logarithm is at least -100
MULTICLASS: dict[str, Function] = {"weston-watkins": add, "crammer-singer": maximum}


def mse(predictions: Any, targets: Any) -> Any:
    """Mean squared error: the mean of ``(prediction - target)²`` over all numbers.

    Args:
        predictions: n Values, or n rows of Values.
        targets: as many numbers, in the same shape.

    >>> mse([Value(1.0), Value(2.0)], [1.0, 4.0])
    Value(2.0, op=divide)

    Raises:
        ValueError: predictions and targets differ in number, or there are none.
    """
    return _mean([(p - t) ** 2 for p, t in _pairs("mse", predictions, targets)])


def binary_cross_entropy(probabilities: Any, targets: Any) -> Any:
    """Mean of ``-(t log p + (1 - t) log(1 - p))``, with each logarithm at least -100.

    Where that bound is reached the gradient is 0: prefer :func:`binary_cross_entropy_with_logits`, which
    has no bound, and whose gradient never vanishes where the prediction is wrong.

    Args:
        probabilities: n Values in [0, 1].
        targets: n numbers in [0, 1], most often 0 or 1.

    >>> loss = binary_cross_entropy([Value(0.5), Value(0.0)], [1, 1])
    >>> print(f"{loss:.4f}")
    50.3466

    Raises:
        ValueError: a probability or target outside [0, 1]; different numbers of both, or none.
    """
    name = "binary_cross_entropy"
    pairs = _pairs(name, probabilities, targets)
    for i, (p, t) in enumerate(pairs):
        if not 0 <= p <= 1:
            hint = "for outputs without a sigmoid there is binary_cross_entropy_with_logits"
            raise ValueError(f"{name}: probability {i} is {p:.6g}, outside [0, 1]; {hint}")
        _check_fraction(name, i, t)
    return -_mean([_blend(t, lambda p=p: _log(p), lambda p=p: _log_of_rest(p)) for p, t in pairs])


def binary_cross_entropy_with_logits(logits: Any, targets: Any) -> Any:
    """:func:`binary_cross_entropy` of ``sigmoid(logit)``, without its bound: exact for logits of any size.

    Uses ``-log sigmoid(z) = softplus(-z)`` and ``-log(1 - sigmoid(z)) = softplus(z)``.

    Args:
        logits: n Values, any real numbers.
        targets: n numbers in [0, 1], most often 0 or 1.

    >>> z = Value(-10000.0)
    >>> loss = binary_cross_entropy_with_logits([z], [1])
    >>> loss.backward()
    >>> loss.data, z.grad
    (10000.0, -1.0)

    Raises:
        ValueError: a target outside [0, 1]; different numbers of both, or none.
    """
    name = "binary_cross_entropy_with_logits"
    pairs = _pairs(name, logits, targets)
    for i, (_, t) in enumerate(pairs):
        _check_fraction(name, i, t)
    return _mean([_blend(t, lambda z=z: softplus(-z), lambda z=z: softplus(z)) for z, t in pairs])


def cross_entropy(logits: Any, labels: Any) -> Any:
    """Mean of ``log Σ exp(logits) - logits[label]``: minus the log-probability of the right class.

    Args:
        logits: n rows of k Values, one for each class; or one row.
        labels: n class indices from 0 to k - 1; or one.

    >>> logits = [Value(0.0), Value(0.0)]
    >>> loss = cross_entropy(logits, 1)
    >>> loss.backward()
    >>> print(f"{loss:.4f}", [z.grad for z in logits])
    0.6931 [0.5, -0.5]

    Raises:
        IndexError: a label outside 0 ... k - 1; -1 too.
        TypeError: a label that is not a whole number.
        ValueError: different numbers of rows and labels, fewer than two classes, or no rows.
    """
    rows = _rows("cross_entropy", logits, labels)
    return _mean([reduce(logaddexp, row) - row[label] for row, label in rows])


def hinge(scores: Any, targets: Any, *, multiclass: str = "weston-watkins") -> Any:
    """Hinge loss: 0 for a sample that is on the right side by a margin of 1, growing linearly before.

    With one score per sample and targets -1 or +1, the mean of ``max(0, 1 - target · score)``.

    With a row of k scores per sample and class indices, ``max(0, 1 + score_j - score_label)`` for every
    wrong class j, of which ``multiclass`` takes the sum ("weston-watkins") or the largest
    ("crammer-singer").

    Sources: Cortes, Vapnik 1995, Machine Learning 20; Weston, Watkins 1999, ESANN; Crammer, Singer 2001,
    Journal of Machine Learning Research 2.

    Args:
        scores: n Values, or n rows of k Values; or those of one sample.
        targets: n numbers -1 or +1, or n class indices from 0 to k - 1; or one.
        multiclass: which of the two, for rows of scores.

    >>> hinge([Value(0.5), Value(-3.0)], [1, -1])
    Value(0.25, op=divide)
    >>> rows = [[Value(2.0), Value(1.5), Value(2.5)]]
    >>> hinge(rows, [0]).data, hinge(rows, [0], multiclass="crammer-singer").data
    (2.0, 1.5)

    Raises:
        IndexError: a class index outside 0 ... k - 1; -1 too.
        TypeError: a class index that is not a whole number.
        ValueError: a target other than -1 and +1, different numbers of scores and targets, an unknown
            ``multiclass``, fewer than two classes, or no scores.
    """
    combine = lookup("multiclass hinge", multiclass, MULTICLASS)
    if _depth(scores) > _depth(targets):
        rows = _rows("hinge", scores, targets)
        return _mean([reduce(combine, [relu(1 + s - row[y]) for j, s in enumerate(row) if j != y]) for row, y in rows])
    pairs = _pairs("hinge", scores, targets)
    for i, (_, t) in enumerate(pairs):
        if t not in (-1, 1):
            raise ValueError(f"hinge: target {i} is {t!r}; targets are -1 or +1 (for 0 and 1, write 2 * y - 1)")
    return _mean([relu(1 - t * s) for s, t in pairs])


LOSSES: dict[str, Function] = {
    f.__name__: f for f in (mse, hinge, cross_entropy, binary_cross_entropy, binary_cross_entropy_with_logits)
}


def loss_named(which: str | Function) -> Function:
    """The loss of that name; a function ``(predictions, targets) -> Value`` of your own is returned as it is.

    Raises:
        ValueError: no such name; the message suggests the nearest.
        TypeError: neither a name nor a function.
    """
    return lookup("loss", which, LOSSES)


# ── the logarithms of a probability ──────────────────────────────────────────────────────────────────
def _log(p: Any) -> Any:
    """log(p), at least -100. The bound is put on p: behind the logarithm of 0 it would leave 0 · ∞ = NaN."""
    return log(maximum(p, SMALLEST))


def _log_of_rest(p: Any) -> Any:
    """log(1 - p), at least -100; with all digits for a small p."""
    return log1p(-p) if p < 1 else log(maximum(1 - p, SMALLEST))


def _blend(t: float, if_one: Function, if_zero: Function) -> Any:
    """``t · if_one() + (1 - t) · if_zero()``, where a side that does not count is not computed."""
    if t in (0, 1):
        return if_one() if t == 1 else if_zero()
    return t * if_one() + (1 - t) * if_zero()


# ── predictions and targets side by side ─────────────────────────────────────────────────────────────
def _mean(terms: list[Any]) -> Any:
    return reduce(add, terms) / len(terms) if len(terms) > 1 else terms[0]


def _depth(x: Any) -> int:
    """0 for one number, 1 for a list of numbers, 2 for a list of rows."""
    depth = 0
    while not isinstance(x, Value | Number) and len(x):
        x, depth = x[0], depth + 1
    return depth


def _list(x: Iterable[Any]) -> list[Any]:
    return x.tolist() if isinstance(x, np.ndarray) else list(x)


def _pairs(loss: str, predictions: Any, targets: Any, where: str = "") -> list[tuple[Any, Any]]:
    """Each predicted number with its target."""
    single = [isinstance(x, Value | Number) for x in (predictions, targets)]
    if all(single):
        return [(predictions, targets)]
    if any(single):
        shown = [
            "one number" if one else f"{len(x)} of them" for one, x in zip(single, (predictions, targets), strict=True)
        ]
        raise ValueError(f"{loss}:{where} the prediction is {shown[0]} and the target is {shown[1]}")
    found = []
    for i, (p, t) in enumerate(_beside(f"{loss}:{where}", predictions, targets, "predictions and {} targets")):
        found += _pairs(loss, p, t, f" sample {i}:")
    return found


def _rows(loss: str, scores: Any, labels: Any) -> list[tuple[list[Any], int]]:
    """Each row of scores with its class index."""
    if isinstance(labels, Number):
        scores, labels = [scores], [labels]
    rows = []
    for i, (row, label) in enumerate(_beside(f"{loss}:", scores, labels, "rows of scores and {} labels")):
        if _depth(row) != 1 or len(row) < 2:
            raise ValueError(f"{loss}: sample {i} needs a row of two or more scores, one for each class; given {row!r}")
        rows.append((_list(row), _class(loss, i, label, len(row))))
    return rows


def _beside(start: str, predictions: Any, targets: Any, words: str) -> list[tuple[Any, Any]]:
    predictions, targets = _list(predictions), _list(targets)
    if len(predictions) != len(targets):
        raise ValueError(f"{start} {len(predictions)} {words.format(len(targets))}")
    if not predictions:
        raise ValueError(f"{start} there are no predictions")
    return list(zip(predictions, targets, strict=True))


def _class(loss: str, i: int, label: Any, classes: int) -> int:
    try:
        label = index(label)
    except TypeError:
        raise TypeError(f"{loss}: label {i} is {label!r}, and a class index is a whole number") from None
    if not 0 <= label < classes:
        raise IndexError(f"{loss}: label {i} is {label}, and with {classes} classes labels go from 0 to {classes - 1}")
    return int(label)


def _check_fraction(loss: str, i: int, target: float) -> None:
    if not 0 <= target <= 1:
        raise ValueError(f"{loss}: target {i} is {target!r}, outside [0, 1]")
