"""What is being recorded here and now: switched on or off, under which scope, watched by whom.

The state lives in one context variable, so it is local to the thread and to the asynchronous task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

Observer = Callable[[Any, Any, tuple[Any, ...]], None]

# (are operations recorded, the path of scopes, a function shown every new node or None)
_recording: ContextVar[tuple[bool, str, Observer | None]] = ContextVar("recording", default=(True, "", None))
current = _recording.get


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


@contextmanager
def _recording_as(
    enabled: bool | None = None, inner: str | None = None, observer: Observer | None = None
) -> Iterator[None]:
    was_enabled, path, was_observer = current()
    if inner is not None:
        path = f"{path}/{inner}" if path else inner
    if observer is not None and was_observer is not None:
        observer = _Both(was_observer, observer)
    token = _recording.set((was_enabled if enabled is None else enabled, path, observer or was_observer))
    try:
        yield
    finally:
        _recording.reset(token)


def no_grad() -> AbstractContextManager[None]:
    """Compute without recording: results inside are constants. Also a decorator of ordinary functions.

    >>> from autodiff import Value, no_grad
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.requires_grad
    False
    """
    return _recording_as(enabled=False)


def enable_grad() -> AbstractContextManager[None]:
    """Record again, inside ``no_grad()``.

    >>> from autodiff import Value, enable_grad, no_grad
    >>> with no_grad(), enable_grad():
    ...     y = Value(3.0) * 2
    >>> y.requires_grad
    True
    """
    return _recording_as(enabled=True)


def scope(name: str) -> AbstractContextManager[None]:
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
    return _recording_as(inner=name)


def observe(observer: Observer) -> AbstractContextManager[None]:
    """Show every node made inside to ``observer(node, op, inputs)``, also those without a history.

    >>> from autodiff import Value, observe
    >>> seen = []
    >>> with observe(lambda node, op, inputs: seen.append(op.name)):
    ...     y = Value(2.0) * 3 + 1
    >>> seen
    ['multiply', 'add']
    """
    return _recording_as(observer=observer)
