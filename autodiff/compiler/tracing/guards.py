"""What a function reaches beside its arguments: remembered at a trace, compared at every call.

A trace writes down numbers that stand in globals, closures, attributes, lists and arrays as constants. So they are
remembered, and where one has changed the function is traced again: a changed setting never gives stale numbers. The
same memory shows, right after the trace, whether the function itself changed something, which a replay would not do.
"""

from __future__ import annotations

import dis
import functools
import os
import random
import sys
import types
from array import array
from collections import ChainMap, UserDict, UserList, deque
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from inspect import getattr_static
from operator import is_, length_hint
from typing import Any

import numpy as np

from autodiff.errors import randomness_of_the_machine
from autodiff.graph import Node
from autodiff.primitives.row import Primitive

MISSING: Any = object()
_SIMPLE = frozenset({int, float, bool, str, bytes, complex, type(None), type(...), Fraction, range, slice})
_HERE = os.path.abspath(os.path.join(__file__, *[os.pardir] * 4))  # the folder that holds our packages
_OURS = tuple([os.path.join(_HERE, package, "") for package in ("autodiff", "nn", "viz")])
_FOREIGN = (*_OURS, os.path.join(os.path.dirname(os.path.abspath(os.__file__)), ""), "<frozen")
_ANY_ATTRIBUTE = frozenset({"getattr", "setattr", "hasattr", "vars", "__dict__", "__getattribute__", "__getattr__"})

Path = tuple[Any, ...]  # from the outside in: ("global", "settings"), "rate"
Check = tuple[Callable[[Any, Any], bool], Any, Any, Path]  # is it the same, whose, what was there, and its name


class Guards:
    """The state that a function reaches, as it is now.

    Args:
        function: what is about to be traced.
        objects: arguments whose attributes it reaches: models, and what is static.
        containers: arguments that are made anew for every trace, and must only not change during it.
    """

    def __init__(
        self, function: Callable[..., Any], objects: Iterable[Any] = (), containers: Iterable[Any] = ()
    ) -> None:
        self.lasting: list[Check] = []  # compared at every call
        self.during: list[Check] = []  # compared after the trace only
        self._quick: list[tuple[Any, str, Any]] | None = None
        self._others: list[tuple[Any, Any, Any]] = []
        self._checks = self.lasting
        self._kept: list[Any] = []  # so that no other object takes the place of one that was seen
        self._seen: set[int] = set()
        self._names: set[str] = set()  # which attributes the code reached asks for
        self._objects: list[tuple[Any, Path, set[str]]] = []
        self._imports: list[tuple[str, str | None]] = []  # what functions import inside, and from which package
        self._walk([(function, ()), *((x, (("argument", type(x).__name__),)) for x in objects)])
        self._checks = self.during
        self._walk([(x, (("argument", i),)) for i, x in enumerate(containers)])
        self.during.append((_same_state, random, random.getstate(), (("random",),)))
        self.during.append((_same_numpy_state, np.random, _numpy_state(np.random), (("np.random",),)))

    def settle(self) -> None:
        """Let go of what was remembered for the time of the trace only: its arguments, and what was looked at."""
        self.during.clear()
        self._kept.clear()
        self._seen.clear()
        self._objects.clear()

    def read(self, node: Node) -> None:
        """Remember that the number of a node was read, and written down as a constant."""
        self._quick = None
        self.lasting.append((_same_clock, node, node.clock, (("node", node.name()),)))

    def finish(self) -> None:
        """Remember what was imported for the first time during the trace."""
        self._checks, self._quick = self.lasting, None
        self._walk(self._modules())

    def hold(self) -> bool:
        """Whether everything is as it was."""
        if self._quick is None:
            self._prepare()
        for get, name, old in self._quick or ():  # the most frequent, spelt out
            if get(name, MISSING) is not old and not _same(get(name, MISSING), old):
                return False
        for same, holder, saved in self._others:  # noqa: SIM110  a third of the time of all(...)
            if not same(holder, saved):
                return False
        return True

    def _prepare(self) -> None:
        items = [(holder.get, saved) for same, holder, saved, _ in self.lasting if same is _same_items]
        self._quick = [(get, name, old) for get, saved in items for name, old in saved]
        self._others = [(same, holder, saved) for same, holder, saved, _ in self.lasting if same is not _same_items]

    def changed(self, during: bool = False) -> str | None:
        """The name of the first thing that is not as it was, or None."""
        for same, holder, saved, path in [*self.lasting, *(self.during if during else ())]:
            if not same(holder, saved):
                if same is _same_items:
                    path = (*path, next(name for name, old in saved if not same(holder, [(name, old)])))
                random = same is _same_state or same is _same_numpy_state
                return f"the state of {_written(path)}" if random else _written(path)
        return None

    # ── what is reached ──────────────────────────────────────────────────────────────────────────────
    def _walk(self, things: list[tuple[Any, Path]]) -> None:
        self._stack = things
        while self._stack:
            while self._stack:
                thing, path = self._stack.pop()
                self._visit(thing, path)
            for thing, path, asked in self._objects:
                self._attributes(thing, path, asked)

    def _visit(self, thing: Any, path: Path) -> None:
        kind = type(thing)
        if kind in _SIMPLE or issubclass(kind, Node | Primitive | np.generic) or id(thing) in self._seen:
            return
        self._seen.add(id(thing))
        self._kept.append(thing)
        # issubclass, as some objects answer for their __class__ as well, or raise.
        visit = next((visit for kinds, visit in _VISITS if issubclass(kind, kinds)), None)
        if visit is not None:
            visit(self, thing, path)
        elif hasattr(kind, "__next__"):  # of its class: some objects have every attribute that they are asked for
            self.during.append((_same_position, thing, _position(thing), path))
        elif getattr_static(thing, "__wrapped__", MISSING) is not MISSING:
            self._push([(thing.__wrapped__, path)])
        else:
            self._objects.append((thing, path, set()))
            self._class(kind, path, made=False)

    def _push(self, things: Iterable[tuple[Any, Path]]) -> None:
        self._stack.extend([(thing, path) for thing, path in things if type(thing) not in _SIMPLE])

    def _list(self, thing: Any, path: Path) -> None:
        self._checks.append((_same_list, thing, list(thing), path))
        if not _SIMPLE.issuperset(set(map(type, thing))):
            self._push((part, (*path, i)) for i, part in enumerate(thing))

    def _immutable(self, thing: Any, path: Path) -> None:
        self._push((part, (*path, i)) for i, part in enumerate(thing))

    def _dict(self, thing: Any, path: Path) -> None:
        self._checks.append((_same_dict, thing, dict(thing), path))
        self._push((part, (*path, key)) for key, part in list(thing.items()))
        self._push((key, path) for key in thing)

    def _set(self, thing: Any, path: Path) -> None:
        self._checks.append((_same_set, thing, frozenset(thing), path))
        self._immutable(thing, path)

    def _user_container(self, thing: Any, path: Path) -> None:
        self._push([(thing.maps if isinstance(thing, ChainMap) else thing.data, path)])

    def _buffer(self, thing: Any, path: Path) -> None:
        self._checks.append((_same_bytes, thing, bytes(thing), path))

    def _array(self, thing: Any, path: Path) -> None:
        if thing.dtype.hasobject:
            self._checks.append((_same_objects, thing, thing.ravel().tolist(), path))
            self._immutable(thing.ravel().tolist(), path)
        else:
            self._checks.append((_same_array, thing, (thing.dtype, thing.shape, thing.tobytes()), path))

    def _function(self, thing: Any, path: Path) -> None:
        wrapped = getattr(thing, "__wrapped__", None)
        if wrapped is not None:
            self._push([(wrapped, path)])
        code = thing.__code__
        engine = str(thing.__globals__.get("__name__")).partition(".")[0] == "autodiff"
        if engine or is_foreign_file(code.co_filename):
            if os.path.abspath(code.co_filename).startswith(_OURS) and thing.__closure__:  # it may hold others
                contents = map(_content, thing.__closure__)  # beside what it keeps on purpose, by list.append
                self._push((x, path) for x in contents if not isinstance(x, types.BuiltinMethodType))
            return
        loaded, names, imported = _names_in(code)
        self._names |= names
        self._checks.append((_same_code, thing, (code, thing.__defaults__, thing.__kwdefaults__), path))
        where = thing.__globals__
        self._imports += [(name, where.get("__package__")) for name in imported]
        self._push(self._modules())
        found = [(name, where.get(name, MISSING)) for name in loaded]
        if found:
            self._checks.append((_same_items, where, found, (("the global",),)))
        for name, cell in zip(code.co_freevars, thing.__closure__ or (), strict=True):
            self._checks.append((_same_cell, cell, _content(cell), (("the variable", name),)))
            self._push([(_content(cell), (("the variable", name),))])
        self._push((value, (("the global", name),)) for name, value in found if value is not MISSING)
        if vars(thing):
            self._dict(vars(thing), path or (thing.__name__,))
        self._push((default, (*path, "defaults")) for default in thing.__defaults__ or ())
        self._push((default, (*path, name)) for name, default in (thing.__kwdefaults__ or {}).items())

    def _method(self, thing: Any, path: Path) -> None:
        self._push([(thing.__func__, path), (thing.__self__, (*path, "self"))])

    def _builtin(self, thing: Any, path: Path) -> None:
        self._push([(thing.__self__, (*path, "self"))])  # settings.get sees the settings, random.random its generator

    def _partial(self, thing: Any, path: Path) -> None:
        self._push([(thing.func, path), (thing.args, path), (thing.keywords, path)])

    def _wrapper(self, thing: Any, path: Path) -> None:
        inner = [thing.fget, thing.fset] if isinstance(thing, property) else [thing.__func__]
        self._push((function, path) for function in inner if function is not None)

    def _class(self, thing: Any, path: Path, made: bool = True) -> None:
        """A class: its operators, what it overrides, and what makes its instances; other methods are found by name."""
        for kind in thing.__mro__:
            if not _is_foreign(kind):
                self._objects.append((kind, (("class", kind.__name__),), set()))
                implicit = [n for n in vars(kind) if n.startswith("__") and (made or n not in ("__init__", "__new__"))]
                # What a class inherits may call what overrides it: a Module its forward.
                inherited = [base for base in thing.__mro__ if _is_foreign(base)]
                implicit += [n for n in vars(kind) if n not in implicit and any(n in vars(base) for base in inherited)]
                parts = [(vars(kind)[name], (*path, name)) for name in implicit]
                self._push((part, name) for part, name in parts if isinstance(part, types.FunctionType))

    def _module(self, thing: Any, path: Path) -> None:
        if not is_foreign_file(getattr(thing, "__file__", None) or "<frozen"):
            self._objects.append((thing, path, set()))

    def _modules(self) -> list[tuple[Any, Path]]:
        """The modules that functions import inside, as far as they are there."""
        names = [full for name, package in self._imports for full in (name, f"{package}.{name}".rstrip("."))]
        return [(sys.modules[name], (("the module", name),)) for name in names if name in sys.modules]

    def _generator(self, thing: Any, path: Path) -> None:
        self.during.append((_same_numpy_state, thing, _numpy_state(thing), path))

    def _random(self, thing: Any, path: Path) -> None:
        if isinstance(thing, random.SystemRandom):  # its numbers are the machine's, and it has no state to compare
            raise randomness_of_the_machine()
        self.during.append((_same_state, thing, thing.getstate(), path))

    def _attributes(self, thing: Any, path: Path, asked: set[str]) -> None:
        """Remember those attributes that some code asks for; all of them, where that cannot be told."""
        held = _attributes_of(thing)
        kind: Any = type(thing)
        everything = _extends_ours(kind) or (self._names & _ANY_ATTRIBUTE and not isinstance(thing, type))
        if everything and issubclass(kind, types.ModuleType):  # of a package not all that lies in it
            held = {name: x for name, x in held.items() if name in self._names or not _is_furniture(name, x)}
        elif everything and hasattr(thing, "__dict__"):
            if "all of them" not in asked:
                asked.add("all of them")
                self._dict(vars(thing), path)
            return
        names = (set(held) if everything else self._names) - asked
        asked |= names
        found = [(name, held.get(name, MISSING)) for name in names]
        # What is missing may come to hide what the class has under that name.
        found = [(name, value) for name, value in found if value is not MISSING or hasattr(type(thing), name)]
        if found:
            check = _same_items if hasattr(thing, "__dict__") and not isinstance(thing, type) else _same_attributes
            holder = vars(thing) if check is _same_items else thing
            self._checks.append((check, holder, found, path))
            self._push((value, (*path, name)) for name, value in found if value is not MISSING)


_VISITS: list[tuple[Any, Callable[[Guards, Any, Path], None]]] = [
    (list | deque, Guards._list),
    (tuple | frozenset, Guards._immutable),
    (dict | types.MappingProxyType, Guards._dict),
    (UserDict | UserList | ChainMap, Guards._user_container),
    (array | bytearray | memoryview, Guards._buffer),
    (set, Guards._set),
    (np.ndarray, Guards._array),
    (types.FunctionType, Guards._function),
    (types.MethodType, Guards._method),
    (types.BuiltinMethodType | types.MethodWrapperType, Guards._builtin),
    (functools.partial, Guards._partial),
    (staticmethod | classmethod | property, Guards._wrapper),
    (type, Guards._class),
    (types.ModuleType, Guards._module),
    (np.random.Generator | np.random.RandomState, Guards._generator),
    (random.Random, Guards._random),
]


# ── whether things are the same ──────────────────────────────────────────────────────────────────────
def _same(new: Any, old: Any) -> bool:
    """The same object, or the same number to the last bit (0.0 is not -0.0, and 1 not True)."""
    if new is old:
        return True
    if type(new) is not type(old) or type(new) not in _SIMPLE:
        return False
    return repr(new) == repr(old) if type(new) in (float, complex) else bool(new == old)


def _same_items(holder: Any, saved: list[tuple[str, Any]]) -> bool:
    get = holder.get
    for name, old in saved:
        new = get(name, MISSING)
        if new is not old and not _same(new, old):
            return False
    return True


def _same_attributes(holder: Any, saved: list[tuple[str, Any]]) -> bool:
    return _same_items(_attributes_of(holder), saved)


def _same_list(holder: Any, saved: list[Any]) -> bool:
    return len(holder) == len(saved) and (all(map(is_, holder, saved)) or all(map(_same, holder, saved)))


def _same_dict(holder: Any, saved: dict[Any, Any]) -> bool:
    same_keys = len(holder) == len(saved) and all(map(is_, holder, saved))
    return (same_keys or list(holder) == list(saved)) and _same_list(list(holder.values()), list(saved.values()))


def _same_set(holder: Any, saved: Any) -> bool:
    return bool(holder == saved)


def _same_array(holder: Any, saved: Any) -> bool:
    return bool(saved == (holder.dtype, holder.shape, holder.tobytes()))


def _same_objects(holder: Any, saved: list[Any]) -> bool:
    return _same_list(holder.ravel().tolist(), saved)


def _same_bytes(holder: Any, saved: bytes) -> bool:
    return bytes(holder) == saved


def _same_code(holder: Any, saved: Any) -> bool:
    code, defaults, keyword_defaults = saved
    return holder.__code__ is code and holder.__defaults__ is defaults and holder.__kwdefaults__ is keyword_defaults


def _same_cell(holder: Any, saved: Any) -> bool:
    return _same(_content(holder), saved)


def _same_clock(holder: Node, saved: int) -> bool:
    return holder.clock == saved


def _same_state(holder: Any, saved: Any) -> bool:
    return bool(holder.getstate() == saved)


def _same_numpy_state(holder: Any, saved: str) -> bool:
    return _numpy_state(holder) == saved


def _same_position(holder: Any, saved: Any) -> bool:
    return bool(_position(holder) == saved)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing was assigned to it yet
        return MISSING


def _numpy_state(generator: Any) -> str:
    if isinstance(generator, np.random.Generator):
        return repr(_frozen(generator.bit_generator.state))
    return repr(_frozen(generator.get_state(legacy=False)))


def _frozen(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _frozen(part) for key, part in state.items()}
    return state.tobytes() if isinstance(state, np.ndarray) else state


def _position(iterator: Iterator[Any]) -> Any:
    """How far an iterator has come, where that can be told without moving it."""
    if isinstance(iterator, types.GeneratorType):
        frame = iterator.gi_frame
        return None if frame is None else (frame.f_lasti, {name: id(x) for name, x in frame.f_locals.items()})
    return length_hint(iterator, -1), repr(iterator)


def _is_furniture(name: str, thing: Any) -> bool:
    """What a module has beside what its author put there: parts of the package, ``__builtins__`` and the like."""
    return name.startswith("__") or issubclass(type(thing), types.ModuleType)


def _attributes_of(thing: Any) -> dict[str, Any]:
    found = {}
    for kind in type(thing).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(thing, name):
                found[name] = getattr(thing, name)
    found.update(getattr(thing, "__dict__", {}))
    return found


# ── what belongs to the user ─────────────────────────────────────────────────────────────────────────
@functools.lru_cache(maxsize=1024)
def is_foreign_file(filename: str) -> bool:
    """Whether it belongs to the engine, to Python or to an installed package: what does not change while we look."""
    path = filename if filename.startswith("<") else os.path.abspath(filename)
    return path.startswith(_FOREIGN) or f"{os.sep}site-packages{os.sep}" in path


def _file_of(kind: type) -> str:
    module = sys.modules.get(kind.__module__)
    return getattr(module, "__file__", None) or ("" if kind.__module__ == "__main__" else "<frozen")


def _is_foreign(kind: type) -> bool:
    return is_foreign_file(_file_of(kind))


@functools.lru_cache(maxsize=1024)
def _extends_ours(kind: Any) -> bool:
    """Whether it is a class of this project or derived from one: what that asks for is not looked through."""
    return any(os.path.abspath(_file_of(base)).startswith(_OURS) for base in kind.__mro__[:-1])


@functools.lru_cache(maxsize=1024)
def _names_in(code: types.CodeType) -> tuple[tuple[str, ...], frozenset[str], frozenset[str]]:
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


def _written(path: Path) -> str:
    text = ""
    for part in path:
        if isinstance(part, tuple):
            text = " ".join(map(str, part))
        elif isinstance(part, str) and part.isidentifier():
            text += f" {part}" if text == "the global" else f".{part}"
        else:
            text += f"[{part!r}]"
    return text.removeprefix(".") or "the function"
