"""Hooks: functions of the user that see, and may replace, the gradient of a node."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from autodiff.errors import wrong_shape
from autodiff.graph import Node
from autodiff.primitives.row import plain

_keys = count()


def register_hook(node: Node, hook: Callable[[Any], Any]) -> Callable[[], None]:
    """Call ``hook(gradient)`` when a backward pass has this node's whole gradient; returns a remover.

    What the hook returns, unless None, replaces the gradient from there on (PyTorch's convention). Arrays are
    shown read-only; a replacement must have the node's shape.

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


def has_hooks(node: Node) -> bool:
    """Whether a backward pass calls someone at this node."""
    return node._notes is not None and bool(node._notes.get("hooks"))


def hooked(node: Node, gradient: Any) -> Any:
    """The gradient after the hooks of the node have seen it."""
    for hook in tuple((node._notes or {}).get("hooks", {}).values()):
        if isinstance(gradient, np.ndarray):
            gradient = gradient.view()
            gradient.setflags(write=False)  # other nodes may have been given the same array
        replaced = hook(gradient)
        if replaced is None:
            continue
        if np.shape(plain(replaced)) != np.shape(node._held):
            raise wrong_shape(node, plain(replaced), "gradient that its hook returned")
        if not isinstance(gradient, Node):
            gradient = node.cast_like(plain(replaced))
        else:  # create_graph: the gradient is a node, and stays one
            kind: Any = type(node)
            gradient = replaced if isinstance(replaced, Node) else kind(node.cast_like(replaced), requires_grad=False)
    return gradient
