"""A raw snapshot by dump and restore; the vector indexes are built again, which every report says."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.errors import BusyError, ConfigError, EnvcloneError, UnreachableError
from envclone.models import ProgressEvent, StoreSnapshot
from envclone.protocols import Progress
from envclone.stores.postgres.server import control, pinned, settings
from envclone.stores.postgres.server.server import reason
from envclone.stores.postgres.snapshot import backupfiles, describe, moment
from envclone.stores.postgres.snapshot.access import dsn_of
from envclone.stores.postgres.snapshot.logical import ask, cluster, contents, dump
from envclone.stores.postgres.snapshot.source import emptied_on_failure, open_source

if TYPE_CHECKING:
    import psycopg

    from envclone.config.schema import StoreConfig

__all__ = ["obstacles_logical", "snapshot_logical"]

JOBS = 2
"""Connections that read tables at once, unless the stack file says otherwise."""
_ROOM = 256 << 20
"""Bytes for an empty cluster and its log."""


def snapshot_logical(name: str, config: StoreConfig, into: Path, progress: Progress) -> StoreSnapshot:
    """Dump the store's database at one moment, and restore it into a cluster of our own at `into/data`.

    `details` are those of a physical snapshot, `fidelity` is `rebuilt`, and the superuser is one of ours. Raises
    UnreachableError when the role would not see everything, UnsafeError for what a dump cannot bring, ConfigError,
    ResourceError or BusyError; nothing stays in `into` on failure.
    """
    began = time.monotonic()
    dsn, jobs = _dsn(name, config), config.source.jobs or JOBS
    progress(ProgressEvent(f"connecting to {name}", 0))
    with contextlib.closing(_open(dsn, config)) as conn:
        database = _database(conn, config)
        with _told():
            found = ask.ask(conn, config, database)
        describe.require_room(into, 2 * found.bytes + _ROOM)
        captured = _settings(conn, dsn, config)
        with emptied_on_failure(into):
            place = into / "dump"
            place.mkdir(mode=0o700)
            with _told():
                snapshot = dump.begin(conn)
                at, position = moment.of(conn)
                views = dump.dump_views(conn, found.views, place)
                ran = dump.dump(
                    conn, found, snapshot, place / "archive", jobs,
                    lambda tables: progress(ProgressEvent(f"copying {name}", tables, None, "tables")),
                )  # fmt: skip
            conn.close()
            progress(ProgressEvent(f"restoring {name}", 0))
            with cluster.started(found, into) as restored:
                _restore(restored, place / "archive", views, jobs, found.without, name, progress)
                superuser = restored.superuser
            shutil.rmtree(place)
            left_out = backupfiles.weed(into, found.engine.major, ())
            state = control.read(into / "data")
            size, files = describe.measure(into)
    return StoreSnapshot(
        store=name,
        kind="postgres",
        method="logical",
        engine_version=found.engine.version if found.engine.version != found.version else found.version,
        consistent_at=at,
        seconds=round(time.monotonic() - began, 3),
        bytes=size,
        files=files,
        position=position,
        details={
            "fidelity": "rebuilt",
            "database": found.database.name,
            "superuser": superuser,
            "settings": [item.plain() for item in captured],
            "overrides": dict(config.settings),
            "databases": [found.database.plain()],
            "extensions": found.extensions,
            "system_identifier": str(state.system_identifier),
            "warnings": found.warnings,
            "left_out": left_out,
            "ran": [" ".join(ran)],
            "wal": {"start": position, "end": position, "timeline": state.timeline},
        },
    )


def obstacles_logical(config: StoreConfig, place: Path) -> list[EnvcloneError]:
    """Everything that would keep `snapshot_logical` from copying to where `place` is; nothing is copied."""
    try:
        opened = _open(_dsn("it", config), config)
    except EnvcloneError as exc:
        return [exc]
    with contextlib.closing(opened) as conn:
        try:
            found = ask.obstacles(conn, _database(conn, config), config.source.without_extensions or ())
            row = conn.execute(
                "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())::pg_catalog.int8"
            ).fetchone()
            describe.require_room(place, 2 * int(row[0] if row else 0) + _ROOM)
        except EnvcloneError as exc:
            return [*found, exc] if "found" in locals() else [exc]
    return found


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What production refuses in the middle, as an error of ours; only names of objects are repeated."""
    import psycopg

    try:
        yield
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as exc:
        raise BusyError(
            f"production took too long: {exc.diag.message_primary}",
            hint="let the transaction that holds the lock end (pg_locks names it), then try again",
        ) from None
    except psycopg.errors.InsufficientPrivilege as exc:
        raise UnreachableError(
            f"production refuses: {exc.diag.message_primary}", hint="grant it, as docs/production.md says"
        ) from None
    except psycopg.OperationalError as exc:
        raise UnreachableError(
            f"the connection to production ended: {reason(exc)}", hint="see production's own log, and try again"
        ) from None


def _restore(
    restored: cluster.Cluster,
    archive: Path,
    views: dict[ask.View, Path],
    jobs: int,
    without: Collection[str],
    name: str,
    progress: Progress,
) -> None:
    sections = {
        section: contents.parse(restored.listing(archive, section), without)
        for section in ("pre-data", "data", "post-data")
    }
    total, done = sum(map(len, sections.values())), 0

    def restore(entries: list[contents.Entry], *, jobs: int = 1, owners: bool = True) -> None:
        nonlocal done
        for superuser, some in contents.runs(entries):
            restored.restore(archive, some, superuser=superuser, jobs=jobs, owners=owners)
            done += len(some)
            progress(ProgressEvent(f"restoring {name}", done, total, "objects"))

    every = [entry for entries in sections.values() for entry in entries]
    restore(contents.stage(every, "first"))
    restored.open_schemas()
    for section, entries in sections.items():
        restore(contents.stage(entries, "now"), jobs=1 if section == "pre-data" else jobs)
        if section == "data":
            restored.fill(views)
    restore(contents.stage(every, "lists"))
    restored.settle()
    restored.give_rights()
    restore(contents.stage(every, "last"), owners=False)


def _dsn(name: str, config: StoreConfig) -> str:
    if config.source.dsn is None:
        raise ConfigError(f"the store '{name}' has no source.dsn", hint="method: logical needs one")
    return dsn_of(config.source)


def _open(dsn: str, config: StoreConfig) -> psycopg.Connection[Any]:
    """A session in the database that is dumped."""
    parameters: dict[str, Any] = {"dbname": config.source.database} if config.source.database else {}
    return open_source(dsn, **parameters)


def _database(conn: psycopg.Connection[Any], config: StoreConfig) -> describe.Database:
    databases = [
        describe.Database(*fields)
        for fields in conn.execute(describe.databases_sql(conn.info.server_version // 10000).encode())
    ]
    return describe.choose_database(databases, config.source.database or conn.info.dbname)


def _settings(conn: psycopg.Connection[Any], dsn: str, config: StoreConfig) -> list[settings.Setting]:
    parameters: dict[str, Any] = {"dbname": config.source.database} if config.source.database else {}
    with contextlib.closing(open_source(dsn, pins=pinned.step(), **parameters)) as other:
        return settings.capture(conn, ask.hidden_settings(conn, other))
