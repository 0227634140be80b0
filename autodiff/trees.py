"""Nested lists, tuples and dicts of numbers, arrays and nodes: taken apart and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def leaves_of(tree: Any) -> Iterator[Any]:
    """The leaves of a tree, one after the other.

    >>> list(leaves_of({"w": [1.0, 2.0], "b": 3.0}))
    [1.0, 2.0, 3.0]
    """
    stack = [tree]
    while stack:
        thing = stack.pop()
        if isinstance(thing, dict):
            stack += reversed(thing.values())
        elif isinstance(thing, list | tuple):
            stack += reversed(thing)
        else:
            yield thing


def flatten(tree: Any, inside: tuple[Any, ...] = ()) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The leaves of a tree, and the function that builds the same tree from other leaves.

    >>> leaves, build = flatten({"w": [1.0, 2.0], "b": 3.0})
    >>> leaves, build([10.0, 20.0, 30.0])
    ([1.0, 2.0, 3.0], {'w': [10.0, 20.0], 'b': 30.0})

    Raises:
        ValueError: a container contains itself.
    """
    if any(tree is outer for outer in inside):
        raise ValueError(f"a {type(tree).__name__} contains itself, so it has no end of leaves")
    if isinstance(tree, dict):
        keys, children = list(tree), list(tree.values())
    elif isinstance(tree, list | tuple):
        keys, children = None, list(tree)
    else:
        return [tree], lambda leaves: leaves[0]
    parts = [flatten(child, (*inside, tree)) for child in children]
    sizes = [len(leaves) for leaves, _ in parts]

    def build(leaves: list[Any]) -> Any:
        built, start = [], 0
        for (_, make), size in zip(parts, sizes, strict=True):
            built.append(make(leaves[start : start + size]))
            start += size
        if keys is not None:
            return dict(zip(keys, built, strict=True))
        if isinstance(tree, tuple):
            return type(tree)(*built) if hasattr(tree, "_fields") else tuple(built)
        return built

    return [leaf for leaves, _ in parts for leaf in leaves], build


def map_tree(function: Callable[[Any], Any], tree: Any) -> Any:
    """The same tree with ``function`` applied to each leaf."""
    leaves, build = flatten(tree)
    return build([function(leaf) for leaf in leaves])
