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

    Write the function for **one example**, with Values: numbers one at a time, arrays as nested lists of them. It is
    called once to see what it does; the matrix products that it spells out are found, and whole batches run through
    them. A function of Tensors is written for the whole batch, and is replayed as it is, without building its graph.

    What a compiled function, ``fast``, can be asked; results are plain numbers and arrays, with no graph behind them::

        fast(params, X, y)                         one output for each example, or what reduction= makes of them
        fast.backward(params, X, y)                the mean; adds its gradient to .grad of the Values in params
        fast.value_and_grad(params, X, y, argnums=0, per_example=False)
                                                   the mean, and its gradient: for plain numbers and arrays
        fast.grad(params, X, y)                    the gradient alone
        fast.vjp(params, X, y)                     the outputs, and a function that pulls cotangents back
        fast.program(params, X, y)                 what was traced: print it
        fast.blocks(params, X, y)                  the matrix products that were found
        fast.traced(params, X, y)                  for a loop that keeps the numbers of a model in an array of its own
        fast.cache_info(), fast.clear_cache()      what was traced so far

    To train Values (``nn.Adam(params)``, and any other optimizer, does what is done by hand here):

    >>> import numpy as np
    >>> from autodiff import Value, compile
    >>> def loss(params, x, y):
    ...     z = sum(w * x_i for w, x_i in zip(params["w"], x)) + params["b"]
    ...     return (z - y) ** 2
    >>> fast = compile(loss)
    >>> X, Y = np.array([[1.0, 2.0], [3.0, 4.0], [0.0, 0.0], [1.0, 0.0]]), np.array([0.0, 0.0, 1.0, 2.0])
    >>> params = {"w": [Value(0.0), Value(0.0)], "b": Value(0.0)}
    >>> leaves = [*params["w"], params["b"]]
    >>> for _ in range(500):
    ...     for p in leaves:
    ...         p.grad = None
    ...     mean = fast.backward(params, X, Y)
    ...     for p in leaves:
    ...         p.data -= 0.1 * p.grad
    >>> print(f"{mean:.6f}", [f"{p.data:.3f}" for p in leaves])
    0.000000 ['1.000', '-1.000', '1.000']

    To train plain numbers, or arrays of them:

    >>> numbers = {"w": np.zeros(2), "b": 0.0}
    >>> mean, gradient = fast.value_and_grad(numbers, X, Y)
    >>> mean, gradient["w"], gradient["b"]
    (1.25, array([-1.,  0.]), -1.5)
    >>> numbers = {name: numbers[name] - 0.1 * gradient[name] for name in numbers}

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
        A function of the same arguments, with the methods above.

    Raises:
        TraceError: at a call: the function branches on a number of the example, changes something, draws random
            numbers, or does anything else that a trace does not show. The message has the line, and what to write.

    Frequent mistakes, and what to write:

    ==================================================  ================================================================
    a loop over the data: ``for x, y in zip(X, Y)``     the loss of one example; or the loop, and ``in_axes=None``
    ``w @ x``, ``x.sum()``, ``x[:, 0]``                 ``sum(a * b for a, b in zip(w, x))``, ``sum(x)``, ``[row[0] for
                                                        row in x]``; or ``X @ w`` for the whole batch, and ``of=Tensor``
    labels ``y`` of shape (n, 1)                        ``y[:, 0]``
    ``if x > 0: ...``, ``max(a, b)``, ``max(xs)``       ``where(x > 0, a, b)``, ``maximum(a, b)``,
                                                        ``functools.reduce(maximum, xs)``
    ``math.exp(x)``, ``np.mean(xs)``                    ``exp(x)`` of autodiff, ``sum(xs) / len(xs)``
    ``scores[label]``                                   ``sum(s * t for s, t in zip(scores, one_hot))``, and
                                                        ``np.eye(k)[labels]`` for the labels
    ``range(n)`` of an argument                         ``static_argnames="n"``
    ``autodiff.grad(fast)``                             ``fast.grad(params, X, y)``
    ==================================================  ================================================================

    What the function reaches beside its arguments: Values and Tensors are read at every call; numbers, lists, arrays,
    settings of objects, the environment and context variables are compared at every call, and where one has changed the
    function is traced again. Of objects of other packages their numbers are compared (arrays, tables, tensors); what
    else they keep inside is not. Give large arrays as arguments.

    To look a Value up in a set or a dictionary, or to compare two by ``==``, is refused, as that asks for the object;
    write ``equal(a, b)`` and ``where`` instead. ``print`` and labels happen once, at the trace, with texts that say so:
    ``Value(1.0, traced)``. To compare, to look up, to take apart, to measure or to convert such a text is refused by
    its own methods, as is what another thread reads of a trace.

    Not noticed are the time, what is read from files, and a random generator that the function makes anew: they stay
    what they were at the trace, and ``check=True`` finds it where they move. Nor are ``isinstance(k, int)``, a set of
    numbers that were computed, what becomes of a text that was joined with others, as in ``f"k{x}"``, and what reads
    its characters directly (``re``, ``np.array([text])``).
    """
    options = (in_axes, of, static_argnums, static_argnames, reduction, backend, dtype, maxsize, check)
    from autodiff.compiler.compiled import Compiled  # with all of the compiler: a third of the time to import autodiff

    if function is None:
        return lambda function: Compiled(function, *options)
    return Compiled(function, *options)
