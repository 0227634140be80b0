"""NumPy's protocols: ``np.sin(t)``, ``np.concatenate([t, u])`` and ``array * t`` record.

A row says under which names NumPy has it; nothing here knows an operation by name. What NumPy can do and
the table cannot is refused by name, so that no gradient is lost on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.context import look, no_grad, tracing
from autodiff.graph import Node
from autodiff.primitives import FUNCTIONS, TABLE


def _numpy_function(path: str) -> Any:
    """np.linalg.inv for ``"linalg.inv"``; None where this NumPy has no such function."""
    found: Any = np
    for part in path.split("."):
        found = getattr(found, part, None)
    return found if callable(found) else None


# NumPy's function -> what records it.
RECORDED: dict[Any, Callable[..., Any]] = {_numpy_function(path): f for path, f in FUNCTIONS.items()}
RECORDED.pop(None, None)

# Answers that have no derivative (places, truths) are computed on plain data; inside a trace, truths by their rows.
_PLAIN_NAMES = """
    less less_equal greater greater_equal equal not_equal isnan isfinite isinf signbit
    logical_and logical_or logical_not any all array_equal allclose isclose
    argmax argmin argsort searchsorted nonzero argwhere flatnonzero count_nonzero
"""
PLAIN = {getattr(np, name) for name in _PLAIN_NAMES.split()}
TRUTHS = {getattr(np, op.name): op for op in TABLE.values() if op.truth}

# Answers that no number inside decides, and texts.
_FORM_NAMES = """
    shape ndim size result_type iscomplexobj isrealobj zeros_like ones_like empty_like
    array_repr array_str array2string
"""
FORM = {getattr(np, name) for name in _FORM_NAMES.split()}


def array_ufunc(node: Any, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """``__array_ufunc__``: NumPy was about to apply a universal function to a node."""
    name = f"np.{ufunc.__name__}" + (f".{method}" if method != "__call__" else "")
    if kwargs.get("out") is not None:
        raise TypeError(f"{name} into an existing array would lose the gradient; write a = {name}(...), without out=")
    if method != "__call__" or kwargs:
        raise _unsupported(name, kwargs)
    return array_function(node, ufunc, (), inputs, {})


def array_function(node: Any, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """``__array_function__``: NumPy was about to apply any other function to a node."""
    if function in RECORDED:
        return RECORDED[function](*args, **kwargs)
    if tracing() is not None and function in TRUTHS and not kwargs:
        with no_grad():  # as comparisons of nodes
            return TRUTHS[function](*args)
    if function in PLAIN or function in FORM:
        how = "" if function in FORM else f"np.{function.__name__}"
        return function(*_deep_plain(args, how), **{k: _deep_plain(v, how) for k, v in kwargs.items()})
    module = getattr(function, "__module__", None) or "numpy"
    raise _unsupported(f"{module.replace('numpy', 'np', 1)}.{function.__name__}", {})


def array(node: Any, dtype: Any = None, copy: bool | None = None) -> Any:
    """``__array__``: NumPy was about to turn a node into a plain array."""
    look(node, "a plain array")
    if node.requires_grad:
        raise TypeError(
            f"NumPy would turn {node.name()} into a plain array and lose its gradient; a list of tensors is"
            " joined with autodiff.stack([...]) (or np.stack), and .data is the plain array of one"
        )
    return np.array(node._held, dtype=dtype)


def _deep_plain(x: Any, how: str) -> Any:
    if isinstance(x, list | tuple):
        return type(x)([_deep_plain(part, how) for part in x])
    if isinstance(x, Node) and how:
        look(x, how)
    return x._held if isinstance(x, Node) else x


def _unsupported(name: str, kwargs: dict[str, Any]) -> TypeError:
    options = f" with {', '.join(kwargs)}" if kwargs else ""
    return TypeError(
        f"{name}{options} is not in the table, and would lose the gradient; use another function, add it with"
        " autodiff.primitive, or leave the graph explicitly with .data"
    )
