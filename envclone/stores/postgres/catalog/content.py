"""What a branch's database holds, in a form that can be compared with another's: its schema, its rows by table."""

from __future__ import annotations

from typing import Any

from psycopg import Connection, sql

__all__ = ["content"]

_SCHEMA = (
    """SELECT pg_catalog.concat_ws('.', n.nspname, c.relname, a.attname), pg_catalog.concat(
          pg_catalog.format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN ' not null' END,
          ' default ' OPERATOR(pg_catalog.||) pg_catalog.pg_get_expr(d.adbin, d.adrelid))
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
        JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid OPERATOR(pg_catalog.=) a.attrelid
          AND d.adnum OPERATOR(pg_catalog.=) a.attnum
        WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,m,v,f}') AND a.attnum OPERATOR(pg_catalog.>) 0
          AND NOT a.attisdropped
          AND n.nspname OPERATOR(pg_catalog.<>) ALL ('{pg_catalog,information_schema}')
          AND n.nspname OPERATOR(pg_catalog.!~~) 'pg\\_%'""",
    """SELECT pg_catalog.concat_ws('.', n.nspname, c.relname), pg_catalog.pg_get_indexdef(c.oid)
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{i,I}')
          AND n.nspname OPERATOR(pg_catalog.<>) ALL ('{pg_catalog,information_schema}')
          AND n.nspname OPERATOR(pg_catalog.!~~) 'pg\\_%'""",
    """SELECT pg_catalog.concat_ws('.', n.nspname, c.relname, k.conname), pg_catalog.pg_get_constraintdef(k.oid)
        FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) k.conrelid
        JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE n.nspname OPERATOR(pg_catalog.<>) ALL ('{pg_catalog,information_schema}')
          AND n.nspname OPERATOR(pg_catalog.!~~) 'pg\\_%'""",
    """SELECT pg_catalog.concat_ws('.', n.nspname, c.relname), pg_catalog.pg_get_viewdef(c.oid)
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{v,m}')
          AND n.nspname OPERATOR(pg_catalog.<>) ALL ('{pg_catalog,information_schema}')
          AND n.nspname OPERATOR(pg_catalog.!~~) 'pg\\_%'""",
    """SELECT pg_catalog.concat(n.nspname, '.', p.proname, '(',
            pg_catalog.pg_get_function_identity_arguments(p.oid), ')'),
          pg_catalog.md5(pg_catalog.pg_get_functiondef(p.oid))
        FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
        WHERE p.prokind OPERATOR(pg_catalog.=) ANY ('{f,p}')
          AND n.nspname OPERATOR(pg_catalog.<>) ALL ('{pg_catalog,information_schema}')
          AND n.nspname OPERATOR(pg_catalog.!~~) 'pg\\_%'
          AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend x WHERE x.objid OPERATOR(pg_catalog.=) p.oid
            AND x.deptype OPERATOR(pg_catalog.=) 'e')""",
)
_KINDS = ("column", "definition of index", "constraint", "definition of view", "definition of function")
_TABLES = """SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,m}') AND c.relispopulated
          AND n.nspname OPERATOR(pg_catalog.<>) ALL ('{pg_catalog,information_schema}')
          AND n.nspname OPERATOR(pg_catalog.!~~) 'pg\\_%' ORDER BY 1, 2"""
_COUNTED = sql.SQL("SELECT pg_catalog.count(*), NULL FROM ONLY {} AS t")
_SUMMED = sql.SQL(
    "SELECT pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtextextended(t::pg_catalog.text, 0)) FROM ONLY {} AS t"
)

_EMBEDDED = """SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, a.attname::pg_catalog.text
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
    WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,m}') AND c.relispopulated AND NOT a.attisdropped
          AND a.attnum OPERATOR(pg_catalog.>) 0
          AND t.typname OPERATOR(pg_catalog.=) ANY ('{vector,halfvec,sparsevec}')
          AND n.nspname OPERATOR(pg_catalog.<>) ALL ('{pg_catalog,information_schema}')
          AND n.nspname OPERATOR(pg_catalog.!~~) 'pg\\_%' ORDER BY 1, 2, 3"""
_EMBEDDINGS = sql.SQL(
    "SELECT pg_catalog.count({column}), pg_catalog.sum(pg_catalog.hashtextextended({column}::pg_catalog.text, 0))"
    " FROM ONLY {table} AS t"
)


def content(conn: Connection[Any], *, whole: bool) -> dict[str, str]:
    """Columns, indexes, constraints, views and functions by their definition, and how many rows each table has.

    With `whole` each table's rows are read and summed up, so that one that was changed is seen; their order is not. Its
    embeddings are summed up by themselves, too.
    """
    found: dict[str, str] = {}
    for kind, statement in zip(_KINDS, _SCHEMA, strict=True):
        found |= {f"{kind} {name}": text for name, text in conn.execute(statement)}
    for schema, name in conn.execute(_TABLES).fetchall():
        counting = (_SUMMED if whole else _COUNTED).format(sql.Identifier(schema, name))
        count, total = conn.execute(counting).fetchone() or (0, None)
        digest = f", content {int(total) % 2**64:016x}" if total is not None else ""
        found[f"rows {schema}.{name}"] = f"{count}{digest}"
    for schema, name, column in conn.execute(_EMBEDDED).fetchall() if whole else ():
        summing = _EMBEDDINGS.format(column=sql.Identifier(column), table=sql.Identifier(schema, name))
        count, total = conn.execute(summing).fetchone() or (0, None)
        found[f"embeddings {schema}.{name}.{column}"] = f"{count}, content {int(total or 0) % 2**64:016x}"
    return found
