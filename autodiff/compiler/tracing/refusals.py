"""What a trace cannot capture, and the words for it: the line, what was found there, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np

from autodiff.compiler.tracing import lists
from autodiff.compiler.tracing.called import Called
from autodiff.compiler.tracing.ownership import user_frame
from autodiff.errors import TraceError, describe
from autodiff.origins import Origin, caller
from autodiff.value import Value

_INSTEAD = (
    "Write where(condition, a, b) for a choice, maximum(a, b) or minimum(a, b) for the larger or the smaller (of a"
    " list: functools.reduce(maximum, xs)); what is the same for all examples can be a plain number that is named in"
    " static_argnums"
)
_CHOICE = f"a trace follows {{one}}, and another may go the other way. {_INSTEAD}"
_COMPUTE = (
    "Compute with the functions of autodiff (exp, sqrt, floor, round, ...) instead of those of math and NumPy; what is"
    " the same in all calls can be a plain number that is named in static_argnums"
)
_NUMBER = f"a plain number is that of {{one}}, and would be a constant in all others. {_COMPUTE}"
_READ = (
    "what is read here is that of this call, and would be a constant in all others; x.shape and len(x) are fixed, and"
    f" may be read. {_COMPUTE}"
)
_SELECT = (
    "name the argument in static_argnums if it is the same for all; else choose by numbers: sum(where(equal(i, k),"
    " x[k], 0.0) for k in range(len(x))), or give the index one-hot: np.eye(k)[labels]"
)
_INDEX = f"which entry is read, or how often a loop runs, would be that of {{one}} in all others: {_SELECT}"
_WHOLE = (
    f"a plain number is that of {{one}}, and would be a constant in all others. For an index, {_SELECT}. For a"
    " number that is rounded there are floor, ceil and round of autodiff"
)
_LOOK = "{number}. To look at it, print the node itself; that is done once, while the function is traced"
_GRADIENT = (
    "its gradients are plain numbers of {one}. Write the loss, and let value_and_grad of the compiled function"
    " differentiate; for gradients inside a loss use grad(...) or gradients(..., create_graph=True), which make nodes"
)
_THREAD = (
    "a trace follows the thread in which the function was called. Let the function compute all by itself, and call the"
    " compiled function from as many threads as you like"
)

# What stands before the colon is how the engine calls the way out; the first that fits is taken.
_ADVICE = {
    "bool()": ("branching on a traced number", _CHOICE),
    "hash()": (
        "a traced number looked up in a dictionary or a set",
        "a node is found by its identity, not by its number. Write where(equal(x, 1), this, that) for a choice; what is"
        " the same for all examples can be a plain number",
    ),
    "==": (
        "a traced number compared by ==",
        "a node is equal only to itself, and a trace follows {one}. Write equal(a, b) to compare the numbers of"
        " all, and where(equal(a, b), this, that) for a choice; what is the same for all examples can be a plain number"
        " that is named in static_argnums",
    ),
    "an index": ("a traced number as an index or a bound", _INDEX),
    "int()": (None, _WHOLE),
    ".data": (None, _LOOK),
    ".item()": (None, _LOOK),
    ".backward()": ("backward() inside a compiled function", _GRADIENT),
    "gradients(": ("plain gradients inside a compiled function", _GRADIENT),
    "its plain number": ("a rule or a function of arrays that looks at numbers", _NUMBER),
    "a copy": (
        "copying a traced number",
        "a copy would be a constant; numbers are never changed in place, so use it itself",
    ),
    "the text": (
        "computing by the text of a traced number",
        f"it is the text of {{one}}, to be printed or to stand in a label. {_INSTEAD}",
    ),
    "np.": ("a plain answer of NumPy", f"{_CHOICE}; comparisons (x > y) are traced"),
}

_FIRST = "functools.reduce(minimum, xs)"
_BUILTINS = {  # which compare, and do not know that they do
    "max": "Python's max compares. Write maximum(a, b), and of a list functools.reduce(maximum, xs)",
    "min": f"Python's min compares. Write minimum(a, b), and of a list {_FIRST}",
    "sorted": (
        "an order is that of {one}. Write minimum(a, b) and maximum(a, b) for two numbers, functools.reduce(maximum,"
        f" xs) for the largest of a list and {_FIRST} for the smallest; to have all of them in order, write the"
        " function with Tensors (of=Tensor), which have sort"
    ),
}


def leaves_trace(node: Any, shown: str, how: str, called: Called) -> TraceError:
    """A traced number was about to become a plain one."""
    frame = user_frame()
    line = _origin(frame)
    what, advice = next((words for start, words in _ADVICE.items() if how.startswith(start)), (None, "{number}"))
    if how == "bool()":
        advice = next((words for name, words in _BUILTINS.items() if re.search(rf"\b{name}\(", line.code)), advice)
    single = isinstance(node, Value)
    one = "one example" if single else "one call"
    advice = advice.format(one=one, number=_NUMBER.format(one=one) if single else _READ)
    if how in ("an index", "int()"):
        advice = _static(node, called) or advice
    what, advice = lists.instead(node, how, called, frame) or (what, advice)
    return TraceError(f"{what or 'a traced number leaves the graph'}: {how} of {shown}\n  at {line}\n  {advice}")


def _static(node: Any, called: Called) -> str | None:
    """What to write where one plain number, the same for all examples, is an index or a count."""
    held = called.holder(node)
    if held is None or held[1].axis is not None or held[1].shape:
        return None
    argument, run = held
    own = "" if run.text == argument.name else "give it as an argument of its own, such as n, and "
    name = "n" if own else run.text
    return (
        f'{run.text} is the same for all examples: {own}write compile(..., static_argnames="{name}"), which makes it a'
        " plain number inside; for each other number the function is traced again"
    )


def assigns_data(node: Any) -> TraceError:
    """The data of a leaf were assigned inside."""
    return TraceError(
        f"data assigned inside a compiled function: those of {node.name()}\n  at {_line()}\n  a"
        " replay computes and changes nothing. Return the new number, and assign it outside"
    )


def changes_state(function: Callable[..., Any], name: str) -> TraceError:
    """Something that the function reaches is not as it was before the trace."""
    where = _place(function)
    if name.startswith("the state of"):
        return TraceError(
            f"randomness inside a compiled function: {name} has moved\n  {where}\n  all calls would see the numbers of"
            " the trace. Draw them outside, and give them as an argument"
        )
    return TraceError(
        f"a compiled function changes something: {name} is not what it was before\n  {where}\n  a replay computes and"
        " changes nothing. Return the new value, and keep it outside"
    )


def read_elsewhere(node: Any, how: str) -> TraceError:
    """A traced number was read, or computed with, where nobody traces."""
    return TraceError(
        f"a traced number in another thread (or an empty context): {how} of {node.name()}\n  at {_line()}\n  {_THREAD}"
    )


def computed_outside(node: Any, before: bool) -> TraceError:
    """A node was computed ``before`` the trace, from leaves that may change; or where nobody traces."""
    if not before:
        return TraceError(
            f"{node.name()} was computed in another thread (or an empty context)\n  at {_line()}\n  {_THREAD}"
        )
    return TraceError(
        f"{node.name()} was computed outside the compiled function, and carries a gradient: {describe(node)}\n  at"
        f" {_line()}\n  its number would stay that of the trace. Compute it inside, or pass it as an"
        " argument (or its .detach(), as a constant)"
    )


def is_complex(node: Any) -> TraceError:
    """A function of Values reached a complex number."""
    return TraceError(
        f"compiled functions of Values compute with floats, and this one with {describe(node)}\n  at {_line()}\n"
        "  compute with the real and the imaginary part, each a number of its own, or with Tensors (of=Tensor)"
    )


def returns_nothing(function: Callable[..., Any], returned: Any) -> TraceError:
    """The function returned an empty list, tuple or dict."""
    return TraceError(
        f"{_name(function)} returned {returned!r}, with no Value or Tensor in it\n  {_place(function)}\n  return what"
        " was computed: a Value or Tensor, or a list, tuple or dict of them"
    )


def returns_no_node(function: Callable[..., Any], y: Any, alone: bool) -> TraceError:
    """The function returned something that remembers nothing, ``alone`` or among others."""
    if y is None:
        what, advice = ("None", "is a return missing at its end?") if alone else ("None among others", "leave it out")
        return TraceError(f"{_name(function)} returned {what}\n  {_place(function)}\n  {advice}")
    plain = isinstance(y, int | float | complex | str | bytes | np.ndarray | np.generic)
    why = "which was not computed from its arguments" if plain else "and a compiled function returns nodes"
    return TraceError(
        f"{_name(function)} returned {describe(y)}, {why}\n  {_place(function)}\n "
        " return the Value or Tensor itself, or a list, tuple or dict of them; what is plain can be returned by another"
        " function"
    )


def returns_constant(function: Callable[..., Any], y: Any) -> TraceError:
    """The function returned a node that no argument leads to."""
    return TraceError(
        f"{_name(function)} returned {describe(y)}, which was not computed from its arguments\n  {_place(function)}\n "
        " it would be the same for all examples. Was .data, float() or a new Value(...) in between?"
    )


def returns_other_kind(function: Callable[..., Any], y: Any, kind: type) -> TraceError:
    """A Tensor from a function that was traced on Values, or the other way round."""
    return TraceError(
        f"{_name(function)} returned {describe(y)}, and was traced on {kind.__name__}s\n  {_place(function)}\n  for a"
        f" function of {type(y).__name__}s write compile(..., of={type(y).__name__})"
    )


def given_twice(node: Any) -> TraceError:
    """One parameter is in two arguments."""
    return TraceError(f"{node.name()} is a parameter of two arguments; give a model that holds both, or one of them")


def other_kind(node: Any, kind: type) -> TraceError:
    """A captured Tensor in a function of Values, or the other way round."""
    return TraceError(
        f"a function that is traced on {kind.__name__}s reached {describe(node)}\n  at {_line()}\n"
        f"  for a function of {type(node).__name__}s write compile(..., of={type(node).__name__})"
    )


def needs_one_output(function: Callable[..., Any], returned: Any) -> TypeError:
    """Gradients were asked for of a function with several outputs."""
    return TypeError(
        f"gradients are those of a function that returns one number, and {_name(function)} returned"
        f" {describe(returned)}; return their sum or mean, or ask its vjp, which has gradients for any outputs"
    )


def called_inside(compiled: Any) -> TraceError:
    """Plain results of a compiled function were asked for inside another."""
    return TraceError(
        f"{compiled!r} was asked for plain numbers inside another compiled function\n  at {_line()}\n  they would be"
        " those of one example. Its function is .__wrapped__: call that, or give it to grad, value_and_grad or vjp of"
        " autodiff, which make nodes"
    )


def has_hooks(node: Any) -> TraceError:
    """A hook would not be called by a replay."""
    return TraceError(
        f"{node.name()} has a gradient hook, which a replay would not call; remove it, or change the gradients that"
        " value_and_grad returns"
    )


def _line() -> Origin:
    return _origin(user_frame())


def _origin(frame: FrameType | None) -> Origin:
    return Origin(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name) if frame else caller()


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", None) or type(function).__name__


def _place(function: Callable[..., Any]) -> str:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return f"in {_name(function)}, {code.co_filename}:{code.co_firstlineno}" if code else f"in {_name(function)}"
