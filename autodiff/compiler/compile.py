"""``compile``: a function written for reading, traced once, run at the speed of matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def compile(
    function: Callable[..., Any] | None = None,
    *,
    in_axes: Any = "auto",
    of: type | None = None,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    reduction: str = "none",
    backend: str = "auto",
    dtype: Any = np.float64,
    maxsize: int = 64,
    check: bool = False,
) -> Any:
    """Trace a function once, and run what it does on batches, without building graphs, at the speed of matrices.

    The function is written for **one example**, with Values: nested lists of parameters, numbers one at a time. It is
    called once to see what it does; the matrix products that it spells out are found, and whole batches run through
    them. A function of Tensors is replayed as it is, without building its graph again.

    Args:
        function: of numbers, arrays, Values, Tensors, nested lists, tuples and dicts of them, or models with a method
            ``parameters()``. An array stands for nested lists of numbers. Left out, ``compile`` is a decorator.
        in_axes: for each argument the axis of the batch, or None where all examples share it; one for all; or, for
            an argument that is a list or dict, as many in the same structure. "auto": the first argument is shared,
            the others have their examples along axis 0. With a learning constant as the fourth argument, write
            ``in_axes=(None, 0, 0, None)``; with a function of the example alone, ``in_axes=0``. Arguments that can be
            given by keyword only are shared.
        of: ``Value`` or ``Tensor``, what the function computes with. By default the first call decides: Tensor, if
            there is a Tensor among the arguments; Value, if there is a Value or a number or something is batched;
            else Tensor.
        static_argnums, static_argnames: arguments that the function may branch on, count with or index by: plain, and
            hashable; for each other value it is traced again.
        reduction: what a call returns for a batch: "none" (one output for each example), "mean" or "sum".
        backend: "numpy" (re-rolled blocks), "numba" (a tape, of the extra ``fast``), "reference" (slow and plain), or
            "auto", chosen by ``autodiff.compiler.cost``.
        dtype: in what functions of Values are computed, np.float64 or np.float32. Tensors keep their own.
        maxsize: how many programs are kept; the least recently used is forgotten first.
        check: at each new trace compute a few examples eagerly too, and compare; trace a second time, and compare.

    Returns:
        A function of the same arguments, whose results are plain numbers and arrays: there is no graph to call
        ``.backward()`` on. Its methods are called with the arguments too. For training: ``backward``, which adds the
        gradient of the mean loss to ``.grad`` of the Values among the parameters, or ``value_and_grad``, which returns
        it, as for parameters that are plain numbers; ``traced``, for a loop that keeps the numbers of a model in an
        array of its own. Also ``grad`` and ``vjp``; to read, ``program`` (what was traced) and ``blocks`` (what was
        found in it; ``blocks(...).graph()`` is drawn); and ``cache_info``.

    What the function reaches otherwise: Values and Tensors are read at every call; numbers, lists, arrays, settings of
    objects, the environment and context variables are compared at every call, and where one has changed the function is
    traced again. Give large arrays as arguments. What a trace of one example cannot show is refused, as is what another
    thread reads of it. Not noticed are the time, what is read from files, and a random generator that the function
    makes anew: they stay what they were then, and ``check=True`` finds it where they move.

    The numbers of an example come as Values. To look one up in a set or a dictionary, or to compare two by ``==``, is
    refused, as that asks for the object; write ``equal(a, b)`` and ``where`` instead. Not noticed are
    ``isinstance(k, int)`` and a set of numbers that were computed. ``print`` and labels happen once, at the trace, with
    texts that say so: ``Value(1.0, traced)``. To compare, to look up, to take apart or to convert such a text is
    refused; not noticed is what becomes of it when it was joined with others, as in ``f"k{x}"``.

    >>> import numpy as np
    >>> from autodiff import compile
    >>> def loss(params, x, y):
    ...     z = sum(w * x_i for w, x_i in zip(params["w"], x)) + params["b"]
    ...     return (z.tanh() - y) ** 2
    >>> fast = compile(loss)
    >>> params = {"w": [0.5, -1.0], "b": 0.0}
    >>> X, Y = np.array([[1.0, 2.0], [3.0, 4.0], [0.0, 0.0]]), np.array([0.0, 1.0, 1.0])
    >>> fast(params, X, Y).round(4)
    array([0.8193, 3.9466, 1.    ])
    >>> value, gradient = fast.value_and_grad(params, X, Y)
    >>> round(value, 4), round(gradient["b"], 4)
    (1.922, -0.8109)

    Raises:
        TraceError: at a call: the function branches on a number of the example, changes something, draws random
            numbers, or does anything else that a trace does not show. The message has the line, and what to write.
    """
    options = (in_axes, of, static_argnums, static_argnames, reduction, backend, dtype, maxsize, check)
    from autodiff.compiler.compiled import Compiled  # with all of the compiler: a third of the time to import autodiff

    if function is None:
        return lambda function: Compiled(function, *options)
    return Compiled(function, *options)
