"""Histograms of parameters: counted again by a loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.patches import StepPatch

import nn
from autodiff import Tensor, Value
from viz import plots

RNG = np.random.default_rng(0)


def bars(axes):
    """Of each histogram: heights from 0 to 1, and edges."""
    found = []
    for patch in axes.patches:
        assert isinstance(patch, StepPatch)
        values, edges, baseline = patch.get_data()
        found.append(((baseline - values) / 0.86, edges))
    return found


def beside(axes):
    return [text.get_text() for text in axes.texts]


def hatched(axes):
    return [bool(patch.get_hatch()) for patch in axes.patches]


def names(axes):
    return [text.get_text() for text in axes.get_yticklabels()]


def counted(numbers, edges):
    counts = [0] * (len(edges) - 1)
    for number in np.clip(numbers, edges[0], edges[-1]):  # what lies beyond all scales stands at the end
        for k in range(len(counts)):
            last = k == len(counts) - 1
            if edges[k] <= number < edges[k + 1] or (last and number == edges[-1]):
                counts[k] += 1
    return np.array(counts) / max(1, *counts)


@settings(max_examples=12, deadline=None)
@given(arrays(float, st.integers(1, 30), elements=st.floats(-100, 100)), st.booleans())
def test_bars_against_a_loop(numbers, log):
    axes = plots.histograms({"w": numbers, "v": np.array([1.0, -2.0])}, "data", log=log, bins=7)
    for (heights, edges), given_ in zip(bars(axes), (numbers, np.array([1.0, -2.0])), strict=True):
        assert len(edges) == 8
        np.testing.assert_allclose(heights, counted(abs(given_[given_ != 0]) if log else given_, edges), atol=1e-9)


def test_no_number_falls_outside():
    numbers = np.concatenate([RNG.normal(size=500) * 10.0 ** RNG.integers(-9, 9, 500), [5e-324, 1e-310, 1e308, -1e308]])
    for log in (True, False):
        axes = plots.histograms({"w": numbers}, "data", log=log)
        ((heights, edges),) = bars(axes)
        shown = np.abs(numbers) if log else numbers
        np.testing.assert_allclose(heights, counted(shown, edges), atol=1e-9)
        axes.figure.draw_without_rendering()


def test_gradients_and_weights_of_a_model():
    model = nn.Sequential(nn.Dense(3, 5, activation="tanh", seed=0), nn.Dense(5, 2, seed=1))
    model(RNG.normal(size=(7, 3))).sum().backward()
    axes = plots.histograms(model.named_parameters())
    assert names(axes) == [name for name, _ in model.named_parameters()]
    assert axes.get_xscale() == "log"
    for (heights, edges), (_, parameter) in zip(bars(axes), model.named_parameters(), strict=True):
        np.testing.assert_allclose(heights, counted(abs(parameter.grad.ravel()), edges), atol=1e-9)
    for text, (_, parameter) in zip(beside(axes), model.named_parameters(), strict=True):
        assert text.startswith(f"rms {np.sqrt(np.mean(parameter.grad**2)):.2g}")
    axes = plots.histograms(model.named_parameters(), "data")
    assert axes.get_xscale() == "linear"
    weights = [parameter.data.ravel() for parameter in model.parameters()]
    for (heights, edges), given_ in zip(bars(axes), weights, strict=True):
        np.testing.assert_allclose(heights, counted(given_, edges), atol=1e-9)
    assert "dead" not in "".join(beside(axes))  # biases begin at 0


def test_single_values_are_gathered_by_layer():
    network = nn.Network([2, 3, 1], seed=0)
    network([1.0, 2.0]).backward()
    axes = plots.histograms(network.named_parameters())
    assert names(axes) == ["layers.0", "layers.1"]
    first = [abs(value.grad) for name, value in network.named_parameters() if name.startswith("layers.0.")]
    heights, edges = bars(axes)[0]
    np.testing.assert_allclose(heights, counted([number for number in first if number], edges), atol=1e-9)
    w, b = Value(1.0, label="w"), Value(2.0)
    (w * b).backward()
    assert names(plots.histograms([w, b])) == ["w", "parameter 1"]


def test_zeros_dead_and_exploding():
    gradients = {
        "fine": np.array([[1.0, 0.0], [0.5, 2.0]]),
        "silent unit": np.array([[0.0, 0.0], [0.5, 2.0], [1.0, 1.0]]),
        "dead": np.zeros((2, 2)),
        "large": np.array([1.0, -2e4]),
        "broken": np.array([1.0, np.nan, np.inf]),
    }
    axes = plots.histograms(gradients)
    said = beside(axes)
    assert said[0] == "rms 1.1\n25 % zeros"
    assert said[1] == "rms 1, 33 % zeros\n1 of 3 rows all 0"
    assert said[2:] == ["dead: all are 0", "exploding: up to 2e+04", "exploding: 2 not finite"]
    assert hatched(axes) == [False, False, True, True, True]
    assert [text.get_fontweight() for text in axes.texts] == ["normal", "normal", "bold", "bold", "bold"]
    assert hatched(plots.histograms(gradients, exploding=1e6))[3] is False


def test_a_dead_relu_layer_is_marked_dead():
    model = nn.Sequential(nn.Dense(3, 4, activation="relu", seed=0), nn.Dense(4, 1, seed=1))
    model[0].bias.data = np.full(4, -100.0)
    model(RNG.normal(size=(7, 3))).sum().backward()
    assert beside(plots.histograms(model.named_parameters()))[:2] == ["dead: all are 0"] * 2


def test_a_parameter_without_a_gradient_has_its_row():
    w, v = Tensor([1.0, 2.0]), Tensor([3.0])
    w.sum().backward()
    axes = plots.histograms({"w": w, "v": v})
    assert (names(axes), beside(axes)[1], len(bars(axes))) == (["w", "v"], "no gradient", 1)


def test_rms_of_numbers_whose_squares_overflow():
    axes = plots.histograms({"w": np.array([3e200, -4e200])}, exploding=1e300)
    assert beside(axes) == ["rms 3.5e+200"]


@pytest.mark.parametrize(
    ("parameters", "options", "error", "says"),
    [
        ([], {}, ValueError, "there are no parameters; expected such as model.named_parameters"),
        ({"w": Tensor([1.0])}, {}, ValueError, "no parameter has a gradient yet; call loss.backward"),
        ({"w": [1.0]}, {"of": "grad"}, ValueError, "of='grad': expected 'gradient' or 'data'"),
        ({"w": [1.0]}, {"bins": 0}, ValueError, "bins=0"),
        ({"w": [1.0]}, {"exploding": -1.0}, ValueError, "exploding=-1.0"),
        ({"w": ["a"]}, {}, TypeError, "gradient of w: expected numbers, and was given words"),
        ({"w": lambda: 3}, {}, TypeError, "gradient of w: expected an array"),
    ],
)
def test_bad_input(parameters, options, error, says):
    with pytest.raises(error, match=says):
        plots.histograms(parameters, **options)
