"""Ctrl-C in the middle of training: what has begun is finished first."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Interrupt:
    """Holds Ctrl-C (SIGINT) back while a program is inside ``with Interrupt() as interrupt:``.

    The first one is only counted, for the program to look at (``if interrupt.count``) where everything it does is
    whole. A second one raises KeyboardInterrupt at once, but only inside ``with interrupt.leave:``, around what
    may be broken off anywhere, such as a forward pass; not while weights are being changed (``with
    interrupt.stay:`` closes it meanwhile).

    Signals are left alone outside the main thread, where Python does not deliver them, and where SIGINT is
    ignored or handled by something other than Python. What was there before is put back at the end, and Ctrl-C
    that nobody has looked at by then is handed on to it.

    >>> with Interrupt() as interrupt:
    ...     signal.raise_signal(signal.SIGINT)
    ...     print(interrupt.count)
    ...     interrupt.count = 0
    1
    """

    def __init__(self) -> None:
        self.count = 0
        self.leave = _Leave()
        self.stay = _Stay(self.leave)
        self._before: Any = None

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
            self._before = signal.getsignal(signal.SIGINT)
            signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.leave.open = False
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        if self.count and kind is None:
            self.deliver("training was interrupted at its end")

    def deliver(self, message: str) -> None:
        """Do what Ctrl-C asks for: raise KeyboardInterrupt, or call the handler that the program has for it."""
        self.count = 0
        ours = isinstance(getattr(self._before, "__self__", None), Interrupt)
        if ours or self._before in (None, signal.default_int_handler):
            raise KeyboardInterrupt(message)
        self._before(signal.SIGINT, None)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 1 and self.leave.open:
            self.leave.open = False  # once is enough: what cleans up on the way out must not be broken off
            self.deliver("training was broken off by a second Ctrl-C, after its last whole step")
            self.leave.open = True


class _Leave:
    """Whether a second Ctrl-C may raise at once: inside ``with leave:``."""

    __slots__ = ("open",)

    def __init__(self) -> None:
        self.open = False

    def __enter__(self) -> None:
        self.open = True

    def __exit__(self, *error: object) -> None:
        self.open = False


class _Stay:
    """Inside ``with stay:``, within ``with leave:``, it may not."""

    __slots__ = ("leave", "was")

    def __init__(self, leave: _Leave) -> None:
        self.leave, self.was = leave, False

    def __enter__(self) -> None:
        self.was, self.leave.open = self.leave.open, False

    def __exit__(self, *error: object) -> None:
        self.leave.open = self.was
