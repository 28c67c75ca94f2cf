"""pg_dump of one moment: several connections that share the snapshot of ours, all of them reading only."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from envclone import process
from envclone.errors import BusyError, CommandError, EnvcloneError, ResourceError, UnreachableError
from envclone.stores.postgres.snapshot import client
from envclone.stores.postgres.snapshot.logical.ask import Production, View

__all__ = ["LOCK_SECONDS", "begin", "dump", "dump_views"]

LOCK_SECONDS = 60.0
"""How long the dump waits for a lock of a table: what queues behind it waits as long."""
_TABLE = re.compile(r'dumping contents of table "')
_QUIET_SECONDS = 60.0


def begin(conn: psycopg.Connection[Any]) -> str:
    """Begin the transaction whose snapshot the dump shares, and return the snapshot's name; it must stay open."""
    conn.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    row = conn.execute("SELECT pg_catalog.pg_export_snapshot()").fetchone()
    assert row is not None
    return str(row[0])


def dump(
    conn: psycopg.Connection[Any],
    found: Production,
    snapshot: str,
    target: Path,
    jobs: int,
    progress: Callable[[int], None],
) -> list[str]:
    """Write a dump in the directory format to `target`, which must not be there; returns the command without secrets.

    `progress` is told how many tables were begun. Raises BusyError for a lock that was waited for too long,
    UnreachableError, ResourceError.
    """
    program, conninfo, env = client.command(
        conn,
        found.engine,
        "pg_dump",
        dbname=found.database.name,
        application_name="envclone pg_dump",
        options=str(conn.info.get_parameters().get("options", "")),  # those of ours that the server took
    )
    options: list[str | Path] = [
        "--format=directory", f"--jobs={jobs}", f"--snapshot={snapshot}", "--compress=0", "--no-sync", "--verbose",
        "--no-password", "--no-subscriptions", "--no-tablespaces", "--no-security-labels",
        f"--lock-wait-timeout={round(LOCK_SECONDS * 1000)}",
    ]  # fmt: skip
    if found.standby:
        options.append("--no-unlogged-table-data")  # a standby cannot read them
    tables, said = 0, time.monotonic()

    def on_line(line: str) -> None:
        nonlocal tables, said
        if _TABLE.search(line):
            tables += 1
            progress(tables)
        if time.monotonic() - said > _QUIET_SECONDS:
            said = time.monotonic()
            with contextlib.suppress(psycopg.Error):  # once all sessions have the snapshot, ours is not needed
                conn.execute("SELECT 1")  # one that is idle in its transaction would be ended

    try:
        process.stream([program, "--dbname", conninfo, *options, "--file", target], on_line, env=env)
    except CommandError as exc:
        raise _explained(exc) from exc
    return ["pg_dump", *map(str, options)]


def dump_views(conn: psycopg.Connection[Any], views: Sequence[View], target: Path) -> dict[View, Path]:
    """Write the rows of each filled materialized view to a file of its own, in the format of COPY."""
    written = {}
    conn.execute("SET LOCAL statement_timeout = 0")  # as pg_dump has it: how long a view is nobody knows
    for number, view in enumerate(view for view in views if view.filled):
        path = target / f"{number}.copy"
        with (
            path.open("xb") as file,
            conn.cursor().copy(
                sql.SQL("COPY (SELECT * FROM ONLY {}) TO STDOUT").format(sql.Identifier(view.schema, view.name))
            ) as rows,
        ):
            for block in rows:
                file.write(block)
        written[view] = path
    return written


def _explained(exc: CommandError) -> EnvcloneError:
    """What pg_dump says in its last words; a statement's text can be among them, and names of objects only."""
    errors = [line.partition("error: ")[2] for line in exc.stderr.splitlines() if "error: " in line]
    text = (errors[0] if errors else exc.message.removeprefix("pg_dump failed: ")).removeprefix(
        "query failed: ERROR:  "
    )
    if "SSL support is not compiled in" in exc.stderr or "no encryption" in exc.stderr:
        return client.no_tls("pg_dump")
    if "due to statement timeout" in exc.stderr or "due to lock timeout" in exc.stderr:
        return BusyError(
            f"the dump waited {LOCK_SECONDS:g} s for a lock of a table in production",
            hint="let the transaction that holds it end (pg_locks names it), then try again",
        )
    if "No space left on device" in exc.stderr:
        return ResourceError(f"the dump failed: {text}", hint="envclone gc, or a larger pool (pool.path)")
    return UnreachableError(f"the dump failed: {text}", hint="see what production's own log says of it")
