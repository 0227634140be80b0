"""Derivatives of derivatives: the rules fed with nodes, to the third order and at exceptional points."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autodiff import (
    TABLE,
    Value,
    cumprod,
    det,
    exp,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    log_softmax,
    logsumexp,
    matmul,
    mean,
    norm,
    prod,
    sigmoid,
    sin,
    softmax,
    softplus,
    std,
    sum,
    tanh,
    vjp,
)
from tests.autodiff.reference import mpmath_functions

SMOOTH = mpmath_functions()
names = st.sampled_from(sorted(SMOOTH))
seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=60, deadline=None, derandomize=True)


def third(f):
    return grad(grad(grad(f)))


# ── one number ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", sorted(SMOOTH))
def test_third_derivative_of_a_row(name):
    row, exact = TABLE[name], SMOOTH[name]
    low, high = row.domain[0]
    with mpmath.workdps(40):
        for x in np.linspace(low, high, 7)[1:-1].tolist():
            for order, f in ((0, row), (1, grad(row)), (2, grad(grad(row))), (3, third(row))):
                want = mpmath.diff(exact, mpmath.mpf(x), order)
                # beside a zero of a derivative, measured against a function that varies over about 1
                assert abs(f(x) - want) <= 1e-12 * max(abs(want), mpmath.mpf("0.01")), (x, order)


@quick
@given(names, names, st.floats(-2, 2), st.sampled_from(["f(g)", "f*g", "f+g*x"]))
def test_third_derivative_of_a_composition(outer, inner, x, shape):
    f, g, F, G = TABLE[outer], TABLE[inner], SMOOTH[outer], SMOOTH[inner]
    middle, half = (np.mean(TABLE[inner].domain[0]), np.ptp(TABLE[inner].domain[0]) / 2 - 0.05)
    above, below = np.mean(TABLE[outer].domain[0]), np.ptp(TABLE[outer].domain[0]) / 2 - 0.05

    def composed(x, f, g, sin, cos):
        u = middle + half * sin(x)  # in the domain of g, and v in that of f
        v = above + below * cos(g(u)) if shape == "f(g)" else above + below * cos(x)
        return {"f(g)": lambda: f(v), "f*g": lambda: f(v) * g(u), "f+g*x": lambda: f(v) + g(u) * x}[shape]()

    got = third(lambda x: composed(x, f, g, sin, TABLE["cos"]))(x)
    with mpmath.workdps(40):
        want = mpmath.diff(lambda x: composed(x, F, G, mpmath.sin, mpmath.cos), mpmath.mpf(x), 3)
    assert abs(got - want) <= 1e-9 * max(abs(want), 1)


@pytest.mark.parametrize("x", [-1e4, -700.0, -40.0, -1.0, 0.0, 1.0, 40.0, 700.0, 1e4])
@pytest.mark.parametrize("name", ["sigmoid", "softplus", "log_sigmoid"])
def test_far_from_zero_digits_are_kept(name, x):
    with mpmath.workdps(60):
        exact = {
            "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
            "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
            "log_sigmoid": lambda x: -mpmath.log1p(mpmath.exp(-x)),
        }[name]
        slope = {
            "sigmoid": lambda x: exact(x) * exact(-x),
            "softplus": lambda x: 1 / (1 + mpmath.exp(-x)),
            "log_sigmoid": lambda x: 1 / (1 + mpmath.exp(x)),
        }[name]
        for f, want in ((TABLE[name], exact(mpmath.mpf(x))), (grad(TABLE[name]), slope(mpmath.mpf(x)))):
            for got in (f(x), _on_array(f, x)):
                assert abs(got - want) <= 1e-14 * abs(want) + mpmath.mpf("1e-307")


def _on_array(f, x):
    if f in TABLE.values():
        return f(np.array([x]))[0]
    return grad(lambda a: sum(f.__wrapped__(a)))(np.array([x]))[0]


# ── many numbers ─────────────────────────────────────────────────────────────────────────────────────
def network(p, x):
    """Two layers and a softmax: products, broadcasting, reductions and elementwise functions together."""
    hidden = tanh(matmul(x, p["W"]) + p["b"])
    return -mean(log_softmax(matmul(hidden, p["V"]), axis=-1)[:, 0]) + 0.1 * norm(p["b"]) * std(hidden)


def parameters(seed):
    rng = np.random.default_rng(seed)
    p = {"W": rng.normal(size=(3, 4)), "b": rng.normal(size=4), "V": rng.normal(size=(4, 2))}
    return p, rng.normal(size=(5, 3)), rng


def scalars(seed):
    """Functions of one array with one number as result."""
    return [
        lambda x: sum(sin(x) * exp(x[::-1])),
        lambda x: logsumexp(x * x) + prod(x),
        lambda x: sum(sigmoid(x.reshape(2, 2)) @ x.reshape(2, 2)),
        lambda x: det(x.reshape(2, 2)) * norm(x) + std(softplus(x)),
        lambda x: sum(cumprod(x) * softmax(x)),
    ][seed % 5]


@quick
@given(seeds)
def test_hessians_are_symmetric_and_agree_with_hvp(seed):
    f, rng = scalars(seed), np.random.default_rng(seed)
    x, v = rng.normal(size=4), rng.normal(size=4)
    H = hessian(f)(x)
    scale = np.abs(H).max()
    assert np.abs(H - H.T).max() <= 1e-12 * scale
    assert np.abs(hvp(f, (x,), (v,))[0] - H @ v).max() <= 1e-12 * scale * np.abs(v).sum()


@quick
@given(seeds)
def test_jvp_and_vjp_are_transposes(seed):
    rng = np.random.default_rng(seed)
    x, v, u = rng.normal(size=4), rng.normal(size=4), rng.normal(size=(2, 4))

    def f(x):
        return softmax(x) * tanh(x.reshape(4, 1) @ x.reshape(1, 4))[:2]

    _, forward = jvp(f, (x,), (v,))
    _, pull = vjp(f, x)
    (backward,) = pull(u)
    J = jacobian(f)(x)
    scale = np.abs(u[..., None] * J * v).sum()
    assert abs((u * forward).sum() - (backward * v).sum()) <= 1e-13 * scale
    assert np.abs(forward - J @ v).max() <= 1e-13 * np.abs(J * v).sum()
    assert np.abs(backward - np.tensordot(u, J, 2)).max() <= 1e-13 * np.abs(u[..., None] * J).sum()


@quick
@given(seeds)
def test_hvp_of_a_network_is_symmetric(seed):
    p, x, rng = parameters(seed)
    u, v = ({k: rng.normal(size=w.shape) for k, w in p.items()} for _ in range(2))
    uHv, vHu = (
        np.sum([np.sum(a[k] * h[k]) for k in p])
        for a, b in ((u, v), (v, u))
        for h in hvp(lambda p: network(p, x), (p,), (b,))
    )
    assume(abs(uHv) > 1e-3)
    assert uHv == pytest.approx(vHu, rel=1e-10)


# ── exceptional points ───────────────────────────────────────────────────────────────────────────────
def cofactors(a):
    """The gradient of the determinant, from its definition."""
    minor = lambda i, j: np.delete(np.delete(a, i, 0), j, 1)
    return np.array([[(-1) ** (i + j) * np.linalg.det(minor(i, j)) for j in range(len(a))] for i in range(len(a))])


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_det_of_singular_matrices_to_second_order(rank):
    rng = np.random.default_rng(rank)
    a = rng.normal(size=(3, rank)) @ rng.normal(size=(rank, 3))
    assert np.abs(grad(det)(a) - cofactors(a)).max() <= 1e-13 * max(1, np.abs(a).max() ** 2)
    v = rng.normal(size=(3, 3))
    want = (cofactors(a + v) - cofactors(a - v)) / 2  # exact: the cofactors are quadratic
    assert np.abs(hvp(det, (a,), (v,))[0] - want).max() <= 1e-12 * max(1, np.abs(want).max())


@pytest.mark.parametrize("zeros", [(), (1,), (0, 2), (0, 1, 3), (0, 1, 2, 3)], ids=str)
def test_products_with_zeros_to_second_order(zeros):
    x = np.array([2.0, -3.0, 5.0, 7.0])
    x[list(zeros)] = 0
    without = lambda *i: np.prod(np.delete(x, i))
    assert np.array_equal(grad(prod)(x), [without(i) for i in range(4)])
    assert np.array_equal(hessian(prod)(x), [[without(i, j) if i != j else 0 for j in range(4)] for i in range(4)])

    weights = np.array([1.0, 10.0, 100.0, 1000.0])
    running = lambda x: sum(cumprod(x) * weights)
    first = [np.sum([weights[n] * np.prod(np.delete(x[: n + 1], i)) for n in range(i, 4)]) for i in range(4)]
    assert np.array_equal(grad(running)(x), first)
    H = hessian(running)(x)
    for i in range(4):
        for j in range(i):
            want = np.sum([weights[n] * np.prod(np.delete(x[: n + 1], [i, j])) for n in range(i, 4)])
            assert H[i, j] == H[j, i] == want
        assert H[i, i] == 0


@pytest.mark.parametrize("big", [1e4, -1e4])
def test_softmax_far_from_zero(big):
    x = np.array([big, 0.0, -big])
    top = (x == 1e4).astype(float)
    assert np.array_equal(softmax(x), top)
    assert logsumexp(x) == 1e4
    assert np.array_equal(log_softmax(x), x - 1e4)
    assert np.array_equal(grad(logsumexp)(x), top)
    assert np.array_equal(grad(lambda x: log_softmax(x)[0])(x), np.array([1.0, 0, 0]) - top)
    for f in (logsumexp, lambda x: sum(softmax(x) * [1, 2, 3]), lambda x: log_softmax(x)[1]):
        assert np.array_equal(hessian(f)(x), np.zeros((3, 3)))


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e8])
def test_spread_of_a_constant(constant):
    x = np.full(7, constant)
    assert std(x) == 0
    assert np.array_equal(grad(std)(x), np.zeros(7))
    assert np.array_equal(grad(lambda x: norm(x - constant))(x), np.zeros(7))
    assert np.array_equal(grad(lambda x: norm(x, axis=0, ord=1))(0 * x), np.zeros(7))
    assert np.array_equal(grad(lambda x: norm(x, np.inf))(0 * x), np.zeros(7))
    both = np.stack([x, np.arange(7.0)])
    assert np.array_equal(grad(lambda x: sum(std(x, axis=1)))(both)[0], np.zeros(7))


@given(st.integers(0, 6), st.just(0.0) | st.floats(0.001, 3) | st.floats(-3, -0.001))
@quick
def test_polynomials_have_their_derivatives(n, x):
    """x ** n at 0 and on either side, for the exponents where rules divide by x if they are careless."""
    f = lambda x: x**n
    for order in range(4):
        want = float(np.polyval(np.polyder(np.poly1d([1] + [0] * n), order), x))
        assert f(x) == pytest.approx(want, rel=1e-13, abs=1e-300)
        f = grad(f)


def test_mixed_second_derivatives_of_values():
    x, y = Value(0.3), Value(1.7)
    dx, dy = gradients(sin(x * y) * exp(y), [x, y], create_graph=True)
    (dxy,) = gradients(dx, [y])
    (dyx,) = gradients(dy, [x])
    assert dxy == pytest.approx(dyx, rel=1e-15)
