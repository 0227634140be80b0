"""Callback: what else happens in training, at its beginning and end, and after every batch and epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nn.training.loop import Training


class Callback:
    """Something that is told what happens in training. Subclass it and override what you need.

    Every method is given the training: its ``model``, ``optimizer``, ``history``, ``epoch`` (from 1), ``epochs``,
    ``batch`` (how many are done in this epoch), ``batches`` (how many it has), ``rows`` (the samples of the batch),
    ``batch_loss``, and ``stop()`` and ``save(path)``.

    >>> from nn import Network
    >>> class StopWhenGood(Callback):
    ...     def on_epoch_end(self, training):
    ...         if training.history["loss"][-1] < 1e-3:
    ...             training.stop()
    >>> X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    >>> history = Network([1, 1], seed=0).fit(X, y, callbacks=[StopWhenGood()], seed=0, verbose=0)
    >>> len(history["loss"])
    29
    """

    def on_train_begin(self, training: Training) -> None:
        """Training begins, or goes on where a checkpoint was written."""

    def on_epoch_begin(self, training: Training) -> None:
        """An epoch begins, or goes on."""

    def on_gradients(self, training: Training) -> None:
        """The gradients of a batch are there, and nothing has moved yet. What raises here prevents the step."""

    def on_batch_end(self, training: Training) -> None:
        """The step of a batch is done."""

    def on_epoch_end(self, training: Training) -> None:
        """An epoch is done, and its losses and metrics are in the history."""

    def on_interrupt(self, training: Training) -> None:
        """Ctrl-C was pressed: a step is done, and training is about to end."""

    def on_train_end(self, training: Training) -> None:
        """Training is done, and was not interrupted."""

    def state_dict(self) -> dict[str, Any]:
        """What it remembers, for checkpoints: numbers, strings, arrays, and lists and dictionaries of them."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Remember what ``state_dict()`` gave; called after ``on_train_begin``."""
