"""Metrics: plain numbers that say how good predictions are. They are for reading; a loss is for learning.

Every metric is called as ``metric(predictions, targets)``: predictions come first, as for losses, and unlike in
scikit-learn. Both may be arrays, lists, frames, Tensors or lists of Values. Nothing is recorded in a graph.

>>> from nn import metrics
>>> metrics.accuracy([[0.2, 0.8], [0.7, 0.3]], [1, 1])
0.5
"""

from __future__ import annotations

from functools import partial, update_wrapper

from nn.lookup import Function, lookup
from nn.losses import LOSSES
from nn.metrics.classification import (
    accuracy,
    confusion_matrix,
    f1,
    perplexity,
    precision,
    recall,
    roc_auc,
    top_k_accuracy,
)
from nn.metrics.regression import mean_absolute_error, mean_squared_error, r2, root_mean_squared_error

__all__ = [
    "METRICS",
    "accuracy",
    "confusion_matrix",
    "f1",
    "mean_absolute_error",
    "mean_squared_error",
    "metric_named",
    "perplexity",
    "precision",
    "r2",
    "recall",
    "roc_auc",
    "root_mean_squared_error",
    "top_k_accuracy",
]

METRICS: dict[str, Function] = {
    "accuracy": accuracy,
    "top_k_accuracy": top_k_accuracy,
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "roc_auc": roc_auc,
    "perplexity": perplexity,
    "mean_squared_error": mean_squared_error,
    "mse": mean_squared_error,
    "root_mean_squared_error": root_mean_squared_error,
    "rmse": root_mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
    "mae": mean_absolute_error,
    "r2": r2,
}

DECIDING = (accuracy, precision, recall, f1)  # they need a threshold where there is one score for each target

# What the scores of a model mean is said by the loss that it is trained with: where they decide for class 1.
THRESHOLDS = {"binary_cross_entropy": 0.5, "binary_cross_entropy_with_logits": 0.0, "hinge": 0.0}


def metric_named(which: str | Function, loss: str | Function | None = None) -> Function:
    """The metric of that name; a function ``(predictions, targets) -> number`` of your own is returned as it is.

    Args:
        which: a name in ``METRICS``, or a function.
        loss: what the model is trained with. It says where single scores decide for class 1, so that "accuracy"
            just works: above 0.5 for "binary_cross_entropy", above 0 for "binary_cross_entropy_with_logits" and
            "hinge". For any other loss, write ``partial(accuracy, threshold=...)``.

    >>> metric_named("accuracy", "binary_cross_entropy_with_logits")([0.3, -0.2], [1, 0])
    1.0
    >>> metric_named("accuracy", "binary_cross_entropy")([0.3, 0.2], [1, 0])
    0.5

    Raises:
        ValueError: no such name; the message suggests the nearest.
        TypeError: neither a name nor a function.
    """
    metric = lookup("metric", which, METRICS)
    given = getattr(loss, "func", loss)  # a partial of a loss means the same scores
    threshold = next((at for name, at in THRESHOLDS.items() if given in (name, LOSSES[name])), None)
    if threshold is None or metric not in DECIDING:
        return metric
    return update_wrapper(partial(metric, threshold=threshold), metric)
