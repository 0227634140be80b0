"""The lesson on sunspots: the rival is what it says, nothing leaks, and the networks beat it."""

import re

import numpy as np
import pytest

from examples import sunspots
from examples.datasets import read_sunspots
from examples.sunspots import LAGS, STRENGTHS, WINDOW, Sun, autoregression, by_hand, by_nn, linear_forecasts
from nn import GRU
from tests.examples.lessons import assert_png, run_lesson

SHORT = {"epochs": 8, "committees": 1}  # the whole lesson: 16 epochs, ten committees of each kind


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return run_lesson("sunspots", tmp_path_factory.mktemp("sunspots"), **SHORT)


def with_activity(monkeypatch, change):
    """The sun, as if its activity had been ``change(years, activity)``."""
    years, activity = read_sunspots()
    monkeypatch.setattr(sunspots, "read_sunspots", lambda: (years, change(years, activity.copy())))
    return Sun()


def test_the_split_is_by_time():
    sun = Sun()
    assert sun.years[sun.learning].tolist() == list(range(1700, 1921))
    assert sun.years[sun.validation].tolist() == list(range(1921, 1956))
    assert sun.years[sun.test].tolist() == list(range(1956, 2009))


def test_the_linear_forecast_is_the_best_weighted_sum_of_nine_years():
    years, x = read_sunspots()
    sums, rights = np.zeros((LAGS + 1, LAGS + 1)), np.zeros(LAGS + 1)  # the normal equations, year by year
    for t in range(LAGS, np.searchsorted(years, 1920) + 1):
        row = np.append(x[t - LAGS : t], 1.0)
        sums, rights = sums + np.outer(row, row), rights + row * x[t]
    weights = np.linalg.solve(sums, rights)
    expected = [np.append(x[t - LAGS : t], 1.0) @ weights for t in range(LAGS, len(x))]
    sun = Sun()
    forecast = autoregression(sun.activity, sun.learning)
    np.testing.assert_allclose(forecast[LAGS:], expected, rtol=1e-8)
    assert np.isnan(forecast[:LAGS]).all()
    assert sun.rmse(forecast, sun.test) == pytest.approx(
        np.sqrt(np.mean((forecast - x)[years >= 1956] ** 2)), rel=1e-12
    )


def test_shortened(short):
    result, shown = short
    assert result.linear == pytest.approx(19.49, abs=0.01)
    assert result.linear_of_roots == pytest.approx(16.63, abs=0.01)
    assert list(result.errors) == ["RNN by hand", "nn.RNN", "nn.LSTM", "nn.GRU"]
    assert result.errors[result.chosen][0] < result.linear
    assert result.errors["nn.GRU"][0] < 17.5  # the whole lesson: 14.5
    for name, errors in result.errors.items():
        row = next(line for line in shown.splitlines() if line.startswith(f"  {name} ") and " of " in line)
        assert re.search(r"(\d+\.\d+) +(\d+\.\d+) +(\d+\.\d+) +\d of 1", row).groups() == (f"{errors[0]:.2f}",) * 3
    assert float(re.search(r"for every year, but for (\S+)\.", " ".join(shown.split()))[1]) < 1e-12
    assert_png(result.picture)


def test_a_forecast_sees_no_year_from_its_own_on(monkeypatch, capsys):
    def forecasts(sun):
        rng = lambda: np.random.default_rng(0)
        return [*linear_forecasts(sun).values(), by_hand(sun, 1, rng())[0], by_nn(GRU, sun, 1, rng())]

    before = forecasts(Sun())
    sun = with_activity(monkeypatch, lambda years, activity: np.where(years >= 1990, 100 - activity / 4, activity))
    same = sun.years <= 1990  # the forecast of 1990 included
    for old, new in zip(before, forecasts(sun), strict=True):
        np.testing.assert_array_equal(old[same], new[same])
        assert (old != new)[~same].all()


def test_nothing_is_learnt_from_years_after_1920(monkeypatch):
    X, y = Sun().exercises()
    sun = with_activity(monkeypatch, lambda years, activity: np.where(years > 1920, 7.0, activity))
    np.testing.assert_array_equal(sun.exercises()[0], X)
    np.testing.assert_array_equal(sun.exercises()[1], y)


def test_exercises_are_windows_and_what_followed_in_every_strength():
    sun = Sun()
    X, y = sun.exercises()
    assert X.shape == (len(STRENGTHS) * (221 - WINDOW), WINDOW)
    windows, following = (z.reshape(len(STRENGTHS), -1, *z.shape[1:]) for z in (X, y))
    for k, of_strength, after in zip(STRENGTHS, windows, following, strict=True):
        np.testing.assert_allclose(
            of_strength[5] * sun.spread + sun.mean, k * np.sqrt(sun.activity[5 : 5 + WINDOW]), atol=1e-12
        )
        np.testing.assert_allclose(after * sun.spread + sun.mean, k * np.sqrt(sun.activity[WINDOW:221]), atol=1e-12)


def test_seeds_reproduce():
    forecast = lambda seed: by_hand(Sun(), 1, np.random.default_rng(seed))[0][WINDOW:]
    assert forecast(3).tolist() == forecast(3).tolist() != forecast(4).tolist()


@pytest.mark.slow
def test_in_full(tmp_path):
    result, _ = run_lesson("sunspots", tmp_path)
    for name, errors in result.errors.items():
        assert len(errors) == 10
        assert (errors < result.linear).all(), name
    for name in ("nn.LSTM", "nn.GRU"):
        assert (result.errors[name] < result.linear_of_roots).all(), name
    assert result.chosen == "nn.GRU"
