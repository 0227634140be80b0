"""The lesson on the compiler: what it counts, compares and refuses is so, and its LSTM is one."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from autodiff import Value, compile, no_grad
from autodiff.trees import flatten
from examples.compiled import POINTS, SLOW_STEPS, WIDTHS, arrays_of, by_hand, first_weights, point_by_point, spirals
from examples.compiled_sun import first_lstm, trained
from examples.single_numbers import as_values, error, loss, lstm, network
from examples.stopwatch import compared
from examples.sunspots import HIDDEN, MEMBERS, Sun
from nn import LSTMCell
from tests.examples.lessons import assert_png, run_lesson

SHORT = {"steps": 300, "committees": 1}  # the whole lesson: 1000 steps and 5 committees


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return run_lesson("compiled", tmp_path_factory.mktemp("new") / "folder", **SHORT)


def words(path):
    return " ".join("".join(ElementTree.parse(path).getroot().itertext()).split())


def test_predictions_come_before_answers(short):
    parts = re.split(r"^Part \d\. ", short[1], flags=re.M)[1:]
    assert len(parts) == 5
    answers = ("layer 1    16 neurons", "They read the same numbers", "step    1", "It would be", "1,045 × 16 ×")
    for text, told in zip(parts, answers, strict=True):
        assert 0 < text.find("Predict") < text.find(told)


def test_the_operations_of_one_point(short):
    result, shown = short
    expected = sum(n * (2 * m + 1) for m, n in pairwise(WIDTHS)) + 2
    weights = sum(n * (m + 1) for m, n in pairwise(WIDTHS))
    assert result.operations == expected == 643
    assert result.nodes == expected + weights + 3
    assert re.search(rf"together +{expected}\n", shown)
    assert f"{expected} instructions on {weights} shared and 3 varying leaves" in shown


def test_each_layer_is_one_matrix_product(short):
    result, shown = short
    assert result.boxes == 3 * len(WIDTHS[1:]) + 2
    assert len(re.findall(r"layers\[\d\]\['W'\]\S* @ ", shown)) == len(WIDTHS[1:])


def test_the_pictures_show_the_same_numbers(short):
    numbers, blocks, unrolled = map(words, short[0].drawings)
    points, sides = spirals(np.random.default_rng(1))
    one = loss(first_weights(1), points[0].tolist(), sides[0].item()).item()
    for text in (numbers, blocks):
        assert f"{one:.4f}"[:6] in text
    assert [numbers.count(f"layer 2/neuron {k} ") for k in (1, 16)] != [0, 0]
    for k in range(len(WIDTHS) - 1):
        assert f"layers[{k}]['W']" in blocks
        assert f"layers[{k}]['b']" in blocks
    for name in ("point[0]", "point[1]", "W[0][0]", "W[0][1]", "b[0]"):
        assert name in numbers
    for name in ("params['U']", "all years at once", "year 1", "year 2–11", "× 10", "year 12", "forecast"):
        assert name in unrolled
    assert "year 6" not in unrolled
    for path in short[0].pictures:
        assert_png(path)


def test_eager_compiled_and_by_hand_agree():
    points, sides = spirals(np.random.default_rng(7))
    layers = first_weights(7)
    expected = point_by_point(layers, points, sides)
    gradients = np.array([w.grad for w in flatten(layers)[0]])
    arrays = arrays_of(layers)
    for value, found in (compile(loss).value_and_grad(arrays, points, sides), by_hand(arrays, points, sides)):
        assert value == pytest.approx(expected, rel=1e-12)
        found = np.concatenate([layer[name].ravel() for layer in found for name in "Wb"])
        np.testing.assert_allclose(found, gradients, rtol=1e-10, atol=1e-12 * abs(gradients).max())


def test_the_same_numbers(short):
    result, shown = short
    assert result.difference < 1e-12
    np.testing.assert_allclose(result.losses[:SLOW_STEPS], result.slow_losses, rtol=1e-10)
    assert len(result.losses) == SHORT["steps"]
    assert result.right == 1
    assert f"relative to the largest gradient: {result.difference:.0e}." in " ".join(shown.split())


def test_the_table(short):
    result, shown = short
    assert list(result.seconds) == [
        "Values, one by one",
        "compiled, weights as Values",
        "compiled, weights as arrays",
        "NumPy, by hand",
    ]
    for name, seconds in result.seconds.items():
        row = re.search(rf"^  {name} +(\S+) ms .*? (\d+\.\d+) ms", shown, re.M)
        assert [float(x) / 1000 for x in row.groups()] == pytest.approx(seconds, abs=6e-7)


def test_the_pictures_of_blocks_fit_a_slide(short):
    _, blocks, unrolled = (ElementTree.parse(path).getroot() for path in short[0].drawings)
    assert float(blocks.get("width")) < 1800
    assert float(unrolled.get("width")) < 2200


def test_why_it_is_quicker(short):
    result, shown = short
    told = " ".join(shown.split())
    slow, _, arrays, _ = (together for _, together in result.seconds.values())
    calls, all_of_them = result.operations / result.boxes, result.operations * POINTS
    assert f"Why is it {slow / arrays:,.0f} times as quick?" in told
    assert f"Python is asked {result.boxes} times, not {all_of_them:,} times" in told
    assert f"{all_of_them / result.boxes:,.0f} times fewer calls: {calls:.0f} of the factor" in told
    assert f"{slow / arrays:,.0f} is what is left of it" in told
    assert f"the training only {result.quicker:,.0f} times as quick?" in told
    assert told.index("Predict: 643 operations became 11") < told.index("The arithmetic is the same")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.84, "0.8 times as long"), (0.86, "about as long"), (1.14, "about as long"), (1.16, "1.2 times as long")],
)
def test_what_varies_from_run_to_run_is_not_told_apart(seconds, said):
    assert compared(seconds, 1.0) == said


def test_what_is_refused_and_what_to_write_instead(short):
    (branching, leaving), shown = short[0].refusals, short[1]
    assert branching.startswith("branching on a traced number")
    assert "refused.py" in branching
    assert "if z > 0" in branching
    assert "where(condition, a, b)" in branching
    assert "float()" in leaving
    assert "math.exp(float(z))" in leaving
    twice = re.findall(r"^  one by one +(.*)\n  compiled +(.*)\n", shown, re.M)
    assert [eager == compiled for eager, compiled in twice] == [True, True]


@pytest.mark.parametrize("seed", range(3))
def test_it_is_an_lstm(seed):
    """The cell of single numbers against nn.LSTMCell, forward and backward."""
    rng = np.random.default_rng(seed)
    params, twin = first_lstm(rng), LSTMCell(1, HIDDEN)
    x = rng.normal(size=5)
    plain = {name: np.array([p.data for p in flatten(part)[0]]) for name, part in params.items()}
    twin.weight_ih.data = plain["W"].reshape(-1, 1)
    twin.weight_hh.data = plain["U"].reshape(-1, HIDDEN)
    twin.bias_ih.data = plain["b"]
    state = None
    for number in x:
        state = twin([[number]], state)
    expected = (state[0] * plain["V"]).sum()
    expected.backward()
    said = lstm(params, x.tolist())
    said.backward()
    assert said.item() == pytest.approx(expected.item(), rel=1e-12)
    for name, twins in (("W", twin.weight_ih), ("U", twin.weight_hh), ("b", twin.bias_ih)):
        found = np.array([p.grad for p in flatten(params[name])[0]])
        np.testing.assert_allclose(found, twins.grad.ravel(), rtol=1e-11, atol=1e-14)


def test_its_training_learns_and_is_reproducible():
    X, y = Sun().exercises()
    fast = compile(error)
    first, again = (trained(fast, X, y, 4, np.random.default_rng(5)) for _ in range(2))
    numbers = [[p.data for p in flatten(params)[0]] for params in (first, again)]
    assert numbers[0] == numbers[1]
    before = np.mean(fast(first_lstm(np.random.default_rng(5)), X, y))
    assert np.mean(fast(first, X, y)) < before / 2


def test_the_forecast_is_that_of_single_numbers():
    params, (X, _) = first_lstm(np.random.default_rng(2)), Sun().exercises()
    with no_grad():
        expected = [lstm(params, window).item() for window in X[:3].tolist()]
    np.testing.assert_allclose(compile(lstm)(params, X)[:3], expected, rtol=1e-11)


def test_the_sun(short):
    result, shown = short
    assert result.linear == pytest.approx(19.49, abs=0.01)
    assert result.linear_of_roots == pytest.approx(16.63, abs=0.01)
    assert len(result.errors) == 1
    assert result.errors[0] < result.linear_of_roots < result.linear
    assert f"seed 1   test {result.errors[0]:.2f}" in shown
    assert f"{MEMBERS} networks were trained" in shown


def test_values_of_arrays():
    values = as_values(np.array([[1.0, 2.0]]))
    assert [[type(x), x.data] for x in values[0]] == [[Value, 1.0], [Value, 2.0]]
    assert network(first_weights(0), [0.0, 0.0]).data == 0
    assert len(spirals(np.random.default_rng(0))[0]) == POINTS


@pytest.mark.slow
def test_in_full(tmp_path):
    result, _ = run_lesson("compiled", tmp_path)
    assert (result.errors < result.linear).all()
    assert result.errors.mean() < result.linear_of_roots
    assert result.losses[-1] < 1e-3
