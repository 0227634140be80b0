"""The virtual machine gives what eager Values give: every row, at ordinary and exceptional numbers, in any program."""

from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Value, observe, primitive
from autodiff.compiler import numba_backend
from autodiff.compiler.numba_backend import Tape, Unsupported
from autodiff.compiler.program import Program, Recorder
from autodiff.compiler.tape.machine import LANES, table

numba = pytest.importorskip("numba")

GRID = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.5, 3.0, 0.3, -709.5, 745.0, 1e-310, 1e200, -1e200]
GRID += [math.inf, -math.inf, math.nan]


def traced(function, shared, varying):
    """``function(shared, varying)`` as a program, traced at the numbers given."""
    recorder = Recorder()
    P, X = [Value(p) for p in shared], [Value(x) for x in varying]
    for p in P:
        recorder.shared(p)
    for x in X:
        recorder.varying(x)
    with observe(recorder):
        outputs = function(P, X)
    recorder.program.outputs = [recorder.number(y) for y in outputs]
    return recorder.program


def eager(function, P, X, seed):
    """Outputs and gradients of ``Value``s, one example after the other."""
    out = np.empty(seed.shape)
    dP, dX = np.zeros((len(P), X.shape[1])), np.zeros(X.shape)
    for j in range(X.shape[1]):
        p, x = [Value(v) for v in P], [Value(v) for v in X[:, j]]
        outputs = function(p, x)
        for y, s in zip(outputs, seed[:, j], strict=True):
            if y.requires_grad:
                y.backward(s)
        out[:, j] = [y.data for y in outputs]
        for gradients, leaves in ((dP, p), (dX, x)):
            for i, leaf in enumerate(leaves):
                gradients[i, j] = 0.0 if leaf.grad is None else leaf.grad
    return out, dP, dX


def assert_same(actual, expected, rtol=1e-12):
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=0, equal_nan=True)


@pytest.mark.parametrize("instruction", list(table().coded), ids=lambda i: f"{i.row.name}{i.present or ''}")
@pytest.mark.parametrize("upstream", [1.0, -3.0, 0.0, math.inf, math.nan])
def test_every_row_at_every_kind_of_number(instruction, upstream):
    row = instruction.row
    numbers = GRID if row.arity < 3 else GRID[::3]
    X = np.array(list(itertools.product(numbers, repeat=row.arity))).T
    names = [name for name, present in zip(row.defaults, instruction.present, strict=True) if present]
    params = dict(zip(names, (-0.25, 0.75), strict=False))
    seed = np.full((1, X.shape[1]), upstream)
    function = lambda P, X: [row(*X, **params)]
    tape = Tape(traced(function, [], [0.5] * row.arity), wrt_varying=True)
    with np.errstate(all="ignore"):
        out, _, dX = eager(function, [], X, seed)
    actual = tape.value_and_grad([], X, seed)
    assert_same(actual[0], out)
    assert (np.signbit(actual[0]) == np.signbit(out))[~np.isnan(out)].all()  # 0.0 is not -0.0: 1 / x tells
    assert_same(actual[2], dX)
    for j in range(0, X.shape[1], 7):  # one example by itself
        actual = tape.value_and_grad([], X[:, j : j + 1], seed[:, :1])
        assert_same(actual[0], out[:, j : j + 1])
        assert_same(actual[2], dX[:, j : j + 1])


BY_ARITY = {n: [i.row for i in table().coded if i.row.arity == n and all(i.present)] for n in (1, 2, 3)}


@st.composite
def programs(draw):
    """A function of shared and varying numbers: random operations on whatever was computed before."""
    shared, varying = draw(st.integers(0, 4)), draw(st.integers(1, 3))
    steps = []
    for i in range(draw(st.integers(1, 40))):
        row = draw(st.sampled_from(BY_ARITY[draw(st.sampled_from([1, 1, 2, 2, 2, 3]))]))
        known = shared + varying + 1 + i
        chosen = [
            draw(st.one_of(st.integers(0, known - 1), st.integers(max(0, known - 4), known - 1)))
            for _ in range(row.arity)
        ]
        steps.append((row, chosen, draw(st.sampled_from([False] * 12 + [True]))))
    outputs = draw(st.lists(st.integers(0, shared + varying + len(steps)), min_size=1, max_size=3))

    def function(P, X):
        numbers = [*P, *X, Value(0.75, requires_grad=False)]
        for row, chosen, detached in steps:
            params = {name: 0.3 for name in row.defaults if row.defaults[name] is not None}
            result = row(*[numbers[k] for k in chosen], **params)
            if detached:
                with ad.no_grad():
                    result = result * 1.0
            numbers.append(result)
        return [numbers[k] for k in outputs]

    return function, shared, varying, len(outputs)


@settings(max_examples=150, deadline=None)
@given(programs(), st.sampled_from([1, 2, LANES, LANES + 3]), st.integers(0, 2**32 - 1))
def test_random_programs(program, batch, seed):
    function, shared, varying, outputs = program
    rng = np.random.default_rng(seed)
    P, X, S = rng.normal(size=shared), rng.normal(size=(varying, batch)), rng.normal(size=(outputs, batch))
    tape = Tape(traced(function, [0.5] * shared, [0.25] * varying), wrt_varying=True)
    out, dP, dX = eager(function, P, X, S)
    actual = tape.value_and_grad(P, X, S, per_example=True)
    summed = tape.value_and_grad(P, X, S)
    assert_same(actual[0], out)
    assert_same(tape.forward(P, X), out)
    if outputs == 1:  # with several, contributions are added in another order
        assert_same(actual[1], dP)
        assert_same(actual[2], dX)
    assert_same(summed[2], actual[2])
    with np.errstate(all="ignore"):
        total = actual[1].sum(axis=1)
        bound = np.finfo(float).eps * (batch + 1) * np.abs(actual[1]).sum(axis=1)
        close = np.abs(summed[1] - total) <= bound
    assert close[np.isfinite(bound)].all()
    infinite = np.isinf(actual[1]).any(axis=1) | np.isnan(total)
    assert_same(summed[1][infinite], total[infinite])


def test_every_elementwise_row_is_in_the_machine():
    rows = {row.name for row in ad.TABLE.values() if row.partials is not None and row.array.__module__ != __name__}
    assert rows <= {instruction.row.name for instruction in table().coded}


def test_a_gradient_that_is_only_handed_on_takes_no_step():
    program = traced(lambda P, X: [P[0] * X[0] + P[1] * X[1] + P[2]], [1.0, 2.0, 3.0], [4.0, 5.0])
    code = Tape(program).code
    product, handed_on = 5, 4  # how many numbers one edge takes
    assert len(code.backward) == 2 * product + handed_on + 1  # the sums took none, but for that of the parameter


def test_where_the_cache_cannot_be_written(monkeypatch):
    tape = Tape(traced(lambda P, X: [P[0] * X[0]], [1.0], [3.0]))
    uncached = []

    def njit(*args, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        uncached.append(args)
        return lambda run: tape.run

    monkeypatch.setattr(numba, "njit", njit)
    numba_backend._machine.cache_clear()
    assert numba_backend._machine() is tape.run
    assert len(uncached) == 1
    numba_backend._machine.cache_clear()


def test_two_processes_compile_the_machine_at_once(tmp_path):
    code = """
from autodiff.compiler.numba_backend import Tape
from tests.autodiff.compiler.test_numba_backend import traced
import autodiff as ad
print(Tape(traced(lambda P, X: [ad.exp(P[0]) * X[0]], [0.0], [3.0])).forward([0.0], [[3.0, 4.0]]).tolist())
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    start = lambda: subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
    with start() as one, start() as other:
        for process in (one, other):
            out, _ = process.communicate(timeout=300)
            assert (process.returncode, out.strip()) == (0, "[[3.0, 4.0]]")
    assert len(list(tmp_path.rglob("*.nbi"))) == 1


def test_gradients_of_some_leaves_only():
    function = lambda P, X: [P[0] * X[0] + ad.exp(P[1])]
    program = traced(function, [1.0, 2.0], [3.0])
    X, seed = np.array([[3.0, 4.0, 5.0]]), np.ones((1, 3))
    _, dP, dX = Tape(program, wrt_shared=False, wrt_varying=True).value_and_grad([1.0, 2.0], X, seed)
    assert dP is None
    assert dX.tolist() == [[1.0, 1.0, 1.0]]
    _, dP, dX = Tape(program).value_and_grad([1.0, 2.0], X, seed)
    assert dP == pytest.approx([12, 3 * math.e**2], rel=1e-15)
    assert dX is None


def test_float32_on_request():
    tape = Tape(traced(lambda P, X: [ad.sin(P[0] * X[0])], [1.0], [3.0]), dtype=np.float32)
    out, dP, _ = tape.value_and_grad(np.float32([2]), np.float32([[3, 1]]), np.float32([[1, 1]]))
    assert out.dtype == dP.dtype == np.float32
    assert out == pytest.approx(np.sin([[6, 2]]), rel=1e-7)


def test_a_row_of_ones_own_is_left_to_others():
    cube = primitive("cube_for_numba", lambda x: x * x * x, partials=[lambda x, out: 3 * x * x])
    try:
        with pytest.raises(Unsupported, match="cube_for_numba"):
            Tape(traced(lambda P, X: [cube(X[0])], [], [2.0]))
    finally:
        del ad.TABLE["cube_for_numba"]


def test_arrays_are_left_to_others():
    program = Program()
    constant = program.append(None)
    program.constants[constant] = np.ones(3)
    program.outputs = [program.append(ad.exp, (constant,))]
    with pytest.raises(Unsupported, match="real numbers"):
        Tape(program)


def test_shapes_are_checked():
    tape = Tape(traced(lambda P, X: [P[0] * X[0]], [1.0], [3.0]))
    with pytest.raises(ValueError, match=r"X has shape \(2, 5\), and this program needs \(1, 5\)"):
        tape.forward([1.0], np.ones((2, 5)))
    with pytest.raises(ValueError, match=r"P has shape \(2,\)"):
        tape.forward([1.0, 2.0], np.ones((1, 5)))
    with pytest.raises(ValueError, match=r"seed has shape \(1, 4\), and this program needs \(1, 5\)"):
        tape.value_and_grad([1.0], np.ones((1, 5)), np.ones((1, 4)))


def test_an_empty_batch():
    tape = Tape(traced(lambda P, X: [P[0] * X[0]], [1.0], [3.0]), wrt_varying=True)
    out, dP, dX = tape.value_and_grad([2.0], np.ones((1, 0)), np.ones((1, 0)))
    assert (out.shape, dP.tolist(), dX.shape) == ((1, 0), [0.0], (1, 0))


def test_without_numba_it_is_said_what_to_install(monkeypatch):
    numba_backend._machine.cache_clear()
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ImportError, match=r'pip install "clearprop\[fast\]"'):
        Tape(traced(lambda P, X: [X[0] * 2], [], [3.0]))
    numba_backend._machine.cache_clear()


def test_threads_do_not_share_work():
    function = lambda P, X: [ad.tanh(P[0] * X[0]) * X[1] + ad.exp(-X[0])]
    tape = Tape(traced(function, [1.0], [3.0, 2.0]), wrt_varying=True)
    rng = np.random.default_rng(0)
    jobs = [(rng.normal(size=1), rng.normal(size=(2, 300)), rng.normal(size=(1, 300))) for _ in range(8)]
    alone = [tape.value_and_grad(*job) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda job: tape.value_and_grad(*job), jobs * 25))
    for i, results in enumerate(together):
        for x, y in zip(results, alone[i % 8], strict=True):
            assert (x == y).all()


def test_on_other_processors_numpy_runs(monkeypatch):
    monkeypatch.setattr(numba_backend.platform, "machine", lambda: "riscv64")
    assert not numba_backend.available()
    with pytest.raises(Unsupported, match="arm64, x86_64, and this is riscv64; use backend='numpy'"):
        ad.compile(lambda w, x: w * x, backend="numba")(2.0, np.ones(3))
    assert ad.compile(lambda w, x: w * x)(2.0, np.ones(3)).tolist() == [2.0, 2.0, 2.0]
