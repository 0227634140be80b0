"""What the options of drawings may be, and the one error that says so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any


def require(option: str, given: Any, known: Sequence[object]) -> None:
    """That an option is one of those known.

    >>> require("theme", "drak", ("auto", "light", "dark"))
    Traceback (most recent call last):
    ValueError: theme is one of 'auto', 'light', 'dark', not 'drak'; did you mean 'dark'?

    Raises:
        ValueError: it is not.
    """
    if any(given is one or (type(given) is str and given == one) for one in known):
        return
    near = get_close_matches(str(given), [str(one) for one in known], n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    shown = repr(given) if len(repr(given)) <= 60 else f"{repr(given)[:59]}…"
    raise ValueError(f"{option} is one of {', '.join(map(repr, known))}, not {shown}{meant}")


def require_number(option: str, given: Any, least: float, most: float = math.inf) -> None:
    """That an option is a number from ``least`` to ``most``.

    Raises:
        ValueError: it is not.
    """
    if isinstance(given, bool) or not isinstance(given, int | float) or not least <= given <= most:
        span = f"of at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
        raise ValueError(f"{option} is a number {span}, not {given!r}")
