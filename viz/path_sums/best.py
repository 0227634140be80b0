"""How many paths lead from an output back to a node, and which have the largest products: dynamic programming.

A product is kept as a mantissa and an exponent, so that thousands of factors neither overflow nor underflow. Rounded
multiplication never swaps the order of two products, so what each node throws away could not have won later.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from autodiff import Node
from autodiff.chain import edges
from viz.drawing.format import plain
from viz.views.model import in_order

_CROWD = 8  # times the number that is kept: a node that more have arrived at is thinned out on the way


class Scaled(NamedTuple):
    """The number ``mantissa * 2**exponent``; zero, inf and NaN, and all fractions, have the exponent 0."""

    mantissa: Any
    exponent: int

    def __mul__(self, other: Scaled) -> Scaled:  # type: ignore[override]
        mantissa = self.mantissa * other.mantissa
        mantissa, shift = math.frexp(mantissa) if type(mantissa) is float else _normal(mantissa)
        ordinary = mantissa and mantissa - mantissa == 0  # inf - inf is NaN
        return Scaled(mantissa, self.exponent + other.exponent + shift if ordinary else 0)

    @classmethod
    def of(cls, x: Any) -> Scaled:
        """``x`` itself, exactly."""
        return cls(*_normal(x))

    @property
    def value(self) -> Any:
        """As a plain number: inf or 0 where a float cannot hold it."""
        if isinstance(self.mantissa, complex):
            return complex(_float(self.mantissa.real, self.exponent), _float(self.mantissa.imag, self.exponent))
        return self.mantissa if isinstance(self.mantissa, Fraction) else _float(self.mantissa, self.exponent)

    @property
    def log10(self) -> float:
        """Of the magnitude."""
        size = abs(self.mantissa)
        if not size:
            return -math.inf
        if isinstance(size, Fraction):  # of whole numbers of any length, math knows the logarithm
            return math.log10(size.numerator) - math.log10(size.denominator)
        return math.log10(size) + self.exponent * math.log10(2)

    @property
    def rank(self) -> tuple[Any, Any]:
        """A key that sorts ordinary numbers by magnitude."""
        return self.exponent, abs(self.mantissa)


class Trace(NamedTuple):
    """A path from the output to some node: its last step, and the path up to there."""

    product: Scaled
    node: Node | None
    position: int
    factor: Any
    before: Trace | None

    @property
    def steps(self) -> list[tuple[Node, int, Any]]:
        """From the output on: each node, the position of the input gone to, the local derivative."""
        steps: list[tuple[Node, int, Any]] = []
        at: Trace = self
        while at.before is not None:
            assert at.node is not None
            steps.append((at.node, at.position, at.factor))
            at = at.before
        return steps[::-1]


def way(output: Node, leaf: Node) -> list[Node]:
    """Everything on a path from ``output`` back to ``leaf``, each before its inputs; without ``leaf``."""
    dependent, found = {leaf}, []
    for node in in_order([output]):
        if node is not leaf and not dependent.isdisjoint(node.inputs):
            dependent.add(node)
            found.append(node)
    return found[::-1]


def count_paths(output: Node, leaf: Node, between: Sequence[Node]) -> int:
    """How many paths there are; ``between`` is the way.

    >>> from autodiff import Value
    >>> a = y = Value(1.0)
    >>> for _ in range(100):
    ...     y = y * y
    >>> count_paths(y, a, way(y, a)) == 2**100
    True
    """
    counts = dict.fromkeys([leaf, *between], 0)
    counts[output] = 1
    for node in between:
        here = counts.pop(node)  # of 2**100000 paths, not every node can keep its count
        for x in node.inputs:
            if x in counts:
                counts[x] += here
    return counts.get(leaf, 0)


def best_traces(output: Node, leaf: Node, between: Sequence[Node], k: int) -> list[Trace]:
    """The ``k`` paths of the largest products, largest first: NaN, then inf, by magnitude, then 0."""
    arrived: dict[Node, list[Trace]] = {output: [Trace(Scaled.of(plain(output.one())), None, 0, None, None)]}
    wanted = {leaf, output, *between}
    with np.errstate(all="ignore"):
        for node in between:
            traces = _best(arrived.pop(node), k)
            for position, (x, local) in enumerate(edges(node, node.one())):
                if x in wanted:
                    here = arrived.setdefault(x, [])
                    here += _onward(traces, node, position, plain(local))
                    if len(here) > _CROWD * k:
                        arrived[x] = _best(here, k)
    return _best_of_each_kind(arrived.get(leaf, []), k)[:k]


def _onward(traces: Iterable[Trace], node: Node, position: int, local: Any) -> list[Trace]:
    """All paths to ``node``, one step longer."""
    assert node.op is not None
    factor = Scaled.of(local)
    if node.op.selects and local == 0:  # "not read": the engine lets nothing through here, not even inf or NaN
        return [Trace(factor, node, position, local, trace) for trace in traces]
    return [Trace(trace.product * factor, node, position, local, trace) for trace in traces]


_NAN, _INFINITE, _ORDINARY, _ZERO = range(4)


def _best(traces: list[Trace], k: int) -> list[Trace]:
    return traces if len(traces) <= k else _best_of_each_kind(traces, k)


def _best_of_each_kind(traces: Iterable[Trace], k: int) -> list[Trace]:
    """The ``k`` largest of each kind: a later factor of 0 or inf makes other kinds of them, and may turn the order."""
    kinds: list[list[Trace]] = [[], [], [], []]
    for trace in traces:
        kinds[_kind(trace.product)].append(trace)
    kinds[_ORDINARY].sort(key=lambda trace: trace.product.rank, reverse=True)
    return [trace for kind in kinds for trace in kind[:k]]


def _kind(product: Scaled) -> int:
    size = product.mantissa
    if size != size:
        return _NAN
    return _ORDINARY if _is_ordinary(size) else _ZERO if size == 0 else _INFINITE


def _is_ordinary(mantissa: Any) -> bool:
    return bool(mantissa - mantissa == 0 and mantissa != 0)  # inf - inf is NaN


def _normal(x: Any) -> tuple[Any, int]:
    """Mantissa and exponent: the magnitude of the mantissa is from 0.5 to 1. Fractions hold anything as they are."""
    if isinstance(x, Fraction) or not _is_ordinary(x):
        return x, 0
    if not isinstance(x, complex):
        return math.frexp(x)
    first = max(math.frexp(x.real)[1], math.frexp(x.imag)[1])  # before abs: that could overflow
    x = complex(math.ldexp(x.real, -first), math.ldexp(x.imag, -first))
    second = math.frexp(abs(x))[1]
    return complex(math.ldexp(x.real, -second), math.ldexp(x.imag, -second)), first + second


def _float(mantissa: float, exponent: int) -> float:
    try:
        return math.ldexp(mantissa, exponent)
    except OverflowError:
        return math.copysign(math.inf, mantissa)


def product_of(factors: Sequence[Any]) -> Scaled:
    """The product of local derivatives, however many."""
    product = Scaled.of(factors[0])
    for factor in factors[1:]:
        product = product * Scaled.of(factor)
    return product
