"""Reading the data of the lessons: the real file, and files damaged in every way we could think of."""

import hashlib

import numpy as np
import pytest

from examples.datasets import IRIS, IRIS_FEATURES, DatasetError, read_classes, read_iris, stratified_split

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


def test_the_source_of_the_data_is_named():
    sources = (IRIS.parent / "SOURCES.md").read_text(encoding="utf-8")
    assert "iris.csv" in sources
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
