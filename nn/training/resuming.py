"""Where a training is, in a checkpoint and back: it then goes on as if it had never stopped, to the last bit."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from textwrap import indent
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.files.archive import BUDGET
from nn.files.checkpoint import SavedRun, load_checkpoint, save_checkpoint
from nn.files.errors import CheckpointError, FlawError, reading
from nn.files.generator_states import check_generator_state, generator_state
from nn.training.callback import Callback
from nn.training.history import History

if TYPE_CHECKING:
    from nn.training.loop import Training

KIND = "clearprop fit"


def save(training: Training, path: str, normalizer: Any = None) -> None:
    """Write a checkpoint of a training that is between two steps.

    Raises:
        OSError: it cannot be written; a file that was there stands.
        TypeError: a model, optimizer or callback has no state that a file can hold.
    """
    plan = training.plan
    progress = {
        "kind": KIND,
        "plan": plan.in_words,
        "epoch": training.epoch,
        "batch": training.batch,
        "order": training.order,
        "total": training.total,
        "outputs": np.concatenate(training.outputs) if training.outputs else None,
        "stopped_by": training.stopped_by,
        "history": {name: np.array(numbers) for name, numbers in training.history.items()},
        "shuffling": generator_state(plan.rng),
        "callbacks": [[type(callback).__name__, callback.state_dict()] for callback in plan.callbacks],
    }
    save_checkpoint(
        path,
        model=plan.model,
        optimizer=plan.optimizer,
        schedule=training.schedule,
        normalizer=normalizer,
        progress=progress,
    )


def checked_checkpoint(training: Training, path: str) -> SavedRun:
    """The checkpoint in a file, if it is of a training that was asked to do the same as this one.

    Raises:
        CheckpointError: it is damaged, or of another training; the message shows both.
        OSError: it cannot be read.
    """
    # What was written can be read, however large: it is not compressed, and takes about the memory that it has bytes.
    checkpoint = load_checkpoint(path, max_bytes=max(BUDGET, 2 * os.path.getsize(path)))
    with reading(path):
        progress = checkpoint.progress
        if progress is None or progress.get("kind") != KIND:
            raise FlawError(
                "it was not written by fit, and does not say where to go on; for the weights alone write "
                "load_checkpoint(path).restore(model=model)"
            )
        saved, here = progress.get("plan"), training.plan.in_words
        if isinstance(saved, dict) and _scheduled(training, checkpoint, saved.get("optimizer"), here["optimizer"]):
            here["optimizer"] = saved["optimizer"]
        if isinstance(saved, dict):
            saved = {"compile": "False", **saved}  # as all trainings went once
        _compare(saved, here)
        _check(progress, training)
    return checkpoint


def restore(training: Training, checkpoint: SavedRun) -> None:
    """Bring a training to where the one in the checkpoint was.

    Raises:
        CheckpointError: a state in it is refused; then nothing has changed.
    """
    plan, progress = training.plan, checkpoint.progress
    assert progress is not None
    checkpoint.restore(model=plan.model, optimizer=plan.optimizer, schedule=training.schedule)
    plan.rng.bit_generator.state = progress["shuffling"]
    training.epoch, training.batch = progress["epoch"], progress["batch"]
    training.order, training.total = progress["order"], progress["total"]
    training.outputs = [] if progress["outputs"] is None else [progress["outputs"]]
    if progress["stopped_by"] in [type(callback).__name__ for callback in plan.callbacks]:
        training.stopped_by = progress["stopped_by"]
    training.history = History({name: numbers.tolist() for name, numbers in progress["history"].items()})


def restore_callbacks(callbacks: Sequence[Callback], checkpoint: SavedRun) -> None:
    """Let each callback remember what one of its kind remembered that watched the same; one that is new begins afresh.

    Raises:
        CheckpointError: a state does not fit.
    """
    assert checkpoint.progress is not None
    left = list(checkpoint.progress["callbacks"])
    for callback in callbacks:
        kind, monitor = type(callback).__name__, callback.state_dict().get("monitor")
        alike = [i for i, saved in enumerate(left) if saved[0] == kind and saved[1].get("monitor") == monitor]
        place = alike[0] if alike else None
        if place is not None:
            try:
                callback.load_state_dict(left.pop(place)[1])
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                problem = f"its state of {kind} is refused: {type(error).__name__}: {error}"
                raise CheckpointError(checkpoint.path, problem) from error


def _scheduled(training: Training, checkpoint: SavedRun, saved: Any, here: str) -> bool:
    """Whether this optimizer is as the file's, but for a learning rate that the schedule had changed there, too.

    So it is after Ctrl-C, where the same optimizer is given to ``fit`` again.
    """
    plain = [re.sub(r"learning_rate=[^,)]*", "", str(text)) for text in (saved, here)]
    rates = [group["learning_rate"] for group in getattr(training.optimizer, "groups", ())]
    groups = (checkpoint.optimizer or {}).get("groups")
    there = [group.get("learning_rate") for group in groups if isinstance(group, dict)] if type(groups) is list else []
    return training.plan.schedule is not None and plain[0] == plain[1] and bool(rates) and repr(rates) == repr(there)


def _compare(saved: Any, here: dict[str, str]) -> None:
    """Nothing where both trainings were asked to do the same."""
    if not isinstance(saved, dict) or saved.keys() != here.keys():
        raise FlawError("it does not say what fit was asked to do")
    problems = []
    for name, value in here.items():
        if saved[name] != value:
            if "\n" in f"{saved[name]}{value}":
                shown = [indent(str(text), 4 * " ") for text in (saved[name], value)]
                problems.append(f"{name} in the file:\n{shown[0]}\n  and here:\n{shown[1]}")
            else:
                problems.append(f"{name}: {saved[name]} in the file, {value} here")
    if problems:
        raise FlawError("\n  ".join(["it is of a training that was asked to do something else", *problems]))


def _check(progress: dict[str, Any], training: Training) -> None:
    """Whether the numbers make sense; files may come from anywhere."""
    count, size = len(training.plan.samples), training.plan.batch_size
    try:
        epoch, batch, order, outputs = (progress[name] for name in ("epoch", "batch", "order", "outputs"))
        sensible = (
            type(epoch) is type(batch) is int
            and epoch >= 1
            and 0 <= batch <= (0 if order is None else training.batches)
            and (order is None or (order.dtype == np.intp and np.array_equal(np.sort(order), np.arange(count))))
            and (outputs is None or len(outputs) == min(batch * size, count))
            and (outputs is None) == (batch == 0 or not training.plan.metrics)
            and type(progress["total"]) is float
            and isinstance(progress["stopped_by"], str | None)
            and all(type(name) is str and numbers.dtype == float for name, numbers in progress["history"].items())
            and all(len(saved) == 2 and type(saved[1]) is dict for saved in progress["callbacks"])
        )
        check_generator_state(training.plan.rng, progress["shuffling"], "seed")
    except (KeyError, TypeError, AttributeError):
        sensible = False
    if not sensible:
        raise FlawError("its progress is not that of a training")
    if epoch - 1 > training.epochs:
        raise FlawError(f"{epoch - 1} epochs are done, and epochs is {training.epochs}")
