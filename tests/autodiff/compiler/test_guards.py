"""What a function reaches beside its arguments is compared at every call, in whatever place it is kept."""

from __future__ import annotations

import os
import threading
from contextvars import ContextVar, copy_context
from os import environ
from os import getenv as asked

import numpy as np
import pytest

from autodiff import TraceError, compile

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
