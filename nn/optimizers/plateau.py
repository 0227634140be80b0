"""The learning-rate schedule that watches a metric."""

from __future__ import annotations

import math
from typing import Any

from autodiff import Node
from nn.checks import size
from nn.optimizers.optimizer import Optimizer, require
from nn.optimizers.schedules import Schedule, at_least_0


class ReduceLROnPlateau(Schedule):
    """Times ``factor`` when a metric has not improved for more than ``patience`` steps.

    Its ``step`` takes the metric: ``schedule.step(validation_loss)``. A NaN is no improvement.

    Args:
        optimizer: as for :class:`StepLR`.
        mode: "min" if a smaller metric is better, as for a loss; "max" for an accuracy.
        factor: from above 0 to below 1.
        patience: how many steps without improvement to bear.
        threshold: how much better counts as an improvement.
        threshold_mode: whether ``threshold`` is a part of the best metric ("rel") or a difference ("abs").
        cooldown: how many steps to wait after a reduction before counting again.
        minimum: the learning rate goes no lower.
        eps: a reduction by no more than this is not made.

    >>> from autodiff import Value
    >>> from nn import SGD
    >>> optimizer = SGD([Value(1.0)], learning_rate=0.5)
    >>> schedule = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in [3.0, 2.0, 2.0, 2.0]:
    ...     schedule.step(loss)
    >>> optimizer.learning_rate
    0.25

    Raises:
        ValueError, TypeError: as :class:`StepLR`.
    """

    needs_metric = True
    mode: str
    factor: float
    patience: int
    threshold: float
    threshold_mode: str
    cooldown: int
    minimum: float
    eps: float

    def __init__(
        self,
        optimizer: Optimizer | None = None,
        *,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        minimum: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        require("mode", mode, lambda x: x in ("min", "max"), "'min' or 'max'")
        require("threshold_mode", threshold_mode, lambda x: x in ("rel", "abs"), "'rel' or 'abs'")
        require("factor", factor, lambda x: 0 < x < 1, "above 0 and below 1")
        super().__init__(
            optimizer,
            mode=mode,
            factor=factor,
            patience=size(patience, "patience", least=0),
            threshold=at_least_0("threshold", threshold),
            threshold_mode=threshold_mode,
            cooldown=size(cooldown, "cooldown", least=0),
            minimum=at_least_0("minimum", minimum),
            eps=at_least_0("eps", eps),
        )

    def _bind(self, optimizer: Optimizer) -> None:
        self.best: float | None = None
        self.bad_steps = 0
        self.waiting = 0
        super()._bind(optimizer)

    def _set_rates(self) -> None:
        """The learning rates follow the metric."""

    def step(self, metric: float) -> None:  # type: ignore[override]
        """Look at the metric, and reduce the learning rates where it has not improved for too long.

        Raises:
            TypeError: the metric is not one number.
            ValueError: the schedule is bound to no optimizer.
        """
        optimizer = self._optimizer()
        try:
            now = float(metric.data if isinstance(metric, Node) else metric)
        except (TypeError, ValueError):
            raise TypeError(f"the metric is one number, and was given {metric!r}") from None
        self.step_count += 1
        if self._improves(now):
            self.best = now
            self.bad_steps = 0
        else:
            self.bad_steps += 1
        if self.waiting:
            self.waiting -= 1
            self.bad_steps = 0
        if self.bad_steps > self.patience:
            self.waiting = self.cooldown
            self.bad_steps = 0
            for group in optimizer.groups:
                lower = max(group["learning_rate"] * self.factor, self.minimum)
                if group["learning_rate"] - lower > self.eps:
                    group["learning_rate"] = lower

    def state_dict(self) -> dict[str, Any]:
        """As for every schedule, with the best metric and what has been counted since."""
        return {**super().state_dict(), "best": self.best, "bad_steps": self.bad_steps, "waiting": self.waiting}

    def _improves(self, now: float) -> bool:
        """Whether ``now`` beats the best by the threshold, which is relative to the size of the best."""
        down = 1 if self.mode == "min" else -1
        if self.best is None:
            return down * now < math.inf
        margin = self.threshold * (abs(self.best) if self.threshold_mode == "rel" else 1)
        return down * now < down * self.best - margin
