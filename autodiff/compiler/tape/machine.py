"""The virtual machine: two sweeps, forward and backward, written as LLVM code from the expressions of the table.

A sweep walks over a list of numbers, in which an opcode is followed by its operands; END is the last. Each
operation is a function that ends by jumping to the function of the next opcode.

- Forward, the operands are the slots of the inputs; results are stored in one slot after the other.
- Backward there is one operation for each edge of the graph, and one for all edges of an instruction together. Its
  operands are where the upstream gradient stands; for each edge where what has been gathered for the input so far
  stands, and where the sum goes; and what the derivatives read. The first contribution adds to a slot that holds
  -0.0, which changes no number.

A slot holds as many numbers as there are lanes: 1, or LANES examples side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from hashlib import sha256
from inspect import getsource
from sys import modules
from typing import Any, NamedTuple

from autodiff.compiler.tape.symbols import BOOLEAN, OUT, UPSTREAM, Expression, Instruction, instructions

LANES = 16
"""Examples side by side. More of them share the cost of each step, and fewer of their numbers stay in the cache."""

END = 0

_ARITHMETIC = {"+": "fadd", "-": "fsub", "*": "fmul", "/": "fdiv"}
_EXACT = frozenset({"sqrt", "fabs", "floor", "ceil", "rint"})  # one machine instruction each, for many lanes at once


class Operation(NamedTuple):
    """What the machine does for one opcode: expressions of ``arity`` inputs (and, backward, of UPSTREAM)."""

    expressions: tuple[Expression, ...]
    arity: int


Edge = tuple[int, tuple[int, ...]]
"""An opcode backward, and which slots it reads: the number of an input, or -1 for the result."""


class Coded(NamedTuple):
    """An instruction as the machine does it.

    Attributes:
        opcode: forward.
        edges: backward, for each input by itself.
        together: backward, for all inputs.
    """

    opcode: int
    edges: tuple[Edge, ...]
    together: Edge


class Table(NamedTuple):
    """All operations (opcode ``i + 1`` is number ``i``), and how each instruction is made of them.

    Attributes:
        passes: the opcode backward that hands the upstream gradient on as it is.
    """

    forward: list[Operation]
    backward: list[Operation]
    coded: dict[Instruction, Coded]
    passes: int

    def fingerprint(self) -> str:
        """Changes with every change of what the machine does."""
        written = getsource(modules[__name__]), self.forward, self.backward
        return sha256(repr(written).encode()).hexdigest()[:16]


@cache
def table() -> Table:
    """The operations of all rows; what is the same for two rows is one operation."""
    forward: dict[Operation, int] = {}
    backward: dict[Operation, int] = {}
    coded = {}

    def edge(expressions: tuple[Expression, ...]) -> Edge:
        reads = tuple(dict.fromkeys(x for expression in expressions for x in _reads(expression)))
        order = {number: position for position, number in enumerate(reads)}
        operation = Operation(tuple([_renumbered(x, order) for x in expressions]), len(reads))
        return backward.setdefault(operation, len(backward) + 1), reads

    for instruction in instructions():
        operation = Operation((instruction.forward(),), len(instruction.numbered))
        opcode = forward.setdefault(operation, len(forward) + 1)
        flows = tuple([instruction.backward(k) for k in range(instruction.row.arity or 0)])
        coded[instruction] = Coded(opcode, tuple([edge((flow,)) for flow in flows]), edge(flows))
    return Table(list(forward), list(backward), coded, backward[Operation((UPSTREAM,), 0)])


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


def sweep(module: Any, backward: bool, lanes: int) -> Any:
    """A function ``(code, values, gradients or where the first result goes, active lanes)`` of an LLVM module."""
    from llvmlite import ir

    name = f"{'backward' if backward else 'forward'}_{lanes}"
    if name in module.globals:
        return module.globals[name]
    numbers, index, wide = ir.DoubleType().as_pointer(), ir.IntType(32), ir.IntType(64)
    kind = ir.FunctionType(ir.VoidType(), [index.as_pointer(), numbers, numbers, wide])
    operations = table().backward if backward else table().forward
    functions = [ir.Function(module, kind, name)]
    functions += [ir.Function(module, kind, f"{name}_{opcode}") for opcode in range(len(operations) + 1)]
    start, end, *_ = functions
    entries = ir.GlobalVariable(module, ir.ArrayType(kind.as_pointer(), len(functions) - 1), f"{name}_operations")
    entries.initializer = ir.Constant(entries.value_type, functions[1:])
    entries.global_constant = True
    entries.linkage = "internal"
    for function in functions:
        function.linkage = "internal"
        function.attributes.add("noinline")

    def go_on(builder: Any, code: Any, values: Any, other: Any, active: Any) -> None:
        """The operation at ``code`` takes over."""
        operation = builder.load(builder.gep(entries, [index(0), builder.load(code)]))
        builder.call(operation, [code, values, other, active], tail="musttail")
        builder.ret_void()

    go_on(ir.IRBuilder(start.append_basic_block()), *start.args)
    ir.IRBuilder(end.append_basic_block()).ret_void()
    for function, operation in zip(functions[2:], operations, strict=True):
        builder = ir.IRBuilder(function.append_basic_block())
        go_on(builder, *_do(builder, operation, backward, lanes, *function.args))
    return start


def _do(
    builder: Any, operation: Operation, backward: bool, lanes: int, code: Any, values: Any, other: Any, active: Any
) -> tuple[Any, ...]:
    """Do the operation at ``code``; returns the same arguments for the next one."""
    from llvmlite import ir

    index, wide = ir.IntType(32), ir.IntType(64)

    def slot(base: Any, position: int) -> Any:
        """The address of the slot whose number stands in the code."""
        number = builder.zext(builder.load(builder.gep(code, [index(position)])), wide)
        return builder.gep(base, [builder.mul(number, wide(lanes))])

    given = 1 + 2 * len(operation.expressions) if backward else 0
    slots = [slot(other, 1 + i) for i in range(given)] or [None, None, other]
    slots += [slot(values, 1 + given + i) for i in range(operation.arity)]
    if lanes == 1 or not any([calls(x) for x in operation.expressions]):
        kind = ir.DoubleType() if lanes == 1 else ir.VectorType(ir.DoubleType(), lanes)
        _compute(builder, kind, operation, [x and builder.bitcast(x, kind.as_pointer()) for x in slots])
    else:  # a function of C's takes one lane after the other
        before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
        builder.branch(loop)
        builder.position_at_end(loop)
        lane = builder.phi(wide)
        lane.add_incoming(wide(0), before)
        _compute(builder, ir.DoubleType(), operation, [x and builder.gep(x, [lane]) for x in slots])
        following = builder.add(lane, wide(1))
        lane.add_incoming(following, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, active), loop, after)
        builder.position_at_end(after)
    code = builder.gep(code, [index(1 + given + operation.arity)])
    return code, values, other if backward else builder.gep(other, [index(lanes)]), active


def _compute(builder: Any, kind: Any, operation: Operation, slots: Sequence[Any]) -> None:
    """From slots to slots: upstream, for each result what it is added to and where it goes, what is read."""
    load: Callable[[Any], Any] = lambda slot: slot and builder.load(slot, align=8)
    ends = 1 + 2 * len(operation.expressions)
    write = _Writer(builder, kind, [load(x) for x in slots[ends:]], load(slots[0]))
    results = [write(x) for x in operation.expressions]
    for result, gathered, target in zip(results, slots[1:ends:2], slots[2:ends:2], strict=True):
        result = result if gathered is None else builder.fadd(load(gathered), result)
        builder.store(result, target, align=8)
