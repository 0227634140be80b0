"""Scalar programs on one virtual machine, for programs without regular blocks and for small batches.

The machine is compiled once for all programs, by numba, which takes seconds, and is kept in numba's cache on disk.
A new program then costs no more than its own code, a list of numbers.
"""

from __future__ import annotations

import platform
from functools import cache, partial
from importlib.util import find_spec
from types import FunctionType
from typing import Any

import numpy as np

from autodiff.compiler.bound import Bound
from autodiff.compiler.program import Program
from autodiff.compiler.tape.encoding import Unsupported, encode
from autodiff.compiler.tape.machine import LANES, sweep, table

__all__ = ["BoundTape", "Tape", "Unsupported", "available", "is_loaded"]


_PROCESSORS = frozenset({"x86_64", "AMD64", "arm64", "aarch64"})  # LLVM can jump from operation to operation there


def available() -> bool:
    """Whether numba is installed, and the processor one that the machine was made for."""
    return platform.machine() in _PROCESSORS and find_spec("numba") is not None


def is_loaded() -> bool:
    """Whether the machine has been loaded, so that another program costs next to nothing."""
    return _machine.cache_info().currsize > 0


class Tape:
    """A scalar program, ready to run.

    Args:
        program: the program; every instruction an elementwise row of the table.
        wrt_shared, wrt_varying: which leaves gradients are asked for.
        dtype: of the results. The machine itself computes with float64.

    Raises:
        Unsupported: the machine has no operation for an instruction of the program, or was not made for the processor.
        ImportError: numba is not installed.
    """

    def __init__(
        self, program: Program, wrt_shared: bool = True, wrt_varying: bool = False, dtype: Any = np.float64
    ) -> None:
        if platform.machine() not in _PROCESSORS:
            known = ", ".join(sorted(_PROCESSORS))
            raise Unsupported(
                f"the numba back end runs on {known}, and this is {platform.machine()}; use backend='numpy'"
            )
        self.run = _machine()
        self.code = encode(program, wrt_shared, wrt_varying)
        self.first = len(self.code.constants)
        self.shared, self.varying, self.outputs = map(len, (program.shared, program.varying, program.outputs))
        self.wrt_shared, self.wrt_varying = wrt_shared, wrt_varying
        self.dtype = np.dtype(dtype)
        self.idle_one: list[tuple[Any, Any]] = []  # work arrays that no thread is using, for one example ...
        self.idle_many: list[tuple[Any, Any]] = []  # ... and for a batch

    def forward(self, P: Any, X: Any) -> Any:
        """The outputs, (n_outputs, B), for parameters of shape (n_shared,) and inputs of shape (n_varying, B)."""
        return self._run(P, X, None, False)[0]

    def value_and_grad(self, P: Any, X: Any, seed: Any, per_example: bool = False) -> tuple[Any, Any, Any]:
        """The outputs, and the gradients of the sum of ``seed * outputs``.

        Args:
            P: the parameters, of shape (n_shared,).
            X: the inputs, of shape (n_varying, B).
            seed: d loss / d outputs, of shape (n_outputs, B).
            per_example: do not sum the gradient of the parameters over the batch.

        Returns:
            The outputs (n_outputs, B), the gradients of the parameters, (n_shared,) or, per example, (n_shared, B),
            and of the inputs, (n_varying, B); None for those that were not asked for.

        Raises:
            ValueError: an array has another shape.
        """
        return self._run(P, X, seed, per_example)

    def _run(self, P: Any, X: Any, seed: Any, per_example: bool) -> tuple[Any, Any, Any]:
        P = np.ascontiguousarray(P, np.float64)
        X = np.ascontiguousarray(X, np.float64)
        batch = X.shape[-1]
        _check("P", P, (self.shared,))
        _check("X", X, (self.varying, batch))
        out = np.empty((self.outputs, batch))
        dP = dX = _NOTHING
        if seed is None:
            seed = _NOTHING
        else:
            seed = np.ascontiguousarray(seed, np.float64)
            _check("seed", seed, (self.outputs, batch))
            if self.wrt_shared:
                dP = np.zeros((self.shared, batch if per_example else 1))
            if self.wrt_varying:
                dX = np.zeros((self.varying, batch))
        idle = self.idle_one if batch == 1 else self.idle_many
        try:
            work = idle.pop()
        except IndexError:
            work = self.work(batch)
        self.run(*self.arguments(work, P, X, seed, out, dP, dX))
        idle.append(work)
        if self.dtype is not _FLOAT64:
            out, dP, dX = (x.astype(self.dtype) for x in (out, dP, dX))
        per_leaf = dP if per_example else dP[:, 0] if self.wrt_shared and seed is not _NOTHING else None
        return out, per_leaf if self.wrt_shared else None, dX if self.wrt_varying else None

    def work(self, batch: int) -> tuple[Any, Any]:
        """Arrays to work in, for one thread at a time."""
        lanes = 1 if batch == 1 else LANES
        values = np.zeros((self.code.slots, lanes))
        values[: self.first] = self.code.constants[:, None]
        return values, np.full((self.code.gradients, lanes), -0.0)

    def arguments(self, work: tuple[Any, Any], *arrays: Any) -> tuple[Any, ...]:
        """What the machine is given: the code, where to work, and P, X, the seed, the outputs, dP and dX."""
        code = self.code
        return code.forward, code.backward, *work, code.outputs, code.seeds, self.first, *arrays


class BoundTape(Bound):
    """A tape beside the arrays that it reads and writes; see :class:`Bound`."""

    def __init__(self, tape: Tape, program: Program, batch: int) -> None:
        super().__init__(program, batch, tape.wrt_shared, tape.wrt_varying, tape.dtype)
        self.X = np.ones((len(self.X), batch), tape.dtype)  # the machine reads the examples side by side
        self.outputs = np.zeros_like(self.seed)
        given, found = [self.P, self.X, self.seed], [self.outputs, _NOTHING, _NOTHING]
        if tape.wrt_shared:
            found[1] = np.zeros((len(self.P), 1), tape.dtype)
            self.dP = found[1][:, 0]
        if tape.wrt_varying:
            found[2] = self.dX = np.zeros_like(self.X)
        own = [np.asarray(x, np.float64) for x in (*given, *found)]  # the machine's: the same, if they are float64
        self._before = [(x, y) for x, y in zip(own, given, strict=False) if x is not y]
        self._after = [(y, x) for x, y in zip(own[3:], found, strict=True) if x is not y]
        work = tape.work(batch)
        self._machine = tape.run
        self._forward = tape.arguments(work, *own[:2], _NOTHING, own[3], _NOTHING, _NOTHING)
        self._both = tape.arguments(work, *own)

    def forward(self) -> None:
        """Compute the outputs."""
        self._call(self._forward)

    def backward(self) -> None:
        """Compute the gradients. (The outputs once more: a batch passes the machine in parts, forward and back.)"""
        self._call(self._both)

    run = backward

    def _call(self, arguments: tuple[Any, ...]) -> None:
        for to, source in self._before:
            np.copyto(to, source)
        self._machine(*arguments)
        for to, source in self._after:
            np.copyto(to, source)


_FLOAT64 = np.dtype(np.float64)
_NOTHING = np.empty((0, 0))


def _check(name: str, x: Any, shape: tuple[int, ...]) -> None:
    if x.shape != shape:
        raise ValueError(f"{name} has shape {x.shape}, and this program needs {shape}")


def _run_all(forward, backward, values, gradients, outputs, seeds, first, P, X, seed, out, dP, dX):  # type: ignore
    """Both sweeps over a batch, so many examples at a time as there are lanes; numba compiles it.

    The slots from ``first`` on hold the shared leaves, then the varying ones, then results.
    """
    lanes, batch = values.shape[1], X.shape[1]
    varying = first + len(P)
    results = values.ctypes.data + values.itemsize * lanes * (varying + len(X))
    leaves = 1 + len(dP) + len(dX)
    summed = dP.shape[1] != batch
    for i in range(len(P)):
        for lane in range(lanes):
            values[first + i, lane] = P[i]
    for i in range(1, 1 + len(dP)):
        for lane in range(lanes):
            gradients[i, lane] = -0.0
    # The step that does not fill the lanes is the first: what its idle lanes have gathered is cleared away.
    active = batch % lanes or lanes
    start = 0
    while start < batch:
        for i in range(len(X)):
            for lane in range(active):
                values[varying + i, lane] = X[i, start + lane]
        if lanes == 1:
            _sweep(0, 1, forward.ctypes.data, values.ctypes.data, results, active)
        else:
            _sweep(0, LANES, forward.ctypes.data, values.ctypes.data, results, active)
        for i in range(len(outputs)):
            for lane in range(active):
                out[i, start + lane] = values[outputs[i], lane]
        if len(seed):
            for i in range(1 + len(dP) if summed else 1, leaves):
                for lane in range(lanes):
                    gradients[i, lane] = -0.0
            for i in range(len(outputs)):
                for lane in range(lanes):
                    if seeds[i] >= leaves:
                        gradients[seeds[i], lane] = -0.0
            for i in range(len(outputs)):
                for lane in range(active):
                    gradients[seeds[i], lane] += seed[i, start + lane]
            if lanes == 1:
                _sweep(1, 1, backward.ctypes.data, values.ctypes.data, gradients.ctypes.data, active)
            else:
                _sweep(1, LANES, backward.ctypes.data, values.ctypes.data, gradients.ctypes.data, active)
            for i in range(len(dX)):
                for lane in range(active):
                    dX[i, start + lane] = gradients[1 + len(dP) + i, lane] + 0.0
            for i in range(len(dP)):
                for lane in range(active):
                    if not summed:
                        dP[i, start + lane] = gradients[1 + i, lane] + 0.0
                for lane in range(active, lanes):
                    gradients[1 + i, lane] = -0.0
        start += active
        active = lanes
    if summed:
        for i in range(len(dP)):
            total = 0.0
            for lane in range(lanes):
                total += gradients[1 + i, lane]
            dP[i, 0] = total


def _sweep(backward: int, lanes: int, code: int, values: int, other: int, active: int) -> None:
    """Stands for the machine, which is put in its place."""
    raise NotImplementedError


@cache
def _machine() -> Any:
    """The compiled machine: from numba's cache on disk or, the first time, compiled."""
    try:
        import numba
        from numba.extending import intrinsic
    except ImportError as error:
        raise ImportError('this back end runs on numba, which is missing: pip install "clearprop[fast]"') from error
    types = numba.types

    def typed(context: Any, backward: Any, lanes: Any, code: Any, values: Any, other: Any, active: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            function = sweep(builder.module, bool(backward.literal_value), lanes.literal_value)
            addresses = [builder.inttoptr(x, to.type) for x, to in zip(args[2:5], function.args, strict=False)]
            builder.call(function, [*addresses, args[5]])
            return context.get_dummy_value()

        return types.void(backward, lanes, types.uintp, types.uintp, types.uintp, types.int64), generate

    # numba names the files of its cache after the function: so this machine is told from any other.
    names = {**globals(), "_sweep": intrinsic(prefer_literal=True)(typed)}
    run = FunctionType(_run_all.__code__, names, f"machine_{table().fingerprint()}")
    run.__module__, run.__qualname__ = __name__, run.__name__
    vector, matrix = types.Array(types.float64, 1, "C"), types.Array(types.float64, 2, "C")
    code = types.Array(types.int32, 1, "C")
    signature = types.void(code, code, matrix, matrix, code, code, types.int64, vector, *[matrix] * 5)
    compiled = partial(numba.njit, signature, nogil=True, error_model="numpy")
    try:
        return compiled(cache=True)(run)
    except RuntimeError:  # there is no folder that numba may write to
        return compiled()(run)
