"""Losses of numbers: how far predictions are from the numbers they should be."""

from __future__ import annotations

import math
from typing import Any

from autodiff import abs as absolute
from autodiff import clip, square
from nn.losses.targets import each, paired, reduced


def mse(predictions: Any, targets: Any, *, reduction: str = "mean") -> Any:
    """Mean squared error: ``(prediction - target)²``.

    Args:
        predictions: a Tensor or array of any shape; or Values, in lists of any depth.
        targets: as many numbers, in the same shape ((N,) and (N, 1) are the same). They may carry a gradient too.
        reduction: "mean" over all numbers, "sum", or "none": one for each number.

    >>> from autodiff import Tensor, Value
    >>> mse([Value(1.0), Value(2.0)], [1.0, 4.0])
    Value(2.0, op=divide)
    >>> mse(Tensor([[1.0], [2.0]]), [1.0, 4.0], reduction="none").data
    array([[0.],
           [4.]])

    Raises:
        ValueError: the shapes differ, there are no predictions, a target is NaN, or an unknown reduction.
        TypeError: there is something other than numbers.
    """
    p, t = paired("mse", predictions, targets, symmetric=True)
    return reduced(each(lambda p, t: square(p - t), p, t), reduction)


def mae(predictions: Any, targets: Any, *, reduction: str = "mean") -> Any:
    """Mean absolute error: ``|prediction - target|``, whose gradient is 0 where the two are equal.

    Args:
        predictions, targets, reduction: as for :func:`mse`.

    >>> mae([1.0, 2.0], [1.0, 4.0])
    1.0

    Raises:
        ValueError, TypeError: as :func:`mse`.
    """
    p, t = paired("mae", predictions, targets, symmetric=True)
    return reduced(each(lambda p, t: absolute(p - t), p, t), reduction)


def huber(predictions: Any, targets: Any, *, delta: float = 1.0, reduction: str = "mean") -> Any:
    """Half the squared error where it is at most ``delta``, and linear beyond: outliers pull no harder.

    With the error r cut at ±delta to c, it is ``c (r - c / 2)``: r² / 2 inside, delta (|r| - delta / 2) outside.

    Source: Huber 1964, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35.

    Args:
        predictions, targets, reduction: as for :func:`mse`.
        delta: where the parabola ends, above 0.

    >>> huber([0.5, 3.0], [0.0, 0.0], reduction="none")
    array([0.125, 2.5  ])

    Raises:
        ValueError, TypeError: as :func:`mse`; ValueError too where delta is not a number above 0.
    """
    if not 0 < delta < math.inf:
        raise ValueError(f"huber: delta is a number above 0, and was given {delta!r}")

    def formula(p: Any, t: Any) -> Any:
        error = p - t
        cut = clip(error, -delta, delta)
        return cut * (error - cut / 2)

    p, t = paired("huber", predictions, targets, symmetric=True)
    return reduced(each(formula, p, t), reduction)
