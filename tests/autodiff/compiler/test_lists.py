"""Lists and arrays in which traced numbers would get lost: a message for each of the reasons."""

from __future__ import annotations

import numpy as np
import pytest

from autodiff import Tensor, TraceError, Value, compile, stack

X, Y = np.arange(10.0).reshape(5, 2), np.arange(5.0)
W = [0.5, 2.0]


def refused(function, *parts, args=(W, X, Y), **options):
    """The message of the refusal, which has all the parts in it."""
    with pytest.raises(TraceError) as caught:
        compile(function, **options)(*args)
    message = str(caught.value)
    assert "test_lists.py" in message
    for part in parts:
        assert part in message, message
    return message


# ── labels ───────────────────────────────────────────────────────────────────────────────────────────
def test_labels_in_a_column():
    def f(w, x, y):
        return w[0] * x[0] - y

    refused(
        f,
        "a list of traced numbers where one number goes",
        "y has the shape (5, 1), so in the function it is a list of 1 number: give y[:, 0], or write y[0]",
        args=(W, X, Y[:, None]),
    )
    refused(f, "y has the shape (5, 1, 1)", "give y[:, 0, 0], or write y[0][0]", args=(W, X, Y[:, None, None]))
    assert compile(f)(W, X, Y[:, None][:, 0]).tolist() == (0.5 * X[:, 0] - Y).tolist()


def test_rows():
    refused(lambda w, x, y: x - y, "one example of x is a list of 2 Values. Take its numbers one at a time")


# ── NumPy ────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "function",
    [
        lambda w, x, y: np.dot(w, x) - y,
        lambda w, x, y: np.mean(x) - y,
        lambda w, x, y: np.linalg.norm(x) - y,
        lambda w, x, y: np.argmin(x) - y,
        lambda w, x, y: sum(np.array(w) * x) - y,
        lambda w, x, y: np.exp(x)[0] - y,
        lambda w, x, y: np.sum([w[0] * x[0], y]),
    ],
)
def test_lists_given_to_numpy(function):
    refused(
        function,
        "a list of traced numbers given to NumPy: a plain array of",
        "sum(w * x for w, x in zip(ws, xs)) for np.dot",
        "in the place of np.array(xs) use the list itself",
    )


def test_entries_of_an_array():
    def f(w, x, y):
        h = np.zeros(2)
        for i in range(2):
            h[i] = w[i] * x[i]
        return sum(h) * y

    def g(w, x, y):
        h = np.zeros(2)
        h[:] = x[0]
        return sum(h) * y

    refused(
        f,
        "a traced number assigned to an entry of an array: float() of w[0] * x[0]",
        "h[i] = w[i] * x[i]",
        "Make a list: h = [a * b for a, b in zip(w, x)]",
    )
    refused(g, "a traced number assigned to an entry of an array", "h[:] = x[0]")


def test_entries_of_an_array_of_tensors():
    def f(t):
        h = np.zeros((2, 3))
        h[0] = 2 * t
        return t * h

    refused(
        f, "assigned to an entry of an array", "Make a list", "and join it: stack(h)", args=(np.ones(3),), of=Tensor
    )
    refused(lambda w, x, y: w[0] * float(x[0]), "a traced number leaves the graph: float() of x[0]")


# ── what is shared ───────────────────────────────────────────────────────────────────────────────────
def test_a_whole_data_set():
    def f(x, y, w):
        return (w * x - y) ** 2

    refused(
        f,
        "x is shared by all examples, so it comes whole: a list of 5 Values. Where it has one entry for each example,"
        " write compile(..., in_axes=(0, 0, None))",
        args=(Y, Y, 2.0),
        in_axes=(None, 0, None),
    )
    assert compile(f, in_axes=(0, 0, None))(Y, Y, 2.0).tolist() == (Y * Y).tolist()


def test_a_function_of_the_example_alone():
    w = Value(2.0)
    refused(lambda x: w * x, "write compile(..., in_axes=0). Else", args=(Y,), of=Value)
    refused(lambda x: w * x[0], "a list of 5 lists of 2 Values", "in_axes=0", args=(X,), of=Value)


def test_parameters():
    message = refused(lambda w, x, y: w * y, "w is shared by all examples, so it comes whole: a list of 2 Values. Take")
    assert "in_axes" not in message
    refused(lambda w, x, y: y * [w[0], x[0]], "w is shared", args=(np.ones(3), X, Y))
    refused(lambda w, x, y: y * [2 * x[0]], "where one number goes: a plain array of 2.0 * x[0]", "one at a time")


def test_names_with_braces():
    refused(
        lambda p, y: y * p["{a}"],
        "p['{a}'] is shared by all examples, so it comes whole: a list of 2 Values",
        args=({"{a}": W}, Y),
    )


# ── Tensors ──────────────────────────────────────────────────────────────────────────────────────────
def test_lists_in_a_function_of_tensors():
    def f(w, X):
        return X @ w

    refused(f, "w is a list, and so a list of Tensors: give an array, np.array(w)", args=(W, X), of=Tensor)
    assert compile(f, of=Tensor)(np.array(W), X).tolist() == (X @ W).tolist()
    refused(lambda w, X: X @ [w[0] + 1, w[1]], "join a list of Tensors with stack([...])", args=(W, X), of=Tensor)
    assert compile(lambda w, X: X @ stack([w[0], w[1]]), of=Tensor)(W, X).tolist() == (X @ W).tolist()


@pytest.mark.parametrize("read", [lambda t: t.data.mean(), lambda t: t.sum().item(), lambda t: float(t.sum())])
def test_what_is_read_of_a_call(read):
    message = refused(
        lambda t: t * read(t),
        "what is read here is that of this call, and would be a constant in all others",
        "x.shape and len(x) are fixed, and may be read",
        args=(X,),
        of=Tensor,
    )
    assert "one example" not in message


def test_a_choice_in_a_call():
    refused(lambda t: t if t.sum() > 0 else -t, "a trace follows one call, and another", args=(X,), of=Tensor)
