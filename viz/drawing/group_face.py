"""What is written on a box of several nodes: how many they are, which numbers come out, and how steep it is there."""

from __future__ import annotations

from typing import Any

import numpy as np

from viz.drawing.format import counted, exact, number
from viz.drawing.lettering import HEADER, LINE, LONGEST_NAME, PAD, PENDING, SIZES, Face, Text, gradient_lines
from viz.drawing.text import clean, width
from viz.views.model import Box, Group, Leaving


def group_face(box: Box, group: Group) -> Face:
    """Its name, what it holds, what comes out of it, and the gradient there."""
    name, aside = _short(box.label), f"× {group.repeats}" if group.repeats > 1 else ""
    rows = [(clean(out.name, LONGEST_NAME // 2), _shown(out)) for out in group.leaving]
    small = _holds(group)
    span = "" if rows else _span(group)
    gradient = _gradient(group)
    pair = [width(what, SIZES["small"]) + 10 + width(shown, SIZES["value"]) for what, shown in rows]
    widths = [*pair, width(span, SIZES["value"]), *(width(line, SIZES["small"]) for line in small)]
    widths.append(width(name, SIZES["name"]) + (width(aside, SIZES["name"]) + 2 * PAD if aside else 0))
    widths += [width(PENDING[1], SIZES["pending"]), width(gradient or "", SIZES["gradient"])]
    wide = max(widths) + 2 * PAD

    texts = [Text(PAD, HEADER - 7, name, "name", "start"), Text(wide - PAD, HEADER - 7, aside, "name", "end")]
    texts = texts if aside else [Text(wide / 2, HEADER - 7, name, "name")]
    y: float = HEADER
    for line in small:
        y += LINE - 2
        texts.append(Text(wide / 2, y, line, "small"))
    for what, shown in rows:
        y += LINE
        if len(rows) == 1 and not what:
            texts.append(Text(wide / 2, y, shown, "value"))
        else:
            texts += [Text(PAD, y, what, "small", "start"), Text(wide - PAD, y, shown, "value", "end")]
    if span:
        y += LINE
        texts.append(Text(wide / 2, y, span, "value"))
    if not box.carries:
        return Face(wide, y + PAD + 2, texts)
    texts += gradient_lines(wide / 2, y + LINE, gradient)
    return Face(wide, y + LINE + 23, texts)


def group_in_words(box: Box, group: Group) -> list[str]:
    """The box for a screen reader."""
    words = [box.label, *_holds(group), *(f"gives {out.name or 'a number'} {_shown(out)}" for out in group.leaving)]
    words += [] if group.leaving or not _span(group) else [f"{group.leaves} values {_span(group)}"]
    return [*words, *_gradient_in_words(box, group)]


def group_in_full(box: Box, group: Group) -> list[str]:
    """The box with all digits."""
    lines = [box.label, *_holds(group), f"{group.nodes:,} nodes"]
    lines += [f"{group.repeats} steps, each the same computation"] if group.repeats > 1 else []
    lines += [f"{_numbers(group.state)} to the next step" for _ in range(group.state > 0)]
    for out in group.leaving:
        lines.append(f"{out.name or 'value'} {_exactly(out.data)}")
        lines += [f"gradient {_exactly(out.gradient)}"] if out.gradient is not None else []
    lines += [f"{counted(group.leaves, 'value')} out, {_span(group)}"] if _span(group) and not group.leaving else []
    return lines + _gradient_in_words(box, group)


def _short(name: str) -> str:
    """The path, or what fits of its end."""
    return clean(name if len(name) <= LONGEST_NAME else name.rpartition("/")[2], LONGEST_NAME)


def _holds(group: Group) -> list[str]:
    lines = []
    if group.operations:
        each = group.operations // group.repeats
        lines.append(f"{group.repeats} × {counted(each, 'operation')}" if group.repeats > 1 else "")
        lines[-1] = lines[-1] or counted(group.operations, "operation")
        lines += [counted(group.parameters, "parameter")] if group.parameters else []
    else:
        lines.append(_numbers(group.parameters + group.constants))
    return lines


def _numbers(count: int) -> str:
    return counted(count, "number")


def _shown(out: Leaving) -> str:
    return f"{np.shape(out.data)}" if np.size(out.data) != 1 else number(_one(out.data))


def _one(data: Any) -> Any:
    return data.reshape(-1)[0] if isinstance(data, np.ndarray) else data


def _exactly(data: Any) -> str:
    return exact(_one(data)) if np.size(data) == 1 else f"array of shape {np.shape(data)}"


def _span(group: Group) -> str:
    """From the least to the greatest number that comes out."""
    if group.least is None:
        return ""
    low, high = number(group.least), number(group.greatest)
    return low if low == high else f"{low} … {high}"


def _gradient(group: Group) -> str | None:
    """The gradient of the one number that comes out, or else the norm of the gradient."""
    if len(group.leaving) == 1 and np.size(group.leaving[0].data) == 1:
        gradient = group.leaving[0].gradient
        return None if gradient is None else f"∇ {number(_one(gradient))}"
    return None if group.gradient is None else f"|∇| {number(group.gradient)}"


def _gradient_in_words(box: Box, group: Group) -> list[str]:
    if not box.carries:
        return []
    of = f"of its {counted(group.parameters, 'parameter')}" if group.parameters else "of what comes out"
    single = [out.gradient for out in group.leaving if np.size(out.data) == 1 and len(group.leaving) == 1]
    words = [f"gradient {number(_one(gradient))}" for gradient in single if gradient is not None]
    if group.gradient is None:
        return [*words, f"gradient {of} not computed yet"]
    return [*words, f"norm of the gradient {of} {number(group.gradient)}"]
