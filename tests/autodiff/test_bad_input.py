"""Bad input gets an error that shows what was given, what was expected and what to write; nothing is half done."""

from __future__ import annotations

import math

import numpy as np
import pytest

import autodiff as ad
from autodiff import Tensor, Value

T = Tensor(np.ones((2, 3)), label="W")
V = Value(2.0, label="speed")
CYCLE: list = [1.0]
CYCLE.append(CYCLE)


class Foreign:
    def __repr__(self):
        return "<something foreign>"


SILENT = ad.Primitive("silent", None, lambda x: x * 1, rules=[lambda g, x, out: None])

CASES = {
    # what is written: (the error, what its message must show)
    "a word": (lambda: Value("cat"), TypeError, r"Value holds one number, such as Value\(2\.0\).*the str 'cat'; convert it"),
    "nothing": (lambda: Value(None), TypeError, "the NoneType None"),
    "a list": (lambda: Value([1.0]), TypeError, r"a list of shape \(1,\); for an array use Tensor"),
    "an array": (lambda: Value(np.ones(2)), TypeError, r"a ndarray of shape \(2,\)"),
    "a value twice": (lambda: Value(V), TypeError, "the Value"),
    "a huge integer": (lambda: Value(10**400), OverflowError, r"too large for a float; Fraction\(\.\.\.\)"),
    "words": (lambda: Tensor(["a", "b"]), TypeError, r"Tensor holds numbers.*\['a', 'b'\]"),
    "ragged lists": (lambda: Tensor([[1.0], [1.0, 2.0]]), ValueError, "inhomogeneous"),
    "a masked array": (lambda: Tensor(np.ma.array([1.0])), TypeError, r"\.filled\(0\)"),
    "a tensor twice": (lambda: Tensor(T), TypeError, r"a Tensor of shape \(2, 3\), a node already; \.detach"),
    "a list of tensors": (lambda: Tensor([T, T]), TypeError, r"autodiff\.stack"),
    "mixed kinds": (lambda: V * T, TypeError, r"do not mix, and the Value 2\.0 met a Tensor of shape \(2, 3\).*Tensor\(value\.data\)"),
    "mixed kinds, reversed": (lambda: T * V, TypeError, "Value and Tensor do not mix"),
    "a value and an array": (lambda: V + np.ones(2), TypeError, r"met a ndarray of shape \(2,\)"),
    "an array and a value": (lambda: np.ones(2) + V, TypeError, "do not mix"),
    "a value and a word": (lambda: V + "cat", TypeError, "the str 'cat'"),
    "a foreign object": (lambda: V * Foreign(), TypeError, "something foreign"),
    "a foreign object and a tensor": (lambda: T * Foreign(), TypeError, "something foreign"),
    "a list that contains itself": (lambda: ad.sum(CYCLE), ValueError, "contains itself"),
    "a list that contains itself and a node": (lambda: ad.grad(lambda c: c[0])(CYCLE), ValueError, "contains itself"),
    "shapes that do not fit": (lambda: T + np.ones(4), ValueError, r"add of W \(2, 3\) and shape \(4,\)"),
    "matrices that do not fit": (lambda: T @ T, ValueError, r"matmul of W \(2, 3\) and W \(2, 3\)"),
    "an impossible shape": (lambda: T.reshape(4, 2), ValueError, r"reshape of W \(2, 3\), shape=\(4, 2\)"),
    "an index too far": (lambda: T[5], IndexError, r"getitem of W \(2, 3\), index=5"),
    "an axis too far": (lambda: T.sum(axis=3), ValueError, r"sum of W \(2, 3\), axis=3"),
    "a singular system": (lambda: ad.solve(np.zeros((2, 2)), Tensor(np.ones(2))), np.linalg.LinAlgError, r"solve of shape \(2, 2\)"),
    "a vector without a seed": (lambda: T.backward(), ad.GraphError, r"W has shape \(2, 3\).*\.sum\(\)"),
    "math instead of autodiff": (lambda: math.exp(V), TypeError, r"float\(\) of speed.*functions of autodiff \(exp.*\.item\(\)"),
    "an array operation on a value": (lambda: ad.softmax(V), TypeError, "softmax works on arrays, and a Value holds one number; use Tensor"),
    "an unknown parameter": (lambda: T.sum(axes=0), TypeError, r"sum\(x, axis=None, keepdims=False\) has no parameter 'axes'"),
    "too many parameters": (lambda: T.sum(0, True, 3), TypeError, r"sum\(x, axis=None, keepdims=False\) was given 3"),
    "a missing parameter": (lambda: ad.reshape(T), TypeError, r"reshape\(x, shape\): 'shape' is missing"),
    "a missing input": (lambda: ad.maximum(T), TypeError, r"maximum\(a, b\) takes two inputs, and was given 1$"),
    "no input": (lambda: ad.maximum(), TypeError, r"maximum\(a, b\) takes two inputs, and was given none$"),
    "a list for two inputs": (lambda: ad.maximum([V, V]), TypeError, r"was given 1; of a list: functools.reduce\(maximum, \[a, b\]\)"),
    "three inputs for two": (lambda: ad.minimum(V, 1, 2), TypeError, r"takes two inputs, and was given 3; for more: functools.reduce\(minimum, \[a, b, c\]\)"),
    "no fold": (lambda: ad.subtract(V, 1, 2), TypeError, r"subtract\(a, b\) takes two inputs, and was given 3$"),
    "no such keyword": (lambda: ad.exp(T, axis=0), TypeError, r"exp\(x\) takes no argument 'axis'"),
    "a list of values": (lambda: ad.exp([V]), TypeError, r"on a list of Values what Python has: .*\[exp\(x\) for x in xs\]"),
    "an argument too many": (lambda: ad.exp(T, T), TypeError, r"exp\(x\) takes one input, and was given 2$"),
    "tensors not in a list": (lambda: ad.stack(T, T), TypeError, r"stack takes a list of inputs: stack\(\[a, b\]\)"),
    "an empty list": (lambda: ad.concatenate([]), ValueError, "concatenate needs at least one input"),
    "a parameter with a gradient": (lambda: ad.clip(T, V), TypeError, "min is a Value that carries a gradient"),
    "an index with a gradient": (lambda: T[Tensor([0.0])], TypeError, "index"),
    "an unknown order of a norm": (lambda: ad.norm(T, 3), ValueError, "orders 1, 2 and inf"),
    "a matrix norm": (lambda: np.linalg.norm(T, 1), TypeError, "matrix norm"),
    "put twice at one place": (lambda: ad.put(T, 1.0, np.array([0, 0])), ValueError, "occurs twice.*scatter_add"),
    "an equation without operands": (lambda: ad.einsum(T, T), TypeError, "einsum takes its equation first"),
    "a window too large": (lambda: ad.sliding_windows(T, 9), ValueError, r"window of \(9,\).*\(2, 3\)"),
    "a scope without a name": (lambda: ad.scope(""), TypeError, r"scope\('layer 1'\)"),
    "complex absolute value": (lambda: abs(Value(1 + 2j)), TypeError, "abs has no derivative at a complex number"),
    "an unsupported function": (lambda: np.median(T), TypeError, r"np\.median is not in the table.*\.data"),
    "masked entries in an operation": (lambda: np.ma.array([1.0, 2.0, 3.0]) * T, TypeError, "lose its gradient"),
    "a fill value with a gradient": (lambda: np.full_like(T, T.sum()), TypeError, "full_like is not in the table"),
    "a rule without an answer": (lambda: Tensor.backward(SILENT(T).sum()), TypeError, "returned None"),
    "an explanation of a number": (lambda: ad.explain(3.0), TypeError, "explain takes a Value or a Tensor.*the float 3.0"),
    "an unsupported option": (lambda: np.sum(T, dtype=int), TypeError, r"has no parameter 'dtype'"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name):
    write, error, message = CASES[name]
    T.grad = V.grad = None
    with pytest.raises(error, match=message):
        write()
    assert T.grad is None
    assert V.grad is None
    np.testing.assert_array_equal(T.data, np.ones((2, 3)))
    assert V.data == 2.0


def test_a_changed_leaf_is_noticed_by_gradients_too():
    x = Value(2.0, label="x")
    y = x * x
    x.data = 3.0
    with pytest.raises(ad.GraphError, match="x was changed after multiply"):
        ad.gradients(y, [x])
    z = (x * x).exp()
    x.data = 1.0
    later = z * 2
    with pytest.raises(ad.GraphError, match="x was changed after multiply"):
        ad.gradients(later, [x])


def test_new_data_keep_their_form():
    t, v = Tensor(np.ones(2, np.float32)), Value(2.0)
    with pytest.raises(ValueError, match=r"shape \(2,\), and the new data has shape \(3,\)"):
        t.data = np.ones(3)
    with pytest.raises(ValueError, match="new data"):
        v.data = [1.0]
    with pytest.raises(TypeError, match="int64 were there, and float64 would be cut"):
        Tensor([1, 2]).data = [1.5, 2.7]
    with pytest.raises(TypeError, match="float64 were there, and complex128 would be cut"):
        (Tensor([1.0, 2.0]) * 2).backward(np.array([1j, 2]))
    with pytest.raises(TypeError, match="would change its kind"):
        v.data = 1j
    t.data = [3, 4]
    assert t.dtype == np.float32
    v.data = 3
    assert type(v.data) is float
