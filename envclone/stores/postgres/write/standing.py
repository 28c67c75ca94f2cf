"""Vector indexes that read a masked column and whose entries stay the same: their graphs stay production's.

A graph that is built again answers otherwise than production's. An index that holds a kept vector and reads a masked
column in its predicate alone (`WHERE deleted_at IS NULL`, `WHERE email <> ''`), or a kept part of a masked document,
has the same entries before and after: which rows are in it, and what it holds of them, is summed up on both sides.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from envclone.models import StorePlan
from envclone.stores.postgres.catalog.dependents import Index
from envclone.stores.postgres.catalog.tables import Leaf, Table

__all__ = ["Witness", "holds", "witnesses"]

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Witness:
    """What sums up an index's entries, and what it gave before rows were written."""

    query: sql.Composed
    before: tuple[Any, ...]


def witnesses(
    conn: Connection,
    worker: Connection,
    table: Table,
    leaf: Leaf,
    held: Sequence[Index],
    names: Collection[str],
    plan: StorePlan,
) -> dict[int, Witness]:
    """Witnesses of those of the indexes that may stay, by oid, before any row is written; `names` are what changes.

    One whose expression reads a masked column as a whole is none: its dead entries are made of originals.
    """
    rows = conn.execute(
        """SELECT i.indexrelid::pg_catalog.int8, pg_catalog.pg_get_indexdef(i.indexrelid, 1, true),
                  pg_catalog.pg_get_expr(i.indpred, i.indrelid),
                  pg_catalog.concat(i.indexprs::pg_catalog.text, i.indpred::pg_catalog.text)
                    OPERATOR(pg_catalog.~) ':varattno 0 ',
                  ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_attribute a
                        WHERE a.attrelid OPERATOR(pg_catalog.=) i.indrelid AND (a.attnum
                          OPERATOR(pg_catalog.=) i.indkey[0] OR i.indexprs::pg_catalog.text OPERATOR(pg_catalog.~)
                            pg_catalog.concat(':varattno ', a.attnum, ' ')))
           FROM pg_catalog.pg_index i
           JOIN pg_catalog.pg_class x ON x.oid OPERATOR(pg_catalog.=) i.indexrelid
           WHERE i.indexrelid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])
             AND x.relam::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384 AND i.indnatts OPERATOR(pg_catalog.=) 1""",
        [[index.oid for index in held if index.valid]],
    ).fetchall()
    found: dict[int, Witness] = {}
    for oid, expression, predicate, whole_row, reads in rows:
        changed = [name for name in reads if name in names]
        if whole_row or not all(_in_part(plan, table, name) for name in changed):
            continue
        query = _query(leaf, predicate, expression if changed else "true")
        try:
            before = worker.execute(query).fetchone()
        except psycopg.Error:  # what cannot be computed here is built again
            continue
        if before is not None and before[0]:
            found[oid] = Witness(query, before)
    return found


def holds(worker: Connection, witness: Witness | None) -> bool:
    """Whether an index's entries are what they were."""
    if witness is None:
        return False
    try:
        return worker.execute(witness.query).fetchone() == witness.before
    except psycopg.Error:
        return False


def _in_part(plan: StorePlan, table: Table, name: str) -> bool:
    """Whether a column's rule decides its document path by path, and keeps some of it."""
    rule = plan.rules.get(table.at(name))
    return rule is not None and not rule.derived and any(path.domain == "keep" for path in rule.json)


def _query(leaf: Leaf, predicate: str | None, expression: str) -> sql.Composed:
    """How many rows are in an index, and a sum over their addresses with what it holds of them."""
    # CASE: an expression need not be computable for the rows that the predicate leaves out
    return sql.SQL(
        "SELECT pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtextextended("
        "pg_catalog.concat_ws('/', ctid, v), 0)) FROM (SELECT ctid, (CASE WHEN {predicate} THEN ({expression}) END)"
        "::pg_catalog.text AS v FROM ONLY {table}) s WHERE v IS NOT NULL"
    ).format(
        predicate=sql.SQL("({})").format(sql.SQL(predicate)) if predicate else sql.SQL("true"),
        expression=sql.SQL(expression),
        table=leaf.identifier,
    )
