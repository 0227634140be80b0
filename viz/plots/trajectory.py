"""The trajectory of an optimizer: where the parameters were, step by step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from autodiff import Node
from viz.plots.numbers import Array


class Trajectory(list[list[Array]]):
    """Snapshots of parameters, for :func:`viz.plots.loss_surface`: a list, to which ``record()`` appends.

    Call ``record()`` in a loop, before the first step and after each. For ``fit``, make a callback of it, in one line;
    it records before training and after each epoch:

        class Watch(plots.Trajectory, nn.Callback): "Where the parameters were, epoch by epoch."

        watch = Watch(model.parameters())
        model.fit(X, y, callbacks=[watch])

    Args:
        parameters: leaves, such as ``model.parameters()``.

    >>> from autodiff import Value
    >>> from viz import plots
    >>> w = Value(3.0)
    >>> trajectory = plots.Trajectory([w])
    >>> for _ in range(3):
    ...     trajectory.record()
    ...     w.data = 0.5 * w.data
    >>> [float(snapshot[0]) for snapshot in trajectory]
    [3.0, 1.5, 0.75]

    Raises:
        TypeError: something is no node.
        ValueError: there are no parameters.
    """

    def __init__(self, parameters: Iterable[Any]) -> None:
        super().__init__()
        self.parameters = leaves(parameters)

    def record(self) -> None:
        """Append where the parameters are now."""
        self.append([np.array(parameter.data, dtype=float) for parameter in self.parameters])

    def on_train_begin(self, training: Any) -> None:
        """As a callback: record the beginning."""
        self.record()

    def on_epoch_end(self, training: Any) -> None:
        """As a callback: record the end of an epoch."""
        self.record()


def leaves(parameters: Any) -> list[Node]:
    """The parameters as a list of leaves; names in front of them are dropped.

    Raises:
        TypeError: something is no node, or was computed.
        ValueError: there are none.
    """
    if isinstance(parameters, Node):
        parameters = [parameters]
    given = [pair[1] if isinstance(pair, tuple) and len(pair) == 2 else pair for pair in parameters]
    for thing in given:
        if not isinstance(thing, Node):
            raise TypeError(
                f"parameters: expected Values and Tensors, such as model.parameters(); got {type(thing).__name__}"
            )
        if not thing.is_leaf:
            raise TypeError(f"parameters: {thing.name()[:60]} was computed, and only what was given can be moved")
    if not given:
        raise ValueError("parameters: expected at least one, such as model.parameters(); got none")
    return given
