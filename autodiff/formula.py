"""Formulas in text and LaTeX, read off the graph that a rule builds when it is fed nodes with names."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from autodiff.graph import Node
from autodiff.primitives.row import Primitive

SUM, PRODUCT, MINUS, POWER, ATOM = 1, 2, 3, 4, 9
_OPERATOR_LEVELS = {
    ast.Add: SUM,
    ast.Sub: SUM,
    ast.Mult: PRODUCT,
    ast.Div: PRODUCT,
    ast.MatMult: PRODUCT,
    ast.Pow: POWER,
}
_LATEX_FUNCTIONS = {"sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "log", "det"}
_OPENING = ("{", "(", "[", "|", ",", r"\lfloor", r"\lceil")


def number_text(x: Any) -> str:
    """A number (or array) as a reader wants it: four significant digits, fractions exact."""
    if isinstance(x, bool | np.bool_):
        return str(int(x))
    if isinstance(x, Fraction | int):
        return str(x)
    if isinstance(x, np.ndarray) and x.ndim:
        return np.array2string(x, precision=4, threshold=8, separator=", ").replace("\n", "")
    return f"{x.item() if isinstance(x, np.ndarray | np.generic) else x:.4g}"


def number_latex(x: Any) -> str:
    """The same in LaTeX."""
    if isinstance(x, Fraction) and x.denominator != 1:
        return rf"{'-' if x < 0 else ''}\frac{{{abs(x.numerator)}}}{{{x.denominator}}}"
    if np.ndim(x):
        return rf"\mathrm{{array}}{tuple(np.shape(x))}".replace(",)", ")")
    text = number_text(x).replace("inf", r"\infty").replace("nan", r"\mathrm{NaN}")
    return re.sub(r"e([+-]\d+)", lambda power: rf" \cdot 10^{{{int(power[1])}}}", text)


def index_text(index: Any) -> str:
    """What stands between the brackets of ``x[...]``.

    >>> index_text((slice(0, 8), slice(None), -1)), index_text(np.arange(9)), index_text([0, 2])
    ('0:8, :, -1', 'array(9,)', '[0, 2]')
    """
    if isinstance(index, tuple):
        return ", ".join([index_text(part) for part in index])
    if isinstance(index, slice):
        ends = ["" if end is None else str(end) for end in (index.start, index.stop)]
        return ":".join(ends if index.step in (None, 1) else [*ends, str(index.step)])
    return "..." if index is Ellipsis else _short(index)


def level_of(text: str) -> int:
    """How tightly a written number or name binds: -2 and 7/3 want brackets where 2 does not."""
    return MINUS if text.startswith("-") else PRODUCT if re.fullmatch(r"\d+/\d+|.*\\cdot 10.*", text) else ATOM


def name_text(label: str) -> str:
    """A label for a line of text: control characters made visible, length capped."""
    label = str(label)
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in label[:40])
    return shown + ("…" if len(label) > 40 else "")


def name_latex(label: str) -> str:
    """A label in LaTeX: ``w12`` becomes w with an index, longer words are set upright."""
    label = name_text(label)
    indexed = re.fullmatch(r"([A-Za-z])_?(\d+)", label)
    if indexed:
        return f"{indexed[1]}_{{{indexed[2]}}}"
    if re.fullmatch(r"[A-Za-z]", label):
        return label
    return r"\mathrm{" + re.sub(r"[^A-Za-z0-9.,;:!?'()+\-/=*]", r"\\ ", label) + "}"


class Style:
    """How one notation writes numbers and operations."""

    def __init__(self, number: Callable[[Any], str], template: Callable[[Primitive, int], str], brackets: str) -> None:
        self.number = number
        self.template = template
        self.brackets = brackets

    def apply(
        self, op: Primitive, operands: Sequence[tuple[str, int]], params: Mapping[str, Any] | None
    ) -> tuple[str, int]:
        """An operation on written operands, with brackets where the precedence asks for them, and its level."""
        template = self.template(op, len(operands))
        level = _level(op)
        written = []
        for k, (text, own) in enumerate(operands):
            needs_more = k > 0 if level != POWER else k == 0
            compares = level == ATOM and op.text is not None
            required = 0 if _is_enclosed(template, k) else SUM if compares else min(level + needs_more, ATOM)
            leads = template.startswith(f"{{{k}}}")  # a minus sign may stand first, but not behind an operator
            loose = own < required or (text.startswith("-") and required != 0 and not leads)
            written.append(self.brackets.format(text) if loose else text)
        shown = {
            k: v for k, v in (params or {}).items() if v is not op.defaults.get(k) and not (op.text and k == "index")
        }
        listed = "".join(f", {k}={_short(v)}" for k, v in shown.items())
        if self is TEXT and params and "index" in params:
            written.append(index_text(params["index"]))
            template = template.replace("[...]", f"[{{{len(operands)}}}]")
        text = template.format(*written)
        return (text[:-1] + listed + ")" if listed and self is TEXT and text.endswith(")") else text), level


def _text_template(op: Primitive, count: int) -> str:
    return op.text or f"{op.name}({', '.join(f'{{{k}}}' for k in range(count))})"


def _latex_template(op: Primitive, count: int) -> str:
    name = (
        rf"\{op.name}"
        if op.name in _LATEX_FUNCTIONS
        else rf"\mathrm{{{{{op.name.replace('_', ' ')}}}}}".replace(" ", r"\ ")
    )
    return op.latex or rf"{name}\left({', '.join(f'{{{k}}}' for k in range(count))}\right)"


TEXT = Style(number_text, _text_template, "({})")
LATEX = Style(number_latex, _latex_template, r"\left({}\right)")


@cache
def _level(op: Primitive) -> int:
    """How tightly the operation binds: its text is Python, so Python's own grammar knows."""
    tree = ast.parse(_text_template(op, op.arity or 2).format(*"abcdefgh").replace("...", "0"), mode="eval").body
    if op.text and op.text.startswith("("):
        return ATOM
    if isinstance(tree, ast.BinOp):
        return _OPERATOR_LEVELS[type(tree.op)]
    return MINUS if isinstance(tree, ast.UnaryOp) else ATOM


@cache
def _is_enclosed(template: str, k: int) -> bool:
    """Whether the place of operand k is bracketed by the template itself."""
    before = template.replace("{{", "{").replace("}}", "}").partition(f"{{{k}}}")[0].rstrip()
    return before.endswith(_OPENING)


def _short(value: Any) -> str:
    return f"array{np.shape(value)}" if isinstance(value, np.ndarray) and value.size > 6 else repr(value)


def write(node: Any, names: Mapping[Node, str], style: Style = TEXT) -> str:
    """The expression that computed ``node``, down to the nodes that have names; other leaves as numbers."""
    if not isinstance(node, Node):
        return style.number(node)
    written: dict[Node, tuple[str, int]] = {}
    stack = [node]
    while stack:
        x = stack[-1]
        if x in names:
            written[x] = names[x], level_of(names[x])
        elif x.op is None:
            text = style.number(x.data)
            written[x] = text, level_of(text)
        else:
            waiting = [i for i in x.inputs if i not in written]
            if waiting:
                stack.extend(waiting)
                continue
            written[x] = style.apply(x.op, [written[i] for i in x.inputs], x.params)
        stack.pop()
    return written[node][0]
