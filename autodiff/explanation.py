"""Forward and backward pass as data, as text and as LaTeX.

The numbers are those of the engine: the backward steps are read off the stream that ``backward`` drains.
The formula of a local derivative is not stored anywhere: it is what the rule of the row builds when it is
fed nodes that have names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autodiff.backprop import newest_first, sweep
from autodiff.chain import edges, local_derivative, seed_of
from autodiff.context import enable_grad
from autodiff.errors import describe
from autodiff.formula import LATEX, TEXT, Style, level_of, name_latex, name_text, number_latex, number_text, write
from autodiff.graph import Node
from autodiff.hooks import hooked
from autodiff.primitives.row import Primitive
from autodiff.value import Value


@dataclass(frozen=True, slots=True)
class ForwardStep:
    """One operation: ``name = formula = numbers = result``."""

    node: Node
    name: str
    formula: str
    numbers: str
    result: Any
    latex: str

    def __str__(self) -> str:
        return f"{self.name} = {' = '.join(dict.fromkeys([self.formula, self.numbers, number_text(self.result)]))}"


@dataclass(frozen=True, slots=True)
class BackwardStep:
    """What flows back over one edge, from ``node`` to its input number ``position``.

    Attributes:
        node, input, position: the edge.
        name, input_name: what the text calls its two ends.
        upstream: the whole gradient that has arrived at ``node``.
        formula, numbers: the local derivative (for operations on whole arrays: the contribution, as a
            function of the upstream gradient ∇) as a formula, and with numbers put in.
        local: the local derivative as a number or array; None for operations on whole arrays.
        contribution: what this edge adds to the gradient of ``input``.
        before, total: the gradient of ``input`` without and with this contribution; before the first, None.
        path, paths: this is contribution number ``path`` of ``paths`` to the gradient of ``input``.
        latex: the step as one line of LaTeX.
    """

    node: Node
    input: Node
    position: int
    name: str
    input_name: str
    upstream: Any
    formula: str
    numbers: str
    local: Any
    contribution: Any
    before: Any
    total: Any
    path: int
    paths: int
    latex: str

    def __str__(self) -> str:
        flow = number_text(self.contribution)
        if self.local is None:
            rule = f"∇{self.input_name} from ∇{self.name}: {self.formula} = {flow}"
        else:
            local = number_text(self.local)
            chain = " = ".join(dict.fromkeys([self.formula, self.numbers, local]))
            upstream = number_text(self.upstream)
            rule = f"∂{self.name}/∂{self.input_name} = {chain};  {upstream} × {_bracketed(local)} = {flow}"
        if self.paths == 1 and self.before is None:
            return f"{rule};  ∇{self.input_name} = {number_text(self.total)}"
        before = "" if self.before is None else f"{number_text(self.before)} + {_bracketed(flow)} = "
        total = f"∇{self.input_name} = {before}{number_text(self.total)}"
        return f"{rule};  {total}" + (f" (use {self.path} of {self.paths})" if self.paths > 1 else "")


@dataclass(frozen=True, slots=True)
class Explanation:
    """The steps of a forward and a backward pass; ``print`` shows them, ``to_latex`` sets them.

    Attributes:
        output: the node that was differentiated.
        forward: one step per operation, oldest first.
        backward: one step per edge, in the order in which the engine walks them.
        names: what the text calls each node.
        adjoints: the final gradient of each node.
    """

    output: Node
    forward: list[ForwardStep]
    backward: list[BackwardStep]
    names: dict[Node, str]
    adjoints: dict[Node, Any]

    def __str__(self) -> str:
        name = self.names[self.output]
        width = len(str(max(len(self.forward), len(self.backward))))
        lines = ["Forward: each number is computed from the ones before it. (Four digits are shown, all are computed"]
        lines += ["with, so a last digit may differ from yours.)"]
        lines += [f"  {i:>{width}}. {step}" for i, step in enumerate(self.forward, 1)]
        start = number_text(self.adjoints[self.output])
        lines += ["", f"Backward: ∂{name}/∂{name} = {start}; then, from the newest node to the oldest,"]
        lines += ["each passes back to its inputs: its own gradient ∇ (upstream) × how much it changes with that input"]
        lines += [f"(local derivative). What arrives from several uses adds up. ∇v is short for ∂{name}/∂v."]
        lines += [f"  {i:>{width}}. {step}" for i, step in enumerate(self.backward, 1)]
        lines += ["", "Gradients of the leaves:"]
        lines += [f"  ∇{self.names[x]} = {number_text(g)}" for x, g in self._leaves()]
        return "\n".join(lines)

    def to_latex(self) -> str:
        """All steps as one ``aligned`` environment, for a notebook or a paper."""
        start = rf"\nabla {name_latex(self.names[self.output])} &= {number_latex(self.adjoints[self.output])}"
        rows = [step.latex for step in self.forward] + [start] + [step.latex for step in self.backward]
        rows += [rf"\nabla {name_latex(self.names[x])} &= {number_latex(g)}" for x, g in self._leaves()]
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def _leaves(self) -> Iterator[tuple[Node, Any]]:
        return ((x, g) for x, g in sorted(self.adjoints.items(), key=lambda item: item[0].clock) if x.op is None)


def explain(output: Node, seed: Any = None) -> Explanation:
    """The forward and backward pass of ``output``, step by step; no ``.grad`` is touched.

    Nodes are called by their labels. Without one, results are called v1, v2, ... in the order in which they
    were computed, leaves x1, x2, ..., and constants by their number.

    >>> from autodiff import Value, explain
    >>> a, b = Value(2.0, label="a"), Value(3.0, label="b")
    >>> steps = explain(a * b + a)
    >>> print(steps.backward[-1])
    ∂v1/∂b = a = 2;  1 × 2 = 2;  ∇b = 2
    >>> [(step.input_name, step.path, step.paths) for step in steps.backward]
    [('v1', 1, 1), ('a', 1, 2), ('a', 2, 2), ('b', 1, 1)]

    Raises:
        GraphError: as ``backward``: no gradient flows, or several outputs and no seed.
    """
    if not isinstance(output, Node):
        raise TypeError(f"explain takes a Value or a Tensor that was computed, and was given {describe(output)}")
    order = newest_first(output)
    names = names_of(output, order)
    paths: dict[Node, int] = {}
    for node in order:
        for x in node.inputs:
            paths[x] = paths.get(x, 0) + x.requires_grad
    adjoints = {output: seed_of(output, seed)}
    steps: list[BackwardStep] = []
    totals: dict[Node, Any] = {}
    arrived: dict[Node, int] = {}
    with np.errstate(all="ignore"):
        for node in sweep(order, adjoints):
            for k, (x, contribution) in enumerate(edges(node, adjoints[node])):
                if contribution is not None:
                    before = totals.get(x)
                    totals[x] = contribution if before is None else before + contribution
                    arrived[x] = arrived.get(x, 0) + 1
                    steps.append(
                        backward_step(
                            node, k, adjoints[node], contribution, before, totals[x], arrived[x], paths[x], names
                        )
                    )
        forward = [forward_step(node, names) for node in reversed(order)]
        adjoints |= {x: hooked(x, gradient) for x, gradient in adjoints.items() if x.op is None}
    return Explanation(output, forward, steps, names, adjoints)


def names_of(output: Node, order: Sequence[Node] | None = None) -> dict[Node, str]:
    """What :func:`explain` calls every node that ``output`` was made from.

    Its label (made unique), a number for a constant, else v1, v2, ... for results and x1, x2, ... for leaves.

    Args:
        output: the node to be explained.
        order: its ``newest_first`` order, for callers that have it.

    >>> from autodiff import Value
    >>> a = Value(2.0, label="a")
    >>> list(names_of(a * a + 1).values())
    ['a', 'v1', '1', 'v2']
    """
    order = newest_first(output) if order is None else order
    names: dict[Node, str] = {}
    used: set[str] = set()
    results = leaves = 0
    for node in [x for made in reversed(order) for x in (*made.inputs, made)] or [output]:
        if node in names:
            continue
        if node.label:
            wanted = name_text(node.label)
        elif node.op is None and not node.requires_grad and np.ndim(node.data) == 0:
            names[node] = number_text(node.data)
            continue
        elif node.op:
            results += 1
            wanted = f"v{results}"
        else:
            leaves += 1
            wanted = f"x{leaves}"
        name, number = wanted, 1
        while name in used:
            number += 1
            name = f"{wanted}#{number}"
        used.add(name)
        names[node] = name
    return names


def forward_step(node: Node, names: Mapping[Node, str]) -> ForwardStep:
    """One operation told: what :func:`explain` says of ``node``, by the names given."""
    assert node.op is not None
    formula = _applied(node, [names[x] for x in node.inputs], TEXT)
    numbers = _applied(node, [number_text(x.data) for x in node.inputs], TEXT)
    latex = _applied(node, [_latex_name(x, names) for x in node.inputs], LATEX)
    latex = f"{name_latex(names[node])} &= {latex} = {number_latex(node.data)}"
    return ForwardStep(node, names[node], formula, numbers, node.data, latex)


def _applied(node: Node, operands: list[str], style: Style) -> str:
    assert node.op is not None
    return style.apply(node.op, [(text, level_of(text)) for text in operands], node.params)[0]


def _latex_name(x: Node, names: Mapping[Node, str]) -> str:
    constant = x.op is None and not x.requires_grad and not x.label
    return number_latex(x.data) if constant else name_latex(names[x])


def backward_step(
    node: Node,
    k: int,
    upstream: Any,
    flow: Any,
    before: Any,
    total: Any,
    path: int,
    paths: int,
    names: Mapping[Node, str],
) -> BackwardStep:
    """One arrow told: ``flow`` goes back from ``node`` to its input number ``k``, and makes ``before`` ``total``."""
    op, x = node.op, node.inputs[k]
    assert op is not None
    local = None
    if op.partials is not None:
        local = local_derivative(op, k, [i._held for i in node.inputs], node._held, node.params)
    expression, standing = _differentiated(node, k, upstream)
    as_text = {s: f"∇{names[node]}" if i is None else names[i] for s, i in standing.items()}
    as_latex = {
        s: rf"\nabla {name_latex(names[node])}" if i is None else _latex_name(i, names) for s, i in standing.items()
    }
    formula = write(expression, as_text)
    numbers = write(expression, {s: number_text(s.data) for s in standing})
    latex_formula = write(expression, as_latex, LATEX)
    me, to = name_latex(names[node]), name_latex(names[x])
    if local is None:
        latex = rf"\nabla {to} &\mathrel{{+}}= {latex_formula}"
    else:
        latex = (
            rf"\nabla {to} &\mathrel{{+}}= \nabla {me} \cdot \frac{{\partial {me}}}{{\partial {to}}}"
            rf" = \nabla {me} \cdot \left({latex_formula}\right) = {number_latex(flow)}"
        )
    return BackwardStep(
        node, x, k, names[node], names[x], upstream, formula, numbers, local, flow, before, total, path, paths, latex
    )


def _differentiated(node: Node, k: int, upstream: Any) -> tuple[Any, dict[Node, Node | None]]:
    """The rule of an edge run on stand-ins: what it built, and which node each stand-in stands for.

    The stand-in of the upstream gradient stands for None.
    """
    op: Any = node.op
    kind: Any = type(node)

    def stand_in(data: Any) -> Any:
        made = kind(data)
        made.requires_grad = True  # integers and conditions too: here they are only names
        return made

    with enable_grad():
        inputs = [stand_in(x._held) for x in node.inputs]
        out = stand_in(node._held)
        standing: dict[Node, Node | None] = {**dict(zip(inputs, node.inputs, strict=True)), out: node}
        params = node.params or {}
        if op.partials is not None:
            return local_derivative(op, k, inputs, out, params), standing
        g = stand_in(upstream)
        standing[g] = None
        if op.variadic:
            return op.rules(k, g, inputs, out, **params), standing
        return op.rules[k](g, *inputs, out, **params), standing


def derivative(op: Primitive, k: int = 0, style: Style = TEXT) -> str:
    """The formula of d op / d input k, read off the rule at an ordinary point of the row's domain.

    >>> from autodiff import multiply, tanh
    >>> derivative(multiply, 0), derivative(tanh)
    ('b', '1 - out * out')
    """
    if op.partials is None:
        raise ValueError(f"{op.name} acts on whole arrays: its rule gives contributions; see explain(node) of a node")
    if op.number is None:
        raise ValueError(f"{op.name} has no form for one number")
    points = [Value(low + 0.63 * (high - low)) for low, high in op.domain]
    given = {**op.defaults, **(op.cases[0][1] if op.cases else {})}
    with enable_grad():
        out = op(*points, **given)
        params = {name: Value(x) if isinstance(x, int | float) else x for name, x in given.items()}
        names = {**dict(zip(points, op.input_names, strict=True)), out: "out"}
        names |= {x: name for name, x in params.items() if isinstance(x, Node)}
        return write(local_derivative(op, k, points, out, params), names, style)


def _bracketed(number: str) -> str:
    return f"({number})" if number.startswith("-") else number
