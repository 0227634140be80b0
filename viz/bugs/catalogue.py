"""The classic mistakes of a backward pass, in the order in which they are best learnt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from autodiff import Value

Leftover = Literal["nothing", "leaves", "everything"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """One mistake: what it is, in words, and which screw of a backward pass is loose.

    Attributes:
        name, title: what the program and the reader call it.
        what, why, fix: one sentence each: what the wrong code does, why that is wrong, what right code does.
        where: in which graphs it shows.
        code: a few lines of Python. Each begins with two characters: ``✗`` marks the wrong line, ``✓`` the right
            one in its place, and two spaces stand before what both have in common.
        example: makes the smallest graph that shows it, of small whole numbers.
        accumulates: whether a contribution is added to what has arrived before, as it should be.
        waits: whether a node waits until everything that uses it has handed on, as it should.
        leftover: the pass is the second of two, and begins with gradients of the first still in the leaves, or in
            all nodes but the output; "nothing" means that it is the first.
        passes: how many gradients a leaf should hold after it.
        mistakes_a_rule: whether one operation has a wrong local derivative.
    """

    name: str
    title: str
    what: str
    why: str
    fix: str
    where: str
    code: str
    example: Callable[[], Value]
    accumulates: bool = True
    waits: bool = True
    leftover: Leftover = "nothing"
    passes: int = 1
    mistakes_a_rule: bool = False


def _lines(*lines: str) -> str:
    return "\n".join(lines)


def _named(**nodes: Any) -> Any:
    """Give each node the name of its argument; returns the last one, the output."""
    for label, node in nodes.items():
        node.label = label
    return node


def _used_twice() -> Value:
    a = Value(3.0)
    return _named(a=a, y=a * a)  # type: ignore[no-any-return]


def _short_and_long_way() -> Value:
    a = Value(2.0)
    b = a * a
    c = b * b
    return _named(a=a, b=b, c=c, y=b + c)  # type: ignore[no-any-return]


def _one_between() -> Value:
    a = Value(2.0)
    b = a * a
    return _named(a=a, b=b, y=b * b)  # type: ignore[no-any-return]


def _one_parameter() -> Value:
    w = Value(3.0)
    return _named(w=w, loss=w**2)  # type: ignore[no-any-return]


def _one_rule() -> Value:
    a = Value(3.0)
    return _named(a=a, y=a**2)  # type: ignore[no-any-return]


_ALL = [
    Bug(
        name="overwrite",
        title="Overwrite instead of add up",
        what="A contribution is put in the place of the gradient, where it should be added to it.",
        why="A node that is used twice moves the output over two paths, and its gradient is the sum over both;"
        " here only the last one is left.",
        fix="Begin with nothing and add up: += in the place of =.",
        where="where a node is used more than once, as in a * a",
        code=_lines(
            "  for node in newest_first(output):",
            "      for x, local in edges(node):",
            "✗         x.grad = node.grad * local",
            "✓         x.grad += node.grad * local",
        ),
        example=_used_twice,
        accumulates=False,
    ),
    Bug(
        name="depth_first",
        title="Depth first instead of topological order",
        what="Each node hands its gradient on when it is first reached, and never again.",
        why="What comes to a node later, over another way, is added to its own gradient but never gets to its inputs.",
        fix="Let a node wait until all that use it have handed on: the newest node first is such an order.",
        where="where a computed node is used more than once, and first over the shorter way, as b in b + b * b",
        code=_lines(
            "✗ for node in depth_first(output):",
            "✓ for node in newest_first(output):",
            "      for x, local in edges(node):",
            "          x.grad += node.grad * local",
        ),
        example=_short_and_long_way,
        waits=False,
    ),
    Bug(
        name="stale",
        title="Stale gradients on a second backward",
        what="The second backward on a graph adds to what the first has left in the nodes between.",
        why="What was left is handed on once more, so the leaves get more than the one gradient they should.",
        fix="Forget the gradients of computed nodes before every pass; only those of leaves add up from pass to pass.",
        where="where there is a node between a leaf and the output, and backward is called twice",
        code=_lines(
            "  def backward(output):",
            "✗     # what the last pass left is still there",
            "✓     for n in computed(output): n.grad = 0",
            "      output.grad = 1",
            "      for n in newest_first(output): hand_on(n)",
        ),
        example=_one_between,
        leftover="everything",
        passes=2,
    ),
    Bug(
        name="no_zero_grad",
        title="Forgotten zero_grad",
        what="A training step does not forget the gradients that the step before left in the parameters.",
        why="Leaves add up from pass to pass, so the step is taken along the sum of this gradient and all old ones.",
        fix="Forget the gradients of the parameters before each backward: optimizer.zero_grad().",
        where="in every graph, from the second training step on",
        code=_lines(
            "  for step in range(2):",
            "✗     # the last gradients are still there",
            "✓     for p in parameters: p.grad = 0",
            "      loss = model()",
            "      backward(loss)",
        ),
        example=_one_parameter,
        leftover="leaves",
    ),
    Bug(
        name="wrong_local",
        title="A wrong local derivative",
        what="The rule of one operation is wrong, and everything else is right.",
        why="Every path through that operation is multiplied by a wrong number; on other paths nothing is amiss,"
        " so many gradients are right and hide it.",
        fix="Derive the rule anew, and compare it with a finite difference: check_gradients does that.",
        where="wherever the operation is used and the mistake changes its number",
        code=_lines(
            "  def square(x):",
            "      out = x * x",
            "✗     local = 2 * out",
            "✓     local = 2 * x",
            "      return out, local",
        ),
        example=_one_rule,
        mistakes_a_rule=True,
    ),
]

BUGS: dict[str, Bug] = {bug.name: bug for bug in _ALL}
"""Every bug by name, in teaching order."""


def bug_named(bug: str | Bug) -> Bug:
    """The bug of a name; a bug is itself.

    Raises:
        ValueError: there is none of this name.
    """
    if isinstance(bug, Bug):
        return bug
    if not isinstance(bug, str) or bug not in BUGS:
        near = get_close_matches(str(bug), BUGS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(map(repr, BUGS))}"
        raise ValueError(f"there is no bug {bug!r}; {hint}")
    return BUGS[bug]
