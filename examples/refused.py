"""What a trace cannot see, Part 4 of the lesson ``compiled``: two functions that are refused, and what to write."""

from __future__ import annotations

import math
from collections.abc import Callable
from inspect import getsource
from textwrap import fill, indent
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import TraceError, Value, compile, exp, where
from examples.single_numbers import neuron
from examples.telling import WIDTH, tell

Array = NDArray[np.float64]


def branching(params, x, y):
    z = neuron(params["w"], x, params["b"])
    if z > 0:
        return (z - y) ** 2
    return (0.1 * z - y) ** 2


def choosing(params, x, y):
    z = neuron(params["w"], x, params["b"])
    return (where(z > 0, z, 0.1 * z) - y) ** 2


def leaving(params, x, y):
    z = neuron(params["w"], x, params["b"])
    return (math.exp(float(z)) - y) ** 2


def staying(params, x, y):
    z = neuron(params["w"], x, params["b"])
    return (exp(z) - y) ** 2


def what_is_refused() -> list[str]:
    """Two functions that no trace can capture, what the compiler says to them, and what to write instead."""
    params = {"w": [Value(1.0), Value(-1.0)], "b": Value(0.5)}
    X, y = np.array([[2.0, 1.0], [1.0, 4.0], [0.0, 0.2]]), np.array([1.0, 0.0, 0.0])
    said = []
    tell("""
        A trace is what happened with one point. What if the function does something else with another? Here is a
        neuron that goes on with a tenth of z where z is not above 0:
        """)
    print(indent(getsource(branching), "  "))
    z = [neuron([1.0, -1.0], x, 0.5) for x in X.tolist()]
    tell(f"""
        For three points, z is {z[0]:g}, {z[1]:g} and {z[2]:g}. The trace is made with the first. Predict: if the
        compiler just went through its list, what would it take the loss of the second point to be?

        It would be ({z[1]:g} - 0)² = {z[1] ** 2:g}, and right is (0.1 × {z[1]:g} - 0)² = {(0.1 * z[1]) ** 2:g}. The if
        is not in the list: it is Python that looks at z and decides, and what it decided for one point would be done
        to all. A wrong number, and nobody would know. So it is refused:
        """)
    said.append(refusal(branching, params, X, y))
    tell("where is an operation like + and tanh. It is in the list, with both of its sides:")
    print(indent(getsource(choosing), "  "))
    compare(choosing, params, X, y)
    tell("""
        The other way out of the list is to ask for the plain number. What follows then is computed from that one
        number, and no operation remembers it:
        """)
    print(indent(getsource(leaving), "  "))
    said.append(refusal(leaving, params, X, y))
    tell("The exp of autodiff is for Values too:")
    print(indent(getsource(staying), "  "))
    compare(staying, params, X, y)
    tell("""
        The same holds for all else that one example does not show: an index that is computed, or a label (scores[k]);
        random numbers; a counter or a list that the function changes. Each is refused, and the message says what to
        write instead. Little is let through, and it is good to know it. A print happens once, for the first point,
        when the trace is made. The time, and a random generator that the function makes for itself, stay what they were
        then; compile(loss, check=True) notices that. A text made of a number, str(k), is that of the one
        example of the trace; where(equal(k, 1), ...) asks for the number of each.""")
    return said


def refusal(function: Callable[..., Any], params: Any, X: Array, y: Array) -> str:
    """What the compiler says to a function, which is printed."""
    try:
        compile(function).value_and_grad(params, X, y)
    except TraceError as refused:
        for line in str(refused).splitlines():
            print(fill(line.strip(), WIDTH, initial_indent="  ! ", subsequent_indent="  !   "))
        print()
        return str(refused)
    raise AssertionError(f"{function.__name__} was compiled")


def compare(function: Callable[..., Any], params: Any, X: Array, y: Array) -> None:
    """The outputs of a function for three points, one by one and compiled."""
    eager = [function(params, *example).item() for example in zip(X.tolist(), y.tolist(), strict=True)]
    print(f"  one by one   {'  '.join(f'{number:.6f}' for number in eager)}")
    print(f"  compiled     {'  '.join(f'{number:.6f}' for number in compile(function)(params, X, y))}\n")
