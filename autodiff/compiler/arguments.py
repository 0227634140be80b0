"""Arguments of a compiled function: taken apart into runs of numbers, and gradients put together in their form.

A *run* is what is copied at one go: an array, a list of numbers or of Values, the parameters of a model. Its
numbers stand side by side in the vector of parameters or, where they vary over the batch, in the matrix of inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from autodiff.compiler.lending import LARGE
from autodiff.errors import TraceError, describe, lost_in_compiled
from autodiff.graph import Node
from autodiff.tensor import Tensor
from autodiff.value import Value

_NUMBERS = frozenset({float, int})
_VALUE = frozenset({Value})
_SINGLE = _NUMBERS | _VALUE
_STATIC = (bool, str, bytes, type(None), np.bool_)
REAL = "fiub"


# ── a key for what is the same for all calls that share a trace ──────────────────────────────────────
def collect(x: Any, found: list[Any], key: list[Any]) -> None:
    """Add the runs of an argument that all examples share to ``found``, in order, and its structure to ``key``.

    Raises:
        TraceError: a number is no float.
    """
    kind = type(x)
    if kind is np.ndarray:
        found.append(x)
        key.append(x.shape)
        key.append(x.dtype)
    elif kind is Tensor:
        found.append(x)
        held = x._held
        key.append(kind)
        key.append(held.dtype)
        key.append(held.shape)
    elif kind is list or kind is tuple:
        key.append(kind)
        key.append(len(x))
        if x and type(x[0]) in _SINGLE:
            kinds = set(map(type, x))
            if kinds == _VALUE or kinds <= _NUMBERS:
                found.append(x)
                key.append(Value in kinds)
                return
        for part in x:
            if type(part) is np.ndarray:  # spelt out, for a call costs as much again
                found.append(part)
                key.append(part.shape)
                key.append(part.dtype)
            else:
                collect(part, found, key)
    elif kind is dict:
        key.append(kind)
        key.append(len(x))
        key.extend(x)
        for part in x.values():
            collect(part, found, key)
    elif kind is float or kind is int:
        found.append(x)
        key.append(float)
    else:
        _collect_other(x, found, key)


def _collect_other(x: Any, found: list[Any], key: list[Any]) -> None:
    kind = type(x)
    if isinstance(x, Node):
        found.append(x)
        key += (kind, x._held.dtype, x._held.shape) if isinstance(x, Tensor) else (kind,)
    elif isinstance(x, dict | list | tuple):
        key += (kind, len(x), *(x if isinstance(x, dict) else ()))
        for part in x.values() if isinstance(x, dict) else x:
            collect(part, found, key)
    elif isinstance(x, _STATIC):
        key += (kind, x)
    elif isinstance(x, np.generic | np.ndarray):
        found.append(x)
        key += (x.shape, x.dtype)
    elif parameters := parameters_of(x):
        found.append(parameters)
        key += (Same(x), tuple(map(id, parameters)))
    elif isinstance(x, complex) or hasattr(x, "numerator"):
        raise TraceError(f"compiled functions compute with floats, and were given {describe(x)}; write float(...)")
    else:
        key.append(Same(x))


class Same:
    """A key that is equal for one and the same object only, which it keeps alive."""

    __slots__ = ("thing",)

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __hash__(self) -> int:
        return id(self.thing)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.thing is self.thing


def parameters_of(x: Any) -> list[Node] | None:
    """What the method ``parameters()`` of a model lists; None where ``x`` is no model."""
    method = getattr(x, "parameters", None)
    if method is None or isinstance(x, type) or not callable(method):
        return None
    parameters = list(method())
    return parameters if all(isinstance(p, Node) for p in parameters) else None


def collect_batch(x: Any, axis: Any, found: list[Any], key: list[Any], name: str) -> None:
    """The same for an argument with one entry per example along ``axis`` (which may be a tree like ``x``).

    Raises:
        TraceError: there is no such axis.
    """
    if axis is None:
        collect(x, found, key)
        return
    if type(x) is not np.ndarray:
        if isinstance(axis, dict | list | tuple):
            _collect_tree(x, axis, found, key, name)
            return
        if isinstance(x, _STATIC):
            key += (type(x), x)
            return
        if isinstance(x, dict) or (isinstance(x, list | tuple) and not _all_numbers(x)):
            keys = list(x) if isinstance(x, dict) else range(len(x))
            key += (type(x), *keys)
            for k in keys:
                collect_batch(x[k], axis, found, key, f"{name}[{k!r}]")
            return
        x = as_batch(x, name)
    if not -x.ndim <= axis < x.ndim:
        raise TraceError(
            f"{name} varies from example to example along axis {axis} (in_axes), and was given {describe(x)}; give one"
            " entry per example, or None for it in in_axes where all examples share it"
        )
    found.append(x)
    key.append(axis)
    key.append(x.shape[1:] if axis == 0 else rest_of(x.shape, axis))
    key.append(x.dtype)


def _collect_tree(x: Any, axes: Any, found: list[Any], key: list[Any], name: str) -> None:
    keys = list(axes) if isinstance(axes, dict) else list(range(len(axes)))
    own = list(x) if isinstance(x, dict) else list(range(len(x))) if isinstance(x, list | tuple) else None
    if own is None or set(own) != set(keys):
        raise TraceError(f"in_axes has {axes!r} for {name}, which has another structure: {describe(x)}")
    key += (type(x), *own)
    for k in own:
        collect_batch(x[k], axes[k], found, key, f"{name}[{k!r}]")


def _all_numbers(x: Any) -> bool:
    """Whether nested lists hold numbers or Values: then they are written as an array would be."""
    while isinstance(x, list | tuple):
        if not x:
            return True
        kinds = set(map(type, x))
        if not kinds <= {list, tuple}:
            return all(issubclass(kind, int | float | np.number | Value) for kind in kinds)
        x = x[0]
    return False


def as_batch(x: Any, name: str) -> Any:
    """Nested lists, a Tensor or a data frame as an array of numbers."""
    try:
        array = x._held if isinstance(x, Node) else np.asarray(_plain(x))
    except (TypeError, ValueError) as error:
        raise TraceError(f"{name} has one entry per example, all of one shape; given {str(x)[:60]}: {error}") from error
    if np.ndim(array) and array.dtype.kind not in REAL:
        raise TraceError(f"{name} is to hold numbers, and has {describe(x)} of {array.dtype}")
    return np.asarray(array)


def _plain(x: Any) -> Any:
    if isinstance(x, list | tuple):
        return [_plain(part) for part in x] if set(map(type, x)) & {list, tuple, Value} else x
    return x._held if isinstance(x, Value) else x


def rest_of(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """A shape without one axis."""
    return shape[:axis] + shape[axis % len(shape) + 1 :]


# ── the structure, once for each trace ───────────────────────────────────────────────────────────────
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
        return [(self.text, () if whole and self.leaves == 1 and self.kind not in (list, tuple) else self.shape)]

    def __post_init__(self) -> None:
        self.stop = self.start + prod(self.shape)

    def gradient(self) -> Callable[[Any], Any]:
        """Takes its gradient, in its form, from a fresh vector of the gradients of all parameters."""
        start, stop, shape = self.start, self.stop, self.shape
        if self.dtype is not None:
            if self.dtype != np.float64:
                wanted = _floating(self.dtype)
                return lambda flat: flat[start:stop].reshape(shape).astype(wanted, copy=False)
            if len(shape) == 1:
                return lambda flat: flat[start:stop]
            return lambda flat: flat[start:stop].reshape(shape)
        if self.kind is list or self.nodes is not None:
            return lambda flat: flat[start:stop].tolist()
        if self.kind is tuple:
            return lambda flat: tuple(flat[start:stop].tolist())
        return lambda flat: flat.item(start)

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

    join: Callable[[list[Any]], Any]
    parts: list[Any]


class Tree:
    """The structure of one argument: its runs, and how to build something of the same form.

    Attributes:
        runs: in the order in which :func:`collect` finds them.
        objects: models and static objects, whose attributes the function reaches.
    """

    def __init__(self, x: Any, name: str, axis: Any, starts: list[int], static: bool = False) -> None:
        self.runs: list[Run] = []
        self.objects: list[Any] = []
        self.starts = starts  # where the next shared and the next varying run begin
        self._form = self._fixed(x) if static else self._node(x, name, axis)

    def filled(self, fillings: Iterator[Any]) -> Any:
        """The argument with the next of ``fillings`` in the place of each run; a model stays as it is."""

        def fill(form: Any) -> Any:
            if isinstance(form, _Container):
                return form.join([fill(part) for part in form.parts])
            if isinstance(form, Run) or form.run is not None:
                filling = next(fillings)
            return filling if isinstance(form, Run) else form.thing

        return fill(self._form)

    def builder(self, make: Callable[[Run], Callable[[Any], Any]]) -> Callable[[Any], Any]:
        """A function that builds the same structure from whatever ``make`` makes each run from; None for the static."""

        def of(form: Any) -> Callable[[Any], Any]:
            if isinstance(form, _Container):
                parts, join = [of(part) for part in form.parts], form.join
                if join is list:
                    return lambda source: [part(source) for part in parts]
                return lambda source: join([part(source) for part in parts])
            run = form if isinstance(form, Run) else form.run
            return (lambda source: None) if run is None else make(run)

        return of(self._form)

    def _add(self, run: Run) -> Run:
        self.starts[run.axis is not None] = run.stop
        self.runs.append(run)
        return run

    def _node(self, x: Any, name: str, axis: Any) -> Any:
        kind = type(x)
        if isinstance(axis, dict | list | tuple) or (isinstance(x, dict | list | tuple) and not self._is_run(x, axis)):
            return self._container(x, name, axis)
        if isinstance(x, _STATIC):
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
        self.objects.append(x)
        parameters = parameters_of(x)
        if not parameters:
            return _Fixed(x)
        named = getattr(x, "named_parameters", None)
        paths = [path for path, _ in named()] if named else None
        return _Fixed(x, self._add(Run(name, (len(parameters),), start, kind, nodes=parameters, paths=paths)))

    def _fixed(self, x: Any) -> _Fixed:
        self.objects.append(x)
        return _Fixed(x)

    def _is_run(self, x: Any, axis: Any) -> bool:
        if isinstance(x, dict):
            return False
        if axis is not None:
            return _all_numbers(x)
        kinds = set(map(type, x))
        return type(x) in (list, tuple) and bool(kinds) and (kinds == {Value} or kinds <= _NUMBERS)

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


def _real(dtype: Any, name: str) -> Any:
    if dtype.kind not in REAL:
        raise TraceError(f"{name} is an array of {dtype}, and compiled functions compute with floats")
    return dtype


# ── filling the vector of parameters and the matrix of inputs ────────────────────────────────────────
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


class Filler:
    """Copies the runs of a call to where a replay reads them, or lends it the arrays themselves."""

    def __init__(self, runs: list[Run], P: Any, X: Any, borrow: Callable[..., bool] | None = None) -> None:
        self.copies = [self._copy(run, P, X) for run in runs]
        if borrow is not None:
            self.copies = [_lending(copy, run, borrow) for copy, run in zip(self.copies, runs, strict=True)]

    def __call__(self, found: list[Any]) -> None:
        """Copy what was given at a call."""
        for copy, run in zip(self.copies, found, strict=True):
            copy(..., run)

    def _copy(self, run: Run, P: Any, X: Any) -> Callable[[Any, Any], None]:
        if run.axis is not None:
            view = X.T[:, run.start : run.stop].reshape(X.shape[1], *run.shape)
            return np.moveaxis(view, 0, run.axis).__setitem__  # type: ignore[no-any-return]
        part = P[run.start : run.stop]
        if run.kind is Value:
            return lambda _, x: part.__setitem__(..., numbers_of((x,)))
        if run.nodes is not None or run.values:
            return lambda _, x: part.__setitem__(..., numbers_of(x))
        part = part.reshape(run.shape)
        return (lambda _, x: part.__setitem__(..., x._held)) if run.kind is Tensor else part.__setitem__  # type: ignore[no-any-return]


def _lending(copy: Callable[[Any, Any], None], run: Run, borrow: Callable[..., bool]) -> Callable[[Any, Any], None]:
    """Copies a run, unless its array can be read in its place (large ones, where they begin with the examples)."""
    if run.kind is not np.ndarray or run.axis not in (None, 0):
        return copy
    varies, start, stop = run.axis is not None, run.start, run.stop

    def lend(_: Any, x: Any) -> None:
        if type(x) is not np.ndarray or x.size < LARGE or not borrow(x, varies, start, stop):
            copy(..., x)

    return lend
