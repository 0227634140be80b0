"""Lists and arrays in which traced numbers would get lost, and what to write in their place."""

from __future__ import annotations

import dis
import sys
from types import FrameType
from typing import Any

from autodiff.compiler.tracing.arguments import Run
from autodiff.compiler.tracing.called import Argument, Called
from autodiff.exits import is_ours
from autodiff.value import Value

_GIVEN_TO_NUMPY = (
    "NumPy was given a list of Values. Write sum(w * x for w, x in zip(ws, xs)) for np.dot, sum(xs) / len(xs) for"
    " np.mean, sqrt(sum(x * x for x in xs)) for np.linalg.norm, functools.reduce(minimum, xs) for np.min, [exp(x) for x"
    " in xs] for np.exp; in the place of np.array(xs) use the list itself"
)
_ASSIGNED = (
    "an array of NumPy holds plain numbers, and this one would be a constant in all other examples. Make a list:"
    " h = [a * b for a, b in zip(w, x)]{stacked}"
)
_ONE_AT_A_TIME = "Take its numbers one at a time, as in sum(w * x for w, x in zip(ws, xs))"


def instead(node: Any, how: str, called: Called, frame: FrameType | None) -> tuple[str, str] | None:
    """What is refused where ``node`` was about to become a plain array or a part of one, and what to write.

    None where there is neither a list nor an array in sight.
    """
    single = isinstance(node, Value)
    if how in ("float()", "a plain array") and frame is not None and _assigns(frame):
        stacked = "" if single else ", and join it: stack(h)"
        return "a traced number assigned to an entry of an array", _ASSIGNED.format(stacked=stacked)
    if how != "a plain array":
        return None
    if single and not _meets_a_number():
        return "a list of traced numbers given to NumPy", _GIVEN_TO_NUMPY
    held = called.holder(node)
    if held is None or held[1].kind is Value or (held[1].shape == () and single):
        return "a list of traced numbers where one number goes", _ONE_AT_A_TIME if single else _JOIN
    return "a list of traced numbers where one number goes", _of_argument(*held, called, single)


_JOIN = "join a list of Tensors with stack([...]), or use one Tensor in its place"


def _of_argument(argument: Argument, run: Run, called: Called, single: bool) -> str:
    name = run.text
    if not single:
        return f"{name} is a list, and so a list of Tensors: give an array, np.array({name})"
    if run.axis is not None and set(run.shape) == {1}:
        shape = (called.batch, *run.shape) if run.axis == 0 else (*run.shape, called.batch)
        ones = ", 0" * len(run.shape)
        return (
            f"{name} has the shape {shape}, so in the function it is a list of 1 number: give {name}[:{ones}], or write"
            f" {name}{'[0]' * len(run.shape)}"
        )
    if run.axis is not None:
        return f"one example of {name} is {_written(run.shape)}. {_ONE_AT_A_TIME}"
    whole = f"{name} is shared by all examples, so it comes whole: {_written(run.shape)}"
    if called.batch is not None and run.shape[0] != called.batch:
        return f"{whole}. {_ONE_AT_A_TIME}"
    if argument.keyword:
        mapped = "what is given by keyword only is always shared, so make it an argument by position"
    else:
        mapped = f"write compile(..., {called.axes_with(argument)})"
    return f"{whole}. Where it has one entry for each example, {mapped}. Else take its numbers one at a time"


def _written(shape: tuple[int, ...]) -> str:
    """``a list of 5 lists of 2 Values``, as which an array of that shape comes."""
    lists = [f"{length} list{'s' * (length != 1)} of " for length in shape[:-1]]
    return f"a list of {''.join(lists)}{shape[-1]} Value{'s' * (shape[-1] != 1)}"


def _assigns(frame: FrameType) -> bool:
    """Whether a line is about to write into something by its index."""
    code = frame.f_code.co_code
    return 0 <= frame.f_lasti < len(code) and dis.opname[code[frame.f_lasti]] in ("STORE_SUBSCR", "STORE_SLICE")


def _meets_a_number() -> bool:
    """Whether the list stood beside a number in an operation of the engine, rather than NumPy being called with it."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "lift" and is_ours(frame.f_code.co_filename):
            return True
        frame = frame.f_back
    return False
