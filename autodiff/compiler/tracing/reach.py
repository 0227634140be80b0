"""What a function reaches beside its arguments: globals, closures, attributes, and all that hangs on them.

The walk follows what the code of the function asks for, as far as it belongs to the user, and writes down of each thing
how to see later whether it is still what it was.
"""

from __future__ import annotations

import functools
import os
import random
import re
import sys
import types
import weakref
from array import array
from collections import ChainMap, OrderedDict, UserDict, UserList, deque
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from inspect import getattr_static
from operator import attrgetter, methodcaller
from typing import Any

import numpy as np

from autodiff.compiler.tracing import sameness
from autodiff.compiler.tracing.code import names_in
from autodiff.compiler.tracing.ownership import extends_foreign, extends_ours, is_foreign, is_foreign_file
from autodiff.compiler.tracing.sameness import MISSING, SIMPLE, attributes_of, content, lie_in_one_dict
from autodiff.errors import randomness_of_the_machine
from autodiff.exits import is_ours
from autodiff.graph import Node
from autodiff.primitives.row import Primitive

_ENVIRONMENT = frozenset({"environ", "environb", "getenv", "getenvb"})
_ANY_ATTRIBUTE = frozenset(
    {
        *("getattr", "setattr", "hasattr", "vars", "__dict__", "__getattribute__", "__getattr__", "attrgetter"),
        *("methodcaller", "eval", "exec"),
    }
)
_ANY_GLOBAL = frozenset({"globals", "eval", "exec"})
_ANY_MODULE = frozenset({"modules", "import_module", "__import__"})
_PLAIN_DATA = frozenset({"configparser", "queue", "weakref"})  # modules whose objects hold data, and nothing beside
_AS_THEY_ARE = frozenset(
    {
        *(list, tuple, dict, set, frozenset, type, np.ndarray),
        *(types.FunctionType, types.MethodType, types.BuiltinFunctionType, types.ModuleType),
    }
)

Named = Iterable[tuple[str, Any]]
Path = tuple[Any, ...]  # from the outside in: ("global", "settings"), "rate"
Check = tuple[Callable[[Any, Any], bool], Any, Any, Path]  # is it the same, whose, what was there, and its name


class Reach:
    """The state that a function reaches, as it is now.

    Args:
        function: what is about to be traced.
        objects: arguments whose attributes it reaches, models and what is static, each with its name before it.
        containers: the same of those that are made anew for every trace, and must only not change during it.

    Attributes:
        lasting: to be compared at every call.
        during: to be compared after the trace only.
        names: which globals and attributes the code that was found asks for.
        nodes: how each node that was found is reached.
    """

    def __init__(self, function: Callable[..., Any], objects: Named, containers: Named) -> None:
        self.lasting: list[Check] = []
        self.during: list[Check] = []
        self.names: set[str] = set()
        self.nodes: dict[Node, Path] = {}
        self._checks = self.lasting
        self._kept: list[Any] = []  # so that no other object takes the place of one that was seen
        self._seen: set[int] = set()
        self._objects: list[tuple[Any, Path, set[str]]] = []
        self._classes: set[tuple[type, bool]] = set()  # that were seen, and whether their instances are made
        self._held: dict[type, set[str]] = {}  # what instances of a class hold, of what is asked for
        self._unsure: set[str] = set()  # what may be missing without an error
        self._texts: set[str] = set()
        self._appearing: dict[type, tuple[int, frozenset[str]]] = {}
        self._imports: list[tuple[str, str | None]] = []  # what functions import inside, and from which package
        self._walk([(function, ()), *((x, ((name,),)) for name, x in objects)])
        self._checks = self.during
        self._walk([(x, ((name,),)) for name, x in containers])

    def imported(self) -> list[Check]:
        """What else is to be compared at every call, once the function has run and imported what it imports inside."""
        self._checks = found = list[Check]()
        self._walk(self._modules())
        return found

    def _walk(self, things: list[tuple[Any, Path]]) -> None:
        self._stack = things
        while self._stack:
            while self._stack:
                thing, path = self._stack.pop()
                self._visit(thing, path)
            if self.names & _ANY_ATTRIBUTE:
                self.names |= _words(self._texts)
            for thing, path, asked in self._objects:
                self._attributes(thing, path, asked)
        self._hidden()

    def _visit(self, thing: Any, path: Path) -> None:
        kind: Any = type(thing)
        if issubclass(kind, Node):
            if self._checks is self.lasting:
                self.nodes.setdefault(thing, path)
            return
        if kind in SIMPLE or issubclass(kind, Primitive | np.generic) or id(thing) in self._seen:
            return
        self._seen.add(id(thing))
        self._kept.append(thing)
        # issubclass, as some objects answer for their __class__ as well, or raise.
        visit = next((visit for kinds, visit in _VISITS if issubclass(kind, kinds)), None)
        if visit is not None:
            visit(self, thing, path)
            if kind not in _AS_THEY_ARE and not is_foreign(kind):  # somebody's own list, with more to it
                self._object(thing, kind, path)
        elif hasattr(kind, "__next__"):  # of its class: some objects have every attribute that they are asked for
            self.during.append((sameness.of_position, thing, sameness.position(thing), path))
        elif getattr_static(thing, "__wrapped__", MISSING) is not MISSING:
            self._push([(thing.__wrapped__, path)])
        else:
            self._object(thing, kind, path)
            if extends_foreign(kind):
                self._foreign(thing, kind, path)

    def _object(self, thing: Any, kind: Any, path: Path) -> None:
        if not issubclass(kind, type):
            self._objects.append((thing, path, set()))
        self._class(kind, path, made=False)

    def _foreign(self, thing: Any, kind: Any, path: Path) -> None:
        """An object of an installed package: its numbers, and not what it keeps beside them."""
        held = attributes_of(thing)
        if kind.__module__ in _PLAIN_DATA and held:
            self._dict(held if not lie_in_one_dict(thing) else vars(thing), path)
        elif callable(getattr(kind, "__array__", None)):
            saved = sameness.content_of(thing)
            if saved is not None and sameness.of_content(thing, saved):  # what is another each time, tells nothing
                self._checks.append((sameness.of_content, thing, saved, path))
        elif held:
            arrays = [(name, x) for name, x in held.items() if type(x) is np.ndarray]
            if arrays:
                self._checks.append((sameness.of_attributes, thing, arrays, path))
                self._push((x, (*path, name)) for name, x in arrays)
        elif (written := sameness.bytes_of(thing)) is not None:
            self._checks.append((sameness.of_memory, thing, written, path))

    def _push(self, things: Iterable[tuple[Any, Path]]) -> None:
        self._stack.extend([(thing, path) for thing, path in things if type(thing) not in SIMPLE])

    def _list(self, thing: Any, path: Path) -> None:
        self._checks.append((sameness.of_list, thing, list(thing), path))
        if not SIMPLE.issuperset(set(map(type, thing))):
            self._push((part, (*path, i)) for i, part in enumerate(thing))

    def _immutable(self, thing: Any, path: Path) -> None:
        self._push((part, (*path, i)) for i, part in enumerate(thing))

    def _dict(self, thing: Any, path: Path) -> None:
        plain = type(thing).__iter__ in (dict.__iter__, OrderedDict.__iter__, types.MappingProxyType.__iter__)
        held = dict(thing) if plain else dict(dict.items(thing))  # some run through something else, without an end
        self._checks.append((sameness.of_dict if plain else sameness.of_own_dict, thing, held, path))
        self._push((part, (*path, key)) for key, part in held.items())
        self._push((key, path) for key in held)

    def _set(self, thing: Any, path: Path) -> None:
        self._checks.append((sameness.of_set, thing, frozenset(thing), path))
        self._immutable(thing, path)

    def _user_container(self, thing: Any, path: Path) -> None:
        held = [("maps", thing.maps) if isinstance(thing, ChainMap) else ("data", thing.data)]
        self._checks.append((sameness.of_attributes, thing, held, path))
        self._push((x, path) for _, x in held)

    def _view(self, thing: Any, path: Path) -> None:
        self._push([(thing.mapping, path)])

    def _reference(self, thing: Any, path: Path) -> None:
        self._push([(thing(), path)])

    def _getter(self, thing: Any, path: Path) -> None:
        named = [part for part in thing.__reduce__()[1] if isinstance(part, str)]
        self.names |= _words(named)
        self._texts.update(named)
        if isinstance(thing, methodcaller):
            self._push((part, path) for part in thing.__reduce__()[1])

    def _buffer(self, thing: Any, path: Path) -> None:
        self._checks.append((sameness.of_buffer, thing, bytes(thing), path))

    def _array(self, thing: Any, path: Path) -> None:
        if thing.dtype.hasobject:
            self._checks.append((sameness.of_objects, thing, thing.ravel().tolist(), path))
            self._immutable(thing.ravel().tolist(), path)
        else:
            self._checks.append((sameness.of_array, thing, (thing.dtype, thing.shape, thing.tobytes()), path))

    def _function(self, thing: Any, path: Path) -> None:
        wrapped = getattr(thing, "__wrapped__", None)
        if wrapped is not None:
            self._push([(wrapped, path)])
        registry = getattr(thing, "registry", None)
        if isinstance(registry, types.MappingProxyType):  # of functools.singledispatch
            self._push([(registry, path)])
        code = thing.__code__
        engine = str(thing.__globals__.get("__name__")).partition(".")[0] == "autodiff"
        if engine or is_foreign_file(code.co_filename):
            if is_ours(code.co_filename) and thing.__closure__:  # it may hold others
                contents = map(content, thing.__closure__)  # beside what it keeps on purpose, by list.append
                self._push((x, path) for x in contents if not isinstance(x, types.BuiltinMethodType))
            if thing is os.getenv:
                self._push([(os.environ, path)])
            elif thing.__module__ == "secrets":
                raise randomness_of_the_machine()
            return
        loaded, names, imported, texts, unsure = names_in(code)
        self.names |= names
        self._texts |= texts
        self._unsure |= unsure
        if names & _ANY_GLOBAL:
            loaded = tuple(dict.fromkeys([*loaded, *sorted(_words(texts, sentences=True))]))
        if names & _ANY_MODULE:
            imported |= texts
        self._checks.append((sameness.of_code, thing, (code, thing.__defaults__, thing.__kwdefaults__), path))
        if names & _ENVIRONMENT:
            self._push([(os.environ, path)])
        where = thing.__globals__
        self._imports += [(name, where.get("__package__")) for name in imported]
        self._push(self._modules())
        found = [(name, where.get(name, MISSING)) for name in loaded]
        if found:
            self._checks.append((sameness.of_items, where, found, (("the global",),)))
        for name, cell in zip(code.co_freevars, thing.__closure__ or (), strict=True):
            self._checks.append((sameness.of_cell, cell, content(cell), (("the variable", name),)))
            self._push([(content(cell), (("the variable", name),))])
        self._push((value, (("the global", name),)) for name, value in found if value is not MISSING)
        if vars(thing):
            self._dict(vars(thing), path or (thing.__name__,))
        defaults = thing.__defaults__ or ()
        having = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
        given = [*zip(having, defaults, strict=True), *(thing.__kwdefaults__ or {}).items()]
        self._push((default, (("the default of", name),)) for name, default in given)

    def _method(self, thing: Any, path: Path) -> None:
        self._push([(thing.__func__, path), (thing.__self__, (*path, "self"))])

    def _builtin(self, thing: Any, path: Path) -> None:
        self._push([(thing.__self__, (*path, "self"))])  # settings.get sees the settings, random.random its generator

    def _partial(self, thing: Any, path: Path) -> None:
        self._push([(thing.func, path), (thing.args, path), (thing.keywords, path)])

    def _wrapper(self, thing: Any, path: Path) -> None:
        inner = [getattr(thing, name, None) for name in ("fget", "fset", "__func__", "func")]
        self._push((function, path) for function in inner if function is not None)

    def _class(self, thing: Any, path: Path, made: bool = True) -> None:
        """A class: its operators, what it overrides, and what makes its instances; other methods are found by name."""
        if (thing, made) in self._classes:
            return
        again = (thing, not made) in self._classes
        self._classes.add((thing, made))
        if type(thing) is not type and not is_foreign(type(thing)):
            self._class(type(thing), path, made=False)
        for kind in thing.__mro__:
            if not is_foreign(kind):
                if not again and (kind is thing or not {(kind, True), (kind, False)} & self._classes):
                    self._objects.append((kind, (("class", kind.__name__),), set()))
                implicit = [n for n in vars(kind) if n.startswith("__") and (made or n not in ("__init__", "__new__"))]
                # What a class inherits may call what overrides it: a Module its forward.
                inherited = [base for base in thing.__mro__ if is_foreign(base)]
                implicit += [n for n in vars(kind) if n not in implicit and any(n in vars(base) for base in inherited)]
                parts = [(vars(kind)[name], (*path, name)) for name in implicit]
                self._push((part, name) for part, name in parts if isinstance(part, types.FunctionType))

    def _module(self, thing: Any, path: Path) -> None:
        if thing.__name__ == "secrets":
            raise randomness_of_the_machine()
        if not is_foreign_file(getattr(thing, "__file__", None) or "<frozen"):
            self._objects.append((thing, path, set()))

    def _modules(self) -> list[tuple[Any, Path]]:
        """The modules that functions import inside, as far as they are there."""
        names = [full for name, package in self._imports for full in (name, f"{package}.{name}".rstrip("."))]
        return [(sys.modules[name], (("the module", name),)) for name in names if name in sys.modules]

    def _environment(self, thing: Any, path: Path) -> None:
        held = getattr(thing, "_data", thing)  # as bytes: to decode them all takes 70 times as long
        self._checks.append((sameness.of_mapping, held, dict(held), (("os.environ",),)))

    def _variable(self, thing: Any, path: Path) -> None:
        held = thing.get(MISSING)
        self._checks.append((sameness.of_variable, thing, held, path))
        self._push([(held, path)])

    def _generator(self, thing: Any, path: Path) -> None:
        self.during.append((sameness.of_numpy_state, thing, sameness.numpy_state(thing), path))

    def _random(self, thing: Any, path: Path) -> None:
        if isinstance(thing, random.SystemRandom):  # its numbers are the machine's, and it has no state to compare
            raise randomness_of_the_machine()
        self.during.append((sameness.of_state, thing, thing.getstate(), path))

    def _attributes(self, thing: Any, path: Path, asked: set[str]) -> None:
        """Remember those attributes that some code asks for; all of them, where that cannot be told."""
        held = attributes_of(thing)
        kind: Any = type(thing)
        everything = extends_ours(kind) or bool(self.names & _ANY_ATTRIBUTE)
        names = self.names
        if everything and issubclass(kind, types.ModuleType):  # of a package not all that lies in it
            held = {name: x for name, x in held.items() if name in self.names or not _is_furniture(name, x)}
            names = names | held.keys()
        elif everything and issubclass(kind, type):
            names = names | {name for name in held if not name.startswith("__")}
        elif everything and lie_in_one_dict(thing):
            if "all of them" not in asked:
                asked.add("all of them")
                self._dict(vars(thing), path)
            return
        elif everything:
            names = names | held.keys()
        names = names - asked
        found = [(name, held[name]) for name in held if name in names]
        if not issubclass(kind, type) and found:
            self._held.setdefault(kind, set()).update([name for name, _ in found])
        # What is missing may come to hide what the class has under that name.
        missing = (self._may_appear(thing if issubclass(kind, type) else kind) & names) - held.keys()
        found += [(name, MISSING) for name in missing]
        if found:
            asked.update([name for name, _ in found])
            if lie_in_one_dict(thing):
                self._checks.append((sameness.of_items, vars(thing), found, path))
            else:
                self._checks.append((sameness.of_attributes, thing, found, path))
            self._push((value, (*path, name)) for name, value in found if value is not MISSING)

    def _may_appear(self, kind: type) -> frozenset[str]:
        """The names that a class has, or that nobody need have: set anew, they would be found before what is there."""
        so_far = len(self.names) + len(self._unsure)
        known = self._appearing.get(kind)
        if known is None or known[0] != so_far:
            asks = self.names & _ANY_ATTRIBUTE
            unsure = self._unsure | (_words(self._texts) if asks else set())
            unsure = self.names if hasattr(kind, "__getattr__") else unsure
            names = frozenset(name for name in self.names if name in unsure or hasattr(kind, name))
            known = self._appearing[kind] = so_far, names
        return known[1]

    def _hidden(self) -> None:
        """What instances hold comes from them only while their classes have no property of that name."""
        for kind, names in self._held.items():
            for base in kind.__mro__:
                missing = sorted(names - vars(base).keys()) if not is_foreign(base) else []
                if missing:
                    saved = [(name, MISSING) for name in missing]
                    self._checks.append((sameness.of_items, vars(base), saved, (("class", base.__name__),)))
        self._held = {}


_VISITS: list[tuple[Any, Callable[[Reach, Any, Path], None]]] = [
    (list | deque, Reach._list),
    (tuple | frozenset, Reach._immutable),
    (dict | types.MappingProxyType, Reach._dict),
    (type({}.keys()) | type({}.values()) | type({}.items()), Reach._view),
    (UserDict | UserList | ChainMap, Reach._user_container),
    (array | bytearray | memoryview, Reach._buffer),
    (set, Reach._set),
    (np.ndarray, Reach._array),
    (types.FunctionType, Reach._function),
    (types.MethodType, Reach._method),
    (types.BuiltinMethodType | types.MethodWrapperType, Reach._builtin),
    (functools.partial | functools.partialmethod, Reach._partial),
    (attrgetter | methodcaller, Reach._getter),
    (weakref.ref, Reach._reference),
    (staticmethod | classmethod | property | functools.cached_property, Reach._wrapper),
    (type, Reach._class),
    (ContextVar, Reach._variable),
    (type(os.environ), Reach._environment),
    (types.ModuleType, Reach._module),
    (np.random.Generator | np.random.RandomState, Reach._generator),
    (random.Random, Reach._random),
]


def _is_furniture(name: str, thing: Any) -> bool:
    """What a module has beside what its author put there: parts of the package, ``__builtins__`` and the like."""
    return name.startswith("__") or issubclass(type(thing), types.ModuleType)


def _words(texts: Iterable[str], sentences: bool = False) -> set[str]:
    """The names in texts that are names, as ``"a.b"`` is; or in any."""
    return {word for text in texts if sentences or _DOTTED.fullmatch(text) for word in _NAME.findall(text)}


_NAME = re.compile(r"[^\W\d]\w*")
_DOTTED = re.compile(rf"{_NAME.pattern}(\.{_NAME.pattern})*")
