"""A backward pass with one loose screw, as the same steps that a right one is told in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

from autodiff import Node
from autodiff.backprop import newest_first
from autodiff.explanation import BackwardStep, explain
from autodiff.formula import number_text
from viz.bugs.catalogue import Bug, bug_named
from viz.bugs.drawing import LARGEST, Panel, side_by_side
from viz.bugs.engine import WrongEngine, depth_first, same
from viz.bugs.mistakes import Edge, first_mistake
from viz.drawing.style import Theme
from viz.drawing.text import clean
from viz.layouts.placing import Engine
from viz.numerical import numerical_gradients
from viz.options import require, require_number
from viz.picture import Picture
from viz.views.view import scalar_view

_READABLE = 60
"""Nodes up to which a notebook shows the picture instead of a line."""


@dataclass(frozen=True, repr=False)
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
        different = (node for node in self.right if not same(self.gradients[node], self.right[node]))
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

    def draw(self, *, layout: Engine = "auto", theme: Theme = "auto", time_limit: float = 10.0) -> Picture:
        """The graph with the wrong gradients beside the graph with the right ones; options as of ``viz.draw``.

        What is wrong carries a ✗ and is bold; the arrows over which it goes wrong are dashed.

        Raises:
            ValueError: the graph is too large for a picture.
        """
        require("layout", layout, get_args(Engine))
        require("theme", theme, get_args(Theme))
        require_number("time_limit", time_limit, 0)
        view = scalar_view([self.output])
        if len(view.nodes) > LARGEST:
            raise ValueError(
                f"this graph has {len(view.nodes):,} nodes, and a picture of it twice cannot be read; print the"
                " broken pass for a table of its leaves, or break a smaller graph"
            )
        arrows = {view.edge_of[self.steps[k].node, self.steps[k].position] for k in self.slips}
        slips = frozenset(k for k in arrows if k is not None)
        panels = [
            Panel(f"✗ {self.bug.title}", self.gradients, frozenset(self.wrong_nodes), slips),
            Panel("✓ Right", self.right),
        ]
        title = clean(f"{self.bug.title}: wrong gradients beside the right ones")
        note = clean(self.verdict)
        return side_by_side(view, panels, title=title, note=note, engine=layout, theme=theme, time_limit=time_limit)

    def _repr_svg_(self) -> str | None:
        return None if len(self.names) > _READABLE else self.draw().svg

    def __repr__(self) -> str:
        return f"<BrokenPass {self.bug.name!r}: {len(self.slips)} of {len(self.steps)} steps do the wrong thing>"

    def __str__(self) -> str:
        times = f"{self.bug.passes} × " if self.bug.passes > 1 else ""
        table = [["", "", "wrong", "right", f"{times}finite difference"]]
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
    bug = bug_named(bug)
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
    engine = WrongEngine(bug, explained, mistake)
    engine.run(order if bug.waits else depth_first(output), seed)
    words = mistake.words if mistake else ""
    right = engine.what_is_right()
    return BrokenPass(output, bug, seed, engine.names, engine.steps, engine.gradients, right, engine.slips(), words)


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
