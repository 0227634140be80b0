"""The chain rule on one edge: upstream gradient times local derivative, in the form of the input; and its start."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from autodiff.errors import ExactError, GraphError, no_gradient, seed_needed, wrong_shape
from autodiff.graph import Node
from autodiff.primitives.reductions import sum as total_of
from autodiff.primitives.row import Primitive, gate, plain
from autodiff.primitives.shapes import astype, broadcast_to


def seed_of(output: Node, seed: Any) -> Any:
    """The gradient that a backward pass starts from."""
    if not output.requires_grad:
        raise no_gradient(output)
    if seed is None:
        if np.size(output._held) != 1:
            raise seed_needed(output)
        return output.one()
    seed = plain(seed)
    if np.shape(seed) != np.shape(output._held):
        raise wrong_shape(output, seed, "seed")
    return output.cast_like(seed)


def edges(node: Node, upstream: Any, create_graph: bool = False) -> Sequence[tuple[Node, Any]]:
    """Each input with what flows back to it over this edge, or with None where it carries no gradient."""
    op: Any = node.op
    params, inputs = node.params, node.inputs
    values, out = (inputs, node) if create_graph else ([x._held for x in inputs], node._held)
    flows = []
    for k, x in enumerate(inputs):
        contribution = None
        if x.requires_grad:
            if op.partials is not None:
                local = local_derivative(op, k, values, out, params)
                if type(local) is int and local == 1:
                    contribution = upstream
                else:
                    contribution = gate(upstream, local) if op.selects else upstream * local
            elif op.variadic:
                contribution = op.rules(k, upstream, values, out, **params or {})
            else:
                rule = op.rules[k]
                contribution = rule(upstream, *values, out, **params) if params else rule(upstream, *values, out)
            if type(x._held) is np.ndarray:
                contribution = fitted(contribution, x)
        flows.append((x, contribution))
    return flows


def array_edges(node: Node, upstream: Any) -> Any:
    """What :func:`edges` gives for functions of one or two arrays without parameters, in less time."""
    partials: Any = node.op.scalar  # type: ignore[union-attr]
    a, b, out = node._a, node._b, node._held
    held = a._held
    if b is None:
        (da,) = partials
        to_a = upstream if da is None else upstream * da(held, out)
        if to_a.shape != held.shape or to_a.dtype is not held.dtype:
            to_a = _fit(to_a, a)
        return ((a, to_a),)
    da, db = partials
    to_a = to_b = None
    if a.requires_grad:
        to_a = upstream if da is None else upstream * da(held, b._held, out)
        if to_a.shape != held.shape or to_a.dtype is not held.dtype:
            to_a = _fit(to_a, a)
    if b.requires_grad:
        to_b = upstream if db is None else upstream * db(held, b._held, out)
        held = b._held
        if to_b.shape != held.shape or to_b.dtype is not held.dtype:
            to_b = _fit(to_b, b)
    return (a, to_a), (b, to_b)


def fitted(contribution: Any, x: Node) -> Any:
    """A contribution in the form of its input, where that is an array."""
    data = x._held
    if type(contribution) is np.ndarray and contribution.shape == data.shape and contribution.dtype is data.dtype:
        return contribution
    return _fit(contribution, x)


def gathered(node: Node, upstream: Any, adjoints: dict[Node, Any], owned: set[Node]) -> bool:
    """Add the contribution of ``node`` in place to what its input has gathered, where its row knows how.

    So t[0], t[1], ... of a long tensor cost no array of its length each. ``owned`` has the nodes whose adjoint
    this pass made and shares with no other node.
    """
    op: Any = node.op
    x = node._a
    if x not in owned:
        if type(upstream) is not np.ndarray or upstream.dtype != x._held.dtype or not x._held.ndim:
            return False
        adjoints[x] = np.array(adjoints[x]) if x in adjoints else np.zeros(x._held.shape, upstream.dtype)
        owned.add(x)
    op.into(adjoints[x], upstream, **node.params or {})
    return True


def local_derivative(op: Primitive, k: int, values: Sequence[Any], out: Any, params: dict[str, Any] | None) -> Any:
    """d out / d input k of an elementwise operation, with inf and NaN where Python's floats would raise."""
    partial = op.partials[k]  # type: ignore[index]
    if type(partial) is int:
        return partial
    try:
        return partial(*values, out, **params) if params else partial(*values, out)
    except ArithmeticError as error:
        if isinstance(out, Fraction):
            raise ExactError(f"d {op.name} at ({', '.join(map(str, values))}) is no fraction: {error}") from error
        return float(partial(*map(np.float64, values), np.float64(out), **params or {}))


def _fit(contribution: Any, x: Node) -> Any:
    """A contribution in the shape and dtype of its input: what was broadcast is summed here, and only here."""
    data = x._held
    if contribution is None:
        raise TypeError(f"the rule of an operation on {x.name()} returned None; a rule returns its contribution")
    if not hasattr(contribution, "shape"):
        contribution = np.asarray(contribution, data.dtype)
    if contribution.shape != data.shape:
        contribution = unbroadcast(contribution, data.shape)
    if contribution.dtype != data.dtype:
        if contribution.dtype.kind == "c":
            raise GraphError(f"{x.name()} is real and its gradient is complex; make it a complex leaf")
        contribution = astype(contribution, data.dtype)
    return contribution


def unbroadcast(gradient: Any, shape: tuple[int, ...]) -> Any:
    """Sum ``gradient`` over the axes along which an array of ``shape`` was repeated."""
    extra = gradient.ndim - len(shape)
    if extra == 1 and gradient.shape[1:] == shape and type(gradient) is np.ndarray:
        return np.add.reduce(gradient)  # a bias, by far the most frequent case
    total = total_of if isinstance(gradient, Node) else np.add.reduce
    if extra > 0:
        gradient = total(gradient, axis=tuple(range(extra)))
    repeated = tuple([i for i, n in enumerate(gradient.shape) if n != 1 and shape[i] == 1]) if extra >= 0 else ()
    if repeated:
        gradient = total(gradient, axis=repeated, keepdims=True)
    return gradient if gradient.shape == shape else broadcast_to(gradient, shape)
