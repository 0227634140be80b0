"""A traced function of Tensors, ready to be called on arrays: its program is replayed as it is."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np

from autodiff.compiler.calling.outputs import layout, parts_of, real_numbers
from autodiff.compiler.calling.packing import Packed
from autodiff.compiler.numpy_backend import Replay
from autodiff.compiler.passes import simplify
from autodiff.compiler.quiet import quiet
from autodiff.compiler.replay.lending import LARGE, Loan, Loans, is_free
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
        places, captured: the leaves of each run, and those that the function reaches by itself, in their order.
        traced: what is shown of it to others, when somebody has asked.
    """

    def __init__(self, trace: Trace, trees: list[Tree], backend: str, dtype: Any) -> None:
        if backend not in ("auto", "numpy"):
            raise TraceError(f"backend={backend!r} is for functions of Values; Tensors are replayed by NumPy")
        self.trace, self.trees = trace, trees
        self.program = simplify(trace.program)
        self.runs = [run for tree in trees for run in tree.runs]
        self.tensors: tuple[int, ...] = ()  # whose gradient would be lost
        self.runners: dict[Any, TensorRunner] = {}
        self.traced: Any = None
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
        bound = runner.take()
        bound.in_quiet(bound.forward, found)
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
        bound = runner.take()
        bound.in_quiet(bound.forward, found)
        return self.results(bound), _Pull(runner, bound)

    def accumulate(self, found: list[Any], reduction: str) -> Any:
        """The one output; its gradients are added to ``.grad`` of all Tensors among the arguments and captured."""
        runner = self.runner("all")
        bound = runner.take()
        bound.in_quiet(bound.run, found)
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
        for seed, weight in zip(bound.seeds, weights, strict=True):
            seed[...] = weight
        bound.in_quiet(bound.run, found)
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
        self.loans = Loans()
        self.lends = False  # whether a replay of it has been worth lending

    def __call__(self, found: list[Any]) -> tuple[Any, Any]:
        """The output and the gradients."""
        bound = self.take()
        both: tuple[Any, Any] = bound.in_quiet(self._computed, bound, found)
        self.pool.give(0, bound)
        return both

    def _computed(self, bound: _Bound, found: list[Any]) -> tuple[Any, Any]:
        bound.run(found)
        return bound.replay.outputs[0].item(), self.gradients(bound, lend=True)

    def take(self) -> _Bound:
        """A replay; it is to be given back to the pool."""
        return self.pool.take(0, self.new, is_free if self.lends else None)  # type: ignore[no-any-return]

    def new(self, _: Any = None) -> _Bound:
        """A replay with arrays of its own."""
        bound = _Bound(self.entry, self.wanted, self.purpose)
        self.lends |= bound.is_large
        return bound

    def gradients(self, bound: _Bound, lend: bool = False) -> Any:
        """What a replay has written, in the form of the arguments."""
        lent = self.loans.lend(bound.loan, bound.packed.memory[0]) if lend and bound.is_large else None
        takers = bound.takers if lent is None else bound.takers_from(bound.packed.parts([lent]), lent=True)
        return self.join([take() for take in takers])


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
        self.packed = Packed(followed)
        self.gradients = self.packed.arrays
        self._chosen = [(run, numbers[entry.places[entry.runs.index(run)]]) for run in chosen]
        self.takers = self.takers_from(self.gradients)
        own = len(set(chosen)) == len(chosen)  # what is asked for twice is two arrays
        self.is_large = own and len(self.packed.memory) == 1 and self.packed.memory[0].size >= LARGE
        self.loan = Loan()
        self.in_quiet = quiet()
        leaves = dict(zip(numbers, self.arrays, strict=True))
        self.seeds: Any = None
        if purpose != "none":
            self.seeds = [np.ones_like(y) for y in entry.outputs]
            for seed in self.seeds:
                seed.setflags(write=purpose != "one")
        self.replay = Replay(program, leaves, self.gradients, self.seeds)
        self.entry, self.captured = entry, entry.trace.captured
        self.held: list[Any] = [None] * len(self.arrays)  # what each leaf was read from
        self.now = list(self.arrays)  # from where the replay reads each leaf
        self.is_lasting = purpose == "one"  # before a pull the caller may change his arrays
        # Where each run goes: a leaf, or several.
        self.places: list[Any] = [
            place.start if run.leaves == 1 and run.nodes is None and run.kind not in (list, tuple) else place
            for run, place in zip(entry.runs, entry.places, strict=True)
        ]

    def takers_from(self, gradients: dict[int, Any], lent: bool = False) -> list[Callable[[], Any]]:
        """For each run by which to differentiate what gives its gradient, in its form: a copy, unless lent."""
        return [_taker(run, [gradients[number] for number in numbers], lent) for run, numbers in self._chosen]

    def run(self, found: list[Any]) -> None:
        """Forward and backward, on the numbers of a call."""
        self._fill(found)
        self.replay.run()

    def forward(self, found: list[Any]) -> None:
        """Forward only."""
        self._fill(found)
        self.replay.forward()

    def _fill(self, found: list[Any]) -> None:
        """Read the arguments. The array of a Tensor never changes: one that was read last time is there still."""
        held = self.held
        for place, given in zip(self.places, found, strict=True):
            if type(given) is Tensor:
                data = given._held
                if held[place] is not data:
                    if given._a is not None:
                        raise lost_in_compiled(given)
                    self._read(place, data, is_lasting=True)
                    held[place] = data
            elif type(place) is int:
                self._read(place, getattr(given, "_held", given), self.is_lasting)
            else:
                self._fill_several(place, given)
        if self.captured:
            self._fill_several(self.entry.captured, self.captured)

    def _fill_several(self, place: slice, given: Any) -> None:
        for k, x in zip(range(place.start, len(self.arrays)), given, strict=False):
            data = getattr(x, "_held", x)
            if self.held[k] is not data or type(x) is not Tensor:
                self._read(k, data, is_lasting=type(x) is Tensor)
                self.held[k] = data

    def _read(self, k: int, data: Any, is_lasting: bool) -> None:
        """Give a leaf its numbers: small arrays are copied; large ones are read where they are, if they stay so."""
        own = self.arrays[k]
        if own.size < LARGE:
            own[...] = data
            return
        reads = data if is_lasting and _is_laid_out_as(own, data) else own
        if self.now[k] is not reads:
            self.replay.rebind(self.entry.program.shared[k], reads)
            self.now[k] = reads
        if reads is own:
            own[...] = data


def _taker(run: Run, arrays: list[Any], lent: bool) -> Callable[[], Any]:
    if run.nodes is not None:
        return lambda: [array.copy() for array in arrays]
    if run.kind in (list, tuple):
        return lambda: run.kind([array.item() for array in arrays])
    (array,) = arrays
    if run.kind is float:
        return array.item  # type: ignore[no-any-return]
    return (lambda: array) if lent else array.copy


def _is_laid_out_as(own: Any, data: Any) -> bool:
    return (
        type(data) is np.ndarray
        and (data.shape, data.dtype, data.strides) == (own.shape, own.dtype, own.strides)
        and data.flags.aligned
    )


class _Pull:
    """From d loss / d outputs to gradients. It may be called again; its replay is free when it is let go."""

    def __init__(self, runner: TensorRunner, bound: _Bound) -> None:
        self._runner, self._bound = runner, bound
        self._fresh = True
        self._lock = Lock()

    def __call__(self, cotangents: Any) -> Any:
        with self._lock:
            return self._bound.in_quiet(self._pulled, cotangents)

    def _pulled(self, cotangents: Any) -> Any:
        bound = self._bound
        for k, part in parts_of(self._runner.entry.build(lambda k: k), cotangents):
            if np.shape(part) != bound.seeds[k].shape:
                raise ValueError(f"the output has shape {bound.seeds[k].shape}, and its cotangent {np.shape(part)}")
            bound.seeds[k][...] = real_numbers(part)
        if not self._fresh:
            bound.replay.forward()
        bound.replay.backward()
        self._fresh = False
        return self._runner.gradients(bound)

    def __del__(self) -> None:
        self._runner.pool.give(0, self._bound)
