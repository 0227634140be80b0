"""Which nodes of a graph are the states of a recurrent network: what one time step hands to another.

Steps are told from the scopes that nodes were made in, such as "step 7" or "cells.0/step 7/forget_gate". What stands
before the step names the layer. A node of one step that a node of another step of the same layer uses is a state.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from autodiff import Node, Value
from autodiff.backprop import newest_first
from autodiff.errors import describe
from viz.drawing.text import clean

_STEP = re.compile(r"(?:^|/)step (\d+)(?=/|$)")
_LONGEST_NAME = 24


class Place(NamedTuple):
    """A scope, taken apart: the layer, the number of the step, and the place within the step."""

    layer: str
    step: int
    within: str


def place_of(scope: str) -> Place | None:
    """Where in time a scope is, by its first step; None outside of time.

    >>> place_of("layers.1/cells.0/step 7/forget_gate")
    Place(layer='layers.1/cells.0', step=7, within='forget_gate')
    """
    found = _STEP.search(scope)
    return found and Place(scope[: found.start()], int(found[1]), scope[found.end() + 1 :])


class Role(NamedTuple):
    """What tells the nodes of one step apart, and finds their counterparts in other steps."""

    within: str
    label: str | None
    made_by: Any
    shape: tuple[int, ...]
    rank: int


@dataclass(slots=True)
class States:
    """One state over time.

    Attributes:
        name: what it is called, such as "h" or "cells.0 1".
        steps: the numbers of the steps, in the order in which they are computed.
        nodes: for each unit of Values, or for the one Tensor, the node of each step; None where no way leads from
            it to the output.
        units: what the rows are called; empty for a Tensor.
        axis: of a Tensor, the axis of the units, or None if that is not known.
    """

    name: str
    steps: list[int]
    nodes: list[list[Node | None]]
    units: list[str] = field(default_factory=list)
    axis: int | None = None


def given_states(states: Any) -> list[States]:
    """The states that a caller lists, step by step, or by name and step by step.

    Raises:
        TypeError, ValueError: they are no nodes, or not the same number at every step.
    """
    named: Mapping[str, Any] = states if isinstance(states, Mapping) else {"state": states}
    found = []
    for name, over_time in named.items():
        if isinstance(over_time, Node) or not isinstance(over_time, Iterable):
            raise TypeError(
                "states are listed step by step: [h0, h1, ...], where each is a Value, a Tensor or a list of them;"
                f" given {describe(over_time)}"
            )
        steps = [list(_nodes_in(state)) for state in over_time]
        counts = {len(step) for step in steps}
        if counts in (set(), {0}):
            raise ValueError(f"there are no states in {clean(name)!r}")
        if len(counts) > 1:
            raise ValueError(f"each step has as many numbers as the others, and these have {[len(s) for s in steps]}")
        for node in dict.fromkeys(x for step in steps for x in step):
            if not node.requires_grad:
                raise ValueError(
                    f"{clean(node.name(), _LONGEST_NAME)} is a constant, and no gradient flows to it; leave it out, or"
                    " make it a leaf that carries one, such as Value(0.0) or Tensor(..., requires_grad=True)"
                )
        times = list(range(len(steps)))
        rows: list[list[Node | None]] = [list(row) for row in zip(*steps, strict=True)]
        if all(isinstance(x, Value) for row in rows for x in row):
            found.append(States(clean(name), times, rows, _unit_names([x.label for x in steps[-1]])))
        else:
            parts = [""] if len(rows) == 1 else [f" {k}" for k in range(len(rows))]
            found += [States(clean(name) + part, times, [row]) for part, row in zip(parts, rows, strict=True)]
    return found


def _nodes_in(state: Any) -> Iterable[Node]:
    """The nodes of one step, however nested."""
    waiting = [state]
    while waiting:
        x = waiting.pop()
        if isinstance(x, Node):
            yield x
        elif isinstance(x, Sequence) and not isinstance(x, str):
            waiting += reversed(x)
        else:
            raise TypeError(f"a state is a Value, a Tensor or a list of them, and was given {describe(x)}")


def found_states(output: Node) -> list[States]:
    """The states that the scopes tell of, layer by layer.

    Raises:
        ValueError: no node of one step is used in another.
    """
    order = newest_first(output)
    places = {node: place for node in order if (place := place_of(node.scope))}
    crossing: dict[str, dict[int, set[Node]]] = {}
    onward: Counter[str] = Counter()
    for node, place in places.items():
        for x in node.inputs:
            before = places.get(x)
            if before and before.layer == place.layer and before.step != place.step:
                crossing.setdefault(place.layer, {}).setdefault(before.step, set()).add(x)
                onward[place.layer] += 1 if place.step > before.step else -1
    if not crossing:
        raise ValueError(
            "no node made in a scope such as 'step 3' is used in another step, so there are no states to be found;"
            ' make each time step inside `with scope(f"step {t}"):` (the layers RNN, LSTM and GRU do), or list the'
            " states: gradient_flow(loss, states=[h0, h1, ...])"
        )
    uses: dict[Node, list[tuple[Node, int]]] = {}
    for node in order:
        for position, x in enumerate(node.inputs):
            uses.setdefault(x, []).append((node, position))
    found = []
    insides: dict[str, list[Node]] = {}
    for node in reversed(order):
        if node in places:
            insides.setdefault(places[node].layer, []).append(node)
    for layer, inside in insides.items():  # in the order in which they were computed
        if layer in crossing:
            found += _of_layer(layer, inside, places, crossing[layer], onward[layer] >= 0, uses)
    return found


def _of_layer(
    layer: str,
    inside: Sequence[Node],
    places: Mapping[Node, Place],
    crossing: Mapping[int, set[Node]],
    forwards: bool,
    uses: Mapping[Node, list[tuple[Node, int]]],
) -> list[States]:
    """The states of one layer. The last step hands nothing on: there they are known by their roles."""
    steps = sorted({places[node].step for node in inside}, reverse=not forwards)
    roles = _roles(inside, places)
    role_of = {node: role for step in roles.values() for role, node in step.items()}
    # In the order in which they were made: a Python set of nodes has none. Once in a while is no state: the first
    # loss, say, that others are then added to.
    times = Counter(role_of[x] for x in inside if x in crossing.get(places[x].step, ()))
    handed_on = [role for role, count in times.items() if 2 * count >= len(crossing)]
    handed_on = [r for r in handed_on if not _is_total(r, steps, roles, role_of, uses)] or handed_on
    steps = [step for step in steps if any(role in roles[step] for role in handed_on)]
    nodes = {role: [roles[step].get(role) for step in steps] for role in handed_on}
    values = [role for role in handed_on if any(isinstance(x, Value) for x in nodes[role])]
    found = []
    if values:
        names = _unit_names([role.label or role.within for role in values])
        found.append(States(layer or "state", steps, [nodes[role] for role in values], names))
    tensors = [role for role in handed_on if role not in values]
    axes = {role: _axis_of_units(nodes[role], uses) for role in tensors}
    for k, role in enumerate(tensors):
        alike = [axes[other] for other in tensors if other.shape == role.shape and axes[other] is not None]
        name = role.label or (f"state {k + 1}" if len(tensors) > 1 else "state")
        found.append(
            States(f"{layer}: {name}" if layer else name, steps, [nodes[role]], axis=alike[0] if alike else None)
        )
    return [States(clean(s.name, 2 * _LONGEST_NAME), s.steps, s.nodes, s.units, s.axis) for s in found]


def _roles(inside: Sequence[Node], places: Mapping[Node, Place]) -> dict[int, dict[Role, Node]]:
    """For each step, its nodes by role: equal ones are told apart by the order in which they were made."""
    roles: dict[int, dict[Role, Node]] = {}
    seen: Counter[Any] = Counter()
    for node in inside:
        place = places[node]
        kind = (place.within, node.label, node.op, np.shape(node.data))
        roles.setdefault(place.step, {})[Role(*kind, seen[place.step, kind])] = node
        seen[place.step, kind] += 1
    return roles


def _is_total(
    role: Role,
    steps: Sequence[int],
    roles: Mapping[int, Mapping[Role, Node]],
    role_of: Mapping[Node, Role],
    uses: Mapping[Node, list[tuple[Node, int]]],
) -> bool:
    """Whether it is a running total, such as that of the losses: each step only adds to it, and looks at nothing."""
    for step in steps[:-1]:
        node = roles[step].get(role)
        if node is not None:
            users = [user for user, _ in uses.get(node, ())]
            if len(users) != 1 or role_of.get(users[0]) != role or not _passes_on(users[0], node):
                return False
    return True


def _passes_on(node: Node, x: Node) -> bool:
    """Whether ``node`` is ``x`` and something more: its derivative is the number 1, whatever the numbers are."""
    assert node.op is not None
    partials = node.op.partials
    return partials is not None and all(
        isinstance(partials[k], int) and partials[k] == 1 for k, y in enumerate(node.inputs) if y is x
    )


def _axis_of_units(nodes: Iterable[Node | None], uses: Mapping[Node, list[tuple[Node, int]]]) -> int | None:
    """The axis that a product of matrices sums over: of a state on the right the first, on the left the last."""
    for x in nodes:
        for node, position in uses.get(x, ()) if x is not None else ():
            op: Any = node.op
            if op.partials is None and [np.ndim(y.data) for y in node.inputs] == [2, 2]:
                return 0 if position == 1 else 1
    return None


def _unit_names(labels: Sequence[str | None]) -> list[str]:
    """Labels where all differ; else numbers."""
    if all(labels) and len(set(labels)) == len(labels):
        return [clean(label, _LONGEST_NAME) for label in labels]
    return [str(k) for k in range(len(labels))]
