"""Checkpoints: everything a training run needs to continue as if it had never stopped, in one file."""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from reprlib import repr as shown
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nn.files.archive import BUDGET, read_archive, write_archive
from nn.files.errors import FlawError, reading
from nn.files.generator_states import check_generator_state, generator_state, restore_generator
from nn.files.state_trees import pack, unpack
from nn.files.weights import check_weights

KIND, VERSION = "checkpoint", 1
PARTS = ("weights", "description", "optimizer", "schedule", "normalizer", "generators", "progress", "extra")
State = dict[str, Any]


@dataclass(frozen=True)
class SavedRun:
    """What a checkpoint file holds. What was not saved is None.

    Attributes:
        path: the file it was read from.
        weights: the model's ``state_dict()``: parameters and buffers by name.
        description: the model, as ``repr`` showed it.
        optimizer, schedule, normalizer: their ``state_dict()``.
        generators: the state of each of the model's random generators, by name.
        progress: where the training was (epoch, batch ...).
        extra: whatever else was given.
        version: of the layout of checkpoints.
    """

    path: str
    weights: dict[str, NDArray[Any]]
    description: str
    optimizer: State | None
    schedule: State | None
    normalizer: State | None
    generators: dict[str, State]
    progress: State | None
    extra: Any
    version: int

    def restore(
        self, *, model: Any = None, optimizer: Any = None, schedule: Any = None, normalizer: Any = None
    ) -> None:
        """Bring those that are given into the state that was saved: all of them, or, if anything fails, none.

        A model gets its weights and its random generators.

        Raises:
            CheckpointError: the checkpoint is of another architecture (the message lists missing, unexpected
                and misshapen entries and shows both models), or holds no such state, or one that is refused.
        """
        with reading(self.path):
            steps = []
            if model is not None:
                check_weights(model, self.weights, self.description)
                steps.append(_Step("model", model.state_dict, model.load_state_dict, self.weights))
                steps += self._generator_steps(dict(model.named_generators()))
            given = {"optimizer": optimizer, "schedule": schedule, "normalizer": normalizer}
            for name, thing in given.items():
                if thing is not None:
                    state = getattr(self, name)
                    if state is None:
                        raise FlawError(f"it holds no {name}; it was saved without {name}=")
                    steps.append(_Step(name, thing.state_dict, thing.load_state_dict, state))
            _all_or_none(steps)

    def _generator_steps(self, generators: dict[str, np.random.Generator]) -> list[_Step]:
        if generators.keys() != self.generators.keys():
            names = f"{list(self.generators)}, and those of the model here are {list(generators)}"
            raise FlawError(f"its random generators are {names:.2000}")
        for name, generator in generators.items():
            check_generator_state(generator, self.generators[name], name)
        return [
            _Step(name, partial(generator_state, rng), partial(restore_generator, rng), self.generators[name])
            for name, rng in generators.items()
        ]


class _Step(NamedTuple):
    """One thing to restore: how to read the state it has, how to give it one, and which."""

    name: str
    read: Callable[[], Any]
    assign: Callable[[Any], Any]
    state: Any


def save_checkpoint(
    path: str | os.PathLike[str],
    *,
    model: Any,
    optimizer: Any = None,
    schedule: Any = None,
    normalizer: Any = None,
    progress: State | None = None,
    extra: Any = None,
) -> None:
    """Write all state to one .npz file, whole or not at all: a crash at any moment leaves the old file or the new.

    Args:
        path: the file; one that is there is replaced.
        model: its ``state_dict()``, ``named_generators()`` and ``repr`` are kept.
        optimizer, schedule, normalizer: their ``state_dict()`` is kept.
        progress, extra: numbers, strings, arrays, and lists, tuples and dictionaries of them; every bit is kept.

    >>> import tempfile
    >>> from nn import Network
    >>> path = os.path.join(tempfile.mkdtemp(), "run.npz")
    >>> save_checkpoint(path, model=Network([2, 3, 1], seed=0), progress={"epoch": 7})
    >>> other = Network([2, 3, 1], seed=1)
    >>> checkpoint = load_checkpoint(path)
    >>> checkpoint.restore(model=other)
    >>> checkpoint.progress, other([1.0, 2.0]).data == Network([2, 3, 1], seed=0)([1.0, 2.0]).data
    ({'epoch': 7}, True)

    Raises:
        OSError: it cannot be written (the disk is full, say); the old file stands, and no other is left.
        TypeError: a state that holds something else, such as fractions; the message says where.
    """
    state = {
        "weights": dict(model.state_dict()),
        "description": repr(model),
        "optimizer": None if optimizer is None else optimizer.state_dict(),
        "schedule": None if schedule is None else schedule.state_dict(),
        "normalizer": None if normalizer is None else normalizer.state_dict(),
        "generators": {name: generator_state(generator) for name, generator in model.named_generators()},
        "progress": progress,
        "extra": extra,
    }
    tree, arrays = pack(state)
    write_archive(path, arrays, {"kind": KIND, "checkpoint_version": VERSION, "state": tree})


def load_checkpoint(path: str | os.PathLike[str], *, max_bytes: int = BUDGET) -> SavedRun:
    """Read a checkpoint file, which may come from anywhere: nothing in it is run or trusted.

    Args:
        path: a file of :func:`save_checkpoint`.
        max_bytes: how much memory it may take.

    >>> import tempfile
    >>> from nn import Network
    >>> path = os.path.join(tempfile.mkdtemp(), "run.npz")
    >>> save_checkpoint(path, model=Network([1, 1], seed=0), progress={"loss": [0.5, float("nan")]})
    >>> checkpoint = load_checkpoint(path)
    >>> checkpoint.progress["loss"], checkpoint.weights["layers.0.neurons.0.bias"]
    ([0.5, nan], array(0.))

    Raises:
        CheckpointError: it is damaged, forged, too large, or no checkpoint; the message says what was found.
        OSError: it is not there, or cannot be read.
    """
    arrays, metadata = read_archive(path, max_bytes=max_bytes)
    with reading(path):
        if metadata.get("kind") != KIND:
            raise FlawError(f"it holds {shown(metadata.get('kind'))}; expected a checkpoint (see load_weights)")
        if metadata.get("checkpoint_version") != VERSION:
            found = shown(metadata.get("checkpoint_version"))
            raise FlawError(f"it is a checkpoint of version {found}; this library reads {VERSION}")
        state = unpack(metadata.get("state"), arrays)
        _check_parts(state)
        return SavedRun(path=os.fspath(path), version=VERSION, **state)


def _all_or_none(steps: list[_Step]) -> None:
    """Take every step, or undo those that were taken."""
    before = [deepcopy(step.read()) for step in steps]
    taken = 0
    try:
        for step in steps:
            taken += 1
            step.assign(deepcopy(step.state))  # the checkpoint stays as it is, whatever becomes of this one
    except BaseException as error:
        for step, state in zip(steps[:taken], before, strict=False):
            step.assign(state)
        if isinstance(error, Exception):
            name = steps[taken - 1].name
            raise FlawError(f"its state of the {name} is refused: {type(error).__name__}: {error}") from error
        raise


def _check_parts(state: Any) -> None:
    """Check that the state has the parts of a checkpoint, each of its type."""
    if not isinstance(state, dict) or tuple(state) != PARTS:
        raise FlawError("its state does not have the parts of a checkpoint")
    optional = ("optimizer", "schedule", "normalizer", "progress")
    types = {"weights": dict, "description": str, "generators": dict} | dict.fromkeys(optional, dict | None)
    for name, kind in types.items():
        if not isinstance(state[name], kind):
            raise FlawError(f"its {name} is {type(state[name]).__name__}")
    for name, array in state["weights"].items():
        if not isinstance(name, str) or not isinstance(array, np.ndarray):
            raise FlawError(f"its weight {name!r} is not an array")
