"""Re-rolling: from a program of single numbers to a program of arrays.

A network that was written neuron by neuron is recognised as a few matrix products and elementwise operations on
blocks of rows, with the examples of a batch side by side along the last axis.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from math import prod
from typing import Any

import numpy as np

from autodiff.compiler.passes import simplify
from autodiff.compiler.program import Program, Recorder
from autodiff.compiler.rerolling.blocks import (
    Block,
    Fixed,
    Given,
    Joined,
    Map,
    Operand,
    Part,
    Placement,
    Product,
    Rearranged,
    Reduction,
)
from autodiff.compiler.rerolling.terms import taken_apart
from autodiff.compiler.rerolling.views import Rows, part
from autodiff.context import enable_grad, no_grad, observe, scope
from autodiff.primitives.reductions import sum as total
from autodiff.primitives.shapes import broadcast_to, concatenate, reshape
from autodiff.tensor import Tensor

_PARTS = re.compile(r"\[[^\]]*\]|[^.\[]+")  # of a name such as params[0]['W'] or net.layers.0.weights


class Blocks:
    """A scalar program, re-rolled.

    Attributes:
        parameters: for each shared leaf of the array program, the entries of the vector of parameters it holds.
        inputs: for each varying leaf, the rows of the matrix of inputs that it holds.
        columns: the shared leaves that stand beside a batch, with an axis of length 1 in its place.
        multiplied: the varying leaves that are used by nothing but matrix products.
    """

    def __init__(self, program: Program) -> None:
        self.scalar = program
        self.placement = Placement(taken_apart(program))
        used = [(x, isinstance(block, Product)) for block in self.placement.blocks for x in block.operands]
        used.append((self.placement.output, False))
        given = [(x, multiplied) for x, multiplied in used if isinstance(x, Given)]
        self.columns = {x.leaf for x, _ in given if x.column}
        varying = {x.leaf for x, _ in given if x.varies}
        self.multiplied = varying - {x.leaf for x, multiplied in given if x.varies and not multiplied}
        self.parameters: list[Rows] = self.placement.parameters
        self.inputs: list[Rows] = self.placement.inputs

    def program(self, batch: int, dtype: Any = np.float64) -> Program:
        """The array program for so many examples; its one output has shape (outputs, batch)."""
        return simplify(_Emission(self, batch, dtype).run())

    def leaf_shape(self, program: Program, number: int, batch: int) -> tuple[int, ...]:
        """The shape of a leaf of the array program for so many examples."""
        if number in program.varying:
            return (*self.inputs[program.varying.index(number)].shape, batch)
        k = program.shared.index(number)
        return (*self.parameters[k].shape, 1) if k in self.columns else self.parameters[k].shape

    def graph(self, batch: int = 1, P: Any = None, X: Any = None) -> Tensor:
        """The same as a graph of tensors: to look at, to explain and to draw.

        Args:
            batch: how many examples.
            P, X: the parameters, of shape (parameters,), and the inputs, (inputs, batch); by default those of the
                trace, for all examples.
        """
        emission = _Emission(self, batch, np.float64, P, X)
        emission.run()
        return emission.output  # type: ignore[no-any-return]


def reroll(program: Program) -> Blocks:
    """Find the matrix products, reductions and blocks of equal operations in a scalar program."""
    return Blocks(program)


class _Emission:
    """The blocks of a placement as tensors, and as the program that was recorded while they were computed."""

    def __init__(self, blocks: Blocks, batch: int, dtype: Any, P: Any = None, X: Any = None) -> None:
        self.placement, self.columns, self.batch, self.dtype = blocks.placement, blocks.columns, batch, dtype
        self.P, self.X = P, X
        self.recorder = Recorder()
        self.names: list[str] = []
        self.parameters: list[Any] = []
        self.inputs: list[Any] = []
        self.tensors: list[Any] = []
        self.flat: dict[int, Any] = {}
        self.parts: dict[Any, Any] = {}
        self.output: Any = None

    @np.errstate(all="ignore")  # inf and NaN are answers here
    def run(self) -> Program:
        placement, recorder = self.placement, self.recorder
        program, (P, X) = placement.terms.program, self._examples()
        names = _Names(program.names)
        for k, index in enumerate(placement.parameters):
            data = P[index][..., None] if k in self.columns else P[index]
            name = names.of(index) or ("W" if data.ndim > 1 else "b")
            self.parameters.append(self._leaf(name, data))
        for index in placement.inputs:
            name = names.of(index + len(program.shared)) or "x"
            self.inputs.append(self._leaf(name, X[index]))
        for leaf in self.parameters:
            recorder.shared(leaf)
        for leaf in self.inputs:
            recorder.varying(leaf)
        with enable_grad(), observe(recorder):
            for number, block in enumerate(placement.blocks):
                with ExitStack() as stack:
                    if block.stopped:
                        stack.enter_context(no_grad())
                    if place := self._scope(block):
                        stack.enter_context(scope(place))
                    result = self._computed(block)
                    width = self.batch if placement.varies(number) else 1
                    self.tensors.append(_stretched(result, (*block.lengths, width)))
            outputs = len(placement.terms.outputs)
            self.output = _stretched(self._rows(placement.output, (outputs,)), (outputs, self.batch))
        program = recorder.program
        program.outputs = [recorder.number(self.output)]
        program.names = [(name, ()) for name in self.names]
        program.example = [leaf.data for leaf in (*self.parameters, *self.inputs)]
        return program

    def _leaf(self, name: str, data: Any) -> Tensor:
        self.names.append(name)
        # In a drawing the place says the rest of net.layers.0.neurons.weights.
        return Tensor(data.astype(self.dtype), label=name.rpartition(".")[2])

    def _examples(self) -> tuple[Any, Any]:
        """The parameters and inputs: those given, those of the trace, or ones where they are not known."""
        if self.P is not None:
            return self.P, self.X
        program = self.placement.terms.program
        count = len(program.shared)
        given = program.example if program.example is not None else [1.0] * (count + len(program.varying))
        return np.array(given[:count], float), np.tile(np.array(given[count:], float)[:, None], self.batch)

    def _scope(self, block: Block) -> str:
        """What the places of a block's numbers have in common: the layer of its neurons."""
        scopes = self.placement.terms.program.scopes
        places = {scopes[self.placement.forms[i].number] for i in block.forms}
        if not places:
            return ""
        paths = [place.split("/") for place in places]
        shared = []
        for names in zip(*paths, strict=False):
            if len(set(names)) > 1:
                break
            shared.append(names[0])
        return "/".join(shared)

    # ── blocks ───────────────────────────────────────────────────────────────────────────────────────
    def _computed(self, block: Block) -> Any:
        if isinstance(block, Map):
            return block.op(*[self._tensor(x) for x in block.operands], **block.params or {})
        if isinstance(block, Product):
            return self._product(block)
        if isinstance(block, Reduction):
            return self._reduction(block)
        if isinstance(block, Rearranged):
            return reshape(self._tensor(block.operands[0])[block.rows], (*block.lengths, -1))
        assert isinstance(block, Joined)
        width = self.batch if block.varies else 1
        pieces = [
            _stretched(self._tensor(x), (count, width)) for x, count in zip(block.operands, block.counts, strict=True)
        ]
        return concatenate(pieces, axis=0)

    def _product(self, block: Product) -> Any:
        rows, k = block.shape
        weights = self._matrix(block.operands[0], (rows, k))
        if block.signs is not None:
            weights = weights * block.signs.astype(self.dtype)
        outer = block.lengths[:-1]
        return weights @ self._rows(block.operands[1], (*outer, k))

    def _reduction(self, block: Reduction) -> Any:
        factors = [self._tensor(x) for x in block.operands]
        terms = factors[0] * factors[1] if len(factors) == 2 else factors[0]
        inner = len(block.inner)
        outer = terms.shape[: -inner - 1]
        terms = _stretched(terms, (*outer, *block.inner, terms.shape[-1]))
        result = total(terms, axis=tuple(range(len(outer), len(outer) + inner)))
        return reshape(result, (1, -1)) if result.ndim == 1 else result

    # ── operands ─────────────────────────────────────────────────────────────────────────────────────
    def _tensor(self, x: Operand) -> Any:
        if isinstance(x, Given):
            return self.inputs[x.leaf] if x.varies else self.parameters[x.leaf]
        if isinstance(x, Fixed):
            return Tensor(x.array.astype(self.dtype), requires_grad=False)
        key = (x.block, x.first, tuple(x.axes))
        if key not in self.parts:
            with enable_grad():  # a part may be wanted again where gradients pass it
                self.parts[key] = self._part(x)
        return self.parts[key]

    def _part(self, x: Part) -> Any:
        whole = self.tensors[x.block]
        lengths = whole.shape[:-1]
        steps = [prod(lengths[k + 1 :]) for k in range(len(lengths))]
        if x.first == 0 and [(n, s) for n, s in zip(lengths, steps, strict=True) if n > 1] == [
            axis for axis in x.axes if axis[0] > 1
        ]:
            wanted = tuple([n for n, _ in x.axes])
            return whole if wanted == lengths else reshape(whole, (*wanted, whole.shape[-1]))
        if x.block not in self.flat:
            flat = whole if whole.ndim == 2 else reshape(whole, (prod(lengths), whole.shape[-1]))
            self.flat[x.block] = flat
            # It belongs to what it is a view of, not to the first of several time steps that read from it.
            flat.scope = whole.scope
            self.recorder.program.scopes[self.recorder.number(flat)] = whole.scope
        return part(self.flat[x.block], x.first, x.axes)

    def _rows(self, x: Operand, shape: tuple[int, ...]) -> Any:
        """An operand of just this shape, followed by the batch."""
        tensor = self._whole(x)
        wanted = (*shape, tensor.size // prod(shape))
        return tensor if tensor.shape == wanted else reshape(tensor, wanted)

    def _matrix(self, x: Operand, shape: tuple[int, int]) -> Any:
        """An operand that does not vary, without a place for the batch."""
        tensor = self._whole(x)
        return tensor if tensor.shape == shape else reshape(tensor, shape)

    def _whole(self, x: Operand) -> Any:
        tensor = self._tensor(x)
        return _stretched(tensor, (*[n for n, _ in x.axes], tensor.shape[-1])) if isinstance(x, Part) else tensor


class _Names:
    """What several leaves of a program are called together; see ``Program.names``."""

    def __init__(self, names: list[tuple[str, tuple[int, ...]]]) -> None:
        self.names = names
        self.ends = np.cumsum([prod(shape) for _, shape in names])

    def of(self, leaves: Rows) -> str:
        """What the first and the last have in common: of ``params[0][1]`` and ``params[0][7]`` it is ``params[0]``."""
        both = []
        for leaf in (int(leaves.flat[0]), int(leaves.flat[-1])):
            entry = int(np.searchsorted(self.ends, leaf, "right"))
            if entry == len(self.names):
                return ""
            both.append(_PARTS.findall(self.names[entry][0]))
        shared = [a if a.startswith("[") else f".{a}" for a, b in zip(*both, strict=False) if a == b]
        return "".join(shared).removeprefix(".")


def _stretched(x: Any, shape: tuple[int, ...]) -> Any:
    return x if x.shape == shape else broadcast_to(x, shape)
