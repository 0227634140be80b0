"""summary: the parts of a model, the shapes of what they give, and how many numbers they learn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import Node, Tensor, Value, no_grad
from nn.checks import size
from nn.layers.dense import Dense
from nn.layers.embedding import Embedding
from nn.layers.recurrent import Recurrent
from nn.module import Module, watching
from nn.neuron import Layer, Network, Neuron
from nn.sequential import Sequential

Shapes = list[tuple[int, ...]]

_WHOLE = (Layer, Recurrent)  # shown in one line, not part by part
_OF_ROWS = (Dense, Network, Layer, Neuron)  # kinds whose ``inputs`` is the whole shape of a sample


@dataclass(frozen=True)
class Part:
    """One line of a summary.

    Attributes:
        path: where it is in the model, as in the names of its parameters: "layers.0".
        layer: what it is.
        output: the shape of what it gives, with N for the number of samples; "-" where that is not known.
        parameters: how many numbers it keeps itself, not in a part with a line of its own.
    """

    path: str
    layer: str
    output: str
    parameters: int


@dataclass(frozen=True, repr=False)
class Summary:
    """A model at a glance; printed, it is a table.

    Attributes:
        parts: the lines of the table.
        parameters: how many numbers the model keeps, running averages and the like included.
        trainable: how many of them are trained.
        bytes: how much memory they take.
        hint: how to see more; or "".
    """

    parts: list[Part]
    parameters: int
    trainable: int
    bytes: int
    hint: str = ""

    def __repr__(self) -> str:
        rows = [("path", "layer", "output", "parameters")]
        rows += [(part.path, part.layer, part.output, f"{part.parameters:,}") for part in self.parts]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = [
            f"{path:<{widths[0]}}  {layer:<{widths[1]}}  {output:<{widths[2]}}  {count:>{widths[3]}}"
            for path, layer, output, count in rows
        ]
        trained = "all trained" if self.trainable == self.parameters else f"{self.trainable:,} of them trained"
        total = f"{self.parameters:,} parameters, {trained}, {_memory(self.bytes)}"
        return "\n".join([*lines, "", total, *([self.hint] if self.hint else [])])


def summary(model: Module, input_shape: Any = None) -> Summary:
    """The parts of ``model`` with the shapes of their outputs and the numbers of their parameters.

    Shapes are found by running the model on zeros. It is left as it was: nothing is learnt, drawn at random or
    switched.

    Args:
        model: of either tier.
        input_shape: the shape of one sample, without the axis of samples, such as (1, 28, 28) or 4; or an example: an
            array of samples, which also says whether they are whole numbers. Not needed where the first layer takes
            rows of a known length.

    >>> from nn import Conv2d, Flatten
    >>> summary(Sequential(Conv2d(1, 4, 3, seed=0), Flatten(), Dense(144, 10, seed=0)), (1, 8, 8))
    path      layer            output        parameters
    layers.0  Conv2d(1, 4, 3)  (N, 4, 6, 6)          40
    layers.1  Flatten()        (N, 144)               0
    layers.2  Dense(144, 10)   (N, 10)            1,450
    <BLANKLINE>
    1,490 parameters, all trained, 11.9 kB

    Raises:
        TypeError: ``model`` is no module, or ``input_shape`` neither a shape nor an array.
        ValueError, TypeError: as the model raises on an input of that shape.
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary takes a module, and was given {model!r}")
    sample = _sample(model, input_shape)
    outputs = {} if sample is None else _outputs(model, *sample)
    leaves = [*model.named_parameters(), *model.named_buffers()]
    held = _held(model, leaves)
    parts = [
        Part(path or "(model)", repr(module).partition("\n")[0], outputs.get(id(module), "-"), held[path])
        for path, module in _shown(model)
        if held[path] or not any(_inside(other, path) for other in held)  # what only holds others needs no line
    ]
    return Summary(
        parts,
        parameters=sum(_count(leaf) for _, leaf in leaves),
        trainable=sum(_count(leaf) for _, leaf in leaves if leaf.requires_grad),
        bytes=sum(np.asarray(leaf.data).nbytes for _, leaf in leaves),
        hint="" if sample else "for the shapes: the shape of one sample as input_shape, such as summary((1, 28, 28))",
    )


# ── what is counted where ────────────────────────────────────────────────────────────────────────────
def _shown(model: Module) -> list[tuple[str, Module]]:
    """Every module that is not part of one that is shown as a whole."""
    shown: list[tuple[str, Module]] = []
    whole: list[str] = []
    for path, module in model.named_modules():
        if not any(_inside(path, outer) for outer in whole):
            shown.append((path, module))
            whole += [path] if isinstance(module, _WHOLE) else []
    return shown


def _held(model: Module, leaves: list[tuple[str, Node]]) -> dict[str, int]:
    """How many numbers each shown module keeps, by path: each leaf counts for the innermost around it."""
    held = {path: 0 for path, _ in _shown(model)}
    for path, leaf in leaves:
        owner = max((outer for outer in held if _inside(path, outer)), key=len)
        held[owner] += _count(leaf)
    return held


def _inside(path: str, outer: str) -> bool:
    return path != outer and (not outer or path.startswith(f"{outer}."))


def _count(leaf: Node) -> int:
    return int(np.size(leaf.data))


def _memory(count: int) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} bytes"


# ── the run on zeros ─────────────────────────────────────────────────────────────────────────────────
def _sample(model: Module, given: Any) -> tuple[tuple[int, ...], Any] | None:
    """The shape and dtype of one sample, or None where they are not known."""
    first: Any = model
    while isinstance(first, Sequential) and not isinstance(first, _OF_ROWS) and first.layers:
        first = first.layers[0]
    if given is None:
        return ((first.inputs,), float) if isinstance(first, _OF_ROWS) else None
    if isinstance(given, np.ndarray | Tensor):
        if not given.ndim:
            raise TypeError(f"an example is an array of samples, and was given the single {given!r}")
        return given.shape[1:], given.dtype
    if not isinstance(given, int | np.integer | tuple | list):
        raise TypeError(f"input_shape is the shape of a sample, such as (1, 28, 28), or an array; given {given!r}")
    lengths = given if isinstance(given, tuple | list) else (given,)
    shape = tuple(size(n, "each length in input_shape", least=0) for n in lengths)
    return shape, int if isinstance(first, Embedding) else float


def _outputs(model: Module, shape: tuple[int, ...], dtype: Any) -> dict[int, str]:
    """What each module gives, by its id: the axes that differ between one sample and two are those of samples."""
    with _untouched(model), no_grad():
        if any(isinstance(p, Value) for p in model.parameters()):
            return {key: _of_rows(shapes) for key, shapes in _run(model, [0.0] * math.prod(shape)).items()}
        one, two = (_run(model, np.zeros((n, *shape), dtype)) for n in (1, 2))
    return {
        key: ", ".join(_with_n(a, b) for a, b in zip(shapes, two.get(key, shapes), strict=False))
        for key, shapes in one.items()
    }


def _run(model: Module, x: NDArray[Any] | list[float]) -> dict[int, Shapes]:
    """The shapes that every module gives for x, the first time that it is called."""
    found: dict[int, Shapes] = {}

    def watch(module: Module, output: Any) -> None:
        found.setdefault(id(module), list(_shapes(output)))

    with watching(watch):
        model(x)
    return found


def _shapes(output: Any) -> Iterator[tuple[int, ...]]:
    """The shapes of all arrays in an output; a list of Values is a row."""
    if isinstance(output, dict):
        output = list(output.values())
    if isinstance(output, list | tuple) and not all(isinstance(part, Value) for part in output):
        for part in output:
            yield from _shapes(part)
    elif output is not None:
        yield (len(output),) if isinstance(output, list | tuple) else np.shape(getattr(output, "data", output))


def _with_n(one: tuple[int, ...], two: tuple[int, ...]) -> str:
    """The shape for one sample, with N for each axis that is twice as long for two."""
    if len(one) != len(two):
        return _text(one)
    return _text(tuple(a if a == b else "N" if a == 1 else f"{a}·N" for a, b in zip(one, two, strict=True)))


def _of_rows(shapes: Shapes) -> str:
    return ", ".join(_text(("N", *shape)) for shape in shapes)


def _text(shape: tuple[int | str, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


@contextmanager
def _untouched(model: Module) -> Iterator[None]:
    """The model in evaluation, and afterwards each switch and each random generator as it was."""
    modules = [module for _, module in model.named_modules()]
    switches = [vars(module).get("training") for module in modules]
    generators = [(rng, rng.bit_generator.state) for _, rng in model.named_generators()]
    try:
        model.eval()
        yield
    finally:
        for module, switch in zip(modules, switches, strict=True):
            if switch is None:
                del module.training  # it was never switched itself
            else:
                module.training = switch
        for rng, state in generators:
            rng.bit_generator.state = state
