"""Recurrent layers: cells that go through sequences, forwards, backwards and one above the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import concatenate, scope, stack, where
from autodiff.context import silent
from nn.checks import Seed, axes_of, head, size
from nn.layers.dropout import Dropout
from nn.layers.recurrent_cells import GRUCell, LSTMCell, RecurrentCell, RNNCell, State, parts_of
from nn.lookup import Function
from nn.module import Module


class Recurrent(Module):
    """What :class:`RNN`, :class:`LSTM` and :class:`GRU` share.

    Args:
        inputs: how many features each step of a sequence has.
        hidden: how many features the state has.
        layers: how many cells stand one above the other; each reads the states of the one below.
        bidirectional: whether another cell goes through the sequence from its end; the features of both are joined.
        dropout: the probability with which features between the layers are dropped in training.
        return_sequences: whether the output is the state after every step, shape (N, T, features), or the last
            alone, shape (N, features): for the cell that goes backwards, the one after the first step.
        return_state: whether the output is a pair with the last state of every cell, which can be handed in again.
        seed: an integer, or the NumPy generator to draw from.
        options: for the cells, such as ``bias=False``.

    Called on x of shape (N, T, inputs), optionally with ``state``, of shape (layers · directions, N, hidden) (a pair
    for LSTM); and for sequences of unequal length, filled up to T with anything finite, either with ``lengths``
    (N integers) or with ``mask``, a boolean array of shape (N, T). Where the mask is False the state stays, and
    the output is 0.

    ``fit`` and ``predict`` hand a model one array, so there a feature of its own says which steps are real:

    >>> from nn import Dense
    >>> class Classifier(Module):
    ...     def __init__(self):
    ...         self.lstm, self.out = LSTM(2, 8, return_sequences=False, seed=0), Dense(8, 3, seed=0)
    ...
    ...     def forward(self, x):
    ...         return self.out(self.lstm(x[..., :2], mask=x[..., 2] == 1))
    >>> X = np.zeros((2, 5, 3))  # a sequence of 5 steps and one of 3, filled up
    >>> X[0, :5, 2] = X[1, :3, 2] = 1
    >>> Classifier().predict(X).shape
    (2, 3)
    """

    kind: type[RecurrentCell]

    def __init__(
        self,
        inputs: int,
        hidden: int,
        *,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        return_sequences: bool = True,
        return_state: bool = False,
        seed: Seed = None,
        **options: Any,
    ) -> None:
        self.inputs, self.hidden = size(inputs, "inputs"), size(hidden, "hidden")
        self.bidirectional = bidirectional
        self.return_sequences, self.return_state = return_sequences, return_state
        rng = np.random.default_rng(seed)
        self.outputs = hidden * (2 if bidirectional else 1)
        self.cells: list[RecurrentCell] = []
        self.backward_cells: list[RecurrentCell] = []
        for depth in range(size(layers, "layers")):
            below = inputs if depth == 0 else self.outputs
            self.cells.append(self.kind(below, hidden, seed=rng, **options))
            if bidirectional:
                self.backward_cells.append(self.kind(below, hidden, seed=rng, **options))
        self.dropout = Dropout(dropout, seed=rng)

    def forward(self, x: Any, state: Any = None, *, mask: Any = None, lengths: Any = None) -> Any:
        """The states of the upper layer after every step, or after the last one."""
        x = axes_of(self, x, "N T F", F=self.inputs)
        valid = _mask(self, x.shape[0], x.shape[1], mask, lengths)
        before = iter(self._initial(state, x.shape[0]))
        sequence = x.transpose(2, 1, 0)  # features, steps, samples: what a cell wants
        last: list[State] = []
        for depth in range(len(self.cells)):
            if depth:
                sequence = self.dropout(sequence)
            run = [_go_through(f"cells.{depth}", self.cells[depth], sequence, next(before), valid)]
            if self.bidirectional:
                cell = self.backward_cells[depth]
                run.append(_go_through(f"backward_cells.{depth}", cell, sequence, next(before), valid, backwards=True))
            last += [states[0 if backwards else -1] for backwards, states in enumerate(run)]
            if self.return_sequences or depth < len(self.cells) - 1:
                joined = [stack([part[0] for part in states], axis=1) for states in run]
                sequence = joined[0] if len(joined) == 1 else concatenate(joined)
                sequence = sequence if valid is None else sequence * valid.astype(sequence.dtype)
        if self.return_sequences:
            output = sequence.transpose(2, 1, 0)
        else:
            output = concatenate([parts[0] for parts in last[-len(run) :]]).T
        return (output, self._state_of(last)) if self.return_state else output

    def _initial(self, state: Any, samples: int) -> list[State]:
        """The state before the first step for each cell, its parts of shape (hidden, N)."""
        first, count = self.cells[0], len(self.cells) + len(self.backward_cells)
        if state is None:
            return [tuple(part.T for part in first.checked_state(None, samples))] * count
        parts = parts_of(type(self).__name__, state, first.parts, (count, samples, self.hidden))
        return [tuple(part[i].T for part in parts) for i in range(count)]

    def _state_of(self, last: list[State]) -> Any:
        return self.cells[0].state_of(tuple(stack([part.T for part in parts]) for parts in zip(*last, strict=True)))

    def extra_repr(self) -> str:
        """The arguments."""
        shown = [f"{self.inputs}, {self.hidden}"]
        shown += [f"layers={len(self.cells)}"] if len(self.cells) > 1 else []
        shown += ["bidirectional=True"] if self.bidirectional else []
        shown += [] if self.return_sequences else ["return_sequences=False"]
        return ", ".join(shown)


class RNN(Recurrent):
    """Layers of :class:`RNNCell`: ``h' = tanh(W x + U h + b)`` at every step.

    Args:
        inputs, hidden, layers, bidirectional, dropout, return_sequences, return_state, seed: see
            :class:`nn.layers.recurrent.Recurrent`, also for sequences of unequal length.
        activation: "tanh", "relu", or another name or function.

    Shapes: x (N, T, inputs); output (N, T, directions · hidden), or (N, directions · hidden).

    >>> rnn = RNN(3, 5, seed=0)
    >>> rnn(np.ones((2, 7, 3))).shape
    (2, 7, 5)
    >>> rnn(np.ones((2, 7, 3)), lengths=[7, 4]).data[1, 4:].any()
    np.False_

    Raises:
        ValueError: x, the state, the mask or the lengths have another shape; a size below one; an unknown name.
    """

    kind = RNNCell

    def __init__(self, inputs: int, hidden: int, *, activation: str | Function = "tanh", **options: Any) -> None:
        super().__init__(inputs, hidden, activation=activation, **options)


class LSTM(Recurrent):
    """Layers of :class:`LSTMCell`.

    Args: see :class:`nn.layers.recurrent.Recurrent`, also for sequences of unequal length.

    Shapes: as for :class:`RNN`; a state is a pair (h, c).

    >>> lstm = LSTM(3, 5, layers=2, return_state=True, seed=0)
    >>> output, (h, c) = lstm(np.ones((2, 7, 3)))
    >>> output.shape, h.shape, c.shape
    ((2, 7, 5), (2, 2, 5), (2, 2, 5))

    Raises:
        ValueError: as :class:`RNN`.
    """

    kind = LSTMCell


class GRU(Recurrent):
    """Layers of :class:`GRUCell`.

    Args: see :class:`nn.layers.recurrent.Recurrent`, also for sequences of unequal length.

    Shapes: as for :class:`RNN`.

    >>> gru = GRU(3, 5, bidirectional=True, return_sequences=False, seed=0)
    >>> gru(np.ones((2, 7, 3))).shape
    (2, 10)

    Raises:
        ValueError: as :class:`RNN`.
    """

    kind = GRUCell


def _go_through(
    name: str,
    cell: RecurrentCell,
    sequence: Any,
    state: State,
    valid: NDArray[np.bool_] | None,
    backwards: bool = False,
) -> list[State]:
    """The states of a cell after every step of a sequence of shape (features, T, N), in the order of time."""
    features, steps, samples = sequence.shape
    times: Iterable[int] = reversed(range(steps)) if backwards else range(steps)
    states: list[State] = []
    with scope(name), silent():
        # The inputs of all steps meet the weights in one product of matrices.
        seen, step = cell.begin(sequence.reshape(features, steps * samples))
        seen = seen.reshape(len(seen), steps, samples)
        for t in times:
            with scope(f"step {t}"):
                after = step(seen[:, t], state)
                if valid is not None:
                    after = tuple(where(valid[t], new, old) for new, old in zip(after, state, strict=True))
            state = after
            states.append(state)
    return states[::-1] if backwards else states


def _mask(layer: Recurrent, samples: int, steps: int, mask: Any, lengths: Any) -> NDArray[np.bool_] | None:
    """Which steps count, as booleans of shape (T, N); None where all do."""
    if not steps:
        raise ValueError(f"{head(layer)} needs sequences of at least one step")
    if lengths is not None:
        if mask is not None:
            raise ValueError("give either lengths or a mask, not both")
        ends = np.asarray(lengths)
        whole = ends.dtype.kind in "iu" or not ends.size
        if ends.shape != (samples,) or not whole or (ends < 1).any() or (ends > steps).any():
            raise ValueError(f"lengths are {samples} whole numbers from 1 to {steps}, and were given {lengths!r}")
        mask = np.arange(steps) < ends[:, None]
    if mask is None:
        return None
    mask = np.asarray(mask)
    if mask.shape != (samples, steps) or mask.dtype != bool:
        raise ValueError(
            f"mask has booleans of shape {(samples, steps)}, (N, T), and was given {mask.dtype} of shape {mask.shape}"
        )
    return None if mask.all() else mask.T
