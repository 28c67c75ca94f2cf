"""Whether anything in a sanitized clone could still reach out or let somebody in: what `defang` did, asked again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, LiteralString

import psycopg

from envclone.stores.postgres.rights import demotion
from envclone.stores.postgres.rights.logins import Login
from envclone.stores.postgres.scrub import defang

__all__ = ["armed"]

Connection = psycopg.Connection[tuple[Any, ...]]
Connect = Callable[..., AbstractContextManager[Connection]]

_LEFT: Mapping[str, LiteralString] = {
    "roles have passwords": "SELECT pg_catalog.count(*) FROM pg_catalog.pg_authid WHERE rolpassword IS NOT NULL",
    "subscriptions are left": "SELECT pg_catalog.count(*) FROM pg_catalog.pg_subscription",
    "replication origins are left": "SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_origin",
    "replication slots are left": "SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots",
    "prepared transactions are left": "SELECT pg_catalog.count(*) FROM pg_catalog.pg_prepared_xacts",
    "user mappings are left": "SELECT pg_catalog.count(*) FROM pg_catalog.pg_user_mapping",
    "event triggers are enabled": "SELECT pg_catalog.count(*) FROM pg_catalog.pg_event_trigger"
    " WHERE evtenabled OPERATOR(pg_catalog.<>) 'D'::pg_catalog.\"char\"",
}
"""What there must be none of, and how it is counted."""


def armed(connect: Connect, database: str) -> list[str]:
    """What is left, each with its number; nothing when the clone is disarmed. Nothing is written."""
    with connect(autocommit=True, login=Login.OPERATOR) as conn:
        found = {what: _count(conn, query) for what, query in _LEFT.items()}
        found["foreign servers name another machine or hold a secret"] = defang.leading_out(conn)
        found["settings of roles or databases load libraries or hold secrets"] = demotion.acting(conn)
        rows = conn.execute("SELECT datname, datallowconn FROM pg_catalog.pg_database ORDER BY oid").fetchall()
    found["scheduled jobs, or what their runs said, are left"] = defang.scheduled(connect)
    own = {name for name, _ in rows if name in (*defang.MAINTENANCE, database)}
    found["other databases are left"] = len(rows) - len(own)

    def look(name: str) -> tuple[int, bool]:
        with connect(dbname=name, autocommit=True, login=Login.OPERATOR) as conn:
            return defang.sampled(conn), name != database and defang.used(conn)

    names = [name for name, open_ in rows if open_ and name in own]
    with ThreadPoolExecutor(len(names)) as pool:
        for name, (samples, filled) in zip(names, pool.map(look, names), strict=True):
            found[f"samples of catalogs that hold secrets are left in {name}"] = samples
            found[f"maintenance databases hold something: {name}"] = filled
    return [f"{count:d} {what}" for what, count in found.items() if count]


def _count(conn: Connection, query: LiteralString) -> int:
    row = conn.execute(query).fetchone()
    return int(row[0]) if row else 0
