"""The second half of re-rolling: equal forms at one time become one operation on a block of rows.

A block is an array of shape (*lengths, batch): some rows, each with one number for every example (or one for all).
Rows stand in such an order that what is made from them finds them in place: then an operand is a view of a block, or
of the parameters, and nothing is copied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff.compiler.rerolling.schedule import schedule
from autodiff.compiler.rerolling.terms import VARYING, Kind, Terms
from autodiff.compiler.rerolling.views import Axes, Rows, common_lengths, even, finer, part
from autodiff.primitives.row import Primitive

SMALL, FRAGMENTS = 4, 3  # so many groups of fewer rows are joined

PARAMETERS, INPUTS, CONSTANTS = -1, -2, -3  # the places of leaves; other places are the numbers of blocks


# ── operands ─────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Given:
    """Entries of the vector of parameters, or rows of the inputs: leaf number ``leaf`` of the new program."""

    leaf: int
    varies: bool
    column: bool = False  # parameters beside a batch want an axis of length 1 for it


@dataclass
class Fixed:
    """Constants."""

    array: NDArray[Any]


@dataclass
class Part:
    """Rows of a block that run evenly: a view."""

    block: int
    first: int
    axes: Axes


Operand = Given | Fixed | Part


# ── what blocks are made by ──────────────────────────────────────────────────────────────────────────
@dataclass
class Block:
    """One operation on rows.

    Attributes:
        forms: what its rows compute; -1 for copies.
        lengths: its axes before the batch.
        operands: what it is made from.
        stopped: whether no gradient passes it.
    """

    forms: list[int]
    lengths: tuple[int, ...]
    operands: tuple[Operand, ...]
    stopped: bool = False


@dataclass
class Map(Block):
    """An elementwise row of the table on whole blocks."""

    op: Primitive = field(kw_only=True)
    params: dict[str, Any] | None = field(kw_only=True)


@dataclass
class Product(Block):
    """A matrix of coefficients times values: (rows, k) @ (..., k, batch)."""

    shape: tuple[int, int] = field(kw_only=True)  # (rows, k)
    signs: NDArray[Any] | None = field(kw_only=True)


@dataclass
class Reduction(Block):
    """The sum, over the last of the operands' axes, of one operand or of the product of two."""

    inner: tuple[int, ...] = field(kw_only=True)  # the lengths of the axes that are summed


@dataclass
class Rearranged(Block):
    """Rows of one block in an order that is not even."""

    rows: Rows = field(kw_only=True)


@dataclass
class Joined(Block):
    """Rows of several blocks, one below the other."""

    counts: list[int] = field(kw_only=True)
    varies: bool = field(kw_only=True)


@dataclass
class Located:
    """Where some forms are: ``rows[first + ...]`` of one place, along the axes along which they run.

    A form that is alone is at row ``alone``.
    """

    place: int
    rows: Rows
    first: int
    axes: Axes
    alone: int | None = None


class Placement:
    """Blocks for all forms of a program, in the order in which they are computed.

    Attributes:
        blocks: the operations.
        parameters, inputs: for each leaf of the new program, the entries of the parameters, or rows of the inputs.
        output: the operand that holds the outputs, one row for each.
    """

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.forms = terms.forms
        self.blocks: list[Block] = []
        self.parameters: list[Rows] = []
        self.inputs: list[Rows] = []
        self.constants: list[Any] = []
        self._leaves: dict[Any, Given] = {}
        self._joined: dict[bytes, tuple[int, Rows]] = {}
        self.place = np.zeros(len(self.forms), np.intp)
        self.row = np.zeros(len(self.forms), np.intp)
        self._place_leaves()
        self._place_forms()
        self.output = self.full(np.array(terms.outputs))

    # ── where forms are ──────────────────────────────────────────────────────────────────────────────
    def _place_leaves(self) -> None:
        program, of = self.terms.program, self.terms.of
        for numbers, place in ((program.shared, PARAMETERS), (program.varying, INPUTS)):
            forms = [of[i] for i in numbers]
            self.place[forms] = place
            self.row[forms] = np.arange(len(forms))
        alike: dict[Any, int] = {}
        for i, number in program.constants.items():
            row = alike.setdefault(number.hex() if isinstance(number, float) else (type(number), number), len(alike))
            if row == len(self.constants):
                self.constants.append(number)
            self.place[of[i]], self.row[of[i]] = CONSTANTS, row

    def _place_forms(self) -> None:
        at: dict[int, list[int]] = defaultdict(list)
        for i, time in enumerate(schedule(self.terms)):
            if self.forms[i].kind is not Kind.LEAF:
                at[time].append(i)
        for time in sorted(at):
            kinds: dict[Kind, list[int]] = defaultdict(list)
            for i in at[time]:
                kinds[self.forms[i].kind].append(i)
            self._products(kinds[Kind.LINEAR])
            self._reductions(kinds[Kind.DOT] + kinds[Kind.TOTAL])
            self._maps(kinds[Kind.MAP])

    def _add(self, block: Block) -> int:
        """Put a block at the end, and its forms into its rows."""
        number = len(self.blocks)
        self.blocks.append(block)
        if block.forms:
            self.place[block.forms] = number
            self.row[block.forms] = np.arange(len(block.forms))
        return number

    def varies(self, block: int) -> bool:
        """Whether a block has a column for each example."""
        made = self.blocks[block]
        if isinstance(made, Joined):
            return made.varies
        if made.forms:
            return self.forms[made.forms[0]].degree == VARYING
        return any(self._operand_varies(x) for x in made.operands)

    def _operand_varies(self, x: Operand) -> bool:
        return self.varies(x.block) if isinstance(x, Part) else isinstance(x, Given) and x.varies

    # ── operands ─────────────────────────────────────────────────────────────────────────────────────
    def located(self, forms: Rows) -> Located:
        """Where these forms are, in one place: copied together if need be."""
        if len(forms) == 1:
            row = int(self.row[forms[0]])
            return Located(int(self.place[forms[0]]), np.array([row]), 0, [(1, 0)], row)
        places = self.place[forms]
        place, rows = int(places[0]), self.row[forms]
        if (places != place).any():
            place, rows = self._join(forms)
        run = even(rows)
        if run is None:
            if place >= 0:
                count = len(rows)
                source = Part(place, 0, [(prod(self.blocks[place].lengths), 1)])
                place = self._add(Rearranged([], (count,), (source,), rows=rows))
                rows = np.arange(count)
            run = 0, [(len(rows), 1)]
            return Located(place, rows, *run)
        return Located(place, np.arange(int(rows.max()) + 1), *run)

    def _join(self, forms: Rows) -> tuple[int, Rows]:
        """A block of copies of forms from several places, and the rows in it where they stand."""
        known = self._joined.get(forms.tobytes())
        if known is not None:
            return known
        unique, first, inverse = np.unique(forms, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        unique = unique[order]
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        place, row = self.place[unique], self.row[unique]
        cuts = np.flatnonzero((np.diff(place) != 0) | (np.diff(row) != 1)) + 1
        pieces = np.split(unique, cuts)
        operands = tuple([self.operand(self.located(piece), [len(piece)]) for piece in pieces])
        varies = bool(max([self.forms[i].degree for i in unique.tolist()]) == VARYING)
        counts = [len(piece) for piece in pieces]
        place_of = self._add(Joined([], (len(unique),), operands, counts=counts, varies=varies))
        self._joined[forms.tobytes()] = place_of, rank[inverse]
        return place_of, rank[inverse]

    def operand(self, at: Located, lengths: Sequence[int]) -> Operand:
        """Located forms along axes of these lengths, with length 1 where they are the same along an axis."""
        if at.alone is not None and at.place >= 0:
            return Part(at.place, at.alone, [(length, 0) for length in lengths])
        axes = finer(at.axes, lengths)
        index = np.intp(at.first) + sum(
            (stride * np.arange(length if stride else 1)).reshape((-1,) + (1,) * (len(axes) - k - 1))
            for k, (length, stride) in enumerate(axes)
        )
        if at.place < 0:
            return self._leaf(at.place, at.rows[index], column=True)
        rows = prod(self.blocks[at.place].lengths)
        seen = part(np.arange(rows)[:, None], at.first, axes)
        if seen is None:
            source = Part(at.place, 0, [(rows, 1)])
            copied = self._add(Rearranged([], index.shape, (source,), rows=index.ravel()))
            full = finer([(index.size, 1)], list(index.shape)) if index.size > 1 else [(1, 0)] * index.ndim
            return Part(copied, 0, full)
        assert np.array_equal(seen[..., 0], index), "a view shows other rows than it should"
        return Part(at.place, at.first, axes)

    def _leaf(self, place: int, index: Rows, column: bool) -> Operand:
        if place == CONSTANTS:
            array = np.array([float(x) for x in self.constants])[index]
            return Fixed(array[..., None] if column else array)
        varies = place == INPUTS
        leaves = self.inputs if varies else self.parameters
        key = (place, index.shape, index.tobytes(), column)
        if key not in self._leaves:
            self._leaves[key] = Given(len(leaves), varies, column and not varies)
            leaves.append(index)
        return self._leaves[key]

    def full(self, forms: Rows, column: bool = True) -> Operand:
        """Forms in an array of just this shape. What is not given in that shape has finer axes, or repeats."""
        place = int(self.place[forms.flat[0]])
        if place < 0 and (self.place[forms] == place).all():
            return self._leaf(place, self.row[forms], column)
        at = self.located(forms.ravel())
        lengths = common_lengths([at.axes], forms.shape[-1]) or [length for length, _ in at.axes]
        return self.operand(at, lengths)

    # ── blocks of equal forms ────────────────────────────────────────────────────────────────────────
    def _maps(self, forms: list[int]) -> None:
        groups: dict[Any, dict[Any, list[int]]] = defaultdict(lambda: defaultdict(list))
        for i in forms:
            form = self.forms[i]
            places = tuple(self.place[list(form.args)].tolist())
            groups[form.op, repr(form.params), form.degree, form.stopped][places].append(i)
        for by_places in groups.values():
            # Many small groups, each with operands from another place, are quicker copied together; and what is made
            # from them then stands together. So one odd step does not break all that follow into single rows.
            small = [group for group in by_places.values() if len(group) < SMALL]
            if len(small) >= FRAGMENTS:
                self._map(sorted(i for group in small for i in group))
                by_places = {k: group for k, group in by_places.items() if len(group) >= SMALL}  # type: ignore[assignment]
            for group in by_places.values():
                for piece in self._in_order(group):
                    self._map(piece)

    def _in_order(self, group: list[int]) -> Iterator[list[int]]:
        """The forms in an order, and in as few pieces, in which their operands run evenly."""
        if len(group) == 1:
            yield group
            return
        rows = self.row[np.array([self.forms[i].args for i in group])]
        orders = [np.arange(len(group)), *[np.argsort(column, kind="stable") for column in rows.T]]
        for order in orders:
            runs = [even(column) for column in rows[order].T]
            if all(runs) and common_lengths([run[1] for run in runs if run]) is not None:
                yield [group[k] for k in order]
                return
        for order in orders:
            pieces = _even_pieces(rows[order])
            if len(pieces) <= max(2, len(group) // 4):
                yield from [[group[order[k]] for k in piece] for piece in pieces]
                return
        yield group

    def _map(self, group: list[int]) -> None:
        form = self.forms[group[0]]
        columns = np.array([self.forms[i].args for i in group]).T
        operands, lengths = self._aligned([self.located(column) for column in columns])
        assert form.op is not None
        self._add(Map(group, lengths, operands, form.stopped, op=form.op, params=form.params))

    def _aligned(self, located: list[Located], inner: int = 1) -> tuple[tuple[Operand, ...], tuple[int, ...]]:
        """Operands along the same axes, and the lengths of those."""
        lengths = common_lengths([at.axes for at in located], inner)
        while lengths is None:  # axes that cut across each other: copy the most broken one
            k = max(range(len(located)), key=lambda k: len(located[k].axes))
            located[k] = self._copied(located[k])
            lengths = common_lengths([at.axes for at in located], inner)
        return tuple([self.operand(at, lengths) for at in located]), tuple(lengths)

    def _copied(self, at: Located) -> Located:
        grid = np.zeros(1, np.intp) + at.first
        for length, stride in at.axes:
            grid = (grid[:, None] + stride * np.arange(length)).ravel()
        if at.place < 0:
            return Located(at.place, at.rows[grid], 0, [(len(grid), 1)])
        source = Part(at.place, 0, [(prod(self.blocks[at.place].lengths), 1)])
        place = self._add(Rearranged([], (len(grid),), (source,), rows=grid))
        return Located(place, np.arange(len(grid)), 0, [(len(grid), 1)])

    def _products(self, forms: list[int]) -> None:
        """Rows with the same values are one product; products with the same coefficients are done together."""
        by_values: dict[Any, list[int]] = defaultdict(list)
        for i in forms:
            by_values[self.forms[i].args, self.forms[i].stopped].append(i)
        together: dict[Any, list[tuple[tuple[int, ...], list[int]]]] = defaultdict(list)
        for (values, stopped), rows in by_values.items():
            if len(rows) > 1:
                rows.sort(key=lambda i: (self.place[self.forms[i].others[0]], self.row[self.forms[i].others[0]]))
            coefficients = tuple([(self.forms[i].others, self.forms[i].signs) for i in rows])
            together[coefficients, self.forms[rows[0]].degree, stopped].append((values, rows))
        for (coefficients, _, stopped), members in together.items():
            self._product(
                [others for others, _ in coefficients], [signs for _, signs in coefficients], members, stopped
            )

    def _product(self, others: list[Any], signs: list[Any], members: list[Any], stopped: bool) -> None:
        values = np.array([values for values, _ in members])
        order = np.lexsort((self.row[values[0]], self.place[values[0]]))
        matrix = np.array(others)
        if even(self.row[values[0]]) is None or (self.place[values[0]] != self.place[values[0][0]]).any():
            values, matrix = values[:, order], matrix[:, order]
            signs = [None if s is None else tuple(np.array(s)[order].tolist()) for s in signs]
        rows, k = matrix.shape
        count = len(values)
        weights = self.full(matrix, column=False)
        operand = self.full(values if count > 1 else values[0])
        plain = all(s is None for s in signs)
        sign_matrix = None if plain else np.array([(1.0,) * k if s is None else s for s in signs], float)
        lengths = (count, rows) if count > 1 else (rows,)
        all_rows = [i for _, rows_of in members for i in rows_of]
        self._add(Product(all_rows, lengths, (weights, operand), stopped, shape=(rows, k), signs=sign_matrix))

    def _reductions(self, forms: list[int]) -> None:
        groups: dict[Any, list[int]] = defaultdict(list)
        for i in forms:
            form = self.forms[i]
            places = tuple([self._one_place(x) for x in (form.args, form.others) if x])
            # Rows whose terms come from several places are put together one by one.
            alone = i if -9 in places else -1
            groups[form.kind, len(form.args), form.degree, form.stopped, places, alone].append(i)
        for (_, count, _, stopped, *_), group in groups.items():
            columns = [np.array([self.forms[i].args for i in group])]
            if self.forms[group[0]].others:
                columns.append(np.array([self.forms[i].others for i in group]))
            located = [self.located(column.ravel()) for column in columns]
            operands, lengths = self._aligned(located, count)
            split = len(lengths)
            while prod(lengths[split:]) < count:
                split -= 1
            outer = lengths[:split] or (1,)
            self._add(Reduction(group, outer, operands, stopped, inner=lengths[split:]))

    def _one_place(self, forms: Sequence[int]) -> int:
        places = self.place[list(forms)]
        return int(places[0]) if (places == places[0]).all() else -9


def _even_pieces(rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Runs of lines in which every column goes on by the same step."""
    steps = np.diff(rows, axis=0)
    pieces, start = [], 0
    for i in range(1, len(rows)):
        if i - start >= 2 and (steps[i - 1] != steps[start]).any():
            pieces.append(np.arange(start, i))
            start = i
    pieces.append(np.arange(start, len(rows)))
    return pieces
