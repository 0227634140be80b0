"""Activations: functions that bend what a layer computes, by name. They work on numbers, arrays and nodes alike."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import partial, reduce
from operator import add
from typing import Any

import autodiff
from autodiff import (
    Node,
    Primitive,
    Tensor,
    Value,
    elu,
    exp,
    gelu,
    gelu_tanh,
    logaddexp,
    maximum,
    relu,
    selu,
    sigmoid,
    silu,
    sin,
    softplus,
    tanh,
    where,
)
from autodiff import abs as absolute
from autodiff.context import tracing
from nn.lookup import Function, lookup, name_of

__all__ = [
    "ACTIVATIONS",
    "activation",
    "acts_on_rows",
    "elu",
    "gain",
    "gelu",
    "gelu_tanh",
    "leaky_relu",
    "linear",
    "log_softmax",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "sin",
    "softmax",
    "softplus",
    "tanh",
]


def linear(x: Any) -> Any:
    """``x`` itself: no activation, and no node in the graph."""
    return x


def leaky_relu(x: Any, alpha: float = 0.01) -> Any:
    """``x`` where it is positive, else ``alpha · x``.

    Source: Maas, Hannun, Ng 2013, "Rectifier nonlinearities improve neural network acoustic models".

    >>> leaky_relu(-2.0, alpha=0.1)
    -0.2
    """
    return autodiff.leaky_relu(x, alpha)


def softmax(x: Any, axis: int = -1) -> Any:
    """Scores as probabilities: ``exp(x) / Σ exp(x)``, positive and adding up to 1, without overflow.

    Args:
        x: a Tensor or array; or a row (list or tuple) of Values, which gives a list of Values; or a list of such rows.
        axis: along which the probabilities add up to 1; a row of Values has only one.

    >>> [f"{p:.3f}" for p in softmax([Value(1.0), Value(2.0), Value(3.0)])]
    ['0.090', '0.245', '0.665']

    Raises:
        TypeError: x is a single number.
        ValueError: another axis of rows of Values than the last.
    """
    if isinstance(x, Tensor) or not _holds_values(x):
        return autodiff.softmax(x, axis)
    return _of_rows(_softmax_of_row, x, axis)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """``log(softmax(x))``, exact also where a probability is too small for a float.

    Args:
        x, axis: as for :func:`softmax`.

    >>> log_softmax([Value(0.0), Value(-10000.0)])[1].data
    -10000.0

    Raises:
        TypeError, ValueError: as :func:`softmax`.
    """
    if isinstance(x, Tensor) or not _holds_values(x):
        return autodiff.log_softmax(x, axis)
    return _of_rows(_log_softmax_of_row, x, axis)


ACTIVATIONS: dict[str, Function] = {
    "linear": linear,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "relu": relu,
    "leaky_relu": leaky_relu,
    "elu": elu,
    "selu": selu,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "silu": silu,
    "softplus": softplus,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "sin": sin,
}

_HALVES = {"relu", "leaky_relu"}  # activations that let about half of the signal's power through
_OF_ROWS = (softmax, log_softmax, autodiff.softmax, autodiff.log_softmax)


def activation(which: str | Function, **options: Any) -> Function:
    """The activation of that name; a function of your own is returned as it is.

    >>> activation("tanh")(0.5) == math.tanh(0.5)
    True
    >>> activation("leaky_relu", alpha=0.5)(-1.0)
    -0.5
    >>> activation(lambda x: x * x)(3.0)
    9.0

    Raises:
        ValueError: no such name; the message suggests the nearest.
        TypeError: neither a name nor a function but, say, a class such as ReLU instead of ReLU(); or an option that
            the function does not have.
    """
    if isinstance(which, type):
        raise TypeError(f"activation is a name or a function, and was given a class; write {which.__name__}()")
    function = lookup("activation", which, ACTIVATIONS)
    if not options:
        return function
    known = _options_of(function)
    for name in options:
        if name not in known:
            raise TypeError(
                f"the activation {name_of(function)} has no option {name!r}; it has {', '.join(known) or 'none'}"
            )
    return partial(function, **options)


def acts_on_rows(function: Function) -> bool:
    """Whether an activation is of a whole row of numbers together, not of each by itself.

    >>> acts_on_rows(softmax), acts_on_rows(tanh)
    (True, False)
    """
    inner = _inner(function)
    return any(inner is one for one in _OF_ROWS)


def gain(function: Function) -> float:
    """How much larger weights should start so that the signal keeps its power through ``function``.

    Source: He, Zhang, Ren, Sun 2015, arXiv:1502.01852: √2 for rectifiers. 1 for all others.
    """
    return math.sqrt(2) if name_of(_inner(function)) in _HALVES else 1.0


def _inner(function: Function) -> Function:
    """The function inside an ``Activation`` or a ``partial``."""
    function = getattr(function, "function", function)
    while isinstance(function, partial):
        function = function.func
    return function


def _options_of(function: Function) -> list[str]:
    if isinstance(function, Primitive):
        return list(function.defaults)
    return list(inspect.signature(function).parameters)[1:]


# ── rows of Values ───────────────────────────────────────────────────────────────────────────────────
def _holds_values(x: Any) -> bool:
    while isinstance(x, list | tuple):
        x = next((part for part in x if isinstance(part, Node | list | tuple)), None)
    return isinstance(x, Value)


def _of_rows(function: Callable[[list[Any]], list[Any]], x: Any, axis: int) -> list[Any]:
    if isinstance(x, Value):
        raise TypeError(f"softmax and log_softmax are of a row, a list of Values, and were given the single {x!r}")
    if any(isinstance(part, list | tuple) for part in x):
        if axis != -1:
            raise ValueError(f"rows of Values have their numbers in the last axis, -1, and axis is {axis}")
        return [_of_rows(function, row, axis) for row in x]
    if axis not in (-1, 0):
        raise ValueError(f"a row of Values has the one axis 0, also called -1, and axis is {axis}")
    return function(list(x))


def _softmax_of_row(row: list[Any]) -> list[Any]:
    powers = [exp(x) for x in _from_the_top(row)]
    total = reduce(add, powers)
    return [power / total for power in powers]


def _log_softmax_of_row(row: list[Any]) -> list[Any]:
    row = _from_the_top(row)
    total = reduce(logaddexp, row)
    return [x - total for x in row]


def _from_the_top(row: list[Any]) -> list[Any]:
    """Every number minus the largest, as a constant: softmax stays the same, and exp cannot overflow."""
    if tracing() is not None:  # another example has another number on top
        top = reduce(maximum, [x.detach() if isinstance(x, Node) else x for x in row])
        top = where(absolute(top) < math.inf, top, 0.0)
        return [x - top for x in row]
    top = max(x.data if isinstance(x, Node) else x for x in row)
    return [x - top for x in row] if math.isfinite(top) else row
