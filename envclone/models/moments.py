"""A moment of production between two snapshots: how it is asked for, and what was reached."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["By", "Moment", "Reached", "Target"]


class By(StrEnum):
    """What names a moment."""

    TIME = "time"
    LSN = "lsn"
    XID = "xid"
    POINT = "restore point"


@dataclass(frozen=True, slots=True)
class Target:
    """The moment that is asked for: a time (ISO 8601, UTC), an LSN, a transaction's id or a restore point's name.

    With `inclusive` what ended at that very moment is there, else it is not. `timeline` 0 is the one that the moment
    lies on by what the track saw.
    """

    by: By
    value: str
    inclusive: bool = True
    timeline: int = 0

    def __str__(self) -> str:
        return f"{'' if self.inclusive else 'just before '}{self.by} {self.value}"


@dataclass(frozen=True, slots=True)
class Reached:
    """What one store of a moment is: its position and time there, and the timeline that the position is of.

    `exact` says that its changes were replayed to that moment; else it is the nearest snapshot before it, `apart`
    seconds away. `reason` is the engine's own word for where it stopped.
    """

    position: str
    at: dt.datetime
    timeline: int = 0
    reason: str = ""
    exact: bool = True
    apart: float = 0.0


@dataclass(frozen=True, slots=True)
class Moment:
    """What was asked for, the base backup that it was recovered from, and what each store reached."""

    asked: Target
    base: str
    stores: Mapping[str, Reached]
