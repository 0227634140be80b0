"""A bounded pool of replays: each is used by one thread at a time, and its buffers are used again."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import RLock
from typing import Any

_IDLE = 8  # of a kind: as many as are used at once, more or less


class Pool:
    """Idle replays by what they are for (the size of the batch); the kind that was made first is let go.

    >>> pool = Pool(maxsize=1)
    >>> pool.take("small", lambda kind: f"a new one, {kind}")
    'a new one, small'
    >>> pool.give("small", "an old one")
    >>> pool.take("small", lambda kind: f"a new one, {kind}")
    'an old one'
    """

    def __init__(self, maxsize: int) -> None:
        self.maxsize = maxsize
        self._idle: dict[Hashable, list[Any]] = {}
        self._lock = RLock()  # the collector may free a pull, which gives its replay back, at any time

    def take(self, kind: Hashable, make: Callable[[Any], Any], is_free: Callable[[Any], bool] | None = None) -> Any:
        """An idle replay (of which ``is_free`` holds), or a new one."""
        try:
            idle = self._idle[kind]
            replay = idle.pop()  # in one step, whatever other threads do
            if is_free is None or is_free(replay):
                return replay
            idle.insert(0, replay)
            for _ in range(len(idle) - 1):
                if is_free(replay := idle.pop()):
                    return replay
                idle.insert(0, replay)
        except (KeyError, IndexError):
            pass
        return make(kind)

    def give(self, kind: Hashable, replay: Any) -> None:
        """Give a replay back. (One that raised in the middle is not given back.)"""
        idle = self._idle.get(kind)
        if idle is None:
            with self._lock:
                idle = self._idle.setdefault(kind, [])
                while len(self._idle) > self.maxsize:
                    del self._idle[next(iter(self._idle))]
        if len(idle) < _IDLE:
            idle.append(replay)

    def __len__(self) -> int:
        return sum(map(len, list(self._idle.values())))
