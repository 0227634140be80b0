"""Calls in which NumPy does not warn: inf and NaN are answers here, and so is a float32 that has overflown."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from typing import Any

import numpy as np


def quiet() -> Callable[..., Any]:
    """A function that calls another with its arguments, silently; it costs less than ``np.errstate``.

    It is used by one thread at a time, and not inside itself; and it sees none of the caller's context variables.

    >>> silently = quiet()
    >>> silently(np.log, 0.0)
    np.float64(-inf)
    """
    context = Context()
    context.run(np.seterr, all="ignore")
    return context.run
