"""fit: train a model on samples and targets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any

import numpy as np

from autodiff import Node
from nn.checks import size
from nn.data import column_names
from nn.lookup import Function
from nn.optimizers.clipping import clip_by_norm, clip_by_value
from nn.optimizers.rules import SGD, optimizer_named
from nn.optimizers.runs import plain_number
from nn.optimizers.schedules import Schedule
from nn.training.callback import Callback
from nn.training.callbacks import Checkpoint
from nn.training.history import History
from nn.training.loop import Training
from nn.training.plan import Plan
from nn.training.prediction import evaluate as evaluate
from nn.training.prediction import loss_of, metrics_named
from nn.training.prediction import predict as predict
from nn.training.samples import Model, Samples, samples_for


def fit(
    model: Model,
    X: Any,
    y: Any,
    *,
    loss: str | Function | None = None,
    optimizer: Any = None,
    learning_rate: float | None = None,
    epochs: int = 100,
    batch_size: int = 16,
    validation_data: tuple[Any, Any] | None = None,
    validation_split: float | None = None,
    metrics: Iterable[str | Function] = (),
    callbacks: Sequence[Callback] = (),
    schedule: Any = None,
    clip: float | tuple[str, float] | None = None,
    shuffle: bool = True,
    seed: int | np.random.Generator | None = None,
    resume_from: str | os.PathLike[str] | None = None,
    verbose: int = 1,
    compile: bool | None = None,
) -> History:
    """Train ``model`` on samples ``X`` and targets ``y``; returns what was measured in every epoch.

    Args:
        model: made of Values it is called on one row after the other, and gives a Value or a list of Values; made of
            Tensors it is called on batches, and gives a Tensor with an output for each sample.
        X: n samples, of shape (n, features) or any other; lists, arrays or frames. Rows for a model of Values.
        y: n targets as the loss wants them: numbers, rows of numbers or class indices.
        loss: a name (see ``nn.losses``) or a function ``(predictions, targets) -> node`` for a batch; by default
            the ``default_loss`` of the model, or else "mse".
        optimizer: a name (see ``nn.optimizers``), or one that was made with the model's parameters; by default SGD.
        learning_rate: of an optimizer that is named; by default its own, and 0.1 where none is named.
        epochs: how often to go through the samples.
        batch_size: how many samples to average the gradient over; the last batch may be smaller.
        validation_data: a pair (X, y) to measure after each epoch; nothing is learnt from it.
        validation_split: or the part of X and y to hold out for that, from their end, before they are shuffled.
        metrics: names (see ``nn.metrics``) or functions ``(predictions, targets) -> number``.
        callbacks: what else to do, see ``nn.training.callbacks``.
        schedule: of the learning rate, counting epochs: ``StepLR(step_size=30)``; or ``("batch", schedule)``, counting
            batches. One that waits for a metric watches "validation_loss", or without validation "loss".
        clip: the largest norm that the gradient may have, of all parameters together; or ("value", x), the largest
            that any number in it may be.
        shuffle: whether to go through the samples in another order in each epoch.
        seed: an integer, or the NumPy generator that draws these orders.
        resume_from: a checkpoint that the callback ``Checkpoint`` wrote, to go on from as if nothing had happened; all
            other arguments must be the same as then, but for ``epochs``, ``callbacks`` and ``verbose``.
        verbose: show progress (1: a bar where tqdm is installed and the output is a terminal, else a line for each
            epoch), print every k-th epoch and the last (k), or nothing (0).
        compile: whether the model is compiled, see ``autodiff.compile``. A model of Values is called on one row then,
            and batches run through matrices; the graph of a model of Tensors is built once for each shape of batches.
            None compiles what can be compiled, and goes eagerly where not: the attributes ``compiled`` and
            ``eager_because`` of the history tell. True insists; False goes eagerly, to watch it. The numbers agree to
            1e-10, relative, and are the same in every run.

    A model that is compiled is not called any more, as long as nothing that it reaches is changed. So it cannot be one
    that branches on a number of its input, draws random numbers or keeps something, as Dropout and BatchNorm do in
    training, or that picks by whole numbers in it, as Embedding does. While nobody is there to look at the Values of
    a model between two batches, they are given their numbers at the end of an epoch only: callbacks, checkpoints, and
    metrics and losses of the caller's own always find them up to date, another thread may not.

    The recorded "loss", and metrics such as "accuracy", are of the epoch as it went, while the parameters moved;
    "validation_loss" and "validation_accuracy" are measured with the parameters as the epoch left them. With a
    schedule, "learning_rate" is recorded too.

    Ctrl-C finishes the step (or, at the end of an epoch, the measuring), lets ``Checkpoint`` write, and raises
    KeyboardInterrupt; a second one raises at once, with the parameters as the last whole step left them.

    >>> from nn import Network
    >>> model = Network([1, 1], seed=0)
    >>> history = fit(model, [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0], epochs=300, seed=0, verbose=0)
    >>> print(f"{history['loss'][-1]:.6f}  {model([10.0]):.4f}")
    0.000000  21.0000

    Raises:
        ValueError: X or y is empty, holds a NaN or an infinity, they differ in length, a row has another
            length than the model takes; or an option is out of range.
        TypeError: X or y holds something other than numbers, or the loss does not return a node.
        TraceError: ``compile`` is True, and the model cannot be compiled; the message has the line, and says why.
        IndexError: a class index is out of range.
        FloatingPointError: the loss of a batch, or its gradient after clipping, is NaN or infinite; nothing has moved
            then since the batch before.
        CheckpointError: ``resume_from`` is damaged, or of another training; the message shows both.
        OSError: a checkpoint or a history cannot be written, or ``resume_from`` not be read.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    loss = loss_of(model, loss)
    columns = column_names(X)
    samples = samples_for(model, X, y, columns=columns)
    samples, held_out = _held_out(samples, columns, validation_data, validation_split)
    optimizer = _optimizer(model, optimizer, learning_rate)
    schedule, per_batch = _schedule(schedule, optimizer)
    if resume_from is None and (schedule is None or schedule.optimizer is None):
        _check_rates(optimizer)
    clipping, clip_shown = _clipping(clip)
    plan = Plan(
        model=model,
        samples=samples,
        held_out=held_out,
        columns=columns,
        loss=loss,
        metrics=metrics_named(metrics, loss),
        optimizer=optimizer,
        optimizer_shown=repr(optimizer),
        schedule=schedule,
        per_batch=per_batch,
        clip=clipping,
        clip_shown=clip_shown,
        callbacks=_callbacks(callbacks),
        epochs=size(epochs, "epochs"),
        batch_size=size(batch_size, "batch_size"),
        rng=np.random.default_rng(seed),
        shuffle=shuffle,
        verbose=size(verbose, "verbose", least=0),
        compile=_compiling(compile),
    )
    training = Training(plan)  # in a context of its own, since Ctrl-C may leave a scope or a no_grad() half-open
    return copy_context().run(training.run, None if resume_from is None else os.fspath(resume_from))


def _held_out(
    samples: Samples, columns: tuple[str, ...] | None, given: Any, fraction: float | None
) -> tuple[Samples, Samples | None]:
    """What to train on, and what to validate with."""
    if given is None:
        return (samples, None) if fraction is None else samples.split(fraction)
    if fraction is not None:
        raise ValueError("give either validation_data or validation_split, which takes it from X and y")
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise TypeError(f"validation_data is a pair (X, y), and was given {type(given).__name__}")
    return samples, samples_for(samples.model, *given, names=("validation X", "validation y"), columns=columns)


def _optimizer(model: Model, given: Any, learning_rate: float | None) -> Any:
    """The optimizer that moves the parameters of the model."""
    named = getattr(model, "named_parameters", model.parameters)
    if given is None:
        return SGD(named(), 0.1 if learning_rate is None else learning_rate)
    if isinstance(given, str):
        kind = optimizer_named(given)
        return kind(named()) if learning_rate is None else kind(named(), learning_rate)
    if isinstance(given, type) or not (hasattr(given, "step") and hasattr(given, "zero_grad")):
        name = given.__name__ if isinstance(given, type) else "Adam"
        shown = name if isinstance(given, type) else repr(given)
        raise TypeError(f"optimizer is a name such as 'adam', or {name}(model.parameters()); was given {shown}")
    if learning_rate is not None:
        raise ValueError("give either an optimizer, which has its own learning rate, or a learning_rate")
    if hasattr(given, "parameters") and set(given.parameters).isdisjoint(model.parameters()):
        raise ValueError(f"{given!r} moves no parameter of this model; make it with model.parameters()")
    return given


def _schedule(given: Any, optimizer: Any) -> tuple[Schedule | None, bool]:
    """The schedule, and whether it counts batches."""
    schedule, per_batch = given, False
    if isinstance(given, tuple) and len(given) == 2:
        if given[0] not in ("epoch", "batch"):
            raise ValueError(f"a schedule counts 'epoch' or 'batch', and was given {given[0]!r}")
        schedule, per_batch = given[1], given[0] == "batch"
    if schedule is None:
        return None, False
    if not isinstance(schedule, Schedule):
        raise TypeError(f"schedule is such as StepLR(step_size=30), or ('batch', schedule); was given {given!r}")
    if per_batch and schedule.needs_metric:
        raise ValueError(f"{schedule!r} waits for a metric, which is there after an epoch, not after a batch")
    if schedule.optimizer is not None and schedule.optimizer is not optimizer:
        raise ValueError(f"{schedule!r} is bound to another optimizer; give it alone, without an optimizer in it")
    return schedule, per_batch


def _check_rates(optimizer: Any) -> None:
    """A schedule may have brought the learning rate down to 0 in an earlier training: nothing would be learnt."""
    groups = getattr(optimizer, "groups", None)
    if groups and all(group["learning_rate"] == 0 for group in groups):
        raise ValueError(
            "the learning rate of the optimizer is 0, where a schedule may have left it; set "
            "optimizer.learning_rate, or make the optimizer anew"
        )


def _clipping(given: Any) -> tuple[Callable[[list[tuple[str, Node]]], Any] | None, str]:
    """What is done to the gradients, and the same in words."""
    if given is None:
        return None, "none"
    how, bound = given if isinstance(given, tuple) and len(given) == 2 else ("norm", given)
    bound = plain_number(bound)
    ways: dict[Any, tuple[Any, str]] = {"norm": (clip_by_norm, "max_norm"), "value": (clip_by_value, "limit")}
    if how not in ways or isinstance(bound, bool) or not isinstance(bound, int | float):
        raise TypeError(f"clip is the largest norm of the gradient, or ('value', largest number); was given {given!r}")
    if not bound > 0:
        raise ValueError(f"clip is above 0, and was given {given!r}")
    function, name = ways[how]
    return partial(function, **{name: bound}), f"{how} {bound!r}"


def _compiling(given: Any) -> bool | None:
    if given is not None and not isinstance(given, bool):
        raise TypeError(f"compile is True, False, or None to compile what can be; was given {given!r}")
    return given


def _callbacks(given: Any) -> list[Callback]:
    """Callbacks, those that write checkpoints last: they write what the others have decided."""
    if isinstance(given, Callback) or not isinstance(given, list | tuple):
        raise TypeError(f"callbacks is a list, such as [EarlyStopping()], and was given {given!r}")
    for callback in given:
        if not isinstance(callback, Callback):
            hint = f"{callback.__name__}()" if isinstance(callback, type) else "a subclass of nn.Callback"
            raise TypeError(f"callbacks has {callback!r}, which is no callback; write {hint}")
    return sorted(given, key=lambda callback: isinstance(callback, Checkpoint))
