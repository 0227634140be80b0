"""Expressions: what they compute is what Python computes, and what cannot be read is refused at the right place."""

import cmath
import copy
import math
import pathlib
import pickle
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from autodiff import TABLE, Tensor, Value, explain, primitive
from tests.viz import hostile_expressions
from viz import ExpressionError, from_expression
from viz.expression.errors import pointed, visible
from viz.expression.evaluation import computed, number
from viz.expression.names import functions
from viz.expression.syntax import LONGEST
from viz.views.model import graph_of

# ── the same numbers as Python ───────────────────────────────────────────────────────────────────────
BY_MATH = {
    "exp": math.exp, "log": math.log, "sin": math.sin, "cos": math.cos, "tan": math.tan, "tanh": math.tanh,
    "sinh": math.sinh, "cosh": math.cosh, "arctan": math.atan, "sqrt": math.sqrt, "erf": math.erf, "abs": abs,
    "expm1": math.expm1, "log1p": math.log1p, "hypot": math.hypot, "maximum": max, "minimum": min, "max": max,
    "min": min, "where": lambda condition, a, b: a if condition else b, "pi": math.pi, "e": math.e,
}  # fmt: skip
BY_CMATH = {
    "exp": cmath.exp, "log": cmath.log, "sin": cmath.sin, "cos": cmath.cos, "tan": cmath.tan, "tanh": cmath.tanh,
    "sinh": cmath.sinh, "cosh": cmath.cosh, "arctan": cmath.atan, "sqrt": cmath.sqrt, "pi": math.pi, "e": math.e,
}  # fmt: skip

literals = st.sampled_from(["0.5", "2", "1.25", ".75", "3.", "1e-1", "25E-1", "pi", "e"])
names = st.sampled_from(["x", "y", "z"])
blanks = st.sampled_from(["", " "])


def expressions(unary, binary, literals=literals, exponents=("3", "-1", "x", "y")):
    def larger(inner):
        bracketed = inner.map(lambda text: f"({text})")
        # 2 as an exponent is left out: x ** 2 is x * x for the engine, and the last bit may differ from pow's
        powers = st.tuples(bracketed, st.sampled_from(exponents)).map("**".join)
        operations = st.tuples(inner, blanks, st.sampled_from("+-*/"), blanks, inner).map("".join)
        signed = st.tuples(st.sampled_from(["-", "+", "- "]), inner).map("".join)
        calls = [st.tuples(st.sampled_from(unary), inner).map(lambda call: f"{call[0]}({call[1]})")]
        if binary:
            calls.append(
                st.tuples(st.sampled_from(binary), inner, inner).map(lambda call: f"{call[0]}({call[1]}, {call[2]})")
            )
            condition = st.tuples(inner, st.sampled_from(["<", "<=", ">", ">="]), inner).map(" ".join)
            calls.append(st.tuples(condition, inner, inner).map(lambda call: f"where({', '.join(call)})"))
        return st.one_of(bracketed, powers, operations, operations, signed, *calls)

    return st.recursive(literals | names, larger, max_leaves=12)


UNARY = ["exp", "log", "sin", "cos", "tan", "tanh", "sinh", "cosh", "arctan", "sqrt"]
numbers = st.fixed_dictionaries({name: st.floats(-2, 2).map(lambda x: round(x, 3)) for name in "xyz"})


def by_python(text, functions, values):
    """What Python's own eval makes of it, or None where floats raise."""
    try:
        return eval(text, {"__builtins__": {}}, {**functions, **values})
    except (ArithmeticError, ValueError, TypeError):
        return None


@given(
    expressions([*UNARY, "erf", "abs", "expm1", "log1p"], ["hypot", "maximum", "minimum", "max", "min"]),
    numbers,
)
@settings(deadline=None, max_examples=400)
@example("-x**y - -z**-1", {"x": 1.5, "y": 2.5, "z": -0.5})
@example("x - y - z / x / y", {"x": 1.5, "y": 2.5, "z": -0.5})
@example("2**3**x", {"x": 0.5, "y": 0.0, "z": 0.0})
def test_the_number_is_pythons_to_the_last_bit(text, values):
    used = {name: values[name] for name in "xyz" if name in names_in(text)}
    assume(used)
    expected = by_python(text, BY_MATH, values)
    assume(isinstance(expected, float | int) and not isinstance(expected, bool))
    output, leaves = from_expression(text, **used)
    assert output.data == expected
    assert {name: leaf.data for name, leaf in leaves.items()} == used


def names_in(text):
    return {word for word in "".join(c if c.isalnum() else " " for c in text).split() if word in "xyz"}


@given(
    expressions(UNARY, []),
    st.fixed_dictionaries({name: st.floats(0.3, 2).map(lambda x: round(x, 3)) for name in "xyz"}),
)
@settings(deadline=None, max_examples=200)
def test_the_gradient_is_that_of_the_complex_step(text, values):
    used = {name: values[name] for name in names_in(text)}
    assume(used)
    expected = by_python(text, BY_MATH, values)
    assume(isinstance(expected, float | int) and abs(expected) < 1e6)
    output, leaves = from_expression(text, **used)
    output.backward()
    steps = explain(output).backward
    for name, leaf in leaves.items():
        slope = by_python(text, BY_CMATH, {**values, name: complex(values[name], 1e-30)})
        assume(slope is not None)
        flows = [abs(step.contribution) for step in steps]
        assume(max(flows, default=0) <= 1e4 * abs(leaf.grad))  # else its digits are those of what cancelled
        assert leaf.grad == pytest.approx(slope.imag / 1e-30, rel=1e-9)


EXACT = {"L0": ("0.5", "F(1, 2)"), "L1": ("2", "F(2)"), "L2": ("1.25", "F(5, 4)"), "L3": ("25E-1", "F(5, 2)")}


@given(
    expressions(["abs", "floor", "square"], ["max", "min"], st.sampled_from([*EXACT]), ("3", "-1")),
    st.fixed_dictionaries({name: st.fractions(-3, 3, max_denominator=20) for name in "xyz"}),
)
@settings(deadline=None, max_examples=200)
def test_fractions_stay_exact(text, values):
    used = {name: values[name] for name in names_in(text)}
    assume(used)
    ours = theirs = text
    for literal, (decimal, fraction) in EXACT.items():
        ours, theirs = ours.replace(literal, decimal), theirs.replace(literal, fraction)
    helpers = {**BY_MATH, "F": Fraction, "floor": math.floor, "square": lambda x: x * x}
    expected = by_python(theirs, helpers, values)
    assume(isinstance(expected, Fraction | int))
    output, _ = from_expression(ours, **used)
    assert type(output.data) is Fraction
    assert output.data == expected


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("0.1 + x", {"x": Fraction(1, 5)}, Fraction(3, 10)),
        ("1e-3 * x", {"x": Fraction(1)}, Fraction(1, 1000)),
        ("1/3 + x**2 - n", {"x": Fraction(7, 3), "n": 2}, Fraction(34, 9)),
        ("2**10**2 / 2**99 * x", {"x": Fraction(1, 2)}, Fraction(1)),
        ("where(x > 0, x, 0) + max(x, 1, 2) + round(x)", {"x": Fraction(7, 3)}, Fraction(20, 3)),
    ],
)
def test_exact(text, values, expected):
    output, _ = from_expression(text, **values)
    assert output.data == expected
    assert type(output.data) is Fraction


def test_what_the_table_gives_python_raises():
    for text, expected in [("x + 1/0", math.inf), ("x - log(0)", math.inf), ("x + exp(1000)", math.inf)]:
        assert from_expression(text, x=1)[0].data == expected
    for text in ("x + (-8)**0.5", "x + log(-1)", "x * 0/0"):
        assert math.isnan(from_expression(text, x=1)[0].data)


def test_constants_unless_they_are_given():
    assert from_expression("sin(pi*x) + e - π", x=0.5)[0].data == 1 + math.e - math.pi
    assert from_expression("e*pi", e=2, pi=3)[0].data == 6
    output, _ = from_expression("pi*x", x=2)
    assert [(x.label, x.requires_grad) for x in output.inputs] == [("pi", False), ("x", True)]
    assert from_expression("e = 2*x; e**2", x=2)[0].data == 16


def test_several_inputs():
    for text, expected in [("max(x, y, z)", 3), ("min(x, y, z, 0.5)", 0.5), ("max(x, 5)", 5)]:
        used = {name: value for name, value in {"x": 1, "y": 3, "z": 2}.items() if name in text.replace("max", "")}
        assert from_expression(text, **used)[0].data == expected
    output, leaves = from_expression("clip(x, -1, a) + leaky_relu(x, 0.5)", x=-4, a=Value(2.0, requires_grad=False))
    output.backward()
    assert (output.data, leaves["x"].grad) == (-3, 0.5)


# ── the graph ────────────────────────────────────────────────────────────────────────────────────────
def test_results_with_names_are_labelled_nodes():
    result = computed("z = w*x + b; y = tanh(z)\nloss = (y - 1)**2", {"w": 0.5, "x": 2, "b": -0.5})
    assert [*result.leaves] == ["w", "x", "b"]
    assert {name: node.label for name, node in result.named.items()} == {"z": "z", "y": "y", "loss": "loss"}
    assert result.output is result.named["loss"]
    assert result.named["y"].inputs == (result.named["z"],)
    assert all(type(leaf.data) is float and leaf.requires_grad for leaf in result.leaves.values())
    assert result.output.data == (math.tanh(0.5) - 1) ** 2


def test_nodes_know_their_statement():
    result = computed("z = w * x + b;\n  tanh( z ) ;", {"w": 0.5, "x": 2, "b": -0.5}, "lesson")
    assert result.lines == ["z = w * x + b", "tanh( z )"]
    assert [(x.origin.filename, x.origin.line) for x in (result.named["z"], result.output)] == [
        ("lesson", 1),
        ("lesson", 2),
    ]
    assert from_expression("x*x", x=1)[0].origin is None


def test_a_second_name_is_a_node_of_its_own():
    result = computed("a = x; b = a; c = 2*3; d = x > 0; b + c*d", {"x": 1})
    assert {node.label for node in (*result.leaves.values(), *result.named.values())} == {"x", "a", "b", "c", "d"}
    assert result.output.data == 7
    result.output.backward()
    assert result.leaves["x"].grad == 1


def test_it_is_drawn_as_it_is_written():
    output, _ = from_expression("where(x + 1 > 0, x*x, -tanh (x))", x=3)
    boxes = graph_of([output]).boxes
    assert [box.name for box in boxes] == ["x + 1 > 0", "x", "×", "tanh", "−", "where"]
    assert sum(box.kind == "constant" for box in boxes) == 1


def test_brackets_may_go_on_in_the_next_line():
    assert from_expression("\n z = (x +\n 1)\n\nz*2;", x=1)[0].data == 4


def test_a_value_is_used_as_it_is():
    w, x = Value(2.0, label="weight"), Value(3.0, requires_grad=False)
    output, leaves = from_expression("w*x", w=w, x=x)
    assert output.inputs == (w, x)
    assert leaves == {"w": w, "x": x}
    assert (w.label, x.label) == ("weight", "x")
    assert type(from_expression("w*x", w=np.float64(2), x=True)[0].data) is float


def test_rows_of_ones_own():
    primitive("test_expression_double", lambda x: 2 * x, partials=[2])
    try:
        assert from_expression("test_expression_double(x)", x=4)[0].data == 8
    finally:
        del TABLE["test_expression_double"]


def test_every_function_of_numbers_can_be_called():
    for name, op in functions().items():
        inputs = [0.63 * low + 0.37 * high for low, high in op.domain]
        given = dict(zip("abc", inputs, strict=False))
        output, _ = from_expression(f"{name}({', '.join(given)})", **given)
        assert output.data == op(*inputs)
    assert "matmul" not in functions()


# ── what is refused, and where ───────────────────────────────────────────────────────────────────────
REFUSED = [
    # the expression, its values, what is said, and the place, marked by a caret in a line of its own
    ("tahn(x)", "x", "there is no function tahn; did you mean tanh?", "^"),
    ("1 + ln(x)", "x", "there is no function ln; did you mean log?", "    ^"),
    ("asin(x)", "x", "did you mean arcsin?", "^"),
    ("Tanh(x)", "x", "did you mean tanh?", "^"),
    ("σ(x)", "x", "did you mean sigmoid?", "^"),
    ("frobnicate(x)", "x", "no function frobnicate; python -m viz --list shows all", "^"),
    ("__import__(x)", "x", "there is no function __import__", "^"),
    ("eval(x)", "x", "there is no function eval", "^"),
    ("matmul(x, x)", "x", "there is no function matmul", "^"),
    ("x*w + b", "x", "w and b have no value; give each one, such as w=0.5", "  ^"),
    ("x*w", "x", "w has no value; give it one, such as w=0.5", "  ^"),
    ("X*w", "x w", "X has no value; did you mean x?", "^"),
    ("weigth*x", "x weight", "did you mean weight?", "^"),
    ("tanh + x", "x", "tanh is a function; write tanh(x)", "^"),
    ("x(w + 1)", "x w", "x is a number and no function; a product is written x*(...)", "^"),
    ("tanh(x, w)", "x w", "tanh is written tanh(x), and is given 2 inputs", "^"),
    ("x + tanh()", "x", "tanh is written tanh(x), and is given nothing", "    ^"),
    ("power(x)", "x", "power is written power(a, b), and is given 1 input", "^"),
    ("max(x)", "x", "max is written max(a, b, ...), and is given 1 input", "^"),
    ("clip(x, 0, 1, 2)", "x", "clip(x, min=None, max=None), and is given 4 inputs", "^"),
    ("clip(x, w, 1)", "x w", "min of clip(x, min=None, max=None) is a fixed number", "        ^"),
    ("x^2", "x", "a power is written **, as in x**2", " ^"),
    ("3 + 2x", "x", "a product is written with *: 2*x", "     ^"),
    ("2(x + 1)", "x", "an operator is missing here; a product is written 2*(...)", " ^"),
    ("(x)(x)", "x", "a product is written (...)*(...)", "   ^"),
    ("(x) w", "x w", "a product is written (...)*w", "    ^"),
    ("tanh x", "x", "a product is written tanh*x, and a function tanh(x)", "     ^"),
    ("w x", "x w", "an operator is missing here; a product is written w*x", "  ^"),
    ("x × 2", "x", "a product is written *", "  ^"),
    ("x − 2", "x", "a minus sign is written -", "  ^"),
    ("x²", "x", "a square is written x**2", " ^"),
    ("|x|", "x", "an absolute value is written abs(x)", "^"),
    ("√x", "x", "a root is written sqrt(x)", "^"),
    ("[x]", "x", "brackets are round", "^"),
    ("x == 2", "x", "= gives a result a name", "  ^"),
    ("x + 1 = y", "x y", "something else stands in front of it", "      ^"),
    ("y = z = x", "x", "= gives one name to a result", "      ^"),
    ("tanh(x=2)", "x", "= has no place inside brackets", "      ^"),
    ("y = ", "x", "nothing stands behind =; write what y is", "   ^"),
    ("x = 2", "x", "x has a value already", "^"),
    ("y = x; y = 2*y; y", "x", "y has a value already", "       ^"),
    ("z + x; z = 2", "x", "z is used before it has a value", "^"),
    ("y = x;; y", "x", "nothing stands in front of this ;", "      ^"),
    ("tanh(x; 2)", "x", "a bracket is still open", "      ^"),
    ("tanh(x", "x", "this bracket is never closed", "    ^"),
    ("(tanh(x)", "x", "this bracket is never closed", "^"),
    ("tanh(x))", "x", "this bracket closes none", "       ^"),
    ("x *", "x", "something is missing behind *", "   ^"),
    ("* x", "x", "a number or a name is missing in front of *", "^"),
    ("x * / 2", "x", "a number or a name is missing between * and /", "    ^"),
    ("()", "", "a number or a name is missing between ( and )", " ^"),
    ("max(x,)", "x", "an input of the function is missing", "      ^"),
    ("max(,x)", "x", "an input of the function is missing", "    ^"),
    ("tanh(*x)", "x", "a number or a name is missing between ( and *", "     ^"),
    ("tanh(**x)", "x", "a number or a name is missing between ( and **", "     ^"),
    ("x, 2", "x", "a comma stands between the inputs of a function", " ^"),
    ("(x, 2)", "x", "a comma stands between the inputs of a function", "  ^"),
    ("0 < x < 1", "x", "one comparison at a time", "      ^"),
    ("x.real", "x", "nothing is looked up inside a name", " ^"),
    ("(x).real", "x", "nothing is looked up inside a name", "   ^"),
    ("x[0]", "x", "brackets are round", " ^"),
    ("x if x else 2", "x", "a choice is written where(x > 0, a, b)", "  ^"),
    ("x and x", "x", "single comparisons", "  ^"),
    ("lambda: x", "x", "lambda is a word of the Python language", "^"),
    ("True", "", "write 1 and 0", "^"),
    ("(y := x)", "x", "a result is given a name by =", "   ^"),
    ("f'{x}'", "x", "text in quotes has no place here", " ^"),
    ("x // 2", "x", "a quotient is written /", "  ^"),
    ("x # comment", "x", "# has no meaning here", "  ^"),
    ("1.2.3", "", "digits and one point", "   ^"),
    ("1_000 * x", "x", "digits and one point", " ^"),
    ("0x10 * x", "x", "a number is written in tens", "^"),
    ("1e999 * x", "x", "too large", "^"),
    ("x * 1e-999", "x", "too small", "    ^"),
    ("x * " + "9" * 101, "x", "a number of 101 characters", "    ^"),
    ("x + ｙ", "x", "letters A to Z and Α to Ω", "    ^"),
    ("x + 漢字*2", "x", "letters A to Z and Α to Ω", "    ^"),
    ("x٣", "x", "has no meaning here", " ^"),
    ("x\x00", "x", "the character U+0000 has no meaning here", " ^"),
    ("\x1b[31mx", "x", "the character U+001B has no meaning here", "^"),
    ("x\udcff", "x", "the character U+DCFF has no meaning here", " ^"),
    ("2 + 3", "", "no value with a name is in this", "^"),
    ("z = x*w\nz + q", "x w", "q has no value; give it one, such as q=0.5", "    ^"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "given", "reason", "caret"), REFUSED, ids=[ascii(case[0])[:40] for case in REFUSED])
def test_refused_with_a_pointer_at_the_place(text, given, reason, caret):
    with pytest.raises(ExpressionError) as raised:
        from_expression(text, **dict.fromkeys(given.split(), 0.5))
    assert reason in raised.value.reason
    *_, line, pointer = str(raised.value).split("\n")
    assert pointer == "  " + caret
    assert visible(text.split("\n")[-1]).startswith(line[2:].rstrip("…"))


def test_wide_characters_move_the_caret_two_columns():
    assert pointed("漢字e\u0301x+", 4).split("\n")[1] == "  " + " " * 5 + "^"
    assert pointed("a\x1b\tb", 3) == "  a\N{REPLACEMENT CHARACTER} b\n     ^"


def test_a_long_line_is_cut_around_the_place():
    error = refused("x + " * 800 + "?", x=1)
    line, pointer = str(error).split("\n")[-2:]
    assert len(line) < 110
    assert line[len(pointer) - 1] == "?"
    assert refused("y+" + "x+" * 1500 + "x", x=1).column == 0


def refused(text, **values):
    with pytest.raises(ExpressionError) as raised:
        from_expression(text, **values)
    return raised.value


@pytest.mark.parametrize("values", [{}, {"x": 2.0}, {"x": Fraction(1, 2)}])
@pytest.mark.parametrize(
    "text",
    [
        "x" * 10**7, "(" * 10**6, "(" * 300 + "x" + ")" * 300, "-" * (LONGEST - 1) + "x", "9" * 10**6,
        "tanh(" * 200 + "x" + ")" * 200, "x" + "\n" * 10**6, "\x00" * 3000,
    ],
    ids=lambda text: text[:8].encode("unicode_escape").decode(),
)  # fmt: skip
def test_far_too_much(text, values):
    assert len(str(refused(text, **values))) < 400


def test_deep_but_readable():
    for text in ("x+" * 400 + "x", "-" * 400 + "x", "(" * 100 + "x" + ")" * 100, "tanh(" * 90 + "x" + ")" * 90):
        output, leaves = from_expression(text, x=1.0)
        if output is not leaves["x"]:
            output.backward()
        assert math.isfinite(output.data)


def test_the_recursion_limit_is_not_the_readers_problem():
    limit = sys.getrecursionlimit()
    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    sys.setrecursionlimit(depth + 60)
    try:
        error = refused("x+" * 1990 + "x", x=1)
    finally:
        sys.setrecursionlimit(limit)
    assert "give parts of it a name" in error.reason


@pytest.mark.parametrize(
    "text", ["x**10**10**10", "x*2**(2**(2**100))", "(x**1000)**1000", "x + 10**-100000", "power(x, 10**9)"]
)
def test_exact_numbers_do_not_blow_up(text):
    error = refused(text, x=Fraction(7, 3))
    assert "more than a thousand digits" in error.reason
    assert text[error.column] == "*" or text.startswith("power")


@pytest.mark.parametrize(
    ("text", "column"), [("1 + tanh(x)", 4), ("x**0.5", 1), ("x/0", 1), ("x*pi", 2), ("x + sqrt(2)", 4), ("0**-1*x", 1)]
)
def test_no_exact_answer(text, column):
    error = refused(text, x=Fraction(1, 3))
    assert error.column == column
    assert "compute with floats" in error.reason


def test_values_that_are_none():
    with pytest.raises(TypeError, match="x: Value holds one number"):
        from_expression("x", x="2")
    with pytest.raises(TypeError, match="x is a Tensor, and expressions are of single numbers"):
        from_expression("x", x=Tensor([1.0]))
    with pytest.raises(TypeError, match="x is the complex number 1j"):
        from_expression("x", x=1j)
    with pytest.raises(TypeError, match=r"y is 0\.5 beside fractions"):
        from_expression("x*y", x=Fraction(1, 2), y=0.5)
    with pytest.raises(TypeError, match="an expression is text"):
        from_expression(3)
    assert str(refused("x", x=1, q=2, r=3)) == "q and r are given, and not in the expression"
    assert "is no name" in str(refused("x", **{"x": 1, "2 y\x1b": 2}))
    assert str(refused(" ")).startswith("there is no expression")


def test_nothing_changes_where_it_is_refused():
    x = Value(2.0)
    refused("x * y", x=x)
    assert x.label is None


def test_numbers():
    assert number("-0.5") == -0.5
    assert number(" 7 / 3 ") == 7 / 3
    assert number("pi/2") == math.pi / 2
    assert number("-7/3", exact=True) == Fraction(-7, 3)
    for text, column in [("abc", 0), ("1 + x", 4), ("1;2", 2), ("x=2", 0), ("0,5", 1), ("1e5 5", 4)]:
        with pytest.raises(ExpressionError) as raised:
            number(text)
        assert raised.value.column == column


def test_the_error_can_be_copied_and_pickled():
    error = refused("2x", x=1)
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (again.reason, again.text, again.column, str(again)) == (error.reason, "2x", 1, str(error))


@given(st.text(max_size=30) | st.text(alphabet="xw+-*/(),;=<>. 12e'[]{}:@#\\\n\x00\x1b漢", max_size=30))
@settings(deadline=None, max_examples=500)
def test_any_text_is_computed_or_refused(text):
    assert hostile_expressions.attempt(text, exact=False) in ("computed", "refused")
    assert hostile_expressions.attempt(text, exact=True) in ("computed", "refused")


def test_thousands_of_hostile_expressions_run_nothing():
    done = subprocess.run(
        [sys.executable, "-m", "tests.viz.hostile_expressions", "1500"],
        cwd=pathlib.Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "refused" in done.stdout
    assert len(hostile_expressions.ATTACKS) < 1500
