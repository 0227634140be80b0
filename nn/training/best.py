"""The best epoch so far, and what better means."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nn.training.loop import Training

HIGHER_IS_BETTER = ("accuracy", "top_k_accuracy", "precision", "recall", "f1", "roc_auc", "r2")
LOWER_IS_BETTER = ("loss", "mse", "mae", "rmse", "perplexity", "error")  # what such a name ends with


class Best:
    """The best number that was seen of one column of the history.

    Args:
        monitor: the column, such as "validation_loss".
        mode: "min" if lower is better, "max" if higher is; None knows it of losses and of our metrics.
        min_delta: how much better counts as better.

    Raises:
        ValueError: mode is neither, or is not known of this column; min_delta is below 0.
    """

    def __init__(self, monitor: str, mode: str | None = None, min_delta: float = 0.0) -> None:
        self.monitor = monitor
        self.sign = {"min": 1, "max": -1}[mode] if mode in ("min", "max") else _direction(monitor, mode)
        if not min_delta >= 0:
            raise ValueError(f"min_delta is at least 0, and was given {min_delta!r}")
        self.min_delta = min_delta
        self.number: float | None = None

    def check(self, training: Training) -> None:
        """Whether training will record the column.

        Raises:
            ValueError: it will not; the message shows what it will.
        """
        if self.monitor not in training.measures:
            validation = self.monitor.startswith("validation_") and "validation_loss" not in training.measures
            hint = "; give fit validation_data or validation_split" if validation else ""
            raise ValueError(f"{self.monitor!r} is watched, and training measures {', '.join(training.measures)}{hint}")

    def improved(self, training: Training) -> bool:
        """Whether the last epoch is the best so far, which is then remembered. A NaN never is."""
        now = training.history[self.monitor][-1]
        if now != now or (self.number is not None and not self.sign * (self.number - now) > self.min_delta):
            return False
        self.number = now
        return True


def _direction(monitor: str, mode: str | None) -> int:
    """1 where lower is better, -1 where higher is."""
    name = monitor.removeprefix("validation_")
    if mode is not None or not (name in HIGHER_IS_BETTER or name.endswith(LOWER_IS_BETTER)):
        raise ValueError(f"mode is 'min' or 'max', to say what is better of {monitor!r}, and was given {mode!r}")
    return -1 if name in HIGHER_IS_BETTER else 1
