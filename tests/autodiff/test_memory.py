"""Graphs are freed by counting references alone, at any depth, and a node stays small."""

import gc
import math
import sys
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from autodiff import Node, Tensor, Value, detect_anomaly, gradients, maximum, scope, stack, where

BYTES_PER_NODE = 250


@pytest.fixture(autouse=True)
def _collector_off() -> Iterator[None]:
    """Whatever is found by the collector in a test was left in cycles by that test."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def mixed_values(operations: int, x: Value, y: Value) -> Value:
    """A graph of operations of one, two and three inputs, with shared nodes and scopes."""
    total = x * y
    for k in range(operations // 16):
        with scope(f"step {k % 3}"):
            a = (total * 0.5 + x).tanh()
            b = (a - y) / (a * a + 2.0)
            c = maximum(b.sin(), x).sigmoid() + (b + 3.0).log()
            total = where(c.data > 0, c, a) - a**3 + 0.125
    return total


def mixed_tensors(operations: int, x: Tensor, w: Tensor) -> Tensor:
    total = x @ w
    for k in range(operations // 16):
        with scope(f"step {k % 3}"):
            a = (total * 0.5 + x).tanh() @ w
            b = a.reshape(9).sum() + a[0].mean() - a.max(axis=1, keepdims=True)
            c = stack([a, a * b]).mean(axis=0)
            total = where(c.data > 0, c, a) - a.exp() / (1.0 + a.exp()) + a.T
    return total.sum()


def chain(x: Any, operations: int) -> Any:
    for _ in range(operations // 4):
        x = (x * 1.5).tanh() * x + 0.5
    return x


def slope_of_chain(x: float, operations: int) -> float:
    """The derivative of the chain, forward, in plain floats."""
    slope = 1.0
    for _ in range(operations // 4):
        t = math.tanh(x * 1.5)
        slope *= (1 - t * t) * 1.5 * x + t
        x = t * x + 0.5
    return slope


def test_values_leave_no_cycles() -> None:
    x, y = Value(0.3, label="x"), Value(0.7)
    loss = mixed_values(16_000, x, y)
    loss.backward()
    assert x.grad is not None
    assert y.grad is not None
    del loss
    assert gc.collect() == 0


def test_tensors_leave_no_cycles() -> None:
    rng = np.random.default_rng(0)
    x, w = Tensor(rng.normal(size=(3, 3))), Tensor(rng.normal(size=(3, 3)) / 3)
    loss = mixed_tensors(16_000, x, w)
    loss.backward()
    assert np.isfinite(w.grad).all()
    del loss
    assert gc.collect() == 0


def test_higher_orders_leave_no_cycles() -> None:
    x, y = Value(0.3), Value(0.7)
    first = gradients(mixed_values(160, x, y), [x, y], create_graph=True)
    second = gradients(first[0] * first[1], [x, y])
    assert len(second) == 2
    del first
    assert gc.collect() == 0


def test_del_frees_at_once_what_nothing_else_needs() -> None:
    x = Value(2.0)
    kept = x * 3
    loss = (kept + 1) ** 2
    loss.backward()
    before = sys.getrefcount(x)
    del loss
    assert sys.getrefcount(x) == before
    assert kept.inputs[0] is x
    del kept
    assert sys.getrefcount(x) == before - 1


def test_the_array_of_a_freed_tensor_is_freed() -> None:
    class Watched(np.ndarray):
        pass

    t = Tensor([1.0, 2.0])
    t._held = t._held.view(Watched)
    gone = weakref.ref(t._held)
    loss = (t * t).sum()
    loss.backward()
    del loss, t
    assert gone() is None


@pytest.mark.parametrize("operations", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)], ids=["1e5", "1e6"])
def test_deep_chains_at_the_default_recursion_limit(operations: int) -> None:
    assert sys.getrecursionlimit() < operations / 10
    x = Value(0.7)
    y = chain(x, operations)
    y.backward()
    assert x.grad == pytest.approx(slope_of_chain(0.7, operations), rel=1e-9)
    assert gradients(y, [x]) == [x.grad]
    del y
    assert gc.collect() == 0


def test_deep_chains_of_tensors() -> None:
    t = Tensor([0.7, 0.1])
    y = chain(t, 20_000).sum()
    y.backward()
    assert t.grad == pytest.approx([slope_of_chain(v, 20_000) for v in (0.7, 0.1)], rel=1e-9)
    del y
    assert gc.collect() == 0


@pytest.mark.parametrize("scoped", [False, True])
def test_bytes_per_node(scoped: bool) -> None:
    operations = 50_000
    x = Value(0.7)
    chain(x, 400).backward()
    x.grad = None
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        if scoped:
            with scope("somewhere"):
                y = chain(x, operations)
        else:
            y = chain(x, operations)
        held = tracemalloc.get_traced_memory()[0] - before
        y.backward()
        differentiated = tracemalloc.get_traced_memory()[0] - before
        del y
        x.grad = None
        left = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert held / operations <= BYTES_PER_NODE  # the constants 1.5 and 0.5 are nodes too: half as many again
    assert differentiated / operations <= BYTES_PER_NODE + 40  # a gradient is one more number
    assert left < 10_000


def changed_leaf() -> None:
    x = Value(2.0)
    y = chain(x, 400)
    x.data = 3.0
    y.backward()


def wrong_seed() -> None:
    t = Tensor([1.0, 2.0])
    chain(t, 400).backward(np.ones(3))


def failing_hook() -> None:
    def hook(gradient: Any) -> Any:
        raise ZeroDivisionError

    x = Value(2.0)
    y = chain(x * 2, 400)
    x.register_hook(hook)
    y.backward()


def inexact_gradient() -> None:
    x = Value(Fraction(1, 2))
    y = chain(x + Fraction(0), 0) * 2 - x
    y.register_hook(lambda gradient: 0.5)
    y.backward()


def nan_in_backward() -> None:
    with detect_anomaly():
        chain(Value(0.0).sqrt(), 400).backward()


@pytest.mark.parametrize(
    "failing", [changed_leaf, wrong_seed, failing_hook, inexact_gradient, nan_in_backward], ids=lambda f: f.__name__
)
def test_errors_leave_no_graph_in_cycles(failing: Callable[[], None]) -> None:
    def nodes() -> int:
        return sum(issubclass(type(x), Node) for x in gc.get_objects())  # a dead weak proxy has no __class__

    for _ in range(2):  # the first time, whatever is set up once may stay
        gc.collect()
        before = nodes()
        try:
            failing()
        except (ArithmeticError, RuntimeError, ValueError):
            pass
        else:
            pytest.fail("nothing was raised")
        assert nodes() == before
    assert gc.collect() == 0


def test_an_error_in_backward_leaves_the_graph_as_it_was() -> None:
    x = Value(2.0)
    y = chain(x, 400)
    remove = x.register_hook(lambda gradient: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        y.backward()
    assert x.grad is None
    assert y.grad is None
    remove()
    y.backward()
    assert x.grad == pytest.approx(slope_of_chain(2.0, 400))
