"""Numbers as a drawing shows them: four digits to read, all of them on hover."""

from __future__ import annotations

import math
from decimal import MAX_EMAX, MIN_EMIN, Decimal, Inexact, localcontext
from fractions import Fraction
from typing import Any

import numpy as np

DIGITS = 4
MINUS = "−"

_LONGEST_FRACTION = 11  # characters; a longer one is shown as a decimal
_LONGEST_INTEGER = 10**7
_SMALLEST_FIXED, _LARGEST_FIXED = 1e-4, 1e6


def number(x: Any) -> str:
    """``x`` to four significant digits.

    A float that these digits hold exactly is written short; one that they round keeps all four, so that
    0.99999 does not pass for 1. Fractions stay fractions as long as they are short.

    >>> number(0.5), number(1 / 3), number(1.0), number(0.99999), number(-1e-300)
    ('0.5', '0.3333', '1.0', '1.000', '−1e−300')
    >>> number(Fraction(7, 3)), number(2 - 1.5j), number(float("nan")), number(-0.0)
    ('7/3', '2.0−1.5j', 'NaN', '−0.0')
    """
    x = plain(x)
    if isinstance(x, bool):
        return str(x)
    if isinstance(x, Fraction):
        return _fraction(x)
    if isinstance(x, complex | np.clongdouble):
        sign = "" if number(x.imag).startswith(MINUS) else "+"
        return f"{number(x.real)}{sign}{number(x.imag)}j"
    if isinstance(x, int):
        if abs(x) < _LONGEST_INTEGER:
            return str(x).replace("-", MINUS)
        return _tidy(_decimal(Fraction(x)))
    if isinstance(x, np.longdouble) and float(x) != x and x == x:  # beyond what a float can hold
        return _tidy(_decimal(Fraction(*x.as_integer_ratio())))
    return _float(float(x))


def counted(count: int, what: str) -> str:
    """A number of things, in words that fit any number.

    >>> counted(1, "path"), counted(1200, "path"), counted(2**100, "path")
    ('1 path', '1,200 paths', 'about 1.268e30 paths')
    """
    shown = f"{count:,}" if count < 10**9 else f"about {number(count)}"
    return f"{shown} {what}{'' if count == 1 else 's'}"


def exact(x: Any) -> str:
    """``x`` in full precision, as Python writes it, and without NumPy's names around it.

    >>> exact(0.1 + 0.2), exact(np.float32(0.1)), exact(Fraction(7, 3))
    ('0.30000000000000004', '0.10000000149011612', '7/3')
    """
    x = plain(x)
    if isinstance(x, Fraction):
        return str(x) if _is_short(x, 2000) else number(x)
    if isinstance(x, int):
        return str(x) if _is_short(Fraction(x), 2000) else number(x)
    return str(x) if isinstance(x, np.generic) else repr(x)


def plain(x: Any) -> Any:
    """A NumPy number as the Python number that it is, if there is one."""
    item = getattr(x, "item", None)
    return item() if callable(item) else x


def _float(x: float) -> str:
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "inf" if x > 0 else f"{MINUS}inf"
    fixed = x == 0 or _SMALLEST_FIXED <= abs(x) < _LARGEST_FIXED
    if fixed and abs(x) >= 10 ** (DIGITS - 1):
        return _tidy(f"{x:.1f}")
    short = f"{x:.{DIGITS}g}"
    if float(short) != x:
        short = f"{x:#.{DIGITS}g}".rstrip(".")
    if fixed and "." not in short:  # a float does not look like an integer
        short = f"{x:.1f}"
    return _tidy(short)


def _tidy(text: str) -> str:
    """``1.500e-05`` as ``1.500e−5``: an exponent without padding, and a minus sign as wide as a digit."""
    mantissa, e, exponent = text.lower().partition("e")
    if e:
        mantissa = mantissa.rstrip(".")
        exponent = str(int(exponent))
    return f"{mantissa}{e}{exponent}".replace("-", MINUS)


def _fraction(x: Fraction) -> str:
    if _is_short(x, 60) and len(str(x)) <= _LONGEST_FRACTION:
        return str(x).replace("-", MINUS)
    return f"≈{_tidy(_decimal(x))}"


def _decimal(x: Fraction) -> str:
    """Four digits of a fraction of any size, also where a float would overflow or underflow."""
    with localcontext(prec=DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN) as context:
        quotient = Decimal(x.numerator) / Decimal(x.denominator)
        if not context.flags[Inexact]:
            quotient = quotient.normalize()
        return f"{quotient:.{DIGITS}g}"


def _is_short(x: Fraction, bits: int) -> bool:
    """Whether it is cheap to write out: Python refuses to write integers of many thousand digits."""
    return max(x.numerator.bit_length(), x.denominator.bit_length()) <= bits
