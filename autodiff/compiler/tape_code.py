"""A scalar program as code for the machine: in which order, in which slots, and what flows back where.

Equal operations that do not wait for each other are brought together, because the machine decides once for a run of
them. Contributions to one gradient are added in the order of ``backward()``, so that not a digit changes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autodiff.compiler.machine import table
from autodiff.compiler.program import Program
from autodiff.compiler.symbols import Instruction


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


class _Queues:
    """What is ready, by opcode; the longest queue is taken first, and until it is empty."""

    def __init__(self) -> None:
        self.ready: dict[int, deque[Any]] = {}
        self.opcode = 0

    def push(self, opcode: int, item: Any) -> None:
        if opcode in self.ready:
            self.ready[opcode].append(item)
        else:
            self.ready[opcode] = deque([item])

    def pop(self) -> tuple[int, Any] | None:
        queue = self.ready.get(self.opcode)
        if queue is None:
            if not self.ready:
                return None
            self.opcode = max(self.ready, key=lambda opcode: len(self.ready[opcode]))
            queue = self.ready[self.opcode]
        item = queue.popleft()
        if not queue:
            del self.ready[self.opcode]
        return self.opcode, item


class _Runs:
    """Code that grows by one operation at a time."""

    def __init__(self) -> None:
        self.code: list[int] = []
        self.opcode = self.count_at = 0

    def append(self, opcode: int, operands: Iterable[int]) -> None:
        if opcode != self.opcode:
            self.opcode, self.count_at = opcode, len(self.code) + 1
            self.code += (opcode, 0)
        self.code[self.count_at] += 1
        self.code += operands

    def array(self) -> Any:
        return np.array([*self.code, 0, 0], dtype=np.int32)


def encode(program: Program, wrt_shared: bool, wrt_varying: bool) -> Code:
    """The code of a program.

    Raises:
        Unsupported: an instruction is of a row that the machine does not have.
    """
    return _Encoder(program, wrt_shared, wrt_varying).code()


class _Encoder:
    def __init__(self, program: Program, wrt_shared: bool, wrt_varying: bool) -> None:
        self.program = program
        self.wanted = [*(program.shared if wrt_shared else ()), *(program.varying if wrt_varying else ())]
        self.needed = _needed(program)
        self.numbers: list[float] = [0.0]
        self.slot: dict[int, int] = {}
        self.instruction: dict[int, Instruction] = {}
        self.operands: dict[int, tuple[int, ...]] = {}

    def code(self) -> Code:
        program = self.program
        for i, number in program.constants.items():
            self.slot[i] = len(self.numbers)
            self.numbers.append(_one_number(number, "a constant"))
        parameters: dict[int, list[int]] = {}
        for i in self.needed:
            parameters[i] = self._read(i)
        leaves = len(self.numbers)
        for i in (*program.shared, *program.varying):
            self.slot[i] = leaves
            leaves += 1
        forward = self._forward(leaves, parameters)
        backward, gradients, seeds = self._backward()
        return Code(
            forward,
            backward,
            np.array(self.numbers),
            leaves + len(self.needed),
            gradients,
            np.array([self.slot[i] for i in program.outputs], dtype=np.int32),
            np.array(seeds, dtype=np.int32),
        )

    def _read(self, i: int) -> list[int]:
        """The instruction of value ``i``; its parameters become constants, whose slots are returned."""
        op, params = self.program.ops[i], self.program.params[i] or {}
        assert op is not None
        given = [x for x in params.values() if x is not None]
        self.instruction[i] = instruction = Instruction(op, tuple([x is not None for x in params.values()]))
        if instruction not in table().opcodes:
            raise Unsupported(f"the numba back end has no operation {op!r}: it knows the elementwise rows of the table")
        slots = []
        for x in given:
            slots.append(len(self.numbers))
            self.numbers.append(_one_number(x, f"a parameter of {op.name}"))
        return slots

    def _forward(self, leaves: int, parameters: dict[int, list[int]]) -> Any:
        program, opcodes = self.program, table().opcodes
        users: dict[int, list[int]] = {}
        waiting: dict[int, int] = {}
        queues, runs = _Queues(), _Runs()
        opcode = {i: opcodes[self.instruction[i]] for i in self.needed}
        for i in self.needed:
            inputs = {x for x in program.args[i] if x in self.instruction}
            waiting[i] = len(inputs)
            for x in inputs:
                users.setdefault(x, []).append(i)
            if not inputs:
                queues.push(opcode[i], i)
        while (taken := queues.pop()) is not None:
            code, i = taken
            self.operands[i] = operands = (*[self.slot[x] for x in program.args[i]], *parameters[i])
            runs.append(code, operands)
            self.slot[i] = leaves
            leaves += 1
            for user in users.get(i, ()):
                waiting[user] -= 1
                if not waiting[user]:
                    queues.push(opcode[user], user)
        return runs.array()

    def _flowing(self) -> list[int]:
        """The values that a gradient passes on its way from an output to what is wanted, newest first."""
        program = self.program
        reached = set(self.wanted)
        for i in self.needed:
            if i not in program.stopped and any([x in reached for x in program.args[i]]):
                reached.add(i)
        receives = set(program.outputs)
        for i in reversed(self.needed):
            if i in receives and i in reached:
                receives.update(program.args[i])
        return [i for i in reversed(self.needed) if i in reached and i in receives]

    def _backward(self) -> tuple[Any, int, list[int]]:
        program, edges = self.program, table().edges
        flowing = self._flowing()
        active = {*flowing, *self.wanted}
        # Every edge as (from, to, opcode, slots read), and for each value the edges that end there, in the order
        # of backward(): the newest consumer first.
        into: dict[int, list[Any]] = {i: [] for i in active}
        out_of: dict[int, list[Any]] = {}
        for i in flowing:
            operands = self.operands[i]
            out_of[i] = found = []
            for x, (opcode, reads) in zip(program.args[i], edges[self.instruction[i]], strict=True):
                if x in active:
                    edge = (i, x, opcode, [operands[k] if k >= 0 else self.slot[i] for k in reads])
                    found.append(edge)
                    into[x].append(edge)
        # A gradient that is handed on as it is, to a value that gets no other, needs no slot of its own.
        home: dict[int, int] = {}
        seeded = set(program.outputs)
        free = 1
        for leaf in self.wanted:
            home[leaf] = free
            free += 1
        passes = table().passes
        for i in flowing:
            if len(into[i]) == 1 and into[i][0][2] == passes and i not in seeded:
                home[i] = home[into[i][0][0]]
            else:
                home[i] = free
                free += 1
        queues, runs = _Queues(), _Runs()
        done = dict.fromkeys(active, 0)
        complete = set()

        def finish(value: int) -> None:
            """All of a value's gradient is there: its edges may run, each in its turn."""
            stack = [value]
            while stack:
                i = stack.pop()
                complete.add(i)
                for edge in out_of.get(i, ()):
                    x = edge[1]
                    if home[x] == home[i] and x in out_of:
                        stack.append(x)
                    elif into[x][done[x]] is edge:
                        queues.push(edge[2], edge)

        wanted = set(self.wanted)
        for i in flowing:
            if not into[i]:
                finish(i)
        while (taken := queues.pop()) is not None:
            opcode, (i, x, _, reads) = taken
            before = home[x] if done[x] or x in seeded or x in wanted else 0
            runs.append(opcode, (home[i], before, home[x], *reads))
            done[x] += 1
            if done[x] == len(into[x]):
                finish(x)
            elif into[x][done[x]][0] in complete:
                queues.push(into[x][done[x]][2], into[x][done[x]])
        seeds = [home.get(i, free) for i in program.outputs]
        return runs.array(), free + 1, seeds


def _needed(program: Program) -> list[int]:
    """The instructions that the outputs need, in order."""
    needed = set(program.outputs)
    for i in range(len(program) - 1, -1, -1):
        if i in needed:
            needed.update(program.args[i])
    return [i for i in sorted(needed) if program.ops[i] is not None]


def _one_number(x: Any, what: str) -> float:
    if isinstance(x, complex | np.complexfloating) or np.ndim(x):
        raise Unsupported(f"the numba back end computes with real numbers, and {what} is {x!r}")
    return float(x)


__all__: Sequence[str] = ["Code", "Unsupported", "encode"]
