"""Large results are lent rather than copied: a replay rests for as long as somebody has its array."""

from __future__ import annotations

from threading import Lock
from typing import Any
from weakref import ref

import numpy as np
from numpy.typing import NDArray

LARGE = 1 << 15  # numbers: to copy so many takes longer than to go on with another replay
LOANS = 2  # at a time; who keeps more results gets copies


class Loan:
    """Whether the array of a replay is lent.

    >>> gradients = np.zeros(3)
    >>> loan = Loan()
    >>> lent = loan.of(gradients)
    >>> part = lent[1:]
    >>> del lent
    >>> loan.is_open
    True
    >>> del part
    >>> loan.is_open
    False
    """

    __slots__ = ("_lent",)

    def __init__(self) -> None:
        self._lent: Any = None

    def of(self, array: NDArray[Any]) -> NDArray[Any]:
        """The same memory as another array. The loan is open while that, or a part of it, is alive."""
        # Parts of an array keep the array that owns the memory alive, not the one that they were taken from; an array
        # on a buffer is as good as an owner.
        lent = np.frombuffer(memoryview(array), array.dtype)  # type: ignore[arg-type]
        self._lent = ref(lent)
        return lent

    @property
    def is_open(self) -> bool:
        """Whether somebody has the array."""
        return self._lent is not None and self._lent() is not None


class Loans:
    """The open loans of those who share a pool of replays; more than :data:`LOANS` at a time are refused."""

    __slots__ = ("_lock", "_open")

    def __init__(self) -> None:
        self._open: list[Loan] = []
        self._lock = Lock()

    def lend(self, loan: Loan, array: NDArray[Any]) -> NDArray[Any] | None:
        """The same memory as another array, or None."""
        with self._lock:
            self._open = [other for other in self._open if other.is_open]
            if len(self._open) >= LOANS:
                return None
            self._open.append(loan)
            return loan.of(array)


def is_free(bound: Any) -> bool:
    """Whether nobody has the arrays of what has a ``loan``."""
    return not bound.loan.is_open
