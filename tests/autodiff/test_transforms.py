"""grad, vjp, jvp, jacobian, hessian on numbers, arrays, nodes and nested containers of them."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, Value
from viz import draw

numbers = st.floats(-2, 2)
MATRIX = np.arange(6.0).reshape(2, 3) / 7 + 0.1


class Pair(NamedTuple):
    left: float
    right: float


def test_plain_in_plain_out():
    assert ad.grad(lambda x: x * x)(3.0) == 6.0
    assert type(ad.grad(lambda x: x * x)(3)) is float
    got = ad.grad(lambda t: (t * t).sum())(MATRIX)
    assert type(got) is np.ndarray
    np.testing.assert_array_equal(got, 2 * MATRIX)


def test_nodes_in_nodes_out():
    x = Value(3.0)
    slope = ad.grad(lambda y: y**3)(x)
    assert type(slope) is Value
    (slope * 2).backward()
    assert x.grad == 36.0


def test_containers_keep_their_form():
    tree = {"w": [1.0, (2.0, np.ones(2))], "pair": Pair(3.0, 4.0)}

    def f(p):
        return p["w"][0] * p["w"][1][0] * p["pair"].left * p["pair"].right * 1.0 + 0.0 * p["w"][0]

    value, gradient = ad.value_and_grad(f)(tree)
    assert value == 24.0
    assert list(gradient) == ["w", "pair"]
    assert type(gradient["pair"]) is Pair
    assert gradient["pair"] == Pair(8.0, 6.0)
    assert gradient["w"][0] == 24.0
    np.testing.assert_array_equal(gradient["w"][1][1], [0.0, 0.0])


def test_argnums_aux_and_keywords():
    def f(a, b, scale=1.0):
        return a * a * b * scale, {"product": a * b}

    assert ad.grad(f, argnums=1, has_aux=True)(3.0, 5.0, scale=2.0) == (18.0, {"product": 15.0})
    (value, aux), gradient = ad.value_and_grad(f, argnums=(1, 0), has_aux=True)(3.0, 5.0)
    assert (value, aux, gradient) == (45.0, {"product": 15.0}, (9.0, 30.0))
    assert ad.grad(lambda a, b: a * b, argnums=-1)(3.0, 5.0) == 3.0
    with pytest.raises(ValueError, match="argnums=2: the function was called with 1 positional"):
        ad.grad(lambda a: a, argnums=2)(1.0)
    with pytest.raises(TypeError, match=r"has_aux=True the function returns \(output, aux\)"):
        ad.grad(lambda a: a, has_aux=True)(1.0)


@settings(deadline=None, max_examples=50)
@given(numbers)
def test_any_order(x):
    f = lambda v: ad.sin(v) * ad.exp(2 * v)
    z = (2 + 1j) ** np.arange(6) * np.exp((2 + 1j) * x)  # the n-th derivative is Im (2+i)^n e^((2+i)x)
    for n in range(6):
        assert f(x) == pytest.approx(z[n].imag, rel=1e-11, abs=1e-11 * abs(z[n]))
        f = ad.grad(f)


def test_inner_and_outer_derivatives_are_kept_apart():
    # d/dx [x * d/dy (x * y)] at y = x: the classic trap of perturbation confusion
    assert ad.grad(lambda x: x * ad.grad(lambda y: x * y)(x))(3.0) == 6.0
    assert ad.grad(lambda x: x * ad.grad(lambda y: x + y)(1.0))(3.0) == 1.0
    assert ad.grad(lambda x: ad.grad(lambda y: ad.grad(lambda z: x * y * z)(y))(x))(2.0) == 1.0


def test_a_constant_derivative_can_be_differentiated():
    assert ad.grad(ad.grad(lambda x: 3 * x + 1))(2.0) == 0.0
    np.testing.assert_array_equal(ad.hessian(lambda t: t.sum())(np.ones(2)), np.zeros((2, 2)))


def test_what_is_returned_must_be_a_node():
    with pytest.raises(TypeError, match=r"returned float 4\.0, which remembers nothing.*not \.data or \.item"):
        ad.grad(lambda x: (x * x).item())(2.0)
    with pytest.raises(TypeError, match=r"one number as output.*use jacobian"):
        ad.grad(lambda t: t * 2)(np.ones(3))
    with pytest.raises(TypeError, match="dtype=float"):
        ad.grad(lambda t: t.sum())(np.array([1, 2]))


def test_grad_works_inside_no_grad():
    with ad.no_grad():
        assert ad.grad(lambda x: x**3)(2.0) == 12.0


def test_vjp_and_jvp_are_transposes():
    def f(w, x):
        return {"h": (w @ x).tanh(), "n": (x * x).sum()}

    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(2, 3)), rng.normal(size=3)
    tangents = rng.normal(size=(2, 3)), rng.normal(size=3)
    cotangent = {"h": rng.normal(size=2), "n": np.array(0.7)}
    out, pull = ad.vjp(f, w, x)
    out2, pushed = ad.jvp(f, (w, x), tangents)
    np.testing.assert_array_equal(out["h"], out2["h"])
    forward = sum((cotangent[k] * pushed[k]).sum() for k in out)
    backward = sum((g * t).sum() for g, t in zip(pull(cotangent), tangents, strict=True))
    assert forward == pytest.approx(backward, rel=1e-13)
    step = 1e-20j
    truth = np.tanh((w + step * tangents[0]) @ (x + step * tangents[1])).imag / 1e-20
    np.testing.assert_allclose(pushed["h"], truth, rtol=1e-12)
    with pytest.raises(ValueError, match=r"tangent has shapes .* belongs to has shapes"):
        ad.jvp(f, (w, x), (w, np.ones(2)))


def test_jvp_of_what_does_not_depend():
    assert ad.jvp(lambda x, y: (x * 2, y * 0 + 1.0), (3.0, 4.0), (5.0, 6.0)) == ((6.0, 1.0), (10.0, 0.0))
    assert ad.grad(lambda x: ad.jvp(lambda v: v**3, (x,), (1.0,))[1])(2.0) == 12.0


def test_jacobian_shapes_and_numbers():
    f = lambda w, x: ad.tanh(w @ x)
    x = np.array([0.3, -0.2, 0.5])
    by_w, by_x = ad.jacobian(f, argnums=(0, 1))(MATRIX, x)
    assert by_w.shape == (2, 2, 3)
    slope = 1 - np.tanh(MATRIX @ x) ** 2
    np.testing.assert_allclose(by_x, slope[:, None] * MATRIX, rtol=1e-13)
    np.testing.assert_allclose(by_w, np.einsum("i,ij,k->ijk", slope, np.eye(2), x), rtol=1e-13)
    assert ad.jacobian(lambda v: [v[0] * v[1], v[0] + 1.0])([2.0, 3.0]) == [[3.0, 2.0], [1.0, 0.0]]
    np.testing.assert_array_equal(ad.jacobian(lambda t: t * 0 + 1.0)(np.ones(2)), np.zeros((2, 2)))


@settings(deadline=None, max_examples=30)
@given(st.lists(numbers, min_size=3, max_size=3), st.lists(numbers, min_size=3, max_size=3))
def test_hessian_is_symmetric_and_hvp_is_its_product(x, v):
    x, v = np.array(x), np.array(v)
    f = lambda t: ad.sin(t[0] * t[1]) * ad.exp(t[2]) + (t**3).sum()
    h = ad.hessian(f)(x)
    np.testing.assert_allclose(h, h.T, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(ad.hvp(f, (x,), (v,))[0], h @ v, rtol=1e-11, atol=1e-12)
    c, s, e = np.cos(x[0] * x[1]), np.sin(x[0] * x[1]), np.exp(x[2])
    mixed = (c - x[0] * x[1] * s) * e
    assert h[0, 1] == pytest.approx(mixed, rel=1e-11, abs=1e-12)


def test_gradients_of_nodes_touch_nothing():
    a, b, unused = Value(2.0), Value(3.0), Value(4.0)
    middle = a * b
    out = middle * middle + a
    assert ad.gradients(out, [a, middle, unused, out]) == [37.0, 12.0, 0.0, 1.0]
    assert (a.grad, b.grad, middle.grad) == (None, None, None)
    t = Tensor([1.0, 2.0])
    (first,) = ad.gradients((t**3).sum(), [t], create_graph=True)
    (second,) = ad.gradients(first.sum(), [t])
    np.testing.assert_array_equal(second, [6, 12])


def test_hooks_see_and_replace_gradients():
    a = Value(2.0)
    middle = a * 3
    seen = []
    middle.register_hook(seen.append)
    remove = middle.register_hook(lambda g: g * 10)
    (middle * middle).backward()
    assert (seen, middle.grad, a.grad) == ([12.0], 120.0, 360.0)
    remove()
    a.grad = None
    (middle * middle).backward()
    assert a.grad == 36.0
    a.grad = None
    a.register_hook(lambda g: -g)
    (a * 5).backward()
    assert a.grad == -5.0


def test_check_gradients_agrees_and_objects():
    assert ad.check_gradients(lambda w, x: ad.tanh(w @ x), MATRIX, np.ones(3), order=2) < 1e-10
    assert ad.check_gradients(lambda p: ad.relu(p["a"]) * abs(p["b"]), {"a": 0.5, "b": -2.0}) < 1e-6
    assert ad.check_gradients(lambda t: ad.max(t) + t.sort()[1], np.array([3.0, 1.0, 2.0])) < 1e-6
    wrong = ad.primitive("wrong_sine", np.sin, partials=[lambda x, out: 1.001 * ad.cos(x)])
    try:
        with pytest.raises(ad.GradientMismatchError, match=r"by leaf 0 .*complex step .*relative error 0\.001"):
            ad.check_gradients(wrong, 0.4)
        with pytest.raises(ad.GradientMismatchError, match=r"leaf 0\[1\].*1 of 2 entries differ"):
            ad.check_gradients(lambda t: ad.stack([ad.sin(t[0]), wrong(t[1])]), np.array([0.3, 0.4]))
    finally:
        del ad.TABLE["wrong_sine"]
    with pytest.raises(TypeError, match="needs an argument with real numbers"):
        ad.check_gradients(lambda x: x, "cat")


def test_a_new_row_is_drawn_explained_and_checked():
    cube = ad.primitive("cube_of_user", lambda x: x * x * x, partials=[lambda x, out: 3 * x * x], text="{0} ** 3")
    try:
        x = Value(2.0, label="x")
        assert ad.check_gradients(cube, 0.7, order=3) < 1e-12
        assert ad.check_gradients(lambda t: cube(t).sum(), MATRIX, order=2) < 1e-12
        assert "∂v1/∂x = 3 * x * x = 3 * 2 * 2 = 12" in str(ad.explain(cube(x)))
        assert cube(Tensor(MATRIX)).op is cube
        assert ">cube_of_user<" in draw(cube(x), layout="builtin").svg
        assert cube(3.0) == 27.0
        with pytest.raises(ValueError, match="has a primitive 'cube_of_user' already"):
            ad.primitive("cube_of_user", lambda x: x, partials=[1])
    finally:
        del ad.TABLE["cube_of_user"]
    for bad, message in [
        (lambda: ad.primitive("two words", lambda x: x, partials=[1]), "no identifier"),
        (lambda: ad.primitive("nothing", lambda x: x), "give its derivative"),
        (lambda: ad.primitive("both", lambda x: x, partials=[1], rules=[1]), "either as partials"),
        (lambda: ad.primitive("void", None, partials=[1]), "give a forward function"),
    ]:
        with pytest.raises(ValueError, match=message):
            bad()


# ── what a function uses without being given it ──────────────────────────────────────────────────────


def test_inner_derivatives_keep_what_they_use_by_closure():
    """d/dx of x · d/dy (x y²) at y = 3 is d/dx 6x² = 12x, whichever transform computes the inner one."""
    inner = {
        "grad": lambda x: ad.grad(lambda y: x * y * y)(3.0),
        "an argument not differentiated": lambda x: ad.grad(lambda y, z: z * y * y)(3.0, x),
        "a keyword": lambda x: ad.grad(lambda y, z: z * y * y)(3.0, z=x),
        "jvp": lambda x: ad.jvp(lambda y: x * y * y, (3.0,), (1.0,))[1],
        "vjp": lambda x: ad.vjp(lambda y: x * y * y, 3.0)[1](1.0)[0],
        "jacobian": lambda x: ad.jacobian(lambda y: x * y * y)(3.0),
        "the value": lambda x: ad.value_and_grad(lambda y: x * y * 2)(3.0)[0],
        "aux": lambda x: ad.grad(lambda y: (y * y, x * 6.0), has_aux=True)(3.0)[1],
    }
    for name, f in inner.items():
        assert ad.grad(lambda x, f=f: x * f(x))(2.0) == 24.0, name


def test_the_derivative_of_a_training_step():
    step = lambda lr: 2.0 - lr * ad.grad(lambda w: lr * w * w)(2.0)
    assert ad.grad(lambda lr: step(lr) ** 2)(0.5) == -8.0


def test_a_node_used_by_closure_is_not_lost():
    w = Value(2.0)
    slope = ad.grad(lambda y: w * y * y)(3.0)
    (slope * 1.0).backward()
    assert w.grad == 6.0
    with ad.no_grad():
        kept = w * 1.0
    assert ad.grad(lambda y: kept * y * y)(3.0) == 12.0


def test_argnums_name_each_argument_once():
    for argnums in ((0, -2), (1, 1)):
        with pytest.raises(ValueError, match="names an argument twice"):
            ad.grad(lambda x, y: x * y, argnums=argnums)(3.0, 4.0)
    assert ad.grad(lambda x, y: x * y, argnums=np.int64(1))(3.0, 4.0) == 3.0


def test_transforms_are_exact_on_fractions():
    third = Fraction(1, 3)
    assert ad.grad(lambda a: a * a)(third) == Fraction(2, 3)
    assert ad.hessian(lambda a: a * a * a)(third) == 2
    assert ad.jvp(lambda a: a * a, (third,), (Fraction(1),)) == (Fraction(1, 9), Fraction(2, 3))
    assert ad.hvp(lambda a: a * a * a, (third,), (Fraction(1),)) == (2,)


def test_jacobians_of_nothing_have_a_shape():
    assert ad.jacobian(lambda t: t[:0])(np.ones(3)).shape == (0, 3)
    assert ad.jacobian(lambda t: t * 2)(np.ones(0)).shape == (0, 0)


# ── hooks keep the promises of gradients ─────────────────────────────────────────────────────────────


def test_a_hook_cannot_change_shape_kind_or_neighbours():
    a, b = Tensor([1.0, 2.0, 3.0]), Tensor(2.0)
    y = a + b
    y.register_hook(lambda g: np.full(3, 5, np.float32))
    y.sum().backward()
    assert b.grad == 15.0
    assert a.grad.dtype == np.float64
    for wrong in (1.0, np.ones(2), np.ones((2, 3))):
        y = a * 1
        y.register_hook(lambda g, wrong=wrong: wrong)
        with pytest.raises(ValueError, match="gradient that its hook returned has shape"):
            y.sum().backward()
    left, right = a * 1, a * 2

    def in_place(gradient):
        gradient *= 10

    right.register_hook(in_place)
    with pytest.raises(ValueError, match="read-only"):
        (left + right).sum().backward()


def test_a_hook_does_not_cut_higher_orders():
    x = Value(3.0)
    y = x * x
    y.register_hook(lambda g: 2.0)
    (slope,) = ad.gradients(y, [x], create_graph=True)
    assert ad.gradients(slope, [x]) == [4.0]


def test_hooks_of_targets_are_heard_by_all():
    x = Value(3.0)
    h = x * x
    h.register_hook(lambda g: 10 * g)
    x.register_hook(lambda g: g + 1)
    y = h * 2
    assert ad.gradients(y, [h]) == [20.0]
    assert ad.gradients(y, [h, x]) == [20.0, 121.0]
    assert ad.explain(y).adjoints[x] == 121.0
    y.backward()
    assert (h.grad, x.grad) == (20.0, 121.0)


def test_check_gradients_knows_precision_and_kinks():
    assert ad.check_gradients(lambda x: ad.exp(x) * ad.sin(x), np.float32([0.3, 0.7])) < 1e-5
    assert ad.check_gradients(lambda x: abs(x) ** 0.5, 1e-3) < 1e-8
