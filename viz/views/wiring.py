"""A graph as arrays of numbers, so that a million nodes are sorted into boxes within seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import Node
from autodiff.errors import leaf_changed

Numbers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Wiring:
    """Nodes by their number, and who feeds whom.

    Attributes:
        nodes: all of them, inputs first.
        source, target: for every input of every node, the number of the input and of the node, target by target.
        position: which input of its target each one is.
        made: for every node, whether it was computed; a leaf was not.
        carries: whether gradients flow to it.
        size: how many numbers it holds.
        clock: when it was made; along this order, too, inputs come before what uses them.
        scope: the number of its place in ``scopes``.
        outputs: the nodes that were asked for.
    """

    nodes: list[Node]
    source: Numbers
    target: Numbers
    position: Numbers
    made: NDArray[np.bool_]
    carries: NDArray[np.bool_]
    size: Numbers
    clock: Numbers
    scope: Numbers
    scopes: list[str]
    outputs: Numbers


def wiring_of(outputs: Sequence[Node]) -> Wiring:
    """Everything that ``outputs`` were computed from.

    >>> from autodiff import Value
    >>> a = Value(3.0)
    >>> wiring = wiring_of([a * a])
    >>> wiring.source, wiring.target
    (array([0, 0]), array([1, 1]))

    Raises:
        GraphError: a leaf was changed after a node was computed from it.
    """
    number, each, given = _walked(outputs)
    nodes, count = list(number), len(number)
    ports, source = np.array(each, np.intp), np.array(given, np.intp)
    target = np.repeat(np.arange(count), ports)
    clock = _each(nodes, "clock", np.intp)
    changed = np.flatnonzero(clock[source] > clock[target])
    if len(changed):  # a box would show a number that the node was not computed from
        raise leaf_changed(nodes[source[changed[0]]], nodes[target[changed[0]]])
    places: dict[str, int] = {}
    scope = np.fromiter([places.setdefault(node.scope, len(places)) for node in nodes], np.intp, count)
    return Wiring(
        nodes=nodes,
        source=source,
        target=target,
        position=np.arange(len(source)) - np.repeat(np.cumsum(ports) - ports, ports),
        made=ports > 0,
        carries=_each(nodes, "requires_grad", np.bool_),
        size=np.fromiter([getattr(node.data, "size", 1) for node in nodes], np.intp, count),
        clock=clock,
        scope=scope,
        scopes=list(places),
        outputs=np.fromiter([number[node] for node in outputs], np.intp),
    )


def _walked(outputs: Sequence[Node]) -> tuple[dict[Node, int], list[int], list[int]]:
    """Every node with its number, in the order of ``model.in_order``; and how many inputs each has, and which.

    Nothing that outlives a step is an object with references: the cyclic collector would go through the whole graph
    again and again.
    """
    number: dict[Node, int] = {}
    ports: list[int] = []
    given: list[int] = []
    entered: set[Node] = set()
    stack = list(reversed(outputs))
    while stack:
        node = stack[-1]
        if node in number:
            stack.pop()
            continue
        inputs = node.inputs
        if inputs and node not in entered:
            entered.add(node)
            depth = len(stack)
            for x in inputs[::-1]:
                if x not in number:
                    stack.append(x)
            if len(stack) > depth:
                continue
        stack.pop()
        number[node] = len(number)
        ports.append(len(inputs))
        for x in inputs:
            given.append(number[x])
    return number, ports, given


def _each(nodes: Sequence[Node], name: str, kind: Any) -> NDArray[Any]:
    return np.fromiter(map(attrgetter(name), nodes), kind, len(nodes))
