"""What a function reaches beside its arguments: remembered at a trace, compared at every call.

A trace writes down numbers that stand in globals, closures, attributes, lists and arrays as constants. So they are
remembered, and where one has changed the function is traced again: a changed setting never gives stale numbers. The
same memory shows, right after the trace, whether the function itself changed something, which a replay would not do.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.compiler.tracing import sameness
from autodiff.compiler.tracing.reach import Named, Path, Reach
from autodiff.compiler.tracing.sameness import MISSING, same
from autodiff.graph import Node


class Guards:
    """The state that a function reaches, remembered.

    Args:
        function: what is about to be traced.
        objects: arguments whose attributes it reaches, models and what is static, each with its name before it.
        containers: the same of those that are made anew for every trace, and must only not change during it.

    Attributes:
        names: which globals and attributes the code that was found asks for.
    """

    def __init__(self, function: Callable[..., Any], objects: Named = (), containers: Named = ()) -> None:
        self._reach: Reach | None = Reach(function, objects, containers)
        self.names = self._reach.names
        self._lasting = self._reach.lasting
        self._during = self._reach.during  # let go after the trace
        self._during.append((sameness.of_state, random, random.getstate(), (("random",),)))
        self._during.append((sameness.of_numpy_state, np.random, sameness.numpy_state(np.random), (("np.random",),)))
        self._quick: list[tuple[Any, str, Any]] | None = None
        self._others: list[tuple[Any, Any, Any]] = []

    def read(self, node: Node) -> None:
        """Remember that the number of a node was read, and written down as a constant."""
        self._quick = None
        path = self._path_of(node) or (("the number of", node.label or f"a {type(node).__name__}"),)
        self._lasting.append((sameness.of_clock, node, node.clock, path))

    def name_of(self, node: Node) -> str | None:
        """What a reader calls a node that the function reaches: ``net.w[0]``."""
        path = self._path_of(node)
        return None if path is None else _written(path).removeprefix("the global ").removeprefix("the variable ")

    def _path_of(self, node: Node) -> Path | None:
        return self._reach.nodes.get(node) if self._reach is not None else None

    def finish(self) -> None:
        """Remember what was imported for the first time during the trace; let go of what was for its time only."""
        if self._reach is not None:
            self._quick = None
            self._lasting += self._reach.imported()
            self._during, self._reach = [], None

    def hold(self) -> bool:
        """Whether everything is as it was."""
        if self._quick is None:
            self._prepare()
        for get, name, old in self._quick or ():  # the most frequent, spelt out
            if get(name, MISSING) is not old and not same(get(name, MISSING), old):
                return False
        for is_same, holder, saved in self._others:  # noqa: SIM110  a third of the time of all(...)
            if not is_same(holder, saved):
                return False
        return True

    def _prepare(self) -> None:
        items = [(holder.get, saved) for check, holder, saved, _ in self._lasting if check is sameness.of_items]
        self._quick = [(get, name, old) for get, saved in items for name, old in saved]
        self._others = [check[:3] for check in self._lasting if check[0] is not sameness.of_items]

    def changed(self) -> str | None:
        """The name of the first thing that is not as it was, or None."""
        for is_same, holder, saved, path in [*self._lasting, *self._during]:
            if not is_same(holder, saved):
                if is_same is sameness.of_items:
                    path = (*path, next(name for name, old in saved if not is_same(holder, [(name, old)])))
                random = is_same is sameness.of_state or is_same is sameness.of_numpy_state
                return f"the state of {_written(path)}" if random else _written(path)
        return None


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
