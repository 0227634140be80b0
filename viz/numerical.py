"""Gradients by finite differences: a truth that uses no rule of differentiation.

The recorded computation is replayed with one number moved a little. For graphs of single numbers many replays are
done at once: every node holds an array with a lane for each number that is moved.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import Node, Value
from autodiff.backprop import newest_first
from autodiff.chain import seed_of

LANES = 256
"""Numbers that are moved at the same time, each in a replay of its own."""

LARGEST = 1000
"""Numbers in arrays that are moved one after the other; an array that would exceed them is left out."""

_COMPLEX_STEP = 2.0**-66 * 1j  # a power of two: it comes off again without a rounding
_STEPS = 2e-2 * 0.5 ** np.arange(7)  # relative to the number that is moved


def numerical_gradients(output: Node, nodes: Iterable[Node] | None = None, *, seed: Any = None) -> dict[Node, Any]:
    """The gradient of ``output`` with respect to leaves and computed nodes, without any rule of ours.

    Each number is moved and everything that depends on it computed again: by a complex step, whose imaginary part is
    the derivative to the last digit, where all operations continue to complex numbers; else by central differences,
    extrapolated to step 0.

    Args:
        output: what is differentiated.
        nodes: by what; by default all nodes with a gradient. Of arrays no more than are affordable: leaves first,
            as long as they hold 1,000 numbers together.
        seed: d loss / d output, by default 1.

    Source: Squire and Trapp 1998, "Using complex variables to estimate derivatives of real functions"; Ridders 1982,
    "Accurate computation of F'(x) and F'(x) F''(x)".

    >>> from autodiff import Value
    >>> a, b = Value(2.0), Value(5.0)
    >>> c = a * b
    >>> [float(x) for x in numerical_gradients(c * c, [a, b, c]).values()]
    [100.0, 40.0, 20.0]
    """
    replay = _Replay(output, seed_of(output, seed))
    if nodes is None:
        nodes = [*sorted(replay.leaves, key=lambda node: node.clock), *replay.program]
    if all(isinstance(node, Value) for node in (*replay.program, *replay.leaves, output)):
        return replay.of_numbers(list(nodes))
    return replay.of_arrays(nodes)


class _Replay:
    """A recorded computation that can be computed again from other numbers."""

    def __init__(self, output: Node, seed: Any) -> None:
        self.output, self.seed = output, np.asarray(_inexact(seed))
        self.program = newest_first(output)[::-1]
        inputs = [x for node in self.program for x in node.inputs] or [output]
        self.leaves = dict.fromkeys(x for x in inputs if x.op is None and x.requires_grad)
        self.last_use = {x: node for node in self.program for x in node.inputs}
        real = not any(np.iscomplexobj(x.data) for x in (*inputs, output))
        self.analytic = real and all(node.op is not None and node.op.analytic for node in self.program)

    def of_numbers(self, nodes: Sequence[Node]) -> dict[Node, Any]:
        """The gradient by each of ``nodes``, in a graph of single numbers."""
        found: dict[Node, Any] = {}
        for start in range(0, len(nodes), LANES):
            some = nodes[start : start + LANES]
            slopes = self.slopes(partial(self.each_moved, some), np.abs([_inexact(x.data) for x in some]))
            found |= zip(some, slopes.tolist(), strict=True)
        return found

    def each_moved(self, nodes: Sequence[Node], moves: NDArray) -> NDArray:
        """The output, after a move by ``moves[:, k]`` of node ``k`` alone."""
        lanes = np.eye(len(nodes))
        moved = {node: moves * lane for node, lane in zip(nodes, lanes, strict=True)}
        return np.asarray(self.seed * np.broadcast_to(self.outcome(moved), moves.shape))

    def of_arrays(self, nodes: Iterable[Node]) -> dict[Node, Any]:
        """The gradient by each of ``nodes`` that is small enough, entry by entry."""
        found: dict[Node, Any] = {}
        room = LARGEST
        for node in nodes:
            numbers = np.ravel(node.data)
            if numbers.size <= room:
                room -= numbers.size
                slopes = [self.slopes(partial(self.entry_moved, node, k), np.abs([x])) for k, x in enumerate(numbers)]
                found[node] = np.reshape(slopes, np.shape(node.data))
        return found

    def entry_moved(self, node: Node, k: int, moves: NDArray) -> NDArray:
        """The output, after each of ``moves`` of entry ``k`` of one array."""
        outcomes = []
        for move in moves.ravel():
            offset = np.zeros(np.size(node.data), moves.dtype)
            offset[k] = move
            outcomes.append(np.sum(self.seed * self.outcome({node: offset.reshape(np.shape(node.data))})))
        return np.reshape(outcomes, moves.shape)

    @np.errstate(all="ignore")
    def slopes(self, output_at: Callable[[NDArray], NDArray], sizes: Any) -> NDArray:
        """The derivative by each of several numbers of these ``sizes``."""
        if self.analytic:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error", np.exceptions.ComplexWarning)
                    return np.asarray(output_at(np.full((1, len(sizes)), _COMPLEX_STEP)).imag[0] / _COMPLEX_STEP.imag)
            except (TypeError, ValueError, np.exceptions.ComplexWarning):
                self.analytic = False  # a function that takes no complex numbers after all
        steps = np.outer(_STEPS, np.where(np.isfinite(sizes) & (sizes > 0), sizes, 1.0))  # so that none crosses 0
        outcomes = output_at(np.concatenate([steps, -steps]))
        return _extrapolated((outcomes[: len(steps)] - outcomes[len(steps) :]) / (2 * steps))

    def outcome(self, moved: dict[Node, NDArray]) -> Any:
        """The output, computed again after these nodes have moved."""
        values = {node: _inexact(node.data) + by for node, by in moved.items() if node.op is None}
        for node in self.program:
            if any(x in values for x in node.inputs):
                new = _computed(node, [values.get(x, _inexact(x.data)) for x in node.inputs])
                values[node] = new + moved[node] if node in moved else new
            elif node in moved:
                values[node] = _inexact(node.data) + moved[node]
            for x in node.inputs:
                if self.last_use[x] is node:
                    values.pop(x, None)
        return values.get(self.output, self.output.data)


def _computed(node: Node, inputs: Sequence[Any]) -> Any:
    """What the operation of ``node`` makes of other inputs."""
    op, params = node.op, node.params or {}
    assert op is not None
    arrays = [np.asarray(x) for x in inputs]
    if not isinstance(node, Value):
        return op.quiet(*arrays, **params)
    try:
        if op.partials is not None:
            return op.quiet(*arrays, **params)
    except (TypeError, ValueError):
        pass  # a function of the reader's own that takes one number at a time
    lanes = np.broadcast_arrays(*arrays)
    points = zip(*(lane.ravel() for lane in lanes), strict=True)
    return np.reshape([op.quiet(*map(np.asarray, point), **params) for point in points], lanes[0].shape)


def _extrapolated(slopes: NDArray) -> NDArray:
    """From slopes over steps that are halved each time, of shape (steps, numbers), to those at step 0.

    Of the table of extrapolations the entry is taken that agrees best with its neighbours.
    """
    best, error = slopes[-1], np.full(slopes.shape[1], np.inf)
    table = slopes
    for order in range(1, len(slopes)):
        better = (4**order * table[1:] - table[:-1]) / (4**order - 1)
        differences = np.maximum(abs(better - table[:-1]), abs(better - table[1:]))
        for row, difference in zip(better, differences, strict=True):
            best = np.where(difference < error, row, best)
            error = np.fmin(error, difference)
        table = better
    return np.asarray(best)


def _inexact(x: Any) -> Any:
    """A number that NumPy computes with: a fraction as a float."""
    if not isinstance(x, Fraction):
        return x
    try:
        return float(x)
    except OverflowError:
        return float("inf") if x > 0 else float("-inf")
