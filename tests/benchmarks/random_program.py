"""An irregular program: thousands of operations of the table drawn at random, with no matrix product to be found.

Every operation is used about as often as any other, on values from its domain, and its result is tame; flat ones
(``floor``) are rarer, as no gradient passes them. Results that nothing has used yet are preferred, so that little
is left over; what is left is added up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from autodiff import Primitive
from tests.benchmarks.problems import Problem, Step

PARAMETERS = INPUTS = 16
RECENT = 400  # arguments are among so many values that were made last
TAME = 2.0  # the most that a value may be, and -2 the least


class Operation(NamedTuple):
    """A row of the table, the numbers of the values it is applied to, and its options."""

    name: str
    args: tuple[int, ...]
    options: tuple[tuple[str, Any], ...] = ()


def random_program(rows: list[Primitive], operations: int, X: Any, parameters: Any) -> tuple[Operation, ...]:
    """``operations`` of the rows; those of all examples ``X`` stay inside the domains."""
    rng = np.random.default_rng(7)
    values = [np.full(len(X), p) for p in parameters] + list(X.T.copy())
    low, high = [v.min() for v in values], [v.max() for v in values]
    unused, plan, count = set(range(len(values))), [], dict.fromkeys(rows, 0.0)

    def draw(interval: tuple[float, float]) -> int | None:
        start = max(0, len(values) - RECENT)
        fits = (np.array(low[start:]) >= interval[0]) & (np.array(high[start:]) <= interval[1])
        choice = start + np.flatnonzero(fits)
        fresh = [k for k in choice if k in unused]
        if len(choice) == 0:
            return None
        return int(rng.choice(fresh if fresh and rng.random() < 0.8 else choice))

    while len(plan) < operations - len(unused):
        row = min(rng.permutation(np.array(rows, object))[:6], key=count.__getitem__)
        count[row] += 10 if all(type(p) is int and p == 0 for p in row.partials) else 0.1  # also where nothing fits
        args = [draw(interval) for interval in row.domain]
        if None in args or len(set(args)) < len(args):
            continue
        options = row.cases[0][1] if row.cases else {}
        result = np.asarray(row.compute([values[k] for k in args], row.defaults | options), float)
        if not np.abs(result).max() <= TAME:
            continue
        count[row] += 0.9
        unused.difference_update(args)
        unused.add(len(values))
        values.append(result)
        low.append(result.min())
        high.append(result.max())
        plan.append(Operation(row.name, tuple(args), tuple(options.items())))
    left = sorted(unused)
    total = left[0]
    for k in left[1:]:
        plan.append(Operation("add", (total, k)))
        total = len(parameters) + X.shape[1] + len(plan) - 1
    return tuple(plan)


def irregular(rows: list[Primitive], operations: int, batch: int) -> Problem:
    """The program as a problem; its examples are the first of 64."""
    rng = np.random.default_rng(8)
    X, parameters = rng.uniform(-2, 2, (64, INPUTS)), rng.uniform(-2, 2, PARAMETERS)
    plan = random_program(rows, operations, X, parameters)

    def written(f: Any) -> Callable[..., Any]:
        operations = tuple((getattr(f, o.name), o.args, o.options) for o in plan)  # what is frozen needs no guard

        def loss(parameters: Any, xs: Any) -> Any:
            values = [*parameters, *xs]
            for function, args, options in operations:
                values.append(function(*[values[k] for k in args], **dict(options)))
            return values[-1]

        return loss

    title = f"{len(plan):,} operations of {len({o.name for o in plan})} kinds"
    return Problem(title, written, lambda parameters, X: by_hand(plan, parameters, X), parameters, (X[:batch],))


# ── the same with one NumPy call for each operation, over the batch ──────────────────────────────────
def _scaled(function: Any, factor: float) -> Any:
    return lambda g, x, out, t: np.multiply(np.multiply(g, function(x, out), t), factor, t)


def _over_root(low: float, high: float) -> Any:
    """g / sqrt(low + high x²)"""

    def write(g: Any, x: Any, out: Any, t: Any) -> None:
        np.multiply(x, high * x, t)
        np.divide(g, np.sqrt(np.add(t, low, t), t), t)

    return write


def _over_square(low: float, high: float) -> Any:
    """g / (low + high x²)"""

    def write(g: Any, x: Any, out: Any, t: Any) -> None:
        np.multiply(x, high * x, t)
        np.divide(g, np.add(t, low, t), t)

    return write


def _negated(write: Any) -> Any:
    def negated(*args: Any) -> None:
        write(*args)
        np.negative(args[-1], args[-1])

    return negated


def _erf(x: Any, out: Any) -> None:
    out[:] = [
        math.erf(number) for number in x.tolist()
    ]  # NumPy has none, and for a batch this is quicker than a series


def _turned(g: Any, other: Any, a: Any, b: Any, t: Any) -> None:
    np.divide(np.multiply(g, other, t), a * a + b * b, t)


PASS, NONE = "the gradient itself", None

BY_HAND: dict[str, tuple[Any, ...]] = {
    # the function (*inputs, out), and for each input what writes (upstream, *inputs, output, target)
    "add": (np.add, PASS, PASS),
    "subtract": (np.subtract, PASS, lambda g, a, b, out, t: np.negative(g, t)),
    "multiply": (
        np.multiply,
        lambda g, a, b, out, t: np.multiply(g, b, t),
        lambda g, a, b, out, t: np.multiply(g, a, t),
    ),
    "divide": (
        np.divide,
        lambda g, a, b, out, t: np.divide(g, b, t),
        lambda g, a, b, out, t: np.negative(np.divide(np.multiply(g, out, t), b, t), t),
    ),
    "negative": (np.negative, lambda g, x, out, t: np.negative(g, t)),
    "power": (
        np.power,
        lambda g, a, b, out, t: np.multiply(np.divide(np.multiply(g, out, t), a, t), b, t),
        lambda g, a, b, out, t: np.multiply(np.multiply(np.log(a, t), out, t), g, t),
    ),
    "square": (np.square, lambda g, x, out, t: np.multiply(np.multiply(g, x, t), 2, t)),
    "sqrt": (np.sqrt, lambda g, x, out, t: np.divide(np.multiply(g, 0.5, t), out, t)),
    "hypot": (
        np.hypot,
        lambda g, a, b, out, t: np.divide(np.multiply(g, a, t), out, t),
        lambda g, a, b, out, t: np.divide(np.multiply(g, b, t), out, t),
    ),
    "exp": (np.exp, lambda g, x, out, t: np.multiply(g, out, t)),
    "expm1": (np.expm1, lambda g, x, out, t: np.multiply(np.add(out, 1, t), g, t)),
    "log": (np.log, lambda g, x, out, t: np.divide(g, x, t)),
    "log10": (np.log10, lambda g, x, out, t: np.divide(np.multiply(g, 1 / np.log(10), t), x, t)),
    "log1p": (np.log1p, lambda g, x, out, t: np.divide(g, np.add(x, 1, t), t)),
    "sin": (np.sin, lambda g, x, out, t: np.multiply(np.cos(x, t), g, t)),
    "cos": (np.cos, lambda g, x, out, t: np.negative(np.multiply(np.sin(x, t), g, t), t)),
    "tan": (np.tan, lambda g, x, out, t: np.multiply(np.add(np.multiply(out, out, t), 1, t), g, t)),
    "arcsin": (np.arcsin, _over_root(1, -1)),
    "arccos": (np.arccos, _negated(_over_root(1, -1))),
    "arctan": (np.arctan, _over_square(1, 1)),
    "arctan2": (
        np.arctan2,
        lambda g, a, b, out, t: _turned(g, b, a, b, t),
        _negated(lambda g, a, b, out, t: _turned(g, a, a, b, t)),
    ),
    "sinh": (np.sinh, lambda g, x, out, t: np.multiply(np.cosh(x, t), g, t)),
    "cosh": (np.cosh, lambda g, x, out, t: np.multiply(np.sinh(x, t), g, t)),
    "tanh": (np.tanh, lambda g, x, out, t: np.multiply(np.subtract(1, np.multiply(out, out, t), t), g, t)),
    "arcsinh": (np.arcsinh, _over_root(1, 1)),
    "arccosh": (np.arccosh, _over_root(-1, 1)),
    "arctanh": (np.arctanh, _over_square(1, -1)),
    "erf": (
        _erf,
        lambda g, x, out, t: np.multiply(np.multiply(np.exp(-x * x, t), 2 / np.sqrt(np.pi), t), g, t),
    ),
    "maximum": (
        lambda a, b, out: np.maximum(a, b, out=out),
        lambda g, a, b, out, t: np.multiply(g, np.greater(a, b), t),
        lambda g, a, b, out, t: np.multiply(g, np.greater(b, a), t),
    ),
    "minimum": (
        lambda a, b, out: np.minimum(a, b, out=out),
        lambda g, a, b, out, t: np.multiply(g, np.less(a, b), t),
        lambda g, a, b, out, t: np.multiply(g, np.less(b, a), t),
    ),
    "abs": (np.abs, lambda g, x, out, t: np.multiply(np.sign(x, t), g, t)),
    "sign": (np.sign, NONE),
    "floor": (np.floor, NONE),
    "ceil": (np.ceil, NONE),
}
CASADI = {
    "abs": "fabs", "arctan2": "atan2", "maximum": "fmax", "minimum": "fmin", "negative": None, "square": None,
    "add": None, "subtract": None, "multiply": None, "divide": None, "power": None,
}  # fmt: skip


def casadi_functions() -> Any:
    """CasADi's functions under the names of the table; the arithmetic is Python's."""
    import operator
    from types import SimpleNamespace

    import casadi as ca

    plain = {"add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv}
    plain |= {"power": operator.pow, "negative": operator.neg, "square": lambda x: x * x}
    named = {name: getattr(ca, CASADI.get(name, name)) for name in BY_HAND if name not in plain}
    return SimpleNamespace(**plain, **named)


def by_hand(plan: tuple[Operation, ...], parameters: Any, X: Any) -> Step:
    """Rows of one array hold the values and another's the adjoints; lists of calls are made once, and run."""
    batch, leaves = X.shape[0], len(parameters) + X.shape[1]
    values, adjoints = np.empty((leaves + len(plan), batch)), np.empty((leaves + len(plan), batch))
    value, adjoint, scratch = list(values), list(adjoints), np.empty(batch)
    forward = [(BY_HAND[o.name][0], *(value[k] for k in o.args), value[leaves + n]) for n, o in enumerate(plan)]
    depends = [k < len(parameters) for k in range(leaves)]  # on a parameter, by a path that gradients pass
    for o in plan:
        rules = BY_HAND[o.name][1:]
        depends.append(any(rule and depends[k] for k, rule in zip(o.args, rules, strict=True)))
    reached = {len(values) - 1}
    backward: list[Any] = []
    for n in range(len(plan) - 1, -1, -1):
        o, number = plan[n], leaves + n
        if number not in reached:
            continue
        inputs = [value[k] for k in o.args]
        for k, rule in zip(o.args, BY_HAND[o.name][1:], strict=True):
            if rule is NONE or not depends[k]:
                continue
            first = k not in reached
            reached.add(k)
            if rule is PASS:
                call = (
                    (np.copyto, adjoint[k], adjoint[number])
                    if first
                    else (np.add, adjoint[k], adjoint[number], adjoint[k])
                )
                backward.append(call)
                continue
            backward.append((rule, adjoint[number], *inputs, value[number], adjoint[k] if first else scratch))
            if not first:
                backward.append((np.add, adjoint[k], scratch, adjoint[k]))
    adjoints[: len(parameters)] = 0

    def step() -> tuple[float, Any]:
        values[: len(parameters)] = parameters[:, None]
        values[len(parameters) : leaves] = X.T
        for function, *arguments in forward:
            function(*arguments)
        adjoint[-1].fill(1 / batch)
        for function, *arguments in backward:
            function(*arguments)
        return np.add.reduce(value[-1]) / batch, np.add.reduce(adjoints[: len(parameters)], 1)

    return step
