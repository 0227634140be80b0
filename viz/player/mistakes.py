"""What a reader may be asked to predict, and the usual wrong answers, each with its name."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from autodiff.chain import local_derivative
from autodiff.explanation import BackwardStep, ForwardStep
from viz.drawing.format import DIGITS, number
from viz.story import Step, is_predictable

MISTAKES = {
    "other_branch": "That is what comes from this use alone. What has come from the other uses is there already:"
    " gradients of several uses add up.",
    "upstream": "You forgot the upstream factor: the local derivative has to be multiplied by the gradient that has"
    " arrived from above.",
    "local": "You forgot the local derivative: the gradient from above has to be multiplied by how much this"
    " operation's result changes with this input.",
    "output": "You put the output in where the input belongs (or the input where the output does) in the local"
    " derivative.",
    "added": "You added upstream and local derivative. Along a path they are multiplied; only paths are added.",
    "sign": "The size is right, the sign is not.",
    "unchanged": "That is the input. The operation has still to be applied to it.",
    "uphill": "That is a step uphill. The parameter moves against its gradient, so the step is subtracted.",
    "learning_rate": "You forgot the learning rate: only a small part of the gradient is subtracted.",
}
"""The usual mistakes, and what to say to each."""

_CLOSE = 0.001  # of the largest term: four digits were shown
_ROUGHLY = 0.02  # of the answer: two digits are enough


@dataclass(frozen=True, slots=True)
class Quiz:
    """A number to predict, how far off counts as right, and wrong answers that have a name in MISTAKES."""

    answer: float
    tolerance: float
    mistakes: tuple[tuple[str, float], ...]


@np.errstate(all="ignore")  # around the whole walk: the candidates are worked out one by one
def quiz_of(step: Step) -> Quiz | None:
    """What can be asked at ``step``, or None.

    >>> from autodiff import Value
    >>> from viz.story import story_of
    >>> from viz.views.view import scalar_view
    >>> a = Value(3.0, label="a")
    >>> y = a * a
    >>> quiz_of(story_of(y, lambda output: scalar_view([output])).steps[-1])  # doctest: +ELLIPSIS
    Quiz(answer=6.0, tolerance=0.12, mistakes=(('other_branch', 3.0), ('local', 4.0), ...))
    """
    if not step.asks:
        return None
    told = step.told
    (change,) = step.changes
    if isinstance(told, BackwardStep):
        answer, candidates = told.total, _backward(told)
        terms = [told.total, told.contribution, 0.0 if told.before is None else told.before]
    elif isinstance(told, ForwardStep):
        answer, candidates = told.result, _forward(told)
        terms = [told.result]
    else:
        w, g = told.given.get("w"), told.given.get("g")
        if w is None or g is None or number(w) == number(change.data):
            return None  # a rule of other words, or a step too small to be seen
        answer, terms = change.data, []
        candidates = iter([("uphill", w + w - change.data), ("learning_rate", w - g)])
    answer = float(answer)
    # Four digits are shown, so half a unit of the fourth is right in any case.
    rounding = 0.6 * 10.0 ** (math.floor(math.log10(abs(answer))) - DIGITS + 1) if answer else 0.0
    largest = max([abs(float(x)) for x in terms if is_predictable(x)], default=0.0)
    roughly = abs(answer) if terms else abs(answer - float(told.given["w"]))
    tolerance = max(_CLOSE * largest, _ROUGHLY * roughly, rounding)
    taken = [answer]
    mistakes = []
    for name, wrong in (*candidates, ("sign", -answer)):
        if not is_predictable(wrong):
            continue
        wrong = float(wrong)
        if all(abs(wrong - other) > 2 * tolerance for other in taken):
            taken.append(wrong)
            mistakes.append((name, wrong))
    return Quiz(answer, tolerance, tuple(mistakes))


def _backward(told: BackwardStep) -> Iterator[tuple[str, Any]]:
    """Wrong totals; each mistake comes with and without what was there before."""
    if told.before is not None:
        yield "other_branch", told.contribution
    if told.local is None or not is_predictable(told.local) or not is_predictable(told.upstream):
        return
    swapped = _with_output_for_input(told)
    for before in [0.0] if told.before is None else [told.before, 0.0]:
        yield "upstream", before + told.local
        yield "local", before + told.upstream
        if swapped is not None:
            yield "output", before + told.upstream * swapped
        yield "added", before + told.upstream + told.local


def _with_output_for_input(told: BackwardStep) -> Any:
    """The local derivative at the output instead of the input, and the other way round; None where there is none."""
    node, x = told.node, told.input
    values = [i.data for i in node.inputs]
    swapped = [node.data if i is x else i.data for i in node.inputs]
    op: Any = node.op
    for inputs, out in ((swapped, node.data), (values, x.data)):
        try:
            wrong = local_derivative(op, told.position, inputs, out, node.params)
        except (ArithmeticError, ValueError, TypeError):
            continue
        if is_predictable(wrong) and float(wrong) != float(told.local):
            return wrong
    return None


def _forward(told: ForwardStep) -> Iterator[tuple[str, Any]]:
    if len(told.node.inputs) == 1:
        yield "unchanged", told.node.inputs[0].data
