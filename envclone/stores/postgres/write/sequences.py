"""Sequences behind masked keys: what they give next must be free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

from envclone.stores.postgres.catalog.tables import Column

__all__ = ["advance", "behind"]

Connection = psycopg.Connection[tuple[Any, ...]]


_OWNED = """
    SELECT n.nspname, s.relname, r.nspname, c.relname, a.attname
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_class s ON s.oid OPERATOR(pg_catalog.=) d.objid AND s.relkind OPERATOR(pg_catalog.=) 'S'
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) s.relnamespace
    JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) d.refobjid
    JOIN pg_catalog.pg_namespace r ON r.oid OPERATOR(pg_catalog.=) c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) d.refobjid
      AND a.attnum OPERATOR(pg_catalog.=) d.refobjsubid
    WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
      AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
      AND d.deptype OPERATOR(pg_catalog.=) ANY ('{a,i}')
      AND a.atttypid OPERATOR(pg_catalog.=) ANY
        ('{pg_catalog.int2,pg_catalog.int4,pg_catalog.int8}'::pg_catalog.regtype[])
      AND (%(table)s::pg_catalog.oid IS NULL OR (d.refobjid OPERATOR(pg_catalog.=) %(table)s::pg_catalog.oid
        AND a.attname OPERATOR(pg_catalog.=) ANY (%(columns)s)))"""
"""Sequences that belong to a column: their names, and the column's."""


def advance(conn: Connection, columns: Mapping[int, Sequence[Column]]) -> None:
    """Set each sequence that belongs to a masked column (by table) beyond the column's greatest value.

    A sequence never goes back, and one whose column holds nothing above it is left alone.
    """
    for table, its_columns in columns.items():
        names = [column.name for column in its_columns]
        rows = conn.execute(_OWNED, {"table": table, "columns": names}).fetchall()
        for schema, name, table_schema, table_name, column in rows:
            sequence = sql.Identifier(schema, name)
            conn.execute(
                sql.SQL(
                    "SELECT pg_catalog.setval({}::pg_catalog.regclass, m.greatest)"
                    " FROM (SELECT pg_catalog.max({})::pg_catalog.int8 AS greatest FROM {}) m, {} AS s"
                    " WHERE m.greatest OPERATOR(pg_catalog.>) s.last_value"
                ).format(
                    sql.Literal(sequence.as_string(conn)),
                    sql.Identifier(column),
                    sql.Identifier(table_schema, table_name),
                    sequence,
                )
            )


def behind(conn: Connection) -> list[str]:
    """The sequences that would give a value below their column's greatest."""
    found = []
    rows = conn.execute(_OWNED, {"table": None, "columns": []}).fetchall()
    for schema, name, table_schema, table_name, column in rows:
        row = conn.execute(
            sql.SQL(
                "SELECT pg_catalog.max({})::pg_catalog.int8 OPERATOR(pg_catalog.>) (SELECT last_value FROM {}) FROM {}"
            ).format(sql.Identifier(column), sql.Identifier(schema, name), sql.Identifier(table_schema, table_name))
        ).fetchone()
        if row and row[0]:
            found.append(f"the sequence {schema}.{name} is behind the column {column} that it numbers")
    return found
