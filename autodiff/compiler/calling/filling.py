"""The numbers of a call on their way to where a replay reads them: copied, or lent where they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from operator import attrgetter
from typing import Any

import numpy as np

from autodiff.compiler.replay.lending import LARGE
from autodiff.compiler.tracing.arguments import Run, numbers_of
from autodiff.tensor import Tensor
from autodiff.value import Value


class Filler:
    """Copies the runs of a call to where a replay reads them, or lends it the arrays themselves."""

    def __init__(self, runs: list[Run], P: Any, X: Any, borrow: Callable[..., bool] | None = None) -> None:
        self.arrays: list[tuple[int, Any]] = []  # most runs: what is copied as it is, and to where
        self.others: list[tuple[int, Callable[[Any], None]]] = []
        for k, run in enumerate(runs):
            target = _target(run, P, X)
            size = prod(run.shape) * (1 if run.axis is None else X.shape[1])
            if borrow is not None and size >= LARGE and run.kind is np.ndarray and run.axis in (None, 0):
                self.others.append((k, _lending(target, run, borrow)))
            elif (read := _reader(run)) is not None:
                self.others.append((k, _copying(target, read)))
            else:
                self.arrays.append((k, target))

    def __call__(self, found: Sequence[Any]) -> None:
        """Copy what was given at a call."""
        for k, target in self.arrays:
            target[...] = found[k]
        for k, copy in self.others:
            copy(found[k])


def _target(run: Run, P: Any, X: Any) -> Any:
    """Where the numbers of a run go, in its shape."""
    if run.axis is None:
        return P[run.start : run.stop].reshape(run.shape)
    view = X.T[:, run.start : run.stop].reshape(X.shape[1], *run.shape)
    return np.moveaxis(view, 0, run.axis)


def _reader(run: Run) -> Callable[[Any], Any] | None:
    """How the numbers of a run are read; None where NumPy reads them."""
    if run.kind is Value:
        return lambda x: numbers_of((x,))[0]
    if run.nodes is not None or run.values:
        return numbers_of
    return attrgetter("_held") if run.kind is Tensor else None


def _copying(target: Any, read: Callable[[Any], Any]) -> Callable[[Any], None]:
    return lambda x: target.__setitem__(..., read(x))


def _lending(target: Any, run: Run, borrow: Callable[..., bool]) -> Callable[[Any], None]:
    """Copies a run, unless its array can be read in its place (large ones, where they begin with the examples)."""
    varies, start, stop = run.axis is not None, run.start, run.stop

    def lend(x: Any) -> None:
        if type(x) is not np.ndarray or not borrow(x, varies, start, stop):
            target[...] = x

    return lend
