"""The first half of re-rolling: scalar sums of products are taken apart into terms.

Trees of additions become one sum each. Its terms are gathered into *forms*: a weighted sum of values (to become a
row of a matrix product), a dot product, a plain total, and what is left, operations on single numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from autodiff.compiler.program import Program
from autodiff.primitives.elementwise import add, identity, multiply, negative, subtract
from autodiff.primitives.row import Primitive

# The rows that are sums, with the signs of their terms.
SIGNS: dict[Primitive | None, tuple[int, ...]] = {add: (1, 1), subtract: (1, -1), negative: (-1,)}

TAKEN_APART = frozenset({*SIGNS, multiply, identity})
"""Rows that need not be an operation of their own when a program is re-rolled."""

# With fewer terms than this a sum is quicker as single operations on whole blocks.
LINEAR_FROM, DOT_FROM, TOTAL_FROM = 2, 3, 4


class Kind(IntEnum):
    """What a form is."""

    LEAF = 0
    MAP = 1  # an elementwise row
    LINEAR = 2  # sum of coefficient * value, the coefficients being of a lower degree than the values
    DOT = 3  # sum of a * b, both of the same degree
    TOTAL = 4  # sum of values


# What a value depends on: nothing that is given, only what all examples share, or the example.
CONSTANT, SHARED, VARYING = 0, 1, 2


@dataclass(slots=True)
class Form:
    """One number, and how it is computed from those of other forms.

    Attributes:
        kind: what it is.
        number: the value of the program that it computes, or belongs to.
        degree: CONSTANT, SHARED or VARYING.
        time: how many forms lie at least between it and the leaves.
        args: the forms that it is made from: all of them, without the coefficients.
        op, params: of a MAP.
        others: the coefficients of a LINEAR, in the order of ``args``, or the second factors of a DOT.
        signs: of a LINEAR: 1 or -1 for each term, or None where all are 1.
        stopped: whether no gradient passes it, or reaches it.
    """

    kind: Kind
    number: int
    degree: int
    time: int
    args: tuple[int, ...] = ()
    op: Primitive | None = None
    params: dict[str, Any] | None = None
    others: tuple[int, ...] = ()
    signs: tuple[int, ...] | None = None
    stopped: bool = False


@dataclass
class Terms:
    """The forms of a program.

    Attributes:
        program: what was taken apart.
        forms: in topological order.
        of: for each value of the program its form, or -1 where it went into another one.
    """

    program: Program
    forms: list[Form] = field(default_factory=list)
    of: list[int] = field(default_factory=list)

    @property
    def outputs(self) -> list[int]:
        """The forms of the outputs."""
        return [self.of[i] for i in self.program.outputs]

    def append(
        self, kind: Kind, number: int, args: tuple[int, ...] = (), others: tuple[int, ...] = (), **rest: Any
    ) -> int:
        """Add a form; returns its number."""
        forms = self.forms
        made_from = args + others
        degree = max([forms[i].degree for i in made_from])
        time = max([forms[i].time for i in made_from]) + 1
        forms.append(Form(kind, number, degree, time, args, others=others, **rest))
        return len(forms) - 1


def degrees_of(program: Program) -> bytearray:
    """What each value depends on."""
    degrees = bytearray(len(program))
    for i in program.shared:
        degrees[i] = SHARED
    for i in program.varying:
        degrees[i] = VARYING
    for i, args in enumerate(program.args):
        if len(args) == 2:  # spelt out: there are many
            a, b = degrees[args[0]], degrees[args[1]]
            degrees[i] = a if a > b else b
        elif args:
            degrees[i] = max([degrees[k] for k in args])
    return degrees


def taken_apart(program: Program) -> Terms:
    """The forms of a scalar program."""
    return _Taking(program).run()


class _Taking:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.degrees = degrees_of(program)
        self.inside = self._inside_sums()
        self.terms = Terms(program, of=[-1] * len(program))

    def _inside_sums(self) -> bytearray:
        """Which values are used once, by a sum that can take them in: sums (1) and products (2)."""
        program, degrees = self.program, self.degrees
        n = len(program)
        uses, user = [0] * n, [0] * n
        for i, args in enumerate(program.args):
            for k in args:
                uses[k] += 1
                user[k] = i
        for i in program.outputs:
            uses[i] += 2
        ops, stopped = program.ops, program.stopped
        inside = bytearray(n)
        for i, op in enumerate(ops):
            if uses[i] != 1 or ops[user[i]] not in SIGNS or (i in stopped and user[i] not in stopped):
                continue
            if op is multiply:
                inside[i] = 2
            elif op in SIGNS and degrees[i] == degrees[user[i]]:
                inside[i] = 1
        return inside

    def run(self) -> Terms:
        program, inside, of = self.program, self.inside, self.terms.of
        forms, degrees = self.terms.forms, self.degrees
        for i, (op, args, params) in enumerate(zip(program.ops, program.args, program.params, strict=True)):
            if op is None:
                forms.append(Form(Kind.LEAF, i, degrees[i], 0))
                of[i] = len(forms) - 1
            elif inside[i]:
                continue
            elif op in SIGNS:
                of[i] = self._sum(i, self._flattened(i))
            else:
                made_from = tuple([of[k] for k in args])
                of[i] = self.terms.append(Kind.MAP, i, made_from, op=op, params=params, stopped=i in program.stopped)
        if program.stopped:
            self._stop_unreached()
        return self.terms

    def _stop_unreached(self) -> None:
        """Mark what gradients never reach: in one block with what they do reach it would get 0, and 0 * inf is NaN."""
        forms = self.terms.forms
        reached = bytearray(len(forms))
        for i in self.terms.outputs:
            reached[i] = 1
        for i in range(len(forms) - 1, -1, -1):
            form = forms[i]
            if not reached[i] and form.kind is not Kind.LEAF:
                form.stopped = True
            elif not form.stopped:
                for k in form.args + form.others:
                    reached[k] = 1

    def _flattened(self, root: int) -> list[tuple[int, int]]:
        """The (value, sign) of each term of the sum at ``root``, from left to right."""
        ops, args, inside = self.program.ops, self.program.args, self.inside
        found: list[tuple[int, int]] = []
        stack = [(root, 1)]
        while stack:
            i, sign = stack.pop()
            if i == root or inside[i] == 1:
                signs = SIGNS[ops[i]]
                stack.extend([(k, sign * s) for k, s in zip(args[i][::-1], signs[::-1], strict=True)])
            else:
                found.append((i, sign))
        return found

    def _sum(self, root: int, terms: list[tuple[int, int]]) -> int:
        """The form of a sum; terms that vary less than the others are added up by themselves, once for all examples."""
        degrees = self.degrees
        top = max([degrees[i] for i, _ in terms])
        lower = [term for term in terms if degrees[term[0]] < top]
        parts = self._parts(root, [term for term in terms if degrees[term[0]] == top] if lower else terms)
        # Python's sum() begins with 0, which a matrix product does as well. (Elsewhere 0 + -0.0 is 0.0, so it stays.)
        if any([self.terms.forms[form].kind is Kind.LINEAR for _, form in parts]):
            lower = [(i, sign) for i, sign in lower if self.program.constants.get(i) != 0]
        if lower:
            parts.append((1, self._sum(root, lower)))
        return self._added(root, parts)

    def _parts(self, root: int, terms: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """The (sign, form) of what the terms of one degree add up to, in as few forms as fit."""
        args, degrees, inside, of = self.program.args, self.degrees, self.inside, self.terms.of
        forms = self.terms.forms
        linear: dict[tuple[int, bool], list[tuple[int, int, int]]] = defaultdict(list)
        products: dict[int, list[tuple[int, int]]] = {1: [], -1: []}
        units: dict[int, list[int]] = {1: [], -1: []}
        for i, sign in terms:
            if inside[i] != 2:
                units[sign].append(of[i])
                continue
            a, b = args[i]
            lower, higher = degrees[a], degrees[b]
            if lower == higher:
                products[sign].append((of[a], of[b]))
                continue
            if lower > higher:
                a, b, lower = b, a, higher
            value = of[b]
            # Values of one time come from one place, more often than not; the inputs of a recurrent cell and its
            # state do not, and the inputs of all steps can be multiplied at once.
            linear[forms[value].time, lower == CONSTANT].append((value, of[a], sign))
        return [
            *self._linear(root, linear.values()),
            *[part for sign, pairs in products.items() for part in self._dot(root, sign, pairs)],
            *[part for sign, values in units.items() for part in self._total(root, sign, values)],
        ]

    def _linear(self, root: int, groups: Iterable[list[tuple[int, int, int]]]) -> Iterable[tuple[int, int]]:
        stray = []
        for group in groups:
            if len(group) >= LINEAR_FROM:
                yield 1, self._weighted(root, group)
            else:
                stray += group
        if len(stray) >= TOTAL_FROM:
            yield 1, self._weighted(root, stray)
        else:
            for number, coefficient, sign in stray:
                yield sign, self._map(root, multiply, coefficient, number)

    def _weighted(self, root: int, group: list[tuple[int, int, int]]) -> int:
        group.sort()
        values, coefficients, signs = map(tuple, zip(*group, strict=True))
        plain = None if min(signs) == 1 else signs
        return self.terms.append(
            Kind.LINEAR, root, values, coefficients, signs=plain, stopped=root in self.program.stopped
        )

    def _dot(self, root: int, sign: int, pairs: list[tuple[int, int]]) -> Iterable[tuple[int, int]]:
        if len(pairs) >= DOT_FROM:
            left, right = map(tuple, zip(*pairs, strict=True))
            yield sign, self.terms.append(Kind.DOT, root, left, right, stopped=root in self.program.stopped)
        else:
            for a, b in pairs:
                yield sign, self._map(root, multiply, a, b)

    def _total(self, root: int, sign: int, values: list[int]) -> Iterable[tuple[int, int]]:
        if len(values) >= TOTAL_FROM:
            yield sign, self.terms.append(Kind.TOTAL, root, tuple(values), stopped=root in self.program.stopped)
        else:
            for value in values:
                yield sign, value

    def _added(self, root: int, parts: list[tuple[int, int]]) -> int:
        """The sum of (sign, form) parts, those that are known first added first; but W @ x + b - y in this order."""
        time: Callable[[Any], int] = lambda part: self.terms.forms[part[1]].time
        taken_off: Callable[[Any], bool] = lambda part: (
            part[0] == -1 and time(part) == 0 and self.terms.forms[part[1]].degree == VARYING
        )
        given = [part for part in parts if time(part) == 0 and not taken_off(part)]
        computed = sorted([part for part in parts if time(part)], key=time)
        last = [part for part in parts if taken_off(part)]
        parts = [*computed[:1], *given, *computed[1:], *last] if len(given) == 1 else [*given, *computed, *last]
        first = next((k for k, (sign, _) in enumerate(parts) if sign == 1), None)
        if first is None:
            total = self._map(root, negative, parts.pop(0)[1])
        else:
            total = parts.pop(first)[1]
        for sign, form in parts:
            total = self._map(root, add if sign == 1 else subtract, total, form)
        if root in self.program.stopped and not self.terms.forms[total].stopped:  # such as -(-x)
            total = self._map(root, identity, total)
        return total

    def _map(self, root: int, op: Primitive, *args: int) -> int:
        return self.terms.append(Kind.MAP, root, args, op=op, stopped=root in self.program.stopped)
