"""On what terms an incident's steps run in production."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Terms"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a recording may take of production.

    `seconds` is the longest that a step may run, `lock_seconds` that it may wait for a lock; `rows` and `bytes` are the
    most that it may return. `allowed` are functions that the operator vouches for.
    """

    seconds: float = 60.0
    lock_seconds: float = 5.0
    rows: int = 100_000
    bytes: int = 32 << 20
    allowed: frozenset[str] = frozenset()
