"""What a trace of one example cannot capture is refused: the message names the line, and says what to write."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy
import functools
import itertools
import math
import random
import re
import reprlib
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest

import autodiff
from autodiff import Tensor, TraceError, Value, compile, exp, grad, gradients, maximum, no_grad, stack, where

X = np.array([1.0, -2.0, 3.0])
W = [0.5, 2.0]


def refused(function, *parts, args=(W, X), error=TraceError, **options):
    """The message of the refusal, which has all the parts in it and names this file."""
    with pytest.raises(error) as caught:
        compile(function, **options)(*args)
    message = str(caught.value)
    for part in parts:
        assert part in message, message
    return message


# ── branching ────────────────────────────────────────────────────────────────────────────────────────
def test_if():
    def f(w, x):
        if x > 0:  # this line
            return w[0] * x
        return w[1] * x

    message = refused(f, "branching on a traced number", "bool() of (x > 0.0)", "where(condition, a, b)")
    assert "if x > 0:  # this line" in message
    assert "test_refusals.py" in message
    assert "in f" in message


@pytest.mark.parametrize(
    "function",
    [
        lambda w, x: w[0] * x if x else w[1],
        lambda w, x: (x > 0 and w[0]) * x,
        lambda w, x: w[0] * x if not x < 0 else w[1],
        lambda w, x: w[0] if 0 < x < 1 else w[1],
        lambda w, x: w[0] * x if any([x > 1]) else w[1],
    ],
)
def test_other_branches(function):
    refused(function, "branching on a traced number", "lambda", "maximum(a, b)")


@pytest.mark.parametrize(
    ("function", "instead"),
    [
        (
            lambda w, x: max(w[0] * x, w[1]),
            "Python's max compares. Write maximum(a, b), and of a list functools.reduce(m",
        ),
        (
            lambda w, x: min([w[0] * x, w[1]]),
            "min compares. Write minimum(a, b), and of a list functools.reduce(minimum,",
        ),
        (
            lambda w, x: sorted([w[0] * x, w[1], x])[0],
            "an order is that of one example. Write minimum(a, b) and maximum",
        ),
    ],
)
def test_builtin_functions_that_compare(function, instead):
    refused(function, "branching on a traced number", instead)


def test_the_largest_of_a_list():
    f = compile(lambda w, x: functools.reduce(maximum, [w[0] * x, w[1], x]))
    assert f(W, X).tolist() == [2.0, 2.0, 3.0]


def test_while():
    def f(w, x):
        while x < 10:
            x = x * 2
        return w[0] * x

    refused(f, "branching", "while x < 10:")


def test_where_is_what_to_write_instead():
    f = compile(lambda w, x: where((x > 0) & ~(x >= 3), w[0] * x, w[1] * x))
    assert f(W, X).tolist() == [0.5, -4.0, 6.0]
    g = compile(lambda w, x: where((x > 0) | (x <= -2), w[0] * x, w[1]) + where((x > 0) ^ (x > 2), 1.0, 0.0))
    assert g(W, X).tolist() == [1.5, -1.0, 1.5]


def test_outside_a_trace_comparisons_are_plain():
    assert (Value(2.0) > 1) is True
    assert type(Tensor([1.0]) > 0) is np.ndarray
    with pytest.raises(TypeError):
        Value(1.0) & Value(0.0)
    with pytest.raises(TypeError):
        ~Value(1.0)


def test_and_of_numbers_that_are_no_comparisons():
    refused(lambda w, x: x & w[0], error=TypeError)
    refused(lambda w, x: w[0] * ~x, error=TypeError)


# ── plain numbers ────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("function", "how"),
    [
        (lambda w, x: w[0] * float(x), "float() of x"),
        (lambda w, x: w[0] * int(x), "int() of x"),
        (lambda w, x: w[0] * abs(complex(x)), "complex() of x"),
        (lambda w, x: w[0] * x.item(), ".item() of x"),
        (lambda w, x: w[0] * x.data, ".data of x"),
        (lambda w, x: w[0].data * x, ".data of w[0]"),
        (lambda w, x: w[0] * math.sin(x), "float() of x"),
        (lambda w, x: w[0] * math.sqrt(x * x), "float() of x * x"),
        (lambda w, x: w[0] * round(x, 2), "round() to 2 digits of x"),
        (lambda w, x: w[0] * np.float64(x), "of x"),
        (lambda w, x: w[0] * copy.copy(x), "a copy of x"),
        (lambda w, x: w[0] * copy.deepcopy([x])[0], "a copy of x"),
        (lambda w, x: w[0] * x.detach().item(), ".item() of x"),
    ],
)
def test_numbers_that_leave(function, how):
    refused(function, how, "lambda")


def test_a_number_that_leaves_under_no_grad():
    def f(w, x):
        with no_grad():
            scale = float(x * 2)
        return w[0] * x / scale

    refused(f, "float() of x * 2", "scale = float(x * 2)")


def test_round_to_an_integer_is_an_operation():
    assert compile(lambda w, x: w[0] * round(x * 0.4))(W, X).tolist() == [0.0, -0.5, 0.5]


def test_a_refusal_that_is_caught_is_not_forgotten():
    def f(w, x):
        with contextlib.suppress(TypeError):
            x = x * float(x)
        return w[0] * x

    refused(f, "float() of x")


@pytest.mark.parametrize(
    "function",
    [
        lambda w, x: [w[0], w[1]][x] * 1.0,
        lambda w, x: sum(w[0] for _ in range(x)),
        lambda w, x: w[: x + 1][0] * 1.0,
        lambda w, x: w[0] * [1.0, 2.0, 3.0][x],
    ],
)
def test_indices_and_bounds(function):
    refused(function, "a traced number as an index or a bound", "static_argnums", "one-hot: np.eye(k)[labels]")


def test_a_count_that_all_examples_share():
    def f(w, x, n):
        return sum(w[0] * x for _ in range(n))

    axes = (None, 0, None)
    refused(f, 'n is the same for all examples: write compile(..., static_argnames="n")', args=(W, X, 2), in_axes=axes)
    refused(lambda w, x, n: w[int(n)] * x, 'static_argnames="n"', args=(W, X, 1), in_axes=axes)
    assert compile(f, in_axes=axes, static_argnames="n")(W, X, 2).tolist() == X.tolist()
    refused(
        lambda p, x: p["v"][p["n"]] * x,
        "p['n'] is the same for all examples: give it as an argument of its own, such as n, and write",
        args=({"n": 1, "v": W}, X),
    )


def test_a_label_made_an_integer():
    message = refused(lambda w, x: w[int(x)] * 1.0, "int() of x", "where(equal(i, k), x[k], 0.0)", "one-hot", "floor")
    assert "exp, sqrt" not in message


def test_a_label_compared_by_equality():
    message = refused(
        lambda w, x: w[0] * x if x == 1 else w[1], "compared by ==: == of x", "where(equal(a, b), this, that)"
    )
    assert "maximum" not in message
    f = compile(lambda w, x: where(autodiff.equal(x, 1), w[0] * x, w[1]))
    assert f(W, X).tolist() == [0.5, 2.0, 2.0]


def test_to_look_at_a_number_it_is_printed_itself(capsys):
    refused(lambda w, x: print(x.data) or w[0] * x, ".data of x", "print the node itself")
    refused(lambda w, x: print(x.item()) or w[0] * x, ".item() of x", "print the node itself")
    f = compile(lambda w, x: print("seen", x) or w[0] * x)
    assert f(W, X).tolist() == f(W, X).tolist() == [0.5, -1.0, 1.5]
    assert capsys.readouterr().out == "seen Value(1.0, traced)\n"


def test_what_is_given_by_keyword_only_is_shared():
    f = compile(lambda w, *, x: w * x)
    with pytest.raises(TraceError, match="given by keyword only is always shared, so make it"):
        f(2.0, x=X)
    assert f(2.0, x=3.0) == 6.0


def test_a_node_is_no_index_outside_a_trace():
    with pytest.raises(TypeError, match=r"int\(node\.item\(\)\)"):
        [1, 2][Value(1.0)]


# ── arrays ───────────────────────────────────────────────────────────────────────────────────────────
T = np.array([1.0, -2.0, 3.0])


@pytest.mark.parametrize(
    ("function", "how"),
    [
        (lambda t: t * np.argmax(t), "np.argmax of t"),
        (lambda t: t * np.isnan(t), "np.isnan of t"),
        (lambda t: t[np.argsort(t)], "np.argsort of t"),
        (lambda t: t[t > 0], "an index of (t > 0.0)"),
        (lambda t: t * t.data.max(), ".data of t"),
        (lambda t: t * np.asarray(t.detach()), "a plain array of identity(t)"),
        (lambda t: t if t.sum() > 0 else -t, "bool() of (sum(t) > 0.0)"),
        (lambda t: t * np.any(t > 1), "np.any of (t > 1.0)"),
        (lambda t: t * np.array_equal(t, t), "np.array_equal of t"),
        (lambda t: t.reshape(t.detach()), "reshape(..., shape=...) of identity(t)"),
        (lambda t: autodiff.leaky_relu(t, t.sum()), "leaky_relu(..., negative_slope=...) of sum(t)"),
    ],
)
def test_tensors(function, how):
    refused(function, how, "lambda t", args=(T,), of=Tensor)


def test_numpy_comparisons_are_traced():
    f = compile(
        lambda t: where(np.greater(t, 0) & (t < 2.5), t, 0.0) + where(np.logical_not(t > 0), 1.0, 0.0), of=Tensor
    )
    assert f(T).tolist() == [1.0, 1.0, 0.0]
    assert compile(lambda t: where(np.less(t, T), 1.0, t), of=Tensor)(T - 1).tolist() == [1.0, 1.0, 1.0]


def test_shapes_may_be_asked_for():
    f = compile(lambda t: (t * np.ones_like(t)).reshape(np.shape(t)[0], 1) / len(t) / np.size(t) / t.ndim, of=Tensor)
    assert f(T).shape == (3, 1)


# ── what changes ─────────────────────────────────────────────────────────────────────────────────────
COUNTER = 0
SEEN: list = []
TABLE_OF_NUMBERS = np.zeros(3)


def counting(w, x):
    globals()["COUNTER"] = COUNTER + 1
    return w[0] * x * SEEN.__len__()


def test_a_global_counter():
    refused(
        counting, "a compiled function changes something: the global COUNTER", "in counting", "Return the new value"
    )


def test_a_list_that_grows():
    def f(w, x):
        SEEN.append(1)
        return w[0] * x

    refused(f, "changes something: the global SEEN")


def test_an_array_that_is_written_to():
    def f(w, x):
        TABLE_OF_NUMBERS[0] += 1
        return w[0] * x

    refused(f, "changes something: the global TABLE_OF_NUMBERS")


def test_a_variable_of_the_enclosing_function():
    calls = 0

    def f(w, x):
        nonlocal calls
        calls += 1
        return w[0] * x

    refused(f, "changes something: the variable calls")


def test_an_attribute():
    class Model:
        def __init__(self):
            self.last = None

        def __call__(self, w, x):
            self.last = w[0] * x
            return self.last

    refused(Model(), "changes something", "last")
    model = Model()
    refused(lambda w, x: model(w, x), "changes something: the variable model.last")


def test_arguments_that_change():
    def f(w, x):
        w.append(x)
        return w[0] * x

    refused(f, "changes something: w is not what it was before")

    def g(p, x):
        p["w"][0] = p["w"][0] * 2
        return p["w"][0] * x

    refused(g, "changes something: p.w is not", args=({"w": [1.0, 2.0]}, X))


def test_models_that_count_their_calls():
    class Counting:
        def __init__(self):
            self.w, self.calls = Value(1.0), 0

        def parameters(self):
            return [self.w]

        def __call__(self, x):
            self.calls += 1
            return self.w * x

    refused(lambda m, x: m(x), "changes something: m.calls is not what", args=(Counting(), X))
    refused(lambda p, x: p["m"][0](x), "changes something: p['m'][0].calls is", args=({"m": [Counting()]}, X))


def test_defaults_that_change():
    def f(w, x, memo={}):  # noqa: B006
        memo[len(memo)] = 1
        return w[0] * x

    def g(w, x, *, memo={}):  # noqa: B006
        memo[len(memo)] = 1
        return w[0] * x

    refused(f, "changes something: the default of memo is not what it was before")
    refused(g, "changes something: the default of memo is not what it was before")


def test_data_that_are_assigned():
    mean = Value(0.0, requires_grad=False)

    def f(w, x):
        mean.data = 3.0
        return w[0] * x * mean

    refused(f, "data assigned inside a compiled function", "mean.data = 3.0", "Return the new number")

    def g(w, x):
        scale = Value(1.0)
        y = w[0] * x * scale
        scale.data = 2.0
        return y * scale

    refused(g, "data assigned inside", "scale.data = 2.0")


def test_an_iterator_that_moves():
    steps = itertools.count(1)
    refused(lambda w, x: w[0] * x * next(steps), "changes something: the variable steps")


# ── randomness ───────────────────────────────────────────────────────────────────────────────────────
GENERATOR = np.random.default_rng(0)
OLD_GENERATOR = random.Random(0)


@pytest.mark.parametrize(
    "function",
    [
        lambda w, x: w[0] * x * random.random(),
        lambda w, x: w[0] * x * np.random.rand(),
        lambda w, x: w[0] * x * GENERATOR.normal(),
        lambda w, x: w[0] * x * OLD_GENERATOR.gauss(0, 1),
    ],
)
def test_randomness(function):
    refused(function, "randomness inside a compiled function", "Draw them outside")


def test_dropout():
    from nn import Dropout

    layer = Dropout(0.5, seed=0)
    refused(lambda t: layer(t), "randomness inside", args=(T,), of=Tensor)
    assert compile(lambda t: layer.eval()(t) if False else t * 1.0, of=Tensor)(T).tolist() == T.tolist()
    layer.eval()
    assert compile(lambda t: layer(t) * 1.0, of=Tensor)(T).tolist() == T.tolist()


def test_fresh_randomness_is_found_by_the_check():
    def f(w, x):
        return w[0] * x * np.random.default_rng().normal()

    refused(f, "different things for two examples", "fresh random generator", check=True)


def test_the_check_says_what_was_done():
    message = refused(lambda w, x: w[0] * x * time.perf_counter(), check=True)
    assert re.search(r"for two examples: the constant \d+\.\d+, then the constant \d+\.\d+\. A likely", message)


def test_time_is_found_by_the_check():
    refused(lambda w, x: w[0] * x * time.perf_counter(), "different things", "the time", check=True)


# ── texts ────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("steer", "how"),
    [
        (lambda x: {"1": 10.0}[f"{x:.0f}"], "the text (looked up) of x"),
        (lambda x: {"1": 10.0}.get(f"{x:.0f}", 1.0), "the text (looked up) of x"),
        (lambda x: 2.0 if str(x) in {"Value(1.0)"} else 1.0, "the text (looked up) of x"),
        (lambda x: 2.0 if f"{x:g}" == "1" else 1.0, "the text (==) of x"),
        (lambda x: 2.0 if format(x, "g") != "1" else 1.0, "the text (!=) of x"),
        (lambda x: 2.0 if "-" in str(x) else 1.0, "the text (in) of x"),
        (lambda x: 2.0 if repr(x).startswith("Value(-") else 1.0, "the text (.startswith()) of x"),
        (lambda x: 2.0 if f"{x}"[0] == "-" else 1.0, "the text ([...]) of x"),
        (lambda x: float(f"{x:.2f}"), "the text (float()) of x"),
        (lambda x: int(f"{x * 2:.0f}"), "the text (int()) of x * 2"),
        (lambda x: len(f"{x}".split(".")), "the text (.split()) of x"),
        (lambda x: sorted([str(x), "a"]).index("a"), "the text (<) of x"),
        (lambda x: float(str(x).upper()[:3]), "the text (.upper()) of x"),
        (lambda x: len(str(x).lower().split("1")), "the text (.lower()) of x"),
        (lambda x: len(str(x).zfill(30)), "the text (.zfill()) of x"),
        (lambda x: len(str(x).splitlines(keepends=True)[0]), "the text (.splitlines()) of x"),
        (lambda x: 2.0 if str(x).isascii() else 1.0, "the text (.isascii()) of x"),
        (lambda x: 2.0 if str(str(x))[0] == "-" else 1.0, "the text ([...]) of x"),
        (lambda x: 2.0 if f"{x!s:>9}"[0] == "-" else 1.0, "the text ([...]) of x"),
        (lambda x: 2.0 if f"{f'{x}'}"[0] == "-" else 1.0, "the text ([...]) of x"),
        (lambda x: len(str(x)), "the text (len()) of x"),
        (lambda x: float((str(x) * 1)[:3]), "the text (repeated) of x"),
        (lambda x: float((2 * str(x))[:3]), "the text (repeated) of x"),
        (lambda x: float(("k" + str(x))[1:4]), "the text ([...]) of x"),
        (lambda x: float((str(x) + "k")[:3]), "the text ([...]) of x"),
        (lambda x: float(str(x).ljust(20)[:3]), "the text ([...]) of x"),
        (lambda x: float(str(x).format()[:3]), "the text ([...]) of x"),
    ],
)
def test_a_text_that_steers(steer, how):
    refused(lambda w, x: w[0] * x * steer(x), "computing by the text of a traced number", how, "where(condition, a, b)")


def test_a_text_that_was_joined_has_no_number_that_fits():
    refused(lambda w, x: w[0] * x * {"k1": 10.0}[f"k{x:.0f}"], "k1 (traced)", error=KeyError)
    refused(lambda w, x: w[0] * x * float(f"{x:.2f}e0"), "1.00 (traced)e0", error=ValueError)
    refused(lambda w, x: w[0] * (2.0 if f"{x:.0f}!" == "1!" else x), "differs from itself", args=(W, X[:1]), check=True)


def test_a_text_that_is_printed_or_stands_in_a_label(capsys):
    def f(w, x):
        print(f"{x:.2f} and {x}", f"{x!r:>20}", ", ".join(map(str, w)), [x], str(x).ljust(20) + "!", reprlib.repr(x))
        z = x * w[0]
        z.label = f"{x:.1f}"
        with autodiff.scope(str(x)):
            return z + w[1]

    fast = compile(f)
    assert fast(W, X).tolist() == fast(W, X).tolist() == (X * 0.5 + 2).tolist()
    out = capsys.readouterr().out
    assert out.startswith("1.00 (traced) and 1.0 (traced)   Value(1.0, traced) Value(0.5, traced), ")
    assert out.count("\n") == 1
    program = fast.program(W, X)
    assert "1.0 (traced)" in str(program)
    assert set(map(type, [*program.labels.values(), *program.scopes])) == {str}


def test_a_text_of_what_is_the_same_for_all_examples():
    fixed = Value(2.0, requires_grad=False)
    f = compile(lambda w, x: w[0] * x * float(f"{fixed}") * {"Value(3.0)": 1.0}[str(Value(3.0))])
    assert f(W, X).tolist() == X.tolist()
    fixed.data = 4.0
    assert f(W, X).tolist() == (2 * X).tolist()
    assert f.cache_info().reason == "the variable fixed"
    moving = Value(2.0)
    refused(lambda w, x: w[0] * x * float(f"{moving}"), "the text (float()) of moving")


def test_texts_after_a_trace_are_plain():
    kept = []
    with pytest.raises(TraceError, match="changes something: the variable kept"):
        compile(lambda w, x: kept.append(f"{x:.1f}") or w[0] * x)(W, X)
    (text,) = kept
    assert {text: 1}["1.0 (traced)"] == 1
    assert text.split() == ["1.0", "(traced)"]
    with pytest.raises(ValueError, match="could not convert"):
        float(text)
    assert type(str(Value(1.0))) is type(f"{Value(1.0)}") is str


# ── what is no float, and what is returned ───────────────────────────────────────────────────────────
@pytest.mark.parametrize("number", [Fraction(1, 3), 1j, Value(Fraction(1, 3)), [Value(Fraction(1, 3))], [Value(1j)]])
def test_only_floats(number):
    refused(lambda w, x: (w[0] if isinstance(w, list) else w) * x, "compute with floats", args=(number, X))


@pytest.mark.parametrize("number", [1j, Value(1j), np.complex128(1j), Value(1j, requires_grad=False)])
def test_complex_constants(number):
    refused(lambda w, x: w[0] * x * number, "floats, and this one with the Value 1j", "w[0] * x * n", "the real and")
    refused(lambda w, x: where(x > 0, number, w[0]), "with the Value 1j", "of=Tensor")
    f = compile(lambda t: t * 1j, of=Tensor)
    assert f(X).tolist() == (X * 1j).tolist()


def test_numbers_that_come_only_once():
    refused(lambda w, x: sum(w) * x, "w is a generator", "list(...)", args=((i / 2 for i in range(3)), X))
    refused(lambda w, x: next(w["a"]) * x, "w['a'] is a list_iterator", args=({"a": iter(W)}, X))


def test_complex_arrays():
    refused(lambda w, x: w[0] * x, "compute with floats", args=(np.array([1j]), X))
    refused(lambda w, x: w[0] * x, "complex128", args=(W, X * 1j))


@pytest.mark.parametrize("result", [1.0, "text", [1.0], np.ones(2)])
def test_plain_results(result):
    refused(lambda w, x: result, "which was not computed from its arguments", "return the Value or Tensor itself")


def test_a_forgotten_return():
    def f(w, x):
        w[0] * x

    assert "not computed" not in refused(f, "f returned None", "is a return missing")
    refused(lambda w, x: [w[0] * x, None], "returned None among others", "leave it out")


@pytest.mark.parametrize("result", [[], {}, (), [[]], {"a": [()]}])
def test_empty_results(result):
    refused(lambda w, x: result, f"returned {result!r}, with no Value or Tensor in it", "return what was computed")
    refused(lambda t: result, "with no Value or Tensor in it", args=(X,), of=Tensor)
    with pytest.raises(TraceError, match="with no Value or Tensor in it"):
        compile(lambda w, x: result).vjp(W, X)


@pytest.mark.parametrize("collect", [iter, set, lambda nodes: (node for node in nodes), lambda nodes: map(abs, nodes)])
def test_results_in_what_is_no_list(collect):
    refused(
        lambda w, x: collect([w[0] * x, w[1]]), "a compiled function returns nodes", "a list, tuple or dict of them"
    )


def test_constant_results():
    refused(lambda w, x: Value(1.0) * 2, "which was not computed from its arguments", "the same for all examples")


def test_results_of_the_other_kind():
    refused(lambda w, x: stack([Tensor([1.0]), Tensor([2.0])]), "returned a Tensor", "of=Tensor")
    refused(
        lambda n: Value(n) * 2, "traced on Tensors", "Values write compile(..., of=Value)", args=(3,), static_argnums=0
    )


def test_captured_leaves_of_the_other_kind():
    outer = Tensor([1.0, 2.0])
    refused(lambda w, x: (outer * 2).sum(), "reached a Tensor of shape (2,)", "of=Tensor")


def test_computed_outside():
    outer = Value(2.0) * 3
    refused(
        lambda w, x: w[0] * x * outer, "was computed outside the compiled function", "Compute it inside", ".detach()"
    )
    outer = outer.detach()
    assert compile(lambda w, x: w[0] * x * outer)(W, X).tolist() == [3.0, -6.0, 9.0]


# ── gradients inside ─────────────────────────────────────────────────────────────────────────────────
def test_backward_inside():
    def f(w, x):
        y = w[0] * x * x
        y.backward()
        return y * w[0].grad

    refused(f, "backward() inside a compiled function", "y.backward()", "value_and_grad")
    refused(lambda w, x: w[0] * x * gradients(w[0] * x, [x])[0], "create_graph=True")


def test_gradients_that_build_graph_are_traced():
    f = compile(lambda w, x: grad(lambda z: exp(w[0] * z))(x) ** 2, check=True)
    np.testing.assert_allclose(f(W, X), (0.5 * np.exp(0.5 * X)) ** 2, rtol=1e-14)


def test_hooks():
    w = Value(2.0)
    remove = w.register_hook(lambda g: 2 * g)
    refused(lambda x: w * x, "has a gradient hook", args=(X,), in_axes=0)
    remove()
    assert compile(lambda x: w * x, in_axes=0)(X).tolist() == (2 * X).tolist()


# ── other threads ────────────────────────────────────────────────────────────────────────────────────
def in_a_thread(function):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(function()))
    thread.start()
    thread.join()
    return answers[0]


def in_a_pool(function):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def in_an_empty_context(function):
    return contextvars.Context().run(function)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("elsewhere", [in_a_thread, in_a_pool, in_an_empty_context])
@pytest.mark.parametrize(
    ("read", "what"),
    [
        (lambda x: 2.0 if x > 0 else 3.0, "a comparison of Value(1.0)"),
        (lambda x: x.data, ".data of Value(1.0)"),
        (lambda x: (2 * x + 1).item(), ".item() of the result of add"),
        (lambda x: (2 * x + 1).detach(), ".detach() of the result of add"),
        (lambda x: 2 * x + 1, "the result of add was computed in another thread"),
    ],
)
def test_what_another_thread_reads(elsewhere, read, what):
    refused(lambda w, x: w[0] * x * elsewhere(lambda: read(x)), "in another thread", what, "by itself")


def test_parameters_are_anybodys_while_another_thread_traces():
    w = Value(2.0)
    tracing, seen = threading.Event(), threading.Event()

    def slow(x):
        tracing.set()
        assert seen.wait(10)
        return w * x

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(compile(slow, in_axes=0), X)
        assert tracing.wait(10)
        fresh = Value(3.0) * w
        assert (w.data, w > 1, fresh.item(), fresh.detach().data) == (2.0, True, 6.0, 6.0)
        seen.set()
        assert answer.result().tolist() == (2 * X).tolist()


def test_tasks_belong_to_their_thread():
    async def product(w, x):
        return w * x

    f = compile(lambda w, x: asyncio.run(product(w[0], x)))
    assert f(W, X).tolist() == (0.5 * X).tolist()
    assert compile(lambda w, x: contextvars.copy_context().run(lambda: w[0] * x))(W, X).tolist() == (0.5 * X).tolist()


# ── what things are called ───────────────────────────────────────────────────────────────────────────
class Cell:
    def __init__(self, kind=Value):
        self.w, self.b = [kind(0.5), kind(2.0)], kind(0.25)

    def parameters(self):
        return [*self.w, self.b]

    def __call__(self, x):
        return self.w[0] * x + self.w[1] * x * x + self.b


class Net:
    __slots__ = ("cells",)

    def __init__(self):
        self.cells = {"first": [Cell()], "last": Cell()}

    def parameters(self):
        return [*self.cells["first"][0].parameters(), *self.cells["last"].parameters()]


class Linear:
    def __init__(self):
        self.W = Tensor(np.ones((3, 3)))

    def parameters(self):
        return [self.W]


CELL = Cell()


def test_parameters_of_ones_own_class():
    refused(lambda cell, x: float(cell.b) * x, "float() of cell.b", args=(Cell(), X))
    shown = "bool() of (cell.w[0] * x + cell.w[1] * x * x + cell.b > 0.0)"
    refused(lambda cell, x: x if cell(x) > 0 else -x, shown, args=(Cell(), X))
    refused(lambda p, x: p["c"].w[1].item() * x, ".item() of p['c'].w[1]", args=({"c": Cell()}, X))
    deep = lambda net, x: net.cells["first"][0].w[0].item() * x + net.cells["last"].b
    refused(deep, ".item() of net.cells['first'][0].w[0]", args=(Net(), X))
    refused(lambda net, x: x * float((x @ net.W).sum()), "float() of sum(x @ net.W)", args=(Linear(), X))


def test_parameters_that_are_captured():
    cell = Cell()
    refused(lambda x: cell.b.item() * x, ".item() of cell.b", args=(X,), in_axes=0)
    refused(lambda x: float(CELL.w[1] * x), "float() of CELL.w[1] * x", args=(X,), in_axes=0)
    refused(lambda x: float(cell(x)), "of cell.w[0] * x + cell.w[1] * x * x + cell.b", args=(X,), in_axes=0)


def test_flat_lists_of_parameters():
    for P in ([0.5, 2.0], [Value(0.5), Value(2.0)], np.array(W), (0.5, 2.0)):
        refused(lambda P, x: float(-P[1] * x), "float() of -P[1] * x", args=(P, X))
    for P in ([Tensor(T)], (Tensor(T),), [T]):
        refused(
            lambda P, x: float((-P[0] * x).sum()), "float() of sum(-P[0] * x)", args=(P, X), of=Tensor, in_axes=None
        )
    for P in ([2.0], (2.0,)):
        refused(lambda P, x: float((-P[0] * x).sum()), "float() of sum(-P[0] * x)", args=(P, X), of=Tensor)


def test_long_expressions_are_cut():
    def f(w, x):
        for _ in range(50):
            x = x * w[0] + w[1]
        return x if x > 0 else -x

    refused(f, "bool() of (((... + w[1]) * w[0] + w[1]) * w[0] + w[1] > 0.0)")


def test_programs_have_these_names():
    program = compile(lambda x: CELL(x), in_axes=0).program(X)
    assert "CELL.w[0] * x" in str(program)
    assert "+ CELL.b" in str(program)


# ── errors of the function, and of how it is called ──────────────────────────────────────────────────
def test_an_error_of_the_function_is_passed_on_with_a_note():
    with pytest.raises(ZeroDivisionError) as caught:
        compile(lambda w, x: w[0] * x / (1 // 0))(W, X)
    assert caught.value.__notes__ == [
        "<lambda>, while compile traced it, was called with one example: w (shared): a list of 2 Values; x (one of 3):"
        " one Value"
    ]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'") as caught:
        compile(lambda w, x: w * x)(1.0)
    assert not hasattr(caught.value, "__notes__")


def test_batches_that_do_not_fit():
    f = compile(lambda w, x, y: w[0] * x - y)
    refused(f.__wrapped__, "x has 3, y has 2", "same number of examples", args=(W, X, X[:2]))
    refused(f.__wrapped__, "x has no example", args=(W, X[:0], X[:0]))
    f(W, X, X)
    with pytest.raises(TraceError, match="x has 3, y has 1"):
        f(W, X, X[:1])
    refused(f.__wrapped__, "y varies from example to example along axis 0", "in_axes", args=(W, X, 1.0))
    refused(f.__wrapped__, "one entry per example", args=(W, X, [[1.0], [2.0, 3.0]]))
    refused(lambda w, x: w[0] * x["a"], "another structure", args=(W, {"a": X}), in_axes=(None, {"b": 0}))


def test_numbers_that_all_examples_share():
    def f(w, x, lr, n=1, *, k=1.0):
        return w[0] * x * lr * n

    shared = r"x\(\.\.\., in_axes=\(None, 0, None\)\)$".replace("x", "compile", 1)
    with pytest.raises(
        TraceError, match=rf"lr varies from .* given the float 0.5; give one entry .*share it, write {shared}"
    ):
        compile(f)(W, X, 0.5)
    assert compile(f, in_axes=(None, 0, None))(W, X, 0.5).tolist() == (0.25 * X).tolist()
    refused(
        f, 'in_axes=(None, 0, None, None)); or, to count or to index with it, static_argnames="n"', args=(W, X, 0.5, 2)
    )
    refused(f, "in_axes=(None, 0, None, 0)", args=(W, X, np.float64(0.5), X))
    refused(f, "or None for it in in_axes where", args=(W, {"a": 1.0}, X))


@pytest.mark.parametrize("words", [["yes", "no", "yes"], ("yes", "no", "yes"), np.array(["yes", "no", "yes"])])
def test_labels_that_are_words(words):
    refused(lambda w, x, y: where(y == "yes", w[0], w[1]) * x, "y is a", "of strings", "np.eye(k)", args=(W, X, words))
    refused(lambda w, b: w[0] * b["x"], "b['y'] is a", "of strings", args=(W, {"x": X, "y": words}))
    if not isinstance(words, np.ndarray):
        f = compile(lambda w, x, y: w[y.index("no")] * x, in_axes=(None, 0, None))
        assert f(W, X, words).tolist() == (2 * X).tolist()


def test_options():
    for wrong, message in [
        ({"reduction": "avg"}, "'none', 'mean', 'sum'"),
        ({"backend": "cuda"}, "'auto', 'numpy'"),
        ({"maxsize": 0}, "at least 1"),
        ({"static_argnames": "z"}, "no argument 'z'"),
        ({"static_argnums": -1}, "counts from 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            compile(lambda w, x: w * x, **wrong)
    with pytest.raises(TypeError, match="float64 or np"):
        compile(lambda x: x, dtype=int)
    with pytest.raises(TypeError, match="Value or Tensor"):
        compile(lambda x: x, of=float)
    with pytest.raises(TypeError, match="takes a function"):
        compile(3)
    with pytest.raises(ValueError, match="3 arguments"):
        compile(lambda w, x: w * x, in_axes=(None, 0, 0))(1.0, X)
    with pytest.raises(TypeError, match="has to be hashable"):
        compile(lambda w, x, n: w[0] * x, static_argnums=2)(W, X, [1])
    with pytest.raises(TraceError, match="functions of single numbers"):
        compile(lambda t: t * 2, of=Tensor, in_axes=0)(T)


def test_arguments_to_differentiate_by():
    f = compile(lambda w, x, n: w[0] * x**n, static_argnums=2)
    with pytest.raises(TypeError, match="n has no numbers to differentiate by"):
        f.value_and_grad(W, X, 2, argnums=2)
    with pytest.raises(ValueError, match="3 arguments"):
        f.value_and_grad(W, X, 2, argnums=3)
    with pytest.raises(TypeError, match=r"w has no numbers .* or empty"):
        compile(lambda w, x: x * 2).grad([], X)
    with pytest.raises(TypeError, match=r"returns one number.*return their sum or mean"):
        compile(lambda w, x: [w[0] * x, w[1]]).value_and_grad(W, X)
    with pytest.raises(TypeError, match="integers carry no gradient"):
        compile(lambda a, b: (a * b).sum(), of=Tensor).grad(T, np.array([1, 2, 3]), argnums=1)
    with pytest.raises(TraceError, match="no examples"):
        compile(lambda t: t.sum(), of=Tensor).grad(T, per_example=True)
    with pytest.raises(ValueError, match="cotangent"):
        compile(lambda w, x: [w[0] * x, w[1]]).vjp(W, X)[1](np.ones(3))
    for wrong in (X, {"b": X}, [X], {"a": X, "b": X}):
        with pytest.raises(ValueError, match="a cotangent has the form of the output, a dict of 'a'"):
            compile(lambda w, x: {"a": w[0] * x}).vjp(W, X)[1](wrong)


def test_a_compiled_function_inside_another():
    inner = compile(lambda a, b: a * b, in_axes=None)
    assert compile(lambda w, x: inner(w[0], x) + 1)(W, X).tolist() == [1.5, 0.0, 2.5]
    batched = compile(lambda a, b: a * b)
    refused(lambda w, x: batched(w[0], x), "inside another compiled function", ".__wrapped__")


@pytest.mark.parametrize(
    "method",
    [
        lambda f, *args: f.value_and_grad(*args)[0],
        lambda f, *args: f.grad(*args),
        lambda f, *args: f.vjp(*args)[0],
        lambda f, *args: f.backward(*args),
    ],
)
def test_plain_results_of_a_compiled_function_inside_another(method):
    inner = compile(lambda a, b: a * b * b, in_axes=None)
    refused(lambda w, x: w[0] * x + method(inner, w[0], x), "inside another compiled function", "grad, value_and_grad")
    outer = compile(lambda w, x: w[0] * x + autodiff.grad(inner.__wrapped__)(w[0], x))
    assert outer(W, X).tolist() == (W[0] * X + X * X).tolist()


@pytest.mark.parametrize(
    "function",
    [
        lambda w, x: where((x > 0) == (x > 2), w[0] * x, w[1]),
        lambda w, x: where((x > 0) != (x > 2), w[0] * x, w[1]),
        lambda w, x: w[0] * x * [x > 0, x > 2].count(x > 1),
    ],
)
def test_comparisons_that_are_compared(function):
    refused(function, "== of (x > 0.0)", "equal(a, b)")
    same = compile(lambda w, x: where(autodiff.equal(x > 0, x > 2), w[0] * x, w[1]))
    assert same(W, X).tolist() == [2.0, -1.0, 1.5]
    found = compile(lambda w, x: w[0] * x * [w[1], x, w[0]].index(w[0]))  # numbers are found by what they are
    assert found(W, X).tolist() == (2 * W[0] * X).tolist()


# ── what would get lost outside of a trace ───────────────────────────────────────────────────────────
def test_a_gradient_that_would_be_lost_in_plain_numbers():
    fast = compile(lambda w, x: w * x * x, in_axes=None)
    w = Value(2.0)
    for lost in (
        lambda: fast(w * w, 3.0),
        lambda: fast.grad([w, w * 2], 3.0),
        lambda: grad(lambda w: w * fast(w, 3.0))(2.0),
    ):
        with pytest.raises(TraceError, match=r"compiled function answers with plain numbers.*__wrapped__"):
            lost()
    with pytest.raises(TraceError, match=r"itself write fast.grad\(...\)"):
        grad(fast)(2.0, 3.0)
    assert fast((w * w).detach(), 3.0) == fast(4.0, 3.0) == 36.0
    assert grad(lambda v: v * fast(w, 3.0))(2.0) == 18.0  # w is a parameter from outside: nothing flows to it here


def test_random_numbers_of_the_machine():
    source, draw = random.SystemRandom(), secrets.randbelow
    for f in (lambda w: w * source.random(), lambda w: w * secrets.randbelow(9), lambda w: w * draw(9)):
        with pytest.raises(TraceError, match="SystemRandom"):
            compile(f)(2.0)


@pytest.mark.parametrize(
    "look_up",
    [
        lambda k: {0.0: 1.0, 1.0: 5.0}.get(k, 1.0),
        lambda k: 2.0 if k in {1.0, 2.0} else 1.0,
        lambda k: len({k, 1.0}),
        lambda k: {1.0: 3.0}[k],
    ],
)
def test_a_number_is_not_looked_up_by_its_identity(look_up):
    with pytest.raises(TraceError, match=r"(?s)looked up in a dictionary or a set.*where\(equal"):
        compile(lambda w, x, k: w * x * look_up(k))(2.0, [1.0, 2.0], [1.0, 0.0])


@pytest.mark.parametrize(
    "compare", [lambda x: x[0] == x[1], lambda x: x[0] != x[1], lambda x: x[0] in x[1:], lambda x: [x[0]] == [x[1]]]
)
def test_two_numbers_are_not_compared_by_their_identity(compare):
    with pytest.raises(TraceError, match="compared by =="):
        compile(lambda w, x: w * x[0] * (2.0 if compare(x) else 1.0))(2.0, [[1.0, 1.0], [1.0, 2.0]])


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (
            3.0,
            r"x varies from example to example along axis 0 \(in_axes\), and was given the float 3.0; give one entry",
        ),
        ([1.0, None], r"x\[0\] varies from example to example along axis 0 \(in_axes\), and was given the float 1.0"),
        ((i for i in (1.0, 2.0)), r"x is to hold numbers in an order, and was given the generator .*; write list\("),
        ({1.0, 2.0}, r"x is to hold numbers in an order, and was given the set \{1.0, 2.0\}; write list\("),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), r"is a masked array, and compiled .* write .filled\(0.0\)"),
        (object(), r"x is to hold numbers, and was given the object"),
        ([[1.0], [2.0, 3.0]], r"x has one entry per example, all of one shape; given \[\[1.0\], \[2.0, 3.0\]\]"),
    ],
)
def test_what_is_no_batch(batch, message):
    with pytest.raises(autodiff.TraceError, match=message):
        compile(lambda w, x: w * x)(2.0, batch)


def test_an_array_where_in_axes_has_a_structure():
    fast = compile(lambda w, x: w * x[0], in_axes=(None, [0, 0]))
    with pytest.raises(autodiff.TraceError, match=r"in_axes has \[0, 0\] for x, which has another structure"):
        fast(2.0, np.ones((2, 3)))


def test_masked_parameters():
    with pytest.raises(autodiff.TraceError, match="masked array"):
        compile(lambda w, x: w[0] * x)(np.ma.array([1.0, 2.0], mask=[0, 1]), np.ones(3))
