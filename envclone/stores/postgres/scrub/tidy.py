"""What does not belong in a clone's data directory goes: keys, logs, slots, recovery's signals, anything unknown."""

from __future__ import annotations

import shutil
from pathlib import Path

from envclone.models import Change

__all__ = ["tidy"]

_KEPT = {
    "PG_VERSION", "base", "global", "pg_commit_ts", "pg_dynshmem", "pg_logical", "pg_multixact", "pg_notify",
    "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat", "pg_stat_tmp", "pg_subtrans", "pg_tblspc", "pg_twophase",
    "pg_wal", "pg_xact", "backup_label", "tablespace_map",
    "postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf",
}  # fmt: skip
"""All that the server itself keeps there (and the files that envclone writes); everything else is removed."""

_EMPTIED = ("pg_replslot", "pg_stat", "pg_stat_tmp", "pg_dynshmem", "pg_notify", "pg_snapshots", "pg_wal/summaries",
            "pg_logical/mappings", "pg_logical/snapshots", "base/pgsql_tmp")  # fmt: skip
_REASONS = {
    "recovery.signal": "the clone is not a standby and recovers from nothing",
    "standby.signal": "the clone is not a standby and recovers from nothing",
    "backup_label.old": "left over from a base backup",
    "pg_replslot": "a slot would hold back the clone's log for production's consumers",
    "pg_stat": "statistics can hold the text of production's queries",
    "pg_stat_tmp": "statistics can hold the text of production's queries",
}


def tidy(data: Path) -> tuple[Change, ...]:
    """Remove what a clone must not have from a stopped server's data directory and say what it was.

    A `Change` names a file as `file:<path>`, its production value `present` or the number of entries.
    """
    changes: list[Change] = []
    for entry in sorted(data.iterdir()):
        if entry.name in _KEPT:
            continue
        _remove(entry)
        changes.append(
            Change(
                f"file:{entry.name}", "present", None, _REASONS.get(entry.name, "not part of a data directory's data")
            )
        )
    spaces = [f"pg_tblspc/{space.name}/{version.name}/pgsql_tmp"
              for space in sorted((data / "pg_tblspc").iterdir())
              for version in sorted(space.glob("PG_*"))]  # fmt: skip
    for name in (*_EMPTIED, *spaces):
        folder = data / name
        entries = sorted(folder.iterdir()) if folder.is_dir() else []
        for entry in entries:
            _remove(entry)
        if entries:
            reason = _REASONS.get(name, "temporary")
            changes.append(Change(f"file:{name}/*", f"{len(entries)} entries", None, reason))
    return tuple(changes)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
