"""Lists of rows as views: what is taken for even runs so, and a view shows the rows that were asked for."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff.compiler.rerolling.views import common_lengths, even, finer, part, strided

AXES = st.lists(st.tuples(st.integers(1, 4), st.integers(-3, 12)), min_size=1, max_size=3)


def spelled(first, axes):
    rows = np.array([first])
    for length, stride in axes:
        rows = (rows[:, None] + stride * np.arange(length)).ravel()
    return rows


@settings(deadline=None)
@given(st.integers(0, 5), AXES)
def test_even_lists_are_recognised(first, axes):
    rows = spelled(first, axes)
    found = even(rows)
    assert found is not None
    np.testing.assert_array_equal(spelled(*found), rows)
    assert len(found[1]) <= len(axes)


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=12))
def test_even_never_tells_of_other_rows(rows):
    found = even(np.array(rows))
    if found is not None:
        np.testing.assert_array_equal(spelled(*found), rows)
        assert prod(length for length, _ in found[1]) == len(rows)


@settings(deadline=None)
@given(AXES, st.data())
def test_axes_cut_finer_are_the_same_rows(axes, data):
    cuts = []
    for length, _ in axes:
        small = data.draw(st.sampled_from([d for d in range(1, length + 1) if length % d == 0]))
        cuts += [length // small, small]
    cut = finer(axes, cuts)
    assert [length for length, _ in cut] == cuts
    np.testing.assert_array_equal(spelled(0, cut), spelled(0, axes))


def test_common_lengths():
    assert common_lengths([[(6, 1)], [(2, 0), (3, 1)]]) == [2, 3]
    assert common_lengths([[(6, 1)]], inner=2) == [3, 2]
    assert common_lengths([[(2, 0), (3, 1)], [(3, 0), (2, 1)]]) is None


@settings(deadline=None)
@given(st.integers(0, 6), AXES)
def test_parts_show_the_rows_that_were_asked_for(first, axes):
    rows = spelled(first, axes)
    if rows.min() < 0:
        return
    x = np.arange(2.0 * (rows.max() + 3)).reshape(-1, 2)
    view = part(x, first, axes)
    if view is not None:
        assert np.shares_memory(view, x)
        lengths = tuple(length for length, _ in axes)
        np.testing.assert_array_equal(np.broadcast_to(view, (*lengths, 2)).reshape(-1, 2), x[rows])


def test_every_block_of_rows_and_column_is_a_view():
    x = np.arange(24.0).reshape(12, 2)
    assert part(x, 0, [(4, 3), (2, 1)]) is not None
    assert part(x, 2, [(4, 3)]) is not None  # the last column: biases behind their weights
    assert part(x, 0, [(3, 1), (4, 3)]) is not None
    assert part(x, 0, [(2, -1)]) is None


@settings(deadline=None)
@given(st.integers(0, 4), st.lists(st.tuples(st.integers(1, 4), st.integers(-2, 6)), min_size=1, max_size=3))
def test_strided_views_hold_the_entries(first, axes):
    index = spelled(first, axes).reshape([length for length, _ in axes])
    vector = np.arange(60.0)
    view = strided(vector, index)
    if view is not None and index.min() >= 0:
        np.testing.assert_array_equal(view, vector[index])
        assert np.shares_memory(view, vector)


@pytest.mark.parametrize("index", [[[0, 1], [2, 4]], [0, 0, 1], [3, 1, 2]])
def test_strided_refuses_what_is_uneven(index):
    assert strided(np.arange(9.0), np.array(index)) is None
