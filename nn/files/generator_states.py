"""The state of a random generator: kept, checked and given back, so that it continues with the very next number."""

from __future__ import annotations

from reprlib import repr as shown
from typing import Any

import numpy as np

from nn.files.errors import FlawError


def generator_state(generator: np.random.Generator) -> dict[str, Any]:
    """The state of a random generator, as a checkpoint can hold it.

    >>> rng = np.random.default_rng(3)
    >>> state = generator_state(rng)
    >>> drawn = rng.normal()
    >>> restore_generator(rng, state)
    >>> rng.normal() == drawn
    True
    """
    return dict(generator.bit_generator.state)


def restore_generator(generator: np.random.Generator, state: dict[str, Any], name: str = "rng") -> None:
    """Bring a generator into a state of :func:`generator_state`, after checking it.

    Raises:
        ValueError: it is the state of another kind of generator, or of none.
    """
    check_generator_state(generator, state, name)
    generator.bit_generator.state = state


# NumPy copies these into its own memory as they are, and a forged position would make it read elsewhere.
_LARGEST = {"pos": 624, "buffer_pos": 4, "has_uint32": 1, "uinteger": 2**32 - 1}


def check_generator_state(generator: np.random.Generator, state: Any, name: str) -> None:
    """Compare ``state`` with what the generator itself would give.

    Raises:
        FlawError: it is of another kind, or out of range.
    """
    own = generator.bit_generator.state
    kind = state.get("bit_generator") if isinstance(state, dict) else None
    if kind != own["bit_generator"]:
        raise FlawError(
            f"the random generator {name!r} was saved as a {shown(kind)}, and is a {own['bit_generator']} here; "
            f"make it with np.random.Generator(np.random.{str(kind)[:20]}(seed))"
        )
    if not _alike(own, state):
        raise FlawError(f"the state of the random generator {name!r} is none of a {kind}")


def _alike(own: Any, other: Any, name: str = "") -> bool:
    if type(own) is not type(other):
        return False
    if isinstance(own, dict):
        return own.keys() == other.keys() and all(_alike(own[key], other[key], key) for key in own)
    if isinstance(own, np.ndarray):
        return bool(own.shape == other.shape and own.dtype == other.dtype)
    if isinstance(own, int):
        return bool(0 <= other <= _LARGEST.get(name, 2**128 - 1))
    return True
