"""check_gradients: is the gradient of a function right? Compared with a truth that uses no rule of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from autodiff.backprop import newest_first
from autodiff.context import enable_grad
from autodiff.errors import GradientMismatchError
from autodiff.graph import Node
from autodiff.primitives.elementwise import multiply
from autodiff.primitives.reductions import sum as array_sum
from autodiff.primitives.row import plain
from autodiff.tensor import Tensor
from autodiff.transforms import as_leaf, gradients
from autodiff.trees import flatten


def check_gradients(
    function: Callable[..., Any], *args: Any, order: int = 1, rtol: float | None = None, seed: int = 0
) -> float:
    """Compare the gradient of ``function`` at ``args`` with a numerical derivative; returns the largest error.

    The recorded computation is replayed on complex numbers, x + 1e-20 i, whose imaginary part is the
    derivative to the last digit (Squire and Trapp 1998, "Using complex variables to estimate derivatives
    of real functions"). Where an operation does not continue to complex numbers (abs, max, relu, ...) it
    is replayed on real numbers around x: central differences, extrapolated (Ridders 1982). Functions with
    several outputs are checked along a random direction.

    Args:
        function: of numbers, arrays, nodes, or nested lists, tuples and dicts of them.
        order: up to which order derivatives are checked; 2 checks the gradient of the gradient as well.
        rtol: the relative error allowed: by default 1e-10 for the complex step, 1e-6 for differences.
        seed: of the random directions.

    Raises:
        GradientMismatchError: names the argument and entry, and shows both numbers.

    >>> from autodiff import check_gradients, exp, sin
    >>> check_gradients(lambda x, y: sin(x) * exp(y), 0.3, 1.2, order=2) < 1e-12
    True
    """
    rng = np.random.default_rng(seed)
    given, rebuild = flatten(args)
    checked = [k for k, x in enumerate(given) if np.asarray(plain(x)).dtype.kind == "f" or isinstance(x, int)]
    if not checked:
        raise TypeError("check_gradients needs an argument with real numbers (floats, float arrays, nodes)")
    with enable_grad():
        leaves = [as_leaf(plain(x)) if k in checked else x for k, x in enumerate(given)]
        scalar = _along(flatten(function(*rebuild(leaves)))[0], rng)
        worst = _compare(scalar, [leaves[k] for k in checked], checked, rtol)
        for level in range(2, order + 1):
            slopes = gradients(scalar, [leaves[k] for k in checked], create_graph=True)
            scalar = _along(slopes, rng)
            if not scalar.requires_grad:
                break  # the derivative is constant: every higher one is 0
            worst = max(worst, _compare(scalar, [leaves[k] for k in checked], checked, rtol, level))
    return worst


def _along(outputs: Sequence[Any], rng: np.random.Generator) -> Any:
    """One number from all outputs: their sum, weighted at random so that no error cancels."""
    total: Any = 0.0
    for y in outputs:
        if not isinstance(y, Node):
            raise TypeError(f"the function returned {type(y).__name__}, which remembers nothing of its arguments")
        weight = rng.uniform(0.5, 1.5, np.shape(y.data)) * rng.choice([-1.0, 1.0], np.shape(y.data))
        part = multiply(y, weight if isinstance(y, Tensor) else float(weight))
        total = total + (array_sum(part) if isinstance(part, Tensor) else part)
    return total


def _compare(output: Node, leaves: list[Node], positions: list[int], rtol: float | None, level: int = 1) -> float:
    program = newest_first(output)[::-1]
    is_analytic = all(node.op is not None and node.op.analytic for node in program)
    precision = max(np.finfo(np.result_type(np.asarray(x.data).dtype, np.float16)).eps for x in leaves)
    rtol = rtol or max(1e-10 if is_analytic else 1e-6, 1e3 * float(precision))
    worst = 0.0
    for position, leaf, got in zip(positions, leaves, gradients(output, leaves), strict=True):
        derivative = _complex_step if is_analytic else _differences
        wanted = np.array([derivative(program, output, leaf, k) for k in range(np.size(leaf.data))]).reshape(
            np.shape(leaf.data)
        )
        scale = np.maximum(np.abs(wanted), 1e-3 * np.max(np.abs(wanted), initial=0.0) + 1e-300)
        error = np.abs(np.asarray(got) - wanted) / scale
        error = np.where(np.asarray(got) == wanted, 0.0, error)
        bad = ~(error <= rtol)
        if np.any(bad):
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            place = f"leaf {position}" + (f"[{', '.join(map(str, at))}]" if at else "")
            raise GradientMismatchError(
                f"derivative of order {level} by {place} ({leaf.name()[:60]}): the graph gives"
                f" {np.asarray(got)[at].item()!r}, {'the complex step' if is_analytic else 'differences'}"
                f" {wanted[at].item()!r}"
                f" (relative error {error[at]:.2g}, allowed {rtol:.2g}); {int(bad.sum())} of {bad.size} entries differ"
            )
        worst = max(worst, float(np.max(error, initial=0.0)))
    return worst


def _replay(program: list[Node], output: Node, leaf: Node, value: Any) -> Any:
    """The output of a recorded computation with another value in one leaf."""
    values: dict[Node, Any] = {leaf: value}
    for node in program:
        assert node.op is not None
        inputs = [values.get(x, x._held) for x in node.inputs]
        values[node] = node.op.quiet(*map(np.asarray, inputs), **node.params or {})
    return np.asarray(values[output]).reshape(())[()]


def _moved(leaf: Node, k: int, by: complex) -> Any:
    value = np.array(leaf.data, dtype=np.result_type(np.asarray(leaf.data).dtype, type(by)))
    value.reshape(-1)[k] += by
    return value


def _complex_step(program: list[Node], output: Node, leaf: Node, k: int) -> float:
    return float(_replay(program, output, leaf, _moved(leaf, k, 1e-20j)).imag / 1e-20)


def _differences(program: list[Node], output: Node, leaf: Node, k: int) -> float:
    """Central differences at shrinking steps, extrapolated to step 0, where neighbours in the table agree best."""
    size = abs(float(np.asarray(leaf.data).reshape(-1)[k])) or 1.0  # so that no step crosses 0
    steps = size * 2e-2 * 0.5 ** np.arange(7)
    table = [
        [
            float(
                (
                    _replay(program, output, leaf, _moved(leaf, k, h))
                    - _replay(program, output, leaf, _moved(leaf, k, -h))
                )
                / (2 * h)
            )
            for h in steps
        ]
    ]
    best, error = table[0][-1], np.inf
    for m in range(1, len(steps)):
        last = table[-1]
        table.append([(4**m * b - a) / (4**m - 1) for a, b in pairwise(last)])
        for a, b, new in zip(last[:-1], last[1:], table[-1], strict=True):
            difference = max(abs(new - a), abs(new - b))
            if difference < error:
                best, error = new, difference
    return best
