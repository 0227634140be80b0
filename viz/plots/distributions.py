"""How weights or gradients are distributed, parameter by parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from autodiff import Node
from viz.plots.canvas import axes_for
from viz.plots.numbers import LARGEST, Array, number_array
from viz.plots.style import BLUE, GREY, RED, ink, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TALL = 0.86  # the height of a histogram, of the row that it stands in


@dataclass(frozen=True, slots=True)
class Row:
    """The numbers of one parameter, and what is to be said of them.

    Attributes:
        numbers: those that are finite, flat; None where there is no gradient.
        zeros: the share of exact zeros.
        silent: of an array, how many of its rows (units, filters) hold nothing but zeros, and how many there are.
        unbounded: how many are NaN or infinite.
    """

    name: str
    numbers: Array | None
    zeros: float = 0.0
    silent: tuple[int, int] = (0, 0)
    unbounded: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether every number is 0."""
        return self.zeros == 1.0

    def explodes(self, above: float) -> bool:
        """Whether a number is NaN, infinite, or larger than ``above``."""
        numbers = self.numbers
        return self.unbounded > 0 or (numbers is not None and numbers.size > 0 and float(np.abs(numbers).max()) > above)


def histograms(
    parameters: Any,
    of: Literal["gradient", "data"] = "gradient",
    *,
    log: bool | None = None,
    bins: int = 60,
    exploding: float = 1e3,
    axes: Axes | None = None,
) -> Axes:
    """A histogram of each parameter, one below the other on one scale: of its gradients, or of its weights.

    Beside each stands its root mean square and its share of zeros. A parameter whose gradients are all 0 is marked
    dead: it does not learn. One with a NaN, an infinity, or a number larger than ``exploding`` is marked, too. A marked
    histogram is hatched.

    Args:
        parameters: ``model.named_parameters()``, or a mapping from names to nodes or arrays, or a list of nodes. Single
            Values are gathered by layer: by their names up to the first number ("layers.0"), or their labels.
        of: "gradient", or "data" for the weights themselves. Arrays stand for themselves.
        log: show magnitudes on a logarithmic scale, where 0 has no place; by default so for gradients.
        bins: how many bars the whole width has.
        exploding: the largest magnitude that is not marked.
        axes: where to draw; by default on a figure of its own, which notebooks show.

    >>> from autodiff import Tensor
    >>> from viz import plots
    >>> w, b = Tensor([[1.0, 2.0]], label="w"), Tensor([0.0], label="b")
    >>> (w.sum() ** 2 + 0 * b.sum()).backward()
    >>> axes = plots.histograms({"w": w, "b": b})
    >>> [text.get_text() for text in axes.get_yticklabels()]
    ['w', 'b']

    Raises:
        ValueError: there are no parameters, or none has a gradient; ``of`` or an option is unknown.
        TypeError: a parameter is neither a node nor an array of numbers.
        ImportError: matplotlib is missing.
    """
    if of not in ("gradient", "data"):
        raise ValueError(f"of={of!r}: expected 'gradient' or 'data'")
    if bins < 1 or not exploding > 0:
        raise ValueError(f"bins={bins!r}, exploding={exploding!r}: expected at least 1 bin, and a number above 0")
    rows = [_row(name, things, of) for name, things in _grouped(parameters).items()]
    if all(row.numbers is None for row in rows):
        raise ValueError("no parameter has a gradient yet; call loss.backward() first, or write of='data'")
    log = of == "gradient" if log is None else log
    edges = _edges(rows, bins, log)
    axes = axes_for(axes, (7.2, min(14.0, 1.3 + 0.55 * len(rows))))
    _draw(axes, rows, of, edges, log, exploding)
    what = "Gradients" if of == "gradient" else "Weights"
    tidy(
        axes, f"{what}, parameter by parameter", f"{'magnitude' if log else 'value'}" + (" (log scale)" if log else "")
    )
    axes.spines["left"].set_visible(False)
    return axes


def _grouped(parameters: Any) -> dict[str, list[Any]]:
    """Names, and the nodes or arrays of each: one; but single Values of one layer together."""
    if isinstance(parameters, Mapping):
        pairs = list(parameters.items())
    else:
        given = list(parameters) if hasattr(parameters, "__iter__") else [parameters]
        pairs = [pair if isinstance(pair, tuple) else (_labelled(k, pair), pair) for k, pair in enumerate(given)]
    if not pairs:
        raise ValueError("there are no parameters; expected such as model.named_parameters()")
    groups: dict[str, list[Any]] = {}
    for name, thing in pairs:
        single = isinstance(thing, Node) and np.ndim(thing.data) == 0
        groups.setdefault(_layer(str(name)) if single else str(name), []).append(thing)
    return groups


def _labelled(k: int, thing: Any) -> str:
    return getattr(thing, "label", None) or f"parameter {k}"


def _layer(path: str) -> str:
    """The path up to its first number: "layers.0" of "layers.0.neurons.3.weights.1"."""
    words = path.split(".")
    first = next((k for k, word in enumerate(words) if word.isdigit()), len(words))
    return ".".join(words[: first + 1])


def _row(name: str, things: list[Any], of: str) -> Row:
    held = [
        getattr(thing, "grad" if of == "gradient" else "data") if isinstance(thing, Node) else thing for thing in things
    ]
    arrays = [number_array(array, f"{of} of {name}") for array in held if array is not None]
    if not arrays:
        return Row(name, None)
    numbers = np.concatenate([array.ravel() for array in arrays])
    finite = numbers[np.isfinite(numbers)]
    units = arrays[0] if len(arrays) == 1 and arrays[0].ndim > 1 else np.empty((0, 1))
    silent = int((units.reshape(len(units), -1) == 0).all(axis=1).sum()) if len(units) else 0
    zeros = float(np.mean(numbers == 0)) if numbers.size else 0.0
    return Row(name, finite, zeros, (silent, len(units)), int(numbers.size - finite.size))


def _edges(rows: list[Row], bins: int, log: bool) -> Array:
    """Where the bars begin and end, the same for all rows."""
    numbers = np.concatenate([row.numbers for row in rows if row.numbers is not None])
    if log:
        numbers = np.abs(numbers[numbers != 0])
        low, high = (numbers.min(), numbers.max()) if numbers.size else (0.1, 1.0)
        low, high = np.clip([low, high], 1 / LARGEST, LARGEST)  # what lies beyond stands at the end
        return np.geomspace(low / 1.3, high * 1.3, bins + 1)
    low, high = np.clip([numbers.min(), numbers.max()], -LARGEST, LARGEST) if numbers.size else (-1.0, 1.0)
    beyond = 0.02 * high - 0.02 * low or 0.5
    return np.linspace(low - beyond, high + beyond, bins + 1)


def _draw(axes: Any, rows: list[Row], of: str, edges: Array, log: bool, exploding: float) -> None:
    for k, row in enumerate(rows):
        axes.axhline(k, color=GREY, linewidth=0.6, zorder=0)
        if row.numbers is None or not row.numbers.size:
            continue
        shown = np.abs(row.numbers[row.numbers != 0]) if log else row.numbers
        counts, _ = np.histogram(np.clip(shown, edges[0], edges[-1]), edges)
        marked = _said(row, of, exploding)[1]
        bars = axes.stairs(k - TALL * counts / max(1, counts.max()), edges, baseline=k, fill=True, zorder=1)
        bars.set(facecolor=(RED if marked else BLUE, 0.45), edgecolor=RED if marked else BLUE, linewidth=1)
        if marked:
            bars.set_hatch("////")
    axes.set_ylim(len(rows) - 0.75, -1.05)  # the first layer on top
    axes.set_xlim(edges[0], edges[-1])
    if log:
        axes.set_xscale("log")
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.tick_params(axis="y", length=0)
    for k, row in enumerate(rows):
        said, marked = _said(row, of, exploding)
        style = {"fontweight": "bold"} if marked else {}
        axes.annotate(
            said,
            (1.0, k),
            (6, 0),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            va="bottom",
            fontsize=9,
            color=ink(axes),
            annotation_clip=False,
            **style,
        )


def _said(row: Row, of: str, exploding: float) -> tuple[str, bool]:
    """What stands beside a histogram, and whether it is a warning."""
    if row.numbers is None:
        return "no gradient", True
    if row.is_empty:  # biases begin so; but a gradient that is 0 everywhere moves nothing
        return ("dead: all are 0", True) if of == "gradient" else ("all are 0", False)
    size = float(np.abs(row.numbers).max()) if row.numbers.size else 0.0
    spread = size * float(np.sqrt(np.mean((row.numbers / size) ** 2))) if size else 0.0  # no square overflows
    facts = [f"rms {spread:.2g}"] if row.numbers.size else []
    if row.zeros:
        facts.append(f"{100 * row.zeros:.0f} % zeros" if row.zeros >= 0.01 else "< 1 % zeros")
    if row.silent[0]:
        facts.append(f"{row.silent[0]} of {row.silent[1]} rows all 0")
    if row.unbounded:
        return f"exploding: {row.unbounded} not finite", True
    if row.explodes(exploding):
        return f"exploding: up to {size:.2g}", True
    return "\n".join(facts[:2]) if len(facts) < 3 else f"{facts[0]}, {facts[1]}\n{facts[2]}", False
