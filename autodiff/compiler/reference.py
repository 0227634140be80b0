"""The plainest way to run a scalar program on a batch: one Tensor operation for each instruction.

It is slow, builds a graph every time, and is what the other back ends are measured against.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.compiler.bound import Bound
from autodiff.compiler.program import Program
from autodiff.context import enable_grad, traced_by
from autodiff.primitives.row import Primitive
from autodiff.tensor import Tensor
from autodiff.transforms import gradients


class Reference(Bound):
    """A scalar program for one size of batch; see :class:`Bound`."""

    def __init__(
        self, program: Program, batch: int, *, wrt_P: bool = True, wrt_X: bool = False, dtype: Any = np.float64
    ) -> None:
        super().__init__(program, batch, wrt_P, wrt_X, dtype)
        self.program, self.dtype = program, dtype
        self.outputs = np.zeros_like(self.seed)
        self._leaves: list[Any] = []
        self._results: list[Any] = []

    def forward(self) -> None:
        """Compute the outputs."""
        program = self.program
        shared, varying = [Tensor(p) for p in self.P], [Tensor(x) for x in self.X]
        self._leaves = shared + varying
        values = dict(zip([*program.shared, *program.varying], self._leaves, strict=True))
        with enable_grad(), traced_by(None):
            for i, op in enumerate(program.ops):
                if isinstance(op, Primitive):
                    made = Tensor.apply(op, tuple([values[k] for k in program.args[i]]), program.params[i] or {})
                    values[i] = made.detach() if i in program.stopped else made
                elif i in program.constants:
                    values[i] = Tensor(np.asarray(program.constants[i], self.dtype), requires_grad=False)
            self._results = [values[i] * 1.0 for i in program.outputs]
        for row, result in zip(self.outputs, self._results, strict=True):
            row[...] = result.data

    def backward(self) -> None:
        """Compute the gradients, after ``forward``."""
        totals = [np.zeros(leaf.shape, self.dtype) for leaf in self._leaves]
        for result, seed in zip(self._results, self.seed, strict=True):
            if result.requires_grad:
                start = seed if result.ndim else seed.sum()
                for total, gradient in zip(totals, gradients(result, self._leaves, start), strict=True):
                    total += gradient
        count = len(self.P)
        if self.dP is not None:
            self.dP[...] = totals[:count]
        if self.dX is not None and len(self.X):
            self.dX[...] = totals[count:]
