"""A compiled function: which trace a call belongs to, and what can be asked of it."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from numbers import Number
from threading import RLock
from typing import Any, NamedTuple

import numpy as np

from autodiff.compiler import options
from autodiff.compiler.calling.checking import check
from autodiff.compiler.calling.leaves import check_leaves
from autodiff.compiler.calling.rerolled import Rerolled
from autodiff.compiler.calling.scalar_entry import ScalarEntry
from autodiff.compiler.calling.tensor_entry import TensorEntry
from autodiff.compiler.calling.traced import Traced
from autodiff.compiler.collector import collector_resting
from autodiff.compiler.program import Program
from autodiff.compiler.tracing.arguments import Run, Tree, check_none_is_lost
from autodiff.compiler.tracing.keys import MissingExamplesError, collect, collect_batch
from autodiff.compiler.tracing.refusals import called_inside, needs_one_output
from autodiff.compiler.tracing.trace import Example, Trace
from autodiff.context import differentiated_since, tracing
from autodiff.errors import TraceError
from autodiff.tensor import Tensor
from autodiff.value import Value

_STATIC: Any = object()
_MANY = 20  # traces of a structure that was known, after which something must be said


class CacheInfo(NamedTuple):
    """How often a compiled function was called with a structure it knew, and how often it was traced."""

    hits: int
    traces: int
    maxsize: int
    currsize: int
    reason: str | None  # what had changed, when a structure that was known was last traced again


class Compiled:
    """A compiled function; see ``autodiff.compile``."""

    __wrapped__: Callable[..., Any]

    def __init__(
        self,
        function: Callable[..., Any],
        in_axes: Any,
        of: type | None,
        static_argnums: int | Sequence[int],
        static_argnames: str | Sequence[str],
        reduction: str,
        backend: str,
        dtype: Any,
        maxsize: int,
        check: bool,
    ) -> None:
        self._signature = options.signature_of(function)
        options.check_options(of, reduction, backend, dtype, maxsize, check)
        update_wrapper(self, function)
        self.__wrapped__ = function
        self._in_axes, self._reduction = options.axes_of(in_axes, self._signature), reduction
        self._of: Any = of
        self._reduces = "mean" if reduction == "none" else reduction  # what value_and_grad differentiates
        parameters = self._signature.parameters.values() if self._signature else ()
        self._argument_names = [p.name for p in parameters if p.kind in options.POSITIONAL]
        self._static, self._static_names = options.static_positions(self._signature, static_argnums, static_argnames)
        self._backend, self._dtype, self._maxsize, self._check = backend, np.dtype(dtype), maxsize, check
        self._modes: dict[int, tuple[Any, ...]] = {}  # by the number of arguments: the axis and the name of each
        self._entries: OrderedDict[Any, list[Any]] = OrderedDict()
        self._lock = RLock()
        self._hits = self._traces = self._again = 0
        self._last: tuple[list[Any] | None, Any] = (None, None)  # the key of the last call, and its trace
        self._reason: str | None = None

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────
    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """The outputs as plain numbers and arrays: one for each example, or taken together by ``reduction``."""
        if tracing() is not None:
            return self._inlined(args, kwargs)
        entry, found = self._entry(args, kwargs)
        return entry.call(found, self._reduction)

    def value_and_grad(
        self, /, *args: Any, argnums: int | Sequence[int] = 0, per_example: bool = False, **kwargs: Any
    ) -> tuple[Any, Any]:
        """The output, mean (or sum) over the batch, and its gradient in the structure of the argument.

        Args:
            args, kwargs: the arguments of the function.
            argnums: the position(s) of the arguments to differentiate by; a tuple gives a tuple of gradients.
            per_example: outputs and gradients of each example, with the batch as first axis, instead of their mean.

        Raises:
            TraceError: the function cannot be compiled.
            TypeError: it does not return one number.
        """
        entry, found = self._entry(args, kwargs)
        runner = entry.runners.get((self._reduces, argnums, per_example)) if type(argnums) is int else None
        if runner is None:
            self._needs_a_number(entry)
            runner = entry.runner(self._reduces, self._wanted(argnums, entry), per_example)
        return runner(found)  # type: ignore[no-any-return]

    def grad(self, /, *args: Any, argnums: int | Sequence[int] = 0, per_example: bool = False, **kwargs: Any) -> Any:
        """The gradient alone; see :meth:`value_and_grad`."""
        return self.value_and_grad(*args, argnums=argnums, per_example=per_example, **kwargs)[1]

    def vjp(self, /, *args: Any, argnums: int | Sequence[int] = 0, **kwargs: Any) -> tuple[Any, Callable[[Any], Any]]:
        """The outputs, and ``pull(cotangents)``: the cotangents, in the form of the outputs, times the Jacobian.

        Where the function returns a list of Values, the outputs of a batch are an array of shape (batch, outputs).
        """
        entry, found = self._entry(args, kwargs)
        return entry.vjp(found, self._wanted(argnums, entry))  # type: ignore[no-any-return]

    def backward(self, /, *args: Any, **kwargs: Any) -> Any:
        """The output, mean (or sum) over the batch; its gradient is added to ``.grad`` of the leaves.

        What ``loss.backward()`` does in a loop of examples: for Values and models among the arguments, and for those
        that the function reaches otherwise.

        Raises:
            GraphError: no leaf would receive a gradient, or one that varies from example to example would not.
        """
        entry, found = self._entry(args, kwargs)
        self._needs_a_number(entry)
        args, kwargs = self._positional(args, kwargs) if kwargs else (args, kwargs)
        check_leaves(entry, [*args, *(kwargs[name] for name in sorted(kwargs))], found)
        return entry.accumulate(found, self._reduces)

    def traced(self, /, *args: Any, **kwargs: Any) -> Traced:
        """The function as it is traced for these arguments: for who keeps the numbers of its parameters himself.

        The same object as long as nothing has changed that the function reaches; see :class:`Traced`.

        Raises:
            TraceError: the function cannot be compiled.
            TypeError: an argument is neither an array, a number nor a model.
        """
        entry, _ = self._entry(args, kwargs)
        if entry.traced is None:
            with self._lock:
                entry.traced = entry.traced or Traced(entry)
        return entry.traced  # type: ignore[no-any-return]

    # ── what was compiled ────────────────────────────────────────────────────────────────────────────
    def program(self, /, *args: Any, **kwargs: Any) -> Program:
        """The program for these arguments, traced if need be: print it, or draw its ``graph()``."""
        program: Program = self._entry(args, kwargs)[0].program
        return program

    def blocks(self, /, *args: Any, **kwargs: Any) -> Rerolled:
        """The re-rolled program for these arguments: print it, or draw its ``graph()``.

        Raises:
            TraceError: the function computes with Tensors, which are not re-rolled, or cannot be compiled.
        """
        entry, found = self._entry(args, kwargs)
        if isinstance(entry, TensorEntry):
            raise TraceError(f"{self!r} computes with arrays already, which are not re-rolled; print program(...)")
        return entry.rerolled(found)  # type: ignore[no-any-return]

    @property
    def programs(self) -> list[Program]:
        """Every program in the cache, the least recently used first."""
        with self._lock:
            return [entry.program for entries in self._entries.values() for entry in entries]

    def cache_info(self) -> CacheInfo:
        """How often the cache was hit and missed, its bound and its size."""
        with self._lock:
            return CacheInfo(self._hits, self._traces, self._maxsize, len(self.programs), self._reason)

    def clear_cache(self) -> None:
        """Forget every trace."""
        with self._lock:
            self._entries.clear()
            self._last = (None, None)

    def __repr__(self) -> str:
        return f"<compiled {getattr(self.__wrapped__, '__name__', self.__wrapped__)}, {len(self.programs)} programs>"

    def __reduce__(self) -> str:
        """By its name, as functions are copied and pickled."""
        return getattr(self, "__qualname__", repr(self))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else _Method(self, instance)

    # ── finding the trace ────────────────────────────────────────────────────────────────────────────
    def _entry(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, list[Any]]:
        if tracing() is not None:
            raise called_inside(self)
        if kwargs:
            args, kwargs = self._positional(args, kwargs)
        if self._of is None:
            self._of = self._decided(args, kwargs)
        modes = self._modes.get(len(args)) or self._modes_of(len(args))
        found: list[Any] = []
        key: list[Any] = []
        try:
            for x, (mode, name) in zip(args, modes, strict=True):
                if mode is None:
                    collect(x, found, key)
                elif mode is _STATIC:
                    self._static_key(x, key, name)
                else:
                    collect_batch(x, mode, found, key, name)
        except MissingExamplesError as error:
            axes = [None if mode is _STATIC else mode for mode, _ in modes]
            names = [name for _, name in modes]
            raise TraceError(options.without_examples(error, args, axes, names)) from None
        for name in sorted(kwargs) if kwargs else ():
            key.append(name)
            if name in self._static_names:
                self._static_key(kwargs[name], key, name)
            else:
                collect(kwargs[name], found, key)
        if (since := differentiated_since()) is not None:
            check_none_is_lost(found, since)
        last_key, last = self._last
        if key == last_key and last.trace.guards.hold():
            self._hits += 1
            return last, found
        with self._lock:
            whole = tuple(key)
            entry = self._known(whole)
            if entry is None:
                with collector_resting():
                    entry = self._trace(whole, args, kwargs, modes, found)
            self._entries.move_to_end(whole)
            self._last = key, entry
            return entry, found

    def _known(self, key: Any) -> Any:
        """The trace for a key, if what it reached beside its arguments is still the same."""
        entries = self._entries.get(key)
        if not entries:
            return None
        for entry in entries:
            if entry.trace.guards.hold():
                self._hits += 1
                return entry
        self._reason = entries[-1].trace.guards.changed()
        self._again += 1
        if self._again == _MANY:
            warnings.warn(
                f"{self!r} has been traced again {_MANY} times, because what it reaches changes: {self._reason}, the"
                " last time; pass it as an argument",
                RuntimeWarning,
                stacklevel=4,
            )
        return None

    def _static_key(self, x: Any, key: list[Any], name: str) -> None:
        try:
            hash(x)
        except TypeError:
            raise TypeError(
                f"{name} is static, so it is a key of the cache and has to be hashable, and a"
                f" {type(x).__name__} is not; write a tuple instead of a list"
            ) from None
        # 0.0 and -0.0 are equal, and {1} and {True}: as text they differ.
        key += (type(x), x, repr(x) if isinstance(x, Number | np.generic | tuple | frozenset) else "")

    def _trace(
        self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any], modes: tuple[Any, ...], found: list[Any]
    ) -> Any:
        starts = [0, 0]
        trees = [Tree(x, name, mode, starts, mode is _STATIC) for x, (mode, name) in zip(args, modes, strict=True)]
        named = {name: Tree(x, name, None, starts, name in self._static_names) for name, x in sorted(kwargs.items())}
        every = [*trees, *named.values()]
        runs = [run for tree in every for run in tree.runs]
        kind: Any = self._of
        objects = [x for tree in every for x in tree.objects]
        batch = next((x.shape[r.axis] for r, x in zip(runs, found, strict=True) if r.axis is not None), None)

        def example(at: int) -> Example:
            numbers = [_example(run, x, at) for run, x in zip(runs, found, strict=True)]
            return Example(trees, named, kind, numbers, batch)

        trace = Trace(self.__wrapped__, example(0), objects, kind)
        make: Any = ScalarEntry if kind is Value else TensorEntry
        entry = make(trace, every, self._backend, self._dtype)
        if self._check:
            again = Trace(self.__wrapped__, example(-1), objects, kind)
            check(entry, again, self.__wrapped__, found, example)
        self._traces += 1
        self._entries.setdefault(key, []).append(entry)
        self._entries.move_to_end(key)
        while len(self.programs) > self._maxsize:
            oldest = next(iter(self._entries))
            self._entries[oldest].pop(0)
            if not self._entries[oldest]:
                del self._entries[oldest]
        return entry

    # ── what the arguments are ───────────────────────────────────────────────────────────────────────
    def _positional(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if self._signature is None:
            return args, kwargs
        bound = self._signature.bind(*args, **kwargs)
        return bound.args, bound.kwargs

    def _name(self, position: int) -> str:
        return self._argument_names[position] if position < len(self._argument_names) else f"argument {position}"

    def _modes_of(self, count: int) -> tuple[Any, ...]:
        axes = self._in_axes
        plain = [i for i in range(count) if i not in self._static]
        if isinstance(axes, str) and axes == "auto":
            shared = self._of is Tensor
            modes = {i: None if k == 0 or shared else 0 for k, i in enumerate(plain)}
        elif isinstance(axes, list | tuple):
            if len(axes) != count:
                raise ValueError(options.wrong_count(axes, [self._name(i) for i in range(count)]))
            modes = dict(enumerate(axes))
        else:
            modes = dict.fromkeys(plain, axes)
        if self._of is Tensor and any(options.batched(modes[i]) for i in plain):
            raise TraceError(
                f"in_axes={axes!r} is for functions of single numbers, written for one example; a function of Tensors"
                " computes with the whole batch already, and takes in_axes=None"
            )
        self._modes[count] = tuple([(_STATIC if i in self._static else modes[i], self._name(i)) for i in range(count)])
        return self._modes[count]

    def _decided(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> type:
        """Whether the function computes with Values or with Tensors, from the first call."""
        axes = self._in_axes
        auto = isinstance(axes, str) and axes == "auto"
        kinds: set[Any] = set()
        plain = [x for i, x in enumerate(args) if i not in self._static]
        for x in [*plain, *(x for name, x in kwargs.items() if name not in self._static_names)]:
            found: list[Any] = []
            collect(x, found, [])
            for run in found:
                parts = run if isinstance(run, list | tuple) else (run,)
                kinds |= {_kind_of(p) for p in parts[:1]}
        if Tensor in kinds:
            return Tensor
        if Value in kinds or float in kinds:
            return Value
        if len(plain) > 1 if auto else options.batched(axes):
            return Value
        if auto and not kwargs and len(plain) == 1 and np.ndim(plain[0]) > 1:
            warnings.warn(options.one_array(self.__wrapped__, plain[0].shape), RuntimeWarning, stacklevel=4)
        return Tensor

    def _wanted(self, argnums: Any, entry: Any) -> Any:
        positions = options.positions_of(argnums, [self._name(i) for i in range(len(entry.trees))])
        for p in positions:
            if not entry.trees[p].runs:
                raise TypeError(
                    f"argnums={argnums!r}: {self._name(p)} has no numbers to differentiate by: it is static, or"
                    " empty, or an object without a method parameters()"
                )
        return positions if isinstance(argnums, list | tuple | range) else positions[0]

    def _needs_a_number(self, entry: Any) -> None:
        if not entry.returns_a_number:
            raise needs_one_output(self.__wrapped__, entry.trace.returned)

    def _inlined(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Inside another trace: the function itself, whose operations that trace writes down."""
        modes = self._modes_of(len(args)) if self._of is not None or self._in_axes != "auto" else ((None, ""),)
        if any(mode is not None and mode is not _STATIC for mode, _ in modes) or len(modes) < len(args):
            raise TraceError(
                f"{self!r} is for batches, and was called inside another compiled function, which computes one example;"
                " call the function itself there: .__wrapped__"
            )
        return self.__wrapped__(*args, **kwargs)


class _Method:
    """A compiled function that stands in a class, of one instance: the first argument is given."""

    def __init__(self, compiled: Compiled, instance: Any) -> None:
        self._compiled, self._instance = compiled, instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._compiled(self._instance, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # while it is copied, it has nothing yet
            raise AttributeError(f"a compiled method has no attribute {name!r}")
        found = getattr(self._compiled, name)
        return partial(found, self._instance) if name in _CALLS else found

    def __reduce__(self) -> Any:
        """As the method of that name of the instance."""
        return getattr, (self._instance, self._compiled.__wrapped__.__name__)


_CALLS = ("value_and_grad", "grad", "vjp", "backward", "traced", "program", "blocks")


def _kind_of(x: Any) -> type:
    """What an argument speaks for: Values or floats, Tensors, or arrays, which may stand for either."""
    if isinstance(x, Tensor | Value):
        return Tensor if isinstance(x, Tensor) else Value
    return np.ndarray if np.ndim(x) or isinstance(x, np.ndarray) else float


def _example(run: Run, x: Any, at: int) -> Any:
    """One example of what was given for a run."""
    if run.axis is None:
        return x
    if not x.shape[run.axis]:
        raise TraceError(f"{run.text} has no example: its shape is {x.shape}")
    return np.take(x, at, run.axis)
