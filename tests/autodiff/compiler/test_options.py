"""What compile is given beside a function is checked at once, and a message says what to write instead."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest

from autodiff import Tensor, compile

X = np.array([1.0, -2.0, 4.0])


def product(w, x):
    return w * x


# ── the function ─────────────────────────────────────────────────────────────────────────────────────
def test_functions_that_return_no_numbers():
    def each(w, x):
        yield w * x

    async def later(w, x):
        return w * x

    with pytest.raises(TypeError, match=r"each yields them one by one; collect them in a list"):
        compile(each)
    with pytest.raises(TypeError, match=r"later is async; write def"):
        compile(later)
    with pytest.raises(TypeError, match=r"takes a function, and was given 'x \* 2'"):
        compile("x * 2")


@pytest.mark.parametrize("name", ["argnums", "per_example"])
def test_a_parameter_that_could_not_be_given_by_keyword(name):
    taken = {
        "argnums": lambda w, argnums: w * argnums,
        "per_example": lambda w, *, per_example: w * per_example,
    }[name]
    with pytest.raises(TypeError, match=rf"a parameter called {name}, and value_and_grad .* give it another name"):
        compile(taken)


def test_a_parameter_of_that_name_that_is_never_given_by_keyword():
    def f(w, argnums, /):
        return w * argnums

    assert compile(f).grad(2.0, X) == np.mean(X)


# ── in_axes ──────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("axis", [0.0, 1.5, True, False, {0}, "0", b"0", object(), np.array(0), np.float64(0), 1j])
def test_what_is_no_axis(axis):
    for in_axes in (axis, (None, axis), [None, [axis, 0]], (None, {"a": axis})):
        with pytest.raises(TypeError, match=r"in_axes=.* is a whole number, such as 0, or None .* built like the arg"):
            compile(product, in_axes=in_axes)


def test_auto_is_for_all_arguments():
    with pytest.raises(TypeError, match="not 'auto'"):
        compile(product, in_axes=(None, "auto"))


@pytest.mark.parametrize("in_axes", [(), (0,), [None], (None, 0, 0)])
def test_as_many_axes_as_arguments(in_axes):
    with pytest.raises(
        ValueError, match=r"is for \d arguments?, and there are 2 arguments \(w, x\); write one for each"
    ):
        compile(product, in_axes=in_axes)


def test_as_many_axes_as_a_call_has_arguments():
    f = compile(lambda w, x, power=1: w * x**power, in_axes=(None, 0))
    assert f(2.0, X).tolist() == [2.0, -4.0, 8.0]
    with pytest.raises(ValueError, match=r"is for 2 arguments, and there are 3 arguments \(w, x, power\)"):
        f(2.0, X, 3.0)
    many = compile(lambda w, *xs: w * xs[0] * xs[1], in_axes=(None, 0, 0))
    assert many(2.0, X, X).tolist() == [2.0, 8.0, 32.0]


def test_axes_of_every_kind():
    Pair = namedtuple("Pair", ["a", "b"])
    pairs = Pair(X, 2.0)
    for axes in (Pair(0, None), (0, None), [np.int64(0), None], (-1, None)):
        f = compile(lambda w, p: w * p[0] * p[1], in_axes=(None, axes))
        assert f(1.0, pairs).tolist() == [2.0, -4.0, 8.0]
    shared = compile(lambda w, p: (w * p[0]).sum(), in_axes=(None, [None]), of=Tensor)
    assert shared(X, [X]) == 21.0


def test_one_array_that_may_be_one_argument_or_many_examples():
    def total(x):
        return 2.0 * x[0] + x[1]

    rows = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    with pytest.warns(
        RuntimeWarning, match=r"total was given one array of shape \(3, 2\).*over the 3.*in_axes=0\)"
    ) as w:
        assert compile(total)(rows).tolist() == (2.0 * rows[0] + rows[1]).tolist()
    assert w[0].filename == __file__
    with pytest.warns(RuntimeWarning, match=r"compile\(..., of=Tensor\)"):
        compile(lambda x: (x * x).sum()).grad(rows)
    assert compile(total, in_axes=0)(rows).tolist() == (rows @ [2.0, 1.0]).tolist()
    for meant in ({"of": Tensor}, {"in_axes": None}):
        assert compile(total, **meant)(rows).tolist() == (2.0 * rows[0] + rows[1]).tolist()
    assert compile(total)(rows[0]) == compile(total)(Tensor(rows[0])) == 4.0
    assert compile(total)(Tensor(rows)).tolist() == (2.0 * rows[0] + rows[1]).tolist()
    once = compile(total)
    with pytest.warns(RuntimeWarning, match="was given one array"):
        once(rows)
    once(rows)
    once(rows + 1)


# ── the others ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"maxsize": None}, "whole number, not None"),
        ({"maxsize": 1.5}, "whole number, not 1.5"),
        ({"maxsize": True}, "whole number, not True"),
        ({"dtype": "float33"}, "np.float64 or np.float32, not 'float33'"),
        ({"dtype": np.float16}, "np.float64 or np.float32, not"),
        ({"check": "no"}, "True or False, not 'no'"),
        ({"static_argnums": None}, "counted from 0, or several; not None"),
        ({"static_argnums": 1.0}, "counted from 0, or several; not 1.0"),
        ({"static_argnums": "x"}, "counted from 0, or several; not 'x'"),
        ({"static_argnums": [1, "x"]}, "counted from 0, or several"),
        ({"static_argnames": None}, "the name of an argument, or several; not None"),
        ({"static_argnames": [1]}, "the name of an argument, or several"),
    ],
)
def test_options_of_another_type(options, message):
    with pytest.raises(TypeError, match=message):
        compile(product, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reduction": None}, "'none', 'mean', 'sum', not None"),
        ({"reduction": ["mean"]}, "'none', 'mean', 'sum'"),
        ({"backend": None}, "'auto', 'numpy'"),
        ({"static_argnums": 2}, r"static_argnums=2: the function has 2 arguments"),
        ({"static_argnums": (0, 7)}, r"static_argnums=\(0, 7\): the function has 2 arguments"),
    ],
)
def test_options_that_there_are_not(options, message):
    with pytest.raises(ValueError, match=message):
        compile(product, **options)


# ── argnums ──────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("argnums", [None, 1.0, True, {0}, np.array([0, 1]), (0, "x"), ((0,),), b"w"])
def test_what_is_no_position(argnums):
    f = compile(product)
    for method in (f.value_and_grad, f.grad, f.vjp):
        with pytest.raises(TypeError, match=r"argnums is the position of an argument, counted from 0, or a tuple"):
            method(2.0, X, argnums=argnums)


def test_a_name_in_the_place_of_a_position():
    with pytest.raises(TypeError, match=r"not 'x'; x is argnums=1"):
        compile(product).grad(2.0, X, argnums="x")


@pytest.mark.parametrize("argnums", [(), 2, -3, (0, 2), 2**80])
def test_a_position_that_there_is_not(argnums):
    with pytest.raises(ValueError, match=r"the function was called with 2.*: w, x"):
        compile(product).grad(2.0, X, argnums=argnums)


def test_positions_of_every_kind():
    f = compile(product)
    w, x = np.mean(X), np.full(3, 2 / 3)
    assert f.grad(2.0, X, argnums=np.int64(0)) == w
    assert f.grad(2.0, X, argnums=-1).tolist() == x.tolist()
    for both in ((0, 1), [0, -1], range(2)):
        first, second = f.grad(2.0, X, argnums=both)
        assert (first, second.tolist()) == (w, x.tolist())


def test_a_parameter_may_be_called_self():
    fast = compile(lambda self, x: self * x)
    assert fast(self=2.0, x=X).tolist() == (2.0 * X).tolist()
    assert fast.grad(self=2.0, x=X) == pytest.approx(X.mean())
