"""Clipping: gradients that are too large are made smaller before an optimizer uses them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from autodiff import Node
from nn.optimizers.leaves import named_leaves, no_leaf


def clip_by_value(parameters: Iterable[Any], limit: float) -> None:
    """Cut every number of every gradient to the range from ``-limit`` to ``limit``.

    This turns the direction of the step; :func:`clip_by_norm` keeps it.

    Args:
        parameters: leaves, such as ``model.parameters()``, nested lists and dicts of them, or pairs of a name and a
            leaf; those without a gradient are passed over.
        limit: above 0.

    >>> from autodiff import Value
    >>> a, b = Value(3.0), Value(-0.5)
    >>> (a * a + b * b).backward()
    >>> clip_by_value([a, b], 2.0)
    >>> a.grad, b.grad
    (2.0, -1.0)

    Raises:
        ValueError: limit is not above 0, or no parameter has a gradient.
        FloatingPointError: a gradient is NaN or infinite; the message names the parameter. Nothing is changed.
        TypeError: something given is no leaf.
    """
    leaves = _with_gradients(parameters, "limit", limit)
    for p, name in leaves:
        _check_finite(p.grad, name)
    with np.errstate(over="ignore"):  # a limit beyond the range of float32 limits nothing there
        for p, _ in leaves:
            array = isinstance(p.grad, np.ndarray)
            p.grad = np.clip(p.grad, -limit, limit) if array else max(-limit, min(limit, p.grad))


def clip_by_norm(parameters: Iterable[Any], max_norm: float) -> float:
    """Shorten the gradient of all parameters, seen as one long vector, to ``max_norm`` if it is longer.

    Source: Pascanu, Mikolov, Bengio 2013, arXiv:1211.5063. The result has exactly that norm; PyTorch's
    ``clip_grad_norm_`` divides by the norm plus 1e-6, and so leaves a little less.

    Args:
        parameters: as for :func:`clip_by_value`.
        max_norm: above 0.

    Returns:
        The norm before: the root of the sum of the squares of all numbers. It is finite wherever the true
        norm is a float: for gradients of 1e200 and of 1e-200 too.

    >>> from autodiff import Value
    >>> a, b = Value(3.0), Value(4.0)
    >>> (0.5 * a * a + 0.5 * b * b).backward()
    >>> clip_by_norm([a, b], 1.0)
    5.0
    >>> a.grad, b.grad
    (0.6, 0.8)

    Raises:
        ValueError: max_norm is not above 0, or no parameter has a gradient.
        FloatingPointError: a gradient is NaN or infinite; the message names the parameter. Nothing is changed.
        TypeError: something given is no leaf.
    """
    leaves = _with_gradients(parameters, "max_norm", max_norm)
    norm = math.hypot(*[_norm(p.grad) for p, _ in leaves])
    if not math.isfinite(norm):
        for p, name in leaves:
            _check_finite(p.grad, name)
        raise FloatingPointError("the gradients are finite, and their norm is larger than the largest float")
    if norm > max_norm:
        for p, _ in leaves:
            # In float64 and in this order nothing overflows, and no factor is rounded to 0.
            short = np.asarray(p.grad, float) / norm * max_norm
            p.grad = short.astype(p.grad.dtype, copy=False) if isinstance(p.grad, np.ndarray) else float(short)
    return norm


def clipped(function: Any, gradient: Any, bound: float) -> Any:
    """What ``clip_by_norm`` or ``clip_by_value`` makes of the gradients of single numbers, which stand in a vector.

    None where it would raise, because a number is none or the norm is too large.
    """
    if function is clip_by_value:
        return np.clip(gradient, -bound, bound) if np.isfinite(gradient).all() else None
    norm = math.hypot(*gradient.tolist())
    if not math.isfinite(norm):
        return None
    return gradient / norm * bound if norm > bound else gradient


def _with_gradients(parameters: Any, what: str, bound: float) -> list[tuple[Node, str]]:
    """The leaves that have a gradient, each with its name."""
    if not bound > 0:
        raise ValueError(f"{what} is a number above 0, and was given {bound!r}")
    leaves: list[tuple[Node, str]] = []
    for i, (name, p) in enumerate(named_leaves(parameters)):
        if not isinstance(p, Node) or not p.is_leaf:
            raise no_leaf(p)
        if p.grad is not None:
            leaves.append((p, name or p.label or f"parameter {i}"))
    if not leaves:
        raise ValueError("no parameter has a gradient yet; call backward() on the loss first")
    return leaves


def _norm(gradient: Any) -> float:
    """The root of the sum of squares, in float64, without overflow and underflow on the way."""
    if not isinstance(gradient, np.ndarray):
        return abs(float(gradient))
    numbers = gradient.astype(float).ravel()
    largest = float(np.max(np.abs(numbers), initial=0.0))
    if largest == 0 or not math.isfinite(largest):
        return largest
    numbers /= largest
    return largest * math.sqrt(numbers @ numbers)


def _check_finite(gradient: Any, name: str) -> None:
    if type(gradient) is float and math.isfinite(gradient):
        return  # the most frequent case by far
    numbers = np.asarray(gradient, float)
    bad = numbers[~np.isfinite(numbers)]
    if bad.size:
        raise FloatingPointError(f"the gradient of {name} holds {bad[0]}; detect_anomaly() tells where it comes from")
