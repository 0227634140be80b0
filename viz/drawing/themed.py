"""CSS of a part of a drawing in the colours of a theme, "auto" included."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from viz.drawing.style import PALETTES, Theme

Palette = Mapping[str, str]


def themed(theme: Theme, rules: Callable[[Palette], Iterable[str]]) -> str:
    """The rules for the palette of ``theme``; for "auto", for those of a light screen, a dark one, and paper.

    >>> themed("dark", lambda palette: [f".quiet {{ fill: {palette['quiet']}; }}"])
    '.quiet { fill: #a9b4c0; }\\n'
    """
    if theme != "auto":
        return _written(rules(PALETTES[theme]))
    dark, paper = _written(rules(PALETTES["dark"])), _written(rules(PALETTES["print"]))
    light = _written(rules(PALETTES["light"]))
    return f"{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n@media print {{\n{paper}}}\n"


def _written(rules: Iterable[str]) -> str:
    return "".join(f"{rule}\n" for rule in rules)
