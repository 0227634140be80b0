"""Learning-rate schedules: how the size of a step changes in the course of training.

A schedule alone is a description, such as ``fit(schedule=StepLR(step_size=30))`` takes. Bound to an optimizer it
sets the learning rate of every group: ``schedule = StepLR(optimizer, step_size=30)``, then ``schedule.step()``
after each epoch, or after each batch if that is what its numbers count. The names are those of PyTorch.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from nn.checks import size
from nn.optimizers.optimizer import Optimizer, require


class Schedule:
    """A learning rate as a function of the number of steps. To make one of your own, write ``rate``.

    Options given to ``super().__init__(optimizer, name=value, ...)`` become attributes, and go into the state.

    Attributes:
        optimizer: what it is bound to, or None.
        step_count: how often ``step`` was called.
        base: the learning rates that the groups had when it was bound.

    >>> from autodiff import Value
    >>> from nn import SGD
    >>> class InverseRoot(Schedule):
    ...     def rate(self, base, count):
    ...         return base / math.sqrt(1 + count)
    >>> optimizer = SGD([Value(1.0)], learning_rate=0.6)
    >>> schedule = InverseRoot(optimizer)
    >>> for _ in range(3):
    ...     schedule.step()
    >>> optimizer.learning_rate
    0.3
    """

    needs_metric: ClassVar[bool] = False  # whether step() takes the number that training watches

    def __init__(self, optimizer: Optimizer | None = None, **options: Any) -> None:
        vars(self).update(options)
        self._option_names = list(options)
        self.optimizer: Optimizer | None = None
        self.step_count = 0
        self.base: list[float] = []
        if optimizer is not None:
            self._bind(optimizer)

    def rate(self, base: float, count: int) -> float:
        """The learning rate after ``count`` steps of a group that began with ``base``."""
        raise NotImplementedError(f"{type(self).__name__} has no rate; write def rate(self, base, count): ...")

    def attach(self, optimizer: Optimizer) -> Self:
        """The same schedule bound to ``optimizer``, from its beginning. This one stays as it is.

        Raises:
            TypeError: it is no optimizer.
        """
        bound = copy.copy(self)
        bound._bind(optimizer)
        return bound

    def step(self) -> None:
        """Go one step on, and set the learning rates.

        Raises:
            ValueError: the schedule is bound to no optimizer.
        """
        self._optimizer()
        self.step_count += 1
        self._set_rates()

    @property
    def learning_rates(self) -> list[float]:
        """The present learning rate of every group.

        Raises:
            ValueError: the schedule is bound to no optimizer.
        """
        return [group["learning_rate"] for group in self._optimizer().groups]

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule stands, as plain numbers; with its name and options, so that no other takes it.

        >>> from autodiff import Value
        >>> from nn import SGD
        >>> schedule = ExponentialLR(SGD([Value(1.0)], 0.5), gamma=0.5)
        >>> schedule.step()
        >>> schedule.state_dict()  # doctest: +NORMALIZE_WHITESPACE
        {'schedule': 'ExponentialLR', 'options': {'gamma': 0.5}, 'step_count': 1, 'base': [0.5],
         'learning_rates': [0.25]}
        """
        rates = self.learning_rates
        return {**self._described(), "step_count": self.step_count, "base": list(self.base), "learning_rates": rates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state_dict()`` was taken: this sets the learning rates too. After an error nothing has changed.

        Raises:
            ValueError: the state is that of another schedule, or of another number of groups; or this one is
                bound to no optimizer.
        """
        optimizer = self._optimizer()
        expected = self.state_dict()
        missing = [name for name in expected if name not in state]
        unexpected = [name for name in state if name not in expected]
        problems = [f"missing: {', '.join(missing)}"] if missing else []
        problems += [f"unexpected: {', '.join(unexpected)}"] if unexpected else []
        for name in ("schedule", "options"):
            if name in state and state[name] != expected[name]:
                problems.append(f"{name}: {state[name]} in the state, {expected[name]} here")
        for name in ("base", "learning_rates"):
            if name in state and len(state[name]) != len(expected[name]):
                problems.append(f"{name}: {len(state[name])} groups in the state, {len(expected[name])} here")
        if problems:
            raise ValueError("\n  ".join([f"the state does not fit this {type(self).__name__}:", *problems]))
        for name in set(expected) - {"schedule", "options", "learning_rates"}:
            setattr(self, name, list(state[name]) if name == "base" else state[name])
        for group, rate in zip(optimizer.groups, state["learning_rates"], strict=True):
            group["learning_rate"] = rate

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._options().items())})"

    # ── within ───────────────────────────────────────────────────────────────────────────────────────
    def _bind(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"a schedule is bound to an optimizer, and was given {optimizer!r}")
        self.optimizer = optimizer
        self.step_count = 0
        self.base = self.learning_rates
        self._set_rates()

    def _set_rates(self) -> None:
        for group, base in zip(self._optimizer().groups, self.base, strict=True):
            group["learning_rate"] = self.rate(base, self.step_count)

    def _optimizer(self) -> Optimizer:
        if self.optimizer is None:
            raise ValueError(f"{self!r} is bound to no optimizer yet; write schedule = schedule.attach(optimizer)")
        return self.optimizer

    def _described(self) -> dict[str, Any]:
        options = {name: x._described() if isinstance(x, Schedule) else x for name, x in self._options().items()}
        return {"schedule": type(self).__name__, "options": options}

    def _options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._option_names}


class StepLR(Schedule):
    """Times ``gamma`` after every ``step_size`` steps.

    Args:
        optimizer: whose learning rates to set; may come later, by ``attach``.
        step_size: how many steps the learning rate stays.
        gamma: the factor, above 0.

    >>> schedule = StepLR(step_size=2, gamma=0.5)
    >>> [schedule.rate(0.8, count) for count in range(5)]
    [0.8, 0.8, 0.4, 0.4, 0.2]

    Raises:
        ValueError, TypeError: an option out of range or of the wrong kind.
    """

    step_size: int
    gamma: float

    def __init__(self, optimizer: Optimizer | None = None, *, step_size: int, gamma: float = 0.1) -> None:
        super().__init__(optimizer, step_size=size(step_size, "step_size"), gamma=above_0("gamma", gamma))

    def rate(self, base: float, count: int) -> float:
        """``base · gamma^⌊count / step_size⌋``."""
        return float(base * self.gamma ** (count // self.step_size))


class ExponentialLR(Schedule):
    """Times ``gamma`` after every step.

    Args:
        optimizer: as for :class:`StepLR`.
        gamma: the factor, above 0.

    >>> schedule = ExponentialLR(gamma=0.5)
    >>> [schedule.rate(0.8, count) for count in range(4)]
    [0.8, 0.4, 0.2, 0.1]

    Raises:
        ValueError, TypeError: as :class:`StepLR`.
    """

    gamma: float

    def __init__(self, optimizer: Optimizer | None = None, *, gamma: float) -> None:
        super().__init__(optimizer, gamma=above_0("gamma", gamma))

    def rate(self, base: float, count: int) -> float:
        """``base · gamma^count``."""
        return float(base * self.gamma**count)


class CosineAnnealingLR(Schedule):
    """Half a cosine wave, from the learning rate at the beginning down to ``minimum`` after ``T_max`` steps.

    After ``T_max`` steps it goes up again the same way, as PyTorch's does.

    Source: Loshchilov, Hutter 2017, arXiv:1608.03983.

    Args:
        optimizer: as for :class:`StepLR`.
        T_max: how many steps it takes down to the minimum.
        minimum: the learning rate there, at least 0.

    >>> schedule = CosineAnnealingLR(T_max=4)
    >>> [round(schedule.rate(1.0, count), 3) for count in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]

    Raises:
        ValueError, TypeError: as :class:`StepLR`.
    """

    T_max: int
    minimum: float

    def __init__(self, optimizer: Optimizer | None = None, *, T_max: int, minimum: float = 0.0) -> None:
        super().__init__(optimizer, T_max=size(T_max, "T_max"), minimum=at_least_0("minimum", minimum))

    def rate(self, base: float, count: int) -> float:
        """``minimum + (base - minimum) · (1 + cos(π · count / T_max)) / 2``."""
        wave = (1 + math.cos(math.pi * count / self.T_max)) / 2
        return float(self.minimum + (base - self.minimum) * wave)


class WarmUp(Schedule):
    """Up to the learning rate on a straight line in ``steps`` steps; then another schedule from its beginning.

    In PyTorch this is a LinearLR, or a SequentialLR of a LinearLR and the other.

    Source: Goyal and others 2017, arXiv:1706.02677.

    Args:
        optimizer: as for :class:`StepLR`.
        steps: how many steps it takes up.
        then: the schedule that follows; by default the learning rate stays.
        start_factor: with which part of the learning rate to begin, above 0 and at most 1.

    >>> schedule = WarmUp(steps=2, start_factor=0.5, then=ExponentialLR(gamma=0.5))
    >>> [schedule.rate(1.0, count) for count in range(5)]
    [0.5, 0.75, 1.0, 0.5, 0.25]

    Raises:
        ValueError, TypeError: as :class:`StepLR`; or ``then`` is bound already, or waits for a metric.
    """

    steps: int
    then: Schedule | None
    start_factor: float

    def __init__(
        self,
        optimizer: Optimizer | None = None,
        *,
        steps: int,
        then: Schedule | None = None,
        start_factor: float = 1 / 3,
    ) -> None:
        if then is not None and (not isinstance(then, Schedule) or then.needs_metric):
            raise TypeError(f"then is a schedule that depends on the number of steps alone, and was given {then!r}")
        if then is not None and then.optimizer is not None:
            raise ValueError(f"then is bound to an optimizer already; write it without: then={then!r}")
        require("start_factor", start_factor, lambda x: 0 < x <= 1, "above 0 and at most 1")
        super().__init__(optimizer, steps=size(steps, "steps"), then=then, start_factor=start_factor)

    def rate(self, base: float, count: int) -> float:
        """``base · (start_factor + (1 - start_factor) · steps / over)``, then that of the other schedule."""
        if count < self.steps:
            return float(base * (self.start_factor + (1 - self.start_factor) * count / self.steps))
        return base if self.then is None else self.then.rate(base, count - self.steps)


def above_0(name: str, x: float) -> float:
    """A finite number above 0; an error that says so where it is not."""
    require(name, x, lambda x: x > 0 and math.isfinite(x), "a number above 0")
    return x


def at_least_0(name: str, x: float) -> float:
    """A finite number that is not negative; an error that says so where it is."""
    require(name, x, lambda x: x >= 0 and math.isfinite(x), "a number, at least 0")
    return x
