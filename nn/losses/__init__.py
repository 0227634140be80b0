"""Losses: one number that says how wrong the predictions are.

Predictions come as a model gives them: a Tensor with one row per sample, or lists of Values. Targets are plain
numbers. Everything also works for one sample alone, and on plain numbers and arrays, where the loss is a float.
"""

from __future__ import annotations

from nn.lookup import Function, lookup
from nn.losses.classes import cross_entropy, hinge, nll
from nn.losses.numbers import huber, mae, mse
from nn.losses.probabilities import binary_cross_entropy, binary_cross_entropy_with_logits, kl_divergence

__all__ = [
    "LOSSES",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "hinge",
    "huber",
    "kl_divergence",
    "loss_named",
    "mae",
    "mse",
    "nll",
]

LOSSES: dict[str, Function] = {
    "mse": mse,
    "mae": mae,
    "huber": huber,
    "hinge": hinge,
    "cross_entropy": cross_entropy,
    "nll": nll,
    "binary_cross_entropy": binary_cross_entropy,
    "binary_cross_entropy_with_logits": binary_cross_entropy_with_logits,
    "kl_divergence": kl_divergence,
}


def loss_named(which: str | Function) -> Function:
    """The loss of that name; a function ``(predictions, targets) -> node`` of your own is returned as it is.

    >>> loss_named("mse") is mse
    True

    Raises:
        ValueError: no such name; the message suggests the nearest.
        TypeError: neither a name nor a function.
    """
    return lookup("loss", which, LOSSES)
