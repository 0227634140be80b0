"""The table, first part: operations that act on each number by itself.

A row reads: name, on numbers, on arrays, the local derivative with respect to each input. Partials are
written with ordinary operators and with other rows, so that the same line gives a number, an array, more
graph (for higher orders) or a formula. A partial that is a plain number is a constant.
"""

# fmt: off
from __future__ import annotations

import builtins
import math
import operator as op
from fractions import Fraction
from typing import Any

import numpy as np

from autodiff.primitives import calls, special
from autodiff.primitives.row import Primitive, both_zero, case, is_nonzero, is_zero, primitive

LN2, LN10, ROOT2, ROOT_2PI = math.log(2), math.log(10), math.sqrt(2), math.sqrt(2 * math.pi)
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
GELU_SCALE, GELU_CUBIC = math.sqrt(2 / math.pi), 0.044715


def elementwise(name: str, number: Any, array: Any, *partials: Any, **columns: Any) -> Primitive:
    return primitive(name, number, array, partials=partials, **columns)


# ── forward functions that neither math nor NumPy has ────────────────────────────────────────────────
_power      = lambda a, b: math.pow(a, b) if type(a) is float is type(b) else a ** b
_sign       = lambda x: x if x != x else (x > 0) - (x < 0)
_logaddexp  = lambda a, b: a + LN2 if a == b else builtins.max(a, b) + math.log1p(math.exp(-builtins.abs(a - b)))
_softplus: Any = lambda x: np.log1p(np.exp(x)) if np.iscomplexobj(x) else np.logaddexp(_real(x), 0)

def _real(x: Any) -> Any:
    """Whole numbers as floats: a uint8 would wrap around at -x."""
    return x if isinstance(x, complex) or x.dtype.kind in "fc" else x.astype(float)

def _sigmoid(x: Any) -> Any:
    x = _real(x)
    s = np.exp(-x)
    s += 1
    s = 1 / s
    if s.dtype.kind == "c" or (s.size and x.item(x.argmin()) > -709):
        return s
    return np.where(x > -709, s, np.exp(np.minimum(x, 0)))  # exp(-x) has overflown

_relu       = lambda x: x if not x <= 0 else 0.0 if type(x) is float else 0

def _is_positive(x: Any) -> Any:
    x = np.asarray(x)
    if x.size and (top := x.item(x.argmax())) == top and x.dtype.kind == "f":  # argmax finds a NaN first
        return (x > 0).astype(x.dtype)
    return np.heaviside(x, 0)  # keeps NaN, and takes twenty times as long

_whole: Any = lambda function: lambda x: function(x) + 0  # never -0.0, as Python, which answers with an integer
_elu: Any   = lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(np.minimum(_real(x), 0)))
_selu       = lambda x: SELU_SCALE * _elu(x, SELU_ALPHA)
_gelu_gate: Any = lambda x: 2 * GELU_SCALE * (x + GELU_CUBIC * x * x * x)
_clip       = lambda x, min=None, max=None: np.clip(x, min, max)

def _clip_number(x: Any, min: Any = None, max: Any = None) -> Any:
    x = min if min is not None and x < min else x
    return max if max is not None and x > max else x

def _wins_number(a: Any, b: Any) -> Any:
    if a != a or b != b:
        return math.nan
    return Fraction(1, 2) if a == b else a > b

_wins       = lambda a, b: np.where((a != a) | (b != b), np.nan, (a > b) + 0.5 * (a == b)).astype(np.result_type(a, b, np.float16))

def _turn(x: Any, a: Any, b: Any) -> Any:
    """x / (a² + b²) without overflow, and 0 where a and b are."""
    distance = case(both_zero(a, b), 1, hypot(a, b))
    return x / distance / distance

def _inside(x: Any, low: Any, high: Any) -> Any:
    below = 0 if low is None else is_positive(low - x)
    above = 0 if high is None else is_positive(x - high)
    return (1 - below) * (1 - above)


# ── arithmetic ───────────────────────────────────────────────────────────────────────────────────────
identity   = elementwise("identity",   lambda x: x,  lambda x: x,   1,  moves=True, numpy=(), text="{0}", latex="{0}", symbol="=", doc="The same number, as a node of its own.")
add        = elementwise("add",        op.add,       np.add,        1,  1,  symbol="+", text="{0} + {1}", latex="{0} + {1}", operator="add")
subtract   = elementwise("subtract",   op.sub,       np.subtract,   1, -1,  symbol="−", text="{0} - {1}", latex="{0} - {1}", operator="sub")
multiply   = elementwise("multiply",   op.mul,       np.multiply,   lambda a, b, out: b,     lambda a, b, out: a,         symbol="×", text="{0} * {1}", latex=r"{0} \cdot {1}", operator="mul")
divide     = elementwise("divide",     op.truediv,   np.divide,     lambda a, b, out: 1 / b, lambda a, b, out: -out / b,  symbol="÷", text="{0} / {1}", latex=r"\frac{{{0}}}{{{1}}}", operator="truediv", domain=[(-2, 2), (0.5, 2)])
negative   = elementwise("negative",   op.neg,       np.negative,  -1,  symbol="−", text="-{0}", latex="-{0}", operator="neg")
power      = elementwise("power",      _power,       op.pow,
    lambda a, b, out: b * power(a, case(both_zero(a, b), b, b - 1)),
    lambda a, b, out: out * log(case(is_zero(a), 1, a)),
    calls=calls.power, symbol="^", text="{0} ** {1}", latex="{0}^{{{1}}}", operator="pow", shortcuts={2: "square"}, domain=[(0.2, 2), (-2, 2)], kinks=[0.0], doc="a ** b; NaN, never a complex number, for a negative base with a fractional exponent.")
reciprocal = elementwise("reciprocal", lambda x: 1 / x,     lambda x: 1 / x, lambda x, out: -out * out,      calls=calls.reciprocal, text="1 / {0}", latex=r"\frac{{1}}{{{0}}}", symbol="1/x", domain=[(0.5, 2)])
square     = elementwise("square",     lambda x: x * x,     np.square,     lambda x, out: 2 * x,           text="{0} ** 2", latex="{0}^{{2}}", symbol="( )²")
sqrt       = elementwise("sqrt",       math.sqrt,           np.sqrt,       lambda x, out: 0.5 / out,       latex=r"\sqrt{{{0}}}", symbol="√", domain=[(0.2, 3)])
hypot      = elementwise("hypot",      math.hypot,          np.hypot,      lambda a, b, out: a / case(is_zero(out), 1, out), lambda a, b, out: b / case(is_zero(out), 1, out), analytic=False, domain=[(0.2, 2), (0.2, 2)])

# ── exponentials and logarithms ──────────────────────────────────────────────────────────────────────
exp        = elementwise("exp",        math.exp,    np.exp,       lambda x, out: out,                      latex="e^{{{0}}}")
exp2       = elementwise("exp2",       math.exp2,   np.exp2,      lambda x, out: LN2 * out,                latex="2^{{{0}}}")
expm1      = elementwise("expm1",      math.expm1,  np.expm1,     lambda x, out: exp(x),                   latex="e^{{{0}}} - 1")
log        = elementwise("log",        math.log,    np.log,       lambda x, out: 1 / x,                    domain=[(0.2, 3)])
log2       = elementwise("log2",       math.log2,   np.log2,      lambda x, out: 1 / (LN2 * x),            domain=[(0.2, 3)], latex=r"\log_2\left({0}\right)")
log10      = elementwise("log10",      math.log10,  np.log10,     lambda x, out: 1 / (LN10 * x),           domain=[(0.2, 3)], latex=r"\log_{{10}}\left({0}\right)")
log1p      = elementwise("log1p",      math.log1p,  np.log1p,     lambda x, out: 1 / (1 + x),              domain=[(-0.5, 3)], latex=r"\log\left(1 + {0}\right)")
logaddexp  = elementwise("logaddexp",  _logaddexp,  np.logaddexp, lambda a, b, out: sigmoid(a - b),        lambda a, b, out: sigmoid(b - a), analytic=False, doc="log(exp(a) + exp(b)), without overflow.")

# ── circular and hyperbolic functions ────────────────────────────────────────────────────────────────
sin        = elementwise("sin",        math.sin,    np.sin,       lambda x, out: cos(x))
cos        = elementwise("cos",        math.cos,    np.cos,       lambda x, out: -sin(x))
tan        = elementwise("tan",        math.tan,    np.tan,       lambda x, out: 1 + out ** 2,                         domain=[(-1, 1)])
arcsin     = elementwise("arcsin",     math.asin,   np.arcsin,    lambda x, out: 1 / sqrt((1 - x) * (1 + x)),          domain=[(-0.9, 0.9)])
arccos     = elementwise("arccos",     math.acos,   np.arccos,    lambda x, out: -1 / sqrt((1 - x) * (1 + x)),         domain=[(-0.9, 0.9)])
arctan     = elementwise("arctan",     math.atan,   np.arctan,    lambda x, out: 1 / (1 + x ** 2))
arctan2    = elementwise("arctan2",    math.atan2,  np.arctan2,   lambda a, b, out: _turn(b, a, b), lambda a, b, out: -_turn(a, a, b), analytic=False, domain=[(0.2, 2), (0.2, 2)])
sinh       = elementwise("sinh",       math.sinh,   np.sinh,      lambda x, out: cosh(x))
cosh       = elementwise("cosh",       math.cosh,   np.cosh,      lambda x, out: sinh(x))
tanh       = elementwise("tanh",       math.tanh,   np.tanh,      lambda x, out: 1 - out * out)
arcsinh    = elementwise("arcsinh",    math.asinh,  np.arcsinh,   lambda x, out: 1 / sqrt(1 + x * x))
arccosh    = elementwise("arccosh",    math.acosh,  np.arccosh,   lambda x, out: 1 / (sqrt(x - 1) * sqrt(x + 1)),      domain=[(1.2, 3)])
arctanh    = elementwise("arctanh",    math.atanh,  np.arctanh,   lambda x, out: 1 / ((1 - x) * (1 + x)),              domain=[(-0.9, 0.9)])

# ── functions of neural networks ─────────────────────────────────────────────────────────────────────
sigmoid     = elementwise("sigmoid",     lambda x: 1 / (1 + math.exp(-x)) if x > -709 else math.exp(x), _sigmoid, lambda x, out: out * sigmoid(-x), calls=calls.sigmoid, latex=r"\sigma\left({0}\right)", symbol="σ", doc="1 / (1 + exp(-x)). Its derivative s(x) s(-x) keeps its digits far from 0.")
softplus    = elementwise("softplus",    lambda x: builtins.max(x, 0.0) + math.log1p(math.exp(-builtins.abs(x))), _softplus, lambda x, out: sigmoid(x), calls=calls.softplus, doc="log(1 + exp(x)), without overflow.")
log_sigmoid = elementwise("log_sigmoid", lambda x: builtins.min(x, 0.0) - math.log1p(math.exp(-builtins.abs(x))), lambda x: -_softplus(-_real(x)), lambda x, out: sigmoid(-x), calls=calls.log_sigmoid, latex=r"\log \sigma\left({0}\right)", doc="log(sigmoid(x)), without underflow.")
relu        = elementwise("relu",        _relu, lambda x: np.maximum(x, 0), lambda x, out: is_positive(x), calls=calls.relu, selects=True, analytic=False, domain=[(0.1, 2)], kinks=[0.0], latex=r"\mathrm{{relu}}\left({0}\right)")
leaky_relu  = elementwise("leaky_relu",  lambda x, negative_slope=0.01: x if x > 0 else negative_slope * x, lambda x, negative_slope=0.01: np.where(x > 0, x, negative_slope * x),
    lambda x, out, negative_slope: is_positive(x) + negative_slope * (1 - is_positive(x)), calls=calls.leaky_relu, analytic=False, domain=[(0.1, 2)], kinks=[0.0], cases=[([()], {"negative_slope": 0.3})])
elu         = elementwise("elu",         lambda x, alpha=1.0: x if x > 0 else alpha * math.expm1(x), _elu,
    lambda x, out, alpha: is_positive(x) + (1 - is_positive(x)) * alpha * exp(minimum(x, 0)), analytic=False, domain=[(-2, -0.1)], kinks=[0.0], cases=[([()], {"alpha": 0.7})], source="Clevert, Unterthiner, Hochreiter 2015, arXiv:1511.07289")
selu        = elementwise("selu",        lambda x: SELU_SCALE * (x if x > 0 else SELU_ALPHA * math.expm1(x)), _selu,
    lambda x, out: SELU_SCALE * (is_positive(x) + (1 - is_positive(x)) * SELU_ALPHA * exp(minimum(x, 0))), analytic=False, domain=[(-2, -0.1)], kinks=[0.0], source="Klambauer, Unterthiner, Mayr, Hochreiter 2017, arXiv:1706.02515")
gelu        = elementwise("gelu",        lambda x: 0.5 * x * math.erfc(-x / ROOT2), lambda x: 0.5 * x * special.erfc(-_real(x) / ROOT2),
    lambda x, out: 0.5 * erfc(-x / ROOT2) + x * exp(-0.5 * x * x) / ROOT_2PI, analytic=False, doc="x Φ(x), with the normal distribution function Φ.", source="Hendrycks, Gimpel 2016, arXiv:1606.08415")
gelu_tanh   = elementwise("gelu_tanh",   lambda x: x * sigmoid.number(_gelu_gate(x)), lambda x: x * _sigmoid(_gelu_gate(_real(x))),
    lambda x, out: sigmoid(_gelu_gate(x)) * (1 + x * sigmoid(-_gelu_gate(x)) * 2 * GELU_SCALE * (1 + 3 * GELU_CUBIC * x * x)), doc="gelu with tanh in the place of the error function: x / 2 (1 + tanh(u)) = x sigmoid(2 u).", source="Hendrycks, Gimpel 2016, arXiv:1606.08415")
silu        = elementwise("silu",        lambda x: x * sigmoid.number(x), lambda x: x * _sigmoid(x), lambda x, out: sigmoid(x) * (1 + x * sigmoid(-x)), calls=calls.silu, doc="x sigmoid(x), also called swish.", source="Elfwing, Uchibe, Doya 2017, arXiv:1702.03118")
erf         = elementwise("erf",         math.erf,    special.erf,  lambda x, out:  2 / math.sqrt(math.pi) * exp(-x * x), analytic=False, source="Cody 1969, Math. Comp. 23")
erfc        = elementwise("erfc",        math.erfc,   special.erfc, lambda x, out: -2 / math.sqrt(math.pi) * exp(-x * x), analytic=False, source="Cody 1969, Math. Comp. 23")

# ── choices: partials that are 1, 0 or a share ───────────────────────────────────────────────────────
maximum     = elementwise("maximum",     lambda a, b: a if a > b or a != a else b, np.maximum, lambda a, b, out: wins(a, b), lambda a, b, out: wins(b, a), selects=True, analytic=False, symbol="max", latex=r"\max\left({0}, {1}\right)")
minimum     = elementwise("minimum",     lambda a, b: a if a < b or a != a else b, np.minimum, lambda a, b, out: wins(b, a), lambda a, b, out: wins(a, b), selects=True, analytic=False, symbol="min", latex=r"\min\left({0}, {1}\right)")
clip        = elementwise("clip",        _clip_number, _clip, lambda x, out, min, max: _inside(x, min, max), calls=calls.clip, selects=True, analytic=False, cases=[([()], {"min": -1, "max": 0.5}), ([()], {"max": 0.5})], doc="x, but at least min and at most max (numbers, arrays or None).")
where       = elementwise("where",       lambda condition, a, b: a if condition else b, np.where, 0, lambda condition, a, b, out: is_nonzero(condition), lambda condition, a, b, out: is_zero(condition), selects=True, text="where({0}, {1}, {2})", latex=r"\mathrm{{where}}\left({0}, {1}, {2}\right)",
    doc="a where the condition holds, else b. Both are computed, and a branch not taken contributes 0, yet\n0 * inf is NaN further down: where(x > 0, sqrt(x), 0) has gradient NaN at 0. Make the argument safe\nfirst: where(x > 0, sqrt(where(x > 0, x, 1)), 0).")
abs         = elementwise("abs",         op.abs,      np.abs,       lambda x, out: sign(x), analytic=False, domain=[(0.1, 2)], kinks=[0.0], symbol="|x|", latex=r"\left|{0}\right|", operator="abs")

# ── flat functions: gradient 0 everywhere ────────────────────────────────────────────────────────────
sign        = elementwise("sign",        _sign,       np.sign,      0, selects=True, analytic=False, domain=[(0.1, 2)], kinks=[0.0])
floor       = elementwise("floor",       math.floor,  _whole(np.floor), 0, calls=calls.whole(np.floor), operator="floor", selects=True, analytic=False, domain=[(0.1, 0.9)], latex=r"\left\lfloor {0} \right\rfloor")
ceil        = elementwise("ceil",        math.ceil,   _whole(np.ceil),  0, calls=calls.whole(np.ceil), operator="ceil", selects=True, analytic=False, domain=[(0.1, 0.9)], latex=r"\left\lceil {0} \right\rceil")
round       = elementwise("round",       builtins.round, _whole(np.rint), 0, calls=calls.whole(np.rint), selects=True, analytic=False, domain=[(0.1, 0.4)], numpy=["round", "rint"], doc="The nearest integer; halves go to the even one.")
is_positive = elementwise("is_positive", lambda x: x if x != x else x > 0, _is_positive, 0, calls=calls.is_positive, selects=True, analytic=False, domain=[(0.1, 2)], text="({0} > 0)", latex="[{0} > 0]", symbol="> 0", doc="1 where x > 0, NaN at NaN, else 0: the derivative of relu.")
wins        = elementwise("wins",        _wins_number, _wins, 0, 0, selects=True, analytic=False, text="(({0} > {1}) + ({0} == {1}) / 2)", latex=r"\left([{0} > {1}] + \frac{{1}}{{2}} [{0} = {1}]\right)", symbol=">", doc="1 where a > b, 1/2 where they are equal, NaN beside NaN, else 0: the derivative of maximum.")

# ── truths: 1.0 and 0.0; a comparison with NaN is false ──────────────────────────────────────────────
def truth(name: str, number: Any, array: Any, symbol: str, text: str, latex: str, **columns: Any) -> Primitive:
    """A row that answers yes or no, in the floating type of its inputs. (Comparing nodes gives it inside a trace only.)"""
    of_one: Any = lambda x: array(x).astype(np.result_type(x, np.float16))
    of_two: Any = lambda a, b: array(a, b).astype(np.result_type(a, b, np.float16))
    binary = "{1}" in text
    return elementwise(name, number, of_two if binary else of_one, *[0] * (1 + binary), truth=True, calls=calls.truth(array), selects=True, analytic=False, symbol=symbol, text=text, latex=latex, numpy=(), **columns)

greater       = truth("greater",       op.gt, np.greater,       ">", "({0} > {1})",  "[{0} > {1}]")
greater_equal = truth("greater_equal", op.ge, np.greater_equal, "≥", "({0} >= {1})", r"[{0} \geq {1}]")
less          = truth("less",          op.lt, np.less,          "<", "({0} < {1})",  "[{0} < {1}]")
less_equal    = truth("less_equal",    op.le, np.less_equal,    "≤", "({0} <= {1})", r"[{0} \leq {1}]")
equal         = truth("equal",         op.eq, np.equal,         "=", "({0} == {1})", "[{0} = {1}]", doc="1 where a equals b, else 0. (``==`` between nodes asks whether they are the same node.)")
not_equal     = truth("not_equal",     op.ne, np.not_equal,     "≠", "({0} != {1})", r"[{0} \neq {1}]")
logical_and   = truth("logical_and",   lambda a, b: builtins.bool(a and b), np.logical_and, "∧", "logical_and({0}, {1})", r"[{0} \wedge {1}]")
logical_or    = truth("logical_or",    lambda a, b: builtins.bool(a or b),  np.logical_or,  "∨", "logical_or({0}, {1})",  r"[{0} \vee {1}]")
logical_not   = truth("logical_not",   op.not_,                             np.logical_not, "¬", "logical_not({0})",      r"[\neg {0}]")
