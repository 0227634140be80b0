"""The back end that is always there: an array program replayed by NumPy, forward and backward, in buffers.

Everything is decided beforehand: which views there are, what is constant, where results stand. What is left for a run
is a list of calls, nearly all of them of NumPy's own functions with arrays that never move.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from math import isfinite
from types import SimpleNamespace
from typing import Any

import numpy as np

from autodiff.compiler.program import Program
from autodiff.compiler.quiet import quiet
from autodiff.compiler.replay.abreast import abreast
from autodiff.compiler.replay.buffers import arrays_for, needed
from autodiff.compiler.replay.derivative import differentiate
from autodiff.compiler.replay.fusion import contracted
from autodiff.compiler.replay.kernels import Call, calls_of
from autodiff.compiler.replay.plan import COPY, Array, Plan, Step
from autodiff.compiler.replay.scaling import scaled
from autodiff.errors import in_context

_RAISED = (ValueError, IndexError, TypeError, np.linalg.LinAlgError)  # what NumPy raises at arrays that do not fit


class Replay:
    """A program bound to the arrays of its leaves and of their gradients.

    Args:
        program: its values are arrays (what ``Recorder`` writes down of a function of tensors).
        leaves: for each shared and varying leaf the array from which its data are read at every run. The program is
            evaluated once on what they hold now, to learn its shapes.
        gradients: for each leaf by which to differentiate the array to which its gradient is written at every run,
            of the leaf's shape and dtype. No two of them overlap.
        seeds: for each output d loss / d output, read at every run; a read-only array is taken as a constant.
            None: forward only.

    Attributes:
        outputs: an array for each output, overwritten by the next run.

    The numbers are those of the engine, to the last bit forward (but for sums and means of products, which are taken in
    one go) and to rounding backward. A replay runs in one thread at a time.

    Raises:
        ValueError: an array is missing, or has a shape or dtype that does not fit.

    >>> import numpy as np
    >>> from autodiff import Tensor, observe
    >>> from autodiff.compiler.numpy_backend import Replay
    >>> from autodiff.compiler.program import Recorder
    >>> recorder, w, x = Recorder(), Tensor([2.0]), Tensor([3.0, 4.0])
    >>> leaf, data = recorder.shared(w), recorder.varying(x)
    >>> with observe(recorder):
    ...     loss = (w * x).square().sum()
    >>> recorder.program.outputs.append(recorder.number(loss))
    >>> weights, batch, slope = np.array([2.0]), np.array([3.0, 4.0]), np.empty(1)
    >>> replay = Replay(recorder.program, {leaf: weights, data: batch}, {leaf: slope}, [np.ones(())])
    >>> weights[0] = 1.0
    >>> replay.run()
    >>> replay.outputs, slope
    ([array(25.)], array([50.]))
    """

    def __init__(
        self,
        program: Program,
        leaves: Mapping[int, Array],
        gradients: Mapping[int, Array] | None = None,
        seeds: Sequence[Array] | None = None,
    ) -> None:
        gradients = {} if seeds is None else dict(gradients or {})
        _check_leaves(program, leaves, gradients)
        self._bound = (program, dict(leaves), gradients, seeds)
        self._main = _Passes(*self._bound, careful=False)
        self._careful: _Passes | None = None
        self._finite = _Finite(gradients.values())
        self._in_quiet = quiet()
        self._complete = False
        self.outputs: list[Array] = self._main.outputs

    def forward(self) -> None:
        """Compute the outputs."""
        self._in_quiet(_run, self._main.calls[0])
        self._complete = True

    def backward(self) -> None:
        """Write the gradients, from the seeds and from what the last :meth:`forward` left (leaves stay as they were).

        Raises:
            RuntimeError: :meth:`forward` did not run since the last backward (whose buffers it shares).
        """
        if not self._complete:
            raise RuntimeError("backward follows forward: the backward pass reuses the buffers of the forward pass")
        self._complete = False
        self._in_quiet(self._go, self._main.calls[1:])

    def run(self) -> None:
        """Forward and backward."""
        self._complete = False
        self._in_quiet(self._go, self._main.calls)

    def rebind(self, leaf: int, array: Array) -> None:
        """From now on read a leaf from another array, of the same shape, dtype and layout in memory.

        It takes a few microseconds, where a large array would take longer to copy.

        Raises:
            ValueError: the array is laid out in another way.
        """
        program, leaves, gradients, seeds = self._bound
        old = leaves[leaf]
        if (array.shape, array.dtype, array.strides) != (old.shape, old.dtype, old.strides):
            given = f"shape {array.shape}, {array.dtype} and strides {array.strides}"
            raise ValueError(f"leaf {leaf} has shape {old.shape}, {old.dtype} and strides {old.strides}, not {given}")
        self._bound = (program, {**leaves, leaf: array}, gradients, seeds)
        self._main.rebind(leaf, array)
        if self._careful is not None:
            self._careful.rebind(leaf, array)
        self._complete = False

    def _go(self, passes: tuple[list[Call], ...]) -> None:
        """Run passes, and see whether the gradients may stay; else the careful ones, which cost more, come after."""
        for calls in passes:
            _run(calls)
        if self._main.careless and not self._finite():
            if self._careful is None:
                self._careful = _Passes(*self._bound, careful=True)
            for calls in self._careful.calls:
                _run(calls)


class _Passes:
    """The calls of both passes."""

    def __init__(
        self,
        program: Program,
        leaves: Mapping[int, Array],
        gradients: Mapping[int, Array],
        seeds: Sequence[Array] | None,
        careful: bool,
    ) -> None:
        plan = Plan()
        with np.errstate(all="ignore"):
            numbers = _evaluated(plan, program, leaves)
            outputs = [_copied(plan, numbers[n]) for n in program.outputs]
            self.careless = False
            if seeds is not None:
                _check_seeds([plan.samples[v] for v in outputs], seeds)
                self.careless = differentiate(plan, program, numbers, gradients, seeds, careful)
            ids = {id(gradient) for gradient in gradients.values()}
            written = [v for v in plan.given if id(plan.samples[v]) in ids]
            plan.steps = needed(plan, [*outputs, *written])
            plan.steps = scaled(plan, outputs)
            plan.steps = contracted(plan, outputs)
            plan.steps = abreast(plan)
            arrays = arrays_for(plan, outputs)
        self._plan, self._numbers, self._arrays = plan, numbers, arrays
        calls: dict[bool, list[Call]] = {False: [], True: []}
        self._readers: dict[int, tuple[list[Any], list[tuple[int, Step]]]] = {}
        self._starts = []
        for step in plan.steps:
            self._starts.append(len(calls[step.backward]))
            calls[step.backward] += self._calls(step)
        self.outputs = [arrays[v] for v in outputs]
        self.calls = calls[False], calls[True]

    def _calls(self, step: Step) -> list[Call]:
        given = [self._arrays[a] for a in step.args]
        return calls_of(step.op, given, self._arrays[step.out], step.params, step.backward)

    def rebind(self, leaf: int, array: Array) -> None:
        """Read a leaf, and the views of it, from another array."""
        if leaf not in self._numbers:  # no output depends on it
            return
        if leaf not in self._readers:
            self._readers[leaf] = self._found(self._numbers[leaf])
        views, steps = self._readers[leaf]
        self._arrays[self._numbers[leaf]] = array
        for value, (seen, op, params) in views:
            self._arrays[value] = (op.view or op.array)(self._arrays[seen], **params)
        for start, step in steps:
            new = self._calls(step)
            self.calls[step.backward][start : start + len(new)] = new

    def _found(self, leaf: int) -> tuple[list[Any], list[tuple[int, Step]]]:
        """The views of a value, and the steps that read it or one of them, with the place of their first call."""
        changed, views = {leaf}, []
        for value, source in enumerate(self._plan.sources):
            if source is not None and source[0] in changed:
                changed.add(value)
                views.append((value, source))
        steps = zip(self._starts, self._plan.steps, strict=True)
        return views, [(start, step) for start, step in steps if not changed.isdisjoint(step.args)]


def _run(calls: list[Call]) -> None:
    for function, arguments in calls:
        function(*arguments)


def _evaluated(plan: Plan, program: Program, leaves: Mapping[int, Array]) -> dict[int, int]:
    """The forward pass of a program as steps; the plan's value for each value that an output depends on."""
    used = set(program.outputs)
    for n in range(len(program) - 1, -1, -1):
        if n in used:
            used.update(program.args[n])
    numbers: dict[int, int] = {}
    for n in sorted(used):
        op = program.ops[n]
        if op is not None:
            args, params = tuple([numbers[a] for a in program.args[n]]), program.params[n] or {}
            try:
                numbers[n] = plan.apply(op, args, params)
            except _RAISED as error:
                shapes = [SimpleNamespace(label=None, shape=plan.samples[a].shape) for a in args]
                raise in_context(error, op, shapes, params) from error
        elif n in program.constants:
            numbers[n] = plan.add_given(np.asarray(program.constants[n]), constant=True)
        else:
            numbers[n] = plan.add_given(leaves[n])
    return numbers


def _copied(plan: Plan, value: int) -> int:
    """An output that is a leaf, or a view of one, is copied: the caller may change the leaf before he reads it."""
    if plan.root(value) not in plan.given or value in plan.constants:
        return value
    return plan.apply(COPY, (value,), {})


class _Finite:
    """Whether all entries of some arrays are finite. Arrays that lie one behind the other are looked at as one."""

    def __init__(self, arrays: Iterable[Array]) -> None:
        self._parts: list[tuple[Array, Any]] = []
        self._arrays = sorted([x.T if x.flags.f_contiguous else x for x in arrays], key=_address)
        ordered = list(self._arrays)
        while ordered:
            first = ordered.pop(0)
            size = first.size
            if not first.flags.c_contiguous:
                self._parts.append((first, partial(np.vdot, first)))
                continue
            while ordered and _follows(first, size, ordered[0]):
                size += ordered.pop(0).size
            row = np.lib.stride_tricks.as_strided(first, (size,), (first.itemsize,))
            self._parts.append((row, row.dot))

    def __call__(self) -> bool:
        # A sum of squares is quick, and finite wherever the numbers are, but for the very largest.
        return all([isfinite(abs(dot(x))) or np.isfinite(x).all() for x, dot in self._parts])


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def _follows(first: Array, size: int, other: Array) -> bool:
    behind = _address(first) + size * first.itemsize
    return bool(_address(other) == behind and other.flags.c_contiguous and other.dtype == first.dtype)


# ── what may be given ────────────────────────────────────────────────────────────────────────────────
def _check_leaves(program: Program, leaves: Mapping[int, Array], gradients: Mapping[int, Array]) -> None:
    expected = [*program.shared, *program.varying]
    missing = [n for n in expected if n not in leaves]
    if missing:
        raise ValueError(f"the program has the leaves {expected}, and arrays were given for {sorted(leaves)} only")
    for n, array in leaves.items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"leaf {n} is read at every run, so it is a NumPy array, not {type(array).__name__}")
    for n, gradient in gradients.items():
        if n not in expected:
            raise ValueError(f"value {n} is none of the leaves {expected}, and a gradient was asked for it")
        leaf = leaves[n]
        if not isinstance(gradient, np.ndarray) or not gradient.flags.writeable:
            raise ValueError(f"the gradient of leaf {n} is written into a NumPy array that can be written to")
        if gradient.shape != leaf.shape or gradient.dtype != leaf.dtype:
            raise ValueError(
                f"leaf {n} has shape {leaf.shape} and dtype {leaf.dtype}, and the array for its gradient"
                f" {gradient.shape} and {gradient.dtype}"
            )
        if leaf.dtype.kind not in "fc":
            raise ValueError(f"leaf {n} holds {leaf.dtype}, and integers carry no gradient")


def _check_seeds(outputs: Sequence[Array], seeds: Sequence[Array]) -> None:
    if len(outputs) != len(seeds):
        raise ValueError(f"the program has {len(outputs)} outputs, and {len(seeds)} seeds were given")
    for i, (output, seed) in enumerate(zip(outputs, seeds, strict=True)):
        if not isinstance(seed, np.ndarray) or seed.shape != output.shape:
            raise ValueError(f"output {i} has shape {output.shape}, and its seed {np.shape(seed)}")
