"""What the server derives from a column: generated columns and indexes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from envclone.stores.postgres.catalog.tables import Table

__all__ = ["Index", "generated_from", "indexes_on"]

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Index:
    """An index with storage, on a table, a partition or a materialized view.

    One that a failed CREATE INDEX CONCURRENTLY left is not `valid`, and may not be `ready` (written to) or `live`.
    """

    oid: int
    schema: str
    name: str
    table: int
    unique: bool
    valid: bool = True
    ready: bool = True
    live: bool = True

    @property
    def identifier(self) -> sql.Identifier:
        """Its qualified name for SQL."""
        return sql.Identifier(self.schema, self.name)


def generated_from(conn: Connection, table: Table, columns: Collection[str]) -> set[str]:
    """The table's generated columns that the server computes from any of `columns` (a generated one cannot chain)."""
    rows = conn.execute(
        """SELECT DISTINCT g.attname
           FROM pg_catalog.pg_attribute g
           LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid OPERATOR(pg_catalog.=) g.attrelid
             AND f.adnum OPERATOR(pg_catalog.=) g.attnum
           JOIN pg_catalog.pg_depend d ON d.refclassid
             OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
               AND d.refobjid OPERATOR(pg_catalog.=) g.attrelid
             AND (d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_attrdef'::pg_catalog.regclass
               AND d.objid OPERATOR(pg_catalog.=) f.oid
                  OR d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
                    AND d.objid OPERATOR(pg_catalog.=) g.attrelid AND d.objsubid OPERATOR(pg_catalog.=) g.attnum)
           JOIN pg_catalog.pg_attribute b ON b.attrelid OPERATOR(pg_catalog.=) g.attrelid
             AND b.attnum OPERATOR(pg_catalog.=) d.refobjsubid
           WHERE g.attrelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid
             AND g.attgenerated OPERATOR(pg_catalog.<>) '' AND b.attname OPERATOR(pg_catalog.=) ANY (%s)
               AND b.attname OPERATOR(pg_catalog.<>) g.attname""",
        [table.oid, list(columns)],
    ).fetchall()
    return {row[0] for row in rows}


def indexes_on(conn: Connection, relation: int, columns: Collection[str]) -> list[Index]:
    """The relation's indexes that hold any of `columns`: as a key, included, in an expression or in a predicate.

    A whole row in an expression holds every column; the catalog records no dependency on columns for it, but its
    attribute number is 0 (`src/include/nodes/primnodes.h`).
    """
    rows = conn.execute(
        """SELECT i.indexrelid::pg_catalog.int8, n.nspname, c.relname, i.indrelid::pg_catalog.int8, i.indisunique,
                  i.indisvalid, i.indisready, i.indislive
           FROM pg_catalog.pg_index i
           JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
           JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
           WHERE i.indrelid OPERATOR(pg_catalog.=) %(relation)s::pg_catalog.oid
             AND c.relkind OPERATOR(pg_catalog.=) 'i' AND %(columns)s::pg_catalog.text[]
               OPERATOR(pg_catalog.<>) '{}' AND
             (pg_catalog.concat(i.indexprs::pg_catalog.text,
               i.indpred::pg_catalog.text) OPERATOR(pg_catalog.~) ':varattno 0 ' OR EXISTS
             (SELECT 1 FROM pg_catalog.pg_attribute a
              WHERE a.attrelid OPERATOR(pg_catalog.=) i.indrelid
                AND a.attname OPERATOR(pg_catalog.=) ANY (%(columns)s) AND
                (a.attnum OPERATOR(pg_catalog.=) ANY (i.indkey) OR EXISTS
                  (SELECT 1 FROM pg_catalog.pg_depend d
                   WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
                     AND d.objid OPERATOR(pg_catalog.=) i.indexrelid
                     AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
                       AND d.refobjid OPERATOR(pg_catalog.=) i.indrelid
                     AND d.refobjsubid OPERATOR(pg_catalog.=) a.attnum))))
           ORDER BY 1""",
        {"relation": relation, "columns": list(columns)},
    ).fetchall()
    return [Index(*row) for row in rows]
