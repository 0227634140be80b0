"""Loss surfaces: values against direct evaluation, parameters put back bit for bit, paths projected as they should be."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.contour import QuadContourSet

import nn
from autodiff import Tensor, Value, exp, log
from viz import plots
from viz.plots.landscape import levels_of, losses_on, snapshots
from viz.plots.planes import filter_normalised, flat, plane_of

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 3)), RNG.normal(size=(12, 1))


def small_model(seed=0):
    return nn.Sequential(nn.Dense(3, 4, activation="tanh", seed=seed), nn.Dense(4, 1, seed=seed + 1))


def bits(parameters):
    return [np.asarray(parameter.data).tobytes() for parameter in parameters]


def numpy_loss(weights):
    """The loss of small_model by NumPy alone, from one flat vector."""
    W, b, V, c = np.split(weights, [12, 16, 20])
    hidden = np.tanh(X @ W.reshape(4, 3).T + b)
    return np.mean((hidden @ V.reshape(1, 4).T + c - Y) ** 2)


@pytest.mark.parametrize("directions", ["random", "pca"])
def test_losses_against_direct_evaluation(directions):
    model = small_model()
    parameters = model.parameters()
    path = flat([p.data for p in parameters]) + RNG.normal(size=(5, 21))
    plane = plane_of(parameters, directions, path, seed=3)
    across, up = np.linspace(-1.5, 1, 4), np.linspace(-1, 2, 3)
    losses = losses_on(lambda: nn.mse(model(X), Y), parameters, plane, across, up)
    start = flat([p.data for p in parameters])
    for i, b in enumerate(up):
        for j, a in enumerate(across):
            np.testing.assert_allclose(losses[i, j], numpy_loss(start + a * plane.first + b * plane.second), rtol=1e-12)


def test_lines_that_are_drawn_are_lines_of_equal_loss():
    w, b = Value(1.0, label="w"), Value(0.5, label="b")
    axes = plots.loss_surface(lambda: (w - 2) ** 2 + 3 * (b + 1) ** 2 + 5, [w, b], span=3, resolution=81)
    (lines,) = [item for item in axes.collections if isinstance(item, QuadContourSet) and not item.filled]
    drawn = 0
    for level, path in zip(lines.levels, lines.get_paths(), strict=True):
        x, y = path.vertices.T
        np.testing.assert_allclose((x - 2) ** 2 + 3 * (y + 1) ** 2 + 5, level, atol=0.01)
        drawn += len(x)
    assert drawn > 100
    assert axes.get_xlim() == (-2, 4)
    assert axes.get_ylim() == (-2.5, 3.5)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000))
def test_parameters_are_put_back_bit_for_bit(seed):
    rng = np.random.default_rng(seed)
    model = small_model(seed)
    odd = Tensor(np.array([-0.0, 5e-324, 0.1, 1e300, np.nan, np.inf]), label="odd")
    single = Tensor(rng.normal(size=(2, 2)).astype(np.float32))
    number = Value(float(rng.normal()))
    parameters = [*model.parameters(), odd, single, number]
    before, gradients = bits(parameters), [p.grad for p in parameters]
    plots.loss_surface(lambda: nn.mse(model(X), Y) + 0 * (single**2).sum(), parameters[:-3], resolution=3)
    plane = plane_of(model.parameters(), "random", None, seed)
    losses_on(lambda: 1.0, model.parameters(), plane, np.arange(2.0), np.arange(2.0))
    assert bits(parameters) == before
    assert [p.grad for p in parameters] == gradients
    plots.loss_surface(lambda: (single**2).sum() + 1.0, [single], resolution=3)
    plots.loss_surface(lambda: number * number + 1.0, [number, Value(1.0)], resolution=3)
    assert bits(parameters) == before
    assert single.dtype == np.float32


def test_odd_bits_come_back_too():
    odd = Tensor(np.frombuffer(struct.pack("<4Q", 0x7FF8000000000123, 0x8000000000000000, 1, 0x7FF0000000000000)))
    before = bits([odd])
    with pytest.raises(ValueError, match="finite nowhere"):
        plots.loss_surface(lambda: odd.sum(), [odd], directions=([np.eye(4)[0]], [np.eye(4)[1]]), resolution=3)
    assert bits([odd]) == before


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("when", [0, 1, 2, 7])
def test_parameters_are_put_back_after_an_error(error, when):
    model = small_model()
    before = bits(model.parameters())
    calls = []

    def loss():
        calls.append(None)
        if len(calls) > when:
            raise error("enough")
        return nn.mse(model(X), Y)

    with pytest.raises(error):
        plots.loss_surface(loss, model.parameters(), resolution=3)
    assert bits(model.parameters()) == before


def test_a_graph_that_was_recorded_before_can_still_go_back():
    model = small_model()
    loss = nn.mse(model(X), Y)
    plots.loss_surface(lambda: nn.mse(model(X), Y), model.parameters(), resolution=3)
    loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_path_is_projected_to_the_nearest_point_of_the_plane():
    model = small_model()
    parameters = model.parameters()
    now = flat([p.data for p in parameters])
    path = now + RNG.normal(size=(6, 21))
    plane = plane_of(parameters, "random", None, seed=0)
    for point, (a, b) in zip(path, plane.project(path), strict=True):
        rest = point - now - a * plane.first - b * plane.second
        assert abs(rest @ plane.first) < 1e-9
        assert abs(rest @ plane.second) < 1e-9
    inside = np.array([plane.at(0.25, -3.0), plane.at(2.0, 1.0)])
    np.testing.assert_allclose(plane.project(inside), [[0.25, -3.0], [2.0, 1.0]], atol=1e-12)


def test_principal_axes_against_the_eigenvectors_of_the_scatter():
    model = small_model()
    now = flat([p.data for p in model.parameters()])
    path = now + RNG.normal(size=(9, 21)) * np.linspace(3, 0.1, 21)
    plane = plane_of(model.parameters(), "pca", path, seed=0)
    steps = path - now
    strengths, vectors = np.linalg.eigh(steps.T @ steps)
    for direction, vector in ((plane.first, vectors[:, -1]), (plane.second, vectors[:, -2])):
        assert abs(direction @ vector) == pytest.approx(1, abs=1e-9)
    shares = 100 * strengths[::-1] / strengths.sum()
    assert plane.names == (f"main axis of the path ({shares[0]:.0f} %)", f"second axis of the path ({shares[1]:.0f} %)")
    np.testing.assert_array_equal(plane.at(0, 0), now)


def test_random_directions_are_as_long_as_each_filter():
    kernel, dense, bias = (
        Tensor(RNG.normal(size=(4, 2, 3, 3))),
        Tensor(RNG.normal(size=(5, 3))),
        Tensor(RNG.normal(size=5)),
    )
    direction = filter_normalised([kernel, dense, bias], np.random.default_rng(0))
    of_kernel, of_dense, of_bias = np.split(direction, [72, 87])
    for unit, filtered in zip(of_kernel.reshape(4, 2, 3, 3), kernel.data, strict=True):
        assert np.sqrt((unit**2).sum()) == pytest.approx(np.sqrt((filtered**2).sum()), rel=1e-12)
    for unit, row in zip(of_dense.reshape(5, 3), dense.data, strict=True):
        assert np.sqrt((unit**2).sum()) == pytest.approx(np.sqrt((row**2).sum()), rel=1e-12)
    assert not of_bias.any()
    numbers = [Value(3.0), Value(4.0), Value(0.0)]
    assert np.linalg.norm(filter_normalised(numbers, np.random.default_rng(0))) == pytest.approx(5)


def test_the_same_seed_gives_the_same_picture():
    model = small_model()
    first, again = (plane_of(model.parameters(), "random", None, seed=7) for _ in range(2))
    np.testing.assert_array_equal(first.first, again.first)
    np.testing.assert_array_equal(first.second, again.second)
    assert (plane_of(model.parameters(), "random", None, seed=8).first != first.first).any()


def test_two_numbers_are_coordinates_themselves():
    w, b = Value(3.0, label="w"), Value(-1.0, label="b")
    path = [[0.0, 0.0], [2.0, -1.5], [3.0, -1.0]]
    axes = plots.loss_surface(lambda: w * w + b * b + 1, [w, b], path=path, resolution=5)
    (way,) = [line for line in axes.get_lines() if line.get_label() == "the path"]
    np.testing.assert_allclose(np.stack(way.get_data(), axis=1), path, atol=1e-12)
    (now,) = [line for line in axes.get_lines() if line.get_label() == "its end"]
    assert [x.item() for x in map(np.asarray, now.get_data())] == [3.0, -1.0]
    vector = Tensor([1.0, 2.0], label="v")
    axes = plots.loss_surface(lambda: (vector**2).sum(), [vector], resolution=3)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("v[0]", "v[1]")


def test_trajectories_in_loops_and_in_fit():
    model = small_model()
    loop = plots.Trajectory(model.named_parameters())
    optimizer = nn.SGD(model.parameters(), learning_rate=0.1)
    expected = []
    for _ in range(4):
        loop.record()
        expected.append(flat([p.data for p in model.parameters()]))
        optimizer.zero_grad()
        nn.mse(model(X), Y).backward()
        optimizer.step()
    np.testing.assert_array_equal(snapshots(loop, model.parameters()), expected)

    class Watch(plots.Trajectory, nn.Callback):
        """Where the parameters were, epoch by epoch."""

    watch = Watch(model.parameters())
    model.fit(X, Y, epochs=3, callbacks=[watch], seed=0, verbose=0)
    assert len(watch) == 4
    np.testing.assert_array_equal(flat(watch[-1]), flat([p.data for p in model.parameters()]))
    axes = plots.loss_surface(lambda: nn.mse(model(X), Y), model.parameters(), path=watch, resolution=5)
    assert axes.get_xlabel().startswith("main axis of the path")


def test_snapshots_of_all_kinds():
    model = small_model()
    parameters = model.parameters()
    one = [p.data for p in parameters]
    for path in ([one], [dict(model.state_dict())], [flat(one)], [[Tensor(a) for a in one]], np.stack([flat(one)])):
        np.testing.assert_array_equal(snapshots(path, parameters), [flat(one)])


def test_levels_are_spaced_by_ratios_over_decades_and_holes_stay_empty():
    levels = levels_of(np.geomspace(1e-4, 1e4, 1000))
    np.testing.assert_allclose(levels[1:] / levels[:-1], levels[1] / levels[0])
    steps = np.diff(levels_of(np.linspace(5, 6, 1000)))
    np.testing.assert_allclose(steps, steps[0])
    w, b = Value(2.0), Value(1.0)
    axes = plots.loss_surface(lambda: -log(w) + exp(100 * b), [w, b], span=10, resolution=9)
    axes.figure.draw_without_rendering()
    plots.loss_surface(lambda: 0 * w + 3, [w, b], resolution=3).figure.draw_without_rendering()


def test_a_path_that_is_a_line_gets_a_second_direction():
    w = Tensor([[1.0, 2.0], [3.0, 4.0]])
    path = [[w.data - k] for k in (2.0, 1.0, 0.0)]
    plane = plane_of([w], "pca", snapshots(path, [w]), seed=0)
    assert plane.names[1] == "a random direction"
    assert abs(plane.first @ plane.second) < 1e-12
    assert plane.project(snapshots(path, [w]))[:, 0] == pytest.approx([-4, -2, 0])


def test_a_loss_that_is_not_the_same_twice_is_refused():
    model = nn.Sequential(nn.Dense(3, 8, seed=0), nn.Dropout(0.5, seed=0), nn.Dense(8, 1, seed=0))
    before = bits(model.parameters())
    with pytest.raises(ValueError, match=r"for the same parameters it gave .* and then .*; switch off .*model.eval"):
        plots.loss_surface(lambda: nn.mse(model(X), Y), model.parameters())
    assert bits(model.parameters()) == before
    model.eval()
    plots.loss_surface(lambda: nn.mse(model(X), Y), model.parameters(), resolution=3)


W = Tensor([[1.0, 2.0, 3.0]], label="W")
SUM = lambda: (W**2).sum()


@pytest.mark.parametrize(
    ("loss", "parameters", "options", "error", "says"),
    [
        (SUM(), [W], {}, TypeError, r"loss: it is computed again at every point, and Tensor cannot be; write lambda"),
        (3.0, [W], {}, TypeError, "loss: .* expected a function of nothing"),
        (lambda: W, [W], {}, TypeError, r"expected one number, and it gives the shape \(1, 3\); take its mean"),
        (SUM, [], {}, ValueError, "parameters: expected at least one"),
        (SUM, [np.ones(3)], {}, TypeError, "parameters: expected Values and Tensors.*got ndarray"),
        (SUM, [W * 2], {}, TypeError, "was computed, and only what was given can be moved"),
        (SUM, [W], {"directions": "up"}, ValueError, "directions='up': expected 'random', 'pca'"),
        (SUM, [W], {"directions": "pca"}, ValueError, "give path=trajectory"),
        (SUM, [W], {"directions": "parameters"}, ValueError, "for two numbers in all, and these are 3"),
        (SUM, [W], {"directions": [[np.ones((1, 3))]]}, ValueError, "expected two of them"),
        (SUM, [W], {"directions": [[np.ones(3)]] * 2}, ValueError, r"in the shapes of the parameters, \[\(1, 3\)\]"),
        (SUM, [W], {"directions": [[np.ones((1, 3))]] * 2}, ValueError, "they are parallel"),
        (SUM, [W], {"path": []}, ValueError, "path: expected at least one snapshot"),
        (SUM, [W], {"path": [[np.ones(3)]]}, ValueError, r"path\[0\]: expected arrays in the shapes"),
        (SUM, [W], {"path": [[W.data]] * 3}, ValueError, "the path does not move"),
        (SUM, [W], {"span": 0.0}, ValueError, "a span above 0"),
        (SUM, [W], {"resolution": 1}, ValueError, "at least 2 points"),
        (SUM, [Tensor(np.zeros((2, 2)))], {}, ValueError, "all weights may be 0"),
    ],
)
def test_bad_input(loss, parameters, options, error, says):
    before = bits([W])
    with pytest.raises(error, match=says):
        plots.loss_surface(loss, parameters, **options)
    assert bits([W]) == before
