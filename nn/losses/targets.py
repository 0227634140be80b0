"""Predictions beside their targets: brought to one tier, type and shape, and checked, before a loss compares them.

The array tier gives a ``Tensor`` (or, from plain numbers, an array) and an array of targets; the scalar tier gives
two grids. Where predictions have shape (N, 1) and targets (N,), or the reverse, they mean the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

import autodiff
from autodiff import Node, Tensor, Value
from autodiff.context import tracing
from nn.data.arrays import as_numbers
from nn.lookup import lookup
from nn.losses.grid import Grid

FLOAT = np.dtype(float)


# ── numbers against numbers ──────────────────────────────────────────────────────────────────────────
def paired(loss: str, predictions: Any, targets: Any, *, symmetric: bool = False) -> tuple[Any, Any]:
    """Predictions, and targets in their shape. In a ``symmetric`` loss targets may carry a gradient too.

    >>> paired("mse", Tensor([[1.0], [2.0]]), [1, 0])[1]
    array([[1.],
           [0.]])
    >>> paired("mse", Tensor([1.0, 2.0]), [1, 0, 0])
    Traceback (most recent call last):
    ...
    ValueError: mse: predictions have shape (2,) and targets have shape (3,); give one target for each prediction

    Raises:
        ValueError: the shapes differ, there are no predictions, or a target is NaN.
        TypeError: there is something other than numbers, or a target carries a gradient.
    """
    return aligned(loss, *both(loss, predictions, targets, symmetric))


def aligned(loss: str, p: Any, t: Any) -> tuple[Any, Any]:
    """What :func:`both` gave, with the targets in the shape and the precision of the predictions."""
    if p.shape != t.shape:
        if not alike(p.shape, t.shape):
            raise mismatch(loss, p.shape, t.shape, _advice(p.shape, t.shape))
        t = t.reshape(p.shape)
    if type(t) is np.ndarray and p.dtype.kind == "f" and t.dtype != p.dtype:
        t = t.astype(p.dtype)
    refuse(loss, "target", np.isnan, t, ValueError, "expected a number")
    return p, t


_ONE_HOT = "for targets t that are one-hot, np.eye(k)[labels]"
_WRITTEN_OUT = {  # of one example, for who compiles a loss of his own
    "cross_entropy": f"log(sum(exp(s) for s in scores)) - sum(s * x for s, x in zip(scores, t)), {_ONE_HOT}",
    "hinge": "maximum(0, 1 - y * s), for a target y of -1 or +1",
    "binary_cross_entropy": "-(y * log(p) + (1 - y) * log(1 - p)), or better, of the score z before the sigmoid,"
    " softplus(z) - y * z",
    "binary_cross_entropy_with_logits": "softplus(z) - y * z, for a target y of 0 or 1",
    "kl_divergence": "sum(t * (log(t) - q) for t, q in zip(targets, log_probabilities))",
    "nll": f"-sum(s * x for s, x in zip(log_probabilities, t)), {_ONE_HOT}",
}


def both(loss: str, predictions: Any, targets: Any, symmetric: bool = False) -> tuple[Any, Any]:
    """Predictions and targets in one tier, in the shapes that they came in."""
    p = _predictions(loss, predictions)
    if 0 in p.shape:
        raise ValueError(f"{loss}: there are no predictions: their shape is {p.shape}")
    carrying = type(targets) is not np.ndarray and any(x.requires_grad for x in _nodes(targets))
    if carrying and not symmetric:
        if tracing() is not None:
            formula = _WRITTEN_OUT.get(loss, _WRITTEN_OUT["cross_entropy"])
            raise TypeError(
                f"{loss} looks at its targets, which a trace of one example cannot; in a compiled function write the"
                f" loss out: {formula}; fit compiles the model and leaves the loss as it is"
            )
        raise TypeError(
            f"{loss}: the targets carry a gradient, and are constants here; give plain numbers, or targets.detach()"
        )
    name = f"{loss}: the target"
    if isinstance(p, Grid) or (carrying and any(isinstance(x, Value) for x in _nodes(targets))):
        exact = isinstance(targets, list | tuple | Value | Number)  # a Fraction stays one
        return _scalar(p), Grid.of(targets if exact else as_numbers(targets, name).tolist(), name)
    if carrying:
        return p, targets if isinstance(targets, Tensor) else autodiff.stack(targets)
    known = type(targets) is np.ndarray and targets.dtype.kind in "fiub"
    return p, targets if known else as_numbers(targets, name)


def alike(p: tuple[int, ...], t: tuple[int, ...]) -> bool:
    """Whether two shapes are the same but for a last axis of length 1."""
    return p == t or p == (*t, 1) or t == (*p, 1)


def each(formula: Callable[[Any, Any], Any], p: Any, t: Any) -> Any:
    """``formula(p, t)``: at once on arrays, number by number on grids."""
    if isinstance(p, Grid):
        return p.each(formula, t)
    if isinstance(p, Tensor):
        return formula(p, t)
    with np.errstate(all="ignore"):  # plain arrays; nodes are silent by themselves
        return formula(p, t)


# ── rows of scores against classes ───────────────────────────────────────────────────────────────────
def classed(loss: str, p: Any, t: Any, *, probabilities: bool = False) -> NDArray[Any]:
    """The targets that :func:`both` gave beside scores of K classes: class indices, or rows of probabilities.

    Args:
        p: scores of shape (..., K).
        t: whole numbers of shape (...) or (..., 1); or, where ``probabilities`` are allowed, numbers of shape (..., K).

    >>> classed("nll", Tensor([[0.1, 0.9], [0.8, 0.2]]), np.array([1.0, 2.0]))
    Traceback (most recent call last):
    ...
    IndexError: nll: label 1 is 2, and with 2 classes labels go from 0 to 1

    Raises:
        IndexError: a class index outside 0 ... K - 1; -1 too.
        ValueError: the shapes do not fit, there are less than two classes or no rows, a target is NaN, or
            probabilities are negative or do not add up to 1.
        TypeError: a class index that is no whole number.
    """
    if isinstance(t, Grid):
        t = t.data
    shape, rows = p.shape, p.shape[:-1]
    if not shape or shape[-1] < 2:
        raise ValueError(
            f"{loss}: predictions have shape {shape}; the last axis needs two or more scores, one for "
            "each class (for two classes and one score there is binary_cross_entropy_with_logits)"
        )
    if t.shape == rows or t.shape == (*rows, 1):
        return labels(loss, t.reshape(rows), shape[-1])
    if probabilities and rows and t.shape == shape:
        return distributions(loss, t)
    or_else = f", or probabilities, shape {shape}" if probabilities and rows else ""
    expected = f"expected one class index for each row of scores, shape {rows}{or_else}"
    raise mismatch(loss, shape, t.shape, expected)


def labels(loss: str, t: NDArray[Any], classes: int) -> NDArray[np.intp]:
    """Class indices as integers; whole floats, as files give them, are accepted."""
    if t.dtype.kind == "i" and t.min() >= 0 and t.max() < classes:
        return t
    if t.dtype.kind == "f":
        refuse(loss, "label", np.isnan, t, ValueError, "expected a class index")
        refuse(loss, "label", lambda t: t != np.rint(t), t, TypeError, "and a class index is a whole number")
    known = f"and with {classes} classes labels go from 0 to {classes - 1}"
    refuse(loss, "label", lambda t: (t < 0) | (t >= classes), t, IndexError, known)
    return t.astype(np.intp)


def distributions(loss: str, t: NDArray[Any]) -> NDArray[Any]:
    """Rows of probabilities."""
    refuse(loss, "target", np.isnan, t, ValueError, "expected a probability")
    refuse(loss, "target", outside_0_1, t, ValueError, "outside [0, 1]")
    totals = t.sum(axis=-1)
    wrong = "and is no distribution: the probabilities of a row add up to 1"
    refuse(loss, "the sum of target row", lambda s: abs(s - 1) > 0.01, totals, ValueError, wrong)
    return t


def one_hot(labels: NDArray[np.intp], classes: int, dtype: Any = float) -> NDArray[Any]:
    """Rows of probabilities: 1 at the label, else 0.

    >>> one_hot(np.array([2, 0]), 3)
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    rows = np.zeros((labels.size, classes), dtype)
    rows[np.arange(labels.size), labels.ravel()] = 1
    return rows.reshape(*labels.shape, classes)


# ── the answer ───────────────────────────────────────────────────────────────────────────────────────
REDUCTIONS: dict[str, Callable[[Any], Any]] = {  # the functions of autodiff are silent on plain arrays
    "mean": lambda terms: autodiff.mean(terms) if isinstance(terms, np.ndarray) else terms.mean(),
    "sum": lambda terms: autodiff.sum(terms) if isinstance(terms, np.ndarray) else terms.sum(),
    "none": lambda terms: terms.tolist() if isinstance(terms, Grid) else terms,
}


def reduced(terms: Any, reduction: str) -> Any:
    """The mean or the sum of all terms, or ("none") each of them: in the shape of the predictions, Values as lists.

    >>> reduced(np.array([1.0, 2.0]), "mean")
    1.5
    """
    answer = lookup("reduction", reduction, REDUCTIONS)(terms)
    return answer if isinstance(answer, Node | list) or answer.ndim else float(answer)


# ── checks ───────────────────────────────────────────────────────────────────────────────────────────
def refuse(loss: str, what: str, is_bad: Callable[[Any], Any], x: Any, kind: type[Exception], why: str) -> None:
    """An error of that kind where ``is_bad`` holds for a number of ``x``; the message names the first."""
    if tracing() is not None:
        return  # numbers that vary from run to run are not looked at
    plain = x if type(x) is np.ndarray else x.data
    bad = is_bad(plain)
    if bad.any():
        place = tuple(np.argwhere(bad)[0].tolist())
        shown = place[0] if len(place) == 1 or plain.shape[1:] == (1,) else place or 0
        raise kind(f"{loss}: {what} {shown} is {plain[place]:.6g}, {why}")


def outside_0_1(x: NDArray[Any]) -> Any:
    """Where numbers are no probabilities. NaN is left to itself."""
    return (x < 0) | (x > 1)


def mismatch(loss: str, p: tuple[int, ...], t: tuple[int, ...], advice: str) -> ValueError:
    """The error for two shapes that do not fit."""
    return ValueError(f"{loss}: predictions have shape {p} and targets have shape {t}; {advice}")


def _advice(p: tuple[int, ...], t: tuple[int, ...]) -> str:
    if prod(p) == prod(t):
        return f"if they are the same numbers in the same order, write np.reshape(targets, {p})"
    if len(p) > 1 and t in (p[:-1], (*p[:-1], 1)):
        return f"if the targets are class labels, use cross_entropy, or write np.eye({p[-1]})[labels]"
    return "give one target for each prediction"


# ── what users give ──────────────────────────────────────────────────────────────────────────────────
def _predictions(loss: str, given: Any) -> Any:
    if type(given) is Tensor:
        return _floating(given)
    name = f"{loss}: the prediction"
    first = next(_nodes(given), None)
    if isinstance(first, Value):
        return Grid.of(given, name)
    if first is not None:
        return _floating(autodiff.stack(given))
    array = as_numbers(given, name)
    return array if array.dtype.kind == "f" else array.astype(float)


def _floating(p: Tensor) -> Tensor:
    """Whole numbers as floats: the difference of two unsigned integers would wrap around."""
    return autodiff.astype(p, float) if p.dtype.kind in "iub" else p


def _scalar(p: Any) -> Grid:
    return p if isinstance(p, Grid) else Grid.of(p.tolist(), "the prediction")


def _nodes(given: Any) -> Iterator[Node]:
    """The nodes in a nested list, one after the other."""
    if isinstance(given, Node):
        yield given
    elif isinstance(given, list | tuple):
        for part in given:
            yield from _nodes(part)
