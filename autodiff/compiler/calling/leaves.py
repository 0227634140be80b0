"""Who receives the gradient of ``backward``: that it gets somewhere, and that nothing of it gets lost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from autodiff import errors
from autodiff.graph import Node
from autodiff.trees import leaves_of


def check_leaves(entry: Any, arguments: Iterable[Any], found: list[Any]) -> None:
    """See whether the gradient of a call has leaves to go to, before it is computed.

    Args:
        entry: the traced function.
        arguments: of the call: those by position, then those by name, as ``entry.trees`` has them.
        found: their runs.

    Raises:
        GraphError: no leaf would receive it, or a leaf that varies from example to example, or a Tensor in a
            function of Values, would not.
    """
    for tree, x in zip(entry.trees, arguments, strict=True):
        if type(x) is not np.ndarray and any([run.axis is not None for run in tree.runs]):
            for node in leaves_of(x):
                if isinstance(node, Node) and node.requires_grad:
                    raise errors.lost_in_batch(node, tree.runs[0].text)
    for k in entry.tensors:
        if found[k].requires_grad:
            raise errors.lost_in_tensor(entry.runs[k].text)
    for x in (entry.trace.captured, *found):  # of what varies, arrays have been made
        if type(x) is not np.ndarray:
            for node in leaves_of(x):
                if isinstance(node, Node) and node.requires_grad:
                    return
    raise errors.no_leaf()
