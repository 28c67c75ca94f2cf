"""The same questions to each vector index of production and of its clone."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql

from envclone.masking.shown import foreign
from envclone.models import Probe, Questions, Unanswered
from envclone.stores.postgres.catalog.vectorindexes import VectorIndex, vector_indexes

__all__ = ["answers", "probes"]

Connection = psycopg.Connection[tuple[Any, ...]]
Answer = list[Any] | Unanswered

_NEAREST = 10
_HALVABLE = ("vector", "halfvec")
_OFF = ("enable_seqscan", "enable_bitmapscan", "enable_sort", "enable_incremental_sort", "jit")
"""Other ways to an answer than an index that gives the rows in their order."""
_RIVALS = 16
"""At most so many other indexes that could answer are put aside, for one."""


def probes(conn: Connection, most: int) -> list[Questions]:
    """Questions for each vector index: vectors that rows have, and points halfway between two of them."""
    return [_questions(conn, index, most) for index in vector_indexes(conn)]


def answers(conn: Connection, asked: Sequence[Probe], placed: Collection[str]) -> list[Answer]:
    """What the indexes answer: addresses and distances of the nearest rows, in their order; or why they do not.

    Rows of tables that are not `placed` have other addresses than in production, and are known by their vector.
    """
    known = {index.name: index for index in vector_indexes(conn)}
    places: dict[str, list[int]] = {}
    for place, probe in enumerate(asked):
        places.setdefault(probe.index, []).append(place)
    result: list[Answer] = [Unanswered("it was not asked")] * len(asked)
    for name, its in places.items():
        index = known.get(name)
        answered: Sequence[Answer] = (
            [Unanswered("it is not there")] * len(its)
            if index is None
            else _asked(conn, index, [asked[place] for place in its], placed)
        )
        for place, answer in zip(its, answered, strict=True):
            result[place] = answer
    return result


def _questions(conn: Connection, index: VectorIndex, most: int) -> Questions:
    if index.unasked or index.empty:
        return Questions(index.name, unasked=index.unasked, empty=index.empty)
    try:
        vectors = _vectors(conn, index, most)
    except psycopg.Error as exc:
        return Questions(index.name, unasked=f"its values cannot be read: {_why(exc)}")
    if not vectors:
        return Questions(index.name, empty="no row is in it")
    asked = list(vectors)
    if index.base in _HALVABLE:
        half = len(vectors) // 2
        asked[half:] = [_between(a, b) for a, b in zip(vectors[half:], vectors[half - 1 :], strict=False)]
    probes = tuple(Probe(index.name, index.table, vector) for vector in asked)
    return Questions(index.name, probes, reads=index.reads)


def _vectors(conn: Connection, index: VectorIndex, most: int) -> list[str]:
    """Values of rows that are in the index: a sample, of a share of the table that grows until it gives enough."""
    share = 100.0 if index.rows <= 50 * most else min(100.0, 100.0 * 8 * most / index.rows)
    while True:
        # CASE: a partial index may leave rows out because its expression cannot be computed for them
        query = sql.SQL(
            "SELECT v FROM (SELECT (CASE WHEN {predicate} THEN {expression} END)::pg_catalog.text AS v"
            " FROM ONLY {table} TABLESAMPLE SYSTEM ({share}) REPEATABLE (1)) s"
            " WHERE v IS NOT NULL ORDER BY pg_catalog.md5(v) LIMIT {most}"
        ).format(
            predicate=index.predicate,
            expression=index.expression,
            table=index.identifier,
            share=sql.Literal(share),
            most=sql.Literal(most),
        )
        found = [str(row[0]) for row in conn.execute(query)]
        if share == 100.0 or len(found) >= most:
            return found
        share = min(100.0, share * 20)


def _asked(conn: Connection, index: VectorIndex, asked: Sequence[Probe], placed: Collection[str]) -> list[Answer]:
    """The answers of one index; what happens once holds for all questions that follow."""
    found: list[Answer] = []
    if index.unasked:
        return [Unanswered(index.unasked)] * len(asked)
    try:
        # what is put aside for the questions comes back with the rollback
        with conn.transaction(force_rollback=True):
            for setting in _OFF:
                conn.execute(sql.SQL("SET LOCAL {} = off").format(sql.Identifier(setting)))
            conn.execute("SET LOCAL max_parallel_workers_per_gather = 0")
            why = _chosen(conn, index, _query(index, asked[0], placed))
            if why:
                return [Unanswered(why)] * len(asked)
            for probe in asked:
                found.append([list(row) for row in conn.execute(_query(index, probe, placed))])
    except psycopg.Error as exc:
        found += [Unanswered(_why(exc))] * (len(asked) - len(found))
    return found


def _query(index: VectorIndex, probe: Probe, placed: Collection[str]) -> sql.Composed:
    if index.table in placed:
        known_by: sql.Composable = sql.SQL("pg_catalog.concat_ws('/', tableoid::pg_catalog.int8, ctid)")
    else:
        known_by = sql.SQL("pg_catalog.md5(({})::pg_catalog.text)").format(index.expression)
    return sql.SQL(
        "SELECT {known_by}, ({distance})::pg_catalog.text FROM ONLY {table} WHERE {predicate}"
        " ORDER BY {distance} LIMIT {nearest}"
    ).format(
        known_by=known_by,
        distance=sql.SQL("{expression} {operator} {vector}::{type}").format(
            expression=index.expression,
            operator=index.operator,
            vector=sql.Literal(probe.query),
            type=index.type,
        ),
        table=index.identifier,
        predicate=index.predicate,
        nearest=sql.Literal(_NEAREST),
    )


def _chosen(conn: Connection, index: VectorIndex, query: sql.Composed) -> str:
    """Make the planner take this very index, by dropping those that it likes better; why it does not, or ''.

    Two indexes over the same values answer the same query, and only the cheaper one is asked by it.
    """
    for _ in range(_RIVALS):
        row = conn.execute(sql.SQL("EXPLAIN (FORMAT JSON) {}").format(query)).fetchone()
        used = set(_index_names(row[0] if row else None))
        if index.own in used:
            return ""
        if not used:
            return "the planner does not use it"
        for rival in used:
            _put_aside(conn, index, rival)
    return f"the planner likes more than {_RIVALS} other indexes better"


def _put_aside(conn: Connection, index: VectorIndex, rival: str) -> None:
    """Drop another index of the same table, until the transaction is rolled back."""
    row = conn.execute(
        """SELECT n.nspname::pg_catalog.text, x.relname::pg_catalog.text FROM pg_catalog.pg_index i
           JOIN pg_catalog.pg_class own ON own.oid OPERATOR(pg_catalog.=) i.indexrelid
           JOIN pg_catalog.pg_class x ON x.oid OPERATOR(pg_catalog.=)
             coalesce(pg_catalog.pg_partition_root(own.oid)::pg_catalog.oid, own.oid)
           JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) x.relnamespace
           WHERE own.relname OPERATOR(pg_catalog.=) %s::pg_catalog.name AND i.indrelid OPERATOR(pg_catalog.=)
             %s::pg_catalog.regclass::pg_catalog.oid""",
        [rival, index.identifier.as_string(conn)],
    ).fetchone()
    if row is not None:
        conn.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(*row)))


def _index_names(plan: Any) -> Iterator[str]:
    if isinstance(plan, dict):
        if isinstance(plan.get("Index Name"), str):
            yield plan["Index Name"]
        for value in plan.values():
            yield from _index_names(value)
    elif isinstance(plan, list):
        for value in plan:
            yield from _index_names(value)


def _why(exc: psycopg.Error) -> str:
    """A server's words without anybody's value; of what production's own functions raise, the class alone."""
    kind = f"{type(exc).__name__}, SQLSTATE {exc.sqlstate}" if exc.sqlstate else type(exc).__name__
    if not exc.sqlstate or exc.diag.source_file == "pl_exec.c" or exc.diag.context:
        return kind
    return f"{foreign(exc.diag.message_primary or '')} ({kind})"


def _between(one: str, other: str) -> str:
    first, second = json.loads(one), json.loads(other)
    if len(first) != len(second):
        return one
    return json.dumps([(a + b) / 2 for a, b in zip(first, second, strict=True)], separators=(",", ":"))
