"""A plan: steps over numbered values that know their arrays, before memory is given to them.

A program says what is computed. A plan says besides what is a view of what, what is constant, what is computed
already, and (in the backward pass) which part of which array a step writes to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autodiff.primitives import BUILT_IN
from autodiff.primitives.row import Primitive

Array = Any  # a NumPy array of any shape and dtype


@dataclass(eq=False)
class Step:
    """One operation: what computes it, the values that it reads, and the value that it writes.

    ``op`` is a row of the table, or something else that has ``array``, ``calls`` and ``view`` as rows do.
    """

    op: Any
    args: tuple[int, ...]
    params: dict[str, Any]
    out: int
    backward: bool = False


@dataclass(eq=False)
class Inner:
    """An operation that is not for users and therefore has no row: copies, fills, rules that look at numbers."""

    array: Any
    calls: Any = None
    quick_calls: Any = None
    view: Any = None


def _copy(x: Array, out: Array) -> Any:
    return [(np.copyto, (out, x))]


COPY = Inner(np.array, _copy)


@dataclass(eq=False)
class Plan:
    """Values, numbered from 0, and the steps that compute them. It is made where NumPy's warnings are off.

    Attributes:
        samples: an example of each value: its array at the numbers that the leaves held at construction.
        sources: for a view the value that it looks at, the row and its parameters; else None.
        given: values whose memory is not the plan's: leaves, constants, gradients, seeds.
        constants: values that are the same at every run.
        steps: in the order in which they run.
        backward: whether the steps that are added now belong to the backward pass.
    """

    samples: list[Array] = field(default_factory=list)
    sources: list[tuple[int, Any, dict[str, Any]] | None] = field(default_factory=list)
    given: set[int] = field(default_factory=set)
    constants: set[int] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)
    backward: bool = False
    _known: dict[Any, int] = field(default_factory=dict)

    def _value(self, sample: Array, source: tuple[int, Any, dict[str, Any]] | None = None) -> int:
        self.samples.append(sample)
        self.sources.append(source)
        return len(self.samples) - 1

    def add_given(self, array: Array, constant: bool = False) -> int:
        """A value whose array is given and stays where it is; equal small constants are one value."""
        key = ("constant", array.dtype, array.shape, array.tobytes()) if constant and array.size < 64 else None
        if key is not None and key in self._known:
            return self._known[key]
        value = self._value(array)
        self.given.add(value)
        if constant:
            self.constants.add(value)
        if key is not None:
            self._known[key] = value
        return value

    def room(self, like: Array) -> int:
        """A value that steps will write part by part, laid out in memory as ``like``."""
        return self._value(np.empty_like(like))

    def add_view(self, value: int, op: Any, params: dict[str, Any]) -> int:
        """A view of a value, of which the sample shows the form only."""
        return self._value(op.view(self.samples[value], **params), (value, op, params))

    def root(self, value: int) -> int:
        """The value in whose memory a value lies: itself, or what it is a view of."""
        while (source := self.sources[value]) is not None:
            value = source[0]
        return value

    def look(self, value: int, op: Any, params: dict[str, Any]) -> int | None:
        """The view of a value that a row gives, or None where the row copies."""
        part = self._part(value, op, params)
        return None if part is None else self._known.setdefault((op, (value,), key_of(params)), part)

    def _part(self, value: int, op: Any, params: dict[str, Any], sample: Array | None = None) -> int | None:
        if isinstance(op, Primitive) and op not in BUILT_IN:
            return None  # what is its input at some numbers may be something else at others
        whole = self.samples[value]
        part = op.view(whole, **params) if op.view else op.array(whole, **params) if sample is None else sample
        if not isinstance(part, np.ndarray) or not np.may_share_memory(part, whole):
            return None
        return self._value(part, (value, op, params))

    def apply(self, op: Any, args: tuple[int, ...], params: dict[str, Any]) -> int:
        """The value of an operation: known already, a constant, a view, or computed by a new step."""
        key = (op, args, key_of(params))
        if key in self._known:
            return self._known[key]
        sample = np.asarray(op.array(*[self.samples[a] for a in args], **params))
        if len(args) == 1 and (view := self._part(args[0], op, params, sample)) is not None:
            if args[0] in self.constants:
                self.constants.add(view)
            self._known[key] = view
        elif self.constants.issuperset(args):
            self._known[key] = self.add_given(sample, constant=True)
        else:
            self._known[key] = value = self._value(dense(sample))
            self.steps.append(Step(op, args, params, value, self.backward))
        return self._known[key]


def dense(array: Array) -> Array:
    """The array itself if it lies in memory without gaps, in some order of its axes; else a copy that does."""
    if array.flags.c_contiguous:
        return array
    tight = np.empty_like(array)
    if tight.strides != array.strides:
        tight[...] = array
        return tight
    return array


def is_one_to_one(view: Array) -> bool:
    """Whether no two entries of a view lie at the same place (else what is added to one is added to both)."""
    reach = view.itemsize
    for stride, length in sorted((abs(s), n) for s, n in zip(view.strides, view.shape, strict=True) if n > 1):
        if stride < reach:
            return False
        reach += stride * (length - 1)
    return True


def key_of(params: Any) -> Any:
    """Parameters as something that can be looked up: equal keys mean the same operation."""
    if isinstance(params, dict):
        return tuple((name, key_of(value)) for name, value in params.items())
    if isinstance(params, tuple | list):
        return (type(params), *map(key_of, params))
    if isinstance(params, slice):
        return slice, params.start, params.stop, params.step
    if isinstance(params, np.ndarray):
        return params.dtype, params.shape, params.tobytes()
    if isinstance(params, float):
        return float, params.hex()  # 0.0 and -0.0 are equal, and NaN is not
    return type(params), params
