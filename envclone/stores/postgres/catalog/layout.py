"""What lies where in a store's files: asked from the catalog in private, read again when no server runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from envclone.errors import UnsafeError
from envclone.stores.postgres.catalog.tables import read_tables
from envclone.stores.postgres.format.tuples import Attribute
from envclone.stores.postgres.rights.logins import Login

__all__ = [
    "FILE",
    "Database",
    "Layout",
    "Relation",
    "forget",
    "load",
    "read_heaps",
    "read_layout",
    "read_relations",
    "save",
]

Connection = psycopg.Connection[tuple[Any, ...]]
Connect = Callable[..., AbstractContextManager[Connection]]

FILE = "layout.json"
"""The file beside `data/` that holds the layout."""

FIRST_NORMAL_OID = 16384
_VERSION = 4


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation with storage: `path` is its main fork's first segment below the data directory.

    `kind` is pg_class.relkind, `access` the access method's name; `toast` the oid of its TOAST table or 0, `table` the
    oid of an index's table or 0. Tables, materialized views and indexes have `attributes`, in the order of their
    numbers, dropped ones included. `address` is that of the user's table, for a partition its root's; '' for others.
    An index has `keys`, the numbers of its table's columns by its own (0 for an expression), and `uses`, the numbers of
    all columns that it is made from. One of gist, spgist or brin has `support`, per key column the function of its
    operator class that says what is stored (`gtsvector_compress`, `spg_text_config`, `brin_minmax_opcinfo`), or ''.
    """

    oid: int
    name: str
    kind: str
    access: str
    path: str
    toast: int
    table: int
    attributes: tuple[Attribute, ...]
    address: str = ""
    keys: tuple[int, ...] = ()
    uses: tuple[int, ...] = ()
    support: tuple[str, ...] = ()

    @property
    def heap(self) -> bool:
        """Whether its main fork consists of heap pages (sequences do too)."""
        return self.access == "heap" or self.kind == "S"


@dataclass(frozen=True, slots=True)
class Database:
    """One database's relations; shared catalogs are listed in each.

    `statistics` are its statistics objects over columns alone: the oid, that of the table, the numbers of the columns.
    """

    oid: int
    name: str
    relations: tuple[Relation, ...]
    statistics: tuple[tuple[int, int, tuple[int, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """Every database of a cluster; page size and pages per segment as the server was built."""

    page_size: int
    segment_pages: int
    databases: tuple[Database, ...]

    def heaps(self) -> Iterator[tuple[Database, Relation]]:
        """Every relation of heap pages once, shared catalogs under the first database."""
        return ((database, relation) for database, relation in self._each() if relation.heap)

    def indexes(self) -> Iterator[tuple[Database, Relation]]:
        """Every index once."""
        return ((database, relation) for database, relation in self._each() if relation.kind == "i")

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
            databases.append(Database(oid, name, tuple(read_relations(there)), tuple(_statistics(there))))
    return Layout(row[0], row[1], tuple(databases))


def save(layout: Layout, directory: Path) -> None:
    """Write the layout beside the data directory."""
    partial = directory / f".{FILE}"
    # `asdict` would copy each of ten thousand columns
    document = {"version": _VERSION, **_fields(layout)}
    partial.write_text(json.dumps(document, separators=(",", ":"), default=_fields))
    partial.chmod(0o600)
    partial.rename(directory / FILE)


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


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
                Relation(
                    **{
                        **r,
                        "attributes": tuple(_attribute(a) for a in r["attributes"]),
                        "keys": tuple(r["keys"]),
                        "uses": tuple(r["uses"]),
                        "support": tuple(r["support"]),
                    }
                )
                for r in d["relations"]
            ),
            tuple((oid, table, tuple(columns)) for oid, table, columns in d.get("statistics", ())),
        )
        for d in stored["databases"]
    )
    return Layout(stored["page_size"], stored["segment_pages"], databases)


def _attribute(stored: dict[str, Any]) -> Attribute:
    element = stored["element"]
    return Attribute(**{**stored, "element": None if element is None else (element[0], element[1])})


def forget(directory: Path) -> None:
    """Remove the layout: what it says may no longer be true."""
    (directory / FILE).unlink(missing_ok=True)


def read_relations(conn: Connection) -> Iterator[Relation]:
    """Every relation with storage of one database, shared catalogs included."""
    addresses = _addresses(conn)
    uses: dict[int, set[int]] = {}
    for index, column in conn.execute(
        """SELECT i.indexrelid::pg_catalog.int8, d.refobjsubid::pg_catalog.int8
           FROM pg_catalog.pg_index i JOIN pg_catalog.pg_depend d
             ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
               AND d.objid OPERATOR(pg_catalog.=) i.indexrelid
               AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
               AND d.refobjid OPERATOR(pg_catalog.=) i.indrelid AND d.refobjsubid OPERATOR(pg_catalog.>) 0"""
    ):
        uses.setdefault(index, set()).add(column)
    attributes, support = _attributes(conn), _support(conn)
    for oid, name, kind, access, path, toast, table, keys in conn.execute(
        """SELECT c.oid::pg_catalog.int8, pg_catalog.concat_ws('.', n.nspname, c.relname),
             c.relkind, coalesce(m.amname, ''),
                  pg_catalog.pg_relation_filepath(c.oid), c.reltoastrelid::pg_catalog.int8, coalesce(i.indrelid,
                    0)::pg_catalog.int8, i.indkey::pg_catalog.int2[]
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
        numbers = tuple(keys or ())
        yield Relation(
            *(oid, name, kind, access, path, toast, table, tuple(attributes.get(oid, ())), addresses.get(oid, "")),
            numbers,
            tuple(sorted(uses.get(oid, set()) | set(numbers) - {0})),
            support.get(oid, ()),
        )


def _statistics(conn: Connection) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Every statistics object without an expression."""
    for oid, table, columns in conn.execute(
        """SELECT oid::pg_catalog.int8, stxrelid::pg_catalog.int8, stxkeys::pg_catalog.int2[]
           FROM pg_catalog.pg_statistic_ext WHERE stxexprs IS NULL ORDER BY 1"""
    ):
        yield oid, table, tuple(columns)


def _support(conn: Connection) -> dict[int, tuple[str, ...]]:
    """Per index whose access method leaves it to operator classes what is stored: the functions that say so."""
    found: dict[int, list[str]] = {}
    for oid, function in conn.execute(
        """SELECT i.indexrelid::pg_catalog.int8, coalesce(p.proname, '')
           FROM pg_catalog.pg_index i
           JOIN pg_catalog.pg_class x ON x.oid OPERATOR(pg_catalog.=) i.indexrelid
           JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) x.relam
           CROSS JOIN LATERAL pg_catalog.unnest(i.indclass::pg_catalog.oid[]) WITH ORDINALITY k (class, place)
           JOIN pg_catalog.pg_opclass c ON c.oid OPERATOR(pg_catalog.=) k.class
           LEFT JOIN pg_catalog.pg_amproc a ON a.amprocfamily OPERATOR(pg_catalog.=) c.opcfamily
             AND a.amproclefttype OPERATOR(pg_catalog.=) c.opcintype
             AND a.amprocrighttype OPERATOR(pg_catalog.=) c.opcintype
             AND a.amprocnum OPERATOR(pg_catalog.=) (CASE WHEN m.amname OPERATOR(pg_catalog.=) 'gist' THEN 3 ELSE 1 END)
           LEFT JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) a.amproc::pg_catalog.oid
           WHERE m.amname OPERATOR(pg_catalog.=) ANY ('{gist,spgist,brin}') ORDER BY i.indexrelid, k.place"""
    ):
        found.setdefault(oid, []).append(function)
    return {oid: tuple(functions) for oid, functions in found.items()}


def read_heaps(conn: Connection, oids: Collection[int]) -> dict[int, Relation]:
    """Some relations with storage by their oids, without what only indexes and catalogs have."""
    attributes = _attributes(conn, oids)
    return {
        oid: Relation(oid, name, kind, access, path, toast, 0, tuple(attributes.get(oid, ())))
        for oid, name, kind, access, path, toast in conn.execute(
            """SELECT c.oid::pg_catalog.int8, pg_catalog.concat_ws('.', n.nspname, c.relname), c.relkind,
                      coalesce(m.amname, ''), pg_catalog.pg_relation_filepath(c.oid), c.reltoastrelid::pg_catalog.int8
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
               LEFT JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) c.relam
               WHERE c.oid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])
                 AND pg_catalog.pg_relation_filepath(c.oid) IS NOT NULL""",
            [list(oids)],
        )
    }


def _attributes(conn: Connection, oids: Collection[int] | None = None) -> dict[int, list[Attribute]]:
    """The columns of every table, materialized view and index, or of those named, in the order of their numbers."""
    types = {
        oid: described
        for oid, *described in conn.execute(
            """SELECT oid::pg_catalog.int8, typname, typtype, typbasetype::pg_catalog.int8, typelem::pg_catalog.int8,
                      typcategory, typlen, typalign FROM pg_catalog.pg_type"""
        )
    }
    attributes: dict[int, list[Attribute]] = {}
    for relation, type_oid, *described in conn.execute(
        """SELECT a.attrelid::pg_catalog.int8, a.atttypid::pg_catalog.int8, a.attname, coalesce(t.typname, ''),
                  a.attlen, a.attalign, a.attisdropped,
                  a.attstorage, a.atttypmod, NOT a.attnotnull
           FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
           LEFT JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
           WHERE a.attnum OPERATOR(pg_catalog.>) 0 AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,m,i}')
             AND (%s::pg_catalog.oid[] IS NULL OR a.attrelid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[]))
             ORDER BY a.attrelid, a.attnum""",
        [None if oids is None else list(oids)] * 2,
    ):
        base, element = _base(types, type_oid)
        made = Attribute(*described)
        attributes.setdefault(relation, []).append(replace(made, base=base, element=element))
    return attributes


def _addresses(conn: Connection) -> dict[int, str]:
    """The address of each user's table with storage: its own, or that of the root that it is a partition of."""
    return {leaf.oid: table.address for table in read_tables(conn) for leaf in table.leaves}


def _base(types: dict[int, Any], oid: int) -> tuple[str, tuple[int, str] | None]:
    """A type's name below domains, an array's that of its elements and `[]`; and what its elements are like."""
    if oid not in types:
        return "", None  # of a dropped column
    name, kind, base, element, category, _, _ = types[oid]
    if kind == "d":
        return _base(types, base)
    if category == "A" and element in types:
        inner, _ = _base(types, element)
        return f"{inner}[]", (types[element][5], types[element][6])
    return str(name), None
