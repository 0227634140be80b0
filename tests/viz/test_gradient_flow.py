"""The gradient per time step: against products of matrices by hand, differences, and what the scopes tell."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import viz
from autodiff import GraphError, Tensor, Value, gradients, scope, sigmoid, stack, tanh
from nn import GRU, LSTM, RNN, Layer, LSTMCell, RNNCell
from viz.through_time.flow import Track, gradient_flow, norm_of
from viz.through_time.states import place_of


def linear_values(W, x0, steps, readout):
    """h' = W h of Values, and the loss readout · h; the states too."""
    W = [[Value(w) for w in row] for row in W]
    h = [Value(x) for x in x0]
    states = [h]
    for t in range(1, steps + 1):
        with scope(f"step {t}"):
            h = [
                sum(
                    (w * x for w, x in zip(row, h, strict=True)),
                    start=Value(Fraction(0) if isinstance(x0[0], Fraction) else 0.0),
                )
                for row in W
            ]
        states.append(h)
    loss = sum((r * x for r, x in zip(readout[1:], h[1:], strict=True)), start=h[0] * readout[0])
    return loss, states


@pytest.mark.parametrize("seed", range(3))
def test_a_linear_network_of_values_is_a_power_of_its_matrix(seed):
    rng = np.random.default_rng(seed)
    W, x0, readout = rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=3)
    steps = 12
    loss, states = linear_values(W.tolist(), x0.tolist(), steps, readout.tolist())
    flow = gradient_flow(loss)
    (track,) = flow.tracks
    assert track.steps == tuple(range(1, steps + 1))
    for column, t in enumerate(track.steps):
        expected = np.linalg.matrix_power(W.T, steps - t) @ readout
        np.testing.assert_allclose(track.gradients[:, column], expected, rtol=1e-10)
        assert track.norms[column] == pytest.approx(np.linalg.norm(expected), rel=1e-10)
    with_first = gradient_flow(loss, states)
    np.testing.assert_allclose(
        with_first.tracks[0].gradients[:, 0], np.linalg.matrix_power(W.T, steps) @ readout, rtol=1e-10
    )
    np.testing.assert_array_equal(with_first.norms[1:], flow.norms)


def test_fractions():
    half, third = Fraction(1, 2), Fraction(1, 3)
    loss, states = linear_values(
        [[half, third], [third, half]], [Fraction(1), Fraction(2)], 5, [Fraction(1), Fraction(0)]
    )
    flow = gradient_flow(loss)
    exact = [[float(g) for g in gradients(loss, states[t])] for t in range(1, 6)]
    np.testing.assert_array_equal(flow.tracks[0].gradients.T, exact)


@pytest.mark.parametrize("columns", [True, False])
def test_a_linear_network_of_tensors(columns):
    """Both ways to write it: states as columns, W h, and as rows, h Wᵀ; several samples."""
    rng = np.random.default_rng(0)
    W0, h0, readout = rng.normal(size=(4, 4)), rng.normal(size=(4, 6)), rng.normal(size=(4, 6))
    W, h, states = Tensor(W0 if columns else W0.T), Tensor(h0 if columns else h0.T), []
    for t in range(8):
        with scope("rnn"), scope(f"step {t}"):
            h = W @ h if columns else h @ W
        states.append(h)
    loss = (h * (readout if columns else readout.T)).sum()
    flow = gradient_flow(loss)
    (track,) = flow.tracks
    assert (track.name, track.samples, len(track.units)) == ("rnn: state", 6, 4)
    for t in range(8):
        G = np.linalg.matrix_power(W0.T, 7 - t) @ readout
        np.testing.assert_allclose(track.gradients[:, t], np.linalg.norm(G, axis=1), rtol=1e-10)
        np.testing.assert_allclose(track.norms[t], np.linalg.norm(G), rtol=1e-10)
    by_hand = gradient_flow(loss, states, units=0 if columns else 1)
    np.testing.assert_array_equal(by_hand.tracks[0].gradients, track.gradients)
    other = gradient_flow(loss, states, units=1 if columns else 0)
    assert len(other.tracks[0].units) == 6
    np.testing.assert_allclose(other.norms, flow.norms, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_one_unit_against_the_factors_by_hand(seed):
    rng = np.random.default_rng(seed)
    w, inputs = 1.3, rng.normal(size=20).tolist()
    h, u = Value(0.0), Value(w)
    states = []
    for t, x in enumerate(inputs):
        with scope(f"step {t}"):
            h = tanh(u * h + x)
        states.append(h.data)
    flow = gradient_flow(h)
    factors = [w * (1 - s * s) for s in states]
    np.testing.assert_allclose(flow.norms, [math.prod(factors[t + 1 :]) for t in range(20)], rtol=1e-11)
    np.testing.assert_allclose(flow.tracks[0].ratios, factors[1:], rtol=1e-11)


def test_lstm_of_values_and_of_tensors_agree_with_differences():
    rng = np.random.default_rng(1)
    w, u, b = rng.normal(size=4).tolist(), rng.normal(size=4).tolist(), [0.0, 1.0, 0.0, 0.0]
    inputs = rng.normal(size=6).tolist()

    def step(x, h, c):
        i, f, o = (sigmoid(w[k] * x + u[k] * h + b[k]) for k in (0, 1, 3))
        c = f * c + i * tanh(w[2] * x + u[2] * h + b[2])
        return o * tanh(c), c

    def after(t, h, c):
        """The last output, from the state after step t on."""
        for x in inputs[t + 1 :]:
            h, c = step(x, h, c)
        return h

    h, c = Value(0.0), Value(0.0)
    states = []
    for t, x in enumerate(inputs):
        with scope(f"step {t}"):
            h, c = step(x, h, c)
            h.label, c.label = "h", "c"
        states.append((h, c))
    (track,) = gradient_flow(h).tracks
    assert track.units == ("c", "h")
    for t, (ht, ct) in enumerate(states):
        e, h0, c0 = 1e-6, ht.data, ct.data
        o = h0 / math.tanh(c0)  # whoever moves c moves h = o tanh(c) of the same step too
        slope_h = (after(t, h0 + e, c0) - after(t, h0 - e, c0)) / (2 * e)
        slope_c = (after(t, o * math.tanh(c0 + e), c0 + e) - after(t, o * math.tanh(c0 - e), c0 - e)) / (2 * e)
        np.testing.assert_allclose(track.gradients[:, t], [slope_c, slope_h], rtol=1e-6)
    assert track.gradients[1, -1] == 1.0

    layer = LSTM(1, 1, return_sequences=False)
    cell = layer.cells[0]
    cell.weight_ih.data, cell.weight_hh.data = np.reshape(w, (4, 1)), np.reshape(u, (4, 1))
    cell.bias_ih.data = np.array(b)
    flow = gradient_flow(layer(np.reshape(inputs, (1, 6, 1))).sum())
    assert [t.name for t in flow.tracks] == ["cells.0: state 1", "cells.0: state 2"]
    np.testing.assert_allclose([t.gradients[0] for t in flow.tracks], track.gradients, rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(flow.norms, track.norms, rtol=1e-10)


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_layers_of_nn_every_state_is_found(kind):
    layer = kind(2, 3, layers=2, bidirectional=True, seed=0)
    x = np.random.default_rng(0).normal(size=(4, 5, 2))
    flow = gradient_flow((layer(x) ** 2).mean())
    parts = 2 if kind is LSTM else 1
    assert len(flow.tracks) == 4 * parts
    layers = [track.name.partition(":")[0] for track in flow.tracks[::parts]]
    assert layers == ["cells.0", "backward_cells.0", "cells.1", "backward_cells.1"]
    for track in flow.tracks:
        assert track.gradients.shape == (3, 5)
        assert track.samples == 4
        expected = (0, 1, 2, 3, 4)
        assert track.steps == (expected[::-1] if track.name.startswith("backward") else expected)
        assert (track.norms > 0).all()


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_a_layer_against_differences_at_its_first_state(kind):
    """The state that is handed in has the gradient that a shift of it shows; the others follow the same engine."""
    layer = kind(2, 3, return_sequences=False, seed=0)
    rng = np.random.default_rng(0)
    x, shape = rng.normal(size=(1, 6, 2)), (1, 1, 3)
    start = Tensor(rng.normal(size=shape))
    given = (start, Tensor(np.zeros(shape))) if kind is LSTM else start
    loss = (layer(x, given) ** 2).sum()
    flow = gradient_flow(loss, {"h": [start]})
    slopes = []
    for k in range(3):
        ends = []
        for e in (1e-6, -1e-6):
            moved = start.data.copy()
            moved[0, 0, k] += e
            again = Tensor(moved)
            ends.append((layer(x, (again, given[1]) if kind is LSTM else again) ** 2).sum().item())
        slopes.append((ends[0] - ends[1]) / 2e-6)
    np.testing.assert_allclose(flow.tracks[0].gradients[:, 0], slopes, rtol=1e-6, atol=1e-10)


def test_masked_steps_keep_the_gradient():
    layer = RNN(2, 3, return_sequences=False, seed=0)
    x = np.random.default_rng(0).normal(size=(1, 6, 2))
    flow = gradient_flow(layer(np.concatenate([x, x]), lengths=[6, 3])[1].sum())
    norms = flow.tracks[0].norms
    np.testing.assert_allclose(norms[2:], norms[5], rtol=1e-12)
    assert norms[0] < norms[2]


def test_cells_called_by_hand_have_units_in_the_last_axis():
    for cell in (RNNCell(2, 3, seed=0), LSTMCell(2, 3, seed=0)):
        state, x = None, np.random.default_rng(0).normal(size=(5, 4, 2))
        for t in range(4):
            with scope(f"step {t}"):
                state = cell(x[:, t], state)
        last = state[0] if isinstance(state, tuple) else state
        for track in gradient_flow((last**2).sum()).tracks:
            assert (len(track.units), track.samples) == (3, 5)


def test_layers_of_neurons():
    layer = Layer(5, 3, seed=0)
    h = [0.1, 0.2, 0.3]
    for t in range(4):
        with scope(f"step {t}"):
            h = layer([0.5, -0.5, *h])
    (track,) = gradient_flow(sum(h[1:], start=h[0])).tracks
    assert track.gradients.shape == (3, 4)
    np.testing.assert_array_equal(track.gradients[:, -1], [1, 1, 1])


@pytest.mark.parametrize("from_zero", [True, False])
def test_running_totals_are_no_states(from_zero):
    h, w = Value(0.5), Value(0.9)
    total = Value(0.0) if from_zero else None
    for t in range(5):
        with scope(f"step {t}"):
            h = tanh(w * h + 0.2)
            error = (h - 1) ** 2
            total = error if total is None else total + error
    (track,) = gradient_flow(total).tracks
    assert len(track.units) == 1
    assert track.gradients.shape == (1, 5)


def test_a_state_that_is_only_added_to_is_a_state_if_there_is_no_other():
    h = Value(1.0)
    for t in range(4):
        with scope(f"step {t}"):
            h = h + 0.5
    np.testing.assert_array_equal(gradient_flow(h * h).norms, [6, 6, 6, 6])


def test_what_does_not_reach_the_output_has_gradient_zero():
    layer = RNN(1, 2, seed=0)
    outputs = layer(np.ones((1, 5, 1)))
    flow = gradient_flow(outputs[0, 2].sum() + 0 * outputs.sum())
    np.testing.assert_array_equal(flow.norms[3:], [0, 0])
    assert flow.norms[2] > 0
    assert "Step 4 does not reach the output at all" in str(flow)


def test_no_grad_is_touched():
    h = w = Value(0.5)
    for t in range(3):
        with scope(f"step {t}"):
            h = w * h
    gradient_flow(h)
    assert w.grad is None is h.grad


def test_verdicts():
    def told(factor, steps=12):
        h, w = Value(1.0), Value(factor)
        for t in range(steps):
            with scope(f"step {t}"):
                h = w * h
        return gradient_flow(h).tracks[0].verdict

    assert told(0.5) == "Vanishes: from step 11 back to step 0, the norm goes from 1.0 to 0.0004883, × 0.5 a step."
    assert told(2.0).startswith("Explodes: ")
    assert told(1.0).startswith("Is kept: ")
    assert told(1e-40) == "Vanishes: exactly 0 from step 2 back."
    assert told(1e40) == "Explodes: infinite at steps 0–3."
    assert told(math.nan) == "Is NaN at steps 0–10."
    assert told(0.5, 2).startswith("Is kept")
    assert told(0.5, 4).startswith("Shrinks: ")
    assert told(2.0, 4).startswith("Grows: ")


def test_tiny_and_huge_gradients_have_norms():
    assert norm_of([3e-200, 4e-200]) == pytest.approx(5e-200, rel=1e-12)
    assert norm_of([3e200, -4e200]) == pytest.approx(5e200, rel=1e-12)
    assert norm_of([1.7e308, 1.7e308]) == math.inf
    assert (norm_of([0.0, -0.0]), norm_of([]), norm_of([math.inf, 1])) == (0.0, 0.0, math.inf)
    assert math.isnan(norm_of([math.nan, math.inf]))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6))
@settings(deadline=None)
def test_norms(numbers):
    assert norm_of(numbers) == pytest.approx(math.hypot(*numbers), rel=1e-12)


def test_the_table():
    h, w = Value(1.0), Value(0.1)
    for t in range(100):
        with scope(f"step {t}"):
            h = w * h
    lines = str(gradient_flow(h, title="Fading")).splitlines()
    assert lines[0] == "Fading"
    assert lines[2].startswith("state: 1 unit, 100 steps. Vanishes: ")
    assert lines[4].split()[:3] == ["0", "1.000e−99", "0.1"]
    assert lines[-1].split()[:2] == ["99", "1.0"]
    assert "(60 more)" in str(gradient_flow(h))
    bars = [line.count("█") for line in lines[4:] if "█" in line]
    assert bars == sorted(bars)


def test_steps_of_any_number_and_scopes_around_them():
    assert place_of("a/step 12/b/step 3") == ("a", 12, "b/step 3")
    assert place_of("step 0") == ("", 0, "")
    assert [place_of(s) for s in ("steps 3", "a/misstep 3", "step x", "", "step 3b")] == [None] * 5
    h, w = Value(1.0), Value(0.5)
    for t in (10, 20, 40):
        with scope("net"), scope(f"step {t}"), scope("cell"):
            h = w * h
    flow = gradient_flow(h)
    assert flow.steps == (10, 20, 40)
    np.testing.assert_array_equal(flow.norms, [0.25, 0.5, 1.0])


def test_states_by_name():
    a, b = Value(1.0), Value(2.0)
    y = a * 3 + b * 4
    flow = gradient_flow(y, {"first": [[a]], "second": [b]})
    assert [t.name for t in flow.tracks] == ["first", "second"]
    assert flow.norms.tolist() == [5.0]
    t = Tensor([[1.0, 2.0]])
    pair = gradient_flow((t * t).sum(), [(t, t)])
    assert [track.name for track in pair.tracks] == ["state 0", "state 1"]


@pytest.mark.parametrize(
    ("states", "error", "words"),
    [
        (Value(1.0), TypeError, r"listed step by step: \[h0, h1, ...\]"),
        (3, TypeError, "given the int 3"),
        ([1.0], TypeError, "a state is a Value, a Tensor or a list of them, and was given the float 1.0"),
        (["h"], TypeError, "the str 'h'"),
        ([], ValueError, "no states in 'state'"),
        ([[]], ValueError, "no states"),
        ([[Value(1.0)], [Value(1.0), Value(2.0)]], ValueError, r"and these have \[1, 2\]"),
        ([Value(0.0, requires_grad=False, label="h0")], ValueError, "h0 is a constant"),
        ([Tensor([1.0, 2.0]), Tensor([1.0])], ValueError, r"has shape \(2,\) at one step and \(1,\) at another"),
    ],
)
def test_bad_states(states, error, words):
    with pytest.raises(error, match=words):
        gradient_flow(Value(1.0) * 2, states)


def test_bad_arguments():
    x = Value(1.0)
    y = x * 2
    with pytest.raises(TypeError, match=r"takes the loss, .* the float 2.0"):
        gradient_flow(2.0)
    with pytest.raises(ValueError, match=r"no states to be found;.*with scope\(f\"step \{t\}\"\).*states=\[h0, h1"):
        gradient_flow(y)
    with pytest.raises(GraphError, match=r"several|one number"):
        gradient_flow(Tensor([1.0, 2.0]) * 2, [Tensor([1.0])])
    with pytest.raises(ValueError, match="theme is one of"):
        gradient_flow(y, [x], theme="blue")
    for limits in ((1, 1), (0, 1), (1, math.inf), 3, ("a", 2), (1, 2, 3)):
        with pytest.raises(ValueError, match="limits are two magnitudes"):
            gradient_flow(y, [x], limits=limits)
    t = Tensor([[1.0]])
    with pytest.raises(ValueError, match=r"units=2: state has shape \(1, 1\), so its axes are 0 to 1"):
        gradient_flow(t.sum(), [t], units=2)


def test_a_sequence_stacked_and_sliced():
    """States that leave through stack and t[...] are found in the last step too."""
    W, h, kept = Tensor([[0.5]]), Tensor([[1.0]]), []
    for t in range(3):
        with scope(f"step {t}"):
            h = (W @ h).tanh()
        kept.append(h)
    flow = gradient_flow((stack(kept) ** 2).sum())
    assert flow.steps == (0, 1, 2)
    np.testing.assert_array_equal(flow.norms, gradient_flow((stack(kept) ** 2).sum(), kept).norms)


def test_public():
    assert viz.gradient_flow is gradient_flow
    assert issubclass(viz.GradientFlow, object)
    assert Track.__doc__
