"""Threads and asynchronous tasks: graphs do not disturb each other, and switches are local."""

import asyncio
import gc
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from autodiff import AnomalyError, Tensor, Value, detect_anomaly, enable_grad, gradients, no_grad, observe, scope, tanh
from autodiff.graph import tick

THREADS, GRAPHS = 8, 1_000


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # else a thread would run whole graphs undisturbed
    yield
    sys.setswitchinterval(interval)


def together(jobs: list[Callable[[], Any]]) -> list[Any]:
    """The results of the jobs, each in a thread of its own, all begun at the same moment."""
    barrier = threading.Barrier(len(jobs), timeout=10)

    def begin(job: Callable[[], Any]) -> Any:
        barrier.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [future.result() for future in [pool.submit(begin, job) for job in jobs]]


# ── many graphs at once ──────────────────────────────────────────────────────────────────────────────
HALF, THIRD = Value(0.5, requires_grad=False), Value(1 / 3, requires_grad=False)
MATRIX = Tensor([[0.5, -0.25], [0.125, 1.0]], requires_grad=False)


def value_graph(seed: int) -> tuple[float, ...]:
    """Data and gradients of a small graph over leaves of its own and constants that all threads share."""
    x, y = Value(seed * 0.001 + 0.1), Value(0.7 - seed * 0.0003)
    total = x * HALF
    for _ in range(3):
        total = (total * THIRD + y).tanh() * x - total / (y * y + HALF)
    total.backward()
    first, second = x.grad, y.grad
    total.backward()  # leaves accumulate exactly one more gradient
    return total.data, first, second, x.grad, y.grad


def tensor_graph(seed: int) -> tuple[float, ...]:
    w = Tensor([[seed * 0.001, 0.2], [0.3, 0.4]])
    loss = ((w @ MATRIX).tanh() * w.T - 0.5).exp().mean()
    loss.backward()
    return loss.item(), *w.grad.ravel().tolist()


def second_order(seed: int) -> tuple[float, ...]:
    x = Value(seed * 0.001 + 0.1)
    (slope,) = gradients((x * HALF).sin() * x**3, [x], create_graph=True)
    return slope.data, *gradients(slope, [x])


@pytest.mark.parametrize(
    ("graph", "count"), [(value_graph, GRAPHS), (tensor_graph, GRAPHS // 4), (second_order, GRAPHS // 4)]
)
def test_threads_get_exactly_what_one_thread_gets(graph: Callable[[int], Any], count: int) -> None:
    expected = [graph(k) for k in range(THREADS * count)]
    progress = [0] * THREADS
    overlaps: set[int] = set()

    def job(mine: int) -> list[Any]:
        results = []
        for k in range(mine * count, (mine + 1) * count):
            results.append(graph(k))
            progress[mine] += 1
            overlaps.add(sum(0 < done < count for done in progress))
        return results

    jobs = [lambda mine=mine: job(mine) for mine in range(THREADS)]
    parts = together(jobs)
    assert [row for part in parts for row in part] == expected  # bit for bit
    assert max(overlaps) > 1  # several threads were in the midst of their graphs
    assert HALF.grad is THIRD.grad is MATRIX.grad is None


def test_threads_read_one_graph() -> None:
    """gradients() touches no .grad, so any number of threads may differentiate the same graph."""
    x, y = Value(0.3), Value(0.7)
    total = x * y
    for _ in range(50):
        total = (total * 0.5 + y).tanh() * x + 0.1
    expected = gradients(total, [x, y])
    results = together([lambda: [gradients(total, [x, y]) for _ in range(100)]] * THREADS)
    assert all(got == expected for part in results for got in part)
    assert x.grad is None
    assert y.grad is None


def test_threads_build_on_shared_leaves() -> None:
    """A graph per thread over the same parameters, as in data-parallel training; gradients are added up after."""
    w = [Value(0.1 * k - 0.3) for k in range(6)]

    def loss(sample: int) -> Value:
        return sum((p * (sample + k) for k, p in enumerate(w)), Value(0.0, requires_grad=False)).tanh() ** 2

    expected = [gradients(loss(sample), w) for sample in range(THREADS)]
    assert together([lambda s=s: [gradients(loss(s), w) for _ in range(100)] for s in range(THREADS)]) == [
        [row] * 100 for row in expected
    ]


def test_ticks_are_never_shared() -> None:
    def clocks() -> list[int]:
        x = Value(1.0)
        return [n for _ in range(2_000) for n in (x.relu().clock, tick(), tick())]

    parts = together([clocks] * THREADS)
    assert all(part == sorted(part) for part in parts)
    assert len({n for part in parts for n in part}) == THREADS * 6_000


def test_threads_leave_no_cycles() -> None:
    def nodes() -> int:
        return sum(type(x) is Value for x in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = nodes()
        together([lambda: [value_graph(k) for k in range(50)]] * THREADS)
        assert nodes() == before
    finally:
        gc.enable()


# ── switches are local to the thread ─────────────────────────────────────────────────────────────────
def in_turns(steps: list[list[Callable[[], Any]]]) -> list[list[Any]]:
    """Thread k runs ``steps[k]``; no thread begins its next step before all have done their last."""
    barrier = threading.Barrier(len(steps), timeout=10)

    def job(own: list[Callable[[], Any]]) -> list[Any]:
        results = []
        for step in own:
            barrier.wait()
            results.append(step())
        return results

    with ThreadPoolExecutor(len(steps)) as pool:
        return [future.result() for future in [pool.submit(job, own) for own in steps]]


def product() -> Value:
    return Value(2.0) * 3


@pytest.mark.parametrize("kind", [Value, Tensor])
def test_no_grad_is_local_to_the_thread(kind: Any) -> None:
    switch = no_grad()

    def carries() -> bool:
        return bool((kind(2.0) * 3).requires_grad)

    first = [switch.__enter__, carries, lambda: switch.__exit__(None, None, None), carries]
    second = [carries, carries, carries, carries]
    inside, outside = in_turns([first, second])
    assert [inside[1], inside[3]] == [False, True]
    assert outside == [True] * 4


def test_enable_grad_inside_no_grad_is_local_to_the_thread() -> None:
    off, on = no_grad(), enable_grad()
    other = no_grad()

    def leave(switch: Any) -> Callable[[], Any]:
        return lambda: switch.__exit__(None, None, None)

    first = [off.__enter__, on.__enter__, product, leave(on), product, leave(off), product]
    second = [other.__enter__, product, product, product, product, product, leave(other)]
    one, two = in_turns([first, second])
    assert [one[k].requires_grad for k in (2, 4, 6)] == [True, False, True]
    assert [x.requires_grad for x in two[1:6]] == [False] * 5


def test_scope_is_local_to_the_thread() -> None:
    def steps(name: str) -> list[Callable[[], Any]]:
        outer, inner = scope(name), scope("inner")
        return [
            outer.__enter__,
            product,
            inner.__enter__,
            product,
            lambda: inner.__exit__(None, None, None),
            lambda: outer.__exit__(None, None, None),
            product,
        ]

    for k, results in enumerate(in_turns([steps(f"thread {k}") for k in range(THREADS)])):
        assert [results[i].scope for i in (1, 3, 6)] == [f"thread {k}", f"thread {k}/inner", ""]


def test_observe_is_local_to_the_thread() -> None:
    def steps(seen: list[Any]) -> list[Callable[[], Any]]:
        watch = observe(lambda node, op, inputs: seen.append(node))
        return [watch.__enter__, product, product, lambda: watch.__exit__(None, None, None), product]

    logs: list[list[Any]] = [[] for _ in range(THREADS)]
    for log, results in zip(logs, in_turns([steps(log) for log in logs]), strict=True):
        assert len(log) == 2
        assert log[0] is results[1]
        assert log[1] is results[2]


def test_detect_anomaly_is_local_to_the_thread() -> None:
    def log_of_zero() -> float:
        return float(Value(0.0).log().data)

    def caught() -> bool:
        try:
            log_of_zero()
        except AnomalyError:
            return True
        return False

    detecting = detect_anomaly()
    first = [detecting.__enter__, caught, lambda: detecting.__exit__(None, None, None), log_of_zero]
    inside, outside = in_turns([first, [log_of_zero] * 4])
    assert inside[1] is True
    assert inside[3] == -np.inf
    assert outside == [-np.inf] * 4


def test_backward_under_detect_anomaly_is_local_to_the_thread() -> None:
    def slope_at_zero() -> float:
        x = Value(0.0)
        x.sqrt().backward()
        return float(x.grad)

    def caught() -> bool:
        try:
            slope_at_zero()
        except AnomalyError:
            return True
        return False

    detecting = detect_anomaly()
    first = [detecting.__enter__, caught, lambda: detecting.__exit__(None, None, None), slope_at_zero]
    inside, outside = in_turns([first, [slope_at_zero] * 4])
    assert inside[1] is True
    assert inside[3] == np.inf
    assert outside == [np.inf] * 4


def test_errors_elsewhere_stay_there() -> None:
    def failing() -> str:
        x = Value(2.0)
        y = tanh(x * 3)
        x.data = 1.0
        try:
            with no_grad(), scope("lost"):
                y.backward()
        except RuntimeError:
            return product().scope
        return "nothing was raised"

    for results in in_turns([[failing, product], [product, product]]):
        last = results[-1]
        assert last.requires_grad
        assert last.scope == ""


# ── and to the asynchronous task ─────────────────────────────────────────────────────────────────────
def test_switches_are_local_to_the_task() -> None:
    async def task(name: str, recording: bool, turn: asyncio.Barrier) -> list[Value]:
        made = []
        with scope(name), enable_grad() if recording else no_grad():
            for _ in range(3):
                await turn.wait()
                made.append(product())
        await turn.wait()
        made.append(product())
        return made

    async def main() -> list[list[Value]]:
        turn = asyncio.Barrier(THREADS)
        return await asyncio.gather(*[task(f"task {k}", k % 2 == 0, turn) for k in range(THREADS)])

    for k, made in enumerate(asyncio.run(main())):
        assert [x.requires_grad for x in made] == [k % 2 == 0] * 3 + [True]
        assert [x.scope for x in made] == [f"task {k}"] * 3 + [""]


def test_detect_anomaly_is_local_to_the_task() -> None:
    async def careful(turn: asyncio.Barrier) -> bool:
        with detect_anomaly():
            await turn.wait()
            try:
                Value(0.0).log()
            except AnomalyError:
                return True
            finally:
                await turn.wait()
        return False

    async def careless(turn: asyncio.Barrier) -> float:
        await turn.wait()
        result = Value(0.0).log().data
        await turn.wait()
        return float(result)

    async def main() -> tuple[bool, float]:
        turn = asyncio.Barrier(2)
        return await asyncio.gather(careful(turn), careless(turn))

    assert asyncio.run(main()) == [True, -np.inf]


def test_a_task_starts_with_the_switches_of_its_maker() -> None:
    async def inner() -> Value:
        await asyncio.sleep(0)
        return product()

    async def main() -> tuple[Value, Value]:
        with no_grad(), scope("maker"):
            made = asyncio.create_task(inner())
        return await made, product()

    inside, outside = asyncio.run(main())
    assert (inside.requires_grad, inside.scope) == (False, "maker")
    assert (outside.requires_grad, outside.scope) == (True, "")
