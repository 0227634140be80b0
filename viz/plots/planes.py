"""Planes in the space of all parameters: two directions, along which a loss can be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autodiff import Node
from viz.plots.numbers import Array, number_array


@dataclass(frozen=True, slots=True)
class Plane:
    """The points ``origin + a · first + b · second``, flat vectors of all parameters.

    Attributes:
        here: the coordinates (a, b) of where the parameters are now.
        names: what a and b are called.
    """

    origin: Array
    first: Array
    second: Array
    here: tuple[float, float]
    names: tuple[str, str]

    def at(self, a: float, b: float) -> Array:
        """The parameters at these coordinates."""
        return self.origin + a * self.first + b * self.second

    def project(self, points: Array) -> Array:
        """The coordinates (n, 2) of what is nearest in the plane to each of n points: least squares."""
        basis = np.stack([self.first, self.second], axis=1)
        return np.asarray(np.linalg.lstsq(basis, (points - self.origin).T, rcond=None)[0].T)


def plane_of(parameters: Sequence[Node], directions: Any, path: Array | None, seed: Any) -> Plane:
    """The plane through the parameters, by the name of its directions or by two directions.

    Raises:
        ValueError: the directions are unknown, of another shape, parallel, or need a path that moves.
    """
    now = flat([parameter.data for parameter in parameters])
    if directions == "auto":
        directions = "parameters" if now.size == 2 else "pca" if path is not None else "random"
    if not isinstance(directions, str):
        first, second = _given(directions, parameters, now.size)
        return Plane(now, first, second, (0.0, 0.0), ("first direction", "second direction"))
    if directions == "parameters":
        return _of_two(parameters, now)
    rng = np.random.default_rng(seed)
    if directions == "random":
        first, second = (filter_normalised(parameters, rng) for _ in range(2))
        names = ("first random direction", "second random direction")
        first, second = _apart(first, second)
        return Plane(now, first, second, (0.0, 0.0), names)
    if directions == "pca":
        if path is None:
            raise ValueError("directions='pca' are those of a path; give path=trajectory, or write 'random'")
        return _along(path, now, parameters, rng)
    raise ValueError(
        f"directions={directions!r}: expected 'random', 'pca' (of a path), 'parameters' (of two numbers), or two lists"
        " of arrays in the shapes of the parameters"
    )


def flat(arrays: Sequence[Any]) -> Array:
    """All numbers of all parameters, one after the other."""
    return np.concatenate([np.asarray(array, dtype=float).ravel() for array in arrays])


def filter_normalised(parameters: Sequence[Node], rng: np.random.Generator) -> Array:
    """A random direction in which each filter (the weights of one unit) is as long as that of the parameters.

    So a step of 1 means the same for small weights and for large ones. Biases and other lists of single numbers stay
    where they are, unless there is nothing else. A filter of zeros, which has no length, stays too.

    Source: Li, Xu, Taylor, Studer, Goldstein 2018, "Visualizing the loss landscape of neural nets", section 4.
    """
    has_filters = any(np.ndim(parameter.data) > 1 for parameter in parameters)
    parts = []
    for parameter in parameters:
        weights = np.asarray(parameter.data, dtype=float)
        direction = rng.standard_normal(weights.shape)
        if weights.ndim <= 1:
            parts.append(0 * direction.ravel() if has_filters else direction.ravel())
            continue
        rows, wanted = direction.reshape(len(weights), -1), weights.reshape(len(weights), -1)
        length = np.linalg.norm(wanted, axis=1, keepdims=True) / np.linalg.norm(rows, axis=1, keepdims=True)
        parts.append((rows * length).ravel())
    direction = np.concatenate(parts)
    if not has_filters:  # single numbers: all of them are one filter
        length = float(np.linalg.norm(flat([parameter.data for parameter in parameters])))
        direction *= (length or 1.0) / np.linalg.norm(direction)
    return direction


def _of_two(parameters: Sequence[Node], now: Array) -> Plane:
    """Two numbers are a plane already: they are its coordinates."""
    if now.size != 2:
        raise ValueError(
            f"directions='parameters' are for two numbers in all, and these are {now.size}; write 'random'"
        )
    labels = [parameter.label or "" for parameter in parameters]
    first, second = (labels[0] or "first parameter", labels[-1] or "second parameter")
    names = (first, second) if len(parameters) == 2 else (f"{first}[0]", f"{first}[1]")
    first_axis, second_axis = np.eye(2)
    return Plane(np.zeros(2), first_axis, second_axis, (float(now[0]), float(now[1])), names)


def _along(path: Array, now: Array, parameters: Sequence[Node], rng: np.random.Generator) -> Plane:
    """The plane, through where the parameters are now, in which the path moves the most.

    Source: Li et al. 2018, section 7: principal components of the steps away from the last point.
    """
    _, strengths, axes = np.linalg.svd(path - now, full_matrices=False)
    if not strengths[0] > 0:
        raise ValueError("directions='pca': the path does not move: all its snapshots are the parameters of now")
    shares = strengths**2 / (strengths**2).sum()
    first = axes[0] * (-1.0 if axes[0] @ (path[0] - now) > 0 else 1.0)  # it begins on the left
    if len(strengths) > 1 and strengths[1] > 1e-9 * strengths[0]:
        names = tuple(
            f"{k} axis of the path ({100 * s:.0f} %)" for k, s in zip(("main", "second"), shares, strict=False)
        )
        return Plane(now, first, axes[1], (0.0, 0.0), (names[0], names[1]))
    second = filter_normalised(parameters, rng)
    second = second - (second @ first) * first
    length = float(np.linalg.norm(second))
    if not length > 0:
        raise ValueError("directions='pca': the path is a line, and there is no second direction; write 'random'")
    return Plane(now, first, second / length, (0.0, 0.0), ("main axis of the path (100 %)", "a random direction"))


def _given(directions: Any, parameters: Sequence[Node], count: int) -> tuple[Array, Array]:
    if len(directions) != 2:
        raise ValueError(f"directions: expected two of them, or a name such as 'random'; got {len(directions)}")
    shapes = [np.shape(parameter.data) for parameter in parameters]
    found = []
    for direction in directions:
        if isinstance(direction, np.ndarray) and direction.shape == (count,):
            found.append(direction.astype(float))
            continue
        arrays = [number_array(array, "a direction") for array in direction]
        if [array.shape for array in arrays] != shapes:
            got = [array.shape for array in arrays]
            raise ValueError(f"directions: expected arrays in the shapes of the parameters, {shapes}; got {got}")
        found.append(flat(arrays))
    return _apart(*found)


def _apart(first: Array, second: Array) -> tuple[Array, Array]:
    lengths = np.linalg.norm(first), np.linalg.norm(second)
    if not (min(lengths) > 0 and abs(first @ second) < (1 - 1e-12) * lengths[0] * lengths[1]):
        raise ValueError("directions: the two span no plane: one is 0, or they are parallel (all weights may be 0)")
    return first, second
