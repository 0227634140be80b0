"""``python -m viz "tanh(w*x + b)" w=0.5 x=2 b=-0.3`` explains forward and backward pass, and draws them."""

from __future__ import annotations

import argparse
import io
import linecache
import math
import os
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NoReturn, get_args

from autodiff import AutodiffError, ExactError, Value, explain
from autodiff.explanation import derivative
from autodiff.formula import number_text
from viz.drawing.style import Theme
from viz.expression.errors import ExpressionError, visible
from viz.expression.evaluation import Result, computed, number
from viz.expression.names import functions, signature
from viz.expression.tokens import is_name
from viz.layouts.dot_layout import DotError
from viz.layouts.placing import Engine
from viz.picture import draw
from viz.player import steps

PICTURE, PLAYER = "graph.svg", "steps.html"
SOURCE = "<expression>"

WELCOME = f"""\
python -m viz "EXPRESSION" NAME=NUMBER ...

computes an expression, explains its forward and backward pass number by number, and writes two files: {PICTURE},
a picture of the graph, and {PLAYER}, a page to step through it in a browser. Try:

  python -m viz "tanh(w*x + b)" w=0.5 x=2 b=-0.3
  python -m viz "z = w*x + b; (sigmoid(z) - y)**2" w=0.5 x=2 b=-1 y=1 --constant x --constant y
  python -m viz "x**2 / (x + y)" x=7/3 y=1/2 --exact

A semicolon stands between steps, and = gives one a name. --list shows the functions, --help the options."""

OPERATORS = """\
Operators: + - * / ** and brackets; < <= > >= in where(x > 0, a, b). pi and e are what they are.

Functions, each with its derivative (out is its own result):
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(visible(message))  # it quotes what was typed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_intermixed_args([_protected(argument) for argument in given])
    if options.list:
        _print(_list())
    elif options.expression is None:
        _print(WELCOME)
    else:
        try:
            report = _report(options)
        except (ValueError, AutodiffError, DotError, OSError) as error:
            print("\n".join(map(visible, str(error).splitlines())), file=sys.stderr)
            return 2
        if not options.quiet:
            _print(report)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m viz",
        description="Explain the forward and backward pass of an expression, and draw it.",
        epilog="Without arguments: three examples.",
        allow_abbrev=False,
    )
    parser.add_argument("expression", nargs="?", help='such as "tanh(w*x + b)", or "z = w*x + b; tanh(z)"')
    parser.add_argument(
        "values", nargs="*", metavar="NAME=NUMBER", help="a value for each name, such as w=0.5, x=7/3 or x=pi/2"
    )
    parser.add_argument("--constant", action="append", default=[], metavar="NAME", help="a value without a gradient")
    parser.add_argument("--exact", action="store_true", help="compute with fractions: w=7/3 stays 7/3")
    parser.add_argument(
        "--output", type=Path, default=Path(), metavar="DIR", help="where the files go (by default: here)"
    )
    parser.add_argument("--theme", choices=get_args(Theme), default="auto", help="colours of both files (%(default)s)")
    parser.add_argument("--layout", choices=get_args(Engine), default="auto", help="who places the boxes (%(default)s)")
    parser.add_argument("--quiet", action="store_true", help="write the files and print nothing")
    parser.add_argument("--list", action="store_true", help="show the functions, and leave")
    return parser


def _protected(argument: str) -> str:
    """An expression may start with a minus sign; a blank in front keeps argparse from taking it for an option."""
    return f" {argument}" if argument.startswith("-") and argument != "-h" and argument[1:2] != "-" else argument


def _report(options: argparse.Namespace) -> str:
    """Compute, write both files, and say what there is to say."""
    text = options.expression.lstrip(" ")
    values = _values(options.values, options.exact)
    for name in options.constant:
        if name not in values:
            raise ExpressionError(f"--constant {name!r:.60}: no value has this name; write, say, {name!r:.60}=2 too")
    leaves = {name: Value(x, requires_grad=name not in options.constant, label=name) for name, x in values.items()}
    result = computed(text, leaves, SOURCE)
    if result.output.label is None and "output" not in {*values, *result.named}:
        result.output.label = "output"
    linecache.cache[SOURCE] = (len(text), None, [f"{line}\n" for line in result.lines], SOURCE)  # for the player
    if not result.output.requires_grad:
        if all(name in options.constant for name in values):
            raise ExpressionError("every value is a constant, so there is no gradient; take one out of --constant")
        raise ExpressionError("the result does not move with any value (a comparison has no slope): no gradient")
    try:
        result.output.backward()
        explanation = str(explain(result.output))
    except ExactError as error:
        raise ExpressionError(f"{error}; leave out --exact, or keep such a value constant: --constant NAME") from None
    files = _written(result, options)
    return "\n".join([*_head(text, values, result), "", explanation, *_named(result), "", *files])


def _values(arguments: Sequence[str], exact: bool) -> dict[str, float | Fraction]:
    values: dict[str, float | Fraction] = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not equals or not name:
            raise ExpressionError(
                f"{argument!r:.60} is not NAME=NUMBER, such as w=0.5 (without blanks); and an expression is one"
                ' argument, so it stands in quotes: "w*x + b"'
            )
        if not is_name(name):
            raise ExpressionError(f"{name!r:.60} is no name; names are made of letters, digits and _, such as w1")
        if name in values:
            raise ExpressionError(f"{name} is given twice")
        if not text.strip():
            raise ExpressionError(f"a number is missing behind {name}=", argument, len(argument))
        try:
            values[name] = number(text, exact)
        except ExpressionError as error:
            column = None if error.column is None else len(name) + 1 + error.column
            raise ExpressionError(error.reason, argument, column) from None
    return values


def _written(result: Result, options: argparse.Namespace) -> list[str]:
    """Write the picture and the player; returns where they are. Both are made before the first is written."""
    title = "; ".join(result.lines)
    picture = draw(result.output, title=title, theme=options.theme, layout=options.layout)
    player = steps(result.output, title=title, theme=options.theme, layout=options.layout)
    lines = []
    _make_folder(options.output)
    for what, made, path in (
        ("The picture:          ", picture, options.output / PICTURE),
        ("To step through it:   ", player, options.output / PLAYER),
    ):
        replaced = " (in the place of the one before)" if path.exists() else ""
        made.save(path)
        lines.append(f"{what}{visible(str(path))}{replaced}")
    return lines


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExpressionError(f"{str(folder)!r} cannot be a folder for the files: {error.strerror}") from None


def _head(text: str, values: dict[str, float | Fraction], result: Result) -> list[str]:
    return [
        f"Expression:  {visible(' '.join(text.split()))}",
        f"Values:      {', '.join(f'{name} = {number_text(x)}' for name, x in values.items())}",
        f"Result:      {number_text(result.output.data)}",
        *_warning(result),
    ]


def _warning(result: Result) -> list[str]:
    """Where no number comes out, the rules go on as if nothing had happened."""
    try:
        finite = math.isfinite(result.output.data)
    except OverflowError:  # a fraction beyond floats
        finite = True
    if finite:
        return []
    return ["", "This is no finite number: there is no slope here, and the gradients below mean nothing."]


def _named(result: Result) -> list[str]:
    """The results that were given a name, with their gradients; what the output does not use has none."""
    if not result.named:
        return []
    lines = ["", "Results with a name:"]
    for name, node in result.named.items():
        gradient = "" if node.grad is None else f",  ∇{name} = {number_text(node.grad)}"
        lines.append(f"  {name} = {number_text(node.data)}{gradient}")
    return lines


def _list() -> str:
    lines = [OPERATORS]
    for name, op in functions().items():
        if op.partials is not None:
            found = [f"∂/∂{x} = {derivative(op, k)}" for k, x in enumerate(op.input_names)]
            lines.append(f"  {signature(name, op):<34}  {',  '.join(found)}".rstrip())
    return "\n".join(lines)


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:  # head has seen enough; what is left is for nobody
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        sys.exit(f"nothing could be printed: {error.strerror}")


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console without ∇ or ∂ shows ? there, and goes on
    sys.exit(main())
