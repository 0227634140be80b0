"""What a function reaches beside its arguments is compared at every call, in whatever place it is kept."""

from __future__ import annotations

import configparser
import ctypes
import datetime
import functools
import io
import itertools
import logging
import operator
import os
import pathlib
import re
import sys
import threading
import weakref
from collections import UserDict, namedtuple
from contextvars import ContextVar, copy_context
from os import environ
from os import getenv as asked

import numpy as np
import pytest

import autodiff
from autodiff import TraceError, compile
from autodiff.compiler.tracing.guards import Guards

X = np.array([1.0, -2.0, 4.0])
RATE = ContextVar("RATE", default=2.0)
LOCAL = threading.local()


# ── the environment ──────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "read",
    [
        lambda: os.environ["RATE"],
        lambda: os.getenv("RATE"),
        lambda: environ.get("RATE", "1"),
        lambda: asked("RATE"),
        lambda: os.environb[b"RATE"],
    ],
)
def test_variables_of_the_environment(read, monkeypatch):
    monkeypatch.setenv("RATE", "2.0")
    f = compile(lambda x: x * float(read()), in_axes=0)
    assert f(X).tolist() == (X * 2).tolist()
    monkeypatch.setenv("RATE", "3.0")
    assert f(X).tolist() == (X * 3).tolist()
    assert f.cache_info().reason == "os.environ"
    monkeypatch.setenv("RATE", "2.0")
    assert f(X).tolist() == (X * 2).tolist()
    assert f.cache_info().traces == 2


def test_the_environment_is_not_changed_inside(monkeypatch):
    monkeypatch.setenv("RATE", "2.0")

    def f(x):
        os.environ["RATE"] += "1"
        return x * 2

    with pytest.raises(TraceError, match=r"changes something: os\.environ"):
        compile(f, in_axes=0)(X)


# ── what each context and each thread has of its own ─────────────────────────────────────────────────
def test_context_variables():
    f = compile(lambda x: x * RATE.get(), in_axes=0)
    get = RATE.get
    g = compile(lambda x: x * get(), in_axes=0)

    def elsewhere():
        RATE.set(3.0)
        return f(X).tolist(), g(X).tolist()

    assert f(X).tolist() == g(X).tolist() == (X * 2).tolist()
    assert copy_context().run(elsewhere) == ((X * 3).tolist(), (X * 3).tolist())
    assert f(X).tolist() == g(X).tolist() == (X * 2).tolist()
    assert f.cache_info().traces == 2


def test_what_a_context_variable_holds():
    settings = ContextVar("settings")
    held = {"rate": 2.0}
    token = settings.set(held)
    f = compile(lambda x: x * settings.get()["rate"], in_axes=0)
    assert f(X).tolist() == (X * 2).tolist()
    held["rate"] = 3.0
    assert f(X).tolist() == (X * 3).tolist()
    settings.reset(token)


def test_a_context_variable_that_is_set_inside():
    def f(x):
        RATE.set(RATE.get() + 1)
        return x * RATE.get()

    with pytest.raises(TraceError, match="changes something: the global RATE"):
        copy_context().run(compile(f, in_axes=0), X)


def test_what_each_thread_has_of_its_own():
    f = compile(lambda x: x * LOCAL.rate, in_axes=0)
    LOCAL.rate = 2.0
    answers = [f(X).tolist()]

    def other():
        LOCAL.rate = 3.0
        answers.append(f(X).tolist())
        LOCAL.rate = 4.0
        answers.append(f(X).tolist())

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    answers.append(f(X).tolist())
    assert answers == [(X * rate).tolist() for rate in (2.0, 3.0, 4.0, 2.0)]


# ── objects ──────────────────────────────────────────────────────────────────────────────────────────
class Slots:
    __slots__ = ("rate",)


class Both(Slots):
    pass


@pytest.mark.parametrize("kind", [Slots, Both])
def test_slots(kind):
    settings = kind()
    settings.rate = 2.0
    f = compile(lambda x: x * getattr(settings, "rate", 1.0), in_axes=0)
    g = compile(lambda x: x * settings.rate if hasattr(settings, "rate") else x, in_axes=0)
    for rate in (2.0, 3.0):
        settings.rate = rate
        assert f(X).tolist() == g(X).tolist() == (X * rate).tolist()
    del settings.rate
    assert f(X).tolist() == g(X).tolist() == X.tolist()


def test_settings_of_a_class():
    class Settings:
        rate = 2.0

    f = compile(lambda x: x * Settings.rate, in_axes=0)
    for rate in (2.0, 3.0):
        Settings.rate = rate
        assert f(X).tolist() == (X * rate).tolist()
    assert f.cache_info().reason == "class Settings.rate"


# ── every case: the function, how it is changed, and by how much x is multiplied before and after ────
def stale(change, function, before=2.0, after=5.0):
    """Two calls with a change between them, and one after it, which finds the trace again."""
    fast = compile(function, in_axes=0)
    assert fast(X).tolist() == (X * before).tolist()
    assert fast(X).tolist() == (X * before).tolist()
    assert fast.cache_info().traces == 1
    change()
    assert fast(X).tolist() == (X * after).tolist()
    assert fast(X).tolist() == (X * after).tolist()
    assert fast.cache_info().traces == 2


def test_an_attribute_that_hides_an_inherited_one():
    class Base:
        c = 2.0

    class Between(Base):
        pass

    class Sub(Between):
        pass

    o = Sub()
    stale(lambda: setattr(Between, "c", 5.0), lambda x: x * o.c)
    stale(lambda: setattr(Sub, "c", 7.0), lambda x: x * o.c, 5.0, 7.0)
    stale(lambda: setattr(Sub, "c", 8.0), lambda x: x * Sub.c, 7.0, 8.0)


def test_a_method_that_hides_an_inherited_one():
    class Base:
        def m(self, x):
            return x * 2

    class Sub(Base):
        pass

    class Own(list):
        pass

    o, own = Sub(), Own([2.0])
    stale(lambda: setattr(Sub, "m", lambda self, x: x * 5), lambda x: o.m(x))
    stale(lambda: setattr(Own, "copy", lambda self: [5.0]), lambda x: x * own.copy()[0])


def test_a_property_that_hides_what_instances_hold():
    class Settings:
        def __init__(self):
            self.rate = 2.0

    o = Settings()
    stale(lambda: setattr(Settings, "rate", property(lambda self: 5.0)), lambda x: x * o.rate)


@pytest.mark.parametrize("where", ["the object", "its class"])
@pytest.mark.parametrize("how", ["try", "hasattr", "getattr", "bare", "__getattr__"])
def test_an_attribute_that_appears(where, how):
    class Settings:
        pass

    class Asked:
        def __getattr__(self, name):
            return 2.0

    o = Asked() if how == "__getattr__" else Settings()

    def by_try(x):
        try:
            return x * o.zz
        except AttributeError:
            return x * 2

    def by_suppress(x):
        from contextlib import suppress

        with suppress(AttributeError):
            return x * o.zz
        return x * 2

    ways = {
        "try": by_try,
        "bare": by_suppress,
        "hasattr": lambda x: x * o.zz if hasattr(o, "zz") else x * 2,
        "getattr": lambda x: x * getattr(o, "zz", 2.0),
        "__getattr__": lambda x: x * o.zz,
    }
    stale(lambda: setattr(o if where == "the object" else type(o), "zz", 5.0), ways[how])


def test_a_slot_that_is_filled_later():
    o = Slots()
    stale(lambda: setattr(o, "rate", 5.0), lambda x: x * getattr(o, "rate", 2.0))


# ── names in texts ───────────────────────────────────────────────────────────────────────────────────
FACTOR = 2.0
LATE = operator.attrgetter("inner.rate")


@pytest.mark.parametrize(
    "read",
    [
        lambda k, name: getattr(k, "rate"),  # noqa: B009
        lambda k, name: getattr(k, name),
        lambda k, name: vars(k)["rate"],
        lambda k, name: k.__dict__[name],
        lambda k, name: operator.attrgetter("rate")(k),
        lambda k, name: getattr(k, name[:2] + "te"),
        lambda k, name: operator.attrgetter("inner.rate")(Holder(k)),
    ],
)
def test_attributes_of_a_class_by_their_names(read):
    class Settings:
        rate = 2.0

    name = "rate"
    stale(lambda: setattr(Settings, "rate", 5.0), lambda x: x * read(Settings, name))


class Holder:
    def __init__(self, inner):
        self.inner = inner


def test_a_getter_that_was_made_outside():
    class Settings:
        rate = 2.0

        def of(self, number):
            return G[0] + number

    G = [2.0]
    o, call = Settings(), operator.methodcaller("of", 0.0)
    held = Holder(Settings)
    stale(lambda: setattr(Settings, "rate", 5.0), lambda x: x * LATE(held))
    stale(lambda: G.__setitem__(0, 5.0), lambda x: x * call(o))
    stale(lambda: G.__setitem__(0, 2.0), lambda x: x * getattr(o, "".join(["o", "f"]))(0.0), 5.0, 2.0)


@pytest.mark.parametrize("read", [lambda: globals()["FACTOR"], lambda: eval("FACTOR + 0"), lambda: module().FACTOR])
def test_globals_by_their_names(read, monkeypatch):
    monkeypatch.setitem(globals(), "FACTOR", 2.0)
    monkeypatch.setitem(sys.modules, "the_module_that_is_looked_up", sys.modules[__name__])
    stale(lambda: globals().__setitem__("FACTOR", 5.0), lambda x: x * read())


def module():
    return sys.modules["the_module_that_is_looked_up"]


# ── somebody's own lists ─────────────────────────────────────────────────────────────────────────────
class Rows(list):
    def total(self):
        return sum(self) * G[0]


class Table(dict):
    def __missing__(self, key):
        return G[0]


class Pair(namedtuple("Pair", "a b")):
    @property
    def product(self):
        return self.a * G[0]


class Grid(np.ndarray):
    def first(self):
        return float(self[0]) * G[0]


class Named(UserDict):
    def total(self):
        return G[0]


G = [2.0]


@pytest.mark.parametrize(
    ("thing", "read"),
    [
        (Rows([1.0]), lambda rows: rows.total()),
        (Table(), lambda table: table["zz"]),
        (Pair(1.0, 1.0), lambda pair: pair.product),
        (np.ones(2).view(Grid), lambda grid: grid.first()),
        (Named(), lambda named: named.total()),
        ({"a": [Rows([1.0])]}, lambda nested: nested["a"][0].total()),
    ],
)
def test_what_the_methods_of_ones_own_containers_reach(thing, read, monkeypatch):
    monkeypatch.setitem(globals(), "G", [2.0])
    stale(lambda: G.__setitem__(0, 5.0), lambda x: x * read(thing))


@pytest.mark.parametrize("kind", [Rows, Table, Named])
def test_attributes_of_ones_own_containers(kind):
    thing = kind()
    thing.k = 2.0
    stale(lambda: setattr(thing, "k", 5.0), lambda x: x * thing.k)
    stale(lambda: setattr(kind, "total_of_all", 5.0), lambda x: x * getattr(thing, "total_of_all", 2.0))
    del kind.total_of_all


def test_data_of_a_user_dict_that_are_others():
    thing = UserDict(a=2.0)
    stale(lambda: setattr(thing, "data", {"a": 5.0}), lambda x: x * thing["a"])


def test_a_dictionary_that_has_no_end():
    class Endless(dict):
        def __iter__(self):
            return itertools.count()

    thing = Endless(a=2.0)
    stale(lambda: thing.update(a=5.0), lambda x: x * thing["a"])


def test_what_ones_own_metaclass_reaches():
    class Meta(type):
        @property
        def rate(cls):
            return G[0]

    class Settings(metaclass=Meta):
        pass

    G = [2.0]
    stale(lambda: G.__setitem__(0, 5.0), lambda x: x * Settings.rate)


# ── what leads elsewhere, and objects of others ──────────────────────────────────────────────────────
def test_views_and_references():
    d, o = {"a": 2.0}, Holder(2.0)
    values, items, reference = d.values(), d.items(), weakref.ref(o)
    stale(lambda: d.update(a=5.0), lambda x: x * next(iter(values)))
    stale(lambda: d.update(a=2.0), lambda x: x * max(items)[1], 5.0, 2.0)
    stale(lambda: setattr(o, "inner", 5.0), lambda x: x * reference().inner)


@functools.singledispatch
def dispatched(x):
    return x * G[0]


@dispatched.register
def _(x: autodiff.Value):
    return x * G[0]


def test_functions_that_are_kept_aside(monkeypatch):
    monkeypatch.setitem(globals(), "G", [2.0])
    stale(lambda: G.__setitem__(0, 5.0), lambda x: dispatched(x))

    class Part:
        def m(self, number, x):
            return x * number * G[0]

        half = functools.partialmethod(m, 0.5)

    o = Part()
    stale(lambda: G.__setitem__(0, 2.0), lambda x: o.half(x), 2.5, 1.0)


def test_a_parser_of_settings():
    settings = configparser.ConfigParser()
    settings["a"] = {"rate": "2.0"}
    stale(lambda: settings.set("a", "rate", "5.0"), lambda x: x * float(settings["a"]["rate"]))


def test_numbers_of_c():
    number, row = ctypes.c_double(2.0), (ctypes.c_double * 2)(5.0, 1.0)
    stale(lambda: setattr(number, "value", 5.0), lambda x: x * number.value)
    stale(lambda: row.__setitem__(0, 2.0), lambda x: x * row[0], 5.0, 2.0)


def foreign(name, **attributes):
    """A class that looks as if a package had brought it."""
    return type(name, (), {"__module__": "configparser.not_this_one", **attributes})


def test_tables_of_packages():
    held = np.array([2.0])
    table = foreign("Table", __array__=lambda self, dtype=None, copy=None: held.copy(), take=lambda self: held[0])()
    stale(lambda: held.__setitem__(0, 5.0), lambda x: x * float(np.asarray(table)[0]))
    sparse = foreign("Sparse")()
    sparse.data, sparse.calls = np.array([2.0]), 0
    stale(lambda: sparse.data.__setitem__(0, 5.0), lambda x: x * float(vars(sparse)["data"][0]))


def test_harmless_objects_of_packages():
    log, lock, path = logging.getLogger("compiled"), threading.Lock(), pathlib.Path("a")
    pattern, handle, day = re.compile("a"), io.StringIO(), datetime.date(2000, 1, 1)

    def f(x):
        with lock:
            log.debug("a trace of %s", x)
            print(path / "b", pattern.match("a"), day, file=handle)
        return x * 2

    fast = compile(f, in_axes=0)
    assert fast(X).tolist() == fast(X).tolist() == (X * 2).tolist()
    assert fast.cache_info().traces == 1


def test_what_is_not_asked_for_may_change():
    class Settings:
        rate = 2.0

    o = Settings()
    fast = compile(lambda x: x * o.rate, in_axes=0)
    fast(X)
    o.other, Settings.another, Settings.rates = 1.0, 2.0, 3.0
    fast(X)
    assert fast.cache_info().traces == 1


def test_a_class_is_compared_once_however_many_objects_it_has():
    class One:
        factor = 2.0

        def times(self, x):
            return x * self.factor

    many = [One() for _ in range(100)]
    fast = compile(lambda x: sum(o.times(x) for o in many), in_axes=0)
    assert fast(X).tolist() == (X * 200).tolist()
    places = [path[:1] for *_, path in Guards(fast.__wrapped__)._lasting]
    assert 1 <= places.count((("class", "One"),)) <= 4
