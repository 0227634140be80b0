"""The text of a number that is being traced: to be printed and joined, not to be asked."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from autodiff.context import tracing


class TracedText(str):
    """Text with the number of one example in it. What would steer by it, while it is traced, is told to the tracer."""

    __slots__ = ("node",)
    node: Any

    def __bool__(self) -> bool:
        return True  # whatever the number is

    def __radd__(self, before: Any) -> Any:
        return _with(self, str.__add__(before, self)) if isinstance(before, str) else NotImplemented


def text_of(node: Any, text: str) -> str:
    """``text``, which has the number of ``node`` in it, so that a tracer hears of it when it is asked."""
    tracer = tracing()
    if tracer is None or not tracer.is_of_one_example(node):
        return text
    traced = TracedText(f"{text[:-1]}, traced)" if text.endswith(")") else f"{text} (traced)")
    traced.node = node
    return traced


def _with(text: TracedText, longer: Any) -> Any:
    """What a text became, which has its number in it too; plain, when nobody traces any more."""
    if tracing() is None or type(longer) is not str:
        return longer
    traced = TracedText(longer)
    traced.node = text.node
    return traced


def _asked(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: TracedText, *args: Any, **named: Any) -> Any:
        if (tracer := tracing()) is not None:
            how = f"the text ({_WRITTEN.get(name, f'.{name}()')})"
            tracer.look_at_text(self.node, how, sys._getframe(1).f_code.co_filename)
        return plain(self, *args, **named)

    return method


def _joined(plain: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: TracedText, *args: Any, **named: Any) -> Any:
        return _with(self, plain(self, *args, **named))

    return method


_WRITTEN = {
    "__eq__": "==",
    "__ne__": "!=",
    "__lt__": "<",
    "__le__": "<=",
    "__gt__": ">",
    "__ge__": ">=",
    "__hash__": "looked up",
    "__contains__": "in",
    "__getitem__": "[...]",
    "__iter__": "taken apart",
    "__len__": "len()",
    "__mul__": "repeated",
    "__rmul__": "repeated",
    "__float__": "float()",
    "__int__": "int()",
}
# What is written on the way to a page or a label; every other method of a text answers a question, or converts it.
_JOINS = ("__add__", "__format__", "__mod__", "__str__", "center", "format", "format_map", "join", "ljust", "rjust")
_QUESTIONS = [name for name in vars(str) if name in _WRITTEN or not (name.startswith("__") or name in _JOINS)]
_QUESTIONS.remove("maketrans")  # asks nothing of its text
for _name in _QUESTIONS:
    setattr(TracedText, _name, _asked(_name, getattr(str, _name)))
for _name in _JOINS:
    setattr(TracedText, _name, _joined(getattr(str, _name)))
for _kind in (float, int):  # which ask for these methods before they read the text
    setattr(
        TracedText, f"__{_kind.__name__}__", _asked(f"__{_kind.__name__}__", lambda self, k=_kind: k(str.__str__(self)))
    )
