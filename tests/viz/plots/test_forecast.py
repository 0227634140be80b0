"""Forecasts: the lines, the residuals and the errors against a loop."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from autodiff import Tensor, Value
from viz import plots

SERIES = [3.0, 5.0, 4.0, 6.0, 8.0, 7.0]


def lines(axes):
    return {line.get_label().partition(":")[0]: line for line in axes.get_lines()}


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def residuals(axes):
    """The points of the lower panel."""
    below = axes.figure.axes[1]
    found = [line.get_data() for line in below.get_lines() if line.get_marker() not in (None, "None", "")]
    return [(np.asarray(x), np.asarray(y)) for x, y in found]


def test_lines_and_residuals():
    predictions = [math.nan, 4.0, 5.0, 5.5, 9.0, 7.0]
    axes = plots.forecast(SERIES, predictions)
    np.testing.assert_array_equal(lines(axes)["series"].get_ydata(), SERIES)
    np.testing.assert_array_equal(lines(axes)["forecast"].get_ydata(), predictions)
    ((x, wrong),) = residuals(axes)
    expected = [p - t for p, t in zip(predictions, SERIES, strict=True) if not math.isnan(p)]
    np.testing.assert_allclose(wrong, expected)
    np.testing.assert_allclose(x, [1, 2, 3, 4, 5])
    squares = [e**2 for e in expected]
    assert legend(axes) == ["series", f"forecast: RMSE {math.sqrt(sum(squares) / 5):.4g}"]


def test_fewer_predictions_are_for_the_last_times():
    axes = plots.forecast(SERIES, [9.0, 8.0], times=[1990, 1991, 1992, 1993, 1994, 1995])
    y = lines(axes)["forecast"].get_ydata()
    np.testing.assert_array_equal(y, [np.nan] * 4 + [9.0, 8.0])
    ((x, wrong),) = residuals(axes)
    np.testing.assert_allclose(x, [1994, 1995])
    np.testing.assert_allclose(wrong, [1.0, 1.0])


def test_several_forecasts_differ_by_more_than_colour_and_their_bars_stand_side_by_side():
    given = {"same": np.r_[np.nan, SERIES[:-1]], "mean": np.full(6, 5.5), "zero": np.zeros(6)}
    axes = plots.forecast(SERIES, given)
    drawn = [line for name, line in lines(axes).items() if name in given]
    assert len({(str(line.get_linestyle()), str(line._dash_pattern)) for line in drawn}) == 3
    places = [set(np.round(x, 9)) for x, _ in residuals(axes)]
    assert not places[0] & places[1]
    assert not places[1] & places[2]


def test_the_split_is_marked_in_both_panels_and_errors_count_from_it():
    predictions = np.array(SERIES) + [5, 5, 5, 3, -1, 1]
    axes = plots.forecast(SERIES, predictions, split=3)
    for panel in axes.figure.axes:
        assert [line.get_xdata()[0] for line in panel.get_lines() if line.get_linestyle() == "--"][-1] == 3
    assert legend(axes)[1] == f"forecast: RMSE {math.sqrt((9 + 1 + 1) / 3):.4g}"
    assert [text.get_text() for text in axes.texts] == ["unseen →"]
    axes = plots.forecast(SERIES, predictions, split={"test": 4, "validation": 2})
    assert [text.get_text() for text in axes.texts] == ["validation →", "test →"]
    assert [text.xy[0] for text in axes.texts] == [2, 4]


def test_without_residuals_there_is_one_panel():
    assert len(plots.forecast(SERIES, SERIES, residuals=False).figure.axes) == 1


def test_long_series_have_lines_for_residuals():
    series = np.sin(np.arange(1000) / 20)
    axes = plots.forecast(series, np.zeros(1000))
    below = axes.figure.axes[1]
    np.testing.assert_allclose(below.get_lines()[1].get_ydata(), -series)
    assert not below.collections


def test_what_explodes_leaves_a_gap():
    axes = plots.forecast(SERIES, [3.0, 1e60, math.inf, math.nan, -1e308, 1e180])
    np.testing.assert_array_equal(lines(axes)["forecast"].get_ydata(), [3.0, 1e60, np.nan, np.nan, np.nan, 1e180])
    assert legend(axes)[1] == "forecast: RMSE inf"
    axes.figure.draw_without_rendering()


def test_numbers_of_all_kinds_and_given_axes():
    figure = Figure(layout="constrained")
    axes = figure.subplots(2, 1)[1]
    assert plots.forecast([Value(x) for x in SERIES], {"net": Tensor(SERIES).reshape(6, 1)}, axes=axes) is axes
    np.testing.assert_array_equal(lines(axes)["net"].get_ydata(), SERIES)
    assert len(figure.axes) == 3


@pytest.mark.parametrize(
    ("series", "predictions", "options", "error", "says"),
    [
        ([], [1.0], {}, ValueError, "series: expected at least one number"),
        (SERIES, [1.0] * 7, {}, ValueError, "predictions of 'forecast': expected from 1 to 6 numbers.*got 7"),
        (SERIES, [], {}, ValueError, "expected from 1 to 6 numbers"),
        (SERIES, {}, {}, ValueError, "at least one forecast"),
        (SERIES, SERIES, {"times": [1, 2]}, ValueError, "times: expected 6 rising numbers.*got 2"),
        (SERIES, SERIES, {"times": [6, 5, 4, 3, 2, 1]}, ValueError, "times: expected 6 rising numbers"),
        (SERIES, SERIES, {"split": 9}, ValueError, "split: expected a time from 0 to 5 for 'unseen', and got 9"),
        (SERIES, SERIES, {"split": {"test": "late"}}, ValueError, "for 'test', and got 'late'"),
        (SERIES, [[1.0, 2.0]] * 6, {}, ValueError, r"expected the shape \(n,\), got \(6, 2\)"),
        (["a"], [1.0], {}, TypeError, "series: expected numbers, and was given words"),
    ],
)
def test_bad_input(series, predictions, options, error, says):
    with pytest.raises(error, match=says):
        plots.forecast(series, predictions, **options)
