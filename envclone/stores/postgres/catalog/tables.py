"""What the catalog says of the user's tables: columns, leaves, indexes, dependencies, as the other modules need it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from envclone.address import Address, items, joined, written
from envclone.models import FieldKind, FieldRule, Held
from envclone.stores.postgres.catalog.holders import Holders
from envclone.stores.postgres.catalog.origins import origins

__all__ = ["LARGE_OBJECTS", "USER_RELATIONS", "Column", "Leaf", "Table", "columns_by_address", "read_tables"]

Connection = psycopg.Connection[tuple[Any, ...]]

LARGE_OBJECTS = "pg_largeobject"
"""The address under which a database's large objects are reported."""

USER_RELATIONS = """
    c.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384 AND n.nspname OPERATOR(pg_catalog.<>) 'pg_toast'
      AND n.nspname OPERATOR(pg_catalog.!~) '^pg_(toast_)?temp_'
    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend e
      JOIN pg_catalog.pg_extension x ON x.oid OPERATOR(pg_catalog.=) e.refobjid
                    WHERE e.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND e.objid OPERATOR(pg_catalog.=) c.oid AND e.deptype OPERATOR(pg_catalog.=) 'e'
                      AND e.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
                        AND x.extname OPERATOR(pg_catalog.=) 'pg_cron' AND n.nspname OPERATOR(pg_catalog.=) 'cron'
                        AND c.relname OPERATOR(pg_catalog.=) ANY ('{job,job_run_details}'))
"""
"""The condition that a relation `c` in schema `n` is not the server's own (`FirstNormalObjectId` in access/transam.h).

Extensions' tables count: users keep rows in them. Only the two of pg_cron do not, for `defang` empties them.
"""

_ALONE = """(NOT {0}.relispartition OR EXISTS (SELECT FROM pg_catalog.pg_inherits d
    WHERE d.inhrelid OPERATOR(pg_catalog.=) {0}.oid AND d.inhdetachpending))"""
"""The condition that no other table shows a relation's rows: a partition whose detachment was broken off is a table of
its own, which its parent leaves out."""

_TEXT = {"text", "varchar", "bpchar", "citext", "name"}
_JSON = {"json", "jsonb"}
_ELEMENTS = (FieldKind.TEXT, FieldKind.OTHER)
_READABLE = _TEXT | _JSON | {"xml", "tsvector", "bytea", "inet", "cidr", "macaddr", "macaddr8"}
"""Types that a mask can look into, alone and in arrays."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `generated` ones are computed by the server, `missing` ones have rows that lack the value on disk.

    `sendable` ones have a binary form. `base` is the type's name in the catalog below domains (`int4`, `inet[]`).
    `composite` ones hold rows and are read as JSON documents, as hstore is. `holds` is what is kept by name only.
    `shows` is the address of the column that a materialized view's plainly is. `loose` is the type below a domain that
    has a constraint which is not validated: production's own rows need not keep it.
    """

    name: str
    type: str
    kind: FieldKind
    nullable: bool
    generated: bool
    virtual: bool
    missing: bool
    unique: bool
    sendable: bool
    base: str = ""
    composite: bool = False
    holds: tuple[Held, ...] = ()
    opaque: bool = False
    shows: str = ""
    loose: str = ""

    def read_as(self) -> sql.Composable:
        """The expression that gives the column's values as its FieldKind promises."""
        name = sql.Identifier(self.name)
        if self.composite:
            return sql.SQL("pg_catalog.to_jsonb({})::pg_catalog.text").format(name)
        if self.base == "hstore":
            return sql.SQL("{}::pg_catalog.jsonb::pg_catalog.text").format(name)
        array = self.kind is FieldKind.ARRAY
        return sql.SQL("{}::pg_catalog.text[]" if array else "{}::pg_catalog.text").format(name)

    @property
    def staged_as(self) -> sql.Composable:
        """The type in which masked values wait to be written."""
        return sql.SQL(
            "pg_catalog.jsonb" if self.composite or self.base == "hstore" else self.loose or self.type
        )  # format_type quotes

    def written_from(self, staged: sql.Composable) -> sql.Composable:
        """The expression that makes a value of the column from a staged one."""
        if self.composite:
            return sql.SQL("pg_catalog.jsonb_populate_record(NULL::{}, {})").format(sql.SQL(self.type), staged)
        if self.base == "hstore":
            return sql.SQL(
                "CASE WHEN {0} IS NOT NULL THEN (SELECT COALESCE(pg_catalog.string_agg(pg_catalog.concat("
                "pg_catalog.to_json(k)::pg_catalog.text, '=>', COALESCE(pg_catalog.to_json(v)::pg_catalog.text,"
                " 'NULL')), ', '), '')::{1} "
                "FROM pg_catalog.jsonb_each_text({0}) AS e (k, v)) END"
            ).format(staged, sql.SQL(self.type))
        return staged


@dataclass(frozen=True, slots=True)
class Leaf:
    """A relation with storage: an ordinary table, or a partition at the bottom of its tree."""

    oid: int
    schema: str
    name: str

    @property
    def identifier(self) -> sql.Identifier:
        """The relation's qualified name for SQL."""
        return sql.Identifier(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the user sees it; `leaves` hold its rows (itself, unless it is partitioned).

    `tree` are the oids of the table and all its partitions; `partition_key` the columns that any of them partitions by.
    A materialized `view` holds rows like a table.
    """

    oid: int
    schema: str
    name: str
    columns: Mapping[str, Column]
    leaves: tuple[Leaf, ...]
    tree: frozenset[int]
    partition_key: frozenset[str]
    view: bool = False

    @property
    def address(self) -> str:
        """`schema.table`, the first part of its fields' addresses."""
        return written([self.schema, self.name])

    def at(self, column: str) -> str:
        """The address of the column of this name."""
        return joined(self.address, column)

    @property
    def identifier(self) -> sql.Identifier:
        """The table's qualified name for SQL."""
        return sql.Identifier(self.schema, self.name)

    def subject(self, rule: FieldRule) -> sql.Composable | None:
        """What a rule masks by, as text: a column of the row, or several as a JSON array of texts; None without."""
        if not rule.by:
            return None
        read = [self.columns[Address.parse(address).name].read_as() for address in items(rule.by)]
        if len(read) == 1:
            return read[0]
        texts = [sql.SQL("({})::pg_catalog.text").format(expression) for expression in read]
        return sql.SQL("pg_catalog.json_build_array({})::pg_catalog.text").format(sql.SQL(", ").join(texts))


def read_tables(conn: Connection) -> list[Table]:
    """Every user table and populated materialized view of the database, partitions under their root, by their names."""
    types = _Types(conn)
    columns = _columns(conn, types)
    leaves, trees = _leaves(conn)
    keys = _partition_keys(conn)
    tables = []
    rows = conn.execute(
        f"""SELECT c.oid::pg_catalog.int8, n.nspname, c.relname, c.relkind OPERATOR(pg_catalog.=) 'm'
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
            WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{{r,p,m}}') AND {_ALONE.format("c")} AND {USER_RELATIONS}
              AND c.relispopulated
            ORDER BY 2, 3"""  # noqa: S608 - a constant
    ).fetchall()
    for oid, schema, name, view in rows:
        tree = trees.get(oid, frozenset({oid}))
        key = frozenset(column for member in tree for column in keys.get(member, ()))
        own = leaves.get(oid, (Leaf(oid, schema, name),))
        tables.append(Table(oid, schema, name, columns.get(oid, {}), own, tree, key, view))
    views = {table.oid for table in tables if table.view}
    return _with_origins(conn, tables, views) if views else tables


def _with_origins(conn: Connection, tables: Sequence[Table], views: Collection[int]) -> list[Table]:
    """The same tables; the columns of materialized views know which column they are."""
    known = {member: table for table in tables for member in table.tree}
    shows: dict[int, dict[str, str]] = {}
    for (view, name), (relation, column) in origins(conn, views).items():
        table = known.get(relation)
        if table is not None and column in table.columns:
            shows.setdefault(view, {})[name] = table.at(column)
    return [
        replace(t, columns={n: replace(c, shows=shows.get(t.oid, {}).get(n, "")) for n, c in t.columns.items()})
        if t.view
        else t
        for t in tables
    ]


def columns_by_address(tables: Iterable[Table]) -> dict[str, tuple[Table, Column]]:
    """Each column by its address `schema.table.column`."""
    return {t.at(c.name): (t, c) for t in tables for c in t.columns.values()}


class _Types:
    """Which FieldKind a type has, through domains and arrays."""

    def __init__(self, conn: Connection) -> None:
        rows = conn.execute(
            "SELECT oid::pg_catalog.int8, typname, typtype, typbasetype::pg_catalog.int8, typelem::pg_catalog.int8,"
            " typcategory FROM pg_catalog.pg_type"
        ).fetchall()
        self._rows = {row[0]: row[1:] for row in rows}
        self.holders = Holders(conn)

    def base(self, oid: int) -> str:
        """The type's name below domains; an array's is that of its elements and `[]`."""
        name, typtype, base, element, category = self._rows[oid]
        if typtype == "d":
            return self.base(base)
        return f"{self.base(element)}[]" if category == "A" and element else str(name)

    def composite(self, oid: int) -> bool:
        """Whether the type is a row, through domains."""
        _, typtype, base, _, _ = self._rows[oid]
        return self.composite(base) if typtype == "d" else typtype == "c"

    def kind(self, oid: int) -> FieldKind:
        """How values of the type are read."""
        name, typtype, base, element, category = self._rows[oid]
        if self.holders.only_vectors(oid):
            return FieldKind.VECTOR
        if typtype == "d":
            return self.kind(base)
        if typtype == "c" or name == "hstore":
            return FieldKind.JSON
        if category == "A" and element:
            documents = self.base(element) in _JSON  # hstore and rows are no JSON until the server makes them so
            return FieldKind.ARRAY if documents or self.kind(element) in _ELEMENTS else FieldKind.OTHER
        for names, kind in ((_TEXT, FieldKind.TEXT), (_JSON, FieldKind.JSON)):
            if typtype == "b" and name in names:
                return kind
        return FieldKind.OTHER


_LOOSE = """
    (WITH RECURSIVE up AS (
       SELECT t.oid, t.typbasetype, t.typtypmod FROM pg_catalog.pg_type t
       WHERE t.oid OPERATOR(pg_catalog.=) a.atttypid AND t.typtype OPERATOR(pg_catalog.=) 'd'
       UNION ALL SELECT t.oid, t.typbasetype, t.typtypmod FROM up JOIN pg_catalog.pg_type t
         ON t.oid OPERATOR(pg_catalog.=) up.typbasetype AND t.typtype OPERATOR(pg_catalog.=) 'd')
     SELECT pg_catalog.format_type(u.typbasetype, u.typtypmod) FROM up u JOIN pg_catalog.pg_type b
       ON b.oid OPERATOR(pg_catalog.=) u.typbasetype AND b.typtype OPERATOR(pg_catalog.<>) 'd'
     WHERE EXISTS (SELECT 1 FROM up JOIN pg_catalog.pg_constraint k ON k.contypid OPERATOR(pg_catalog.=) up.oid
                   WHERE NOT k.convalidated))"""


def _columns(conn: Connection, types: _Types) -> dict[int, dict[str, Column]]:
    rows = conn.execute(
        f"""SELECT a.attrelid::pg_catalog.int8, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
             a.atttypid::pg_catalog.int8,
                  NOT a.attnotnull, a.attgenerated,
                  EXISTS (SELECT 1 FROM pg_catalog.pg_attribute m
                          WHERE m.atthasmissing AND m.attname OPERATOR(pg_catalog.=) a.attname
                            AND (m.attrelid OPERATOR(pg_catalog.=) a.attrelid OR m.attrelid OPERATOR(pg_catalog.=) ANY
                              (SELECT relid FROM pg_catalog.pg_partition_tree(a.attrelid)))),
                  EXISTS (SELECT 1 FROM pg_catalog.pg_index i
                          WHERE i.indrelid OPERATOR(pg_catalog.=) a.attrelid AND i.indisunique AND
                            (a.attnum OPERATOR(pg_catalog.=) ANY (i.indkey[0:i.indnkeyatts OPERATOR(pg_catalog.-) 1]) OR
                             0 OPERATOR(pg_catalog.=) ANY (i.indkey[0:i.indnkeyatts OPERATOR(pg_catalog.-) 1])
                               AND EXISTS
                               (SELECT 1 FROM pg_catalog.pg_depend d
                                WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
                                  AND d.objid OPERATOR(pg_catalog.=) i.indexrelid
                                  AND d.refobjid OPERATOR(pg_catalog.=) a.attrelid
                                    AND d.refobjsubid OPERATOR(pg_catalog.=) a.attnum))),
                  {_LOOSE}
           FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
           WHERE a.attrelid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384
             AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
             AND c.relkind OPERATOR(pg_catalog.=) ANY ('{{r,p,m}}') AND {_ALONE.format("c")}
           ORDER BY a.attrelid, a.attnum"""  # noqa: S608 - a constant
    ).fetchall()
    columns: dict[int, dict[str, Column]] = {}
    for relation, name, type_, type_oid, nullable, generated, missing, unique, loose in rows:
        columns.setdefault(relation, {})[name] = Column(
            name,
            type_,
            types.kind(type_oid),
            nullable,
            generated != "",
            generated == "v",
            missing,
            unique,
            types.holders.sendable(type_oid),
            types.base(type_oid),
            types.composite(type_oid),
            _held(types, type_oid),
            types.kind(type_oid) in (FieldKind.OTHER, FieldKind.ARRAY)
            and types.base(type_oid).removesuffix("[]") not in _READABLE
            and types.holders.opaque(type_oid),
            loose=loose or "",
        )
    return columns


def _held(types: _Types, oid: int) -> tuple[Held, ...]:
    """What a column holds that is kept by name only; what its documents do not show is the whole value's."""
    found = types.holders.of(oid)
    if types.composite(oid):
        return found
    return tuple(dict.fromkeys(one._replace(path="") for one in found))


def _leaves(conn: Connection) -> tuple[dict[int, tuple[Leaf, ...]], dict[int, frozenset[int]]]:
    rows = conn.execute(
        f"""SELECT root.oid::pg_catalog.int8, c.oid::pg_catalog.int8, n.nspname, c.relname, c.relkind
           FROM pg_catalog.pg_class root, pg_catalog.pg_partition_tree(root.oid) p
           JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) p.relid
             JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
           WHERE root.relkind OPERATOR(pg_catalog.=) 'p' AND {_ALONE.format("root")}
           ORDER BY 1, 3, 4"""  # noqa: S608 - a constant
    ).fetchall()
    leaves: dict[int, list[Leaf]] = {}
    trees: dict[int, set[int]] = {}
    for root, oid, schema, name, kind in rows:
        trees.setdefault(root, set()).add(oid)
        own = leaves.setdefault(root, [])
        if kind == "r":  # a foreign table's rows are not in these files
            own.append(Leaf(oid, schema, name))
    return {root: tuple(own) for root, own in leaves.items()}, {r: frozenset(t) for r, t in trees.items()}


def _partition_keys(conn: Connection) -> dict[int, set[str]]:
    # plain key columns are in partattrs; the columns of key expressions depend internally on their table
    rows = conn.execute(
        """SELECT p.partrelid::pg_catalog.int8, a.attname
           FROM pg_catalog.pg_partitioned_table p JOIN pg_catalog.pg_attribute a
             ON a.attrelid OPERATOR(pg_catalog.=) p.partrelid
           WHERE a.attnum OPERATOR(pg_catalog.>) 0 AND (a.attnum OPERATOR(pg_catalog.=) ANY (p.partattrs) OR EXISTS
             (SELECT 1 FROM pg_catalog.pg_depend d
              WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
                AND d.objid OPERATOR(pg_catalog.=) p.partrelid AND d.objsubid OPERATOR(pg_catalog.=) a.attnum
                AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
                  AND d.refobjid OPERATOR(pg_catalog.=) p.partrelid AND d.refobjsubid OPERATOR(pg_catalog.=) 0
                AND d.deptype OPERATOR(pg_catalog.=) 'i'))"""
    ).fetchall()
    keys: dict[int, set[str]] = {}
    for relation, column in rows:
        keys.setdefault(relation, set()).add(column)
    return keys
