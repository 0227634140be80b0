"""What stands on the stage: one drawing, laid out once, and every text that its boxes will show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from viz.drawing.face import Face, Text, face_of
from viz.drawing.format import exact
from viz.drawing.lettering import PAD
from viz.layouts.builtin import Direction, Layout
from viz.layouts.framing import Arrangement, arranged
from viz.layouts.placing import Engine
from viz.player.rounds import Play
from viz.story import NOTHING, Change, Step
from viz.views.model import Box, Graph

DOTS = "dots"
"""The style of the text that counts paths: a filled dot for each that has arrived."""

NABLA = "∇"
"""The head of the column of gradients in an array's box: it stays whatever is known."""

_MOST_DOTS = 6
_MOST_TURNED = 100  # arrows: a larger graph is scrolled on a narrow screen in any case
_DOTS_HEIGHT = 15
_MOST_CELLS = 64  # of a heat map: larger ones would be most of the page
_UNKNOWN = "?"

Texts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Showing:
    """What one box shows: its number, its gradient (none: not computed yet), and both with all digits."""

    value: Texts
    gradient: Texts
    value_exact: str
    gradient_exact: str


@dataclass(frozen=True, slots=True)
class Scene:
    """The stage.

    Attributes:
        graph: the boxes as they are when all is computed, and the edges.
        faces: what is written on each box, with a place for all that changes.
        before: what each box shows before the first step.
        shows: for every step, what the boxes that it changes show from then on.
        others: the same for other rows of steps on the same stage.
        arrangement: where everything is.
        narrow: the same boxes from top to bottom, for narrow screens; None where it would be no narrower.
    """

    graph: Graph
    faces: tuple[Face, ...]
    before: tuple[Showing, ...]
    shows: tuple[tuple[Showing, ...], ...]
    others: tuple[tuple[tuple[Showing, ...], ...], ...]
    arrangement: Arrangement
    narrow: Layout | None


def scene_of(
    play: Play,
    finished: Sequence[Box],
    others: Sequence[Sequence[Step]] = (),
    *,
    layout: Engine,
    direction: Direction | Literal["auto"],
    time_limit: float,
) -> Scene:
    """Lay out the boxes of ``play``, each as large as its largest number needs.

    Args:
        play: what will happen.
        others: other rows of steps, which the boxes must have room for.
        finished: the boxes as they are when all is computed; boxes of many nodes show only this.
        layout, direction, time_limit: as for ``draw``.
    """
    story = play.stories[0]
    actors = [_Actor(box, story.paths.get(k, 0) if k in story.alone else 0) for k, box in enumerate(finished)]
    before = tuple(actor.before() for actor in actors)

    def acted(steps: Sequence[Step]) -> tuple[tuple[Showing, ...], ...]:
        return tuple(tuple(actors[change.box].after(change) for change in step.changes) for step in steps)

    shows, rest = acted(play.steps), tuple(map(acted, others))
    faces = [actor.face(heats=len(play.stories) == 1) for actor in actors]
    sizes = [(face.width, face.height) for face in faces]
    graph = replace(story.view.graph, boxes=tuple(finished))
    placed = arranged(graph, sizes, layout, direction, time_limit)
    may_turn = direction == "auto" and placed.flow == "LR" and len(graph.edges) <= _MOST_TURNED
    narrow = None
    if may_turn and not placed.frames and not placed.loops:
        narrow = arranged(graph, sizes, layout, "TB", time_limit).layout
    narrow = narrow if narrow and narrow.width < placed.layout.width else None
    return Scene(graph, tuple(faces), before, shows, rest, placed, narrow)


class _Actor:
    """A box with all the numbers that it will show: it is as large as the largest of them needs."""

    def __init__(self, box: Box, paths: int) -> None:
        self.box, self.paths = box, paths
        self.widest = _face_of(box)

    def before(self) -> Showing:
        """Before the first step leaves show their number, and nothing has a gradient."""
        words = _words("value", self.widest)
        if self.box.kind == "operation":
            return Showing((_UNKNOWN, *("" for _ in words[1:])) if words else (), (), "", "")
        return Showing(words, (), exact_or_empty(self.box.data), "")

    def after(self, change: Change) -> Showing:
        """From a step on; what the step leaves as it is stays empty."""
        box, new_value, new_gradient = self.box, change.data is not NOTHING, change.gradient is not NOTHING
        if box.group:
            box = change.data if new_value else change.gradient
        elif new_value or new_gradient:
            box = replace(
                box,
                data=change.data if new_value else box.data,
                gradient=change.gradient if new_gradient else box.gradient,
            )
        face = _face_of(box)
        if face.width > self.widest.width:
            self.widest, self.box = face, box
        value = _words("value", face) if new_value else ()
        gradient = _words("gradient", face) if new_gradient else ()
        return Showing(value, gradient, exact_or_empty(change.data), exact_or_empty(change.gradient))

    def face(self, heats: bool) -> Face:
        """The widest face, with room for a gradient and for its absence, and with a dot for every path.

        Heat maps are drawn once, and only small ones: where numbers change from round to round there are none.
        """
        face = self.widest
        texts, height = list(face.texts), face.height
        places = [text for text in texts if text.style == "gradient" and text.words != NABLA]
        if places:
            pending = [text for text in _face_of(_without_gradient(self.box)).texts if text.style == "pending"]
            texts += [replace(text, x=places[0].x, anchor=places[0].anchor) for text in pending]
        if face.heats and not (heats and all(heat.cells <= _MOST_CELLS for heat in face.heats)):
            height -= max(heat.height for heat in face.heats) + PAD
            face = replace(face, heats=[])
        if self.paths > 1:
            texts.append(Text(face.width / 2, height + 3, dots(0, self.paths), DOTS))
            height += _DOTS_HEIGHT
        return replace(face, height=height, texts=texts)


def _face_of(box: Box) -> Face:
    """A face; the number of a constant is a number like any other here, for it may change from round to round."""
    face = face_of(box)
    if box.kind == "constant" and box.group is None and np.size(box.data) == 1:
        *others, last = face.texts
        face.texts = [*others, replace(last, style="value")]
    return face


def _words(style: str, face: Face) -> Texts:
    return tuple(text.words for text in face.texts if text.style == style and text.words != NABLA)


def _without_gradient(box: Box) -> Box:
    if box.group is None:
        return replace(box, gradient=None)
    leaving = tuple(replace(out, gradient=None) for out in box.group.leaving)
    return replace(box, group=replace(box.group, gradient=None, leaving=leaving))


def dots(arrived: int, paths: int) -> str:
    """How many of the paths have arrived.

    >>> dots(1, 3), dots(12, 40)
    ('●○○', '12 of 40')
    """
    return "●" * arrived + "○" * (paths - arrived) if paths <= _MOST_DOTS else f"{arrived} of {paths}"


def exact_or_empty(x: Any) -> str:
    """One number with all digits; "" for arrays and for what is no number."""
    return "" if x is NOTHING or x is None or isinstance(x, Box) or np.size(x) != 1 else exact(x)
