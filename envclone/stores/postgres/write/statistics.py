"""The planner's statistics hold values too: those of masked columns are removed and made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

__all__ = ["renew"]

_SIZES = """SELECT reltuples, relpages, relallvisible, oid::pg_catalog.int8 FROM pg_catalog.pg_class
            WHERE oid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])"""
_RESIZE = """UPDATE pg_catalog.pg_class SET reltuples = %s, relpages = %s, relallvisible = %s
             WHERE oid OPERATOR(pg_catalog.=) %s::pg_catalog.oid"""

Connection = psycopg.Connection[tuple[Any, ...]]


def renew(conn: Connection, worker: Connection, masked: Mapping[int, set[str]]) -> None:
    """Remove the statistics that show values of masked columns, and sample them again where there had been any.

    `masked` names the masked columns, and those computed from them, by the oid of their table or partition; parents,
    whose statistics sample their children, are found here. Statistics of an index's expressions, and extended ones,
    count when a masked column is in them. Those of other columns stay as they are, so that plans stay as they are:
    for the time of ANALYZE their target is 0, which leaves their rows alone. What extended statistics need of them is
    sampled, and their rows, however old, come back. The operator's connection writes the catalogs, and the worker's
    samples, for expressions are production's.
    """
    tables = _with_parents(conn, masked)
    stale: dict[int, list[int]] = {}
    for table, columns in sorted(tables.items()):
        removed, extended = _remove(conn, table, sorted(columns))
        if removed or extended:
            stale[table] = extended
    sizes = conn.execute(_SIZES, [sorted(stale)]).fetchall()
    kept = [(t, n, target) for t in sorted(tables) for n, target in _others(conn, t, tables[t], stale.get(t, []))]
    beside = [(table, number) for table in sorted(stale) for number in _kept(conn, table, tables[table], stale[table])]
    _set_targets(conn, [(table, number, 0) for table, number, _ in kept])
    _put_aside(conn, beside)
    _analyze(worker, sorted(stale))
    _bring_back(conn, beside)
    _set_targets(conn, kept)
    for size in sizes:  # ANALYZE counts again, and plans follow production's count, however old it is
        conn.execute(_RESIZE, size)
    for catalog in ("pg_statistic", "pg_statistic_ext_data", "pg_attribute"):
        conn.execute(sql.SQL("VACUUM FULL pg_catalog.{}").format(sql.Identifier(catalog)))


def _with_parents(conn: Connection, masked: Mapping[int, set[str]]) -> dict[int, set[str]]:
    result = {table: set(columns) for table, columns in masked.items()}
    rows = conn.execute(
        """WITH RECURSIVE up (child, parent) AS (
             SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits
               WHERE inhrelid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])
             UNION SELECT up.child, i.inhparent FROM up
               JOIN pg_catalog.pg_inherits i ON i.inhrelid OPERATOR(pg_catalog.=) up.parent)
           SELECT child::pg_catalog.int8, parent::pg_catalog.int8 FROM up""",
        [sorted(masked)],
    ).fetchall()
    for child, parent in rows:
        result.setdefault(parent, set()).update(masked[child])
    return result


def _remove(conn: Connection, table: int, names: list[str]) -> tuple[int, list[int]]:
    """Remove what shows these columns: how many rows, and the columns (numbers) in extended statistics removed."""
    removed = conn.execute(
        """DELETE FROM pg_catalog.pg_statistic s USING pg_catalog.pg_attribute a
           WHERE s.starelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid
             AND a.attrelid OPERATOR(pg_catalog.=) s.starelid AND a.attnum OPERATOR(pg_catalog.=) s.staattnum
             AND a.attname OPERATOR(pg_catalog.=) ANY (%s)""",
        [table, names],
    ).rowcount
    removed += conn.execute(
        """DELETE FROM pg_catalog.pg_statistic s USING pg_catalog.pg_index i
           WHERE i.indrelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid
             AND s.starelid OPERATOR(pg_catalog.=) i.indexrelid""",
        [table],
    ).rowcount
    extended = conn.execute(
        """SELECT e.oid::pg_catalog.int8, e.stxkeys::pg_catalog.int2[] FROM pg_catalog.pg_statistic_ext e
           WHERE e.stxrelid OPERATOR(pg_catalog.=) %(table)s::pg_catalog.oid
             AND EXISTS (SELECT 1 FROM pg_catalog.pg_statistic_ext_data d WHERE d.stxoid OPERATOR(pg_catalog.=) e.oid)
             AND EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a
                         LEFT JOIN pg_catalog.pg_depend p ON p.classid
                           OPERATOR(pg_catalog.=) 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass
                           AND p.objid OPERATOR(pg_catalog.=) e.oid AND p.refobjid
                             OPERATOR(pg_catalog.=) e.stxrelid AND p.refobjsubid OPERATOR(pg_catalog.=) a.attnum
                         WHERE a.attrelid OPERATOR(pg_catalog.=) e.stxrelid
                           AND a.attname OPERATOR(pg_catalog.=) ANY (%(names)s)
                           AND (a.attnum OPERATOR(pg_catalog.=) ANY (e.stxkeys) OR p.objid IS NOT NULL))""",
        {"table": table, "names": names},
    ).fetchall()
    conn.execute(
        "DELETE FROM pg_catalog.pg_statistic_ext_data WHERE stxoid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])",
        [[oid for oid, _ in extended]],
    )
    return removed, sorted({key for _, keys in extended for key in keys})


def _others(conn: Connection, table: int, names: set[str], numbers: list[int]) -> list[tuple[int, int | None]]:
    return [
        (number, target)
        for number, target in conn.execute(
            """SELECT attnum, attstattarget FROM pg_catalog.pg_attribute
               WHERE attrelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid AND attnum OPERATOR(pg_catalog.>) 0
                 AND NOT attisdropped
                 AND attname OPERATOR(pg_catalog.<>) ALL (%s)
                   AND attnum OPERATOR(pg_catalog.<>) ALL (%s::pg_catalog.int2[])""",
            [table, sorted(names), numbers],
        )
    ]


def _kept(conn: Connection, table: int, names: set[str], numbers: list[int]) -> list[int]:
    """Those of the columns that no mask changes."""
    rows = conn.execute(
        """SELECT attnum FROM pg_catalog.pg_attribute WHERE attrelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid
             AND attnum OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.int2[])
             AND attname OPERATOR(pg_catalog.<>) ALL (%s) ORDER BY attnum""",
        [table, numbers, sorted(names)],
    ).fetchall()
    return [number for (number,) in rows]


_MOVE = """UPDATE pg_catalog.pg_statistic s SET staattnum = (OPERATOR(pg_catalog.-) s.staattnum)
           FROM ROWS FROM (pg_catalog.unnest(%s::pg_catalog.oid[]), pg_catalog.unnest(%s::pg_catalog.int2[]))
             AS u (relation, number)
           WHERE s.starelid OPERATOR(pg_catalog.=) u.relation AND s.staattnum OPERATOR(pg_catalog.=) u.number"""
"""No table can hold a row of pg_statistic (`anyarray`), but its place there can change."""


def _put_aside(conn: Connection, columns: Sequence[tuple[int, int]]) -> None:
    conn.execute(_MOVE, [[table for table, _ in columns], [number for _, number in columns]])


def _bring_back(conn: Connection, columns: Sequence[tuple[int, int]]) -> None:
    """Instead of what was sampled: the rows as they were, or none."""
    tables = [table for table, _ in columns]
    with conn.transaction():
        conn.execute(
            """DELETE FROM pg_catalog.pg_statistic s USING ROWS FROM
                 (pg_catalog.unnest(%s::pg_catalog.oid[]), pg_catalog.unnest(%s::pg_catalog.int2[]))
                 AS u (relation, number)
               WHERE s.starelid OPERATOR(pg_catalog.=) u.relation AND s.staattnum OPERATOR(pg_catalog.=) u.number""",
            [tables, [number for _, number in columns]],
        )
        conn.execute(_MOVE, [tables, [-number for _, number in columns]])


def _set_targets(conn: Connection, targets: Sequence[tuple[int, int, int | None]]) -> None:
    conn.execute(
        """UPDATE pg_catalog.pg_attribute a SET attstattarget = u.target
           FROM ROWS FROM (pg_catalog.unnest(%s::pg_catalog.oid[]), pg_catalog.unnest(%s::pg_catalog.int2[]),
             pg_catalog.unnest(%s::pg_catalog.int2[]))
             AS u (relation, number, target)
           WHERE a.attrelid OPERATOR(pg_catalog.=) u.relation AND a.attnum OPERATOR(pg_catalog.=) u.number""",
        [[t for t, _, _ in targets], [n for _, n, _ in targets], [target for _, _, target in targets]],
    )


def _analyze(conn: Connection, relations: Sequence[int]) -> None:
    # each table and partition is in the list for itself; before 18 ANALYZE knows no ONLY, and may do one twice
    only = sql.SQL("ONLY " if conn.info.server_version >= 180000 else "")
    rows = conn.execute(
        """SELECT n.nspname, c.relname FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
             WHERE c.oid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])""",
        [list(relations)],
    ).fetchall()
    for schema, name in rows:
        conn.execute(sql.SQL("ANALYZE {}{}").format(only, sql.Identifier(schema, name)))
