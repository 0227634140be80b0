"""What a box of several nodes says of them: how many there are, and which numbers come out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff import Node
from viz.drawing.text import clean
from viz.views.model import Box, Gradients, Group, Kind, Leaving
from viz.views.rolling import Run
from viz.views.wiring import Numbers, Wiring

_FEW = 3
"""As many of the numbers that leave a box are shown one by one."""


def group_box(
    wiring: Wiring, name: str, members: Numbers, leaving: Sequence[int], run: Run | None, gradient_of: Gradients
) -> Box:
    """A box for ``members``, of which ``leaving`` are used by others or were asked for."""
    made, carries, size = wiring.made[members], wiring.carries[members], wiring.size[members]
    nodes = wiring.nodes
    learned = [nodes[k] for k in members[~made & carries].tolist()]
    out = [nodes[k] for k in leaving]
    shown = out if len(out) <= _FEW and run is None else []
    least, greatest = _range(out)
    kind: Kind = "operation" if made.any() else "leaf" if carries.any() else "constant"
    return Box(
        kind=kind,
        label=clean(name),
        symbol="",
        operation="",
        detail="",
        data=None,
        gradient=None,
        carries=bool(carries.any()),
        is_output=bool(np.isin(wiring.outputs, members).any()),
        scope=clean(name),
        group=Group(
            nodes=len(members),
            operations=int(made.sum()),
            parameters=int(size[~made & carries].sum()),
            constants=int(size[~made & ~carries].sum()),
            leaving=tuple(
                Leaving(label_of(x), x.data, gradient_of(x) if x.requires_grad else None, x.requires_grad)
                for x in shown
            ),
            leaves=len(out),
            least=least,
            greatest=greatest,
            gradient=norm([gradient_of(x) for x in learned or [x for x in out if x.requires_grad]]),
            repeats=len(run.places) if run else 1,
            state=run.state if run else 0,
        ),
    )


def label_of(node: Node) -> str:
    """What a node is called in a box of several: its label, or the sign of its operation."""
    return clean(node.label or (node.op.symbol if node.op else ""))


def _range(nodes: Sequence[Node]) -> tuple[Any, Any]:
    """The least and the greatest number of some nodes; None where there is none, or they have no order."""
    lows, highs = [], []
    for node in nodes:
        data = node.data
        if isinstance(data, np.ndarray):
            if not data.size or data.dtype.kind not in "biuf":
                return None, None
            lows.append(data.min())
            highs.append(data.max())
        elif isinstance(data, complex):
            return None, None
        else:
            lows.append(data)
            highs.append(data)
    if not lows or any(x != x for x in lows):
        return None, None
    return min(lows), max(highs)


def norm(gradients: Sequence[Any]) -> float | None:
    """The Euclidean norm of all of them together; None if one is not there yet."""
    if not gradients or any(gradient is None for gradient in gradients):
        return None
    with np.errstate(all="ignore"):
        parts = [np.linalg.norm(np.ravel(_plain(gradient))) for gradient in gradients]
        return float(np.linalg.norm(parts))


def _plain(gradient: Any) -> Any:
    return gradient if isinstance(gradient, np.ndarray | complex) else float(gradient)
