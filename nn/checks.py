"""What is asked of the arguments and inputs of every kind of layer."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from autodiff import Tensor, Value, astype

Seed = int | np.random.Generator | None


def size(n: Any, what: str, least: int = 1) -> int:
    """``n`` as a whole number of at least ``least``.

    >>> size(0, "inputs")
    Traceback (most recent call last):
    ...
    ValueError: inputs is at least 1, and was given 0

    Raises:
        TypeError: it is no whole number.
        ValueError: it is too small.
    """
    try:
        n = index(n)
    except TypeError:
        raise TypeError(f"{what} is a whole number, and was given {n!r}") from None
    if n < least:
        raise ValueError(f"{what} is at least {least}, and was given {n}")
    return int(n)


def head(layer: Any) -> str:
    """A layer in one line, without the layers inside it."""
    return str(layer).partition("\n")[0]


def tensor(layer: Any, x: Any) -> Tensor:
    """``x`` as a tensor; plain numbers and arrays become constants.

    Raises:
        TypeError: x is made of Values: layers of the array tier take arrays.
    """
    if isinstance(x, Tensor):
        return x
    if isinstance(x, Value) or (isinstance(x, list | tuple) and any(isinstance(part, Value) for part in x)):
        hint = "nn.to_network(model) makes a model of Values"
        raise TypeError(f"{head(layer)} takes arrays, and was given Values; {hint}")
    if isinstance(x, list | tuple) and any(isinstance(part, Tensor) for part in x):
        hint = "autodiff.stack(...) makes it one"
        raise TypeError(f"{head(layer)} takes one tensor, and was given a list of them; {hint}")
    return Tensor(x, requires_grad=False)


def floats(layer: Any, x: Any) -> Any:
    """``x`` as a tensor of floating numbers; the difference of two unsigned integers would wrap around.

    >>> floats("LayerNorm(2)", np.array([3, 5], np.uint8)).data
    array([3., 5.])

    Raises:
        TypeError: as :func:`tensor`.
    """
    x = tensor(layer, x)
    return astype(x, float) if x.dtype.kind in "iub" else x


def features_of(layer: Any, x: Any, inputs: int) -> Any:
    """``x`` as a tensor with ``inputs`` features in its last axis.

    Raises:
        ValueError: it has another number of features.
        TypeError: as :func:`tensor`.
    """
    x = x if type(x) is Tensor else tensor(layer, x)
    shape = x.shape
    if not shape or shape[-1] != inputs:
        raise ValueError(f"{head(layer)} takes {inputs} features in the last axis, and was given shape {shape}")
    return x


def axes_of(layer: Any, x: Any, axes: str, **sizes: int) -> Any:
    """``x`` as a tensor with the axes named in ``axes``, such as "N C H W", and the sizes that are known.

    >>> axes_of("Conv1d(3, 8)", np.zeros((2, 4, 10)), "N C L", C=3)
    Traceback (most recent call last):
    ...
    ValueError: Conv1d(3, 8) takes arrays of shape (N, C, L) with C = 3, and was given shape (2, 4, 10)

    Raises:
        ValueError: it has another number of axes, or other sizes.
        TypeError: as :func:`tensor`.
    """
    x = x if type(x) is Tensor else tensor(layer, x)
    names = axes.split()
    if x.ndim != len(names) or any(x.shape[names.index(name)] != n for name, n in sizes.items()):
        known = " with " + ", ".join(f"{name} = {n}" for name, n in sizes.items()) if sizes else ""
        expected = f"arrays of shape ({', '.join(names)}){known}"
        raise ValueError(f"{head(layer)} takes {expected}, and was given shape {x.shape}")
    return x
