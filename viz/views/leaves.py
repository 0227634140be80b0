"""Where leaves belong: to the only box that uses them, or to a box of their own."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from viz.views.groups import Groups
from viz.views.places import Level
from viz.views.rolling import Run
from viz.views.wiring import Numbers, Wiring

_FEW = 4  # leaves shared by several boxes that are drawn one by one
_FEW_USED = 12  # the same, where an open part uses them
_FEW_USERS = 2  # boxes that use them besides
_MOST_HOMES = 12  # scopes whose shared leaves have a box for each


@dataclass(slots=True)
class Partition:
    """Every node in one group, and some groups in frames.

    Attributes:
        group: for every node the number of its group.
        names: what each group is called; a group of one node is drawn as that node.
        frame: for every node the number of the frame around it, or -1.
        frames: what each frame is called.
        runs: for groups that are rolled, what they repeat.
        level: by what the boxes were made.
        note: what a reader should know about it.
    """

    group: Numbers
    names: list[str]
    frame: Numbers
    frames: list[str]
    runs: dict[int, Run] = field(default_factory=dict)
    level: Level = "scalar"
    note: str = ""


def homes_of(wiring: Wiring, groups: Groups) -> Numbers:
    """The groups of computed nodes, and for leaves the only group that uses them, or -1.

    A leaf that several of the steps in a rolled group use belongs to none of them, nor does what they begin with.
    """
    step = np.zeros_like(groups.of) if groups.step is None else groups.step
    users = groups.of * (int(step.max(initial=0)) + 1) + step
    count = int(users.max(initial=0)) + 1
    from_leaf = ~wiring.made[wiring.source]
    pairs = np.unique(wiring.source[from_leaf] * count + users[wiring.target[from_leaf]])
    leaf, user = pairs // count, pairs % count
    only = np.bincount(leaf, minlength=len(users))[leaf] == 1
    homes = groups.of.copy()
    homes[leaf[only]] = user[only] // (int(step.max(initial=0)) + 1)
    homes[[k for k in _begin(groups) if not wiring.made[k]]] = -1
    return homes


def _begin(groups: Groups) -> list[int]:
    """What the rolled steps begin with."""
    return sorted(frozenset().union(*(run.begin for run in groups.runs.values())))


def with_leaves(wiring: Wiring, groups: Groups, frame: Numbers, frames: list[str]) -> Partition:
    """Leaves go where they are used; what several boxes share has boxes of its own."""
    of = homes_of(wiring, groups)
    names = list(groups.names)
    alone = np.zeros(len(names) + 1, bool)
    alone[list(groups.alone)] = True
    leaf = ~wiring.made
    single = leaf & (of >= 0) & alone[of]
    shared = leaf & (of < 0)
    boxed = np.zeros(len(of), bool)
    into_group = shared[wiring.source] & ~alone[groups.of[wiring.target]]
    boxed[wiring.source[into_group]] = True
    single |= shared & ~boxed
    into_open = boxed[wiring.source] & alone[groups.of[wiring.target]] & (frame[wiring.target] >= 0)
    used = np.unique(wiring.source[into_open])
    users = np.unique(groups.of[wiring.target[into_group & np.isin(wiring.source, used)]])
    if len(used) <= _FEW_USED and len(users) <= _FEW_USERS:
        single[used] = True
        boxed[used] = False
    begin = set(_begin(groups))
    buckets: dict[tuple[str, int, str], list[int]] = {}
    homes = {wiring.scopes[k].partition("/")[0] for k in np.unique(wiring.scope[boxed]).tolist()}
    for k in np.flatnonzero(boxed).tolist():
        home = wiring.scopes[wiring.scope[k]].partition("/")[0] if len(homes) <= _MOST_HOMES else ""
        kind = "initial state" if k in begin else "parameters" if wiring.carries[k] else "inputs"
        buckets.setdefault((kind, int(frame[k]), home), []).append(k)
    for (kind, _, home), members in buckets.items():
        if len(members) <= _FEW:
            single[members] = True
        else:
            of[members] = len(names)
            names.append(f"{home} {kind}".strip())
    of[single] = len(names) + np.arange(int(single.sum()))
    names += [""] * int(single.sum())
    return Partition(of, names, frame, frames, groups.runs)
