"""Finite differences against the engine, and against derivatives known by heart."""

import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings

from autodiff import Tensor, Value, explain, gradients
from autodiff.primitives import TABLE
from autodiff.primitives.row import Primitive
from tests.viz import graphs
from tests.viz.naive import CURVED, OPERATIONS, REALS, on_values, programs
from viz import numerical
from viz.numerical import numerical_gradients
from viz.views.model import in_order

SMOOTH = {name: columns for name, columns in {**OPERATIONS, **CURVED}.items() if name != "relu"}


@settings(max_examples=150, deadline=None)
@given(program=programs(SMOOTH, REALS, longest=8))
def test_the_engine_agrees_on_every_node(program):
    output = on_values(program, Value)[-1]
    if not output.requires_grad:
        return
    explained = explain(output)
    found = numerical_gradients(output)
    assert set(found) == set(explained.adjoints)
    scale = dict.fromkeys(found, 0.0)  # what cancels when contributions are added up
    scale[output] = 1.0
    for step in explained.backward:
        scale[step.input] += scale[step.node] * (abs(step.local) + 1e-6)  # 1 - tanh(x)² has no more digits
    for node, slope in found.items():
        assert abs(slope - explained.adjoints[node]) <= 1e-9 * scale[node] + 1e-30  # a complex step squares to 1e-40


def test_by_heart():
    x = Value(0.7)
    for y, slope in [
        (x.sin(), math.cos(0.7)),
        (x.exp(), math.exp(0.7)),
        (abs(x), 1.0),
        ((x - 1.0).relu(), 0.0),
        (x.maximum(0.2), 1.0),
        (x * 3.0 - x, 2.0),
    ]:
        assert numerical_gradients(y)[x] == pytest.approx(slope, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", [name for name, op in TABLE.items() if op.partials is not None and op.number])
def test_every_row_on_numbers(name):
    op = TABLE[name]
    params = dict(op.cases[0][1]) if op.cases else {}
    leaves = [Value(low + (0.37 + 0.2 * k) * (high - low)) for k, (low, high) in enumerate(op.domain)]  # no ties
    output = op(*leaves, **params) * 1.5
    if not output.requires_grad:
        return
    found = numerical_gradients(output)
    for leaf, slope in zip(leaves, gradients(output, leaves), strict=True):
        assert found[leaf] == pytest.approx(slope, rel=1e-6, abs=1e-12)


def test_more_numbers_than_lanes(monkeypatch):
    output = graphs.network((3, 6, 4, 1))
    at_once = numerical_gradients(output)
    monkeypatch.setattr(numerical, "LANES", 7)
    in_parts = numerical_gradients(output)
    assert len(at_once) > 100
    assert set(at_once) == set(in_parts)
    for node, slope in at_once.items():
        assert in_parts[node] == pytest.approx(slope, rel=1e-12)
    adjoints = explain(output).adjoints
    for node, slope in at_once.items():
        assert slope == pytest.approx(adjoints[node], rel=1e-10)


def test_no_step_crosses_zero_and_none_is_lost():
    for size in (1e-6, 1e-3, 1e3, 1e9):
        for x, slope in [(Value(size), 2.0), (Value(-size), 0.0)]:
            assert numerical_gradients((x + abs(x)).relu())[x] == pytest.approx(slope, rel=1e-9, abs=1e-9)
            y = x * abs(x)
            assert numerical_gradients(y)[x] == pytest.approx(2 * size, rel=1e-9)
    x = Value(0.0)
    assert numerical_gradients((x + 1.0).relu())[x] == pytest.approx(1.0, rel=1e-9)


def test_some_nodes_and_a_seed():
    a, b = Value(2.0), Value(5.0)
    c = a * b
    unused = Value(1.0)
    found = numerical_gradients(c * c, [c, a, unused], seed=-2.0)
    assert list(found.values()) == [-40.0, -200.0, 0.0]


def test_fractions_and_complex_numbers():
    x = Value(Fraction(1, 3))
    assert numerical_gradients(x * x * x)[x] == pytest.approx(1 / 3, rel=1e-12)
    z = Value(1 + 2j)
    assert numerical_gradients(z * z * z)[z] == pytest.approx(3 * (1 + 2j) ** 2, rel=1e-9)
    huge = Value(Fraction(10) ** 400)  # beyond floats: no slope, and no error
    assert math.isnan(numerical_gradients(huge + 1)[huge])


def test_infinite_numbers_leave_others_alone():
    a, b, c = Value(math.inf), Value(0.0), Value(2.0)
    found = numerical_gradients(a + b * c + c)
    assert found[c] != found[c]  # inf - inf
    found = numerical_gradients(c.tanh() + (b * 0.0).maximum(c))
    assert found[b] == 0.0


def test_functions_of_one_number_at_a_time():
    def step(x):
        return math.exp(x) if x > 0 else 0.0

    bend = Primitive("bend", step, step, partials=[lambda x, out: out])
    a, b = Value(0.5), Value(-0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = numerical_gradients(bend(a) + bend(b) + a)
    assert found[a] == pytest.approx(math.exp(0.5) + 1, rel=1e-9)
    assert found[b] == 0.0


def test_functions_that_look_at_a_whole_array():
    total = Primitive("total", lambda x: 2 * x, lambda x: 2 * np.sum(x), rules=[lambda g, x, out: 2 * g])
    a, b = Value(3.0), Value(5.0)
    found = numerical_gradients(total(a) * b)
    assert (found[a], found[b]) == (10.0, 6.0)


def test_arrays_entry_by_entry():
    loss = graphs.tensors()
    found = numerical_gradients(loss)
    adjoints = explain(loss).adjoints
    assert set(found) == set(adjoints)
    for node, slope in found.items():
        assert slope.shape == node.data.shape
        assert np.allclose(slope, adjoints[node], rtol=1e-9, atol=1e-15)


def test_arrays_with_kinks_in_single_precision():
    x = Tensor(np.array([[0.5, -0.5], [1.5, 2.0]], dtype=np.float32), label="x")
    loss = (x.relu() * x).sum()
    assert np.allclose(numerical_gradients(loss)[x], [[1.0, 0.0], [3.0, 4.0]], rtol=1e-5, atol=1e-6)


def test_large_arrays_are_left_out():
    large, small = Tensor(np.ones(1200), label="large"), Tensor(np.ones(3), label="small")
    found = numerical_gradients(large.sum() + small.sum())
    assert small in found
    assert large not in found
    assert all(np.size(node.data) <= 3 for node in found)
    half, other = Tensor(np.ones(600), label="half"), Tensor(np.ones(600), label="other")
    found = numerical_gradients(half.sum() * other.sum())
    assert half in found
    assert other not in found


def test_no_node_is_touched():
    output = graphs.network()
    numerical_gradients(output)
    assert all(node.grad is None for node in in_order([output]))
