"""The base backup itself, by pg_basebackup: all of production's files, or what changed since an earlier one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone import process
from envclone.cow import reflink
from envclone.errors import CommandError
from envclone.protocols import Since
from envclone.stores.postgres.hollow import hollowed
from envclone.stores.postgres.server.engine import Engine
from envclone.stores.postgres.snapshot import backupfiles, client, describe, increment, manifest

if TYPE_CHECKING:
    import psycopg

__all__ = ["ROOM_FOR_WAL", "Asked", "refreshed", "require_room", "take"]

ROOM_FOR_WAL = 128 << 20


@dataclass(frozen=True, slots=True)
class Asked:
    """What production said that a backup needs to know; `rate` is in bytes per second."""

    engine: Engine
    tablespaces: Mapping[int, str]
    bytes: int | None
    slot: bool
    rate: int | None


def require_room(found: Asked, into: Path) -> None:
    """Raise ResourceError when all of production's files find no room."""
    if found.bytes is not None:
        describe.require_room(into, found.bytes + found.bytes // 50 + ROOM_FOR_WAL)


def refreshed(
    conn: psycopg.Connection[Any], found: Asked, into: Path, on_line: Any, since: Since
) -> tuple[list[str], dict[str, Any]]:
    """Take what changed and lay it over what was there; the command, and what came. Raises increment.Unsuitable."""
    describe.require_room(into, ROOM_FOR_WAL)
    if reflink.probe(into) is not None:  # what is not sent is copied from the snapshot before
        require_room(found, into)
    sent = into / increment.FOLDER
    sent.mkdir(mode=0o700)
    ran = take(conn, found, sent, on_line, manifest.place_of(since.place))
    done = increment.lay_over(into, since, found.tablespaces)
    return ran, {"since": since.id, "bytes": done.bytes, "files": done.files, "blocks": done.blocks}


def take(conn: psycopg.Connection[Any], found: Asked, into: Path, on_line: Any, after: Path | None = None) -> list[str]:
    """Take it into `into/data` and `into/tablespaces`; returns the command without places and secrets.

    With the manifest of an earlier one only what changed `after` it, or increment.Unsuitable when the server gives
    none.
    """
    program, conninfo, env = client.command(conn, found.engine, "pg_basebackup", application_name="envclone")
    options = [
        "--format=plain", "--wal-method=stream", "--checkpoint=fast", "--no-sync", "--progress", "--verbose",
        "--no-password", "--label=envclone",
    ]  # fmt: skip
    options += [] if found.slot else ["--no-slot"]
    options += [] if found.rate is None else [f"--max-rate={found.rate >> 10}k"]
    argv: list[str | Path] = [program, "--dbname", conninfo, "--pgdata", into / "data", *options]
    argv += [] if after is None else [f"--incremental={after}"]
    for oid, location in found.tablespaces.items():
        target = into / "tablespaces" / str(oid)
        target.mkdir(parents=True, mode=0o700)
        argv.append(f"--tablespace-mapping={_mapped(location)}={_mapped(str(target))}")
    try:
        process.stream(argv, on_line, env=env)
    except CommandError as exc:
        if after is not None and (why := increment.refused(exc)):
            raise increment.Unsuitable(why) from exc
        raise client.explained("pg_basebackup", "the base backup", exc.stderr, exc.message) from exc
    finally:
        backupfiles.require_inside(into)
    for path in sorted((into / "data" / "pg_wal").glob("[0-9A-F]" * 24))[-1:]:
        hollowed(path)  # it is as long as the others, and ends where the backup does
    return ["pg_basebackup", *options, *([] if after is None else ["--incremental"])]


def _mapped(path: str) -> str:
    return path.replace("=", "\\=")
