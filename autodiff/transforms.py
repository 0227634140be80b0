"""Functions of functions: grad, vjp, jvp, jacobian, hessian.

Each takes a function of numbers, arrays, values or tensors, or of nested lists, tuples and dicts of them.
Given plain numbers and arrays they answer with plain numbers and arrays. Given nodes, or a function that uses
nodes from outside, they answer with nodes that can be differentiated again. So transforms nest:
``grad(grad(f))`` is the second derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import wraps
from operator import index
from typing import Any

import numpy as np

from autodiff.backprop import drain, newest_first
from autodiff.chain import seed_of
from autodiff.context import differentiating, enable_grad, look, tracing
from autodiff.graph import Node, tick
from autodiff.hooks import hooked
from autodiff.primitives.elementwise import identity, multiply
from autodiff.primitives.reductions import sum as array_sum
from autodiff.primitives.row import plain
from autodiff.primitives.shapes import stack
from autodiff.tensor import Tensor
from autodiff.trees import flatten, map_tree
from autodiff.value import Value


def gradients(output: Node, inputs: Sequence[Node], seed: Any = None, create_graph: bool = False) -> list[Any]:
    """The gradient of ``output`` with respect to each of ``inputs`` (leaves or not); no ``.grad`` is touched.

    With ``create_graph`` the gradients are nodes, to be differentiated again; else numbers or arrays.
    An input that ``output`` does not depend on has gradient 0.

    >>> from autodiff import Value, gradients
    >>> x = Value(3.0)
    >>> (slope,) = gradients(x**3, [x], create_graph=True)
    >>> gradients(slope, [x])
    [18.0]

    Raises:
        GraphError: as :func:`backward`.
    """
    if not create_graph:
        look(output, "gradients(..., create_graph=False)")
    start = seed_of(output, seed)
    if create_graph:
        start = seed if isinstance(seed, Node) else type(output)(start, requires_grad=False)  # type: ignore[call-arg]
    adjoints = {output: start}
    # Nothing older than the oldest input can lead to it. (A leaf may be younger than what was computed from it,
    # if its data were assigned, and then the whole graph is searched for the consumer, which raises.)
    since = 0 if any(x.op is None for x in inputs) else min((x.clock for x in inputs), default=0)
    order = newest_first(output, since)
    order = _towards(inputs, order)
    with np.errstate(all="ignore"), enable_grad() if create_graph else nullcontext():
        drain(order, adjoints, output, create_graph)
    swept = set(order)
    taken: set[int] = set()
    results = []
    for x in inputs:
        gradient = adjoints.get(x, 0.0)
        if x in adjoints and x not in swept:
            gradient = hooked(x, gradient)
        if not isinstance(gradient, Node):
            gradient = x.own(gradient, taken)
            if create_graph:
                gradient = type(x)(gradient, requires_grad=False)  # type: ignore[call-arg]
        results.append(gradient)
    return results


def _towards(targets: Sequence[Node], order: list[Node]) -> list[Node]:
    """The part of ``order`` that computes something from a target."""
    dependent, kept = set(targets), []
    for node in reversed(order):
        if not dependent.isdisjoint(node.inputs):
            dependent.add(node)
            kept.append(node)
    return kept[::-1]


def as_leaf(x: Any) -> Any:
    """A node of its own for one argument of a transform: a leaf, or a link to the node that was given.

    The link keeps inner and outer derivatives apart: in ``grad(lambda y: x * y)(x)`` the inner function
    is differentiated by ``y`` alone.
    """
    if isinstance(x, Node):
        if x.requires_grad:
            return identity(x)
        leaf = type(x)(x._held)  # type: ignore[call-arg]
        if (tracer := tracing()) is not None:
            tracer.detach(x, leaf)
        return leaf
    return Tensor(x, requires_grad=True) if np.ndim(x) or isinstance(x, np.ndarray) else Value(x)


def _looks_outside(output: Node, start: int) -> bool:
    """Whether ``output`` was computed from a node that carries a gradient and is older than the call.

    A function may use such nodes without being given them, by closure. Then the answers must be nodes too:
    as plain numbers they would silently lose the gradient with respect to those.
    """
    if output.clock < start:
        return output.requires_grad
    return any(x.requires_grad and x.clock < start for node in newest_first(output, start) for x in node.inputs)


class _Call:
    """One call of a function, recorded: its arguments as leaves, and what it returned."""

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], argnums: Any, has_aux: bool
    ) -> None:
        single = hasattr(argnums, "__index__")
        positions = [index(p) for p in ((argnums,) if single else argnums)]
        if not all(-len(args) <= p < len(args) for p in positions):
            raise ValueError(f"argnums={argnums!r}: the function was called with {len(args)} positional arguments")
        positions = [p % len(args) for p in positions]
        if len(set(positions)) < len(positions):
            raise ValueError(f"argnums={argnums!r} names an argument twice")
        chosen = [args[p] for p in positions]
        given, self.rebuild = flatten(chosen[0] if single else tuple(chosen))
        start = tick()
        with enable_grad(), differentiating(start):
            self.leaves = [as_leaf(x) for x in given]
            rebuilt = self.rebuild(self.leaves)
            full = list(args)
            for p, arg in zip(positions, (rebuilt,) if single else rebuilt, strict=True):
                full[p] = arg
            out = function(*full, **kwargs)
        self.aux = None
        if has_aux:
            if not isinstance(out, tuple) or len(out) != 2:
                raise TypeError(f"with has_aux=True the function returns (output, aux), not {type(out).__name__}")
            out, self.aux = out
        self.outputs, self.rebuild_outputs = flatten(out)
        for y in self.outputs:
            if not isinstance(y, Node):
                name = getattr(function, "__name__", "the function")
                raise TypeError(
                    f"{name} returned {type(y).__name__} {y!r}, which remembers nothing of its arguments; compute"
                    " with the functions of autodiff and return the Value or Tensor itself (not .data or .item())"
                )

        reached = [*self.outputs, *(x for x in flatten(self.aux)[0] if isinstance(x, Node))]
        self.nested = any(isinstance(x, Node) for x in given) or any(_looks_outside(y, start) for y in reached)

    def scalar(self) -> Any:
        if len(self.outputs) != 1 or np.size(self.outputs[0]._held) != 1:
            shapes = [np.shape(y._held) for y in self.outputs]
            raise TypeError(
                f"grad is for a function with one number as output, and this one has {shapes}; use jacobian"
            )
        return self.outputs[0]

    def pull(self, cotangents: list[Any], create_graph: bool | None = None) -> list[Any]:
        """Cotangents times the Jacobian, one result per leaf."""
        create_graph = self.nested if create_graph is None else create_graph
        totals: list[Any] = [None] * len(self.leaves)
        for y, seed in zip(self.outputs, cotangents, strict=True):
            if y.requires_grad:
                parts = gradients(y, self.leaves, seed, create_graph=create_graph)
                totals = [p if t is None else t + p for t, p in zip(totals, parts, strict=True)]
        return [self._zero(x, 0.0, create_graph) if t is None else t for x, t in zip(self.leaves, totals, strict=True)]

    def _zero(self, x: Node, total: float, create_graph: bool) -> Any:
        """A gradient that may still be a bare number, in the form of its leaf."""
        gradient = x.own(total, set())
        return type(x)(gradient, requires_grad=False) if create_graph else gradient  # type: ignore[call-arg]

    def results(self, leaves: list[Any]) -> Any:
        return self.rebuild(leaves)

    def output(self) -> Any:
        out = self.rebuild_outputs(self.outputs)
        return out if self.nested else map_tree(plain, out)

    def plain_aux(self) -> Any:
        return self.aux if self.nested else map_tree(plain, self.aux)


def value_and_grad(
    function: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that returns ``(function(...), gradient)``.

    Args:
        function: returns one number (or ``(number, aux)`` with ``has_aux``).
        argnums: the position(s) of the arguments to differentiate by; a tuple gives a tuple of gradients.
        has_aux: whether the function returns further results beside the number; they are passed through.

    Raises:
        TypeError: the function does not return one node that holds one number.

    >>> from autodiff import value_and_grad
    >>> value_and_grad(lambda p: p["w"] * p["w"] + p["b"])({"w": 3.0, "b": 1.0})
    (10.0, {'w': 6.0, 'b': 1.0})
    """

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        call = _Call(function, args, kwargs, argnums, has_aux)
        call.scalar()
        gradient = call.results(call.pull([None]))
        return ((call.output(), call.plain_aux()), gradient) if has_aux else (call.output(), gradient)

    return wrapped


def grad(function: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient of a function with one number as output; see :func:`value_and_grad`.

    With ``has_aux`` it returns ``(gradient, aux)``.

    >>> from autodiff import grad
    >>> f = lambda x: x**3
    >>> grad(f)(2.0), grad(grad(f))(2.0), grad(grad(grad(f)))(2.0)
    (12.0, 12.0, 6.0)
    """
    both = value_and_grad(function, argnums, has_aux)

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


def vjp(function: Callable[..., Any], *args: Any, has_aux: bool = False) -> Any:
    """``(output, pull)``, where ``pull(cotangent)`` is the cotangent times the Jacobian.

    ``pull`` takes a cotangent in the form of the output and returns a tuple with one entry per argument.

    >>> from autodiff import vjp
    >>> y, pull = vjp(lambda a, b: a * b, 3.0, 4.0)
    >>> y, pull(1.0)
    (12.0, (4.0, 3.0))
    """
    call = _Call(function, args, {}, tuple(range(len(args))), has_aux)

    def pull(cotangent: Any) -> Any:
        seeds = _matching(cotangent, call.outputs, "cotangent")
        nested = call.nested or any(isinstance(s, Node) for s in seeds)
        return call.results(call.pull(seeds, create_graph=nested))

    return (call.output(), pull, call.plain_aux()) if has_aux else (call.output(), pull)


def jvp(function: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """``(output, Jacobian times tangents)``: the derivative of ``function`` in one direction.

    Computed by reverse mode applied twice (Townsend 2017, "A new trick for calculating Jacobian vector
    products"): the vjp is linear in its cotangent, and the transpose of that linear map is the jvp.

    >>> from autodiff import jvp
    >>> jvp(lambda x: x**3, (2.0,), (10.0,))
    (8.0, 120.0)
    """
    call = _Call(function, tuple(primals), {}, tuple(range(len(primals))), False)
    directions = _matching(tuple(tangents), call.leaves, "tangent")
    with enable_grad():
        probes = [
            type(y)(np.zeros(np.shape(y.data), np.result_type(y.data)) if isinstance(y, Tensor) else y.data * 0)
            for y in call.outputs
        ]
        pulled = call.pull(probes, create_graph=True)
    results = []
    nested = call.nested or any(isinstance(d, Node) for d in directions)
    for y, probe in zip(call.outputs, probes, strict=True):
        total: Any = None
        for row, direction in zip(pulled, directions, strict=True):
            if row.requires_grad:
                (part,) = gradients(row, [probe], direction, create_graph=nested)
                total = part if total is None else total + part
        total = total if isinstance(total, Node) else probe.own(0.0 if total is None else total, set())
        results.append(type(y)(total, requires_grad=False) if nested and not isinstance(total, Node) else total)
    return call.output(), call.rebuild_outputs(results)


def jacobian(function: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The Jacobian: for each output the gradient by each argument.

    For arrays the result has the output's shape followed by the argument's; for nested outputs and
    arguments, the tree of the outputs with a tree of the arguments at each of its leaves.

    >>> import numpy as np
    >>> from autodiff import jacobian
    >>> jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        call = _Call(function, args, kwargs, argnums, False)
        rows = []
        for y in call.outputs:
            if isinstance(y, Value):
                per_leaf = _pull_one(call, y, None)
            else:
                basis = np.eye(y.data.size, dtype=y.data.dtype).reshape(y.data.size, *y.data.shape)
                each = [_pull_one(call, y, seed) for seed in basis]
                per_leaf = [_stacked([row[k] for row in each], y.data.shape, x) for k, x in enumerate(call.leaves)]
            rows.append(call.results(per_leaf))
        return call.rebuild_outputs(rows)

    return wrapped


def _pull_one(call: _Call, y: Node, seed: Any) -> list[Any]:
    if not y.requires_grad:
        return [call._zero(x, 0.0, call.nested) for x in call.leaves]
    return gradients(y, call.leaves, seed, create_graph=call.nested)


def _stacked(rows: list[Any], shape: tuple[int, ...], x: Node) -> Any:
    """One row of gradients per output entry, as an array of shape (*output, *argument)."""
    if not rows:
        return np.zeros((*shape, *np.shape(x.data)))
    if any(isinstance(r, Value) for r in rows):
        return rows if len(shape) <= 1 else np.array(rows, dtype=object).reshape(shape).tolist()
    joined = stack(rows) if any(isinstance(r, Node) for r in rows) else np.stack(rows)
    return joined.reshape((*shape, *np.shape(x.data)))


def hessian(function: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The matrix of second derivatives of a function with one number as output.

    >>> import numpy as np
    >>> from autodiff import hessian
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0]))
    array([[10.,  6.],
           [ 6.,  0.]])
    """
    return jacobian(grad(function, argnums), argnums)


def hvp(function: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
    """The Hessian times a vector, without the Hessian: one value per argument, as a tuple.

    >>> import numpy as np
    >>> from autodiff import hvp
    >>> hvp(lambda x: (x**3).sum(), (np.array([1.0, 2.0]),), (np.array([1.0, 10.0]),))
    (array([  6., 120.]),)
    """
    argnums = tuple(range(len(primals)))

    def slope(*args: Any) -> Any:
        total: Any = 0
        for g, v in zip(flatten(grad(function, argnums)(*args))[0], flatten(tuple(tangents))[0], strict=True):
            product = multiply(g, v)
            total = total + (array_sum(product) if isinstance(product, Tensor) else product)
        return total

    _matching(tuple(tangents), flatten(tuple(primals))[0], "tangent")
    return grad(slope, argnums)(*primals)


def _matching(tree: Any, nodes: list[Any], what: str) -> list[Any]:
    """The leaves of a (co)tangent, one for each node, in shapes that fit."""
    leaves, _ = flatten(tree)
    shapes = [np.shape(plain(x)) for x in nodes]
    given = [np.shape(plain(x)) for x in leaves]
    if shapes != given:
        raise ValueError(f"the {what} has shapes {given}, and what it belongs to has shapes {shapes}")
    return leaves
