"""Networks written with single numbers, compiled: beside NumPy by hand, micrograd, JAX and CasADi in one run.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python -m tests.benchmarks.compiled_networks [ROUNDS]

Every system computes the mean loss over the batch and all its gradients, in float64 and in one thread (JAX too, see
``peers``). They agree to 1e-10 before they are timed. "The first result" is the time to trace and to compile.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import Any

import autodiff
from autodiff import Tensor, observe, tanh
from tests.benchmarks import peers, problems
from tests.benchmarks.depth import peak
from tests.benchmarks.measured import BY_HAND, NO_COMPILE, Asked, apart, by_hand, made, measure
from tests.benchmarks.problems import Problem, Step
from tests.benchmarks.side_by_side import available, interleaved, print_table

OURS = "clearprop compiled"
LISTS = "clearprop, lists of numbers"


def ours(**makers: Any) -> dict[str, Any]:
    return {} if NO_COMPILE else makers.get("systems", {OURS: peers.clearprop})


def small(rounds: int, asked: Asked) -> None:
    """2-16-16-1: the program that micrograd demonstrates."""
    problem = problems.small_network()
    fast = ours(systems={OURS: peers.clearprop, LISTS: partial(peers.clearprop, lists=True)})
    fast |= available({"jax": ("JAX jit(vmap(grad))", peers.jax), "casadi": ("CasADi SX, mapped", peers.casadi)})
    if "CasADi SX, mapped" in fast:
        fast["CasADi, arrays in and out"] = partial(peers.casadi, plainly=True)
    times = measure(problem, fast, rounds, 20)
    claim = "2-16-16-1: "
    asked.slower(claim + "times by hand", times, OURS, BY_HAND, 1.5)
    asked.faster(claim + "times as fast as JAX", times, OURS, "JAX jit(vmap(grad))", 10)
    asked.faster(claim + "times as fast as CasADi, mapped, through buffers", times, OURS, "CasADi SX, mapped", 30)
    asked.faster(claim + "times as fast as CasADi, arrays in and out", times, OURS, "CasADi, arrays in and out", 30)

    slow = {"clearprop eager": peers.eager} | available({"micrograd": ("micrograd", peers.micrograd)})
    steps, _ = made(problem, {BY_HAND: by_hand} | ours() | slow)
    calls = {name: 1 if name in slow else 100 for name in steps}
    blocks = {name: lambda step=step, n=calls[name]: [step() for _ in range(n)] for name, step in steps.items()}
    times = interleaved(blocks, max(3, rounds // 6))
    times = {name: [t / calls[name] for t in seconds] for name, seconds in times.items()}
    print_table("the same beside what is interpreted", times, BY_HAND)
    if not NO_COMPILE:
        asked.faster(claim + "times as fast as micrograd", times, OURS, "micrograd", 5_000)
        asked.at_most(claim + "ms to trace and compile", cost("small_network")["first"] * 1e3, 100)


def larger(rounds: int, asked: Asked) -> None:
    for name, limit, block in (("middle_network", 1.5, 20), ("large_network", 1.3, 3)):
        problem = getattr(problems, name)()
        times = measure(problem, ours(), rounds, block)
        asked.slower(f"{problem.title}, batch {problem.batch}: times by hand", times, OURS, BY_HAND, limit)


def cost(name: str) -> dict[str, float]:
    """Seconds and bytes that one problem costs until its first result, in this process; see ``apart``."""
    problem = getattr(problems, name)()
    seconds = []
    for _ in range(5 if name == "small_network" else 1):
        start = time.perf_counter()
        step = peers.clearprop(problem)
        step()
        seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    step()
    return {"first": sorted(seconds)[len(seconds) // 2] - (time.perf_counter() - start), "peak": peak()}


def compiling(asked: Asked) -> None:
    """What the largest network costs until its first result, in a process of its own."""
    problem = problems.large_network()
    nodes: list[Any] = []
    eager_step = peers.eager(problem.first(1))
    with observe(lambda node, op, inputs: nodes.append(None)):
        eager_step()
    found = apart("compiled_networks", "cost('large_network')")
    print(f"\n{problem.title}: {len(nodes):,} nodes in one example")
    print(f"  {found['first']:.2f} s until the first result, at most {found['peak'] / 1e6:.0f} MB in the process")
    asked.at_most(f"{problem.title}: seconds to trace and compile", found["first"], 4)
    asked.at_most(f"{problem.title}: GB of memory", found["peak"] / 1e9, 1)


# ── a step of Tensors ────────────────────────────────────────────────────────────────────────────────
def with_tensors(problem: Problem) -> Step:
    """The network written with arrays, for the whole batch."""

    def loss(layers: Any, X: Any, Y: Any) -> Any:
        (W1, b1), (W2, b2) = layers
        return ((tanh(X @ W1.T + b1) @ W2.T + b2 - Y) ** 2).mean()

    fast = autodiff.compile(loss)  # type: ignore[attr-defined]
    parameters = [[Tensor(p) for p in pair] for pair in problem.parameters]
    X, Y = (Tensor(x, requires_grad=False) for x in problem.inputs)
    return lambda: fast.value_and_grad(parameters, X, Y)


def jax_arrays(problem: Problem) -> Step:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def loss(layers: Any, X: Any, Y: Any) -> Any:
        (W1, b1), (W2, b2) = layers
        return ((jnp.tanh(X @ W1.T + b1) @ W2.T + b2 - Y) ** 2).mean()

    both = jax.jit(jax.value_and_grad(loss))
    parameters, inputs = jax.tree.map(jnp.asarray, (problem.parameters, problem.inputs))
    return lambda: jax.block_until_ready(both(parameters, *inputs))


def tensors(rounds: int, asked: Asked) -> None:
    problem = problems.middle_network(batch=32)
    title = "64-64-10 with Tensors"
    systems = ours(systems={OURS: with_tensors}) | available({"jax": ("JAX jit", jax_arrays)})
    times = measure(problem, systems, rounds, 50, f"{title}, batch 32")
    asked.slower(f"{title}: times by hand", times, OURS, BY_HAND, 1.25)
    asked.faster(f"{title}: times as fast as JAX", times, OURS, "JAX jit", 1)


def main(rounds: int = 30) -> Asked:
    asked = Asked()
    for part in (small, larger, tensors):
        part(rounds, asked)
    if not NO_COMPILE:
        compiling(asked)
    return asked


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30).show()
