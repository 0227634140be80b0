"""Which part of a graph is open: named by its scope, or by a stretch of operations in the order of creation."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from viz.drawing.text import clean
from viz.views.places import OUTSIDE, is_inside
from viz.views.wiring import Numbers, Wiring

_STRETCH = re.compile(r"(?:(.+)/)?operations? ([0-9,]{1,20})(?: ?[-–] ?([0-9,]{1,20}))?")
_LISTED = 6


@dataclass(frozen=True, slots=True)
class Opened:
    """The open part: its name, and which of the computed nodes are in it."""

    name: str
    inside: NDArray[np.bool_]


def opened(wiring: Wiring, name: str) -> Opened:
    """The part that ``name`` stands for.

    Raises:
        ValueError: there is no such part; what is meant may be among those that the message lists.
    """
    if name == OUTSIDE and not all(wiring.scopes):
        return Opened(name, wiring.made & (wiring.scope == wiring.scopes.index("")))
    inside = np.array([is_inside(scope, name) for scope in wiring.scopes], bool)[wiring.scope] & wiring.made
    if name and inside.any():
        return Opened(name, inside)
    stretch = _STRETCH.fullmatch(name)
    if stretch:
        place, first, last = stretch[1] or "", int(stretch[2].replace(",", "")), stretch[3]
        whole = np.array([is_inside(scope, place) for scope in wiring.scopes], bool)[wiring.scope] & wiring.made
        final = int(last.replace(",", "")) if last else first
        if 1 <= first <= final <= int(whole.sum()):
            order = in_order_of_creation(wiring, whole)
            inside = np.zeros(len(whole), bool)
            inside[order[first - 1 : final]] = True
            return Opened(stretch_name(place, first, final), inside)
    raise ValueError(_unknown(wiring, name))


def stretch_name(place: str, first: int, last: int) -> str:
    """What a stretch of the operations of a place is called.

    >>> stretch_name("step 3", 1, 12)
    'step 3/operations 1–12'
    """
    words = f"operations {first:,}–{last:,}" if last > first else f"operation {first:,}"
    return f"{place}/{words}" if place else words


def before_stretch(name: str) -> tuple[str, int]:
    """The place that a part belongs to, and how many operations of this place come before the part.

    >>> before_stretch("step 3/operations 13–24"), before_stretch("step 3")
    (('step 3', 12), ('step 3', 0))
    """
    stretch = _STRETCH.fullmatch(name)
    return (stretch[1] or "", int(stretch[2].replace(",", "")) - 1) if stretch else (name, 0)


def in_order_of_creation(wiring: Wiring, which: NDArray[np.bool_]) -> Numbers:
    """The numbers of some nodes, oldest first."""
    members = np.flatnonzero(which)
    return members[np.argsort(wiring.clock[members])]


def _unknown(wiring: Wiring, name: str) -> str:
    known = _openable(wiring)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    meant = f"; did you mean {' or '.join(map(repr, map(clean, near)))}?" if near else ""
    count = int(wiring.made.sum())
    if not known:
        return (
            f"there is no part {clean(repr(name), 60)} to open{meant}: this graph has no scopes, so name a stretch"
            f' of its {count:,} operations in the order of creation, such as open="operations 1-{min(count, 20)}"'
        )
    listed = [repr(clean(place)) for place in known if place not in near][: _LISTED - len(near)]
    more = len(known) - len(near) - len(listed)
    rest = f" and {more:,} more" if more > 0 else ""
    return (
        f"there is no part {clean(repr(name), 60)} to open{meant or '.'} What can be opened: {', '.join(listed)}{rest}"
    )


def _openable(wiring: Wiring) -> list[str]:
    """Every scope that holds operations, and every scope around one, in the order of creation."""
    places: dict[str, None] = {}
    scopes = wiring.scope[in_order_of_creation(wiring, wiring.made)]
    for k in dict.fromkeys(scopes.tolist()):
        parts = wiring.scopes[k].split("/") if wiring.scopes[k] else []
        for depth in range(1, len(parts) + 1):
            places["/".join(parts[:depth])] = None
    return list(places)
