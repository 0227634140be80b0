"""Which back end runs a scalar program: a small model of what a run costs.

Re-rolled blocks cost a few microseconds for each array operation, whatever its size, and little for each number in
it. The tape of single instructions costs a few nanoseconds for each instruction and example, and next to nothing to
start. So blocks win where there are large blocks (networks, at any batch), the tape where there are none (irregular
programs) or the batch is small. Only the ratio of the constants matters; they were measured on one machine, with
value and gradient, and a factor of two between them decides nothing of weight.
"""

from __future__ import annotations

from collections.abc import Callable

from autodiff.compiler.numba_backend import available, is_loaded
from autodiff.compiler.program import Program
from autodiff.compiler.rerolling.terms import TAKEN_APART

CALL = 2.0e-6  # seconds for one array operation of a re-rolled program, forward and backward, however small
NUMBER = 0.12e-9  # seconds for each scalar instruction in such an operation and each example: most are in products
INSTRUCTION = 0.8e-9  # seconds for one instruction of the tape and one example, eight or more side by side
ALONE = 6e-9  # the same where there is one example only
LEAST = 8  # examples cost as many as this, if there are several
WORTH_LOADING = 50e-6  # seconds that a call has to gain, for numba to be loaded: after 10,000 calls that has paid


def blocks_cost(instructions: int, operations: int, batch: int) -> float:
    """Seconds that a program of so many scalar instructions takes as so many array operations."""
    return operations * CALL + instructions * batch * NUMBER


def tape_cost(instructions: int, batch: int) -> float:
    """Seconds that it takes on the tape."""
    return instructions * (ALONE if batch == 1 else INSTRUCTION * max(batch, LEAST))


def least_operations(program: Program) -> int:
    """As few array operations as a re-rolled program can have.

    Of a chain of operations each waits for the one before, so that none of them run together. (Sums and products are
    not counted: many of them may be one product of matrices.)
    """
    behind = [0] * len(program)
    for i, op in enumerate(program.ops):
        if op is not None:
            behind[i] = max([behind[k] for k in program.args[i]]) + (op not in TAKEN_APART)
    return max([behind[i] for i in program.outputs], default=0)


def choose(program: Program, least: int, operations: Callable[[], int], batch: int) -> str:
    """``"numpy"`` or, where numba is installed and its tape is expected to be quicker, ``"numba"``.

    Args:
        least: as few array operations as there can be.
        operations: how many there are; asked only where that matters, for to find out the program is re-rolled.
        batch: the number of examples.
    """
    if not available():
        return "numpy"
    instructions = program.instructions
    tape = tape_cost(instructions, batch) + (0 if is_loaded() else WORTH_LOADING)
    if tape < blocks_cost(instructions, least, batch) or tape < blocks_cost(instructions, operations(), batch):
        return "numba"
    return "numpy"
