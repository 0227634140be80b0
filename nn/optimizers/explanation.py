"""The step of an optimizer as text and LaTeX: the rule that makes the step, fed names, prints its formulas."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from autodiff import Node, Tensor, Value, enable_grad
from autodiff.formula import LATEX, name_latex, name_text, number_latex, number_text, write
from nn.optimizers.runs import Rule, Run

_LATEX = {
    "learning_rate": r"\eta",
    "momentum": r"\mu",
    "alpha": r"\alpha",
    "beta1": r"\beta_1",
    "beta2": r"\beta_2",
    "eps": r"\epsilon",
    "weight_decay": r"\lambda",
    "v_max": r"v_{\max}",
    "w_decayed": r"w_{\mathrm{decayed}}",
}


@dataclass(frozen=True, slots=True)
class UpdateStep:
    """One line of a rule: ``name = formula = numbers = result``.

    Attributes:
        name: what is computed: "m", "w".
        formula: how, in names.
        numbers: the formula with numbers put in.
        result: the number or array, exactly as the step computes it.
        latex: the step as one line of LaTeX.
    """

    name: str
    formula: str
    numbers: str
    result: Any
    latex: str

    def __str__(self) -> str:
        return f"{self.name} = {' = '.join(dict.fromkeys([self.formula, self.numbers, _text(self.result)]))}"


@dataclass(frozen=True, slots=True)
class Update:
    """The next step of one parameter; ``print`` shows it, ``to_latex`` sets it.

    Attributes:
        rule: the name of the optimizer.
        parameter: what the text calls the parameter, with the index if one was given.
        given: what the step starts from: ``w``, its gradient ``g`` and what is remembered.
        options: the options that the rule reads.
        steps: one for each line of the rule; the last gives the new ``w``.
    """

    rule: str
    parameter: str
    given: dict[str, Any]
    options: dict[str, Any]
    steps: list[UpdateStep]

    @property
    def result(self) -> Any:
        """The parameter after the step."""
        return self.steps[-1].result

    def __str__(self) -> str:
        width = len(str(len(self.steps)))
        lines = [f"{self.rule}, the next step of {self.parameter} (w: the parameter, g: its gradient)"]
        lines += [f"  {word} {_listed(x)}" for word, x in (("from", self.given), ("with", self.options)) if x]
        return "\n".join(lines + [f"  {i:>{width}}. {step}" for i, step in enumerate(self.steps, 1)])

    def to_latex(self) -> str:
        """All steps as one ``aligned`` environment, for a notebook or a paper."""
        return "\\begin{aligned}\n" + " \\\\\n".join(step.latex for step in self.steps) + "\n\\end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"


def explained(kind: str, parameter: str, rule: Rule, run: Run, initial: Mapping[str, Any], index: Any = None) -> Update:
    """What ``rule`` will do to the one parameter of ``run``.

    Raises:
        IndexError: ``index`` is not that of one entry.
    """
    (leaf,) = run.parameters
    with np.errstate(all="ignore"):
        given, results = run.apply(rule, initial)

    def shown(x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            return x
        if not isinstance(leaf, Tensor):
            return x.item()
        return x.reshape(leaf.shape) if index is None else x.reshape(leaf.shape)[index]

    if index is not None and not _is_entry(leaf, index):
        raise IndexError(f"index is that of one entry of {parameter}, of shape {np.shape(leaf.data)}; given {index!r}")
    place = index if isinstance(index, tuple) else (index,)
    title = name_text(parameter) + ("" if index is None else f"[{', '.join(map(str, place))}]")

    named = _Names()
    with enable_grad():
        inputs = {name: named.stand_in(name, 1.0, shown(x)) for name, x in given.items()}
        options = {name: named.option(name, x) for name, x in run.group.items() if name != "parameters"}
        formulas = rule(**inputs, **options)
    steps, read = [], set()
    for name, node in formulas.items():
        if isinstance(node, Node) and node not in named.text:  # else the rule left it as it was
            result = shown(results[name])
            read |= _leaves(node)
            steps.append(_step(name, node, result, named))
            named.add(node, name, result)
    begin = {name: shown(given[name]) for name, node in inputs.items() if node in read}
    with_ = {name: named.values[node] for node, name in named.options.items() if node in read}
    return Update(kind, title, begin, with_, steps)


def _is_entry(leaf: Node, index: Any) -> bool:
    try:
        return isinstance(leaf, Tensor) and np.ndim(leaf.data[index]) == 0
    except IndexError:
        return False


class _Names:
    """What stands for what: the names of nodes, and the numbers to show in their place."""

    def __init__(self) -> None:
        self.text: dict[Node, str] = {}
        self.values: dict[Node, Any] = {}
        self.options: dict[Node, str] = {}

    def add(self, node: Node, name: str, value: Any) -> None:
        self.text[node] = name
        self.values[node] = value

    def stand_in(self, name: str, data: Any, value: Any) -> Value:
        node = Value(data)
        self.add(node, name, value)
        return node

    def option(self, name: str, x: Any) -> Any:
        """Numbers get a name; a choice such as ``nesterov`` stays, for the rule decides by it."""
        if isinstance(x, tuple):
            return tuple([self.option(f"{name.removesuffix('s')}{i}", part) for i, part in enumerate(x, 1)])
        if isinstance(x, bool | str) or x is None:
            return x
        node = self.stand_in(name, float(x), x)
        self.options[node] = name
        return node


def _step(name: str, node: Node, result: Any, named: _Names) -> UpdateStep:
    formula = write(node, named.text)
    numbers = write(node, {x: _text(value) for x, value in named.values.items()})
    latex = write(node, {x: _name_latex(text) for x, text in named.text.items()}, LATEX)
    latex_numbers = write(node, {x: number_latex(value) for x, value in named.values.items()}, LATEX)
    parts = dict.fromkeys([latex, latex_numbers, number_latex(result)])
    return UpdateStep(name, formula, numbers, result, rf"{_name_latex(name)} &\leftarrow {' = '.join(parts)}")


def _leaves(node: Node) -> set[Node]:
    """All that ``node`` was computed from, and itself."""
    seen: set[Node] = set()
    stack = [node]
    while stack:
        x = stack.pop()
        if x not in seen:
            seen.add(x)
            stack.extend(x.inputs)
    return seen


def _name_latex(name: str) -> str:
    """``m_hat`` wears its hat; options have their usual Greek letters."""
    hatted = re.fullmatch(r"([a-z])_hat", name)
    return rf"\hat{{{hatted[1]}}}" if hatted else _LATEX.get(name) or name_latex(name)


def _listed(numbers: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_text(x)}" for name, x in numbers.items())


def _text(x: Any) -> str:
    """A number, or of an array with many the first two and the last."""
    if np.size(x) <= 4:
        return number_text(x)
    first, second, last = (number_text(entry) for entry in np.ravel(x)[[0, 1, -1]])
    return f"[{first}, {second}, ..., {last}]"
