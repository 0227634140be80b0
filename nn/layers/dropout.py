"""Dropout: learning with parts of the model switched off at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff import multiply
from nn.checks import Seed, tensor
from nn.module import Module


class Dropout(Module):
    """In training each number is set to 0 with probability p, and the others grow by 1 / (1 - p); else nothing is done.

    So the expected output is the input, and no number can rely on another being there. ``model.eval()`` switches it
    off, ``model.train()`` on.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014, Journal of Machine Learning Research 15.

    Args:
        p: the probability of being dropped, from 0 to below 1.
        seed: an integer, or the NumPy generator to draw from; None draws others every time.

    Shapes: x of any shape; the output has the same.

    >>> layer = Dropout(0.5, seed=0)
    >>> layer([1.0, 2.0, 3.0, 4.0]).data
    array([2., 0., 0., 0.])
    >>> layer.eval()([1.0, 2.0, 3.0, 4.0]).data
    array([1., 2., 3., 4.])

    Raises:
        ValueError: p is not from 0 to below 1.
    """

    def __init__(self, p: float = 0.5, *, seed: Seed = None) -> None:
        if not isinstance(p, int | float | np.floating) or not 0 <= p < 1:
            raise ValueError(f"p is the probability of being dropped, from 0 to below 1, and was given {p!r}")
        self.p = float(p)
        self.rng = np.random.default_rng(seed)

    def forward(self, x: Any) -> Any:
        """x, with numbers dropped in training."""
        x = tensor(self, x)
        if not self.training or self.p == 0:
            return x
        kept = self.rng.random(x.shape) >= self.p
        return multiply(x, np.divide(kept, 1 - self.p, dtype=np.result_type(x.dtype, np.float32)))

    def extra_repr(self) -> str:
        """The arguments."""
        return str(self.p)
