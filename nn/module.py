"""Module: a part of a model that has parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from reprlib import recursive_repr
from textwrap import indent
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autodiff import Node, scope
from nn.files.weights import load_weights, save_weights
from nn.precision import astype
from nn.training.fit import evaluate, fit, predict


class Module:
    """A part of a model. Subclass it, keep parameters and smaller modules in attributes, and write ``forward``.

    Nothing is registered: what a module holds is found by walking its attributes, and the lists, tuples and
    dictionaries in them. A parameter is a leaf that carries a gradient; one that is shared counts once. A leaf
    that carries none is a buffer, such as a running mean: not trained, but saved with the rest.

    Calling a module runs ``forward`` in a scope named after its place in the module that calls it
    ("layers.0"), so drawings and explanations know which part of the model a node belongs to.

    >>> from autodiff import Value
    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0), Value(1.0)
    ...
    ...     def forward(self, x):
    ...         return self.slope * x + self.offset
    >>> line = Line()
    >>> line
    Line(2 parameters)
    >>> line(3.0).backward()
    >>> {name: parameter.grad for name, parameter in line.named_parameters()}
    {'slope': 3.0, 'offset': 1.0}
    """

    training: bool = True  # whether layers such as Dropout behave as in training; see train() and eval()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; written by each kind of module."""
        kind = type(self).__name__
        raise NotImplementedError(f"{kind} has no forward; write def forward(self, x): ... in class {kind}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run ``forward`` in the scope of this module."""
        caller = _calling.get()
        token = _calling.set(_Call(self))
        try:
            if caller is None:
                output = self.forward(*args, **kwargs)
            else:
                with scope(caller.name_of(self)):
                    output = self.forward(*args, **kwargs)
        finally:
            _calling.reset(token)
        watch = _watching.get()
        if watch is not None:
            watch(self, output)
        return output

    fit = fit
    predict = predict
    evaluate = evaluate
    save = save_weights
    load = load_weights
    astype = astype

    # ── what it holds ────────────────────────────────────────────────────────────────────────────────
    def named_parameters(self) -> Iterator[tuple[str, Node]]:
        """Every parameter with the path to it: ``("layers.0.weight", Tensor(...))``."""
        return ((path, leaf) for path, leaf in _leaves(self) if leaf.requires_grad)

    def parameters(self) -> list[Node]:
        """Every parameter once, in the order in which the attributes were made."""
        return [parameter for _, parameter in self.named_parameters()]

    def named_buffers(self) -> Iterator[tuple[str, Node]]:
        """Every leaf that carries no gradient, with the path to it."""
        return ((path, leaf) for path, leaf in _leaves(self) if not leaf.requires_grad)

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module, whose path is "", and every module inside it."""
        return ((path, thing) for path, thing in _walk(self) if isinstance(thing, Module))

    def named_generators(self) -> Iterator[tuple[str, np.random.Generator]]:
        """Every random generator that a module draws from while it runs, such as that of Dropout."""
        return ((path, thing) for path, thing in _walk(self) if isinstance(thing, np.random.Generator))

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def train(self, mode: bool = True) -> Self:
        """Switch this module and all inside it to training: Dropout drops, BatchNorm uses the batch. Returns it.

        >>> from nn import Network
        >>> model = Network([2, 1], seed=0).eval()
        >>> any(module.training for _, module in model.named_modules())
        False
        """
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to evaluation: the same as ``train(False)``."""
        return self.train(False)

    # ── its state ────────────────────────────────────────────────────────────────────────────────────
    def state_dict(self) -> dict[str, NDArray[Any]]:
        """The numbers of every parameter and buffer by name, as read-only arrays: a snapshot.

        >>> from nn import Neuron
        >>> list(Neuron(2, seed=0).state_dict())
        ['weights.0', 'weights.1', 'bias']

        Raises:
            ValueError: two leaves have the same path, because a dictionary has the keys 1 and "1".
        """
        return {path: _frozen(leaf.data) for path, leaf in self._leaves_by_path().items()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Set parameters and buffers to the numbers in ``state``, all of them or, where something is wrong, none.

        Args:
            state: arrays by name, as ``state_dict()`` gives them.
            strict: whether names that only the model or only the state has are an error; a wrong shape always is.

        >>> from nn import Neuron
        >>> neuron = Neuron(2, seed=0)
        >>> neuron.load_state_dict({"weights.0": 1.0, "weights.1": 2.0, "bais": 0.5})
        Traceback (most recent call last):
        ...
        ValueError: the state does not fit Neuron:
          missing: bias
          unexpected: bais

        Raises:
            ValueError: names are missing or unexpected, or arrays have other shapes or types; all are listed.
            TypeError: the state is no mapping.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"a state is arrays by name, as state_dict() gives them; given a {type(state).__name__}")
        leaves = self._leaves_by_path()
        problems = []
        if strict:
            missing, unexpected = [p for p in leaves if p not in state], [str(p) for p in state if p not in leaves]
            problems += [f"missing: {', '.join(missing)}"] if missing else []
            problems += [f"unexpected: {', '.join(unexpected)}"] if unexpected else []
        new: dict[str, Any] = {}
        for path, leaf in leaves.items():
            if path in state:
                try:
                    new[path] = _cast(leaf, state[path])
                except (TypeError, ValueError) as error:
                    problems.append(f"{path}: {error}")
        if problems:
            raise ValueError("\n  ".join([f"the state does not fit {type(self).__name__}:", *problems]))
        for path, data in new.items():
            leaves[path].data = data

    def _leaves_by_path(self) -> dict[str, Node]:
        leaves: dict[str, Node] = {}
        for path, leaf in _leaves(self):
            if path in leaves:
                raise ValueError(f"two parameters or buffers of {type(self).__name__} have the path {path!r}")
            leaves[path] = leaf
        return leaves

    # ── how it looks ─────────────────────────────────────────────────────────────────────────────────
    def extra_repr(self) -> str:
        """What stands in the brackets of the repr: the arguments, where a kind of module says so."""
        return f"{sum(np.size(p.data) for p in self.parameters())} parameters"

    def summary(self, input_shape: Any = None) -> Any:
        """The layers with their output shapes and numbers of parameters, as a table: a :class:`nn.Summary`."""
        from nn.summary import summary  # it knows the kinds of modules, which are made from this class

        return summary(self, input_shape)

    @recursive_repr("...")
    def __repr__(self) -> str:
        head = f"{type(self).__name__}({self.extra_repr()})"
        return "\n".join([head, *(indent(f"{name}: {child!r}", "  ") for name, child in children(self))])


class _Call:
    """A module that is running, and the names that it has for the modules in it."""

    __slots__ = ("module", "names")

    def __init__(self, module: Module) -> None:
        self.module = module
        self.names: dict[int, str] | None = None  # found when the first of them is called

    def name_of(self, child: Module) -> str:
        if self.names is None:
            self.names = {}
            for name, module in children(self.module):
                self.names.setdefault(id(module), name)  # the first, as for parameters
        return self.names.get(id(child)) or type(child).__name__


_calling: ContextVar[_Call | None] = ContextVar("calling", default=None)
_watching: ContextVar[Callable[[Module, Any], None] | None] = ContextVar("watching", default=None)


@contextmanager
def watching(watch: Callable[[Module, Any], None]) -> Iterator[None]:
    """Show ``watch(module, output)`` every module that is called inside and what it gives, the innermost first.

    >>> from nn import Layer
    >>> with watching(lambda module, output: print(module)):
    ...     outputs = Layer(2, 1, seed=0)([1.0, 2.0])
    Neuron(2, activation='tanh')
    Layer(2, 1, activation='tanh')
    """
    token = _watching.set(watch)
    try:
        yield
    finally:
        _watching.reset(token)


def children(module: Module) -> Iterator[tuple[str, Module]]:
    """The modules directly inside ``module``, with their paths: ``("layers.0", Dense(...))``."""
    stack = list(reversed(_parts(module)))
    while stack:
        path, thing = stack.pop()
        if isinstance(thing, Module):
            yield path, thing
        elif isinstance(thing, list | tuple | dict):
            stack.extend((f"{path}.{key}", part) for key, part in reversed(_parts(thing)))


def _walk(module: Module) -> Iterator[tuple[str, Any]]:
    """Every module, leaf and random generator once, with the path to it, in the order in which they were made."""
    seen: set[int] = set()
    stack: list[tuple[str, Any]] = [("", module)]
    while stack:
        path, thing = stack.pop()
        if not isinstance(thing, _HOLDERS) or id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, Node | Module | np.random.Generator):
            yield path, thing
        stack.extend((f"{path}.{name}" if path else name, part) for name, part in reversed(_parts(thing)))


_HOLDERS = (Module, Node, list, tuple, dict, np.random.Generator)


def _leaves(module: Module) -> Iterator[tuple[str, Node]]:
    return ((path, thing) for path, thing in _walk(module) if isinstance(thing, Node) and thing.is_leaf)


def _parts(thing: Any) -> list[tuple[str, Any]]:
    """What a module, a list, a tuple or a dictionary holds, by name."""
    if isinstance(thing, Module):
        return list(_attributes(thing).items())
    if isinstance(thing, dict):
        return [(str(key), part) for key, part in thing.items()]
    if isinstance(thing, list | tuple):
        return [(str(i), part) for i, part in enumerate(thing)]
    return []


def _attributes(module: Module) -> dict[str, Any]:
    """The attributes of a module, those in slots too, as data classes with ``slots=True`` have them."""
    state: Any = object.__getstate__(module)  # what pickle would keep: a dictionary, or it and one of the slots
    in_dictionary, in_slots = state if isinstance(state, tuple) else (state, None)
    return {**(in_slots or {}), **(in_dictionary or {})}


def _frozen(data: Any) -> NDArray[Any]:
    """Data of a leaf as a read-only array. An array is one already: a leaf never writes into it."""
    array = np.asarray(data)
    array.setflags(write=False)
    return array


def _cast(leaf: Node, data: Any) -> Any:
    """``data`` as the leaf would hold it; a single number for a Value."""
    array = np.asarray(data.data if isinstance(data, Node) else data)
    if array.shape != np.shape(leaf.data):
        raise ValueError(f"has shape {array.shape}, and the model has {np.shape(leaf.data)} there")
    return leaf.cast_like(array if isinstance(leaf.data, np.ndarray) else array.item())
