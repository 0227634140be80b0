"""The chain rule: nudge a number, see what moves, and multiply along the way.

    python -m examples chain_rule

All that is needed is the slope of a curve, as in school.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import viz
from autodiff import Value, explain
from autodiff.formula import number_text
from examples.telling import part, tell

NUDGES = (0.1, 0.01, 0.001)
NUDGE = 0.001
EXERCISES = 3


@dataclass(frozen=True)
class Result:
    """What the lesson told.

    Attributes:
        slopes: how far y = x ** 2 moved at x = 3 for each nudge, divided by the nudge.
        gradients: of y = (3 * x) ** 2 at x = 2, by name.
        answers: for each exercise, what the backward pass said and what a nudge to both sides says.
        picture, page: the drawing, and the page to step through.
    """

    slopes: list[float]
    gradients: dict[str, float]
    answers: list[tuple[float, float]]
    picture: Path
    page: Path


def run(output: Path, seed: int = 1, epochs: int = EXERCISES) -> Result:
    """All parts of the lesson; ``epochs`` is the number of exercises at the end, and ``seed`` draws their numbers."""
    part("Part 1. One step: nudge x, and see y move")
    slopes = one_step()
    part("Part 2. Two steps: the factors multiply")
    two_steps()
    part("Part 3. The same backwards: upstream × local")
    gradients = backwards()
    part("Part 4. Two inputs: each has a factor of its own")
    two_inputs()
    part("Part 5. See it")
    picture, page = see_it(output)
    part("Part 6. Your turn")
    answers = your_turn(epochs, np.random.default_rng(seed))
    return Result(slopes, gradients, answers, picture, page)


def square(x: float) -> float:
    """The one step of Part 1."""
    return x * x


def one_step() -> list[float]:
    """A square at 3, nudged less and less; returns how far it moved per nudge."""
    tell("""
        Take y = x², at x = 3. So y = 9. Now move x a little, by 0.01. How far does y move?

        School has the answer: the slope of x² is 2x, and at x = 3 that is 6. A slope of 6 means that y moves six
        times as far as x.

        Predict: y moves by 6 × 0.01 = 0.06, from 9 to 9.06. Now look, with smaller and smaller nudges:
        """)
    print("  nudge of x      y becomes   y moved by   per nudge")
    slopes = []
    for nudge in NUDGES:
        y = square(3 + nudge)
        slopes.append((y - 9) / nudge)
        print(f"  {nudge:<10g} {y:>14.6f} {y - 9:>12.6f} {slopes[-1]:>11.4f}")
    print()
    tell(f"""
        Not quite 6 times: {slopes[0]:.4f}, {slopes[1]:.4f}, {slopes[2]:.4f}. The curve bends, so a nudge that is not
        tiny sees a little of the bend. The smaller the nudge, the nearer to 6. The number that it comes near to is
        called the local derivative of y with respect to x: the factor by which a small move of x arrives at y. It is
        called local because nobody but this one step is asked. It need not know where x comes from, nor what y is for.
        """)
    return slopes


def two_steps() -> None:
    """Three times x, then the square: predict the move, then measure it."""
    tell(f"""
        Now two steps, one after the other. At x = 2:

          u = 3 · x      so u = 6
          y = u²         so y = 36

        Each step has its own factor. From x to u it is 3: whatever x does, u does three times as far. From u to y it
        is 2u, and at u = 6 that is 12.

        Predict: x moves by {NUDGE}. How far does u move, and how far y? First u, by 3 × {NUDGE} = {3 * NUDGE:g};
        and then y, by 12 × {3 * NUDGE:g} = {36 * NUDGE:g}. Now look:
        """)
    u, y = 3 * (2 + NUDGE), square(3 * (2 + NUDGE))
    print(f"  x = {2 + NUDGE:g}:   u = {u:g}, moved by {u - 6:.6f};   y = {y:.6f}, moved by {y - 36:.6f}\n")
    tell(f"""
        So y moved {(y - 36) / NUDGE:.3f} times as far as x, and 12 × 3 = 36; the rest is the bend. That is the chain
        rule: along a chain, the factors multiply. Think of gears: if one wheel turns the next one 3 times, and that one
        turns its own next one 12 times, then one turn of the first is 36 turns of the last.
        """)


def chain() -> Value:
    """The two steps as a graph."""
    x = Value(2.0, label="x")
    u = 3 * x
    y = u**2
    return named(y=y, u=u)


def named(**nodes: Value) -> Value:
    """Give each node the name of its argument; returns the first."""
    for label, node in nodes.items():
        node.label = label
    return next(iter(nodes.values()))


def backwards() -> dict[str, float]:
    """The backward pass of the chain, arrow by arrow; returns the gradients."""
    tell("""
        A product can be multiplied from either end. Backpropagation begins at the output, and asks of every number on
        the way: if this one moves a little, how far does y move? The answer is called its gradient, and is written ∇.

        The first answer is free: if y moves, y moves just as far. So ∇y = 1.

        Then it goes back, one arrow at a time. What has been found so far is called the upstream gradient. It is
        multiplied by the local derivative of the step:

          gradient of the input = upstream gradient × local derivative

        Predict both numbers: ∇u is 1 × 12. And ∇x is what came from upstream, 12, times 3. Here is the engine, doing
        the same:
        """)
    y = chain()
    explanation = explain(y)
    for step in explanation.forward:
        print(f"  forward    {step}")
    for back in explanation.backward:
        print(f"  backward   {back}")
    print()
    gradients = {explanation.names[node]: gradient for node, gradient in explanation.adjoints.items()}
    tell(f"""
        ∇x = {number_text(gradients["x"])}, as predicted, and as the nudge said. No step had to know the whole
        program. Each knew its own factor, and handed on a product. That is why backpropagation works for three steps
        and for three million.
        """)
    return gradients


def two_inputs() -> None:
    """A product of two inputs: each one's factor is the other."""
    w, x = Value(5.0, label="w"), Value(2.0, label="x")
    y = w * x
    y.backward()
    tell(f"""
        A step may have two inputs, as y = w · x has. At w = 5 and x = 2, y is 10. Move only w by {NUDGE}, and let x
        stand still: y becomes {5 + NUDGE:g} · 2 = {(5 + NUDGE) * 2:g}, so it moved by {2 * NUDGE:g}, twice as far.
        The factor of w is the number that it is multiplied by, x. Predict: what is the factor of x?

        It is the number that stands beside x, and that is w. The engine says ∇w = {number_text(w.grad)} and
        ∇x = {number_text(x.grad)}.

        So each arrow has a factor of its own. In a sum, y = w + x, both factors are 1: whatever an input does, the sum
        does too. And if one input is a fixed number, as in x + 4, there is one arrow less to think about.
        """)


def see_it(folder: Path) -> tuple[Path, Path]:
    """Draw the chain, and write the page that steps through it."""
    y = chain()
    y.backward()
    folder.mkdir(parents=True, exist_ok=True)
    picture = viz.draw(y, title="The chain rule: y = (3 · x)²").save(folder / "chain_rule.svg")
    page = viz.steps(chain, title="The chain rule, step by step").save(folder / "chain_rule.html")
    tell("""
        The picture has a box for every number: its name, what it is, and in orange its gradient ∇. Forward goes along
        the arrows, and backward against them. The 3 is a constant: nobody will ever move it, so it has no gradient.

        The page walks through both passes. Tick “Predict first”, and it hides each number until you have said
        yours. In a browser, open the second file:
        """)
    print(f"  the picture: {picture}\n  the page:    {page}\n")
    return picture, page


Function = Callable[[Value], Value]


def your_turn(count: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Exercises with numbers drawn at random, and then their answers, by the engine and by nudges."""
    tell("Take a pencil. How large is ∇x in each? The answers are below; do not look yet.")
    exercises = [exercise(k, rng) for k in range(count)]
    for number, (program, at, _) in enumerate(exercises, 1):
        print(f"  {number}.  {program},  at x = {at}")
    print("\n\nThe answers, from the end to the front, and what a nudge to both sides of x says:\n")
    answers = []
    for number, (_, at, function) in enumerate(exercises, 1):
        x = Value(float(at), label="x")
        y = function(x)
        explanation = explain(y)
        factors = [number_text(step.local) for step in explanation.backward]
        gradient = explanation.adjoints[x]
        above, below = (function(Value(at + move)).item() for move in (NUDGE, -NUDGE))
        nudged = (above - below) / (2 * NUDGE)
        answers.append((gradient, nudged))
        product = " × ".join(f"({factor})" if factor.startswith("-") else factor for factor in factors)
        print(f"  {number}.  ∇x = {product} = {number_text(gradient)};   nudged: {nudged:.4f}")
    print()
    tell("""
        What happens where two ways lead from x to y? And in which order does one go back then? Go on with

          python -m examples shared_nodes
          python -m examples topological_order
        """)
    return answers


def exercise(kind: int, rng: np.random.Generator) -> tuple[str, int, Function]:
    """A program of two steps, where to look at it, and the program itself."""
    factor, offset, at = (int(rng.integers(low, 6)) for low in (2, 1, 1))
    kinds: list[tuple[str, Function]] = [
        (f"u = {factor} · x + {offset},  y = u²", lambda x: (factor * x + offset) ** 2),
        (f"u = x²,  y = {factor} · u", lambda x: factor * x**2),
        (f"u = x²,  y = {offset} - {factor} · u", lambda x: offset - factor * x**2),
    ]
    program, function = kinds[kind % len(kinds)]
    return program, at, function
