"""What one session may take: calls, time, sizes, branches; and how large a call's arguments may be."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from envclone.errors import BusyError, UsageError

__all__ = ["Limits", "Meter", "require_small"]

_DEEPEST = 24
_MOST_NODES = 20_000
_LONGEST = 100_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a session.

    `concurrent` calls run at once and `waiting` more may wait for them. `seconds` is the longest that a question may
    take, `long_seconds` a branch, a replay or a diagnosis. `bytes` and `rows` bound a result, `characters` one value in
    it. `ttl` is how long a branch outlives its last use when its session was killed.
    """

    calls_per_minute: int = 300
    concurrent: int = 8
    waiting: int = 200
    seconds: float = 30.0
    long_seconds: float = 600.0
    bytes: int = 256 << 10
    rows: int = 200
    characters: int = 4000
    branches: int = 1
    ttl: dt.timedelta = dt.timedelta(hours=1)


class Meter:
    """Counts the calls of the last minute."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._calls: deque[float] = deque()
        self._lock = threading.Lock()

    def count(self) -> None:
        """Count one call. Raises BusyError when it is one too many, and does not count it."""
        with self._lock:
            now = self._clock()
            while self._calls and self._calls[0] <= now - 60:
                self._calls.popleft()
            if len(self._calls) >= self._most:
                wait = max(1, round(self._calls[0] + 60 - now))
                raise BusyError(f"more than {self._most} calls in a minute", hint=f"call again in {wait} s")
            self._calls.append(now)


def require_small(arguments: Any) -> None:
    """Raise UsageError for arguments that are nested too deep, too many, or too long."""
    pending, seen = [(arguments, 0)], 0
    while pending:
        value, depth = pending.pop()
        seen += 1
        if depth > _DEEPEST:
            raise UsageError(f"the arguments are nested deeper than {_DEEPEST} levels", hint="ask for less at once")
        if seen > _MOST_NODES:
            raise UsageError(f"the arguments hold more than {_MOST_NODES} values", hint="ask for less at once")
        if isinstance(value, str) and len(value) > _LONGEST:
            raise UsageError(f"an argument is longer than {_LONGEST} characters", hint="ask for less at once")
        if isinstance(value, dict):
            pending += [(item, depth + 1) for pair in value.items() for item in pair]
        elif isinstance(value, list):
            pending += [(item, depth + 1) for item in value]
