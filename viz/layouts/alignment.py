"""Positions that keep a given order within ranks: edges run straight, neighbours keep their distance.

Each rank in turn takes the places that bring its edges closest to straight. With order and distances fixed this
is an isotonic regression, and pooling neighbours solves it exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from viz.layouts.ordering import Link

_ROUNDS = 12
_WORK = 400_000  # links looked at; larger graphs get fewer rounds


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
    rounds = max(2, min(_ROUNDS, _WORK // (10 * len(links) + 1)))
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
