"""What the page must show after each step, worked out from an independent run of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from autodiff import Explanation, Node, explain
from autodiff.formula import number_text
from viz.drawing.format import exact, number


class Truth:
    """The state of every node, step by step."""

    def __init__(self, told: Explanation, nodes: list[Node]) -> None:
        self.told = told
        used = {told.output} | {x for step in told.forward for x in (step.node, *step.node.inputs)}
        self.nodes = [node for node in nodes if node in used]
        self.value: dict[Node, Any] = {node: node.data for node in self.nodes if node.op is None}
        self.gradient: dict[Node, Any] = {}
        self.arrived: dict[Node, int] = {}
        self.paths = {step.input: step.paths for step in told.backward}

    def shown(self, node: Node) -> dict[str, Any]:
        """What the box of a node shows now."""
        paths = self.paths.get(node, 0)
        arrived = self.arrived.get(node, 0)
        dots = "●" * arrived + "○" * (paths - arrived) if paths <= 6 else f"{arrived} of {paths}"
        carries = node.requires_grad
        known = node in self.gradient
        pending = "not computed yet" if is_table(node.data) else "∇ not computed yet"  # the head of a table stays
        return {
            "value": numbers(self.value[node]) if node in self.value else ["?"] + [""] * (len(numbers(node.data)) - 1),
            "gradient": _marked(self.gradient[node]) if known else [],
            "pending": pending if carries and not known else "",
            "dots": dots if paths > 1 else "",
        }

    def spoken(self, node: Node) -> list[str]:
        """What a screen reader says of a single number, after its name."""
        said = [f"value {exact(self.value[node])}" if node in self.value else "value not computed yet"]
        if node.requires_grad:
            known = node in self.gradient
            said.append(f"gradient {exact(self.gradient[node])}" if known else "gradient not computed yet")
            if known and self.paths.get(node, 0) > 1:
                said.append(f"{self.arrived.get(node, 0)} of {self.paths[node]} uses")
        return said

    def forward(self) -> Iterator[tuple[str, Any]]:
        """Compute one number after the other; each time the rows of the panel that must then be seen."""
        for step in self.told.forward:
            self.value[step.node] = step.result
            result = brief(step.result)
            long = is_long(step.result, *(x.data for x in step.node.inputs))
            arithmetic = ["result", result] if long else ["numbers", f"{minus(step.numbers)} = {result}"]
            yield f"{step.name} is computed from", [["operation", f"{step.name} = {step.formula}"], arithmetic]

    def backward(self) -> Iterator[tuple[str, Any]]:
        output = self.told.output
        name = self.told.names[output]
        self.gradient[output] = self.told.adjoints[output]
        yield f"The backward pass begins at {name}:", [["start", f"∂{name}/∂{name} = {brief(self.gradient[output])}"]]
        for step in self.told.backward:
            self.gradient[step.input] = step.total
            self.arrived[step.input] = step.path
            flow = brief(step.contribution)
            if step.local is None:
                rows = [["contribution", f"{step.formula} = {flow}"]]
            else:
                local = brief(step.local)
                long = is_long(step.local, step.node.data, *(x.data for x in step.node.inputs))
                same = step.numbers in (step.formula, number_text(step.local))
                put_in = [] if long or same else [minus(step.numbers)]
                chain = [step.formula, *put_in, *([] if local == step.formula else [local])]
                rows = [
                    ["local derivative", f"∂{step.name}/∂{step.input_name} = {' = '.join(chain)}"],
                    ["upstream × local", f"{brief(step.upstream)} × {bracketed(local)} = {flow}"],
                ]
            before = "" if step.before is None else f"{brief(step.before)} + {bracketed(flow)} = "
            paths = step.paths
            dots = "●" * step.path + "○" * (paths - step.path) + " " if paths <= 6 else ""
            counted = f"  {dots}({step.path} of {paths} uses)" if paths > 1 else ""
            rows.append(["running sum", f"∇{step.input_name} = {before}{brief(step.total)}{counted}"])
            yield f"Back from {step.name} to {step.input_name}", rows


def truth_of(nodes: list[Node]) -> Truth:
    return Truth(explain(nodes[-1]), nodes)


def numbers(data: Any) -> list[str]:
    """The numbers on a box: the number itself, or least, mean and greatest entry."""
    if not is_table(data):
        return [brief(data)]
    return [number(x) for x in (np.min(data), np.mean(data), np.max(data))]


def is_table(data: Any) -> bool:
    """Whether a box shows least, mean and greatest entry of it: of what has rows and columns, and of several numbers."""
    return np.size(data) != 1 or np.ndim(data) > 1


def _marked(gradient: Any) -> list[str]:
    return numbers(gradient) if is_table(gradient) else [f"∇ {brief(gradient)}"]


def brief(x: Any) -> str:
    """A number to four digits; short arrays whole, of long ones shape and range."""
    if np.size(x) == 1:
        return number(np.reshape(np.asarray(x, object), -1)[0] if np.ndim(x) else x)
    if is_long(x):
        span = list(dict.fromkeys([number(np.min(x)), number(np.max(x))]))
        return f"({' × '.join(map(str, np.shape(x)))} numbers, {' … '.join(span)})"
    return minus(np.array2string(x, precision=4, threshold=8, separator=", ").replace("\n", ""))


def is_long(*arrays: Any) -> bool:
    return any(np.size(x) > 6 for x in arrays)


def minus(text: str) -> str:
    return text.replace("-", "−")


def bracketed(text: str) -> str:
    return f"({text})" if text.startswith("−") else text
