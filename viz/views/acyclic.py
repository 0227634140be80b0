"""Groups of nodes that can be drawn as boxes: no arrow leads out of one and, by way of others, back into it.

Nodes that were made in the same place belong together. But where a program comes back to a place, this place is both
before and after what lies between. There, and only there, it is split into visits.
"""

from __future__ import annotations

from collections.abc import Set
from heapq import heapify, heappop, heappush

import numpy as np

from viz.views.wiring import Numbers, Wiring


def acyclic(wiring: Wiring, places: Numbers, around: Set[int] = frozenset()) -> Numbers:
    """The computed nodes in groups whose graph has no cycle: one group for a place, or one for each visit to it.

    Args:
        wiring: the graph.
        places: for every node the number of its place; what it says of leaves does not matter.
        around: places that others lie in, such as the operations outside all scopes. They are split first, by how
            often a path has come back to them; often that is enough, and the places inside remain whole.

    Returns:
        for every computed node the number of its group, from 0 without gaps; -1 for leaves.
    """
    groups = numbered(wiring, places)
    for knot in _knots(wiring, groups):
        for group in knot:
            here = groups == group
            if int(places[np.argmax(here)]) in around:
                groups = np.where(here, groups.max() + 1 + _returns(wiring, here), groups)
    groups = numbered(wiring, groups)
    for knot in _knots(wiring, groups):
        members = np.flatnonzero(np.isin(groups, knot))
        members = members[np.argsort(wiring.clock[members])]
        of = groups[members]
        visit = np.concatenate([[0], np.cumsum(of[1:] != of[:-1])])
        groups[members] = groups.max() + 1 + visit
        # Visits stand in the order of creation, and inputs are older than what uses them: all arrows lead forward.
    return numbered(wiring, groups)


def numbered(wiring: Wiring, groups: Numbers) -> Numbers:
    """The groups of computed nodes numbered from 0, without gaps; -1 for leaves."""
    result = np.full(len(wiring.nodes), -1)
    result[wiring.made] = np.unique(groups[wiring.made], return_inverse=True)[1]
    return result


def arrows(wiring: Wiring, groups: Numbers) -> Numbers:
    """The pairs of different groups of which one feeds the other, of shape (arrows, 2); groups below 0 do not count."""
    a, b = groups[wiring.source], groups[wiring.target]
    between = (a != b) & (a >= 0) & (b >= 0)
    count = int(groups.max(initial=0)) + 1
    pairs = np.unique(a[between] * count + b[between])
    return np.stack([pairs // count, pairs % count], axis=1)


def knotted(pairs: Numbers, count: int) -> list[list[int]]:
    """The sets of groups that lead to each other in circles (strongly connected components of two or more).

    Source: Tarjan 1972, "Depth-first search and linear graph algorithms", SIAM Journal on Computing 1, without
    recursion.

    >>> knotted(np.array([[0, 1], [1, 2], [2, 1], [2, 3]]), 4)
    [[1, 2]]
    """
    starts = np.searchsorted(pairs[:, 0], np.arange(count + 1)).tolist()
    ends = pairs[:, 1].tolist()
    found: list[list[int]] = []
    entered = [-1] * count
    lowest = [0] * count
    done = [False] * count
    waiting: list[int] = []
    spot = [0] * count  # where each stands in waiting
    clock = 0
    for root in range(count):
        path = [] if entered[root] >= 0 else [(root, starts[root])]
        while path:
            group, k = path.pop()
            if entered[group] < 0:
                entered[group] = lowest[group] = clock
                clock += 1
                spot[group] = len(waiting)
                waiting.append(group)
            while k < starts[group + 1]:
                following = ends[k]
                k += 1
                if entered[following] < 0:
                    path += [(group, k), (following, starts[following])]
                    break
                if not done[following]:
                    lowest[group] = min(lowest[group], lowest[following])
            else:
                if lowest[group] == entered[group]:
                    knot = waiting[spot[group] :]
                    del waiting[spot[group] :]
                    for member in knot:
                        done[member] = True
                    if len(knot) > 1:
                        found.append(sorted(knot))
                elif path:
                    before = path[-1][0]
                    lowest[before] = min(lowest[before], lowest[group])
    return sorted(found)


def _knots(wiring: Wiring, groups: Numbers) -> list[list[int]]:
    return knotted(arrows(wiring, groups), int(groups.max(initial=-1)) + 1)


def _returns(wiring: Wiring, here: Numbers) -> Numbers:
    """For every node of a place, how many times the paths that lead to it have left the place before."""
    left = [0] * len(here)  # visits that are over, for nodes elsewhere; the number of the visit, for nodes here
    inside = here.tolist()
    for source, target in zip(wiring.source.tolist(), wiring.target.tolist(), strict=True):
        over = left[source] + (inside[source] and not inside[target])
        if over > left[target]:
            left[target] = over
    return np.array(left)


def in_topological_order(pairs: Numbers, first: Numbers) -> list[int]:
    """The groups so that all arrows lead forward; where there is a choice, the one with the least ``first``.

    >>> in_topological_order(np.array([[2, 0]]), np.array([1, 2, 3]))
    [1, 2, 0]
    """
    count = len(first)
    starts = np.searchsorted(pairs[:, 0], np.arange(count + 1)).tolist()
    ends = pairs[:, 1].tolist()
    missing = np.bincount(pairs[:, 1], minlength=count).tolist()
    ready = [(clock, group) for group, clock in enumerate(first.tolist()) if not missing[group]]
    heapify(ready)
    order = []
    while ready:
        _, group = heappop(ready)
        order.append(group)
        for following in ends[starts[group] : starts[group + 1]]:
            missing[following] -= 1
            if not missing[following]:
                heappush(ready, (int(first[following]), following))
    return order
