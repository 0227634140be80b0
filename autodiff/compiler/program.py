"""A program: the graph as a flat list of instructions over numbered values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from autodiff.graph import Node
from autodiff.primitives.row import Primitive


@dataclass(eq=False)
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


class Recorder:
    """An observer that writes down, as a program, every operation of a context; see ``autodiff.observe``.

    Leaves that are to be given at each run are announced beforehand; any other leaf that is met is a constant.
    """

    def __init__(self) -> None:
        self.program = Program()
        self.numbers: dict[Node, int] = {}

    def shared(self, node: Node) -> int:
        """Announce a leaf that all examples share."""
        self.program.shared.append(self._leaf(node))
        return self.numbers[node]

    def varying(self, node: Node) -> int:
        """Announce a leaf that varies from example to example."""
        self.program.varying.append(self._leaf(node))
        return self.numbers[node]

    def _leaf(self, node: Node) -> int:
        self.numbers[node] = number = self.program.append(None, scope=node.scope)
        return number

    def number(self, node: Node) -> int:
        """The number of a node's value."""
        if node not in self.numbers:
            self.program.constants[self._leaf(node)] = node._held
        return self.numbers[node]

    def __call__(self, node: Node, op: Primitive, inputs: tuple[Node, ...]) -> None:
        args = tuple([self.number(x) for x in inputs])
        number = self.numbers[node] = self.program.append(op, args, node.params, node.scope)
        if not node.requires_grad and any([x.requires_grad for x in inputs]):
            self.program.stopped.add(number)
