"""Indexes that hold a masked column: out of use while rows are written, built again afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import sql

from envclone.stores.postgres.catalog.dependents import Index

__all__ = ["rebuild", "retire"]

Connection = psycopg.Connection[tuple[Any, ...]]


def retire(conn: Connection, held: Sequence[Index]) -> None:
    """Let the server overlook these indexes: no maintenance, no uniqueness on the way, no VACUUM of them.

    `REINDEX` makes them live again (`reindex_index` in `src/backend/catalog/index.c`), and so it must follow.
    """
    if not held:
        return
    with conn.transaction():
        conn.execute(
            """UPDATE pg_catalog.pg_index SET indislive = false, indisready = false, indisvalid = false
               WHERE indexrelid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])""",
            [[index.oid for index in held]],
        )
        _invalidate(conn, {index.table for index in held})


def rebuild(conn: Connection, worker: Connection, held: Sequence[Index]) -> None:
    """Build retired indexes from the rows as they are; raises psycopg's UniqueViolation on a duplicate.

    The worker builds them, for it takes production's functions in expressions; the operator tells the others.
    """
    for index in held:
        worker.execute(sql.SQL("REINDEX INDEX {}").format(index.identifier))
    if held:
        _invalidate(conn, {index.table for index in held})


def _invalidate(conn: Connection, tables: Iterable[int]) -> None:
    # backends keep a table's list of indexes until its row in pg_class changes
    conn.execute(
        "UPDATE pg_catalog.pg_class SET relname = relname WHERE oid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])",
        [sorted(tables)],
    )
