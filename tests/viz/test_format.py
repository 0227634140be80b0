"""Numbers in a drawing: legible, and never a wrong one."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from viz.format import exact, number


def read(text):
    return float(text.replace("−", "-"))


@pytest.mark.parametrize(
    ("x", "shown"),
    [
        (0.0, "0.0"),
        (-0.0, "−0.0"),
        (1.0, "1.0"),
        (-3, "−3"),
        (0.5, "0.5"),
        (0.1 + 0.2, "0.3000"),
        (0.99999, "1.000"),
        (999.96, "1000.0"),
        (1234.5, "1234.5"),
        (12345.678, "12345.7"),
        (123456789.0, "1.235e8"),
        (1e-300, "1e−300"),
        (-1.23456e-7, "−1.235e−7"),
        (5e-324, "4.941e−324"),
        (1.7976931348623157e308, "1.798e308"),
        (math.nan, "NaN"),
        (math.inf, "inf"),
        (-math.inf, "−inf"),
        (Fraction(7, 3), "7/3"),
        (Fraction(-2), "−2"),
        (Fraction(1, 10**400), "≈1e−400"),
        (Fraction(10**5000, 3), "≈3.333e4999"),
        (1 + 2j, "1.0+2.0j"),
        (complex(0.5, -0.25), "0.5−0.25j"),
        (complex(math.nan, -0.0), "NaN−0.0j"),
        (True, "True"),
        (10**30, "1e30"),
        (np.float64(0.25), "0.25"),
        (np.float32(0.1), "0.1000"),
        (np.int64(7), "7"),
        (np.array(2.5), "2.5"),
    ],
)
def test_as_a_reader_expects(x, shown):
    assert number(x) == shown


@given(st.floats(-1.797e308, 1.797e308))  # beyond, four digits may round to what no float holds
def test_a_float_keeps_four_significant_digits(x):
    assert read(number(x)) == pytest.approx(x, rel=5.01e-4, abs=5e-324)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_keeps_its_sign_and_does_not_pass_for_an_integer(x):
    shown = number(x)
    assert shown.startswith("−") == (math.copysign(1, x) < 0)
    assert "." in shown or "e" in shown


@given(st.floats())
def test_a_number_fits_the_box(x):
    assert len(number(x)) <= len("−1.235e−300")


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e5, max_value=1e5))
def test_what_is_written_short_is_exact(x):
    digits = number(x).replace("−", "").replace(".", "").partition("e")[0].lstrip("0")
    if len(digits) < 4:
        assert read(number(x)) == x


@given(st.fractions())
def test_a_fraction_is_exact_or_says_that_it_is_not(x):
    shown = number(x)
    if shown.startswith("≈"):
        assert read(shown[1:]) == pytest.approx(float(x), rel=1e-3)
    else:
        assert Fraction(shown.replace("−", "-")) == x


@given(st.integers())
def test_an_integer_is_exact_or_in_four_digits(n):
    assert read(number(n)) == pytest.approx(n, rel=1e-3)


@given(st.complex_numbers(allow_nan=False, allow_infinity=False))
def test_a_complex_number_is_its_two_parts(z):
    shown = number(z)
    assert shown.endswith(f"{number(z.imag).lstrip('−')}j")
    assert shown.startswith(number(z.real))


@given(st.floats(allow_nan=False))
def test_full_precision_reads_back(x):
    assert float(exact(np.float64(x))) == x


def test_full_precision_of_a_huge_fraction_stays_writable():
    assert exact(Fraction(7, 3)) == "7/3"
    assert exact(Fraction(10**5000, 3)) == "≈3.333e4999"
