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
from autodiff import Value
from autodiff.trees import flatten, map_tree
from tests.benchmarks.problems import Problem, Step

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
    return mean_over_batch(problem, Value, autodiff, None)


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


def casadi(problem: Problem) -> Step:
    """An SX function (a virtual machine) for loss and gradient of one example, mapped over the batch."""
    import casadi as ca

    functions = SimpleNamespace(
        tanh=ca.tanh,
        relu=lambda x: ca.fmax(x, 0),
        exp=ca.exp,
        log=ca.log,
        sigmoid=lambda x: 1 / (1 + ca.exp(-x)),
        sin=ca.sin,
        cos=ca.cos,
    )
    return casadi_step(problem, functions)


def casadi_step(problem: Problem, functions: Any) -> Step:
    import casadi as ca

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
    mapped = one.map("mapped", "serial", batch, [0], [0, 1]) if batch > 1 else one
    flat = np.concatenate([np.ravel(np.asarray(leaf, float)) for leaf in leaves])
    value, gradient = np.zeros(1), np.zeros(len(flat))
    given = [flat, *(np.ascontiguousarray(x, float).reshape(-1) for x in problem.inputs)]
    buffer, run = mapped.buffer()  # the interface of CasADi that has the least to do for each call
    for k, x in enumerate(given):
        buffer.set_arg(k, memoryview(x))
    for k, x in enumerate((value, gradient)):
        buffer.set_res(k, memoryview(x))
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]

    def step() -> tuple[float, Any]:
        run()
        parts = np.split(gradient / batch, ends)
        return value[0] / batch, build([p.reshape(shape) for p, shape in zip(parts, shapes, strict=True)])

    step.buffer = buffer  # it must outlive the memory that it points to
    return step


def vector(result: tuple[Any, Any]) -> np.ndarray:
    """Loss and gradients of a step, one after the other."""
    loss, gradients = result
    leaves = flatten(map_tree(lambda x: np.asarray(x, float).reshape(-1).tolist(), gradients))[0]
    return np.array([float(loss), *leaves])


def agree(result: tuple[Any, Any], expected: tuple[Any, Any], name: str) -> None:
    """Loss and gradients are the same to 1e-10, of each by itself or, where terms cancel, of the largest."""
    want = vector(expected)
    np.testing.assert_allclose(vector(result), want, rtol=1e-10, atol=1e-10 * np.abs(want[1:]).max(), err_msg=name)
