"""What time it is in the data that a session sees: a standby shows what it has replayed."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

__all__ = ["of"]

_MOMENT = """
    SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.clock_timestamp()
                WHEN pg_catalog.pg_last_wal_receive_lsn() OPERATOR(pg_catalog.=) pg_catalog.pg_last_wal_replay_lsn()
                THEN pg_catalog.clock_timestamp()
                ELSE coalesce(pg_catalog.pg_last_xact_replay_timestamp(), pg_catalog.clock_timestamp()) END,
           CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                ELSE pg_catalog.pg_current_wal_lsn() END
"""
"""A standby that has replayed all that it received shows the present; else it shows the last transaction's moment."""


def of(conn: psycopg.Connection[Any]) -> tuple[dt.datetime, str]:
    """The moment by the source's clock, and the position in its log."""
    row = conn.execute(_MOMENT).fetchone()
    assert row is not None
    return row[0].astimezone(dt.UTC), str(row[1])
