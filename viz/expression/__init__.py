"""A computation graph from a line of text: ``tanh(w*x + b)`` and its numbers.

The text is parsed and never run: names are looked up among the rows of the table and the values given, and nothing
else exists.
"""

from __future__ import annotations

from typing import Any

from autodiff import Value
from viz.expression.errors import ExpressionError
from viz.expression.evaluation import computed

__all__ = ["ExpressionError", "from_expression"]


def from_expression(text: str, /, **values: Any) -> tuple[Value, dict[str, Value]]:
    """The graph of an expression, written as in Python, and its leaves by name.

    Operators are ``+ - * / **``, functions are the rows of the table that work on single numbers, and ``max``, ``min``;
    ``where(x > 0, a, b)`` chooses; ``pi`` and ``e`` are what they are unless given. ``z = w*x + b; tanh(z)`` names a
    result, which is then its label.

    Args:
        text: the expression. It is parsed and never run.
        values: a number for each name. Fractions keep the whole expression exact, and 0.5 in it is 1/2. A ``Value``
            is used as it is: ``Value(2.0, requires_grad=False)`` is a constant.

    Returns:
        The last result, and the leaves in the order in which they were given.

    Raises:
        ExpressionError: the expression cannot be read or computed; the message points at the place.
        TypeError: a value is not one number.

    >>> output, leaves = from_expression("z = w*x + b; tanh(z)", w=0.5, x=2, b=-0.5)
    >>> output.backward()
    >>> f"{output:.4f}, {leaves['w'].grad:.4f}"
    '0.4621, 1.5729'
    >>> from_expression("tahn(x)", x=2)
    Traceback (most recent call last):
    viz.expression.errors.ExpressionError: there is no function tahn; did you mean tanh?
    <BLANKLINE>
      tahn(x)
      ^
    """
    result = computed(text, values)
    return result.output, result.leaves
