"""Random graphs, and the gradient of every leaf against the complex step through an evaluator of its own.

    python -m tests.autodiff.random_graphs --scalar 100000 --tensor 10000 --seed 0

A graph is drawn as a recipe: leaves, constants and operations of the table, chosen so that every operation
meets inputs in its domain. The engine runs the recipe on nodes and differentiates it; the references run it
on complex numbers. The two share the recipe and nothing else.

Rounding errors that a graph amplifies say nothing about the rules, so badly conditioned graphs are drawn
again (and counted): those where a number leaves [1e-6, 1e6], and those where the reference gradient itself
moves by more than 1e-9 of its size when every operand of every operation is disturbed by 1e-13 of its own,
its value and its derivative apart. What is left must agree to 1e-10, relative to the gradient.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from autodiff import TABLE, Primitive, Tensor, Value
from tests.autodiff.reference import REFERENCES, STEP

TOLERANCE, DISTURBANCE, AMPLIFIED = 1e-10, 1e-13, 1e-9
SMALLEST, LARGEST = 1e-6, 1e6
DEFAULT, WIDENED = (-2.0, 2.0), (-3.0, 3.0)
MAX_SIZE = 24


class Step(NamedTuple):
    """A leaf, a constant, or a row of the table applied to earlier steps; ``value`` is what came out."""

    name: str
    inputs: tuple[int, ...]
    params: dict[str, Any]
    value: Any


class Rejected(Exception):
    """The graph is badly conditioned."""


class Recipe:
    """A graph as a list of steps, each naming earlier ones by number."""

    def __init__(self, rng: random.Random, form: Callable[[Any], Any]) -> None:
        self.rng = rng
        self.form = form  # float, or np.asarray
        self.steps: list[Step] = []
        self.used: set[int] = set()

    def leaf(self, value: Any) -> int:
        return self.append(Step("leaf", (), {}, self.form(value)))

    def constant(self, value: Any) -> int:
        return self.append(Step("constant", (), {}, self.form(value)))

    def append(self, step: Step) -> int:
        self.steps.append(step)
        self.used.update(step.inputs)
        return len(self.steps) - 1

    def apply(self, name: str, *inputs: int, **params: Any) -> int:
        given = [self.steps[i].value for i in inputs]
        row = TABLE[name]
        value = self.form(row(given, **params) if row.variadic else row(*given, **params))
        sizes = np.abs(value)
        if not np.all((sizes == 0) | ((sizes >= SMALLEST) & (sizes <= LARGEST))):
            raise Rejected
        return self.append(Step(name, inputs, params, value))

    def squashed(self, at: int, low: float, high: float) -> int:
        """A step whose value lies between two bounds, by a function that never saturates."""
        scaled = self.apply("multiply", self.apply("arctan", at), self.constant((high - low) / math.pi))
        return self.apply("add", scaled, self.constant((low + high) / 2))

    def guarded(self, at: int, row: Primitive, k: int) -> int:
        """The step itself where it lies in the domain of input ``k``, else squashed into it."""
        interval = row.domain[k]
        low, high = WIDENED if interval == DEFAULT else interval
        x = self.steps[at].value
        if np.all((low <= x) & (x <= high)) or (row.arity == 1 and row.kinks and np.all((low <= -x) & (-x <= high))):
            return at
        return self.squashed(at, *interval)

    def pick(self) -> int:
        """An earlier step: mostly one that nothing uses yet, so that the graph hangs together."""
        if self.rng.random() < 0.6:
            unused = [i for i in range(len(self.steps)) if i not in self.used]
            if unused:
                return self.rng.choice(unused)
        return self.rng.randrange(len(self.steps))

    def sinks(self) -> list[int]:
        return [i for i, step in enumerate(self.steps) if i not in self.used and step.name != "constant"]

    def elementwise(self, row: Primitive, inputs: list[int]) -> None:
        if row.arity == 3:  # where: on either side of its condition
            inputs = [self.apply("is_positive", inputs[0]), *inputs[1:]]
        inputs = [self.guarded(i, row, k) for k, i in enumerate(inputs)]
        if row.arity == 2 and row.selects:  # maximum and its like: not at ties
            a, b = (self.steps[i].value for i in inputs)
            if np.any(np.abs(a - b) < SMALLEST):
                return
        self.apply(row.name, *inputs, **self.rng.choice([{}, *(params for _, params in row.cases)]))

    def __str__(self) -> str:
        lines = []
        for i, (name, inputs, params, value) in enumerate(self.steps):
            call = f"{name}({', '.join([f'v{k}' for k in inputs] + [f'{k}={v!r}' for k, v in params.items()])})"
            lines.append(f"  v{i} = {call if inputs else name}  # {str(value).replace(chr(10), '')}")
        return "\n".join(lines)


# ── graphs of numbers ────────────────────────────────────────────────────────────────────────────────
ELEMENTWISE = [row for row in TABLE.values() if row.partials is not None and row.name in REFERENCES]


def scalar_recipe(rng: random.Random) -> Recipe:
    """3 to 30 operations on 1 to 4 leaves and a few constants."""
    recipe = Recipe(rng, float)
    for _ in range(rng.randint(1, 4)):
        recipe.leaf(rng.choice((-1, 1)) * rng.uniform(0.05, 2))
    for _ in range(rng.randint(0, 2)):
        recipe.constant(rng.choice((-1, 1)) * rng.uniform(0.05, 2))
    size = rng.randint(3, 30)
    while _operations(recipe) + len(recipe.sinks()) - 1 < size:
        row = rng.choice(ELEMENTWISE)
        recipe.elementwise(row, [recipe.pick() for _ in range(row.arity or 0)])
    while len(sinks := recipe.sinks()) > 1:
        recipe.apply("add", *sinks[:2])
    return recipe


def _operations(recipe: Recipe) -> int:
    return sum(1 for step in recipe.steps if step.inputs)


def scalar_reference(recipe: Recipe) -> tuple[list[Any], list[Any]]:
    """The derivative by each leaf, exact and disturbed: all of them in one evaluation on arrays."""
    leaves = [i for i, step in enumerate(recipe.steps) if step.name == "leaf"]
    only_second = np.array([[0.0], [DISTURBANCE]])

    def disturbed(z: Any) -> Any:
        a, b = recipe.rng.uniform(-1, 1), recipe.rng.uniform(-1, 1)
        return z.real * (1 + a * only_second) + 1j * z.imag * (1 + b * only_second)

    values: list[Any] = []
    for i, (name, inputs, params, value) in enumerate(recipe.steps):
        if inputs:
            values.append(REFERENCES[name](*[disturbed(values[k]) for k in inputs], **params))
        elif name == "leaf":
            values.append(value + 1j * STEP * np.array([[float(i == k) for k in leaves]] * 2))
        else:
            values.append(np.asarray(complex(value)))
    exact, moved = np.broadcast_to(np.imag(values[-1]) / STEP, (2, len(leaves)))
    return list(exact), list(moved)


# ── graphs of arrays ─────────────────────────────────────────────────────────────────────────────────
Chooser = Callable[[random.Random, Any], dict[str, Any] | None]  # parameters for an array, or None if none fit


def _axis(rng: random.Random, x: Any) -> Any:
    return rng.choice([None, *range(-x.ndim, x.ndim)])


def _reducing(rng: random.Random, x: Any) -> dict[str, Any]:
    return {"axis": _axis(rng, x), "keepdims": rng.random() < 0.5}


def _along(rng: random.Random, x: Any) -> dict[str, Any] | None:
    return {"axis": rng.randrange(-x.ndim, x.ndim)} if x.ndim else None


def _several(rng: random.Random, x: Any) -> dict[str, Any] | None:
    """Along an axis of more than one entry: alone, an entry cancels within the operation, to the last digits."""
    axes = [axis for axis in range(-x.ndim, x.ndim) if x.shape[axis] > 1]
    return {"axis": rng.choice(axes)} if axes else None


def _untied(chooser: Chooser) -> Chooser:
    """Only for arrays in which no two sizes are nearly equal."""

    def choose(rng: random.Random, x: Any) -> dict[str, Any] | None:
        steps = np.diff(np.sort(np.abs(x), axis=None))
        return chooser(rng, x) if np.all(steps > SMALLEST) and np.all(x != 0) else None

    return choose


def _spread(rng: random.Random, x: Any) -> dict[str, Any] | None:
    params = _reducing(rng, x)
    return params if np.all(np.std(x, axis=params["axis"]) > 1e-3) else None


def _index(rng: random.Random, x: Any) -> dict[str, Any] | None:
    if not x.ndim:
        return None
    n = x.shape[0]
    choices = [
        rng.randrange(-n, n),
        slice(None, None, rng.choice((-1, 2))),
        (Ellipsis, rng.randrange(x.shape[-1])),
        (None, slice(0, max(1, n - 1))),
        np.array([rng.randrange(n) for _ in range(rng.randint(1, 4))]),
        np.arange(n) % 2 == 0,
    ]
    return {"index": rng.choice(choices)}


def _shape(rng: random.Random, x: Any) -> dict[str, Any]:
    factors = [k for k in range(1, x.size + 1) if x.size % k == 0]
    k = rng.choice(factors)
    return {"shape": rng.choice([(k, x.size // k), (-1,), (x.size // k, 1, k)])}


UNARY: dict[str, Chooser] = {
    **dict.fromkeys(["sum", "mean", "prod", "logsumexp"], _reducing),
    **dict.fromkeys(["max", "min"], _untied(_reducing)),
    **dict.fromkeys(["var", "std"], _spread),
    **dict.fromkeys(["cumsum", "cumprod"], _along),
    **dict.fromkeys(["softmax", "log_softmax"], _several),
    "norm": _untied(lambda rng, x: {"ord": rng.choice((1, 2, np.inf)), **_reducing(rng, x)}),
    "sort": _untied(_along),
    "getitem": _index,
    "reshape": _shape,
    "ravel": lambda rng, x: {},
    "transpose": lambda rng, x: {"axes": rng.choice([None, tuple(rng.sample(range(x.ndim), x.ndim))])},
    "expand_dims": lambda rng, x: {"axis": rng.randint(-x.ndim - 1, x.ndim)},
    "flip": lambda rng, x: {"axis": _axis(rng, x)},
    "roll": lambda rng, x: {"shift": rng.randint(-3, 3), "axis": _axis(rng, x)},
    "tile": lambda rng, x: {"reps": rng.choice([2, (2, 1)])},
    "repeat": lambda rng, x: {"repeats": 2, "axis": _axis(rng, x)},
    "pad_constant": lambda rng, x: {"pad_width": (1, 0), "constant_values": 0.5} if x.ndim else None,
    "triu": lambda rng, x: {"k": rng.randint(-1, 1)} if x.ndim > 1 else None,
    "tril": lambda rng, x: {"k": rng.randint(-1, 1)} if x.ndim > 1 else None,
    "diagonal": lambda rng, x: {"axis1": -2, "axis2": -1} if x.ndim > 1 else None,
    "trace": lambda rng, x: {} if x.ndim > 1 else None,
    "take": lambda rng, x: {"indices": np.array([rng.randrange(x.size) for _ in range(3)])},
    "sliding_windows": lambda rng, x: {"size": 2, "padding": 1} if x.ndim else None,
}
BOUNDED = {"softmax", "log_softmax", "logsumexp"}  # their references overflow where the rows do not
REGULAR = ("det", "inv", "logabsdet")


def tensor_recipe(rng: random.Random) -> Recipe:
    """3 to 12 operations on 1 to 3 leaves, and a random projection to one number at the end."""
    recipe = Recipe(rng, np.asarray)
    arrays = np.random.default_rng(rng.getrandbits(64))

    def numbers(shape: tuple[int, ...]) -> Any:
        return arrays.choice([-1.0, 1.0], shape) * arrays.uniform(0.05, 2, shape)

    for _ in range(rng.randint(1, 3)):
        recipe.leaf(
            numbers(rng.choice(((), (1,), (3,), (4,), (2, 2), (2, 3), (3, 3), (1, 3), (3, 1), (2, 1, 3), (2, 2, 2))))
        )
    if rng.random() < 0.5:
        recipe.constant(numbers((rng.choice((1, 3)),)))
    size = rng.randint(3, 12)
    for _ in range(10 * size):
        if _operations(recipe) >= size:
            break
        kind = rng.random()
        if kind < 0.45:
            row = rng.choice(ELEMENTWISE)
            inputs = [recipe.pick() for _ in range(row.arity or 0)]
            if _broadcast_size(recipe, inputs) <= MAX_SIZE:
                recipe.elementwise(row, inputs)
        elif kind < 0.85:
            name = rng.choice(list(UNARY))
            at = recipe.pick()
            params = UNARY[name](rng, recipe.steps[at].value)
            if params is not None and recipe.steps[at].value.size <= MAX_SIZE // 3:
                at = recipe.squashed(at, *WIDENED) if name in BOUNDED else at
                recipe.apply(name, at, **params)
        else:
            _product(recipe, rng, numbers)
    for at in recipe.sinks():
        weights = recipe.constant(numbers(recipe.steps[at].value.shape))
        recipe.apply("sum", recipe.apply("multiply", at, weights))
    while len(sinks := recipe.sinks()) > 1:
        recipe.apply("add", *sinks[:2])
    return recipe


def _broadcast_size(recipe: Recipe, inputs: list[int]) -> float:
    try:
        return float(np.prod(np.broadcast_shapes(*[recipe.steps[i].value.shape for i in inputs])))
    except ValueError:
        return float("inf")


def _product(recipe: Recipe, rng: random.Random, numbers: Callable[..., Any]) -> None:
    """A product with a partner that fits, a join, or linear algebra on a square matrix made regular."""
    at = recipe.pick()
    x = recipe.steps[at].value
    if not x.ndim or x.size > MAX_SIZE // 2:
        return
    make = rng.choice((recipe.leaf, recipe.constant))
    kind = rng.choice(("matmul", "vector", "einsum", "join", "regular"))
    if kind == "matmul":
        recipe.apply("matmul", at, make(numbers((x.shape[-1], 2))))
    elif kind == "vector":
        recipe.apply("matmul", make(numbers(x.shape[-2:-1] or x.shape)), at)
    elif kind == "einsum":
        recipe.apply("einsum", at, make(numbers((x.shape[-1],))), equation=rng.choice(("...i,i->...", "...i,i->...i")))
    elif kind == "join":
        name = rng.choice(("concatenate", "stack"))
        recipe.apply(name, at, make(numbers(x.shape)), axis=rng.randrange(x.ndim))
    elif x.ndim > 1 and x.shape[-1] == x.shape[-2]:
        regular = recipe.apply("add", recipe.squashed(at, -1, 1), recipe.constant(3 * np.eye(x.shape[-1])))
        name = rng.choice((*REGULAR, "solve"))
        partner = [make(numbers((x.shape[-1], 2)))] if name == "solve" else []
        recipe.apply(name, regular, *partner)


def tensor_reference(recipe: Recipe) -> tuple[list[Any], list[Any]]:
    """The gradient of each leaf, exact and disturbed, by one complex step for each entry."""
    rng = np.random.default_rng(recipe.rng.getrandbits(64))
    noise = {
        (i, slot): 1 + DISTURBANCE * rng.uniform(-1, 1, (2, *recipe.steps[k].value.shape))
        for i, step in enumerate(recipe.steps)
        for slot, k in enumerate(step.inputs)
    }

    def disturbed(z: Any, by: Any) -> Any:
        return np.real(z) * by[0] + 1j * np.imag(z) * by[1]

    def evaluated(leaf: int, at: tuple[int, ...], disturb: bool) -> float:
        values: list[Any] = []
        for i, (name, inputs, params, value) in enumerate(recipe.steps):
            if inputs:
                given = [values[k] for k in inputs]
                if disturb:
                    given = [disturbed(z, noise[i, slot]) for slot, z in enumerate(given)]
                values.append(np.asarray(REFERENCES[name](*given, **params)))
            else:
                z = np.asarray(value, complex)
                if i == leaf:
                    z = z.copy()
                    z[at] += 1j * STEP
                values.append(z)
        return float(np.imag(values[-1])) / STEP

    both: tuple[list[Any], list[Any]] = ([], [])
    for i, step in enumerate(recipe.steps):
        if step.name == "leaf":
            for disturb, gradients in enumerate(both):
                entries = [evaluated(i, at, bool(disturb)) for at in np.ndindex(*step.value.shape)]
                gradients.append(np.reshape(entries, step.value.shape))
    return both


# ── the comparison ───────────────────────────────────────────────────────────────────────────────────
def engine(recipe: Recipe, kind: type) -> list[Any]:
    """What ``backward`` says."""
    nodes: list[Any] = []
    for name, inputs, params, value in recipe.steps:
        if inputs:
            given = [nodes[k] for k in inputs]
            nodes.append(TABLE[name](given, **params) if TABLE[name].variadic else TABLE[name](*given, **params))
        else:
            nodes.append(kind(value, requires_grad=name == "leaf"))
    if nodes[-1].requires_grad:
        nodes[-1].backward()
    leaves = [node for node, step in zip(nodes, recipe.steps, strict=True) if step.name == "leaf"]
    return [np.zeros(np.shape(leaf.data)) if leaf.grad is None else leaf.grad for leaf in leaves]


class Outcome(NamedTuple):
    leaves: int
    rejected: int
    worst: float
    wrong: str


def compare(kind: type, seed: int, number: int) -> Outcome:
    """Draw graph ``number`` until it is well conditioned, and compare the two gradients."""
    draw, derive = (scalar_recipe, scalar_reference) if kind is Value else (tensor_recipe, tensor_reference)
    rejected = 0
    while True:
        rng = random.Random(f"{seed} {kind.__name__} {number} {rejected}")
        try:
            recipe = draw(rng)
            wanted, disturbed = derive(recipe)
            for want, moved in zip(wanted, disturbed, strict=True):
                if not np.all(np.abs(want - moved) <= AMPLIFIED * np.abs(want)):
                    raise Rejected
            break
        except Rejected:
            rejected += 1
    worst, got = 0.0, engine(recipe, kind)
    for mine, want in zip(got, wanted, strict=True):
        difference = np.abs(mine - want)
        with np.errstate(divide="ignore", invalid="ignore"):
            worst = max(worst, float(np.max(np.where(difference == 0, 0, difference / np.abs(want)))))
    story = f"{kind.__name__} graph {number} of seed {seed}:\n{recipe}\n  gradients {got}\n  instead of {wanted}"
    return Outcome(len(got), rejected, worst, "" if worst <= TOLERANCE else story)


def run(kind: type, count: int, seed: int) -> int:
    """Compare ``count`` graphs and print the counts; the number of wrong ones."""
    began, leaves, rejected, worst, wrong = time.perf_counter(), 0, 0, 0.0, 0
    for number in range(count):
        outcome = compare(kind, seed, number)
        leaves += outcome.leaves
        rejected += outcome.rejected
        worst = max(worst, outcome.worst)
        if outcome.wrong:
            wrong += 1
            print(outcome.wrong)
    print(
        f"{kind.__name__}: {count} graphs ({rejected} more rejected), {leaves} leaves compared, "
        f"worst relative error {worst:.1e}, {wrong} wrong, in {time.perf_counter() - began:.0f} s"
    )
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare gradients of random graphs with the complex step.")
    parser.add_argument("--scalar", type=int, default=100_000, help="graphs of Values")
    parser.add_argument("--tensor", type=int, default=10_000, help="graphs of Tensors")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    wrong = run(Value, options.scalar, options.seed) + run(Tensor, options.tensor, options.seed)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
