"""Whether a raw snapshot of a PostgreSQL is in the state of an earlier one: what may differ, and why it holds no value.

Every file must be the same bytes but for these:

- `pg_wal/`: the log is replayed by the first start of a clone. It may hold records that change no page and end no
  transaction (checkpoints, the end of a backup, a switch, a list of running transactions), and no other.
- `backup_label`: where that replay begins, and when the backup did; written by PostgreSQL in a fixed form.
- in `global/pg_control`: where and when the last checkpoint was, how far a recovery goes, and the checksum over it.

Nothing of these comes into an image that is taken over: that has its own log and its own control file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envclone import process
from envclone.errors import EnvcloneError
from envclone.models import StoreSnapshot
from envclone.protocols import Same, Since
from envclone.stores.equal import Equal
from envclone.stores.postgres.server import control
from envclone.stores.postgres.server.engine import for_snapshot

__all__ = ["same"]

_OF_THE_COPY = frozenset({"ran", "wal", "refresh", "frozen"})
"""What a snapshot's record says of the copying, not of production."""
_LABEL, _CONTROL, _LOG = "data/backup_label", "data/global/pg_control", "data/pg_wal/"
_MAY_DIFFER = (
    (24, 48),  # when it was written, the last checkpoint and where replay begins
    (104, 112),  # when that checkpoint was
    (120, 128),  # the oldest transaction that ran then
    (128, 136),  # the counter that stands for positions in unlogged tables
    (136, 168),  # how far a recovery must go, and where a backup began and ended
)
"""Ranges of `ControlFileData` (src/include/catalog/pg_control.h of PostgreSQL 14 to 18), before its checksum."""
_RECORD = re.compile(r"rmgr: (\S+) .* desc: (\S+)")
_HARMLESS = frozenset(
    {
        ("XLOG", "CHECKPOINT_ONLINE"), ("XLOG", "CHECKPOINT_SHUTDOWN"), ("XLOG", "CHECKPOINT_REDO"),
        ("XLOG", "BACKUP_END"), ("XLOG", "SWITCH"), ("XLOG", "NOOP"), ("XLOG", "RESTORE_POINT"),
        ("Standby", "RUNNING_XACTS"),
    }
)  # fmt: skip
"""Records that change no page, no transaction's end and no counter."""


def same(snapshot: StoreSnapshot, place: Path, since: Since) -> Same:
    """Whether the snapshot in `place` is in the state of the earlier one, or the first thing that is not."""
    before = since.snapshot
    if (snapshot.method, snapshot.engine_version) != (before.method, before.engine_version):
        return Same("it was copied in another way, or from another version")
    if _described(snapshot) != _described(before):
        return Same("production's settings, databases or extensions are others")
    equal = Equal()
    for name, why in equal.of_trees(since.place, place, _left_out):
        return Same(f"{name} {why}")
    if not _same_control(since.place / _CONTROL, place / _CONTROL, control.end_of(place / "data")):
        return Same(f"{_CONTROL} tells of transactions, or of another cluster")
    if why := _replayed(snapshot, place):
        return Same(why)
    return Same("", equal.files, equal.bytes, equal.read)


def _described(snapshot: StoreSnapshot) -> Mapping[str, Any]:
    return {key: value for key, value in snapshot.details.items() if key not in _OF_THE_COPY}


def _left_out(name: str) -> bool:
    return name in (_LABEL, _CONTROL) or name.startswith(_LOG)


def _same_control(one: Path, other: Path, end: int) -> bool:
    def kept(path: Path) -> bytes:
        data = bytearray(path.read_bytes())
        for first, last in (*_MAY_DIFFER, (end - 4, end)):
            data[first:last] = bytes(last - first)
        return bytes(data)

    return kept(one) == kept(other)


def _replayed(snapshot: StoreSnapshot, place: Path) -> str:
    """Why the log that a clone replays may change something; '' when it does not."""
    state = control.read(place / "data").state
    if not (place / _LABEL).exists():
        return "" if state is control.State.SHUT_DOWN else "it was not stopped cleanly"
    wal = dict(snapshot.details.get("wal") or {})
    if not wal.get("start") or not wal.get("end"):
        return "its record does not say which log belongs to it"
    try:
        program = for_snapshot(snapshot).program("pg_waldump")
        done = process.run(
            [program, "--path", place / "data" / "pg_wal", "--timeline", str(wal.get("timeline") or 1),
             "--start", wal["start"], "--end", wal["end"]]
        )  # fmt: skip
    except EnvcloneError as exc:
        return f"its log cannot be read: {exc.message}"
    lines = done.stdout.splitlines()
    found = [_RECORD.search(line) for line in lines]
    if not lines or not all(found):
        return "its log cannot be read"
    kinds = [match.groups() for match in found if match]
    other = next((kind for kind in kinds if kind not in _HARMLESS), None)
    if other is not None:
        return f"its log changes something ({other[0]} {other[1]})"
    standby = state is not control.State.IN_PRODUCTION  # it writes no end of a backup
    return "" if standby or ("XLOG", "BACKUP_END") in kinds else "its log does not reach the backup's end"
