"""Break it: the backward passes of engines with a bug, as steps for the stage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from autodiff import Node
from viz.bugs import BUGS, BrokenPass, Bug, broken
from viz.bugs.catalogue import bug_named
from viz.story import Change, Step, Story, backward_told, shown


@dataclass(frozen=True, slots=True)
class Broken:
    """A wrong backward pass: what it is, its steps, and how its gradients compare.

    Attributes:
        bug: what is wrong.
        shows: whether a leaf comes out wrong.
        steps: what happens instead of the right backward pass.
        table: for each leaf its name, the wrong, the right and the numerical gradient, and whether it is wrong.
    """

    bug: Bug
    shows: bool
    steps: tuple[Step, ...]
    table: tuple[tuple[str, str, str, str, bool], ...]


def broken_passes(story: Story, bugs: Iterable[Bug]) -> list[Broken]:
    """What each of ``bugs`` makes of the backward pass of ``story``; every box must be one node."""
    turn = next(step.turn for step in story.steps if step.kind == "seed")
    return [_told(broken(story.output, bug), story, turn) for bug in bugs]


def bugs_named(given: str | Bug | Iterable[str | Bug]) -> list[Bug]:
    """One bug or several, by name or as they are.

    Raises:
        ValueError: there is no bug of that name.
        TypeError: neither a bug nor names of bugs.
    """
    if isinstance(given, str | Bug):
        given = [given]
    if not isinstance(given, Iterable):
        raise TypeError(f"bugs takes True, False, or names of bugs such as {list(BUGS)}, not {given!r}")
    return [bug_named(bug) for bug in given]


def _told(wrong: BrokenPass, story: Story, turn: int) -> Broken:
    incorrect = set(wrong.wrong_nodes)
    last = {step.input: k for k, step in enumerate(wrong.steps)}
    steps = _start(wrong, story, turn)
    turn = steps[-1].turn
    node: Node | None = None
    for k, told in enumerate(wrong.steps):
        turn += told.node is not node
        node = told.node
        box = story.view.box_of[told.input]
        arrow = story.view.edge_of[told.node, told.position]
        assert arrow is not None
        is_wrong = told.input in incorrect if last[told.input] == k else k in wrong.slips
        change = Change(box, gradient=told.total, arrived=told.path, wrong=is_wrong)
        step = backward_told(told, turn, box, (arrow,), (change,), asking=False)
        if k in wrong.slips:
            step = replace(step, sentence=f"Back from {told.name} to {told.input_name}. ✗ {wrong.slips[k]}")
        elif is_wrong:
            right = shown(wrong.right[told.input])
            step = replace(step, sentence=f"{step.sentence.removesuffix('.')}, and wrong: {right} is right.")
        steps.append(step)
    numerical = {leaf: shown(wrong.numerical[leaf]) if leaf in wrong.numerical else "–" for leaf in wrong.leaves}
    table = tuple(
        (wrong.names[leaf], shown(wrong.gradients[leaf]), shown(wrong.right[leaf]), numerical[leaf], leaf in incorrect)
        for leaf in wrong.leaves
    )
    return Broken(wrong.bug, wrong.shows, tuple(steps), table)


def _start(wrong: BrokenPass, story: Story, turn: int) -> list[Step]:
    """The beginning of the wrong pass, after what an earlier pass has left."""
    begin = next(step for step in story.steps if step.kind == "seed")
    left: dict[Node, Change] = {}
    for told in wrong.steps:
        if told.path == 1 and told.before is not None and told.input not in left:
            left[told.input] = Change(story.view.box_of[told.input], gradient=told.before, arrived=0)
    if not left:
        return [replace(begin, turn=turn)]
    found = ", ".join(f"{shown(change.gradient)} in {story.names[node]}" for node, change in left.items())
    earlier = f"A first backward pass is over. It has left its gradients: {found}."
    return [Step("seed", turn, begin.box, (), earlier, (), tuple(left.values())), replace(begin, turn=turn + 1)]
