"""Leaving no row version that nobody sees: VACUUM of every database before the private server stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import psycopg
from psycopg import sql

from envclone.errors import UnsafeError
from envclone.stores.postgres.rights.logins import Login

__all__ = ["count_anew", "every_database_open", "release_horizon", "vacuum_catalogs"]

Connection = psycopg.Connection[tuple[Any, ...]]
Connect = Callable[..., AbstractContextManager[Connection]]

_AT_ONCE = 4
"""Databases whose catalogs are looked through at once: a cluster has three beside its own."""


def count_anew(connect: Connect) -> None:
    """Let the server's counters of tables begin at zero, so that a branch's tell what happened in the branch."""
    with connect(autocommit=True, login=Login.OPERATOR) as conn:
        conn.execute("SELECT pg_catalog.pg_stat_reset()")


def release_horizon(connect: Connect) -> tuple[int, int]:
    """Drop what would keep dead rows alive: replication slots and prepared transactions (rolled back).

    Returns how many there were of each.
    """
    with connect(autocommit=True, login=Login.OPERATOR) as conn:
        slots = conn.execute(
            "SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots"
        ).rowcount
        prepared = conn.execute("SELECT gid, database FROM pg_catalog.pg_prepared_xacts").fetchall()
    for gid, database in prepared:
        with connect(dbname=database, autocommit=True, login=Login.OPERATOR) as conn:
            conn.execute(sql.SQL("ROLLBACK PREPARED {}").format(sql.Literal(gid)))
    return slots, len(prepared)


@contextmanager
def every_database_open(connect: Connect) -> Iterator[None]:
    """Let template0, and whatever else takes no connections, take them for the moment."""
    with connect(autocommit=True, login=Login.OPERATOR) as conn:
        closed = [
            row[0]
            for row in conn.execute(
                "SELECT oid::pg_catalog.int8 FROM pg_catalog.pg_database WHERE NOT datallowconn"
            ).fetchall()
        ]
        _allow(conn, closed, True)
    yield
    with connect(autocommit=True, login=Login.OPERATOR) as conn:
        _allow(conn, closed, False)
        conn.execute("VACUUM pg_catalog.pg_database")


def vacuum_catalogs(connect: Connect) -> int:
    """VACUUM each system catalog of each database and return the number of databases.

    Users' tables are not touched: their line pointers stay as they are, and what nobody sees is erased on the files.
    Raises UnsafeError when dead rows could not be removed.
    """
    with connect(autocommit=True, login=Login.OPERATOR) as conn:
        _require_no_others(conn)
        names = [row[0] for row in conn.execute("SELECT datname FROM pg_catalog.pg_database ORDER BY oid").fetchall()]
    # what a database has for itself is held by nobody who is connected to another one
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(partial(_vacuum, connect, shared=False), names))
    _vacuum(connect, names[0], shared=True)
    return len(names)


def _vacuum(connect: Connect, database: str, *, shared: bool) -> None:
    """The catalogs of one database, or those that all databases share."""
    with connect(dbname=database, autocommit=True, login=Login.OPERATOR) as conn:
        tables = conn.execute(
            """SELECT n.nspname, c.relname
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n
                 ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
               WHERE c.relkind OPERATOR(pg_catalog.=) 'r' AND c.oid::pg_catalog.int8 OPERATOR(pg_catalog.<) 16384
                 AND c.relisshared OPERATOR(pg_catalog.=) %s
               ORDER BY c.oid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid""",
            [shared],
        ).fetchall()
        every = sql.SQL(", ").join(sql.Identifier(schema, table) for schema, table in tables)
        conn.execute(sql.SQL("VACUUM (INDEX_CLEANUP ON) {}").format(every))  # each in a transaction of its own


def _require_no_others(conn: Connection) -> None:
    row = conn.execute(
        """SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity
           WHERE backend_type OPERATOR(pg_catalog.=) 'client backend'
             AND pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()
             AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL)"""
    ).fetchone()
    if row and row[0]:
        raise UnsafeError(
            "a transaction is open on the private server, and keeps dead rows from being removed",
            hint="a hook left it open: close its connection",
        )


def _allow(conn: Connection, databases: list[int], allowed: bool) -> None:
    if databases:
        conn.execute(
            "UPDATE pg_catalog.pg_database SET datallowconn = %s"
            " WHERE oid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])",
            [allowed, databases],
        )
