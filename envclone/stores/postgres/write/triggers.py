"""Triggers, rules and publications that act even where a replica writes: silenced while rows are written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from envclone.stores.postgres.catalog.tables import Leaf

__all__ = ["silenced", "unpublished"]

Connection = psycopg.Connection[tuple[Any, ...]]


@contextmanager
def silenced(conn: Connection, leaf: Leaf) -> Iterator[None]:
    """Disable what `session_replication_role = replica` would let fire (ENABLE ALWAYS, ENABLE REPLICA), then restore.

    After an error nothing is restored: the clone is discarded.
    """
    found = conn.execute(
        """SELECT 'TRIGGER', tgname, tgenabled FROM pg_catalog.pg_trigger
           WHERE tgrelid OPERATOR(pg_catalog.=) %(table)s::pg_catalog.oid AND NOT tgisinternal
             AND tgenabled OPERATOR(pg_catalog.=) ANY ('{A,R}')
           UNION ALL
           SELECT 'RULE', rulename, ev_enabled FROM pg_catalog.pg_rewrite
           WHERE ev_class OPERATOR(pg_catalog.=) %(table)s::pg_catalog.oid
             AND ev_enabled OPERATOR(pg_catalog.=) ANY ('{A,R}')""",
        {"table": leaf.oid},
    ).fetchall()
    for kind, name, _ in found:
        _alter(conn, leaf, "DISABLE", kind, name)
    yield
    for kind, name, enabled in found:
        _alter(conn, leaf, "ENABLE ALWAYS" if enabled == "A" else "ENABLE REPLICA", kind, name)


@contextmanager
def unpublished(conn: Connection) -> Iterator[None]:
    """Let no publication publish updates: the server refuses them in a published table without a replica identity.

    Only connections opened after this see it. After an error nothing is restored: the clone is discarded.
    """
    found = conn.execute(
        "UPDATE pg_catalog.pg_publication SET pubupdate = false WHERE pubupdate RETURNING oid::pg_catalog.int8"
    ).fetchall()
    yield
    conn.execute(
        "UPDATE pg_catalog.pg_publication SET pubupdate = true"
        " WHERE oid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])",
        [[oid for (oid,) in found]],
    )


def _alter(conn: Connection, leaf: Leaf, action: str, kind: str, name: str) -> None:
    # rules are never inherited, and ONLY is refused with them
    table = sql.SQL("ALTER TABLE {}{}").format(sql.SQL("" if kind == "RULE" else "ONLY "), leaf.identifier)
    conn.execute(sql.SQL("{} {} {} {}").format(table, sql.SQL(action), sql.SQL(kind), sql.Identifier(name)))
