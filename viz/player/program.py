"""The lines of the reader's own program, which the steps point at."""

from __future__ import annotations

import linecache
from collections.abc import Iterable

from autodiff import Node

_WHOLE = 60
"""Up to so many lines, what stands between the first and the last line that computes is shown too."""

Line = tuple[int, str]


def program_of(nodes: Iterable[Node]) -> tuple[list[Line], dict[Node, int]]:
    """(number, text) of the lines that computed ``nodes``, and which of them computed each.

    Nothing where no lines were noted, or their source is not at hand.
    """
    made = {node: node.origin for node in nodes if node.origin is not None}
    used: dict[str, set[int]] = {}
    for origin in made.values():
        used.setdefault(origin.filename, set()).add(origin.line)
    lines: list[Line] = []
    place: dict[tuple[str, int], int] = {}
    for filename, numbers in used.items():
        source = linecache.getlines(filename)
        first, last = min(numbers), max(numbers)
        wanted = range(first, last + 1) if last - first < _WHOLE else sorted(numbers)
        texts = [(number, source[number - 1].rstrip("\n")) for number in wanted if 0 < number <= len(source)]
        margin = min((len(text) - len(text.lstrip()) for _, text in texts if text.strip()), default=0)
        for number, text in texts:
            place[filename, number] = len(lines)
            lines.append((number, _printable(text[margin:])))
    where = {node: place[key] for node, o in made.items() if (key := (o.filename, o.line)) in place}
    return lines, where


def _printable(text: str) -> str:
    """A line as it can be shown: tabs as spaces, control characters made visible, of a bearable length."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:200].expandtabs(4))
    return shown + ("…" if len(text) > 200 else "")
