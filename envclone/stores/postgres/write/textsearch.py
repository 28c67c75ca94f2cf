"""Columns of type tsvector that hold the words of other columns: made again from the masked texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

from envclone.address import Address
from envclone.errors import UnsafeError
from envclone.models import StorePlan
from envclone.stores.postgres.catalog.read import derived_columns
from envclone.stores.postgres.catalog.tables import Column, Table

__all__ = ["Vector", "vectors"]

Connection = psycopg.Connection[tuple[Any, ...]]


class Vector:
    """A tsvector and where its words come from: `sources` are texts of the same table, `config` its configuration."""

    def __init__(self, column: Column, config: str | None, sources: Sequence[str]) -> None:
        self.column = column
        self._config = config
        self._sources = sources

    def made_from(self, value_of: Callable[[str], sql.Composable]) -> sql.Composable:
        """The expression that makes it; `value_of` gives that of a source's new value."""
        texts = sql.SQL(", ").join(sql.SQL("{}::pg_catalog.text").format(value_of(name)) for name in self._sources)
        words = sql.SQL("pg_catalog.concat_ws(' ', {})").format(texts)
        if self._config is None:
            return sql.SQL("pg_catalog.to_tsvector({})").format(words)
        return sql.SQL("pg_catalog.to_tsvector({}::pg_catalog.regconfig, {})").format(sql.Literal(self._config), words)


def vectors(conn: Connection, table: Table, plan: StorePlan, tables: Sequence[Table]) -> list[Vector]:
    """The table's tsvector columns that the plan makes again, with their sources.

    The rule's `by` names the source, or the trigger that keeps it (`tsvector_update_trigger`, documented in the chapter
    on full text search) names sources and configuration. A materialized view's column that shows one of `tables` has
    its trigger, as far as the view shows the sources too. Raises UnsafeError when neither does.
    """
    wanted = [column for column in derived_columns(table, plan) if column.type == "tsvector"]
    known = dict(_triggers(conn, table)) if wanted else {}
    shown = {column.shows: name for name, column in table.columns.items() if column.shows}
    for column in wanted:
        for base in tables if column.shows else ():
            for name, (config, sources) in _triggers(conn, base).items() if _has(base, column.shows) else ():
                if base.at(name) == column.shows:
                    known[column.name] = (config, [shown.get(base.at(source), "") for source in sources])
    found = []
    for column in wanted:
        rule = plan.rules[table.at(column.name)]
        if rule.by:
            found.append(Vector(column, known.get(column.name, (None, ()))[0], [Address.parse(rule.by).name]))
        elif column.name in known and all(name in table.columns for name in known[column.name][1]):
            found.append(Vector(column, *known[column.name]))
        else:
            raise UnsafeError(
                f"{rule.address}: it is not known what this tsvector is made from",
                hint="name its column, {domain: text, by: body}, or give it the rule null",
            )
    return found


def _has(table: Table, address: str) -> bool:
    return any(table.at(name) == address for name in table.columns)


def _triggers(conn: Connection, table: Table) -> Mapping[str, tuple[str, list[str]]]:
    rows = conn.execute(
        """SELECT t.tgargs FROM pg_catalog.pg_trigger t
           WHERE t.tgrelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid
             AND t.tgfoid OPERATOR(pg_catalog.=) 'pg_catalog.tsvector_update_trigger'::pg_catalog.regproc""",
        [table.oid],
    ).fetchall()
    found = {}
    for (arguments,) in rows:
        column, config, *sources = bytes(arguments).rstrip(b"\0").decode().split("\0")
        found[column] = (config, sources)
    return found
