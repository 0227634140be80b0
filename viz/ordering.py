"""The two inner problems of a layered layout: the order within ranks, and positions that keep it.

Order: repeated barycentre sweeps (Sugiyama, Tagawa, Toda 1981), of which the one with the fewest crossings
is kept. Positions: each rank in turn takes the places that bring its edges closest to straight. With the
order and the distances fixed this is an isotonic regression, and pooling neighbours solves it exactly.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 12
_WORK = 400_000  # links looked at; larger graphs get fewer sweeps
_PORT = 24.0  # pixels between neighbours, about: turns the offset of a port into a fraction of a place


@dataclass(frozen=True, slots=True)
class Link:
    """Slot ``a`` is joined to slot ``b`` in the next rank, ``offset`` beside the middle of ``b``."""

    a: int
    b: int
    offset: float
    weight: float


def ordered(ranks: Sequence[Sequence[int]], links: Sequence[Link]) -> list[list[int]]:
    """The slots of each rank in an order with few crossings.

    The start is a walk from the outputs, left operand first, which draws a tree without any crossing.
    """
    below, above = _neighbours(links)
    current = _as_walked(ranks, above)
    best, fewest = current, _crossings(current, below)
    for sweep in range(_sweeps(links)):
        if not fewest:
            break
        current = _swept(current, above if sweep % 2 == 0 else below, forwards=sweep % 2 == 0)
        crossings = _crossings(current, below)
        if crossings < fewest:
            best, fewest = current, crossings
    return best


def straightened(
    ranks: Sequence[Sequence[int]], links: Sequence[Link], breadth: Sequence[float], beside: Callable[[int], float]
) -> list[float]:
    """The middle of each slot across the flow: neighbours keep their distance, edges run straight."""
    below, above = _neighbours(links)
    position = [0.0] * len(breadth)
    distances = []
    for row in ranks:
        gaps = [(breadth[a] + breadth[b]) / 2 + min(beside(a), beside(b)) for a, b in pairwise(row)]
        distances.append(gaps)
        for a, b, gap in zip(row, row[1:], gaps, strict=False):
            position[b] = position[a] + gap
    rounds = _sweeps(links)
    for k in range(2 * rounds):
        last = k >= rounds
        for r in range(len(ranks)) if k % 2 == 0 else reversed(range(len(ranks))):
            sides = (above, below) if last else (above,) if k % 2 == 0 else (below,)
            _settle(ranks[r], distances[r], sides, position)
    return position


Neighbours = dict[int, list[tuple[int, float, float]]]
"""For every slot the slots of one neighbouring rank, how far beside them it wants to be, and how much."""


def _neighbours(links: Sequence[Link]) -> tuple[Neighbours, Neighbours]:
    below: Neighbours = {}
    above: Neighbours = {}
    for link in links:
        below.setdefault(link.a, []).append((link.b, link.offset, link.weight))
        above.setdefault(link.b, []).append((link.a, -link.offset, link.weight))
    return below, above


def _sweeps(links: Sequence[Link]) -> int:
    return max(2, min(_SWEEPS, _WORK // (10 * len(links) + 1)))


def _as_walked(ranks: Sequence[Sequence[int]], above: Neighbours) -> list[list[int]]:
    """Each rank in the order in which a walk from the outputs first meets its slots."""
    met: dict[int, None] = {}
    for start in (slot for row in reversed(ranks) for slot in row):
        stack = [start]
        while stack:
            slot = stack.pop()
            if slot not in met:
                met[slot] = None
                stack += [a for a, _, _ in reversed(above.get(slot, []))]
    turn = {slot: k for k, slot in enumerate(met)}
    return [sorted(row, key=turn.__getitem__) for row in ranks]


def _swept(ranks: Sequence[Sequence[int]], neighbours: Neighbours, forwards: bool) -> list[list[int]]:
    """Each rank sorted by the mean place of its neighbours in the rank before (or after)."""
    place: dict[int, int] = {}
    result: list[list[int]] = []
    for row in ranks if forwards else reversed(ranks):
        mean: dict[int, float] = {}
        for k, slot in enumerate(row):
            near = [place[n] + offset / _PORT for n, offset, _ in neighbours.get(slot, []) if n in place]
            mean[slot] = sum(near) / len(near) if near else float(k)
        result.append(sorted(row, key=mean.__getitem__))
        place.update((slot, k) for k, slot in enumerate(result[-1]))
    return result if forwards else result[::-1]


def _crossings(ranks: Sequence[Sequence[int]], below: Neighbours) -> int:
    """How many pairs of links cross."""
    place = {slot: k for row in ranks for k, slot in enumerate(row)}
    total = 0
    for row in ranks:
        passed: list[tuple[int, float]] = []
        for slot in row:
            ends = sorted((place[b], offset) for b, offset, _ in below.get(slot, []))
            total += sum(len(passed) - bisect_left(passed, (end, offset + 1e-9)) for end, offset in ends)
            for end in ends:
                insort(passed, end)
    return total


def _settle(row: Sequence[int], distances: Sequence[float], sides: Sequence[Neighbours], position: list[float]) -> None:
    """Move the slots of one rank as close as their distances allow to where their neighbours want them.

    Less the distances kept so far, the positions must not decrease: slots that would overtake each other are
    pooled, and a pool stands at the weighted mean of its members' wishes.
    """
    pools: list[tuple[float, float, int]] = []  # sum of wishes, weight, members
    reach = 0.0
    for k, slot in enumerate(row):
        reach += distances[k - 1] if k else 0.0
        wish, weight = position[slot] * 1e-3, 1e-3  # where nothing pulls, it stays
        for side in sides:
            for neighbour, offset, pull in side.get(slot, ()):
                wish += pull * (position[neighbour] + offset)
                weight += pull
        pools.append((wish - weight * reach, weight, 1))
        while len(pools) > 1 and pools[-2][0] * pools[-1][1] > pools[-1][0] * pools[-2][1]:
            later = pools.pop()
            earlier = pools.pop()
            pools.append((earlier[0] + later[0], earlier[1] + later[1], earlier[2] + later[2]))
    places = [wish / weight for wish, weight, members in pools for _ in range(members)]
    reach = 0.0
    for k, slot in enumerate(row):
        reach += distances[k - 1] if k else 0.0
        position[slot] = places[k] + reach
