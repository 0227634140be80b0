"""Gradients that are gathered in one array: which contributions write there, which add, and which are computed there.

The gradient of ``x`` gathers what arrives at ``x`` and at views of it, each at its place. The first contribution to a
place writes and later ones add, so nothing need be filled with zeros, unless contributions leave gaps or overlap
others in part.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.compiler.replay.plan import COPY, Array, Inner, Plan, Step
from autodiff.primitives.elementwise import add


class Into(Inner):
    """Adding to a few entries of a gathered gradient, by a row's ``into``."""


ACCUMULATE = Inner(None)  # a contribution to a gathered gradient, or to a view of it
SAME = Inner(lambda x: x)


def settle(plan: Plan, wanted: Sequence[int]) -> None:
    """Turn each contribution to a gathered gradient into a write, or into an addition to what is there.

    ``wanted`` are gathered gradients that must be written even if nothing arrives.
    """
    _Settlement(plan, wanted).run()


class _Settlement:
    def __init__(self, plan: Plan, wanted: Sequence[int]) -> None:
        self.plan = plan
        self.contributions: dict[int, list[Step]] = {value: [] for value in wanted}
        self.makers: dict[int, Step] = {}
        self.readers = Counter(plan.root(a) for step in plan.steps for a in step.args)
        for step in plan.steps:
            if step.op is ACCUMULATE or isinstance(step.op, Into):
                self.contributions.setdefault(plan.root(step.out), []).append(step)
            elif step.backward:
                self.makers[step.out] = step
        self.views: dict[int, list[int]] = defaultdict(list)
        for value, source in enumerate(plan.sources):
            if source is not None:
                self.views[source[0]].append(value)
        self.places: dict[int, Array] = {}
        self.filled: set[int] = set()
        self.dropped: set[Step] = set()

    def run(self) -> None:
        for root, steps in self.contributions.items():
            self._settle(root, steps)
        steps, started = [], set()
        for step in self.plan.steps:
            root = self.plan.root(step.out)
            if root in self.filled and root not in started:
                started.add(root)
                steps.append(_zeros(root))
            if step not in self.dropped:
                steps.append(step)
        self.plan.steps = steps + [_zeros(root) for root in self.contributions if root in self.filled - started]

    def _settle(self, root: int, steps: list[Step]) -> None:
        """Decide for each contribution to one array."""
        covered = np.zeros(self.plan.samples[root].size, bool)
        added = np.zeros(covered.size, bool)  # where later contributions add
        writing = []
        for step in steps:
            at = self._place(step.out)
            before = covered[at]
            first = not before.any()
            if not before.all() and (not first or isinstance(step.op, Into)):
                self.filled.add(root)
            covered[at] = True
            if first and step.op is ACCUMULATE:
                writing.append(step)
                continue
            added[at] = True
            if step.op is ACCUMULATE:
                step.op, step.args = add, (step.out, *step.args)
        for step in writing:
            if self._computed_in_place(step.args[0], step.out, added[self._place(step.out)].any()):
                self.dropped.add(step)
            else:
                step.op = COPY
        if not covered.all():
            self.filled.add(root)

    def _place(self, value: int) -> Any:
        """Where the entries of a view stand in the flattened array that it is a view of."""
        if value not in self.places:
            source = self.plan.sources[value]
            if source is None:
                self.places[value] = np.arange(self.plan.samples[value].size).reshape(self.plan.samples[value].shape)
            else:
                seen, op, params = source
                self.places[value] = np.asarray(op.array(self._place(seen), **params))
        return self.places[value]

    def _computed_in_place(self, value: int, place: int, changes: bool) -> bool:
        """Let a value be computed at the place where it is to be written, if nothing stands in the way.

        If others read it, it must stay as it is there, and its views must be views there too.
        """
        plan, maker = self.plan, self.makers.get(value)
        if maker is None or plan.sources[value] is not None:  # stands somewhere else already
            return False
        if self.readers[value] > 1 and changes:
            return False
        moved = self._moved(value, place)
        if moved is None:
            return False
        for view, sample in moved.items():
            plan.samples[view] = sample
        plan.sources[value] = place, SAME, {}
        self.views[place].append(value)
        return True

    def _moved(self, value: int, place: int) -> dict[int, Array] | None:
        """The value and its views as they would look at another place; None where one of them would be a copy."""
        moved = {value: self.plan.samples[place]}
        stack = [value]
        while stack:
            seen = stack.pop()
            for view in self.views[seen]:
                _, op, params = self.plan.sources[view]  # type: ignore[misc]
                sample = (op.view or op.array)(moved[seen], **params)
                if sample.size and not np.may_share_memory(sample, moved[seen]):
                    return None
                moved[view] = sample
                stack.append(view)
        return moved


def _zeros(root: int) -> Step:
    return Step(Inner(None, calls=lambda out: [(out.fill, (0,))]), (), {}, root, backward=True)
