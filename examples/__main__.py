"""``python -m examples`` lists the lessons; ``python -m examples NAME`` runs one."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from examples.datasets import DatasetError


@dataclass(frozen=True)
class Lesson:
    """A lesson is a module of this package with a function ``run(output, seed=..., epochs=...)``."""

    about: str
    time: str


LESSONS = {
    "chain_rule": Lesson("Nudge a number and see what moves: slopes from school, multiplied along the way", "2 s"),
    "shared_nodes": Lesson("A number used twice: why gradients add up, and why nobody walks all the paths", "2 s"),
    "topological_order": Lesson("Why a node waits before it hands its gradient on, and for whom", "2 s"),
    "neuron": Lesson("One neuron learns: forward, backward, a step, and again, every number shown", "2 s"),
    "first_network": Lesson("Train a network of single neurons on real flowers, then follow one backward pass", "3 s"),
    "bug_lab": Lesson("Five classic mistakes of a backward pass: predict each wrong number, then see it", "3 s"),
    "linear_regression": Lesson("A straight line by hand, by graph, step by step and at one stroke", "2 s"),
    "logistic_regression": Lesson("From measurements of cells to odds, and two kinds of mistakes", "2 s"),
    "iris": Lesson("Three species at once: softmax, and a network that says how sure it is and why", "3 s"),
    "digits": Lesson("Read handwritten digits, stop in time, and look at what was misread", "4 s"),
    "digits_convolution": Lesson("Read them better, with kernels that know what a neighbour is", "15 s"),
    "deep_linear": Lesson("A network that learns in leaps, and the theory that foretells them", "3 s"),
    "sunspots": Lesson(
        "Forecast the sun: a straight rule, and networks with a memory, from primitives and from nn", "2 min"
    ),
    "lstm_cell": Lesson("Inside an LSTM cell, gate by gate, and the way that the gradient takes back", "2 s"),
    "vanishing_gradients": Lesson("Gradients through thirty steps: vanishing, kept, exploding, and what helps", "3 s"),
    "compiled": Lesson(
        "The teaching code is the fast code: single numbers, traced once, become matrices; and an LSTM of them", "20 s"
    ),
    "names": Lesson("Learn names letter by letter, and write new ones", "90 s"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    if options.lesson is None:
        print(_list_of_lessons())
        return 0
    if options.lesson not in LESSONS:
        nearest = get_close_matches(options.lesson, LESSONS, n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else "python -m examples lists them all"
        print(f"there is no lesson {options.lesson!r}; {hint}", file=sys.stderr)
        return 2
    run = import_module(f"examples.{options.lesson}").run
    given = {name: value for name, value in vars(options).items() if name != "lesson" and value is not None}
    try:
        run(**given)
    except (DatasetError, OSError) as error:
        print(f"the lesson cannot go on: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples", description="Lessons that run. Without a name: a list.")
    parser.add_argument("lesson", nargs="?", help="the lesson to run")
    parser.add_argument("--output", type=Path, default=Path("lesson-output"), help="where pictures go (%(default)s)")
    parser.add_argument("--seed", type=_at_least(0), help="another seed: another split, other first weights")
    parser.add_argument("--epochs", type=_at_least(1), help="how often to go through the data")
    return parser


def _at_least(least: int) -> Callable[[str], int]:
    """Reads a whole number from the command line."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return int(text)

    return read


def _list_of_lessons() -> str:
    lines = ["Lessons, and about how long each takes. Run one with: python -m examples NAME", ""]
    lines += [f"  {name:<20} {lesson.time:>5}   {lesson.about}" for name, lesson in LESSONS.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a console without ∇ or ∂ shows ? there, and goes on
    sys.exit(main())
