"""The slot that holds production's log back for the track, and one look at where production is."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envclone.errors import BusyError, UnreachableError, UnsafeError
from envclone.stores.postgres.snapshot.source import open_source
from envclone.stores.postgres.track.lsn import parse

if TYPE_CHECKING:
    import psycopg

__all__ = ["APPLICATION", "Look", "create", "drop", "look", "require_not_waited_for"]

APPLICATION = "envclone track"
"""What production sees us as."""

_SLOT = re.compile(r"[a-z0-9_]{1,63}")

_LOOK = (
    "SELECT pg_catalog.clock_timestamp(),"
    " CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()"
    " ELSE pg_catalog.pg_current_wal_insert_lsn() END::pg_catalog.text,"
    " CASE WHEN pg_catalog.pg_is_in_recovery()"
    " THEN (SELECT timeline_id::pg_catalog.text FROM pg_catalog.pg_control_checkpoint())"
    " ELSE pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()) END,"
    " slots.slot_name IS NOT NULL, slots.active, slots.restart_lsn::pg_catalog.text, slots.wal_status,"
    " senders.write_lsn::pg_catalog.text,"
    " pg_catalog.current_setting('synchronous_standby_names'),"
    " (SELECT setting::pg_catalog.int8 FROM pg_catalog.pg_settings"
    " WHERE name OPERATOR(pg_catalog.=) 'wal_segment_size')"
    ", (SELECT redo_lsn::pg_catalog.text FROM pg_catalog.pg_control_checkpoint())"
    " FROM (SELECT 1) AS one"
    " LEFT JOIN pg_catalog.pg_replication_slots AS slots ON slots.slot_name OPERATOR(pg_catalog.=) %s"
    " LEFT JOIN pg_catalog.pg_stat_replication AS senders ON senders.pid OPERATOR(pg_catalog.=) slots.active_pid"
)


@dataclass(frozen=True, slots=True)
class Look:
    """Where production is: `position` ends its log, `restart` is what the slot holds back from, `written` what it sent.

    `redo` is what production keeps for itself, to recover from its last checkpoint. `segment` is the size of a file of
    the log in bytes; `lost` says that the slot was invalidated.
    """

    at: dt.datetime
    position: int
    timeline: int
    there: bool
    active: bool
    lost: bool
    restart: int | None
    written: int | None
    synchronous: str
    segment: int
    redo: int

    @property
    def held(self) -> int:
        """Bytes of the log that production keeps for the slot alone."""
        return max(0, self.redo - self.restart) if self.restart else 0


def look(conn: psycopg.Connection[Any], slot: str) -> Look:
    """Ask production, in one statement. Raises UnreachableError when the connection is gone."""
    import psycopg

    try:
        row = conn.execute(_LOOK, [slot]).fetchone()
    except psycopg.Error as exc:
        raise UnreachableError(f"production does not answer: {str(exc).strip().splitlines()[0]}") from exc
    assert row is not None
    at, position, file, there, active, restart, status, written, synchronous, segment, redo = row
    here = _end(parse(position), segment)
    return Look(
        at=at.astimezone(dt.UTC),
        position=here,
        timeline=int(file[:8], 16) if len(file) == 24 else int(file),
        there=there,
        active=bool(active),
        lost=status == "lost" or (there and restart is None),
        restart=parse(restart) if restart else None,
        written=parse(written) if written else None,
        synchronous=synchronous or "",
        segment=segment,
        redo=parse(redo),
    )


def _end(position: int, segment: int) -> int:
    """Where the last record ends: the next one would come behind the header of a page that is not there yet."""
    page = position % 8192
    header = 40 if position % segment < 8192 else 24
    return position - page if page == header else position


def require_not_waited_for(synchronous: str) -> None:
    """Refuse a production whose commits would wait until we have written what they log. Raises UnsafeError."""
    names = re.findall(r'"((?:[^"]|"")*)"|([^\s,()]+)', synchronous)
    said = {(quoted or plain).lower() for quoted, plain in names}
    if {"*", APPLICATION} & said:
        raise UnsafeError(
            f"production's synchronous_standby_names is '{synchronous}': its commits would wait for the track",
            hint="name its standbys there one by one; a track must never hold a commit up",
        )


def create(dsn: str, slot: str) -> None:
    """Make the slot, which holds the log back from the last checkpoint on. Raises UnreachableError, BusyError."""
    _command(dsn, f'CREATE_REPLICATION_SLOT "{_checked(slot)}" PHYSICAL RESERVE_WAL')


def drop(dsn: str, slot: str) -> bool:
    """Drop the slot, as soon as nothing receives by it; False when there is none. Raises UnreachableError."""
    try:
        _command(dsn, f'DROP_REPLICATION_SLOT "{_checked(slot)}" WAIT')
    except UnreachableError as exc:
        if "does not exist" in exc.message:
            return False
        raise
    return True


def _command(dsn: str, text: str) -> None:
    from psycopg.pq import ExecStatus

    with contextlib.closing(open_source(dsn, pins={}, replication="true", application_name=APPLICATION)) as conn:
        result = conn.pgconn.exec_(text.encode())
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            said = (result.error_message or b"").decode(errors="replace").strip().splitlines()
            words = (said[0] if said else "no answer").removeprefix("ERROR:").strip()
            if "all replication slots are in use" in words:
                raise BusyError(
                    "production has no replication slot left for the track", hint="raise max_replication_slots there"
                )
            raise UnreachableError(f"production refuses the track's slot: {words}")


def _checked(slot: str) -> str:
    if not _SLOT.fullmatch(slot):
        raise UnsafeError(f"'{slot}' is no name of a replication slot", hint="the track's record was changed by hand")
    return slot
