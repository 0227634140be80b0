"""A scalar program as code for the machine: which slot holds which number, and what flows back where.

The code follows the program forward, and ``backward()`` backward: contributions to one gradient are added in the same
order, so that not a digit changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from autodiff.compiler.program import Program
from autodiff.compiler.tape.machine import END, Coded, table
from autodiff.compiler.tape.symbols import Instruction


class Unsupported(TypeError):  # noqa: N818 (an answer rather than a failure: another back end takes the program)
    """The machine has no operation for an instruction of the program."""


@dataclass(slots=True)
class Code:
    """What the machine is given for one program.

    Attributes:
        forward, backward: the code of both sweeps.
        constants: the numbers of the first slots; slot 0 is not read.
        slots: how many slots there are for values: constants, then shared and varying leaves, then results.
        gradients: how many slots there are for gradients: slot 0 holds -0.0, then come the shared and the varying
            leaves (those that are asked for), then results.
        outputs: the slot of each output.
        seeds: the slot of the gradient of each output.
    """

    forward: Any
    backward: Any
    constants: Any
    slots: int
    gradients: int
    outputs: Any
    seeds: Any


def encode(program: Program, wrt_shared: bool, wrt_varying: bool) -> Code:
    """The code of a program.

    Raises:
        Unsupported: an instruction is of a row that the machine does not have, or works on arrays.
    """
    return _Encoder(program, wrt_shared, wrt_varying).code()


class _Encoder:
    def __init__(self, program: Program, wrt_shared: bool, wrt_varying: bool) -> None:
        self.program = program
        self.needed = [i for i in needed(program) if program.ops[i] is not None]
        self.wanted = [*(program.shared if wrt_shared else ()), *(program.varying if wrt_varying else ())]
        self.slot: dict[int, int] = {}
        self.coded: dict[int, Coded] = {}
        self.operands: dict[int, tuple[int, ...]] = {}

    def code(self) -> Code:
        program = self.program
        constants = [0.0]
        for i, number in program.constants.items():
            self.slot[i] = len(constants)
            constants.append(_one_number(number, "a constant"))
        parameters = {}
        for i in self.needed:
            self.coded[i] = coded_as(program, i)
            given = [x for x in (program.params[i] or {}).values() if x is not None]
            if given:
                parameters[i] = tuple(range(len(constants), len(constants) + len(given)))
                constants += [_one_number(x, f"a parameter of {program.ops[i]!r}") for x in given]
        slots = len(constants)
        for i in (*program.shared, *program.varying, *self.needed):
            self.slot[i] = slots
            slots += 1
        forward: list[int] = []
        for i in self.needed:
            operands = tuple([self.slot[x] for x in program.args[i]])
            self.operands[i] = operands = operands + parameters[i] if i in parameters else operands
            forward += (self.coded[i].opcode, *operands)
        backward, gradients, seeds = self._backward()
        outputs = [self.slot[i] for i in program.outputs]
        return Code(
            _codes([*forward, END]),
            _codes([*backward, END]),
            np.array(constants),
            slots,
            gradients,
            _codes(outputs),
            seeds,
        )

    def _backward(self) -> tuple[list[int], int, Any]:
        """The code of the backward sweep, how many slots it takes, and where it starts from."""
        flowing = self._flowing()
        active = {*flowing, *self.wanted}
        contributions = dict.fromkeys(active, 0)
        for i in flowing:
            for x in self.program.args[i]:
                if x in active:
                    contributions[x] += 1
        slots = _Slots()
        home = {leaf: slots.take() for leaf in self.wanted}
        nowhere = slots.take()  # what is sent back to an output that needs no gradient
        for i in self.program.outputs:
            if i in active and i not in home:
                home[i] = slots.take()
        listed: list[int] = []
        for i in flowing:
            here, coded, operands = home[i], self.coded[i], (*self.operands[i], self.slot[i])  # -1 is the result
            edges = []
            for x, edge in zip(self.program.args[i], coded.edges, strict=True):
                if x not in active:
                    continue
                before = home.get(x, 0)
                if not before and contributions[x] == 1 and edge[0] == table().passes:
                    home[x] = slots.share(here)  # the same number: nothing to do
                    continue
                if not before:
                    home[x] = slots.take()
                edges.append((edge, before, home[x]))
            if len(edges) == len(coded.edges):
                opcode, reads = coded.together
                listed += (opcode, here, *[slot for _, *pair in edges for slot in pair], *[operands[k] for k in reads])
            else:
                for (opcode, reads), before, after in edges:
                    listed += (opcode, here, before, after, *[operands[k] for k in reads])
            slots.give_back(here)
        return listed, slots.count, _codes([home.get(i, nowhere) for i in self.program.outputs])

    def _flowing(self) -> list[int]:
        """The values that a gradient passes on its way from an output to what is wanted, newest first."""
        program = self.program
        reached = set(self.wanted)
        for i in self.needed:
            if i not in program.stopped and not reached.isdisjoint(program.args[i]):
                reached.add(i)
        receives = set(program.outputs)
        flowing = []
        for i in reversed(self.needed):
            if i in receives and i in reached:
                receives.update(program.args[i])
                flowing.append(i)
        return flowing


class _Slots:
    """Slots for gradients, given out again where the gradient has been handed on. Slot 0 is not given out."""

    def __init__(self) -> None:
        self.count = 1
        self.free: list[int] = []
        self.users: dict[int, int] = {}

    def take(self) -> int:
        if self.free:
            slot = self.free.pop()
        else:
            slot = self.count
            self.count += 1
        self.users[slot] = 1
        return slot

    def share(self, slot: int) -> int:
        self.users[slot] += 1
        return slot

    def give_back(self, slot: int) -> None:
        self.users[slot] -= 1
        if not self.users[slot]:
            self.free.append(slot)


def needed(program: Program) -> list[int]:
    """The values that the outputs need, leaves included, in order."""
    found = set(program.outputs)
    for i in range(len(program) - 1, -1, -1):
        if i in found:
            found.update(program.args[i])
    return sorted(found)


def coded_as(program: Program, i: int) -> Coded:
    """How the machine does the instruction of value ``i``."""
    op, params = program.ops[i], program.params[i]
    assert op is not None
    present = tuple([x is not None for x in params.values()]) if params else ()
    coded = table().coded.get(Instruction(op, present))
    if coded is None:
        raise Unsupported(
            f"the numba back end has no operation for {op!r}: its machine is made once, of the rows of"
            " autodiff.primitives.elementwise; backend='numpy' runs every row"
        )
    return coded


def _codes(numbers: list[int]) -> Any:
    return np.array(numbers, dtype=np.int32)


def _one_number(x: Any, what: str) -> float:
    if isinstance(x, complex | np.complexfloating) or np.ndim(x):
        raise Unsupported(f"the numba back end computes with real numbers, and {what} is {x!r}")
    return float(x)
