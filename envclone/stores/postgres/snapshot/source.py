"""A raw snapshot of a running PostgreSQL: a base backup over the replication protocol; production is only read."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.errors import BusyError, ConfigError, EnvcloneError, UnreachableError
from envclone.models import ProgressEvent, StoreSnapshot
from envclone.protocols import Progress, Since
from envclone.stores.postgres.server import pinned, settings
from envclone.stores.postgres.server.engine import find
from envclone.stores.postgres.snapshot import backupfiles, basebackup, client, describe, increment, manifest, moment
from envclone.stores.postgres.snapshot.access import dsn_of

if TYPE_CHECKING:
    import psycopg

    from envclone.config.schema import StoreConfig

__all__ = [
    "emptied_on_failure",
    "obstacles",
    "open_source",
    "snapshot_physical",
    "system_of",
]

CONNECT_TIMEOUT = 10
_PROGRESS = re.compile(r"^\s*(\d+)/(\d+) kB")
_POINT = re.compile(r"write-ahead log (start|end) point: ([0-9A-F]+/[0-9A-F]+)(?: on timeline (\d+))?")


@dataclass(frozen=True, slots=True)
class _Source:
    """What was asked of production before anything is copied."""

    backup: basebackup.Asked
    version: str
    details: dict[str, Any]
    clock_ahead: dt.timedelta
    cluster: increment.Cluster


def snapshot_physical(
    name: str, config: StoreConfig, into: Path, progress: Progress, since: Since | None = None
) -> StoreSnapshot:
    """Copy a running server's files to `into/data` and `into/tablespaces/<oid>`, consistent under any write load.

    Where production gives what changed `since` an earlier snapshot, only that is copied. The copy holds the log that it
    needs; a clone's first start replays it. `details` are plain JSON values without secrets: database, superuser,
    settings, overrides, databases, extensions, system_identifier, wal, warnings.
    Raises UnreachableError, ConfigError, ResourceError or BusyError with the remedy, before anything is copied where
    it can be known then; nothing stays in `into` on failure.
    """
    began = time.monotonic()
    if config.source.dsn is None:
        raise ConfigError(f"the store '{name}' has no source.dsn", hint="method: physical needs one")
    dsn = dsn_of(config.source)
    progress(ProgressEvent(f"connecting to {name}", 0))
    with contextlib.closing(open_source(dsn)) as conn:
        found = _ask(conn, dsn, config)
        why = "" if since is None else increment.unfit(since, found.cluster, found.backup.engine)
        moments: dict[str, Any] = {}

        def on_line(line: str) -> None:
            if match := _PROGRESS.match(line):
                progress(ProgressEvent(f"copying {name}", int(match[1]) << 10, int(match[2]) << 10, "bytes"))
            elif match := _POINT.search(line):
                moments[match[1]] = match[2]
                if match[3]:
                    moments["timeline"] = int(match[3])
                if match[1] == "end":
                    moments["at"] = _clock(conn, found)

        with emptied_on_failure(into):
            ran: list[str] = []
            refresh: dict[str, Any] = {}
            if since is not None and not why:
                try:
                    ran, refresh = basebackup.refreshed(conn, found.backup, into, on_line, since)
                except increment.Unsuitable as exc:
                    why = str(exc)
                    _empty(into)
            if since is not None and why:
                refresh = {"whole": f"copied as a whole: {why}"}
                progress(ProgressEvent(f"{name} is {refresh['whole']}", 0))
                if config.source.refresh == "incremental":
                    found.details["warnings"].append(refresh["whole"])
            if not ran:
                basebackup.require_room(found.backup, into)
                ran = basebackup.take(conn, found.backup, into, on_line)
            # not renamed: a store's directory may be a subvolume of its own
            shutil.move(into / "data" / manifest.NAME, manifest.place_of(into))
            left_out = backupfiles.weed(into, found.backup.engine.major, found.backup.tablespaces)
            size, files = describe.measure(into)
    return StoreSnapshot(
        store=name,
        kind="postgres",
        method="physical",
        engine_version=found.version,
        consistent_at=moments.get("at") or dt.datetime.now(dt.UTC) + found.clock_ahead,
        seconds=round(time.monotonic() - began, 3),
        bytes=size,
        files=files,
        position=moments.get("end", ""),
        details={
            **found.details,
            "left_out": left_out,
            "ran": [" ".join(ran)],
            **({"refresh": refresh} if refresh else {}),
            "wal": {key: moments.get(key) for key in ("start", "end", "timeline")},
        },
    )


def open_source(dsn: str, *, pins: Mapping[str, str] | None = None, **parameters: Any) -> psycopg.Connection[Any]:
    """Connect to production, read-only, whatever was set there for the role or the database (see `pinned`).

    Errors never hold the password. Raises ConfigError, UnreachableError.
    """
    import psycopg

    from envclone.stores.postgres.server.server import reason

    # a database of no declared encoding (SQL_ASCII) would give bytes
    given = {"connect_timeout": CONNECT_TIMEOUT, "application_name": "envclone", "client_encoding": "UTF8"}
    try:
        return pinned.connect(
            dsn, pins=pinned.production() if pins is None else pins, autocommit=True, **{**given, **parameters}
        )
    except psycopg.ProgrammingError:  # its message quotes the part of the string that it could not read
        raise ConfigError(
            "the DSN cannot be read",
            hint="postgresql://user:password@host:port/database, special characters as %XX",
        ) from None
    except psycopg.OperationalError as exc:
        text = reason(exc)
        raise UnreachableError(
            f"production's PostgreSQL cannot be reached: {text}", hint=client.connect_hint(text)
        ) from None


def _ask(conn: psycopg.Connection[Any], dsn: str, config: StoreConfig) -> _Source:
    """Everything that can be wrong is asked before the first byte is copied."""
    major = conn.info.server_version // 10000
    row = conn.execute(
        "SELECT pg_catalog.current_setting('server_version'), pg_catalog.current_setting('wal_level'),"
        " pg_catalog.current_setting('max_wal_senders')::int, pg_catalog.current_setting('max_replication_slots')::int,"
        " (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots),"
        " (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication),"
        " (SELECT rolsuper OR rolreplication FROM pg_catalog.pg_roles"
        " WHERE rolname OPERATOR(pg_catalog.=) current_user),"
        " current_user::pg_catalog.text,"
        " (SELECT rolname::pg_catalog.text FROM pg_catalog.pg_roles"
        " WHERE oid OPERATOR(pg_catalog.=) 10), pg_catalog.clock_timestamp(),"
        " pg_catalog.pg_has_role(current_user, 'pg_read_all_settings', 'USAGE'),"
        " pg_catalog.current_setting('summarize_wal', true)"
    ).fetchone()
    assert row is not None
    version, wal_level, senders, slots, used_slots, used_senders, may, user, superuser, now, all_settings, summed = row
    version = version.split()[0]
    for problem in _no_backup(wal_level, senders, used_senders, may, user):
        raise problem
    databases = [describe.Database(*fields) for fields in conn.execute(describe.databases_sql(major).encode())]
    database = describe.choose_database(databases, config.source.database or conn.info.dbname)
    extensions, unlogged = _in_database(conn, dsn, database.name)
    engine = find(major, extensions=list(extensions))
    warnings = describe.require_runnable(engine, database, databases, list(extensions))
    if not all_settings:
        warnings.append(f"production's role '{user}' does not see protected settings: GRANT pg_read_all_settings")
    if unlogged:
        warnings.append(
            "a backup has no rows of unlogged tables, as after a crash: "
            f"{describe.listed(unlogged)} {'is' if len(unlogged) == 1 else 'are'} empty here"
        )
    (system_identifier, timeline), configured = _configuration(dsn, settings.hidden(conn))
    captured = settings.capture(conn, configured)
    tablespaces = conn.execute(
        "SELECT oid::pg_catalog.int8, pg_catalog.pg_tablespace_location(oid) FROM pg_catalog.pg_tablespace"
        " WHERE pg_catalog.pg_tablespace_location(oid) OPERATOR(pg_catalog.~~) '/%'"
    ).fetchall()
    backupfiles.require_plain(dict(tablespaces))
    details = {
        "database": database.name,
        "superuser": superuser,
        "settings": [item.plain() for item in captured],
        "overrides": dict(config.settings),
        "databases": [item.plain() for item in databases],
        "extensions": extensions,
        "system_identifier": system_identifier,
        "warnings": warnings,
    }
    return _Source(
        backup=basebackup.Asked(engine, dict(tablespaces), _size(conn), used_slots < slots, config.source.max_rate),
        version=version,
        details=details,
        clock_ahead=now - dt.datetime.now(dt.UTC),
        cluster=increment.Cluster(system_identifier, timeline, major, summed == "on"),
    )


def _no_backup(
    wal_level: str, senders: int, used_senders: int, may: bool, user: str
) -> Iterator[UnreachableError | BusyError]:
    """What keeps production from giving a base backup."""
    if wal_level == "minimal" or senders == 0:
        what = "wal_level is minimal" if wal_level == "minimal" else "max_wal_senders is 0"
        yield UnreachableError(
            f"production gives no base backups: {what}",
            hint="set wal_level = replica and max_wal_senders = 10 there and restart it, or use method: directory",
        )
    if not may:
        yield UnreachableError(
            f"production's role '{user}' may not take base backups: it lacks REPLICATION",
            hint=f"ALTER ROLE {user} REPLICATION",
        )
    if senders and senders - used_senders < 2:
        yield BusyError(
            f"production has {senders} WAL senders, {used_senders} of them in use; a base backup needs two",
            hint="raise max_wal_senders there, or wait until another backup is done",
        )


def obstacles(config: StoreConfig, place: Path) -> list[EnvcloneError]:
    """Everything that would keep `snapshot_physical` from copying to where `place` is; nothing is copied."""
    if config.source.dsn is None:
        return [ConfigError("the store has no source.dsn", hint="method: physical needs one")]
    try:
        dsn = dsn_of(config.source)
        opened = open_source(dsn)
    except EnvcloneError as exc:
        return [exc]
    with contextlib.closing(opened) as conn:
        row = conn.execute(
            "SELECT pg_catalog.current_setting('wal_level'), pg_catalog.current_setting('max_wal_senders')::int,"
            " (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication),"
            " (SELECT rolsuper OR rolreplication FROM pg_catalog.pg_roles"
            " WHERE rolname OPERATOR(pg_catalog.=) current_user), current_user::pg_catalog.text"
        ).fetchone()
        assert row is not None
        found: list[EnvcloneError] = [*_no_backup(*row)]
        may_copy = not found
        for step in (_require_engine, _require_room, _require_replication):
            try:
                if may_copy or step is not _require_replication:
                    step(conn, dsn, config, place)
            except EnvcloneError as exc:
                found.append(exc)
    return found


def _require_engine(conn: psycopg.Connection[Any], dsn: str, config: StoreConfig, place: Path) -> None:
    major = conn.info.server_version // 10000
    databases = [describe.Database(*fields) for fields in conn.execute(describe.databases_sql(major).encode())]
    database = describe.choose_database(databases, config.source.database or conn.info.dbname)
    extensions = list(_in_database(conn, dsn, database.name)[0])
    describe.require_runnable(find(major, extensions=extensions), database, databases, extensions)


def _require_replication(conn: psycopg.Connection[Any], dsn: str, config: StoreConfig, place: Path) -> None:
    _configuration(dsn, ())


def _require_room(conn: psycopg.Connection[Any], dsn: str, config: StoreConfig, place: Path) -> None:
    size = _size(conn)
    if size is not None:
        describe.require_room(place, size + size // 50 + basebackup.ROOM_FOR_WAL)


def _in_database(conn: psycopg.Connection[Any], dsn: str, database: str) -> tuple[dict[str, str], list[str]]:
    """The extensions of the store's database, and the unlogged tables that have rows in it."""
    if database != conn.info.dbname:
        with contextlib.closing(open_source(dsn, dbname=database)) as other:
            return _in_database(other, dsn, database)
    extensions = conn.execute(
        "SELECT extname::pg_catalog.text, extversion FROM pg_catalog.pg_extension ORDER BY extname"
    ).fetchall()
    return dict(extensions), [str(name) for (name,) in conn.execute(describe.UNLOGGED).fetchall()]


def _configuration(dsn: str, names: Sequence[str]) -> tuple[tuple[str, int], dict[str, str]]:
    """The system's identifier and timeline, and its configuration where a session of ours says otherwise.

    Asked over the replication protocol, which has no database, no catalogs and no settings of roles; it shows early
    whether pg_hba.conf lets a base backup in.
    """
    from psycopg.pq import ExecStatus

    found: dict[str, str] = {}
    with contextlib.closing(open_source(dsn, pins={}, replication="true")) as conn:
        for name in names:
            result = conn.pgconn.exec_(f"SHOW {name}".encode())
            if result.status == ExecStatus.TUPLES_OK:
                found[name] = (result.get_value(0, 0) or b"").decode(errors="replace")
        result = conn.pgconn.exec_(b"IDENTIFY_SYSTEM")
        said = [result.get_value(0, one) or b"" for one in range(2)] if result.status == ExecStatus.TUPLES_OK else []
    return (said[0].decode(), int(said[1] or 0)) if said else ("", 0), found


def _size(conn: psycopg.Connection[Any]) -> int | None:
    """The cluster's size in bytes, None when this role may not see it."""
    import psycopg

    try:
        row = conn.execute(
            "SELECT pg_catalog.sum(pg_catalog.pg_database_size(oid))::pg_catalog.int8 FROM pg_catalog.pg_database"
        ).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return None
    return int(row[0]) if row else None


def _clock(conn: psycopg.Connection[Any], found: _Source) -> dt.datetime:
    """Production's clock now; should the connection be gone, this machine's with the distance measured before."""
    import psycopg

    try:
        return moment.of(conn)[0]
    except psycopg.Error:
        return dt.datetime.now(dt.UTC) + found.clock_ahead


def system_of(dsn: str) -> str:
    """The identifier of the cluster behind a DSN, asked over the replication protocol. Raises UnreachableError."""
    return _configuration(dsn, ())[0][0]


@contextlib.contextmanager
def emptied_on_failure(into: Path) -> Iterator[None]:
    """Take everything out of a directory again when the block fails, or is interrupted."""
    try:
        yield
    except BaseException:
        _empty(into)
        raise


def _empty(into: Path) -> None:
    for entry in into.iterdir():
        shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)
