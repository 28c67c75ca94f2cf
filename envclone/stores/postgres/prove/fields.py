"""The values of some columns, packed, from a clone's own files; the server is asked for what those do not tell.

It tells values in TOAST tables and types that nothing here reads, and how many rows there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import psycopg

from envclone.compiled import available
from envclone.errors import UnsafeError
from envclone.models import FieldKind
from envclone.packed import Columns, Packed, of_rows
from envclone.stores.postgres.catalog import read
from envclone.stores.postgres.catalog.columns import LONGEST, places, prepare, ranges, read_range
from envclone.stores.postgres.catalog.tables import Column, Leaf, Table
from envclone.stores.postgres.prove.pages import Heap, Reader, Rows, reader
from envclone.stores.postgres.prove.pairs import Side, count, heaps_of

__all__ = ["read_columns"]

Connection = psycopg.Connection[tuple[Any, ...]]


def read_columns(conn: Connection, side: Side, addresses: Collection[str]) -> Iterator[Columns]:
    """The values of columns, a range of pages at a time; arrays and JSON as lists of what `read_values` gives.

    `conn` is a connection to the server of `side`, which must see as many rows as its files hold. Without compiled
    loops, and where the database has no encoding, all come as lists. Raises UsageError when an address is not there.
    """
    encoding = conn.execute("SELECT pg_catalog.current_setting('server_encoding')").fetchone()
    if not available() or encoding == ("SQL_ASCII",):
        yield from of_rows(read.read_rows(conn, addresses))
        return
    prepare(conn)
    wanted = list(read.asked_for(conn, addresses))
    heaps = heaps_of(side, [leaf.oid for table, _ in wanted for leaf in table.leaves])
    for table, columns in wanted:
        for leaf in table.leaves:
            heap = heaps.get(leaf.oid)
            if heap is None or heap.relation.access != "heap":
                found = (read_range(conn, table, leaf, columns, first, end) for first, end in ranges(conn, leaf))
                yield from (one for one in found if one is not None)
            else:
                yield from _Fields(conn, table, leaf, columns, heap).read()


class _Fields:
    """Columns of one relation; `heap` is where its rows lie."""

    def __init__(self, conn: Connection, table: Table, leaf: Leaf, columns: Sequence[Column], heap: Heap) -> None:
        self._conn, self._table, self._leaf, self._columns, self._heap = conn, table, leaf, columns, heap
        self._numbers = {a.name: i for i, a in enumerate(heap.relation.attributes) if not a.dropped}
        self._readers: Mapping[str, Reader] = {c.name: how for c in columns if (how := self._reader(c)) is not None}

    def _reader(self, column: Column) -> Reader | None:
        if column.missing or column.virtual or column.composite or column.base.startswith("hstore"):
            return None
        if column.base.endswith("[]") and column.kind is not FieldKind.ARRAY:
            return None
        return reader(self._heap.relation.attributes[self._numbers[column.name]])

    def read(self) -> Iterator[Columns]:
        """The values, range by range."""
        seen, pages = 0, self._heap.pages()
        for first, end in ranges(self._conn, self._leaf):
            for some in self._heap.within(first, pages if end is None else end):
                rows = self._heap.read(*some)
                seen += len(rows)
                if len(rows):
                    yield self._range(rows, *some)
        if (shown := count(self._conn, self._leaf)) != seen:
            raise UnsafeError(
                f"the server sees {shown} rows of {self._heap.relation.name}, its files hold {seen}",
                hint="report this as a bug",
            )

    def _range(self, rows: Rows, first: int, end: int) -> Columns:
        packed: dict[str, Packed] = {}
        others: dict[str, Sequence[Any]] = {}
        asked: list[Column] = []
        for column in self._columns:
            how, index, address = (
                self._readers.get(column.name),
                self._numbers[column.name],
                self._table.at(column.name),
            )
            if how is None or rows.outside(index):
                asked.append(column)
            elif column.kind in (FieldKind.ARRAY, FieldKind.JSON) or rows.longest(index) > LONGEST:
                others[address] = list(rows.values(index, how))
            else:
                packed[address] = rows.packed(index, how)
        where = places(len(rows), _tids(rows), read.placed(self._table, self._leaf, [""])[0])
        if asked:
            told = read_range(self._conn, self._table, self._leaf, asked, first, end)
            if told is None or not np.array_equal(told.places.block, where.block):
                raise UnsafeError(
                    f"the server sees other rows of {self._heap.relation.name} than its files hold",
                    hint="report this as a bug",
                )
            packed |= told.packed
            others |= told.others
        return Columns(self._table.address, where, packed, others)


def _tids(rows: Rows) -> bytes:
    """The addresses of rows as the server sends them: the page in four bytes, the line pointer in two."""
    whole = rows.addresses.astype(">u8").view(np.uint8).reshape(-1, 8)
    return bytes(whole[:, 2:].tobytes())
