"""When each form is computed, chosen so that equal work meets at the same time."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from autodiff.compiler.rerolling.terms import Form, Kind, Terms


def schedule(terms: Terms) -> list[int]:
    """A time for every form, later than those of all that it is made from.

    A form can be computed as soon as it is possible, or as late as it is needed. In a recurrent network the products
    of the inputs of all steps can meet at the beginning, and the outputs of all steps at the end. So all forms that
    look alike are put off if that brings them together at fewer times.
    """
    forms = terms.forms
    last = _latest(terms)
    looks: dict[Any, tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
    alike = [_look(form, forms) for form in forms]
    for form, late, look in zip(forms, last, alike, strict=True):
        early_times, late_times = looks[look]
        early_times.add(form.time)
        late_times.add(late)
    times: list[int] = []
    for form, late, look in zip(forms, last, alike, strict=True):
        early_times, late_times = looks[look]
        if form.kind is Kind.LEAF:
            times.append(0)
        elif len(late_times) < len(early_times):
            times.append(late)
        else:
            times.append(1 + max([times[k] for k in form.args + form.others]))
    return times


def _latest(terms: Terms) -> list[int]:
    """The latest time for every form that still lets the outputs be ready in time."""
    forms = terms.forms
    end = max(form.time for form in forms)
    latest = [end] * len(forms)
    for i in range(len(forms) - 1, -1, -1):
        before = latest[i] - 1
        for k in forms[i].args + forms[i].others:
            if latest[k] > before:
                latest[k] = before
    return latest


def _look(form: Form, forms: list[Form]) -> Any:
    """What forms have in common that may be computed as one block."""
    if form.kind is Kind.LINEAR:
        return form.others
    made_from = tuple([(forms[k].kind, forms[k].op) for k in form.args[:2]])
    return form.kind, form.degree, form.op, len(form.args), made_from
