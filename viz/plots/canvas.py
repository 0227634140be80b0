"""Where plots are drawn: on Axes that were given, or on a Figure of their own, which a notebook shows.

A figure that pyplot makes is kept alive until somebody closes it: a hundred plots in a loop are a hundred figures, and
a warning. So plots come on a bare ``Figure``, which is forgotten with the last name of it. A notebook shows it under
the cell that made it, as it would show one of pyplot's: whatever the last line of the cell is.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHARP = 2  # a notebook gets two pixels for one, as screens have them


def axes_for(axes: Axes | None, size: tuple[float, float] = (6.4, 4.2)) -> Axes:
    """The Axes that were given; or new ones, on a Figure of ``size`` inches that pyplot knows nothing of.

    Raises:
        ImportError: matplotlib is missing.
        TypeError: what was given is no Axes.
    """
    try:
        from matplotlib.axes import Axes
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError('plots are drawn by matplotlib, which is missing: pip install "clearprop[plot]"') from None
    if axes is None:
        figure = Figure(figsize=size, layout="constrained")
        _show_after_the_cell(figure)
        return figure.add_subplot()
    if not isinstance(axes, Axes):
        kind = type(axes).__name__
        hint = "one of the array, such as axes[0]" if kind == "ndarray" else "axes=figure.subplots()"
        raise TypeError(f"axes: expected an Axes of matplotlib, and was given {kind}; write {hint}, or leave it out")
    return axes


def stacked(axes: Axes, heights: Sequence[float]) -> list[Axes]:
    """``axes``, and panels beneath with the same x, which share the place that it had."""
    if len(heights) == 1:
        return [axes]
    place, figure = axes.get_subplotspec(), axes.figure
    if place is not None:
        grid = place.subgridspec(len(heights), 1, height_ratios=list(heights))
        axes.set_subplotspec(grid[0])
        beneath = [figure.add_subplot(grid[k], sharex=axes) for k in range(1, len(heights))]
    else:  # Axes that were put by hand, on no grid
        left, bottom, width, height = axes.get_position().bounds
        whole, beneath, top = sum(heights), [], bottom + height
        axes.set_position((left, top - 0.92 * height * heights[0] / whole, width, 0.92 * height * heights[0] / whole))
        for k, part in enumerate(heights[1:], 1):
            low = top - height * sum(heights[: k + 1]) / whole
            beneath.append(figure.add_axes((left, low, width, 0.92 * height * part / whole), sharex=axes))
    panels = [axes, *beneath]
    for panel in panels[:-1]:
        panel.tick_params(labelbottom=False)
    return panels


def _show_after_the_cell(figure: Figure) -> None:
    """In a notebook, show the figure when the cell is done; elsewhere nothing happens."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or type(shell).__module__.startswith("IPython.terminal"):
        return

    def show() -> None:
        shell.events.unregister("post_execute", show)
        shell.display_pub.publish(*_picture(figure))

    shell.events.register("post_execute", show)


def _picture(figure: Figure) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figure as notebooks take it: what it is, and how large it is shown."""
    pixels = io.BytesIO()
    figure.savefig(pixels, format="png", dpi=_SHARP * figure.dpi)
    width, height = (round(inches * figure.dpi) for inches in figure.get_size_inches())
    data = {"image/png": pixels.getvalue(), "text/plain": repr(figure)}
    return data, {"image/png": {"width": width, "height": height}}
