"""Scopes as places on a map: which one a node counts to when the map is coarse, and how places are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

Level = Literal["auto", "scalar", "neuron", "layer", "step"]
Grain = Literal["neuron", "layer", "step"]

OUTSIDE = "outside scopes"
"""What the operations without a scope are called where they share a box."""

_STEP = re.compile(r"(time|step|steps|timestep|time[ _-]step|t)[ ._=:#-]*[0-9]+", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,15}$")


def place_of(scope: str, grain: Grain) -> str:
    """The part of a scope that a drawing of this grain tells apart.

    >>> [place_of("cells.0/step 7/gate", grain) for grain in ("neuron", "layer", "step")]
    ['cells.0/step 7/gate', 'cells.0', 'cells.0/step 7']
    """
    if grain == "neuron":
        return scope
    return (step_of(scope) if grain == "step" else "") or scope.partition("/")[0]


def step_of(scope: str) -> str:
    """The path as far as the time step, or "" where there is none.

    >>> step_of("cells.0/step 7/gate"), step_of("layers.0/neurons.3")
    ('cells.0/step 7', '')
    """
    parts = scope.split("/")
    for k, part in enumerate(parts):
        if _STEP.fullmatch(part):
            return "/".join(parts[: k + 1])
    return ""


def is_inside(scope: str, place: str) -> bool:
    """Whether a scope is the place, or lies in it."""
    return not place or scope == place or scope.startswith(place + "/")


def around(place: str) -> set[str]:
    """The place and all that it lies in.

    >>> sorted(around("cells.0/step 7"))
    ['cells.0', 'cells.0/step 7']
    """
    parts = place.split("/")
    return {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}


def kind_and_number(place: str) -> tuple[str, int]:
    """A place without the number at its end, and the number, or -1.

    >>> kind_and_number("cells.0/step 7"), kind_and_number("loss")
    (('cells.0/step ', 7), ('loss', -1))
    """
    number = _NUMBER.search(place)
    return (place[: number.start()], int(number.group())) if number else (place, -1)


def together(places: Sequence[str]) -> str:
    """A name for several places in a row.

    >>> together(["step 3", "step 4", "step 5"]), together(["layers.0", "loss"])
    ('step 3–5', 'layers.0 … loss')
    """
    first, last = places[0], places[-1]
    if first == last:
        return first
    kind, number = kind_and_number(first)
    same = number >= 0 and all(kind_and_number(place)[0] == kind for place in places)
    return f"{first}–{kind_and_number(last)[1]}" if same else f"{first} … {last}"
