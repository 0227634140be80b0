"""Random programs: the same steps on nodes, and on numbers that know nothing of nodes.

A program is a list of steps: leaves, constants, and operations on earlier steps. It runs on nodes, for the player and
(built anew) for the engine beside it; and it runs on plain numbers of 120 digits, or on arrays of long doubles, for
finite differences that share nothing with the engine but the list.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

import autodiff
from autodiff import Node, Tensor, Value


@dataclass(frozen=True)
class Operation:
    """One operation on nodes and on plain numbers, and which plain inputs it may be given."""

    on_nodes: Callable[..., Any]
    on_numbers: Callable[..., Any]
    arity: int = 2
    fits: Callable[..., bool] = lambda *inputs: True
    exact: bool = True  # whether fractions stay fractions


def _relu(x: Any) -> Any:
    return x if x > 0 else 0 * x


RATIONAL = {
    "add": Operation(lambda a, b: a + b, lambda a, b: a + b),
    "subtract": Operation(lambda a, b: a - b, lambda a, b: a - b),
    "multiply": Operation(lambda a, b: a * b, lambda a, b: a * b),
    "divide": Operation(lambda a, b: a / b, lambda a, b: a / b, fits=lambda a, b: abs(b) > 0.2),
    "negative": Operation(lambda a: -a, lambda a: -a, 1),
    "square": Operation(lambda a: a**2, lambda a: a**2, 1, lambda a: abs(a) < 20),
    "cube": Operation(lambda a: a**3, lambda a: a**3, 1, lambda a: abs(a) < 8),
    "own product": Operation(lambda a: a * a, lambda a: a * a, 1, lambda a: abs(a) < 20),
    "twice": Operation(lambda a: a + a, lambda a: a + a, 1),
    "abs": Operation(abs, abs, 1),
    "maximum": Operation(autodiff.maximum, max),
    "relu": Operation(autodiff.relu, _relu, 1),
}
OTHER = {
    "tanh": Operation(autodiff.tanh, mpmath.tanh, 1, lambda a: abs(a) < 4),
    "exp": Operation(autodiff.exp, mpmath.exp, 1, lambda a: abs(a) < 4),
    "sin": Operation(autodiff.sin, mpmath.sin, 1),
    "sigmoid": Operation(autodiff.sigmoid, lambda a: 1 / (1 + mpmath.exp(-a)), 1, lambda a: abs(a) < 4),
    "log": Operation(autodiff.log, mpmath.log, 1, lambda a: a > 0.1),
    "sqrt": Operation(autodiff.sqrt, mpmath.sqrt, 1, lambda a: a > 0.1),
    "hypot": Operation(autodiff.hypot, mpmath.hypot, 2, lambda a, b: abs(a) + abs(b) > 0.1),
}
OPERATIONS = RATIONAL | OTHER


@dataclass(frozen=True)
class Made:
    """A leaf or a constant (an operation of "" and a value), or an operation on earlier steps."""

    operation: str
    inputs: tuple[int, ...]
    value: Any
    label: str | None
    is_leaf: bool = False


@dataclass(frozen=True)
class Program:
    """The steps; the last one is the output."""

    steps: tuple[Made, ...]

    def leaves(self) -> list[int]:
        return [k for k, step in enumerate(self.steps) if step.is_leaf]

    def nodes(self, leaves: dict[int, Node] | None = None) -> list[Node]:
        """A node for each step, the leaves among them new unless they are given."""
        made: list[Node] = []
        for k, step in enumerate(self.steps):
            if step.operation:
                node = OPERATIONS[step.operation].on_nodes(*[made[i] for i in step.inputs])
                node.label = step.label
            elif leaves and step.is_leaf:
                node = leaves[k]
            else:
                node = Value(step.value, label=step.label, requires_grad=step.is_leaf)
            made.append(node)
        return made

    def output(self, moved: dict[int, Any] | None = None) -> Any:
        """The number that comes out, to 120 digits; leaves may have moved."""
        made: list[Any] = []
        for k, step in enumerate(self.steps):
            if step.operation:
                made.append(OPERATIONS[step.operation].on_numbers(*[made[i] for i in step.inputs]))
            else:
                made.append(_long(step.value) + (moved or {}).get(k, 0))
        return made[-1]

    def slope(self, leaf: int, at: Any = None) -> Any:
        """The central difference for one leaf; None at a kink, where there is none."""
        with mpmath.workdps(120):
            h = mpmath.mpf(10) ** -40
            shift = 0 if at is None else _long(at) - _long(self.steps[leaf].value)
            low, middle, high = (self.output({leaf: shift + move}) for move in (-h, 0, h))
            left, right = (middle - low) / h, (high - middle) / h
            if abs(left - right) > mpmath.mpf(10) ** -25 * (1 + abs(left) + abs(right)):
                return None
            return (left + right) / 2


def _long(x: Any) -> Any:
    return mpmath.mpf(x.numerator) / x.denominator if isinstance(x, Fraction) else mpmath.mpf(x)


LABELS = ["a", "b", "c", "x", "w", "bias", "a rather long name", "x", "θ", "W[0,1]", "h-1", "2nd"]


def program(seed: int, fractions: bool = False) -> Program:
    """A program of 5 to 40 steps, with all that is awkward: a * a, steps used often, zeros, kinks, constants."""
    rng = random.Random(f"{seed} {fractions}")
    form: Callable[[float], Any] = (lambda x: Fraction(x).limit_denominator(6)) if fractions else float
    table = RATIONAL if fractions else OPERATIONS
    while True:
        steps = _drawn(rng, form, table)
        if 5 <= len(steps) <= 40:
            return Program(tuple(steps))


def _drawn(rng: random.Random, form: Callable[[float], Any], table: dict[str, Operation]) -> list[Made]:
    steps: list[Made] = []
    values: list[Any] = []  # of each step, in floats or fractions: only to stay in the domains
    used: set[int] = set()

    def append(step: Made, value: Any) -> None:
        steps.append(step)
        values.append(value)
        used.update(step.inputs)

    def label(likely: float) -> str | None:
        return rng.choice(LABELS) if rng.random() < likely else None

    def number() -> Any:
        return form(rng.choice([0.0, 1.0, -1.0, 0.5, -2.0, 3.0, *(rng.uniform(-3, 3) for _ in range(8))]))

    for _ in range(rng.randint(1, 5)):
        append(Made("", (), number(), label(0.7), True), None)
        values[-1] = steps[-1].value
    for _ in range(rng.randint(0, 2)):
        append(Made("", (), number(), label(0.1)), None)
        values[-1] = steps[-1].value

    size = rng.randint(1, 28)
    for _ in range(20 * size):
        if sum(bool(step.operation) for step in steps) >= size:
            break
        name = rng.choice(list(table))
        op = table[name]
        fresh = [k for k in range(len(steps)) if k not in used]
        inputs = tuple(
            rng.choice(fresh) if fresh and rng.random() < 0.6 else rng.randrange(len(steps)) for _ in range(op.arity)
        )
        given = [values[k] for k in inputs]
        if op.fits(*given):
            _append_if_fit(append, name, inputs, given, label(0.2))
    while len(ends := [k for k, step in enumerate(steps) if k not in used and (step.operation or step.is_leaf)]) > 1:
        given = [values[k] for k in ends[:2]]
        append(Made("add", tuple(ends[:2]), None, None), given[0] + given[1])
    if len(steps) > 1 and ends != [len(steps) - 1]:  # the output comes last
        append(Made("negative", (ends[0],), None, None), -values[ends[0]])
    return steps if _flows(steps) else []


def _append_if_fit(append: Any, name: str, inputs: tuple[int, ...], given: list[Any], label: str | None) -> None:
    value = OPERATIONS[name].on_numbers(*given)
    if isinstance(value, Fraction):
        if value.denominator < 10**6 and abs(value.numerator) < 10**9:
            append(Made(name, inputs, None, label), value)
    elif value == 0 or 1e-6 < abs(value) < 1e6:
        append(Made(name, inputs, None, label), float(value))


def _flows(steps: Sequence[Made]) -> bool:
    """Whether the output depends on a leaf."""
    carries: list[bool] = []
    for step in steps:
        carries.append(step.is_leaf or any(carries[k] for k in step.inputs))
    return bool(carries) and carries[-1] and bool(steps[-1].operation)


# ── arrays ───────────────────────────────────────────────────────────────────────────────────────────
class ArrayProgram:
    """A small network on arrays, of random shapes and operations; its output is one number."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        rows, width, hidden = (int(n) for n in rng.integers(1, 5, 3))
        shapes = {"X": (rows, width), "W": (width, hidden), "b": (hidden,), "s": ()}
        self.arrays = {name: rng.normal(size=shape).round(3) for name, shape in shapes.items()}
        self.constants = {"X"} if seed % 2 else set()
        self.kind = seed % 4

    def tensors(self) -> dict[str, Tensor]:
        return {
            name: Tensor(x, label=name, requires_grad=name not in self.constants) for name, x in self.arrays.items()
        }

    def run(self, given: dict[str, Any], library: Any) -> Any:
        X, W, b, s = (given[name] for name in "XWbs")
        h = X @ W + b
        h = library.tanh(h) if self.kind < 2 else library.maximum(h, 0.0) * h
        h = h * s + (h * h if self.kind % 2 else b)
        return (h * h).mean() if self.kind == 0 else h.sum()

    def slopes(self, name: str) -> Any:
        """Central differences in long doubles, entry by entry."""
        long = {key: np.asarray(x, np.longdouble) for key, x in self.arrays.items()}
        found = np.zeros(self.arrays[name].shape, np.longdouble)
        h = np.longdouble(1e-6)
        for at in np.ndindex(*found.shape):
            outcomes = []
            for move in (-h, h):
                moved = long[name].copy()
                moved[at] += move
                outcomes.append(self.run(long | {name: moved}, np))
            found[at] = (outcomes[1] - outcomes[0]) / (2 * h)
        return found
