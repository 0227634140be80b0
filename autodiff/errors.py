"""The errors of the engine, and their words: what was given, what was expected, what to write instead."""

from __future__ import annotations

from typing import Any

import numpy as np


class AutodiffError(Exception):
    """Base of every error that only an autograd engine can raise."""


class GraphError(AutodiffError, RuntimeError):
    """The graph cannot do what was asked: no gradient flows, a leaf has changed, a seed is missing."""


class ExactError(AutodiffError, ArithmeticError):
    """An operation on fractions has no exact answer."""


class AnomalyError(AutodiffError, ArithmeticError):
    """A NaN or an infinity appeared inside ``detect_anomaly()``."""


class GradientMismatchError(AutodiffError, AssertionError):
    """``check_gradients`` found a gradient that differs from its reference."""


class TraceError(AutodiffError, TypeError):
    """A function cannot be compiled: what it does depends on more than a trace of one example shows."""


def describe(x: Any) -> str:
    """What was given, in a few words: ``a Tensor of shape (3,)``, ``the str 'cat'``."""
    data = getattr(x, "_held", x)
    shape = np.shape(data) if isinstance(data, np.ndarray | list | tuple) and not _ragged(data) else ()
    return f"a {type(x).__name__} of shape {shape}" if shape else f"the {type(x).__name__} {data!r}"[:80]


def _ragged(data: Any) -> bool:
    try:
        np.shape(data)
    except (ValueError, TypeError):
        return True
    return False


def holds_one_number(data: Any) -> TypeError:
    """Something else than a number was made a Value."""
    advice = f"convert it: Value(float({data!r}))"[:60] if isinstance(data, str) else "for an array use Tensor"
    advice = "it is a node already; .detach() is a constant of it" if hasattr(data, "_held") else advice
    return TypeError(f"Value holds one number, such as Value(2.0), and was given {describe(data)}; {advice}")


def holds_no_array(data: Any, dtype: Any) -> TypeError:
    """Something else than numbers was made a Tensor."""
    return TypeError(f"Tensor holds numbers, such as Tensor([1.0, 2.0]), and was given {str(data)[:60]!r} ({dtype})")


def randomness_of_the_machine() -> TraceError:
    """A compiled function reaches a random.SystemRandom, or secrets, which draws from one."""
    return TraceError(
        "a compiled function reaches a random.SystemRandom (or secrets), and a trace would draw from it once and for"
        " all; draw outside, and give the numbers as an argument"
    )


def lost_in_compiled(node: Any) -> TraceError:
    """A compiled function, which answers with plain numbers, was given a node whose gradient flows on."""
    return TraceError(
        f"a compiled function answers with plain numbers, so the gradient that flows through {node.name()} would be"
        " lost. For the gradient of a compiled function itself write fast.grad(...); else compile the whole function,"
        " or call the one that was compiled, fast.__wrapped__(...), or give .detach() or plain numbers"
    )


def no_leaf() -> GraphError:
    """backward() of a compiled function was called on plain numbers."""
    return GraphError(
        "backward adds gradients to the .grad of leaves, and there is none among the arguments that all examples share:"
        " they are plain numbers, or constants. Give Values, a list of them or a model; for plain numbers write"
        " value, gradient = fast.value_and_grad(...)"
    )


def lost_in_tensor(name: str) -> GraphError:
    """backward() of a compiled function of Values was called on a Tensor."""
    return GraphError(
        f"backward of a function of Values adds gradients to the .grad of Values, and {name} is a Tensor: its gradient"
        " would be lost. Give Values, such as [Value(w) for w in tensor.data], or write"
        " fast.value_and_grad(...), which returns the gradient as an array; for a function of Tensors write"
        " compile(..., of=Tensor)"
    )


def lost_in_batch(node: Any, name: str) -> GraphError:
    """backward() of a compiled function was called on a batch of leaves."""
    return GraphError(
        f"backward adds gradients to the .grad of leaves that all examples share, and {name} varies from example to"
        f" example: the gradient of {node.name()} in it would be lost. Give plain numbers or an array there, or write"
        " fast.value_and_grad(..., argnums=...), which returns gradients for each example"
    )


def needs_array(op: Any) -> TypeError:
    """An operation on arrays was given Values."""
    return TypeError(
        f"{op.name} works on arrays, and a Value holds one number; use Tensor, or on a list of Values what Python has:"
        " sum(xs), [exp(x) for x in xs], functools.reduce(maximum, xs)"
    )


def mixed(x: Any, y: Any) -> TypeError:
    """A Value met a Tensor or an array."""
    return TypeError(
        f"Value and Tensor do not mix, and {describe(x)} met {describe(y)}: a Value holds one number, a Tensor an"
        " array. Make both Tensors (Tensor(value.data) starts a new graph), or take one number at a time"
    )


def computed_data(node: Any) -> GraphError:
    """Data were assigned to a node that is no leaf."""
    return GraphError(
        f"{node.name()} was computed by {node.op.name}, so its data cannot be assigned; change the leaves and"
        " compute it again, or go on from .detach()"
    )


def not_copyable(node: Any) -> TypeError:
    """A node inside a graph was pickled or copied."""
    return TypeError(
        f"{node.name()} is part of a graph, and a copy of it alone would lose its gradient; copy or pickle"
        " .detach(), or the leaves"
    )


def leaves_graph(node: Any, call: str) -> TypeError:
    """A node that carries a gradient was turned into a plain number."""
    return TypeError(
        f"{call} of {node.name()} would leave the graph and lose its gradient; use the functions of autodiff (exp,"
        " sin, floor, ...) instead of those of math, or .item() for the plain number"
    )


def no_index(node: Any) -> TypeError:
    """A node was used as an index or as the bound of a range."""
    return TypeError(
        f"{node.name()} is a node of a graph, not a whole number: as an index or a bound write int(node.item()), or"
        " keep the integer in a variable of its own"
    )


def leaf_changed(leaf: Any, node: Any) -> GraphError:
    """A leaf was changed between the forward and the backward pass."""
    return GraphError(
        f"{leaf.name()} was changed after {node.op.name} had used its old value in this graph, so gradients and"
        " drawings of it would be wrong; compute the output again, then go on"
    )


def no_gradient(node: Any) -> GraphError:
    """backward() was called on a constant."""
    return GraphError(
        f"no gradient flows to {node.name()}: it is a constant, or was computed from constants only or inside"
        " no_grad(); start from a leaf that carries a gradient, such as Value(2.0)"
    )


def seed_needed(node: Any) -> GraphError:
    """backward() was called on several numbers at once."""
    return GraphError(
        f"{node.name()} has shape {np.shape(node._held)}, and backward starts from one number: reduce it (.sum(),"
        " .mean()), or give the gradient to start from: backward(seed)"
    )


def wrong_shape(node: Any, given: Any, what: str) -> ValueError:
    """Data or a seed came in another shape than the node has."""
    return ValueError(f"{node.name()} has shape {np.shape(node._held)}, and the {what} has shape {np.shape(given)}")


def inexact(name: str, args: Any) -> ExactError:
    """An operation has no answer among the fractions."""
    return ExactError(
        f"{name}({', '.join(map(str, args))}) has no exact answer; write Value(float(x)) to go on with floats"
    )


def in_place() -> TypeError:
    """An entry of a tensor was assigned."""
    return TypeError(
        "a tensor is not changed in place, so that recorded gradients stay right; write t = put(t, index, value),"
        " or where(condition, value, t)"
    )


def in_context(error: Exception, op: Any, inputs: Any, params: dict[str, Any]) -> Exception:
    """The same kind of error, with the operation, the shapes and the parameters that met."""
    shapes = " and ".join(f"{x.label or 'shape'} {x.shape}" for x in inputs)
    given = "".join(f", {k}={v!r}"[:80] for k, v in params.items() if v is not op.defaults.get(k))
    kinds = (np.linalg.LinAlgError, ValueError, IndexError, TypeError)  # NumPy has others, which are hard to make
    kind = next(kind for kind in kinds if isinstance(error, kind))
    return kind(f"{op.name} of {shapes}{given}: {error}")
