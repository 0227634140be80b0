"""Runs of parameters: those that one application of an update rule can move together.

A rule is elementwise, so the numbers of many parameters can stand in one vector, and the rule is applied once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import compress
from typing import Any

import numpy as np

from autodiff import Node, Tensor

Rule = Callable[..., dict[str, Any]]
State = dict[str, Any]  # what a rule remembers: a count, or one number for each entry of a parameter


class Run:
    """Parameters of one group and of one type, with the same history of steps.

    Attributes:
        group: the options that apply.
        parameters: the leaves.
        state: what the rule remembers of them: counts that they share, and vectors over all their entries.
    """

    def __init__(self, group: Mapping[str, Any], parameters: Sequence[Node], state: State) -> None:
        self.group = group
        self.parameters = list(parameters)
        self.state = state
        self.kind = kind_of(self.parameters[0])
        ends = np.cumsum([np.size(p.data) for p in self.parameters]).tolist()
        self.slices = [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]

    def apply(self, rule: Rule, initial: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the rule is given (``w``, ``g`` and what it remembers), and what it makes of it. Nothing changes."""
        return self.apply_to(
            rule, initial, self.join([p.data for p in self.parameters]), self.join([p.grad for p in self.parameters])
        )

    def apply_to(self, rule: Rule, initial: Mapping[str, Any], w: Any, g: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The same for numbers and gradients that are joined already."""
        given = {"w": w, "g": g}
        zero = Fraction if isinstance(self.kind, Node) else float  # beside exact numbers, 0.0 is an exact 0
        given |= {name: zero(x) if type(x) is float else x for name, x in {**initial, **self.state}.items()}
        options = {name: plain_number(x) for name, x in self.group.items() if name != "parameters"}
        return given, rule(**given, **options)

    def next(self, rule: Rule, initial: Mapping[str, Any]) -> tuple[list[Any], State]:
        """New data for every parameter, and the new state. What the rule leaves as it was is not remembered."""
        given, new = self.apply(rule, initial)
        return self.part(new["w"]), self._remembered(initial, given, new)

    def next_of(self, rule: Rule, initial: Mapping[str, Any], w: Any, g: Any) -> tuple[Any, State]:
        """The same for numbers and gradients that are joined already: the new numbers stay so."""
        given, new = self.apply_to(rule, initial, w, g)
        return new["w"], self._remembered(initial, given, new)

    def _remembered(self, initial: Mapping[str, Any], given: dict[str, Any], new: dict[str, Any]) -> State:
        changed = {name: new[name] for name in initial if new.get(name, given[name]) is not given[name]}
        return {**self.state, **changed}

    def join(self, numbers: list[Any]) -> Any:
        """The numbers of all parameters as one vector; an exact number stays as it is."""
        if isinstance(self.kind, np.dtype):
            return np.concatenate(numbers, axis=None, dtype=self.kind, casting="same_kind")
        return np.array(numbers, float) if self.kind is float else numbers[0]

    def part(self, vector: Any) -> list[Any]:
        """A vector, cut into one number or array for each parameter."""
        if isinstance(self.kind, np.dtype):
            return [vector[s].reshape(p.data.shape) for p, s in zip(self.parameters, self.slices, strict=True)]
        return vector.tolist() if self.kind is float else [self.parameters[0].cast_like(vector)]  # type: ignore[no-any-return]

    def part_of_state(self, position: int) -> State:
        """What is remembered of one parameter."""
        s = self.slices[position]
        return {name: x[s] if isinstance(x, np.ndarray) else x for name, x in self.state.items()}

    def split(self, chosen: Sequence[bool]) -> tuple[Run, Run]:
        """The chosen parameters and the others, as two runs."""
        states = [self.part_of_state(i) for i in range(len(self.parameters))]
        others = [not x for x in chosen]
        first, second = (
            Run(self.group, list(compress(self.parameters, which)), joined(list(compress(states, which))))
            for which in (chosen, others)
        )
        return first, second


class VectorSteps:
    """Steps of parameters whose numbers stand in one vector; what is remembered goes where it always goes.

    Attributes:
        order: the places of the parameters in that vector, in the order of the optimizer.
    """

    def __init__(self, rule: Rule, initial: Mapping[str, Any], runs: list[tuple[Run, list[int]]]) -> None:
        self._rule, self._initial = rule, initial
        self._places = runs
        self._runs = [(run, as_slice(places)) for run, places in runs]
        self.order: Any = as_slice([i for _, places in runs for i in places])

    def placed(self, where: Any) -> VectorSteps:
        """The same in a longer vector, in which that of before stands at the places ``where``."""
        longer = where if isinstance(where, np.ndarray) else np.arange(where.start, where.stop)
        runs = [(run, longer[places].tolist()) for run, places in self._places]
        return VectorSteps(self._rule, self._initial, runs)

    def step(self, w: Any, g: Any) -> None:
        """Move ``w`` by the rule, given its gradient."""
        with np.errstate(all="ignore"):
            moves = [
                (run, places, *run.next_of(self._rule, self._initial, w[places], g[places]))
                for run, places in self._runs
            ]
        for run, places, new, state in moves:
            run.state = state
            w[places] = new


def as_slice(places: list[int]) -> Any:
    """Places in a vector as an index: a slice where they follow each other."""
    first = places[0] if places else 0
    if places == list(range(first, first + len(places))):
        return slice(first, first + len(places))
    return np.array(places, np.intp)


def kind_of(parameter: Node) -> Any:
    """What can stand in one vector: arrays of one dtype, or floats. An exact number stands alone."""
    if isinstance(parameter, Tensor):
        return parameter.dtype
    return float if type(parameter.data) is float else parameter


def joined(states: list[State]) -> State:
    """The states of several parameters with the same history, as the state of their run."""
    first = states[0]
    return {
        name: np.concatenate([s[name] for s in states]) if isinstance(x, np.ndarray) else x for name, x in first.items()
    }


def runs_of(groups: Iterable[Mapping[str, Any]], states: Mapping[Node, State]) -> list[Run]:
    """All parameters of all groups in as few runs as their types and histories allow."""
    runs = []
    for group in groups:
        together: dict[Any, list[Node]] = {}
        for p in group["parameters"]:
            state = states.get(p, {})
            history = frozenset((name, None if isinstance(x, np.ndarray) else x) for name, x in state.items())
            together.setdefault((kind_of(p), history), []).append(p)
        runs += [Run(group, ps, joined([states.get(p, {}) for p in ps])) for ps in together.values()]
    return runs


def plain_number(x: Any) -> Any:
    """A NumPy number as Python's, beside which float32 stays float32; a list as a tuple."""
    if isinstance(x, list | tuple):
        return tuple([plain_number(part) for part in x])
    return x.item() if isinstance(x, np.generic) else x
