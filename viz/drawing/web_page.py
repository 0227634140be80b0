"""A drawing as a page of its own: one HTML file without scripts that asks for nothing beyond itself."""

from __future__ import annotations

import re
from html import escape
from typing import cast
from xml.etree import ElementTree

from viz.drawing.lettering import SIZES
from viz.drawing.policy import policy_of
from viz.drawing.style import Theme
from viz.drawing.themed import Palette, themed

LEGIBLE = 11
"""Pixels: the page never shrinks a drawing until its smallest text is smaller, unless the reader asks for it."""


def page_of(svg: str) -> str:
    """The page around a drawing.

    It is as wide as the window where text stays readable, and is scrolled where it would not be; a switch fits
    any drawing into the window. The content security policy allows the page's own styles and nothing else.

    >>> from autodiff import Value
    >>> from viz import draw
    >>> page_of(draw(Value(2.0, label="x"), layout="builtin").svg)[:15]
    '<!DOCTYPE html>'
    """
    root = ElementTree.fromstring(svg)
    title = root.findtext("{*}title", "")
    theme = cast(Theme, root.get("class", "").removeprefix("clearprop-"))
    least = float(root.get("width", 0)) * LEGIBLE / min(SIZES.values())
    css = _css(least) + themed(theme, _colours)
    styles = [css, *re.findall(r"<style>(.*?)</style>", svg, re.DOTALL)]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy_of(styles)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{css}</style>
</head>
<body>
<label><input type="checkbox"> fit the window</label>
<main tabindex="0" aria-label="drawing, can be scrolled">
{svg}
</main>
</body>
</html>
"""


def _css(least: float) -> str:
    return f"""
body {{ margin: 0; min-height: 100vh; display: flex; flex-direction: column; }}
label {{ padding: 10px 14px; font: 15px system-ui, sans-serif; }}
main {{ flex: 1; overflow: auto; }}
main > svg[class] {{ display: block; margin: auto; height: auto; max-width: max(100%, {least:.0f}px); }}
label:has(:checked) + main > svg[class] {{ max-width: 100%; max-height: calc(100vh - 50px); }}
@media print {{ label {{ display: none; }} main > svg[class] {{ max-width: 100%; max-height: 100vh; }} }}
"""


def _colours(palette: Palette) -> list[str]:
    scheme = "dark" if int(palette["paper"][1:3], 16) < 128 else "light"
    return [f":root {{ color-scheme: {scheme}; background: {palette['paper']}; color: {palette['ink']}; }}"]
