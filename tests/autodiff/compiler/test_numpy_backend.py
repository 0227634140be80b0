"""Replayed programs against the eager engine: every row, random graphs, conventions, memory that is used again."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff import TABLE, Primitive, Tensor, gradients, observe, primitive
from autodiff.compiler.numpy_backend import Replay
from autodiff.compiler.program import Program, Recorder
from autodiff.compiler.replay.fusion import CONTRACTIONS
from tests.autodiff.random_graphs import Rejected, tensor_recipe
from tests.autodiff.samples import generator_for, samples

ROWS = list(TABLE.values())
SELECTING = [row for row in ROWS if row.selects and row.partials is not None]
RELATIVE = 1e-13


# ── programs beside eager graphs ─────────────────────────────────────────────────────────────────────
def recorded(function: Callable[..., Any], arrays: list[Any]) -> tuple[Program, list[int]]:
    """The program of a function of tensors, and the numbers of its leaves."""
    recorder = Recorder()
    leaves = [Tensor(a) for a in arrays]
    numbers = [recorder.shared(x) for x in leaves]
    with observe(recorder):
        outputs = function(*leaves)
    outputs = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    recorder.program.outputs += [recorder.number(x) for x in outputs]
    return recorder.program, numbers


def eager(function: Callable[..., Any], arrays: list[Any], seeds: list[Any]) -> tuple[list[Any], list[Any]]:
    """Outputs and gradients of the engine."""
    leaves = [Tensor(a) for a in arrays]
    outputs = function(*leaves)
    outputs = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    totals = [np.zeros(a.shape, a.dtype) for a in arrays]
    for output, seed in zip(outputs, seeds, strict=True):
        if output.requires_grad:
            with np.errstate(all="ignore"):
                found = gradients(output, leaves, seed=seed)
                totals = [t + g for t, g in zip(totals, found, strict=True)]
    return [x.data for x in outputs], totals


class Bound:
    """A replay with arrays of its own, which begin with numbers that must not show in any result."""

    def __init__(self, function: Callable[..., Any], arrays: list[Any], seeds: list[Any] | None = None) -> None:
        self.function = function
        self.arrays = [np.array(a) for a in arrays]
        program, numbers = recorded(function, self.arrays)
        self.gradients = [np.full(a.shape, 7.7, a.dtype) for a in self.arrays]
        if seeds is None:
            forward = Replay(program, dict(zip(numbers, self.arrays, strict=True)))
            seeds = [np.ones(x.shape, x.dtype) for x in forward.outputs]
        self.seeds = seeds
        leaves = dict(zip(numbers, self.arrays, strict=True))
        floating = {n: g for n, g in zip(numbers, self.gradients, strict=True) if g.dtype.kind == "f"}
        self.replay = Replay(program, leaves, floating, seeds)
        self.has_contractions = any(
            step.op in CONTRACTIONS.values() and not step.backward for step in self.replay._main._plan.steps
        )

    def check(self, *arrays: Any, tolerance: float = RELATIVE) -> None:
        """Run on other numbers, and compare with the engine: to the bit forward, but for sums of products."""
        for mine, other in zip(self.arrays, arrays, strict=False):
            mine[...] = other
        outputs, wanted = eager(self.function, self.arrays, self.seeds)
        self.replay.run()
        for got, want in zip(self.replay.outputs, outputs, strict=True):
            assert got.dtype == want.dtype
            assert got.shape == want.shape
            if not self.has_contractions:
                np.testing.assert_array_equal(got, want)
            else:
                np.testing.assert_allclose(got, want, rtol=tolerance, atol=0)
        for got, want in zip(self.gradients, wanted, strict=True):
            if got.dtype.kind == "f":
                np.testing.assert_allclose(got, want, rtol=tolerance, atol=0)


def call(row: Primitive, params: dict[str, Any]) -> Callable[..., Any]:
    return lambda *leaves: row(list(leaves), **params) if row.variadic else row(*leaves, **params)


def over(rows: list[Primitive]) -> Any:
    return pytest.mark.parametrize("row", rows, ids=[row.name for row in rows])


# ── every row ────────────────────────────────────────────────────────────────────────────────────────
@over(ROWS)
def test_row(row: Primitive) -> None:
    """As a program of one instruction, on two sets of numbers; twice, so that nothing is left from before."""
    rng = generator_for(row, "replay")
    for inputs, params in samples(row):
        arrays = [np.array(x, float) for x in inputs]
        function = call(row, params)
        out = function(*[Tensor(a) for a in arrays])
        bound = Bound(function, arrays, [rng.uniform(0.5, 2, out.shape).astype(out.dtype)])
        bound.check()
        bound.check(*[a * rng.uniform(0.97, 1.0) for a in arrays])
        bound.check(*arrays)


@over(ROWS)
def test_row_amid_others(row: Primitive) -> None:
    """Between operations, its operands used again: they must still be there when the backward pass needs them."""
    for inputs, params in samples(row):

        def function(*leaves: Any, row: Primitive = row, params: dict[str, Any] = params) -> Any:
            given = [x * 1.0 for x in leaves]
            out = call(row, params)(*given)
            return ad.sum(out * out) + sum((ad.sum(x * 0.5) for x in given), start=0.0)

        arrays = [np.array(x, float) for x in inputs]
        if row.truth:
            continue
        bound = Bound(function, arrays)
        bound.check(tolerance=1e-12)
        bound.check(*[a * 0.98 for a in arrays], tolerance=1e-12)


@over(ROWS)
def test_row_in_single_precision(row: Primitive) -> None:
    for inputs, params in samples(row):
        arrays = [np.array(x, np.float32) for x in inputs]
        bound = Bound(call(row, params), arrays)
        bound.check(tolerance=1e-5)


@over([row for row in ROWS if row.calls is not None])
def test_calls_give_the_same_bits(row: Primitive) -> None:
    """What a row writes in place is what its array function returns, the sign of zero and NaN included."""
    extremes = np.array([0.0, -0.0, 1.0, -1.0, 0.5, 30.0, -30.0, 800.0, -800.0, 1e-310, np.inf, -np.inf, np.nan])
    for inputs, params in samples(row):
        given = [np.array(x, float) for x in inputs]
        for spread in range(3):
            if spread and row.partials is not None:
                given = [np.resize(np.roll(extremes, spread * 3 * k), (5, 13)) for k in range(len(given))]
            with np.errstate(all="ignore"):
                bound = {**row.defaults, **params}
                want = np.asarray(row.array(*given, **bound))
                out = np.full_like(want, 3)
                for function, arguments in row.calls(*given, out=out, **bound) or [(np.copyto, (out, want))]:
                    function(*arguments)
            np.testing.assert_array_equal(out, want)
            if row.partials is not None:
                np.testing.assert_array_equal(np.signbit(out), np.signbit(want))


@over([row for row in ROWS if row.partials is not None and row.number is not None])
def test_extremes(row: Primitive) -> None:
    """At zeros, huge numbers, inf and NaN the gradients are those of the engine, and nothing warns."""
    points = np.array([0.0, 1.0, -1.0, 0.5, 1e-300, 30.0, -30.0, 1e4, -1e4, 1e160, np.inf, -np.inf, np.nan])
    grid = [x.ravel() for x in np.meshgrid(*[points] * row.arity)]
    bound = Bound(row, [np.full(x.shape, 0.5) for x in grid])
    bound.check()
    bound.check(*grid)


@pytest.mark.parametrize("first", [0, 250])
def test_random_graphs(first: int) -> None:
    for number in range(first, first + 250):
        try:
            recipe = tensor_recipe(random.Random(f"replay {number}"))
        except Rejected:
            continue
        leaves = [step.value for step in recipe.steps if step.name == "leaf"]

        def function(*given: Any, recipe: Any = recipe) -> Any:
            remaining = iter(given)
            nodes: list[Any] = []
            for name, inputs, params, value in recipe.steps:
                if inputs:
                    nodes.append(call(TABLE[name], params)(*[nodes[k] for k in inputs]))
                else:
                    nodes.append(next(remaining) if name == "leaf" else Tensor(value, requires_grad=False))
            return nodes[-1]

        bound = Bound(function, leaves)
        bound.check(tolerance=1e-12)
        bound.check(*[0.93 * x for x in leaves], tolerance=1e-12)
        bound.check(*leaves, tolerance=1e-12)


# ── conventions ──────────────────────────────────────────────────────────────────────────────────────
@over(SELECTING)
def test_choices_block_infinity(row: Primitive) -> None:
    """An infinite upstream gradient times a choice that was not made is 0, as in the engine; and then as before."""
    rng = generator_for(row, "infinite")
    for _, params in [([], {}), *row.cases]:
        arrays = [rng.uniform(-1, 1, (2, 4)) for _ in range(row.arity or 0)]
        seed = np.array([[np.inf, -np.inf, np.nan, 2.0]] * 2)
        bound = Bound(call(row, params), arrays, [seed])
        bound.check()
        seed[...] = 0.3
        bound.check()
        seed[...] = np.inf
        bound.check(*[-a for a in arrays])


@pytest.mark.parametrize("x", [[-1.0, 2.0], [0.0, np.nan], [np.inf, -np.inf], [1.0, 4.0]])
def test_infinite_slopes_behind_choices(x: Any) -> None:
    """sqrt(relu(-1)) has gradient 0; NaN stays NaN; the careful passes give way to the quick ones again."""
    function = lambda a, w: [ad.sqrt(ad.relu(a)) * w, ad.maximum(a, 0.0).sqrt().sum(), ad.where(a, a.sqrt(), w)]
    bound = Bound(function, [np.array([1.0, 2.0]), np.array([3.0, -1.0])])
    bound.check()
    bound.check(np.array(x))
    bound.check(np.array([0.5, 0.25]))


def test_ties_and_nan_in_extremes() -> None:
    bound = Bound(lambda x: [x.max(axis=1), x.min(), x.max()], [np.array([[1.0, 2.0, 0.0], [3.0, 4.0, 5.0]])])
    bound.check()
    bound.check(np.array([[2.0, 2.0, 2.0], [0.0, np.nan, 1.0]]))
    bound.check(np.array([[2.0, 2.0, 1.0], [7.0, 7.0, -1.0]]))


def test_rules_that_look_at_numbers_look_at_each_run() -> None:
    """power, hypot, var, norm and sort decide by what they see: nothing of the first numbers may be baked in."""
    function = lambda a, b: [a**b, ad.hypot(a, b), ad.var(a), ad.norm(b), ad.sort(a), ad.std(a)]
    bound = Bound(function, [np.array([0.5, 1.5, 2.5]), np.array([1.0, 2.0, 3.0])])
    bound.check()
    bound.check(np.zeros(3), np.zeros(3))
    bound.check(np.full(3, 0.7), np.array([0.0, 1.0, 2.0]))
    bound.check(np.array([2.5, 0.5, 1.5]), np.array([-1.0, 2.0, 0.5]))


def test_a_rule_of_the_user_that_branches_on_numbers() -> None:
    row = primitive(
        "doc_branching", lambda x: x, partials=[lambda x, out: 2.0 if np.all(ad.primitives.row.plain(x) > 0) else -3.0]
    )
    try:
        bound = Bound(lambda x: row(x), [np.array([1.0, 2.0])])
        bound.check()
        bound.check(np.array([1.0, -2.0]))
    finally:
        del TABLE["doc_branching"]


def test_a_view_whose_rule_is_its_own() -> None:
    """A row of the user may pass its input through as it is and yet change the gradient."""
    row = primitive("doc_reversal", None, lambda x: x[...], rules=[lambda g, x, out: -g])
    try:
        Bound(lambda x: row(x[1]) * row(x), [np.array([[1.0, 2.0], [3.0, 4.0]])]).check()
    finally:
        del TABLE["doc_reversal"]


def test_nothing_warns_and_the_callers_error_state_stays() -> None:
    bound = Bound(lambda x: ad.log(x) / x, [np.array([0.0, -1.0])])
    with np.errstate(all="raise"):
        bound.replay.run()
        with pytest.raises(FloatingPointError):
            np.array([1.0]) / np.array([0.0])


# ── views, gathered gradients, memory ────────────────────────────────────────────────────────────────
VIEWS: dict[str, Callable[[Any], Any]] = {
    "parts": lambda x: x[0] * x[1] + x[2],
    "a part alone": lambda x: ad.exp(x[1]),
    "overlapping parts": lambda x: x[0:2] * x[1:3],
    "a part and the whole": lambda x: ad.sum(x[1] * 2.0) + ad.sum(ad.tanh(x)),
    "the whole, then a part": lambda x: ad.sum(ad.tanh(x)) * 2.0 + ad.sum(x[1] ** 2),
    "parts of parts": lambda x: x[0:2][1] * x[0:2][0][::-1] + x[-1],
    "one number": lambda x: x[1, 2] * x[0, 0] + x[1][2],
    "reshaped": lambda x: ad.sin(ad.reshape(x, (2, 6))[:, 1:4]) @ ad.reshape(x, (6, 2))[0:3],
    "transposed": lambda x: x.T @ x,
    "transposed part": lambda x: x.T[1] + x[:, 0],
    "spread out": lambda x: ad.broadcast_to(x[0], (3, 4)) * x,
    "the diagonal": lambda x: ad.diagonal(x[:, :3]) * x[0, :3],
    "picked twice": lambda x: x[np.array([0, 2, 2])] * 3.0 + x,
    "picked and part": lambda x: ad.sum(x[np.array([2, 1])] ** 2) + ad.sum(x[0]),
    "masked": lambda x: x[np.array([True, False, True])] * 2.0,
    "windows": lambda x: ad.sliding_windows(x, 2) * 0.5,
    "joined": lambda x: ad.concatenate([x[0], x[2], x[0] * x[1]]),
    "stacked": lambda x: ad.stack([x[0], x[0], ad.tanh(x[1])], axis=1),
    "new axes": lambda x: x[:, None] * x[None, :, ::-1],
    "one after the other": lambda x: ad.tanh(x[2] + ad.tanh(x[1] + ad.tanh(x[0]))),
    "itself": lambda x: x,
    "its part": lambda x: [x[1], x[1:], x],
    "not used": lambda x: [x[0] * 0.0, Tensor([1.0, 2.0])],
}


def layouts(array: Any) -> Iterator[Any]:
    """The same numbers: contiguous, column by column, with gaps, backwards."""
    yield np.array(array)
    yield np.asfortranarray(array)
    wide = np.full((array.shape[0] * 2, array.shape[1] * 3), np.nan)
    wide[::2, ::3] = array
    yield wide[::2, ::3]
    back = np.array(array[::-1, ::-1])
    yield back[::-1, ::-1]


@pytest.mark.parametrize("name", VIEWS)
def test_views(name: str) -> None:
    function, rng = VIEWS[name], np.random.default_rng(0)
    bound = Bound(function, [rng.uniform(0.5, 2, (3, 4))])
    bound.check()
    bound.check(rng.uniform(0.5, 2, (3, 4)))


@pytest.mark.parametrize("name", VIEWS)
def test_leaves_and_gradients_with_gaps(name: str) -> None:
    """Leaves and gradients may be parts of larger arrays, of which nothing else is touched."""
    function, rng = VIEWS[name], np.random.default_rng(1)
    start, other = rng.uniform(0.5, 2, (2, 3, 4))
    program, (number,) = recorded(function, [start])
    for leaf in layouts(start):
        for gradient in layouts(np.full((3, 4), 5.0)):
            whole = gradient if gradient.base is None else gradient.base
            untouched = np.ones(whole.shape, bool)
            leaf[...] = start
            forward = Replay(program, {number: leaf})
            replay = Replay(program, {number: leaf}, {number: gradient}, [np.ones(x.shape) for x in forward.outputs])
            if gradient.base is not None:
                marks = np.lib.stride_tricks.as_strided(untouched, gradient.shape, [s // 8 for s in gradient.strides])
                offset = (gradient.__array_interface__["data"][0] - whole.__array_interface__["data"][0]) // 8
                marks = np.ndarray(gradient.shape, bool, untouched, offset, [s // 8 for s in gradient.strides])
                marks[...] = False
                before = whole[untouched]
            for numbers in (start, other):
                leaf[...] = numbers
                replay.run()
                outputs, (want,) = eager(function, [np.array(leaf)], [np.ones(x.shape) for x in replay.outputs])
                np.testing.assert_allclose(gradient, want, rtol=RELATIVE, atol=0)
                for got, output in zip(replay.outputs, outputs, strict=True):
                    np.testing.assert_allclose(got, output, rtol=RELATIVE, atol=0)
            if gradient.base is not None:
                np.testing.assert_array_equal(whole[untouched], before)


def test_one_leaf_used_many_times() -> None:
    """The weights of a recurrent network gather a contribution from every step."""

    def function(w: Any, u: Any, x: Any) -> Any:
        inward, h = w @ x, Tensor(np.zeros((3, 5)))
        for t in range(6):
            h = ad.tanh(inward[t] + u @ h)
        return ad.mean(h**2)

    rng = np.random.default_rng(0)
    shapes = [(3, 1), (3, 3), (6, 1, 5)]
    bound = Bound(function, [rng.normal(size=s) for s in shapes])
    bound.check(tolerance=1e-12)
    bound.check(*[rng.normal(size=s) for s in shapes], tolerance=1e-12)


def recurrent(w: Any, u: Any, b: Any, x: Any, cell: Callable[..., Any], outputs: str = "last") -> Any:
    inward = w @ x + b
    h, states = cell(inward[0]), []
    for t in range(1, x.shape[0]):
        h = cell(inward[t] + u @ h)
        states.append(h)
    return {"last": h, "all": states, "mixed": [ad.sum(h), u @ states[2], states[3] * 2.0]}[outputs]


CELLS: dict[str, Callable[[Any], Any]] = {
    "tanh": ad.tanh,
    "sigmoid": ad.sigmoid,
    "relu": ad.relu,
    "gated": lambda z: ad.sigmoid(z[:2]) * ad.tanh(z[1:]),
    "power": lambda z: ad.tanh(z) ** 2.0 + ad.hypot(z, 0.5),
    "branches": lambda z: ad.tanh(z) * 0.5 + ad.tanh(-z) * 0.25 + ad.silu(z) * 2.0,
}


@pytest.mark.parametrize("outputs", ["last", "all", "mixed"])
@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_networks(cell: str, outputs: str) -> None:
    """Equal steps are taken together where nothing stands in the way, and the gradients are the same."""
    width = 2 if cell == "gated" else 3
    rng = np.random.default_rng(0)
    shapes = [(3, 1), (3, width), (3, 1), (8, 1, 5)]
    bound = Bound(lambda *leaves: recurrent(*leaves, CELLS[cell], outputs), [rng.normal(size=s) for s in shapes])
    bound.check(tolerance=1e-11)
    bound.check(*[rng.normal(size=s) for s in shapes], tolerance=1e-11)
    bound.check(*[np.zeros(s) for s in shapes], tolerance=1e-11)


def test_equal_steps_are_taken_together() -> None:
    """Each step of a tanh network costs two calls backward; its slope and its share of the weights' gradient none."""

    def backward_calls(steps: int) -> int:
        shapes = [(3, 1), (3, 3), (3, 1), (steps, 1, 5)]
        bound = Bound(lambda *leaves: recurrent(*leaves, ad.tanh), [np.full(s, 0.1) for s in shapes])
        return len(bound.replay._main.calls[1])

    assert backward_calls(20) - backward_calls(10) == 2 * 10


def test_parameters_in_one_vector() -> None:
    """Gradients lie behind one another, in another order than the leaves: as a training loop has them."""
    rng = np.random.default_rng(0)
    function = lambda w, b, x: ad.mean(ad.relu(x @ w + b) ** 2)
    shapes = [(4, 3), (3,), (5, 4)]
    program, numbers = recorded(function, [rng.normal(size=s) for s in shapes])
    leaves = [rng.normal(size=s) for s in shapes]
    flat = np.full(15, np.nan)
    found = {numbers[0]: flat[3:].reshape(4, 3), numbers[1]: flat[:3]}
    replay = Replay(program, dict(zip(numbers, leaves, strict=True)), found, [np.ones(())])
    for factor in (1.0, np.inf, -1.0):
        leaves[2] *= factor if np.isfinite(factor) else 1.0
        replay.run()
        _, (dw, db, _) = eager(function, leaves, [np.ones(())])
        np.testing.assert_allclose(flat, np.concatenate([db, dw.ravel()]), rtol=RELATIVE)


def test_sums_of_products_are_contracted() -> None:
    """Large products that only a sum reads are not written out, forward or backward."""
    rng = np.random.default_rng(0)

    def function(q: Any, k: Any, v: Any) -> Any:
        scores = ad.sum(q[:, None] * k[None], axis=2)
        return ad.sum(ad.softmax(scores, axis=1)[:, :, None] * v[None], axis=1, keepdims=True)

    arrays = [rng.normal(size=(8, 8, 40)) for _ in range(3)]
    bound = Bound(function, arrays)
    assert all(step.shape != (8, 8, 8, 40) for step in shapes_of(bound.replay))
    bound.check(tolerance=1e-11)
    bound.check(*arrays[::-1], tolerance=1e-11)


def shapes_of(replay: Replay) -> Iterator[Any]:
    for function, arguments in [*replay._main.calls[0], *replay._main.calls[1]]:
        out = getattr(function, "keywords", {}).get("out")
        yield from (x for x in (*arguments[-1:], out) if isinstance(x, np.ndarray) and x.ndim == 4)


@pytest.mark.parametrize("shapes", [((m, k), (k, n)) for m in (1, 2, 5) for k in (1, 2, 7) for n in (1, 2, 33)])
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_products_of_matrices_lose_no_nan(shapes: Any, bad: float) -> None:
    """0 * inf is NaN in matrices of all shapes, forward and backward; some routines of BLAS leave zeros out."""
    rng = np.random.default_rng(0)
    for first in (0, 1):
        arrays = [rng.normal(size=shape) for shape in shapes]
        arrays[first].flat[0], arrays[1 - first].flat[:] = bad, 0.0
        bound = Bound(lambda a, b: ad.matmul(a, b), [np.ones(shape) for shape in shapes])
        bound.check(*arrays)
        for seed in bound.seeds:
            seed[...] = 0.0
        bound.check(*arrays)


def test_buffers_are_used_again() -> None:
    """A long chain of which only the end is wanted needs two arrays, not one for each link."""
    x = np.ones((50, 50))

    def function(x: Any) -> Any:
        for _ in range(40):
            x = ad.sin(x) + ad.floor(x)
        return x

    program, (number,) = recorded(function, [x])
    replay = Replay(program, {number: x})
    homes = {a.__array_interface__["data"][0] for _, arguments in replay._main.calls[0] for a in arguments if a.ndim}
    assert len(homes) <= 4


def test_no_cycles() -> None:
    """With the collector off, a replay and its arrays go when nobody holds them any more."""
    x = np.ones((4, 4))
    program, (number,) = recorded(lambda x: ad.relu(x @ x[0]) / x, [x])
    gc.collect()
    gc.disable()
    try:
        replay = Replay(program, {number: x}, {number: np.empty((4, 4))}, [np.ones((4, 4))])
        x[0, 0] = 0.0  # the careful passes too
        replay.run()
        trace = weakref.ref(replay.outputs[0])
        del replay
        assert trace() is None
    finally:
        gc.enable()


def test_complex_numbers() -> None:
    """Holomorphic functions: everything in place is for real numbers, and the general way for the others."""
    z, w = np.array([1 + 2j, 0.5 - 1j]), np.array([[1j, 2.0], [0.3, 1 - 1j]])
    function = lambda z, w: ad.sum(ad.exp(w @ z) * z / ad.mean(w))
    program, numbers = recorded(function, [z, w])
    found = [np.empty_like(z), np.empty_like(w)]
    one = np.ones((), complex)
    replay = Replay(program, dict(zip(numbers, (z, w), strict=True)), dict(zip(numbers, found, strict=True)), [one])
    replay.run()
    (output,), wanted = eager(function, [z, w], [one])
    np.testing.assert_array_equal(replay.outputs[0], output)
    for got, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=RELATIVE)


def test_constants_are_computed_once() -> None:
    constant = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=False)
    bound = Bound(lambda x: x * ad.exp(ad.sum(ad.sin(constant), axis=1)), [np.ones(2)])
    assert len(bound.replay._main.calls[0]) == 1
    bound.check(np.array([2.0, 3.0]))


def test_common_work_is_done_once() -> None:
    """The slope of tanh, 1 - out * out, for two uses of the same tanh: four calls in all, not six."""
    bound = Bound(lambda x: ad.tanh(x) * ad.tanh(x), [np.ones(3)])
    names = [getattr(function, "__name__", "") for function, _ in bound.replay._main.calls[0]]
    assert names.count("tanh") == 1
    bound.check()


# ── outputs, seeds, passes ───────────────────────────────────────────────────────────────────────────
def test_several_outputs_with_seeds() -> None:
    function = lambda a, b: [a @ b, ad.tanh(a), ad.sum(b), a]
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(3, 4)), rng.normal(size=(4, 2))]
    seeds = [rng.normal(size=s) for s in [(3, 2), (3, 4), (), (3, 4)]]
    bound = Bound(function, arrays, seeds)
    bound.check()
    for seed in seeds:
        seed[...] *= -0.5
    bound.check(*[0.9 * a for a in arrays])


def test_an_output_given_twice() -> None:
    def function(a: Any) -> Any:
        y = ad.exp(a)
        return [y, y * 2.0, y]

    Bound(function, [np.array([0.5, 1.0])]).check()


def test_seeds_computed_from_the_outputs() -> None:
    bound = Bound(lambda a: ad.exp(a), [np.array([0.5, 1.0])])
    bound.replay.forward()
    bound.seeds[0][...] = 2 * bound.replay.outputs[0]
    bound.replay.backward()
    np.testing.assert_allclose(bound.gradients[0], 2 * np.exp(bound.arrays[0]) ** 2, rtol=1e-15)


def test_a_constant_seed() -> None:
    seed = np.full(2, 3.0)
    seed.flags.writeable = False
    bound = Bound(lambda a: a * 4.0, [np.array([0.5, 1.0])], [seed])
    bound.check()


def test_outputs_that_are_leaves_are_copies() -> None:
    bound = Bound(lambda a: [a, a[0], Tensor([5.0])], [np.array([1.0, 2.0])])
    bound.replay.run()
    bound.arrays[0][...] = 9.0
    np.testing.assert_array_equal(bound.replay.outputs[0], [1.0, 2.0])
    np.testing.assert_array_equal(bound.replay.outputs[1], 1.0)
    np.testing.assert_array_equal(bound.replay.outputs[2], [5.0])


def test_stopped_gradients() -> None:
    def function(a: Any) -> Any:
        with ad.no_grad():
            held = ad.exp(a)
        return held * a

    bound = Bound(function, [np.array([0.5, 1.0])])
    bound.check()


def test_integer_leaves_are_data() -> None:
    bound = Bound(lambda w, n: w @ n + n.sum(), [np.eye(2), np.array([3, 4])])
    bound.check()
    bound.check(2 * np.eye(2), np.array([1, -4]))


def test_mixed_precision() -> None:
    arrays = [np.ones((3, 2), np.float32), np.full((2, 4), 0.5)]
    bound = Bound(lambda a, b: ad.tanh(a @ b), arrays)
    bound.check(tolerance=1e-6)


def test_backward_follows_forward() -> None:
    bound = Bound(lambda a: ad.exp(a), [np.array([0.5, 1.0])])
    with pytest.raises(RuntimeError, match="backward follows forward"):
        bound.replay.backward()
    bound.replay.forward()
    bound.replay.backward()
    with pytest.raises(RuntimeError, match="backward follows forward"):
        bound.replay.backward()


# ── what does not fit ────────────────────────────────────────────────────────────────────────────────
def test_what_does_not_fit_is_refused() -> None:
    x = np.ones((2, 3))
    program, (number,) = recorded(lambda x: ad.tanh(x), [x])
    seeds = [np.ones((2, 3))]
    with pytest.raises(ValueError, match=r"has the leaves \[0\], and arrays were given for \[\] only"):
        Replay(program, {})
    with pytest.raises(ValueError, match="it is a NumPy array, not list"):
        Replay(program, {number: [1.0]})
    with pytest.raises(ValueError, match=r"leaf 0 has shape \(2, 3\) and dtype float64, and .* \(3, 2\) and float64"):
        Replay(program, {number: x}, {number: np.ones((3, 2))}, seeds)
    with pytest.raises(ValueError, match="float32"):
        Replay(program, {number: x}, {number: np.ones((2, 3), np.float32)}, seeds)
    with pytest.raises(ValueError, match="can be written to"):
        Replay(program, {number: x}, {number: np.broadcast_to(1.0, (2, 3))}, seeds)
    with pytest.raises(ValueError, match=r"value 1 is none of the leaves \[0\]"):
        Replay(program, {number: x}, {1: np.ones((2, 3))}, seeds)
    with pytest.raises(ValueError, match=r"output 0 has shape \(2, 3\), and its seed \(3,\)"):
        Replay(program, {number: x}, {}, [np.ones(3)])
    with pytest.raises(ValueError, match="1 outputs, and 2 seeds"):
        Replay(program, {number: x}, {}, seeds * 2)
    whole = np.arange(3)
    program, (number,) = recorded(lambda n: n * 2, [whole])
    with pytest.raises(ValueError, match="integers carry no gradient"):
        Replay(program, {number: whole}, {number: np.arange(3)}, [np.arange(3)])


def test_a_leaf_of_a_shape_that_does_not_fit_the_program() -> None:
    program, numbers = recorded(lambda a, b: a @ b, [np.ones((2, 3)), np.ones((3, 2))])
    with pytest.raises(ValueError, match=r"matmul.*\(2, 4\).*\(3, 2\)"):
        Replay(program, {numbers[0]: np.ones((2, 4)), numbers[1]: np.ones((3, 2))})
