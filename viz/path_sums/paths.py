"""``paths``: a gradient as what it is, a sum over all paths, and the paths that weigh most.

Nothing is enumerated. Paths are counted, and the largest products found, in one walk from the output back to the
leaf in which every node keeps a count and its ``k`` best.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from autodiff import Node, gradients
from autodiff.errors import describe, no_gradient
from autodiff.explanation import names_of
from viz.drawing.format import counted, number, plain
from viz.drawing.style import Theme
from viz.drawing.text import clean
from viz.layouts.builtin import Direction
from viz.layouts.placing import Engine
from viz.path_sums.best import Trace, best_traces, count_paths, way
from viz.path_sums.words import ENDS, amount_of, percent, share_of, shortened
from viz.story import bracketed

if TYPE_CHECKING:
    from viz.picture import Picture

_LONGEST_NAME = 24


@dataclass(frozen=True, repr=False)
class Path:
    """One path from the output back to the leaf, and what it contributes.

    Attributes:
        nodes: the nodes on it, the output first and the leaf last.
        positions: for each step, which input of the node it goes back to.
        factors: for each step, the local derivative, as the engine has it.
        product: of all factors, from the output on; a float that is too large or too small for a float is inf or 0.
        log10: of the magnitude of the product, also where ``product`` had to become inf or 0.
        share: product / gradient, or None where that says nothing: the gradient is 0, inf or NaN.
        names: what the nodes are called.
    """

    nodes: tuple[Node, ...] = field(compare=False)
    positions: tuple[int, ...]
    factors: tuple[Any, ...]
    product: Any
    log10: float
    share: Any
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.factors)

    def __str__(self) -> str:
        return f"{self.route}:  {self.arithmetic}"

    def __repr__(self) -> str:
        return f"<Path of {len(self)} steps, product {self.amount}>"

    @property
    def route(self) -> str:
        """The nodes by name, as a backward pass meets them; of two equal arrows, which one."""
        stops = shortened(range(len(self.nodes)), None)
        return " ← ".join("…" if k is None else self._stop(k) for k in stops)

    def _stop(self, k: int) -> str:
        if not k:
            return self.names[0]
        node, position = self.nodes[k - 1], self.positions[k - 1]
        twice = sum(x is self.nodes[k] for x in node.inputs) > 1
        return f"{self.names[k]} (input {position + 1})" if twice else self.names[k]

    @property
    def arithmetic(self) -> str:
        """The factors and their product."""
        if not self.factors:
            return f"{self.amount} (the output itself)"
        if len(self.factors) == 1:
            return self.amount
        return f"{' × '.join(self.shown_factors)} = {self.amount}"

    @property
    def shown_factors(self) -> list[str]:
        """The factors to read; of a long path, those at its ends."""
        shown = shortened(self.factors, None)
        return [f"({len(self) - 2 * ENDS} more)" if f is None else bracketed(number(f)) for f in shown]

    @property
    def amount(self) -> str:
        """The product, in digits that no float can hold if need be."""
        return amount_of(self.product, self.log10)


@dataclass(frozen=True, repr=False, eq=False)
class Paths:
    """A gradient as a sum over paths. Loop over it for the largest ones; ``print`` lists them, a notebook draws them.

    Attributes:
        output, leaf: the two ends.
        gradient: d output / d leaf, from the engine.
        count: how many paths there are, exactly.
        shown: the largest, largest magnitude first.
        rest: what all others add up to: ``gradient`` minus the products shown.
    """

    output: Node
    leaf: Node
    gradient: Any
    count: int
    shown: tuple[Path, ...]
    rest: Any

    def __len__(self) -> int:
        return len(self.shown)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Path, ...]: ...
    def __getitem__(self, index: int | slice) -> Path | tuple[Path, ...]:
        return self.shown[index]

    def __iter__(self) -> Iterator[Path]:
        return iter(self.shown)

    def __repr__(self) -> str:
        return f"<Paths: {len(self)} of {counted(self.count, 'path')}, gradient {number(self.gradient)}>"

    def __str__(self) -> str:
        return "\n".join([self.headline, *self.lines()])

    @property
    def headline(self) -> str:
        """The gradient, and over how many paths it comes."""
        output, leaf = self.ends
        if not self.count:
            return f"∂{output}/∂{leaf} = {number(self.gradient)}: no path leads from {output} back to {leaf}"
        over = f"the sum over {counted(self.count, 'path')}" if self.count > 1 else "along the only path"
        return f"∂{output}/∂{leaf} = {number(self.gradient)}, {over}"

    @property
    def ends(self) -> tuple[str, str]:
        """What output and leaf are called."""
        if self.shown:
            return self.shown[0].names[0], self.shown[0].names[-1]
        return clean(self.output.label or "output", _LONGEST_NAME), clean(self.leaf.label or "leaf", _LONGEST_NAME)

    def lines(self) -> list[str]:
        """Every path shown on a line of its own, and then the rest."""
        rows = [(f"{rank}.", path.amount, percent(path.share), str(path)) for rank, path in enumerate(self, 1)]
        if self.others:
            rows.append(("", number(self.rest), percent(share_of(self.rest, self.gradient)), self.others))
        wide = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
        return [f"{a:>{wide[0]}}  {b:>{wide[1]}}  {c:>{wide[2]}}   {told}" for a, b, c, told in rows]

    @property
    def others(self) -> str:
        """How many paths are not shown, in words; "" if all are."""
        others = self.count - len(self)
        return counted(others, "other path") + (" together" if others > 1 else "") if others else ""

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row per path, for a data frame: rank, product, log10, share, length, path, factors."""
        return [
            {
                "rank": i,
                "product": path.product,
                "log10": path.log10,
                "share": path.share,
                "length": len(path),
                "path": path.names,
                "factors": path.factors,
            }
            for i, path in enumerate(self, 1)
        ]

    def draw(
        self,
        *,
        layout: Engine = "auto",
        direction: Direction | Literal["auto"] = "auto",
        theme: Theme = "auto",
        title: str | None = None,
    ) -> Picture:
        """The graph with these paths on top, and a legend; options as for :func:`viz.draw`.

        A small graph is drawn whole. Of a large one the paths alone are drawn, and long stretches where they
        meet nothing else are one box. Gradients in the boxes are those of ``output``.
        """
        from viz.path_sums.picture import picture_of  # which knows this module

        return picture_of(self, layout=layout, direction=direction, theme=theme, title=title)

    @cached_property
    def picture(self) -> Picture:
        """:meth:`draw`, as it comes."""
        return self.draw()

    def _repr_svg_(self) -> str:
        return self.picture.svg

    def save(self, path: str | os.PathLike[str]) -> FilePath:
        """Save the picture; see :meth:`viz.Picture.save` for the formats."""
        return self.picture.save(path)


def paths(output: Node, leaf: Node, k: int = 5) -> Paths:
    """The gradient d output / d leaf as a sum over paths, with the ``k`` paths of the largest magnitude.

    By the chain rule the gradient is a sum: over every path from the output back to the leaf, of the product of the
    local derivatives on its way. Both arrows of ``a * a`` are paths of their own. All paths are counted, however
    many; the largest are found exactly, by dynamic programming: each node keeps its ``k`` best. Products of
    thousands of factors, too large or too small for a float, are told apart all the same. No ``.grad`` is touched.

    Products are taken from the output on, as a backward pass does. A path whose product is NaN comes first, as it
    decides the sum, then infinite ones; those of product 0 come last.

    Args:
        output: one number.
        leaf: the number to differentiate by: a leaf or a computed one.
        k: how many paths are shown.

    Source: Bauer 1974, "Computational graphs and rounding error", SIAM J. Numer. Anal. 11 (the gradient as a sum
    over paths); Hoffman, Pavley 1959, "A method for the solution of the Nth best path problem", J. ACM 6.

    Raises:
        TypeError: an end is no node, ``k`` no whole number, or something on the way holds more than one number: a
            step between arrays has no single local derivative.
        ValueError: ``k`` is below 1, or a hook on the way may replace the gradient.
        GraphError: no gradient flows to one of the ends, or a leaf was changed after it was used.

    >>> from autodiff import Value
    >>> import viz
    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> y = a * b + a
    >>> y.label = "y"
    >>> print(viz.paths(y, a))
    ∂y/∂a = −2.0, the sum over 2 paths
    1.  −3.0  150 %   y ← v1 ← a:  1.0 × (−3.0) = −3.0
    2.   1.0  −50 %   y ← a:  1.0
    """
    between = _checked(output, leaf, k)
    gradient = plain(gradients(output, [leaf])[0])
    traces = best_traces(output, leaf, between, k)
    count = count_paths(output, leaf, between)
    names = names_of(output) if traces else {}
    known: dict[Node, str] = {}
    shown = tuple([_path(trace, output, gradient, names, known) for trace in traces])
    rest = _less(gradient, [path.product for path in shown]) if len(shown) < count else 0 * gradient
    return Paths(output, leaf, gradient, count, shown, rest)


def _checked(output: Any, leaf: Any, k: Any) -> list[Node]:
    """The way from output to leaf, where all is such that there are paths of single numbers."""
    for what, x in (("output", output), ("leaf", leaf)):
        if not isinstance(x, Node):
            raise TypeError(f"paths takes two Values, such as paths(loss, w), and the {what} is {describe(x)}")
    if isinstance(k, bool) or not isinstance(k, int):
        raise TypeError(f"k is how many paths are shown, a whole number such as 5, not {describe(k)}")
    if k < 1:
        raise ValueError(f"k is how many paths are shown, at least 1, not {k}")
    if not leaf.requires_grad:
        raise no_gradient(leaf)
    between = way(output, leaf)
    for node in [leaf, output, *between]:
        if np.size(node.data) != 1:
            raise TypeError(
                f"a path goes from number to number, and {clean(node.name(), _LONGEST_NAME)} has shape"
                f" {np.shape(node.data)}: a step between arrays has no single local derivative. Compute it with"
                " Values to see its paths; viz.gradient_flow shows the gradients of arrays over time, explain each step"
            )
        if (node._notes or {}).get("hooks"):
            raise ValueError(
                f"{clean(node.name(), _LONGEST_NAME)} has a hook, which may replace the gradient, and then it is no"
                " sum over paths; remove the hook first: register_hook returns the function that does"
            )
    return between


def _path(trace: Trace, output: Node, gradient: Any, names: dict[Node, str], known: dict[Node, str]) -> Path:
    """A path as the user sees it; ``known`` keeps names that can be shown, as paths share most of their nodes."""
    steps = trace.steps
    nodes = (output, *(node.inputs[position] for node, position, _ in steps))
    for node in nodes:
        if node not in known:
            known[node] = clean(names[node], _LONGEST_NAME)
    product = trace.product.value
    return Path(
        nodes=nodes,
        positions=tuple([position for _, position, _ in steps]),
        factors=tuple([factor for _, _, factor in steps]),
        product=product,
        log10=trace.product.log10,
        share=share_of(product, gradient),
        names=tuple([known[node] for node in nodes]),
    )


def _less(gradient: Any, products: Sequence[Any]) -> Any:
    """What is left of the gradient; floats are rounded once, at the end."""
    terms = [gradient, *(-product for product in products)]
    if all(isinstance(term, float) and math.isfinite(term) for term in terms):
        return math.fsum(terms)
    return sum(terms)
