"""Streaming the values of a store's fields, memory flat."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql

from envclone.errors import UsageError
from envclone.masking.addresses import known_as
from envclone.models import FieldKind, Rows, StorePlan
from envclone.stores.postgres.catalog.tables import LARGE_OBJECTS, Column, Leaf, Table, read_tables

__all__ = [
    "asked_for",
    "derived_columns",
    "placed",
    "primary_key",
    "read_alive",
    "read_objects",
    "read_rows",
    "read_values",
    "rows_of",
    "shown_as",
    "stream_leaf",
    "written_columns",
]

Connection = psycopg.Connection[tuple[Any, ...]]

_OVERLAP = 512
"""Bytes; longer than an identity."""

BATCH = 8192
"""Rows fetched together."""
ALL = sql.SQL("")
"""A statement's rest that leaves every row."""


def asked_for(conn: Connection, addresses: Collection[str] | None) -> Iterator[tuple[Table, list[Column]]]:
    """Each table with those of its columns that are named, or without names with every one that is not a vector.

    Raises UsageError when an address is not there.
    """
    tables = read_tables(conn)
    known = {t.at(c) for t in tables for c in t.columns}
    wanted = None if addresses is None else {known_as(one, known) for one in addresses} - {LARGE_OBJECTS}
    if wanted is not None and (unknown := wanted - known):
        raise UsageError(f"there is no column {sorted(unknown)[0]}")
    for table in tables:
        columns = [
            column
            for column in table.columns.values()
            if (column.kind is not FieldKind.VECTOR if wanted is None else table.at(column.name) in wanted)
        ]
        if columns:
            yield table, columns


def read_values(conn: Connection, addresses: Collection[str] | None = None) -> Iterator[tuple[str, list[Any]]]:
    """Batches of non-null values, `(address, values)`, of the fields named, or of every one that is not a vector.

    JSON and other kinds come as the server's text of them, arrays as (nested) lists. A large object is not a value.
    Raises UsageError when an address is not there.
    """
    for table, columns in asked_for(conn, addresses):
        for leaf in table.leaves:
            expressions = [shown_as(column) for column in columns]
            for rows in stream_leaf(conn, leaf, expressions):
                for column, values in zip(columns, zip(*rows, strict=True), strict=True):
                    present = [value for value in values if value is not None]
                    if present:
                        yield table.at(column.name), present


def read_alive(conn: Connection, addresses: Collection[str]) -> Iterator[Rows]:
    """Batches of rows, the fields named alone: neither keys nor places. Raises UsageError as `read_values` does."""
    for table, columns in asked_for(conn, addresses):
        for leaf in table.leaves:
            for rows in stream_leaf(conn, leaf, [shown_as(column) for column in columns]):
                values = zip(*rows, strict=True)
                yield Rows(table.address, {table.at(c.name): v for c, v in zip(columns, values, strict=True)}, {}, ())


def read_rows(conn: Connection, addresses: Collection[str] | None = None) -> Iterator[Rows]:
    """Batches of rows of every table that has one of the fields named, or of all: the same order each time.

    Values are as `read_values` gives them. Raises UsageError when an address is not there.
    """
    for table, columns in asked_for(conn, addresses):
        for leaf in table.leaves:
            yield from rows_of(conn, table, leaf, columns, BATCH)


def rows_of(
    conn: Connection,
    table: Table,
    leaf: Leaf,
    columns: Sequence[Column],
    batch: int,
    where: sql.Composable = ALL,
) -> Iterator[Rows]:
    """Batches of rows of one relation, all or those that the statement's rest `where` leaves."""
    keys = [table.columns[name] for name in primary_key(conn, table.oid) if name in table.columns]
    expressions = [shown_as(column) for column in columns]
    expressions += [column.read_as() for column in keys]
    expressions.append(sql.SQL("ctid::pg_catalog.text"))
    for rows in stream_leaf(conn, leaf, expressions, batch=batch, where=where):
        values = list(zip(*rows, strict=True))
        yield Rows(
            table.address,
            {table.at(c.name): v for c, v in zip(columns, values[: len(columns)], strict=True)},
            {table.at(c.name): v for c, v in zip(keys, values[len(columns) : -1], strict=True)},
            placed(table, leaf, values[-1]),
        )


def placed(table: Table, leaf: Leaf, addresses: Sequence[str]) -> list[str]:
    """Where rows lie, in words: their addresses, and the partition when it is one."""
    part = "" if leaf.oid == table.oid else f"{leaf.schema}.{leaf.name} "
    return [f"{part}ctid {address}" for address in addresses]


def primary_key(conn: Connection, table: int) -> list[str]:
    """The columns of a table's primary key."""
    rows = conn.execute(
        """SELECT a.attname FROM pg_catalog.pg_index i
           JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid
             AND a.attnum OPERATOR(pg_catalog.=) ANY (i.indkey)
           WHERE i.indrelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid AND i.indisprimary ORDER BY a.attnum""",
        [table],
    ).fetchall()
    return [name for (name,) in rows]


def shown_as(column: Column) -> sql.Composable:
    """How a column is read to be searched.

    A tsvector comes as the text that it was made of: its words at their places, so that a full name is one again.
    """
    if column.type != "tsvector":
        return column.read_as()
    return sql.SQL(
        "(SELECT pg_catalog.string_agg(u.lexeme, ' ' ORDER BY p.p) FROM pg_catalog.unnest({}) AS u"
        " LEFT JOIN LATERAL pg_catalog.unnest(u.positions) AS p (p) ON true)"
    ).format(sql.Identifier(column.name))


_COMPRESSED = (
    b"\x1f\x8b",
    b"\x78\x01",
    b"\x78\x5e",
    b"\x78\x9c",
    b"\x78\xda",
    b"BZh",
    b"\xfd7zXZ",
    b"PK\x03\x04",
    b"%PDF",
)
"""How what is compressed begins: it is read as a whole."""
_PAGES = 4096


def read_objects(conn: Connection) -> Iterator[tuple[str, list[Any]]]:
    """The large objects as text, in pieces that overlap; bytes that are not UTF-8 are replaced.

    What is compressed comes as its bytes too, up to 8 MB of each.
    """
    with conn.transaction(), conn.cursor(name="envclone_objects") as cursor:
        cursor.itersize = BATCH
        cursor.execute("SELECT loid::pg_catalog.int8, pageno, data FROM pg_catalog.pg_largeobject ORDER BY 1, 2")
        last, tail = (-1, -1), b""
        whole: list[bytes] = []
        for number, page, data in cursor:
            joined = tail + data if last == (number, page - 1) else data
            yield LARGE_OBJECTS, [joined.decode("utf-8", "replace")]
            if page == 0 and whole:
                yield LARGE_OBJECTS, [b"".join(whole)]
                whole = []
            if (page == 0 and data.startswith(_COMPRESSED)) or (whole and len(whole) < _PAGES):
                whole.append(bytes(data))
            last, tail = (number, page), joined[-_OVERLAP:]
        if whole:
            yield LARGE_OBJECTS, [b"".join(whole)]


def stream_leaf(
    conn: Connection,
    leaf: Leaf,
    expressions: Sequence[sql.Composable],
    *,
    batch: int = BATCH,
    where: sql.Composable = ALL,
) -> Iterator[list[tuple[Any, ...]]]:
    """Batches of rows of one relation, by a cursor on the server inside a read-only snapshot."""
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        with conn.cursor(name="envclone_read") as cursor:
            query = sql.SQL("SELECT {} FROM ONLY {}").format(sql.SQL(", ").join(expressions), leaf.identifier)
            cursor.execute(query + where)
            while rows := cursor.fetchmany(batch):
                yield rows


def written_columns(table: Table, plan: StorePlan) -> list[Column]:
    """The table's columns that masks write, in the table's order: neither generated nor made again from others."""
    rules = plan.masked
    return [
        column
        for column in table.columns.values()
        if not column.generated and (rule := rules.get(table.at(column.name))) is not None and not rule.derived
    ]


def derived_columns(table: Table, plan: StorePlan) -> list[Column]:
    """The table's columns that are made again from masked ones."""
    return [
        column
        for column in table.columns.values()
        if (rule := plan.masked.get(table.at(column.name))) is not None and rule.derived
    ]
