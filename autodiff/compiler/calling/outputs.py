"""What a compiled function returns, in the form in which the function returned nodes.

Where the function returned nested lists of Values there is an array, as an array among the arguments stands for nested
lists; tuples and dicts stay what they are. The batch is the first axis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff.compiler.tracing.keys import REAL
from autodiff.errors import describe
from autodiff.graph import Node

REDUCTIONS = ("none", "mean", "sum")


def layout(returned: Any, merge: bool) -> Callable[[Callable[[Any], Any]], Any]:
    """A function that builds what was returned from ``pick``, which is given the number, or numbers, of outputs."""
    return _layout(returned, iter(range(2**63)), merge)


def _layout(tree: Any, numbers: Iterator[int], merge: bool) -> Callable[[Callable[[Any], Any]], Any]:
    if isinstance(tree, Node):
        number = next(numbers)
        return lambda pick: pick(number)
    shape = _shape(tree) if merge and isinstance(tree, list) else None
    if shape:
        index = np.array([next(numbers) for _ in range(int(np.prod(shape)))]).reshape(shape)
        return lambda pick: pick(index)
    keys = list(tree) if isinstance(tree, dict) else None
    parts = [_layout(part, numbers, merge) for part in (tree.values() if isinstance(tree, dict) else tree)]

    def build(pick: Callable[[Any], Any]) -> Any:
        built = [part(pick) for part in parts]
        if keys is not None:
            return dict(zip(keys, built, strict=True))
        if isinstance(tree, tuple):
            return type(tree)(*built) if hasattr(tree, "_fields") else tuple(built)
        return built

    return build


def _shape(tree: Any) -> tuple[int, ...] | None:
    """The shape of nested lists of nodes; None where they are no array."""
    if isinstance(tree, Node):
        return ()
    if not isinstance(tree, list) or not tree:
        return None
    shapes = {_shape(part) for part in tree}
    inner = shapes.pop()
    return None if shapes or inner is None else (len(tree), *inner)


def reduced(batch: Any, reduction: str) -> Any:
    """Numbers of a batch, along the first axis, as they are or taken together."""
    if reduction == "none":
        return batch
    total = total_of(batch)
    total = total / len(batch) if reduction == "mean" else total
    return total if total.ndim else float(total)


@np.errstate(all="ignore")  # inf and NaN are answers here
def total_of(batch: Any) -> Any:
    """The sum of the numbers of a batch, along the first axis."""
    return np.add.reduce(batch, axis=0)


def parts_of(form: Any, given: Any) -> list[tuple[Any, Any]]:
    """The parts of cotangents beside those of the outputs that they belong to.

    Raises:
        ValueError: they have another structure.
    """
    if isinstance(form, dict):
        if not isinstance(given, dict) or form.keys() != given.keys():
            raise ValueError(f"a cotangent has the form of the output, a dict of {', '.join(map(repr, form))}")
        return [pair for k in form for pair in parts_of(form[k], given[k])]
    if isinstance(form, list | tuple):
        if not isinstance(given, list | tuple) or len(form) != len(given):
            raise ValueError(f"a cotangent has the form of the output, a {type(form).__name__} of {len(form)}")
        return [pair for f, g in zip(form, given, strict=True) for pair in parts_of(f, g)]
    return [(form, given)]


def real_numbers(cotangent: Any) -> NDArray[Any]:
    """A part of a cotangent as an array.

    Raises:
        TypeError: it holds no real numbers.
    """
    array = np.asarray(cotangent)
    if array.dtype.kind not in REAL:
        raise TypeError(f"a cotangent holds real numbers, and was given {describe(cotangent)} ({array.dtype})")
    return array
