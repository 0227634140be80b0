"""Copying and pickling: a leaf can be taken out of its program, a computed node cannot."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.context import look
from autodiff.errors import not_copyable
from autodiff.graph import Node, new


def reduce_leaf(node: Node, protocol: Any) -> Any:
    """``__reduce_ex__``: what ``pickle`` and ``copy`` keep of a leaf.

    Raises:
        TypeError: the node was computed, and alone it would lose its gradient.
    """
    look(node, "a copy")
    if node.op is not None:
        raise not_copyable(node)
    return rebuilt, (type(node), node._held, node.requires_grad, node.label, node.scope, node.grad)


def rebuilt(kind: type[Node], data: Any, requires_grad: bool, label: str | None, scope: str, grad: Any) -> Node:
    """The leaf that was kept."""
    node = new(kind)
    node._set_leaf(data, requires_grad, label)
    node._held, node.scope = node.cast_like(data), scope
    node.grad = grad.copy() if isinstance(grad, np.ndarray) else grad
    return node
