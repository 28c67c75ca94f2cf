"""What SQL would have refused on the way, and what the server's own checker says of the pages afterwards."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import psycopg
from psycopg import sql

from envclone.errors import UnsafeError
from envclone.models import ProgressEvent
from envclone.protocols import Progress
from envclone.stores.postgres.catalog.tables import Leaf

__all__ = ["amcheck", "constraints"]

Connection = psycopg.Connection[tuple[Any, ...]]

_SCHEMA = "envclone_amcheck"


def constraints(conn: Connection, leaf: Leaf, names: Collection[str]) -> int:
    """Check every enforced CHECK constraint over these columns; returns how many.

    Raises UnsafeError naming one that does not hold.
    """
    enforced = "AND c.conenforced" if conn.info.server_version >= 180000 else ""
    rows = conn.execute(
        f"""SELECT c.conname, pg_catalog.pg_get_expr(c.conbin, c.conrelid)
            FROM pg_catalog.pg_constraint c
            WHERE c.conrelid OPERATOR(pg_catalog.=) %s::pg_catalog.oid AND c.contype OPERATOR(pg_catalog.=) 'c'
              AND c.convalidated {enforced}
              AND (c.conkey IS NULL OR EXISTS
                (SELECT 1 FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid OPERATOR(pg_catalog.=) c.conrelid
                   AND a.attnum OPERATOR(pg_catalog.=) ANY (c.conkey)
                     AND a.attname OPERATOR(pg_catalog.=) ANY (%s)))""",  # noqa: S608
        [leaf.oid, sorted(names)],
    ).fetchall()
    for name, expression in rows:
        query = sql.SQL("SELECT EXISTS (SELECT 1 FROM ONLY {} WHERE NOT ({}))")
        try:
            row = conn.execute(query.format(leaf.identifier, sql.SQL(expression))).fetchone()
        except psycopg.Error as exc:
            exc.add_note(name)
            raise
        if row and row[0]:
            raise UnsafeError(
                f"{leaf.schema}.{leaf.name}: the pseudonyms break {name} (CheckViolation)",
                hint="choose a domain whose values fit, or keep where a check needs the value itself",
            )
    return len(rows)


def amcheck(conn: Connection, leaves: Sequence[Leaf], progress: Progress) -> dict[str, int]:
    """Let the extension amcheck, where this installation has it, look at each relation, its TOAST table and B-trees.

    Returns what was checked, and nothing when there is no amcheck. Raises UnsafeError with what it found.
    """
    if not leaves:
        return {}
    there = conn.execute(
        "SELECT 1 FROM pg_catalog.pg_available_extensions WHERE name OPERATOR(pg_catalog.=) 'amcheck'"
    ).fetchone()
    if there is None:
        return {}
    own = conn.execute("SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n"
                       " ON n.oid OPERATOR(pg_catalog.=) e.extnamespace"
                       " WHERE e.extname OPERATOR(pg_catalog.=) 'amcheck'").fetchone()  # fmt: skip
    schema = sql.Identifier(own[0] if own else _SCHEMA)
    if own is None:
        conn.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        conn.execute(sql.SQL("CREATE EXTENSION amcheck SCHEMA {}").format(schema))
    elif not _genuine(conn, own[0]):
        return {}
    heaps = trees = 0
    for number, leaf in enumerate(leaves, start=1):
        problems = conn.execute(
            sql.SQL("SELECT blkno, offnum, msg FROM {}.verify_heapam(%s::pg_catalog.oid::pg_catalog.regclass)").format(
                schema
            ),
            [leaf.oid],
        ).fetchall()
        if problems:
            raise UnsafeError(
                f"{leaf.schema}.{leaf.name}: amcheck found {len(problems)} problems in its pages",
                problems=[f"page {block} item {item}: {message}" for block, item, message in problems[:20]],
                hint="report this as a bug; set sanitize.method to sql in the stack file meanwhile",
            )
        heaps += 1
        for (index,) in conn.execute(
            """SELECT i.indexrelid::pg_catalog.int8 FROM pg_catalog.pg_index i
                 JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
               JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) c.relam
                 JOIN pg_catalog.pg_class r ON r.oid OPERATOR(pg_catalog.=) i.indrelid
               WHERE m.amname OPERATOR(pg_catalog.=) 'btree' AND i.indisvalid AND c.relkind OPERATOR(pg_catalog.=) 'i'
                 AND i.indrelid OPERATOR(pg_catalog.=) ANY (
                   SELECT pg_catalog.unnest(ARRAY[t.oid, t.reltoastrelid]) FROM pg_catalog.pg_class t
                   WHERE t.oid OPERATOR(pg_catalog.=) %(table)s::pg_catalog.oid)""",
            {"table": leaf.oid},
        ).fetchall():
            try:
                conn.execute(
                    sql.SQL("SELECT {}.bt_index_check(%s::pg_catalog.oid::pg_catalog.regclass, true)").format(schema),
                    [index],
                )
            except psycopg.Error as exc:
                raise UnsafeError(
                    f"{leaf.schema}.{leaf.name}: amcheck found an index damaged ({type(exc).__name__})",
                    hint="report this as a bug; set sanitize.method to sql in the stack file meanwhile",
                ) from None
            trees += 1
        progress(ProgressEvent("checking pages with amcheck", number, len(leaves)))
    if own is None:
        conn.execute("DROP EXTENSION amcheck")
        conn.execute(sql.SQL("DROP SCHEMA {}").format(schema))
    return {"heaps": heaps, "btrees": trees}


def _genuine(conn: Connection, schema: str) -> bool:
    """Whether all functions of these names there are the library's own: the operator calls them."""
    row = conn.execute(
        """SELECT pg_catalog.bool_and(p.prolang OPERATOR(pg_catalog.=) 13::pg_catalog.oid
             AND p.probin OPERATOR(pg_catalog.=) '$libdir/amcheck')
           FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
           WHERE n.nspname OPERATOR(pg_catalog.=) %s
             AND p.proname OPERATOR(pg_catalog.=) ANY ('{verify_heapam,bt_index_check}')""",
        [schema],
    ).fetchone()
    return bool(row and row[0])
