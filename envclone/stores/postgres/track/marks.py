"""When production was where in its log: one line for each look, in a file beside the log."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from envclone.private import write_private

__all__ = ["MARKS", "Mark", "append", "keep", "read"]

MARKS = "marks.jsonl"


@dataclass(frozen=True, slots=True)
class Mark:
    """At `at` (production's clock) the log ended at `position` of `timeline`; `received` is how far the pool has it."""

    at: dt.datetime
    position: int
    timeline: int
    received: int


def append(place: Path, mark: Mark) -> None:
    """Add a look to the file."""
    line = json.dumps([mark.at.timestamp(), mark.position, mark.timeline, mark.received])
    descriptor = os.open(place / MARKS, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{line}\n")


def read(place: Path) -> list[Mark]:
    """All looks, oldest first; a line that was cut short when a machine went down counts for nothing."""
    return list(_lines(place / MARKS))


def keep(place: Path, since: dt.datetime) -> None:
    """Forget looks before a moment; once they are a good part of the file."""
    found = read(place)
    kept: Sequence[Mark] = [mark for mark in found if mark.at >= since]
    if len(kept) < len(found) * 0.75:
        text = "".join(f"{json.dumps([m.at.timestamp(), m.position, m.timeline, m.received])}\n" for m in kept)
        write_private(place / MARKS, text)


def _lines(path: Path) -> Iterator[Mark]:
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return
    for line in text.splitlines():
        try:
            at, position, timeline, received = json.loads(line)
            yield Mark(dt.datetime.fromtimestamp(at, dt.UTC), int(position), int(timeline), int(received))
        except (ValueError, TypeError, OverflowError):
            continue
