"""A look into a stopped cluster's catalogs, on a throw-away copy of nothing but the catalogs.

A raw snapshot is never started. What must be known of it (its superuser, its databases, a database's extensions) is
asked of a single-user backend on a small copy: `global/`, the transaction status, one log segment, and the system
catalogs of one database, whose files have numbers below FirstNormalObjectId (16384) or stand in pg_filenode.map.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envclone import process
from envclone.accounts import account_of, hand_over
from envclone.errors import UnsafeError
from envclone.models import Cage
from envclone.stores.postgres.server import control, pinned
from envclone.stores.postgres.server.engine import Engine
from envclone.stores.postgres.snapshot.describe import Database, databases_sql

__all__ = ["Cluster", "extensions", "look"]

_FIRST_NORMAL_OID = 16384
_TEMPLATE1 = 1
"""The OID of template1, which every cluster has."""

_WHOLE = ("global", "pg_xact", "pg_multixact", "pg_commit_ts", "pg_logical")
_EMPTY = ("pg_dynshmem", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat", "pg_stat_tmp",
          "pg_subtrans", "pg_tblspc", "pg_twophase", "pg_wal/archive_status", "base")  # fmt: skip
_ROW = re.compile(r'^\s*1: answer = "([0-9a-f]*)"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the shared catalogs say."""

    superuser: str
    databases: tuple[Database, ...]


def look(engine: Engine, data: Path) -> Cluster:
    """Read the shared catalogs of a cleanly stopped cluster. Raises UnsafeError when they cannot be read."""
    rows = databases_sql(engine.major)
    sql = (
        "SELECT pg_catalog.json_build_object('superuser', (SELECT rolname FROM pg_catalog.pg_authid"  # noqa: S608
        " WHERE oid OPERATOR(pg_catalog.=) 10),"
        " 'databases', (SELECT pg_catalog.json_agg(pg_catalog.to_json(d))"
        f" FROM ({rows}) AS d(name, oid, template, connectable,"
        ' provider, "collate", ctype, collation_version, encoding)))'
    )
    answer = _ask(engine, data, "template1", _TEMPLATE1, sql)
    return Cluster(answer["superuser"], tuple(Database(**fields) for fields in answer["databases"]))


def extensions(engine: Engine, data: Path, database: Database) -> dict[str, str] | None:
    """The extensions of a database with their versions; None when its catalogs were moved (VACUUM FULL)."""
    sql = "SELECT coalesce(pg_catalog.json_object_agg(extname, extversion), '{}') FROM pg_catalog.pg_extension"
    try:
        answer: dict[str, str] = _ask(engine, data, database.name, database.oid, sql)
    except UnsafeError:
        return None
    return answer


def _ask(engine: Engine, data: Path, name: str, oid: int, sql: str) -> Any:
    """One JSON value from a single-user backend; it leaves as hexadecimal digits, which no output format changes."""
    query = f"SELECT pg_catalog.encode(pg_catalog.convert_to(({sql})::pg_catalog.text, 'UTF8'), 'hex') AS answer\n"
    with _skeleton(data, oid) as copy:
        done = process.run(
            [
                *(engine.program("postgres"), "--single", "-F", "-D", copy, "-c", "exit_on_error=on"),
                *("-c", f"search_path={pinned.SEARCH_PATH}", name),
            ],
            cage=Cage(account_of(copy), writable=(copy,), readable=engine.trees()),
            input=query,
            timeout=60,
            check=False,
        )
    match = _ROW.search(done.stdout)
    if match is None:
        words = [line for line in done.stderr.splitlines() if "FATAL" in line or "ERROR" in line or "PANIC" in line]
        said = words[-1].partition(":  ")[2] if words else "no answer"
        raise UnsafeError(f"the catalogs in {data} cannot be read: {said}", hint="take the snapshot again")
    return json.loads(bytes.fromhex(match[1]))


@contextlib.contextmanager
def _skeleton(data: Path, oid: int) -> Iterator[Path]:
    """A private copy of the catalogs of one database; gone at the end."""
    place = Path(tempfile.mkdtemp(prefix="envclone-peek-"))
    try:
        state = control.read(data)
        for name in _WHOLE:
            if (data / name).is_dir():
                shutil.copytree(data / name, place / name)
        for name in _EMPTY:
            (place / name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / "PG_VERSION", place / "PG_VERSION")
        segment = control.wal_segment(state, state.checkpoint)
        shutil.copyfile(data / "pg_wal" / segment, place / "pg_wal" / segment)
        # right after a promotion the last record stands on a page that the timeline before began
        if (history := data / "pg_wal" / f"{state.timeline:08X}.history").is_file():
            shutil.copyfile(history, place / "pg_wal" / history.name)
        source, target = data / "base" / str(oid), place / "base" / str(oid)
        if not source.is_dir():
            raise UnsafeError(f"the database {oid} in {data} lies in a tablespace that cannot be looked into")
        target.mkdir()
        moved = _mapped_files(source / "pg_filenode.map")
        for entry in source.iterdir():
            number = re.match(r"\d+", entry.name)
            if number is None or int(number[0]) < _FIRST_NORMAL_OID or int(number[0]) in moved:
                shutil.copyfile(entry, target / entry.name)
        (place / "postgresql.conf").touch()
        for path in (place, *place.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
        hand_over(place, account_of(place))
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _mapped_files(path: Path) -> set[int]:
    """File numbers in a pg_filenode.map: magic and count, then pairs of OID and number (relmapper.c)."""
    raw = path.read_bytes()
    words = [int.from_bytes(raw[at : at + 4], "little") for at in range(0, len(raw) - 3, 4)]
    return {words[3 + 2 * index] for index in range(words[1])}
