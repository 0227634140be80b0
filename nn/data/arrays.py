"""What users give as data, as one array of numbers: nested lists, arrays, nodes, frames and series.

Frames (of pandas, polars or alike) are known by what they offer, so no library of frames is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import Node

Where = Callable[[tuple[int, ...]], str]  # of a position: how a message names it


def as_numbers(data: Any, name: str, advice: str = "", *, detach: bool = True) -> NDArray[Any]:
    """``data`` as an array of real numbers, in the dtype that it came in; of nodes, what they hold.

    Args:
        data: an array, a number, lists or tuples of them in any depth, a node or lists of nodes, a frame, a series.
        name: what messages call it.
        advice: what the message adds where something else than a number is met.
        detach: whether lists of nodes may lose their gradient; else they raise.

    >>> as_numbers([(1, 2), (3, 4)], "X")
    array([[1, 2],
           [3, 4]])

    Raises:
        TypeError: it holds something other than real numbers, is a masked array, or an iterator.
        ValueError: its rows are of unequal length.
    """
    if isinstance(data, Node):
        data = data.data
    if is_frame(data):
        return _of_frame(data, name, advice)
    if isinstance(data, np.ndarray) and hasattr(data, "mask"):
        raise TypeError(f"{name} is a masked array, and what it masks would be learnt from; fill it first")
    if isinstance(data, Iterator):
        raise TypeError(f"{name} is a {type(data).__name__}, which can be read only once; write list({name})")
    if hasattr(data, "toarray"):
        raise TypeError(f"{name} is a {type(data).__name__}; expected a dense array: write {name}.toarray()")
    try:
        table = np.asarray(data)
    except ValueError:  # NumPy's word for it is "inhomogeneous shape"
        raise _ragged(data, name) from None
    except TypeError:  # nodes that carry a gradient
        if not detach:
            raise
        return as_numbers(_without_nodes(data), name, advice)
    if table.ndim == 0 and table.dtype.kind not in "biuf":
        raise TypeError(f"{name} is the {type(data).__name__} {_short(data)}; expected real numbers{advice}")
    if table.dtype.kind in "US" and not isinstance(data, np.ndarray):
        table = np.array(data, dtype=object)  # one text among numbers made texts of them all
    return _numeric(table, name, lambda position: f"at {list(position)}", advice)


def check_finite(table: NDArray[Any], name: str, data: Any = None) -> None:
    """Nothing where all numbers of ``table`` are finite; ``data`` is what it was made of.

    Raises:
        ValueError: there is a NaN or an infinity; the message names the first, with its column if data is a frame.
    """
    finite = np.isfinite(table)
    if finite.all():
        return
    place = tuple(np.argwhere(~finite)[0].tolist())
    if is_frame(data):
        raise ValueError(
            f"{name} is {table[place]} in row {place[0]}, column {_columns(data)[place[1]][0]!r}; expected finite "
            "numbers: fill in what is missing, or leave the row out"
        )
    raise ValueError(f"{name}[{', '.join(map(str, place))}] is {table[place]}; expected finite numbers")


def is_frame(data: Any) -> bool:
    """Whether it is a table with named columns."""
    return hasattr(data, "to_numpy") and hasattr(data, "columns")


def column_names(data: Any) -> tuple[str, ...] | None:
    """The names of a frame's columns; None for all that has no names, such as arrays and numbered columns.

    >>> column_names([[1.0, 2.0]]) is None
    True
    """
    names = tuple(data.columns) if is_frame(data) else ()
    return names if names and all(isinstance(name, str) for name in names) else None


def _columns(frame: Any) -> list[tuple[Any, Any]]:
    """The name and the numbers of each column, also where two share a name."""
    return list(frame.items()) if hasattr(frame, "items") else [(s.name, s) for s in frame.get_columns()]


def _of_frame(frame: Any, name: str, advice: str) -> NDArray[Any]:
    parts = [
        _numeric(np.asarray(series), name, partial(_in_column, column), advice) for column, series in _columns(frame)
    ]
    return np.stack(parts, axis=1) if parts else np.empty((len(frame), 0))


def _in_column(column: Any, position: tuple[int, ...]) -> str:
    return f"in row {position[0]}, column {column!r}"


def _numeric(table: NDArray[Any], name: str, where: Where, advice: str) -> NDArray[Any]:
    """``table``, where it has numbers; numbers that came as objects, such as fractions, as floats."""
    if table.dtype.kind in "biuf":
        return table
    if table.dtype.kind == "O" and table.size and isinstance(table.flat[0], list | tuple | np.ndarray):
        return as_numbers(table.tolist(), name, advice)  # an array of lists
    for position, entry in np.ndenumerate(table):
        if table.dtype.kind != "O" or not isinstance(entry, Real | Decimal | np.bool_):
            raise TypeError(f"{name} holds {_short(entry)} {where(position)}; expected real numbers{advice}")
    return table.astype(float)


def _without_nodes(data: Any) -> Any:
    """Lists in which every node is replaced by what it holds."""
    if isinstance(data, Node):
        return data.data
    if isinstance(data, list | tuple):
        return [_without_nodes(part) for part in data]
    raise TypeError(f"expected numbers, and was given {_short(data)}")


def _ragged(data: Any, name: str) -> ValueError:
    """The error that shows which two rows differ, in the innermost list where some do."""
    shapes = []
    for i, row in enumerate(data):
        try:
            shapes.append(np.shape(row))
        except ValueError:
            return _ragged(row, f"{name}[{i}]")
    odd = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), 0)
    if max(len(shapes[0]), len(shapes[odd])) > 1:
        return ValueError(
            f"{name} has entries of unequal shape: entry 0 has shape {shapes[0]}, entry {odd} has {shapes[odd]}; "
            "fill sequences up to one length (see nn.layers.recurrent.Recurrent)"
        )
    rows = [(i, shapes[i]) for i in (0, odd)]
    shown = [f"row {i} has {shape[0]} numbers" if shape else f"row {i} is one number" for i, shape in rows]
    return ValueError(f"{name} has rows of unequal length: {', '.join(shown)}")


def _short(thing: Any) -> str:
    text = repr(thing.item() if isinstance(thing, np.character) else thing)
    return text if len(text) <= 60 else f"{text[:57]}..."
