"""A search by a vector in a branch's table, as a statement: by the operator that the column's index has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql

from envclone.errors import UsageError
from envclone.incidents.bundle import SqlStep

if TYPE_CHECKING:
    import psycopg

    from envclone.protocols.asking import Nearest

__all__ = ["METRICS", "step"]

METRICS = {"cosine": "<=>", "l2": "<->", "ip": "<#>", "l1": "<+>"}
"""pgvector's operators; `ip` is the negative inner product."""

_COLUMNS = """
    SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, a.attname::pg_catalog.text,
           tn.nspname::pg_catalog.text, t.typname::pg_catalog.text,
           (SELECT o.oprname::pg_catalog.text FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_opclass k ON k.oid OPERATOR(pg_catalog.=) i.indclass[0]
            JOIN pg_catalog.pg_amop m ON m.amopfamily OPERATOR(pg_catalog.=) k.opcfamily
            JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) m.amopopr
            WHERE i.indrelid OPERATOR(pg_catalog.=) c.oid
              AND i.indkey[0] OPERATOR(pg_catalog.=) a.attnum
              AND m.amoppurpose OPERATOR(pg_catalog.=) 'o'::pg_catalog."char"
            ORDER BY i.indexrelid LIMIT 1)
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
    JOIN pg_catalog.pg_namespace tn ON tn.oid OPERATOR(pg_catalog.=) t.typnamespace
    WHERE t.typname OPERATOR(pg_catalog.=) ANY ('{vector,halfvec,sparsevec}'::pg_catalog.name[])
      AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,m}'::pg_catalog."char"[])
      AND a.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2 AND NOT a.attisdropped
    ORDER BY 1, 2, 3
"""


def step(conn: psycopg.Connection[Any], store: str, asked: Nearest) -> SqlStep:
    """The statement, with its settings: id and distance first, then the columns to show.

    Raises UsageError naming the columns of vectors that there are, or when there is no row to be like.
    """
    schema, table, column, type_schema, type_, indexed = _column(conn, asked)
    operator = METRICS.get(asked.metric) or indexed or METRICS["cosine"]
    place, vectors = sql.Identifier(schema, table), sql.Identifier(column)
    distance = sql.SQL("{column} {operator} {value}::{type}").format(
        column=vectors,
        operator=sql.SQL("OPERATOR({}.{})").format(sql.Identifier(type_schema), sql.SQL(operator)),
        value=sql.Literal(_vector(conn, asked, place, vectors)),
        type=sql.Identifier(type_schema, type_),
    )
    shown = sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier(name)) for name in asked.show)
    text = sql.SQL("SELECT {} AS id, {} AS distance{} FROM {} ORDER BY {} LIMIT {}").format(
        sql.Identifier(asked.key), distance, shown, place, distance, sql.Literal(asked.limit)
    )
    local = {"enable_indexscan": "off"} if asked.exact else {}
    if asked.ef is not None and not asked.exact:
        # the library, once it is loaded, knows its settings
        conn.execute(sql.SQL("SELECT NULL::{type}").format(type=sql.Identifier(type_schema, type_)))
        local["hnsw.ef_search"] = str(asked.ef)
    return SqlStep(id="vector_search", store=store, sql=text.as_string(conn), local=local, key="id", score="distance")


def _column(conn: psycopg.Connection[Any], asked: Nearest) -> tuple[str, str, str, str, str, str | None]:
    rows = conn.execute(_COLUMNS).fetchall()
    found = [row for row in rows if asked.place in (row[1], f"{row[0]}.{row[1]}") and asked.using in ("", row[2])]
    if len(found) == 1:
        schema, table, column, type_schema, type_, operator = found[0]
        return schema, table, column, type_schema, type_, operator
    there = ", ".join(f"{row[0]}.{row[1]} ({row[2]})" for row in rows[:20]) or "none"
    what = "has several columns of vectors: name one with `using`" if found else "is no table with such a column"
    raise UsageError(f"'{asked.place}' {what}", hint=f"columns of vectors: {there}")


def _vector(conn: psycopg.Connection[Any], asked: Nearest, place: sql.Identifier, vectors: sql.Identifier) -> str:
    """The vector as the server writes it; of a row by its key."""
    if asked.vector is not None:
        return "[" + ",".join(repr(float(one)) for one in asked.vector) + "]"
    row = conn.execute(
        sql.SQL(
            "SELECT {}::pg_catalog.text FROM {} WHERE {}::pg_catalog.text OPERATOR(pg_catalog.=) %s::pg_catalog.text"
            " LIMIT 1"
        ).format(vectors, place, sql.Identifier(asked.key)),
        [str(asked.like)],
    ).fetchone()
    if row is None or row[0] is None:
        raise UsageError(f"'{asked.place}' has no row whose {asked.key} is {asked.like}, or it has no vector")
    return str(row[0])
