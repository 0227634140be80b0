"""The program: how it reads, what simplification keeps to the last bit, and its graph."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import viz
from autodiff import (
    TABLE,
    Tensor,
    Value,
    compile,
    enable_grad,
    exp,
    gradients,
    leaky_relu,
    no_grad,
    observe,
    scope,
    sqrt,
)
from autodiff.compiler.passes import simplify
from autodiff.compiler.program import Program, Recorder


def recorded(function, *numbers):
    recorder = Recorder()
    leaves = [Value(x, label=f"x{i}") for i, x in enumerate(numbers)]
    for leaf in leaves:
        recorder.shared(leaf)
    with observe(recorder):
        out = function(*leaves)
    outputs = out if isinstance(out, list) else [out]
    recorder.program.outputs = [recorder.number(y) for y in outputs]
    recorder.program.example = list(numbers)
    return recorder.program


# ── how it reads ─────────────────────────────────────────────────────────────────────────────────────
def test_print():
    def loss(params, x, y):
        z = sum(w * a for w, a in zip(params["w"], x, strict=True)) + params["b"]
        z.label = "score"
        with no_grad():
            scale = exp(z)
        return (leaky_relu(z, 0.3) - y) ** 2 * scale / 1e-7

    fast = compile(loss)
    text = str(fast.program({"w": [1.0, 2.0], "b": 0.5}, np.ones((3, 2)), np.ones(3)))
    assert text.splitlines() == [
        "11 instructions on 3 shared and 3 varying leaves, 1 output",
        "  v6 = params['w'][0] * x[0]",
        "  v8 = 0.0 + v6",
        "  v9 = params['w'][1] * x[1]",
        "  v10 = v8 + v9",
        "  v11 = v10 + params['b']   # score",
        "  v12 = exp(v11)   # no gradient passes",
        "  v13 = leaky_relu(v11, negative_slope=0.3)",
        "  v14 = v13 - y",
        "  v15 = v14 ** 2",
        "  v16 = v15 * v12",
        "  v18 = v16 / 1e-07",
        "  return v18",
    ]


def test_long_programs_are_elided():
    text = str(recorded(lambda x: sum([x * float(k) for k in range(1, 2000)], x), 1.0))
    assert len(text.splitlines()) == 63
    assert "... 3,938 more ..." in text
    many = recorded(lambda x: [x * float(k) for k in range(20)], 1.0)
    assert str(many).endswith(", ...")
    assert repr(many) == "<Program 20 instructions on 1 shared and 0 varying leaves, 20 outputs>"


# ── simplification ───────────────────────────────────────────────────────────────────────────────────
def test_constants_are_folded_and_the_dead_dropped():
    def f(x):
        unused = exp(x) * 3.0
        assert unused.data
        return x * (Value(2.0, requires_grad=False) * 3.0 + 1.0)

    program = simplify(recorded(f, 0.5))
    assert program.instructions == 1
    assert list(program.constants.values()) == [7.0]


def test_what_is_computed_twice_is_computed_once():
    program = simplify(recorded(lambda x, y: exp(x * y) + exp(x * y) * (x * y) - exp(y * x), 0.5, 2.0))
    assert program.instructions == 7  # two products, two exponentials, and three sums and products of them


def test_algebra_stays_as_it_was_written():
    """x * 0 is NaN at infinity, x - x at NaN, and 0 + x is not x at -0.0."""
    program = simplify(recorded(lambda x: [x * 0.0, x - x, 0.0 + x, x * 1.0, x.negative().negative(), x / x], 1.0))
    assert program.instructions == 7
    zeros = simplify(
        recorded(lambda x: [x / Value(0.0), x / Value(-0.0), x + Value(math.nan), x + Value(math.nan)], 1.0)
    )
    assert zeros.instructions == 3
    assert sorted(map(repr, zeros.constants.values())) == ["-0.0", "0.0", "nan"]
    assert [y.data for y in zeros.graph()][:2] == [math.inf, -math.inf]


def test_parameters_of_rows_are_told_apart():
    program = simplify(
        recorded(lambda x: [leaky_relu(x, 0.1), leaky_relu(x, 0.1), leaky_relu(x, 0), leaky_relu(x, -0.0)], 1.0)
    )
    assert program.instructions == 3


def test_stopped_values_stay_apart():
    def f(x):
        with no_grad():
            frozen = x * x
        return x * x + frozen

    program = simplify(recorded(f, 3.0))
    assert program.instructions == 3
    y = program.graph()
    y.backward()
    (leaf,) = {node for node in _nodes(y) if node.op is None and node.label == "x0"}
    assert leaf.grad == 6.0


def _nodes(output):
    found, stack = set(), [output]
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack.extend(node.inputs)
    return found


BINARY = [op for op in TABLE.values() if op.number is not None and op.arity == 2 and not op.defaults and op.partials]
UNARY = [op for op in TABLE.values() if op.number is not None and op.arity == 1 and not op.defaults and op.partials]
NUMBERS = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e200, -1e-200, math.inf, -math.inf, math.nan])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_simplified_programs_give_the_same_bits(data):
    """Random programs over all elementwise rows, with constants of every kind among them."""
    numbers = data.draw(st.lists(NUMBERS, min_size=1, max_size=3))
    steps = data.draw(
        st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6)), max_size=25)
    )
    constants = data.draw(st.lists(NUMBERS, min_size=1, max_size=3))

    def build(*leaves):
        values = [*leaves, *(Value(c, requires_grad=False) for c in constants)]
        for which, a, b in steps:
            x, y = values[a % len(values)], values[b % len(values)]
            ops = UNARY if which % 2 else BINARY
            op = ops[which // 2 % len(ops)]
            values.append(op(x) if which % 2 else op(x, y))
        return values[-4:]

    program = recorded(build, *numbers)
    simple = simplify(program)
    assert simple.instructions <= program.instructions
    for p in (program, simple):
        with enable_grad():
            outputs = p.graph()
        plain = build(*[Value(x) for x in numbers])
        for found, want in zip(outputs, plain, strict=True):
            assert repr(found.data) == repr(want.data)
            assert math.copysign(1, found.data) == math.copysign(1, want.data) or want.data != want.data


# ── as a graph ───────────────────────────────────────────────────────────────────────────────────────
def test_the_graph_is_drawn_and_differentiated():
    def loss(params, x, y):
        with scope("layer"):
            z = params[0] * x + params[1]
        z.label = "z"
        return (z.tanh() - y) ** 2

    program = compile(loss).program([0.5, 0.1], np.array([2.0, 3.0]), np.array([1.0, 0.0]))
    y = program.graph()
    assert y.data == pytest.approx((math.tanh(1.1) - 1) ** 2, rel=1e-15)
    labels = {node.label for node in _nodes(y)}
    assert {"params[0]", "params[1]", "x", "y", "z"} <= labels
    assert {node.scope for node in _nodes(y)} == {"", "layer"}
    assert "params[0]" in viz.draw(y).svg
    w = Value(0.25)
    assert program.graph([0.25, 0.1, 2.0, 1.0]).data == pytest.approx((math.tanh(0.6) - 1) ** 2, rel=1e-15)
    assert w.data == 0.25
    with pytest.raises(ValueError, match="has 4 leaves, shared and then varying, and 1 given"):
        program.graph([1.0])
    with pytest.raises(ValueError, match="none given"):
        Program(shared=[0]).graph()


def test_the_graph_of_arrays():
    program = compile(lambda p, X: ((X @ p["W"]).tanh() * 2.0).sum(), of=Tensor).program(
        {"W": np.eye(2)}, np.ones((3, 2))
    )
    y = program.graph()
    assert isinstance(y, Tensor)
    assert {"p['W']", "X"} <= {node.label for node in _nodes(y)}
    leaf = next(node for node in _nodes(y) if node.label == "X")
    assert gradients(y, [leaf])[0].shape == (3, 2)


def test_an_observer_sees_parameters_where_history_is_let_go():
    seen = []
    with observe(lambda node, op, inputs: seen.append(node.params)), no_grad():
        y = leaky_relu(Value(-1.0), 0.5)
    assert seen == [{"negative_slope": 0.5}]
    assert y.params is None
    assert sqrt(Value(4.0)).params is None
