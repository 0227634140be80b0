"""A forward and a backward pass as a reader walks them: step by step, each changing what a few boxes show.

The numbers are the engine's: its stream of contributions, told box by box. In a drawing of single numbers that is
the engine's own order, newest node first; a box that stands for many nodes takes its turn as a whole.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from autodiff import Node
from autodiff.backprop import newest_first, sweep
from autodiff.chain import edges, seed_of
from autodiff.explanation import BackwardStep, ForwardStep, backward_step, forward_step, names_of
from autodiff.formula import number_text
from autodiff.hooks import hooked
from viz.drawing.format import MINUS, counted, number
from viz.views.model import Box
from viz.views.view import View

Kind = Literal["forward", "seed", "backward", "update", "restart"]
Row = tuple[str, str, str]
"""What it is, what may be seen at once, and what gives away the number that a reader could predict."""

_SHORT = 6  # entries of an array that is written out

See = Callable[..., View]
"""How a graph is viewed: ``see(output)``, or ``see(output, gradient_of=...)`` with gradients of its own."""

NOTHING: Any = object()
"""Stands for a number that a step leaves as it is."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one box shows from a step on: its number, its gradient so far, and over how many paths that has come.

    A box of many nodes has no number of its own: its change holds the whole box as it is when all is computed. A
    gradient is ``wrong`` where a broken backward pass has made it.
    """

    box: int
    data: Any = NOTHING
    gradient: Any = NOTHING
    arrived: int = 0
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        kind: a number is computed ("forward"), the backward pass begins ("seed"), a gradient goes back over one
            arrow ("backward"), a parameter moves ("update"), or the next round begins ("restart").
        turn: steps of one turn belong together when one walks node by node.
        box: the box it is about.
        arrows: the indices of the arrows it goes over.
        sentence: what happens, in words.
        rows: the arithmetic.
        changes: what boxes show from now on.
        asks: what a reader may be asked to predict, or "".
        told: what the engine or the optimizer says of it (ForwardStep, BackwardStep, Update), where it is one
            operation, one arrow or one parameter.
    """

    kind: Kind
    turn: int
    box: int
    arrows: tuple[int, ...]
    sentence: str
    rows: tuple[Row, ...] = ()
    changes: tuple[Change, ...] = ()
    asks: str = ""
    told: Any = None


@dataclass(frozen=True, slots=True)
class Story:
    """All that happens in one forward and backward pass.

    Attributes:
        output: the node that was differentiated.
        view: the boxes and arrows that the steps speak of.
        names: what each node is called, as ``explain`` calls it.
        alone: the boxes that are one node.
        paths: for every box, how many contributions its gradient is the sum of.
        gradients: the final gradient of every node.
        finished: the boxes of many nodes as they are when all is computed.
        steps: what happens, in order.
    """

    output: Node
    view: View
    names: Mapping[Node, str]
    alone: Mapping[int, Node]
    paths: Mapping[int, int]
    gradients: Mapping[Node, Any]
    finished: Sequence[Box]
    steps: tuple[Step, ...]


def story_of(output: Node, see: See) -> Story:
    """Forward and backward pass of ``output``, told for the boxes in which ``see`` shows it; no ``.grad`` is touched.

    >>> from autodiff import Value
    >>> from viz.views.view import scalar_view
    >>> a = Value(3.0, label="a")
    >>> y = a * a
    >>> for step in story_of(y, lambda output: scalar_view([output])).steps:
    ...     print(step.sentence)
    v1 is computed from a.
    The backward pass begins at v1: if v1 grows by a little, v1 grows by just as much.
    Back from v1 to a, use 1 of 2: more is still to come, so ∇a is not final.
    Back from v1 to a, use 2 of 2: all have arrived, ∇a is complete.

    Raises:
        GraphError: as ``backward``: no gradient flows, or the output holds several numbers.
    """
    view, order = see(output), newest_first(output)
    adjoints: dict[Node, Any] = {output: seed_of(output, None)}
    with np.errstate(all="ignore"):
        for _ in sweep(order, adjoints):
            pass
        final = adjoints | {x: hooked(x, gradient) for x, gradient in adjoints.items() if x.op is None}
        teller = _Teller(output, view, _finished(output, see, view, final), order, adjoints, final)
        steps = tuple(teller.tell())
    return Story(output, view, teller.names, teller.alone, teller.paths, final, teller.finished, steps)


class _Teller:
    """Walks the boxes forward and backward, and keeps count of what has arrived where."""

    def __init__(
        self,
        output: Node,
        view: View,
        finished: Sequence[Box],
        order: list[Node],
        adjoints: Mapping[Node, Any],
        final: Mapping[Node, Any],
    ) -> None:
        self.output, self.view, self.finished = output, view, finished
        self.adjoints, self.final = adjoints, final
        self.names = names_of(output, order)
        members: list[list[Node]] = [[] for _ in view.graph.boxes]
        for node in view.nodes:
            members[view.box_of[node]].append(node)
        self.alone = {k: nodes[0] for k, nodes in enumerate(members) if view.graph.boxes[k].group is None}
        self.computed: list[list[Node]] = [[] for _ in members]  # of each box, newest first
        self.paths: dict[int, int] = {}
        for node in order:
            self.computed[view.box_of[node]].append(node)
            for x in node.inputs:
                if x.requires_grad:
                    self.paths[view.box_of[x]] = self.paths.get(view.box_of[x], 0) + 1
        self.totals: dict[Node, Any] = {}
        self.arrived: dict[int, int] = {}

    def tell(self) -> Iterator[Step]:
        boxes = newest_boxes_first(self.view, self.computed)
        turn = later = 0
        for turn, box in enumerate(reversed(boxes)):
            yield self.forward(box, turn)
        yield self.start(turn + 1)
        for later, box in enumerate(boxes, turn + 2):
            if box in self.alone:
                yield from self.changed_by_hook(box, later, self.adjoints[self.alone[box]])
                yield from self.backward(box, later)
            else:
                yield self.backward_at_once(box, later)
        for box, node in self.alone.items():
            if node in self.final and node.op is None:
                later += 1
                yield from self.changed_by_hook(box, later, self.final[node])

    def changed_by_hook(self, box: int, turn: int, gradient: Any) -> Iterator[Step]:
        """A hook has the last word on the gradient of a node: if it is another one now, that is a step."""
        node = self.alone[box]
        total = self.totals.get(node)
        if total is None or gradient is total or np.array_equal(total, gradient, equal_nan=_is_inexact(total)):
            return
        name = self.names[node]
        sentence = f"A hook of {name} changes its gradient."
        rows = (("hook", f"∇{name}: {shown(total)}", f" becomes {shown(gradient)}"),)
        changes = (Change(box, gradient=gradient, arrived=self.arrived.get(box, 0)),)
        yield Step("backward", turn, box, (), sentence, rows, changes)

    def forward(self, box: int, turn: int) -> Step:
        if box not in self.alone:
            into = tuple(k for k, edge in enumerate(self.view.graph.edges) if edge.target == box != edge.source)
            count = len(self.computed[box])
            sentence = f"{self.name_of(box)}: {counted(count, 'operation')}, all computed in this step."
            return Step("forward", turn, box, into, sentence, (), (Change(box, data=self.finished[box]),))
        node = self.alone[box]
        told = forward_step(node, self.names)
        asks = f"What is {told.name}?" if is_predictable(node.data) else ""
        used = _listed(list(dict.fromkeys(self.names[x] for x in node.inputs)))
        return Step(
            kind="forward",
            turn=turn,
            box=box,
            arrows=self.arrows_into(node),
            sentence=f"{told.name} is computed from {used}.",
            rows=forward_rows(told),
            changes=(Change(box, data=node.data),),
            asks=asks,
            told=told,
        )

    def start(self, turn: int) -> Step:
        box, name, gradient = self.view.box_of[self.output], self.names[self.output], self.adjoints[self.output]
        sentence = f"The backward pass begins at {name}: if {name} grows by a little, {name} grows by just as much."
        rows = (("start", f"∂{name}/∂{name}", f" = {shown(gradient)}"),)
        changes = (Change(box, gradient=gradient),) if box in self.alone else ()
        return Step("seed", turn, box, (), sentence, rows, changes)

    def backward(self, box: int, turn: int) -> Iterator[Step]:
        """One step for every arrow into the one node of a box."""
        node = self.alone[box]
        for k, (x, flow) in enumerate(edges(node, self.adjoints[node])):
            if flow is None:
                continue
            before = self.totals.get(x)
            change = self.receive(x, flow)
            to = self.view.box_of[x]
            path, paths = (change.arrived, self.paths[to]) if to in self.alone else (1, 1)
            told = backward_step(node, k, self.adjoints[node], flow, before, self.totals[x], path, paths, self.names)
            arrow = self.view.edge_of[node, k]
            assert arrow is not None
            single = to in self.alone
            yield backward_told(told, turn, to, (arrow,), (change,) if single else self.completed([to]), single)

    def backward_at_once(self, box: int, turn: int) -> Step:
        """All arrows into the nodes of a box that stands for many."""
        arrows: dict[int, None] = {}
        changed: dict[int, Change] = {}
        touched: dict[int, None] = {box: None}
        for node in self.computed[box]:
            for k, (x, flow) in enumerate(edges(node, self.adjoints[node])):
                if flow is None:
                    continue
                change = self.receive(x, flow)
                touched[change.box] = None
                if change.box in self.alone:
                    changed[change.box] = change
                arrow = self.view.edge_of[node, k]
                if arrow is not None:
                    arrows[arrow] = None
        changes = (*changed.values(), *self.completed(touched))
        count = len(self.computed[box])
        sentence = f"Back through {self.name_of(box)}: {counted(count, 'operation')}, all in this step."
        return Step("backward", turn, box, tuple(sorted(arrows)), sentence, (), changes)

    def receive(self, x: Node, flow: Any) -> Change:
        box = self.view.box_of[x]
        self.totals[x] = self.totals[x] + flow if x in self.totals else flow
        self.arrived[box] = self.arrived.get(box, 0) + 1
        return Change(box, gradient=self.totals[x], arrived=self.arrived[box])

    def completed(self, boxes: Iterable[int]) -> tuple[Change, ...]:
        """Boxes of many nodes to which everything has come: only then their gradients are shown."""
        done = [box for box in boxes if box not in self.alone and self.arrived.get(box) == self.paths.get(box)]
        return tuple(Change(box, gradient=self.finished[box], arrived=self.arrived[box]) for box in done)

    def arrows_into(self, node: Node) -> tuple[int, ...]:
        found = [self.view.edge_of[node, k] for k in range(len(node.inputs))]
        return tuple(dict.fromkeys(k for k in found if k is not None))

    def name_of(self, box: int) -> str:
        return self.view.graph.boxes[box].name or "a group"


def _finished(output: Node, see: See, view: View, gradients: Mapping[Node, Any]) -> Sequence[Box]:
    """The boxes when all is computed: those of many nodes are seen anew, with the gradients of this story."""
    if not any(box.group for box in view.graph.boxes):
        return view.graph.boxes
    return see(output, gradient_of=gradients.get).graph.boxes


def newest_boxes_first(view: View, computed: list[list[Node]]) -> list[int]:
    """The boxes with operations in them, each after all that use it, and among those that could be next the newest."""
    waiting_for = [0] * len(computed)
    sources: list[list[int]] = [[] for _ in computed]
    for edge in view.graph.edges:
        if edge.source != edge.target:  # a box of repeated steps feeds itself
            waiting_for[edge.source] += 1
            sources[edge.target].append(edge.source)
    newest = [nodes[0].clock if nodes else 0 for nodes in computed]
    ready = [(-newest[box], box) for box, count in enumerate(waiting_for) if not count]
    heapq.heapify(ready)
    order = []
    while ready:
        _, box = heapq.heappop(ready)
        if computed[box]:
            order.append(box)
        for source in sources[box]:
            waiting_for[source] -= 1
            if not waiting_for[source]:
                heapq.heappush(ready, (-newest[source], source))
    return order


def backward_told(
    told: BackwardStep, turn: int, box: int, arrows: tuple[int, ...], changes: tuple[Change, ...], asking: bool = True
) -> Step:
    """The step of one arrow, in words and numbers."""
    name, to = told.name, told.input_name
    if told.paths == 1:
        ending = f", its only use, so ∇{to} is complete."
    elif told.path < told.paths:
        ending = f", use {told.path} of {told.paths}: more is still to come, so ∇{to} is not final."
    else:
        ending = f", use {told.path} of {told.paths}: all have arrived, ∇{to} is complete."
    asks = f"What is ∇{to} after this step?" if asking and is_predictable(told.total) else ""
    sentence = f"Back from {name} to {to}{ending}"
    return Step("backward", turn, box, arrows, sentence, backward_rows(told), changes, asks, told)


def forward_rows(told: ForwardStep) -> tuple[Row, ...]:
    """The arithmetic of one operation."""
    operation, result = f"{told.name} = {told.formula}", shown(told.result)
    if _is_long(told.result, *(x.data for x in told.node.inputs)):
        return (("operation", operation, ""), ("result", "", result))
    return (("operation", operation, ""), ("numbers", told.numbers.replace("-", MINUS), f" = {result}"))


def backward_rows(told: BackwardStep) -> tuple[Row, ...]:
    """The arithmetic of one arrow: the local rule, upstream times local, and the running sum."""
    name, to, flow = told.name, told.input_name, shown(told.contribution)
    if told.local is None:
        rows: list[Row] = [("contribution", told.formula, f" = {flow}")]
    else:
        chain = [shown(told.local)]
        is_long = _is_long(told.local, told.node.data, *(x.data for x in told.node.inputs))
        if not is_long and told.numbers not in (told.formula, number_text(told.local)):
            chain.insert(0, told.numbers.replace("-", MINUS))
        result = "".join(f" = {text}" for text in chain if text != told.formula)
        rows = [("local derivative", f"∂{name}/∂{to} = {told.formula}", result)]
        product = f"{leading(shown(told.upstream))} × {bracketed(shown(told.local))} = {flow}"
        rows.append(("upstream × local", "", product))
    before = "" if told.before is None else f"{leading(shown(told.before))} + {bracketed(flow)} = "
    rows.append(("running sum", "", f"∇{to} = {before}{shown(told.total)}"))
    return tuple(rows)


def shown(x: Any) -> str:
    """A number to four digits; a short array whole, and of a long one its shape and range.

    >>> shown(1 / 3), shown(np.array([1.0, -2.0]))
    ('0.3333', '[ 1., −2.]')
    >>> shown(np.linspace(-1, 1, 12).reshape(3, 4))
    '(3 × 4 numbers, −1.0 … 1.0)'
    """
    if np.size(x) == 1:
        return number(x)
    if not _is_long(x) or np.asarray(x).dtype.kind not in "biuf":
        return number_text(x).replace("-", MINUS)
    low, high = number(np.min(x)), number(np.max(x))
    span = low if low == high else f"{low} … {high}"
    return f"({' × '.join(map(str, np.shape(x)))} numbers, {span})"


def _is_long(*arrays: Any) -> bool:
    """Whether one of them would fill a line."""
    return any(np.size(x) > _SHORT for x in arrays)


def bracketed(text: str) -> str:
    """A negative or complex number as a factor or a summand."""
    return f"({text})" if text.startswith(MINUS) or "j" in text else text


def leading(text: str) -> str:
    """A number as the first factor or summand: only a complex one wants brackets there."""
    return f"({text})" if "j" in text else text


def is_predictable(x: Any) -> bool:
    """Whether a reader can type it: one real number that is finite."""
    if np.ndim(x) or isinstance(x, complex | np.complexfloating):
        return False
    try:
        return math.isfinite(x)
    except OverflowError:  # a fraction beyond floats
        return False


def _is_inexact(x: Any) -> bool:
    return np.asarray(x).dtype.kind in "fc"


def _listed(names: list[str]) -> str:
    if len(names) > 6:
        names = [*names[:5], f"{len(names) - 5} more"]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
