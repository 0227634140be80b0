"""The data of the lessons: read, checked line by line, and split into a part to learn from and a part to test on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples.tables import DatasetError as DatasetError
from examples.tables import named, read_lines, read_numbers, read_table

DATA = Path(__file__).parent / "data"
IRIS = DATA / "iris.csv"
BREAST_CANCER = DATA / "breast_cancer.csv"
DIGITS = DATA / "digits.csv.gz"
DIABETES = DATA / "diabetes_data_raw.csv.gz"
DIABETES_TARGET = DATA / "diabetes_target.csv.gz"
SUNSPOTS = DATA / "sunspots.csv"
NAMES = DATA / "names.txt"

IRIS_FEATURES = ("sepal length", "sepal width", "petal length", "petal width")
CELL_MEASUREMENTS = (
    *("radius", "texture", "perimeter", "area", "smoothness"),
    *("compactness", "concavity", "concave points", "symmetry", "fractal dimension"),
)
BREAST_CANCER_FEATURES = tuple(
    f"{which} {name}" for which in ("mean", "error of", "worst") for name in CELL_MEASUREMENTS
)
DIABETES_FEATURES = (
    *("age", "sex", "body mass index", "blood pressure", "cholesterol"),
    *("LDL", "HDL", "cholesterol / HDL", "log triglycerides", "glucose"),
)
PIXELS = tuple(f"row {row} column {column}" for row in range(8) for column in range(8))


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
    return _with_features(path, IRIS_FEATURES)


def read_breast_cancer(path: Path = BREAST_CANCER) -> Dataset:
    """569 tumours, malignant (0) or benign (1), by thirty measurements of their cell nuclei under the microscope.

    Ten measurements of every nucleus in the picture: their mean, the standard error of it, and the mean of the
    three worst (largest).

    Raises:
        DatasetError: as :func:`read_classes`, or the rows do not have thirty measurements.
    """
    return _with_features(path, BREAST_CANCER_FEATURES)


def read_digits(path: Path = DIGITS) -> Dataset:
    """1797 handwritten digits of 8 × 8 pixels, row by row, each from 0 (white) to 16 (black).

    Raises:
        DatasetError: the file is missing or damaged, or holds other rows or columns, a grey out of range or a
            label that is no digit.
    """
    table = read_table(path, (*PIXELS, "digit"), rows=1797)
    for i, row in enumerate(table, 1):
        if row[:-1].min() < 0 or row[:-1].max() > 16:
            raise DatasetError(f"{path}, line {i}: a grey goes from 0 to 16")
        if row[-1] not in range(10):
            raise DatasetError(f"{path}, line {i}: the digit is {row[-1]:g}")
    return Dataset(table[:, :-1], table[:, -1].astype(np.int64), tuple("0123456789"))


def read_diabetes(
    path: Path = DIABETES, target: Path = DIABETES_TARGET
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """442 patients: ten measurements of each, and how far the illness had progressed after a year.

    Returns:
        Measurements of shape (442, 10), see ``DIABETES_FEATURES``, and a measure of progression of shape (442,).

    Raises:
        DatasetError: a file is missing or damaged, or holds other rows or columns.
    """
    measurements = read_table(path, DIABETES_FEATURES, rows=442, separator=None)
    return measurements, read_table(target, ["progression"], rows=442)[:, 0]


def read_sunspots(path: Path = SUNSPOTS) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """How many spots the sun had in each year from 1700 to 2008, as the yearly mean of the sunspot number.

    Returns:
        The years and the activity, both of shape (309,).

    Raises:
        DatasetError: the file is missing or damaged, a year is left out, or an activity is below 0.
    """
    table = read_table(path, ["YEAR", "SUNACTIVITY"], rows=309, header='"YEAR","SUNACTIVITY"')
    for i, (year, activity) in enumerate(table):
        if year != 1700 + i:
            raise DatasetError(f"{path}, line {i + 2}: expected the year {1700 + i}, found {year:g}")
        if activity < 0:
            raise DatasetError(f"{path}, line {i + 2}: an activity of {activity:g} is below 0")
    return table[:, 0].astype(np.int64), table[:, 1]


def read_names(path: Path = NAMES) -> list[str]:
    """Given names, in letters from a to z.

    Raises:
        DatasetError: the file is missing or empty, or a line holds anything else.
    """
    names = read_lines(path)
    for i, name in enumerate(names, 1):
        if not (name.isascii() and name.isalpha() and name.islower()):
            raise DatasetError(f"{path}, line {i}: expected a name in letters from a to z, found {name[:60]!r}")
    return names


def read_classes(path: Path) -> Dataset:
    """Read a file whose first line is ``rows,columns,name of class 0,...`` and whose rows end in a class index.

    Raises:
        DatasetError: the file is missing, empty or no text, the first line is not as above, a row has
            another number of columns, holds something that is not a finite number or a class that does
            not exist, or there are more or fewer rows than the first line promises.
    """
    lines = read_lines(path)
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


def _with_features(path: Path, features: tuple[str, ...]) -> Dataset:
    data = read_classes(path)
    if data.features.shape[1] != len(features):
        raise DatasetError(f"{path}: expected {named(features)}; found {data.features.shape[1]}")
    return data


def _read_header(path: Path, line: str) -> tuple[int, int, tuple[str, ...]]:
    rows, columns, *classes = [*line.split(","), "", ""]
    classes = [name for name in classes if name]
    if not (rows.isdecimal() and columns.isdecimal() and len(classes) > 1):
        raise DatasetError(f"{path}, line 1: expected 'rows,columns,class,class,...', found {line[:60]!r}")
    return int(rows), int(columns), tuple(classes)


def _read_row(where: str, line: str, columns: int, classes: int) -> list[float]:
    if len(cells := line.split(",")) != columns + 1:
        raise DatasetError(
            f"{where}: expected {columns} numbers and a class, found {len(cells)} columns: {line[:60]!r}"
        )
    row = read_numbers(where, line)
    if row[-1] not in range(classes):
        raise DatasetError(
            f"{where}: the class is {cells[-1]}, and with {classes} classes it goes from 0 to {classes - 1}"
        )
    return row
