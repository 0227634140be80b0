"""Metrics of numbers: how far predictions are from their targets. All take ``(predictions, targets)``, give a float.

Both have one shape, and (N, 1) and (N,) are the same. Where there are several numbers for each sample, all count alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.losses.targets import alike, mismatch
from nn.metrics.decisions import beside

Array = NDArray[np.float64]


def mean_squared_error(predictions: Any, targets: Any) -> float:
    """The mean of ``(prediction - target)²``.

    >>> mean_squared_error([1.0, 2.0], [1.0, 4.0])
    2.0

    Raises:
        ValueError: the shapes differ, there are no predictions, or a number is NaN.
        TypeError: there is something other than numbers.
    """
    p, t = _paired("mean_squared_error", predictions, targets)
    with np.errstate(all="ignore"):
        return float(np.mean((p - t) ** 2))


def root_mean_squared_error(predictions: Any, targets: Any) -> float:
    """The square root of the mean of ``(prediction - target)²``, in the unit of the targets.

    >>> root_mean_squared_error([1.0, 2.0], [1.0 + 5.0, 2.0 - 5.0])
    5.0

    Raises:
        ValueError, TypeError: as :func:`mean_squared_error`.
    """
    p, t = _paired("root_mean_squared_error", predictions, targets)
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.mean((p - t) ** 2)))


def mean_absolute_error(predictions: Any, targets: Any) -> float:
    """The mean of ``|prediction - target|``, in the unit of the targets.

    >>> mean_absolute_error([1.0, 2.0], [1.0, 4.0])
    1.0

    Raises:
        ValueError, TypeError: as :func:`mean_squared_error`.
    """
    p, t = _paired("mean_absolute_error", predictions, targets)
    with np.errstate(all="ignore"):
        return float(np.mean(np.abs(p - t)))


def r2(predictions: Any, targets: Any) -> float:
    """The coefficient of determination: 1 - Σ (target - prediction)² / Σ (target - mean of the targets)².

    1 is perfect, and 0 is as good as always predicting the mean of the targets; there is no lower bound. For
    several outputs (N, outputs) it is the mean over the outputs. Targets that are all equal have no variance to
    explain: 1 where the predictions are exact, else 0, as in scikit-learn.

    >>> r2([1.0, 2.0, 3.0], [1.0, 2.0, 4.5]) > 0.6
    True
    >>> r2([2.0, 2.0, 2.0], [1.0, 2.0, 3.0])
    0.0

    Raises:
        ValueError, TypeError: as :func:`mean_squared_error`; or there is one sample only.
    """
    p, t = _paired("r2", predictions, targets)
    outputs = p.shape[-1] if p.ndim > 1 else 1
    p, t = p.reshape(-1, outputs), t.reshape(-1, outputs)
    if len(t) < 2:
        raise ValueError("r2: there is one sample; the variance of the targets needs two or more")
    with np.errstate(all="ignore"):
        left = np.sum((t - p) ** 2, axis=0)
        shifted = t - t[0]  # exactly 0 where the targets are all equal, which t - mean is not
        total = np.sum((shifted - shifted.mean(axis=0)) ** 2, axis=0)
        constant = (shifted == 0).all(axis=0)
        return float(np.mean(1 - np.where(constant, left > 0, left / np.where(constant, 1, total))))


def _paired(metric: str, predictions: Any, targets: Any) -> tuple[Array, Array]:
    """Both as float64, in one shape: nothing is ever broadcast."""
    p, t = beside(metric, predictions, targets)
    if not alike(p.shape, t.shape):
        raise mismatch(metric, p.shape, t.shape, "give one target for each prediction")
    p = p.astype(float)
    return p, t.astype(float).reshape(p.shape)
