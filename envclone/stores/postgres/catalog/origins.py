"""Where the columns of materialized views come from: the parser notes it in their definitions."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import psycopg

__all__ = ["Origins", "origins", "sources"]

Connection = psycopg.Connection[tuple[Any, ...]]

Place = tuple[int, str]
"""The oid of a relation, and the name of one of its columns."""
Origins = Mapping[Place, Place]

_TOKEN = re.compile(r"\\.|[{}]", re.DOTALL)
_ENTRY = re.compile(r":resno (\d+) .*:resorigtbl (\d+) :resorigcol (\d+) :resjunk false\s*\Z", re.DOTALL)


def origins(conn: Connection, views: Collection[int]) -> Origins:
    """For each column of these materialized views that is plainly one column of a relation, that column.

    Views are looked through, so the relation holds rows: a table, a partition, another materialized view, a foreign
    table. A column of an expression, an aggregate or a UNION has no origin. Nothing of the definitions is evaluated.
    """
    stated: dict[tuple[int, int], tuple[int, int]] = {}
    plain: set[int] = set()
    seen: set[int] = set()
    wanted = set(views)
    while wanted:
        rows = conn.execute(
            """SELECT c.oid::pg_catalog.int8, c.relkind, r.ev_action::pg_catalog.text
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_rewrite r ON r.ev_class OPERATOR(pg_catalog.=) c.oid
               WHERE c.oid OPERATOR(pg_catalog.=) ANY (%(wanted)s::pg_catalog.oid[])
                 AND r.rulename OPERATOR(pg_catalog.=) '_RETURN'
                 AND (c.relkind OPERATOR(pg_catalog.=) 'v'
                      OR c.oid OPERATOR(pg_catalog.=) ANY (%(views)s::pg_catalog.oid[]))""",
            {"wanted": sorted(wanted), "views": sorted(views)},
        ).fetchall()
        seen |= wanted
        for oid, kind, action in rows:
            if kind == "v":
                plain.add(oid)
            stated.update({(oid, number): source for number, source in sources(action)})
        wanted = {relation for relation, _ in stated.values()} - seen
    found = {place: _through(source, stated, plain) for place, source in stated.items() if place[0] in views}
    names = _names(conn, {place[0] for pair in found.items() for place in pair if place is not None})
    return {
        (place[0], names[place]): (source[0], names[source])
        for place, source in found.items()
        if source in names and source is not None and place in names
    }


def sources(action: str) -> Iterator[tuple[int, tuple[int, int]]]:
    """The numbers of a query's output columns that are plainly a relation's, with its oid and the column's number.

    `action` is pg_rewrite.ev_action as text. Entries of the outermost target list stand two braces deep; what an entry
    says of itself follows its expression.
    """
    depth, start = 0, 0
    for token in _TOKEN.finditer(action):
        if token.group() == "{":
            depth += 1
            if depth == 2:
                start = token.end()
        elif token.group() == "}":
            if depth == 2 and action.startswith("TARGETENTRY", start):
                entry = _ENTRY.search(action, max(start, action.rfind(":resno ", start, token.start())), token.start())
                if entry and int(entry[2]):
                    yield int(entry[1]), (int(entry[2]), int(entry[3]))
            depth -= 1


def _through(
    source: tuple[int, int], stated: Mapping[tuple[int, int], tuple[int, int]], plain: Collection[int]
) -> tuple[int, int] | None:
    place: tuple[int, int] | None = source
    while place is not None and place[0] in plain:
        place = stated.get(place)
    return place


def _names(conn: Connection, relations: Collection[int]) -> dict[tuple[int, int], str]:
    rows = conn.execute(
        """SELECT attrelid::pg_catalog.int8, attnum::pg_catalog.int8, attname FROM pg_catalog.pg_attribute
           WHERE attrelid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])
             AND attnum OPERATOR(pg_catalog.>) 0 AND NOT attisdropped""",
        [sorted(relations)],
    ).fetchall()
    return {(relation, number): name for relation, number, name in rows}
