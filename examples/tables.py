"""Files of numbers, read and checked line by line: what is wrong is said with the file and the line."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class DatasetError(ValueError):
    """A data file is missing or damaged; the message says where and how."""


def read_lines(path: Path) -> list[str]:
    """The lines of a text, or of a compressed one (``.gz``); there is at least one.

    Raises:
        DatasetError: the file is missing or empty, or cannot be read as text.
    """
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    except FileNotFoundError:
        raise DatasetError(f"{path}: there is no such file") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read as text: {error}") from None
    lines = text.splitlines()
    if not lines:
        raise DatasetError(f"{path}: the file is empty")
    return lines


def read_table(
    path: Path, columns: Sequence[str], *, rows: int, separator: str | None = ",", header: str | None = None
) -> NDArray[np.float64]:
    """Numbers of shape (rows, columns), where it is known how many there are and what the columns are called.

    Args:
        path: the file.
        columns: what each column is called.
        rows: how many lines of numbers there are.
        separator: what is between two numbers; None for any white space.
        header: what the first line says, if it is not a row.

    Raises:
        DatasetError: as :func:`read_lines` and :func:`read_numbers`, or there are other rows or columns.
    """
    lines = read_lines(path)
    if header is not None and lines.pop(0) != header:
        raise DatasetError(f"{path}, line 1: expected {header!r}")
    if len(lines) != rows:
        raise DatasetError(f"{path}: expected {rows} rows, found {len(lines)}")
    table = []
    for i, line in enumerate(lines, 1 if header is None else 2):
        row = read_numbers(f"{path}, line {i}", line, separator)
        if len(row) != len(columns):
            raise DatasetError(f"{path}, line {i}: expected {named(columns)}; found {len(row)} columns: {line[:60]!r}")
        table.append(row)
    return np.array(table)


def read_numbers(where: str, line: str, separator: str | None = ",") -> list[float]:
    """The numbers of one line.

    Raises:
        DatasetError: something between two separators is not a finite number.
    """
    row = []
    for cell in line.split(separator):
        try:
            row.append(float(cell))
        except ValueError:
            raise DatasetError(f"{where}: {cell!r} is not a number") from None
        if not math.isfinite(row[-1]):
            raise DatasetError(f"{where}: {cell!r} is not a finite number")
    return row


def named(columns: Sequence[str]) -> str:
    """What the columns are, and not more of them than a person reads.

    >>> named(["a", "b"]), named([str(i) for i in range(64)])
    ('the columns a, b', '64 columns from 0 to 63')
    """
    return (
        f"the columns {', '.join(columns)}"
        if len(columns) < 12
        else f"{len(columns)} columns from {columns[0]} to {columns[-1]}"
    )
