"""A traced function of Tensors, ready to be called on arrays: its program is replayed as it is."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np

from autodiff.compiler.calling.outputs import layout, parts_of
from autodiff.compiler.numpy_backend import Replay
from autodiff.compiler.passes import simplify
from autodiff.compiler.replay.pool import Pool
from autodiff.compiler.tracing.arguments import Run, Tree, joiner
from autodiff.compiler.tracing.trace import Trace
from autodiff.errors import TraceError, lost_in_compiled
from autodiff.graph import Node
from autodiff.tensor import Tensor
from autodiff.trees import flatten

_KEPT = 1  # there is one size of batch only


class TensorEntry:
    """A function of Tensors: it computes with whole arrays, and nothing is mapped over a batch.

    Attributes:
        program: simplified; its shared leaves are arrays.
        trace: the function's run.
        trees: the structure of each argument.
    """

    def __init__(self, trace: Trace, trees: list[Tree], backend: str, dtype: Any) -> None:
        if backend not in ("auto", "numpy"):
            raise TraceError(f"backend={backend!r} is for functions of Values; Tensors are replayed by NumPy")
        self.trace, self.trees = trace, trees
        self.program = simplify(trace.program)
        self.runs = [run for tree in trees for run in tree.runs]
        self.runners: dict[Any, TensorRunner] = {}
        self.returns_a_number = isinstance(trace.returned, Node) and np.size(trace.returned._held) == 1
        self.build = layout(trace.returned, merge=False)
        self.samples: list[Any] = [np.asarray(x) for x in self.program.example or ()]
        counts = [run.leaves for run in self.runs]
        self.places = [slice(sum(counts[:k]), sum(counts[: k + 1])) for k in range(len(counts))]
        self.captured = slice(sum(counts), None)
        self.outputs = [y._held for y in flatten(trace.returned)[0]]

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────
    def runner(self, purpose: str, wanted: Any = (), per_example: bool = False) -> TensorRunner:
        """How calls are run for a purpose: "none" (outputs only), "one" (with gradients), "vjp", "all"."""
        if per_example:
            raise TraceError("per_example=True is for functions of Values: a function of Tensors has no examples")
        key = (purpose, wanted, per_example)
        if key not in self.runners:
            self.runners[key] = TensorRunner(self, purpose if purpose in ("none", "vjp", "all") else "one", wanted)
        return self.runners[key]

    def call(self, found: list[Any], reduction: str) -> Any:
        """The outputs, in the form in which the function returned them."""
        runner = self.runner("none")
        bound = runner.take(found)
        bound.replay.forward()
        outputs = self.results(bound)
        runner.pool.give(0, bound)
        return outputs

    def results(self, bound: _Bound) -> Any:
        """The outputs of a replay, in the form in which the function returned them."""
        outputs = bound.replay.outputs
        return self.build(lambda k: outputs[k].copy() if outputs[k].ndim else outputs[k].item())

    def vjp(self, found: list[Any], wanted: tuple[int, ...]) -> tuple[Any, Callable[[Any], Any]]:
        """The outputs, and the function that takes d loss / d outputs to gradients."""
        runner = self.runner("vjp", wanted)
        bound = runner.take(found)
        bound.replay.forward()
        return self.results(bound), _Pull(runner, bound)

    def accumulate(self, found: list[Any], reduction: str) -> Any:
        """The one output; its gradients are added to ``.grad`` of all Tensors among the arguments and captured."""
        runner = self.runner("all")
        bound = runner.take(found)
        bound.replay.run()
        value = bound.replay.outputs[0].item()
        nodes: list[Any] = []
        for given in found:
            nodes += given if isinstance(given, list | tuple) else [given]
        for number, node in zip(self.program.shared, [*nodes, *self.trace.captured], strict=True):
            if isinstance(node, Node) and node.requires_grad and number in bound.gradients:
                gradient = node.own(bound.gradients[number].copy(), set())
                node.grad = gradient if node.grad is None else node.grad + gradient
        runner.pool.give(0, bound)
        return value

    def batch(self, found: list[Any]) -> int:
        """One: the whole batch is in the arrays."""
        return 1

    def evaluated(self, found: list[Any], weights: list[Any]) -> tuple[list[Any], list[Any]]:
        """Each output, and the gradient of their weighted sum by every leaf (None for integers)."""
        bound = _Bound(self, (), "all")
        bound.fill(found)
        for seed, weight in zip(bound.seeds, weights, strict=True):
            seed[...] = weight
        bound.replay.run()
        gradients = [bound.gradients.get(n) for n in self.program.shared]
        return bound.replay.outputs, gradients


class TensorRunner:
    """How the calls of one kind are run: by which arguments to differentiate.

    Called with the runs of a call, it gives the one output and the gradients of the arguments ``wanted`` (of one
    argument, if that is a number).
    """

    def __init__(self, entry: TensorEntry, purpose: str, wanted: Any) -> None:
        self.entry, self.purpose = entry, purpose
        self.wanted = (wanted,) if isinstance(wanted, int) else wanted
        self.join = joiner([entry.trees[k] for k in self.wanted], isinstance(wanted, int))
        self.pool = Pool(_KEPT)

    def __call__(self, found: list[Any]) -> tuple[Any, Any]:
        """The output and the gradients."""
        bound = self.take(found)
        bound.replay.run()
        value = bound.replay.outputs[0].item()
        gradients = self.gradients(bound)
        self.pool.give(0, bound)
        return value, gradients

    def take(self, found: list[Any]) -> _Bound:
        """A replay that has the numbers of a call; it is to be given back to the pool."""
        bound: _Bound = self.pool.take(0, lambda _: _Bound(self.entry, self.wanted, self.purpose))
        bound.fill(found)
        return bound

    def gradients(self, bound: _Bound) -> Any:
        """What a replay has written, in the form of the arguments."""
        return self.join([take() for take in bound.takers])


class _Bound:
    """A replay, the arrays that it reads and those that it writes."""

    def __init__(self, entry: TensorEntry, wanted: tuple[int, ...], purpose: str) -> None:
        program = entry.program
        numbers = [*program.shared]
        self.arrays = [np.array(sample) for sample in entry.samples]
        everything = purpose == "all"
        chosen = [run for k in wanted for run in entry.trees[k].runs]
        places = [p for run, p in zip(entry.runs, entry.places, strict=True) if everything or run in chosen]
        followed: dict[int, Any] = {}
        for place in [*places, *([entry.captured] if everything else [])]:
            for number, array in zip(numbers[place], self.arrays[place], strict=True):
                if array.dtype.kind == "f":
                    followed[number] = array
                elif not everything:
                    raise TypeError(
                        f"integers carry no gradient, and an argument is of {array.dtype}; write dtype=float"
                    )
        self.gradients = side_by_side(followed)
        self.takers = [self._taker(run, numbers[entry.places[entry.runs.index(run)]]) for run in chosen]
        leaves = dict(zip(numbers, self.arrays, strict=True))
        self.seeds: Any = None
        if purpose != "none":
            self.seeds = [np.ones_like(y) for y in entry.outputs]
            for seed in self.seeds:
                seed.setflags(write=purpose != "one")
        self.replay = Replay(program, leaves, self.gradients, self.seeds)
        self.entry, self.captured = entry, entry.trace.captured
        self.held: list[Any] = [None] * len(self.arrays)  # what each leaf was read from
        # Where each run goes: a leaf, or several.
        self.places: list[Any] = [
            place.start if run.leaves == 1 and run.nodes is None and run.kind not in (list, tuple) else place
            for run, place in zip(entry.runs, entry.places, strict=True)
        ]

    def _taker(self, run: Run, numbers: list[int]) -> Callable[[], Any]:
        """What gives the gradient of a run, in its form."""
        arrays = [self.gradients[number] for number in numbers]
        if run.nodes is not None:
            return lambda: [array.copy() for array in arrays]
        if run.kind in (list, tuple):
            return lambda: run.kind([array.item() for array in arrays])
        (array,) = arrays
        return array.item if run.kind is float else array.copy  # type: ignore[no-any-return]

    def fill(self, found: list[Any]) -> None:
        """Read the arguments. The array of a Tensor never changes: one that was read last time is there still."""
        held = self.held
        for place, given in zip(self.places, found, strict=True):
            if type(given) is Tensor:
                data = given._held
                if held[place] is not data:
                    if given._a is not None:
                        raise lost_in_compiled(given)
                    np.copyto(self.arrays[place], data)
                    held[place] = data
            elif type(place) is int:
                self.arrays[place][...] = getattr(given, "_held", given)
            else:
                self._fill_several(place, given)
        if self.captured:
            self._fill_several(self.entry.captured, self.captured)

    def _fill_several(self, place: slice, given: Any) -> None:
        for k, x in zip(range(place.start, len(self.arrays)), given, strict=False):
            data = getattr(x, "_held", x)
            if self.held[k] is not data or type(x) is not Tensor:
                self.arrays[k][...] = data
                self.held[k] = data


def side_by_side(arrays: dict[int, Any]) -> dict[int, Any]:
    """Zeros like some arrays, all of one dtype in one piece of memory: whether they are finite is one question."""
    found: dict[int, Any] = {}
    for dtype in {array.dtype for array in arrays.values()}:
        alike = {k: array for k, array in arrays.items() if array.dtype == dtype}
        memory = np.zeros(sum([array.size for array in alike.values()]), dtype)
        start = 0
        for k, array in alike.items():
            part = memory[start : start + array.size]
            by_columns = array.flags.f_contiguous and not array.flags.c_contiguous
            found[k] = part.reshape(array.shape[::-1]).T if by_columns else part.reshape(array.shape)
            start += array.size
    return found


class _Pull:
    """From d loss / d outputs to gradients. It may be called again; its replay is free when it is let go."""

    def __init__(self, runner: TensorRunner, bound: _Bound) -> None:
        self._runner, self._bound = runner, bound
        self._fresh = True
        self._lock = Lock()

    def __call__(self, cotangents: Any) -> Any:
        bound = self._bound
        with self._lock:
            for k, part in parts_of(self._runner.entry.build(lambda k: k), cotangents):
                if np.shape(part) != bound.seeds[k].shape:
                    raise ValueError(f"the output has shape {bound.seeds[k].shape}, and its cotangent {np.shape(part)}")
                bound.seeds[k][...] = part
            if not self._fresh:
                bound.replay.forward()
            bound.replay.backward()
            self._fresh = False
            return self._runner.gradients(bound)

    def __del__(self) -> None:
        self._runner.pool.give(0, self._bound)
