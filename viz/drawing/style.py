"""Colours and fonts, as CSS that lives inside the SVG.

Every rule is scoped by the class of its theme, so that a drawing in a notebook styles nothing but itself.
Colours are written out instead of being CSS variables: converters to PNG and PDF do not know those.
"""

from __future__ import annotations

from typing import Literal

from viz.drawing.face import SIZES
from viz.drawing.heat import LEVELS

Theme = Literal["auto", "light", "dark", "print"]

THICKEST = 5
"""Arrows over which 10, 100, ... numbers come are drawn in so many greater widths."""

FONT = '"DejaVu Sans Mono", Menlo, Consolas, "Liberation Mono", monospace'

PALETTES = {
    "light": {
        "paper": "#ffffff", "ink": "#17202b", "quiet": "#56616f", "gradient": "#a84300", "arrow": "#66717f",
        "leaf": "#eaf3fc", "leaf-line": "#2868a8", "operation": "#ffffff", "operation-line": "#3a4654",
        "header": "#e8ebef", "constant": "#f7f8f9", "constant-line": "#8a94a0",
        "negative": "#6fa9e6", "zero": "#f4f5f6", "positive": "#f0a060", "scope": "#f6f8fa", "scope-line": "#b3bdc8",
    },
    "dark": {
        "paper": "#14181d", "ink": "#eef2f6", "quiet": "#a9b4c0", "gradient": "#ffb184", "arrow": "#8d99a6",
        "leaf": "#17293b", "leaf-line": "#6db0f0", "operation": "#1d232a", "operation-line": "#aab5c1",
        "header": "#323b46", "constant": "#1a1f25", "constant-line": "#75808c",
        "negative": "#2f6bab", "zero": "#262c33", "positive": "#a85a1c", "scope": "#191f26", "scope-line": "#4d5966",
    },
    "print": {
        "paper": "#ffffff", "ink": "#000000", "quiet": "#444444", "gradient": "#000000", "arrow": "#444444",
        "leaf": "#ffffff", "leaf-line": "#000000", "operation": "#ffffff", "operation-line": "#000000",
        "header": "#e6e6e6", "constant": "#ffffff", "constant-line": "#777777",
        "negative": "#8c8c8c", "zero": "#ffffff", "positive": "#8c8c8c", "scope": "#ffffff", "scope-line": "#888888",
    },
}  # fmt: skip

TEXT_ON = [
    ("ink", "leaf"),
    ("ink", "operation"),
    ("ink", "header"),
    ("quiet", "header"),
    ("quiet", "leaf"),
    ("quiet", "operation"),
    ("quiet", "constant"),
    ("quiet", "paper"),
    ("gradient", "leaf"),
    ("gradient", "operation"),
    ("ink", "paper"),
    ("quiet", "scope"),
]
"""Which colour of text stands on which ground: each pair has a contrast of at least 4.5 to 1."""


def stylesheet(theme: Theme) -> str:
    """The CSS of a theme; "auto" follows the reader's light or dark setting, and paper is always white."""
    root = f".clearprop-{theme}"
    if theme != "auto":
        return _shapes(root) + _colours(root, PALETTES[theme])
    dark = _colours(root, PALETTES["dark"])
    on_paper = _colours(root, PALETTES["print"])
    return (
        f"{_shapes(root)}{_colours(root, PALETTES['light'])}"
        f"@media (prefers-color-scheme: dark) {{\n{dark}}}\n@media print {{\n{on_paper}}}\n"
    )


def _shapes(root: str) -> str:
    rules = [
        # In a rule for screens only: converters take a height of "auto" for no height at all.
        f"@media screen {{ {root} {{ max-width: 100%; height: auto; }} }}",
        f"{root} text {{ font-family: {FONT}; stroke: none; }}",
        f"{root} .name, {root} .symbol {{ font-weight: bold; }}",
        f"{root} .constant .box {{ stroke-dasharray: 3 3; }}",
        f"{root} .output .box {{ stroke-width: 3; }}",
        f"{root} .edge {{ fill: none; stroke-width: 1.5; }}",
        f"{root} .scope {{ stroke-width: 1; stroke-dasharray: 6 3; }}",
        f"{root} .loop .edge {{ stroke-width: 2.5; }}",
    ]
    rules += [f"{root} .n{k} .edge {{ stroke-width: {1.5 + 0.5 * k}; }}" for k in range(1, THICKEST + 1)]
    rules += [f"{root} .{style} {{ font-size: {size}px; }}" for style, size in SIZES.items()]
    return "\n".join(rules) + "\n"


def _colours(root: str, palette: dict[str, str]) -> str:
    ink, quiet, arrow = palette["ink"], palette["quiet"], palette["arrow"]
    rules = [
        f"{root} .paper {{ fill: {palette['paper']}; }}",
        f"{root} text {{ fill: {ink}; }}",
        f"{root} .gradient {{ fill: {palette['gradient']}; }}",
        f"{root} .pending, {root} .small, {root} .head, {root} .constant text {{ fill: {quiet}; }}",
        f"{root} .edge {{ stroke: {arrow}; }}",
        f"{root} .arrow {{ fill: {arrow}; }}",
        f"{root} .mark {{ stroke: {ink}; fill: none; }}",
        f"{root} .header {{ fill: {palette['header']}; }}",
        f"{root} .scope {{ fill: {palette['scope']}; stroke: {palette['scope-line']}; }}",
        f"{root} .plate {{ fill: {palette['scope']}; }}",
    ]
    for kind in ("leaf", "operation", "constant"):
        rules.append(f"{root} .{kind} .box {{ fill: {palette[kind]}; stroke: {palette[f'{kind}-line']}; }}")
        rules.append(f"{root} .{kind} .frame {{ fill: none; stroke: {palette[f'{kind}-line']}; }}")
    for level in range(-LEVELS, LEVELS + 1):
        end = palette["negative" if level < 0 else "positive"]
        rules.append(f"{root} .{level_class(level)} {{ fill: {mixed(palette['zero'], end, abs(level) / LEVELS)}; }}")
    return "\n".join(rules) + "\n"


def level_class(level: int) -> str:
    """The CSS class of the cells of one level of a heat map."""
    return f"h{'m' if level < 0 else ''}{abs(level)}"


def mixed(start: str, end: str, share: float) -> str:
    """The colour at ``share`` of the way from one to another."""
    channels = zip(bytes.fromhex(start[1:]), bytes.fromhex(end[1:]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in channels)
