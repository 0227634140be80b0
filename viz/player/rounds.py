"""Training steps in a row: forward, backward, the optimizer's update, and the next forward pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from autodiff import Node, enable_grad, source_lines
from autodiff.origins import remember
from viz.drawing.format import MINUS
from viz.drawing.text import clean
from viz.story import Change, See, Step, Story, is_predictable, shown, story_of
from viz.views.model import Box, in_order
from viz.views.view import View

Program = Node | Callable[[], Node]


@dataclass(frozen=True, slots=True)
class Play:
    """All rounds: the story of each, and the steps of all in one row."""

    stories: tuple[Story, ...]
    steps: tuple[Step, ...]


def play_of(program: Program, see: See, optimizer: Any = None, rounds: int = 1) -> Play:
    """Play ``rounds`` training steps; with an optimizer, its updates and one more forward pass follow.

    Parameters, their gradients and the optimizer are afterwards as they were before.

    Args:
        program: the node to differentiate, or a function of nothing that computes it.
        see: how the graph of a round is viewed.
        optimizer: has ``parameters``, ``explain(parameter)``, ``step()``, ``state_dict()`` and ``load_state_dict()``.
        rounds: how many steps; more than one needs an optimizer.

    Raises:
        ValueError: the graph of one round differs from that of the first, so that one drawing cannot hold both.
    """
    compute = _computing(program)
    if optimizer is not None:
        _check_optimizer(optimizer)
    with _put_back(optimizer), enable_grad():
        output = compute()
        stories = [story_of(output, see)]
        steps: list[Step] = list(stories[0].steps)
        for k in range(2, rounds + 2 if optimizer is not None else 1):
            steps += _in_turn(steps, _updates(stories[-1], optimizer))
            output = compute()
            story = story_of(output, see)
            _require_same(stories[0].view, story.view, k)
            told = [s for s in story.steps if s.kind == "forward"] if k > rounds else list(story.steps)
            restart = _restart(stories[-1], story, f"Round {k}." if k <= rounds else "What has it brought?")
            steps += _in_turn(steps, [restart, *_with_losses(told, stories[-1])])
            stories.append(story)
    return Play(tuple(stories), tuple(steps))


def _check_optimizer(optimizer: Any) -> None:
    wanted = ("parameters", "explain", "step", "state_dict", "load_state_dict")
    if isinstance(optimizer, type) or not all(hasattr(optimizer, name) for name in wanted):
        raise TypeError(
            "optimizer is an optimizer of nn, such as SGD(model.parameters(), learning_rate=0.1), and not"
            f" {clean(repr(optimizer), 60)}"
        )


def _computing(program: Program) -> Callable[[], Node]:
    """A function that gives the graph of each round: the first of a node is the node itself."""
    if not isinstance(program, Node):

        def run() -> Node:
            with source_lines():
                output = program()
            if not isinstance(output, Node):
                raise TypeError(
                    f"the function must return the Value or Tensor to be differentiated, such as the loss, and"
                    f" returned {type(output).__name__} {clean(repr(output), 40)}"
                )
            return output

        return run
    waiting = [program]
    return lambda: waiting.pop() if waiting else recomputed(program)


def recomputed(output: Node) -> Node:
    """The same graph, computed anew from what its leaves hold now.

    >>> from autodiff import Value
    >>> x = Value(3.0)
    >>> y = x * x
    >>> x.data = 5.0
    >>> recomputed(y).data
    25.0
    """
    again: dict[Node, Node] = {}
    for node in in_order([output]):
        if node.op is None:
            again[node] = node
            continue
        made: Node = type(node).apply(node.op, tuple([again[x] for x in node.inputs]), node.params or {})
        made.label, made.scope = node.label, node.scope
        if node.origin is not None:
            remember(made, node.origin)
        again[node] = made
    return again[output]


@contextmanager
def _put_back(optimizer: Any) -> Iterator[None]:
    """Whatever training moves is put back, clocks included: graphs recorded before are not told of any change."""
    if optimizer is None:
        yield
        return
    state = optimizer.state_dict()
    kept = [(p, p.data, p.grad, p.clock) for p in optimizer.parameters]
    try:
        yield
    finally:
        for p, data, gradient, clock in kept:
            p.data, p.grad, p.clock = data, gradient, clock
        optimizer.load_state_dict(state)


def _updates(story: Story, optimizer: Any) -> list[Step]:
    """What the optimizer does to each parameter of the graph; it is done when this returns."""
    for p in optimizer.parameters:
        p.grad = story.gradients.get(p)
    boxes = story.view.box_of
    moved = [p for p in optimizer.parameters if p.grad is not None and p in boxes]
    if not moved:
        raise ValueError("none of the optimizer's parameters is in this graph, so its step would move nothing")
    explained = {p: optimizer.explain(p) for p in moved if boxes[p] in story.alone}
    optimizer.step()
    steps = []
    for p, update in explained.items():
        name = story.names[p]
        called = {"w": name, "g": f"∇{name}"}  # the rule speaks of w and g, whatever the parameter is called
        rows = [("from", _assignments({called.get(x, x): value for x, value in update.given.items()}), "")]
        for step in update.steps:
            formula = re.sub(r"\b[wg]\b", partial(_renamed, called), step.formula)
            rows.append((called.get(step.name, step.name), formula, _result(step)))
        sentence = f"{update.rule} moves {name} against its gradient."
        change = Change(boxes[p], data=p.data)
        asks = f"What is {name} after this step?" if is_predictable(p.data) else ""
        steps.append(Step("update", 0, boxes[p], (), sentence, tuple(rows), (change,), asks, update))
    hidden = dict.fromkeys(boxes[p] for p in moved if boxes[p] not in story.alone)
    for box in hidden:
        name = story.view.graph.boxes[box].name
        sentence = f"{type(optimizer).__name__} moves all parameters of {name}."
        steps.append(Step("update", 0, box, (), sentence))
    return steps


def _renamed(called: Mapping[str, str], word: re.Match[str]) -> str:
    return called[word[0]]


def _assignments(given: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {shown(x)}" for name, x in given.items())


def _result(step: Any) -> str:
    texts = dict.fromkeys([step.numbers.replace("-", MINUS), shown(step.result)])
    return "".join(f" = {text}" for text in texts if text != step.formula)


def _restart(before: Story, after: Story, title: str) -> Step:
    """A new round; what was given to it, such as other samples, is shown."""
    sentence = f"{title} The gradients are forgotten (zero_grad), and every number is computed anew."
    boxes = zip(before.view.graph.boxes, after.view.graph.boxes, strict=True)
    changed = [k for k, (was, now) in enumerate(boxes) if now.kind != "operation" and not _same(was.data, now.data)]
    given = tuple(Change(k, data=after.view.graph.boxes[k].data) for k in changed if k in after.alone)
    return Step("restart", 0, before.view.box_of[before.output], (), sentence, (), given)


def _same(a: Any, b: Any) -> bool:
    return a is b or (np.shape(a) == np.shape(b) and bool(np.all(np.asarray(a) == np.asarray(b))))


def _with_losses(steps: list[Step], before: Story) -> list[Step]:
    """The last number computed, beside what it was one round earlier."""
    last = max((k for k, step in enumerate(steps) if step.kind == "forward"), default=None)
    if last is None:
        return steps  # the output is a leaf: nothing is computed
    was, step = before.output.data, steps[last]
    (change,) = step.changes
    now = "" if isinstance(change.data, Box) else f", and is {shown(change.data)}"
    row = ("round before", f"{before.names[before.output]} was {shown(was)}", now)
    return [*steps[:last], replace(step, rows=(*step.rows, row)), *steps[last + 1 :]]


def _in_turn(before: Sequence[Step], steps: Sequence[Step]) -> list[Step]:
    """``steps`` with turns that go on where ``before`` ends; steps of no turn yet take one each."""
    start = before[-1].turn + 1
    alone = all(step.turn == 0 for step in steps)
    first = next((step.turn for step in steps if step.kind == "forward"), 0)
    if alone:
        return [replace(step, turn=start + k) for k, step in enumerate(steps)]
    return [replace(step, turn=start if step.kind == "restart" else start + 1 + step.turn - first) for step in steps]


def _require_same(first: View, later: View, k: int) -> None:
    def shape(view: View) -> Any:
        return [(box.kind, box.operation) for box in view.graph.boxes], view.graph.edges

    if shape(first) != shape(later):
        raise ValueError(
            f"round {k} computes another graph than round 1 ({len(later.nodes)} nodes after {len(first.nodes)}), and"
            " one drawing cannot hold both; let the function compute the same operations each time, such as a loss"
            " over the same samples"
        )
