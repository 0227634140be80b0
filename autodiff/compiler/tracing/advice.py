"""What to add to a Python error that was raised inside a function while it was traced."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np

from autodiff.compiler.tracing.called import Called, written
from autodiff.exits import is_ours
from autodiff.value import Value

_ONE_NUMBER = (
    "a Value is one number, without len(), entries or .sum(). Write the function for ONE example: the mean over all"
    ' is taken outside, by value_and_grad or reduction="mean"; for a loop over the data inside the function write'
    " in_axes=None"
)
_TOO_WIDE = ". What all examples share, such as parameters, has None in in_axes: {axes}"
_LISTS = (
    "in a function of one example arrays are nested lists of Values. Write sum(a * b for a, b in zip(w, x)) for w @ x,"
    " [a - b for a, b in zip(w, x)] for w - x, len(x) for x.shape[0], sum(x) for x.sum(), [row[0] for row in x] for"
    " x[:, 0]. To keep @ and the like, write the function for the whole batch (X @ w), and compile(..., of=Tensor)"
)
_OPERANDS = (
    "unsupported operand",
    "bad operand",
    "can't multiply sequence",
    "can only concatenate",
    "indices must be",
    "must be real",
)
_WHOLE = "a function of Tensors is called once with all there is, so it is written for the whole batch (X @ w)"
_MAPPED = (
    "no argument is batched, so the function was traced on Tensors. To compute with one example at a time, and with"
    " Values, write compile(..., {axes})"
)


def on_error(function: Callable[..., Any], kind: type, error: Exception, called: Called) -> str | None:
    """The arguments as the function saw them, and what to write; None where the error explains itself."""
    if isinstance(error, NameError | ImportError | IndexError):
        return None
    name = getattr(function, "__name__", None) or type(function).__name__
    text = str(error)
    if kind is not Value:
        advice = _for_tensors(error, text, called)
    elif _comes_from_us(error.__traceback__):
        return None
    else:
        advice = _for_values(error, text, called)
    if advice is None:
        return None
    told = f"{name}, while compile traced it, was called with {called.told()}"
    return f"{told}\n  {advice}" if advice else told


def _for_values(error: Exception, text: str, called: Called) -> str:
    if not isinstance(error, TypeError | AttributeError):
        return ""
    array_like = isinstance(error, TypeError) or hasattr(np.ndarray, error.name or "")
    if array_like and ("Value object" in text or "'Value'" in text) and "unsupported operand" not in text:
        advice = _ONE_NUMBER
        by_position = [argument for argument in called.arguments if not argument.keyword]
        if len(by_position) > 1 and all(argument.varies for argument in by_position):
            advice += _TOO_WIDE.format(axes=written([None] + [0] * (len(by_position) - 1)))
        return advice
    lists = any(kind in text for kind in ("'list'", "'tuple'", "not list", "sequence", "list indices", "tuple indices"))
    if lists and array_like and (isinstance(error, AttributeError) or any(part in text for part in _OPERANDS)):
        return _LISTS
    return ""


def _for_tensors(error: Exception, text: str, called: Called) -> str | None:
    if "do not mix" in text:
        count = sum(not argument.keyword for argument in called.arguments)
        return _MAPPED.format(axes=written([0] * count) if count == 1 else "of=Value, in_axes=(None, 0, ...)")
    if _comes_from_us(error.__traceback__) and not isinstance(error, ValueError):
        return None
    return _WHOLE if isinstance(error, ValueError) else ""


def _comes_from_us(traceback: TracebackType | None) -> bool:
    """Whether the engine or nn raised it: these say themselves what to write."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and is_ours(traceback.tb_frame.f_code.co_filename)
