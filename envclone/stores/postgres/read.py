"""Streaming the values of a store's fields, memory flat."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql

from envclone.errors import UsageError
from envclone.models import FieldKind
from envclone.stores.postgres.tables import LARGE_OBJECTS, Column, Leaf, Table, read_tables

__all__ = ["read_values", "stream_leaf"]

Connection = psycopg.Connection[tuple[Any, ...]]

BATCH = 8192
"""Rows fetched together."""


def read_values(conn: Connection, addresses: Collection[str] | None = None) -> Iterator[tuple[str, list[Any]]]:
    """Batches of non-null values, `(address, values)`, of the fields named, or of every one that is not a vector.

    JSON and other kinds come as the server's text of them, arrays as (nested) lists. A large object is not a value.
    Raises UsageError when an address is not there.
    """
    tables = read_tables(conn)
    wanted = None if addresses is None else set(addresses) - {LARGE_OBJECTS}
    known = {f"{t.address}.{c}" for t in tables for c in t.columns}
    if wanted is not None and (unknown := wanted - known):
        raise UsageError(f"there is no column {sorted(unknown)[0]}")
    for table in tables:
        columns = [
            column
            for column in table.columns.values()
            if (column.kind is not FieldKind.VECTOR if wanted is None else f"{table.address}.{column.name}" in wanted)
        ]
        if not columns:
            continue
        for leaf in table.leaves:
            expressions = [column.read_as() for column in columns]
            for rows in stream_leaf(conn, leaf, expressions):
                for column, values in zip(columns, zip(*rows, strict=True), strict=True):
                    present = [value for value in values if value is not None]
                    if present:
                        yield f"{table.address}.{column.name}", present


def stream_leaf(
    conn: Connection, leaf: Leaf, expressions: Sequence[sql.Composable], *, batch: int = BATCH
) -> Iterator[list[tuple[Any, ...]]]:
    """Batches of rows of one relation, by a cursor on the server inside a read-only snapshot."""
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        with conn.cursor(name="envclone_read") as cursor:
            cursor.execute(sql.SQL("SELECT {} FROM ONLY {}").format(sql.SQL(", ").join(expressions), leaf.identifier))
            while rows := cursor.fetchmany(batch):
                yield rows


def masked_columns(table: Table, masked: Collection[str]) -> list[Column]:
    """The table's own columns among the masked addresses, in the table's order."""
    return [column for column in table.columns.values() if f"{table.address}.{column.name}" in masked]
