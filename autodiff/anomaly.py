"""Where did the NaN start? ``detect_anomaly()`` stops at the first number that is not finite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from autodiff.chain import edges
from autodiff.context import observe
from autodiff.errors import AnomalyError
from autodiff.graph import Node
from autodiff.origins import caller, remember
from autodiff.primitives.row import Primitive, plain


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Raise as soon as an operation, or the backward pass, produces NaN or infinity.

    The error names the operation, its inputs, the source line that made it and, in a backward pass, the
    path to the output. Every operation inside is slowed down, since its source line is looked up.

    >>> from autodiff import AnomalyError, Value, detect_anomaly
    >>> x = Value(0.0, label="x")
    >>> try:
    ...     with detect_anomaly():
    ...         x.log()
    ... except AnomalyError as error:
    ...     print(str(error).splitlines()[0])
    log produced -inf from x = 0.0

    Raises:
        AnomalyError: at the first number that is not finite.
    """
    with observe(_Detector()):
        yield


class _Detector:
    """Watches nodes being made and gradients being passed back."""

    def __call__(self, node: Node, op: Primitive, inputs: tuple[Node, ...]) -> None:
        origin = remember(node, caller())
        if not _finite(node._held):
            given = ", ".join(_shown(x) for x in inputs)
            raise AnomalyError(
                f"{op.name} produced {_worst(node._held)} from {given}\n  made at {origin}{_history(inputs)}"
            )

    def watch(self, stream: Iterator[Node], adjoints: dict[Node, Any], output: Node) -> Iterator[Node]:
        """Look at what each node has handed to its inputs."""
        for node in stream:
            if not all(_finite(plain(adjoints[x])) for x in node.inputs if x in adjoints):
                for x, flow in edges(node, adjoints[node]):
                    if flow is not None and not _finite(plain(flow)):
                        raise AnomalyError(self._blame(node, x, adjoints[node], flow, output))
                for x in node.inputs:
                    if x in adjoints and not _finite(plain(adjoints[x])):
                        total = _worst(plain(adjoints[x]))
                        raise AnomalyError(f"the gradients of {_shown(x)} over its paths add up to {total}")
            yield node

    def _blame(self, node: Node, x: Node, upstream: Any, flow: Any, output: Node) -> str:
        assert node.op is not None
        given = ", ".join(_shown(i) for i in node.inputs)
        path = " <- ".join(n.label or (n.op.name if n.op else "leaf") for n in _path(output, node))
        made = f"\n  made at {node.origin}" if node.origin else ""
        return (
            f"the backward pass of {node.op.name} produced {_worst(plain(flow))} for {_shown(x)}: upstream gradient"
            f" {_number(plain(upstream))}, inputs {given}{made}\n  on the path {path}"
        )


def _path(output: Node, target: Node) -> list[Node]:
    """One way from the output back to the target."""
    came_from: dict[Node, Node] = {}
    stack = [output]
    while stack:
        node = stack.pop()
        if node is target:
            break
        for x in node.inputs:
            if x not in came_from and x.clock >= target.clock:
                came_from[x] = node
                stack.append(x)
    path = [target]
    while path[-1] is not output:
        path.append(came_from[path[-1]])
    return path[::-1]


def _history(inputs: tuple[Node, ...]) -> str:
    """The operations that the first input came through, newest first."""
    names: list[str] = []
    node = inputs[0]
    while node.op is not None and len(names) < 8:
        names.append(node.op.name)
        node = node.inputs[0]
    return f"\n  its first input came through {' <- '.join([*names, node.name()])}" if names else ""


def _finite(data: Any) -> bool:
    data = np.asarray(data)
    return data.dtype.kind not in "fc" or bool(np.isfinite(data).all())


def _worst(data: Any) -> str:
    array = np.asarray(data)
    bad = array[~np.isfinite(array)]
    places = f" in {bad.size} of {array.size} entries" if array.ndim else ""
    return f"{bad.flat[0]}{places}"


def _number(data: Any) -> str:
    return repr(data) if np.ndim(data) == 0 else f"of shape {np.shape(data)}"


def _shown(x: Node) -> str:
    value = (
        repr(x._held)
        if np.ndim(x._held) == 0
        else f"shape {np.shape(x._held)} in [{np.min(x._held):.4g}, {np.max(x._held):.4g}]"
        if np.size(x._held)
        else "empty"
    )
    return f"{x.label or (x.op.name + '(...)' if x.op else 'a number')} = {value}"
