"""Backpropagation: a stream of steps over the graph, and the functions that drain it.

The algorithm is :func:`sweep`. From the output back to the leaves, newest node first, each node hands to each
of its inputs what it received times its local derivative; what arrives at a node over several paths is added up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from autodiff.chain import array_edges, edges, gathered, seed_of
from autodiff.context import current, look
from autodiff.errors import leaf_changed
from autodiff.graph import Node
from autodiff.hooks import hooked


def newest_first(output: Node, since: int = 0) -> list[Node]:
    """The computed nodes that ``output`` was made from, itself included, newest first.

    Inputs are older than what uses them, so this is a topological order: every node comes after all that
    use it. Nodes made before the tick ``since`` are left out.

    Raises:
        GraphError: a leaf was changed after a node was computed from it.
    """
    found: list[Node] = []
    seen: set[Node] = set()
    stack = [output] if output.op is not None else []
    while stack:
        node = stack.pop()
        if node in seen or (since and node.clock < since):
            continue
        seen.add(node)
        found.append(node)
        a, b = node._a, node._b  # spelt out rather than looped over: half of the time of a backward pass is here
        if a._a is not None:  # a was computed
            stack.append(a)
        elif a.clock > node.clock:
            raise leaf_changed(a, node)
        if b is None:
            continue
        if type(b) is tuple:
            for x in b:
                if x.clock > node.clock:
                    raise leaf_changed(x, node)
            stack.extend(x for x in b if x._a is not None)
        elif b._a is not None:
            stack.append(b)
        elif b.clock > node.clock:
            raise leaf_changed(b, node)
    found.sort(key=attrgetter("clock"), reverse=True)
    return found


def sweep(order: Sequence[Node], adjoints: dict[Node, Any], create_graph: bool = False) -> Iterator[Node]:
    """Walk ``order``, adding each node's contributions to the adjoints of its inputs; yield each node done.

    ``adjoints`` maps nodes to the gradient gathered so far, and starts with the seed. A node's adjoint is
    complete when its turn comes. With ``create_graph`` the same rules run on nodes, and so give nodes.
    """
    owned: set[Node] = set()
    for node in order:
        upstream = adjoints[node]
        if node._notes is not None:
            upstream = adjoints[node] = hooked(node, upstream)
        op: Any = node.op
        if op.scalar is not None and type(upstream) is float:
            # What the general way below does, in a third of the time. None stands for a partial of 1; NaN may be
            # inf * 0 of a row that selects, which the general way settles.
            a, b = node._a, node._b
            try:
                if b is None:
                    (da,) = op.scalar
                    to_a = upstream if da is None else upstream * da(a._held, node._held)
                    if to_a != to_a:
                        raise ArithmeticError
                    adjoints[a] = adjoints[a] + to_a if a in adjoints else to_a
                else:
                    da, db = op.scalar
                    if a.requires_grad:
                        to_a = upstream if da is None else upstream * da(a._held, b._held, node._held)
                    if b.requires_grad:
                        to_b = upstream if db is None else upstream * db(a._held, b._held, node._held)
                    if a.requires_grad:
                        adjoints[a] = adjoints[a] + to_a if a in adjoints else to_a
                    if b.requires_grad:
                        adjoints[b] = adjoints[b] + to_b if b in adjoints else to_b
                yield node
                continue
            except ArithmeticError:  # 1 / 0, 0 * inf and their like, before anything was added
                pass
        if op.into is None or create_graph or not gathered(node, upstream, adjoints, owned):
            quick = op.scalar is not None and type(upstream) is np.ndarray and not op.selects
            for x, contribution in array_edges(node, upstream) if quick else edges(node, upstream, create_graph):
                if contribution is not None:
                    adjoints[x] = adjoints[x] + contribution if x in adjoints else contribution
        yield node


@np.errstate(all="ignore")  # inf and NaN are answers here
def backward(output: Node, seed: Any = None) -> None:
    """Differentiate ``output`` with respect to everything it was made from, into ``.grad``.

    Leaves accumulate: their ``.grad`` grows by the gradient of this pass. Computed nodes are given the
    gradient of this pass alone. ``seed`` is d loss / d output, by default 1 for an output of one number.

    >>> from autodiff import Value
    >>> a, b = Value(2.0), Value(3.0)
    >>> (a * b + a).backward()
    >>> a.grad, b.grad
    (4.0, 2.0)

    Raises:
        GraphError: no gradient flows to ``output``, it holds several numbers and there is no seed, or a
            leaf was changed after the graph was recorded.
        ValueError: the seed has another shape than ``output``.
    """
    look(output, ".backward()")
    adjoints = {output: seed_of(output, seed)}
    taken: set[int] = set()
    drain(newest_first(output), adjoints, output)
    for node in [node for node in adjoints if node.op is None]:
        gradient = adjoints[node] if node._notes is None else hooked(node, adjoints[node])
        adjoints[node] = node.own(gradient if node.grad is None else node.grad + gradient, taken)
    for node, gradient in adjoints.items():  # only now: an error above has left every .grad as it was
        if node.op is not None and type(gradient) is not float:
            if type(gradient) is np.ndarray and id(gradient) not in taken:
                gradient.setflags(False)  # type: ignore[call-arg]  # several may share it: for looking at only
            else:
                gradient = node.own(gradient, taken)
        node.grad = gradient


def drain(order: list[Node], adjoints: dict[Node, Any], output: Node, create_graph: bool = False) -> None:
    """Run the whole sweep, before the eyes of whoever observes this context and wants to watch."""
    stream = sweep(order, adjoints, create_graph)
    watch = getattr(current()[2], "watch", None)
    deque(stream if watch is None else watch(stream, adjoints, output), maxlen=0)  # the quickest way to drain
