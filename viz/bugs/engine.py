"""An engine with one loose screw, that keeps the steps it takes and knows which of them do the wrong thing."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from autodiff import Node
from autodiff.chain import edges, seed_of
from autodiff.explanation import BackwardStep, Explanation, backward_step
from autodiff.formula import number_text
from autodiff.hooks import hooked
from viz.bugs.catalogue import Bug
from viz.bugs.mistakes import Mistake


class WrongEngine:
    """One wrong pass: what can be wrong with it are a few lines of ``run``."""

    def __init__(self, bug: Bug, explained: Explanation, mistake: Mistake | None) -> None:
        self.bug, self.mistake = bug, mistake
        self.output, self.names, self.right = explained.output, explained.names, explained.adjoints
        self.rules = {(step.node, step.position): step for step in explained.backward}
        self.left = {
            node: gradient
            for node, gradient in explained.adjoints.items()
            if bug.leftover == "everything" or (bug.leftover == "leaves" and node.op is None)
        }
        self.gradients: dict[Node, Any] = dict(self.left)
        self.steps: list[BackwardStep] = []

    @np.errstate(all="ignore")
    def run(self, order: Iterable[Node], seed: Any) -> None:
        """The pass: over the nodes of ``order``, each handing on the gradient that it has by then."""
        start = seed_of(self.output, seed)
        is_left = self.output.op is None and self.output in self.left
        self.gradients[self.output] = self.left[self.output] + start if is_left else start
        new: dict[Node, Any] = {self.output: start}  # what this pass has brought, without what was left over
        arrived: dict[Node, int] = {}
        for node in order:
            upstream = self.gradients[node] = hooked(node, self.gradients[node])
            acting = node if self.mistake is None else self.mistake.applied(node)
            for k, (x, flow) in enumerate(edges(acting, upstream)):
                if flow is None:
                    continue
                before = self.gradients.get(x) if self.bug.accumulates else None
                self.gradients[x] = flow if before is None else before + flow
                new[x] = new[x] + flow if x in new and self.bug.accumulates else flow
                arrived[x] = arrived.get(x, 0) + 1
                path, paths = arrived[x], self.rules[node, k].paths
                names = ChainMap({acting: self.names[node]}, self.names)  # type: ignore[arg-type]
                step = backward_step(acting, k, upstream, flow, before, self.gradients[x], path, paths, names)
                self.steps.append(replace(step, node=node))
        for leaf in [node for node in self.gradients if node.op is None]:
            seen = hooked(leaf, new[leaf])
            if seen is not new[leaf]:
                self.gradients[leaf] = self.left[leaf] + seen if leaf in self.left else seen

    def what_is_right(self) -> dict[Node, Any]:
        """What a right engine has after the same calls."""
        again = self.bug.passes == 2
        return {node: g + g if again and node.op is None else g for node, g in self.right.items()}

    def slips(self) -> dict[int, str]:
        """The steps that do the wrong thing by themselves, and what they do."""
        found: dict[int, str] = {}
        there: dict[Node, Any] = {}
        late = {} if self.bug.waits else self._late()
        for number, step in enumerate(self.steps):
            x, to, total = step.input, step.input_name, number_text(step.total)
            rule = self.rules[step.node, step.position]
            if not self.bug.accumulates and _counts(there.get(x)):
                found[number] = f"{number_text(there[x])} had arrived at {to}, and {total} takes its place."
            elif step.node in late:
                handed_on = number_text(step.upstream)
                found[number] = f"{step.name} hands on {handed_on}, and {late[step.node]} is still to come to it."
            elif step.path == 1 and self._should_be_empty(x) and _counts(self.left.get(x)):
                left = number_text(self.left[x])
                found[number] = f"{to} does not begin at 0: {left} is left over from the pass before."
            elif self.mistake is not None and not same(step.local, rule.local):
                taken = f"and {step.formula} is taken: {self.mistake.words}."
                found[number] = f"∂{step.name}/∂{to} is {rule.formula}, {taken}"
            there[x] = step.total
        return found

    def _should_be_empty(self, x: Node) -> bool:
        return self.bug.passes == 1 or x.op is not None

    def _late(self) -> dict[Node, str]:
        """The nodes that more came to after they had handed on, and how much."""
        done: set[Node] = set()
        late: dict[Node, Any] = {}
        for step in self.steps:
            done.add(step.node)
            if step.input in done and _counts(step.contribution):
                x = step.input
                late[x] = late[x] + step.contribution if x in late else step.contribution
        return {node: number_text(gradient) for node, gradient in late.items()}


def depth_first(output: Node) -> Iterator[Node]:
    """The computed nodes in the order in which a recursion first reaches them, left inputs first.

    >>> from autodiff import Value
    >>> a = Value(2.0)
    >>> b = a * a
    >>> c = b * b
    >>> [node.data for node in depth_first(b + c)]
    [20.0, 4.0, 16.0]
    """
    seen: set[Node] = set()
    stack = [output]
    while stack:
        node = stack.pop()
        if node.op is not None and node not in seen:
            seen.add(node)
            yield node
            stack += reversed(node.inputs)


def _counts(gradient: Any) -> bool:
    """Whether it would change a sum."""
    return gradient is not None and bool(np.any(np.asarray(gradient) != 0))


def same(a: Any, b: Any) -> bool:
    """Equal number for number, NaN included."""
    a, b = np.asarray(a), np.asarray(b)
    return bool(np.all((a == b) | ((a != a) & (b != b))))
