"""What the tests of lessons share: a lesson run once, and all that it printed."""

import contextlib
import io
import sys
from importlib import import_module

import pytest


def run_lesson(name, output, **options):
    """The result of the lesson, and what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        result = import_module(f"examples.{name}").run(output, **options)
    return result, printed.getvalue()


def without_matplotlib(monkeypatch):
    """As if it were not installed."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)


def assert_png(path, least=20_000):
    """A picture, and not an empty one."""
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(data) >= least, f"{path} has only {len(data)} bytes"


def accuracies(name, output, seeds):
    """The figure of a lesson for other seeds, without pictures."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        without_matplotlib(monkeypatch)
        return [run_lesson(name, output, seed=seed)[0].accuracy for seed in seeds]
