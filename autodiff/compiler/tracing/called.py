"""With what a function was called while it was traced, for a reader: names, what varies, what each one is inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from autodiff.compiler.tracing.arguments import Run, Tree
from autodiff.graph import Node
from autodiff.tensor import Tensor
from autodiff.trees import leaves_of
from autodiff.value import Value

_MOST = 6  # entries of a dict that are told


@dataclass(eq=False)
class Argument:
    """One argument.

    Attributes:
        tree: its structure.
        keyword: whether it was given by keyword.
        inside: what the function sees of it.
    """

    tree: Tree
    keyword: bool
    inside: Any

    @property
    def name(self) -> str:
        """What the function calls it."""
        return self.tree.name

    @property
    def varies(self) -> bool:
        """Whether another example has other numbers in it."""
        return any(run.axis is not None for run in self.tree.runs)

    def told(self, batch: int | None) -> str:
        """Its name, whether it varies, and what it is: ``x (one of 5): a list of 2 Values``."""
        if not self.tree.runs or batch is None:
            return f"{self.name}: {_what(self.inside)}"
        varying = [run.axis is not None for run in self.tree.runs]
        how = f"one of {batch}" if all(varying) else f"in part one of {batch}" if any(varying) else "shared"
        return f"{self.name} ({how}): {_what(self.inside)}"


class Called:
    """All arguments of one call.

    Args:
        arguments: those by position, then those by keyword.
        batch: how many examples there are, or None where nothing varies.
    """

    def __init__(self, arguments: list[Argument], batch: int | None) -> None:
        self.arguments, self.batch = arguments, batch

    def named(self) -> list[tuple[str, Any]]:
        """What the function sees of each, after its name."""
        return [(argument.name, argument.inside) for argument in self.arguments]

    def told(self) -> str:
        """What the function was called with: ``one example: w (shared): ...; x (one of 5): ...``."""
        parts = "; ".join(argument.told(self.batch) for argument in self.arguments)
        return f"one example: {parts}" if self.batch is not None else parts or "nothing"

    def holder(self, node: Node) -> tuple[Argument, Run] | None:
        """The argument, and the run of it, that a node is a leaf of."""
        for argument in self.arguments:
            leaves = [x for x in leaves_of(argument.inside) if isinstance(x, Node)]
            if any(leaf is node for leaf in leaves) and not argument.tree.objects:
                at = next(i for i, leaf in enumerate(leaves) if leaf is node)
                for run in argument.tree.runs:
                    at -= prod(run.shape) if isinstance(node, Value) else run.leaves
                    if at < 0:
                        return argument, run
        return None

    def axes_with(self, mapped: Argument) -> str:
        """What ``in_axes`` is to be so that this argument is mapped over, too: ``in_axes=(0, 0, None)``."""
        return written([0 if a is mapped else _axis(a) for a in self.arguments if not a.keyword])


def written(axes: Sequence[Any]) -> str:
    """``in_axes=0``, or one axis for each argument."""
    return f"in_axes={axes[0]!r}" if len(axes) == 1 else f"in_axes=({', '.join(map(repr, axes))})"


def _axis(argument: Argument) -> Any:
    axes = {run.axis for run in argument.tree.runs}
    return axes.pop() if len(axes) == 1 else None if not argument.varies else 0


def _what(x: Any) -> str:
    if isinstance(x, Value):
        return "one Value"
    if isinstance(x, Tensor):
        return f"a Tensor of shape {x.shape}" if x.shape else "a Tensor with one number"
    if isinstance(x, list | tuple):
        return f"a {type(x).__name__} of {_entries(x)}"
    if isinstance(x, dict):
        parts = [f"{key!r} ({_what(part)})" for key, part in list(x.items())[:_MOST]]
        return f"a dict of {', '.join(parts)}{', ...' * (len(x) > _MOST)}"
    plain = x is None or isinstance(x, int | float | str | bytes)
    return repr(x)[:40] if plain else f"a {type(x).__name__}"


def _entries(x: Any) -> str:
    """``2 Values``, ``5 lists of 2 Values``."""
    several = "s" * (len(x) != 1)
    kinds = set(map(type, x))
    if kinds and all(issubclass(kind, Value | Tensor) for kind in kinds):
        return f"{len(x)} {'Value' if isinstance(x[0], Value) else 'Tensor'}{several}"
    inner = {_entries(part) for part in x if isinstance(part, list | tuple)}
    if kinds <= {list, tuple} and len(kinds) == len(inner) == 1:
        return f"{len(x)} {kinds.pop().__name__}{several} of {inner.pop()}"
    return f"{len(x)}"
