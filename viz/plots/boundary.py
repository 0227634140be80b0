"""The decision boundary: which class a model would name at each point of a plane."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from viz.plots.canvas import axes_for
from viz.plots.numbers import Array, any_array, number_array
from viz.plots.responses import Response, predictor, response_of
from viz.plots.style import emptiest, ink, legend, looks, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SURE = 0.9


def decision_boundary(
    predict: Any,
    X: Any,
    y: Any = None,
    *,
    threshold: float | None = None,
    classes: Any = None,
    features: tuple[int, int] = (0, 1),
    fixed: Any = None,
    held_out: Any = None,
    resolution: int = 150,
    axes: Axes | None = None,
) -> Axes:
    """The regions of a plane in which a model decides for each class, and the samples with their own.

    Regions differ by colour and by hatch, samples by colour and by marker; a line parts the regions. Where the model
    gives probabilities, a dashed line stands where it is 90 % sure. Mistaken samples have a ring.

    Args:
        predict: a model with ``predict_proba`` or ``predict``, or a function of points of shape (n, features), which
            gives probabilities or scores (n, K), labels (n,), or with a ``threshold`` one score for each point. (One of
            single Values is asked point by point; ``nn.to_sequential(model)`` is the same model, and quick.)
        X: samples of shape (n, features): they say which part of the plane is drawn.
        y: the classes of the samples, as indices or as any other labels; may be left out.
        threshold: scores above it decide for the second class: 0.5 for probabilities, 0 for logits.
        classes: names of the classes, in the order of their labels.
        features: the two features that span the plane, where there are more.
        fixed: the values of all features, of which those that do not span the plane count; by default their means.
        held_out: n booleans: samples that the model has not learnt from are drawn full, and all others hollow.
        resolution: points in each direction.
        axes: where to draw; by default on a figure of its own, which notebooks show.

    >>> import numpy as np
    >>> from viz import plots
    >>> X = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    >>> axes = plots.decision_boundary(lambda points: points.sum(axis=1), X, [0, 1, 1], threshold=0.5)
    >>> [text.get_text() for text in axes.get_legend().get_texts()]
    ['0', '1']

    Raises:
        ValueError: shapes do not fit, a number is not finite; one score for each point and no threshold.
        TypeError: predict is no model and no function, or X holds no numbers.
        ImportError: matplotlib is missing.
    """
    columns = [str(name) for name in getattr(X, "columns", [])]
    X = number_array(X, "X", "n", "features")
    labels = _labels(y, len(X))
    across, up = _features(features, X)
    centre = X.mean(axis=0) if fixed is None else number_array(fixed, "fixed", "features")
    if centre.shape != X.shape[1:]:
        raise ValueError(f"fixed: expected a value for each of {X.shape[1]} features, and got {len(centre)}")
    seen = np.zeros(len(X), bool) if held_out is None else ~np.asarray(held_out, bool)
    if seen.shape != (len(X),):
        raise ValueError(f"held_out: expected {len(X)} booleans, one for each sample, and got the shape {seen.shape}")
    ask = predictor(predict)

    horizontal, vertical = _ticks(X[:, across], resolution), _ticks(X[:, up], resolution)
    plane = np.tile(centre, (resolution * resolution, 1))
    plane[:, across], plane[:, up] = (grid.ravel() for grid in np.meshgrid(horizontal, vertical))
    known = np.unique(labels) if labels is not None else np.array([])
    everywhere = response_of(ask, plane, known, threshold)
    names = _names(classes, everywhere.labels)
    mistaken = np.zeros(len(X), bool)
    if labels is not None:
        at_samples = response_of(ask, X, everywhere.labels, threshold)
        mistaken = at_samples.labels[at_samples.winners] != labels

    axes = axes_for(axes, (6.4, 4.8))
    _draw_regions(axes, horizontal, vertical, everywhere)
    _draw_samples(axes, X[:, [across, up]], labels, everywhere.labels, names, seen, mistaken)
    axes.set_xlim(horizontal[0], horizontal[-1])
    axes.set_ylim(vertical[0], vertical[-1])
    title = "What it decides" + (", all other features fixed" if X.shape[1] > 2 else "")
    title += f" (dashed: {100 * SURE:.0f} % sure)" if everywhere.probabilities is not None else ""
    shown = [columns[k] if columns else f"feature {k}" for k in (across, up)]
    tidy(axes, title, *shown)
    legend(axes, emptiest(axes, X[:, [across, up]]), frameon=True, framealpha=0.9, edgecolor="none")
    return axes


def _labels(y: Any, count: int) -> Array | None:
    if y is None:
        return None
    labels = any_array(y, "y")
    if labels.ndim == 2 and labels.shape[1] > 1 and labels.dtype.kind != "U":
        labels = labels.argmax(axis=1)  # one-hot rows
    labels = labels.reshape(-1)
    if len(labels) != count:
        raise ValueError(f"y: expected one class for each of {count} samples, and got {len(labels)}")
    return labels


def _features(features: Any, X: Array) -> tuple[int, int]:
    count = X.shape[1]
    if not len(X) or not np.isfinite(X).all():
        raise ValueError(f"X: expected finite numbers for some samples, and got the shape {X.shape} with others in it")
    if len(features) != 2 or not all(hasattr(k, "__index__") and 0 <= k < count for k in features):
        raise ValueError(f"features={features!r}: expected two of the {count} features, such as features=(0, 1)")
    if index(features[0]) == index(features[1]):
        raise ValueError(f"features={features!r}: expected two different features")
    return index(features[0]), index(features[1])


def _names(classes: Any, labels: Array) -> list[str]:
    names = [f"{label:g}" if labels.dtype.kind == "f" else str(label) for label in labels]
    if classes is None:
        return names
    if len(classes) != len(labels):
        raise ValueError(f"classes: expected {len(labels)} names, for {', '.join(names)}; got {len(classes)}")
    return [str(name) for name in classes]


def _ticks(x: Array, resolution: int) -> Array:
    """Where the plane is asked, in one direction: a little beyond the samples."""
    if resolution < 2:
        raise ValueError(f"resolution={resolution!r}: expected at least 2 points in each direction")
    beyond = 0.08 * (x.max() - x.min()) or 1.0
    return np.linspace(x.min() - beyond, x.max() + beyond, resolution)


def _draw_regions(axes: Any, horizontal: Array, vertical: Array, response: Response) -> None:
    shape = (len(vertical), len(horizontal))
    for k, (colour, _, _, hatch) in enumerate(looks(len(response.labels))):
        margin = response.margins[:, k].reshape(shape)
        if not (margin > 0).any():
            continue
        far = [0, np.nanmax(margin[np.isfinite(margin)]) + 1]
        axes.contourf(horizontal, vertical, margin, levels=far, colors=[colour], alpha=0.14, zorder=0)
        pattern = axes.contourf(horizontal, vertical, margin, levels=far, colors="none", hatches=[hatch], zorder=0)
        pattern.set(edgecolor=(colour, 0.25), linewidth=0)
        if not (margin > 0).all():
            axes.contour(horizontal, vertical, margin, levels=[0], colors=[ink(axes)], linewidths=1.2, zorder=1)
        if response.probabilities is not None:
            p = response.probabilities[:, k].reshape(shape)
            if p.min() < SURE < p.max():
                axes.contourf(horizontal, vertical, p, levels=[SURE, 2], colors=[colour], alpha=0.16, zorder=0)
                at = {"levels": [SURE], "linestyles": ["--"], "linewidths": [0.9], "colors": [ink(axes)]}
                axes.contour(horizontal, vertical, p, zorder=1, **at)


def _draw_samples(
    axes: Any, points: Array, labels: Array | None, known: Array, names: list[str], seen: Array, mistaken: Array
) -> None:
    if labels is None:
        axes.scatter(*points.T, s=18, color=ink(axes), linewidths=0, zorder=2)
        return
    for label, name, (colour, _, marker, _) in zip(known, names, looks(len(known)), strict=True):
        full, hollow = (labels == label) & ~seen, (labels == label) & seen
        axes.scatter(*points[hollow].T, s=16, marker=marker, facecolors="none", edgecolors=colour, linewidths=0.9)
        axes.scatter(*points[full].T, s=26, marker=marker, color=colour, edgecolors="white", linewidths=0.4, label=name)
    if seen.any():
        axes.scatter([], [], s=16, facecolors="none", edgecolors=ink(axes), linewidths=0.9, label="hollow: learnt from")
    if mistaken.any():
        ring: dict[str, Any] = {"s": 120, "facecolors": "none", "edgecolors": ink(axes), "linewidths": 1.3, "zorder": 3}
        axes.scatter(*points[mistaken].T, label=f"mistaken: {int(mistaken.sum())} of {len(points)}", **ring)
