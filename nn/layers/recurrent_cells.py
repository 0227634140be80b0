"""Recurrent cells: one time step, from an input and a state to the next state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff import Tensor, matmul
from nn.activations import ACTIVATIONS, acts_on_rows
from nn.activations import activation as activation_named
from nn.checks import Seed, axes_of, size
from nn.initializers import Initializer
from nn.initializers import initializer as initializer_named
from nn.lookup import Function, name_of
from nn.module import Module

State = tuple[Any, ...]
Step = Callable[[Any, State], State]


class RecurrentCell(Module):
    """What all cells share: their weights, and the way from rows to columns and back.

    Inside, samples are columns: x has shape (inputs, N) and h (hidden, N). So the weights stand on the left as in
    the formulas, ``W x + U h + b``, and each gate is a block of rows, contiguous in memory.

    Attributes:
        weight_ih, weight_hh: shapes (blocks · hidden, inputs) and (blocks · hidden, hidden).
        bias_ih, bias_hh: shape (blocks · hidden,), or None.
    """

    blocks = 1  # how many blocks of rows its weights have, one for each gate
    parts: tuple[str, ...] = ("h",)  # what its state is made of

    def __init__(
        self,
        inputs: int,
        hidden: int,
        *,
        bias: bool = True,
        initializer: str | Initializer = "glorot_uniform",
        recurrent_initializer: str | Initializer = "orthogonal",
        seed: Seed = None,
    ) -> None:
        self.inputs, self.hidden = size(inputs, "inputs"), size(hidden, "hidden")
        rng = np.random.default_rng(seed)
        of_input, of_state = initializer_named(initializer), initializer_named(recurrent_initializer)
        rows = self.blocks * self.hidden
        self.weight_ih = Tensor(self._draw(of_input, self.inputs, rng), label="W")
        self.weight_hh = Tensor(self._draw(of_state, self.hidden, rng), label="U")
        self.bias_ih = Tensor(np.zeros(rows), label="b") if bias else None
        self.bias_hh = Tensor(np.zeros(rows), label="b_h") if bias else None

    def forward(self, x: Any, state: Any = None) -> Any:
        """The next state for x of shape (N, inputs), and a state of shape (N, hidden); of zeros if None is given."""
        x = axes_of(self, x, "N F", F=self.inputs)
        seen, step = self.begin(x.T)
        after = step(seen, tuple(part.T for part in self.checked_state(state, len(x))))
        return self.state_of(tuple(part.T for part in after))

    def begin(self, x: Any) -> tuple[Any, Step]:
        """What can be done for all steps at once, and the step: ``step(seen, state) -> state``.

        For the inputs x of all steps, of shape (inputs, columns), ``seen`` is ``W x + b``, of shape
        (blocks · hidden, columns). A step takes the N columns of ``seen`` that are its own.
        """
        raise NotImplementedError(f"{type(self).__name__} has no begin; write def begin(self, x): ...")

    def checked_state(self, state: Any, samples: int) -> State:
        """A state as a tuple of its parts, each of shape (N, hidden); zeros for None."""
        shape = (samples, self.hidden)
        if state is None:
            return (Tensor(np.zeros(shape, self.weight_hh.dtype), requires_grad=False),) * len(self.parts)
        return parts_of(repr(self), state, self.parts, shape)

    def state_of(self, parts: State) -> Any:
        """The parts of a state as a caller sees them: h alone, or (h, c)."""
        return parts if len(parts) > 1 else parts[0]

    def _draw(self, initializer: Initializer, columns: int, rng: np.random.Generator) -> Any:
        return np.concatenate([initializer((self.hidden, columns), rng) for _ in range(self.blocks)])

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.inputs}, {self.hidden}{'' if self.bias_ih is not None else ', bias=False'}"


class RNNCell(RecurrentCell):
    """``h' = tanh(W x + U h + b)``: the plain recurrent cell.

    Source: Elman 1990, "Finding Structure in Time", Cognitive Science 14.

    Args:
        inputs: how many features x has.
        hidden: how many the state h has.
        activation: "tanh", "relu", or another name or function of a tensor of shape (N, hidden).
        bias: whether b, the sum of bias_ih and bias_hh, is added.
        initializer, recurrent_initializer: of W, and of U.
        seed: an integer, or the NumPy generator to draw the weights from.

    Shapes: x (N, inputs), h (N, hidden); W (hidden, inputs), U (hidden, hidden).

    >>> cell = RNNCell(3, 5, seed=0)
    >>> h = cell(np.ones((2, 3)))
    >>> h = cell(np.ones((2, 3)), h)
    >>> h.shape
    (2, 5)

    Raises:
        ValueError: x or the state has another shape; a size below one; an unknown name.
    """

    def __init__(self, inputs: int, hidden: int, activation: str | Function = "tanh", **options: Any) -> None:
        super().__init__(inputs, hidden, **options)
        self.activation = activation_named(activation)

    def begin(self, x: Any) -> tuple[Any, Step]:
        """``W x + b`` for all steps, and the step."""
        U, bend = self.weight_hh, _of_columns(self.activation)

        def step(seen: Any, state: State) -> State:
            return (bend(seen + U @ state[0]),)

        b = None if self.bias_ih is None else self.bias_ih + self.bias_hh
        return affine(self.weight_ih, x, b), step

    def extra_repr(self) -> str:
        """The arguments."""
        name = name_of(self.activation)
        return super().extra_repr() + ("" if name == "tanh" else f", activation={name!r}")


class LSTMCell(RecurrentCell):
    """Long short-term memory: gates decide what a memory c forgets, takes in and shows.

    i = σ(Wᵢ x + Uᵢ h + bᵢ), f = σ(W_f x + U_f h + b_f), g = tanh(W_g x + U_g h + b_g), o = σ(Wₒ x + Uₒ h + bₒ);
    c' = f · c + i · g and h' = o · tanh(c').

    Sources: Hochreiter, Schmidhuber 1997, Neural Computation 9; with the forget gate of Gers, Schmidhuber,
    Cummins 2000, whose bias starts at 1: Jozefowicz, Zaremba, Sutskever 2015.

    Args:
        inputs, hidden, bias, initializer, recurrent_initializer, seed: as for :class:`RNNCell`.

    Shapes: x (N, inputs), state (h, c) of shape (N, hidden) each; the weights have four blocks of rows: i, f, g, o.

    >>> cell = LSTMCell(3, 5, seed=0)
    >>> h, c = cell(np.ones((2, 3)))
    >>> h, c = cell(np.ones((2, 3)), (h, c))
    >>> c.shape
    (2, 5)

    Raises:
        ValueError: as :class:`RNNCell`.
    """

    blocks = 4
    parts = ("h", "c")

    def __init__(self, inputs: int, hidden: int, **options: Any) -> None:
        super().__init__(inputs, hidden, **options)
        if self.bias_ih is not None:
            forget = np.arange(self.blocks * hidden) // hidden == 1
            self.bias_ih.data = forget.astype(float)

    def begin(self, x: Any) -> tuple[Any, Step]:
        """``W x + b`` for all steps, and the step."""
        n = self.hidden
        gates_first = np.r_[: 2 * n, 3 * n : 4 * n, 2 * n : 3 * n]  # i, f, o, g: one sigmoid for all three gates
        U = self.weight_hh[gates_first]

        def step(seen: Any, state: State) -> State:
            h, c = state
            z = seen + U @ h
            gates, g = z[: 3 * n].sigmoid(), z[3 * n :].tanh()
            i, f, o = gates[:n], gates[n : 2 * n], gates[2 * n :]
            c = f * c + i * g
            return o * c.tanh(), c

        b = None if self.bias_ih is None else (self.bias_ih + self.bias_hh)[gates_first]
        return affine(self.weight_ih[gates_first], x, b), step


class GRUCell(RecurrentCell):
    """The gated recurrent unit: h moves towards a new value n as far as a gate z lets it.

    r = σ(Wᵣ x + Uᵣ h + bᵣ), z = σ(W_z x + U_z h + b_z), n = tanh(Wₙ x + bₙ + r · (Uₙ h + b'ₙ));
    h' = (1 - z) · n + z · h.

    Source: Cho et al. 2014, arXiv:1406.1078; r is applied after the product with U, as in cuDNN and PyTorch.

    Args:
        inputs, hidden, bias, initializer, recurrent_initializer, seed: as for :class:`RNNCell`.

    Shapes: x (N, inputs), h (N, hidden); the weights have three blocks of rows: r, z, n.

    >>> cell = GRUCell(3, 5, seed=0)
    >>> cell(np.ones((2, 3)), np.zeros((2, 5))).shape
    (2, 5)

    Raises:
        ValueError: as :class:`RNNCell`.
    """

    blocks = 3

    def begin(self, x: Any) -> tuple[Any, Step]:
        """``W x + b`` for all steps, and the step, where r acts on b' too."""
        n, U = self.hidden, self.weight_hh
        held_bias = None if self.bias_hh is None else self.bias_hh.reshape(-1, 1)

        def step(seen: Any, state: State) -> State:
            (h,) = state
            held = U @ h
            if held_bias is not None:
                held = held + held_bias
            gates = (seen[: 2 * n] + held[: 2 * n]).sigmoid()
            r, z = gates[:n], gates[n:]
            new = (seen[2 * n :] + r * held[2 * n :]).tanh()
            return (new + z * (h - new),)

        return affine(self.weight_ih, x, self.bias_ih), step


def _of_columns(function: Function) -> Function:
    """An activation, for samples that are columns: one that may look at several numbers is given them as rows."""
    if function in ACTIVATIONS.values() and not acts_on_rows(function):
        return function
    return lambda columns: function(columns.T).T


def parts_of(owner: str, state: Any, names: tuple[str, ...], shape: tuple[int, ...]) -> State:
    """A state that was given, h alone or (h, c), as tensors of the shape that each part must have."""
    parts = state if isinstance(state, tuple) else (state,)
    if len(parts) != len(names) or any(np.shape(part) != shape for part in parts):
        expected = " and ".join(f"{name} of shape {shape}" for name in names)
        given = " and ".join(str(np.shape(part)) for part in parts)
        raise ValueError(f"the state of {owner} is {expected}; given {given}")
    return tuple(part if isinstance(part, Tensor) else Tensor(part, requires_grad=False) for part in parts)


def affine(W: Any, x: Any, b: Any) -> Any:
    """``W x + b`` for x of shape (inputs, columns), or ``W x`` where b is None."""
    return matmul(W, x) if b is None else matmul(W, x) + b.reshape(-1, 1)
