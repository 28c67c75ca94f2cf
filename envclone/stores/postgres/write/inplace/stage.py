"""New values that the server makes, waiting in tables of its own for the work on the files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from psycopg import sql

from envclone.protocols import Progress
from envclone.stores.postgres.catalog.tables import Leaf, Table
from envclone.stores.postgres.rights.logins import Login
from envclone.stores.postgres.write.staging import STAGING, MaskedColumn, fill, joined, staged_name

__all__ = ["SCHEMA", "drop", "make", "stage_computed", "stage_masked", "table_for"]

Connection = psycopg.Connection[tuple[Any, ...]]
Connect = Callable[..., AbstractContextManager[Connection]]

SCHEMA = "envclone_staging"


def stage_masked(
    connect: Connect, table: Table, leaf: Leaf, fields: Sequence[MaskedColumn], progress: Progress
) -> tuple[int, tuple[str, ...]]:
    """Mask columns through SQL into a table for `StagedValues`; returns its oid, and the columns it is for.

    It has the rows that change, in the order of their addresses.
    """
    with connect(autocommit=True) as reader, connect(autocommit=False) as writer:
        fill(reader, writer, table, leaf, fields, progress)
        values = [f.column.written_from(sql.SQL("s.{}").format(staged_name(i))) for i, f in enumerate(fields)]
        names = [f.column.name for f in fields]
        query = sql.SQL("SELECT s.tid, {} FROM {} AS s ORDER BY s.tid").format(joined(values), STAGING)
        loose = {f.column.name: f.column.loose for f in fields if f.column.loose}
        oid = _fill(writer, leaf, table_for(leaf), names, query, loose)
        for i, name in enumerate(names):
            if name in loose:
                _keep_to(writer, leaf, name, loose[name], staged_name(i))
        writer.execute(sql.SQL("DROP TABLE {}").format(STAGING))
        writer.commit()
    return oid, tuple(names)


def stage_computed(
    connect: Connect, leaf: Leaf, expressions: Sequence[tuple[str, sql.Composable]]
) -> tuple[int, tuple[str, ...]]:
    """The same for columns that follow from others of their row, which are masked by now."""
    with connect(autocommit=False) as writer:
        writer.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        query = sql.SQL("SELECT ctid, {} FROM ONLY {}").format(joined([e for _, e in expressions]), leaf.identifier)
        names = [name for name, _ in expressions]
        oid = _fill(writer, leaf, sql.Identifier(SCHEMA, f"c{leaf.oid}"), names, query)
        writer.commit()
    return oid, tuple(names)


def table_for(leaf: Leaf) -> sql.Identifier:
    """The staging table of a relation's masked columns."""
    return sql.Identifier(SCHEMA, f"r{leaf.oid}")


def drop(connect: Connect) -> None:
    """Remove every staging table."""
    with connect(autocommit=True, login=Login.OPERATOR) as conn:
        conn.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(SCHEMA)))


def make(connect: Connect) -> None:
    """Replace the schema of the staging tables; the worker makes them there."""
    drop(connect)
    with connect(autocommit=True) as conn:
        row = conn.execute("SELECT session_user::pg_catalog.text").fetchone()
    assert row is not None
    with connect(autocommit=True, login=Login.OPERATOR) as conn:
        conn.execute(
            sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(sql.Identifier(SCHEMA), sql.Identifier(row[0]))
        )


def _keep_to(conn: Connection, leaf: Leaf, name: str, base: str, staged: sql.Identifier) -> None:
    """Check a domain's values by those of its constraints that production's own keep: the others are not validated."""
    rows = conn.execute(
        """WITH RECURSIVE up AS (
             SELECT a.atttypid AS oid FROM pg_catalog.pg_attribute a
             WHERE a.attrelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid AND a.attname OPERATOR(pg_catalog.=) %s
             UNION ALL SELECT t.typbasetype FROM up JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) up.oid
             WHERE t.typtype OPERATOR(pg_catalog.=) 'd')
           SELECT k.conname, pg_catalog.pg_get_expr(k.conbin, 0) FROM up JOIN pg_catalog.pg_constraint k
             ON k.contypid OPERATOR(pg_catalog.=) up.oid
           WHERE k.convalidated AND k.contype OPERATOR(pg_catalog.=) 'c'""",
        [leaf.oid, name],
    ).fetchall()
    if not rows:
        return
    domain = sql.Identifier(SCHEMA, f"d{leaf.oid}")
    conn.execute(sql.SQL("CREATE DOMAIN {} AS {}").format(domain, sql.SQL(base)))
    for place, (constraint, expression) in enumerate(rows):
        twice = any(constraint == other for other, _ in rows[:place])  # of another domain below this one
        told = sql.Identifier(f"{constraint}_{place}" if twice else constraint)
        conn.execute(sql.SQL("ALTER DOMAIN {} ADD CONSTRAINT {} CHECK ({})").format(domain, told, sql.SQL(expression)))
    conn.execute(sql.SQL("SELECT pg_catalog.count({}::{}) FROM {}").format(staged, domain, table_for(leaf)))
    conn.execute(sql.SQL("DROP DOMAIN {}").format(domain))


def _fill(
    conn: Connection,
    leaf: Leaf,
    target: sql.Identifier,
    names: Sequence[str],
    query: sql.Composable,
    loose: Mapping[str, str] | None = None,
) -> int:
    """A table whose values are stored as the target's would be: same types, same compression, same way to TOAST.

    `loose` are other types for columns, which are stored alike.
    """
    rows = conn.execute(
        """SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attlen OPERATOR(pg_catalog.=) -1,
             a.attstorage,
                  a.attcompression
           FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid
             AND a.attname OPERATOR(pg_catalog.=) ANY (%s) AND NOT a.attisdropped""",
        [leaf.oid, list(names)],
    ).fetchall()
    types = {name: row for name, *row in rows}
    columns: list[sql.Composable] = [sql.SQL("tid pg_catalog.tid")]
    for i, name in enumerate(names):
        columns.append(sql.SQL("{} {}").format(staged_name(i), sql.SQL((loose or {}).get(name) or types[name][0])))
    conn.execute(sql.SQL("CREATE UNLOGGED TABLE {} ({})").format(target, joined(columns)))
    for i, name in enumerate(names):
        _, varlena, storage, compression = types[name]
        if not varlena:
            continue
        how = {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}[storage]
        place = (target, staged_name(i))
        conn.execute(sql.SQL("ALTER TABLE {} ALTER {} SET STORAGE {}").format(*place, sql.SQL(how)))
        if compression in ("p", "l"):
            method = sql.SQL("pglz" if compression == "p" else "lz4")
            conn.execute(sql.SQL("ALTER TABLE {} ALTER {} SET COMPRESSION {}").format(*place, method))
    conn.execute(sql.SQL("INSERT INTO {} {}").format(target, query))
    row = conn.execute(
        "SELECT %s::pg_catalog.regclass::pg_catalog.oid::pg_catalog.int8", [target.as_string(conn)]
    ).fetchone()
    assert row is not None
    return int(row[0])
