"""Rows whose page cannot hold their new values: written through SQL, as new versions elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from psycopg import sql

from envclone.models import StorePlan
from envclone.stores.postgres.catalog.read import written_columns
from envclone.stores.postgres.catalog.tables import Column, Leaf, Table
from envclone.stores.postgres.write.inplace import stage
from envclone.stores.postgres.write.inplace.work import Replacement, Spilled
from envclone.stores.postgres.write.staging import staged_name
from envclone.stores.postgres.write.textsearch import Vector

__all__ = ["write_leftover"]

Connection = psycopg.Connection[tuple[Any, ...]]
Connect = Callable[..., AbstractContextManager[Connection]]


def write_leftover(
    connect: Connect,
    table: Table,
    leaf: Leaf,
    plan: StorePlan,
    left: Sequence[Spilled],
    made: Sequence[Vector],
    staged: Sequence[str],
) -> int:
    """Update these rows by their addresses; returns how many.

    Values that were already overwritten in the row stay. `staged` are the columns that wait in the staging table.
    """
    columns = {c.name: c for c in written_columns(table, plan)}
    count = 0
    with connect(autocommit=False) as conn:
        described = conn.execute(
            """SELECT attnum OPERATOR(pg_catalog.-) 1, attname, NOT attisdropped
                 AND attgenerated OPERATOR(pg_catalog.=) '' AND attidentity OPERATOR(pg_catalog.<>) 'a'
               FROM pg_catalog.pg_attribute WHERE attrelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid
                 AND attnum OPERATOR(pg_catalog.>) 0 ORDER BY attnum""",
            [leaf.oid],
        ).fetchall()
        names = {index: name for index, name, _ in described}
        writable = {name for _, name, plain in described if plain}
        for row in {(r.block, r.number): r for r in left}.values():
            address = f"({row.block},{row.number})"
            fresh = {
                name: _new_value(columns[name], value, leaf, address, staged)
                for index, value in row.values.items()
                if (name := names[index]) in columns  # else it is computed, and the server does it again
            }
            # set to themselves, the others make the server compute again what follows from them
            others = {n: sql.Identifier(n) for n in columns if n not in fresh and n in writable}
            assignments = _assignments({**others, **fresh}, made)
            count += conn.execute(
                sql.SQL("UPDATE ONLY {} SET {} WHERE ctid OPERATOR(pg_catalog.=) {}::pg_catalog.tid").format(
                    leaf.identifier, sql.SQL(", ").join(assignments), sql.Literal(address)
                )
            ).rowcount
        conn.commit()
    return count


def _new_value(column: Column, value: Replacement, leaf: Leaf, address: str, staged: Sequence[str]) -> sql.Composable:
    if column.name in staged:
        return sql.SQL("(SELECT s.{} FROM {} AS s WHERE s.tid OPERATOR(pg_catalog.=) {}::pg_catalog.tid)").format(
            staged_name(list(staged).index(column.name)), stage.table_for(leaf), sql.Literal(address)
        )
    return column.written_from(sql.SQL("{}::{}").format(sql.Literal(value.text), column.staged_as))


def _assignments(fresh: Mapping[str, sql.Composable], made: Sequence[Vector]) -> list[sql.Composable]:
    derived = {v.column.name: v.made_from(lambda name: fresh.get(name, sql.Identifier(name))) for v in made}
    return [
        sql.SQL("{column} = {value}").format(column=sql.Identifier(name), value=value)
        for name, value in {**fresh, **derived}.items()
    ]
