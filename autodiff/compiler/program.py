"""A program: the graph as a flat list of instructions over numbered values."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from autodiff.formula import ATOM, TEXT, level_of, name_text, number_text
from autodiff.graph import Node
from autodiff.primitives.row import Primitive
from autodiff.tensor import Tensor
from autodiff.value import Value

_SHOWN = 60  # lines of a long program that are printed: two thirds from its start, the others from its end

_LINE, _DEEPEST = 80, 6  # characters of an expression, and operations that it is deep


@dataclass(eq=False, repr=False)
class Program:
    """Instructions in the order of creation, which is a topological order.

    Value number ``i`` is made by the row ``ops[i]`` from the values ``args[i]``, with the parameters ``params[i]``
    of the row. Where ``ops[i]`` is None the value is a leaf: a constant, shared by all examples of a batch (a
    parameter of the model), or varying from one example to the next (an input).

    Attributes:
        ops, args, params: the instructions; a leaf has None, (), None.
        constants: the number (or array) of each constant leaf.
        shared, varying: the leaves that are given at each run, in the order in which they are given.
        outputs: what is computed.
        stopped: values that no gradient passes (made under ``no_grad`` or by ``detach``).
        scopes: for each value where it was made, for drawings.
        labels: the names that the function gave to values.
        names: what leaves are called, as pairs (text, shape): ``("params[0]", (3,))`` names three leaves, the next
            three of ``shared`` and then of ``varying``.
        example: the numbers of the trace for the leaves, ``shared`` and then ``varying``, where they are known.

    ``len(program)`` counts all values, leaves too. ``print(program)`` lists the instructions:

    >>> from autodiff import Value
    >>> from autodiff.compiler.program import Recorder
    >>> from autodiff import observe
    >>> recorder, w, x = Recorder(), Value(2.0, label="w"), Value(3.0, label="x")
    >>> _ = recorder.shared(w), recorder.varying(x)
    >>> with observe(recorder):
    ...     y = (w * x + 1).tanh()
    >>> recorder.program.outputs.append(recorder.number(y))
    >>> print(recorder.program)
    3 instructions on 1 shared and 1 varying leaf, 1 output
      v2 = w * x
      v4 = v2 + 1.0
      v5 = tanh(v4)
      return v5
    """

    ops: list[Primitive | None] = field(default_factory=list)
    args: list[tuple[int, ...]] = field(default_factory=list)
    params: list[dict[str, Any] | None] = field(default_factory=list)
    constants: dict[int, Any] = field(default_factory=dict)
    shared: list[int] = field(default_factory=list)
    varying: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    stopped: set[int] = field(default_factory=set)
    scopes: list[str] = field(default_factory=list)
    labels: dict[int, str] = field(default_factory=dict)
    names: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    example: list[Any] | None = None

    def __len__(self) -> int:
        return len(self.ops)

    def append(
        self, op: Primitive | None, args: tuple[int, ...] = (), params: dict[str, Any] | None = None, scope: str = ""
    ) -> int:
        """Add an instruction or a leaf; returns the number of its value."""
        self.ops.append(op)
        self.args.append(args)
        self.params.append(params)
        self.scopes.append(scope)
        return len(self.ops) - 1

    @property
    def instructions(self) -> int:
        """How many operations it takes."""
        return len(self.ops) - self.ops.count(None)

    # ── how it reads ─────────────────────────────────────────────────────────────────────────────────
    def leaf_names(self) -> dict[int, str]:
        """The name of every leaf that is given at each run: ``params[0][1]``."""
        texts = (f"{text}{''.join(f'[{i}]' for i in at)}" for text, shape in self.names for at in np.ndindex(*shape))
        return dict(zip(chain(self.shared, self.varying), texts, strict=False))

    def line(self, i: int, names: dict[int, str]) -> str:
        """Instruction ``i`` as text: ``v12 = v3 * x[0]``."""
        op = self.ops[i]
        assert op is not None
        written, _ = TEXT.apply(op, [self._written(k, names) for k in self.args[i]], self.params[i])
        stopped = "   # no gradient passes" if i in self.stopped and not op.truth else ""
        label = f"   # {name_text(self.labels[i])}" if i in self.labels else ""
        return f"v{i} = {written}{stopped}{label}"

    def expression(self, i: int) -> str:
        """Value ``i`` as what computed it, as far as it fits into a line: ``... + w[1] * x[1] > 0.0``."""
        names = self.leaf_names()
        texts = (self._expression(i, depth, names)[0] for depth in range(_DEEPEST, 0, -1))
        return next((text for text in texts if len(text) <= _LINE), f"v{i}")

    def _expression(self, i: int, depth: int, names: dict[int, str]) -> tuple[str, int]:
        op = self.ops[i]
        if op is None:
            return self._written(i, names)
        if not depth:
            return "...", ATOM
        return TEXT.apply(op, [self._expression(k, depth - 1, names) for k in self.args[i]], self.params[i])

    def _written(self, i: int, names: dict[int, str]) -> tuple[str, int]:
        if i in self.constants:
            constant = self.constants[i]
            text = number_text(constant) if np.ndim(constant) else repr(_plain_number(constant))
            return text, level_of(text)
        name = names.get(i) or (self.labels.get(i) if self.ops[i] is None else None)
        return name or f"v{i}", ATOM

    def __str__(self) -> str:
        names = self.leaf_names()
        computed = [i for i, op in enumerate(self.ops) if op is not None]
        first = _SHOWN if len(computed) <= _SHOWN else _SHOWN * 2 // 3
        last = [] if len(computed) <= _SHOWN else computed[len(computed) - (_SHOWN - first) :]
        lines = [f"  {self.line(i, names)}" for i in computed[:first]]
        if last:
            lines += [f"  ... {len(computed) - _SHOWN:,} more ...", *(f"  {self.line(i, names)}" for i in last)]
        returned = [self._written(i, names)[0] for i in self.outputs[:8]] + ["..."] * (len(self.outputs) > 8)
        return "\n".join([repr(self)[9:-1], *lines, f"  return {', '.join(returned)}"])

    def __repr__(self) -> str:
        shared, varying, outputs = len(self.shared), len(self.varying), len(self.outputs)
        return (
            f"<Program {_count(self.instructions, 'instruction')} on {shared:,} shared and"
            f" {_count(varying, 'varying leaf', 'varying leaves')}, {_count(outputs, 'output')}>"
        )

    # ── as a graph ───────────────────────────────────────────────────────────────────────────────────
    def graph(self, leaves: list[Any] | None = None) -> Any:
        """The program as nodes again, with names and scopes: ``viz.draw`` draws them, ``explain`` explains them.

        Args:
            leaves: numbers or arrays for ``shared`` and then ``varying``; by default those of the trace.

        Returns:
            the output, or a list of several.

        Raises:
            ValueError: not as many leaves as the program has; or none given where those of the trace are not known.
        """
        leaves = self.example if leaves is None else leaves
        expected = len(self.shared) + len(self.varying)
        if leaves is None or len(leaves) != expected:
            given = "none" if leaves is None else len(leaves)
            raise ValueError(f"the program has {expected} leaves, shared and then varying, and {given} given")
        kind = Tensor if any(isinstance(x, np.ndarray) for x in chain(leaves, self.constants.values())) else Value
        names, nodes = self.leaf_names(), dict[int, Any]()
        for i, data in zip(chain(self.shared, self.varying), leaves, strict=True):
            nodes[i] = kind(data, label=self.labels.get(i, names.get(i)))
        for i, op in enumerate(self.ops):
            if op is not None:
                node = kind.apply(op, tuple([nodes[k] for k in self.args[i]]), self.params[i] or {})
                node = node.detach() if i in self.stopped else node
                node.label = self.labels.get(i)
                nodes[i] = node
            elif i in self.constants:
                nodes[i] = kind(self.constants[i], requires_grad=False, label=self.labels.get(i))
            nodes[i].scope = self.scopes[i]
        outputs = [nodes[i] for i in self.outputs]
        return outputs[0] if len(outputs) == 1 else outputs


class Recorder:
    """An observer that writes down, as a program, every operation of a context; see ``autodiff.observe``.

    Leaves that are to be given at each run are announced beforehand; any other leaf that is met is a constant.
    """

    def __init__(self) -> None:
        self.program = Program()
        self.numbers: dict[Node, int] = {}

    def shared(self, node: Node) -> int:
        """Announce a leaf that all examples share."""
        number = self._leaf(node)
        self.program.shared.append(number)
        return number

    def varying(self, node: Node) -> int:
        """Announce a leaf that varies from example to example."""
        number = self._leaf(node)
        self.program.varying.append(number)
        return number

    def _leaf(self, node: Node) -> int:
        self.numbers[node] = number = self.program.append(None, scope=node.scope)
        if node.label:
            self.program.labels[number] = node.label
        return number

    def number(self, node: Node) -> int:
        """The number of a node's value."""
        if node not in self.numbers:
            self.program.constants[self._leaf(node)] = node._held
        return self.numbers[node]

    def __call__(self, node: Node, op: Primitive, inputs: tuple[Node, ...]) -> None:
        """Write down one operation."""
        args = tuple([self.number(x) for x in inputs])
        number = self.numbers[node] = self.program.append(op, args, node.params, node.scope)
        if not node.requires_grad and any([x.requires_grad for x in inputs]):
            self.program.stopped.add(number)


def _plain_number(x: Any) -> Any:
    return x.item() if isinstance(x, np.ndarray | np.generic) else x


def _count(n: int, one: str, many: str = "") -> str:
    return f"{n:,} {one if n == 1 else many or one + 's'}"
