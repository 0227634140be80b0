"""Callbacks that stop training early, write its history, and write checkpoints."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from nn.checks import size
from nn.training.best import Best
from nn.training.callback import Callback

if TYPE_CHECKING:
    from nn.training.loop import Training


class EarlyStopping(Callback):
    """Stops training when a number has not become better for ``patience`` epochs.

    Source: Prechelt 1998, "Early Stopping - But When?", in Neural Networks: Tricks of the Trade.

    Args:
        monitor: the column of the history to watch.
        patience: how many epochs to wait for something better.
        min_delta: how much better counts as better.
        mode: "min" if lower is better, "max" if higher is; None knows it of losses and of our metrics.
        restore_best_weights: give the model, at the end of training, the weights of its best epoch (and the running
            averages that belong to them).

    Attributes:
        best_epoch: from 1; 0 before there is one.

    >>> EarlyStopping("validation_accuracy", patience=3)
    EarlyStopping('validation_accuracy', patience=3)

    Raises:
        ValueError: patience is below 1, another option is out of range; later, training does not measure ``monitor``.
    """

    def __init__(
        self,
        monitor: str = "validation_loss",
        *,
        patience: int = 10,
        min_delta: float = 0.0,
        mode: str | None = None,
        restore_best_weights: bool = True,
    ) -> None:
        self.patience = size(patience, "patience")
        self.best = Best(monitor, mode, min_delta)
        self.restore_best_weights = restore_best_weights
        self.best_epoch = self.waited = 0
        self.weights: dict[str, Any] | None = None

    def on_train_begin(self, training: Training) -> None:
        """Forget an earlier training."""
        self.best.check(training)
        if self.restore_best_weights:
            _check_state(training.model, "model")
        self.best.number, self.best_epoch, self.waited, self.weights = None, 0, 0, None

    def on_epoch_end(self, training: Training) -> None:
        """Count the epochs since the best one."""
        if self.best.improved(training):
            self.best_epoch, self.waited = training.epoch, 0
            if self.restore_best_weights:
                self.weights = training.model.state_dict()
        else:
            self.waited += 1
            if self.waited >= self.patience:
                training.stop()

    def on_train_end(self, training: Training) -> None:
        """Bring the best weights back."""
        if self.weights is not None:
            training.load_weights(self.weights)

    def state_dict(self) -> dict[str, Any]:
        """The best so far, and how long ago it was."""
        return {
            "monitor": self.best.monitor,
            "best": self.best.number,
            "best_epoch": self.best_epoch,
            "waited": self.waited,
            "weights": None if self.weights is None else dict(self.weights),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on counting."""
        self.best.number, self.best_epoch = state["best"], state["best_epoch"]
        self.waited, self.weights = state["waited"], state["weights"]

    def __repr__(self) -> str:
        return f"EarlyStopping({self.best.monitor!r}, patience={self.patience})"


class HistoryLogger(Callback):
    """Writes the history to a file after every epoch, as far as it goes: whole, and never half of it.

    Args:
        path: a file that ends in .csv or in .jsonl, see :class:`History`.

    >>> import tempfile
    >>> from nn import Network
    >>> path = os.path.join(tempfile.mkdtemp(), "history.csv")
    >>> options = {"epochs": 2, "verbose": 0, "callbacks": [HistoryLogger(path)]}
    >>> history = Network([1, 1], seed=0).fit([[0.0]], [1.0], **options)
    >>> with open(path) as file:
    ...     file.readlines()
    ['epoch,loss\\n', '1,1.0\\n', '2,0.6400000000000001\\n']

    Raises:
        ValueError: it has another ending.
        OSError: it cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        if not self.path.endswith((".csv", ".jsonl")):
            raise ValueError(f"a history is written to a .csv or a .jsonl file, and was given {self.path!r}")

    def on_train_begin(self, training: Training) -> None:
        """See whether the file can be written."""
        _check_folder(self.path)

    def on_epoch_end(self, training: Training) -> None:
        """Write the file anew."""
        history = training.history
        (history.to_csv if self.path.endswith(".csv") else history.to_jsonl)(self.path)

    def __repr__(self) -> str:
        return f"HistoryLogger({self.path!r})"


class Checkpoint(Callback):
    """Writes all that is needed to go on as if nothing had happened: ``fit(..., resume_from=path)``.

    Ctrl-C writes it too, after the step that is being made; it then holds the very batch.

    Args:
        path: the .npz file. It is replaced, whole or not at all.
        every: after how many epochs to write; the last epoch always.
        every_batches: after how many batches to write, instead.
        save_best_only: write only after an epoch that is the best so far, see ``monitor``; not after Ctrl-C.
        monitor, mode: what best means, as for :class:`EarlyStopping`.
        normalizer: of the data, to be kept in the file beside the model.

    >>> import tempfile
    >>> from nn import Network
    >>> path = os.path.join(tempfile.mkdtemp(), "run.npz")
    >>> X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    >>> history = Network([1, 1], seed=0).fit(X, y, epochs=2, seed=0, verbose=0, callbacks=[Checkpoint(path)])
    >>> history = Network([1, 1], seed=1).fit(X, y, epochs=5, seed=0, verbose=0, resume_from=path)
    >>> history == Network([1, 1], seed=0).fit(X, y, epochs=5, seed=0, verbose=0)
    True

    Raises:
        ValueError: a number below 1, an unknown mode; later, training does not measure ``monitor``.
        OSError: later, the file cannot be written; one that was there stands.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        every: int = 1,
        every_batches: int | None = None,
        save_best_only: bool = False,
        monitor: str = "validation_loss",
        mode: str | None = None,
        normalizer: Any = None,
    ) -> None:
        self.path = os.fspath(path)
        self.every = size(every, "every")
        self.every_batches = None if every_batches is None else size(every_batches, "every_batches")
        if self.every_batches and (every != 1 or save_best_only):
            raise ValueError("every_batches stands alone: give either it, or every and save_best_only")
        self.best = Best(monitor, mode) if save_best_only else None
        self.normalizer = normalizer

    def on_train_begin(self, training: Training) -> None:
        """Forget an earlier training, and see whether the file can be written."""
        _check_folder(self.path)
        _check_state(training.model, "model")
        _check_state(training.optimizer, "optimizer")
        if self.best is not None:
            self.best.check(training)
            self.best.number = None

    def on_batch_end(self, training: Training) -> None:
        """Write, where it is time to."""
        if self.every_batches and training.steps % self.every_batches == 0:
            self._save(training)

    def on_epoch_end(self, training: Training) -> None:
        """Write, where it is time to."""
        due = training.is_last or (self.every_batches is None and training.epoch % self.every == 0)
        improved = self.best is None or self.best.improved(training)
        if due and improved:
            self._save(training)

    def on_interrupt(self, training: Training) -> None:
        """Write where training stopped; but the best stays the best."""
        if self.best is None:
            self._save(training)

    def _save(self, training: Training) -> None:
        training.save(self.path, normalizer=self.normalizer)

    def state_dict(self) -> dict[str, Any]:
        """The best so far."""
        return (
            {"monitor": self.best.monitor, "best": self.best.number} if self.best else {"monitor": None, "best": None}
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on comparing with it."""
        if self.best is not None:
            self.best.number = state["best"]

    def __repr__(self) -> str:
        return f"Checkpoint({self.path!r})"


def _check_folder(path: str) -> None:
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "there is no such folder to write to", folder)


def _check_state(thing: Any, what: str) -> None:
    if not hasattr(thing, "state_dict"):
        raise TypeError(f"the {what} {thing!r} has no state_dict(), so that it cannot be saved")
