"""An activation and its derivative, which the engine gives, with the places where it jumps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff import Node, Tensor, Value, enable_grad, gradients
from viz.plots.canvas import axes_for
from viz.plots.numbers import Array
from viz.plots.style import BLUE, GREY, RED, legend, signed, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 401
HALVINGS = 60  # so often an interval of floats can be halved before nothing is between its ends
NOTICED = 0.01  # a step of this share of all that the curve spans is looked at closely


@dataclass(frozen=True, slots=True)
class Kink:
    """Where a derivative jumps: its limits from the left and from the right, and what the engine takes there."""

    x: float
    left: float
    right: float
    taken: float


def activation(
    f: Callable[[Any], Any],
    *,
    interval: tuple[float, float] = (-4.0, 4.0),
    name: str | None = None,
    axes: Axes | None = None,
) -> Axes:
    """A function of one number, and its derivative, as the backward pass gives it.

    Where the derivative jumps (at a kink) its line is open; hollow dots are its limits from both sides, and the full
    dot is the value that the engine takes there.

    Args:
        f: such as ``autodiff.tanh`` or ``nn.activations.gelu``; any function of a Value, or of a Tensor entry by entry.
        interval: from where to where.
        name: what to call it; by default as the function is called.
        axes: where to draw; by default on a figure of its own, which notebooks show.

    >>> from autodiff import relu
    >>> from viz import plots
    >>> axes = plots.activation(relu)
    >>> [line.get_label() for line in axes.get_lines()][:2]
    ['relu(x)', 'its derivative']
    >>> axes.get_legend().get_texts()[-1].get_text()
    'kink at x = 0: the slope is 0 | 1, taken: 0'

    Raises:
        TypeError: f is no function, does not return one node for one number, or works across the entries of a Tensor.
        ValueError: the interval is none, or f is finite nowhere in it.
        ImportError: matplotlib is missing.
    """
    if not callable(f):
        raise TypeError(f"f: expected a function such as autodiff.tanh, and was given {type(f).__name__}")
    try:
        left, right = map(float, interval)
    except (TypeError, ValueError):
        left = right = np.nan  # no two numbers: refused below, like an interval that is none
    if not (np.isfinite([left, right]).all() and left < right):
        raise ValueError(f"interval={interval!r}: expected two finite numbers, the lower first, such as (-4, 4)")
    name = name or _called(f)
    both = _value_and_slope(f, 0.5 * (left + right), name)
    x = np.linspace(left, right, POINTS)
    y, slope = np.array([both(float(number)) for number in x]).T
    if not np.isfinite(y).any():
        raise ValueError(f"{name} is finite nowhere between {left:g} and {right:g}; write another interval=(…, …)")
    slope = np.where(np.isfinite(y), slope, np.nan)  # the rule of log has an answer where log itself has none
    kinks = _kinks(both, x, slope)
    jumps = [kink.x for kink in _kinks(lambda at: both(at)[::-1], x, y)]

    axes = axes_for(axes)
    axes.plot(*_opened(x, y, jumps), color=BLUE, linewidth=2.2, label=f"{name}(x)")
    axes.plot(
        *_opened(x, slope, [kink.x for kink in kinks]), color=RED, linewidth=1.6, linestyle="--", label="its derivative"
    )
    axes.axhline(0, color=GREY, linewidth=0.6, zorder=0)
    for kink in kinks:
        axes.axvline(kink.x, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
        axes.plot([kink.x] * 2, [kink.left, kink.right], "o", color=RED, markerfacecolor="white", markersize=6)
        at, before, after, taken = map(signed, (kink.x, kink.left, kink.right, kink.taken))
        said = f"kink at x = {at}: the slope is {before} | {after}, taken: {taken}"
        axes.plot(kink.x, kink.taken, "o", color=RED, markersize=3.5, linestyle="none", label=said)
    _keep_in_sight(axes, np.concatenate([y, slope]))
    tidy(axes, f"{name} and its derivative", "x")
    legend(axes)
    return axes


def _keep_in_sight(axes: Any, heights: Array) -> None:
    """Where a pole would make all the rest flat, it runs out of the picture."""
    low, high = np.percentile(heights[np.isfinite(heights)], [4, 96])
    if np.ptp(heights[np.isfinite(heights)]) > 8 * (high - low) > 0:
        axes.set_ylim(low - 0.5 * (high - low), high + 0.5 * (high - low))


def _called(f: Any) -> str:
    name = getattr(f, "__name__", None) or getattr(f, "name", None) or type(f).__name__
    return "f" if name == "<lambda>" else str(name)


def _value_and_slope(f: Callable[[Any], Any], probe: float, name: str) -> Callable[[float], tuple[float, float]]:
    """The function that gives f and its derivative at one number: on a Value, or where f wants arrays, on a Tensor."""

    def at(number: float, kind: Any) -> tuple[float, float]:
        x = kind(number)
        with enable_grad():
            y = f(x)
            if not isinstance(y, Node):
                raise TypeError(
                    f"{name} returned {type(y).__name__}, which remembers nothing of x; expected a Value or a Tensor:"
                    " compute with the functions of autodiff, such as autodiff.exp instead of numpy.exp"
                )
            if np.size(y.data) != 1:
                raise TypeError(f"{name} returned the shape {np.shape(y.data)} for one number; expected one number")
        (slope,) = gradients(y, [x])
        return float(np.asarray(y.data).item()), float(np.asarray(slope).item())

    try:
        at(probe, Value)
        return lambda number: at(number, Value)
    except TypeError as of_a_value:
        try:
            _check_entry_by_entry(f, probe, name)
            at(probe, _entry)
        except (TypeError, ValueError, IndexError) as of_a_tensor:
            raise (of_a_tensor if "entry by entry" in str(of_a_tensor) else of_a_value) from None
        return lambda number: at(number, _entry)


def _entry(number: float) -> Tensor:
    return Tensor([number])


def _check_entry_by_entry(f: Callable[[Any], Any], probe: float, name: str) -> None:
    """Whether what f gives for an entry depends on that entry alone: softmax does not."""
    alone, beside = f(Tensor([probe])), f(Tensor([probe, probe + 1.0]))
    if not (isinstance(alone, Node) and isinstance(beside, Node)):
        raise TypeError(f"{name} returned no node")
    if np.shape(beside.data) != (2,) or not np.allclose(alone.data[0], beside.data[0], equal_nan=True):
        raise TypeError(f"{name} does not work entry by entry: what it gives for a number depends on others beside it")


def _kinks(both: Callable[[float], tuple[float, float]], x: Array, slope: Array) -> list[Kink]:
    """Where the slope jumps: each interval in which it changes by much is halved until nothing is between its ends."""
    span, width = float(np.ptp(slope[np.isfinite(slope)])), float(x[-1] - x[0])
    found: list[Kink] = []
    with np.errstate(invalid="ignore"):
        suspected = np.flatnonzero(np.isfinite(np.diff(slope)) & (np.abs(np.diff(slope)) > NOTICED * span))
    for k in suspected:
        place = _closed_in(both, (float(x[k]), float(slope[k])), (float(x[k + 1]), float(slope[k + 1])))
        if place is None:
            continue
        place = round(place, 9 - int(np.floor(np.log10(width)))) + 0.0
        left, right = both(place - 1e-7 * width)[1], both(place + 1e-7 * width)[1]
        if abs(right - left) > 0.5 * NOTICED * span and not any(abs(place - kink.x) < 1e-6 * width for kink in found):
            found.append(Kink(place, left, right, both(place)[1]))
    return found


def _closed_in(
    both: Callable[[float], tuple[float, float]], low: tuple[float, float], high: tuple[float, float]
) -> float | None:
    """The place of a jump between two points (x, slope), or None where the slope is only steep."""
    whole = abs(high[1] - low[1])
    for _ in range(HALVINGS):
        x = 0.5 * (low[0] + high[0])
        middle = x, both(x)[1]
        if abs(middle[1] - low[1]) >= abs(high[1] - middle[1]):
            high = middle
        else:
            low = middle
        if not abs(high[1] - low[1]) > 0.02 * whole:
            return None
    return 0.5 * (low[0] + high[0])


def _opened(x: Array, y: Array, places: list[float]) -> tuple[Array, Array]:
    """The line with a gap at each of these places, instead of a stroke that nothing stands for."""
    for place in places:
        k = int(np.searchsorted(x, place))
        if k < len(x) and x[k] == place:
            y = np.where(np.arange(len(x)) == k, np.nan, y)
        else:
            x, y = np.insert(x, k, place), np.insert(y, k, np.nan)
    return x, y
