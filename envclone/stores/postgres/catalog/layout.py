"""What lies where in a store's files: asked from the catalog in private, read again when no server runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg

from envclone.errors import UnsafeError
from envclone.stores.postgres.format.tuples import Attribute
from envclone.stores.postgres.rights.logins import Login

__all__ = ["FILE", "Database", "Layout", "Relation", "forget", "load", "read_layout", "read_relations", "save"]

Connection = psycopg.Connection[tuple[Any, ...]]
Connect = Callable[..., AbstractContextManager[Connection]]

FILE = "layout.json"
"""The file beside `data/` that holds the layout."""

FIRST_NORMAL_OID = 16384
_VERSION = 2


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation with storage: `path` is its main fork's first segment below the data directory.

    `kind` is pg_class.relkind, `access` the access method's name; `toast` the oid of its TOAST table or 0, `table` the
    oid of an index's table or 0. Tables, materialized views and indexes have `attributes`, in the order of their
    numbers, dropped ones included.
    """

    oid: int
    name: str
    kind: str
    access: str
    path: str
    toast: int
    table: int
    attributes: tuple[Attribute, ...]

    @property
    def heap(self) -> bool:
        """Whether its main fork consists of heap pages (sequences do too)."""
        return self.access == "heap" or self.kind == "S"

    @property
    def catalog_index(self) -> bool:
        """Whether it is a B-tree of the server's own (`FirstNormalObjectId` in `access/transam.h`)."""
        return self.kind == "i" and self.access == "btree" and self.table < FIRST_NORMAL_OID


@dataclass(frozen=True, slots=True)
class Database:
    """One database's relations; shared catalogs are listed in each."""

    oid: int
    name: str
    relations: tuple[Relation, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Every database of a cluster; page size and pages per segment as the server was built."""

    page_size: int
    segment_pages: int
    databases: tuple[Database, ...]

    def heaps(self) -> Iterator[tuple[Database, Relation]]:
        """Every relation of heap pages once, shared catalogs under the first database."""
        return ((database, relation) for database, relation in self._each() if relation.heap)

    def catalog_indexes(self) -> Iterator[tuple[Database, Relation]]:
        """Every B-tree of a system catalog once."""
        return ((database, relation) for database, relation in self._each() if relation.catalog_index)

    def _each(self) -> Iterator[tuple[Database, Relation]]:
        seen: set[str] = set()
        for database in self.databases:
            for relation in database.relations:
                if relation.path not in seen:
                    seen.add(relation.path)
                    yield database, relation


def read_layout(connect: Connect) -> Layout:
    """Ask each database of the running private server.

    `connect(dbname=…, autocommit=True)` opens a superuser's connection; every database must take connections.
    Raises UnsafeError for a table access method other than heap, whose files are not known.
    """
    with connect(autocommit=True, login=Login.OPERATOR) as conn:
        row = conn.execute(
            """SELECT pg_catalog.current_setting('block_size')::int,
                      (SELECT setting::int FROM pg_catalog.pg_settings
                        WHERE name OPERATOR(pg_catalog.=) 'segment_size')"""
        ).fetchone()
        assert row is not None
        names = conn.execute("SELECT oid::pg_catalog.int8, datname FROM pg_catalog.pg_database ORDER BY 1").fetchall()
    databases = []
    for oid, name in names:
        with connect(dbname=name, autocommit=True, login=Login.OPERATOR) as there:
            databases.append(Database(oid, name, tuple(read_relations(there))))
    return Layout(row[0], row[1], tuple(databases))


def save(layout: Layout, directory: Path) -> None:
    """Write the layout beside the data directory."""
    partial = directory / f".{FILE}"
    partial.write_text(json.dumps({"version": _VERSION, **asdict(layout)}, separators=(",", ":")))
    partial.chmod(0o600)
    partial.rename(directory / FILE)


def load(directory: Path) -> Layout:
    """Read it again; raises UnsafeError when the clone was not opened and closed cleanly before."""
    try:
        stored = json.loads((directory / FILE).read_text())
    except FileNotFoundError as exc:
        raise UnsafeError(
            "nothing is known of the layout of the store's files: its private session did not end cleanly",
            hint="sanitize again from the raw snapshot",
        ) from exc
    if stored["version"] != _VERSION:
        raise UnsafeError("the layout was written by another version of envclone", hint="sanitize again")
    databases = tuple(
        Database(
            d["oid"],
            d["name"],
            tuple(
                Relation(**{**r, "attributes": tuple(Attribute(**a) for a in r["attributes"])}) for r in d["relations"]
            ),
        )
        for d in stored["databases"]
    )
    return Layout(stored["page_size"], stored["segment_pages"], databases)


def forget(directory: Path) -> None:
    """Remove the layout: what it says may no longer be true."""
    (directory / FILE).unlink(missing_ok=True)


def read_relations(conn: Connection) -> Iterator[Relation]:
    """Every relation with storage of one database, shared catalogs included."""
    attributes: dict[int, list[Attribute]] = {}
    for relation, *described in conn.execute(
        """SELECT a.attrelid::pg_catalog.int8, a.attname, coalesce(t.typname, ''), a.attlen, a.attalign, a.attisdropped,
                  a.attstorage, a.atttypmod, NOT a.attnotnull
           FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
           LEFT JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
           WHERE a.attnum OPERATOR(pg_catalog.>) 0 AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,m,i}')
             ORDER BY a.attrelid, a.attnum"""
    ):
        attributes.setdefault(relation, []).append(Attribute(*described))
    for oid, name, kind, access, path, toast, table in conn.execute(
        """SELECT c.oid::pg_catalog.int8, pg_catalog.concat_ws('.', n.nspname, c.relname),
             c.relkind, coalesce(m.amname, ''),
                  pg_catalog.pg_relation_filepath(c.oid), c.reltoastrelid::pg_catalog.int8, coalesce(i.indrelid,
                    0)::pg_catalog.int8
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
           LEFT JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) c.relam
             LEFT JOIN pg_catalog.pg_index i ON i.indexrelid OPERATOR(pg_catalog.=) c.oid
           WHERE pg_catalog.pg_relation_filepath(c.oid) IS NOT NULL ORDER BY 1"""
    ):
        if kind in "rmt" and access != "heap":
            raise UnsafeError(
                f"{name} is stored by the table access method {access}, whose files envclone does not know",
                hint="move the table to heap in production, or leave it out of the snapshot",
            )
        yield Relation(oid, name, kind, access, path, toast, table, tuple(attributes.get(oid, ())))
