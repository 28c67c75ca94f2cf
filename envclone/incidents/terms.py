"""On what terms an incident's steps run in production."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Terms"]


def _nobody(said: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a recording may take of production.

    `seconds` is the longest that a step may run, `lock_seconds` that it may wait for a lock; `rows` and `bytes` are the
    most that it may return. `allowed` are functions that the operator vouches for. `waiting` is told whose lock a step
    waits for, from time to time, from another thread.
    """

    seconds: float = 60.0
    lock_seconds: float = 5.0
    rows: int = 100_000
    bytes: int = 32 << 20
    allowed: frozenset[str] = frozenset()
    waiting: Callable[[str], None] = field(default=_nobody, compare=False)
