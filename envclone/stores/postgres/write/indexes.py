"""Indexes that hold a masked column: out of use while rows are written, built again afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import sql

from envclone.stores.postgres.catalog.dependents import Index

__all__ = ["rebuild", "reinstate", "renew_split", "retire"]

Connection = psycopg.Connection[tuple[Any, ...]]


def retire(conn: Connection, held: Sequence[Index]) -> None:
    """Let the server overlook these indexes: no maintenance, no uniqueness on the way, no VACUUM of them.

    `REINDEX` makes them live again (`reindex_index` in `src/backend/catalog/index.c`); it or `reinstate` must follow.
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


def reinstate(conn: Connection, held: Sequence[Index]) -> None:
    """Bring retired indexes back as they are: only those whose entries are what they were."""
    if not held:
        return
    with conn.transaction():
        for index in held:
            _as_it_was(conn, index)
        _invalidate(conn, {index.table for index in held})


def rebuild(conn: Connection, worker: Connection, held: Sequence[Index]) -> None:
    """Build retired indexes from the rows as they are; raises psycopg's UniqueViolation on a duplicate.

    One that is not valid in production is left without an entry, and as little valid as it was: no query uses it there,
    and a unique one is not valid because production's rows violate it. The worker builds the others, for it takes
    production's functions in expressions; the operator tells the other sessions.
    """
    for index in held:
        if index.valid:
            try:
                worker.execute(sql.SQL("REINDEX INDEX {}").format(index.identifier))
            except psycopg.Error as exc:  # of an expression that fails the server does not say whose it is
                exc.add_note(f"{index.schema}.{index.name}")
                raise
        else:
            _empty(conn, index)
    if held:
        _invalidate(conn, {index.table for index in held})


def renew_split(conn: Connection, worker: Connection) -> int:
    """Build every SP-GiST index over texts again; returns how many.

    Such an index keeps a text in parts, letter by letter, so no search finds in it what a dead entry says. Built again
    it has entries of live rows alone, and answers what it answered before: its rows have no order.
    """
    rows = conn.execute(
        """SELECT c.oid::pg_catalog.int8, n.nspname, c.relname, i.indrelid::pg_catalog.int8, i.indisunique,
                  i.indisvalid, i.indisready, i.indislive
           FROM pg_catalog.pg_index i
           JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
           JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
           JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) c.relam
           WHERE c.relkind OPERATOR(pg_catalog.=) 'i' AND m.amname OPERATOR(pg_catalog.=) 'spgist' AND EXISTS
             (SELECT 1 FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t
                ON t.oid OPERATOR(pg_catalog.=) a.atttypid
              WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND t.typcategory OPERATOR(pg_catalog.=) 'S')
           ORDER BY 1"""
    ).fetchall()
    found = [Index(*row) for row in rows]
    rebuild(conn, worker, found)
    return len(found)


_NOTHING = sql.Identifier("pg_temp", "envclone_nothing")


def _empty(conn: Connection, index: Index) -> None:
    """Build an index of no row: while it is built, its predicate is that of an index of our own, `WHERE false`.

    A predicate cannot be written as text (`pg_node_tree` has no input), so the two indexes change theirs. Nothing of an
    expression of production's is evaluated, for no row is indexed.
    """
    conn.execute(sql.SQL("CREATE TEMPORARY TABLE {} (n pg_catalog.int4)").format(_NOTHING))
    conn.execute(sql.SQL("CREATE INDEX envclone_none ON {} (n) WHERE false").format(_NOTHING))
    _exchange(conn, index)
    conn.execute(sql.SQL("REINDEX INDEX {}").format(index.identifier))
    _exchange(conn, index)
    _as_it_was(conn, index)
    conn.execute(sql.SQL("DROP TABLE {}").format(_NOTHING))


def _as_it_was(conn: Connection, index: Index) -> None:
    conn.execute(
        """UPDATE pg_catalog.pg_index SET indislive = %s, indisready = %s, indisvalid = %s
           WHERE indexrelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid""",
        [index.live, index.ready, index.valid, index.oid],
    )


def _exchange(conn: Connection, index: Index) -> None:
    """Exchange the predicates of an index and of the one of no row."""
    none = "pg_catalog.to_regclass('pg_temp.envclone_none')::pg_catalog.oid"
    conn.execute(
        f"""UPDATE pg_catalog.pg_index AS one SET indpred = other.indpred FROM pg_catalog.pg_index AS other
            WHERE one.indexrelid OPERATOR(pg_catalog.=) ANY (ARRAY[%(oid)s::pg_catalog.oid, {none}])
              AND other.indexrelid OPERATOR(pg_catalog.=) ANY (ARRAY[%(oid)s::pg_catalog.oid, {none}])
              AND one.indexrelid OPERATOR(pg_catalog.<>) other.indexrelid""",  # noqa: S608 - a constant
        {"oid": index.oid},
    )
    _invalidate(conn, {index.table})


def _invalidate(conn: Connection, tables: Iterable[int]) -> None:
    # backends keep a table's list of indexes until its row in pg_class changes
    conn.execute(
        "UPDATE pg_catalog.pg_class SET relname = relname WHERE oid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])",
        [sorted(tables)],
    )
