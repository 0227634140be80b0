"""Tracing: a function runs once, on nodes, and every operation is written down; what cannot be captured is refused.

The function sees ordinary Values (one example) or Tensors. A number that leaves the graph, as ``if value > 0`` and
``float(value)`` make it, is a number of that one example: whoever replays the operations on others would go wrong. So
the engine tells the tracer of everything that leaves the graph (``autodiff.context.Tracer``), and it raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.compiler.program import Program, Recorder
from autodiff.compiler.tracing import advice, refusals
from autodiff.compiler.tracing.arguments import Run, Tree, numbers_of
from autodiff.compiler.tracing.called import Argument, Called
from autodiff.compiler.tracing.guards import Guards
from autodiff.compiler.tracing.ownership import is_foreign_file
from autodiff.compiler.tracing.reach import Named
from autodiff.context import Tracer, enable_grad, observe, silent, traced_by
from autodiff.errors import TraceError
from autodiff.exits import Given
from autodiff.graph import Node, tick
from autodiff.primitives.elementwise import identity
from autodiff.primitives.row import Primitive
from autodiff.tensor import Tensor
from autodiff.trees import flatten
from autodiff.value import Value


class Example:
    """The arguments of one call as nodes.

    Attributes:
        args, kwargs: what the function is given.
        shared, varying: the leaves in them, in the order in which a program has them.
        names: of these leaves, as a program has them, and how many of those are of shared ones.
        start: the tick before the first of them was made.
        called: the same, to be told to a reader; ``batch`` is how many examples there are, if any.
    """

    def __init__(
        self, trees: list[Tree], named: dict[str, Tree], kind: Any, numbers: list[Any], batch: int | None = None
    ) -> None:
        nodes: dict[bool, list[Any]] = {False: [], True: []}
        names: dict[bool, list[tuple[str, tuple[int, ...]]]] = {False: [], True: []}
        fillings = []
        self.start = tick()
        every = [*trees, *named.values()]
        for run, held in zip([run for tree in every for run in tree.runs], numbers, strict=True):
            filling, made = _nodes(run, held, kind)
            fillings.append(filling)
            nodes[run.axis is not None] += made
            names[run.axis is not None] += run.names(kind is Tensor)
        filled = iter(fillings)
        self.args = [tree.filled(filled) for tree in trees]
        self.kwargs = {name: tree.filled(filled) for name, tree in named.items()}
        given = [(tree, False, x) for tree, x in zip(trees, self.args, strict=True)]
        given += [(tree, True, self.kwargs[name]) for name, tree in named.items()]
        self.called = Called([Argument(*one) for one in given], batch)
        self.shared, self.varying = nodes[False], nodes[True]
        self.names, self.shared_names = names[False] + names[True], len(names[False])


class _GivenValue(Given, Value):
    """A number that varies from example to example."""

    __slots__ = ()


_GivenValue.__name__ = "Value"  # as it is printed


def _nodes(run: Run, held: Any, kind: Any) -> tuple[Any, list[Any]]:
    """A run as nodes: nested lists of Values, or a Tensor; and all of them in order."""
    if run.nodes is not None:
        return None, list(run.nodes)
    if kind is Tensor and run.leaves == 1 and run.kind not in (list, tuple):
        node = Tensor(float(held) if run.kind is float else getattr(held, "_held", held))  # 2 now may be 2.5 then
        return node, [node]
    given = numbers_of(held) if run.values else np.ravel(np.asarray(getattr(held, "_held", held), float)).tolist()
    given_kind = _GivenValue if kind is Value and run.axis is not None else kind
    nodes = [given_kind(x) for x in given]
    return _nested(nodes, run.shape, tuple if run.kind is tuple else list), nodes


class Trace:
    """One run of a function, written down.

    Attributes:
        program: what was written down; its shared leaves are those of the arguments, then ``captured``.
        captured: leaves that the function reached without being given them; their data are read at every run.
        guards: what else it reached.
        returned: what the function returned, without the graph behind it, which would be many times the program.
    """

    def __init__(self, function: Callable[..., Any], example: Example, objects: Named, kind: type) -> None:
        tracer = _Tracer(kind, example)
        self.guards = tracer.guards = Guards(function, objects, example.called.named())
        tracer.start = tick()
        with enable_grad(), silent(), observe(tracer), traced_by(tracer):
            try:
                returned = function(*example.args, **example.kwargs)
            except TraceError:
                raise
            except Exception as error:
                if tracer.refused is not None:  # and lost in another thread: what was missing then raised this
                    raise tracer.refused from error
                # Not where the call itself failed, for want of an argument.
                if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
                    note = advice.on_error(function, kind, error, example.called)
                    if note is not None:
                        error.add_note(note)
                raise
        if tracer.refused is not None:  # and somebody caught it: what followed was not what the function does
            raise tracer.refused
        changed = self.guards.changed()
        if changed is not None:
            raise refusals.changes_state(function, changed)
        self.guards.finish()
        outputs, rebuilt = flatten(returned)
        if not outputs:
            raise refusals.returns_nothing(function, returned)
        tracer.finish(function, outputs, alone=outputs[0] is returned)
        self.returned = rebuilt([y.detach() for y in outputs])
        self.program: Program = tracer.program
        self.captured: list[Node] = tracer.captured


def _nested(nodes: list[Any], shape: tuple[int, ...], outer: type = list) -> Any:
    """Nodes in nested lists of a shape, as an array of it is written."""
    if not shape:
        return nodes[0]
    for length in shape[:0:-1]:
        nodes = [nodes[i : i + length] for i in range(0, len(nodes), length)] if length else []
    return outer(nodes)


class _Tracer(Recorder, Tracer):
    """A recorder that knows what depends on the arguments, and refuses to let it out of the graph."""

    choices = True

    def __init__(self, kind: type, example: Example) -> None:
        super().__init__()
        self.kind = kind
        self.called = example.called
        self.begun, self.start = example.start, 0
        self.depends = bytearray()  # for each value: whether another call may give it another number
        self.captured: list[Node] = []
        self.refused: TraceError | None = None
        self.guards: Guards
        self.number_of = self.numbers.__getitem__
        for node in example.shared:
            if node in self.numbers:
                raise refusals.given_twice(node)
            self.shared(node)
        for node in example.varying:
            self.varying(node)
        self.program.names, self.shared_names = list(example.names), example.shared_names

    # ── what operations do ───────────────────────────────────────────────────────────────────────────
    def __call__(self, node: Node, op: Primitive, inputs: tuple[Node, ...]) -> None:
        try:
            args = tuple(map(self.number_of, inputs))
        except KeyError:
            args = tuple([self.number(x) for x in inputs])
        program, depends = self.program, self.depends
        number = len(depends)
        self.numbers[node] = number
        program.ops.append(op)
        program.args.append(args)
        program.params.append(node.params)
        program.scopes.append(node.scope)
        for k in args:
            if depends[k]:
                depends.append(1)
                break
        else:
            depends.append(0)
        if not node.requires_grad and any([x.requires_grad for x in inputs]):
            program.stopped.add(number)

    def _leaf(self, node: Node) -> int:
        self.depends.append(1)
        return super()._leaf(node)

    def number(self, node: Node) -> int:
        if node in self.numbers:
            return self.numbers[node]
        if node.op is not None:
            raise self._refuse(refusals.computed_outside(node, before=node.clock < self.start))
        if self.kind is Value and isinstance(node._held, complex):
            raise self._refuse(refusals.is_complex(node))
        if node.clock < self.start:
            if not isinstance(node, self.kind):
                raise self._refuse(refusals.other_kind(node, self.kind))
            self.captured.append(node)
            name = node.label or self.guards.name_of(node) or f"captured[{len(self.captured) - 1}]"
            self.program.names.insert(self.shared_names, (name, ()))
            self.shared_names += 1
            return self.shared(node)
        number = super().number(node)
        self.depends[number] = 0
        return number

    # ── what leaves the graph ────────────────────────────────────────────────────────────────────────
    def look(self, node: Any, how: str) -> None:
        number = self.numbers.get(node)
        if number is None:
            if node.clock >= self.start and node.op is None:
                return  # a constant that the function made itself
            if node.op is None and not node.requires_grad:
                self.guards.read(node)
                return
            raise self._refuse(refusals.leaves_trace(node, self.guards.name_of(node) or node.name(), how, self.called))
        if self.depends[number]:
            if not node.requires_grad and any(node is x for x in self.captured):  # == between nodes is looked at too
                self.guards.read(node)
                return
            raise self._refuse(refusals.leaves_trace(node, self._shown(number), how, self.called))

    def is_of_one_example(self, node: Any) -> bool:
        number = self.numbers.get(node)
        if node.op is None and not node.requires_grad and node.clock < self.begun:
            self.guards.read(node)
            return False
        return bool(self.depends[number]) if number is not None else node.clock < self.begun or node.op is not None

    def look_at_text(self, node: Any, how: str, asker: str) -> None:
        if not is_foreign_file(asker):  # who prints and logs may cut and pad
            self.look(node, how)

    def look_elsewhere(self, node: Any, how: str) -> None:
        nodes = [node]
        while nodes:
            x = nodes.pop()
            if x.clock > self.begun:  # parameters, which are older, are anybody's
                if x in self.numbers and self.numbers[x] not in self.program.constants:
                    raise self._refuse(refusals.read_elsewhere(node, how))
                nodes += x.inputs

    def change(self, node: Any) -> None:
        if node in self.numbers or node.clock < self.start:
            raise self._refuse(refusals.assigns_data(node))

    def detach(self, node: Any, copy: Any) -> None:
        source = self.number(node)
        self.numbers[copy] = number = self.program.append(identity, (source,), None, node.scope)
        self.depends.append(self.depends[source])
        self.program.stopped.add(number)

    def made_by(self, node: Any) -> Any:
        return self.program.ops[self.numbers[node]] if node in self.numbers else node.op

    def _refuse(self, error: TraceError) -> TraceError:
        if self.refused is None:
            self.refused = error
        return error

    def _shown(self, number: int) -> str:
        return self.program.expression(number)

    # ── when all is written down ─────────────────────────────────────────────────────────────────────
    def finish(self, function: Callable[..., Any], returned: list[Any], alone: bool) -> None:
        """The outputs, names that the function gave after it had made a node, and the numbers of the leaves."""
        program = self.program
        program.outputs = [self._output(y, function, alone) for y in returned]
        for node, number in self.numbers.items():
            if node.label is not None and number not in program.constants:
                program.labels[number] = str(node.label)  # without the node, if it is the text of one
            if node._notes is not None and node._notes.get("hooks"):
                raise refusals.has_hooks(node)
        held = {number: node._held for node, number in self.numbers.items() if program.ops[number] is None}
        program.example = [held[number] for number in [*program.shared, *program.varying]]

    def _output(self, y: Any, function: Callable[..., Any], alone: bool) -> int:
        if not isinstance(y, Node):
            raise refusals.returns_no_node(function, y, alone)
        if not isinstance(y, self.kind):
            raise refusals.returns_other_kind(function, y, self.kind)
        number = self.number(y)
        if not self.depends[number]:
            raise refusals.returns_constant(function, y)
        return number
