"""What the code of a function asks for, read off it without running it."""

from __future__ import annotations

import dis
import functools
import types


@functools.lru_cache(maxsize=1024)
def names_in(code: types.CodeType) -> tuple[tuple[str, ...], frozenset[str], frozenset[str]]:
    """The globals that a function asks for, all names in it (of attributes too), and what it imports."""
    loaded: dict[str, None] = {}
    imported: set[str] = set()
    names: set[str] = set()
    codes = [code]
    while codes:
        inner = codes.pop()
        codes += [constant for constant in inner.co_consts if isinstance(constant, types.CodeType)]
        names.update(inner.co_names)
        for step in dis.get_instructions(inner):
            if "GLOBAL" in step.opname or step.opname == "LOAD_NAME":
                loaded[step.argval] = None
            elif step.opname == "IMPORT_NAME":
                imported.add(step.argval)
    return tuple(loaded), frozenset(names), frozenset(imported)
