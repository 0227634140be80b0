"""What is added to a Python error inside a function that is traced: the arguments as it saw them, and what to write."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autodiff import Tensor, TraceError, Value, compile
from autodiff import sum as sum_of

X, Y = np.arange(10.0).reshape(5, 2), np.arange(5.0)
W = [0.5, 2.0]


def note_of(function, args=(W, X, Y), error=TypeError, **options):
    """The one note at the error that a trace raises, or None."""
    with pytest.raises(error) as caught:
        compile(function, **options)(*args)
    notes = getattr(caught.value, "__notes__", [])
    assert len(notes) <= 1
    return notes[0] if notes else None


def loss(params, x, y):
    return (sum(w * x_i for w, x_i in zip(params, x, strict=True)) - y) ** 2


def loss_of_all(params, X, Y):
    return sum(loss(params, x, y) for x, y in zip(X, Y, strict=True))


def matrices(w, x, y):
    return (w @ x - y) ** 2


# ── a number where a list is expected ────────────────────────────────────────────────────────────────
def test_a_loss_over_the_whole_data_set():
    note = note_of(loss_of_all)
    assert note.startswith(
        "loss_of_all, while compile traced it, was called with one example: params (shared): a list of 2 Values;"
        " X (one of 5): a list of 2 Values; Y (one of 5): one Value\n  a Value is one number"
    )
    assert "Write the function for ONE example" in note
    assert note.endswith("for a loop over the data inside the function write in_axes=None")
    whole = compile(loss_of_all, in_axes=None)(W, X, Y)
    assert whole == pytest.approx(compile(loss, reduction="sum")(W, X, Y), rel=1e-14)


def test_swapped_arguments_and_a_forgotten_axis():
    assert "x (one of 5): one Value; y (one of 5): a list of 2 Values" in note_of(loss, args=(W, Y, X))
    assert "x (one of 2): one Value; y (one of 2): one Value" in note_of(loss, args=(W, X[0], Y[:2]))


def test_axes_that_are_too_wide():
    note = note_of(loss, args=(np.ones(5), X, Y), in_axes=0)
    assert "params (one of 5): one Value" in note
    assert note.endswith("has None in in_axes: in_axes=(None, 0, 0)")


@pytest.mark.parametrize(
    "function",
    [
        lambda w, x, y: w[0] / len(y),
        lambda w, x, y: w[0] * y[0],
        lambda w, x, y: w[0] * sum(y),
        lambda w, x, y: w[0] * x[0] if w[0] in y else w[1],
    ],
)
def test_a_value_is_one_number(function):
    assert "a Value is one number, without len(), entries or .sum()" in note_of(function)


@pytest.mark.parametrize("name", ["sum", "mean", "shape", "T", "reshape"])
def test_a_value_is_no_array(name):
    assert "a Value is one number" in note_of(lambda w, x, y: getattr(y, name), error=AttributeError)
    assert "a Value is one number" not in note_of(lambda w, x, y: y.weight, error=AttributeError)


# ── a list where an array is expected ────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "function",
    [
        matrices,
        lambda w, x, y: sum(w * x),
        lambda w, x, y: 2.0 * x,
        lambda w, x, y: x**2,
        lambda w, x, y: -x,
        lambda w, x, y: w - x,
        lambda w, x, y: x[:, 0],
        lambda w, x, y: math.exp(x),
    ],
)
def test_lists_are_no_arrays(function):
    note = note_of(function)
    for part in ("nested lists of Values", "sum(a * b for a, b in zip(w, x)) for w @ x", "[row[0] for row in x]"):
        assert part in note
    assert note.endswith("write the function for the whole batch (X @ w), and compile(..., of=Tensor)")


@pytest.mark.parametrize("name", ["sum", "shape", "T", "dot"])
def test_lists_have_no_attributes_of_arrays(name):
    note = note_of(lambda w, x, y: getattr(x, name), error=AttributeError)
    assert "len(x) for x.shape[0], sum(x) for x.sum()" in note
    assert "arrays are nested lists" not in note_of(lambda w, x, y: x.weight, error=AttributeError)


def test_the_advice_leads_out():
    note = note_of(matrices, args=(np.array(W), X, Y), error=ValueError, of=Tensor)
    assert note == (
        "matrices, while compile traced it, was called with w: a Tensor of shape (2,); x: a Tensor of shape (5, 2); y:"
        " a Tensor of shape (5,)\n  a function of Tensors is called once with all there is, so it is written for the"
        " whole batch (X @ w)"
    )
    whole = compile(lambda w, X, Y: (X @ w - Y) ** 2, of=Tensor)(np.array(W), X, Y)
    np.testing.assert_allclose(whole, compile(loss)(W, X, Y), rtol=1e-14)


def test_values_in_a_function_without_a_batch():
    w = Value(2.0)
    note = note_of(lambda x: w * x, args=(Y,))
    assert "x: a Tensor of shape (5,)" in note
    assert note.endswith("To compute with one example at a time, and with Values, write compile(..., in_axes=0)")
    assert compile(lambda x: w * x, in_axes=0)(Y).tolist() == (2 * Y).tolist()


# ── what the arguments are called ────────────────────────────────────────────────────────────────────
class Model:
    def __init__(self):
        self.w = Value(1.0)

    def parameters(self):
        return [self.w]


def test_arguments_of_every_kind():
    def f(p, model, x, n, *, name):
        raise KeyError("z")

    with pytest.raises(KeyError) as caught:
        compile(f, in_axes=(None, None, {"a": 0, "b": None}, None), static_argnums=3, static_argnames="name")(
            {"w": [[1.0, 2.0]], "b": 0.0}, Model(), {"a": X, "b": (1.0, 2.0, "c")}, 3, name="n"
        )
    assert caught.value.__notes__ == [
        "f, while compile traced it, was called with one example: p (shared): a dict of 'w' (a list of 1 list of 2"
        " Values), 'b' (one Value); model (shared): a Model; x (in part one of 5): a dict of 'a' (a list of 2 Values),"
        " 'b' (a tuple of 3); n: 3; name: 'n'"
    ]


# ── errors that explain themselves ───────────────────────────────────────────────────────────────────
def test_errors_that_explain_themselves():
    assert note_of(lambda w, x, y: w[2], error=IndexError) is None
    assert note_of(lambda w, x, y: nothing_of_that_name, error=NameError) is None  # noqa: F821
    assert note_of(lambda w, x, y: sum_of(x)) is None
    assert note_of(lambda w, x, y: Value("a")) is None
    assert note_of(lambda w, x, y: w[0] * float(y), error=TraceError) is None
