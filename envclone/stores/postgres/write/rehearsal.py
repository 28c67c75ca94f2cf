"""Pseudonyms of some rows written into a copy of their table that keeps its constraints: what breaks is known early."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
from psycopg import sql

from envclone.errors import EnvcloneError
from envclone.models import FieldKind, StorePlan
from envclone.protocols import Masks
from envclone.stores.postgres.catalog.read import derived_columns, written_columns
from envclone.stores.postgres.catalog.tables import LARGE_OBJECTS, Column, Leaf, Table, read_tables
from envclone.stores.postgres.write import likeness, textsearch
from envclone.stores.postgres.write.staging import MaskedColumn, joined, staged_name

__all__ = ["rehearse"]

Connection = psycopg.Connection[tuple[Any, ...]]

_NAMES = ("envclone_raw", "envclone_staged", "envclone_copy")
_RAW, _STAGED, _COPY = (sql.Identifier("pg_temp", name) for name in _NAMES)
_MAKE_RAW, _MAKE_STAGED, _MAKE_COPY = map(sql.Identifier, _NAMES)


def rehearse(conn: Connection, plan: StorePlan, masks: Masks, rows: int) -> dict[str, str]:
    """Which masked columns of a plan cannot be carried out on `rows` rows of each table, and why, by address.

    `conn` does not commit by itself; what is made here is rolled back. No value is named.
    """
    found: dict[str, str] = {}
    objects = plan.rules.get(LARGE_OBJECTS)
    if objects is not None and objects.domain not in ("keep", "null"):
        found[LARGE_OBJECTS] = "large objects can be kept or removed (null), not masked"
    tables = read_tables(conn)
    for table in tables:
        columns = [c for c in written_columns(table, plan) if c.kind is not FieldKind.VECTOR]
        for column in columns:
            if column.name in table.partition_key:
                found[table.at(column.name)] = "it is a part of the partition key, and rows would have to move"
        columns = [column for column in columns if table.at(column.name) not in found]
        found |= _words(conn, table, plan, tables)
        for leaf in table.leaves[:1]:
            broken = partial(_broken, conn, table, leaf, plan, masks, rows)
            if why := broken(columns):
                found |= {table.at(name): its for name, its in _blamed(columns, why, broken).items()}
    conn.rollback()
    found |= likeness.unlike(conn, plan, masks, tables)
    conn.rollback()
    return found


def _blamed(columns: Sequence[Column], why: str, broken: Callable[[Sequence[Column]], str]) -> dict[str, str]:
    """Which of some columns that cannot be written together cannot be written alone; all, when only together.

    By halves: one of a thousand is found in twenty tries.
    """
    if len(columns) == 1:
        return {columns[0].name: why}
    middle = len(columns) // 2
    found: dict[str, str] = {}
    for half in (columns[:middle], columns[middle:]):
        if its := broken(half):
            found |= _blamed(half, its, broken)
    return found or {column.name: why for column in columns}


def _words(conn: Connection, table: Table, plan: StorePlan, tables: Sequence[Table]) -> dict[str, str]:
    """The columns of words that could not be made again."""
    derived = [table.at(column.name) for column in derived_columns(table, plan) if column.type == "tsvector"]
    found: dict[str, str] = {}
    for address in derived:
        try:
            textsearch.vectors(conn, table, replace(plan, rules={address: plan.rules[address]}), tables)
        except EnvcloneError:
            found[address] = "it is not known what its words are made from"
    return found


def _broken(
    conn: Connection, table: Table, leaf: Leaf, plan: StorePlan, masks: Masks, rows: int, columns: Sequence[Column]
) -> str:
    """Why these columns cannot be written together; '' when they can."""
    if not columns:
        return ""
    try:
        conn.rollback()
        _write(conn, table, leaf, columns, plan, masks, rows)
    except psycopg.Error as exc:
        what = exc.diag.constraint_name or exc.diag.column_name or exc.diag.datatype_name
        return f"its pseudonyms break {what or 'what the server allows'} ({type(exc).__name__})"
    except EnvcloneError as exc:
        return exc.message
    finally:
        conn.rollback()
    return ""


def _write(
    conn: Connection, table: Table, leaf: Leaf, columns: Sequence[Column], plan: StorePlan, masks: Masks, rows: int
) -> None:
    names = [column.name for column in table.columns.values() if not column.generated]
    everything = joined([sql.Identifier(name) for name in names])
    conn.execute(
        sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT {} FROM ONLY {} LIMIT {}").format(
            _MAKE_RAW, everything, leaf.identifier, sql.Literal(rows)
        )
    )
    definitions: list[sql.Composable] = [sql.SQL("tid pg_catalog.tid")]
    definitions += [sql.SQL("{} {}").format(staged_name(i), c.staged_as) for i, c in enumerate(columns)]
    conn.execute(sql.SQL("CREATE TEMPORARY TABLE {} ({})").format(_MAKE_STAGED, joined(definitions)))
    fields = [MaskedColumn(table, column, plan.rules[table.at(column.name)], masks) for column in columns]
    subjects = [field.subject or sql.SQL("NULL") for field in fields]
    expressions = [sql.SQL("ctid::pg_catalog.text"), *(column.read_as() for column in columns), *subjects]
    read = conn.execute(sql.SQL("SELECT {} FROM {}").format(joined(expressions), _RAW)).fetchall()
    if not read:
        return
    tids, *values = zip(*read, strict=True)
    old, by = values[: len(fields)], values[len(fields) :]
    new = [f.apply(its, its_by if f.subject else None) for f, its, its_by in zip(fields, old, by, strict=True)]
    with conn.cursor() as cursor, cursor.copy(sql.SQL("COPY {} FROM STDIN").format(_STAGED)) as copy:
        for row in zip(tids, *new, strict=True):
            copy.write_row(row)
    conn.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE {} (LIKE {} INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING GENERATED)"
        ).format(_MAKE_COPY, leaf.identifier)
    )
    _as_production_has_it(conn, everything)
    fresh = {c.name: c.written_from(sql.SQL("s.{}").format(staged_name(i))) for i, c in enumerate(columns)}
    conn.execute(
        sql.SQL(
            "INSERT INTO {} ({}) SELECT {} FROM {} AS r JOIN {} AS s ON s.tid OPERATOR(pg_catalog.=) r.ctid"
        ).format(
            _COPY,
            everything,
            joined([fresh.get(name, sql.Identifier("r", name)) for name in names]),
            _RAW,
            _STAGED,
        )
    )


def _as_production_has_it(conn: Connection, everything: sql.Composable) -> None:
    """Take from the copy what production's own rows break: an index that was never valid, a check that was not proven.

    It breaks nothing that a mask is to blame for.
    """
    for _ in range(_MOST_BROKEN):
        try:
            with conn.transaction(force_rollback=True):
                conn.execute(
                    sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}").format(_COPY, everything, everything, _RAW)
                )
            return
        except psycopg.Error as exc:
            if not _dropped(conn, exc.diag.constraint_name):
                return


def _dropped(conn: Connection, name: str | None) -> bool:
    """Drop a constraint or an index of the copy, or without a name those that compute something; whether any was."""
    if name is not None and conn.execute(_CONSTRAINT, [name]).fetchone():
        conn.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(_COPY, sql.Identifier(name)))
        return True
    found = conn.execute(_INDEXES, [name, name]).fetchall()
    for (index,) in found:
        conn.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier("pg_temp", index)))
    return bool(found)


_MOST_BROKEN = 30
"""Constraints and indexes of a table that its own rows break, at most."""
_INDEXES = """
    SELECT c.relname::pg_catalog.text FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c
      ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
    WHERE i.indrelid OPERATOR(pg_catalog.=) 'pg_temp.envclone_copy'::pg_catalog.regclass
      AND (c.relname OPERATOR(pg_catalog.=) %s::pg_catalog.name
           OR (%s::pg_catalog.name IS NULL AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)))
"""
_CONSTRAINT = """
    SELECT 1 FROM pg_catalog.pg_constraint c
    WHERE c.conrelid OPERATOR(pg_catalog.=) 'pg_temp.envclone_copy'::pg_catalog.regclass
      AND c.conname OPERATOR(pg_catalog.=) %s::pg_catalog.name
"""
