"""Training: go through the data in batches, and after each batch step down the gradient of its loss."""

from __future__ import annotations

import math
from collections.abc import Iterable
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autodiff import Node, no_grad
from nn.data import batches, checked_examples, checked_rows
from nn.lookup import Function
from nn.losses import loss_named
from nn.optimizers import SGD


class Model(Protocol):
    """What can be trained: it turns a row of numbers into a Value or a list of Values."""

    def __call__(self, row: Iterable[Any], /) -> Any:
        """The output or outputs for one row."""

    def parameters(self) -> list[Node]:
        """What is trained."""


class Optimizer(Protocol):
    """What changes parameters by their gradients."""

    def step(self) -> None:
        """Move the parameters."""

    def zero_grad(self) -> None:
        """Forget their gradients."""


class History(dict[str, list[float]]):
    """What happened in training: for each name ("loss", "validation_loss") one number per epoch.

    >>> history = History()
    >>> history.record(loss=0.5)
    >>> history.record(loss=0.25)
    >>> history
    {'loss': [0.5, 0.25]}
    """

    def record(self, **numbers: float) -> None:
        """Append the numbers of one epoch."""
        for name, number in numbers.items():
            self.setdefault(name, []).append(number)


def fit(
    model: Model,
    X: Any,
    y: Any,
    *,
    loss: str | Function = "mse",
    optimizer: Optimizer | None = None,
    learning_rate: float | None = None,
    epochs: int = 100,
    batch_size: int = 16,
    seed: int | np.random.Generator | None = None,
    validation: tuple[Any, Any] | None = None,
    verbose: int = 1,
) -> History:
    """Train ``model`` on rows ``X`` and targets ``y``; returns the loss of every epoch.

    Args:
        model: called on a row, it gives a Value or a list of Values.
        X: n rows of numbers: a list of lists, or an array of shape (n, features).
        y: n targets as the loss wants them: numbers, rows of numbers or class indices.
        loss: a name (see ``nn.losses``) or a function ``(predictions, targets) -> Value`` for a batch.
        optimizer: by default ``SGD(model.parameters(), learning_rate)``.
        learning_rate: of that default optimizer, 0.1 if not given.
        epochs: how often to go through the data.
        batch_size: how many rows to average the gradient over; the last batch may be smaller.
        seed: an integer, or the NumPy generator that shuffles the rows before each epoch.
        validation: a pair (X, y) whose loss is computed after each epoch; nothing is learnt from it.
        verbose: print every epoch (1), every k-th and the last (k), or nothing (0).

    The recorded "loss" is the mean over the epoch, while the parameters move; "validation_loss" is
    computed with the parameters as the epoch left them.

    >>> from nn import Network
    >>> model = Network([1, 1], seed=0)
    >>> history = fit(model, [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0], epochs=300, seed=0, verbose=0)
    >>> print(f"{history['loss'][-1]:.6f}  {model([10.0]):.4f}")
    0.000000  21.0000

    Raises:
        ValueError: X or y is empty, holds a NaN or an infinity, they differ in length, a row has another
            length than the model takes; or an option is out of range.
        TypeError: X or y holds something other than numbers, or the loss does not return a node.
        FloatingPointError: the loss of a batch is NaN or infinite.
    """
    features = getattr(model, "inputs", None)
    rows, targets = checked_examples(X, y, features)
    held_out = checked_examples(*validation, features, ("validation X", "validation y")) if validation else None
    for name, number, least in (("epochs", epochs, 1), ("batch_size", batch_size, 1), ("verbose", verbose, 0)):
        if number < least:
            raise ValueError(f"{name} is at least {least}, and was given {number}")
    if optimizer is not None and learning_rate is not None:
        raise ValueError("give either an optimizer, which has its own learning rate, or a learning_rate")
    optimizer = optimizer or SGD(model.parameters(), 0.1 if learning_rate is None else learning_rate)
    loss = loss_named(loss)
    rng = np.random.default_rng(seed)
    history = History()

    for epoch in range(1, epochs + 1):
        started = perf_counter()
        total = 0.0
        for batch in batches(len(rows), batch_size, rng):
            optimizer.zero_grad()
            wrong = loss([model(rows[i]) for i in batch], [targets[i] for i in batch])
            _check_loss(wrong, epoch)
            wrong.backward()
            optimizer.step()
            total += float(wrong.data) * len(batch)
        history.record(loss=total / len(rows))
        if held_out:
            history.record(validation_loss=_loss_on(model, *held_out, loss))
        if verbose and (epoch % verbose == 0 or epoch == epochs):
            print(_progress(epoch, epochs, history, perf_counter() - started), flush=True)
    return history


def predict(model: Model, X: Any) -> NDArray[Any]:
    """The outputs of ``model`` for rows ``X``: shape (n,) for a single output, else (n, outputs).

    >>> from nn import Network
    >>> predict(Network([2, 3, 2], seed=0), [[0.0, 0.0]])
    array([[0., 0.]])

    Raises:
        ValueError, TypeError: as :func:`fit`, for X.
    """
    with no_grad():
        outputs = [model(row) for row in checked_rows(X, getattr(model, "inputs", None))]
    return np.array([out.data if isinstance(out, Node) else [value.data for value in out] for out in outputs])


def _loss_on(model: Model, rows: list[list[float]], targets: list[Any], loss: Function) -> float:
    with no_grad():
        return float(loss([model(row) for row in rows], targets).data)


def _check_loss(loss: Any, epoch: int) -> None:
    if not isinstance(loss, Node):
        raise TypeError(f"the loss is {loss!r}, a plain {type(loss).__name__}: compute it from the predictions")
    if not math.isfinite(loss.data):
        raise FloatingPointError(f"the loss is {loss.data:.4g} in epoch {epoch}; try a smaller learning rate")


def _progress(epoch: int, epochs: int, history: History, seconds: float) -> str:
    losses = "   ".join(f"{name.replace('_', ' ')} {numbers[-1]:.4f}" for name, numbers in history.items())
    return f"epoch {epoch:>{len(str(epochs))}}/{epochs}   {losses}   {1000 * seconds:.0f} ms"
