"""Reading the data of the lessons: the real file, and files damaged in every way we could think of."""

import gzip
import hashlib

import numpy as np
import pytest

from examples.datasets import (
    BREAST_CANCER_FEATURES,
    DATA,
    DIABETES_FEATURES,
    DIGITS,
    IRIS,
    IRIS_FEATURES,
    NAMES,
    SUNSPOTS,
    DatasetError,
    read_breast_cancer,
    read_classes,
    read_diabetes,
    read_digits,
    read_iris,
    read_names,
    read_sunspots,
    stratified_split,
)

GOOD = ["4,2,cat,dog", "1.0,2.0,0", "1.5,2.5,0", "3.0,-4.0,1", "3e0,4.5,1"]


def test_iris_is_the_real_one():
    iris = read_iris()
    assert iris.features.shape == (150, 4) == (150, len(IRIS_FEATURES))
    assert iris.classes == ("setosa", "versicolor", "virginica")
    assert np.bincount(iris.labels).tolist() == [50, 50, 50]
    assert iris.features[0].tolist() == [5.1, 3.5, 1.4, 0.2]
    np.testing.assert_allclose(iris.features.mean(axis=0), [5.8433, 3.0573, 3.7580, 1.1993], atol=5e-5)
    digest = hashlib.sha256("\n".join(IRIS.read_text(encoding="utf-8").splitlines()).encode()).hexdigest()
    assert digest == "901e0d5693555a45694ec381c0195d9ca4d81f1df9f5dcc0d9884a8f397a4527"


def test_breast_cancer_is_the_real_one():
    data = read_breast_cancer()
    assert data.features.shape == (569, 30) == (569, len(BREAST_CANCER_FEATURES))
    assert data.classes == ("malignant", "benign")
    assert np.bincount(data.labels).tolist() == [212, 357]
    mean = dict(zip(BREAST_CANCER_FEATURES, data.features.mean(axis=0), strict=True))
    assert mean["mean radius"] == pytest.approx(14.1273, abs=5e-5)
    assert mean["error of area"] == pytest.approx(40.3371, abs=5e-5)
    assert mean["worst fractal dimension"] == pytest.approx(0.0839, abs=5e-5)


def test_digits_are_the_real_ones():
    data = read_digits()
    assert data.features.shape == (1797, 64)
    assert data.classes == tuple("0123456789")
    assert np.bincount(data.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (data.features.min(), data.features.max()) == (0, 16)
    assert data.features.mean() == pytest.approx(4.884165, abs=5e-7)


def test_diabetes_is_the_real_one():
    X, y = read_diabetes()
    assert X.shape == (442, 10) == (442, len(DIABETES_FEATURES))
    assert y.shape == (442,)
    mean = dict(zip(DIABETES_FEATURES, X.mean(axis=0), strict=True))
    assert mean["age"] == pytest.approx(48.5181, abs=5e-5)
    assert mean["body mass index"] == pytest.approx(26.3758, abs=5e-5)
    assert mean["glucose"] == pytest.approx(91.2602, abs=5e-5)
    assert y.mean() == pytest.approx(152.1335, abs=5e-5)


def test_sunspots_are_the_real_ones():
    years, activity = read_sunspots()
    assert years.tolist() == list(range(1700, 2009))
    assert activity.shape == (309,)
    assert (activity.max(), years[activity.argmax()]) == (190.2, 1957)
    assert activity.mean() == pytest.approx(49.7521, abs=5e-5)


def test_names_are_the_real_ones():
    names = read_names()
    assert (len(names), names[0], names[-1]) == (32033, "emma", "zzyzx")
    assert sum(map(len, names)) == 196113
    assert set("".join(names)) == set("abcdefghijklmnopqrstuvwxyz")


def test_the_source_of_every_file_is_named():
    sources = (DATA / "SOURCES.md").read_text(encoding="utf-8")
    for path in DATA.iterdir():
        assert path.name == "SOURCES.md" or path.name in sources
    assert "CC BY 4.0" in sources


def write(tmp_path, lines):
    path = tmp_path / "pets.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_good_file(tmp_path):
    pets = read_classes(write(tmp_path, GOOD))
    assert pets.features.tolist() == [[1.0, 2.0], [1.5, 2.5], [3.0, -4.0], [3.0, 4.5]]
    assert pets.labels.tolist() == [0, 0, 1, 1]
    assert pets.classes == ("cat", "dog")


def with_line(number, text):
    return [*GOOD[: number - 1], text, *GOOD[number:]]


DAMAGED = {
    "empty": ([], "the file is empty"),
    "header of words": (
        with_line(1, "width,height,class"),
        "line 1: expected 'rows,columns,class,class,...', found 'width",
    ),
    "no header": (GOOD[1:], "line 1: expected 'rows,columns,class,class,...', found '1.0,2.0,0'"),
    "one class": (with_line(1, "4,2,cat"), "line 1: expected 'rows,columns,class,class,...'"),
    "short header": (with_line(1, "4"), "line 1: expected 'rows,columns,class,class,...', found '4'"),
    "a row too few": (GOOD[:-1], "line 1 promises 4 rows, and 3 follow"),
    "a row too many": ([*GOOD, GOOD[-1]], "line 1 promises 4 rows, and 5 follow"),
    "a column too few": (with_line(3, "1.5,0"), "line 3: expected 2 numbers and a class, found 2 columns: '1.5,0'"),
    "a column too many": (
        with_line(3, "1,2,3,0"),
        "line 3: expected 2 numbers and a class, found 4 columns: '1,2,3,0'",
    ),
    "a blank line": (with_line(4, ""), "line 4: expected 2 numbers and a class, found 1 columns: ''"),
    "a word": (with_line(2, "1.0,two,0"), "line 2: 'two' is not a number"),
    "nothing between commas": (with_line(2, "1.0,,0"), "line 2: '' is not a number"),
    "nan": (with_line(5, "nan,1,0"), "line 5: 'nan' is not a finite number"),
    "inf": (with_line(5, "1,-inf,0"), "line 5: '-inf' is not a finite number"),
    "class too high": (with_line(4, "1,2,2"), "line 4: the class is 2, and with 2 classes it goes from 0 to 1"),
    "class -1": (with_line(4, "1,2,-1"), "line 4: the class is -1"),
    "class and a half": (with_line(4, "1,2,0.5"), "line 4: the class is 0.5"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_named_with_the_line(case, tmp_path):
    lines, message = DAMAGED[case]
    path = write(tmp_path, lines)
    with pytest.raises(DatasetError) as error:
        read_classes(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(DatasetError, match="there is no such file"):
        read_iris(tmp_path / "iris.csv")


def test_a_folder_and_bytes_that_are_no_text(tmp_path):
    with pytest.raises(DatasetError, match="cannot be read as text"):
        read_iris(tmp_path)
    (tmp_path / "picture").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(DatasetError, match="cannot be read as text"):
        read_iris(tmp_path / "picture")


def test_another_data_set_is_not_iris(tmp_path):
    with pytest.raises(DatasetError, match=r"expected the columns sepal length, .*; found 2"):
        read_iris(write(tmp_path, GOOD))


def test_split_is_stratified_seeded_and_without_overlap():
    labels = read_iris().labels
    split = lambda seed: stratified_split(labels, 1 / 3, np.random.default_rng(seed))
    train, test = split(0)
    assert np.bincount(labels[test]).tolist() == [17, 17, 17]
    assert sorted([*train, *test]) == list(range(150))
    assert split(0)[1].tolist() == test.tolist() != split(1)[1].tolist()


# ── tables, series and names that are damaged ────────────────────────────────────────────────────────
def changed(path, tmp_path, change):
    """A copy of a data file, with its lines changed."""
    data = path.read_bytes()
    packed = path.suffix == ".gz"
    lines = (gzip.decompress(data) if packed else data).decode().splitlines()
    change(lines)
    text = "\n".join(lines).encode()
    copy = tmp_path / path.name
    copy.write_bytes(gzip.compress(text) if packed else text)
    return copy


def line(number, text):
    """Replaces one line, counted from 1; the text may be a function of the line that was there."""

    def change(lines):
        lines[number - 1] = text(lines[number - 1]) if callable(text) else text

    return change


BROKEN = {
    "digits: a row too few": (read_digits, DIGITS, lambda lines: lines.pop(), "expected 1797 rows, found 1796"),
    "digits: a pixel too few": (
        read_digits,
        DIGITS,
        line(3, lambda row: row[2:]),
        "line 3: expected 65 columns from row 0 column 0 to digit; found 64 columns",
    ),
    "digits: too black": (read_digits, DIGITS, line(7, lambda row: "17" + row[1:]), "line 7: a grey goes from 0 to 16"),
    "digits: below white": (read_digits, DIGITS, line(7, lambda row: "-1" + row[1:]), "line 7: a grey goes from"),
    "digits: ten": (read_digits, DIGITS, line(2, lambda row: row[:-1] + "10"), "line 2: the digit is 10"),
    "digits: a word": (read_digits, DIGITS, line(1, lambda row: "white" + row[1:]), "line 1: 'white' is not a number"),
    "sunspots: another header": (read_sunspots, SUNSPOTS, line(1, "year,spots"), 'line 1: expected \'"YEAR"'),
    "sunspots: a year left out": (read_sunspots, SUNSPOTS, lambda lines: lines.pop(5), "expected 309 rows, found 308"),
    "sunspots: another year": (
        read_sunspots,
        SUNSPOTS,
        line(3, "1710,11"),
        "line 3: expected the year 1701, found 1710",
    ),
    "sunspots: below 0": (read_sunspots, SUNSPOTS, line(2, "1700,-5"), "line 2: an activity of -5 is below 0"),
    "sunspots: a column more": (
        read_sunspots,
        SUNSPOTS,
        line(2, "1700,5,1"),
        "line 2: expected the columns YEAR, SUNACTIVITY; found 3 columns: '1700,5,1'",
    ),
    "sunspots: inf": (read_sunspots, SUNSPOTS, line(2, "1700,inf"), "line 2: 'inf' is not a finite number"),
    "names: a capital": (read_names, NAMES, line(2, "Olivia"), "line 2: expected a name in letters from a to z"),
    "names: an accent": (read_names, NAMES, line(9, "zoë"), "line 9: expected a name in letters from a to z"),
    "names: an empty line": (
        read_names,
        NAMES,
        line(4, ""),
        "line 4: expected a name in letters from a to z, found ''",
    ),
    "names: nothing": (read_names, NAMES, lambda lines: lines.clear(), "the file is empty"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_named_with_the_line(case, tmp_path):
    read, path, change, message = BROKEN[case]
    with pytest.raises(DatasetError) as error:
        read(changed(path, tmp_path, change))
    assert message in str(error.value)
    assert path.name in str(error.value)


@pytest.mark.parametrize("cut", [0, 10, 1000, -4])
def test_a_compressed_file_that_is_cut_off(cut, tmp_path):
    path = tmp_path / "digits.csv.gz"
    path.write_bytes(DIGITS.read_bytes()[:cut])
    with pytest.raises(DatasetError, match=r"cannot be read as text|the file is empty"):
        read_digits(path)


def test_a_compressed_file_that_is_not_one_or_is_damaged(tmp_path):
    path = tmp_path / "digits.csv.gz"
    data = DIGITS.read_bytes()
    for damaged in (b"0,1,2", data[:5000] + bytes(100) + data[5100:]):
        path.write_bytes(damaged)
        with pytest.raises(DatasetError, match="cannot be read as text"):
            read_digits(path)
