"""What is being recorded here and now: switched on or off, under which scope, watched by whom.

The state lives in one context variable, so it is local to the thread and to the asynchronous task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar, Token
from typing import Any

import numpy as np

Observer = Callable[[Any, Any, tuple[Any, ...]], None]

State = tuple[bool, str, Observer | None, bool]

# (are operations recorded, the path of scopes, a function shown every new node or None, is NumPy silent already)
_recording: ContextVar[State] = ContextVar("recording", default=(True, "", None, False))
current = _recording.get


class Tracer:
    """Someone who writes operations down, to run them again on other numbers: told what operations do not show.

    A number that leaves the graph takes the example of the trace with it, so a tracer may refuse it, by raising.

    Attributes:
        choices: whether rules shall choose by nodes (``where``), not by looking at numbers, as far as they can.
    """

    choices = False

    def look(self, node: Any, how: str) -> None:
        """The plain data of ``node`` are about to be read; ``how`` says what for: "float()", "bool()", ".data"."""

    def change(self, node: Any) -> None:
        """The data of a leaf are about to be assigned."""

    def detach(self, node: Any, copy: Any) -> None:
        """``copy`` has the data of ``node`` and carries no gradient."""

    def look_elsewhere(self, node: Any, how: str) -> None:
        """The same as ``look``, in a context that nobody traces: another thread."""

    def is_of_one_example(self, node: Any) -> bool:
        """Whether the number of ``node`` is another one for another example, so that a text of it is, too."""
        return False

    def look_at_text(self, node: Any, how: str, asker: str) -> None:
        """The text of such a number is about to be read, by the code in the file ``asker``."""

    def made_by(self, node: Any) -> Any:
        """The primitive that made a node, also where its history was let go."""
        return node.op


# Who traces here. It is asked for where something leaves the graph, never where an operation is recorded.
_tracer: ContextVar[Tracer | None] = ContextVar("tracer", default=None)
tracing = _tracer.get

_NOT_SAID: Any = object()
at_work: list[Tracer] = []  # all who trace now, in any thread: a traced number may be read where nobody traces


@contextmanager
def traced_by(tracer: Tracer | None) -> Iterator[None]:
    """Tell ``tracer`` of everything that leaves the graph inside; None: nobody."""
    token = _tracer.set(tracer)
    if tracer is not None:
        at_work.append(tracer)
    try:
        yield
    finally:
        _tracer.reset(token)
        if tracer is not None:
            at_work.remove(tracer)


def look(node: Any, how: str) -> None:
    """Whoever reads the plain data of a node, other than to compute with them in a row, says so here before."""
    tracer = tracing()
    if tracer is not None:
        tracer.look(node, how)
    elif at_work and _tracer.get(_NOT_SAID) is _NOT_SAID:
        for tracer in tuple(at_work):
            tracer.look_elsewhere(node, how)


class _Both:
    """Two observers in the place of one: the inner does not blind the outer."""

    def __init__(self, outer: Observer, inner: Observer) -> None:
        self.outer, self.inner = outer, inner
        watch = getattr(inner, "watch", None) or getattr(outer, "watch", None)
        if watch is not None:
            self.watch = watch

    def __call__(self, node: Any, op: Any, inputs: tuple[Any, ...]) -> None:
        self.outer(node, op, inputs)
        self.inner(node, op, inputs)


class _Recording(ContextDecorator):
    """A state for the length of a ``with`` block, or of a function that it decorates."""

    def __init__(
        self,
        enabled: bool | None = None,
        inner: str | None = None,
        observer: Observer | None = None,
        silent: bool = False,
    ) -> None:
        self.change = (enabled, inner, observer, silent)
        self.tokens: list[Token[State]] = []  # the same object may be entered again inside itself

    def _recreate_cm(self) -> _Recording:  # a decorated function may run in several threads at once
        return _Recording(*self.change)

    def __enter__(self) -> None:
        enabled, inner, observer, silent = self.change
        was_enabled, path, was_observer, was_silent = current()
        if inner is not None:
            path = f"{path}/{inner}" if path else inner
        if observer is None:
            observer = was_observer
        elif was_observer is not None:
            observer = _Both(was_observer, observer)
        enabled = was_enabled if enabled is None else enabled
        self.tokens.append(_recording.set((enabled, path, observer, silent or was_silent)))

    def __exit__(self, *_: object) -> None:
        _recording.reset(self.tokens.pop())


def no_grad() -> _Recording:
    """Compute without recording: results inside are constants. Also a decorator of ordinary functions.

    >>> from autodiff import Value, no_grad
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.requires_grad
    False
    """
    return _Recording(enabled=False)


def enable_grad() -> _Recording:
    """Record again, inside ``no_grad()``.

    >>> from autodiff import Value, enable_grad, no_grad
    >>> with no_grad(), enable_grad():
    ...     y = Value(3.0) * 2
    >>> y.requires_grad
    True
    """
    return _Recording(enabled=True)


def scope(name: str) -> _Recording:
    """Tag the nodes made inside with a place, such as a layer or a time step; scopes nest.

    >>> from autodiff import Value, scope
    >>> with scope("layer 1"), scope("neuron 3"):
    ...     y = Value(2.0) * 3
    >>> y.scope
    'layer 1/neuron 3'

    Raises:
        TypeError: the name is not a string, or is empty.
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f"scope takes a name, such as scope('layer 1'), not {name!r}")
    return _Recording(inner=str.__str__(name))  # without the node, if it is the text of one


def observe(observer: Observer) -> _Recording:
    """Show every node made inside to ``observer(node, op, inputs)``, also those without a history.

    >>> from autodiff import Value, observe
    >>> seen = []
    >>> with observe(lambda node, op, inputs: seen.append(op.name)):
    ...     y = Value(2.0) * 3 + 1
    >>> seen
    ['multiply', 'add']
    """
    return _Recording(observer=observer)


_differentiated: ContextVar[int | None] = ContextVar("differentiated", default=None)
differentiated_since = (
    _differentiated.get
)  # the tick at which the outermost grad, vjp, ... of this context began, or None


@contextmanager
def differentiating(start: int) -> Iterator[None]:
    """A function is being differentiated: what is computed inside from its arguments must stay in the graph."""
    since = differentiated_since()
    token = _differentiated.set(start if since is None else since)
    try:
        yield
    finally:
        _differentiated.reset(token)


@contextmanager
def silent() -> Iterator[None]:
    """Switch NumPy's warnings off for all operations inside, instead of for each by itself: for loops of small ones.

    Nothing else changes, as no operation of the table ever warns.
    """
    with np.errstate(all="ignore"), _Recording(silent=True):
        yield
