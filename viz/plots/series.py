"""Forecasts beside the series that they foretell."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from viz.plots.canvas import axes_for, stacked
from viz.plots.numbers import Array, drawable, number_array
from viz.plots.style import COLOURS, DASHES, FEW, GREY, MARKERS, ink, legend, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 72.0  # of an inch
LINE = 20.0  # points: as high as a line of the legend
BARS = 160  # up to so many residuals are bars, more are lines


def forecast(
    series: Any,
    predictions: Any,
    *,
    times: Any = None,
    split: Any = None,
    residuals: bool = True,
    name: str = "series",
    axes: Axes | None = None,
) -> Axes:
    """A series, what was predicted of it, and beneath it prediction minus truth.

    In the legend stands each forecast's root mean squared error (RMSE), from the (last) split on.

    Args:
        series: the numbers, of shape (n,).
        predictions: as many, NaN where there is none; or fewer, for the last times of the series; or a mapping from
            names to such. Where one is infinite or beyond 1e200, its line has a gap.
        times: n numbers to put along the axis, such as years; by default 0, 1, ... n - 1.
        split: the first time that nothing was learnt from; or a mapping from names to first times, such as
            {"validation": 1921, "test": 1956}.
        residuals: whether to draw them, in a panel of their own.
        name: what to call the series.
        axes: where to draw; by default on a figure of its own, which notebooks show.

    Returns:
        The Axes of the series; ``.figure.axes`` has both panels.

    >>> from viz import plots
    >>> axes = plots.forecast([1.0, 2.0, 3.0, 4.0], [3.5, 4.0], split=2)
    >>> [text.get_text() for text in axes.get_legend().get_texts()]
    ['series', 'forecast: RMSE 0.3536']

    Raises:
        ValueError: lengths do not fit, there is nothing to draw, or the split is no time of the series.
        TypeError: the series or a prediction holds no numbers.
        ImportError: matplotlib is missing.
    """
    truth = number_array(series, "series", "n")
    if not len(truth):
        raise ValueError("series: expected at least one number, and got none")
    at = np.arange(len(truth), dtype=float) if times is None else number_array(times, "times", "n")
    if len(at) != len(truth) or not (np.diff(at) > 0).all():
        raise ValueError(f"times: expected {len(truth)} rising numbers, one for each of the series; got {len(at)}")
    given = predictions if isinstance(predictions, Mapping) else {"forecast": predictions}
    truth = np.where(drawable(truth), truth, np.nan)
    lines = {str(key): _aligned(line, f"predictions of {key!r}", len(truth)) for key, line in given.items()}
    if not lines:
        raise ValueError("predictions: expected at least one forecast, and got none")
    splits = _splits(split, at)

    axes = axes_for(axes, (8.0, 5.2 if residuals else 3.6))
    panels = stacked(axes, [2.2, 1] if residuals else [1])
    _draw_lines(axes, at, truth, lines, splits, name)
    if residuals:
        _draw_residuals(panels[1], at, {key: line - truth for key, line in lines.items()})
    _mark_splits(panels, splits, float(at[-1]))
    tidy(axes, "Forecast and truth")
    panels[-1].set_xlabel("time")
    return axes


def _aligned(given: Any, what: str, count: int) -> Array:
    """A forecast for every time of the series, NaN before its first."""
    line = number_array(given, what, "n")
    if not 1 <= len(line) <= count:
        raise ValueError(f"{what}: expected from 1 to {count} numbers, as the series has {count}; got {len(line)}")
    return np.concatenate([np.full(count - len(line), np.nan), np.where(drawable(line), line, np.nan)])


def _splits(split: Any, at: Array) -> dict[str, float]:
    if split is None:
        return {}
    given = split if isinstance(split, Mapping) else {"unseen": split}
    for key, time in given.items():
        if not isinstance(time, Real) or not at[0] <= float(time) <= at[-1]:
            raise ValueError(f"split: expected a time from {at[0]:g} to {at[-1]:g} for {key!r}, and got {time!r}")
    return dict(sorted(((str(key), float(time)) for key, time in given.items()), key=lambda pair: pair[1]))


def _draw_lines(
    axes: Any, at: Array, truth: Array, lines: dict[str, Array], splits: dict[str, float], name: str
) -> None:
    few = len(at) <= 3 * FEW
    axes.plot(at, truth, "-", color=ink(axes), linewidth=1.0, marker="o", markersize=3 if few else 0, label=name)
    judged = at >= max(splits.values(), default=at[0])
    styles = zip(COLOURS, (DASHES[1], DASHES[0], *DASHES[2:]), strict=True)  # the first dashed: two are the usual case
    for (key, line), (colour, dash) in zip(lines.items(), _endless(list(styles)), strict=False):
        known = judged & np.isfinite(line) & np.isfinite(truth)
        with np.errstate(over="ignore"):
            error = f": RMSE {np.sqrt(np.mean((line - truth)[known] ** 2)):.4g}" if known.any() else ""
        axes.plot(at, line, color=colour, linestyle=dash, linewidth=1.6, label=f"{key}{error}")
    low, high = axes.get_ylim()
    tall = axes.get_window_extent().height / axes.figure.dpi * POINTS
    line = LINE / tall  # room for the legend, and for the names of the parts
    axes.set_ylim(low, low + (high - low) / max(0.5, 1 - (2 * line if splits else line)))
    legend(axes, "upper left", ncols=1 + len(lines), borderaxespad=0.2)


def _endless(styles: list[Any]) -> Any:
    while True:
        yield from styles


def _draw_residuals(axes: Any, at: Array, missed: dict[str, Array]) -> None:
    axes.axhline(0, color=ink(axes), linewidth=0.8)
    count = len(missed)
    width = 0.8 * float(np.diff(at).min(initial=np.inf) if len(at) > 1 else 1.0) / count
    for k, ((_, wrong), colour, dash, marker) in enumerate(
        zip(missed.items(), _endless(list(COLOURS)), _endless(list(DASHES)), _endless(list(MARKERS)), strict=False)
    ):
        known = np.isfinite(wrong)
        if known.sum() <= BARS:
            x = at[known] + (k - 0.5 * (count - 1)) * width
            axes.vlines(x, 0, wrong[known], color=colour, linewidth=1.6 if known.sum() <= FEW else 1.0)
            axes.plot(x, wrong[known], marker, color=colour, markersize=3.5 if known.sum() <= 2 * FEW else 2.5)
        else:
            axes.plot(at, wrong, linestyle=dash, color=colour, linewidth=1.0)
    tidy(axes, y="forecast − truth")


def _mark_splits(panels: list[Any], splits: dict[str, float], end: float) -> None:
    axes = panels[0]
    for key, time in splits.items():
        for panel in panels:
            panel.axvline(time, 0, 0.9 if panel is axes else 1, color=GREY, linewidth=1.0, linestyle="--", zorder=0)
        place: dict[str, Any] = {"xycoords": axes.get_xaxis_transform(), "textcoords": "offset points"}
        axes.annotate(f"{key} →", (time, 1.0), (4, -1.1 * LINE), fontsize=9, color=ink(axes), va="top", **place)
