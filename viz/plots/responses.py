"""What a model says of points, as classes: labels, scores or probabilities, read off what it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from autodiff import no_grad
from viz.plots.numbers import Array, any_array


@dataclass(frozen=True, slots=True)
class Response:
    """What a model says of n points.

    Attributes:
        labels: of each class, what it is called in y: (K,).
        margins: for each point and class, by how much this class is ahead of the best other one: (n, K).
        probabilities: (n, K), or None where the model gave labels or other scores.
    """

    labels: Array
    margins: Array
    probabilities: Array | None

    @property
    def winners(self) -> Array:
        """For each point the index of the class that the model decides for."""
        return np.asarray(self.margins.argmax(axis=1))


def predictor(model: Any) -> Callable[[Array], Any]:
    """The function of points that a model is: ``predict_proba``, or else ``predict``, or the model itself.

    Raises:
        TypeError: it is none.
    """
    for name in ("predict_proba", "predict"):
        if callable(getattr(model, name, None)):
            return getattr(model, name)  # type: ignore[no-any-return]
    if callable(model):
        return model  # type: ignore[no-any-return]
    raise TypeError(f"expected a model with predict, or a function of points (n, features); got {type(model).__name__}")


def response_of(predict: Callable[[Array], Any], points: Array, known: Array, threshold: float | None) -> Response:
    """What ``predict`` says of ``points``, whose classes are among ``known`` (or unknown, if that is empty).

    Raises:
        ValueError: another number of answers than of points; or one score for each point, and no threshold.
    """
    with no_grad():
        given = any_array(predict(points), "predictions")
    if given.ndim == 0 or len(given) != len(points) or given.ndim > 2:
        raise ValueError(
            f"predict was given {len(points)} points and answered with the shape {given.shape}; expected"
            f" ({len(points)},) or ({len(points)}, classes)"
        )
    if given.dtype.kind == "f" and np.isnan(given).any():
        count = int(np.isnan(given).reshape(len(given), -1).any(axis=1).sum())
        raise ValueError(f"predict answers with NaN for {count} of {len(points)} points, so there is nothing to decide")
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.ndim == 2:
        return _of_scores(given.astype(float), known)
    if threshold is not None:
        return _of_one_score(given.astype(float), known, threshold)
    if given.dtype.kind == "f" and not (len(known) and np.isin(given, known).all()):
        raise ValueError(
            "predict answers with one score for each point; write threshold=0.5 where they are probabilities,"
            " threshold=0 where they are logits"
        )
    return _of_labels(given, known)


def _of_scores(scores: Array, known: Array) -> Response:
    count = scores.shape[1]
    labels = known if len(known) == count else np.arange(count)
    if len(known) and not np.isin(known, labels).all():
        raise ValueError(f"predict gives scores of {count} classes, and y holds the classes {known.tolist()}")
    others = np.where(np.eye(count, dtype=bool), -np.inf, scores[:, None, :]).max(axis=2)
    shares = bool((scores >= 0).all() and np.allclose(scores.sum(axis=1), 1, atol=1e-6))
    return Response(labels, scores - others, scores if shares else None)


def _of_one_score(score: Array, known: Array, threshold: float) -> Response:
    if len(known) > 2:
        raise ValueError(f"one score and a threshold tell two classes apart, and y holds {known.tolist()}")
    labels = known if len(known) == 2 else np.arange(2)
    shares = threshold == 0.5 and bool(((score >= 0) & (score <= 1)).all())
    margins = np.stack([threshold - score, score - threshold], axis=1)
    return Response(labels, margins, np.stack([1 - score, score], axis=1) if shares else None)


def _of_labels(given: Array, known: Array) -> Response:
    labels = np.unique(np.concatenate([np.unique(given), known])) if len(known) else np.unique(given)
    return Response(labels, np.where(given[:, None] == labels, 0.5, -0.5), None)
