"""Usual mistakes in a local derivative, made on purpose: a row of the table with one wrong rule.

No row is named here, only the operators that a sign hides behind. Each mistake runs the right rule on something it
should not be given, or drops a minus sign that the rule really has, so its formula is read off the rule just as the
right one is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autodiff import Node, enable_grad
from autodiff.chain import edges, local_derivative
from autodiff.graph import record
from autodiff.primitives.row import Primitive

Edge = tuple[Node, int]
Rule = Callable[..., Any]
"""``(op, k, inputs, out, params) -> d out / d input k``"""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong rule for input number ``position`` of one operation.

    Attributes:
        right, wrong: the row of the table, and the same row with the wrong rule.
        words: what is wrong about it.
    """

    right: Primitive
    wrong: Primitive
    position: int
    words: str

    def applied(self, node: Node) -> Node:
        """``node`` itself, or a stand-in for it with the wrong rule where it was made by that operation."""
        if node.op is not self.right:
            return node
        with enable_grad():
            stand_in: Node = record(type(node), self.wrong, node.inputs, node.data, node.params, True)
        return stand_in


def _without_minus(op: Primitive, k: int, inputs: Sequence[Any], out: Any, params: Any) -> Any:
    derivative = local_derivative(op, k, inputs, out, params)
    unsigned = _unsigned(derivative)  # for formulas: sin(x), and not -(-sin(x))
    return -derivative if unsigned is None else unsigned


def _with_own_input(op: Primitive, k: int, inputs: Sequence[Any], out: Any, params: Any) -> Any:
    return local_derivative(op, k, inputs, inputs[k], params)


def _with_output(op: Primitive, k: int, inputs: Sequence[Any], out: Any, params: Any) -> Any:
    return local_derivative(op, k, [*inputs[:k], out, *inputs[k + 1 :]], out, params)


def _of_another_input(op: Primitive, k: int, inputs: Sequence[Any], out: Any, params: Any) -> Any:
    return local_derivative(op, (k + 1) % len(inputs), inputs, out, params)


def _one(op: Primitive, k: int, inputs: Sequence[Any], out: Any, params: Any) -> Any:
    return 1


def _with_another_minus(op: Primitive, k: int, inputs: Sequence[Any], out: Any, params: Any) -> Any:
    return -local_derivative(op, k, inputs, out, params)


_MISTAKES: list[tuple[Rule, str]] = [
    (_without_minus, "the minus sign is forgotten"),
    (_with_own_input, "the input stands where the output should"),
    (_with_output, "the output stands where the input should"),
    (_of_another_input, "it is the derivative by another input"),
    (_one, "the gradient is handed on as it came"),
]
_LAST_RESORT = (_with_another_minus, "there is a minus sign too many")


def first_mistake(order: Sequence[Node], gradients: dict[Node, Any], edge: Edge | None) -> Mistake | None:
    """The first usual mistake that changes a number: on ``edge``, or else on the first edge where one does.

    Args:
        order: the computed nodes, newest first.
        gradients: the right gradient of each.
        edge: a computed node, and which of its inputs; None looks for one.
    """
    candidates = [edge] if edge else [(node, k) for node in order for k in range(len(node.inputs))]
    for mistakes in ([*_MISTAKES, _LAST_RESORT],) if edge else (_MISTAKES, [_LAST_RESORT]):
        for node, k in candidates:
            op = node.op
            if op is None or op.partials is None or not node.inputs[k].requires_grad:
                continue
            for rule, words in mistakes:
                if rule is _without_minus and not _leads_with_minus(node, k):
                    continue
                mistake = Mistake(op, _row_with(op, k, rule), k, words)
                if _changes(mistake, node, gradients) and _holds_everywhere(mistake, order, gradients):
                    return mistake
    return None


def _row_with(op: Primitive, k: int, rule: Rule) -> Primitive:
    def partial(*args: Any, **params: Any) -> Any:
        return rule(op, k, args[:-1], args[-1], params)

    assert op.partials is not None
    return replace(op, partials=[partial if i == k else p for i, p in enumerate(op.partials)])


def _flow(mistake: Mistake, node: Node, gradients: dict[Node, Any], wrong: bool) -> Any:
    """What goes back over the edge of the mistake; None where the wrong rule has no answer."""
    try:
        with np.errstate(all="ignore"):
            return edges(mistake.applied(node) if wrong else node, gradients[node])[mistake.position][1]
    except (ArithmeticError, TypeError, ValueError):  # such as a fraction that there is not
        return None


def _changes(mistake: Mistake, node: Node, gradients: dict[Node, Any]) -> bool:
    right, wrong = (_flow(mistake, node, gradients, w) for w in (False, True))
    return wrong is not None and bool(np.all(np.isfinite(_floats(wrong)))) and not np.array_equal(right, wrong)


def _holds_everywhere(mistake: Mistake, order: Sequence[Node], gradients: dict[Node, Any]) -> bool:
    """Whether the wrong rule has an answer at every node of its operation, as the whole pass will need it."""
    users = [node for node in order if node.op is mistake.right and node.inputs[mistake.position].requires_grad]
    return all(_flow(mistake, node, gradients, True) is not None and _has_formula(mistake, node) for node in users)


def _has_formula(mistake: Mistake, node: Node) -> bool:
    """Whether the wrong rule runs on nodes too: its formula is read off them, and log(1) is no exact node."""
    with enable_grad():
        inputs = [_stand_in(x) for x in node.inputs]
        try:
            local_derivative(mistake.wrong, mistake.position, inputs, _stand_in(node), node.params)
        except (ArithmeticError, TypeError, ValueError):
            return False
    return True


def _floats(x: Any) -> Any:
    return np.asarray(x, dtype=complex if np.iscomplexobj(x) else float)


def _leads_with_minus(node: Node, k: int) -> bool:
    """Whether the formula of d node / d input k is a product that begins with a minus sign."""
    assert node.op is not None
    with enable_grad():
        inputs = [_stand_in(x) for x in node.inputs]
        return _unsigned(local_derivative(node.op, k, inputs, _stand_in(node), node.params)) is not None


def _stand_in(x: Node) -> Node:
    made: Node = type(x)(x.data)  # type: ignore[call-arg]
    made.requires_grad = True
    return made


def _unsigned(derivative: Any) -> Any:
    """A derivative -u, -u * v or -u / v without the minus sign; None where there is none, or it is a mere number."""
    if not isinstance(derivative, Node):
        return -derivative if type(derivative) is int and derivative < 0 else None
    above = []
    factor = derivative
    while factor.op is not None and factor.op.operator in ("mul", "truediv"):
        above.append(factor)
        factor = factor.inputs[0]
    if factor.op is not None and factor.op.operator == "neg":
        factor = factor.inputs[0]
    elif factor.op is None and not factor.requires_grad and np.ndim(factor.data) == 0 and factor.data < 0:
        factor = type(factor)(-factor.data, requires_grad=False)  # type: ignore[call-arg]
    else:
        return None
    for product in reversed(above):
        factor = product.op(factor, *product.inputs[1:])  # type: ignore[misc]
    return factor
