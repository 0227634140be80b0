"""Who receives the gradient of ``backward``: that it gets somewhere, and that nothing of it gets lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from autodiff import errors
from autodiff.graph import Node


def check_leaves(entry: Any, arguments: Iterable[Any], found: list[Any]) -> None:
    """See whether the gradient of a call has leaves to go to, before it is computed.

    Args:
        entry: the traced function.
        arguments: of the call: those by position, then those by name, as ``entry.trees`` has them.
        found: their runs.

    Raises:
        GraphError: no leaf would receive it, or a leaf that varies from example to example would not.
    """
    for tree, x in zip(entry.trees, arguments, strict=True):
        if any(run.axis is not None for run in tree.runs):
            lost = next((node for node in _nodes(x) if node.requires_grad), None)
            if lost is not None:
                raise errors.lost_in_batch(lost, tree.runs[0].text)
    if not any(node.requires_grad for node in entry.trace.captured):
        shared = (x for run, x in zip(entry.runs, found, strict=True) if run.axis is None)
        if not any(node.requires_grad for x in shared for node in _nodes(x)):
            raise errors.no_leaf()


def _nodes(x: Any) -> Iterator[Node]:
    """The nodes in nested lists, tuples and dicts."""
    stack = [x]
    while stack:
        thing = stack.pop()
        if isinstance(thing, Node):
            yield thing
        elif isinstance(thing, dict):
            stack += thing.values()
        elif isinstance(thing, list | tuple):
            stack += thing
