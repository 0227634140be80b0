"""Losses of probabilities: how surprising the truth is to what was predicted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff import Node, log, log1p, softplus, where
from nn.lookup import Function
from nn.losses.targets import each, outside_0_1, paired, reduced, refuse

SMALLEST = math.exp(-100)  # the logarithm of a probability below it counts as -100


def binary_cross_entropy(probabilities: Any, targets: Any, *, reduction: str = "mean") -> Any:
    """``-(t log p + (1 - t) log(1 - p))``, with each logarithm at least -100.

    Where that bound is reached the gradient is 0: prefer :func:`binary_cross_entropy_with_logits`, which
    has no bound, and whose gradient never vanishes where the prediction is wrong.

    Args:
        probabilities: a Tensor or array of numbers in [0, 1], of any shape; or Values, in lists of any depth.
        targets: as many numbers in [0, 1], most often 0 or 1, in the same shape ((N,) and (N, 1) are the same).
        reduction: "mean" over all numbers, "sum", or "none": one for each number.

    >>> from autodiff import Value
    >>> loss = binary_cross_entropy([Value(0.5), Value(0.0)], [1, 1])
    >>> print(f"{loss:.4f}")
    50.3466

    Raises:
        ValueError: a probability or target outside [0, 1], a target that is NaN, shapes that differ, no predictions,
            or an unknown reduction.
        TypeError: there is something other than numbers, or the targets carry a gradient.
    """
    name = "binary_cross_entropy"
    p, t = paired(name, probabilities, targets)
    hint = "outside [0, 1]; for outputs without a sigmoid there is binary_cross_entropy_with_logits"
    refuse(name, "probability", outside_0_1, p, ValueError, hint)
    refuse(name, "target", outside_0_1, t, ValueError, "outside [0, 1]")
    return reduced(each(lambda p, t: -_blend(t, lambda: _log(p), lambda: _log_of_rest(p)), p, t), reduction)


def binary_cross_entropy_with_logits(logits: Any, targets: Any, *, reduction: str = "mean") -> Any:
    """:func:`binary_cross_entropy` of ``sigmoid(logit)``, without its bound: exact for logits of any size.

    Uses ``-log sigmoid(z) = softplus(-z)`` and ``-log(1 - sigmoid(z)) = softplus(z)``.

    Args:
        logits: a Tensor or array of any shape, with any real numbers; or Values, in lists of any depth.
        targets, reduction: as for :func:`binary_cross_entropy`.

    >>> from autodiff import Value
    >>> z = Value(-10000.0)
    >>> loss = binary_cross_entropy_with_logits([z], [1])
    >>> loss.backward()
    >>> loss.data, z.grad
    (10000.0, -1.0)

    Raises:
        ValueError, TypeError: as :func:`binary_cross_entropy`, for the targets.
    """
    name = "binary_cross_entropy_with_logits"
    z, t = paired(name, logits, targets)
    refuse(name, "target", outside_0_1, t, ValueError, "outside [0, 1]")
    return reduced(each(_surprise, z, t), reduction)


def kl_divergence(log_probabilities: Any, targets: Any, *, reduction: str = "mean") -> Any:
    """``t (log t - log p)``: what coding the truth costs beyond its entropy; nothing where t is 0.

    Source: Kullback, Leibler 1951, "On information and sufficiency", Annals of Mathematical Statistics 22.

    Args:
        log_probabilities: log p, a Tensor or array of any shape, most often a ``log_softmax``; or Values, in lists.
        targets: as many probabilities t, in the same shape.
        reduction: "batchmean" divides the sum by the length of the first axis, which is the divergence as
            textbooks define it; "mean" over all numbers, "sum", or "none": one for each number.

    >>> from autodiff import Tensor, log
    >>> loss = kl_divergence(log(Tensor([[0.5, 0.5]])), [[1.0, 0.0]], reduction="batchmean")
    >>> print(f"{loss:.4f}")
    0.6931

    Raises:
        ValueError, TypeError: as :func:`binary_cross_entropy`, for the targets.
    """
    name = "kl_divergence"
    x, t = paired(name, log_probabilities, targets)
    refuse(name, "target", outside_0_1, t, ValueError, "outside [0, 1]")
    terms = each(_excess, x, t)
    if reduction == "batchmean":
        return reduced(terms, "sum") / (x.shape[0] if x.shape else 1)
    return reduced(terms, reduction)


def counted(logarithms: Any, weights: Any) -> Any:
    """The logarithms, with 0 in the place of -∞ where the weight is 0: such a term counts nothing, and is no NaN."""
    plain = logarithms.data if isinstance(logarithms, Node) else logarithms
    if plain.min() > -math.inf if isinstance(plain, np.ndarray) else plain > -math.inf:
        return logarithms
    return where((np.asarray(plain) == -math.inf) & (np.asarray(weights) == 0), 0.0, logarithms)


# ── formulas, for one number or for all ──────────────────────────────────────────────────────────────
def _surprise(z: Any, t: Any) -> Any:
    """-log of the probability that a logit gives to the target."""
    if isinstance(t, np.ndarray) and not (t * (1 - t)).any():  # every target is 0 or 1
        return softplus(z * (1 - 2 * t))
    return _blend(t, lambda: softplus(-z), lambda: softplus(z))


def _excess(x: Any, t: Any) -> Any:
    """t (log t - x), with 0 log 0 = 0."""
    entropy = t * log(where(t == 0, 1.0, t))
    return entropy - t * counted(x, t)


def _blend(t: Any, if_one: Function, if_zero: Function) -> Any:
    """``t · if_one() + (1 - t) · if_zero()``, where a side that counts nowhere is not computed."""
    if _everywhere(t == 1):
        return if_one()
    if _everywhere(t == 0):
        return if_zero()
    return t * if_one() + (1 - t) * if_zero()


def _log(p: Any) -> Any:
    """log(p), at least -100."""
    return _bounded(log, p, p < SMALLEST)


def _log_of_rest(p: Any) -> Any:
    """log(1 - p), at least -100; with all digits for a small p."""
    return _bounded(lambda p: log1p(-p), p, p >= 1)


def _bounded(logarithm: Function, p: Any, beyond: Any) -> Any:
    """-100, with gradient 0, beyond the bound. There it is the logarithm of ½, not of 0: 0 · ∞ would be NaN."""
    if beyond is False or not np.any(beyond):
        return logarithm(p)
    return where(beyond, -100.0, logarithm(where(beyond, 0.5, p)))


def _everywhere(condition: Any) -> bool:
    """Whether it holds: for the one number, or for all."""
    return condition if isinstance(condition, bool) else bool(condition.all())
