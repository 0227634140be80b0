"""What ``fit`` was asked to do, checked; and in words, so that two plans can be compared."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from autodiff import Node
from nn.lookup import Function, name_of
from nn.training.callback import Callback
from nn.training.samples import Samples, checksum


@dataclass(frozen=True)
class Plan:
    """Everything that a training needs to know before it begins.

    Attributes:
        model: what is trained.
        samples, held_out: to learn from, and to validate with, if any.
        columns: the names of the features, where they came as a frame with names.
        loss, metrics: what is measured, metrics by name.
        optimizer: what moves the parameters.
        optimizer_shown: what it was like before a schedule changed it.
        schedule: of the learning rate; None leaves it alone.
        per_batch: whether the schedule goes on after every batch rather than after every epoch.
        clip: what is done to the gradients before a step, if anything.
        clip_shown: the same in words.
        callbacks: what is told of everything.
        epochs, batch_size: how often to go through the samples, and in how large steps.
        rng: draws the order of the samples.
        shuffle: whether they are put in another order for each epoch.
        verbose, compile: see ``fit``.
    """

    model: Any
    samples: Samples
    held_out: Samples | None
    columns: tuple[str, ...] | None
    loss: Function
    metrics: dict[str, Function]
    optimizer: Any
    optimizer_shown: str
    schedule: Any
    per_batch: bool
    clip: Callable[[list[tuple[str, Node]]], Any] | None
    clip_shown: str
    callbacks: Sequence[Callback]
    epochs: int
    batch_size: int
    rng: np.random.Generator
    shuffle: bool
    verbose: int
    compile: bool | None

    def measures(self) -> list[str]:
        """The columns of the history."""
        names = ["loss", *self.metrics]
        names += [f"validation_{name}" for name in names] if self.held_out else []
        return names + ["learning_rate"] * (self.schedule is not None)

    @cached_property
    def in_words(self) -> dict[str, str]:
        """All that must be the same for a training to go on where another one stopped."""
        words = {
            "model": repr(self.model),
            "samples": _in_words(self.samples),
            "validation": _in_words(self.held_out) if self.held_out else "none",
            "loss": name_of(self.loss),
            "metrics": ", ".join(self.metrics) or "none",
            "optimizer": self.optimizer_shown,
            "schedule": f"{self.schedule!r} per {'batch' if self.per_batch else 'epoch'}" if self.schedule else "none",
            "clip": self.clip_shown,
            "batch_size": str(self.batch_size),
            "shuffle": str(self.shuffle),
            "compile": str(self.compile),
        }
        return {name: _without_addresses(text) for name, text in words.items()}


def _in_words(samples: Samples) -> str:
    shapes = f"X {np.shape(samples.X)}, y {np.shape(samples.y)}"
    return f"{len(samples)} ({shapes}, checksum {checksum(samples):08x})"


def _without_addresses(text: str) -> str:
    """``text`` without the places of objects in memory, which are others in every process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)
