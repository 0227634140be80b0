"""Gradients as sums over paths: against all paths enumerated one by one, and against differences."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import viz
from autodiff import GraphError, Tensor, Value, exp, gradients, log, relu, scope, sqrt, tanh, where
from viz.path_sums.paths import paths
from viz.path_sums.words import amount_of, percent

# What each operation does to numbers, and its derivatives, written down here once more by hand.
RECIPES = {
    "add": (2, lambda a, b: a + b, lambda a, b: (1, 1)),
    "subtract": (2, lambda a, b: a - b, lambda a, b: (1, -1)),
    "multiply": (2, lambda a, b: a * b, lambda a, b: (b, a)),
    "halve": (1, lambda a: a * Fraction(1, 2), lambda a: (Fraction(1, 2),)),
    "square": (1, lambda a: a**2, lambda a: (2 * a,)),
    "bend": (1, tanh, lambda a: (1 - math.tanh(a) ** 2,)),
}


class Made:
    """A random graph: a Value for each number, and by hand what each was made from and the derivatives."""

    def __init__(self, numbers, steps):
        self.leaves = [Value(x) for x in numbers]
        self.nodes = list(self.leaves)
        self.back = [[] for _ in numbers]  # for each node: (place of the input, derivative)
        self.steps = steps
        for name, picks in steps:
            arity, forward, partials = RECIPES[name]
            places = [p % len(self.nodes) for p in picks[:arity]]
            given = [self.nodes[p] for p in places]
            if name == "halve":
                half = Fraction(1, 2) if isinstance(given[0].data, Fraction) else 0.5
                node = given[0] * half
            else:
                node = forward(*given)
            self.nodes.append(node)
            self.back.append(list(zip(places, partials(*[x.data for x in given]), strict=True)))

    def enumerated(self, leaf=0):
        """The product of every path from the last node back to a leaf, one by one."""
        found = []
        stack = [(len(self.nodes) - 1, 1)]
        while stack:
            place, product = stack.pop()
            if place == leaf:
                found.append(product)
            stack += [(p, product * local) for p, local in self.back[place]]
        return found


def graphs(numbers, operations, most=9):
    step = st.tuples(st.sampled_from(operations), st.tuples(st.integers(0, 30), st.integers(0, 30)))
    recent = st.lists(step, min_size=1, max_size=most)
    return st.builds(Made, st.lists(numbers, min_size=1, max_size=3), recent)


smooth = st.floats(-2, 2, allow_subnormal=False).filter(lambda x: abs(x) > 1e-3)
fractions = st.fractions(-3, 3, max_denominator=7)


@given(graphs(smooth, ["add", "subtract", "multiply", "bend", "halve"]), st.integers(1, 12))
@settings(deadline=None, max_examples=200)
def test_floats_against_all_paths(made, k):
    output, leaf = made.nodes[-1], made.leaves[0]
    found = paths(output, leaf, k)
    truth = sorted(made.enumerated(), key=abs, reverse=True)
    assert found.count == len(truth)
    assert len(found) == min(k, len(truth))
    assert [abs(p.product) for p in found] == pytest.approx([abs(x) for x in truth[:k]], rel=1e-12, abs=1e-300)
    size = math.fsum(map(abs, truth))
    assert abs(found.gradient - math.fsum(truth)) <= 1e-12 * size
    assert abs(math.fsum(p.product for p in found) + found.rest - found.gradient) <= 1e-14 * size


@given(graphs(fractions, ["add", "subtract", "multiply", "square", "halve"], most=7), st.integers(1, 12))
@settings(deadline=None, max_examples=200)
def test_fractions_exactly(made, k):
    output, leaf = made.nodes[-1], made.leaves[0]
    found = paths(output, leaf, k)
    truth = sorted(made.enumerated(), key=abs, reverse=True)
    assert found.count == len(truth)
    assert [abs(p.product) for p in found] == [abs(x) for x in truth[:k]]
    assert found.gradient == sum(truth)
    assert sum(p.product for p in found) + found.rest == found.gradient
    assert all(isinstance(p.product, Fraction) for p in found)
    assert len({(p.nodes, p.positions) for p in found}) == len(found)


@given(graphs(smooth, ["add", "multiply", "bend"]), st.integers(1, 6))
@settings(deadline=None, max_examples=100)
def test_what_a_path_says_of_itself(made, k):
    for path in paths(made.nodes[-1], made.leaves[0], k):
        assert path.nodes[0] is made.nodes[-1]
        assert path.nodes[-1] is made.leaves[0]
        for node, position, x in zip(path.nodes, path.positions, path.nodes[1:], strict=False):
            assert node.inputs[position] is x
        assert math.prod(path.factors) == pytest.approx(path.product, rel=1e-13)
        assert len(path) == len(path.factors) == len(path.nodes) - 1
        if path.product:
            assert path.log10 == pytest.approx(math.log10(abs(path.product)), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_sum_is_the_slope(seed):
    def computed(x):
        a = Value(x, label="a")
        y = (a * (0.3 + seed) + 1).tanh() * a + (a * a).sin() / (2 + a.exp())
        return a, y

    a, y = computed(0.7)
    found = paths(y, a, 100)
    h = 1e-5
    slope = (computed(0.7 + h)[1].data - computed(0.7 - h)[1].data) / (2 * h)
    assert len(found) == found.count == 5
    assert math.fsum(p.product for p in found) == pytest.approx(slope, rel=1e-8)
    assert found.gradient == gradients(y, [a])[0]
    assert found.rest == 0


def test_both_arrows_of_a_square_are_paths():
    a = Value(3.0, label="a")
    found = paths(a * a, a)
    assert [p.positions for p in found] == [(0,), (1,)]
    assert [p.product for p in found] == [3.0, 3.0]
    assert [p.share for p in found] == [0.5, 0.5]
    assert "v1 ← a (input 1)" in str(found)
    assert "v1 ← a (input 2)" in str(found)


def test_a_million_million_paths_and_more_are_counted_exactly():
    a = y = Value(Fraction(1), label="a")
    for _ in range(1000):
        y = y + y
    found = paths(y, a, 3)
    assert found.count == found.gradient == 2**1000
    assert found.rest == 2**1000 - 3
    assert "about 1.072e301 paths" in str(found)


def test_fibonacci_many_paths():
    a, b = Value(Fraction(1), label="a"), Value(Fraction(1))
    before, y = a, a + b
    for _ in range(100):
        before, y = y, y + before
    one, two = 1, 1
    for _ in range(99):
        one, two = two, one + two
    assert paths(y, a, 1).count == one + two


@pytest.mark.parametrize(("factor", "kind"), [(1e-3, 0.0), (1e3, math.inf)])
def test_products_beyond_floats_are_told_apart(factor, kind):
    a = Value(1e-300 if factor > 1 else 1.0, label="a")
    y = a
    for _ in range(2000):
        y = y * factor
    z = y * 2 + y * 3 + y * -5  # three paths that a float cannot tell apart, all of them 0 or inf
    found = paths(z, a, 3)
    assert [p.product for p in found] == [-kind, kind, kind] or kind == 0
    assert [p.factors[-2001] for p in found] == [-5.0, 3.0, 2.0]
    expected = 2000 * math.log10(factor)
    assert [p.log10 for p in found] == pytest.approx([expected + math.log10(x) for x in (5, 3, 2)], abs=1e-6)
    assert found[0].amount in ("−5.000e−6000", "−5.000e6000")


def test_rounding_does_not_swap_products():
    """Two products that differ in their last bit only."""
    a = Value(1.0, label="a")
    tiny = math.nextafter(1.0, 2.0)
    y = a * 0.1 * 1.0 + a * (0.1 * tiny) + a * (0.1 * math.nextafter(1.0, 0.0))
    products = [p.product for p in paths(y, a, 3)]
    assert products == sorted(products, reverse=True)
    assert set(products) == {0.1, 0.1 * tiny, 0.1 * math.nextafter(1.0, 0.0)}


def test_zeros_come_last():
    a, zero = Value(2.0, label="a"), Value(0.0)
    y = a * zero + a * 0.5 + a * zero
    assert [p.product for p in paths(y, a, 3)] == [0.5, 0.0, 0.0]
    assert [p.log10 for p in paths(y, a, 3)][1:] == [-math.inf, -math.inf]


def test_nan_and_inf_come_first():
    a = Value(0.0, label="a")
    y = a * 5 + sqrt(a) * 0.0 + sqrt(a) * 2 + a * -7
    found = paths(y, a, 4)
    assert math.isnan(found[0].product)  # 0 * inf
    assert [p.product for p in found[1:]] == [math.inf, -7.0, 5.0]
    assert math.isnan(found.gradient)
    assert all(p.share is None for p in found)
    assert "—" in str(found)
    assert math.isnan(gradients(y, [a])[0])


def test_what_is_not_read_brings_nothing_as_in_the_engine():
    a = Value(-1.0, label="a")
    y = sqrt(relu(a)) + a * 3
    found = paths(y, a, 2)
    assert [p.product for p in found] == [3.0, 0.0]
    assert found.gradient == 3.0 == gradients(y, [a])[0]
    b = Value(0.0, label="b")
    z = where(False, log(b), b * 2)  # 0 is handed to log, whose factor is inf: NaN, in the engine too
    assert [str(p.product) for p in paths(z, b)] == ["nan", "2.0"]
    assert math.isnan(gradients(z, [b])[0])


def test_a_later_zero_or_inf_does_not_lose_paths():
    """What each node keeps: the kinds apart, as a factor on the way may turn their order."""
    a = Value(0.0, label="a")
    many = sqrt(a)  # its factor is inf: the paths of product 0 up to here become NaN, the others inf
    zero = Value(0.0)
    y = many * 1 + many * 2 + many * 3 + many * 4 + many * zero
    found = paths(y, a, 2)
    assert math.isnan(found[0].product)
    assert found[1].product == math.inf
    assert found.count == 5


def test_complex_numbers():
    z = Value(0.5 + 1j, label="z")
    y = z * z * (2 - 1j) + exp(z)
    found = paths(y, z, 5)
    assert found.gradient == pytest.approx(2 * (0.5 + 1j) * (2 - 1j) + y.inputs[1].data)
    assert sum(p.product for p in found) == pytest.approx(found.gradient)
    assert [abs(p.product) for p in found] == sorted((abs(p.product) for p in found), reverse=True)


def test_a_computed_end_the_end_itself_and_no_way_there():
    a = Value(2.0, label="a")
    b = a * 3
    y = b.tanh()
    assert paths(y, b).count == 1
    assert paths(y, b).gradient == gradients(y, [b])[0]
    itself = paths(y, y)
    assert (itself.count, itself.gradient, itself[0].product, len(itself[0])) == (1, 1.0, 1.0, 0)
    none = paths(y, Value(1.0, label="other"))
    assert (none.count, none.gradient, none.rest, len(none)) == (0, 0.0, 0.0, 0)
    assert str(none) == "∂output/∂other = 0.0: no path leads from output back to other"


def test_no_grad_is_touched_and_constants_are_no_ends():
    a, c = Value(2.0, label="a"), Value(3.0, requires_grad=False, label="c")
    y = a * c
    paths(y, a)
    assert a.grad is None is y.grad
    with pytest.raises(GraphError, match="no gradient flows to c"):
        paths(y, c)
    with pytest.raises(GraphError, match="no gradient flows"):
        paths(c + 1, a)
    a.data = 5.0
    with pytest.raises(GraphError, match="a was changed after"):
        paths(y, a)


def test_tensors_of_one_number_have_paths_and_arrays_have_not():
    t = Tensor([2.0], label="t")
    found = paths((t * t + t).sum(), t)
    assert (found.count, found.gradient) == (3, 5.0)
    assert [p.product for p in found] == [2.0, 2.0, 1.0]
    W = Tensor([[1.0, 2.0]], label="W")
    with pytest.raises(TypeError, match=r"W has shape \(1, 2\): a step between arrays .* Values .* viz.gradient_flow"):
        paths((W * 2).sum(), W)
    with pytest.raises(TypeError, match=r"the result of multiply has shape \(3,\)"):
        paths((t * Tensor([1.0, 2.0, 3.0])).sum(), t)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((3.0, 1.0), TypeError, "paths takes two Values, such as paths\\(loss, w\\), and the output is the float 3.0"),
        ((Value(1.0), "w"), TypeError, "the leaf is the str 'w'"),
        ((Value(1.0), Value(1.0), 2.5), TypeError, "a whole number such as 5, not the float 2.5"),
        ((Value(1.0), Value(1.0), True), TypeError, "whole number"),
        ((Value(1.0), Value(1.0), 0), ValueError, "at least 1, not 0"),
    ],
)
def test_bad_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        paths(*arguments)


def test_a_hook_makes_it_no_sum_over_paths():
    a = Value(2.0, label="a")
    remove = a.register_hook(lambda gradient: 10 * gradient)
    with pytest.raises(ValueError, match=r"a has a hook, .* remove the hook first"):
        paths(a * 3, a)
    remove()
    assert paths(a * 3, a).gradient == 3.0


def test_the_text():
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    y = a * b + a
    y.label = "y"
    assert str(paths(y, a, 1)).splitlines() == [
        "∂y/∂a = −2.0, the sum over 2 paths",
        "1.  −3.0  150 %   y ← v1 ← a:  1.0 × (−3.0) = −3.0",
        "     1.0  −50 %   1 other path",
    ]
    assert repr(paths(y, a)) == "<Paths: 2 of 2 paths, gradient −2.0>"
    assert repr(paths(y, a)[0]) == "<Path of 2 steps, product −3.0>"
    (first, _) = paths(y, a).table
    assert first["path"] == ("y", "v1", "a")
    assert (first["rank"], first["product"], first["share"], first["factors"]) == (1, -3.0, 1.5, (1.0, -3.0))


def test_a_long_path_is_told_by_its_ends():
    h = Value(0.5, label="h")
    y = h
    for _ in range(500):
        y = y * 0.9
    text = str(paths(y, h))
    assert len(text) < 400
    assert "(494 more)" in text
    assert text.count("←") == 6


def test_hostile_names_stay_on_their_line():
    a = Value(2.0, label="a\n\x1b[31m" + "x" * 1000)
    text = str(paths(a * a, a))
    assert len(text.splitlines()) == 3
    assert "\x1b" not in text
    assert all(len(line) < 200 for line in text.splitlines())


def test_numbers_as_words():
    assert amount_of(0.0, -4000.25) == "5.623e−4001"
    assert amount_of(-math.inf, 400.5) == "−3.162e400"
    assert amount_of(math.inf, math.inf) == "inf"
    assert [percent(x) for x in (None, 0.0, 1 / 3, -2.0, Fraction(1, 8), 1e-9, 1e9)] == [
        *("—", "0 %", "33.3 %", "−200 %", "12.5 %", "1.000e−7 %", "1e11 %"),
    ]


def test_a_graph_of_many_nodes():
    h, u = Value(0.5), Value(0.9, label="u")
    for t in range(5000):
        with scope(f"step {t}"):
            h = tanh(u * h + 0.1)
    found = paths(h, u)
    assert found.count == 5000
    assert found.gradient == gradients(h, [u])[0]
    assert 0 < found.rest < found.gradient


def test_public():
    assert viz.paths is paths
    assert viz.Paths is type(paths(Value(1.0) * 2, Value(1.0)))
