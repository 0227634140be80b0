"""What an optimizer is: a rule, the parameters that it moves, and what it remembers of them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, ClassVar

import numpy as np

from autodiff import Node, Value
from nn.optimizers.explanation import Update, explained
from nn.optimizers.leaves import named_leaves, no_leaf
from nn.optimizers.runs import Rule, Run, State, VectorSteps, plain_number, runs_of
from nn.optimizers.state import checked_state, outside

Parameters = Iterable[Any]  # leaves, pairs of a name and a leaf, groups; or nested lists and dicts of leaves

_at_least_0: Callable[[Any], bool] = lambda x: x >= 0 and math.isfinite(x)
_below_1: Callable[[Any], bool] = lambda x: 0 <= x < 1
_flag: Callable[[Any], bool] = lambda x: isinstance(x, bool)
RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "learning_rate": (lambda x: x > 0 and math.isfinite(x), "a number above 0"),
    "momentum": (_below_1, "from 0 to below 1"),
    "alpha": (_below_1, "from 0 to below 1"),
    "betas": (lambda x: len(x) == 2 and all(0 <= b < 1 for b in x), "two numbers from 0 to below 1"),
    "eps": (_at_least_0, "a number, at least 0"),
    "weight_decay": (_at_least_0, "a number, at least 0"),
    "nesterov": (_flag, "True or False"),
    "centered": (_flag, "True or False"),
    "amsgrad": (_flag, "True or False"),
}
"""What the options may be, for all optimizers."""


class Optimizer:
    """Moves parameters by a rule. To make one of your own, subclass it and write the rule.

    A rule is a function ``(w, g, *remembered, **options)`` of the parameter and its gradient. What it remembers
    from step to step has a default, with which it starts: 0.0 for one number beside each entry of the
    parameter, 0 for a count. It acts on each entry by itself, with operators and functions of the engine, and
    returns all it computed by name: the new ``w``, the new state, and what else ``explain`` should show.

    Args:
        parameters: leaves that carry a gradient, such as ``model.parameters()``; or nested lists, tuples and dicts of
            them, such as ``{"w": [...], "b": ...}``; or pairs of a name and a leaf, such as
            ``model.named_parameters()``, which explanations and errors then call by name; or groups:
            ``[{"parameters": [...], "learning_rate": 0.1}, {"parameters": [...]}]``, each with options of its own.
        learning_rate: the size of a step, above 0.
        options: the other options of the rule, for groups that do not give them.

    Attributes:
        groups: one dictionary for each group: its "parameters", "learning_rate" and all other options. Options
            may be changed between steps.

    >>> from autodiff import Value, sign
    >>> class SignDescent(Optimizer):
    ...     @staticmethod
    ...     def rule(w, g, *, learning_rate):
    ...         return {"w": w - learning_rate * sign(g)}
    >>> x = Value(5.0, label="x")
    >>> optimizer = SignDescent([x], learning_rate=0.5)
    >>> (x**2).backward()
    >>> print(optimizer.explain().steps[0])
    w = w - learning_rate * sign(g) = 5 - 0.5 * sign(10) = 4.5
    >>> optimizer.step()
    >>> x
    Value(4.5, label='x')

    Raises:
        ValueError: no parameters, a parameter twice, an option out of range.
        TypeError: a parameter that is no leaf carrying a gradient, an option unknown or of the wrong kind.
    """

    rule: ClassVar[Rule]
    _initial: ClassVar[State] = {}  # what the rule remembers, as it is before the first step
    _options: ClassVar[list[str]] = []

    def __init_subclass__(cls) -> None:
        rule = vars(cls).get("rule")
        if inspect.isfunction(rule):
            cls.rule = staticmethod(rule)  # whether or not it was written as one: a rule knows no self
        taken = list(inspect.signature(cls.rule).parameters.values()) if hasattr(cls, "rule") else []
        cls._initial = {x.name: x.default for x in taken[2:] if x.kind is not x.KEYWORD_ONLY}
        cls._options = [x.name for x in taken if x.kind is x.KEYWORD_ONLY]

    def __init__(self, parameters: Parameters, learning_rate: float = 0.01, **options: Any) -> None:
        if not hasattr(self, "rule"):
            kind = type(self).__name__
            raise TypeError(f"{kind} has no rule; write def rule(w, g, *, learning_rate): ... in class {kind}")
        defaults = {"learning_rate": learning_rate, **options}
        self._names: dict[Node, str] = {}
        self.groups = [self._group(given, defaults) for given in _as_groups(parameters)]
        self.parameters: list[Node] = [p for group in self.groups for p in group["parameters"]]
        if not self.parameters:
            raise ValueError("there are no parameters to optimize")
        if len(set(self.parameters)) < len(self.parameters):
            raise ValueError("a parameter is given twice, and would take every step twice")
        self._members = [group["parameters"] for group in self.groups]
        self._runs = runs_of(self.groups, {})

    @property
    def learning_rate(self) -> float:
        """The learning rate; of several groups, that of the first. Setting it sets it in all groups."""
        rate: float = self.groups[0]["learning_rate"]
        return rate

    @learning_rate.setter
    def learning_rate(self, new: float) -> None:
        require("learning_rate", new, *RANGES["learning_rate"])
        for group in self.groups:
            group["learning_rate"] = plain_number(new)

    def step(self) -> None:
        """Move every parameter that has a gradient; the others, and what is remembered of them, stay.

        First everything is computed, then everything is assigned: after an error nothing has moved.

        Raises:
            ValueError: no parameter has a gradient, so that nothing would be learnt; one has another shape than
                its parameter; or groups were added, or given other parameters.
        """
        runs = [run for run in self._separated() if run.parameters[0].grad is not None]
        if not runs:
            raise ValueError("no parameter has a gradient yet; call backward() on the loss first")
        with np.errstate(all="ignore"):
            moves = [(run, *run.next(self.rule, self._initial)) for run in runs]
        for run, data, state in moves:
            run.state = state
            for p, new in zip(run.parameters, data, strict=True):
                p.data = new

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.parameters:
            p.grad = None

    def on_vector(self, parameters: Sequence[Node]) -> VectorSteps | None:
        """Steps of these parameters while their numbers stand in one vector; None where that would not be the same.

        So it is where a kind of optimizer has a ``step`` of its own, one of the parameters is not this optimizer's,
        or a number is exact or an array.
        """
        ours = type(self).step is Optimizer.step and type(self).zero_grad is Optimizer.zero_grad
        place = {p: i for i, p in enumerate(parameters)}
        if not ours or not place.keys() <= set(self.parameters):
            return None
        runs = [run for run in self._separated(place.__contains__) if run.parameters[0] in place]
        if any(run.kind is not float for run in runs):
            return None
        return VectorSteps(self.rule, self._initial, [(run, [place[p] for p in run.parameters]) for run in runs])

    def explain(self, parameter: Node | str | int | None = None, index: Any = None) -> Update:
        """The next step of one parameter, with formulas and numbers; nothing is moved.

        Args:
            parameter: the leaf, its name, or its place in ``optimizer.parameters``; may be left out where there is
                only one.
            index: of an array, the one entry to show the numbers of, such as ``(0, 3)``; by default all of them,
                shortened.

        >>> from autodiff import Tensor
        >>> from nn import SGD
        >>> W = Tensor([[1.0, 2.0], [3.0, 4.0]], label="W")
        >>> optimizer = SGD([W], learning_rate=0.1, momentum=0.9)
        >>> (W * W).sum().backward()
        >>> print(optimizer.explain(index=(0, 1)))
        SGD, the next step of W[0, 1] (w: the parameter, g: its gradient)
          from w = 2, g = 4, v = 0
          with learning_rate = 0.1, momentum = 0.9
          1. v = momentum * v + g = 0.9 * 0 + 4 = 4
          2. w = w - learning_rate * v = 2 - 0.1 * 4 = 1.6

        Raises:
            ValueError: the parameter has no gradient yet, or is not one of this optimizer's.
            IndexError: the index is not that of one entry.
        """
        p = self._find(parameter)
        if p.grad is None:
            raise ValueError(f"{self._name(p)} has no gradient yet; call backward() on the loss first")
        self._check_gradient(p)
        run, position = next((r, r.parameters.index(p)) for r in self._runs if p in r.parameters)
        alone = Run(run.group, [p], run.part_of_state(position))
        return explained(type(self).__name__, self._name(p), self.rule, alone, self._initial, index)

    # ── its state ────────────────────────────────────────────────────────────────────────────────────
    def state_dict(self) -> dict[str, Any]:
        """Options and all that is remembered, as plain dictionaries, numbers and arrays: a snapshot.

        Parameters stand in it by their place in ``optimizer.parameters``.

        >>> from autodiff import Value
        >>> from nn import SGD
        >>> x = Value(5.0)
        >>> optimizer = SGD([x], learning_rate=0.25, momentum=0.5)
        >>> (x**2).backward()
        >>> optimizer.step()
        >>> state = optimizer.state_dict()
        >>> state["rule"], state["state"]
        ('SGD', {'0': {'v': 10.0}})
        >>> state["groups"]  # doctest: +NORMALIZE_WHITESPACE
        [{'learning_rate': 0.25, 'momentum': 0.5, 'nesterov': False, 'weight_decay': 0.0,
          'parameters': [0]}]
        """
        place = {p: i for i, p in enumerate(self.parameters)}
        groups = [
            {name: list(x) if isinstance(x, tuple) else x for name, x in group.items() if name != "parameters"}
            | {"parameters": [place[p] for p in group["parameters"]]}
            for group in self.groups
        ]
        state = {
            str(place[p]): outside(p, run.part_of_state(i))
            for run in self._runs
            for i, p in enumerate(run.parameters)
            if run.state
        }
        return {"rule": type(self).__name__, "groups": groups, "state": dict(sorted(state.items(), key=_place))}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set options and all that is remembered to what ``state_dict()`` gave, bit for bit, or change nothing.

        Raises:
            ValueError: the state is of another optimizer, or of other parameters; all differences are listed.
        """
        options, remembered = checked_state(self, state)
        for group, given in zip(self.groups, options, strict=True):
            group.update(given)
        self._runs = runs_of(self.groups, dict(zip(self.parameters, remembered, strict=True)))

    @classmethod
    def check(cls, options: dict[str, Any]) -> None:
        """Whether options are in range; overridden where they must fit together.

        Raises:
            ValueError, TypeError: they are not.
        """
        for name, value in options.items():
            if name in RANGES:
                require(name, value, *RANGES[name])

    def __repr__(self) -> str:
        shared = [n for n in self._options if len({repr(group[n]) for group in self.groups}) == 1]
        options = "".join(f", {name}={self.groups[0][name]!r}" for name in shared)
        groups = f" in {len(self.groups)} groups" if len(self.groups) > 1 else ""
        return f"{type(self).__name__}({len(self.parameters)} parameters{groups}{options})"

    # ── within ───────────────────────────────────────────────────────────────────────────────────────
    def _group(self, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
        """A group as it is kept: its parameters and every option."""
        if "parameters" not in given:
            raise ValueError(f'a group has its leaves under "parameters", and was given {", ".join(map(str, given))}')
        options = {**defaults, **{name: x for name, x in given.items() if name != "parameters"}}
        for name in options:
            if name not in self._options:
                nearest = get_close_matches(name, self._options, n=1)
                hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
                raise TypeError(
                    f"{type(self).__name__} has no option {name!r}{hint} There are: {', '.join(self._options)}"
                )
        missing = [name for name in self._options if name not in options]
        if missing:
            raise TypeError(f"{type(self).__name__} needs {', '.join(missing)}")
        options = {name: plain_number(options[name]) for name in self._options}
        self.check(options)
        return {"parameters": tuple([self._leaf(*pair) for pair in named_leaves(given["parameters"])]), **options}

    def _leaf(self, name: str | None, p: Any) -> Node:
        if not isinstance(p, Node) or not p.is_leaf or not p.requires_grad:
            raise no_leaf(p)
        if np.iscomplexobj(p.data):
            raise TypeError(f"a parameter is real, since there is no step down in the complex plane; was given {p!r}")
        if name is not None:
            self._names[p] = name
        return p

    def _separated(self, moving: Callable[[Node], bool] = lambda p: p.grad is not None) -> list[Run]:
        """The runs, with those split up of which only some parameters are moving, as they have a gradient."""
        members = [group["parameters"] for group in self.groups]
        if len(members) != len(self._members) or any(a is not b for a, b in zip(members, self._members, strict=True)):
            raise ValueError("the groups of an optimizer keep their parameters; for others, make an optimizer anew")
        runs: list[Run] = []
        for run in self._runs:
            present = list(map(moving, run.parameters))
            for p in run.parameters:
                if type(p.grad) is not float or type(p) is not Value:
                    self._check_gradient(p)
            runs += [run] if all(present) or not any(present) else run.split(present)
        self._runs = runs
        return runs

    def _check_gradient(self, p: Node) -> None:
        if p.grad is not None and np.shape(p.grad) != np.shape(p.data):
            shapes = f"{np.shape(p.grad)}, and the parameter {np.shape(p.data)}"
            raise ValueError(f"the gradient of {self._name(p)} has shape {shapes}")

    def _name(self, p: Node) -> str:
        return self._names.get(p) or p.label or f"parameter {self.parameters.index(p)}"

    def _find(self, which: Node | str | int | None) -> Node:
        if which is None and len(self.parameters) == 1:
            return self.parameters[0]
        if isinstance(which, Node) and which in self.parameters:
            return which
        if isinstance(which, int) and 0 <= which < len(self.parameters):
            return self.parameters[which]
        names = [self._name(p) for p in self.parameters]
        if isinstance(which, str) and names.count(which) == 1:
            return self.parameters[names.index(which)]
        listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        wrong = "say which parameter to explain" if which is None else f"there is no single parameter {which!r}"
        raise ValueError(f"{wrong}; there are: {listed}")


def _as_groups(parameters: Any) -> list[Mapping[str, Any]]:
    """What the caller gave, as groups."""
    if isinstance(parameters, Mapping) and "parameters" in parameters:
        raise TypeError('parameters is a list, such as [{"parameters": [weight, bias]}], and was given one group alone')
    if isinstance(parameters, Node | np.ndarray | Mapping) or not hasattr(parameters, "__iter__"):
        return [{"parameters": parameters}]
    items = list(parameters)
    groups: list[Mapping[str, Any]] = [x for x in items if isinstance(x, Mapping) and _is_group(x)]
    if groups and len(groups) < len(items):
        raise TypeError("parameters is either a list of groups or a list of leaves, and was given both in one")
    return groups or [{"parameters": items}]


def _is_group(given: Mapping[str, Any]) -> bool:
    """Whether it has options beside its leaves, rather than leaves only."""
    return "parameters" in given or not all(isinstance(leaf, Node) for _, leaf in named_leaves(given))


def require(name: str, value: Any, test: Callable[[Any], bool], expected: str) -> None:
    """An error that says what the option ``name`` may be, where ``value`` does not pass the test."""
    try:
        fits = test(value)
    except TypeError:
        raise TypeError(f"{name} is {expected}, and was given {value!r}") from None
    if not fits:
        raise ValueError(f"{name} is {expected}, and was given {value!r}")


def _place(item: tuple[str, Any]) -> int:
    return int(item[0])
