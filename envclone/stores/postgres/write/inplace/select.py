"""Which way each masked column goes: decoded here, made by the server, or with its whole table through SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from envclone.address import Address, items
from envclone.models import FieldKind, FieldRule, StorePlan
from envclone.stores.postgres.catalog.dependents import generated_from
from envclone.stores.postgres.catalog.layout import Relation
from envclone.stores.postgres.catalog.tables import Column, Leaf, Table
from envclone.stores.postgres.write.inplace.codecs import Codec, codec_for
from envclone.stores.postgres.write.inplace.work import Column as DirectColumn
from envclone.stores.postgres.write.textsearch import Vector

__all__ = ["Chosen", "Types", "choose", "column_types", "computed", "direct_columns"]

Connection = psycopg.Connection[tuple[Any, ...]]

_TEXTS = frozenset(("text", "varchar", "bpchar", "citext", "json", "jsonb", "xml"))
_REMOVED = Codec(lambda body: body, lambda value, _: value)
"""For a column that becomes NULL: what it holds is of no interest."""


@dataclass(frozen=True, slots=True)
class _Type:
    typmod: int
    domain: bool
    element: tuple[int, str] | None
    utf8: bool


Types = Mapping[tuple[int, str], _Type]
"""By the table's oid and the column's name."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A table's masked columns by the way they go; `sql` says that the whole table goes through SQL."""

    table: Table
    direct: tuple[Column, ...]
    staged: tuple[Column, ...]
    sql: bool


def choose(table: Table, columns: Sequence[Column], plan: StorePlan, types: Types) -> Chosen:
    """Choose for one table.

    The server makes what envclone has no codec for: rows, ranges, hstore, enums, floats, values of domains (which it
    checks), and what depends on several columns. A column whose old rows lack their value, and whose default cannot be
    replaced in the catalog alone, makes its table go through SQL.
    """
    direct = tuple(c for c in columns if _codec(table, c, plan, types) is not None)
    staged = tuple(c for c in columns if c not in direct)
    lacking = [c for c in columns if c.missing]
    simple = all(c in direct and not plan.rules[table.at(c.name)].by and c.kind is not FieldKind.ARRAY for c in lacking)
    return Chosen(table, direct, staged, not simple)


def direct_columns(chosen: Chosen, relation: Relation, plan: StorePlan, types: Types) -> tuple[DirectColumn, ...]:
    """The directly masked columns of one of the table's relations, by its own numbers of attributes."""
    numbers = {a.name: i for i, a in enumerate(relation.attributes) if not a.dropped}
    found = []
    for column in chosen.direct:
        rule = plan.rules[chosen.table.at(column.name)]
        codec = _codec(chosen.table, column, plan, types)
        assert codec is not None
        subject = None
        if rule.by:
            other = chosen.table.columns[Address.parse(rule.by).name]
            its_codec = _own_codec(chosen.table, other, types)
            assert its_codec is not None
            subject = (numbers[other.name], its_codec)
        found.append(DirectColumn(numbers[column.name], rule.address, rule, codec, subject))
    return tuple(found)


def kept_keys(
    table: Table, names: Sequence[str], relation: Relation, plan: StorePlan, types: Types
) -> tuple[tuple[int, str, Codec], ...]:
    """Those of a key's columns whose values rules keep, with what reads them."""
    numbers = {a.name: i for i, a in enumerate(relation.attributes) if not a.dropped}
    found = []
    for name in names:
        rule = plan.rules.get(table.at(name))
        codec = _own_codec(table, table.columns[name], types) if name in table.columns else None
        if rule is not None and not rule.masked and codec is not None:
            found.append((numbers[name], name, codec))
    return tuple(found)


def computed(
    conn: Connection, table: Table, leaf: Leaf, masked: Sequence[Column], made: Sequence[Vector]
) -> list[tuple[str, sql.Composable]]:
    """The stored columns of a relation that follow from masked ones, with the expressions that make them."""
    found: list[tuple[str, sql.Composable]] = [(v.column.name, v.made_from(lambda n: sql.Identifier(n))) for v in made]
    names = {c.name for c in masked} | {v.column.name for v in made}
    generated = generated_from(conn, table, names)
    rows = conn.execute(
        """SELECT a.attname, pg_catalog.pg_get_expr(d.adbin, d.adrelid)
           FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_attrdef d
             ON d.adrelid OPERATOR(pg_catalog.=) a.attrelid AND d.adnum OPERATOR(pg_catalog.=) a.attnum
           WHERE a.attrelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid
             AND a.attgenerated OPERATOR(pg_catalog.=) 's'
               AND a.attname OPERATOR(pg_catalog.=) ANY (%s) ORDER BY a.attnum""",
        [leaf.oid, sorted(generated)],
    ).fetchall()
    return [*found, *((name, sql.SQL("({})").format(sql.SQL(expression))) for name, expression in rows)]


def column_types(conn: Connection, tables: Sequence[Table]) -> Types:
    """What codecs need to know of the columns of tables, by table and name."""
    utf8 = conn.info.parameter_status("server_encoding") == "UTF8"
    rows = conn.execute(
        """SELECT a.attrelid::pg_catalog.int8, a.attname, a.atttypmod, t.typtype OPERATOR(pg_catalog.=) 'd', e.typlen,
             e.typalign
           FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
           LEFT JOIN pg_catalog.pg_type e ON e.oid OPERATOR(pg_catalog.=) t.typelem
             AND t.typcategory OPERATOR(pg_catalog.=) 'A'
           WHERE a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
             AND a.attrelid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])""",
        [[table.oid for table in tables]],
    ).fetchall()
    return {
        (relation, name): _Type(typmod, domain, (length, align) if length is not None else None, utf8)
        for relation, name, typmod, domain, length, align in rows
    }


def _codec(table: Table, column: Column, plan: StorePlan, types: Types) -> Codec | None:
    """How a masked column is decoded here; None when that is the server's."""
    rule: FieldRule = plan.rules[table.at(column.name)]
    if rule.domain in ("null", "drop") and not rule.json and not rule.by:
        return _REMOVED
    codec = _own_codec(table, column, types)
    if codec is None or not rule.by:
        return codec
    others = items(rule.by)
    if len(others) > 1:
        return None
    other = table.columns[Address.parse(others[0]).name]
    return None if other.missing or _own_codec(table, other, types) is None else codec


def _own_codec(table: Table, column: Column, types: Types) -> Codec | None:
    type_ = types[table.oid, column.name]
    if type_.domain or column.composite:
        return None
    if not type_.utf8 and column.base.removesuffix("[]") in _TEXTS:
        return None  # the server converts
    return codec_for(column.base, type_.typmod, type_.element)
