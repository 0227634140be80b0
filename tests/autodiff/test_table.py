"""Every row of the table against a reference that shares nothing with it: values, gradients, second derivatives.

The tests run over the table, so a new row is tested as soon as it is written; without a reference, or
without cases where it needs them, it fails here with a message that says what to add.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import autodiff
from autodiff import TABLE, Primitive, Tensor, Value, gradients
from autodiff.formula import LATEX, TEXT
from autodiff.numpy_protocols import RECORDED
from autodiff.primitives import FUNCTIONS
from tests.autodiff.reference import largest, pullback, reference_of, relative_error, second_pullback
from tests.autodiff.samples import Sample, generator_for, samples, scalar_samples

ROWS = list(TABLE.values())
ELEMENTWISE = [row for row in ROWS if row.partials is not None]
BINARY = [row for row in ELEMENTWISE if row.arity == 2]
SCALAR = [row for row in ROWS if row.number is not None]
FIRST, SECOND, SINGLE = 1e-12, 1e-7, 2e-5  # relative errors: complex step, differences of it, float32


def over(rows: list[Primitive]) -> Any:
    return pytest.mark.parametrize("row", rows, ids=[row.name for row in rows])


# ── the comparisons ──────────────────────────────────────────────────────────────────────────────────
def call(row: Primitive, leaves: list[Any], params: dict[str, Any]) -> Any:
    return row(leaves, **params) if row.variadic else row(*leaves, **params)


def leaves_of(kind: type, inputs: list[Any], dtype: Any = np.float64) -> list[Any]:
    return [Value(x.item()) if kind is Value else Tensor(x.astype(dtype)) for x in inputs]


def every_sample(row: Primitive) -> Iterator[tuple[type, Sample]]:
    yield from ((Tensor, sample) for sample in samples(row))
    if row.number is not None:
        yield from ((Value, sample) for sample in scalar_samples(row))


def check_value(row: Primitive) -> None:
    """The forward functions, on nodes and on plain data."""
    truth = reference_of(row)
    for kind, (inputs, params) in every_sample(row):
        want = np.asarray(truth(*inputs, **params), float)
        leaves = leaves_of(kind, inputs)
        got = call(row, leaves, params)
        assert type(got) is kind
        for result in (got.data, call(row, [x.data for x in leaves], params)):
            error = relative_error(result, want, largest(want))
            assert error <= 1e-13, f"{row.name} at {inputs} {params}: {result} instead of {want}"
        if kind is Tensor:
            single = call(row, leaves_of(kind, inputs, np.float32), params)
            assert single.dtype == (np.float64 if params.get("dtype") == "float64" else np.float32)
            assert relative_error(single.data, want, 1e3 * largest(want)) <= SINGLE


def check_first_derivative(row: Primitive) -> None:
    """Random cotangents times the Jacobian, against the complex step."""
    truth, rng = reference_of(row), generator_for(row, "cotangents")
    for kind, (inputs, params) in every_sample(row):
        leaves = leaves_of(kind, inputs)
        output = call(row, leaves, params)
        cotangent = rng.uniform(0.5, 2, np.shape(output.data)) * rng.choice([-1, 1], np.shape(output.data))
        wanted, magnitudes = pullback(lambda *z, p=params: truth(*z, **p), inputs, cotangent)
        found = list(enumerate(gradients(output, leaves, seed=cotangent)))
        if row.into is not None:  # the same by its rule, which numbers do not pass through
            found += enumerate(x.data for x in gradients(output, leaves, seed=cotangent, create_graph=True))
        for k, gradient in found:
            if kind is Tensor:
                assert gradient.dtype == np.float64
            error = relative_error(gradient, wanted[k], magnitudes[k])
            where = f"{row.name}, {kind.__name__}, input {k}, at {inputs} {params}"
            assert error <= FIRST, f"{where}: gradient {gradient} instead of {wanted[k]}, relative error {error:.1e}"
        if kind is Tensor:
            check_single_precision(row, inputs, params, cotangent, wanted, magnitudes)


def check_single_precision(
    row: Primitive, inputs: list[Any], params: dict[str, Any], cotangent: Any, wanted: list[Any], magnitudes: list[Any]
) -> None:
    """float32 leaves, alone and beside float64 partners, have float32 gradients."""
    for k, x in enumerate(inputs):
        for others in (np.float32, np.float64):
            leaves = leaves_of(Tensor, inputs, others)
            leaves[k] = Tensor(x.astype(np.float32))
            (gradient,) = gradients(call(row, leaves, params), [leaves[k]], seed=cotangent)
            assert gradient.dtype == np.float32
            scale = 1e3 * largest(magnitudes[k])
            assert relative_error(gradient, wanted[k], scale) <= SINGLE, f"{row.name}, float32, input {k}"


def check_second_derivative(row: Primitive) -> None:
    """The gradient of a random projection of the gradient, through the graph that the rules build."""
    truth, rng = reference_of(row), generator_for(row, "second")
    for kind, (inputs, params) in every_sample(row):
        leaves = leaves_of(kind, inputs)
        output = call(row, leaves, params)
        cotangent = rng.uniform(0.5, 2, np.shape(output.data))
        directions = [rng.uniform(0.2, 1, x.shape) * rng.choice([-1, 1], x.shape) for x in inputs]
        first = gradients(output, leaves, seed=cotangent, create_graph=True)
        projection: Any = 0.0
        for gradient, v in zip(first, directions, strict=True):
            projection = projection + (gradient * v.item() if kind is Value else (gradient * v).sum())
        got = [np.zeros(x.shape) for x in inputs]
        if projection.requires_grad:
            got = gradients(projection, leaves)
        wanted = second_pullback(lambda *z, p=params: truth(*z, **p), inputs, cotangent, directions)
        size = max(largest(g.data) for g in first)
        for k, (gradient, want) in enumerate(zip(got, wanted, strict=True)):
            want = np.where(np.abs(want) < 1e-9 * size, 0, want)  # what the differences leave of an exact 0
            gradient = np.where((want == 0) & (np.abs(gradient) < 1e-12 * size), 0, gradient)
            error = relative_error(gradient, want, largest(want))
            where = f"{row.name}, {kind.__name__}, input {k}, at {inputs} {params}"
            assert error <= SECOND, f"{where}: second derivative {gradient} instead of {want}, error {error:.1e}"


@over(ROWS)
def test_value(row: Primitive) -> None:
    check_value(row)


@over(ROWS)
def test_first_derivative(row: Primitive) -> None:
    check_first_derivative(row)


@over(ROWS)
def test_second_derivative(row: Primitive) -> None:
    check_second_derivative(row)


@over(ROWS)
def test_backward_agrees_with_gradients(row: Primitive) -> None:
    for kind, (inputs, params) in every_sample(row):
        leaves = leaves_of(kind, inputs)
        output = call(row, leaves, params)
        seed = np.full(np.shape(output.data), 0.7)
        output.backward(seed)
        for x, gradient in zip(leaves, gradients(output, leaves, seed=seed), strict=True):
            assert np.array_equal(x.grad, gradient)
            assert np.shape(x.grad) == np.shape(x.data)


@over(SCALAR)
def test_numbers_and_arrays_agree(row: Primitive) -> None:
    for inputs, params in scalar_samples(row):
        number = row(*[x.item() for x in inputs], **params)
        assert isinstance(number, float | int | Fraction)
        assert relative_error(number, row(*inputs, **params)) <= 1e-15 * 4


EXTREMES = [0.0, 1.0, -1.0, 0.5, 1e-300, -1e-300, 30.0, -30.0, 1e4, -1e4, 1e160, -1e160, np.inf, -np.inf, np.nan]


@over(SCALAR)
def test_numbers_and_arrays_agree_at_extremes(row: Primitive) -> None:
    """At zeros, kinks, huge numbers, inf and NaN: same value, same gradients, and nothing warns."""
    points = [(x,) * (row.arity or 1) for x in EXTREMES]
    if row.arity == 2:
        points = [(a, b) for a in EXTREMES for b in EXTREMES]
    for point in points:
        values, tensors = [Value(x) for x in point], [Tensor([x]) for x in point]
        number, array = row(*values), row(*tensors)
        assert agree(number.data, array.data.item()), f"{row.name}{point}: {number.data} and {array.data}"
        pairs = zip(gradients(number, values), gradients(array, tensors), strict=True)
        for k, (of_number, of_array) in enumerate(pairs):
            found = f"d{row.name}{point} / d input {k}: {of_number} and {of_array.item()}"
            assert agree(of_number, of_array.item()), found


def agree(a: float, b: float) -> bool:
    return a == b or (a != a and b != b) or abs(a - b) <= 4e-15 * abs(a)


@over([row for row in ELEMENTWISE if row.name != "where" and not row.truth])
def test_nan_is_never_swallowed(row: Primitive) -> None:
    """NaN in, NaN out; and a gradient that the value of an input decides is NaN beside it."""
    for k in range(row.arity or 0):
        leaves = [Tensor([np.nan if i == k else 0.5]) for i in range(row.arity or 0)]
        output = row(*leaves)
        assert np.isnan(output.data).all()
        partial = (row.partials or ())[k]
        if callable(partial) and row.name not in ("clip", "multiply", "divide"):
            assert np.isnan(gradients(output, [leaves[k]])[0]).all()


@over(BINARY)
def test_one_leaf_twice(row: Primitive) -> None:
    """Both edges count: the gradient of f(x, x) is the sum of the two partial derivatives."""
    low, high = max(a for a, _ in row.domain), min(b for _, b in row.domain)
    for point in np.linspace(low, high, 5)[1:-1]:
        x, a, b = Value(point), Value(point), Value(point)
        assert gradients(row(x, x), [x])[0] == sum(gradients(row(a, b), [a, b]))


# ── how a row is written ─────────────────────────────────────────────────────────────────────────────
@over(ELEMENTWISE)
def test_text_is_python(row: Primitive) -> None:
    """What is shown is also what computes the value."""
    names = {name: op.array for name, op in TABLE.items()}
    inputs, params = next(iter(samples(row)))
    written, _ = TEXT.apply(row, [(f"input_{k}", 9) for k in range(len(inputs))], params)
    found = eval(written, names, {f"input_{k}": x for k, x in enumerate(inputs)})
    assert relative_error(np.asarray(found, float), row(*inputs, **params)) <= 1e-15


@over([row for row in ROWS if row.operator])
def test_operator_records_its_row(row: Primitive) -> None:

    inputs = [Tensor(x) for x in next(iter(samples(row))).inputs]
    assert getattr(inputs[0], f"__{row.operator}__")(*inputs[1:]).op is row


@over(ROWS)
def test_latex_renders(row: Primitive) -> None:
    mathtext = pytest.importorskip("matplotlib.mathtext")
    params = next(iter(samples(row))).params
    written, _ = LATEX.apply(row, [(f"x_{{{k}}}", 9) for k in range(row.arity or 2)], params)
    mathtext.MathTextParser("path").parse(f"${written}$")


@over(ROWS)
def test_row_is_documented_and_public(row: Primitive) -> None:
    assert row.name in (row.__doc__ or "")
    internal = {"getitem", "pad_constant", "einsum"}  # reached by x[...], pad and einsum
    assert row.name in internal or getattr(autodiff, row.name, row) is row


# ── NumPy's names for the rows ───────────────────────────────────────────────────────────────────────
def _pieces(result: Any) -> list[Any]:
    return list(result) if isinstance(result, list | tuple) else [result]


# Functions made of several rows, and what NumPy calls in a way of its own: arguments that hold arrays.
CALLS: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "split": [((np.arange(6.0), 3), {}), ((np.arange(8.0).reshape(2, 4), [1, 3]), {"axis": 1})],
    "pad": [
        *(
            ((np.arange(6.0).reshape(2, 3), ((1, 1), (0, 2))), {"mode": m})
            for m in ["edge", "reflect", "symmetric", "wrap"]
        ),
        ((np.arange(3.0), 2), {"constant_values": 4.0}),
    ],
    "einsum": [(("ij,j->i", np.arange(6.0).reshape(2, 3), np.arange(3.0)), {}), (("ii", np.eye(3)), {})],
    "astype": [((np.arange(3.0), np.float32), {})],
    "linalg.cholesky": [((np.array([[4.0, 1.0], [1.0, 3.0]]),), {})],
    "linalg.slogdet": [((np.array([[1.0, 2.0], [-3.0, 1.0]]),), {}), ((np.array([[1.0, 2.0], [3.0, 1.0]]),), {})],
    "linalg.norm": [((np.arange(1.0, 5.0),), {}), ((np.ones((2, 3)),), {"axis": 1}), ((np.arange(1.0, 4.0), 1), {})],
}


def numpy_calls(path: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Arguments, with arrays in them, by which NumPy's function of this name is called."""
    function = FUNCTIONS[path]
    if isinstance(function, Primitive) and path not in CALLS:
        return [(([*x],) if function.variadic else tuple(x), params) for x, params in samples(function) if x[0].size]
    assert path in CALLS, f"np.{path} is recorded and not tested: add calls of it to CALLS in {__file__}"
    return CALLS[path]


@pytest.mark.parametrize("path", [p for p, f in FUNCTIONS.items() if f in RECORDED.values()])
def test_numpy_function_records(path: str) -> None:
    function: Any = np
    for part in path.split("."):
        function = getattr(function, part, None)
    if function is None:
        pytest.skip(f"this NumPy has no {path}")
    for args, kwargs in numpy_calls(path):
        leaves: list[Tensor] = []

        def wrap(x: Any, leaves: list[Tensor] = leaves) -> Any:
            if isinstance(x, list) and x and isinstance(x[0], np.ndarray):
                return [wrap(item) for item in x]
            if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
                return x
            leaves.append(Tensor(x))
            return leaves[-1]

        recorded = _pieces(function(*map(wrap, args), **kwargs))
        plain = _pieces(function(*args, **kwargs))
        ours = _pieces(FUNCTIONS[path](*map(wrap, args), **kwargs))
        for got, want, mine in zip(recorded, plain, ours, strict=True):
            assert relative_error(np.asarray(getattr(got, "data", got)), want, largest(want)) <= 1e-14
            if isinstance(mine, Tensor):
                assert got.requires_grad
                assert got.op is mine.op
                seed = np.full(got.shape, 0.3)
                half = len(leaves) // 2
                first, second = gradients(got, leaves[:half], seed), gradients(mine, leaves[half:], seed)
                assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


# ── that the tests can fail ──────────────────────────────────────────────────────────────────────────
def test_a_row_without_reference_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Primitive("nobody_knows", abs, np.abs, partials=[1])
    with pytest.raises(AssertionError, match="add to REFERENCES"):
        check_value(row)
    with pytest.raises(AssertionError, match="give it cases"):
        list(samples(Primitive("nobody_knows", None, np.abs, rules=[lambda g, x, out: g])))


def test_no_reference_without_a_row() -> None:
    from tests.autodiff.reference import REFERENCES

    assert REFERENCES.keys() <= TABLE.keys()


def test_a_thousandth_is_found() -> None:
    """A sample of ``python -m tests.autodiff.mutants``, which damages every rule of the table in turn."""
    from tests.autodiff.mutants import all_mutants, damaged

    mutants = all_mutants()
    for at in np.random.default_rng(0).choice(len(mutants), 6, replace=False):
        mutant = mutants[at]
        with damaged(mutant), pytest.raises(AssertionError):
            check_first_derivative(TABLE[mutant.name])
