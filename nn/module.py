"""Module: a part of a model that has parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import indent
from typing import Any

import numpy as np

from autodiff import Node


class Module:
    """A part of a model. Subclass it, and keep parameters and smaller modules in attributes.

    Nothing is registered: parameters are found by walking the attributes, and the lists, tuples and
    dictionaries in them. A parameter is a leaf that carries a gradient; one that is shared counts once.

    >>> from autodiff import Value
    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0), Value(1.0)
    ...
    ...     def __call__(self, x):
    ...         return self.slope * x + self.offset
    >>> line = Line()
    >>> line
    Line(2 parameters)
    >>> line(3.0).backward()
    >>> {name: parameter.grad for name, parameter in line.named_parameters()}
    {'slope': 3.0, 'offset': 1.0}
    """

    def named_parameters(self) -> Iterator[tuple[str, Node]]:
        """Every parameter with the path to it: ``("layers.0.neurons.3.bias", Value(0.0, label='b'))``."""
        seen: set[int] = set()
        stack: list[tuple[str, Any]] = [("", self)]
        while stack:
            path, thing = stack.pop()
            if id(thing) in seen:
                continue
            if isinstance(thing, Node):
                if thing.is_leaf and thing.requires_grad:
                    seen.add(id(thing))
                    yield path, thing
                continue
            parts = [(f"{path}.{name}" if path else name, part) for name, part in _parts(thing)]
            if parts:
                seen.add(id(thing))
                stack.extend(reversed(parts))

    def parameters(self) -> list[Node]:
        """Every parameter once, in the order in which the attributes were made."""
        return [parameter for _, parameter in self.named_parameters()]

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def __repr__(self) -> str:
        count = sum(np.size(parameter.data) for parameter in self.parameters())
        head = f"{type(self).__name__}({count} parameters)"
        return "\n".join([head, *(indent(f"{name}: {child!r}", "  ") for name, child in self._children())])

    def _children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly inside this one, with their paths."""
        for name, part in _parts(self):
            inside = [(name, part)] if isinstance(part, Module) else [(f"{name}.{key}", x) for key, x in _parts(part)]
            yield from ((path, x) for path, x in inside if isinstance(x, Module))


def _parts(thing: Any) -> Iterable[tuple[str, Any]]:
    """What a module, a list, a tuple or a dictionary holds, by name."""
    if isinstance(thing, Module):
        return list(vars(thing).items())
    if isinstance(thing, dict):
        return [(str(key), part) for key, part in thing.items()]
    if isinstance(thing, list | tuple):
        return [(str(i), part) for i, part in enumerate(thing)]
    return []
