"""A traced function of Tensors, ready to be called on arrays: its program is replayed as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff.compiler.arguments import Run, Tree
from autodiff.compiler.numpy_backend import Replay
from autodiff.compiler.outputs import layout, parts_of
from autodiff.compiler.passes import simplify
from autodiff.compiler.pool import Pool
from autodiff.compiler.refusals import needs_one_output
from autodiff.compiler.trace import Trace
from autodiff.errors import TraceError
from autodiff.graph import Node
from autodiff.trees import flatten

_KEPT = 8  # kinds of replays (which gradients) that are kept beside one program


class Array:
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
        self.pool = Pool(_KEPT)
        self._build = layout(trace.returned, merge=False)
        self.samples: list[Any] = [np.asarray(x) for x in self.program.example or ()]
        counts = [run.leaves for run in self.runs]
        self.places = [slice(sum(counts[:k]), sum(counts[: k + 1])) for k in range(len(counts))]
        self.captured = slice(sum(counts), None)
        self.outputs = [y._held for y in flatten(trace.returned)[0]]

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────
    def call(self, found: list[Any], reduction: str) -> Any:
        """The outputs, in the form in which the function returned them."""
        key, bound = self._take(found, (), "none")
        bound.replay.forward()
        outputs = self._results(bound)
        self.pool.give(key, bound)
        return outputs

    def value_and_grad(
        self, found: list[Any], wanted: Sequence[int], reduction: str, per_example: bool
    ) -> tuple[Any, list[Any]]:
        """The one output, and the gradients of the arguments with the numbers ``wanted``."""
        if per_example:
            raise TraceError("per_example=True is for functions of Values: a function of Tensors has no examples")
        key, bound = self._take(found, wanted, "one")
        bound.replay.run()
        value = bound.replay.outputs[0].item()
        gradients = self._gradients(bound, wanted)
        self.pool.give(key, bound)
        return value, gradients

    def vjp(self, found: list[Any], wanted: Sequence[int]) -> tuple[Any, Callable[[Any], list[Any]]]:
        """The outputs, and the function that takes d loss / d outputs to gradients."""
        key, bound = self._take(found, wanted, "vjp")
        bound.replay.forward()
        return self._results(bound), _Pull(self, key, bound, wanted)

    def accumulate(self, found: list[Any], reduction: str) -> Any:
        """The one output; its gradients are added to ``.grad`` of all Tensors among the arguments and captured."""
        key, bound = self._take(found, (), "all")
        bound.replay.run()
        value = bound.replay.outputs[0].item()
        nodes: list[Any] = []
        for given in found:
            nodes += given if isinstance(given, list | tuple) else [given]
        for number, node in zip(self.program.shared, [*nodes, *self.trace.captured], strict=True):
            if isinstance(node, Node) and node.requires_grad and number in bound.gradients:
                gradient = node.own(bound.gradients[number].copy(), set())
                node.grad = gradient if node.grad is None else node.grad + gradient
        self.pool.give(key, bound)
        return value

    def batch(self, found: list[Any]) -> int:
        """One: the whole batch is in the arrays."""
        return 1

    def evaluated(self, found: list[Any], weights: list[Any]) -> tuple[list[Any], list[Any]]:
        """Each output, and the gradient of their weighted sum by every leaf (None for integers)."""
        key, bound = self._take(found, (), "all but integers")
        for seed, weight in zip(bound.seeds or (), weights, strict=True):
            seed[...] = weight
        bound.replay.run()
        outputs = [y.copy() for y in bound.replay.outputs]
        gradients = [bound.gradients[n].copy() if n in bound.gradients else None for n in self.program.shared]
        self.pool.give(key, bound)
        return outputs, gradients

    def needs_one_output(self, function: Callable[..., Any]) -> None:
        """Raise where the function returned anything but one number."""
        if not isinstance(self.trace.returned, Node) or np.size(self.trace.returned._held) != 1:
            raise needs_one_output(function, self.trace.returned)

    # ── their parts ──────────────────────────────────────────────────────────────────────────────────
    def _take(self, found: list[Any], wanted: Sequence[int], purpose: str) -> tuple[Any, _Bound]:
        key = (tuple(wanted), purpose)
        bound = self.pool.take(key, lambda: _Bound(self, *key))
        bound.fill(found)
        return key, bound

    def _results(self, bound: _Bound) -> Any:
        return self._build(
            lambda k: bound.replay.outputs[k].copy() if bound.replay.outputs[k].ndim else bound.replay.outputs[k].item()
        )

    def _gradients(self, bound: _Bound, wanted: Sequence[int]) -> list[Any]:
        results = []
        for k in wanted:
            parts = [self._gradient(bound, run) for run in self.trees[k].runs]
            results.append(self.trees[k].build(iter(parts)))
        return results

    def _gradient(self, bound: _Bound, run: Run) -> Any:
        place = self.places[self.runs.index(run)]
        parts = [bound.gradients[number].copy() for number in self.program.shared[place]]
        if run.nodes is not None:
            return parts
        if run.kind in (list, tuple):
            return run.kind(part.item() for part in parts)
        return parts[0].item() if run.kind is float else parts[0]


class _Bound:
    """A replay, the arrays that it reads and those that it writes."""

    def __init__(self, entry: Array, wanted: tuple[int, ...], purpose: str) -> None:
        program = entry.program
        numbers = [*program.shared]
        self.arrays = [np.array(sample) for sample in entry.samples]
        chosen = {id(run) for k in wanted for run in entry.trees[k].runs}
        everything = purpose.startswith("all")
        places = [p for run, p in zip(entry.runs, entry.places, strict=True) if everything or id(run) in chosen]
        self.gradients: dict[int, Any] = {}
        for place in [*places, *([entry.captured] if everything else [])]:
            for number, array in zip(numbers[place], self.arrays[place], strict=True):
                if array.dtype.kind == "f":
                    self.gradients[number] = np.zeros_like(array)
                elif not everything:
                    raise TypeError(
                        f"integers carry no gradient, and an argument is of {array.dtype}; write dtype=float"
                    )
        leaves = dict(zip(numbers, self.arrays, strict=True))
        self.seeds: Any = None
        if purpose != "none":
            self.seeds = [np.ones_like(y) for y in entry.outputs]
            for seed in self.seeds:
                seed.setflags(write=purpose in ("vjp", "all but integers"))
        self.replay = Replay(program, leaves, self.gradients, self.seeds)
        self.entry = entry

    def fill(self, found: list[Any]) -> None:
        arrays, captured = self.arrays, self.entry.trace.captured
        for run, place, given in zip(self.entry.runs, self.entry.places, found, strict=True):
            if run.leaves == 1 and run.nodes is None and run.kind not in (list, tuple):
                np.copyto(arrays[place.start], getattr(given, "_held", given))
            else:
                for array, x in zip(arrays[place], given, strict=True):
                    array[...] = getattr(x, "_held", x)
        for array, node in zip(arrays[self.entry.captured], captured, strict=True):
            array[...] = node._held


class _Pull:
    """From d loss / d outputs to gradients. It may be called again; its replay is free when it is let go."""

    def __init__(self, entry: Array, key: Any, bound: _Bound, wanted: Sequence[int]) -> None:
        self._entry, self._key, self._bound, self._wanted = entry, key, bound, wanted
        self._fresh = True

    def __call__(self, cotangents: Any) -> list[Any]:
        bound = self._bound
        for k, part in parts_of(self._entry._build(lambda k: k), cotangents):
            seed = bound.seeds[k]
            if np.shape(part) != seed.shape:
                raise ValueError(f"the output has shape {seed.shape}, and its cotangent {np.shape(part)}")
            seed[...] = part
        if not self._fresh:
            bound.replay.forward()
        bound.replay.backward()
        self._fresh = False
        return self._entry._gradients(bound, self._wanted)

    def __del__(self) -> None:
        self._entry.pool.give(self._key, self._bound)
