"""Whether things are what they were: each comparison takes what is there and what was saved of it."""

from __future__ import annotations

import threading
import types
from collections.abc import Iterator
from fractions import Fraction
from operator import is_, length_hint
from typing import Any

import numpy as np

from autodiff.graph import Node

MISSING: Any = object()
SIMPLE = frozenset({int, float, bool, str, bytes, complex, type(None), type(...), Fraction, range, slice})


def same(new: Any, old: Any) -> bool:
    """The same object, or the same number to the last bit (0.0 is not -0.0, and 1 not True)."""
    if new is old:
        return True
    if type(new) is not type(old) or type(new) not in SIMPLE:
        return False
    return repr(new) == repr(old) if type(new) in (float, complex) else bool(new == old)


def of_items(holder: Any, saved: list[tuple[str, Any]]) -> bool:
    """Of some items of a dictionary."""
    get = holder.get
    for name, old in saved:
        new = get(name, MISSING)
        if new is not old and not same(new, old):
            return False
    return True


def of_attributes(holder: Any, saved: list[tuple[str, Any]]) -> bool:
    """Of some attributes of an object."""
    return of_items(attributes_of(holder), saved)


def of_list(holder: Any, saved: list[Any]) -> bool:
    """Of the entries of a list."""
    return len(holder) == len(saved) and (all(map(is_, holder, saved)) or all(map(same, holder, saved)))


def of_dict(holder: Any, saved: dict[Any, Any]) -> bool:
    """Of the keys, in their order, and the entries of a dictionary."""
    if len(holder) != len(saved):
        return False
    if all(map(is_, holder, saved)) and all(map(is_, holder.values(), saved.values())):
        return True
    return list(holder) == list(saved) and of_list(list(holder.values()), list(saved.values()))


def of_own_dict(holder: Any, saved: dict[Any, Any]) -> bool:
    """The same of one that shows something else when it is run through."""
    return of_dict(dict(dict.items(holder)), saved)


def of_set(holder: Any, saved: Any) -> bool:
    """Of the members of a set."""
    return bool(holder == saved)


def of_array(holder: Any, saved: Any) -> bool:
    """Of an array of numbers."""
    return bool(saved == (holder.dtype, holder.shape, holder.tobytes()))


def of_objects(holder: Any, saved: list[Any]) -> bool:
    """Of the entries of an array of objects."""
    return of_list(holder.ravel().tolist(), saved)


def of_buffer(holder: Any, saved: bytes) -> bool:
    """Of bytes that can be written to."""
    return bytes(holder) == saved


def of_memory(holder: Any, saved: bytes) -> bool:
    """Of the memory of an object that shows it."""
    return bytes_of(holder) == saved


def of_content(holder: Any, saved: Any) -> bool:
    """Of a table of a package, as an array."""
    return bool(content_of(holder) == saved)


def of_code(holder: Any, saved: Any) -> bool:
    """Of what a function does, and its defaults."""
    code, defaults, keyword_defaults = saved
    return holder.__code__ is code and holder.__defaults__ is defaults and holder.__kwdefaults__ is keyword_defaults


def of_cell(holder: Any, saved: Any) -> bool:
    """Of a variable of an enclosing function."""
    return same(content(holder), saved)


def of_clock(holder: Node, saved: int) -> bool:
    """Of the number of a leaf."""
    return holder.clock == saved


def of_state(holder: Any, saved: Any) -> bool:
    """Of a random generator of Python."""
    return bool(holder.getstate() == saved)


def of_numpy_state(holder: Any, saved: str) -> bool:
    """Of a random generator of NumPy."""
    return numpy_state(holder) == saved


def of_position(holder: Any, saved: Any) -> bool:
    """Of how far an iterator has come."""
    return bool(position(holder) == saved)


def of_mapping(holder: Any, saved: Any) -> bool:
    """Of what is compared by its keys and values."""
    return bool(holder == saved)


def of_variable(holder: Any, saved: Any) -> bool:
    """Of what a context variable has in this context."""
    return same(holder.get(MISSING), saved)


def content(cell: Any) -> Any:
    """What a variable of an enclosing function holds."""
    try:
        return cell.cell_contents
    except ValueError:  # nothing was assigned to it yet
        return MISSING


def bytes_of(thing: Any) -> bytes | None:
    """The memory of an object, as those of ``ctypes`` show it."""
    try:
        return bytes(memoryview(thing))
    except (TypeError, BufferError, ValueError):
        return None


def content_of(thing: Any) -> Any:
    """The entries and labels of a table of a package, if it can be made an array."""
    try:
        array = np.asarray(thing.detach() if hasattr(type(thing), "detach") else thing)
        labels = [list(map(repr, axis)) for axis in getattr(thing, "axes", ())]
    except Exception:  # whatever the package raises: there is nothing to compare
        return None
    if array.dtype.hasobject:  # made anew at each look: a node, by its identity, and what else, by how it is written
        return array.shape, [id(x) if isinstance(x, Node) else repr(x) for x in array.ravel().tolist()], labels
    return array.dtype, array.shape, array.tobytes(), labels


def numpy_state(generator: Any) -> str:
    """Where a random generator of NumPy stands."""
    if isinstance(generator, np.random.Generator):
        return repr(_frozen(generator.bit_generator.state))
    return repr(_frozen(generator.get_state(legacy=False)))


def _frozen(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _frozen(part) for key, part in state.items()}
    return state.tobytes() if isinstance(state, np.ndarray) else state


def position(iterator: Iterator[Any]) -> Any:
    """How far an iterator has come, where that can be told without moving it."""
    if isinstance(iterator, types.GeneratorType):
        frame = iterator.gi_frame
        return None if frame is None else (frame.f_lasti, {name: id(x) for name, x in frame.f_locals.items()})
    return length_hint(iterator, -1), repr(iterator)


def lie_in_one_dict(thing: Any) -> bool:
    """Whether the attributes of an object are all in one dictionary: not in slots, and not in one for each thread."""
    slots = any(kind.__dict__.get("__slots__") for kind in type(thing).__mro__)
    return hasattr(thing, "__dict__") and not slots and not isinstance(thing, threading.local)


def attributes_of(thing: Any) -> dict[str, Any]:
    """The attributes of an object itself, in slots too."""
    found = {}
    for kind in type(thing).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(thing, name):
                found[name] = getattr(thing, name)
    found.update(getattr(thing, "__dict__", {}))
    return found
