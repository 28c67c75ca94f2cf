"""Some rows of tables: the first by their keys, or from all over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from envclone.errors import UsageError
from envclone.masking.addresses import known_as
from envclone.models import Rows
from envclone.stores.postgres.catalog.read import asked_for, primary_key, rows_of
from envclone.stores.postgres.catalog.tables import LARGE_OBJECTS, Column, Leaf, Table, read_tables

__all__ = ["read_sample", "read_some"]

Connection = psycopg.Connection[tuple[Any, ...]]

_BATCH = 500
_BYTES = 4 << 20
"""So many rows are fetched together, and no more of the first than this holds; the same of those all over a table."""
_RANGES = 20
"""Ranges of pages of equal length that a table is cut into; the first rows of each are taken."""
_LEAVES = 100
"""Partitions that are looked at: so many, all over the table."""
_WITH_RANGES = 140000
"""The first server that goes to a range of pages without reading the table up to there."""


class _Part(NamedTuple):
    """A range of pages of a relation; without an end the rest."""

    leaf: Leaf
    first: int
    end: int | None


def read_sample(conn: Connection, addresses: Sequence[str], rows: int, *, spread: bool = False) -> dict[str, list[Any]]:
    """The values of columns in the first rows of their tables, in the order of the primary key where there is one, or
    with `spread` in rows from all over them; large objects have none.

    Raises UsageError when an address is not there.
    """
    found: dict[str, list[Any]] = {LARGE_OBJECTS: []} if LARGE_OBJECTS in addresses else {}
    for table in read_tables(conn):
        columns_of = {table.at(name): column for name, column in table.columns.items()}
        its = {a: known for a in addresses if (known := known_as(a, columns_of)) in columns_of}
        if not its:
            continue
        columns = [columns_of[known] for known in its.values()]
        taken = _spread(conn, table, columns, rows) if spread else _first(conn, table, columns, rows)
        found.update({address: [row[i] for row in taken] for i, address in enumerate(its)})
    if missing := sorted(set(addresses) - found.keys()):
        raise UsageError(f"there is no column {missing[0]}")
    return found


def read_some(conn: Connection, most: int) -> Iterator[Rows]:
    """Whole rows of each table, as `read_rows` gives them: half of `most` from its beginning, for rows that refer to
    each other were often written together, and half from all over the rest. There are fewer where they are long."""
    for table, columns in asked_for(conn, None):
        few = sum(_pages(conn, leaf) for leaf in table.leaves[: _RANGES + 1]) <= _RANGES
        beginning = most if few else max(1, most // 2)
        seen = size = 0
        last: tuple[Leaf, int] | None = None
        for leaf in table.leaves:
            for rows in rows_of(conn, table, leaf, columns, min(beginning, _BATCH)):
                yield rows
                seen += len(rows.places)
                size += _size(rows)
                if seen >= beginning or size > _BYTES:
                    last = leaf, _page(rows.places[-1])
                    break
            if last is not None:
                break
        size = 0
        parts = _parts(conn, table, last) if last is not None and seen < most else []
        for i, part in enumerate(parts):
            share = -(-(most - seen) // (len(parts) - i))
            for rows in rows_of(conn, table, part.leaf, columns, max(1, min(share, _BATCH)), _within(part, share)):
                yield rows
                seen += len(rows.places)
                size += _size(rows)
            if size > _BYTES:
                break


def _first(conn: Connection, table: Table, columns: Sequence[Column], rows: int) -> list[tuple[Any, ...]]:
    keys: list[sql.Composable] = [sql.Identifier(name) for name in primary_key(conn, table.oid)]
    query = sql.SQL("SELECT {} FROM {} ORDER BY {} LIMIT {}").format(
        sql.SQL(", ").join([column.read_as() for column in columns]),
        table.identifier,
        sql.SQL(", ").join(keys or [sql.SQL("tableoid, ctid")]),
        sql.Literal(rows),
    )
    return conn.execute(query).fetchall()


def _spread(conn: Connection, table: Table, columns: Sequence[Column], rows: int) -> list[tuple[Any, ...]]:
    """At most `rows` rows: all where there are not more, else some of each range of pages."""
    shown = sql.SQL(", ").join([column.read_as() for column in columns])
    whole = sql.SQL("SELECT {} FROM {} LIMIT {}").format(shown, table.identifier, sql.Literal(rows + 1))
    taken = conn.execute(whole).fetchall()
    if len(taken) <= rows:
        return taken
    taken = []
    parts = _parts(conn, table, None)
    for i, part in enumerate(parts):
        share = -(-(rows - len(taken)) // (len(parts) - i))  # what a range of dead rows lacks the next ones have
        query = sql.SQL("SELECT {} FROM ONLY {}").format(shown, part.leaf.identifier) + _within(part, share)
        taken += conn.execute(query).fetchall()
    return taken


def _parts(conn: Connection, table: Table, behind: tuple[Leaf, int] | None) -> list[_Part]:
    """Ranges of pages all over a table, or of what lies behind a page of a leaf."""
    leaves = list(table.leaves[0 if behind is None else table.leaves.index(behind[0]) :])
    leaves = leaves[:: -(-len(leaves) // _LEAVES)]
    pages = {leaf: _pages(conn, leaf) for leaf in leaves}
    ranges = _RANGES if conn.info.server_version >= _WITH_RANGES else 1
    length = max(1, -(-sum(pages.values()) // ranges))
    parts: list[_Part] = []
    for leaf, count in pages.items():
        start = 0 if behind is None or leaf != behind[0] else behind[1] + 1
        firsts = range(start, count, length)
        parts += [_Part(leaf, first, first + length if first + length < count else None) for first in firsts]
    return parts


def _pages(conn: Connection, leaf: Leaf) -> int:
    row = conn.execute(
        """SELECT pg_catalog.pg_relation_size(%s::pg_catalog.oid::pg_catalog.regclass)
                  OPERATOR(pg_catalog./) pg_catalog.current_setting('block_size')::pg_catalog.int8""",
        [leaf.oid],
    ).fetchone()
    assert row is not None
    return int(row[0])


def _within(part: _Part, rows: int) -> sql.Composed:
    """The rest of a statement that reads some rows of a range of pages."""
    where = sql.SQL(" WHERE ctid OPERATOR(pg_catalog.>=) {}::pg_catalog.tid").format(sql.Literal(f"({part.first},0)"))
    if part.end is not None:
        where += sql.SQL(" AND ctid OPERATOR(pg_catalog.<) {}::pg_catalog.tid").format(sql.Literal(f"({part.end},0)"))
    return where + sql.SQL(" LIMIT {}").format(sql.Literal(rows))


def _page(place: str) -> int:
    """The page of a row's place, which ends in its address: `ctid (3,7)`."""
    return int(place.rpartition("(")[2].partition(",")[0])


def _size(rows: Rows) -> int:
    return sum(len(v) for its in rows.fields.values() for v in its if isinstance(v, str | list))
