"""How plots look: colours that the colour-blind can tell apart, and a second sign beside every colour."""

from __future__ import annotations

from itertools import cycle, islice
from typing import Any

# Source: Okabe, Ito 2008, "Color universal design".
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW = (
    *("#0072B2", "#E69F00", "#009E73", "#D55E00"),
    *("#CC79A7", "#56B4E9", "#F0E442"),
)
GREY = "#6B6B6B"  # dark enough for text: 5.3 to 1 on white

COLOURS = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, GREY)  # no yellow: a yellow line is hardly seen on white
DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (3, 1)), (0, (1, 1)))
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
HATCHES = ("///", "...", "\\\\\\", "xx", "--", "oo", "++")

FEW = 40
"""Up to so many points of a line are marked one by one."""


def looks(count: int) -> list[tuple[str, Any, str, str]]:
    """For each of ``count`` things a colour, a way of dashing, a marker and a hatch; all of them differ for seven."""
    return list(islice(cycle(zip(COLOURS, DASHES, MARKERS, HATCHES, strict=True)), count))


def tidy(axes: Any, title: str = "", x: str = "", y: str = "") -> None:
    """A title and the names of the axes, and no more frame than is needed; what a user has set before, stands."""
    if title and not any(axes.get_title(where) for where in ("left", "center", "right")):
        axes.set_title(title, loc="left", fontsize=11)
    if x and not axes.get_xlabel():
        axes.set_xlabel(x)
    if y and not axes.get_ylabel():
        axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)


def ink(axes: Any) -> Any:
    """The colour of text on these Axes: dark, unless a user's style is a dark one."""
    return axes.xaxis.label.get_color()


def legend(axes: Any, where: str = "best", **options: Any) -> None:
    """The names of what is drawn, where there are any."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc=where, **{"fontsize": 9, "frameon": False, **options})


def emptiest(axes: Any, points: Any) -> str:
    """The corner in which the fewest of these points (n, 2) lie, as a place for a legend."""
    places = axes.transAxes.inverted().transform(axes.transData.transform(points))
    right, upper = places[:, 0] > 0.6, places[:, 1] > 0.7
    left, lower = places[:, 0] < 0.4, places[:, 1] < 0.3
    corners = {"upper left": upper & left, "upper right": upper & right}
    corners |= {"lower left": lower & left, "lower right": lower & right}
    return min(corners, key=lambda corner: int(corners[corner].sum()))


def signed(number: float) -> str:
    """A number in a sentence, with a minus that is as wide as a plus.

    >>> signed(-0.25)
    '−0.25'
    """
    return f"{number:.4g}".replace("-", "−")
