"""Keys that are equal and not the same bytes ('Zoé' and 'zoe' under a collation, 1.0 and 1.00): so are pseudonyms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from envclone.errors import EnvcloneError, UnsafeError
from envclone.models import FieldRule, StorePlan
from envclone.protocols import Masks
from envclone.stores.postgres.catalog.tables import Column, Table
from envclone.stores.postgres.write.staging import MaskedColumn

__all__ = ["require", "unlike"]

Connection = psycopg.Connection[tuple[Any, ...]]

_BY_BYTES = frozenset(
    ("text", "varchar", "name", "int2", "int4", "int8", "oid", "uuid", "bool", "date", "time", "timestamp", "bytea")
) | {"timestamptz", "macaddr", "macaddr8"}
"""Types whose values are equal when they are the same text, under a collation that is deterministic."""

_MOST = 100_000
"""Pairs of equal spellings that are looked at per key."""

_KEYS = """
    SELECT f.oid::pg_catalog.text, f.conname, f.conrelid::pg_catalog.int8, a.attname,
           f.confrelid::pg_catalog.int8, b.attname, n.nspname, o.oprname, cn.nspname, co.collname,
           COALESCE(co.collisdeterministic, true) AND COALESCE(ca.collisdeterministic, true)
    FROM pg_catalog.pg_constraint f
    CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(f.conkey), pg_catalog.unnest(f.confkey),
                                  pg_catalog.unnest(f.conpfeqop)) AS k (mine, theirs, equal)
    JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) f.conrelid
      AND a.attnum OPERATOR(pg_catalog.=) k.mine
    JOIN pg_catalog.pg_attribute b ON b.attrelid OPERATOR(pg_catalog.=) f.confrelid
      AND b.attnum OPERATOR(pg_catalog.=) k.theirs
    JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) k.equal
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) o.oprnamespace
    LEFT JOIN pg_catalog.pg_collation co ON co.oid OPERATOR(pg_catalog.=) b.attcollation
    LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid OPERATOR(pg_catalog.=) co.collnamespace
    LEFT JOIN pg_catalog.pg_collation ca ON ca.oid OPERATOR(pg_catalog.=) a.attcollation
    WHERE f.contype OPERATOR(pg_catalog.=) 'f' AND f.conparentid OPERATOR(pg_catalog.=) 0
    ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class _Key:
    """A column of a foreign key that refers, what it refers to, and how the server says that two are equal."""

    name: str
    child: tuple[Table, Column, FieldRule]
    parent: tuple[Table, Column, FieldRule]
    operator: sql.Composable
    collation: sql.Composable


def require(conn: Connection, plan: StorePlan, masks: Masks, tables: Sequence[Table]) -> None:
    """Raises UnsafeError when equal values of a key would get pseudonyms that are not equal."""
    found = unlike(conn, plan, masks, tables)
    if found:
        raise UnsafeError(
            f"{len(found)} rule{'s' * (len(found) > 1)} cannot be carried out",
            problems=[f"{address}: {why}" for address, why in found.items()],
            hint="write each such value in one spelling in production (UPDATE the referring column from what it refers"
            " to), give the column the rule keep, or mask both columns in a hook that knows which values are equal",
        )


def unlike(conn: Connection, plan: StorePlan, masks: Masks, tables: Sequence[Table]) -> dict[str, str]:
    """Why the rules of columns cannot be carried out, by address: values of theirs that are equal to what they refer to
    without being spelled alike get pseudonyms that are not equal. No value is named."""
    found: dict[str, str] = {}
    for key in _keys(conn, plan, tables):
        table, column, _ = key.child
        count = _broken(conn, key, masks)
        if count:
            other, its, rule = key.parent
            found[table.at(column.name)] = (
                f"{count} of its values are equal to values of {other.at(its.name)} in another spelling"
                f" ({its.type}), and their pseudonyms under the rule {rule.domain} would not be equal: the foreign key"
                f" {key.name} would break"
            )
    return found


def _keys(conn: Connection, plan: StorePlan, tables: Sequence[Table]) -> Iterator[_Key]:
    roots = {member: table for table in tables for member in table.tree}
    for _, name, relation, mine, other, theirs, schema, operator, place, collation, plain in conn.execute(_KEYS):
        ends = []
        for table, column in ((roots.get(relation), mine), (roots.get(other), theirs)):
            rule = plan.rules.get(table.at(column)) if table else None
            if table is not None and rule is not None and rule.masked and not rule.by and not rule.derived:
                ends.append((table, table.columns[column], rule))
        if len(ends) < 2 or (plain and all(column.base in _BY_BYTES for _, column, _ in ends)):
            continue
        collated = sql.SQL(" COLLATE {}").format(sql.Identifier(place, collation)) if collation else sql.SQL("")
        named = sql.SQL("OPERATOR({}.{})").format(sql.Identifier(schema), sql.SQL(operator))
        yield _Key(name, ends[0], ends[1], named, collated)


def _broken(conn: Connection, key: _Key, masks: Masks) -> int:
    """How many pairs of equal values in two spellings have pseudonyms that are not equal."""
    (child, mine, _), (parent, theirs, _) = key.child, key.parent
    equal = sql.SQL(" ").join([key.collation, key.operator])
    spellings = sql.SQL(
        '(SELECT DISTINCT ON (t) {0} AS v, ({0})::pg_catalog.text COLLATE pg_catalog."C" AS t FROM {1}'
        " WHERE {0} IS NOT NULL)"
    )
    pairs = conn.execute(
        sql.SQL("SELECT p.t, c.t FROM {} AS p, {} AS c WHERE {} AND p.t OPERATOR(pg_catalog.<>) c.t LIMIT {}").format(
            spellings.format(sql.Identifier(theirs.name), parent.identifier),
            spellings.format(sql.Identifier(mine.name), child.identifier),
            sql.Composed([sql.SQL("p.v"), equal, sql.SQL(" c.v")]),
            sql.Literal(_MOST),
        )
    ).fetchall()
    if not pairs:
        return 0
    sides = list(zip(*pairs, strict=True))
    try:
        masked = [
            MaskedColumn(*end, masks).apply(list(side), None)
            for end, side in zip((key.parent, key.child), sides, strict=True)
        ]
        cast = sql.SQL("x.p::{}").format(sql.SQL(theirs.type)), sql.SQL(" x.c::{}").format(sql.SQL(mine.type))
        row = conn.execute(
            sql.SQL(
                "SELECT pg_catalog.count(*) FROM ROWS FROM (pg_catalog.unnest(%s::pg_catalog.text[]),"
                " pg_catalog.unnest(%s::pg_catalog.text[])) AS x (p, c) WHERE ({}) IS NOT TRUE"
            ).format(sql.Composed([cast[0], equal, cast[1]])),
            masked,
        ).fetchone()
    except (EnvcloneError, psycopg.DataError):
        return 0  # what a mask refuses, or the type does not hold, is told when it is written
    return int(row[0]) if row else 0
