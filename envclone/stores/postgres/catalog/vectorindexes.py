"""Every index that answers nearest-neighbour questions, of whatever access method and type, in the words of SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from envclone.address import written
from envclone.stores.postgres.catalog.tables import USER_RELATIONS

__all__ = ["VectorIndex", "vector_indexes"]

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """One index of pgvector, or of another extension whose operator class orders its own type by a distance.

    `name` is its address for people, `own` its bare name, by which plans call it. `expression` is what it holds,
    `type` the type of a question without any modifier (`bit` alone would be `bit(1)`), `base` that type's name.
    `table` is the address of its table, of the root for a partition's. `unasked` says why it cannot be asked at all,
    `empty` why it needs no asking, `reads` which columns its expression and its predicate are made of.
    """

    name: str
    own: str
    table: str
    identifier: sql.Identifier
    expression: sql.Composable
    predicate: sql.Composable
    partial: bool
    operator: sql.Composable
    type: sql.Composable
    base: str
    rows: int
    unasked: str = ""
    empty: str = ""
    reads: tuple[str, ...] = ()


def vector_indexes(conn: Connection) -> list[VectorIndex]:
    """The vector indexes of users' tables and materialized views, by schema and name."""
    rows = conn.execute(
        f"""SELECT x.relname::pg_catalog.text, n.nspname::pg_catalog.text, c.relname::pg_catalog.text,
                   pg_catalog.pg_get_indexdef(i.indexrelid, 1, true), pg_catalog.pg_get_expr(i.indpred, i.indrelid),
                   o.oprname::pg_catalog.text, o.nspname::pg_catalog.text, t.typname::pg_catalog.text,
                   tn.nspname::pg_catalog.text,
                   greatest(c.reltuples::pg_catalog.float8, pg_catalog.pg_relation_size(c.oid)::pg_catalog.float8
                     OPERATOR(pg_catalog./) 8192)::pg_catalog.int8,
                   root.nspname::pg_catalog.text, root.relname::pg_catalog.text, m.amname::pg_catalog.text,
                   i.indisvalid, c.relispopulated, ARRAY(
                     SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_depend d
                     JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) d.refobjid
                       AND a.attnum OPERATOR(pg_catalog.=) d.refobjsubid
                     WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
                       AND d.objid OPERATOR(pg_catalog.=) i.indexrelid
                       AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
                       AND d.refobjid OPERATOR(pg_catalog.=) i.indrelid AND a.attnum OPERATOR(pg_catalog.>) 0
                     ORDER BY 1)
            FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_class x ON x.oid OPERATOR(pg_catalog.=) i.indexrelid
              JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) x.relam
            JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indrelid
            JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
            JOIN pg_catalog.pg_opclass k ON k.oid OPERATOR(pg_catalog.=) i.indclass[0]
            JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) k.opcintype
            JOIN pg_catalog.pg_namespace tn ON tn.oid OPERATOR(pg_catalog.=) t.typnamespace
            LEFT JOIN LATERAL (
              SELECT o.oprname, s.nspname FROM pg_catalog.pg_amop a
              JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) a.amopopr
              JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) o.oprnamespace
              WHERE a.amopfamily OPERATOR(pg_catalog.=) k.opcfamily AND a.amoppurpose OPERATOR(pg_catalog.=) 'o'
                AND a.amoplefttype OPERATOR(pg_catalog.=) k.opcintype
                AND a.amoprighttype OPERATOR(pg_catalog.=) k.opcintype
              ORDER BY a.amopstrategy LIMIT 1) o ON true
            CROSS JOIN LATERAL (
              SELECT rn.nspname, rc.relname FROM pg_catalog.pg_class rc
              JOIN pg_catalog.pg_namespace rn ON rn.oid OPERATOR(pg_catalog.=) rc.relnamespace
              WHERE rc.oid OPERATOR(pg_catalog.=) coalesce(pg_catalog.pg_partition_root(c.oid)::pg_catalog.oid,
                c.oid)) root
            WHERE m.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384 AND x.relkind OPERATOR(pg_catalog.=) 'i'
              AND (t.typname OPERATOR(pg_catalog.=) ANY ('{{vector,halfvec,sparsevec,bit,varbit}}')
                   OR o.oprname IS NOT NULL AND (t.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384
                                                 OR t.typcategory OPERATOR(pg_catalog.=) 'A'))
              AND {USER_RELATIONS}
            ORDER BY 2, 1"""  # noqa: S608 - a constant
    ).fetchall()
    return [_index(*row) for row in rows]


def _index(
    name: str,
    schema: str,
    table: str,
    expression: str,
    predicate: str | None,
    operator: str | None,
    its_schema: str | None,
    type_: str,
    type_schema: str,
    rows: int,
    root_schema: str,
    root: str,
    method: str,
    valid: bool,
    populated: bool,
    columns: list[str],
) -> VectorIndex:
    known = operator is not None and its_schema is not None
    empty = "" if valid else "it is invalid in production, where no query uses it"
    if not populated:
        empty = "its materialized view is not populated"
    return VectorIndex(
        name=written([schema, name]),
        own=name,
        table=written([root_schema, root]),
        identifier=sql.Identifier(schema, table),
        expression=sql.SQL("({})").format(sql.SQL(expression)),
        predicate=sql.SQL("({})").format(sql.SQL(predicate)) if predicate else sql.SQL("true"),
        partial=bool(predicate),
        operator=sql.SQL("OPERATOR({}.{})").format(sql.Identifier(its_schema or ""), sql.SQL(operator or "")),
        type=sql.Identifier(type_schema, type_),
        base=type_,
        rows=rows,
        unasked="" if known else f"the operator class of its method {method} has no distance to order by",
        empty=empty,
        reads=tuple(written([root_schema, root, column]) for column in dict.fromkeys(columns)),
    )
