"""Which moments can be had: base backups, the log behind each without a gap, and what was seen of the time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from envclone.errors import UsageError
from envclone.models import StoreSnapshot
from envclone.models.moments import By, Target
from envclone.models.tracked import Window
from envclone.protocols import Candidate
from envclone.stores.postgres.track import marks, segments
from envclone.stores.postgres.track.follow import about, folders
from envclone.stores.postgres.track.lsn import lsn_text, parse
from envclone.stores.postgres.track.segments import Segment

__all__ = ["Reach", "candidates", "needed", "reaches", "start_of", "windows"]


@dataclass(frozen=True, slots=True)
class Reach:
    """What one base leads to: from the end of its copy at `since` on, without a gap, to the position `end`.

    `until` is the last moment that production was seen before `end`. `found` are the files, one for each stretch and
    timeline.
    """

    base: str
    snapshot: StoreSnapshot
    start: int
    since: dt.datetime
    end: int
    until: dt.datetime
    found: tuple[Segment, ...]

    @property
    def copied(self) -> int:
        """The position that the base's copy ends at: nothing before it can be had from it."""
        return parse(self.snapshot.position)


def start_of(snapshot: StoreSnapshot) -> int:
    """The position that a base backup's recovery begins at."""
    return parse(str(snapshot.details["wal"]["start"]))


def reaches(place: Path, bases: Mapping[str, StoreSnapshot]) -> list[Reach]:
    """What each base leads to, oldest first; a base whose own end is not covered leads nowhere and is left out."""
    known = about(place)
    if known is None:
        return []
    _, size = known
    seen = marks.read(place)
    files = [one for folder in folders(place) for one in segments.segments(folder, size)]
    numbers: dict[int, list[Segment]] = {}
    for segment in files:
        numbers.setdefault(segment.number, []).append(segment)
    found = []
    for base, snapshot in sorted(bases.items(), key=lambda item: item[1].consistent_at):
        first = last = start_of(snapshot) // size
        while last + 1 in numbers and (last not in numbers or _leads_on(numbers[last], numbers[last + 1])):
            last += 1
        if first not in numbers:
            continue
        youngest = max(segment.timeline for segment in numbers[last])
        whole = any(segment.timeline == youngest and not segment.partial for segment in numbers[last])
        received = max((mark.received for mark in seen if mark.timeline == youngest), default=0)
        end = (last + 1) * size if whole else min((last + 1) * size, max(received, parse(snapshot.position)))
        at = [mark.at for mark in seen if mark.position <= end and mark.at >= snapshot.consistent_at]
        until = max(at, default=snapshot.consistent_at)
        if end >= parse(snapshot.position):
            kept = tuple(one for number in range(first, last + 1) for one in _chosen(numbers[number]))
            start = start_of(snapshot)
            found.append(Reach(base, snapshot, start, snapshot.consistent_at, end, until, kept))
    return found


def _leads_on(these: Sequence[Segment], those: Sequence[Segment]) -> bool:
    """Whether a stretch was received to its end, or a younger timeline has it: nothing is missing behind it."""
    youngest = max(segment.timeline for segment in those)
    return any(not segment.partial for segment in these) or any(segment.timeline < youngest for segment in these)


def _chosen(these: Sequence[Segment]) -> list[Segment]:
    """One file for each timeline: the whole one, where there are two."""
    by_timeline: dict[int, Segment] = {}
    for segment in sorted(these, key=lambda one: one.partial, reverse=True):
        by_timeline[segment.timeline] = segment
    return list(by_timeline.values())


def windows(place: Path, bases: Mapping[str, StoreSnapshot]) -> list[Window]:
    """The stretches of time whose every moment can be had, oldest first."""
    joined: list[Window] = []
    for reach in reaches(place, bases):
        one = Window(reach.since, reach.until, reach.snapshot.position, lsn_text(reach.end))
        if joined and one.since <= joined[-1].until:
            last = joined.pop()
            one = Window(last.since, max(last.until, one.until), last.start, lsn_text(max(parse(last.end), reach.end)))
        joined.append(one)
    return joined


def candidates(place: Path, bases: Mapping[str, StoreSnapshot], target: Target) -> list[Candidate]:
    """The bases that lead to a moment, nearest first; a transaction or a name may be behind any of them."""
    found = reaches(place, bases)
    if target.by is By.TIME:
        moment = dt.datetime.fromisoformat(target.value)
        timeline = target.timeline or next((m.timeline for m in marks.read(place) if m.at >= moment), 0)
        return [Candidate(one.base, timeline=timeline) for one in reversed(found) if one.since <= moment <= one.until]
    if target.by is By.LSN:
        position = parse(target.value)
        return [
            Candidate(one.base, timeline=target.timeline)
            for one in reversed(found)
            if one.copied <= position <= one.end
        ]
    if target.by is By.XID and not target.value.isdecimal():
        raise UsageError(f"'{target.value}' is no transaction's id", hint="as pg_current_xact_id() prints it")
    later: int | None = None
    behind = []
    for one in reversed(found):
        behind.append(Candidate(one.base, later, target.timeline))
        later = one.copied
    return behind


def needed(place: Path, snapshot: StoreSnapshot, until: int | None) -> tuple[Segment, ...]:
    """The files that a base's recovery reads, to behind `until` where that is given."""
    known = about(place)
    for reach in reaches(place, {"": snapshot}) if known else ():
        last = None if until is None or known is None else until // known[1] + 1
        return tuple(one for one in reach.found if last is None or one.number <= last)
    return ()
