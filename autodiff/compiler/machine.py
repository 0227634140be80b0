"""The virtual machine: two sweeps, forward and backward, written as LLVM code from the expressions of the table.

A sweep walks over a list of numbers. It reads ``opcode, count`` and then ``count`` times the operands of that
operation: so what is to be done is decided once for a run of equal operations, not for each. 0 is the end.

- Forward, the operands are the slots of the inputs; results are stored in one slot after the other.
- Backward there is one operation for each edge of the graph. Its operands are where the upstream gradient stands,
  where what has been gathered for the input so far stands, where the sum goes, and what the derivative reads.
  The first contribution adds to a slot that holds -0.0, which changes no number.

A slot holds as many numbers as there are lanes: 1, or LANES examples side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from inspect import getsource
from sys import modules
from typing import Any, NamedTuple

from autodiff.compiler.symbols import BOOLEAN, OUT, UPSTREAM, Expression, Instruction, instructions

LANES = 8

_ARITHMETIC = {"+": "fadd", "-": "fsub", "*": "fmul", "/": "fdiv"}
_EXACT = frozenset({"sqrt", "fabs", "floor", "ceil", "rint"})  # one machine instruction each, for many lanes at once


class Operation(NamedTuple):
    """What the machine does for one opcode: an expression of ``arity`` inputs (and, backward, of UPSTREAM)."""

    expression: Expression
    arity: int


class Table(NamedTuple):
    """The opcodes of the table's rows.

    Attributes:
        forward, backward: the operations; opcode ``i + 1`` is number ``i``.
        opcodes: of each instruction, forward.
        edges: of each instruction, for each input the opcode backward and which slots its operation reads: the
            number of an input, or -1 for the result.
    """

    forward: list[Operation]
    backward: list[Operation]
    opcodes: dict[Instruction, int]
    edges: dict[Instruction, list[tuple[int, tuple[int, ...]]]]

    @property
    def passes(self) -> int:
        """The opcode backward that hands the upstream gradient on as it is."""
        return self.backward.index(Operation(UPSTREAM, 0)) + 1

    def fingerprint(self) -> str:
        """Changes with every change of what the machine does."""
        written = getsource(modules[__name__]), self.forward, self.backward
        return sha256(repr(written).encode()).hexdigest()[:16]


@cache
def table() -> Table:
    """The operations of all rows; what is the same for two rows is one operation."""
    forward: dict[Operation, int] = {}
    backward: dict[Operation, int] = {}
    opcodes: dict[Instruction, int] = {}
    edges: dict[Instruction, list[tuple[int, tuple[int, ...]]]] = {}
    for instruction in instructions():
        operation = Operation(instruction.forward(), len(instruction.numbered))
        opcodes[instruction] = forward.setdefault(operation, len(forward) + 1)
        edges[instruction] = []
        for k in range(instruction.row.arity or 0):
            expression = instruction.backward(k)
            read = tuple(dict.fromkeys(_reads(expression)))
            order = {number: position for position, number in enumerate(read)}
            operation = Operation(_renumbered(expression, order), len(read))
            edges[instruction].append((backward.setdefault(operation, len(backward) + 1), read))
    return Table(list(forward), list(backward), opcodes, edges)


def _reads(expression: Expression) -> Iterator[int]:
    """The numbers of the inputs in an expression, -1 for the result."""
    if expression[0] == "input":
        yield expression[1]
    elif expression == OUT:
        yield -1
    else:
        for part in expression:
            if isinstance(part, tuple):
                yield from _reads(part)


def _renumbered(expression: Expression, order: dict[int, int]) -> Expression:
    if expression == OUT:
        return ("input", order[-1])
    if expression[0] == "input":
        return ("input", order[expression[1]])
    return tuple([_renumbered(x, order) if isinstance(x, tuple) else x for x in expression])


def calls(expression: Expression) -> bool:
    """Whether an expression calls a function of C's library, which takes one number at a time."""
    if expression[0] == "math" and expression[1] not in _EXACT:
        return True
    return any([calls(part) for part in expression if isinstance(part, tuple)])


class _Writer:
    """Writes the code of one expression, for numbers or for vectors of them."""

    def __init__(self, builder: Any, kind: Any, inputs: Sequence[Any], upstream: Any) -> None:
        self.builder = builder
        self.kind = kind
        self.made: dict[Expression, Any] = {("input", i): x for i, x in enumerate(inputs)} | {UPSTREAM: upstream}

    def __call__(self, expression: Expression) -> Any:
        if expression not in self.made:
            self.made[expression] = self._write(*expression)
        return self.made[expression]

    def _write(self, head: str, *parts: Any) -> Any:
        from llvmlite import ir

        builder = self.builder
        if head == "number":
            number = ir.Constant(ir.DoubleType(), float(parts[0]))
            return number if self.kind == number.type else ir.Constant(self.kind, [number] * LANES)
        if head in _ARITHMETIC:
            return getattr(builder, _ARITHMETIC[head])(*map(self, parts))
        if head == "neg":
            return builder.fneg(self(parts[0]))
        if head == "and":
            return builder.and_(*map(self, parts))
        if head in BOOLEAN:
            compare = builder.fcmp_unordered if head == "!=" else builder.fcmp_ordered
            return compare(head, *map(self, parts))
        if head == "math":
            return self._call(parts[0], [self(x) for x in parts[1:]])
        condition, yes, no = parts
        if not calls(yes) and not calls(no):
            return builder.select(*map(self, parts))
        return self._branch(self(condition), yes, no)

    def _call(self, name: str, arguments: list[Any]) -> Any:
        from llvmlite import ir

        module = self.builder.module
        suffix = "f64" if self.kind == ir.DoubleType() else f"v{LANES}f64"
        name = f"llvm.{name}.{suffix}" if name in _EXACT else name
        if name not in module.globals:
            ir.Function(module, ir.FunctionType(self.kind, [self.kind] * len(arguments)), name)
        return self.builder.call(module.globals[name], arguments)

    def _branch(self, condition: Any, yes: Expression, no: Expression) -> Any:
        """Only the side that counts is computed: it calls a function."""
        results = []
        with self.builder.if_else(condition) as sides:
            for side, expression in zip(sides, (yes, no), strict=True):
                with side:
                    before, self.made = self.made, dict(self.made)
                    results.append((self(expression), self.builder.block))
                    self.made = before
        phi = self.builder.phi(self.kind)
        for result, block in results:
            phi.add_incoming(result, block)
        return phi


@contextmanager
def _counted(builder: Any, count: Any, *carried: Any) -> Iterator[tuple[list[Any], Callable[..., None]]]:
    """A loop that runs ``count`` times, at least once; yields what is carried round, and takes the next of it."""
    before = builder.block
    body = builder.append_basic_block("body")
    builder.branch(body)
    builder.position_at_end(body)
    phis = [builder.phi(x.type) for x in (count, *carried)]
    for phi, x in zip(phis, (count, *carried), strict=True):
        phi.add_incoming(x, before)
    following: list[Any] = []
    yield phis[1:], lambda *x: following.extend(x)
    left = builder.sub(phis[0], count.type(1))
    for phi, x in zip(phis, (left, *following), strict=True):
        phi.add_incoming(x, builder.block)
    after = builder.append_basic_block("after")
    builder.cbranch(builder.icmp_signed("!=", left, count.type(0)), body, after)
    builder.position_at_end(after)


def sweep(module: Any, backward: bool, lanes: int) -> Any:
    """A function ``(code, values, gradients or the first slot to store, active lanes)`` of an LLVM module."""
    from llvmlite import ir

    name = f"{'backward' if backward else 'forward'}_{lanes}"
    if name in module.globals:
        return module.globals[name]
    index, wide = ir.IntType(32), ir.IntType(64)
    at, numbers = index.as_pointer(), ir.DoubleType().as_pointer()
    operations = [
        _run_of(module, operation, opcode, backward, lanes)
        for opcode, operation in enumerate(table().backward if backward else table().forward, 1)
    ]
    entries = ir.GlobalVariable(module, ir.ArrayType(operations[0].type, len(operations)), f"{name}_operations")
    entries.initializer = ir.Constant(entries.value_type, operations)
    entries.global_constant = True
    entries.linkage = "internal"

    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [at, numbers, numbers, wide]), name)
    function.linkage = "internal"
    start, values, other, active = function.args
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    entry, dispatch, step, end = builder.block, *[function.append_basic_block(x) for x in ("dispatch", "step", "end")]
    builder.branch(dispatch)
    builder.position_at_end(dispatch)
    code, store = builder.phi(at), builder.phi(numbers)
    opcode = builder.load(code)
    builder.cbranch(builder.icmp_signed("==", opcode, index(0)), end, step)
    builder.position_at_end(step)
    count = builder.zext(builder.load(builder.gep(code, [index(1)])), wide)
    operation = builder.load(builder.gep(entries, [index(0), builder.sub(opcode, index(1))]))
    following = builder.call(operation, [code, values, store, active, wide(lanes)])
    further = store if backward else builder.gep(store, [builder.mul(count, wide(lanes))])
    builder.branch(dispatch)
    for phi, first, later in ((code, start, following), (store, other, further)):
        phi.add_incoming(first, entry)
        phi.add_incoming(later, step)
    builder.position_at_end(end)
    builder.ret_void()
    return function


def _run_of(module: Any, operation: Operation, opcode: int, backward: bool, lanes: int) -> Any:
    """A function ``(code, values, gradients or slot to store, active lanes, lanes)`` that does one run.

    It returns where the code goes on. What calls C's functions goes from lane to lane, and so serves any number of
    them; the rest computes all lanes at once.
    """
    from llvmlite import ir

    one_by_one = calls(operation.expression)
    name = f"{'backward' if backward else 'forward'}_{'any' if one_by_one else lanes}_operation_{opcode}"
    if name in module.globals:
        return module.globals[name]
    number, index, wide = ir.DoubleType(), ir.IntType(32), ir.IntType(64)
    at, numbers = index.as_pointer(), number.as_pointer()
    function = ir.Function(module, ir.FunctionType(at, [at, numbers, numbers, wide, wide]), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    code, values, other, active, stride = function.args
    stride = stride if one_by_one else wide(lanes)
    builder = ir.IRBuilder(function.append_basic_block("entry"))

    def slot(base: Any, operands: Any, position: int) -> Any:
        number = builder.zext(builder.load(builder.gep(operands, [index(position)])), wide)
        return builder.gep(base, [builder.mul(number, stride)])

    count = builder.load(builder.gep(code, [index(1)]))
    with _counted(builder, count, builder.gep(code, [index(2)]), other) as ((operands, target), go_on):
        fixed = 3 if backward else 0
        slots = [slot(other, operands, i) for i in range(fixed)] if backward else [None, None, target]
        slots += [slot(values, operands, fixed + i) for i in range(operation.arity)]
        if one_by_one:
            with _counted(builder, active, wide(0)) as ((lane,), next_lane):
                _apply(builder, number, operation, [x and builder.gep(x, [lane]) for x in slots])
                next_lane(builder.add(lane, wide(1)))
        else:
            kind = number if lanes == 1 else ir.VectorType(number, lanes)
            _apply(builder, kind, operation, [x and builder.bitcast(x, kind.as_pointer()) for x in slots])
        operands = builder.gep(operands, [index(fixed + operation.arity)])
        go_on(operands, target if backward else builder.gep(target, [stride]))
    builder.ret(operands)
    return function


def _apply(builder: Any, kind: Any, operation: Operation, slots: Sequence[Any]) -> None:
    upstream, gathered, target, *inputs = slots
    load: Callable[[Any], Any] = lambda slot: slot and builder.load(slot, align=8)
    write = _Writer(builder, kind, [load(x) for x in inputs], load(upstream))
    result = write(operation.expression)
    if gathered is not None:
        result = builder.fadd(load(gathered), result)
    builder.store(result, target, align=8)
