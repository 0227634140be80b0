"""A sample of ``python -m tests.autodiff.compiler.random_programs``, that it would notice faults, and its bounds."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest

import autodiff as ad
from autodiff import Value, compile, elu, exp, log, no_grad, relu, where
from tests.autodiff.compiler.random_functions import KINDS, random_case
from tests.autodiff.compiler.random_programs import Case, Checked, Difference, check, draw
from tests.autodiff.compiler.rounding import U, bounds, gamma
from tests.autodiff.compiler.shrinking import Run, shrunk
from tests.autodiff.mutants import Mutant, damaged

pytest.importorskip("numba")

BATCHES = (1, 2, 19)


@pytest.mark.parametrize("part", range(4))
def test_compiled_is_eager(part):
    for number in range(60 * part, 60 * (part + 1)):
        outcome = check(2024, number, BATCHES)
        assert not outcome.difference.wrong, outcome.difference.wrong


@pytest.mark.slow
def test_compiled_is_eager_in_a_larger_sample():
    for number in range(2000):
        outcome = check(2025, number)
        assert not outcome.difference.wrong, outcome.difference.wrong


def test_every_kind_and_every_row_is_drawn():
    drawn = set()
    for number in range(400):
        case = draw(random.Random(number))
        program = compile(case.function).program(case.params, *case.batches)
        drawn.update(op.name for op in program.ops if op is not None)
    rows = {row.name for row in ad.TABLE.values() if row.partials is not None and row.number is not None}
    assert drawn >= rows
    assert len(set(KINDS)) >= 25


# ── it would notice ──────────────────────────────────────────────────────────────────────────────────
def sample(count=20):
    """Cases of which something depends on every leaf, and what is expected of them."""
    found = []
    for number in range(count):
        rng = random.Random(f"sample {number}")
        checked = Checked(draw(rng), rng, (7,))
        if checked.unsure() < 1e-10:
            found.append(checked)
    return found


def noticed(checked, change):
    """Whether numbers that were changed are found to be wrong, for each of outputs, dP and dX that can be changed."""
    answers = []
    for k in range(3):
        numbers = [np.array(wanted) for _, wanted, _ in checked.expected[7]]
        if change(numbers[k]):
            difference = Difference()
            checked.compare(difference, "changed", 7, numbers)
            answers.append(bool(difference.wrong))
    return answers


def times(factor):
    def change(x):
        known = np.flatnonzero(np.isfinite(x) & (np.abs(x) > 1e-290))
        if known.size:
            x.flat[known[known.size // 2]] *= factor
        return known.size

    return change


def swapped(x):
    if len(x) < 2 or (x[0] == x[1]).all() or np.isnan(x[:2]).any():
        return False
    x[[0, 1]] = x[[1, 0]]
    return True


def no_longer_finite(x):
    if x.size:
        x.flat[-1] = 0.0 if np.isnan(x.flat[-1]) else np.nan
    return x.size


CHANGES = [times(1.001), times(1 + 1e-9), times(-1), times(0), swapped, no_longer_finite]


@pytest.mark.parametrize("change", CHANGES, ids=["1.001", "1e-9", "sign", "dropped", "swapped", "nan"])
def test_a_changed_number_is_noticed(change):
    answers = [answer for checked in sample() for answer in noticed(checked, change)]
    assert len(answers) >= 10
    assert all(answers)


@pytest.mark.parametrize("back_end", ["numpy", "numba"])
def test_a_weight_read_from_the_place_of_another_is_noticed(back_end):
    def function(w, x):
        return [w[0] * x[0] + w[1] * x[1], w[2] * x[0] + w[3] * x[1]]

    def other(w, x):
        return [w[0] * x[0] + w[1] * x[1], w[3] * x[0] + w[2] * x[1]]

    def without_a_term(w, x):
        return [w[0] * x[0] + w[1] * x[1], w[2] * x[0] + 0 * w[3] * x[1]]

    rng = np.random.default_rng(0)
    case = Case("", function, rng.normal(size=4).tolist(), (rng.normal(size=(7, 2)),))
    for wrong in (function, other, without_a_term):
        checked = Checked(case, random.Random(0), (7,))
        checked.fast = compile(wrong, backend=back_end)
        difference = Difference()
        checked.compare(difference, "public", 7, checked.publicly(7))
        assert bool(difference.wrong) == (wrong is not function)


def test_a_wrong_rule_is_noticed():
    """Eager with a damaged rule against programs compiled before it was."""
    case = Case("", lambda p, x: p[0] * log(x[0]) + exp(p[1] * x[1]), [0.5, 0.7], (np.full((2, 2), 1.5),))
    whole = Checked(case, random.Random(0), (2,))
    found = whole.publicly(2)
    with damaged(Mutant("log", 0)):
        checked = Checked(case, random.Random(0), (2,))
    difference = Difference()
    checked.compare(difference, "public", 2, found)
    assert difference.wrong.startswith("dX[0, 0] (public, batch 2): compiled ")


def test_what_fails_is_cut_down_to_a_small_program():
    rng = random.Random(0)
    checked = Checked(Case("", *random_case(4, 7)[:2], tuple(map(np.array, random_case(4, 7)[2]))), rng, (7,))
    whole = Run(checked.program, checked.P, checked.X, checked.seed)
    (last,) = [i for i, op in enumerate(whole.program.ops) if op is not None][-1:]
    name = whole.program.ops[last].name
    small = shrunk(whole, lambda run: any(op is not None and op.name == name for op in run.program.ops))
    assert whole.program.instructions > 5
    assert small.program.instructions == 1
    assert small.X.shape[1] == 1
    assert str(small).startswith("1 instruction on ")


# ── faults that it found ─────────────────────────────────────────────────────────────────────────────
def windows(p, x):
    """The gradients of inputs that stand in several windows."""
    return relu(p[0] * x[0] + p[1] * x[1]) + relu(p[0] * x[1] + p[1] * x[2])


def stopped_first(p, x):
    """Parts of a block, taken first where no gradient passes."""
    a, b = relu(p[0] * x[0] + 0.0), relu(p[0] * x[1] + 0.0)
    with no_grad():
        total = a + b
    return a - total * p[1]


def flat(p, x):
    """A gradient of 0 goes on, and meets an infinite derivative."""
    return ad.round(log(x[0] - x[0])) + p[0] * x[1]


def compared_numbers(p, x):
    """No gradient passes a comparison, not even 0."""
    return where(log(x[0] - x[0]) > 0, p[1] * x[0], p[0] * x[1])


def unreached(p, x):
    """What no gradient reaches, beside what it does reach."""
    inner = [log(x[0] - x[0]) + p[0], elu(x[1]) + p[0], x[2] + p[1]]
    return inner[0].detach() + inner[1] * inner[2]


def no_negative_zero(p, x):
    """Rounding gives 0.0, of which 1 / 0.0 is inf."""
    return 1 / ad.silu(ad.ceil(x[0] * -0.1)) + p[0] * x[1] + p[1] * x[2]


def alone_in_a_list(p, x):
    return [p[0] * x[0] + p[1] * x[2]]


FOUND = [windows, stopped_first, flat, compared_numbers, unreached, no_negative_zero, alone_in_a_list]


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("function", FOUND)
def test_faults_that_were_found(function, batch, backend):
    case = Case("", function, [0.6, 0.4], (np.random.default_rng(1).uniform(0.1, 2, (batch, 3)),))
    checked = Checked(case, random.Random(0), (batch,))
    checked.fast = compile(function, backend=backend)
    assert not checked.run(batch).wrong


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("weights", [[np.inf, -np.inf], [1e308, 1e308], [np.nan, 1.0]])
def test_gradients_from_several_places_are_added_without_a_word(weights):
    for function in (
        lambda p, x: [p[0] * x[0] + p[1] * x[1], p[0] * x[1] + p[1] * x[2]],
        lambda p, x: [p[0] * x[1], (p[1] * x[1]).tanh(), p[0] * x[0] + p[1] * x[1], p[1] * exp(x[1])],
    ):
        case = Case("", function, weights, (np.random.default_rng(1).uniform(0.1, 2, (7, 3)),))
        assert not Checked(case, random.Random(0), (7,)).run(7).wrong


def test_a_gradient_may_be_infinite_rather_than_nan():
    """w * w is computed once: its derivative inf times a sum, where eager adds inf and -inf."""
    case = Case("", lambda p, x: p[0] * p[0] * x[0], [np.inf], (np.random.default_rng(0).normal(size=(7, 1)),))
    checked = Checked(case, random.Random(0), (7,))
    difference = checked.run(7)
    assert np.isnan(checked.expected[7][1][1]).all()
    assert difference.infinite
    assert not difference.wrong
    for numbers in ([0.0], [1e300]):
        other = Difference()
        checked.compare(other, "changed", 7, [checked.expected[7][0][1], np.array(numbers), checked.expected[7][2][1]])
        assert other.wrong


# ── the bounds ───────────────────────────────────────────────────────────────────────────────────────
def bounds_of(function, P, X, seed=1.0):
    """The bounds for a function (params, inputs) -> number, and its program."""
    program = compile(function).program(list(P), np.array(X))
    return bounds(program, np.array(P), np.array(X).T, np.full((1, len(X)), seed))


def test_a_sum_has_the_bound_of_higham():
    """(n - 1) u times the sum of the magnitudes, however it is written."""
    x = [0.1, -0.7, 3.0, 1e-3, -2.5]
    expected = gamma(4) * sum(map(abs, x))
    for function in (
        lambda p, x: x[0] + x[1] + x[2] + x[3] + x[4],
        lambda p, x: (x[0] + x[1]) + (x[2] + (x[3] + x[4])),
        lambda p, x: x[0] - (-x[1] - (x[2] + x[3])) + x[4],
    ):
        assert bounds_of(function, [1.0], [x]).outputs == pytest.approx(expected, rel=1e-14)


def test_a_dot_product_has_the_bound_of_higham():
    """u for each product and (n - 1) u for the sum."""
    w, x = [0.3, -1.1, 0.7], [2.0, 0.1, -0.4]
    size = sum(abs(a * b) for a, b in zip(w, x, strict=True))
    found = bounds_of(lambda w, x: w[0] * x[0] + w[1] * x[1] + w[2] * x[2], w, [x])
    assert found.outputs == pytest.approx((gamma(2) + U) * size, rel=1e-14)
    assert found.of_dP(1) == pytest.approx(2 * U * np.abs(x), rel=1)  # exact but for the seed


def test_the_gradient_of_a_parameter_is_a_sum_over_the_batch():
    X = np.array([[1.0], [-2.0], [3.5], [1e3]])
    found = bounds_of(lambda w, x: w[0] * x[0], [0.3], X)
    assert gamma(3) * np.abs(X).sum() <= found.of_dP(4)[0] <= gamma(6) * np.abs(X).sum()
    assert found.of_dP(2)[0] < found.of_dP(4)[0] / 100


def test_a_sum_that_is_used_again_and_again_is_added_up_once():
    def doubled(w, x):
        y = w[0] * x[0]
        for _ in range(80):
            y = y * 0.75 + y * 0.25
        return y

    found = bounds_of(doubled, [0.5], [[1.5]])
    assert 80 * U < found.outputs[0, 0] < 500 * U
    assert found.dX[0, 0] < 500 * U


def test_nothing_is_lost_to_choices_and_infinities_are_exact():
    found = bounds_of(lambda w, x: relu(x[0]) * w[0], [2.0], [[np.inf], [-1.0], [np.nan]])
    assert found.outputs.tolist() == [[0, 0, 0]]
    assert (found.dX <= 1e-15).all()


def test_a_number_too_near_a_kink_has_a_large_bound():
    near = lambda w, x: relu(x[0] + x[1] - x[2])
    found = bounds_of(near, [1.0], [[0.1, 0.2, 0.3], [0.1, 0.2, 0.2]])  # 0.1 + 0.2 - 0.3 is 5.6e-17
    assert found.dX[0, 0] >= 1
    assert found.dX[0, 1] < 1e-15


@pytest.mark.parametrize("seed", range(60))
def test_the_exact_numbers_lie_within_the_bounds(seed):
    """Against rational arithmetic: a random program of sums, products and quotients, and its gradients."""

    def function(p, x):
        rng = random.Random(seed)
        numbers = [*p, *x]
        for _ in range(12):
            a, b = rng.choice(numbers[-6:]), rng.choice(numbers)
            way = rng.randrange(5)
            numbers.append(a + b if way < 2 else a - b * 2 if way == 2 else a * b if way == 3 else a / (b * b + 1))
        return numbers[-1] * numbers[-2] - numbers[-3]

    rng = np.random.default_rng(seed)
    P, X = rng.normal(size=3), rng.normal(size=(1, 3))

    def evaluated(kind):
        p, x = [Value(kind(v)) for v in P.tolist()], [Value(kind(v)) for v in X[0].tolist()]
        y = function(p, x)
        y.backward()
        return [Fraction(v) for v in (y.data, *[0 if leaf.grad is None else leaf.grad for leaf in p + x])]

    exact, found = evaluated(Fraction), evaluated(float)
    limits = bounds_of(function, P, X)
    allowed = [*limits.outputs[0], *limits.of_dP(1), *limits.dX[:, 0]]
    errors = [float(abs(a - b)) for a, b in zip(exact, found, strict=True)]
    assert all(error <= limit for error, limit in zip(errors, allowed, strict=True))
    sizes = [float(abs(x)) for x in exact]
    assert all(limit <= 1e-11 * max(sizes) for limit in allowed)  # and the bounds are small
