"""StopOnNaN: no step is made with numbers that are none, and the operation that made them is named."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff import AnomalyError, detect_anomaly
from nn.training.callback import Callback

if TYPE_CHECKING:
    from nn.training.loop import Training

MOST_ROWS = 20  # that a message lists


class StopOnNaN(Callback):
    """Looks at the loss and every gradient before each step, and raises where one is NaN or infinite.

    The batch is then computed once more under ``autodiff.detect_anomaly()``, so that the error names the operation
    that made the first of them. The model and the optimizer are left as they were before the batch.

    >>> from autodiff import Value, log
    >>> import nn
    >>> class Logarithm(nn.Module):
    ...     def __init__(self):
    ...         self.slope = Value(1.0, label="slope")
    ...
    ...     def forward(self, row):
    ...         return log(self.slope * row[0])
    >>> options = {"batch_size": 1, "shuffle": False, "verbose": 0}
    >>> try:
    ...     nn.fit(Logarithm(), [[1.0], [-1.0]], [0.0, 0.0], callbacks=[StopOnNaN()], **options)
    ... except FloatingPointError as error:
    ...     print("\\n".join(str(error).splitlines()[:2]))
    the loss is nan in epoch 1, batch 2 (rows 1)
      log produced nan from multiply(...) = -1.0

    Raises:
        FloatingPointError: the loss or a gradient is NaN or infinite.
    """

    def on_gradients(self, training: Training) -> None:
        """Look at the numbers of this batch."""
        problem = self._problem(training)
        if problem is None:
            return
        rows = ", ".join(map(str, training.rows[:MOST_ROWS])) + (", ..." if len(training.rows) > MOST_ROWS else "")
        place = f"in epoch {training.epoch}, batch {training.batch + 1} (rows {rows})"
        raise FloatingPointError(f"{problem} {place}\n  {self._cause(training)}")

    def _problem(self, training: Training) -> str | None:
        if not math.isfinite(training.batch_loss):
            return f"the loss is {training.batch_loss:.4g}"
        for name, parameter in training.named_parameters:
            if parameter.grad is not None and not _finite(parameter.grad):
                bad = np.asarray(parameter.grad)
                return f"the gradient of {name} holds {bad[~np.isfinite(bad)].flat[0]}"
        return None

    def _cause(self, training: Training) -> str:
        """The operation that made the first number that is none."""
        training.rewind()
        try:
            with detect_anomaly():
                _, loss = training.forward(training.rows)
                loss.backward()
        except AnomalyError as error:
            return str(error)
        return "computed once more, no operation gives such a number: the model or the loss is not the same each time"


def _finite(gradient: Any) -> bool:
    return math.isfinite(gradient) if isinstance(gradient, float) else bool(np.isfinite(gradient).all())
