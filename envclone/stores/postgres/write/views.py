"""Materialized views written through SQL: for that time the catalog calls one a table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from envclone.stores.postgres.catalog.tables import Table

__all__ = ["writable"]

Connection = psycopg.Connection[tuple[Any, ...]]


@contextmanager
def writable(conn: Connection, table: Table) -> Iterator[None]:
    """Let statements write the rows of a materialized view; of a table nothing changes.

    The server refuses them by `relkind` (`CheckValidResultRel` in `src/backend/executor/execMain.c`), and a table with
    a rule ON SELECT would be read as a view. After an error nothing is restored: the clone is discarded.
    """
    if table.view:
        _call(conn, table, "r", rules=False)
    yield
    if table.view:
        _call(conn, table, "m", rules=True)


def _call(conn: Connection, table: Table, kind: str, *, rules: bool) -> None:
    conn.execute(
        "UPDATE pg_catalog.pg_class SET relkind = %s, relhasrules = %s"
        " WHERE oid OPERATOR(pg_catalog.=) %s::pg_catalog.oid",
        [kind, rules, table.oid],
    )
