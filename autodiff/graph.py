"""What a graph is: nodes that know what they were made from.

A graph is plain data. A node keeps the number or array it holds, the primitive that made it and the nodes it was
made from, and no function of its own. The backward pass, drawings and explanations walk over these few fields.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Self

from autodiff import errors
from autodiff.context import at_work, current, look, tracing

if TYPE_CHECKING:
    from autodiff.primitives.row import Primitive

tick = count(1).__next__  # one clock for every graph; atomic, so threads never share a tick
new = object.__new__


class Node:
    """One number or array in a graph, how it was made, and (after ``backward``) its gradient.

    Attributes:
        data: the number, or the read-only array. On a leaf it can be assigned.
        grad: d output / d node of the last backward pass (on leaves: the sum of all passes since
            ``grad`` was None), or None where no pass came by.
        op, params: the primitive it was made by, and its parameters; None on a leaf.
        inputs: the nodes it was made from, in order and with multiplicity: ``a * a`` has two.
        label, scope: the name of the variable, and the place (a layer, a time step), for readers.
        clock: when it was made or, for a leaf, last changed. Inputs are older than what uses them, so the
            order of creation is a topological order, and a leaf younger than its consumer was changed.
        requires_grad: whether gradients flow to it.
    """

    # Most operations have one or two inputs. They stand in two fields of the node, not in a tuple (of more than
    # two, _b holds the rest): half as many objects for the cyclic collector to follow.
    __slots__ = ("_a", "_b", "_held", "_notes", "clock", "grad", "label", "op", "params", "requires_grad", "scope")

    _a: Any
    _b: Any
    _held: Any
    _notes: dict[str, Any] | None  # what few nodes have: hooks, the source line that made them
    clock: int
    grad: Any
    label: str | None
    op: Primitive | None
    params: dict[str, Any] | None
    requires_grad: bool
    scope: str

    @classmethod
    def apply(cls, op: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Run a primitive on nodes, and on numbers or arrays that meet them, and record the result."""
        raise NotImplementedError

    def cast_like(self, data: Any) -> Any:
        """``data`` in the shape and type of this node's own data; an error where that would lose something."""
        raise NotImplementedError

    def one(self) -> Any:
        """The gradient of a node with respect to itself."""
        raise NotImplementedError

    def own(self, gradient: Any, taken: set[int]) -> Any:
        """A gradient as ``.grad`` keeps it: in this node's shape and type, shared with no other (``taken``)."""
        raise NotImplementedError

    def _set_leaf(self, data: Any, requires_grad: bool, label: str | None) -> None:
        self._held = data
        self._a = self._b = self._notes = self.grad = self.op = self.params = None
        self.clock = tick()
        self.label = label
        self.requires_grad = requires_grad
        self.scope = current()[1]

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes it was made from."""
        a, b = self._a, self._b
        if b is None:
            return () if a is None else (a,)
        return (a, *b) if type(b) is tuple else (a, b)

    @property
    def data(self) -> Any:
        """The number or the read-only array; assigning marks a leaf as changed."""
        if tracing() is not None or at_work:
            look(self, ".data")
        return self._held

    @data.setter
    def data(self, new: Any) -> None:
        if self.op is not None:
            raise errors.computed_data(self)
        if (tracer := tracing()) is not None:
            tracer.change(self)
        self._held = self.cast_like(new)
        self.clock = tick()

    is_leaf = property(lambda self: self.op is None, doc="Whether it was given rather than computed.")
    origin = property(lambda self: (self._notes or {}).get("origin"), doc="Its source line, inside source_lines().")

    def name(self) -> str:
        """The label, or what stands in its place in a message."""
        return self.label or (f"the result of {self.op.name}" if self.op else repr(self))

    def detach(self) -> Self:
        """The same number or array as a constant: no gradient flows through it."""
        node = new(type(self))
        node._set_leaf(self._held, False, self.label)
        if (tracer := tracing()) is not None:
            tracer.detach(self, node)
        elif at_work:
            look(self, ".detach()")
        return node

    def zero_grad(self) -> None:
        """Forget the gradient that has accumulated."""
        self.grad = None


def record(
    kind: Any, op: Primitive, inputs: tuple[Node, ...], data: Any, params: dict[str, Any] | None, carries: bool
) -> Any:
    """A new node holding ``data``, computed by ``op``: where graphs grow.

    Where nothing upstream carries a gradient, or inside ``no_grad()``, the history is let go.
    """
    enabled, scope, observer, _ = current()
    node = new(kind)
    node._held = data
    node._notes = node.grad = node.label = None
    node.clock = tick()
    node.scope = scope
    if carries and enabled:
        node.op = op
        node.params = params
        node.requires_grad = True
        node._a = inputs[0]
        node._b = inputs[1] if len(inputs) == 2 else inputs[1:] or None
    else:
        node._a = node._b = node.op = node.params = None
        node.requires_grad = False
    if observer is not None:
        node.params = params  # an observer sees them also where the history is let go
        observer(node, op, inputs)
        node.params = params if node.op is not None else None
    return node
