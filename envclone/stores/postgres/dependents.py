"""What the server derives from a column: generated columns, indexes, statistics, materialized views."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from envclone.stores.postgres.tables import USER_RELATIONS, Table

__all__ = ["Index", "MaterializedView", "generated_from", "indexes_on", "materialized_views"]

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Index:
    """An index with storage, on a table, a partition or a materialized view."""

    oid: int
    schema: str
    name: str
    table: int
    unique: bool

    @property
    def identifier(self) -> sql.Identifier:
        """Its qualified name for SQL."""
        return sql.Identifier(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class MaterializedView:
    """A materialized view; an unpopulated one holds nothing."""

    oid: int
    schema: str
    name: str
    populated: bool

    @property
    def identifier(self) -> sql.Identifier:
        """Its qualified name for SQL."""
        return sql.Identifier(self.schema, self.name)


def generated_from(conn: Connection, table: Table, columns: Collection[str]) -> set[str]:
    """The table's generated columns that the server computes from any of `columns` (a generated one cannot chain)."""
    rows = conn.execute(
        """SELECT DISTINCT g.attname
           FROM pg_catalog.pg_attribute g
           LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = g.attrelid AND f.adnum = g.attnum
           JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = g.attrelid
             AND (d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = f.oid
                  OR d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = g.attrelid AND d.objsubid = g.attnum)
           JOIN pg_catalog.pg_attribute b ON b.attrelid = g.attrelid AND b.attnum = d.refobjsubid
           WHERE g.attrelid = %s::oid AND g.attgenerated <> '' AND b.attname = ANY (%s) AND b.attname <> g.attname""",
        [table.oid, list(columns)],
    ).fetchall()
    return {row[0] for row in rows}


def indexes_on(conn: Connection, relation: int, columns: Collection[str]) -> list[Index]:
    """The relation's indexes that hold any of `columns`: as a key, included, in an expression or in a predicate.

    A whole row in an expression holds every column; the catalog records no dependency on columns for it, but its
    attribute number is 0 (`src/include/nodes/primnodes.h`).
    """
    rows = conn.execute(
        """SELECT i.indexrelid::int8, n.nspname, c.relname, i.indrelid::int8, i.indisunique
           FROM pg_catalog.pg_index i
           JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           WHERE i.indrelid = %(relation)s::oid AND c.relkind = 'i' AND %(columns)s::text[] <> '{}' AND
             (pg_catalog.concat(i.indexprs::text, i.indpred::text) ~ ':varattno 0 ' OR EXISTS
             (SELECT 1 FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = i.indrelid AND a.attname = ANY (%(columns)s) AND
                (a.attnum = ANY (i.indkey) OR EXISTS
                  (SELECT 1 FROM pg_catalog.pg_depend d
                   WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
                     AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid
                     AND d.refobjsubid = a.attnum))))
           ORDER BY 1""",
        {"relation": relation, "columns": list(columns)},
    ).fetchall()
    return [Index(*row) for row in rows]


def materialized_views(conn: Connection, masked: Collection[int]) -> list[MaterializedView]:
    """The user's materialized views that can show a masked value, each behind those that it is made from.

    `masked` are the oids of the tables with masked columns. Views are looked through. One that is made from other
    tables alone is left out; one that calls a user's function, or reads a foreign table, is not, for nothing says what
    it shows.
    """
    found = {
        row[0]: MaterializedView(*row)
        for row in conn.execute(
            f"""SELECT c.oid::int8, n.nspname, c.relname, c.relispopulated
                FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE c.relkind = 'm' AND {USER_RELATIONS} ORDER BY 1"""  # noqa: S608 - a constant
        )
    }
    edges: dict[int, set[int]] = {}
    unsure: set[int] = set()
    for source, target, opaque in conn.execute(
        """SELECT DISTINCT r.ev_class::int8, d.refobjid::int8,
                  d.refclassid = 'pg_catalog.pg_proc'::regclass OR c.relkind = 'f'
           FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d
             ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid AND d.refobjid <> r.ev_class
           LEFT JOIN pg_catalog.pg_class c ON c.oid = d.refobjid AND d.refclassid = 'pg_catalog.pg_class'::regclass
           WHERE c.oid IS NOT NULL OR d.refclassid = 'pg_catalog.pg_proc'::regclass AND NOT EXISTS
             (SELECT 1 FROM pg_catalog.pg_depend e WHERE e.classid = d.refclassid AND e.objid = d.refobjid
                AND e.deptype = 'e')"""
    ):
        if opaque:
            unsure.add(source)
        else:
            edges.setdefault(source, set()).add(target)
    order: list[MaterializedView] = []
    shows: dict[int, bool] = dict.fromkeys(masked, True)

    def visit(oid: int) -> bool:
        if oid not in shows:
            shows[oid] = oid in unsure
            below = [visit(target) for target in sorted(edges.get(oid, ()))]
            shows[oid] |= any(below)
            if oid in found and shows[oid]:
                order.append(found[oid])
        return shows[oid]

    for oid in found:
        visit(oid)
    return order
