"""What is written on a box, and where: texts and heat maps at places relative to its upper left corner.

The size of a scalar's box does not depend on whether its gradient is known yet, so that a graph drawn
before and after the backward pass has the same layout.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from viz.drawing.format import exact, number
from viz.drawing.group_face import group_face, group_in_full, group_in_words
from viz.drawing.heat import heat_of
from viz.drawing.lettering import HEADER, LINE, LONGEST_NAME, PAD, PENDING, SIZES, Anchor, Face, Text, gradient_lines
from viz.drawing.text import clean, width
from viz.views.contents import norm
from viz.views.model import Box

__all__ = [
    "HEADER", "LINE", "LONGEST_NAME", "PAD", "PENDING", "SIZES",
    "Anchor", "Face", "Text", "described", "face_of", "hover", "statistics",
]  # fmt: skip


def face_of(box: Box, narrow: bool = False) -> Face:
    """What is written on ``box``; ``narrow`` leaves out what can be seen from the cells of an array.

    >>> from autodiff import Value
    >>> from viz.views.model import graph_of
    >>> x = Value(2.0, label="x")
    >>> [text.words for text in face_of(graph_of([x]).boxes[0]).texts]
    ['x', '2.0', '∇ not', 'computed yet']
    """
    if box.group is not None:
        return group_face(box, box.group)
    if np.size(box.data) != 1 or np.ndim(box.data) > 1:
        return _narrow_face(box) if narrow else _array_face(box)
    return _constant_face(box) if box.kind == "constant" else _number_face(box)


def described(box: Box) -> str:
    """A box in words, for a screen reader.

    >>> from autodiff import Value
    >>> from viz.views.model import graph_of
    >>> described(graph_of([Value(2.0, label="x")]).boxes[0])
    'leaf x, value 2.0, gradient not computed yet'
    """
    if box.group is not None:
        return ", ".join(group_in_words(box, box.group))
    return ", ".join([_heading(box), f"value {_summary(box.data)}", *_gradient_in_words(box, _summary)])


def hover(box: Box) -> str:
    """A box with all digits, and where it comes from."""
    if box.group is not None:
        return "\n".join(group_in_full(box, box.group))
    lines = [_heading(box), f"value {_in_full(box.data)}", *_gradient_in_words(box, _in_full)]
    lines += [f"{box.alias} in explain()"] if box.alias else []
    lines += [f"in {box.scope}"] if box.scope else []
    return "\n".join(lines)


def _heading(box: Box) -> str:
    if box.kind == "operation":
        made = f"{box.operation}({box.detail})" if box.detail else box.operation
        return f"{box.label} = {made}" if box.label else made
    return f"{box.kind} {box.label}".rstrip()


def _gradient_in_words(box: Box, shown: Any) -> list[str]:
    if not box.carries:
        return []
    return ["gradient not computed yet" if box.gradient is None else f"gradient {shown(box.gradient)}"]


def _summary(data: Any) -> str:
    if np.size(data) == 1:
        return number(np.asarray(data, dtype=object).reshape(-1)[0] if np.ndim(data) else data)
    shape = " by ".join(map(str, np.shape(data)))
    return f"array of {shape}, " + ", ".join(f"{name} {value}" for name, value in statistics(data))


def _in_full(data: Any) -> str:
    if not isinstance(data, np.ndarray) or data.ndim == 0:
        return exact(data)
    return np.array2string(data, separator=", ", threshold=256, floatmode="unique")


def statistics(data: Any) -> list[tuple[str, str]]:
    """Least, mean and greatest entry; of complex entries, their magnitudes."""
    array = np.asarray(data)
    if not array.size:
        return [("no", "entries")]
    magnitude = array.dtype.kind == "c"
    with np.errstate(all="ignore"):
        real = np.abs(array) if magnitude else array
        least, mean, greatest = real.min(), real.mean(dtype=float), real.max()
    names = ("|min|", "|mean|", "|max|") if magnitude else ("min", "mean", "max")
    return [(name, number(value)) for name, value in zip(names, (least, mean, greatest), strict=True)]


def _scalar(data: Any) -> Any:
    return data.reshape(-1)[0] if isinstance(data, np.ndarray) else data


def _header(box: Box) -> tuple[str, str, str]:
    """What stands on top, what beside it, and in which style of text.

    That is the label and the sign of the operation, or else this sign and what ``explain`` calls the result; for one
    of several leaves with the same label, how explain tells it from the others (``w0#2``).
    """
    label, symbol, alias = (clean(words, LONGEST_NAME) for words in (box.label, box.symbol, box.alias))
    if label:
        number = alias.removeprefix(label)
        return (label, number, "small") if not symbol and number.startswith("#") else (label, symbol, "symbol")
    return (symbol, alias, "small") if symbol else (alias, "", "small")


def _header_texts(box: Box, wide: float) -> list[Text]:
    main, aside, style = _header(box)
    if box.label:
        main_style = "name"
    else:
        main_style = "symbol" if box.symbol else "small"
    if not aside:
        return [Text(wide / 2, HEADER - 7, main, main_style)] if main else []
    return [Text(PAD, HEADER - 7, main, main_style, "start"), Text(wide - PAD, HEADER - 7, aside, style, "end")]


def _header_width(box: Box) -> float:
    main, aside, style = _header(box)
    return width(main, SIZES["symbol"]) + (width(aside, SIZES[style]) + 2 * PAD if aside else 0)


def _number_face(box: Box) -> Face:
    value, gradient = number(_scalar(box.data)), box.gradient
    shown = None if gradient is None else f"∇ {number(_scalar(gradient))}"
    shape = clean(_shape(box.data), LONGEST_NAME) if isinstance(box.data, np.ndarray) else ""
    detail = clean(box.detail, LONGEST_NAME)
    small = [line for line in (shape, detail) if line]
    widths = [_header_width(box), width(value, SIZES["value"]), width(PENDING[1], SIZES["pending"])]
    widths += [width(line, SIZES["small"]) for line in small] + [width(shown or "", SIZES["gradient"])]
    wide = max(widths) + 2 * PAD
    texts = _header_texts(box, wide)
    y = HEADER if box.name or box.alias else PAD
    for line in small:
        y += LINE - 2
        texts.append(Text(wide / 2, y, line, "small"))
    texts.append(Text(wide / 2, y + LINE - 1, value, "value"))
    texts += gradient_lines(wide / 2, y + 2 * LINE, shown)
    return Face(wide, y + 2 * LINE + 23, texts)


def _constant_face(box: Box) -> Face:
    value = number(_scalar(box.data))
    lines = [clean(box.label, LONGEST_NAME), value] if box.label else [value]
    wide = max(max(width(line, SIZES["small"]) for line in lines) + 2 * PAD, 30)
    texts = [Text(wide / 2, 15 + 15 * k, line, "small") for k, line in enumerate(lines)]
    return Face(wide, 7 + 15 * len(lines), texts)


def _shape(data: Any) -> str:
    return f"{data.shape} {data.dtype}"


def _array_face(box: Box) -> Face:
    """Shape and dtype, a table of statistics with a column for the gradient, and heat maps under it."""
    value, gradient = statistics(box.data), None if box.gradient is None else statistics(box.gradient)
    heats = [heat_of(box.data), None if box.gradient is None else heat_of(box.gradient)]
    names = max(width(name, SIZES["head"]) for name, _ in value)
    column = max([width("computed", SIZES["pending"])] + [_widest(numbers) for numbers in (value, gradient or [])])
    column = max([column] + [heat.width for heat in heats if heat])
    columns = [PAD + names + 10 + column]
    columns += [columns[0] + 12 + column] if box.carries else []
    small = [line for line in (_shape(box.data), clean(box.detail, LONGEST_NAME)) if line]
    wide = max([columns[-1], _header_width(box) + PAD] + [width(line, SIZES["small"]) + PAD for line in small]) + PAD
    spare = wide - PAD - columns[-1]
    columns = [x + spare * (k + 1) / len(columns) for k, x in enumerate(columns)]

    texts = _header_texts(box, wide)
    y: float = HEADER if box.name or box.alias else 2
    for line in small:
        y += LINE - 2
        texts.append(Text(wide / 2, y, line, "small"))
    y += LINE + 2
    if box.carries:
        texts += [Text(columns[0], y, "value", "head", "end"), Text(columns[1], y, "∇", "gradient", "end")]
    else:
        y -= LINE
    texts += [Text(PAD, y + LINE * (k + 1), name, "head", "start") for k, (name, _) in enumerate(value)]
    texts += _column(columns[0], y, value, "value")
    if box.carries:
        texts += _column(columns[1], y, gradient, "gradient") if gradient else _pending(columns[1], y)
    y += LINE * len(value) + PAD + 2
    placed = [heat.at(x - heat.width, y) for heat, x in zip(heats, columns, strict=False) if heat]
    tall = max((heat.height + PAD for heat in placed), default=0)
    return Face(wide, y + tall, texts, placed)


def _narrow_face(box: Box) -> Face:
    """The shape and the heat maps; where there are none, or one number, from where to where the entries go."""
    given = None if np.size(box.data) == 1 else heat_of(box.data)
    gradient = None if box.gradient is None else heat_of(box.gradient)
    maps = [("value", "head", given), ("∇", "gradient", gradient)][: 1 + box.carries] if given else []
    lines = [(line, "small") for line in (str(np.shape(box.data)), clean(box.detail, LONGEST_NAME)) if line]
    lines += [] if maps else [(_span(box.data), "value")]
    if box.carries and (not maps or gradient is None):
        lines += [(" ".join(PENDING), "pending") if box.gradient is None else (_steepness(box.gradient), "gradient")]
    columns = [max(width(name, SIZES[style]), heat.width if heat else 0) for name, style, heat in maps]
    across = sum(columns) + 12 * (len(columns) - 1)
    wide = max([across, _header_width(box), *(width(line, SIZES[style]) for line, style in lines)]) + 2 * PAD
    texts, y = _header_texts(box, wide), HEADER if box.name or box.alias else 2.0
    for line, style in lines:
        y += LINE
        texts.append(Text(wide / 2, y - 1, line, style))
    if not given:
        return Face(wide, y + PAD, texts)
    y, x, placed = y + LINE, (wide - across) / 2, []
    for (name, style, heat), column in zip(maps, columns, strict=True):
        texts.append(Text(x + column / 2, y, name, style))
        placed += [heat.at(x + (column - heat.width) / 2, y + PAD)] if heat else []
        x += column + 12
    return Face(wide, y + given.height + 2 * PAD, texts, placed)


def _span(data: Any) -> str:
    """The number, or from the least to the greatest entry."""
    if np.size(data) == 1:
        return number(_scalar(data))
    entries = statistics(data)
    least, greatest = entries[0][1], entries[-1][1]
    return f"{least} … {greatest}" if np.size(data) else " ".join(entries[0])


def _steepness(gradient: Any) -> str:
    """The gradient of one number, or else the norm of the gradient, as on a box of several nodes."""
    return f"∇ {_span(gradient)}" if np.size(gradient) == 1 else f"|∇| {number(norm([gradient]))}"


def _widest(numbers: Iterable[tuple[str, str]]) -> float:
    return max((width(shown, SIZES["value"]) for _, shown in numbers), default=0)


def _column(right: float, y: float, numbers: Iterable[tuple[str, str]], style: str) -> list[Text]:
    return [Text(right, y + LINE * (k + 1), shown, style, "end") for k, (_, shown) in enumerate(numbers)]


def _pending(right: float, y: float) -> list[Text]:
    words = ("not", "computed", "yet")
    return [Text(right, y + LINE * (k + 1), word, "pending", "end") for k, word in enumerate(words)]
