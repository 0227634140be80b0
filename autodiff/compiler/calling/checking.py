"""``compile(check=True)``: a few examples computed eagerly too, and the function traced a second time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.compiler.program import Program
from autodiff.compiler.tracing.trace import Example, Trace
from autodiff.context import enable_grad
from autodiff.errors import TraceError
from autodiff.transforms import gradients
from autodiff.trees import flatten

_REASONS = (
    "A likely reason is something that a trace does not show: a number that changes from call to call (the time, a"
    " fresh random generator), a text made of a number, a gradient that was read. Give it as an argument"
)
_TOLERANCE = {"d": 1e-9, "f": 1e-3}  # of the largest number compared: sums run in another order


def check(
    entry: Any, again: Trace, function: Callable[..., Any], found: list[Any], example: Callable[[int], Example]
) -> None:
    """Compare a fresh trace with a second one, and what it computes with what the function computes.

    Raises:
        TraceError: they differ.
    """
    name = getattr(function, "__name__", "the function")
    _same_program(entry.trace.program, again.program, name)
    batch = entry.batch(found)
    for at in sorted({0, batch // 2, batch - 1}):
        one = [x if run.axis is None else np.take(x, [at], run.axis) for run, x in zip(entry.runs, found, strict=True)]
        given = example(at)
        with enable_grad():
            outputs = flatten(function(*given.args, **given.kwargs))[0]
        weights = [np.full(np.shape(y._held), 0.5 + k % 3) for k, y in enumerate(outputs)]
        leaves = [*given.shared, *entry.trace.captured, *given.varying]
        values, slopes = entry.evaluated(one, weights)
        where = f" of example {at}" if batch > 1 else ""
        for k, (y, value) in enumerate(zip(outputs, values, strict=True)):
            _compare(y._held, value, f"output {k}{where}", name)
        totals = [np.zeros(np.shape(leaf._held)) for leaf in leaves]
        for y, weight in zip(outputs, weights, strict=True):
            if y.requires_grad:
                parts = gradients(y, leaves, weight if weight.ndim else weight.item())
                totals = [total + part for total, part in zip(totals, parts, strict=True)]
        labels = entry.trace.program.leaf_names()
        names = [labels.get(n, "a leaf") for n in [*entry.trace.program.shared, *entry.trace.program.varying]]
        size = max([np.max(np.abs(t[np.isfinite(t)]), initial=0.0) for t in map(np.asarray, totals)], default=0.0)
        for leaf, total, slope, label in zip(leaves, totals, slopes, names, strict=True):
            if leaf.requires_grad and slope is not None:
                _compare(total, slope, f"the gradient of {label}{where}", name, size)


def _compare(eager: Any, compiled: Any, what: str, name: str, size: float = 0.0) -> None:
    eager, compiled = np.asarray(eager, float), np.asarray(compiled)
    tolerance = _TOLERANCE.get(compiled.dtype.char, 1e-9)
    scale = max(size, np.max(np.abs(eager[np.isfinite(eager)]), initial=0.0))
    with np.errstate(all="ignore"):
        close = (eager == compiled) | (np.abs(eager - compiled) <= tolerance * scale)
        close |= np.isnan(eager) & np.isnan(compiled)
    if not close.all():
        at = np.unravel_index(np.argmin(close), close.shape)
        raise TraceError(
            f"{name}, compiled, differs from itself: {what} is {eager[at].item()!r}, and the compiled function"
            f" gives {compiled[at].item()!r}. {_REASONS}"
        )


def _same_program(first: Program, second: Program, name: str) -> None:
    for i in range(min(len(first), len(second))):
        a, b = (p.constants.get(i, 0.0) for p in (first, second))
        same = first.ops[i] is second.ops[i] and first.args[i] == second.args[i]
        if not (same and np.array_equal(a, b, equal_nan=True)):
            one, two = (_written(p, i) for p in (first, second))
            raise TraceError(f"{name} did different things for two examples: {one}, then {two}. {_REASONS}")
    if len(first) != len(second):
        raise TraceError(f"{name} did {len(first)} things for one example, and {len(second)} for another. {_REASONS}")


def _written(program: Program, i: int) -> str:
    return f"{'the constant ' * (i in program.constants)}{program.expression(i)}"
