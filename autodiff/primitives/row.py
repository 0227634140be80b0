"""What a row of the table is.

A primitive knows how to compute numbers and arrays and how to differentiate what it computed. It knows
nothing of graphs but this: given a node, it hands the call to the node's class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from autodiff.context import look, no_grad, tracing
from autodiff.errors import ExactError
from autodiff.graph import Node

NUMBERS = frozenset({float, int, bool, complex, Fraction})

_SIMPLE = frozenset({int, bool, float, str, type(None)})

TABLE: dict[str, Primitive] = {}
"""Every primitive by name, in the order in which the rows were written."""


@dataclass(eq=False, repr=False)
class Primitive:
    """One operation: one row of the table.

    Calling a primitive with numbers gives a number, with arrays an array, and with nodes a node that
    remembers how it was made. The fields are the columns of the table; ``python -m autodiff sin`` prints a row.
    """

    # fmt: off
    name: str                               # what the operation is called, in NumPy's words
    number: Callable[..., Any] | None       # forward on Python numbers, or None where the operation needs an array
    array: Callable[..., Any]               # forward on NumPy arrays; the arguments after the inputs are parameters
    _: KW_ONLY
    partials: Sequence[Any] | None = None   # elementwise: for each input d out / d input, (*inputs, out, **params) -> ..., or a plain number
    rules: Any = None                       # structural: for each input (upstream, *inputs, out, **params) -> contribution;
    variadic: bool = False                  # ... or, for any number of inputs, one (k, upstream, inputs, out, **params) -> contribution
    into: Any = None                        # structural, of one input: (total, upstream, **params) adds the contribution to an array in place,
                                            # for rows that touch a small part of their input
    moves: bool = False                     # the result has entries of the input as they are: if NumPy gives a view, so may its gradient be
    view: Any = None                        # (x, **params): the result as a view of x, where NumPy would answer with a number
    calls: Any = None                       # (*inputs, out, **params) -> [(function, arguments), ...]: calls that write into ``out`` what ``array``
                                            # gives, bit for bit, or None; for a program that runs many times (ufuncs need none)
    quick_calls: Any = None                 # the same, adding up in another order: for gradients
    selects: bool = False                   # a partial of exactly 0 means "not read": even an infinite upstream gradient contributes 0
    truth: bool = False                     # it answers 1.0 for true and 0.0 for false, also beside NaN
    analytic: bool = True                   # the forward functions continue to complex numbers (the complex step applies)
    symbol: str = ""                        # what a drawing shows
    text: str | None = None                 # a line of Python: "{0} + {1}"
    latex: str | None = None                # a formula
    domain: Sequence[tuple[float, float]] = ()              # for each input an interval free of kinks, in which tests sample
    kinks: Sequence[float] = ()                             # inputs where the derivative jumps
    cases: Sequence[tuple[Any, dict[str, Any]]] = ()        # (shapes, params) for tests of a structural row; params for those of an elementwise one
    operator: str | None = None                             # the Python operator it implements ("add" for +)
    shortcuts: dict[float, str] = field(default_factory=dict)  # rows that the operator stands for at certain right operands: x ** 2 is a square
    numpy: Sequence[str] | None = None                      # NumPy's names for the same function ("linalg.inv"); by default ``name``
    doc: str = ""                                           # sentences for the documentation
    source: str = ""                                        # the paper or book of a method
    # fmt: on

    def __post_init__(self) -> None:
        self.arity: int | None = None
        self.quiet = np.errstate(all="ignore")(self.array)  # without NumPy's warnings: inf and NaN are answers here
        self.symbol = self.symbol or self.name
        self.numpy = (self.name,) if self.numpy is None else tuple(self.numpy)
        if self.partials is not None:
            self.partials = tuple(p if callable(p) or type(p) is int else _constant(p) for p in self.partials)
            self.arity = len(self.partials)
        elif not self.variadic:
            self.arity = len(self.rules)
        self.domain = tuple(self.domain) or ((-2.0, 2.0),) * (self.arity or 1)
        self.input_names, self.defaults = _signature(self.number, self.array, self.arity, self.variadic)
        self.plain_unary = self.arity == 1 and not self.defaults and self.partials is not None
        self.needs = [name for name, default in self.defaults.items() if default is REQUIRED]
        # The partials of a function of one or two numbers, None standing for 1: the backward pass of scalar
        # graphs has a short way for these.
        self.scalar = None
        if self.partials is not None and not self.defaults and (self.arity or 0) <= (1 if self.selects else 2):
            self.scalar = tuple(None if p == 1 else p if callable(p) else _constant(p) for p in self.partials)
        self.__doc__ = "\n\n".join(filter(None, [self.signature(), self.doc, self.source and f"Source: {self.source}"]))

    def __call__(self, *args: Any, **params: Any) -> Any:
        """The operation on numbers, on arrays or, where there is a node among the inputs, on nodes."""
        if len(args) == 1 and type(args[0]) is np.ndarray and self.plain_unary and not params:
            return self.quiet(args[0])
        if params or self.defaults or len(args) != self.arity:
            args, params = self.bind(args, params)
        for x in args:
            kind = type(x)
            if kind is float or kind is np.ndarray:
                continue
            if isinstance(x, Node):
                return kind.apply(self, args, params)
            if kind in (list, tuple) and _holds_node(x):
                # mean([t, u]) means what np.mean([a, b]) means: the list is stacked first.
                args = tuple(TABLE["stack"](x) if type(x) in (list, tuple) and _holds_node(x) else x for x in args)
                return self(*args, **params)
        return self.compute(args, params)

    def bind(self, args: tuple[Any, ...], params: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Split a call into the inputs (one entry of the graph each) and the parameters."""
        if self.variadic:
            if not args or isinstance(args[0], Node) or not hasattr(args[0], "__iter__"):
                raise TypeError(f"{self.name} takes a list of inputs: {self.name}([a, b]), not {self.name}(a, b)")
            inputs, rest = tuple(args[0]), args[1:]
            if not inputs:
                raise ValueError(f"{self.name} needs at least one input, and the list is empty")
        else:
            inputs, rest = args[: self.arity], args[self.arity :]
            if len(inputs) < len(self.input_names):
                inputs += tuple(params.pop(n) for n in self.input_names[len(inputs) :] if n in params)
            if len(inputs) != self.arity:
                raise self._wrong_count(inputs)
        if not self.defaults:
            if rest:
                raise self._wrong_count(args)
            if params:
                raise TypeError(f"{self.signature()} takes no argument {', '.join(map(repr, params))}")
            return inputs, params
        bound = dict(self.defaults)
        if not rest and not params and not self.needs:
            return inputs, bound
        if len(rest) > len(bound):
            raise TypeError(f"{self.signature()} was given {len(rest)} parameters: {rest!r}")
        bound.update(zip(self.defaults, rest, strict=False))
        for name, value in params.items():
            if name not in bound:
                raise TypeError(f"{self.signature()} has no parameter {name!r}")
            bound[name] = value
        for name, value in bound.items():
            if type(value) not in _SIMPLE:
                if value is REQUIRED:
                    raise TypeError(f"{self.signature()}: {name!r} is missing")
                bound[name] = _plain_parameter(self, name, value)
        return inputs, bound

    def _wrong_count(self, given: tuple[Any, ...]) -> TypeError:
        """More or fewer inputs were given than there are."""
        takes = {1: "one input", 2: "two inputs"}.get(self.arity or 0, f"{self.arity} inputs")
        message = f"{self.signature()} takes {takes}, and was given {len(given) or 'none'}"
        folds = self.arity == 2 and self.partials is not None and self.operator is None and not self.truth
        if folds and len(given) > 2:
            message += f"; for more: functools.reduce({self.name}, [a, b, c])"
        elif folds and len(given) == 1 and isinstance(given[0], list | tuple):
            message += f"; of a list: functools.reduce({self.name}, [a, b])"
        return TypeError(message)

    def compute(self, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """The value of this operation on plain numbers or arrays; NumPy's warnings are kept silent."""
        if self.number is not None and NUMBERS.issuperset(map(type, args)):
            try:
                return self.number(*args, **params)
            except (ArithmeticError, ValueError, TypeError):
                return self.on_numbers(args, params)
        return self.quiet(*[np.asarray(x) if type(x) is list else x for x in args], **params)

    def on_numbers(self, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """The value that IEEE arithmetic gives where Python would raise: ``1 / 0`` is inf, ``log(-1)`` NaN."""
        if any(type(x) is Fraction for x in args):
            given = ", ".join(str(x) for x in args)
            raise ExactError(f"{self.name}({given}) has no exact answer; write Value(float(x)) to go on with floats")
        args = [np.float64(x) if type(x) is not complex else x for x in args]
        result = self.quiet(*args, **params)
        return complex(result) if isinstance(result, complex | np.complexfloating) else float(result)

    def signature(self) -> str:
        """``leaky_relu(x, negative_slope=0.01)``"""
        inputs = ["inputs"] if self.variadic else list(self.input_names)
        params = [n if d is REQUIRED else f"{n}={d!r}" for n, d in self.defaults.items()]
        return f"{self.name}({', '.join(inputs + params)})"

    def __repr__(self) -> str:
        return f"<primitive {self.signature()}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return _row, (self.name,)


REQUIRED: Any = object()
"""Stands for the default of a parameter that has none."""


def _signature(
    number: Callable[..., Any] | None, array: Callable[..., Any], arity: int | None, variadic: bool
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Names of the inputs, and the parameters with their defaults, read off the forward functions."""
    code = getattr(array, "__code__", None) or getattr(number, "__code__", None)
    if variadic:
        names = code.co_varnames[code.co_flags & 4 and code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        return (), {n: (array.__kwdefaults__ or {}).get(n, REQUIRED) for n in names}
    assert arity is not None
    if code is None:
        return (("x",) if arity == 1 else tuple("abcdefgh"[:arity])), {}
    function = array if hasattr(array, "__code__") else number
    names = code.co_varnames[: code.co_argcount]
    defaults = function.__defaults__ or ()  # type: ignore[union-attr]
    required = len(names) - len(defaults)
    values = (REQUIRED,) * required + defaults
    return names[:arity], dict(zip(names[arity:], values[arity:], strict=True))


def _plain_parameter(op: Primitive, name: str, value: Any) -> Any:
    """A parameter is data of the operation, not an edge of the graph: it is copied, and never a live node."""
    if isinstance(value, Node):
        look(value, f"{op.name}(..., {name}=...)")
        if value.requires_grad:
            raise TypeError(
                f"{op.signature()}: {name} is a {type(value).__name__} that carries a gradient, and {name} is a"
                f" fixed parameter, so its gradient would be lost; pass {name}.data if it is a constant"
            )
        value = value.data
    if isinstance(value, np.ndarray) or (name == "index" and isinstance(value, list)):
        return np.array(value)  # as an index, [0, 1] picks two entries and (0, 1) one
    return tuple(value) if isinstance(value, list) else value


def _holds_node(items: Any, levels: int = 64) -> bool:
    """Whether a (nested) list holds a node; lists of numbers stay with NumPy, which has 64 axes at most."""
    if not levels:
        raise ValueError("a list is nested more than 64 levels deep, or contains itself")
    return any(isinstance(x, Node) or (isinstance(x, list | tuple) and _holds_node(x, levels - 1)) for x in items)


def _constant(number: Any) -> Callable[..., Any]:
    return lambda *_, **params: number


def _row(name: str) -> Primitive:
    return TABLE[name]


def primitive(
    name: str, number: Callable[..., Any] | None, array: Callable[..., Any] | None = None, **columns: Any
) -> Primitive:
    """Add a row to the table and return it: the operation is callable, differentiable, drawn and explained.

    ``number`` computes one number, ``array`` whole arrays (the same function, if it is not given).
    The derivative is given once, with ordinary operators and other primitives, as ``partials``
    (elementwise) or ``rules`` (anything else); see :class:`Primitive` for all columns.

    >>> from autodiff import Value, primitive, tanh
    >>> cube = primitive("doc_cube", lambda x: x * x * x, partials=[lambda x, out: 3 * x * x])
    >>> x = Value(2.0)
    >>> y = cube(x)
    >>> y.backward()
    >>> y.data, x.grad
    (8.0, 12.0)

    Raises:
        ValueError: the name is taken, or the row has no derivative.
    """
    if name in TABLE:
        raise ValueError(f"the table has a primitive {name!r} already: {TABLE[name]!r}")
    if not name.isidentifier():
        raise ValueError(f"a primitive is named like a Python function, and {name!r} is no identifier")
    if (columns.get("partials") is None) == (columns.get("rules") is None):
        raise ValueError(f"{name}: give its derivative, either as partials=[...] or as rules=[...]")
    if array is None:
        if number is None:
            raise ValueError(f"{name}: give a forward function")
        array = number
    TABLE[name] = row = Primitive(name, number, array, **columns)
    return row


# ── what rules are written with, besides operators and other rows ────────────────────────────────────
def plain(x: Any) -> Any:
    """The number or array of a node; anything else as it is."""
    if not isinstance(x, Node):
        return x
    if tracing() is not None:
        look(x, "its plain number")
    return x._held


def _chosen_by_nodes(x: Any) -> bool:
    """Whether ``x`` is a node whose numbers are not to be looked at: a trace runs on others too."""
    tracer = tracing() if isinstance(x, Node) else None
    return tracer is not None and tracer.choices


def is_zero(x: Any) -> Any:
    """Where ``x`` is 0, as plain booleans (``==`` between nodes means identity)."""
    return _truth("equal", x) if _chosen_by_nodes(x) else plain(x) == 0


def is_nonzero(x: Any) -> Any:
    """Where ``x`` is not 0."""
    return _truth("not_equal", x) if _chosen_by_nodes(x) else plain(x) != 0


def _truth(row: str, x: Any) -> Any:
    with no_grad():
        return TABLE[row](x, 0.0)


def both_zero(a: Any, b: Any) -> Any:
    """Where ``a`` and ``b`` are both 0."""
    zero = is_zero(b)
    none = not zero.any() if isinstance(zero, np.ndarray) else not isinstance(zero, Node) and not zero
    return False if none else zero & is_zero(a)


def case(condition: Any, a: Any, b: Any) -> Any:
    """``a`` where the condition holds, else ``b``: for the exceptional points of a rule.

    On one number, and where the condition is the same everywhere, this is the branch itself, so that a
    formula read off the rule shows no more than what applies.
    """
    if isinstance(condition, Node):
        return TABLE["where"](condition, a, b)
    if not isinstance(condition, np.ndarray) or condition.ndim == 0 or not condition.any():
        return a if condition is not False and np.any(condition) else b
    return TABLE["where"](condition, a, b)


def gate(upstream: Any, local: Any) -> Any:
    """``upstream * local`` where a local derivative of 0 means "not read": 0 even if upstream is infinite."""
    product = upstream * local
    if isinstance(product, Node) and _chosen_by_nodes(product):
        return case(is_zero(local), 0.0, product)
    value = plain(product)
    total = np.add.reduce(value, axis=None) if isinstance(value, np.ndarray) else value
    return product if total - total == 0 else case(is_zero(local), 0, product)  # inf - inf is NaN
