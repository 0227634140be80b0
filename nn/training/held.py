"""The numbers of a compiled model, in one vector while nobody looks at its Values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nn.training.compiled import RowModel


class Held:
    """The numbers of a model in one vector, and what is to become of them.

    Attributes:
        traced: the model.
        numbers, gradient: of all its parameters.
        where: the parameters that a gradient flows to.
        steps: how the optimizer moves the vector; None where it moves Values one by one.
        moved: whether the Values have other numbers by now.
    """

    def __init__(self, traced: RowModel) -> None:
        self.traced = traced
        self.numbers = traced.numbers()
        self.gradient: Any = None
        self.where: Any = slice(0, 0)
        self.steps: Any = None
        self.moved = False

    def bind(self, optimizer: Any) -> None:
        """Let the optimizer move the vector, where that is the same."""
        if hasattr(optimizer, "on_vector"):
            where = self.traced.trained()
            moving = self._at(where)
            steps = optimizer.on_vector(moving) if moving else None
            if steps is not None:
                self.where, self.steps = where, steps.placed(where)

    def hand_out(self, where: Any) -> None:
        """Give the parameters their gradients."""
        hand_out(zip(self._at(where), self.gradient[where].tolist(), strict=True))

    def put_back(self) -> None:
        """Give the Values their numbers and gradients."""
        parameters = self._at(self.where)
        if self.moved:
            for p, x in zip(parameters, self.numbers[self.where].tolist(), strict=True):
                p.data = x
        if self.gradient is not None:
            for p, g in zip(parameters, self.gradient[self.where].tolist(), strict=True):
                p.grad = g

    def _at(self, where: Any) -> list[Any]:
        parameters = self.traced.parameters
        return parameters[where] if isinstance(where, slice) else [parameters[i] for i in where.tolist()]


def hand_out(gradients: Iterable[tuple[Any, Any]]) -> None:
    """Add gradients to those of the leaves."""
    for p, g in gradients:
        p.grad = g if p.grad is None else p.grad + g
