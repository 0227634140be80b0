"""explain(): its numbers are the engine's, its formulas are read off the rules, and both can be read."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser

import autodiff as ad
from autodiff import Tensor, Value, explain
from autodiff.explanation import derivative
from autodiff.formula import LATEX, TEXT, number_latex, number_text, write

parse = MathTextParser("path").parse


def neuron():
    w, x, b = Value(0.5, label="w"), Value(2.0, label="x"), Value(-0.3, label="b")
    loss = ((w * x + b).tanh() * w - 1) ** 2
    loss.label = "loss"
    return loss, w, x, b


@st.composite
def graphs(draw):
    """A random graph of labelled values, with shared nodes and constants."""
    nodes = [Value(draw(st.floats(-2, 2)), label=name) for name in "abc"]
    unary = [ad.tanh, ad.sin, ad.exp, ad.relu, ad.sigmoid, ad.negative, ad.square]
    binary = [ad.add, ad.subtract, ad.multiply, ad.maximum]
    for _ in range(draw(st.integers(1, 12))):
        x = draw(st.sampled_from(nodes))
        if draw(st.booleans()):
            nodes.append(draw(st.sampled_from(unary))(x))
        else:
            y = draw(st.one_of(st.sampled_from(nodes), st.floats(-2, 2)))
            nodes.append(draw(st.sampled_from(binary))(x, y))
    return nodes[-1], nodes[:3]


@settings(deadline=None, max_examples=200)
@given(graphs())
def test_the_numbers_are_those_of_the_engine(graph):
    output, leaves = graph
    steps = explain(output)
    assert all(x.grad is None for x in leaves)
    output.backward()
    for node, gradient in steps.adjoints.items():
        assert node.grad == gradient
    totals: dict = {}
    for step in steps.backward:
        assert step.contribution == step.upstream * step.local
        assert step.upstream == step.node.grad
        totals[step.input] = totals.get(step.input, 0.0) + step.contribution
        assert step.total == totals[step.input]
        if step.path == step.paths:
            assert step.total == step.input.grad
    for step in steps.forward:
        assert step.result == step.node.data


def test_the_text_of_a_neuron():
    loss, *_ = neuron()
    text = str(explain(loss))
    assert "1. v1 = w * x = 0.5 * 2 = 1" in text
    assert "6. loss = v5 ** 2 = (-0.6978) ** 2 = 0.4869" in text
    assert "∂v3/∂v2 = 1 - v3 * v3 = 1 - 0.6044 * 0.6044 = 0.6347;  -0.6978 × 0.6347 = -0.4429" in text
    assert "∇w = -0.8435 + (-0.8859) = -1.729 (use 2 of 2)" in text
    assert text.endswith("∇w = -1.729\n  ∇x = -0.2215\n  ∇b = -0.4429")


def test_both_edges_of_a_product_with_itself():
    a = Value(3.0, label="a")
    first, second = explain(a * a).backward
    assert (first.position, second.position) == (0, 1)
    assert [s.path for s in (first, second)] == [1, 2]
    assert "∇a = 3 + 3 = 6 (use 2 of 2)" in str(second)


def test_exact_numbers_are_shown_as_fractions():
    a, b = Value(Fraction(7, 3), label="a"), Value(Fraction(1, 2), label="b")
    steps = explain(a * b)
    assert "v1 = a * b = 7/3 * (1/2) = 7/6" in str(steps)
    assert steps.adjoints[a] == Fraction(1, 2)


def test_arrays_are_explained_by_their_contributions():
    w, x = Tensor([[1.0, 2.0], [3.0, 4.0]], label="W"), Tensor([1.0, 10.0], label="x")
    steps = explain((w @ x).relu().sum())
    by_input = {step.input_name: step for step in steps.backward}
    assert by_input["W"].formula == "expand_dims(∇v1, axis=-1) * x"
    assert by_input["W"].local is None
    np.testing.assert_array_equal(by_input["x"].contribution, [4, 6])
    assert by_input["v1"].formula == "(v1 > 0)"
    assert "W @ x" in str(steps)


def test_every_step_is_a_formula_that_parses():
    loss, *_ = neuron()
    steps = explain(loss)
    for step in [*steps.forward, *steps.backward]:
        parse(f"${step.latex.replace('&', '').replace('mathrel{+}=', 'leftarrow')}$")
    latex = steps.to_latex()
    assert latex.startswith("\\begin{aligned}")
    assert latex.count(r"\\") == len(steps.forward) + len(steps.backward) + 3
    assert r"\nabla \mathrm{loss} &= 1" in latex
    assert r"\nabla w &\mathrel{+}= \nabla v_{1} \cdot \frac{\partial v_{1}}{\partial w}" in latex
    assert steps._repr_latex_().startswith("$")


@pytest.mark.parametrize("op", [op for op in ad.TABLE.values() if op.partials and op.number], ids=lambda op: op.name)
def test_every_derivative_has_a_formula(op):
    """The formula, evaluated as Python, is the derivative."""
    points = [low + 0.63 * (high - low) for low, high in op.domain]
    leaves = [Value(p) for p in points]
    params = {**op.defaults, **(op.cases[0][1] if op.cases else {})}
    out = op(*leaves, **params)
    names = {n: getattr(ad, n) for n in ad.TABLE if hasattr(ad, n)}
    for k, (leaf, low_high) in enumerate(zip(leaves, op.domain, strict=True)):
        text = derivative(op, k)
        assert text
        parse(f"${derivative(op, k, LATEX)}$")
        value = eval(text, {**names, **params, **dict(zip(op.input_names, points, strict=True)), "out": out.data})
        (got,) = ad.gradients(out, [leaf]) if out.requires_grad else (0.0,)
        assert float(value) == pytest.approx(got, rel=2e-3), (text, low_high)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (lambda a, b: (a + b) * a, "(a + b) * a"),
        (lambda a, b: a + b * a, "a + b * a"),
        (lambda a, b: a - (b - a), "a - (b - a)"),
        (lambda a, b: (a - b) - a, "a - b - a"),
        (lambda a, b: a / (b * a), "a / (b * a)"),
        (lambda a, b: -(a * b), "-(a * b)"),
        (lambda a, b: (-a) ** b, "(-a) ** b"),
        (lambda a, b: (a**b) ** a, "(a ** b) ** a"),
        (lambda a, b: a ** (b**a), "a ** b ** a"),
        (lambda a, b: ad.tanh(a + b) ** 2, "tanh(a + b) ** 2"),
        (lambda a, b: a * -3, "a * (-3)"),
        (lambda a, b: -3 - a, "-3 - a"),
        (lambda a, b: 2 - -a, "2 - (-a)"),
        (lambda a, b: ad.maximum(a - b, ad.relu(a) > 0), "maximum(a - b, 1)"),
    ],
    ids=lambda p: p if isinstance(p, str) else "",
)
def test_brackets_stand_where_they_must(expression, text):
    a, b = Value(2.0), Value(3.0)
    out = expression(a, b)
    assert write(out, {a: "a", b: "b"}, TEXT) == text
    names = {n: getattr(ad, n) for n in ad.TABLE if hasattr(ad, n)}
    assert float(ad.identity(eval(text, {**names, "a": 2.0, "b": 3.0}))) == pytest.approx(out.data, nan_ok=True)
    parse(f"${write(out, {a: 'a', b: 'b'}, LATEX)}$")


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.5, "0.5"), (-0.0, "-0"), (float("nan"), "nan"), (float("-inf"), "-inf"), (1e-300, "1e-300"), (Fraction(7, 3), "7/3"),
     (123456.0, "1.235e+05"), (1 + 2j, "1+2j"), (np.float32(0.1), "0.1")],
)  # fmt: skip
def test_numbers_are_legible(number, text):
    assert number_text(number) == text
    parse(f"${number_latex(number)}$")


def test_hostile_labels_stay_labels():
    for label in ("a\x1b[31m", "x" * 10_000, "\\end{aligned}", "$^_{", "‮abc", "a\nb", "% comment"):
        x = Value(2.0, label=label)
        steps = explain(x * x)
        assert all(c.isprintable() or c == "\n" for c in str(steps))
        assert len(str(steps)) < 2_000
        for step in steps.backward:
            parse(f"${step.latex.replace('&', '').replace('mathrel{+}=', 'leftarrow')}$")


def test_labels_that_clash_are_told_apart():
    a, b = Value(2.0, label="w"), Value(3.0, label="w")
    assert {step.input_name for step in explain(a * b).backward} == {"w", "w#2"}


def test_explain_wants_one_number():
    with pytest.raises(ad.GraphError, match="backward starts from one number"):
        explain(Tensor([1.0, 2.0]) * 2)
    steps = explain(Tensor([1.0, 2.0]) * 2, seed=[1.0, 1.0])
    np.testing.assert_array_equal(steps.backward[0].contribution, [2, 2])


def test_a_power_of_a_tiny_number_is_bracketed():
    tex = explain(Value(1e-5, requires_grad=False) ** Value(2.0, label="x")).to_latex()
    assert r"\left(1 \cdot 10^{-5}\right)^{x}" in tex


def test_a_product_that_begins_with_a_minus_stands_in_brackets_behind_an_operator():
    x = Value(-0.9, label="x")
    assert explain(x.tanh()).backward[0].numbers == "1 - (-0.7163 * (-0.7163))"
