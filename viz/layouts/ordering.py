"""The order of slots within their ranks: few crossings.

Sweeps sort each rank by the mean place of its neighbours in the rank before, or after (Sugiyama, Tagawa, Toda
1981). After each sweep, neighbours in a rank change places as long as that saves crossings (Gansner, Koutsofios,
North, Vo 1993). The best order seen is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Ranks = list[list[int]]

_ROUNDS, _PATIENCE = 24, 6  # sweeps from one start: at most, and how many without any gain
_PASSES = 10  # over the ranks, after each sweep
_WORK = 200_000  # links looked at, about: larger graphs get fewer rounds


@dataclass(frozen=True, slots=True)
class Link:
    """Slot ``a`` is joined to slot ``b`` in the next rank, ``offset`` beside the middle of ``b``.

    ``weight`` is how much it wants to be straight, ``edges`` how many arrows run over it.
    """

    a: int
    b: int
    offset: float
    weight: float
    edges: int = 1


def ordered(ranks: Sequence[Sequence[int]], links: Sequence[Link]) -> Ranks:
    """The slots of each rank in an order with few crossings.

    There are two starts: a walk from the outputs, left operand first, which draws a tree without any crossing,
    and one from the inputs.
    """
    search = _Search(ranks, links)
    best = search.walked(from_outputs=True)
    fewest = search.crossings(best)
    work = _WORK
    for from_outputs in (True, False):
        if not fewest or work < 0:
            break
        order, patience = search.walked(from_outputs), _PATIENCE
        for sweep in range(_ROUNDS):
            if not fewest or not patience or work < 0:
                break
            if sweep:
                search.sweep(order, forwards=sweep % 2 == 1)
            work -= search.exchange(order, ties=sweep % 4 > 1)
            crossings = search.crossings(order)
            patience = _PATIENCE if crossings < fewest else patience - 1
            if crossings < fewest:
                best, fewest = [list(row) for row in order], crossings
    return best


End = tuple[float, int]
"""Where a link ends, in places of that rank, and how many arrows run over it."""


class _Search:
    """The links of a graph, and what makes an order of its ranks better.

    Attributes:
        above, below: for every slot the links to the rank before and after it: the slot at the other end, how far
            beside its middle, as a fraction of a place, and the number of arrows.
        place: for every slot its place in its rank, as it was set last.
    """

    def __init__(self, ranks: Sequence[Sequence[int]], links: Sequence[Link]) -> None:
        self.ranks = ranks
        self.place = [0] * (1 + max((slot for row in ranks for slot in row), default=-1))
        self.above: list[list[tuple[int, float, int]]] = [[] for _ in self.place]
        self.below: list[list[tuple[int, float, int]]] = [[] for _ in self.place]
        widest = 1 + 2 * max((abs(link.offset) for link in links), default=0.0)
        for link in links:
            self.above[link.b].append((link.a, 0.0, link.edges))
            self.below[link.a].append((link.b, link.offset / widest, link.edges))

    def walked(self, from_outputs: bool) -> Ranks:
        """Each rank in the order in which a walk first meets its slots."""
        sides = self.above if from_outputs else self.below
        met: dict[int, int] = {}
        for start in (slot for row in (reversed(self.ranks) if from_outputs else self.ranks) for slot in row):
            stack = [start]
            while stack:
                slot = stack.pop()
                if slot not in met:
                    met[slot] = len(met)
                    stack += [other for other, _, _ in reversed(sides[slot])]
        return [sorted(row, key=met.__getitem__) for row in self.ranks]

    def sweep(self, order: Ranks, forwards: bool) -> None:
        """Sort each rank by the mean place of the neighbours in the rank before (or after) it.

        A slot without neighbours there keeps its place.
        """
        self._put(order)
        sides = self.above if forwards else self.below
        for row in order if forwards else reversed(order):
            mean = {slot: _mean(ends) for slot in row if (ends := self._ends(sides[slot]))}
            sorted_ones = iter(sorted(mean, key=mean.__getitem__))
            row[:] = [next(sorted_ones) if slot in mean else slot for slot in row]
            self._put([row])

    def exchange(self, order: Ranks, ties: bool) -> int:
        """Let neighbours in a rank change places where that saves crossings or, with ``ties``, costs none.

        Returns how many links it looked at.
        """
        self._put(order)
        looked = 0
        waiting = set(range(len(order)))
        for _ in range(_PASSES):
            again: set[int] = set()
            for r in sorted(waiting):
                looked += sum(len(self.above[slot]) + len(self.below[slot]) for slot in order[r])
                if self._exchange(order[r], ties):
                    again |= {r - 1, r, r + 1}
            waiting = {r for r in again if 0 <= r < len(order)}
            if looked > _WORK:
                break
        return looked

    def crossings(self, order: Ranks) -> int:
        """How many pairs of arrows cross."""
        self._put(order)
        return sum(_inversions([end for slot in row for end in self._ends(self.below[slot])]) for row in order)

    def _exchange(self, row: list[int], ties: bool) -> bool:
        """One pass over a rank; whether it saved a crossing."""
        gain = False
        before, after = ([self._ends(sides[slot]) for slot in row] for sides in (self.above, self.below))
        for k in range(len(row) - 1):
            now = _crossed(before[k], before[k + 1]) + _crossed(after[k], after[k + 1])
            if not now and not ties:
                continue
            then = _crossed(before[k + 1], before[k]) + _crossed(after[k + 1], after[k])
            if then < now or (ties and then == now):
                row[k], row[k + 1] = row[k + 1], row[k]
                before[k], before[k + 1] = before[k + 1], before[k]
                after[k], after[k + 1] = after[k + 1], after[k]
                gain = gain or then < now
        self._put([row])
        return gain

    def _put(self, order: Ranks) -> None:
        for row in order:
            for k, slot in enumerate(row):
                self.place[slot] = k

    def _ends(self, links: Sequence[tuple[int, float, int]]) -> list[End]:
        """Where the links of a slot end, in this order."""
        ends = [(self.place[other] + beside, edges) for other, beside, edges in links]
        ends.sort()
        return ends


def _mean(ends: Sequence[End]) -> float:
    return sum(place * edges for place, edges in ends) / sum(edges for _, edges in ends)


def _crossed(first: Sequence[End], second: Sequence[End]) -> int:
    """How many arrows of one slot cross those of the next slot in the rank."""
    total = passed = k = 0
    for place, edges in first:
        while k < len(second) and second[k][0] < place:
            passed += second[k][1]
            k += 1
        total += edges * passed
    return total


def _inversions(ends: Sequence[End]) -> int:
    """How many arrows, in pairs, end in the opposite order of this list; counted in a Fenwick tree.

    The ends of one slot are in order, so its own arrows do not count.
    """
    number = {place: k for k, place in enumerate(sorted({place for place, _ in ends}), 1)}
    tree = [0] * (len(number) + 1)
    total = passed = 0
    for place, edges in ends:
        k, not_beyond = number[place], 0
        while k:
            not_beyond += tree[k]
            k &= k - 1
        total += edges * (passed - not_beyond)
        passed += edges
        k = number[place]
        while k < len(tree):
            tree[k] += edges
            k += k & -k
    return total
