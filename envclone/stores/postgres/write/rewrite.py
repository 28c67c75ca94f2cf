"""Writing pseudonyms through SQL; which values become what is the masks' business."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from psycopg import sql

from envclone.errors import UnsafeError
from envclone.models import FieldKind, RewriteReport, StorePlan
from envclone.protocols import Masks, Progress
from envclone.stores.postgres.catalog.dependents import generated_from, indexes_on
from envclone.stores.postgres.catalog.read import written_columns
from envclone.stores.postgres.catalog.tables import LARGE_OBJECTS, Column, Leaf, Table, read_tables
from envclone.stores.postgres.rights.logins import Login
from envclone.stores.postgres.write import indexes, likeness, sequences, statistics, textsearch, triggers, views
from envclone.stores.postgres.write.staging import STAGING, MaskedColumn, fill, joined, staged_name

__all__ = ["METHOD", "affected_columns", "check", "explained", "rewrite", "rewrite_table", "unlink_large_objects"]

Connection = psycopg.Connection[tuple[Any, ...]]
Connect = Callable[..., AbstractContextManager[Connection]]

METHOD = "sql"
"""What the report and the attestation call this way of writing."""


def rewrite(connect: Connect, plan: StorePlan, masks: Masks, progress: Progress) -> RewriteReport:
    """Replace every value of the plan's masked columns by its pseudonym, and everything derived from it.

    Per table: the values are read by a cursor on the server, masked in batches, staged beside the row's address (ctid),
    and written by one UPDATE. Meanwhile the indexes that hold a masked column are out of use; they are built again
    afterwards, which proves uniqueness. Other indexes, vector indexes above all, see row versions come and go only.
    Triggers, rules and foreign keys do not act. Rows whose values do not change are not written.

    `connect(autocommit=…, login=…)` opens a connection to the store's database: the operator's for the catalogs, and
    the worker's wherever the server evaluates what is production's.
    Raises UnsafeError naming the constraint when pseudonyms break one, or what cannot be masked this way.
    """
    started = time.monotonic()
    rows: dict[str, int] = {}
    values: dict[str, int] = {}
    with connect(autocommit=True, login=Login.OPERATOR) as conn, connect(autocommit=True) as worker:
        tables = read_tables(conn)
        made = {table.oid: textsearch.vectors(conn, table, plan, tables) for table in tables}
        work = [(t, columns) for t in tables if (columns := written_columns(t, plan)) or made[t.oid]]
        check(worker, plan, tables, work)
        likeness.require(worker, plan, masks, tables)
        with triggers.unpublished(conn):
            for table, columns in work:
                fields = [MaskedColumn(table, column, plan.rules[table.at(column.name)], masks) for column in columns]
                rewrite_table(connect, conn, table, fields, made[table.oid], progress)
                rows |= {field.rule.address: field.rows for field in fields}
                values |= {field.rule.address: field.changed for field in fields}
        if (objects := plan.rules.get(LARGE_OBJECTS)) is not None and objects.masked:
            rows[LARGE_OBJECTS] = values[LARGE_OBJECTS] = unlink_large_objects(conn)
        indexes.renew_split(conn, worker)
        sequences.advance(worker, {t.oid: columns for t, columns in work})
        affected = {leaf.oid for table, _ in work for leaf in table.leaves} | {table.oid for table, _ in work}
        names = {
            oid: affected_columns(conn, t, [*c, *(v.column for v in made[t.oid])])
            for t, c in work
            for oid in (t.oid, *(leaf.oid for leaf in t.leaves))
        }
        statistics.renew(conn, worker, {oid: names[oid] for oid in affected})
    return RewriteReport(METHOD, rows, values, time.monotonic() - started)


def check(
    conn: Connection,
    plan: StorePlan,
    tables: Sequence[Table],
    work: Sequence[tuple[Table, Sequence[Column]]],
    *,
    by_sql: Collection[int] | None = None,
) -> None:
    """Refuse before anything is written what cannot be done; `by_sql` are the tables (oids) that SQL writes, or all."""
    there = {t.at(c) for t in tables for c in t.columns} | {LARGE_OBJECTS}
    problems = [f"{a}: a rule for a column that is not there" for a in sorted(set(plan.masked) - there)]
    for table, columns in work:
        for column in columns:
            address = table.at(column.name)
            if column.name in table.partition_key:
                problems.append(f"{address}: part of the partition key, rows would have to move")
            if column.kind is FieldKind.VECTOR and plan.rules[address].domain not in ("null", "drop"):
                problems.append(f"{address}: a vector can be kept or set to null, not masked")
            if by_sql is not None and table.oid not in by_sql:
                continue
            if column.kind is FieldKind.ARRAY and _odd_bounds(conn, table, column):
                problems.append(f"{address}: arrays whose subscripts do not start at 1 cannot be written back")
    if (objects := plan.rules.get(LARGE_OBJECTS)) is not None and objects.domain not in ("keep", "null"):
        problems.append(f"{LARGE_OBJECTS}: large objects can be kept or removed (null), not masked")
    if problems:
        raise UnsafeError(
            f"{len(problems)} rule{'s' * (len(problems) > 1)} cannot be carried out: {problems[0]}",
            problems=problems,
            hint="give these fields the rule keep or null in the stack file, or mask them in a hook",
        )


def _odd_bounds(conn: Connection, table: Table, column: Column) -> bool:
    name = sql.Identifier(column.name)
    query = sql.SQL(
        "SELECT EXISTS (SELECT 1 FROM {} WHERE pg_catalog.array_dims({}::pg_catalog.text[]) OPERATOR(pg_catalog.!~) {})"
    ).format(table.identifier, name, sql.Literal(r"^(\[1:\d+\])+$"))
    row = conn.execute(query).fetchone()
    return bool(row and row[0])


def affected_columns(conn: Connection, table: Table, columns: Sequence[Column]) -> set[str]:
    names = {column.name for column in columns}
    return names | generated_from(conn, table, names)


def rewrite_table(
    connect: Connect,
    conn: Connection,
    table: Table,
    fields: Sequence[MaskedColumn],
    made: Sequence[textsearch.Vector],
    progress: Progress,
) -> None:
    names = affected_columns(conn, table, [*(field.column for field in fields), *(vector.column for vector in made)])
    for leaf in table.leaves:
        held = indexes_on(conn, leaf.oid, names)
        with explained(table), triggers.silenced(conn, leaf), views.writable(conn, table):
            indexes.retire(conn, held)
            with connect(autocommit=True) as reader, connect(autocommit=False) as writer:
                _leaf(reader, writer, table, leaf, fields, made, progress)
            _forget_missing(conn, leaf, fields)
            with connect(autocommit=True) as worker:
                # dead row versions leave the other indexes, and the space is there before anything is built on it
                worker.execute(sql.SQL("VACUUM (INDEX_CLEANUP ON, TRUNCATE ON) {}").format(leaf.identifier))
                indexes.rebuild(conn, worker, held)


def _leaf(
    reader: Connection,
    writer: Connection,
    table: Table,
    leaf: Leaf,
    fields: Sequence[MaskedColumn],
    made: Sequence[textsearch.Vector],
    progress: Progress,
) -> None:
    columns = [field.column for field in fields]
    # rows that lack a value have none of their own to keep; what a tsvector holds can be older than its text
    whole = any(column.missing for column in columns) or bool(made)
    staged = fill(reader, writer, table, leaf, fields, progress, whole=whole)
    if staged:
        _update(writer, leaf, columns, made, staged)
    writer.execute(sql.SQL("DROP TABLE {}").format(STAGING))
    writer.commit()


def _update(
    writer: Connection,
    leaf: Leaf,
    columns: Sequence[Column],
    made: Sequence[textsearch.Vector],
    staged: int,
) -> None:
    fresh = {c.name: c.written_from(sql.SQL("s.{}").format(staged_name(i))) for i, c in enumerate(columns)}
    derived = {
        vector.column.name: vector.made_from(lambda name: fresh.get(name, sql.Identifier("t", name))) for vector in made
    }
    assignments = [
        sql.SQL("{column} = {value}").format(column=sql.Identifier(name), value=value)
        for name, value in {**fresh, **derived}.items()
    ]
    statement = sql.SQL("UPDATE ONLY {} AS t SET {} FROM {} AS s WHERE t.ctid OPERATOR(pg_catalog.=) s.tid").format(
        leaf.identifier, joined(assignments), STAGING
    )
    updated = writer.execute(statement).rowcount
    if updated != staged:
        raise UnsafeError(
            f"{leaf.schema}.{leaf.name}: {updated} rows were written where {staged} had to be",
            hint="look for triggers or rules that fire for replicas too, and disable them in a hook",
        )


def _forget_missing(conn: Connection, leaf: Leaf, fields: Sequence[MaskedColumn]) -> None:
    """Every row has a value of its own now; the catalog's copy of the old default may be somebody's."""
    conn.execute(
        """UPDATE pg_catalog.pg_attribute SET atthasmissing = false, attmissingval = NULL
           WHERE attrelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid AND attname OPERATOR(pg_catalog.=) ANY (%s)
             AND atthasmissing""",
        [leaf.oid, [field.column.name for field in fields]],
    )


def unlink_large_objects(conn: Connection) -> int:
    row = conn.execute(
        "SELECT pg_catalog.count(pg_catalog.lo_unlink(oid)) FROM pg_catalog.pg_largeobject_metadata"
    ).fetchone()
    conn.execute("VACUUM FULL pg_catalog.pg_largeobject")
    return int(row[0]) if row else 0


@contextmanager
def explained(table: Table) -> Iterator[None]:
    """Say which constraint the pseudonyms broke, and never the value."""
    try:
        yield
    except psycopg.Error as exc:
        diag = exc.diag
        noted = ", ".join(getattr(exc, "__notes__", ()))
        what = diag.constraint_name or diag.column_name or noted or diag.datatype_name or ""
        place = f"{diag.schema_name}.{diag.table_name}" if diag.table_name else table.address
        if isinstance(exc, psycopg.IntegrityError | psycopg.DataError | psycopg.errors.ProgramLimitExceeded):
            raise UnsafeError(
                f"{place}: the pseudonyms break {what or 'what the server allows'} ({type(exc).__name__})",
                hint="choose a domain whose values fit: unique: true where a unique index asks for it, "
                "null only where NULL is allowed, keep where a check needs the value itself",
            ) from None
        raise UnsafeError(
            f"{place}: the server refused the rewriting ({type(exc).__name__})",
            hint="its message can hold values and is not shown; repeat the UPDATE on a private clone to see it",
        ) from None
