"""Random programs of single numbers: compiled against eager, outputs and gradients, in both back ends.

    python -m tests.autodiff.compiler.random_programs --count 20000 --seed 0 --jobs 2

Half of the programs are functions as a learner writes them (``random_functions.py``), half are graphs of all
elementwise rows of the table (``random_graphs.py``). Each is traced by ``compile`` and run by both back ends on 1, 2,
7 and 64 examples, with a weight of its own for every output, and once more through the public function. Eager is the
function itself on Values, one example after the other.

What is allowed between the two is what rounding explains: the bound of ``rounding.py`` for what eager computes, and
that for what the compiled program computes. Infinities and NaN stand in the same places. In a few programs some of the
numbers are infinite, NaN or zero.

One thing may differ, and is counted. What a function computes twice, and what depends on parameters alone and is the
same for all examples, is computed once; its derivative multiplies the sum of what is sent back to it, not each part.
Where that derivative is infinite, the sum of products may be inf - inf or 0 * inf, NaN, and the product with the sum
infinite.

A bound says little where it is large. So programs in which it exceeds 1e-10 of an output or a gradient are drawn again
(and counted) after they, too, have been held to it.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from typing import Any

import numpy as np

from autodiff import TABLE, Value, compile, no_grad
from autodiff.compiler.binding import BoundBlocks
from autodiff.compiler.numba_backend import Tape
from autodiff.compiler.program import Program
from autodiff.compiler.reroll import reroll
from autodiff.compiler.rerolling.terms import SHARED, degrees_of
from autodiff.trees import flatten, map_tree
from tests.autodiff.compiler.random_functions import random_case
from tests.autodiff.compiler.rounding import bounds
from tests.autodiff.compiler.shrinking import Run, shrunk
from tests.autodiff.random_graphs import Recipe, Rejected, scalar_recipe

BATCHES = (1, 2, 7, 64)
BACKENDS = ("numpy", "numba")
SMALL = 1e-10  # a bound above this share of the number says little
CLOSE = 1e-12
TINY = float(np.finfo(float).tiny)  # below it numbers lose digits
ODD = [math.inf, -math.inf, math.nan, 0.0, -0.0]


@dataclass
class Case:
    """A function, its parameters, and for each further argument a batch as an array."""

    story: str
    function: Callable[..., Any]
    params: list[Any]
    batches: tuple[Any, ...]

    @property
    def vector(self) -> Any:
        """The parameters, of shape (parameters,)."""
        return np.array(flatten(self.params)[0], float)

    @property
    def matrix(self) -> Any:
        """The inputs, of shape (inputs, batch)."""
        return np.concatenate([X.reshape(len(X), -1).T for X in self.batches])

    def on_flat(self) -> Callable[[list[Any], list[Any]], list[Any]]:
        """The function on one example, of flat lists: (parameters, inputs) -> outputs."""
        build = flatten([self.params, *[X[0].tolist() for X in self.batches]])[1]
        return lambda p, x: flatten(self.function(*build([*p, *x])))[0]

    def first(self, batch: int) -> Case:
        """The same with fewer examples."""
        return replace(self, batches=tuple([X[:batch] for X in self.batches]))


@dataclass
class Difference:
    """What was found: the largest differences, relative and as a share of the bound, and where it was too large."""

    relative: dict[tuple[str, int], float] = field(default_factory=dict)
    share: float = 0.0
    wrong: str = ""
    infinite: bool = False  # a gradient is infinite rather than NaN

    def add(self, way: str, batch: int, what: str, found: Any, wanted: Any, allowed: Any, once: bool = False) -> None:
        """Compare two arrays; ``once``: gradients by way of what is computed once instead of several times."""
        found, wanted = np.asarray(found, float), np.asarray(wanted, float)
        if found.shape != wanted.shape:
            self.wrong = self.wrong or f"{what} ({way}, batch {batch}) has shape {found.shape}, not {wanted.shape}"
            return
        with np.errstate(all="ignore"):
            same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
            instead = np.isinf(found) & np.isnan(wanted) & once
            self.infinite |= bool(instead.any())
            same |= instead
            apart = np.where(same, 0.0, np.abs(found - wanted))
            wrong = ~same & ~(apart <= allowed + TINY)
            counted = apart > TINY
            relative = np.where(counted, apart / np.abs(wanted), 0.0).max(initial=0.0)
            share = np.where(counted & np.isfinite(allowed), apart / allowed, 0.0).max(initial=0.0)
        self.relative[way, batch] = max(
            self.relative.get((way, batch), 0.0), float(np.nan_to_num(relative, nan=np.inf))
        )
        self.share = max(self.share, float(np.nan_to_num(share, nan=np.inf)))
        if wrong.any() and not self.wrong:
            at = tuple(np.argwhere(wrong)[0].tolist())
            self.wrong = (
                f"{what}{list(at)} ({way}, batch {batch}): compiled {found[at]!r}, eager {wanted[at]!r},"
                f" apart {apart[at]:.3g}, allowed {np.broadcast_to(allowed, found.shape)[at]:.3g}"
            )


# ── drawing ──────────────────────────────────────────────────────────────────────────────────────────
def draw(rng: random.Random) -> Case:
    """A function and a batch of the largest size."""
    case = learner_case(rng) if rng.random() < 0.5 else table_case(rng)
    if rng.random() < 0.05:
        case.story += ", some numbers odd"
        odd = lambda x: rng.choice(ODD) if rng.random() < 0.05 else x
        case.params = map_tree(odd, case.params)
        case.batches = tuple([np.vectorize(odd, otypes=[float])(X) for X in case.batches])
    return case


def learner_case(rng: random.Random) -> Case:
    """Layers, sums, products and what else a learner writes."""
    seed = rng.getrandbits(32)
    function, params, batches = random_case(seed, max(BATCHES))
    return Case(f"random_case({seed}, {max(BATCHES)})", function, params, tuple(map(np.array, batches)))


def table_case(rng: random.Random) -> Case:
    """A graph of rows of the table: some of its leaves parameters, the others inputs near the numbers of the recipe."""
    while True:
        try:
            recipe = scalar_recipe(rng)
            break
        except Rejected:
            continue
    leaves = [i for i, step in enumerate(recipe.steps) if step.name == "leaf"]
    inputs = rng.sample(leaves, rng.randint(1, len(leaves)))
    params = [recipe.steps[i].value for i in leaves if i not in inputs]
    near = np.random.default_rng(rng.getrandbits(64)).uniform(0.99, 1.01, (max(BATCHES), len(inputs)))
    near[0] = 1
    X = near * np.array([recipe.steps[i].value for i in inputs])
    return Case(f"recipe:\n{recipe}", recipe_function(rng, recipe, inputs), params, (X,))


def recipe_function(rng: random.Random, recipe: Recipe, inputs: Sequence[int]) -> Callable[..., Any]:
    """The recipe as a function of its leaves. Gradients do not pass some of its steps; some more are outputs."""
    steps = recipe.steps
    computed = [i for i, step in enumerate(steps) if step.inputs]
    held = {i: rng.random() < 0.5 for i in computed if rng.random() < 0.04}
    live: set[int] = {i for i, step in enumerate(steps) if step.name == "leaf"}
    for i in computed:
        if not live.isdisjoint(steps[i].inputs):
            live.add(i)
    more = rng.sample(sorted(live), min(len(live), 3)) if rng.random() < 0.3 else []

    def function(params: Any, x: Any) -> Any:
        given = dict(zip(inputs, x, strict=True))
        rest = iter(params)
        numbers: list[Any] = []
        for i, (name, args, options, value) in enumerate(steps):
            if name == "leaf":
                numbers.append(given[i] if i in given else next(rest))
            elif name == "constant":
                numbers.append(Value(value, requires_grad=False))
            elif held.get(i):
                with no_grad():
                    numbers.append(TABLE[name](*[numbers[k] for k in args], **options))
            else:
                made = TABLE[name](*[numbers[k] for k in args], **options)
                numbers.append(made.detach() if i in held else made)
        return [*[numbers[k] for k in more], numbers[-1]] if more else numbers[-1]

    return function


# ── eager ────────────────────────────────────────────────────────────────────────────────────────────
def eager(function: Callable[[list[Any], list[Any]], list[Any]], P: Any, X: Any, seed: Any) -> tuple[Any, Any, Any]:
    """Outputs (outputs, batch), gradients of parameters (parameters, batch) and of inputs, one example at a time."""
    outputs, dP, dX = np.empty(seed.shape), np.zeros((len(P), X.shape[1])), np.zeros(X.shape)
    for j in range(X.shape[1]):
        p, x = [Value(v) for v in P.tolist()], [Value(v) for v in X[:, j].tolist()]
        given = function(p, x)
        loss = sum([y * s for y, s in zip(given, seed[:, j].tolist(), strict=True)])
        if loss.requires_grad:
            loss.backward()
        outputs[:, j] = [y.data for y in given]
        for gradients, leaves in ((dP, p), (dX, x)):
            gradients[:, j] = [0.0 if leaf.grad is None else leaf.grad for leaf in leaves]
    return outputs, dP, dX


def alone(run: Run) -> tuple[Any, Any, Any]:
    """The instructions of a program on Values."""
    program = run.program

    def function(p: list[Any], x: list[Any]) -> list[Any]:
        nodes: dict[int, Any] = dict(zip([*program.shared, *program.varying], [*p, *x], strict=True))
        for i, op in enumerate(program.ops):
            if op is not None:
                made = Value.apply(op, tuple([nodes[k] for k in program.args[i]]), program.params[i] or {})
                nodes[i] = made.detach() if i in program.stopped else made
            elif i in program.constants:
                nodes[i] = Value(program.constants[i], requires_grad=False)
        return [nodes[i] for i in program.outputs]

    return eager(function, run.P, run.X, run.seed)


# ── both sides ───────────────────────────────────────────────────────────────────────────────────────


class Checked:
    """One case and what eager makes of it, to hold programs against.

    Attributes:
        program: what was traced; P, X, seed: what it is run on.
        expected: what is compared for so many examples: its name, the eager numbers, and how far compiled ones may lie
            away.
    """

    def __init__(self, case: Case, rng: random.Random, batches: Sequence[int] = BATCHES) -> None:
        self.case = case = case.first(max(batches))
        self.backend = rng.choice(BACKENDS)
        self.fast = compile(case.function, backend=self.backend)
        entry = self.fast._entry((case.params, *case.batches), {})[0]
        self.program: Program = entry.program
        arrays = np.random.default_rng(rng.getrandbits(64))
        self.P, self.X = case.vector, case.matrix
        self.seed = arrays.normal(size=(len(self.program.outputs), max(batches)))
        both = [bounds(self.program, self.P, self.X, self.seed)]
        written: Program = entry.trace.program  # as eager does it: with what is computed twice
        same = written.instructions == self.program.instructions
        self.once = {"dP", "dX"} if not same else {"dP"} if has_shared_parts(self.program) else set()
        both.append(both[0] if same else bounds(written, self.P, self.X, self.seed))
        outputs, dP, dX = eager(case.on_flat(), self.P, self.X, self.seed)
        self.expected: dict[int, list[tuple[str, Any, Any]]] = {}
        for n in batches:
            with np.errstate(all="ignore"):
                self.expected[n] = [
                    ("outputs", outputs[:, :n], sum([b.outputs[:, :n] for b in both])),
                    ("dP", dP[:, :n].sum(axis=1), sum([b.of_dP(n) for b in both])),
                    ("dX", dX[:, :n], sum([b.dX[:, :n] for b in both])),
                ]

    def unsure(self) -> float:
        """The largest bound, as a share of the number it belongs to."""
        worst = 0.0
        for numbers in self.expected.values():
            for _, wanted, allowed in numbers:
                with np.errstate(all="ignore"):
                    known = np.isfinite(wanted) & (allowed > TINY)
                    worst = max(worst, float(np.where(known, allowed / np.abs(wanted), 0.0).max(initial=0.0)))
        return worst

    def compare(self, difference: Difference, way: str, batch: int, found: Sequence[Any]) -> None:
        """Note how far some outputs, dP and dX are from what is expected."""
        for (what, wanted, allowed), numbers in zip(self.expected[batch], found, strict=True):
            difference.add(way, batch, what, numbers, wanted, allowed, what in self.once)

    def run(self, public: int) -> Difference:
        """Both back ends on every batch, and the public function on one of so many examples."""
        difference = Difference()
        blocks, tape = reroll(self.program), Tape(self.program, True, True)
        for batch in self.expected:
            X, seed = self.X[:, :batch], self.seed[:, :batch]
            self.compare(difference, "numpy", batch, by_blocks(blocks, self.P, X, seed))
            self.compare(difference, "numba", batch, tape.value_and_grad(self.P, X, seed))
        self.compare(difference, f"compile(backend={self.backend!r})", public, self.publicly(public))
        return difference

    def publicly(self, batch: int) -> tuple[Any, Any, Any]:
        """Outputs and gradients by the public function."""
        case, seed = self.case.first(batch), self.seed[:, :batch]
        args = (case.params, *case.batches)
        outputs, pull = self.fast.vjp(*args, argnums=tuple([k for k, x in enumerate(args) if len(x)]))
        gradients = pull(seed.T if np.ndim(outputs) > 1 else seed[0])
        dP, dXs = gradients[: -len(case.batches)], gradients[-len(case.batches) :]
        dP = np.array(flatten(dP)[0], float)
        dX = np.concatenate([np.reshape(d, (batch, -1)).T for d in dXs])
        return np.reshape(outputs, (batch, -1)).T, dP, dX

    def reproducer(self) -> str:
        """A smaller program that goes wrong too, by itself; the whole one where there is none."""
        whole = Run(self.program, self.P, self.X, self.seed)
        small = shrunk(whole, lambda run: bool(compared(run).wrong))
        return f"{compared(small).wrong or 'the program alone, run as it is, is right'}\n{small if small is not whole else small.program}"


def compared(run: Run) -> Difference:
    """Both back ends on a program as it is, against its instructions on Values, one example after the other."""
    program, P, X, seed = run
    difference = Difference()
    outputs, dP, dX = alone(run)
    with np.errstate(all="ignore"):
        dP = dP.sum(axis=1)
    bound = bounds(program, P, X, seed)
    allowed = 2 * bound.outputs, 2 * bound.of_dP(X.shape[1]), 2 * bound.dX
    ways = {
        "numpy": by_blocks(reroll(program), P, X, seed),
        "numba": Tape(program, True, True).value_and_grad(P, X, seed),
    }
    once = has_shared_parts(program)
    for way, found in ways.items():
        wanted = outputs, dP, dX
        for what, *numbers in zip(("outputs", "dP", "dX"), found, wanted, allowed, strict=True):
            difference.add(way, X.shape[1], what, *numbers, once and what == "dP")
    return difference


def has_shared_parts(program: Program) -> bool:
    """Whether operations depend on parameters alone."""
    return any(op is not None and degree == SHARED for op, degree in zip(program.ops, degrees_of(program), strict=True))


def by_blocks(blocks: Any, P: Any, X: Any, seed: Any) -> tuple[Any, Any, Any]:
    """The re-rolled program, replayed twice: what one run leaves behind must not reach the next."""
    bound = BoundBlocks(blocks, X.shape[1], wrt_P=True, wrt_X=True)
    bound.run()
    bound.P[...], bound.X[...], bound.seed[...] = P, X, seed
    bound.run()
    return bound.outputs, bound.dP, bound.dX


# ── many of them ─────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Outcome:
    """Of one program, and of those that were drawn before it and said little."""

    difference: Difference
    unsure: float
    again: int
    instructions: int


def check(seed: int, number: int, batches: Sequence[int] = BATCHES) -> Outcome:
    """Draw program ``number`` until it is well conditioned; all that are drawn are held to their bounds."""
    again, share, infinite = 0, 0.0, False
    while True:
        rng = random.Random(f"{seed} {number} {again}")
        case = draw(rng)
        title = f"program {number} of seed {seed}, draw {again}: {case.story}"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                checked = Checked(case, rng, batches)
                difference = checked.run(rng.choice(batches))
        except Exception:  # NumPy's warnings too
            return Outcome(Difference(wrong=f"{title}\n{traceback.format_exc()}"), 0.0, again, 0)
        if difference.wrong:
            difference.wrong = f"{title}\n{difference.wrong}\n{checked.reproducer()}"
        difference.share = share = max(share, difference.share)  # these two of all that were drawn
        difference.infinite = infinite = infinite or difference.infinite
        unsure = 0.0 if difference.wrong else checked.unsure()
        if difference.wrong or unsure <= SMALL:
            return Outcome(difference, unsure, again, checked.program.instructions)
        again += 1


def _check(job: tuple[int, int]) -> Outcome:
    return check(*job)


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare compiled with eager on random scalar programs.")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    began, again, within, wrong, instructions, infinite = time.perf_counter(), 0, 0, 0, 0, 0
    relative: Counter[tuple[str, int]] = Counter()
    share = unsure = 0.0
    with get_context("spawn").Pool(options.jobs) as pool:
        jobs = [(options.seed, number) for number in range(options.count)]
        for outcome in pool.imap(_check, jobs, chunksize=20):
            again += outcome.again
            instructions += outcome.instructions
            for key, worst in outcome.difference.relative.items():
                relative[key] = max(relative[key], worst)
            within += not outcome.difference.wrong and max(outcome.difference.relative.values()) <= CLOSE
            share, unsure = max(share, outcome.difference.share), max(unsure, outcome.unsure)
            infinite += outcome.difference.infinite
            if outcome.difference.wrong:
                wrong += 1
                print(outcome.difference.wrong, flush=True)
    print(f"{options.count} programs of {instructions / options.count:.0f} instructions on average", end=" ")
    print(f"({again} more drawn again), {wrong} wrong, in {time.perf_counter() - began:.0f} s")
    print("largest difference, relative to the number:")
    for way in sorted({way for way, _ in relative}):
        print(f"  {way:26}", *[f"batch {b}: {relative[way, b]:.1e}  " for b in BATCHES])
    print(f"{within} programs differ nowhere by more than {CLOSE}")
    print(f"{infinite} have a gradient that is infinite rather than NaN")
    print(f"largest bound, relative to the number: {unsure:.1e}; largest share of a bound that was used: {share:.2f}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
