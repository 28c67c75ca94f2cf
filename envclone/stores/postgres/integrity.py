"""What the constraints say: every foreign key by an explicit search for orphans, every unique index in use."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from envclone.models import Integrity

__all__ = ["check"]

Connection = psycopg.Connection[tuple[Any, ...]]


def check(conn: Connection) -> Integrity:
    """Count the rows that refer to nothing, for each declared foreign key, and look for indexes out of use.

    A key is compared by the constraint's own operators. MATCH SIMPLE asks for nothing when a column is NULL, MATCH FULL
    for all columns or none. Constraints that production has as NOT VALID may have orphans there too: those count
    as a problem only, not as orphans.
    """
    keys = conn.execute(
        """SELECT c.conname, cn.nspname, cr.relname, fn.nspname, fr.relname, c.confmatchtype, c.convalidated,
                  array_agg(a.attname ORDER BY k.n), array_agg(b.attname ORDER BY k.n),
                  array_agg(o.oprname ORDER BY k.n), array_agg(os.nspname ORDER BY k.n)
           FROM pg_catalog.pg_constraint c
           CROSS JOIN LATERAL unnest(c.conkey, c.confkey, c.conpfeqop) WITH ORDINALITY AS k (mine, theirs, op, n)
           JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.mine
           JOIN pg_catalog.pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = k.theirs
           JOIN pg_catalog.pg_operator o ON o.oid = k.op JOIN pg_catalog.pg_namespace os ON os.oid = o.oprnamespace
           JOIN pg_catalog.pg_class cr ON cr.oid = c.conrelid
           JOIN pg_catalog.pg_namespace cn ON cn.oid = cr.relnamespace
           JOIN pg_catalog.pg_class fr ON fr.oid = c.confrelid
           JOIN pg_catalog.pg_namespace fn ON fn.oid = fr.relnamespace
           WHERE c.contype = 'f' AND c.conparentid = 0
           GROUP BY c.oid, 1, 2, 3, 4, 5, 6, 7 ORDER BY 2, 3, 1"""
    ).fetchall()
    orphans, problems = 0, []
    for name, schema, table, other_schema, other, match, valid, mine, theirs, operators, schemas in keys:
        pairs = [
            sql.SQL("p.{} OPERATOR({}.{}) c.{}").format(
                sql.Identifier(b), sql.Identifier(s), sql.SQL(o), sql.Identifier(a)
            )
            for a, b, o, s in zip(mine, theirs, operators, schemas, strict=True)
        ]
        columns = [sql.SQL("c.{}").format(sql.Identifier(a)) for a in mine]
        nulls = sql.SQL("pg_catalog.num_nonnulls({})").format(sql.SQL(", ").join(columns))
        full = sql.Literal(1 if match == "f" else len(columns))
        row = conn.execute(
            sql.SQL(
                "SELECT pg_catalog.count(*) FROM {} AS c WHERE {} >= {} AND NOT EXISTS (SELECT 1 FROM {} AS p WHERE {})"
            ).format(
                sql.Identifier(schema, table),
                nulls,
                full,
                sql.Identifier(other_schema, other),
                sql.SQL(" AND ").join(pairs),
            )
        ).fetchone()
        count = row[0] if row else 0
        if count:
            problems.append(f"{schema}.{table}: {count} rows break the foreign key {name}")
            orphans += count if valid else 0
    unique, unusable = _unique_indexes(conn)
    return Integrity(len(keys), orphans, unique, (*problems, *unusable))


def _unique_indexes(conn: Connection) -> tuple[int, list[str]]:
    rows = conn.execute(
        """SELECT n.nspname, c.relname, i.indisvalid AND i.indisready AND i.indislive
           FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           WHERE i.indisunique AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
           ORDER BY 1, 2"""
    ).fetchall()
    return len(rows), [f"the unique index {schema}.{name} is not valid" for schema, name, good in rows if not good]
