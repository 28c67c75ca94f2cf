"""Columns read through SQL in ranges of pages, texts packed by the server: a copy a value, and no message a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from envclone.models import FieldKind
from envclone.packed import Columns, Packed
from envclone.stores.postgres.catalog import read
from envclone.stores.postgres.catalog.tables import Column, Leaf, Table

__all__ = ["LONGEST", "places", "prepare", "ranges", "read_range"]

Connection = psycopg.Connection[tuple[Any, ...]]

_RANGE = 4 * 2**20
"""Bytes of a table, TOAST included, that are read together."""
LONGEST = 1 << 16
"""Bytes of a value that is packed."""
_READING = """
    SET enable_tidscan = on; SET max_parallel_workers_per_gather = 0; SET jit = off;
    SET default_transaction_read_only = on
"""
"""Values come in the order of their rows, whatever production's settings say."""
_PACKED = """pg_catalog.string_agg(CASE WHEN {0} IS NULL THEN '\\xff'
    WHEN pg_catalog.octet_length({0}) OPERATOR(pg_catalog.>) {1} THEN '\\xfe'::pg_catalog.bytea
    ELSE pg_catalog.textsend({0}) END, '\\x00')"""
"""UTF-8 has neither byte, and no text a zero."""


def prepare(conn: Connection) -> None:
    """Let a connection read ranges of pages."""
    conn.execute(_READING)


def read_range(
    conn: Connection, table: Table, leaf: Leaf, columns: Sequence[Column], first: int, end: int | None
) -> Columns | None:
    """The values of columns in a range of pages, None when there is no row; arrays and JSON, and long values, as lists
    of what `read_values` gives."""
    texts = [column for column in columns if column.kind not in (FieldKind.ARRAY, FieldKind.JSON)]
    others = [column for column in columns if column not in texts]
    packed = [
        sql.SQL("pg_catalog.count(*)"),
        sql.SQL("pg_catalog.string_agg(pg_catalog.tidsend(ctid), '')"),
        *(_aggregate(expression) for expression in map(read.shown_as, texts)),
    ]
    row = conn.execute(_query(leaf, packed, first, end), binary=True).fetchone()
    if row is None or not row[0]:
        return None
    made = [_split(row[0], block) for block in row[2:]]
    listed = [column for column, one in zip(texts, made, strict=True) if one is None] + others
    lists: list[Sequence[Any]] = []
    if listed:
        rows = conn.execute(_query(leaf, [read.shown_as(column) for column in listed], first, end)).fetchall()
        lists = list(zip(*rows, strict=True))
        assert len(rows) == row[0]
    return Columns(
        table.address,
        places(row[0], row[1], read.placed(table, leaf, [""])[0]),
        {table.at(c.name): one for c, one in zip(texts, made, strict=True) if one is not None},
        {table.at(c.name): values for c, values in zip(listed, lists, strict=True)},
    )


def _aggregate(expression: sql.Composable) -> sql.Composable:
    return sql.SQL(_PACKED).format(expression, sql.Literal(LONGEST))


def _query(leaf: Leaf, expressions: Sequence[sql.Composable], first: int, end: int | None) -> sql.Composed:
    query = sql.SQL("SELECT {} FROM ONLY {} WHERE ctid OPERATOR(pg_catalog.>=) {}::pg_catalog.tid").format(
        sql.SQL(", ").join(expressions), leaf.identifier, sql.Literal(f"({first},0)")
    )
    if end is not None:
        query += sql.SQL(" AND ctid OPERATOR(pg_catalog.<) {}::pg_catalog.tid").format(sql.Literal(f"({end},0)"))
    return query


def places(count: int, tids: bytes, prefix: str) -> Packed:
    """Where rows lie, as `Columns` says it, from the addresses that the server sent."""
    from envclone.stores.postgres.catalog import kernels  # late: it waits for the compiler

    head = np.frombuffer(prefix.encode(), np.uint8)
    block = np.zeros(count * (len(head) + kernels.LONGEST) + 1, np.uint8)
    starts, stops = np.zeros(count, np.int64), np.zeros(count, np.int64)
    size = int(kernels.addresses(np.frombuffer(tids, np.uint8), head, block, starts, stops))
    assert size > 0
    return Packed(block[:size], starts, stops, np.full(count, prefix.isascii(), np.bool_))


def _split(count: int, data: bytes) -> Packed | None:
    """Packed values as they came from the server; None when one of them is too long."""
    from envclone.masking.kernels import sets  # late: it waits for the compiler

    block = np.frombuffer(b"\0" + data + b"\0", np.uint8)
    starts, stops, plain = np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.bool_)
    found = sets.split(block, starts, stops, plain)
    if found < 0:
        return None
    assert found == count
    return Packed(block, starts, stops, plain)


def ranges(conn: Connection, leaf: Leaf) -> Iterator[tuple[int, int | None]]:
    """Ranges of pages of a relation, the last without an end."""
    row = conn.execute(
        """SELECT pg_catalog.pg_relation_size(%s::pg_catalog.oid::pg_catalog.regclass),
                  pg_catalog.pg_table_size(%s::pg_catalog.oid::pg_catalog.regclass),
                  pg_catalog.current_setting('block_size')::pg_catalog.int8""",
        [leaf.oid, leaf.oid],
    ).fetchone()
    assert row is not None
    heap, whole, page = row
    blocks = -(-heap // page)
    step = max(1, _RANGE * max(blocks, 1) // max(whole, page))
    firsts = list(range(0, max(blocks, 1), step))
    yield from zip_longest(firsts, firsts[1:])
