"""The numbers of a call on their way to where a replay reads them: copied, or lent where they are."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from autodiff.compiler.replay.lending import LARGE
from autodiff.compiler.tracing.arguments import Run, numbers_of
from autodiff.tensor import Tensor
from autodiff.value import Value


class Filler:
    """Copies the runs of a call to where a replay reads them, or lends it the arrays themselves."""

    def __init__(self, runs: list[Run], P: Any, X: Any, borrow: Callable[..., bool] | None = None) -> None:
        self.copies = [self._copy(run, P, X) for run in runs]
        if borrow is not None:
            self.copies = [
                _lending(copy, run, borrow)
                if prod(run.shape) * (1 if run.axis is None else X.shape[1]) >= LARGE
                else copy
                for copy, run in zip(self.copies, runs, strict=True)
            ]

    def __call__(self, found: list[Any]) -> None:
        """Copy what was given at a call."""
        for copy, run in zip(self.copies, found, strict=True):
            copy(..., run)

    def _copy(self, run: Run, P: Any, X: Any) -> Callable[[Any, Any], None]:
        if run.axis is not None:
            view = X.T[:, run.start : run.stop].reshape(X.shape[1], *run.shape)
            return np.moveaxis(view, 0, run.axis).__setitem__  # type: ignore[no-any-return]
        part = P[run.start : run.stop]
        if run.kind is Value:
            return lambda _, x: part.__setitem__(..., numbers_of((x,)))
        if run.nodes is not None or run.values:
            return lambda _, x: part.__setitem__(..., numbers_of(x))
        part = part.reshape(run.shape)
        return (lambda _, x: part.__setitem__(..., x._held)) if run.kind is Tensor else part.__setitem__  # type: ignore[no-any-return]


def _lending(copy: Callable[[Any, Any], None], run: Run, borrow: Callable[..., bool]) -> Callable[[Any, Any], None]:
    """Copies a run, unless its array can be read in its place (large ones, where they begin with the examples)."""
    if run.kind is not np.ndarray or run.axis not in (None, 0):
        return copy
    varies, start, stop = run.axis is not None, run.start, run.stop

    def lend(_: Any, x: Any) -> None:
        if type(x) is not np.ndarray or not borrow(x, varies, start, stop):
            copy(..., x)

    return lend
