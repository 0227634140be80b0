"""Arguments of a compiled function: taken apart into runs of numbers, and gradients put together in their form.

A *run* is what is copied at one go: an array, a list of numbers or of Values, the parameters of a model. Its
numbers stand side by side in the vector of parameters or, where they vary over the batch, in the matrix of inputs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import prod
from operator import itemgetter
from typing import Any

import numpy as np

from autodiff.compiler.tracing.keys import (
    NUMBERS,
    REAL,
    STATIC,
    all_numbers,
    are_texts,
    as_batch,
    parameters_of,
    rest_of,
)
from autodiff.compiler.tracing.naming import paths_to
from autodiff.errors import TraceError, describe, lost_in_compiled
from autodiff.graph import Node
from autodiff.tensor import Tensor
from autodiff.value import Value


@dataclass(eq=False)
class Run:
    """Numbers that are copied at one go.

    Attributes:
        text: how a reader reaches them: ``params['w'][0]``.
        shape: of the numbers of one example.
        start, stop: their places in the vector of parameters, or rows of the matrix of inputs.
        axis: the axis of the batch, or None.
        kind: what was given: np.ndarray, Tensor, Value, float, list or tuple (of numbers or Values).
        dtype: of the array that was given, None for single numbers.
        stop: where the next run begins.
        nodes: the parameters of a model, which stay where they are.
        values: whether a list holds Values.
    """

    text: str
    shape: tuple[int, ...]
    start: int
    kind: Any
    axis: int | None = None
    dtype: Any = None
    nodes: list[Node] | None = None
    values: bool = False
    paths: list[str] | None = None  # to the parameters of a model

    @property
    def leaves(self) -> int:
        """How many Tensors stand for it in a function of Tensors."""
        return prod(self.shape) if self.nodes is not None or self.kind in (list, tuple) else 1

    def names(self, whole: bool) -> list[tuple[str, tuple[int, ...]]]:
        """What its leaves are called: arrays as a ``whole``, or number by number."""
        if self.paths is not None:
            return [(f"{self.text}.{path}", ()) for path in self.paths]
        several = self.nodes is not None or self.kind in (list, tuple)
        return [(self.text, () if whole and not several else self.shape)]

    def __post_init__(self) -> None:
        self.stop = self.start + prod(self.shape)

    def taker(self, flat: Any, lent: bool = False) -> Callable[[], Any]:
        """Takes its gradient, in its form, from the vector of the gradients of all parameters: a copy, unless lent."""
        part = flat[self.start : self.stop]
        if self.dtype is not None:
            shaped, wanted = part.reshape(self.shape), _floating(self.dtype)
            if wanted == flat.dtype and not lent:
                return shaped.copy  # type: ignore[no-any-return]
            return partial(shaped.astype, wanted, copy=not lent)
        if self.kind is list or self.nodes is not None:
            return part.tolist  # type: ignore[no-any-return]
        return (lambda: tuple(part.tolist())) if self.kind is tuple else part.item

    def gradient_of_each(self, rows: Any) -> Any:
        """The same for each example, along the first axis or that of the batch, from rows of gradients."""
        part = rows[self.start : self.stop].T
        shaped = part.reshape(len(part), *self.shape)
        if self.axis is not None:
            shaped = np.moveaxis(shaped, 0, self.axis)
        elif self.kind in (list, tuple) or self.nodes is not None:
            return [np.array(column) for column in part.T]
        return np.array(shaped, _floating(self.dtype))


def _floating(dtype: Any) -> Any:
    return dtype if dtype is not None and dtype.kind == "f" else np.float64


@dataclass(eq=False)
class _Fixed:
    """What is no number: static, or a model, whose parameters are ``run``."""

    thing: Any
    run: Run | None = None


@dataclass(eq=False)
class _Container:
    """A list, tuple or dictionary: ``join`` makes one of the parts."""

    join: Callable[[Any], Any]
    parts: list[Any]


class Tree:
    """The structure of one argument: its runs, and how to build something of the same form.

    Attributes:
        name: of the argument; static: whether it is a key of the cache, as it is.
        runs: in the order in which :func:`collect` finds them.
        objects: models and static objects, whose attributes the function reaches, each after its name.
    """

    def __init__(self, x: Any, name: str, axis: Any, starts: list[int], static: bool = False) -> None:
        self.runs: list[Run] = []
        self.objects: list[tuple[str, Any]] = []
        self.name, self.static = name, static
        self.starts = starts  # where the next shared and the next varying run begin
        self._form = self._fixed(x, name) if static else self._node(x, name, axis)

    def filled(self, fillings: Iterator[Any]) -> Any:
        """The argument with the next of ``fillings`` in the place of each run; a model stays as it is."""

        def fill(form: Any) -> Any:
            if isinstance(form, _Container):
                return form.join([fill(part) for part in form.parts])
            if isinstance(form, Run) or form.run is not None:
                filling = next(fillings)
            return filling if isinstance(form, Run) else form.thing

        return fill(self._form)

    def joiner(self, start: int) -> Callable[[list[Any]], Any]:
        """A function that builds the same structure from a list with an entry for each run, from ``start`` on.

        What is static becomes None.
        """
        places = itertools.count(start)

        def of(form: Any) -> Callable[[list[Any]], Any]:
            if not isinstance(form, _Container):
                run = form if isinstance(form, Run) else form.run
                return (lambda taken: None) if run is None else itemgetter(next(places))
            join = form.join
            if len(form.parts) > 1 and all(isinstance(part, Run) for part in form.parts):
                numbers = [next(places) for _ in form.parts]  # without gaps
                if join is list:
                    return itemgetter(slice(numbers[0], numbers[-1] + 1))
                together = itemgetter(*numbers)
                return together if join is tuple else lambda taken: join(together(taken))
            parts = [of(part) for part in form.parts]
            return lambda taken: join([part(taken) for part in parts])

        return of(self._form)

    def _add(self, run: Run) -> Run:
        self.starts[run.axis is not None] = run.stop
        self.runs.append(run)
        return run

    def _node(self, x: Any, name: str, axis: Any) -> Any:
        kind = type(x)
        if isinstance(axis, dict | list | tuple) or (isinstance(x, dict | list | tuple) and not self._is_run(x, axis)):
            return self._container(x, name, axis)
        if isinstance(x, STATIC):
            return _Fixed(x)
        if axis is not None:
            array = as_batch(x, name) if kind is not np.ndarray else x
            rest = rest_of(array.shape, axis)
            return self._add(Run(name, rest, self.starts[1], np.ndarray, axis, _real(array.dtype, name)))
        start = self.starts[0]
        if isinstance(x, list | tuple):
            return self._add(Run(name, (len(x),), start, kind, values=type(x[0]) is Value))
        if isinstance(x, Tensor):
            return self._add(Run(name, x._held.shape, start, Tensor, dtype=_real(x._held.dtype, name)))
        if isinstance(x, np.ndarray | np.generic):
            return self._add(Run(name, x.shape, start, np.ndarray, dtype=_real(x.dtype, name)))
        if isinstance(x, Value):
            return self._add(Run(name, (), start, Value))
        if kind is float or kind is int:
            return self._add(Run(name, (), start, float))
        if hasattr(kind, "__next__"):
            raise TraceError(
                f"{name} is a {kind.__name__}, which gives its numbers only once; make a list of it: list(...)"
            )
        self.objects.append((name, x))
        parameters = parameters_of(x)
        if not parameters:
            return _Fixed(x)
        named = getattr(x, "named_parameters", None)
        paths = [path for path, _ in named()] if named else paths_to(parameters, x)
        return _Fixed(x, self._add(Run(name, (len(parameters),), start, kind, nodes=parameters, paths=paths)))

    def _fixed(self, x: Any, name: str) -> _Fixed:
        self.objects.append((name, x))
        return _Fixed(x)

    def _is_run(self, x: Any, axis: Any) -> bool:
        if isinstance(x, dict):
            return False
        if axis is not None:
            return all_numbers(x)
        kinds = set(map(type, x))
        return type(x) in (list, tuple) and bool(kinds) and (kinds == {Value} or kinds <= NUMBERS)

    def _container(self, x: Any, name: str, axis: Any) -> _Container:
        kind: Any = type(x)
        keys = list(x) if isinstance(x, dict) else list(range(len(x)))
        axes = axis if isinstance(axis, dict | list | tuple) else dict.fromkeys(keys, axis)
        parts = [self._node(x[k], f"{name}[{k!r}]", axes[k]) for k in keys]
        if isinstance(x, dict):
            return _Container(lambda built: dict(zip(keys, built, strict=True)), parts)
        if hasattr(kind, "_fields"):
            return _Container(lambda built: kind(*built), parts)
        return _Container(list if isinstance(x, list) else tuple, parts)


def joiner(trees: list[Tree], single: bool) -> Callable[[list[Any]], Any]:
    """A function that builds the form of one argument, or a tuple of several, from an entry for each of their runs."""
    starts = itertools.accumulate([len(tree.runs) for tree in trees], initial=0)
    joins = [tree.joiner(start) for tree, start in zip(trees, starts, strict=False)]
    return joins[0] if single else lambda taken: tuple([join(taken) for join in joins])


def _real(dtype: Any, name: str) -> Any:
    if dtype.kind in "US":
        raise are_texts(name, "an array")
    if dtype.kind not in REAL:
        raise TraceError(f"{name} is an array of {dtype}, and compiled functions compute with floats")
    return dtype


def numbers_of(nodes: Any) -> list[float]:
    """The numbers that Values hold now.

    Raises:
        TraceError: one of them is exact or complex, or was computed.
    """
    if any([node._a is not None for node in nodes]):
        raise lost_in_compiled(next(node for node in nodes if node._a is not None))
    numbers = [node._held for node in nodes]
    if not set(map(type, numbers)) <= {float}:
        odd = next(x for x in numbers if type(x) is not float)
        raise TraceError(f"compiled functions compute with floats, and a Value holds {describe(odd)}; write float(...)")
    return numbers


def check_none_is_lost(found: list[Any], since: int) -> None:
    """Raise where a run has a node that a surrounding ``grad`` or ``vjp`` made, and therefore follows."""
    for run in found:
        for x in run if isinstance(run, list | tuple) else (run,):
            if isinstance(x, Node) and x.requires_grad and x.clock > since:
                raise lost_in_compiled(x)
