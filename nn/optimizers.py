"""Optimizers: rules that change parameters by their gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from autodiff import Node


class SGD:
    """Gradient descent: ``v = momentum · v + gradient``, then ``parameter = parameter - learning_rate · v``.

    Source: Polyak 1964, "Some methods of speeding up the convergence of iteration methods", in the form
    of Sutskever, Martens, Dahl, Hinton 2013 that PyTorch uses (the first v is the first gradient).

    Args:
        parameters: leaves that carry a gradient, such as ``model.parameters()``.
        learning_rate: the size of a step, above 0.
        momentum: how much of the last step's velocity is kept, from 0 to below 1.

    >>> from autodiff import Value
    >>> x = Value(5.0)
    >>> optimizer = SGD([x], learning_rate=0.25)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (x**2).backward()
    ...     optimizer.step()
    >>> x.data
    1.25

    Raises:
        ValueError: no parameters, a parameter twice, a learning rate or momentum out of range.
        TypeError: a parameter that is no leaf carrying a gradient.
    """

    def __init__(self, parameters: Iterable[Node], learning_rate: float = 0.01, momentum: float = 0.0) -> None:
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError("there are no parameters to optimize")
        for p in self.parameters:
            if not isinstance(p, Node) or not p.is_leaf or not p.requires_grad:
                raise TypeError(f"a parameter is a leaf that carries a gradient, and was given {p!r}")
        if len(set(self.parameters)) < len(self.parameters):
            raise ValueError("a parameter is given twice, and would take every step twice")
        if not (learning_rate > 0 and math.isfinite(learning_rate)):
            raise ValueError(f"learning_rate is a number above 0, and was given {learning_rate!r}")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum is from 0 to below 1, and was given {momentum!r}")
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.velocities: dict[Node, Any] = {}

    def step(self) -> None:
        """Move every parameter that has a gradient.

        Raises:
            ValueError: none has one, so that nothing would be learnt.
        """
        if all(p.grad is None for p in self.parameters):
            raise ValueError("no parameter has a gradient yet; call backward() on the loss first")
        for p in self.parameters:
            if p.grad is None:
                continue
            velocity = p.grad
            if self.momentum:
                velocity = self.momentum * self.velocities.get(p, 0.0) + p.grad
                self.velocities[p] = velocity
            p.data = p.data - self.learning_rate * velocity

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.parameters:
            p.zero_grad()
