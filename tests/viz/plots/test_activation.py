"""Activations: the derivative that is drawn against central differences, and kinks where they are."""

import numpy as np
import pytest

import autodiff
import nn
from autodiff import Tensor, Value
from viz import plots

SMOOTH = {
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "sin": np.sin,
    "silu": lambda x: x / (1 + np.exp(-x)),
    "exp": np.exp,
}
KINKED = {
    "relu": (lambda x: np.maximum(x, 0), [0.0]),
    "abs": (np.abs, [0.0]),
    "selu": (lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)), [0.0]),
    "two": (lambda x: np.clip(x, -1.25, 2.5), [-1.25, 2.5]),
    "third": (lambda x: np.maximum(x - 1 / 3, 0), [1 / 3]),
}
OWN = {
    "two": lambda x: autodiff.clip(x, -1.25, 2.5),
    "third": lambda x: autodiff.relu(x - 1 / 3),
}


def lines(axes):
    return axes.get_lines()[0], axes.get_lines()[1]


def said(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


@pytest.mark.parametrize("name", SMOOTH)
def test_function_and_derivative_against_numpy_and_central_differences(name):
    f, h = SMOOTH[name], 1e-5
    curve, slope = lines(plots.activation(getattr(autodiff, name)))
    x, y = curve.get_data()
    np.testing.assert_allclose(y, f(x), rtol=1e-12, atol=1e-14)
    at, derivative = slope.get_data()
    np.testing.assert_array_equal(at, x)
    np.testing.assert_allclose(derivative, (f(x + h) - f(x - h)) / (2 * h), rtol=1e-7, atol=1e-9)
    assert (x[0], x[-1], len(x)) == (-4, 4, 401)
    assert len(said(plots.activation(getattr(autodiff, name)))) == 2  # no kink


@pytest.mark.parametrize("name", KINKED)
def test_kinks_are_found_and_the_line_is_open_there(name):
    f, kinks = KINKED[name]
    g, h = OWN.get(name) or getattr(autodiff, name), 1e-6
    axes = plots.activation(g, name=name)
    x, derivative = lines(axes)[1].get_data()
    known = np.isfinite(derivative)
    assert x[~known] == pytest.approx(kinks, abs=1e-9)
    far = known & (np.min(np.abs(np.subtract.outer(x, kinks)), axis=1) > 1e-4)
    np.testing.assert_allclose(derivative[far], ((f(x + h) - f(x - h)) / (2 * h))[far], rtol=1e-6, atol=1e-9)
    hollow = [line for line in axes.get_lines() if line.get_markerfacecolor() == "white"]
    for line, kink in zip(hollow, kinks, strict=True):
        place, limits = line.get_data()
        assert place == pytest.approx([kink, kink], abs=1e-9)
        expected = [(f(kink - h) - f(kink - 2 * h)) / h, (f(kink + 2 * h) - f(kink + h)) / h]
        assert limits == pytest.approx(expected, rel=1e-4, abs=1e-8)
    assert sum("kink" in text for text in said(axes)) == len(kinks)


def test_what_the_engine_takes_at_a_kink():
    for f, taken in ((autodiff.relu, 0.0), (autodiff.abs, 0.0), (lambda x: autodiff.leaky_relu(x, 0.25), 0.25)):
        axes = plots.activation(f)
        assert autodiff.grad(f)(0.0) == taken
        assert axes.get_lines()[-1].get_data()[1] == [taken]
    assert said(plots.activation(autodiff.abs))[-1] == "kink at x = 0: the slope is −1 | 1, taken: 0"


def test_a_kink_of_an_if_is_found_as_well():
    axes = plots.activation(lambda x: 3 * x if x.data > 0.7 else x - x.data + 0.7)
    assert "kink at x = 0.7: the slope is 1 | 3" in said(axes)[-1]


def test_a_step_is_no_stroke():
    curve, slope = lines(plots.activation(autodiff.sign))
    x, y = curve.get_data()
    assert x[np.isnan(y)] == [0]
    assert set(y[np.isfinite(y)]) == {-1.0, 1.0}
    assert set(slope.get_data()[1]) == {0.0}


def test_steep_is_not_kinked():
    assert len(said(plots.activation(lambda x: autodiff.tanh(200 * x)))) == 2


def test_poles_and_gaps_leave_the_rest_visible():
    axes = plots.activation(lambda x: 1 / x)
    assert np.abs(axes.get_ylim()).max() < 30
    axes = plots.activation(autodiff.log)
    curve, slope = lines(axes)
    assert np.isnan(curve.get_ydata()[:200]).all()
    assert np.isnan(slope.get_ydata()[:200]).all()
    axes.figure.draw_without_rendering()


@pytest.mark.parametrize("name", [name for name in nn.ACTIVATIONS if "softmax" not in name])
def test_every_activation_of_nn(name):
    f, h = nn.activation(name), 1e-6
    x, derivative = lines(plots.activation(f))[1].get_data()
    known = np.isfinite(derivative) & (np.abs(x) > 1e-3)
    at = lambda z: np.array([f(Value(t)).data for t in z])
    np.testing.assert_allclose(derivative[known], ((at(x + h) - at(x - h)) / (2 * h))[known], rtol=1e-5, atol=1e-8)


def test_functions_of_arrays_alone_and_layers():
    stacked = lambda x: autodiff.where(Tensor(x.data > 1), x * 2, autodiff.stack([x]).sum(axis=0))
    x, derivative = lines(plots.activation(stacked))[1].get_data()
    np.testing.assert_array_equal(derivative[x < 0.99], 1.0)
    np.testing.assert_array_equal(derivative[x > 1.01], 2.0)
    plots.activation(nn.Activation("tanh"))


def test_names_and_intervals():
    axes = plots.activation(lambda x: x**3, interval=(0, 2), name="cube")
    assert said(axes)[0] == "cube(x)"
    assert lines(axes)[0].get_xdata()[[0, -1]].tolist() == [0, 2]
    assert said(plots.activation(lambda x: x))[0] == "f(x)"


@pytest.mark.parametrize(
    ("f", "options", "error", "says"),
    [
        (3.0, {}, TypeError, "f: expected a function such as autodiff.tanh, and was given float"),
        (autodiff.tanh, {"interval": (1, 1)}, ValueError, "expected two finite numbers, the lower first"),
        (autodiff.tanh, {"interval": (0, np.inf)}, ValueError, "expected two finite numbers"),
        (lambda x: 3.0, {}, TypeError, "returned float, which remembers nothing of x"),
        (nn.activations.softmax, {}, TypeError, "softmax does not work entry by entry"),
        (autodiff.log, {"interval": (-3, -1)}, ValueError, "finite nowhere between -3 and -1"),
    ],
)
def test_bad_input(f, options, error, says):
    with pytest.raises(error, match=says):
        plots.activation(f, **options)


@pytest.mark.parametrize("interval", [3, (1, 2, 3), "ab", None])
def test_an_interval_is_two_numbers(interval):
    with pytest.raises(ValueError, match="expected two finite numbers, the lower first"):
        plots.activation(autodiff.relu, interval=interval)
