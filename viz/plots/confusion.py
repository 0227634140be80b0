"""The confusion matrix: how often each class was taken for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from viz.plots.canvas import axes_for
from viz.plots.numbers import Array, any_array, number_array
from viz.plots.style import BLUE, RED, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#1A1A1A"  # on cells, whose colours are always pale
PALEST, STRONGEST = 0.22, 0.7  # how strong the colour of a cell is, for a share of nearly 0 and for a whole row
ORDER = "the predictions come first, then the targets"


def confusion_matrix(
    predictions: Any = None,
    targets: Any = None,
    *,
    matrix: Any = None,
    threshold: float | None = None,
    classes: Any = None,
    axes: Axes | None = None,
) -> Axes:
    """How often samples of each class (a row) were predicted as each (a column): counts, and shares of the row.

    What is right stands on the diagonal, bold on blue; mistakes are orange, and the stronger the larger their share of
    the row is.

    Args:
        predictions: class indices or labels (n,), scores (n, K) of which the largest decides, or single scores (n,)
            and a threshold. They come before the targets, as in ``nn.metrics``.
        targets: the right classes (n,), or one-hot rows (n, K).
        matrix: instead of both, counts of shape (K, K), as ``nn.metrics.confusion_matrix`` gives them: entry (i, j)
            counts samples of class i that were predicted as j.
        threshold: scores above it decide for the second class.
        classes: names of the classes, in the order of their labels.
        axes: where to draw; by default on a figure of its own, which notebooks show.

    >>> from viz import plots
    >>> axes = plots.confusion_matrix([0, 1, 1, 1], targets=[0, 0, 1, 1], classes=["cat", "dog"])
    >>> axes.get_title("left")
    'Confusions: 75.0 % of 4 are right'

    Raises:
        ValueError: shapes do not fit, counts are below 0, there are no samples, or a threshold is missing.
        TypeError: neither a matrix nor predictions and targets were given.
        ImportError: matplotlib is missing.
    """
    wanted = None if classes is None else len(classes)
    if matrix is not None:
        if predictions is not None or targets is not None:
            raise TypeError("confusion_matrix takes predictions and targets, or matrix=counts, and was given both")
        counts, labels = _checked(number_array(matrix, "matrix", "K", "K"))
    elif predictions is None or targets is None:
        raise TypeError("confusion_matrix takes predictions and targets, or matrix=counts; write one or the other")
    else:
        counts, labels = _counted(*_decisions(predictions, targets, threshold), wanted)
    if wanted is not None and wanted != len(labels):
        raise ValueError(f"classes: expected {len(labels)} names, for {', '.join(map(str, labels))}; got {wanted}")
    side = min(9.0, 2.4 + 0.7 * len(labels))
    axes = axes_for(axes, (side + 0.3, side))
    _draw(axes, counts, [str(name) for name in (labels if classes is None else classes)])
    return axes


def _checked(counts: Array) -> tuple[Array, list[Any]]:
    if counts.shape[0] != counts.shape[1]:
        raise ValueError(f"matrix: expected as many rows as columns, and got the shape {counts.shape}")
    if not (np.isfinite(counts).all() and (counts >= 0).all() and (counts == np.rint(counts)).all()):
        raise ValueError("matrix: expected counts (0, 1, 2 ...), of which the plot takes the shares; not shares")
    if not counts.sum():
        raise ValueError(f"matrix: there is nothing in it: the shape {counts.shape}, and no count above 0")
    return counts, list(range(len(counts)))


def _decisions(predictions: Any, targets: Any, threshold: float | None) -> tuple[Array, Array, int | None]:
    """What was predicted and what is right, of each sample, and how many classes the scores tell apart."""
    p, t = any_array(predictions, "predictions"), any_array(targets, "targets")
    if t.ndim == 2 and t.shape[1] == 1:
        t = t[:, 0]
    if p.ndim == 2 and p.shape[1] == 1:
        p = p[:, 0]
    if p.ndim == 0 or p.ndim > 2 or p.shape[0] != t.shape[0] or t.ndim > p.ndim or (t.ndim == 2 and t.shape != p.shape):
        raise ValueError(
            f"confusion_matrix: predictions of shape {p.shape} and targets of shape {t.shape}; expected (n,) or (n, K)"
            f" and (n,), and {ORDER}"
        )
    if not len(p):
        raise ValueError("confusion_matrix: there are no predictions; expected at least one")
    if p.dtype.kind == "f" and np.isnan(p).any():
        raise ValueError("confusion_matrix: a prediction is NaN; expected numbers")
    if p.ndim == 2:
        return p.argmax(axis=1), t.argmax(axis=1) if t.ndim == 2 else t, p.shape[1]
    if threshold is not None:
        low, high = _two(t)
        return np.where(p > threshold, high, low), t, None
    if p.dtype.kind == "f" and not (p == np.rint(p)).all():
        raise ValueError(
            "confusion_matrix: predictions are one score for each target; write threshold=0.5 where they are"
            " probabilities, threshold=0 where they are logits"
        )
    return p, t, None


def _two(targets: Array) -> tuple[Any, Any]:
    """The two labels that a threshold parts."""
    known = np.unique(targets)
    if targets.dtype.kind not in "UT" and np.isin(known, [0, 1]).all():
        return 0, 1
    if targets.dtype.kind not in "UT" and np.isin(known, [-1, 1]).all():
        return -1, 1
    if len(known) != 2:
        raise ValueError(f"confusion_matrix: a threshold tells two classes apart, and the targets are {known.tolist()}")
    return known[0], known[1]


def _counted(predicted: Array, actual: Array, scored: int | None, wanted: int | None) -> tuple[Array, list[Any]]:
    """The matrix, and the label of each row."""
    if (predicted.dtype.kind in "UT") != (actual.dtype.kind in "UT"):
        raise ValueError(f"confusion_matrix: predictions are {predicted.dtype}, targets {actual.dtype}; {ORDER}")
    both = np.concatenate([predicted, actual])
    labels = np.unique(both)
    if labels.dtype.kind != "U" and labels.dtype.kind != "T":
        if not (np.isfinite(labels).all() and (labels == np.rint(labels)).all()):
            raise ValueError(f"confusion_matrix: a class index is a whole number, and there is {labels.tolist()[0]}")
        labels = labels.astype(int)
        if labels[0] >= 0:  # indices: a class that does not occur keeps its place
            labels = np.arange(max(int(labels[-1]) + 1, scored or 0, wanted or 0))
    if scored is not None and len(labels) > scored:
        raise ValueError(f"confusion_matrix: scores of {scored} classes, and a target of class {labels[-1]}")
    count = len(labels)
    rows, columns = np.searchsorted(labels, actual), np.searchsorted(labels, predicted)
    counts = np.bincount(rows * count + columns, minlength=count * count).reshape(count, count)
    return counts.astype(float), labels.tolist()


def _draw(axes: Any, counts: Array, names: list[str]) -> None:
    count = len(counts)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    axes.imshow(_colours(shares), aspect="equal", interpolation="nearest")
    axes.set_xticks(range(count), names)
    axes.set_yticks(range(count), names)
    if max(map(len, names)) * count > 40:
        axes.tick_params(axis="x", rotation=90)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0)
    size = _size(axes, count)
    for (i, j), n in np.ndenumerate(counts):
        if not n and i != j:
            continue
        weight = "bold" if i == j else "normal"
        with_share = size >= 8 and totals[i, 0] > 0
        above = {"va": "bottom" if with_share else "center", "ha": "center"}
        axes.text(j, i, f"{n:.0f}", fontsize=size, color=INK, fontweight=weight, **above)
        if with_share:
            axes.text(j, i + 0.04, _percent(shares[i, j]), fontsize=0.75 * size, color=INK, ha="center", va="top")
    right = np.trace(counts) / counts.sum()
    tidy(axes, f"Confusions: {100 * right:.1f} % of {counts.sum():.0f} are right", "predicted as", "is really")
    axes.spines[:].set_visible(False)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 or share == 0 else "< 1 %"


def _colours(shares: Array) -> Array:
    """Pale to strong: blue on the diagonal, orange beside it, and nearly white where nothing was counted."""
    right, wrong = (np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]) for colour in (BLUE, RED))
    rightly = np.eye(len(shares), dtype=bool)
    strength = np.where(rightly, 0.45 * shares, np.where(shares > 0, PALEST + (STRONGEST - PALEST) * shares, 0.0))
    ground = np.where(shares > 0, 1.0, 0.965)[..., None]
    colours = np.where(rightly[..., None], right, wrong)
    return np.asarray(ground + strength[..., None] * (colours - ground))


def _size(axes: Any, count: int) -> float:
    """The size of the counts, in points, so that they and their shares fit a cell."""
    box = axes.get_window_extent()
    points = min(box.width, box.height) / axes.figure.dpi * 72 / count
    return float(np.clip(0.30 * points, 6, 13))
