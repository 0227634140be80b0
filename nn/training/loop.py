"""The training loop: forward, backward, step; batch by batch, epoch by epoch."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import Node
from nn.data import deal, epoch_order
from nn.metrics import METRICS
from nn.training.callback import Callback
from nn.training.compiled import RefusedError
from nn.training.history import History
from nn.training.interrupt import Interrupt
from nn.training.plan import Plan
from nn.training.prediction import measured, switched
from nn.training.progress import Progress, Silence, progress
from nn.training.resuming import checked_checkpoint, restore, restore_callbacks, save
from nn.training.trial import try_out
from nn.training.ways import Eagerly, checked_loss, way_for

EVENTS = [name for name in vars(Callback) if name.startswith("on_")]


class Training:
    """One call of ``fit`` as it goes: what callbacks are given.

    Attributes:
        plan: what it was asked to do.
        model, optimizer, history: what is trained, by what, and what was measured.
        epoch, epochs: the present epoch, from 1, and how many there will be.
        batch, batches: how many batches of this epoch are done, and how many it has.
        rows: the samples of the present batch, by their place in X.
        batch_loss: its loss.
        measures: the columns of the history; a callback that records more adds their names when training begins.
        named_parameters: what the optimizer moves, with names.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.model, self.optimizer, self.history = plan.model, plan.optimizer, History()
        self.schedule: Any = None  # bound to the optimizer, from the beginning of the training on
        self.epoch, self.epochs = 1, plan.epochs
        self.batch, self.batches = 0, math.ceil(len(plan.samples) / plan.batch_size)
        self.order: NDArray[np.intp] | None = None  # of the samples in this epoch
        self.rows: NDArray[np.intp] = np.arange(0)
        self.batch_loss = math.nan
        self.total = 0.0  # of the losses of this epoch, each as often as its batch has samples
        self.outputs: list[NDArray[Any]] = []  # of this epoch, where there are metrics
        self.stopped_by: str | None = None  # the kind of callback
        self.measures = plan.measures()
        self.named_parameters = _named_parameters(plan)
        self._told = ""  # the kind of callback that is being told something
        self._progress: Progress = Silence()
        self.hooks = {event: _overriding(plan, event) for event in EVENTS}
        self._fleeting = _Fleeting(plan.model)
        self._saves: dict[str, Any] = {}
        self._interrupt = Interrupt()
        self._way = Eagerly(self)

    # ── the loop ─────────────────────────────────────────────────────────────────────────────────────
    def run(self, resume_from: str | None = None) -> History:
        """Train to the end, from the beginning or from where a checkpoint was written."""
        with self._interrupt, switched(self.model, training=True):
            with self._interrupt.leave:
                try_out(self.plan)
            checkpoint = None if resume_from is None else checked_checkpoint(self, resume_from)
            self._prepare()
            if checkpoint is not None:
                restore(self, checkpoint)
            self._way = way_for(self)
            self._tell("on_train_begin")
            if checkpoint is not None:
                restore_callbacks(self.plan.callbacks, checkpoint)
            done = (self.epoch - 1) * self.batches + self.batch
            self._progress = progress(self.plan.verbose, self.epochs, self.batches, done)
            try:
                while self.epoch <= self.epochs and self.stopped_by is None:
                    self._run_epoch()
                self._tell("on_train_end")
                self._write_checkpoints()
            finally:
                self._way.settle()
                self.history.compiled = self.compiled
                self._progress.close()
        return self.history

    def _prepare(self) -> None:
        """Change what training changes before its first step."""
        plan = self.plan
        if plan.schedule is not None:
            self.schedule = plan.schedule if plan.schedule.optimizer else plan.schedule.attach(plan.optimizer)
        if plan.columns is not None or hasattr(plan.model, "columns_"):
            plan.model.columns_ = plan.columns

    def _run_epoch(self) -> None:
        """Once through the samples, from the present batch on."""
        if self.order is None:
            self.order = epoch_order(len(self.plan.samples), self.plan.rng if self.plan.shuffle else None)
        self._tell("on_epoch_begin")
        for rows in deal(self.order, self.plan.batch_size, self.batch):
            self._step(rows)
            self._tell("on_batch_end")
            self._progress.batch_done()
            self._whole_step_done()
        self._end_epoch()
        self._whole_step_done()

    def _step(self, rows: NDArray[np.intp]) -> None:
        """One step down the gradient of the loss of these samples. It is made whole, or not at all."""
        self.rows = rows
        self._fleeting.keep()
        try:
            with self._interrupt.leave:
                outputs = self._gradients(rows)
                self._way.look()
            self._way.move()
        except BaseException:
            self.rewind()
            raise
        if self.plan.per_batch:
            self.schedule.step()
        self.batch += 1
        self.total += self.batch_loss * len(rows)
        if self.plan.metrics:
            self.outputs.append(self.plan.samples.numbers(outputs))

    def _gradients(self, rows: NDArray[np.intp]) -> Any:
        """The outputs for these samples, once the gradients are there."""
        try:
            return self._way.gradients(rows)
        except RefusedError as refused:
            if self.plan.compile:
                raise refused.why from None
            self._way.settle()
            if not refused.outputs:  # the model was not called, or broken off
                self.rewind()
            self._way = Eagerly(self, refused.why)
            self.history.eager_because = _first_line(refused.why)
            return self._way.gradients(rows, refused.outputs)

    def show_gradients(self) -> None:
        """Let callbacks see them."""
        for hook in self.hooks["on_gradients"]:
            self._call(hook)

    def _end_epoch(self) -> None:
        """Measure, record, and go on to the next epoch."""
        plan = self.plan
        numbers = {"loss": self.total / len(plan.samples)}
        with self._interrupt.leave:
            if plan.metrics:
                assert self.order is not None
                if not _all_ours(plan):
                    self._way.settle()
                numbers |= measured(plan.metrics, np.concatenate(self.outputs), np.asarray(plan.samples.y)[self.order])
            if plan.held_out is not None:
                found = self._way.validation()
                numbers |= {f"validation_{name}": number for name, number in found.items()}
        if self.schedule is not None:
            numbers["learning_rate"] = self.optimizer.learning_rate
            if self.schedule.needs_metric:
                self.schedule.step(numbers.get("validation_loss", numbers["loss"]))
            elif not plan.per_batch:
                self.schedule.step()
        self.history.record(**numbers)
        self._tell("on_epoch_end")
        self._progress.epoch_done(self.epoch, self.history, self.is_last)
        self.epoch, self.batch, self.order, self.total, self.outputs = self.epoch + 1, 0, None, 0.0, []

    # ── what callbacks and the loop do ───────────────────────────────────────────────────────────────
    @property
    def steps(self) -> int:
        """How many steps have been made."""
        return (self.epoch - 1) * self.batches + self.batch

    @property
    def compiled(self) -> bool:
        """Whether the steps are made by a compiled model; ``history.eager_because`` says what stood in the way."""
        return type(self._way) is not Eagerly

    @property
    def is_last(self) -> bool:
        """Whether no epoch follows the present one."""
        return self.stopped_by is not None or self.epoch >= self.epochs

    def stop(self) -> None:
        """Let this epoch be the last."""
        self.stopped_by = self._told

    def save(self, path: str | os.PathLike[str], *, normalizer: Any = None) -> None:
        """Write a checkpoint as soon as this step, or this epoch, is complete and all callbacks have been told."""
        self._saves[os.fspath(path)] = normalizer

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Give the model these weights, whole: Ctrl-C waits."""
        with self._interrupt.stay:
            self.model.load_state_dict(weights)

    def forward(self, rows: NDArray[np.intp], first: Any = ()) -> tuple[Any, Any]:
        """The outputs of the model for these samples, and their loss: computed eagerly, whatever is compiled.

        Args:
            rows: the samples.
            first: the outputs for the first of them, where they are known.
        """
        outputs = self.plan.samples.outputs(rows, first)
        loss = checked_loss(self.plan.loss(outputs, self.plan.samples.targets(rows)))
        return outputs, loss

    def rewind(self) -> None:
        """Bring running averages and random generators to where they were before the present batch."""
        self._fleeting.put_back()

    def _tell(self, event: str) -> None:
        hooks = self.hooks[event]
        if hooks:
            self._way.settle()
            with self._interrupt.leave:
                for hook in hooks:
                    self._call(hook)

    def _call(self, hook: Any) -> None:
        self._told = type(hook.__self__).__name__
        hook(self)

    def _whole_step_done(self) -> None:
        """The moment at which everything fits together: checkpoints are written, and Ctrl-C is obeyed."""
        if self._saves:
            self._write_checkpoints()
        if self._interrupt.count:
            self._leave()

    def _write_checkpoints(self) -> None:
        self._way.settle()
        with self._interrupt.leave:
            while self._saves:
                path, normalizer = next(iter(self._saves.items()))
                save(self, path, normalizer)
                del self._saves[path]

    def _leave(self) -> None:
        place = (
            f"after epoch {self.epoch - 1}" if self.order is None else f"in epoch {self.epoch} after batch {self.batch}"
        )
        message = f"training was interrupted {place}"
        self._way.settle()
        if self._interrupt.count == 1:
            self._tell("on_interrupt")
            paths = list(self._saves)
            self._write_checkpoints()
            message += "".join(f"; fit(..., resume_from={path!r}) goes on" for path in paths)
        self._interrupt.deliver(message)


class _Fleeting:
    """What a forward pass changes by itself: running averages, and the states of random generators."""

    def __init__(self, model: Any) -> None:
        self.buffers = [leaf for _, leaf in model.named_buffers()] if hasattr(model, "named_buffers") else []
        self.generators = [g for _, g in model.named_generators()] if hasattr(model, "named_generators") else []
        self.data: list[Any] = []
        self.states: list[Any] = []

    def keep(self) -> None:
        if self.buffers:
            self.data = [leaf.data for leaf in self.buffers]
        if self.generators:
            self.states = [generator.bit_generator.state for generator in self.generators]

    def put_back(self) -> None:
        for leaf, data in zip(self.buffers, self.data, strict=True):
            if leaf.data is not data:
                leaf.data = data
        for generator, state in zip(self.generators, self.states, strict=True):
            generator.bit_generator.state = state


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def _all_ours(plan: Plan) -> bool:
    """Whether no metric can look at the model."""
    return all(getattr(metric, "func", metric) in METRICS.values() for metric in plan.metrics.values())


def _overriding(plan: Plan, event: str) -> list[Any]:
    """The methods for this event of those callbacks that have one of their own."""
    return [getattr(c, event) for c in plan.callbacks if getattr(type(c), event) is not getattr(Callback, event)]


def _named_parameters(plan: Plan) -> list[tuple[str, Node]]:
    """What the optimizer moves, each with its name in the model."""
    moved = getattr(plan.optimizer, "parameters", None) or plan.model.parameters()
    names = {p: name for name, p in plan.model.named_parameters()} if hasattr(plan.model, "named_parameters") else {}
    return [(names.get(p) or p.label or f"parameter {i}", p) for i, p in enumerate(moved)]
