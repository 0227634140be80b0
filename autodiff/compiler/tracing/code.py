"""What the code of a function asks for, read off it without running it."""

from __future__ import annotations

import dis
import functools
import types
from typing import Any, NamedTuple


class Asked(NamedTuple):
    """What some code asks for.

    Attributes:
        loaded: globals.
        names: all names, of attributes too.
        imported: modules that are imported inside.
        texts: text constants, which may be names for ``getattr``.
        unsure: attributes whose absence the code may catch.
    """

    loaded: tuple[str, ...]
    names: frozenset[str]
    imported: frozenset[str]
    texts: frozenset[str]
    unsure: frozenset[str]


@functools.lru_cache(maxsize=1024)
def names_in(code: types.CodeType) -> Asked:
    """What a function, and what it defines inside, asks for."""
    loaded: dict[str, None] = {}
    imported: set[str] = set()
    names: set[str] = set()
    attributes: set[str] = set()
    texts: set[str] = set()
    catches = False
    codes = [code]
    while codes:
        inner = codes.pop()
        codes += [constant for constant in inner.co_consts if isinstance(constant, types.CodeType)]
        texts |= _texts(inner.co_consts)
        names.update(inner.co_names)
        before = ""
        for step in dis.get_instructions(inner):
            if "GLOBAL" in step.opname or step.opname == "LOAD_NAME":
                loaded[step.argval] = None
            elif step.opname == "IMPORT_NAME":
                imported.add(step.argval)
            elif step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
                attributes.add(step.argval)
            catches |= before == "PUSH_EXC_INFO" and step.opname != "WITH_EXCEPT_START"
            before = step.opname
    unsure = attributes if catches or "suppress" in names else ()
    return Asked(tuple(loaded), frozenset(names), frozenset(imported), frozenset(texts), frozenset(unsure))


def _texts(constants: Any) -> set[str]:
    found = set()
    inside = list(constants)
    while inside:
        constant = inside.pop()
        if isinstance(constant, str):
            found.add(constant)
        elif isinstance(constant, tuple | frozenset):
            inside += constant
    return found
