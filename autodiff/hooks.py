"""Hooks: functions of the user that see, and may replace, the gradient of a node."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from autodiff.graph import Node

_keys = count()


def register_hook(node: Node, hook: Callable[[Any], Any]) -> Callable[[], None]:
    """Call ``hook(gradient)`` when a backward pass has this node's whole gradient; returns a remover.

    What the hook returns, unless None, replaces the gradient from there on (PyTorch's convention).

    >>> from autodiff import Value
    >>> a = Value(2.0)
    >>> remove = a.register_hook(lambda gradient: 10 * gradient)
    >>> (a * 3).backward()
    >>> a.grad
    30.0
    """
    node._notes = node._notes or {}
    hooks = node._notes.setdefault("hooks", {})
    key = next(_keys)
    hooks[key] = hook

    def remove() -> None:
        hooks.pop(key, None)

    return remove


def hooked(node: Node, gradient: Any) -> Any:
    """The gradient after the hooks of the node have seen it."""
    for hook in tuple((node._notes or {}).get("hooks", {}).values()):
        replaced = hook(gradient)
        gradient = gradient if replaced is None else replaced
    return gradient
