"""What users give as data: every way to write numbers arrives as the same array; everything else is named."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from autodiff import Tensor, Value
from nn.data import (
    check_columns,
    checked_array,
    checked_rows,
    checked_targets,
    column_names,
    deal,
    epoch_order,
    split,
)

pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")

ROWS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
SAME = {
    "lists": ROWS,
    "tuples": tuple(map(tuple, ROWS)),
    "integers": [[1, 2], [3, 4], [5, 6]],
    "array": np.array(ROWS),
    "int8": np.array(ROWS, np.int8),
    "float16": np.array(ROWS, np.float16),
    "list of arrays": list(np.array(ROWS)),
    "Fortran's order": np.asfortranarray(ROWS),
    "every second row": np.repeat(ROWS, 2, axis=0)[::2],
    "objects": np.array(ROWS, dtype=object),
    "object of lists": np.array([*map(list, ROWS), None], dtype=object)[:3],
    "fractions": [[Fraction(n) for n in row] for row in ROWS],
    "decimals": [[Decimal(n) for n in row] for row in ROWS],
    "tensor": Tensor(ROWS),
    "list of tensors": [Tensor(row) for row in ROWS],
    "lists of values": [[Value(x), Value(y, requires_grad=False)] for x, y in ROWS],
    "range": [range(1, 3), range(3, 5), range(5, 7)],
    "pandas": pd.DataFrame(ROWS, columns=["a", "b"]),
    "pandas, of several dtypes": pd.DataFrame({"a": [1, 3, 5], "b": pd.array([2, 4, 6], dtype="Int64")}),
    "pandas, with a name twice": pd.DataFrame(ROWS, columns=["a", "a"]),
    "pandas, rows picked": pd.DataFrame([[9, 9], *ROWS])[1:],
    "polars": pl.DataFrame({"a": [1, 3, 5], "b": [2.0, 4.0, 6.0]}),
    "polars, decimals": pl.DataFrame({"a": [1, 3, 5], "b": [Decimal(n) for n in (2, 4, 6)]}),
}


@pytest.mark.parametrize("way", SAME)
def test_every_way_to_write_the_same_rows(way):
    table = checked_array(SAME[way], features=2)
    assert (table.dtype, table.flags.c_contiguous, type(table)) == (np.float64, True, np.ndarray)
    assert table.tolist() == ROWS == checked_rows(SAME[way])


TARGETS = {
    "list": [1.5, 2.5, 3.0],
    "tuple": (1.5, 2.5, Fraction(3)),
    "array": np.array([1.5, 2.5, 3.0]),
    "tensor": Tensor([1.5, 2.5, 3.0]),
    "pandas": pd.Series([1.5, 2.5, 3.0], index=[7, 1, 2]),
    "polars": pl.Series("t", [1.5, 2.5, 3.0]),
}


@pytest.mark.parametrize("way", TARGETS)
def test_every_way_to_write_the_same_targets(way):
    assert checked_targets(TARGETS[way], 3).tolist() == [1.5, 2.5, 3.0]


@given(array_shapes(min_dims=2, max_dims=5, max_side=4), st.sampled_from([np.float32, np.float64, np.int64, np.uint8]))
def test_samples_of_any_shape(shape, dtype):
    X = np.arange(math.prod(shape)).reshape(shape).astype(dtype)
    table = checked_array(X, features=shape[-1])
    assert table.dtype == (np.float32 if dtype is np.float32 else np.float64)
    assert (table == X).all()
    assert (checked_array(X.tolist()) == X).all()
    kept = checked_array(X, integers=True)
    assert kept.dtype == dtype
    assert (kept == X).all()
    assert (checked_targets(X, shape[0]) == X).all()


def test_dtypes():
    as_float32 = pd.DataFrame(ROWS, columns=["a", "b"], dtype=np.float32)
    assert checked_array(as_float32).dtype == checked_targets(as_float32).dtype == np.float32
    assert checked_array(pl.DataFrame({"a": [1.0]}, schema={"a": pl.Float32})).dtype == np.float32
    assert checked_array([[True, False]]).tolist() == [[1.0, 0.0]]
    # tokens stay what they are, one for each sample or many; numbers with a fraction stay floats
    assert checked_array([3, 1, 2], integers=True).dtype == np.int64
    assert checked_array([[True]], integers=True).dtype == np.int64
    assert checked_array([[0.5]], integers=True).dtype == np.float64
    # class indices stay whole numbers
    assert checked_targets([2, 0, 1]).dtype == np.int64
    assert checked_targets(np.array([2, 0], np.int8)).dtype == np.int8
    assert checked_targets(np.array([True, False])).tolist() == [1, 0]
    assert checked_targets(np.array([0.5], np.float16)).dtype == np.float64


def test_a_contiguous_array_is_not_copied():
    X = np.ones((4, 3))
    assert checked_array(X) is X
    y = np.ones(4)
    assert checked_targets(y) is y


def changed(place, number):
    copy = np.array(ROWS)
    copy[place] = number
    return copy


COLOURS = {"size": [1.0, 2.0], "colour": ["red", "blue"]}
WRONG = {
    "empty": ([], ValueError, r"X is empty, with shape \(0,\); expected rows of 2 numbers"),
    "empty rows": ([[], []], ValueError, r"X is empty, with shape \(2, 0\)"),
    "no columns": (pd.DataFrame(index=[0, 1]), ValueError, r"X is empty, with shape \(2, 0\)"),
    "no rows": (pl.DataFrame({"a": [], "b": []}), ValueError, r"X is empty, with shape \(0, 2\)"),
    "a number": (3.0, ValueError, r"X has shape \(\); expected rows of 2 numbers$"),
    "one row": ([1.0, 2.0], ValueError, r"X has shape \(2,\); expected rows of 2 numbers; for one row write \[X\]"),
    "features": ([[1.0, 2.0, 3.0]], ValueError, "X has 3 features in each row, and the model takes 2"),
    "features of sequences": (
        np.zeros((4, 5, 3)),
        ValueError,
        r"X has 3 features in the last axis of its shape \(4, 5, 3\), and the model takes 2",
    ),
    "ragged": ([[1.0, 2.0], [3.0]], ValueError, "X has rows of unequal length: row 0 has 2 numbers, row 1 has 1 num"),
    "a number among rows": ([[1.0, 2.0], 3.0], ValueError, "row 0 has 2 numbers, row 1 is one number"),
    "rows after a number": ([3.0, [1.0, 2.0]], ValueError, "row 0 is one number, row 1 has 2 numbers"),
    "ragged, as objects": (np.array([[1], [2, 3]], dtype=object), ValueError, "row 0 has 1 numbers, row 1 has 2"),
    "ragged inside": ([[[1, 2], [3, 4]], [[5, 6], [7]]], ValueError, r"X\[1\] has rows of unequal length: row 0 has 2"),
    "sequences": (
        [np.zeros((5, 2)), np.zeros((7, 2))],
        ValueError,
        r"X has entries of unequal shape: entry 0 has shape \(5, 2\), entry 1 has \(7, 2\); "
        "fill sequences up to one length",
    ),
    "NaN": (changed((2, 1), math.nan), ValueError, r"X\[2, 1\] is nan; expected finite numbers"),
    "inf": (changed((0, 0), -math.inf), ValueError, r"X\[0, 0\] is -inf"),
    "None": ([[1.0, None]], TypeError, r"X holds None at \[0, 1\]; expected real numbers"),
    "text": ([[1.0, 2.0], [3.0, "red"]], TypeError, r"X holds 'red' at \[1, 1\]; expected real numbers"),
    "texts": (np.array([["a", "b"]]), TypeError, r"X holds 'a' at \[0, 0\]"),
    "bytes": ([[b"a", b"b"]], TypeError, r"X holds b'a' at \[0, 0\]"),
    "one text": ("abc", TypeError, "X is the str 'abc'; expected real numbers"),
    "complex": ([[1.0, 2j]], TypeError, r"X holds .*at \[0, 0\]; expected real numbers"),
    "dates": (np.array([["2020-01-01"] * 2], "M8[D]"), TypeError, "X holds .*2020"),
    "a dict": ({"a": [1.0]}, TypeError, r"X is the dict \{'a': \[1.0\]\}; expected real numbers"),
    "a set": ({1.0}, TypeError, "X is the set"),
    "a generator": (
        (row for row in ROWS),
        TypeError,
        r"X is a generator, which can be read only once; write list\(X\)",
    ),
    "a map": (map(list, ROWS), TypeError, r"X is a map, .*write list\(X\)"),
    "a function": (len, TypeError, "X is the builtin_function_or_method"),
    "masked": (np.ma.array(ROWS, mask=np.eye(3, 2)), TypeError, "masked array, .* fill it first"),
    "pandas text": (pd.DataFrame(COLOURS), TypeError, "X holds 'red' in row 0, column 'colour'; expected real numbers"),
    "polars text": (pl.DataFrame(COLOURS), TypeError, "X holds 'red' in row 0, column 'colour'"),
    "pandas category": (pd.DataFrame(COLOURS).astype({"colour": "category"}), TypeError, "'red' in row 0, column 'col"),
    "pandas NaN": (
        pd.DataFrame({"age": [3.0, math.nan], "b": [1, 2]}, index=[8, 9]),
        ValueError,
        "X is nan in row 1, column 'age'; expected finite numbers: fill in",
    ),
    "pandas NA": (
        pd.DataFrame({"a": [1, 2], "b": pd.array([1, None], dtype="Int64")}),
        ValueError,
        "row 1, column 'b'",
    ),
    "pandas NA among booleans": (
        pd.DataFrame({"a": [1, 2], "b": pd.array([True, None], dtype="boolean")}),
        TypeError,
        "X holds <NA> in row 1, column 'b'",
    ),
    "polars null": (pl.DataFrame({"a": [1, 2], "b": [1, None]}), ValueError, "X is nan in row 1, column 'b'"),
    "polars date": (
        pl.DataFrame({"a": [1], "b": ["2020-01-01"]}).with_columns(pl.col("b").str.to_date()),
        TypeError,
        "'b'",
    ),
    "polars, lazy": (pl.DataFrame({"a": [1], "b": [2]}).lazy(), TypeError, "X is the LazyFrame"),
    "polars lists": (pl.DataFrame({"a": [1, 2], "b": [[1, 2], [3]]}), ValueError, "X has rows of unequal length"),
    "a series": (pd.Series([1.0, 2.0]), ValueError, r"X has shape \(2,\)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_samples_are_named(case):
    X, kind, message = WRONG[case]
    with pytest.raises(kind, match=message):
        checked_array(X, features=2)


def test_rows_are_rows():
    with pytest.raises(ValueError, match=r"X has shape \(2, 2, 2\); expected rows of 2 numbers"):
        checked_rows(np.zeros((2, 2, 2)), 2)
    with pytest.raises(ValueError, match=r"X has shape \(2, 2, 2\); expected rows of numbers"):
        checked_rows(np.zeros((2, 2, 2)))


class Sparse:
    def toarray(self):
        return np.eye(2)


def test_sparse_matrices_are_written_out_by_the_user():
    with pytest.raises(TypeError, match=r"X is a Sparse; expected a dense array: write X.toarray\(\)"):
        checked_array(Sparse())


WRONG_TARGETS = {
    "lengths": ([1.0, 2.0], ValueError, "X has 3 rows and y has 2 targets"),
    "one number": (3.0, ValueError, "y is the single number 3.0; expected one target for each row"),
    "empty": (np.zeros((3, 0)), ValueError, r"y is empty, with shape \(3, 0\)"),
    "NaN": ([1.0, math.nan, 2.0], ValueError, r"y\[1\] is nan; expected finite numbers"),
    "NaN in a series": (pd.Series([1.0, None, 2.0]), ValueError, r"y\[1\] is nan"),
    "ragged": (
        [[1.0], [1.0, 2.0], [1.0]],
        ValueError,
        "y has rows of unequal length: row 0 has 1 numbers, row 1 has 2",
    ),
    "classes": (
        ["cat", "dog", "cat"],
        TypeError,
        r"y holds 'cat' at \[0\]; .*whole numbers: names, y = numpy.unique\(y, return_inverse=True\)",
    ),
    "classes of pandas": (pd.Series(["cat", "dog", "cat"]), TypeError, "y holds 'cat'.*unique"),
    "classes of polars": (pl.Series(["cat", "dog", "cat"]), TypeError, "y holds 'cat'.*unique"),
    "categories": (pd.Series(["cat", "dog", "cat"], dtype="category"), TypeError, "y holds 'cat'.*unique"),
    "a frame of classes": (
        pd.DataFrame({"pet": ["cat"] * 3}),
        TypeError,
        "y holds 'cat' in row 0, column 'pet'.*unique",
    ),
}


@pytest.mark.parametrize("case", WRONG_TARGETS)
def test_wrong_targets_are_named(case):
    y, kind, message = WRONG_TARGETS[case]
    with pytest.raises(kind, match=message):
        checked_targets(y, 3)


def test_the_advice_for_class_labels_works():
    names, y = np.unique(["cat", "dog", "cat"], return_inverse=True)
    assert checked_targets(y).tolist() == [0, 1, 0]
    assert names.tolist() == ["cat", "dog"]


def test_messages_use_the_names_they_are_given():
    with pytest.raises(ValueError, match="validation X has 3 rows and validation y has 1 targets"):
        checked_targets([1.0], len(ROWS), "validation y", "validation X")
    with pytest.raises(ValueError, match=r"test\[0, 0\] is nan"):
        checked_array(changed((0, 0), math.nan), name="test")


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────
FRAMES = [pd.DataFrame, pl.DataFrame]


@pytest.mark.parametrize("frame", FRAMES)
def test_column_names(frame):
    X = frame({"a": [1.0], "b": [2.0], "c": [3.0]})
    assert column_names(X) == ("a", "b", "c")
    check_columns(X, ("a", "b", "c"))
    check_columns(X, None)
    check_columns(np.ones((1, 3)), ("a", "b", "c"))  # an array has no names to compare
    with pytest.raises(ValueError, match=r"X has its columns in another order; .*: X = X\[\['c', 'a', 'b'\]\]"):
        check_columns(X, ("c", "a", "b"))
    with pytest.raises(ValueError, match=r"X has also the columns \['c'\]; .*: X = X\[\['b', 'a'\]\]"):
        check_columns(X, ("b", "a"))
    with pytest.raises(ValueError, match=r"test X lacks the columns \['d'\] that .* on, and has \['b', 'c'\]"):
        check_columns(X, ("a", "d"), "test X")
    with pytest.raises(ValueError, match=r"X lacks the columns \['d'\] that the model was trained on$"):
        check_columns(X, ("a", "b", "c", "d"))
    check_columns(X[["c", "a"]], ("c", "a"))  # what the message says works for both kinds


def test_numbered_columns_are_no_names():
    assert column_names(pd.DataFrame(ROWS)) is None
    assert column_names(ROWS) is column_names(np.array(ROWS)) is column_names(pd.Series([1.0])) is None


# ── order ────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("count", "fraction", "held_out"), [(10, 0.2, 2), (10, 0.3, 3), (7, 0.5, 4), (3, 0.01, 1)])
def test_the_last_samples_are_held_out(count, fraction, held_out):
    X, y = np.arange(2 * count).reshape(count, 2), list(range(count))
    (kept_X, kept_y), (last_X, last_y) = split(X, y, fraction)
    assert len(last_y) == held_out
    assert kept_y + last_y == y
    assert (np.concatenate([kept_X, last_X]) == X).all()


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, math.nan])
def test_a_fraction_is_between_0_and_1(fraction):
    with pytest.raises(ValueError, match="above 0 and below 1, and was given"):
        split(ROWS, ROWS, fraction)


def test_something_is_left_to_train_on():
    for count, fraction in ((1, 0.1), (3, 0.9)):
        with pytest.raises(ValueError, match=f"{fraction} of {count} samples .* leave none to train on"):
            split(ROWS[:count], ROWS[:count], fraction)


@given(st.integers(1, 40), st.integers(1, 45), st.integers(0, 2**32))
def test_batches_deal_out_every_sample_once(count, size, seed):
    dealt = list(deal(epoch_order(count, np.random.default_rng(seed)), size))
    assert all(len(batch) == size for batch in dealt[:-1])
    assert 1 <= len(dealt[-1]) <= size
    assert sorted(np.concatenate(dealt).tolist()) == list(range(count))


@given(st.integers(1, 40), st.integers(1, 10), st.integers(0, 10))
def test_an_epoch_can_be_resumed(count, size, start):
    order = epoch_order(count, np.random.default_rng(7))
    whole = [batch.tolist() for batch in deal(order, size)]
    assert [batch.tolist() for batch in deal(order, size, start)] == whole[start:]


def test_the_order_is_drawn_at_once_and_from_that_generator():
    rng = np.random.default_rng(0)
    order = epoch_order(10, rng).tolist()
    assert order != list(range(10))
    assert order == epoch_order(10, np.random.default_rng(0)).tolist()
    assert rng.bit_generator.state != np.random.default_rng(0).bit_generator.state
    assert epoch_order(4, None).tolist() == [0, 1, 2, 3]
    assert [batch.tolist() for batch in deal(epoch_order(5, None), 2)] == [[0, 1], [2, 3], [4]]
