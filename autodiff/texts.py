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


def text_of(node: Any, text: str) -> str:
    """``text``, which has the number of ``node`` in it, so that a tracer hears of it when it is asked."""
    tracer = tracing()
    if tracer is None or not tracer.is_of_one_example(node):
        return text
    traced = TracedText(f"{text[:-1]}, traced)" if text.endswith(")") else f"{text} (traced)")
    traced.node = node
    return traced


def _asked(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: TracedText, *args: Any) -> Any:
        if (tracer := tracing()) is not None:
            how = f"the text ({_WRITTEN.get(name, f'.{name}()')})"
            tracer.look_at_text(self.node, how, sys._getframe(1).f_code.co_filename)
        return plain(self, *args)

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
    "__float__": "float()",
    "__int__": "int()",
}
_QUESTIONS = (
    *(
        "__eq__",
        "__ne__",
        "__lt__",
        "__le__",
        "__gt__",
        "__ge__",
        "__hash__",
        "__contains__",
        "__getitem__",
        "__iter__",
    ),
    *("startswith", "endswith", "find", "rfind", "index", "rindex", "count", "isdigit", "isnumeric", "isdecimal"),
    *("split", "rsplit", "partition", "rpartition", "strip", "lstrip", "rstrip", "removeprefix", "removesuffix"),
    *("replace", "translate", "encode"),
)
for _name in _QUESTIONS:
    setattr(TracedText, _name, _asked(_name, getattr(str, _name)))
for _kind in (float, int):  # which ask for these methods before they read the text
    setattr(
        TracedText, f"__{_kind.__name__}__", _asked(f"__{_kind.__name__}__", lambda self, k=_kind: k(str.__str__(self)))
    )
