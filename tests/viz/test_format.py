"""Numbers in a drawing: legible, and never a wrong one."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from viz.drawing.format import exact, number
from viz.drawing.text import clean, is_plain


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
        (np.bool_(True), "True"),
        (np.int8(-128), "−128"),
        (np.uint64(2**64 - 1), "1.845e19"),
        (np.float16(65504), "65504.0"),
        (np.float32(1e-45), "1.401e−45"),
        (np.complex64(1 - 2j), "1.0−2.0j"),
        (np.clongdouble(0.5 + 2j), "0.5+2.0j"),
        (np.array([[1.5]])[0, 0], "1.5"),
        (complex(-0.0, math.inf), "−0.0+infj"),
        (complex(0, -math.nan), "0.0+NaNj"),
        (-(10**400), "−1e400"),
        (9_999_999, "9999999"),
        (10_000_000, "1e7"),
        (Fraction(123_456_789, 1000), "≈1.235e5"),
        (1e6, "1e6"),
        (999_999.9, "999999.9"),
        (9.9999e-5, "0.0001000"),
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


NUMBERS = st.one_of(
    st.floats(),
    st.integers(),
    st.integers(10**300, 10**320),
    st.fractions(),
    st.complex_numbers(),
    st.booleans(),
    *[st.integers(0, 2**8 - 1).map(np.dtype(code).type) for code in "BHILQ"],
    *[st.integers(-(2**7), 2**7 - 1).map(np.dtype(code).type) for code in "bhilq"],
    *[st.floats(width=16).map(np.dtype(code).type) for code in "efdg"],
    *[st.complex_numbers(max_magnitude=1e30).map(np.dtype(code).type) for code in "FDG"],
    st.booleans().map(np.bool_),
)


@given(NUMBERS)
def test_any_number_is_short_and_made_of_signs_that_fonts_hold(x):
    """With an array of one number too, and without a warning."""
    for given_as in (x, np.array(x)) if isinstance(x, np.generic) else (x,):
        shown = number(given_as)
        assert shown
        assert len(shown) <= 2 * len("−1.235e−4000") + 2
        assert is_plain(shown)
        assert clean(shown) == shown
        assert "-" not in shown
        assert "np." not in shown + exact(given_as)


@given(st.floats(-64000, 64000, width=16), st.sampled_from("efdg"))
def test_the_same_number_of_another_type_reads_the_same(x, code):
    assert number(np.dtype(code).type(x)) == number(x)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_more_is_never_shown_as_less(a, b):
    a, b = sorted([a, b])
    assert read(number(a)) <= read(number(b))


@given(st.integers(-16000, 16000), st.integers(1, 9))
def test_numbers_beyond_the_range_of_floats_keep_their_size(power, digit):
    for x in (Fraction(digit) * Fraction(10) ** power, digit * 10 ** abs(power)):
        mantissa, _, exponent = number(x).lstrip("≈").replace("−", "-").partition("e")
        if exponent:
            assert (float(mantissa), int(exponent)) == (digit, power if isinstance(x, Fraction) else abs(power))
        else:
            assert Fraction(mantissa) == x


@pytest.mark.skipif(np.finfo(np.longdouble).max == np.finfo(float).max, reason="long doubles are doubles here")
@pytest.mark.parametrize(
    ("text", "shown"), [("1e4000", "1.000e4000"), ("-2.5e-4000", "−2.500e−4000"), ("0.1", "0.1000")]
)
def test_long_doubles_do_not_become_infinite(text, shown):
    x = np.longdouble(text)
    assert number(x) == shown
    assert np.longdouble(exact(x)) == x


def test_full_precision_of_a_huge_fraction_stays_writable():
    assert exact(Fraction(7, 3)) == "7/3"
    assert exact(Fraction(10**5000, 3)) == "≈3.333e4999"
