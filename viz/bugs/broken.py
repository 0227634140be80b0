"""A backward pass with one loose screw, as the same steps that a right one is told in."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np

from autodiff import Node
from autodiff.backprop import newest_first
from autodiff.chain import edges, seed_of
from autodiff.explanation import BackwardStep, Explanation, backward_step, explain
from autodiff.formula import number_text
from autodiff.hooks import hooked
from viz.bugs.catalogue import BUGS, Bug
from viz.bugs.mistakes import Edge, Mistake, first_mistake
from viz.numerical import numerical_gradients


@dataclass(frozen=True)
class BrokenPass:
    """What a wrong backward pass did, and what is right.

    Attributes:
        output: the node that was differentiated.
        bug: what is wrong.
        seed: the gradient that the pass began with; None stands for 1.
        names: what each node is called, as ``explain`` calls it.
        steps: what went back over each edge, in the order of the wrong pass. ``before`` is what the contribution
            was added to: gradients left by an earlier pass count, and it is None where nothing was added.
        gradients: what the wrong pass leaves in each node.
        right: what a right engine leaves there after the same calls: in leaves as many gradients as there should
            be, two after the second pass on one graph, and one where a training step should have begun anew; in
            computed nodes the gradient of the last pass.
        slips: for each step that does the wrong thing by itself (others only hand on its wrong number), a sentence.
        mistake: what is wrong about the rule, if the bug is a wrong rule.
    """

    output: Node
    bug: Bug
    seed: Any
    names: Mapping[Node, str]
    steps: list[BackwardStep]
    gradients: dict[Node, Any]
    right: dict[Node, Any]
    slips: dict[int, str]
    mistake: str

    @property
    def leaves(self) -> list[Node]:
        """The leaves with a gradient, oldest first."""
        return sorted((node for node in self.right if node.op is None), key=lambda node: node.clock)

    @property
    def wrong_nodes(self) -> list[Node]:
        """The nodes whose number is wrong, newest first."""
        if self.steps and not self.slips:
            return []  # another order of adding up may change a last digit, and that is no bug
        different = (node for node in self.right if not _same(self.gradients[node], self.right[node]))
        return sorted(different, key=lambda node: -node.clock)

    @property
    def shows(self) -> bool:
        """Whether any leaf has a wrong number."""
        return any(node.op is None for node in self.wrong_nodes)

    @property
    def first_slip(self) -> int | None:
        """The index of the first step that goes wrong, None if none does."""
        return min(self.slips, default=None)

    @cached_property
    def numerical(self) -> dict[Node, Any]:
        """Finite differences, to be compared with ``right``; computed when first asked for.

        A leaf that should hold two gradients has twice the difference here. See :func:`numerical_gradients` for
        which nodes are there.
        """
        found = numerical_gradients(self.output, seed=self.seed)
        return {node: slope * self.bug.passes if node.op is None else slope for node, slope in found.items()}

    def __str__(self) -> str:
        table = [["", "", "wrong", "right", "finite difference"]]
        wrong = set(self.wrong_nodes)
        for leaf in self.leaves:
            slope = number_text(self.numerical[leaf]) if leaf in self.numerical else "(too large)"
            row = [self.names[leaf], "✗" if leaf in wrong else "✓", number_text(self.gradients[leaf])]
            table.append([*row, number_text(self.right[leaf]), slope])
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [f"{self.bug.title}. {self.bug.what}"]
        for name, mark, *numbers in table:
            padded = [number.rjust(size) for number, size in zip(numbers, widths[2:], strict=True)]
            lines.append("   ".join([f"  {name.ljust(widths[0])}", mark.ljust(widths[1]), *padded]))
        return "\n".join([*lines, self.verdict])

    @property
    def verdict(self) -> str:
        """Where it goes wrong first, in a sentence."""
        if self.slips:
            first = min(self.slips)
            harmless = "" if self.shows else " No leaf has a wrong number, though."
            return f"It goes wrong at step {first + 1} of {len(self.steps)}: {self.slips[first]}{harmless}"
        return "" if self.shows else f"Nothing goes wrong here: this bug shows {self.bug.where}."


def broken(output: Node, bug: str | Bug, *, seed: Any = None, edge: Edge | None = None) -> BrokenPass:
    """The backward pass of ``output`` by an engine with a bug, beside the right one; no ``.grad`` is touched.

    But for its bug the engine is this one: it walks the nodes newest first, and the arrows of a node by the position
    of its inputs. The bugs:

    - "overwrite": a contribution replaces the gradient of the input.
    - "depth_first": nodes are walked depth first, left inputs first. All arrows of a node are handed over when it
      is first reached, with the gradient that it has by then, and no second time.
    - "stale": the second of two passes over the same graph. The seed is set anew, and everything else adds to what
      the first pass left. Right is one more gradient in the leaves, two in all.
    - "no_zero_grad": the pass of a training step whose leaves still hold the gradient of the step before. That step
      is taken to have seen the same numbers, so that what is left over is the gradient once. Right is the gradient
      of this pass alone.
    - "wrong_local": one input of one operation has a wrong local derivative, wherever the operation is used. It is a
      usual mistake that changes a number: at ``edge``, or else at the first arrow of the pass where one does.

    Args:
        output: a Value, or a Tensor.
        bug: its name, a key of ``BUGS``.
        seed: d loss / d output, by default 1 for an output of one number.
        edge: for "wrong_local": the computed node, and the position of the input, whose derivative is to be wrong.

    >>> from autodiff import Value
    >>> a, b = Value(2.0, label="a"), Value(5.0, label="b")
    >>> print(broken(a * b + a, "overwrite"))
    Overwrite instead of add up. A contribution is put in the place of the gradient, where it should be added to it.
              wrong   right   finite difference
      a   ✗       5       6                   6
      b   ✓       2       2                   2
    It goes wrong at step 3 of 4: 1 had arrived at a, and 5 takes its place.

    Raises:
        ValueError: there is no such bug, or no mistake can be made at ``edge``.
        GraphError: as ``backward``: no gradient flows, or several outputs and no seed.
    """
    bug = _bug_named(bug)
    if edge is not None and not bug.mistakes_a_rule:
        raise ValueError(f"edge says where a rule is to be wrong, and {bug.name!r} makes no mistake in a rule")
    explained = explain(output, seed)
    order = newest_first(output)
    mistake = None
    if bug.mistakes_a_rule:
        _check_edge(edge, order)
        mistake = first_mistake(order, explained.adjoints, edge)
        if edge is not None and mistake is None:
            raise ValueError(f"no usual mistake in {_arrow(edge, explained.names)} changes a number there")
    engine = _Engine(bug, explained, mistake)
    engine.run(order if bug.waits else depth_first(output), seed)
    words = mistake.words if mistake else ""
    right = engine.what_is_right()
    return BrokenPass(output, bug, seed, engine.names, engine.steps, engine.gradients, right, engine.slips(), words)


def _bug_named(bug: Any) -> Bug:
    if isinstance(bug, Bug):
        return bug
    if bug not in BUGS:
        near = get_close_matches(str(bug), BUGS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(map(repr, BUGS))}"
        raise ValueError(f"there is no bug {bug!r}; {hint}")
    return BUGS[bug]


def _check_edge(edge: Any, order: list[Node]) -> None:
    if edge is None:
        return
    node, position = edge if isinstance(edge, tuple) and len(edge) == 2 else (None, None)
    if not isinstance(node, Node) or node not in order or position not in range(len(node.inputs)):
        raise ValueError(
            "edge is a pair of a computed node of the graph and the position of one of its inputs, such as (y, 0),"
            f" and not {edge!r}"
        )


def _arrow(edge: Edge, names: Mapping[Node, str]) -> str:
    return f"∂{names[edge[0]]}/∂{names[edge[0].inputs[edge[1]]]}"


class _Engine:
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
            x, to = step.input, step.input_name
            if not self.bug.accumulates and _counts(there.get(x)):
                found[number] = f"{_shown(there[x])} had arrived at {to}, and {_shown(step.total)} takes its place."
            if step.node in late:
                found[number] = (
                    f"{step.name} hands on {_shown(step.upstream)}, and {late[step.node]} is still to come to it."
                )
            if step.path == 1 and self._should_be_empty(x) and _counts(self.left.get(x)):
                found[number] = f"{to} does not begin at 0: {_shown(self.left[x])} is left over from the pass before."
            rule = self.rules[step.node, step.position]
            if self.mistake is not None and not _same(step.local, rule.local):
                found[number] = (
                    f"∂{step.name}/∂{to} is {rule.formula}, and {step.formula} is taken: {self.mistake.words}."
                )
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
        return {node: _shown(gradient) for node, gradient in late.items()}


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


def _same(a: Any, b: Any) -> bool:
    """Equal number for number, NaN included."""
    a, b = np.asarray(a), np.asarray(b)
    return bool(np.all((a == b) | ((a != a) & (b != b))))


def _shown(x: Any) -> str:
    return number_text(x)
