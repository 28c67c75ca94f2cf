"""Which moments base backups and a log without a gap lead to."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from envclone.models import StoreSnapshot
from envclone.models.moments import By, Target
from envclone.stores.postgres.track import follow, marks, windows
from envclone.stores.postgres.track.lsn import file_name, lsn_text

SIZE = 1 << 20
START = dt.datetime(2026, 11, 28, 10, tzinfo=dt.UTC)


def at(minute: float) -> dt.datetime:
    return START + dt.timedelta(minutes=minute)


def base(number: int, minute: float) -> StoreSnapshot:
    """A base backup whose copy lies in one segment."""
    wal = {"start": lsn_text(number * SIZE + 100), "end": lsn_text(number * SIZE + 200), "timeline": 1}
    return StoreSnapshot("main", "postgres", "physical", "18.4", at(minute), 1.0, 1, 1, wal["end"], {"wal": wal})


def track(tmp_path: Path, *files: str) -> Path:
    """A place with segments (`7`, `7p` for a partial one, `7t2` for one of timeline 2) and a look at each of them."""
    incoming, wal = follow.folders(tmp_path)
    incoming.mkdir()
    wal.mkdir()
    (tmp_path / follow.ABOUT).write_text(json.dumps({"system": "1", "segment": SIZE}))
    for file in files:
        timeline = int(file.partition("t")[2] or 1)
        number = int(file.partition("t")[0].removesuffix("p"))
        folder, suffix = (incoming, ".partial") if "p" in file else (wal, ".gz")
        (folder / (file_name(timeline, number, SIZE) + suffix)).touch()
        position = number * SIZE + 500
        marks.append(tmp_path, marks.Mark(at(number), position, timeline, position))
    return tmp_path


def test_a_window_is_from_a_base_to_what_was_seen_last(tmp_path: Path) -> None:
    place = track(tmp_path, "3", "4", "5p")
    [window] = windows.windows(place, {"a": base(3, 3)})
    assert (window.since, window.until) == (at(3), at(5))
    assert window.end == lsn_text(5 * SIZE + 500)


def test_what_was_not_received_is_in_no_window(tmp_path: Path) -> None:
    place = track(tmp_path, "3", "4p")
    marks.append(place, marks.Mark(at(6), 4 * SIZE + 900, 1, 4 * SIZE + 500))
    [window] = windows.windows(place, {"a": base(3, 3)})
    assert window.until == at(4)


def test_a_gap_parts_windows(tmp_path: Path) -> None:
    place = track(tmp_path, "3", "4", "7", "8p")
    first, second = windows.windows(place, {"a": base(3, 3), "b": base(7, 7)})
    assert (first.since, first.until, second.since, second.until) == (at(3), at(4), at(7), at(8))
    target = Target(By.TIME, at(5).isoformat())
    assert windows.candidates(place, {"a": base(3, 3), "b": base(7, 7)}, target) == []


def test_a_partial_segment_leads_nowhere_unless_another_timeline_has_it(tmp_path: Path) -> None:
    place = track(tmp_path, "3", "4p", "5")
    [window] = windows.windows(place, {"a": base(3, 3)})
    assert window.until == at(4)
    (place / "wal" / (file_name(2, 4, SIZE) + ".gz")).touch()
    (place / "wal" / (file_name(2, 5, SIZE) + ".gz")).touch()
    [window] = windows.windows(place, {"a": base(3, 3)})
    assert window.until == at(5)


def test_the_nearest_base_comes_first(tmp_path: Path) -> None:
    place = track(tmp_path, "3", "4", "5", "6p")
    bases = {"a": base(3, 3), "b": base(5, 5)}
    [window] = windows.windows(place, bases)
    assert (window.since, window.until) == (at(3), at(6))
    for target, wanted in (
        (Target(By.TIME, at(5.5).isoformat()), ["b", "a"]),
        (Target(By.TIME, at(4.5).isoformat()), ["a"]),
        (Target(By.LSN, lsn_text(5 * SIZE + 300)), ["b", "a"]),
        (Target(By.LSN, lsn_text(5 * SIZE + 150)), ["a"]),  # within the copy of b
        (Target(By.LSN, lsn_text(9 * SIZE)), []),
        (Target(By.XID, "7"), ["b", "a"]),
    ):
        assert [one.base for one in windows.candidates(place, bases, target)] == wanted, target
    newest, older = windows.candidates(place, bases, Target(By.POINT, "x"))
    assert newest.until is None and older.until == 5 * SIZE + 200  # what lies behind b was looked through


def test_the_timeline_is_the_one_that_was_seen(tmp_path: Path) -> None:
    place = track(tmp_path, "3", "4", "4t2", "5t2")
    bases = {"a": base(3, 3)}
    [before] = windows.candidates(place, bases, Target(By.TIME, at(3.5).isoformat()))
    [after] = windows.candidates(place, bases, Target(By.TIME, at(4.5).isoformat()))
    assert (before.timeline, after.timeline) == (1, 2)


def test_a_base_without_its_log_leads_nowhere(tmp_path: Path) -> None:
    place = track(tmp_path, "5", "6p")
    assert windows.windows(place, {"a": base(3, 3)}) == []
    assert windows.windows(tmp_path / "nothing", {"a": base(3, 3)}) == []


def test_a_line_of_looks_that_was_cut_short_counts_for_nothing(tmp_path: Path) -> None:
    for minute in range(8):
        marks.append(tmp_path, marks.Mark(at(minute), minute, 1, minute))
    with (tmp_path / marks.MARKS).open("a") as file:
        file.write("[17643")
    assert len(marks.read(tmp_path)) == 8
    marks.keep(tmp_path, at(6))
    assert [mark.at for mark in marks.read(tmp_path)] == [at(6), at(7)]
