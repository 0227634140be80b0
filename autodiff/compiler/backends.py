"""The back ends under one roof: a scalar program, and which of them runs it."""

from __future__ import annotations

from typing import Any

from autodiff.compiler import cost
from autodiff.compiler.binding import BoundBlocks
from autodiff.compiler.collector import collector_resting
from autodiff.compiler.numba_backend import BoundTape, Tape, Unsupported
from autodiff.compiler.program import Program
from autodiff.compiler.reference import Reference
from autodiff.compiler.reroll import Blocks, reroll

BACKENDS = ("auto", "numpy", "numba", "reference")


class Backends:
    """A scalar program in all its forms, each made when it is asked for first."""

    def __init__(self, program: Program, backend: str, dtype: Any) -> None:
        self.program, self.backend, self.dtype = program, backend, dtype
        self._blocks: Blocks | None = None
        self._least: int | None = None
        self._operations: int | None = None
        self._tapes: dict[tuple[bool, bool], Tape | None] = {}

    @property
    def blocks(self) -> Blocks:
        """The program, re-rolled."""
        if self._blocks is None:
            with collector_resting():
                self._blocks = reroll(self.program)
        return self._blocks

    def tape(self, wrt_P: bool, wrt_X: bool) -> Tape | None:
        """The tape; None where the machine lacks one of the operations."""
        if (wrt_P, wrt_X) not in self._tapes:
            try:
                self._tapes[wrt_P, wrt_X] = Tape(self.program, wrt_P, wrt_X, self.dtype)
            except Unsupported:
                if self.backend == "numba":
                    raise
                self._tapes[wrt_P, wrt_X] = None
        return self._tapes[wrt_P, wrt_X]

    def bound(self, batch: int, wrt_P: bool, wrt_X: bool) -> Any:
        """The program beside arrays of its own."""
        backend = self.chosen(batch)
        if backend == "reference":
            return Reference(self.program, batch, wrt_P=wrt_P, wrt_X=wrt_X, dtype=self.dtype)
        if backend == "numba" and (tape := self.tape(wrt_P, wrt_X)) is not None:
            return BoundTape(tape, self.program, batch)
        return BoundBlocks(self.blocks, batch, wrt_P=wrt_P, wrt_X=wrt_X, dtype=self.dtype)

    def chosen(self, batch: int) -> str:
        """The name of the back end for so many examples."""
        if self.backend != "auto":
            return self.backend
        if self._least is None:
            self._least = cost.least_operations(self.program)
        return cost.choose(self.program, self._least, self._counted, batch)

    def _counted(self) -> int:
        """How many array operations the re-rolled program has, whatever the batch."""
        if self._operations is None:
            self._operations = self.blocks.program(1, self.dtype).instructions
        return self._operations
