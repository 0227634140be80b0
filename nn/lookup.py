"""Names in the place of functions: ``activation="tanh"``, ``loss="mse"``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any

Function = Callable[..., Any]


def lookup(kind: str, which: str | Function, table: Mapping[str, Function]) -> Function:
    """The function that ``which`` names in ``table``; a function of the caller's own is returned as it is.

    >>> import math
    >>> lookup("activation", "tahn", {"tanh": math.tanh, "relu": abs})
    Traceback (most recent call last):
    ...
    ValueError: there is no activation 'tahn'; did you mean 'tanh'? There are: relu, tanh

    Raises:
        ValueError: no such name; the message suggests the nearest.
        TypeError: neither a name nor a function.
    """
    if callable(which):
        return which
    if not isinstance(which, str):
        raise TypeError(f"{kind} is a name or a function, and was given {which!r}")
    if which not in table:
        nearest = get_close_matches(which.lower(), table, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
        raise ValueError(f"there is no {kind} {which!r}{hint} There are: {', '.join(sorted(table))}")
    return table[which]


def name_of(function: Function) -> str:
    """What to call a function in a message or a drawing.

    >>> from functools import partial
    >>> name_of(partial(round, ndigits=2))
    'round(ndigits=2)'
    """
    if isinstance(function, partial):
        options = [*map(repr, function.args), *(f"{name}={value!r}" for name, value in function.keywords.items())]
        return f"{name_of(function.func)}({', '.join(options)})"
    return getattr(function, "name", None) or getattr(function, "__name__", None) or repr(function)
