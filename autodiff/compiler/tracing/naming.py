"""What a reader calls the parameters of a model that was written without any of our classes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from autodiff.compiler.tracing.ownership import is_foreign
from autodiff.compiler.tracing.sameness import SIMPLE, attributes_of
from autodiff.graph import Node


def paths_to(nodes: Sequence[Node], model: Any) -> list[str] | None:
    """The shortest way from a model to each of the nodes: ``layers[0].w[1]``; None where one of them is not found."""
    wanted = set(map(id, nodes))
    found: dict[int, str] = {}
    seen = {id(model)}
    waiting = deque([(model, "")])
    while waiting and len(found) < len(wanted):
        thing, path = waiting.popleft()
        for part, step in _parts(thing):
            if isinstance(part, Node):
                if id(part) in wanted:
                    found.setdefault(id(part), path + step)
            elif type(part) not in SIMPLE and id(part) not in seen:
                seen.add(id(part))
                waiting.append((part, path + step))
    return [found[id(node)].removeprefix(".") for node in nodes] if len(found) == len(wanted) else None


def _parts(thing: Any) -> Iterator[tuple[Any, str]]:
    if isinstance(thing, dict):
        return ((part, f"[{key!r}]") for key, part in thing.items())
    if isinstance(thing, list | tuple):
        return ((part, f"[{i}]") for i, part in enumerate(thing))
    if isinstance(thing, type) or is_foreign(type(thing)):
        return iter(())
    return ((part, f".{name}") for name, part in attributes_of(thing).items())
