"""One step (mean loss over the batch and its gradients) of a problem written with scalars, by each system.

JAX starts its threads when it is first imported: import this module first. One thread for each system, because the
thread pools of several libraries in one process stand in each other's way; XLA_FLAGS, where it is set, is kept.
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import numpy as np

import autodiff
from autodiff import TABLE, Value
from autodiff.trees import flatten, map_tree
from tests.benchmarks.problems import Problem, Step

OURS = SimpleNamespace(**TABLE)
"""Every function of the table under its name."""

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")


def nested(tree: Any, number: Any) -> Any:
    """Nested lists of arrays as nested lists of ``number``s."""
    leaves, build = flatten(tree)
    return build([map_tree(number, leaf.tolist() if isinstance(leaf, np.ndarray) else leaf) for leaf in leaves])


def mean_over_batch(problem: Problem, number: Any, functions: Any, nothing: Any) -> Step:
    """The loop over the examples that an engine of scalars needs; its nodes have ``grad`` and ``backward``."""
    parameters = nested(problem.parameters, number)
    leaves, build = flatten(parameters)
    examples = list(zip(*(x.tolist() for x in problem.inputs), strict=True))
    loss_of = problem.written(functions)

    def step() -> tuple[float, Any]:
        for leaf in leaves:
            leaf.grad = nothing
        loss = sum(loss_of(parameters, *example) for example in examples) * (1 / len(examples))
        loss.backward()
        return loss.data, build([leaf.grad for leaf in leaves])

    return step


def eager(problem: Problem) -> Step:
    """clearprop, one node after the other."""
    return mean_over_batch(problem, Value, OURS, None)


def clearprop(problem: Problem, lists: bool = False, **options: Any) -> Step:
    """clearprop, compiled. Arrays stand for the nested lists of parameters, or they are nested ``lists`` of numbers."""
    fast = autodiff.compile(problem.written(OURS), **options)  # type: ignore[attr-defined]
    parameters = nested(problem.parameters, float) if lists else problem.parameters
    return lambda: fast.value_and_grad(parameters, *problem.inputs)


def micrograd(problem: Problem) -> Step:
    from micrograd.engine import Value

    return mean_over_batch(problem, Value, SimpleNamespace(relu=Value.relu), 0)


def jax(problem: Problem) -> Step:
    """``jit(vmap(value_and_grad))``, and the mean; arrays stand for the nested lists and are taken apart."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    functions = SimpleNamespace(
        tanh=jnp.tanh, relu=jax.nn.relu, exp=jnp.exp, log=jnp.log, sigmoid=jax.nn.sigmoid, sin=jnp.sin, cos=jnp.cos
    )
    both = jax.value_and_grad(problem.written(functions))

    def mean(parameters: Any, *inputs: Any) -> Any:
        each = jax.vmap(both, in_axes=(None, *[0] * len(inputs)))(parameters, *inputs)
        return jax.tree.map(lambda x: x.mean(0), each)

    compiled = jax.jit(mean)
    parameters, inputs = jax.tree.map(jnp.asarray, (problem.parameters, problem.inputs))
    return lambda: jax.block_until_ready(compiled(parameters, *inputs))


def casadi(problem: Problem, functions: Any = None, plainly: bool = False) -> Step:
    """An SX function (a virtual machine) for loss and gradient of one example, mapped over the batch.

    The mapped function adds up the gradients itself and is called through its buffers, which is several times
    as fast as to call it ``plainly``: arrays in, the gradient of each example out, and their mean with NumPy.
    """
    import casadi as ca

    functions = functions or SimpleNamespace(
        tanh=ca.tanh,
        relu=lambda x: ca.fmax(x, 0),
        exp=ca.exp,
        log=ca.log,
        sigmoid=lambda x: 1 / (1 + ca.exp(-x)),
        sin=ca.sin,
        cos=ca.cos,
    )
    leaves, build = flatten(problem.parameters)
    shapes = [np.shape(leaf) for leaf in leaves]
    w = ca.SX.sym("w", sum(int(np.prod(shape)) for shape in shapes))
    taken = iter(ca.vertsplit(w))
    parameters = build([map_tree(lambda _: next(taken), np.zeros(shape).tolist()) for shape in shapes])

    batch = problem.batch
    columns, example = [], []
    for x in problem.inputs:
        symbol = ca.SX.sym("x", x[0].size)
        parts = iter(ca.vertsplit(symbol))
        example.append(map_tree(lambda _, parts=parts: next(parts), x[0].tolist()))
        columns.append(symbol)
    loss = problem.written(functions)(parameters, *example)
    one = ca.Function("one", [w, *columns], [loss, ca.gradient(loss, w)])
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]

    def apart(gradient: Any) -> Any:
        return build([p.reshape(shape) for p, shape in zip(np.split(gradient, ends), shapes, strict=True)])

    flat = np.concatenate([np.ravel(np.asarray(leaf, float)) for leaf in leaves])
    value, gradient = np.zeros(1), np.zeros(len(flat))
    if plainly:
        each, arrays = one.map(batch), [x.reshape(batch, -1).T for x in problem.inputs]

        def called() -> tuple[float, Any]:
            losses, gradients = each(flat, *arrays)
            return np.asarray(losses).mean(), apart(np.asarray(gradients).mean(1))

        return called

    mapped = one.map("mapped", "serial", batch, [0], [0, 1]) if batch > 1 else one
    given = [flat, *(np.ascontiguousarray(x, float).reshape(-1) for x in problem.inputs)]
    buffer, run = mapped.buffer()  # the interface of CasADi that has the least to do for each call
    for k, x in enumerate(given):
        buffer.set_arg(k, memoryview(x))
    for k, x in enumerate((value, gradient)):
        buffer.set_res(k, memoryview(x))

    def step() -> tuple[float, Any]:
        run()
        return value[0] / batch, apart(gradient / batch)

    step.kept = buffer, given  # type: ignore[attr-defined] # the buffer points to them, and would let them go
    return step
