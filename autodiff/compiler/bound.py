"""What a program for one size of batch reads and writes, whichever back end runs it."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.compiler.program import Program


class Bound:
    """A scalar program for one size of batch. Write into ``P``, ``X`` and ``seed``, run, and read the rest.

    Attributes:
        P: the parameters, of shape (parameters,).
        X: the inputs, of shape (inputs, batch). In memory the numbers of one example stand together.
        outputs: of shape (outputs, batch).
        seed: the gradient that each output starts from, of the same shape.
        dP, dX: gradients in the shapes of P and X, or None where they were not asked for.
    """

    outputs: Any

    def __init__(self, program: Program, batch: int, wrt_P: bool, wrt_X: bool, dtype: Any) -> None:
        self.P = np.ones(len(program.shared), dtype)
        self.X = np.ones((batch, len(program.varying)), dtype).T
        self.seed = np.ones((len(program.outputs), batch), dtype)
        self.dP = np.zeros_like(self.P) if wrt_P else None
        self.dX = np.zeros_like(self.X) if wrt_X else None

    def forward(self) -> None:
        """Compute the outputs."""
        raise NotImplementedError

    def backward(self) -> None:
        """Compute the gradients, after ``forward``."""
        raise NotImplementedError

    def run(self) -> None:
        """Both."""
        self.forward()
        self.backward()
