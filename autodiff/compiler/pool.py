"""A bounded pool of replays: each is used by one thread at a time, and its buffers are used again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any


class Pool:
    """Idle replays by what they are for; the least recently used kinds are let go.

    >>> pool = Pool(maxsize=1)
    >>> pool.take("small", lambda: "a new one")
    'a new one'
    >>> pool.give("small", "an old one")
    >>> pool.take("small", lambda: "a new one")
    'an old one'
    """

    def __init__(self, maxsize: int) -> None:
        self.maxsize = maxsize
        self._idle: OrderedDict[Hashable, list[Any]] = OrderedDict()
        self._lock = Lock()

    def take(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """An idle replay, or a new one."""
        with self._lock:
            idle = self._idle.get(key)
            if idle:
                return idle.pop()
        return make()

    def give(self, key: Hashable, replay: Any) -> None:
        """Give a replay back. (One that raised in the middle is not given back.)"""
        with self._lock:
            self._idle.setdefault(key, []).append(replay)
            self._idle.move_to_end(key)
            if len(self._idle) > self.maxsize:
                self._idle.popitem(last=False)

    def __len__(self) -> int:
        return sum(map(len, self._idle.values()))
