"""``animate``: a forward and a backward pass as one SVG that moves by itself, without a script.

Everything that is ever seen is drawn once, and CSS switches it on and off: whatever is to be seen in the same frames
shares one animation. Without animation (converters, readers who want no motion) the base style holds: the last frame.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from autodiff import Node
from viz.animation.film import Film
from viz.drawing.export import write
from viz.drawing.style import Theme
from viz.drawing.svg import svg_of
from viz.drawing.text import clean
from viz.layouts.builtin import Direction
from viz.layouts.placing import Engine
from viz.options import require, require_number
from viz.player.player import finished
from viz.player.rounds import Program, play_of
from viz.player.scene import scene_of
from viz.story import Step
from viz.views.model import in_order
from viz.views.view import View, scalar_view

LARGEST = 60
"""Boxes: more are not read while they move."""


@dataclass(frozen=True, repr=False)
class Animation:
    """A moving drawing. A notebook shows it by itself; ``save`` keeps it, and ``<img>`` plays it.

    Attributes:
        svg: the text of the SVG file.
        frames: how many different pictures it shows.
        seconds: how long one round takes.
    """

    svg: str
    frames: int
    seconds: float
    steps: tuple[Step, ...] = field(compare=False)

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Animation of {self.frames} frames, {self.seconds:g} s>"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write ``x.svg``; returns the path. The file appears complete or not at all.

        Raises:
            ValueError: the name does not end in .svg.
            FileNotFoundError: there is no such folder.
        """
        path = Path(path)
        if path.suffix.lower() != ".svg":
            raise ValueError(f"an animation is saved as .svg, and {path.name!r} ends otherwise")
        return write(path, self.svg.encode())


def animate(
    program: Program,
    *,
    seconds: float = 1.6,
    layout: Engine = "auto",
    direction: Direction | Literal["auto"] = "auto",
    theme: Theme = "auto",
    title: str | None = None,
    time_limit: float = 10.0,
) -> Animation:
    """The forward and backward pass of a computation as an SVG that plays by itself, also inside ``<img>``.

    It has at most 20 frames: one for each arrow where that is enough, else one for each box, else for a few boxes.

    Args:
        program: the node to differentiate, or a function without arguments that computes it.
        seconds: how long a frame is seen.
        layout, direction, theme, title, time_limit: as for :func:`viz.draw`.

    Raises:
        TypeError: the program is neither a node nor a function that returns one.
        ValueError: an option is unknown, or the graph has more than 60 boxes.
        GraphError: no gradient flows, or the output holds several numbers.

    >>> from autodiff import Value
    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> animate((a * b + a) ** 2, layout="builtin")
    <Animation of 11 frames, 22.4 s>
    """
    require("layout", layout, get_args(Engine))
    require("direction", direction, ("auto", *get_args(Direction)))
    require("theme", theme, get_args(Theme))
    require_number("seconds", seconds, 0.05, 60)
    require_number("time_limit", time_limit, 0)
    if not isinstance(program, Node) and not callable(program):
        raise TypeError(f"animate takes a node, or a function that computes one, not {clean(repr(program), 40)}")
    play = play_of(program, _seen)
    story = play.stories[0]
    scene = scene_of(play, finished(story), layout=layout, direction=direction, time_limit=time_limit)
    name = f"Forward and backward pass of {story.names[story.output]}" if title is None else clean(title)
    film = Film(story, scene, seconds)
    svg = svg_of(
        scene.graph,
        film.still_faces(),
        film.stage(),
        title=name,
        note="",
        theme=theme,
        marks=film.marks(theme),
    )
    return Animation(svg, film.count, film.seconds, story.steps)


def _seen(output: Node) -> View:
    """Every node in a box, if they can be read."""
    count = len(in_order([output]))
    if count > LARGEST:
        raise ValueError(
            f"this graph has {count:,} boxes, and more than {LARGEST} cannot be read while they move; animate a part"
            " of it (a node further inside, one neuron), or write viz.steps(...), where the reader sets the pace"
        )
    return scalar_view([output])
