"""How far two correct evaluations of a program may lie apart: a running error analysis of values and gradients.

Every number is computed together with a bound on its rounding error, whatever the order in which sums are added up.

- A sum of c terms has the error of its terms and at most (c - 1) u times the sum of their magnitudes, in any order.
  So sums carry their number of terms, their magnitude and the error of their terms, until something else uses them.
- A product with a number that all examples share may be taken of a sum over the examples or of each term: it leaves
  a sum what it is.
- Any other operation hands errors on with its partials, and adds its own: half a unit in the last place for
  arithmetic; for functions of a library, which differ from one library to another, four units, and as many of its
  arguments.
- A choice, such as ``relu``, and a step, such as ``sign``, move by as much as their result does where their inputs
  move by their errors. So a number too near a kink to be sure of has a large bound.

Gradients are analysed as the values are, since the rules of the table spell them out on nodes.

Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, 2002, sections 3.3 and 4.2.
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np

from autodiff import Tensor, gradients, observe
from autodiff.chain import local_derivative
from autodiff.compiler.program import Program
from autodiff.primitives import elementwise as table
from autodiff.primitives.row import Primitive

U = 2.0**-53  # the unit roundoff
FUNCTION = 8 * U  # four units in the last place: what NumPy promises of its vectorised functions

SUMS = (table.add, table.subtract, table.negative)
ROUNDED = (table.multiply, table.divide, table.reciprocal, table.square, table.sqrt)
EXACT = (table.abs,)


class Term(NamedTuple):
    """What is known of the error of a number, or of one for each example.

    Attributes:
        count, size, error: of a sum, how many terms it has, the sum of their magnitudes and that of their errors;
            of any other number 1, its magnitude and its error.
        shared: whether it is the same for all examples.
    """

    count: int
    size: Any
    error: Any
    shared: bool

    @property
    def whole(self) -> Any:
        """The bound on the error of the number itself."""
        return self.error + gamma(self.count - 1) * self.size if self.count > 1 else self.error


def gamma(n: int) -> float:
    """The relative error of n roundings."""
    return n * U / (1 - n * U)


class Rounding:
    """An observer that follows the errors of operations on tensors with one number for each example."""

    def __init__(self) -> None:
        self.terms: dict[Tensor, Term] = {}
        self.additions = 0

    def given(self, node: Tensor, shared: bool) -> Tensor:
        """Announce a leaf, which is exact."""
        self.terms[node] = Term(1, np.abs(node._held), 0.0, shared)
        return node

    def term(self, node: Tensor) -> Term:
        """What is known of a node; one not met before is a constant."""
        return self.terms.get(node) or Term(1, np.abs(node._held), 0.0, True)

    def __call__(self, node: Tensor, op: Primitive, inputs: tuple[Tensor, ...]) -> None:
        with np.errstate(all="ignore"):
            count, size, error = self._followed(op, inputs, node._held, node.params or {})
            # What is infinite or NaN is so in any order.
            finite = np.isfinite(node._held)
            if not finite.all():
                size, error = np.where(finite, size, 0.0), np.where(finite, error, 0.0)
            if np.isnan(error).any():
                error = np.where(np.isnan(error), np.inf, error)
        self.terms[node] = Term(count, size, error, all([self.term(x).shared for x in inputs]))

    def _followed(
        self, op: Primitive, inputs: tuple[Tensor, ...], out: Any, params: dict[str, Any]
    ) -> tuple[int, Any, Any]:
        terms = [self.term(x) for x in inputs]
        if op is table.identity:
            return terms[0][:3]
        if op in SUMS:
            # A sum that is used twice brings its terms twice, yet is added up once: no number goes through more
            # additions than there are.
            self.additions += 1
            count = min(sum([t.count for t in terms]), self.additions + 1)
            return count, sum([t.size for t in terms]), sum([t.error for t in terms])
        if op is table.multiply and terms[0].shared != terms[1].shared:
            (of_all, factor), (of_one, term) = sorted(zip(inputs, terms, strict=True), key=lambda x: not x[1].shared)
            known = np.abs(of_all._held)
            size = term.size * known
            # The other way round the factor stands for what its own terms add up to.
            error = term.error * known + np.maximum(term.size, np.abs(of_one._held)) * factor.whole + U * size
            return term.count, size, error
        values, errors = [x._held for x in inputs], [t.whole for t in terms]
        if op.selects or op in EXACT:
            return 1, np.abs(out), _moved(op, values, errors, out, params)
        own = U if op in ROUNDED else FUNCTION
        error = own * np.abs(out)
        for k, (x, of_x) in enumerate(zip(inputs, errors, strict=True)):
            if own == FUNCTION and x in self.terms:
                of_x = of_x + FUNCTION * np.abs(x._held)
            if np.any(of_x):
                slope = local_derivative(op, k, values, out, params)
                error = error + np.where(of_x == 0, 0.0, np.abs(slope) * of_x)
        return 1, np.abs(out), error


def _moved(op: Primitive, values: list[Any], errors: list[Any], out: Any, params: dict[str, Any]) -> Any:
    """By how much the result moves where the inputs move by their errors."""
    ways = [(-1, 1) if np.any(error) else (0,) for error in errors]
    most: Any = 0.0
    for way in product(*ways):
        there = [x + sign * error if sign else x for x, sign, error in zip(values, way, errors, strict=True)]
        if any(way):
            most = np.fmax(most, np.abs(op.array(*there, **params) - out))
    return most


class Bounds(NamedTuple):
    """Bounds on the errors of one evaluation; see :func:`bounds`.

    Attributes:
        outputs: of shape (outputs, batch).
        dX: of shape (inputs, batch).
        dP: the terms of the gradient of each parameter, one for each example.
    """

    outputs: Any
    dX: Any
    dP: list[Term]
    batch: int

    def of_dP(self, batch: int) -> Any:
        """Of the gradients of the parameters, summed over the first ``batch`` examples: of shape (parameters,)."""
        found = []
        for count, size, error, _ in self.dP:
            size, error = (np.broadcast_to(x, self.batch)[:batch].sum() for x in (size, error))
            found.append(Term(count * batch, size, error, True).whole)
        return np.array(found)

    @property
    def each_dP(self) -> Any:
        """Of the gradients of the parameters for each example: of shape (parameters, batch)."""
        return _rows([term.whole for term in self.dP], self.batch)


def bounds(program: Program, P: Any, X: Any, seed: Any) -> Bounds:
    """Bounds on the errors of the outputs of a scalar program, and of the gradients of the sum of seed * outputs.

    Args:
        P: the parameters, of shape (parameters,).
        X: the inputs, of shape (inputs, batch).
        seed: d loss / d outputs, of shape (outputs, batch).
    """
    batch = seed.shape[1]
    rounding = Rounding()
    shared = [rounding.given(Tensor(np.full(batch, p)), True) for p in P]
    varying = [rounding.given(Tensor(x), False) for x in X]
    nodes = dict(zip([*program.shared, *program.varying], [*shared, *varying], strict=True))
    with observe(rounding):
        for i, (op, args, params) in enumerate(zip(program.ops, program.args, program.params, strict=True)):
            if op is not None:
                made = Tensor.apply(op, tuple([nodes[k] for k in args]), params or {})
                nodes[i] = made.detach() if i in program.stopped else made
                rounding.terms[nodes[i]] = rounding.terms[made]
            elif i in program.constants:
                nodes[i] = Tensor(np.asarray(float(program.constants[i])), requires_grad=False)
        outputs = [nodes[i] for i in program.outputs]
        seeds = [rounding.given(Tensor(s, requires_grad=False), False) for s in seed]
        loss = sum([y * s for y, s in zip(outputs, seeds, strict=True)])
        if loss.requires_grad:
            found = gradients(loss, [*shared, *varying], np.ones(batch), create_graph=True)
        else:
            found = [Tensor(np.zeros(batch), requires_grad=False) for _ in nodes]
    terms = [rounding.term(x) for x in found]
    return Bounds(
        _rows([rounding.term(y).whole for y in outputs], batch),
        _rows([term.whole for term in terms[len(shared) : len(shared) + len(varying)]], batch),
        terms[: len(shared)],
        batch,
    )


def _rows(errors: list[Any], batch: int) -> Any:
    return np.array([np.broadcast_to(x, batch) for x in errors]).reshape(len(errors), batch)
