"""At which inputs the rows of the table are tested: drawn from ``domain`` and ``cases``, the same in every run."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from autodiff import Primitive

# Shapes that broadcast: no axis, no entry, one entry, rows against columns, leading axes.
SHAPES = [
    ((), (), ()),
    ((0,), (1,), ()),
    ((2, 0), (1, 1), (2, 1)),
    ((1,), (3,), (1,)),
    ((3, 1), (1, 4), (4,)),
    ((3,), (2, 1, 3), (1, 3)),
]


class Sample(NamedTuple):
    inputs: list[Any]
    params: dict[str, Any]


def generator_for(row: Primitive, purpose: str = "") -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{row.name} {purpose}".encode()))


def apart(rng: np.random.Generator, interval: tuple[float, float], shape: Any) -> Any:
    """Numbers from all of an interval, in random order and apart from each other, so that none tie."""
    low, high = interval
    n = int(np.prod(shape))
    steps = rng.permutation(n) + rng.uniform(0.2, 0.8, n)
    return (low + (high - low) * steps / max(n, 1)).reshape(shape)


def _condition(rng: np.random.Generator, inputs: list[Any]) -> list[Any]:
    return [np.asarray(inputs[0] * (rng.permutation(inputs[0].size).reshape(inputs[0].shape) % 2)), *inputs[1:]]


def _regular(rng: np.random.Generator, inputs: list[Any]) -> list[Any]:
    return [inputs[0] + 3 * np.eye(inputs[0].shape[-1]), *inputs[1:]]


def _positive_definite(rng: np.random.Generator, inputs: list[Any]) -> list[Any]:
    skew = 0.1 * (inputs[0] - np.swapaxes(inputs[0], -1, -2))
    return [inputs[0] @ np.swapaxes(inputs[0], -1, -2) + 2 * np.eye(inputs[0].shape[-1]) + skew]


# Rows whose inputs a domain alone does not describe.
PREPARED: dict[str, Callable[[np.random.Generator, list[Any]], list[Any]]] = {
    "where": _condition,
    "inv": _regular,
    "det": _regular,
    "logabsdet": _regular,
    "solve": _regular,
    "cholesky": _positive_definite,
}


def domains(row: Primitive) -> list[tuple[tuple[float, float], ...]]:
    """The domain and, for a function of one number with a kink at 0, its mirror image."""
    if row.arity == 1 and 0.0 in row.kinks:
        (low, high), *_ = row.domain
        return [row.domain, ((-high, -low),)]
    return [row.domain]


def samples(row: Primitive) -> Iterator[Sample]:
    """Arrays and parameters on which the row is compared with its reference."""
    if row.partials is not None:
        shaped = [(shapes[: row.arity], params) for shapes in SHAPES for params in [{}, *(p for _, p in row.cases)]]
    else:
        assert row.cases, f"the row {row.name!r} is not tested: give it cases=[([shape, ...], {{parameters}}), ...]"
        shaped = list(row.cases)
    rng = generator_for(row)
    prepare = PREPARED.get(row.name, lambda rng, inputs: inputs)
    for intervals in domains(row):
        for shapes, params in shaped:
            spread = intervals if len(intervals) == len(shapes) else intervals * len(shapes)
            yield Sample(prepare(rng, [apart(rng, i, s) for i, s in zip(spread, shapes, strict=True)]), params)


def scalar_samples(row: Primitive, count: int = 8) -> Iterator[Sample]:
    """Single numbers, for rows that compute numbers."""
    rng = generator_for(row, "scalar")
    prepare = PREPARED.get(row.name, lambda rng, inputs: inputs)
    for intervals in domains(row):
        columns = prepare(rng, [apart(rng, i, (count,)) for i in intervals])
        for params in [{}, *(p for _, p in row.cases)]:
            yield from (Sample([np.array(x) for x in point], params) for point in zip(*columns, strict=True))
