"""The ways out of the graph: where a node answers with a plain number, a truth or a text.

Inside a trace (``autodiff.compile``) the tracer is told, as a plain number is that of one example alone; and there a
comparison is a node, 1.0 for true and 0.0 for false, that ``where`` can choose by.
"""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Callable
from functools import cache
from numbers import Number
from typing import Any

import numpy as np

from autodiff import errors
from autodiff.context import at_work, look, no_grad, tracing
from autodiff.graph import Node
from autodiff.primitives import TABLE
from autodiff.primitives.row import plain
from autodiff.texts import text_of

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OURS = tuple([os.path.join(_ROOT, package, "") for package in ("autodiff", "nn", "viz")])


def _comparison(relation: Callable[[Any, Any], Any], row: str) -> Callable[[Any, Any], Any]:
    def compare(self: Any, other: Any) -> Any:
        if tracing() is None:
            if at_work:
                look(self, "a comparison")
            return relation(self._held, plain(other))
        with no_grad():  # a plain boolean has no gradient, not even 0 (which 0 * inf would make NaN further down)
            return TABLE[row](self, other)

    return compare


def _logical(row: str) -> Callable[..., Any]:
    """What ``&`` means between comparisons inside a trace; outside they are plain booleans, and this is not asked."""

    def combine(self: Any, *other: Any) -> Any:
        tracer = tracing()
        if tracer is None:
            return NotImplemented
        made = [tracer.made_by(x) for x in (self, *other) if isinstance(x, Node)]
        if not all(op is not None and op.truth for op in made):
            return NotImplemented
        with no_grad():
            return TABLE[row](self, *other)

    return combine


def _truth_among(tracer: Any, *nodes: Any) -> bool:
    """Whether one of the nodes is a comparison, which outside the trace is a plain boolean."""
    return any(op is not None and op.truth for op in map(tracer.made_by, nodes))


def is_asked_by_user() -> bool:
    """Whether the method that asks this was called, by an operator, from outside this project."""
    return not is_ours(sys._getframe(2).f_code.co_filename)


@cache
def is_ours(filename: str) -> bool:
    """Whether a file belongs to this project."""
    return os.path.abspath(filename).startswith(OURS)


class Given(Node):
    """A mixin for the arguments of a trace: their hash is refused, which would find nothing where a number would."""

    __slots__ = ()

    def __hash__(self) -> int:
        if tracing() is not None and is_asked_by_user():
            look(self, "hash()")
        return object.__hash__(self)


def _conversion(kind: type) -> Callable[[Any], Any]:
    def convert(self: Any) -> Any:
        look(self, f"{kind.__name__}()")
        if self.requires_grad:
            raise errors.leaves_graph(self, f"{kind.__name__}()")
        return kind(_number(self))

    return convert


def _number(node: Any) -> Any:
    return node._held.item() if isinstance(node._held, np.ndarray) else node._held


class Exits(Node):
    """How a node is compared, converted and written."""

    __slots__ = ()

    # Comparisons answer with plain booleans. == is left alone: a node is equal only to itself. But inside a trace a
    # node may stand where a plain number stands eagerly, and ``x == 1`` would be false for all examples without a word.
    def __eq__(self, other: object) -> Any:
        tracer = tracing()
        if tracer is not None:
            both_given = isinstance(self, Given) and isinstance(other, Given) and is_asked_by_user()
            truths = isinstance(other, Node) and _truth_among(tracer, self, other)
            if other is not self and (isinstance(other, Number) or both_given or truths):
                look(self, "==")
        return NotImplemented

    __hash__ = Node.__hash__
    __lt__ = _comparison(operator.lt, "less")
    __le__ = _comparison(operator.le, "less_equal")
    __gt__ = _comparison(operator.gt, "greater")
    __ge__ = _comparison(operator.ge, "greater_equal")
    __and__ = __rand__ = _logical("logical_and")
    __or__ = __ror__ = _logical("logical_or")
    __xor__ = __rxor__ = _logical("not_equal")
    # A plain number out of a node would have lost its gradient, so math.exp(value) is refused.
    __float__ = _conversion(float)
    __int__ = _conversion(int)
    __complex__ = _conversion(complex)

    def __invert__(self) -> Any:
        inverted = _logical("logical_not")(self)
        if inverted is NotImplemented:
            raise TypeError(f"~ is for comparisons, and {self.name()} is none")
        return inverted

    def __index__(self) -> int:
        look(self, "an index")
        raise errors.no_index(self)

    def __bool__(self) -> bool:
        look(self, "bool()")
        return bool(self._held)

    def __format__(self, spec: str) -> str:
        return text_of(self, format(self._held if np.ndim(self._held) else _number(self), spec))

    def item(self) -> Any:
        """The one number as a plain Python number: the explicit way out of the graph."""
        look(self, ".item()")
        return _number(self)

    def __round__(self, digits: int | None = None) -> Any:
        if not digits:
            return TABLE["round"](self)
        look(self, f"round() to {digits} digits")
        if self.requires_grad:
            raise errors.leaves_graph(self, f"round() to {digits} digits")
        return round(_number(self), digits)

    def __repr__(self) -> str:
        shown = repr(self._held)
        if isinstance(self._held, np.ndarray):
            shown = np.array2string(self._held, separator=", ", prefix="Tensor(", threshold=100)
            shown += "" if self._held.dtype in (np.float64, np.int64, np.bool_) else f", dtype={self._held.dtype}"
        label = f", label={self.label!r}" if self.label else ""
        made = f", op={self.op.name}" if self.op else "" if self.requires_grad else ", requires_grad=False"
        return text_of(self, f"{type(self).__name__}({shown}{label}{made})")
