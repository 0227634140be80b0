"""The error function on whole arrays, which NumPy does not have and ``math`` has for single numbers only."""

from __future__ import annotations

from typing import Any

import numpy as np

# W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969), in the
# arrangement of SPECFUN's CALERF: numerators and denominators, highest power first. The relative error
# is below 6e-19 before rounding.
_ERF = (
    (1.85777706184603153e-1, 3.16112374387056560e00, 1.13864154151050156e02, 3.77485237685302021e02, 3.20937758913846947e03),
    (1.0, 2.36012909523441209e01, 2.44024637934444173e02, 1.28261652607737228e03, 2.84423683343917062e03),
)  # fmt: skip
_ERFC_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e00, 6.61191906371416295e01,
     2.98635138197400131e02, 8.81952221241769090e02, 1.71204761263407058e03, 2.05107837782607147e03, 1.23033935479799725e03),
    (1.0, 1.57449261107098347e01, 1.17693950891312499e02, 5.37181101862009858e02, 1.62138957456669019e03,
     3.29079923573345963e03, 4.36261909014324716e03, 3.43936767414372164e03, 1.23033935480374942e03),
)  # fmt: skip
_ERFC_TAIL = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
     1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242e00, 1.87295284992346725e00, 5.27905102951428412e-1, 6.05183413124413191e-2,
     2.33520497626869185e-3),
)  # fmt: skip


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Any) -> Any:
    numerator, denominator = coefficients
    return np.polyval(numerator, x) / np.polyval(denominator, x)


def _erfc_of_positive(y: Any) -> Any:
    """erfc(y) for y > 0.46875; exp(-y²) is split so that the rounding of y² does not reach the exponent."""
    coarse = np.trunc(y * 16) / 16
    decay = np.exp(-coarse * coarse) * np.exp(-(y - coarse) * (y + coarse))
    z = 1 / (y * y)
    tail = (1 / np.sqrt(np.pi) - z * _ratio(_ERFC_TAIL, z)) / y
    return np.where(y > 27.3, 0.0, decay * np.where(y <= 4, _ratio(_ERFC_MIDDLE, np.minimum(y, 4)), tail))


def erf(x: Any) -> Any:
    """The error function, elementwise on a real array of any shape."""
    x = _real(x)
    y = np.abs(x)
    outer = np.copysign(1 - _erfc_of_positive(np.maximum(y, 0.46875)), x)
    inner = x * _ratio(_ERF, np.minimum(y, 0.46875) ** 2)
    return np.where(np.isnan(x), x, np.where(y <= 0.46875, inner, outer))[()].astype(x.dtype)


def erfc(x: Any) -> Any:
    """1 - erf(x), without the loss of digits for large x."""
    x = _real(x)
    y = np.abs(x)
    tail = _erfc_of_positive(np.maximum(y, 0.46875))
    inner = 1 - x * _ratio(_ERF, np.minimum(y, 0.46875) ** 2)
    return np.where(np.isnan(x), x, np.where(y <= 0.46875, inner, np.where(x > 0, tail, 2 - tail)))[()].astype(x.dtype)


def _real(x: Any) -> Any:
    x = np.asarray(x)
    if x.dtype.kind == "c":
        raise TypeError("erf and erfc are for real numbers here")
    return x if x.dtype.kind == "f" else x.astype(float)
