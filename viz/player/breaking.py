"""Break it: the backward passes of engines with a bug, as steps for the stage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from autodiff import Node
from viz.bugs import BUGS, BrokenPass, broken
from viz.story import Change, Step, Story, backward_told, shown


@dataclass(frozen=True, slots=True)
class Broken:
    """A wrong backward pass: what it is, its steps, and how its gradients compare.

    Attributes:
        title, what, why, fix, code: of the bug.
        shows: whether a leaf comes out wrong.
        steps: what happens instead of the right backward pass.
        table: for each leaf its name, the wrong, the right and the numerical gradient, and whether it is wrong.
    """

    title: str
    what: str
    why: str
    fix: str
    code: str
    shows: bool
    steps: tuple[Step, ...]
    table: tuple[tuple[str, str, str, str, bool], ...]


def broken_passes(story: Story, bugs: Iterable[str]) -> list[Broken]:
    """What each of ``bugs`` makes of the backward pass of ``story``; every box must be one node."""
    turn = next(step.turn for step in story.steps if step.kind == "seed")
    return [_told(broken(story.output, bug), story, turn) for bug in bugs]


def bugs_named(names: Iterable[str]) -> list[str]:
    """The names, if they are names of bugs.

    Raises:
        ValueError: one is not.
    """
    given = list(names)
    for name in given:
        if name not in BUGS:
            raise ValueError(f"there is no bug {name!r}; there are: {', '.join(BUGS)}")
    return given


def _told(wrong: BrokenPass, story: Story, turn: int) -> Broken:
    bug = wrong.bug
    incorrect = set(wrong.wrong_nodes)
    last = {step.input: k for k, step in enumerate(wrong.steps)}
    steps = [_start(wrong, story, turn)]
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
            step = replace(step, sentence=f"{step.sentence.partition(':')[0]}. ✗ {wrong.slips[k]}")
        steps.append(step)
    numerical = {leaf: shown(wrong.numerical[leaf]) if leaf in wrong.numerical else "–" for leaf in wrong.leaves}
    table = tuple(
        (wrong.names[leaf], shown(wrong.gradients[leaf]), shown(wrong.right[leaf]), numerical[leaf], leaf in incorrect)
        for leaf in wrong.leaves
    )
    return Broken(bug.title, bug.what, bug.why, bug.fix, bug.code, wrong.shows, tuple(steps), table)


def _start(wrong: BrokenPass, story: Story, turn: int) -> Step:
    """The beginning of the wrong pass, with what an earlier pass has left."""
    begin = next(step for step in story.steps if step.kind == "seed")
    left: dict[Node, Change] = {}
    for told in wrong.steps:
        if told.path == 1 and told.before is not None and told.input not in left:
            left[told.input] = Change(story.view.box_of[told.input], gradient=told.before, arrived=0)
    if not left:
        return replace(begin, turn=turn)
    sentence = f"{begin.sentence} The gradients of an earlier pass are still there."
    return replace(begin, turn=turn, sentence=sentence, changes=(*begin.changes, *left.values()))
