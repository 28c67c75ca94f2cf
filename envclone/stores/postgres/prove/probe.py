"""The same questions to each vector index of production and of its clone."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from envclone.models import Probe
from envclone.stores.postgres.catalog.tables import USER_RELATIONS

__all__ = ["answers", "probes"]

Connection = psycopg.Connection[tuple[Any, ...]]

_NEAREST = 10
_HALVABLE = ("vector", "halfvec")


@dataclass(frozen=True, slots=True)
class _VectorIndex:
    """An index that answers nearest-neighbour questions, in the words of SQL."""

    name: str
    address: str
    identifier: sql.Identifier
    expression: sql.Composable
    predicate: sql.Composable
    operator: sql.Composable
    type: str
    rows: int


def probes(conn: Connection, most: int) -> list[Probe]:
    """Questions for each vector index: vectors that rows have, and points halfway between two of them."""
    found = []
    for index in _indexes(conn):
        share = 100.0 if index.rows <= 50 * most else min(100.0, 100.0 * 8 * most / index.rows)
        query = sql.SQL(
            "SELECT v FROM (SELECT ({expression})::pg_catalog.text AS v FROM {table} TABLESAMPLE SYSTEM ({share})"
            " REPEATABLE (1) WHERE ({expression}) IS NOT NULL AND {predicate}) s"
            " ORDER BY pg_catalog.md5(v) LIMIT {most}"
        ).format(
            expression=index.expression,
            table=index.identifier,
            share=sql.Literal(share),
            predicate=index.predicate,
            most=sql.Literal(most),
        )
        vectors = [row[0] for row in conn.execute(query)]
        asked = list(vectors)
        if index.type in _HALVABLE:
            half = len(vectors) // 2
            asked[half:] = [_between(a, b) for a, b in zip(vectors[half:], vectors[half - 1 :], strict=False)]
        found += [Probe(index.name, index.address, vector) for vector in asked]
    return found


def answers(conn: Connection, asked: Sequence[Probe], placed: Collection[str]) -> list[list[Any] | None]:
    """What the indexes answer: addresses and distances of the nearest rows, in their order.

    Rows of tables that are not `placed` have other addresses than in production, and are known by their vector. None
    where the planner does not use the index, whatever it is told.
    """
    known = {index.name: index for index in _indexes(conn)}
    result: list[list[Any] | None] = []
    with conn.transaction():
        # on the way of whoever asks in production, if there is any
        for setting in ("enable_seqscan", "enable_bitmapscan", "jit"):
            conn.execute(sql.SQL("SET LOCAL {} = off").format(sql.Identifier(setting)))
        used: dict[str, bool] = {}
        for probe in asked:
            index = known.get(probe.index)
            if index is None:
                result.append(None)
                continue
            query = _query(index, probe, placed)
            if probe.index not in used:
                used[probe.index] = _uses(conn, query, probe.index)
            result.append([list(row) for row in conn.execute(query)] if used[probe.index] else None)
    return result


def _query(index: _VectorIndex, probe: Probe, placed: Collection[str]) -> sql.Composed:
    if index.address in placed:
        known_by: sql.Composable = sql.SQL("pg_catalog.concat_ws('/', tableoid::pg_catalog.int8, ctid)")
    else:
        known_by = sql.SQL("pg_catalog.md5(({})::pg_catalog.text)").format(index.expression)
    return sql.SQL(
        "SELECT {known_by}, ({distance})::pg_catalog.text FROM ONLY {table} WHERE {predicate}"
        " ORDER BY {distance} LIMIT {nearest}"
    ).format(
        known_by=known_by,
        distance=sql.SQL("{expression} {operator} {vector}::{type}").format(
            expression=index.expression,
            operator=index.operator,
            vector=sql.Literal(probe.query),
            type=sql.SQL(index.type),
        ),
        table=index.identifier,
        predicate=index.predicate,
        nearest=sql.Literal(_NEAREST),
    )


def _uses(conn: Connection, query: sql.Composed, index: str) -> bool:
    row = conn.execute(sql.SQL("EXPLAIN (FORMAT JSON) {}").format(query)).fetchone()
    return f'"Index Name": {json.dumps(index.split(".", 1)[1])}' in json.dumps(row[0] if row else None)


def _indexes(conn: Connection) -> list[_VectorIndex]:
    """The valid vector indexes of users' tables, as far as their access method is known."""
    rows = conn.execute(
        f"""SELECT x.relname, n.nspname, c.relname, pg_catalog.pg_get_indexdef(i.indexrelid, 1, true),
                   pg_catalog.pg_get_expr(i.indpred, i.indrelid), o.oprname, s.nspname,
                   pg_catalog.format_type(k.opcintype, NULL), greatest(c.reltuples, 0)::pg_catalog.int8, root.nspname,
                     root.relname
            FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_class x ON x.oid OPERATOR(pg_catalog.=) i.indexrelid
              JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) x.relam
            JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indrelid
            JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
            JOIN pg_catalog.pg_opclass k ON k.oid OPERATOR(pg_catalog.=) i.indclass[0]
            JOIN pg_catalog.pg_amop a ON a.amopfamily OPERATOR(pg_catalog.=) k.opcfamily
              AND a.amoppurpose OPERATOR(pg_catalog.=) 'o'
            JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) a.amopopr
              JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) o.oprnamespace
            CROSS JOIN LATERAL (
              SELECT rn.nspname, rc.relname FROM pg_catalog.pg_class rc
              JOIN pg_catalog.pg_namespace rn ON rn.oid OPERATOR(pg_catalog.=) rc.relnamespace
              WHERE rc.oid OPERATOR(pg_catalog.=) coalesce(pg_catalog.pg_partition_root(c.oid)::pg_catalog.oid,
                c.oid)) root
            WHERE m.amname OPERATOR(pg_catalog.=) ANY ('{{hnsw,ivfflat}}')
              AND x.relkind OPERATOR(pg_catalog.=) 'i' AND i.indisvalid AND {USER_RELATIONS}
            ORDER BY 2, 1"""  # noqa: S608 - a constant
    ).fetchall()
    found = []
    for name, schema, table, expression, predicate, operator, its_schema, type_, count, root_schema, root in rows:
        found.append(
            _VectorIndex(
                name=f"{schema}.{name}",
                address=f"{root_schema}.{root}",
                identifier=sql.Identifier(schema, table),
                expression=sql.SQL("({})").format(sql.SQL(expression)),
                predicate=sql.SQL("({})").format(sql.SQL(predicate)) if predicate else sql.SQL("true"),
                operator=sql.SQL("OPERATOR({}.{})").format(sql.Identifier(its_schema), sql.SQL(operator)),
                type=type_,
                rows=count,
            )
        )
    return found


def _between(one: str, other: str) -> str:
    pairs = zip(json.loads(one), json.loads(other), strict=True)
    return json.dumps([(a + b) / 2 for a, b in pairs], separators=(",", ":"))
