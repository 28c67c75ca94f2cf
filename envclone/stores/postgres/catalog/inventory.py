"""Every field that a PostgreSQL store holds, for the guard to demand a decision on each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import psycopg
from psycopg import sql

from envclone.models import Field, FieldKind, Inventory
from envclone.stores.postgres.catalog.tables import LARGE_OBJECTS, Column, Table, read_tables

__all__ = ["foreign_keys", "read_inventory"]

Connection = psycopg.Connection[tuple[Any, ...]]

_BATCH = 2000
"""JSON documents parsed together; they can be large."""


class Sample(Protocol):
    """Some documents of a column, instead of all."""

    def documents(self, table: Table, column: Column) -> Iterator[str]:
        """Their texts."""
        ...


def read_inventory(conn: Connection, store: str, sample: Sample | None = None) -> Inventory:
    """Every column of every user table and materialized view, with the group of columns that foreign keys tie to it.

    Views, materialized ones without data and foreign tables are left out: they hold no rows in these files.
    Extensions' tables are not.
    Large objects, when there are any, are one field `pg_largeobject`. With a `sample` rows are not counted (each table
    has one), and documents' paths are those of the sample.
    """
    tables = read_tables(conn)
    groups, proven = foreign_key_groups(conn, tables)
    fields: dict[str, Field] = {}
    rows: dict[str, int] = {}
    for table in tables:
        rows[table.address] = _count(conn, table) if sample is None else 1
        for column in table.columns.values():
            address = table.at(column.name)
            documents = sample.documents(table, column) if sample else _documents(conn, table, column)
            paths, common = _json_paths(documents) if column.kind is FieldKind.JSON else ((), frozenset())
            fields[address] = Field(
                address,
                column.type,
                column.kind,
                nullable=column.nullable,
                unique=column.unique,
                generated=column.generated,
                paths=paths,
                group=groups.get(address, frozenset()),
                proven=proven.get(address, frozenset()),
                base=column.base,
                holds=column.holds,
                common=common,
                opaque=column.opaque,
                shows=column.shows,
                computed=table.view and not column.shows,
                partitioning=column.name in table.partition_key,
            )
    objects = conn.execute("SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata").fetchone()
    if objects and objects[0]:
        fields[LARGE_OBJECTS] = Field(LARGE_OBJECTS, "bytea", FieldKind.OTHER, base="bytea")
        rows[LARGE_OBJECTS] = objects[0]
    return Inventory(store, fields, rows)


Groups = dict[str, frozenset[str]]


def foreign_key_groups(conn: Connection, tables: Iterable[Table]) -> tuple[Groups, Groups]:
    """For each column in a declared foreign key, all columns tied to it, itself included, transitively.

    The second value ties by those keys alone that hold for every row: validated, not of one partition alone, and not of
    several columns of which one may be null, for such a row is not checked (MATCH SIMPLE). Both ends are named at their
    partition root; keys may be composite, cyclic or refer to their own table.
    """
    tables = list(tables)
    links, held = _linked(conn, tables)
    return _components(links), _components(held)


def foreign_keys(conn: Connection, tables: Iterable[Table]) -> list[tuple[str, str]]:
    """Every column of a declared foreign key, and what it refers to."""
    return _linked(conn, list(tables))[0]


def _linked(conn: Connection, tables: list[Table]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    roots = {member: table for table in tables for member in table.tree}
    pairs = conn.execute(
        """SELECT c.conrelid::pg_catalog.int8, a.attname, c.confrelid::pg_catalog.int8, b.attname,
             c.convalidated AND (pg_catalog.cardinality(c.conkey) OPERATOR(pg_catalog.=) 1
               OR c.confmatchtype OPERATOR(pg_catalog.=) 'f'
               OR NOT EXISTS (SELECT FROM pg_catalog.pg_attribute n
                 WHERE n.attrelid OPERATOR(pg_catalog.=) c.conrelid
                   AND n.attnum OPERATOR(pg_catalog.=) ANY (c.conkey) AND NOT n.attnotnull)
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint n
                 WHERE n.conrelid OPERATOR(pg_catalog.=) c.conrelid
                   AND n.contype OPERATOR(pg_catalog.=) 'n' AND NOT n.convalidated))
           FROM pg_catalog.pg_constraint c
           CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(c.conkey), pg_catalog.unnest(c.confkey)) AS k (mine, theirs)
           JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.conrelid
             AND a.attnum OPERATOR(pg_catalog.=) k.mine
           JOIN pg_catalog.pg_attribute b ON b.attrelid OPERATOR(pg_catalog.=) c.confrelid
             AND b.attnum OPERATOR(pg_catalog.=) k.theirs
           WHERE c.contype OPERATOR(pg_catalog.=) 'f'"""
    ).fetchall()
    links: list[tuple[str, str]] = []
    held: list[tuple[str, str]] = []
    for relation, column, other, other_column, holds in pairs:
        ends = [(roots.get(relation), column), (roots.get(other), other_column)]
        addresses = [
            table.at(name)
            for table, name in ends
            if table and name in table.columns and table.columns[name].kind in (FieldKind.TEXT, FieldKind.OTHER)
        ]
        if len(addresses) == 2:
            links.append((addresses[0], addresses[1]))
            own = roots[relation].oid == relation  # a key of one partition says nothing of the others
            held += links[-1:] if holds and own else []
    return links, held


def _components(links: Iterable[tuple[str, str]]) -> Groups:
    parent: dict[str, str] = {}

    def root(item: str) -> str:
        parent.setdefault(item, item)
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for one, other in links:
        parent[root(one)] = root(other)
    members: dict[str, set[str]] = {}
    for item in list(parent):
        members.setdefault(root(item), set()).add(item)
    return {item: frozenset(group) for group in members.values() for item in group}


def _count(conn: Connection, table: Table) -> int:
    total = 0
    for leaf in table.leaves:
        row = conn.execute(sql.SQL("SELECT pg_catalog.count(*) FROM ONLY {}").format(leaf.identifier)).fetchone()
        total += row[0] if row else 0
    return total


def _documents(conn: Connection, table: Table, column: Column) -> Iterator[str]:
    for leaf in table.leaves:
        with conn.transaction(), conn.cursor(name="envclone_paths") as cursor:
            cursor.itersize = _BATCH
            name = sql.Identifier(column.name)
            cursor.execute(
                sql.SQL("SELECT {} FROM ONLY {} WHERE {} IS NOT NULL").format(column.read_as(), leaf.identifier, name)
            )
            for (document,) in cursor:
                yield document


def _json_paths(documents: Iterable[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """The paths of a column's documents, and which keys so many have that they are not a single person's."""
    from envclone.masking.jsonscan import Path, render
    from envclone.masking.jsontext import ways
    from envclone.masking.shown import KeyCounter

    seen: set[Path] = set()
    counter = KeyCounter()
    for document in documents:
        its = ways(document)
        seen |= its
        counter.add(its)
    return tuple(sorted(map(render, seen))), counter.common()
