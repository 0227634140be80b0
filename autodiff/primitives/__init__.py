"""The table of primitives, one file per family, and the functions made of rows."""

from collections.abc import Callable
from typing import Any

from autodiff.primitives import elementwise, linalg, reductions, shapes, windows
from autodiff.primitives.row import TABLE, Primitive, primitive

# Under which names of NumPy's a function is reached by np.sin(tensor) and its like.
FUNCTIONS: dict[str, Callable[..., Any]] = {path: op for op in TABLE.values() for path in op.numpy}
FUNCTIONS |= {
    "split": shapes.split,
    "pad": shapes.pad,
    "einsum": linalg.einsum,
    "linalg.slogdet": linalg.slogdet,
    "linalg.norm": linalg.norm_of_numpy,
}

BUILT_IN = frozenset(TABLE.values())  # of rows that others add nothing is known but what they say

__all__ = [
    "BUILT_IN",
    "FUNCTIONS",
    "TABLE",
    "Primitive",
    "elementwise",
    "linalg",
    "primitive",
    "reductions",
    "shapes",
    "windows",
]
