"""What a step calls: functions with their arguments bound, that write their result into an array that is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from autodiff.compiler.replay.plan import Array

Call = tuple[Callable[..., Any], tuple[Any, ...]]


def calls_of(op: Any, arrays: Sequence[Array], out: Array, params: dict[str, Any], backward: bool) -> list[Call]:
    """The calls that write into ``out`` what ``op`` gives for ``arrays``; gradients may be added up in any order."""
    calls = backward and op.quick_calls and op.quick_calls(*arrays, out=out, **params)
    calls = calls or (op.calls and op.calls(*arrays, out=out, **params))
    if calls:
        return calls  # type: ignore[no-any-return]
    if isinstance(op.array, np.ufunc):
        return [ufunc_call(op.array, *arrays, out=out)]
    return [(assign, (out, op.array, tuple(arrays), params))]


def ufunc_call(function: Any, *arrays: Array, out: Array) -> Call:
    """A ufunc with its result in place; by position, which takes half the time of a keyword."""
    if function in (np.maximum, np.minimum):  # NumPy warns of a third array here
        return partial(function, out=out), arrays
    return function, (*arrays, out)


def assign(out: Array, function: Callable[..., Any], arrays: tuple[Array, ...], params: dict[str, Any]) -> None:
    """The general way: compute an array and copy it."""
    out[...] = function(*arrays, **params)


def may_overwrite(op: Any, samples: Sequence[Array], out: Array, params: dict[str, Any]) -> bool:
    """Whether the step may write over an operand while it reads it: entry by entry, and in one call."""
    calls = calls_of(op, samples, out, params, backward=False)
    if len(calls) != 1:
        return False
    function = getattr(calls[0][0], "func", calls[0][0])
    return isinstance(function, np.ufunc) and function.signature is None
