"""A program for which something fails, cut down to a small one for which it still does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from autodiff.compiler.passes import simplify
from autodiff.compiler.program import Program
from tests.autodiff.compiler.examples import evaluated


class Run(NamedTuple):
    """A program beside what it is run on: P (parameters,), X (inputs, batch), seed (outputs, batch)."""

    program: Program
    P: Any
    X: Any
    seed: Any

    def __str__(self) -> str:
        return f"{self.program}\n  P = {self.P.tolist()}\n  X = {self.X.tolist()}\n  seed = {self.seed.tolist()}"


def shrunk(run: Run, fails: Callable[[Run], bool]) -> Run:
    """The smallest run found for which ``fails`` still holds."""
    changed = True
    while changed:
        changed = False
        for candidates in (_fewer_examples, _earlier_outputs, _more_leaves):
            for smaller in candidates(run):
                if _fails(smaller, fails):
                    run, changed = smaller, True
                    break
    return run


def _fails(run: Run, fails: Callable[[Run], bool]) -> bool:
    try:
        return fails(run)
    except Exception:  # another fault than the one that is looked for
        return False


def _fewer_examples(run: Run) -> Any:
    batch = run.X.shape[1]
    for keep in (slice(0, 1), slice(0, 2), slice(0, batch // 2), slice(batch // 2, None)):
        if 0 < len(range(batch)[keep]) < batch:
            yield run._replace(X=run.X[:, keep], seed=run.seed[:, keep])


def _earlier_outputs(run: Run) -> Any:
    program = run.program
    computed = [i for i, op in enumerate(program.ops) if op is not None]
    if len(program.outputs) > 1:
        for k, i in enumerate(program.outputs):
            yield _slim(run._replace(program=replace(program, outputs=[i]), seed=run.seed[k : k + 1]))
    for i in computed[:-1]:
        yield _slim(run._replace(program=replace(program, outputs=[i]), seed=run.seed[:1]))


def _more_leaves(run: Run) -> Any:
    """One instruction less: its result is given, as an input."""
    program = run.program
    leaves = dict(zip([*program.shared, *program.varying], [*run.P, *run.X], strict=True))
    for i, op in reversed(list(enumerate(program.ops))):
        if op is not None and i not in program.outputs:
            (row,) = evaluated(replace(program, outputs=[i]), leaves)
            ops, args = list(program.ops), list(program.args)
            ops[i], args[i] = None, ()
            varying = [*program.varying, i]
            X = np.vstack([run.X, np.broadcast_to(row, (1, run.X.shape[1]))])
            cut = replace(program, ops=ops, args=args, varying=varying, stopped=program.stopped - {i}, example=None)
            yield _slim(run._replace(program=replace(cut, names=[], labels={}), X=X))


def _slim(run: Run) -> Run:
    """Without the leaves that nothing needs."""
    program = run.program
    needed = set(program.outputs)
    for i in range(len(program) - 1, -1, -1):
        if i in needed:
            needed.update(program.args[i])
    shared = [k for k, i in enumerate(program.shared) if i in needed]
    varying = [k for k, i in enumerate(program.varying) if i in needed] or [0]
    names, example = program.leaf_names(), program.example
    slim = replace(
        program,
        shared=[program.shared[k] for k in shared],
        varying=[program.varying[k] for k in varying],
        labels={**names, **program.labels},
        names=[],
        example=None
        if example is None
        else [*[example[k] for k in shared], *[example[len(program.shared) + k] for k in varying]],
    )
    return Run(simplify(slim), run.P[shared], run.X[varying], run.seed)
