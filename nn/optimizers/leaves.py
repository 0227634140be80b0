"""Parameters as they are given: a list, or nested lists, tuples and dicts of leaves, with names if there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from numbers import Number
from typing import Any

import numpy as np

from autodiff import Node


def named_leaves(given: Any) -> Iterator[tuple[str | None, Any]]:
    """What is in a tree, in the order of ``autodiff.trees.flatten``, each with its name or the way to it
    (where it has no label), or None.

    A pair of a name and a leaf, as ``named_parameters()`` gives them, counts as the leaf.

    >>> from autodiff import Value
    >>> [name for name, _ in named_leaves({"w": [Value(1.0), Value(2.0)], "b": Value(0.0)})]
    ['w.0', 'w.1', 'b']
    >>> [name for name, _ in named_leaves([Value(1.0), ("bias", Value(2.0))])]
    [None, 'bias']

    Raises:
        TypeError: it is no list, tuple, dict or iterator.
    """
    if isinstance(given, Node | np.ndarray) or not hasattr(given, "__iter__"):
        hint = "model.parameters()" if hasattr(given, "parameters") else "[weight, bias]"
        raise TypeError(
            f"parameters is a list, such as {hint}, and was given {type(given).__name__}{_for_arrays(given)}"
        )
    items = given.items() if isinstance(given, Mapping) else enumerate(given)
    for key, part in items:
        yield from _walk(part, str(key) if isinstance(given, Mapping) else None, str(key))


def _walk(part: Any, name: str | None, path: str) -> Iterator[tuple[str | None, Any]]:
    if isinstance(part, tuple) and len(part) == 2 and isinstance(part[0], str):
        yield part
    elif isinstance(part, Mapping | list | tuple):
        for key, inner in part.items() if isinstance(part, Mapping) else enumerate(part):
            yield from _walk(inner, f"{path}.{key}", f"{path}.{key}")
    else:
        yield None if getattr(part, "label", None) else name, part


def no_leaf(given: Any) -> TypeError:
    """Something else than a leaf was given."""
    return TypeError(f"a parameter is a leaf that carries a gradient, and was given {given!r}{_for_arrays(given)}")


def _for_arrays(given: Any) -> str:
    if not isinstance(given, np.ndarray | Number):
        return ""
    return (
        "; make it a Value or a Tensor, or step by hand, as for plain numbers and arrays: value, gradient ="
        " value_and_grad(loss)(w); w = w - 0.1 * gradient"
    )
