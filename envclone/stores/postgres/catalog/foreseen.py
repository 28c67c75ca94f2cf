"""What production's catalog and some of its documents tell of the fields, before anything is copied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from envclone.errors import EnvcloneError
from envclone.models import Inventory
from envclone.stores.postgres.catalog import inventory
from envclone.stores.postgres.catalog.tables import Column, Table

if TYPE_CHECKING:
    from envclone.config.schema import StoreConfig

__all__ = ["DOCUMENTS", "foreseen"]

DOCUMENTS = 200
"""Documents of each column that are looked at."""

_LIMITS = (
    "SET statement_timeout = '5s'",
    "SET lock_timeout = '1s'",
    "SET max_parallel_workers_per_gather = 0",
    "SET jit = off",
)
_ACTS = """
    SELECT c.relrowsecurity
      OR EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid OPERATOR(pg_catalog.=) c.oid
                 AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL))
      OR EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid OPERATOR(pg_catalog.=) c.oid
                 AND k.contype OPERATOR(pg_catalog.=) 'c')
      OR EXISTS (SELECT FROM pg_catalog.pg_statistic_ext s WHERE s.stxrelid OPERATOR(pg_catalog.=) c.oid)
      OR NOT pg_catalog.has_table_privilege(c.oid, 'SELECT')
    FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) %s::pg_catalog.oid
"""
"""Whether reading a table can run what is production's own (a plan evaluates expressions), or is not allowed."""


def foreseen(name: str, config: StoreConfig) -> Inventory | None:
    """The fields of a running source by its catalog, with the paths of some documents; None when it does not say.

    Nothing of production's own runs: documents of tables with expressions in indexes, checks or policies are not
    looked at. No statement takes longer than five seconds, and none waits for a lock longer than one.
    """
    from envclone.stores.postgres.snapshot.access import dsn_of
    from envclone.stores.postgres.snapshot.source import open_source

    if config.source.dsn is None or config.source.method == "provider":  # then production gets no connection
        return None
    database: dict[str, Any] = {"dbname": config.source.database} if config.source.database else {}
    try:
        with closing(open_source(dsn_of(config.source), **database)) as conn:
            for text in _LIMITS:
                conn.execute(text)
            return inventory.read_inventory(conn, name, _Some(conn))
    except (EnvcloneError, psycopg.Error):
        return None  # what is wrong with the source is another question


class _Some:
    """Some documents of each column, for `read_inventory`."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self._conn = conn
        self._closed: dict[int, bool] = {}

    def documents(self, table: Table, column: Column) -> Iterator[str]:
        """The first that the server finds."""
        if column.base not in ("json", "jsonb"):
            return
        for leaf in table.leaves:
            if leaf.oid not in self._closed:
                row = self._conn.execute(_ACTS, [leaf.oid]).fetchone()
                self._closed[leaf.oid] = row is None or bool(row[0])
            if self._closed[leaf.oid]:
                continue
            with suppress(psycopg.Error):
                for (text,) in self._conn.execute(
                    sql.SQL("SELECT {} FROM ONLY {} LIMIT {}").format(
                        column.read_as(), leaf.identifier, sql.Literal(DOCUMENTS)
                    )
                ).fetchall():
                    if text is not None:
                        yield text
