"""What an optimizer remembers, on its way out to a plain dictionary and back in."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff import Node, Tensor
from nn.optimizers.runs import State, plain_number

if TYPE_CHECKING:
    from nn.optimizers.optimizer import Optimizer


def outside(parameter: Node, state: State) -> dict[str, Any]:
    """What is remembered of one parameter: counts and floats, or arrays of the shape of the parameter."""

    def shown(x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            return x
        return x.reshape(parameter.data.shape).copy() if isinstance(parameter, Tensor) else x.item()

    return {name: shown(x) for name, x in state.items()}


def checked_state(optimizer: Optimizer, state: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[State]]:
    """The options of every group and what is remembered of every parameter.

    Raises:
        ValueError: the state does not fit; all that differs is listed.
    """
    kind = type(optimizer).__name__
    absent = [name for name in ("rule", "groups", "state") if name not in state]
    if absent:
        raise ValueError(f"the state of an optimizer has rule, groups and state, and here is no {', '.join(absent)}")
    if not isinstance(state["state"], Mapping) or not isinstance(state["groups"], list):
        raise ValueError("the groups of an optimizer's state are a list, and its state is a dictionary")
    if state["rule"] != kind:
        raise ValueError(f"the state is that of {state['rule']}, and the optimizer is {kind}")
    problems: list[str] = []
    options = _options(optimizer, state["groups"], problems)
    remembered: list[State] = [{} for _ in optimizer.parameters]
    for key, given in state["state"].items():
        if not (str(key).isdecimal() and int(key) < len(remembered)):
            problems.append(f"parameter {key}: there are only {len(remembered)}")
            continue
        p = optimizer.parameters[int(key)]
        for name, x in given.items():
            try:
                remembered[int(key)][name] = _inside(p, optimizer._initial[name], x)
            except KeyError:
                problems.append(f"parameter {key}: unexpected {name}")
            except (TypeError, ValueError) as error:
                problems.append(f"parameter {key}: {name} {error}")
    if problems:
        raise ValueError("\n  ".join([f"the state does not fit this {kind}:", *problems]))
    return options, remembered


def _options(optimizer: Optimizer, given: list[Mapping[str, Any]], problems: list[str]) -> list[dict[str, Any]]:
    if len(given) != len(optimizer.groups):
        problems.append(f"groups: {len(given)} in the state, {len(optimizer.groups)} here")
        return []
    place = {p: i for i, p in enumerate(optimizer.parameters)}
    read = []
    for k, (group, saved) in enumerate(zip(optimizer.groups, given, strict=True)):
        here = [place[p] for p in group["parameters"]]
        there = list(saved.get("parameters", []))
        if here != there:
            problems.append(f"group {k}: parameters {there} in the state, {here} here")
        missing = [name for name in group if name not in saved]
        unexpected = [name for name in saved if name not in group]
        problems += [f"group {k}: missing {', '.join(missing)}"] if missing else []
        problems += [f"group {k}: unexpected {', '.join(unexpected)}"] if unexpected else []
        options = {name: plain_number(x) for name, x in saved.items() if name in group and name != "parameters"}
        try:  # a schedule may have brought the learning rate down to 0
            optimizer.check({n: x for n, x in {**group, **options}.items() if (n, x) != ("learning_rate", 0)})
        except (TypeError, ValueError) as error:
            problems.append(f"group {k}: {error}")
        read.append(options)
    return read


def _inside(parameter: Node, initial: Any, x: Any) -> Any:
    """One entry of a state as a run keeps it."""
    if type(initial) is int:
        count = index(x.item() if isinstance(x, np.ndarray | np.generic) else x)
        if count < 0:
            raise ValueError(f"is {count}, and a count is at least 0")
        return count
    if np.shape(x) != np.shape(parameter.data):
        raise ValueError(f"has shape {np.shape(x)}, and the parameter {np.shape(parameter.data)}")
    if isinstance(parameter, Tensor):
        array = np.asarray(x)
        if array.dtype != parameter.dtype:
            raise TypeError(f"is {array.dtype}, and the parameter {parameter.dtype}")
        return array.flatten()
    number = parameter.cast_like(x)
    return np.array([number]) if type(number) is float else number
