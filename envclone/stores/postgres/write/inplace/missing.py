"""Values that old rows lack because their column came later: the catalog holds one for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import sql

from envclone.models import FieldRule, StorePlan
from envclone.protocols import FieldMask
from envclone.stores.postgres.catalog.tables import Column, Leaf, Table

__all__ = ["replace"]

Connection = psycopg.Connection[tuple[Any, ...]]


def replace(
    conn: Connection,
    worker: Connection,
    table: Table,
    leaf: Leaf,
    columns: Sequence[Column],
    plan: StorePlan,
    mask: Callable[[FieldRule], FieldMask],
) -> None:
    """Mask `pg_attribute.attmissingval` of these columns: their old rows then show the pseudonym, and stay as they are.

    The column's default for new rows is another matter, and is not touched. The worker makes the values, for a type can
    be a domain of production's; the operator writes the catalog.
    """
    for column in columns:
        rule = plan.rules[table.at(column.name)]
        type_ = sql.SQL(column.type)
        row = worker.execute(
            sql.SQL(
                "SELECT v::pg_catalog.text FROM (SELECT (a.attmissingval::pg_catalog.text::{}[])[1] AS v"
                " FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid"
                " AND a.attname OPERATOR(pg_catalog.=) %s AND a.atthasmissing) m"
            ).format(type_),
            [leaf.oid, column.name],
        ).fetchone()
        if row is None or row[0] is None:
            continue
        (new,) = mask(rule)([row[0]])
        if new is None:
            conn.execute(
                """UPDATE pg_catalog.pg_attribute SET atthasmissing = false, attmissingval = NULL
                   WHERE attrelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid AND attname OPERATOR(pg_catalog.=) %s""",
                [leaf.oid, column.name],
            )
            continue
        # such a value cannot be written as such, but it can be had from a table that gets the column late as well
        worker.execute("CREATE TEMPORARY TABLE envclone_donor ()")
        worker.execute(
            sql.SQL("ALTER TABLE pg_temp.envclone_donor ADD v {} DEFAULT {}").format(type_, sql.Literal(new))
        )
        donor = worker.execute(
            "SELECT 'pg_temp.envclone_donor'::pg_catalog.regclass::pg_catalog.oid::pg_catalog.int8"
        ).fetchone()
        assert donor is not None
        conn.execute(
            """UPDATE pg_catalog.pg_attribute a SET attmissingval = d.attmissingval FROM pg_catalog.pg_attribute d
               WHERE d.attrelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid AND d.attname OPERATOR(pg_catalog.=) 'v'
                 AND a.attrelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid AND a.attname OPERATOR(pg_catalog.=) %s""",
            [donor[0], leaf.oid, column.name],
        )
        worker.execute("DROP TABLE pg_temp.envclone_donor")
