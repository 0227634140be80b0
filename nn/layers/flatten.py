"""Flatten: images as rows of numbers."""

from __future__ import annotations

import math
from typing import Any

from autodiff import reshape
from nn.checks import size, tensor
from nn.module import Module


class Flatten(Module):
    """All axes from ``start_axis`` on as one: what stands between a Conv2d and a Dense.

    Args:
        start_axis: the first axis to join; 1 keeps the samples apart.

    Shapes: x (N, ...); output (N, the product of all others).

    >>> import numpy as np
    >>> Flatten()(np.zeros((5, 16, 4, 4))).shape
    (5, 256)

    Raises:
        ValueError: start_axis is below 0; x has too few axes.
    """

    def __init__(self, start_axis: int = 1) -> None:
        self.start_axis = size(start_axis, "start_axis", least=0)

    def forward(self, x: Any) -> Any:
        """x with its last axes joined."""
        x = tensor(self, x)
        if x.ndim <= self.start_axis:
            raise ValueError(f"{self!r} takes more than {self.start_axis} axes, and was given shape {x.shape}")
        kept, joined = x.shape[: self.start_axis], x.shape[self.start_axis :]
        return reshape(x, (*kept, math.prod(joined)))

    def extra_repr(self) -> str:
        """The arguments."""
        return "" if self.start_axis == 1 else f"start_axis={self.start_axis}"
