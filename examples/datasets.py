"""The data of the lessons: read, checked line by line, and split into a part to learn from and a part to test on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

IRIS = Path(__file__).parent / "data" / "iris.csv"
IRIS_FEATURES = ("sepal length", "sepal width", "petal length", "petal width")


class DatasetError(ValueError):
    """A data file is missing or damaged; the message says where and how."""


@dataclass(frozen=True)
class Dataset:
    """Examples of several classes.

    Attributes:
        features: numbers of shape (rows, columns).
        labels: the class index of each row, shape (rows,).
        classes: the names of the classes.
    """

    features: NDArray[np.float64]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]


def read_iris(path: Path = IRIS) -> Dataset:
    """Fisher's iris: four measurements of 150 flowers of three species.

    Raises:
        DatasetError: as :func:`read_classes`, or the rows do not have four measurements.
    """
    iris = read_classes(path)
    if iris.features.shape[1] != len(IRIS_FEATURES):
        raise DatasetError(f"{path}: expected the columns {', '.join(IRIS_FEATURES)}; found {iris.features.shape[1]}")
    return iris


def read_classes(path: Path) -> Dataset:
    """Read a file whose first line is ``rows,columns,name of class 0,...`` and whose rows end in a class index.

    Raises:
        DatasetError: the file is missing, empty or no text, the first line is not as above, a row has
            another number of columns, holds something that is not a finite number or a class that does
            not exist, or there are more or fewer rows than the first line promises.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DatasetError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read as text: {error}") from None
    if not lines:
        raise DatasetError(f"{path}: the file is empty")
    rows, columns, classes = _read_header(path, lines[0])
    if len(lines) - 1 != rows:
        raise DatasetError(f"{path}: line 1 promises {rows} rows, and {len(lines) - 1} follow")
    table = [_read_row(f"{path}, line {i}", line, columns, len(classes)) for i, line in enumerate(lines[1:], 2)]
    return Dataset(
        features=np.array([row[:-1] for row in table]),
        labels=np.array([int(row[-1]) for row in table]),
        classes=classes,
    )


def stratified_split(
    labels: NDArray[np.int64], held_out: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers to learn from and row numbers to test on, at random, but with the same share of every class.

    >>> train, test = stratified_split(np.array([0, 0, 0, 1, 1, 1]), 1 / 3, np.random.default_rng(0))
    >>> len(train), len(test), np.array([0, 0, 0, 1, 1, 1])[test].tolist()
    (4, 2, [0, 1])
    """
    test: list[int] = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        test.extend(members[: round(held_out * len(members))])
    return np.setdiff1d(np.arange(len(labels)), test), np.sort(test)


def _read_header(path: Path, line: str) -> tuple[int, int, tuple[str, ...]]:
    rows, columns, *classes = [*line.split(","), "", ""]
    classes = [name for name in classes if name]
    if not (rows.isdecimal() and columns.isdecimal() and len(classes) > 1):
        raise DatasetError(f"{path}, line 1: expected 'rows,columns,class,class,...', found {line[:60]!r}")
    return int(rows), int(columns), tuple(classes)


def _read_row(where: str, line: str, columns: int, classes: int) -> list[float]:
    cells = line.split(",")
    if len(cells) != columns + 1:
        raise DatasetError(
            f"{where}: expected {columns} numbers and a class, found {len(cells)} columns: {line[:60]!r}"
        )
    row = []
    for cell in cells:
        try:
            row.append(float(cell))
        except ValueError:
            raise DatasetError(f"{where}: {cell!r} is not a number") from None
        if not math.isfinite(row[-1]):
            raise DatasetError(f"{where}: {cell!r} is not a finite number")
    if row[-1] not in range(classes):
        raise DatasetError(
            f"{where}: the class is {cells[-1]}, and with {classes} classes it goes from 0 to {classes - 1}"
        )
    return row
