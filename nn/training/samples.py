"""Samples and their targets in the form that a model takes: rows of floats one by one, or arrays in whole batches."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from autodiff import Node, Tensor, Value
from nn.data import check_columns, checked_array, checked_rows, checked_targets, split

ABSENT: Any = object()  # in the place of targets, where there are none; None in their place is a mistake


class Model(Protocol):
    """What can be trained: it turns a row of numbers into Values, or an array of samples into a Tensor."""

    def __call__(self, x: Any, /) -> Any:
        """The output or outputs for a row, or for a batch."""

    def parameters(self) -> list[Node]:
        """What is trained."""


class Rows:
    """Samples for models of single numbers: a batch is a list of rows, and the model is called on each of them.

    >>> rows = Rows(lambda row: Value(row[0]), [[1, 2], [3, 4]], [5, 6])
    >>> rows.outputs([1, 0]), rows.targets([1, 0])
    ([Value(3.0), Value(1.0)], [6, 5])
    """

    def __init__(self, model: Model, X: Any, y: Any = ABSENT, names: tuple[str, str] = ("X", "y")) -> None:
        self.model = model
        self.X = checked_rows(X, getattr(model, "inputs", None), names[0])
        self.y = [] if y is ABSENT else checked_targets(y, len(self.X), names[1], names[0]).tolist()

    def __len__(self) -> int:
        return len(self.X)

    def outputs(self, rows: Sequence[int] | NDArray[np.intp], first: Sequence[Any] = ()) -> Any:
        """What the model gives for these rows: a Value, or a list of Values, for each. ``first`` are known already."""
        model, X = self.model, self.X
        return [*first, *[model(X[i]) for i in rows[len(first) :]]]

    def targets(self, rows: Sequence[int] | NDArray[np.intp]) -> Any:
        """The targets of these rows."""
        y = self.y
        return [y[i] for i in rows]

    def all_outputs(self, batch_size: int, first: Sequence[Any] = ()) -> Any:
        """What the model gives for all rows."""
        return self.outputs(range(len(self)), first)

    def like_first(self, outputs: Any, count: int) -> Any:
        """``count`` outputs, all like the first of these: as a Tensor, which is compared with targets sooner."""
        first = self.numbers(outputs)[0]
        return Tensor(np.broadcast_to(first, (count, *first.shape)), requires_grad=False)

    def split(self, fraction: float) -> tuple[Rows, Rows]:
        """These samples without the last of them, and those; see :func:`nn.data.split`."""
        return _split(self, fraction)

    def numbers(self, outputs: Any, count: int | None = None) -> NDArray[Any]:
        """The numbers in outputs: (n,) where the model has one output, else (n, outputs)."""
        if isinstance(outputs, Tensor | np.ndarray):  # of a compiled model
            return np.asarray(outputs.data if isinstance(outputs, Tensor) else outputs)
        return np.array([row.data if isinstance(row, Node) else [value.data for value in row] for row in outputs])


class Arrays:
    """Samples for models of tensors: a batch is an array of any number of axes, and the model is called once on it.

    Whole numbers stay whole: they may be tokens or class indices. Where the parameters of the model are float32,
    so are the samples and targets, and all of training stays there.

    >>> from nn import Dense
    >>> arrays = Arrays(Dense(2, 3, seed=0), [[1, 2], [3, 4]], [5, 6])
    >>> arrays.outputs([1, 0]).shape, arrays.targets([1, 0])
    ((2, 3), array([6, 5]))
    """

    def __init__(self, model: Model, X: Any, y: Any = ABSENT, names: tuple[str, str] = ("X", "y")) -> None:
        self.model = model
        single = any(np.asarray(p.data).dtype == np.float32 for p in parameters_of(model))
        self.X = _in_precision(checked_array(X, None, names[0], integers=True), single)
        self.y = self.X if y is ABSENT else _in_precision(checked_targets(y, len(self.X), names[1], names[0]), single)

    def __len__(self) -> int:
        return len(self.X)

    def outputs(self, rows: Any, first: Any = ()) -> Any:
        """What the model gives for these rows: one Tensor; it may be known already."""
        return first[0] if first else self.model(self.X[rows])

    def targets(self, rows: Any) -> Any:
        """The targets of these rows."""
        return self.y[rows]

    def all_outputs(self, batch_size: int, first: Any = ()) -> Any:
        """What the model gives for all samples, computed ``batch_size`` at a time."""
        slices = [slice(start, min(start + batch_size, len(self))) for start in range(0, len(self), batch_size)]
        parts = [self.numbers(self.outputs(rows), rows.stop - rows.start) for rows in slices]
        return Tensor(np.concatenate(parts), requires_grad=False)

    def like_first(self, outputs: Any, count: int) -> Any:
        """``count`` outputs, all like the first of these."""
        first = self.numbers(outputs)[0]
        return Tensor(np.broadcast_to(first, (count, *first.shape)), requires_grad=False)

    def split(self, fraction: float) -> tuple[Arrays, Arrays]:
        """These samples without the last of them, and those; see :func:`nn.data.split`."""
        return _split(self, fraction)

    def numbers(self, outputs: Any, count: int | None = None) -> NDArray[Any]:
        """The numbers in outputs, which are those of ``count`` samples, where that is known."""
        if not isinstance(outputs, Tensor) or not outputs.ndim:
            shown = "one number" if isinstance(outputs, Tensor) else f"a {type(outputs).__name__}"
            raise TypeError(f"the model gives {shown} for a batch; expected a Tensor with an output for each sample")
        array: NDArray[Any] = outputs.data
        if count is not None and len(array) != count:
            raise ValueError(
                f"the model gives an array of shape {array.shape} for a batch of {count}; expected an output for each "
                f"sample, along the first axis (one sample of X has shape {self.X.shape[1:]})"
            )
        return array


Samples = Rows | Arrays


def samples_for(
    model: Model,
    X: Any,
    y: Any = ABSENT,
    *,
    names: tuple[str, str] = ("X", "y"),
    columns: tuple[str, ...] | None = None,
) -> Samples:
    """``X`` and ``y``, checked, as ``model`` takes them: a model whose parameters are Values takes rows.

    Args:
        model: what will see them.
        X: samples, as lists, an array or a frame.
        y: targets, if there are any.
        names: what messages call them.
        columns: the names that the columns of a frame must have, where they are known.

    Raises:
        ValueError, TypeError: as :func:`nn.data.checked_array` and :func:`nn.data.checked_targets`; the columns are
            others; or the model has parameters of both kinds.
    """
    kinds = {type(parameter) for parameter in parameters_of(model)}
    if kinds >= {Value, Tensor}:
        raise TypeError("the model has Values and Tensors among its parameters; a model takes either rows or arrays")
    check_columns(X, columns, names[0])
    return (Rows if Value in kinds else Arrays)(model, X, y, names)


def parameters_of(model: Any) -> list[Node]:
    """The parameters of a model.

    Raises:
        TypeError: it is no model.
    """
    if isinstance(model, type) or not callable(model) or not hasattr(model, "parameters"):
        raise TypeError(f"the model is {model!r}; expected an object that can be called and has parameters()")
    parameters: list[Node] = list(model.parameters())
    return parameters


def checksum(samples: Samples) -> int:
    """A number that other samples or targets will hardly have: of two sets of data, whether they are the same."""
    return crc32(np.ascontiguousarray(samples.y).data, crc32(np.ascontiguousarray(samples.X).data))


def _in_precision(array: NDArray[Any], single: bool) -> NDArray[Any]:
    return array.astype(np.float32) if single and array.dtype == np.float64 else array


def _split(samples: Any, fraction: float) -> tuple[Any, Any]:
    kept, held_out = copy(samples), copy(samples)
    (kept.X, kept.y), (held_out.X, held_out.y) = split(samples.X, samples.y, fraction)
    return kept, held_out
