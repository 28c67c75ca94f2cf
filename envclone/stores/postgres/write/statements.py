"""A hook's SQL file, run on the private server."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from psycopg import sql

from envclone.address import Address
from envclone.errors import UnsafeError
from envclone.masking.addresses import known_as
from envclone.stores.postgres.catalog.dependents import generated_from
from envclone.stores.postgres.catalog.tables import Table, read_tables
from envclone.stores.postgres.rights.logins import Login
from envclone.stores.postgres.write import statistics

__all__ = ["run"]

Connection = psycopg.Connection[tuple[Any, ...]]
Connect = Callable[..., AbstractContextManager[Connection]]


def run(connect: Connect, text: str, name: str, writes: Collection[str], timeout: float) -> int:
    """Run all statements of a file in one transaction, triggers and foreign keys as in production.

    Returns the number of rows that its queries gave; `timeout` is in seconds, for all of it. Raises UnsafeError naming
    the file and the kind of error; the server's message can hold values and is not shown.
    """
    rows = 0
    try:
        with connect(autocommit=False, login=Login.AUTHOR) as conn:
            conn.execute("SELECT pg_catalog.set_config('statement_timeout', %s, true)", [str(int(timeout * 1000))])
            cursor = conn.execute(text.encode())
            while True:
                if cursor.description is not None:
                    rows += cursor.rowcount
                if not cursor.nextset():
                    break
            touched = conn.execute(
                """SELECT relid::pg_catalog.int8 FROM pg_catalog.pg_stat_xact_user_tables
                   WHERE n_tup_ins OPERATOR(pg_catalog.+) n_tup_upd OPERATOR(pg_catalog.+) n_tup_del
                     OPERATOR(pg_catalog.>) 0 AND schemaname OPERATOR(pg_catalog.!~) '^pg_(toast_)?temp_'"""
            ).fetchall()
            conn.commit()
        with connect(autocommit=True, login=Login.OPERATOR) as operator, connect(autocommit=True) as worker:
            for (table,) in touched:
                _clean(worker, table)
            gone = {table for (table,) in touched}
            tables = [t for t in read_tables(operator) if gone & set(_relations(t))]
            if writes:
                _renew(operator, worker, writes, name)
            elif touched:  # what was deleted may still be known to the planner
                its = {oid: set(t.columns) for t in tables for oid in _relations(t)}
                statistics.renew(operator, worker, its)
    except psycopg.Error as exc:
        position = exc.diag.statement_position
        line = f" in line {text.count(chr(10), 0, int(position)) + 1}" if position else ""
        what = "it took too long" if isinstance(exc, psycopg.errors.QueryCanceled) else type(exc).__name__
        raise UnsafeError(
            f"the hook {name} failed: {what}{line}",
            hint="the server's message can hold values and is not shown; try it: envclone hooks test " + name,
        ) from None
    return rows


def _clean(conn: Connection, table: int) -> None:
    """No index keeps what a table no longer has: its entries go, and the pages that still show them are rebuilt.

    Indexes of vectors are not rebuilt, or they would answer otherwise.
    """
    found = conn.execute(
        """SELECT n.nspname, c.relname FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
             WHERE c.oid OPERATOR(pg_catalog.=) %s::pg_catalog.oid""",
        [table],
    ).fetchone()
    if found is None:
        return
    conn.execute(sql.SQL("VACUUM (INDEX_CLEANUP ON, TRUNCATE ON) {}").format(sql.Identifier(*found)))
    indexes = conn.execute(
        """SELECT n.nspname, c.relname FROM pg_catalog.pg_index i
           JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
           JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
           JOIN pg_catalog.pg_am a ON a.oid OPERATOR(pg_catalog.=) c.relam
           WHERE i.indrelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid
             AND a.amname OPERATOR(pg_catalog.=) ANY ('{btree,hash,gin,gist,spgist,brin}')""",
        [table],
    ).fetchall()
    for schema, index in indexes:
        conn.execute(sql.SQL("REINDEX INDEX {}").format(sql.Identifier(schema, index)))


def _renew(conn: Connection, worker: Connection, writes: Collection[str], name: str) -> None:
    """What the planner knows of the columns that were written."""
    tables = {t.at(c): t for t in read_tables(conn) for c in t.columns}
    writes = [known_as(address, tables) for address in writes]
    for address in writes:
        if address not in tables:
            raise UnsafeError(f"the hook {name} writes a column that is not there: {address}")
    for table in {tables[address].oid: tables[address] for address in writes}.values():
        columns = {Address.parse(a).name for a in writes if tables[a].oid == table.oid}
        columns |= generated_from(conn, table, columns)
        statistics.renew(conn, worker, dict.fromkeys(_relations(table), columns))


def _relations(table: Table) -> list[int]:
    return [table.oid, *(leaf.oid for leaf in table.leaves)]
