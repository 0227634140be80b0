"""``gradient_flow``: the gradient of a recurrent network, time step by time step, where it vanishes or explodes."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from autodiff import Node, gradients
from autodiff.errors import describe
from viz.drawing.export import formats, write_as
from viz.drawing.format import number
from viz.drawing.style import Theme
from viz.drawing.text import clean
from viz.options import require
from viz.path_sums.words import ranges
from viz.through_time.states import States, found_states, given_states

Array = NDArray[np.float64]

LARGE, SMALL = math.log(1000), math.log(3)
"""Of a factor over the whole sequence: beyond the first it vanishes or explodes, within the second it is kept."""

_BAR = 24  # characters of the longest bar of a table
_LONGEST_TABLE = 40


@dataclass(frozen=True, repr=False, eq=False)
class Track:
    """One state over time, and the gradient that reaches it.

    Attributes:
        name: of the layer and the state.
        steps: the numbers of the steps, in the order in which they are computed.
        gradients: shape (units, steps): d output / d unit; where a unit holds several numbers (the samples of a
            batch), their Euclidean norm.
        norms: shape (steps,): the Euclidean norm of the gradient of the whole state at each step.
        units: what the rows are called.
        samples: how many numbers a unit holds: 1 means that ``gradients`` have signs.
    """

    name: str
    steps: tuple[int, ...]
    gradients: Array
    norms: Array
    units: tuple[str, ...]
    samples: int

    @property
    def ratios(self) -> Array:
        """Shape (steps - 1,): by how much the norm is multiplied on the way back from each step to the one before."""
        with np.errstate(all="ignore"):
            return np.asarray(self.norms[:-1] / self.norms[1:])

    @property
    def size(self) -> str:
        """Units and steps, in words."""
        units, steps = len(self.units), len(self.steps)
        over = f", each over {self.samples} samples" if self.samples > 1 else ""
        return f"{units} unit{'s' * (units != 1)}, {steps} step{'s' * (steps != 1)}{over}"

    @property
    def verdict(self) -> str:
        """Whether the gradient vanishes, shrinks, is kept, grows or explodes, in a sentence."""
        first, last, back = self.norms[0], self.norms[-1], len(self.norms) - 1
        way = f"from step {self.steps[-1]} back to step {self.steps[0]}"
        for wrong, words in ((np.isnan(self.norms), "Is NaN"), (np.isinf(self.norms), "Explodes: infinite")):
            if wrong.any():
                return f"{words} at {_listed(np.array(self.steps)[wrong].tolist())}."
        if not back:
            return f"One step only, of norm {number(first)}."
        if not last:
            return f"Step {self.steps[-1]} does not reach the output at all; at step {self.steps[0]}: {number(first)}."
        if not first:
            gone = next(s for s, x in zip(self.steps[::-1], self.norms[::-1], strict=True) if not x)
            return f"Vanishes: exactly 0 from step {gone} back."
        logs = math.log(first) - math.log(last)  # the quotient itself may overflow
        limits = {-LARGE: "Vanishes", -SMALL: "Shrinks", SMALL: "Is kept", LARGE: "Grows"}
        word = next((word for limit, word in limits.items() if logs < limit), "Explodes")
        each = math.exp(logs / back)
        return f"{word}: {way}, the norm goes from {number(last)} to {number(first)}, × {times(each)} a step."


@dataclass(frozen=True, repr=False, eq=False)
class GradientFlow:
    """The gradient of every state of a recurrent network. A notebook draws it, ``print`` makes a table of it.

    Attributes:
        output: the node that was differentiated.
        tracks: one for each state of each layer.
        title: what the picture is called.
        theme: "light", "dark", "print" or "auto".
        limits: the least and the greatest magnitude of the scale of colours, or None: as the numbers need.
    """

    output: Node
    tracks: tuple[Track, ...]
    title: str
    theme: Theme = "auto"
    limits: tuple[float, float] | None = None

    @property
    def steps(self) -> tuple[int, ...]:
        """The numbers of all steps, smallest first."""
        return tuple(sorted({step for track in self.tracks for step in track.steps}))

    @property
    def norms(self) -> Array:
        """Shape (steps,): the norm of the gradient of all states of each step together."""
        of_step: dict[int, list[float]] = {}
        for track in self.tracks:
            for step, norm in zip(track.steps, track.norms.tolist(), strict=True):
                of_step.setdefault(step, []).append(norm)
        return np.array([norm_of(of_step[step]) for step in self.steps])

    @cached_property
    def svg(self) -> str:
        """The text of the SVG file."""
        from viz.through_time.picture import flow_svg  # which knows this module

        return flow_svg(self)

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write ``x.svg``, ``x.png``, ``x.pdf`` or ``x.html``; the file appears complete or not at all.

        Returns the path. PNG and PDF need ``pip install "clearprop[image]"``.

        Raises:
            ValueError: the name has another ending, or the picture is too large for the format.
            FileNotFoundError: there is no such folder.
            ImportError: a package that makes the format is missing.
        """
        return write_as(Path(path), formats(self.svg), "a gradient flow")

    def __repr__(self) -> str:
        return f"<GradientFlow of {len(self.tracks)} states over {len(self.steps)} steps>"

    def __str__(self) -> str:
        return "\n\n".join([self.title, *(_table(track) for track in self.tracks)])


def gradient_flow(
    output: Node,
    states: Any = None,
    *,
    units: int | None = None,
    theme: Theme = "auto",
    title: str | None = None,
    limits: tuple[float, float] | None = None,
) -> GradientFlow:
    """The gradient d output / d state for every time step of a recurrent network; no ``.grad`` is touched.

    As a picture: rows are units, columns are time steps, shades are orders of magnitude; a dash marks a negative
    number, a ring 0, a cross NaN, two rings inf. Bars below show the norm of each step, on a log scale too, and by
    what factor it is multiplied on the way back from one step to the one before.

    The states are found by themselves where each time step was computed inside ``with scope(f"step {t}"):``, as the
    layers RNN, LSTM and GRU of nn do: a node made in one step that another step of the same layer uses is a state,
    and so is its counterpart in the last step. A running total, which is added to and not looked at, is none.
    A state from which no way leads to ``output`` has gradient 0. Gradients count every way to ``output``: that of the
    memory c of an LSTM also the one through h of the same step.

    Args:
        output: one number, such as the loss.
        states: the states themselves instead, step by step: ``[h0, h1, ...]``, each a Value, a Tensor or a list of
            them; or several by name, ``{"h": [h0, h1, ...], "c": [c0, c1, ...]}``.
        units: which axis of Tensors counts the units; by default the axis that the product with the recurrent
            weights sums over or, where there is none, the last.
        theme: "light", "dark", "print", or "auto", which follows the reader's setting.
        title: what the picture is called.
        limits: the least and the greatest magnitude that shades tell apart, such as ``(1e-9, 1e3)``, so that
            several pictures can be compared; by default they follow the numbers.

    Source: Hochreiter 1991, "Untersuchungen zu dynamischen neuronalen Netzen"; Bengio, Simard, Frasconi 1994,
    "Learning long-term dependencies with gradient descent is difficult", IEEE Trans. Neural Networks 5.

    Raises:
        TypeError: ``output`` or a state is no node.
        ValueError: there are no states, a state is a constant, steps differ in size, or an option is unknown.
        GraphError: as ``backward``: no gradient flows, or ``output`` is more than one number.

    >>> from autodiff import Value, scope
    >>> import viz
    >>> h, w = Value(1.0), Value(0.5)
    >>> for t in range(4):
    ...     with scope(f"step {t}"):
    ...         h = w * h
    >>> viz.gradient_flow(h).norms
    array([0.125, 0.25 , 0.5  , 1.   ])
    """
    if not isinstance(output, Node):
        raise TypeError(
            f"gradient_flow takes the loss, a Value or a Tensor of one number, and was given {describe(output)}"
        )
    require("theme", theme, get_args(Theme))
    limits = _checked_limits(limits)
    found = found_states(output) if states is None else given_states(states)
    flat = list(dict.fromkeys(x for state in found for row in state.nodes for x in row if x is not None))
    gradient = dict(zip(flat, gradients(output, flat), strict=True))
    tracks = tuple([_track(state, gradient, units) for state in found])
    name = f"The gradient of {clean(output.label, 40)}" if output.label else "The gradient of the output"
    name = clean(title) if title is not None else f"{name} at each time step"
    return GradientFlow(output, tracks, name, theme, limits)


def norm_of(x: Any) -> float:
    """The Euclidean norm, also of numbers whose squares would be too large or too small for a float."""
    size = np.abs(np.asarray(x, float)).ravel()
    greatest = float(size.max(initial=0.0))
    if not greatest or not math.isfinite(greatest):
        return float(size.sum()) if np.isnan(size).any() else greatest
    with np.errstate(over="ignore"):
        return float(greatest * np.linalg.norm(size / greatest))


def _checked_limits(limits: Any) -> tuple[float, float] | None:
    if limits is None:
        return None
    try:
        low, high = map(float, limits)
    except (TypeError, ValueError):
        low = high = math.nan
    if not 0 < low < high < math.inf:
        raise ValueError(f"limits are two magnitudes, the smaller first, such as (1e-9, 1e3), not {limits!r}")
    return low, high


def _track(state: States, gradient: dict[Node, Any], units: int | None) -> Track:
    if state.units:
        rows = [[_real(gradient.get(x, 0.0)) if x is not None else 0.0 for x in row] for row in state.nodes]  # type: ignore[call-overload]
        table = np.array(rows)
        return Track(state.name, tuple(state.steps), table, _norms(table.T), tuple(state.units), 1)
    (over_time,) = state.nodes
    shape = next(np.shape(x.data) for x in over_time if x is not None)
    arrays = [np.zeros(shape) if x is None else np.asarray(gradient[x]) for x in over_time]
    for array in arrays:
        if array.shape != shape:
            raise ValueError(f"{state.name} has shape {shape} at one step and {array.shape} at another")
    axis = units if units is not None else state.axis if state.axis is not None else -1
    if len(shape) and not -len(shape) <= axis < len(shape):
        raise ValueError(f"units={axis}: {state.name} has shape {shape}, so its axes are 0 to {len(shape) - 1}")
    by_unit = [np.moveaxis(a, axis, 0).reshape(shape[axis], -1) if len(shape) else a.reshape(1, 1) for a in arrays]
    samples = by_unit[0].shape[1]
    one = samples == 1 and not np.iscomplexobj(by_unit[0])
    table = np.array([[float(x[0]) if one else norm_of(np.abs(x)) for x in step] for step in by_unit]).T
    names = tuple(str(k) for k in range(len(table)))
    return Track(state.name, tuple(state.steps), table, _norms([np.abs(a) for a in arrays]), names, samples)


def _norms(steps: Iterable[Any]) -> Array:
    return np.array([norm_of(step) for step in steps])


def _real(x: Any) -> float:
    """A gradient as a float: of a complex number, its magnitude."""
    try:
        return abs(x) if isinstance(x, complex) else float(x)
    except OverflowError:  # a fraction
        return math.inf if x > 0 else -math.inf


def times(ratio: float) -> str:
    """A factor in three digits."""
    return f"{ratio:.3g}" if 1e-3 <= ratio < 1e4 else number(ratio)


def _listed(steps: Sequence[int]) -> str:
    return f"step{'s' * (len(steps) != 1)} {ranges(sorted(steps))}"


def _table(track: Track) -> str:
    """A line per step: its norm, the factor by which that differs from the next one, and a bar."""
    lines = [f"{track.name}: {track.size}. {track.verdict}"]
    lines += ["  step        norm   × of the next   (bars: orders of magnitude)"]
    ratios = [*map(times, track.ratios.tolist()), ""]
    bars = _bars(track.norms)
    rows = [
        f"{step:>6}  {number(norm):>10}  {ratio:>14}   {bar}".rstrip()
        for step, norm, ratio, bar in zip(track.steps, track.norms, ratios, bars, strict=True)
    ]
    if len(rows) > _LONGEST_TABLE:
        half = _LONGEST_TABLE // 2
        rows = [*rows[:half], f"{'…':>6}  ({len(rows) - 2 * half} more)", *rows[-half:]]
    return "\n".join(lines + rows)


def _bars(norms: Array) -> list[str]:
    good = np.log10(norms[(norms > 0) & np.isfinite(norms)])
    if not good.size:
        return [""] * len(norms)
    low, high = math.floor(good.min()) - 1, math.ceil(good.max())
    lengths = [
        _BAR * (math.log10(x) - low) / max(high - low, 1) if 0 < x < math.inf else _BAR * (x > 0)
        for x in norms.tolist()
    ]
    return ["█" * round(length) for length in lengths]
