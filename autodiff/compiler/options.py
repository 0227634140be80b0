"""What ``compile`` is given beside its arguments: checked when it is given, not when it is first called."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import (
    Parameter,
    Signature,
    isasyncgenfunction,
    iscoroutinefunction,
    isgeneratorfunction,
    signature,
)
from operator import index
from typing import Any

import numpy as np

from autodiff.compiler.backends import BACKENDS
from autodiff.compiler.calling.outputs import REDUCTIONS
from autodiff.tensor import Tensor
from autodiff.value import Value

POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_TAKEN = {  # keywords of value_and_grad and grad, which would never reach a parameter of that name
    "argnums": "which arguments to differentiate by",
    "per_example": "whether gradients are those of each example",
}


def signature_of(function: Any) -> Signature | None:
    """The signature of what is to be compiled, if it has one.

    Raises:
        TypeError: it is no function that returns numbers, or one of its parameters could not be given by keyword.
    """
    if not callable(function):
        raise TypeError(f"compile takes a function, and was given {function!r}")
    name = getattr(function, "__name__", type(function).__name__)
    if isgeneratorfunction(function) or isasyncgenfunction(function):
        raise TypeError(
            f"compile takes a function that returns numbers, and {name} yields them one by one; collect them in a list"
            " and return that"
        )
    if iscoroutinefunction(function):
        raise TypeError(f"compile takes a function that returns numbers, and {name} is async; write def, without async")
    try:
        known = signature(function)
    except (TypeError, ValueError):  # some functions of C have none
        return None
    for parameter in known.parameters.values():
        if parameter.name in _TAKEN and parameter.kind is not Parameter.POSITIONAL_ONLY:
            raise TypeError(
                f"{name} has a parameter called {parameter.name}, and value_and_grad of a compiled function has one of"
                f" that name for itself ({_TAKEN[parameter.name]}); give it another name"
            )
    return known


def check_options(of: Any, reduction: Any, backend: Any, dtype: Any, maxsize: Any, check: Any) -> None:
    """See whether an option is one of those that there are.

    Raises:
        TypeError, ValueError: it is not.
    """
    if of not in (None, Value, Tensor):
        raise TypeError(f"compile(of=...) is Value or Tensor, what the function computes with; not {of!r}")
    _one_of("reduction", reduction, REDUCTIONS)
    _one_of("backend", backend, BACKENDS)
    try:
        known = np.dtype(dtype) in (np.float64, np.float32)
    except TypeError:
        known = False
    if not known:
        raise TypeError(f"compile(dtype=...) is np.float64 or np.float32, not {dtype!r}")
    if not _is_whole(maxsize):
        raise TypeError(f"compile(maxsize=...) is how many programs are kept, a whole number, not {maxsize!r}")
    if maxsize < 1:
        raise ValueError(f"compile(maxsize=...) is at least 1, not {maxsize!r}")
    if not isinstance(check, bool | np.bool_):
        raise TypeError(f"compile(check=...) is True or False, not {check!r}")


def axes_of(in_axes: Any, known: Signature | None) -> Any:
    """The axes of the batch as they were given, every one an ``int`` or None.

    Raises:
        TypeError: one is something else.
        ValueError: there are more or fewer than the function has arguments.
    """
    if isinstance(in_axes, str) and in_axes == "auto":
        return in_axes
    axes = _axis(in_axes, in_axes)
    if isinstance(axes, list | tuple) and known is not None:
        parameters = [p for p in known.parameters.values() if p.kind in POSITIONAL]
        fewest = sum(p.default is Parameter.empty for p in parameters)
        endless = any(p.kind is Parameter.VAR_POSITIONAL for p in known.parameters.values())
        if not (fewest <= len(axes) and (endless or len(axes) <= len(parameters))):
            raise ValueError(wrong_count(in_axes, [p.name for p in parameters]))
    return axes


def wrong_count(in_axes: Any, names: Sequence[str]) -> str:
    """What to say where there are not as many axes as arguments."""
    given = f"{len(names)} argument{'s' * (len(names) != 1)}" + (f" ({', '.join(names)})" if names else "")
    return (
        f"in_axes={in_axes!r} is for {len(in_axes)} argument{'s' * (len(in_axes) != 1)}, and there are {given}; write"
        " one for each, in their order: the axis of the examples, or None where all examples share the argument"
    )


def without_examples(error: Exception, args: Sequence[Any], axes: Sequence[Any], names: Sequence[str]) -> str:
    """What to say where arguments that were to have an entry for each example are single numbers: the call repaired."""
    single = [np.ndim(x) == 0 and isinstance(x, float | int | np.number) for x in args]
    numbers = [name for name, one, axis in zip(names, single, axes, strict=True) if one and axis is not None]
    if not numbers:
        return str(error)
    repaired = tuple([None if one else axis for one, axis in zip(single, axes, strict=True)])
    text = str(error).rpartition(", or None for it")[0]
    counts = [name for name in numbers if _is_whole(args[list(names).index(name)])]
    static = f'; or, to count or to index with it, static_argnames="{counts[0]}"' if counts else ""
    return f"{text}, or, where all examples share it, write compile(..., in_axes={repaired!r}){static}"


def one_array(function: Any, shape: tuple[int, ...]) -> str:
    """What to say where a function is given one array, which may be its one argument or many examples of it."""
    name = getattr(function, "__name__", type(function).__name__)
    return (
        f"{name} was given one array of shape {shape} and nothing else, so it computes with all of it at once, as a"
        f" function of Tensors. To map it over the {shape[0]} examples, write compile(..., in_axes=0), and the function"
        " for one of them, with Values; if this is what is meant, write compile(..., of=Tensor)"
    )


def batched(axes: Any) -> bool:
    """Whether there is an axis of examples among them."""
    if isinstance(axes, dict):
        axes = list(axes.values())
    return any(map(batched, axes)) if isinstance(axes, list | tuple) else axes is not None


def _axis(axis: Any, whole: Any) -> Any:
    if isinstance(axis, dict):
        return {key: _axis(part, whole) for key, part in axis.items()}
    if isinstance(axis, list | tuple):
        return [_axis(part, whole) for part in axis]
    if axis is None:
        return None
    if not _is_whole(axis):
        raise TypeError(
            f"in_axes={whole!r}: an axis of examples is a whole number, such as 0, or None where all examples share"
            f" the argument, or a list or dict of them that is built like the argument; not {axis!r}"
        )
    return index(axis)


def static_positions(known: Signature | None, argnums: Any, argnames: Any) -> tuple[frozenset[int], frozenset[str]]:
    """Where the static arguments stand, and the names of those that were given by name.

    Raises:
        TypeError: a position is no whole number, or a name no string.
        ValueError: the function has no such argument.
    """
    numbers = [argnums] if _is_whole(argnums) else argnums
    if isinstance(numbers, str) or not _is_collection(numbers) or not all(map(_is_whole, numbers)):
        raise TypeError(f"static_argnums is a position, counted from 0, or several; not {argnums!r}")
    names = [argnames] if isinstance(argnames, str) else argnames
    if not _is_collection(names) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"static_argnames is the name of an argument, or several; not {argnames!r}")
    positions = {index(p) for p in numbers}
    if any(p < 0 for p in positions):
        raise ValueError(f"static_argnums counts from 0, and was given {argnums!r}")
    if known is None:
        return frozenset(positions), frozenset(names)
    parameters = list(known.parameters.values())
    endless = any(p.kind is Parameter.VAR_POSITIONAL for p in parameters)
    count = sum(p.kind in POSITIONAL for p in parameters)
    if positions and max(positions) >= count and not endless:
        raise ValueError(
            f"static_argnums={argnums!r}: the function has {count} arguments by position, and their count begins at 0"
        )
    takes_any = any(p.kind is Parameter.VAR_KEYWORD for p in parameters)
    for name in names:
        if name not in known.parameters and not takes_any:
            raise ValueError(f"static_argnames: the function has no argument {name!r}, only {list(known.parameters)}")
        positions |= {i for i, p in enumerate(parameters) if p.name == name and p.kind in POSITIONAL}
    return frozenset(positions), frozenset(names)


def positions_of(argnums: Any, names: Sequence[str]) -> tuple[int, ...]:
    """By which arguments to differentiate, of those with these names; negative positions count from the end.

    Raises:
        TypeError: ``argnums`` is no position.
        ValueError: there is no such argument.
    """
    several = [argnums] if _is_whole(argnums) else argnums
    if not isinstance(several, list | tuple | range) or not all(map(_is_whole, several)):
        advice = (
            f"; {argnums} is argnums={names.index(argnums)}" if isinstance(argnums, str) and argnums in names else ""
        )
        raise TypeError(
            f"argnums is the position of an argument, counted from 0, or a tuple of several; not {argnums!r}{advice}"
        )
    count, listed = len(names), ", ".join(names)
    if not several:
        raise ValueError(f"argnums={argnums!r} is no argument at all; the function was called with {count}: {listed}")
    if not all(-count <= p < count for p in several):
        raise ValueError(f"argnums={argnums!r}: the function was called with {count} arguments: {listed}")
    return tuple([index(p) % count for p in several])


def _one_of(name: str, given: Any, known: Sequence[str]) -> None:
    if not isinstance(given, str) or given not in known:
        raise ValueError(f"compile({name}=...) is one of {', '.join(map(repr, known))}, not {given!r}")


def _is_whole(x: Any) -> bool:
    return isinstance(x, int | np.integer) and not isinstance(x, bool)


def _is_collection(x: Any) -> bool:
    return isinstance(x, list | tuple | set | frozenset | range)
