"""Lines of text at places on a box: sizes, distances, and the face that they make up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from viz.drawing.heat import Heat
from viz.drawing.text import width

SIZES = {"name": 14, "symbol": 15, "value": 13, "gradient": 13, "small": 12, "head": 12, "pending": 12}
"""Font size of each style of text, in pixels. The smallest one decides how far a picture may shrink."""

PENDING = ("∇ not", "computed yet")
PAD = 7
HEADER = 24
LINE = 17
LONGEST_NAME = 24

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Text:
    """One line: ``x`` is its start, middle or end, ``y`` its baseline; ``style`` is a key of SIZES."""

    x: float
    y: float
    words: str
    style: str
    anchor: Anchor = "middle"

    @property
    def left(self) -> float:
        """Where the line begins."""
        return self.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor] * self.width

    @property
    def width(self) -> float:
        """An upper bound of how wide it is."""
        return width(self.words, SIZES[self.style])


@dataclass(slots=True)
class Face:
    """A box ready to be placed: its size and what is on it."""

    width: float
    height: float
    texts: list[Text] = field(default_factory=list)
    heats: list[Heat] = field(default_factory=list)


def gradient_lines(x: float, y: float, shown: str | None) -> list[Text]:
    """In the space of two lines: the gradient in their middle, or that there is none yet."""
    if shown is not None:
        return [Text(x, y + 7, shown, "gradient")]
    return [Text(x, y + 14 * k, words, "pending") for k, words in enumerate(PENDING)]
