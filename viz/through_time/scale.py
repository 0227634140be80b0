"""Shades for magnitudes: which power of ten is which shade, and which colours and marks they have in a theme."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from viz.drawing.format import MINUS, number
from viz.drawing.style import mixed
from viz.drawing.themed import Palette

SHADES = 8


@dataclass(frozen=True, slots=True)
class Scale:
    """Magnitudes from ``10**low`` on, ``decades`` powers of ten to a shade; the exponents may be fractions.

    >>> scale = Scale(-4, 1.0, 4)
    >>> [scale.shade(x) for x in (0.0, 1e-9, 5e-4, -5e-4, 0.5, 20.0)]
    [0, 1, 1, -1, 4, 4]
    """

    low: float
    decades: float
    shades: int

    @property
    def high(self) -> float:
        """The exponent where the last shade ends."""
        return self.low + self.decades * self.shades

    def shade(self, x: float) -> int:
        """From 1 to ``shades``, negative for negative numbers; what lies outside has the shade of the end."""
        if x == 0 or x != x:
            return 0
        place = self.shades - 1 if math.isinf(x) else math.floor(self.share(x) * self.shades)
        return (1 + min(max(place, 0), self.shades - 1)) * (1 if x > 0 else -1)

    def share(self, x: float) -> float:
        """How far up the scale the magnitude of ``x`` is: 0 at its lower end, 1 at its upper end."""
        return (math.log10(abs(x)) - self.low) / (self.high - self.low)

    @property
    def bounds(self) -> list[str]:
        """The magnitudes at which shades begin and end."""
        powers = [self.low + k * self.decades for k in range(self.shades + 1)]
        return [as_power(round(p) if abs(p - round(p)) < 1e-9 else p) for p in powers]


def as_power(exponent: float) -> str:
    """A power of ten in a few characters."""
    if isinstance(exponent, int) and abs(exponent) > 3:
        return f"1e{exponent}".replace("-", MINUS)
    return number(10.0**exponent).removesuffix(".0")


def scale_of(numbers: Iterable[float], limits: tuple[float, float] | None = None) -> Scale:
    """A scale that holds all the numbers, in at most 8 shades of whole powers of ten; or one between the limits.

    >>> scale_of([1e-9, 0.3])
    Scale(low=-10, decades=2, shades=5)
    """
    if limits:
        low, high = map(math.log10, limits)
        shades = max(min(SHADES, round(high - low)), 1)
        return Scale(low, (high - low) / shades, shades)
    powers = [math.log10(abs(x)) for x in numbers if x and math.isfinite(x)] or [0.0]
    bottom, top = math.floor(min(powers)), math.floor(max(powers)) + 1
    decades = max(math.ceil((top - bottom) / SHADES), 1)
    shades = math.ceil((top - bottom) / decades)
    return Scale(top - decades * shades, decades, shades)


def shade_rules(palette: Palette, shades: int) -> list[str]:
    """CSS of the shades of both signs, and of marks on them that can be seen."""
    rules = [f"{{root}} .shade0 {{ fill: {palette['zero']}; }}", _mark_rule("on0", palette["zero"], palette)]
    for sign, end in (("p", palette["gradient"]), ("n", palette["leaf-line"])):
        for k in range(1, shades + 1):
            colour = mixed(palette["zero"], end, 0.1 + 0.9 * k / shades)
            rules.append(f"{{root}} .{sign}{k} {{ fill: {colour}; }}")
            rules.append(_mark_rule(f"on-{sign}{k}", colour, palette))
    return rules


def shade_class(shade: int) -> str:
    """The CSS class of cells of a shade."""
    return f"{'n' if shade < 0 else 'p'}{abs(shade)}" if shade else "shade0"


def mark_class(shade: int) -> str:
    """The CSS class of marks on cells of a shade."""
    return f"on-{shade_class(shade)}" if shade else "on0"


def _mark_rule(name: str, ground: str, palette: Palette) -> str:
    ink = max((palette["ink"], palette["paper"]), key=lambda colour: contrast(colour, ground))
    return f"{{root}} .{name} {{ stroke: {ink}; fill: none; stroke-width: 1.3; }}"


def contrast(a: str, b: str) -> float:
    """The ratio of contrast of two colours, from 1 to 21. Source: WCAG 2.2, "contrast ratio".

    >>> contrast("#ffffff", "#000000")
    21.0
    """
    lighter, darker = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [c / 255 for c in bytes.fromhex(colour[1:])]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
