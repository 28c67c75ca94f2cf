"""What production was followed for: its stores' feeds, and the stretches of time whose every moment can be had."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Feed", "Now", "Track", "Window", "spoken"]


@dataclass(frozen=True, slots=True)
class Now:
    """Where a store of production is: how far its clock is ahead of ours, and the bytes written since a snapshot."""

    ahead: dt.timedelta
    written: int


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time whose every moment can be had, in production's clock, with its ends as positions."""

    since: dt.datetime
    until: dt.datetime
    start: str = ""
    end: str = ""

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%d %H:%M:%S} to {self.until:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True, slots=True)
class Feed:
    """One store's stream of changes; `slot` is the name that production holds it back under."""

    kind: str
    slot: str


@dataclass(frozen=True, slots=True)
class Track:
    """The record of an environment's track: its stores' feeds, written before production is asked for anything."""

    id: str
    environment: str
    created_at: dt.datetime
    feeds: Mapping[str, Feed]
    project: str = ""


def spoken(windows: Sequence[Window]) -> str:
    """Windows for people."""
    return "; ".join(map(str, windows)) or "none yet"
