"""Learning curves: what was measured in training, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from viz.plots.canvas import axes_for, stacked
from viz.plots.numbers import Array, drawable, number_array
from viz.plots.style import BLUE, FEW, RED, ink, legend, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curves = dict[str, Array]

PREFIXES = ("validation_", "val_")
BESIDE = ("epoch", "learning_rate")  # columns of a history that are drawn only when they are asked for
DECADES = 30.0  # from this ratio of the largest number to the least, the scale is logarithmic


def learning_curves(
    history: Any,
    *,
    names: Sequence[str] | None = None,
    best: int | bool = True,
    log: bool | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Loss and metrics by epoch, with those of the validation, and the best epoch.

    Args:
        history: what ``fit`` returned, or any mapping from names to one number per epoch; "validation_loss" belongs to
            "loss". Or the losses alone, of shape (epochs,).
        names: what to draw, such as ["loss"], each in a panel; by default all but the learning rate.
        best: whether to mark the epoch of the lowest validation loss (without validation: of the lowest loss); or the
            epoch to mark, from 1.
        log: whether scales are logarithmic; by default each is where its numbers are positive and span decades.
        axes: where to draw; by default on a figure of its own, which notebooks show.

    Returns:
        The Axes of the first panel; ``.figure.axes`` has them all.

    Where a number is NaN, infinite or beyond 1e200 the line has a gap, and a cross stands at the top.

    >>> from viz import plots
    >>> axes = plots.learning_curves({"loss": [2.0, 0.9, 0.5, 0.4], "validation_loss": [2.1, 1.0, 0.8, 0.9]})
    >>> axes.get_legend().get_texts()[-1].get_text()
    'lowest validation loss: 0.8, epoch 3'
    >>> axes.figure.savefig("/dev/null", format="png")

    Raises:
        ValueError: there is nothing to draw, a name is not in the history, or ``best`` is no epoch of it.
        TypeError: what was measured are no numbers.
        ImportError: matplotlib is missing.
    """
    curves = _curves(history)
    names = _names(curves) if names is None else _known([names] if isinstance(names, str) else names, curves)
    epochs = max(len(curve) for name in names for curve in _pair(curves, name).values())
    marked = _best_epoch(curves, best, epochs)
    axes = axes_for(axes, (6.4, 2.2 + 2.0 * len(names)))
    panels = stacked(axes, [1.0] * len(names))
    for panel, name in zip(panels, names, strict=True):
        _draw(panel, name, _pair(curves, name), marked, log)
        is_new = panel is axes or list(map(_role, _pair(curves, name))) != list(map(_role, _pair(curves, names[0])))
        if is_new and len(panel.get_legend_handles_labels()[0]) > 1:
            legend(panel)
    panels[-1].set_xlabel("epoch")
    panels[-1].locator_params(axis="x", integer=True)
    tidy(axes, "While learning")
    return axes


def _curves(history: Any) -> Curves:
    if not isinstance(history, Mapping):
        history = {"loss": history}
    curves = {str(name): number_array(given, f"history[{name!r}]", "epochs") for name, given in history.items()}
    curves = {name: curve for name, curve in curves.items() if curve.size}
    if not curves:
        raise ValueError("the history is empty: no epoch was trained; expected such as {'loss': [0.9, 0.5]}")
    return curves


def _base(name: str) -> str:
    """What a column measures: "loss" for "validation_loss"."""
    return next((name.removeprefix(prefix) for prefix in PREFIXES if name.startswith(prefix)), name)


def _role(column: str) -> str:
    return "learning" if _base(column) == column else "validation"


def _names(curves: Curves) -> list[str]:
    return [name for name in dict.fromkeys(map(_base, curves)) if name not in BESIDE] or list(curves)


def _known(names: Sequence[str], curves: Curves) -> list[str]:
    known = dict.fromkeys([_base(name) for name in curves])
    for name in names:
        if _base(name) not in known:
            raise ValueError(f"names: {name!r} was not measured; the history has {', '.join(map(repr, known))}")
    if not names:
        raise ValueError(f"names is empty; the history has {', '.join(map(repr, known))}")
    return list(dict.fromkeys(map(_base, names)))


def _pair(curves: Curves, name: str) -> Curves:
    """The curve of that name, and the one of the validation."""
    return {column: curve for column, curve in curves.items() if _base(column) == name}


def _best_epoch(curves: Curves, best: int | bool, epochs: int) -> tuple[int, str] | None:
    """The epoch to mark, and what is said of it."""
    if best is False:
        return None
    if best is not True:
        if not 1 <= index(best) <= epochs:
            raise ValueError(f"best={best!r}: expected an epoch from 1 to {epochs}, or False for none")
        return index(best), f"the weights that are kept: epoch {best}"
    for column in (*(f"{prefix}loss" for prefix in PREFIXES), "loss"):
        curve = curves.get(column)
        if curve is not None and drawable(curve).any():
            lowest = int(np.nanargmin(np.where(drawable(curve), curve, np.nan)))
            name = "loss" if column == "loss" else "validation loss"
            return lowest + 1, f"lowest {name}: {curve[lowest]:.4g}, epoch {lowest + 1}"
    return None


def _draw(axes: Any, name: str, pair: Curves, marked: tuple[int, str] | None, log: bool | None) -> None:
    for column, curve in pair.items():
        learnt = column == name
        epochs = np.arange(1, len(curve) + 1)
        finite = drawable(curve)
        style: dict[str, Any] = {"color": BLUE, "marker": "o"} if learnt else {"color": RED, "marker": "s"}
        axes.plot(
            epochs,
            np.where(finite, curve, np.nan),
            linestyle="-" if learnt else "--",
            markersize=3.5 if len(curve) <= FEW else 0,
            linewidth=1.6,
            label=_role(column),
            **style,
        )
        if not finite.all():
            where = {"transform": axes.get_xaxis_transform(), "clip_on": False}
            said = f"{_role(column)}: no finite number"
            axes.plot(epochs[~finite], [1.0] * int((~finite).sum()), "x", color=style["color"], label=said, **where)
    if _is_logarithmic(list(pair.values())) if log is None else log:
        axes.set_yscale("log", nonpositive="mask")
    if marked is not None:
        epoch, said = marked
        axes.axvline(epoch, color=ink(axes), linewidth=0.9, linestyle=":", label=said, zorder=0)
        for curve in pair.values():
            if epoch <= len(curve) and drawable(curve[epoch - 1]):
                axes.plot(epoch, curve[epoch - 1], "o", color=ink(axes), markersize=4.5, zorder=3)
    tidy(axes, y=name.replace("_", " ") + (" (log scale)" if axes.get_yscale() == "log" else ""))


def _is_logarithmic(curves: list[Array]) -> bool:
    """Whether the numbers span decades; shares that grow, such as an accuracy, are better read on a plain scale."""
    numbers = np.concatenate([curve[drawable(curve)] for curve in curves])
    if not numbers.size or numbers.min() <= 0 or numbers.max() < DECADES * numbers.min():
        return False
    first = next(curve for curve in curves if drawable(curve).any())
    first = first[drawable(first)]
    return bool(numbers.max() > 1 or first[-1] < first[0])
