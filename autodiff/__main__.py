"""``python -m autodiff`` prints the table; ``python -m autodiff tanh`` one row, with its derivative."""

from __future__ import annotations

import difflib
import sys

from autodiff.explanation import derivative
from autodiff.primitives import TABLE, Primitive


def derivatives(op: Primitive) -> str:
    """``∂/∂x = 1 - out * out`` for each input, read off the rule."""
    if op.partials is None or op.number is None:
        return "acts on whole arrays; print(explain(node)) shows its rule"
    return ",  ".join(f"∂/∂{name} = {derivative(op, k)}" for k, name in enumerate(op.input_names))


def main(arguments: list[str]) -> int:
    """Print the rows that were asked for; 2 if one does not exist."""
    for name in arguments:
        if name not in TABLE:
            close = difflib.get_close_matches(name, TABLE, 1)
            print(f"there is no primitive {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
            return 2
        op = TABLE[name]
        print(f"{op.__doc__}\n\n{derivatives(op)}")
    if not arguments:
        for op in TABLE.values():
            print(f"{op.signature():<58}  {derivatives(op)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
