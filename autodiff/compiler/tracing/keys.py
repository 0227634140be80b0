"""The key of a call: what is the same for all calls that share a trace; and the numbers, taken out of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from autodiff.errors import TraceError, describe
from autodiff.graph import Node
from autodiff.tensor import Tensor
from autodiff.value import Value

NUMBERS = frozenset({float, int})
_VALUE = frozenset({Value})
_SINGLE = NUMBERS | _VALUE
STATIC = (bool, str, bytes, type(None), np.bool_)
TEXTS = frozenset({str, bytes, np.str_, np.bytes_})
REAL = "fiub"


class MissingExamplesError(TraceError):
    """An argument has not the axis of examples that ``in_axes`` has for it."""


def collect(x: Any, found: list[Any], key: list[Any]) -> None:
    """Add the runs of an argument that all examples share to ``found``, in order, and its structure to ``key``.

    Raises:
        TraceError: a number is no float.
    """
    kind = type(x)
    if kind is np.ndarray:
        found.append(x)
        key.append(x.shape)
        key.append(x.dtype)
    elif kind is Tensor:
        found.append(x)
        held = x._held
        key += (kind, held.dtype, held.shape)
    elif kind is list or kind is tuple:
        key.append(kind)
        key.append(len(x))
        if x and type(x[0]) in _SINGLE:
            kinds = set(map(type, x))
            if kinds == _VALUE or kinds <= NUMBERS:
                found.append(x)
                key.append(Value in kinds)
                return
        for part in x:
            kind = type(part)  # the most frequent are spelt out, for a call costs as much again
            if kind is np.ndarray:
                found.append(part)
                key.append(part.shape)
                key.append(part.dtype)
            elif kind is Tensor:
                found.append(part)
                held = part._held
                key += (kind, held.dtype, held.shape)
            else:
                collect(part, found, key)
    elif kind is dict:
        key.append(kind)
        key.append(len(x))
        key.extend(x)
        key.extend(map(type, x))  # 1 and True are equal
        for part in x.values():
            collect(part, found, key)
    elif kind is float or kind is int:
        found.append(x)
        key.append(float)
    else:
        _collect_other(x, found, key)


def _collect_other(x: Any, found: list[Any], key: list[Any]) -> None:
    kind = type(x)
    if isinstance(x, Node):
        found.append(x)
        key += (kind, x._held.dtype, x._held.shape) if isinstance(x, Tensor) else (kind,)
    elif isinstance(x, dict | list | tuple):
        key += (kind, len(x), *(x if isinstance(x, dict) else ()))
        for part in x.values() if isinstance(x, dict) else x:
            collect(part, found, key)
    elif isinstance(x, STATIC):
        key += (kind, x)
    elif isinstance(x, np.ma.MaskedArray):
        raise is_masked("an argument")
    elif isinstance(x, np.generic | np.ndarray):
        found.append(x)
        key += (x.shape, x.dtype)
    elif parameters := parameters_of(x):
        found.append(parameters)
        key += (Same(x), tuple(map(id, parameters)))
    elif isinstance(x, complex) or hasattr(x, "numerator"):
        raise TraceError(f"compiled functions compute with floats, and were given {describe(x)}; write float(...)")
    else:
        key.append(Same(x))


class Same:
    """A key that is equal for one and the same object only, which it keeps alive."""

    __slots__ = ("thing",)

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __hash__(self) -> int:
        return id(self.thing)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.thing is self.thing


def parameters_of(x: Any) -> list[Node] | None:
    """What the method ``parameters()`` of a model lists; None where ``x`` is no model."""
    method = getattr(x, "parameters", None)
    if method is None or isinstance(x, type) or not callable(method):
        return None
    parameters = list(method())
    return parameters if all(isinstance(p, Node) for p in parameters) else None


def collect_batch(x: Any, axis: Any, found: list[Any], key: list[Any], name: str) -> None:
    """The same for an argument with one entry per example along ``axis`` (which may be a tree like ``x``).

    Raises:
        TraceError: there is no such axis.
    """
    if axis == 0 and type(x) is np.ndarray and x.ndim:  # spelt out, as most are so
        found.append(x)
        key += (0, x.shape[1:], x.dtype)
        return
    if axis is None:
        collect(x, found, key)
        return
    given = x
    if isinstance(axis, dict | list | tuple):
        _collect_tree(x, axis, found, key, name)
        return
    if type(x) is not np.ndarray:
        if isinstance(x, STATIC):
            key += (type(x), x)
            return
        if isinstance(x, dict) or (isinstance(x, list | tuple) and not all_numbers(x)):
            if not isinstance(x, dict) and set(map(type, x)) <= TEXTS:
                raise are_texts(name, f"a {type(x).__name__}")
            keys = list(x) if isinstance(x, dict) else range(len(x))
            key += (type(x), *keys)
            for k in keys:
                collect_batch(x[k], axis, found, key, f"{name}[{k!r}]")
            return
        x = as_batch(x, name)
    if not -x.ndim <= axis < x.ndim:
        raise MissingExamplesError(
            f"{name} varies from example to example along axis {axis} (in_axes), and was given {describe(given)}; give"
            " one entry per example, or None for it in in_axes where all examples share it"
        )
    found.append(x)
    key.append(axis)
    key.append(x.shape[1:] if axis == 0 else rest_of(x.shape, axis))
    key.append(x.dtype)


def _collect_tree(x: Any, axes: Any, found: list[Any], key: list[Any], name: str) -> None:
    keys = list(axes) if isinstance(axes, dict) else list(range(len(axes)))
    own = list(x) if isinstance(x, dict) else list(range(len(x))) if isinstance(x, list | tuple) else None
    if own is None or set(own) != set(keys):
        raise TraceError(f"in_axes has {axes!r} for {name}, which has another structure: {describe(x)}")
    key += (type(x), *own)
    for k in own:
        collect_batch(x[k], axes[k], found, key, f"{name}[{k!r}]")


def all_numbers(x: Any) -> bool:
    """Whether nested lists hold numbers or Values: then they are written as an array would be."""
    while isinstance(x, list | tuple):
        if not x:
            return True
        kinds = set(map(type, x))
        if not kinds <= {list, tuple}:
            return all(issubclass(kind, int | float | np.number | Value) for kind in kinds)
        x = x[0]
    return False


def as_batch(x: Any, name: str) -> Any:
    """Nested lists, a Tensor or a data frame as an array of numbers.

    Raises:
        TraceError: it is something else.
    """
    if isinstance(x, np.ma.MaskedArray):
        raise is_masked(name)
    if isinstance(x, set | frozenset | Iterator):
        raise TraceError(f"{name} is to hold numbers in an order, and was given {describe(x)}; write list(...)")
    try:
        array = x._held if isinstance(x, Node) else np.asarray(_plain(x))
    except (TypeError, ValueError) as error:
        raise TraceError(f"{name} has one entry per example, all of one shape; given {str(x)[:60]}: {error}") from error
    if array.dtype.kind not in REAL:
        raise TraceError(f"{name} is to hold numbers, and was given {describe(x)} ({array.dtype})")
    return np.asarray(array)


def are_texts(name: str, what: str) -> TraceError:
    """Labels are words."""
    return TraceError(
        f"{name} is {what} of strings, and compiled functions compute with numbers: give (np.array(words) == 'yes') *"
        " 1.0 for two classes, np.eye(k)[labels] for labels from 0 to k - 1, which np.unique(words,"
        " return_inverse=True)[1] makes; what all examples share has None in in_axes, and may be a list of words"
    )


def is_masked(name: str) -> TraceError:
    """An array hides some of its entries."""
    return TraceError(
        f"{name} is a masked array, and compiled functions compute with all entries; write .filled(0.0), and let the"
        " function multiply by an argument of zeros and ones"
    )


def _plain(x: Any) -> Any:
    if isinstance(x, list | tuple):
        return [_plain(part) for part in x] if set(map(type, x)) & {list, tuple, Value} else x
    return x._held if isinstance(x, Value) else x


def rest_of(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """A shape without one axis."""
    return shape[:axis] + shape[axis % len(shape) + 1 :]
