"""``steps``: from a node, or a function that computes one, to a page that walks through its passes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from autodiff import Node
from viz.bugs import BUGS, Bug
from viz.drawing.export import write
from viz.drawing.style import Theme
from viz.drawing.text import clean
from viz.layouts.builtin import Direction
from viz.layouts.placing import Engine
from viz.options import require, require_number
from viz.player.breaking import broken_passes, bugs_named
from viz.player.page import page_of
from viz.player.program import program_of
from viz.player.rounds import Program, play_of
from viz.player.scene import scene_of
from viz.story import Step, Story
from viz.views.collapse import Roll
from viz.views.model import Box
from viz.views.places import Level
from viz.views.view import View, view_of

LARGEST = 5000
"""Steps that one page holds; a longer story is told in larger steps."""

BY_EDGE = 60
"""Up to so many boxes the player goes arrow by arrow at first, and offers broken backward passes."""

By = Literal["auto", "edge", "node"]


@dataclass(frozen=True, repr=False)
class Player:
    """A page that walks through a computation. A notebook shows it by itself; ``save`` keeps it.

    Attributes:
        html: the text of the page.
        steps: what happens in it.
        view: the boxes and arrows that it happens on.
    """

    html: str
    steps: tuple[Step, ...] = field(compare=False)
    view: View = field(compare=False)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page, ``x.html``; returns the path. The file appears complete or not at all.

        Raises:
            ValueError: the name does not end in .html.
            FileNotFoundError: there is no such folder.
        """
        path = Path(path)
        if path.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"the step player is saved as .html, and {path.name!r} ends otherwise")
        return write(path, self.html.encode())

    def _repr_html_(self) -> str:
        """In a frame of its own, which may run its script and nothing else."""
        return (
            f'<iframe srcdoc="{escape(self.html)}" sandbox="allow-scripts" title="Step player" width="100%"'
            ' height="640" style="border:0"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<Player of {len(self.steps)} steps over {len(self.view.graph.boxes)} boxes>"


def steps(
    program: Program,
    *,
    optimizer: Any = None,
    rounds: int = 1,
    by: By = "auto",
    bugs: bool | str | Bug | Iterable[str | Bug] = True,
    layout: Engine = "auto",
    direction: Direction | Literal["auto"] = "auto",
    theme: Theme = "auto",
    title: str | None = None,
    time_limit: float = 10.0,
    level: Level = "auto",
    open: str | None = "auto",
    roll: Roll = "auto",
    full: bool = False,
) -> Player:
    """Walk through the forward and backward pass of a computation, step by step, in a browser.

    Every number on the page is the engine's. The page goes forward and back, by arrow or by box; it asks for
    predictions and names usual mistakes; it shows what a broken backward pass would do, and what the optimizer
    makes of the gradients. Parameters, gradients and the optimizer stay as they are; but a function is run once for
    each round and once more, with whatever else it does, and hooks of nodes are called more than once.

    Args:
        program: the node to differentiate; or a function without arguments that computes it: then the page shows
            the lines of the program beside the steps. (For a node they are known inside ``source_lines()``.)
        optimizer: moves its parameters after the backward pass; one more forward pass then shows what it has
            brought. Any optimizer of ``nn``, or what has its methods ``explain``, ``step``, ``state_dict`` and
            ``load_state_dict``, and ``parameters``.
        rounds: how many training steps, one after the other; more than one needs an optimizer.
        by: how the page is walked at first: "edge", arrow by arrow, or "node"; "auto" depends on the size.
        bugs: whether a reader may break the backward pass, or the names of the bugs to choose from; only in
            drawings of at most 60 boxes, each of one number.
        layout, direction, theme, title, time_limit: as for :func:`viz.draw`.
        level, open, roll, full: which boxes there are, as for :func:`viz.draw`; but more than 5,000 steps are never
            put on one page: the graph is collapsed then, whatever is asked for.

    Raises:
        TypeError: the program is neither a node nor a function that returns one.
        GraphError: no gradient flows, or the output holds several numbers.
        ValueError: an option is unknown; or the rounds compute different graphs.

    >>> from autodiff import Value
    >>> from nn import SGD
    >>> w = Value(0.5, label="w")
    >>> def loss():
    ...     return (w * 3 - 1) ** 2
    >>> steps(loss, optimizer=SGD([w], learning_rate=0.05), rounds=2)
    <Player of 21 steps over 6 boxes>
    >>> w
    Value(0.5, label='w')
    """
    require("by", by, get_args(By))
    require("direction", direction, ("auto", *get_args(Direction)))
    require("layout", layout, get_args(Engine))
    require("theme", theme, get_args(Theme))
    require_number("time_limit", time_limit, 0)
    if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
        raise ValueError(f"rounds is how many training steps are played, at least 1, not {rounds!r}")
    if rounds > 1 and optimizer is None:
        raise ValueError(f"rounds={rounds} needs an optimizer that changes something between the rounds, such as"
                         " steps(loss, optimizer=SGD(model.parameters()), rounds=3)")  # fmt: skip
    if not isinstance(program, Node) and not callable(program):
        raise TypeError(
            "steps takes the node to be differentiated, such as a loss, or a function that computes it, and was"
            f" given {type(program).__name__} {clean(repr(program), 40)}"
        )

    def see(output: Node, **given: Any) -> View:
        view = view_of([output], level=level, open=open, roll=roll, full=full, **given)
        if _length(view) * rounds > LARGEST:
            view = view_of([output], level="neuron" if level == "scalar" else level, open=open, roll=roll, **given)
        return view

    play = play_of(program, see, optimizer, rounds)
    if len(play.steps) > LARGEST:
        raise ValueError(
            f"that is {len(play.steps):,} steps, and a page holds {LARGEST:,}; "
            + ("play fewer rounds, or " if rounds > 1 else "")
            + 'look at larger boxes with level="layer"'
        )
    story = play.stories[0]
    boxes = story.view.graph.boxes
    small = len(boxes) <= BY_EDGE and all(box.group is None and np.ndim(box.data) == 0 for box in boxes)
    wanted = BUGS.values() if bugs is True else [] if bugs is False else bugs_named(bugs)
    broken = broken_passes(story, wanted) if small else []
    name = f"Step by step: {story.names[story.output]}" if title is None else clean(title)
    scene = scene_of(
        play,
        finished(story),
        [bug.steps for bug in broken],
        layout=layout,
        direction=direction,
        time_limit=time_limit,
    )
    lines, line_of = program_of(node for told in play.stories for node in told.alone.values())
    html = page_of(
        scene,
        play.steps,
        [(story.paths.get(k, 0) if k in story.alone else 0, box.carries) for k, box in enumerate(boxes)],
        lines,
        lambda step: line_of.get(step.told.node, -1) if hasattr(step.told, "node") else -1,
        broken,
        title=name,
        theme=theme,
        by=("edge" if len(boxes) <= BY_EDGE else "node") if by == "auto" else by,
        note="; ".join(filter(None, [story.view.note, scene.arrangement.note])),
        welcome="Nothing is computed yet: only the numbers that were given are known. → computes the first one.",
    )
    return Player(html, play.steps, story.view)


def _length(view: View) -> int:
    """About how many steps a forward and a backward pass take."""
    return len(view.graph.edges) + sum(box.kind == "operation" for box in view.graph.boxes)


def finished(story: Story) -> Sequence[Box]:
    """The boxes of a story with the gradients that they have at its end."""
    return [
        replace(box, gradient=story.gradients.get(story.alone[k])) if k in story.alone else story.finished[k]
        for k, box in enumerate(story.view.graph.boxes)
    ]
