"""The picture of a gradient flow: for each state a map of shades, bars of its norms under it, and one legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from viz.drawing.face import SIZES
from viz.drawing.format import number
from viz.drawing.style import stylesheet
from viz.drawing.svg import element
from viz.drawing.text import clean, width
from viz.drawing.themed import Palette, themed
from viz.through_time.flow import Array, GradientFlow, Track, times
from viz.through_time.scale import Scale, as_power, mark_class, scale_of, shade_class, shade_rules

_MARGIN = 16.0
_MAP = 880.0  # the map is about this wide and this high, within what cells may measure
_HIGH = 240.0
_CELL = (7.0, 44.0)
_ROW = (4.0, 22.0)
_BARS = 84.0
_MOST_STEPS, _MOST_UNITS = 128, 64  # more are drawn several to a cell
_LINE = 18.0
_WIDE = 900.0  # at least, for what is written


def flow_svg(flow: GradientFlow) -> str:
    """The text of the SVG file."""
    columns = _groups(flow.steps, _MOST_STEPS)
    numbers = [x for track in flow.tracks for x in (*track.gradients.ravel().tolist(), *track.norms.tolist())]
    scale = scale_of(numbers, flow.limits)
    cell = min(max(_MAP / len(columns), _CELL[0]), _CELL[1])
    left = _MARGIN + 90
    total = max(left + cell * len(columns) + _MARGIN, _WIDE)
    y = _MARGIN + 16
    parts = [element("text", escape(flow.title), x=_MARGIN, y=y, class_="symbol")]
    for track in flow.tracks:
        panel, y = _panel(track, columns, scale, cell, left, y + 30)
        parts.append(panel)
    legend, y = _legend(flow, columns, scale, y + 20)
    css = stylesheet(flow.theme) + themed(flow.theme, lambda palette: _rules(palette, scale)).replace(
        "{root}", f".clearprop-{flow.theme}"
    )
    told = " ".join(f"{track.name}, {track.size}: {track.verdict}" for track in flow.tracks)
    return element(
        "svg",
        element("title", escape(flow.title)),
        element("desc", escape(clean(told, 4000))),
        f"<style>\n{css}</style>",
        element("rect", width="100%", height="100%", class_="paper"),
        *parts,
        legend,
        xmlns="http://www.w3.org/2000/svg",
        class_=f"clearprop-{flow.theme}",
        role="graphics-document",
        aria_label=flow.title,
        width=total,
        height=y + _MARGIN,
        viewBox=f"0 0 {total:g} {y + _MARGIN:g}",
    )


def _rules(palette: Palette, scale: Scale) -> list[str]:
    rules = shade_rules(palette, scale.shades)
    rules.append(f"{{root}} .bar {{ fill: {palette['operation-line']}; }}")
    rules.append(f"{{root}} .rule {{ stroke: {palette['constant-line']}; stroke-width: 0.6; fill: none; }}")
    rules.append("{root} .column { fill: transparent; }")
    return rules


def _groups(items: Sequence[int], most: int) -> list[list[int]]:
    """The items in their order, so many together that at most ``most`` groups are left."""
    each = -(-len(items) // most)
    return [list(items[k : k + each]) for k in range(0, len(items), each)]


def _panel(
    track: Track, columns: list[list[int]], scale: Scale, cell: float, left: float, top: float
) -> tuple[str, float]:
    """One state: its name and verdict, the map, the bars; and how far down it reaches."""
    place = {step: k for k, group in enumerate(columns) for step in group}
    rows = _groups(range(len(track.units)), _MOST_UNITS)
    row = min(max(_HIGH / len(rows), _ROW[0]), _ROW[1])
    members: dict[int, list[int]] = {}
    for index, step in enumerate(track.steps):
        members.setdefault(place[step], []).append(index)
    parts = [
        element("text", escape(f"{track.name}: {track.size}"), x=_MARGIN, y=top, class_="name"),
        element("text", escape(track.verdict), x=_MARGIN, y=top + _LINE, class_="value"),
    ]
    map_top = top + _LINE + 12
    cells: dict[int, list[str]] = {}
    marks: dict[int, list[str]] = {}
    for i, units in enumerate(rows):
        for column, indices in members.items():
            x = greatest(track.gradients[np.ix_(units, indices)])
            shade = scale.shade(x)
            at = left + column * cell, map_top + i * row
            cells.setdefault(shade, []).append(f"M{at[0]:.4g} {at[1]:.5g}h{cell:.4g}v{row:.4g}h{-cell:.4g}z")
            mark = _mark(x, at[0] + cell / 2, at[1] + row / 2, min(cell, row) * 0.28)
            marks.setdefault(shade, []).append(mark)
    drawn = [element("path", d="".join(d), class_=shade_class(shade)) for shade, d in sorted(cells.items())]
    drawn += [element("path", d="".join(d), class_=mark_class(s)) for s, d in sorted(marks.items()) if any(d)]
    bottom = map_top + row * len(rows)
    drawn.append(element("rect", x=left, y=map_top, width=cell * len(columns), height=row * len(rows), class_="rule"))
    parts.append(element("g", *drawn, class_="heat"))
    parts += _row_names(track, rows, row, left, map_top)
    bars, end = _bars(track, columns, members, scale, cell, left, bottom + 14)
    parts += bars
    for column, indices in members.items():
        words = [_step_in_words(track, index) for index in indices]
        area = element("title", escape(clean("; ".join(words), 1000)))
        shape = {"x": left + column * cell, "y": map_top, "width": cell, "height": end - map_top}
        parts.append(element("rect", area, class_="column", **shape))
    return element("g", *parts, role="group", aria_label=f"{track.name}: {track.verdict}"), end


def greatest(x: Array) -> float:
    """The number of the greatest magnitude, with its sign; NaN if there is one."""
    flat = np.ravel(x)
    if np.isnan(flat).any():
        return math.nan
    return float(flat[np.argmax(np.abs(flat))])


def _mark(x: float, cx: float, cy: float, r: float) -> str:
    """A dash for a negative number, a ring for 0, a cross for NaN, two rings for inf."""
    if x != x:
        return f"M{cx - r:.5g} {cy - r:.5g}l{2 * r:.3g} {2 * r:.3g}m0 {-2 * r:.3g}l{-2 * r:.3g} {2 * r:.3g}"
    if math.isinf(x):
        dash = f"M{cx - r:.5g} {cy + 1.3 * r:.5g}h{2 * r:.3g}" if x < 0 else ""
        return _ring(cx - 0.7 * r, cy, 0.7 * r) + _ring(cx + 0.7 * r, cy, 0.7 * r) + dash
    if x == 0:
        return _ring(cx, cy, 0.8 * r)
    return f"M{cx - r:.5g} {cy:.5g}h{2 * r:.3g}" if x < 0 else ""


def _ring(cx: float, cy: float, r: float) -> str:
    arc = f"a{r:.3g} {r:.3g} 0 1 0"
    return f"M{cx - r:.5g} {cy:.5g}{arc} {2 * r:.3g} 0{arc} {-2 * r:.3g} 0z"


def _row_names(track: Track, rows: list[list[int]], row: float, left: float, top: float) -> list[str]:
    """The names of the units, as many as there is room for."""
    every = math.ceil(14 / row)
    names = [track.units[units[0]] for units in rows]
    drawn = [element("text", "unit", x=_MARGIN, y=top + 4 + row / 2, class_="small")]
    for i in range(0, len(rows), every):
        y = top + (i + 0.5) * row + 4
        drawn.append(element("text", escape(clean(names[i], 8)), x=left - 6, y=y, class_="small", text_anchor="end"))
    return drawn


def _bars(
    track: Track,
    columns: list[list[int]],
    members: dict[int, list[int]],
    scale: Scale,
    cell: float,
    left: float,
    top: float,
) -> tuple[list[str], float]:
    """The norms on the scale of the shades, the numbers of the steps, and the factors from step to step."""
    base = top + _BARS
    wide = cell * len(columns)
    drawn = [element("text", "norm", x=_MARGIN, y=top + 4 + _BARS / 2, class_="small")]
    bounds = scale.bounds
    every = math.ceil(14 / (_BARS / scale.shades))
    for k in range(0, len(bounds), every):
        y = base - _BARS * k / scale.shades
        drawn.append(element("path", d=f"M{left:g} {y:.5g}h{wide:.5g}", class_="rule"))
        drawn.append(element("text", escape(bounds[k]), x=left - 6, y=y + 4, class_="small", text_anchor="end"))
    for column, indices in members.items():
        x, norm = left + column * cell, greatest(track.norms[indices])
        if 0 < norm < math.inf:
            tall = _BARS * min(max(scale.share(norm), 0.0), 1.0)
            bar = {"x": x + cell * 0.15, "y": base - max(tall, 3.0), "width": cell * 0.7, "height": max(tall, 3.0)}
            drawn.append(element("rect", class_="bar", **bar))
        else:
            height = base - 8 if norm == 0 else top + 8
            drawn.append(element("path", d=_mark(norm, x + cell / 2, height, min(cell * 0.3, 6.0)), class_="mark"))
    y = base + 16
    words = max(len(str(group[0])) for group in columns) + 1
    every = math.ceil(words * width("x", SIZES["small"]) / cell)
    drawn.append(element("text", "step", x=_MARGIN, y=y, class_="small"))
    for k in range(0, len(columns), every):
        at = left + (k + 0.5) * cell
        drawn.append(element("text", str(columns[k][0]), x=at, y=y, class_="small", text_anchor="middle"))
    if cell < 15 or len(columns) < len(track.steps):
        return drawn, y + 4
    drawn.append(element("text", "× of next", x=_MARGIN, y=y + _LINE, class_="small"))
    for index, ratio in enumerate(track.ratios.tolist()):
        at = left + (columns.index([track.steps[index]]) + 0.5) * cell
        drawn.append(_upright(times(ratio), at + 4, y + 10) if cell < 40 else _level(times(ratio), at, y + _LINE))
    return drawn, y + (48 if cell < 40 else _LINE + 6)


def _upright(words: str, x: float, y: float) -> str:
    place = f"translate({x:.5g} {y:.5g}) rotate(-90)"
    return element("text", escape(words), transform=place, class_="small", text_anchor="end")


def _level(words: str, x: float, y: float) -> str:
    return element("text", escape(words), x=x, y=y, class_="small", text_anchor="middle")


def _step_in_words(track: Track, index: int) -> str:
    words = f"step {track.steps[index]}: norm {number(track.norms[index])}"
    if index < len(track.ratios):
        words += f", {times(track.ratios[index])} × that at step {track.steps[index + 1]}"
    return words


def _legend(flow: GradientFlow, columns: list[list[int]], scale: Scale, top: float) -> tuple[str, float]:
    """The shades with their numbers, the marks in words, and what was put together."""
    signed = any((track.gradients < 0).any() for track in flow.tracks)
    across, x0 = 66.0, _MARGIN + 120
    parts = [element("text", "magnitude", x=_MARGIN, y=top + 12, class_="small")]
    for row, sign in enumerate((1, -1) if signed else (1,)):
        y = top + 20 * row
        for k in range(1, scale.shades + 1):
            at = x0 + across * (k - 1)
            parts.append(element("rect", x=at, y=y, width=across, height=16, class_=shade_class(sign * k)))
            mark = _mark(float(sign), at + across / 2, y + 8, 5)
            parts += [element("path", d=mark, class_=mark_class(sign * k))] if mark else []
        words = "positive" if sign > 0 else "negative, with a dash"
        if signed:
            parts.append(element("text", words, x=x0 + across * scale.shades + 10, y=y + 12, class_="small"))
    y = top + (40 if signed else 20) + 12
    for k, bound in enumerate(scale.bounds):
        parts.append(_level(bound, x0 + across * k, y))
    told = [_each(scale)]
    seen = np.concatenate([track.gradients.ravel() for track in flow.tracks])
    marks = [("a ring: 0", (seen == 0).any()), ("a cross: NaN", np.isnan(seen).any())]
    marks.append(("two rings: infinite", np.isinf(seen).any()))
    told = ["; ".join([*told, *(words for words, there in marks if there)])]
    units = max(len(track.units) for track in flow.tracks)
    if len(columns) < len(flow.steps) or units > _MOST_UNITS:
        each = f"{len(columns[0])} steps" if len(columns) < len(flow.steps) else ""
        rows = f"{-(-units // _MOST_UNITS)} units" if units > _MOST_UNITS else ""
        told.append(f"A cell shows the greatest of {' and '.join(filter(None, (each, rows)))}")
    for words in told:
        y += _LINE
        parts.append(element("text", escape(f"{words}."), x=_MARGIN, y=y, class_="small"))
    return element("g", *parts, role="group", aria_label="Legend"), y


def _each(scale: Scale) -> str:
    factor = as_power(scale.decades)
    return f"Every shade is a factor of {factor}: faint is small, strong is large; bars have the same scale"
