"""What the constraints say: every foreign key by an explicit search for orphans, every unique index in use.

And sequences, which must be ahead of the columns that they number.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from envclone.models import Integrity
from envclone.stores.postgres.write import sequences

__all__ = ["check"]

Connection = psycopg.Connection[tuple[Any, ...]]


def check(conn: Connection) -> Integrity:
    """Count the rows that refer to nothing, for each declared foreign key; look for indexes and sequences out of use.

    A key is compared by the constraint's own operators. MATCH SIMPLE asks for nothing when a column is NULL, MATCH FULL
    for all columns or none. Constraints that production has as NOT VALID may have orphans there too: those count
    as a problem only, not as orphans.
    """
    keys = conn.execute(
        """SELECT c.conname, cn.nspname, cr.relname, fn.nspname, fr.relname, c.confmatchtype, c.convalidated,
                  pg_catalog.array_agg(a.attname ORDER BY k.n), pg_catalog.array_agg(b.attname ORDER BY k.n),
                  pg_catalog.array_agg(o.oprname ORDER BY k.n), pg_catalog.array_agg(os.nspname ORDER BY k.n)
           FROM pg_catalog.pg_constraint c
           CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(c.conkey), pg_catalog.unnest(c.confkey),
             pg_catalog.unnest(c.conpfeqop)) WITH ORDINALITY AS k (mine, theirs, op, n)
           JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.conrelid
             AND a.attnum OPERATOR(pg_catalog.=) k.mine
           JOIN pg_catalog.pg_attribute b ON b.attrelid OPERATOR(pg_catalog.=) c.confrelid
             AND b.attnum OPERATOR(pg_catalog.=) k.theirs
           JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) k.op
             JOIN pg_catalog.pg_namespace os ON os.oid OPERATOR(pg_catalog.=) o.oprnamespace
           JOIN pg_catalog.pg_class cr ON cr.oid OPERATOR(pg_catalog.=) c.conrelid
           JOIN pg_catalog.pg_namespace cn ON cn.oid OPERATOR(pg_catalog.=) cr.relnamespace
           JOIN pg_catalog.pg_class fr ON fr.oid OPERATOR(pg_catalog.=) c.confrelid
           JOIN pg_catalog.pg_namespace fn ON fn.oid OPERATOR(pg_catalog.=) fr.relnamespace
           WHERE c.contype OPERATOR(pg_catalog.=) 'f' AND c.conparentid OPERATOR(pg_catalog.=) 0
           GROUP BY c.oid, 1, 2, 3, 4, 5, 6, 7 ORDER BY 2, 3, 1"""
    ).fetchall()
    orphans, problems = 0, []
    for name, schema, table, other_schema, other, match, valid, mine, theirs, operators, schemas in keys:
        pairs = [
            sql.SQL("p.{theirs} OPERATOR({schema}.{symbol}) c.{mine}").format(
                theirs=sql.Identifier(b), schema=sql.Identifier(s), symbol=sql.SQL(o), mine=sql.Identifier(a)
            )
            for a, b, o, s in zip(mine, theirs, operators, schemas, strict=True)
        ]
        columns = [sql.SQL("c.{}").format(sql.Identifier(a)) for a in mine]
        nulls = sql.SQL("pg_catalog.num_nonnulls({})").format(sql.SQL(", ").join(columns))
        full = sql.Literal(1 if match == "f" else len(columns))
        row = conn.execute(
            sql.SQL(
                "SELECT pg_catalog.count(*) FROM {} AS c WHERE {} OPERATOR(pg_catalog.>=) {}"
                " AND NOT EXISTS (SELECT 1 FROM {} AS p WHERE {})"
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
    return Integrity(len(keys), orphans, unique, (*problems, *unusable, *sequences.behind(conn)))


def _unique_indexes(conn: Connection) -> tuple[int, list[str]]:
    rows = conn.execute(
        """SELECT n.nspname, c.relname, i.indisvalid AND i.indisready AND i.indislive
           FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
           JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
           WHERE i.indisunique AND n.nspname OPERATOR(pg_catalog.<>) ALL ('{pg_catalog,information_schema,pg_toast}')
           ORDER BY 1, 2"""
    ).fetchall()
    return len(rows), [f"the unique index {schema}.{name} is not valid" for schema, name, good in rows if not good]
