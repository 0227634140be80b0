"""Counting crossings of drawn arrows: as curves on paper, whoever has laid them out."""

from __future__ import annotations

import numpy as np

STEPS = 15
"""Line segments to a Bezier curve. Odd, since curves that change places in a gap meet in its middle."""

_T = np.linspace(0, 1, STEPS + 1)
BERNSTEIN = np.stack([(1 - _T) ** 3, 3 * _T * (1 - _T) ** 2, 3 * _T**2 * (1 - _T), _T**3], axis=1)


def crossings(routes, edges):
    """How many times two arrows cross, summed over all pairs that do not come from the same box.

    Arrows of one box may share a line, and leave it one by one; that is no crossing. Neither is it if two arrows
    come near the same side of a box: each has a place of its own there.
    """
    segments, owner = _segments(routes)
    source = np.array([edge.source for edge in edges])
    if not len(segments):
        return 0
    left = np.minimum(segments[:, 0], segments[:, 2])
    turn = np.argsort(left, kind="stable")
    segments, owner, left = segments[turn], owner[turn], left[turn]
    right = np.maximum(segments[:, 0], segments[:, 2])
    low, high = np.sort(segments[:, 1::2], axis=1).T
    last = np.searchsorted(left, right, side="right")  # from here on nothing begins before the segment ends
    total = 0
    for first, stop in _chunks(last):
        counts = last[first:stop] - np.arange(first, stop) - 1
        a = np.repeat(np.arange(first, stop), counts)
        b = np.arange(len(a)) - np.repeat(np.cumsum(counts) - counts, counts) + a + 1
        near = (source[owner[a]] != source[owner[b]]) & (low[a] <= high[b]) & (low[b] <= high[a])
        total += int(_meet(segments[a[near]], segments[b[near]]).sum())
    return total


def crossings_by_brute_force(routes, edges):
    """The same by looking at every two segments, one by one."""
    segments, owner = _segments(routes)
    total = 0
    for i in range(len(segments)):
        for j in range(i):
            if edges[owner[i]].source != edges[owner[j]].source:
                total += int(_meet(segments[i : i + 1], segments[j : j + 1])[0])
    return total


def _segments(routes):
    """All arrows as straight pieces (x, y, u, v), and which arrow each piece belongs to.

    Each arrow is moved by a hair of its own, so that no two lines meet in a corner of both.
    """
    hairs = np.random.default_rng(0).uniform(-1e-5, 1e-5, size=(len(routes), 2))
    pieces, owner = [], []
    for k, route in enumerate(routes):
        for start in range(0, len(route) - 1, 3):
            curve = np.array(route[start : start + 4])
            straight = np.ptp(curve, axis=0).min() == 0
            points = (curve[[0, 3]] if straight else BERNSTEIN @ curve) + hairs[k]
            pieces.append(np.hstack([points[:-1], points[1:]]))
            owner += [k] * (len(points) - 1)
    return np.vstack(pieces or [np.zeros((0, 4))]), np.array(owner, dtype=int)


def _meet(a, b):
    """Whether the segments of two lists cross: the ends of each lie on different sides of the other."""

    def side(line, x, y):
        return np.sign((line[:, 2] - line[:, 0]) * (y - line[:, 1]) - (line[:, 3] - line[:, 1]) * (x - line[:, 0]))

    apart = side(a, b[:, 0], b[:, 1]) * side(a, b[:, 2], b[:, 3]) < 0
    return apart & (side(b, a[:, 0], a[:, 1]) * side(b, a[:, 2], a[:, 3]) < 0)


def _chunks(last, most=2_000_000):
    """Runs of segments with at most so many candidates at a time."""
    begin, counted = 0, 0
    for k, stop in enumerate(last):
        counted += stop - k
        if counted > most:
            yield begin, k + 1
            begin, counted = k + 1, 0
    yield begin, len(last)
