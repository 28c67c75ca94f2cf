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

from envclone import process
from envclone.errors import BusyError, CommandError, ConfigError, EnvcloneError, ResourceError, UnreachableError
from envclone.models import ProgressEvent, StoreSnapshot
from envclone.protocols import Progress
from envclone.stores.postgres.server import pinned, settings
from envclone.stores.postgres.server.engine import Engine, find
from envclone.stores.postgres.snapshot import backupfiles, client, describe, moment
from envclone.stores.postgres.snapshot.access import dsn_of

if TYPE_CHECKING:
    import psycopg

    from envclone.config.schema import StoreConfig

__all__ = [
    "emptied_on_failure",
    "explained",
    "obstacles",
    "open_source",
    "snapshot_physical",
    "system_of",
]

CONNECT_TIMEOUT = 10
_ROOM_FOR_WAL = 128 << 20
_PROGRESS = re.compile(r"^\s*(\d+)/(\d+) kB")
_POINT = re.compile(r"write-ahead log (start|end) point: ([0-9A-F]+/[0-9A-F]+)(?: on timeline (\d+))?")


@dataclass(frozen=True, slots=True)
class _Source:
    """What was asked of production before anything is copied."""

    engine: Engine
    version: str
    database: describe.Database
    databases: list[describe.Database]
    details: dict[str, Any]
    tablespaces: Mapping[int, str]
    bytes: int | None
    slot: bool
    clock_ahead: dt.timedelta


def snapshot_physical(name: str, config: StoreConfig, into: Path, progress: Progress) -> StoreSnapshot:
    """Copy a running server's files to `into/data` and `into/tablespaces/<oid>`, consistent under any write load.

    The copy holds the log that it needs; a clone's first start replays it. `details` are plain JSON values without
    secrets: database, superuser, settings, overrides, databases, extensions, system_identifier, wal, warnings.
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
        if found.bytes is not None:
            describe.require_room(into, found.bytes + found.bytes // 50 + _ROOM_FOR_WAL)
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
            try:
                ran = _base_backup(conn, found, into, config.source.max_rate, on_line)
            finally:
                backupfiles.require_inside(into)
            left_out = backupfiles.weed(into, found.engine.major, found.tablespaces)
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
        raise UnreachableError(f"production's PostgreSQL cannot be reached: {text}", hint=_connect_hint(text)) from None


def _connect_hint(text: str) -> str:
    for pattern, hint in (
        (r"password authentication failed|no password supplied", "check user and password in the DSN"),
        (r"no pg_hba\.conf entry.*replication", "add to production's pg_hba.conf: host replication <user> <this host>"
         "/32 scram-sha-256, and reload; or use method: directory"),
        (r"no pg_hba\.conf entry", "allow this host and user in production's pg_hba.conf, or use sslmode=require"),
        (r"database .* does not exist", "correct the DSN's database"),
        (r"translate host name|resolve|Name or service", "check the DSN's host name"),
        (r"too many (clients|connections)|number of requested standby connections exceeds",
         "raise max_wal_senders or max_connections in production, or wait"),
        (r"must be superuser or replication role|permission denied to (start|initiate) (WAL sender|replication)",
         "ALTER ROLE <user> REPLICATION"),
    ):  # fmt: skip
        if re.search(pattern, text):
            return hint
    if "startup parameter" in text:
        return "give the DSN of the server itself: what stands before it takes no settings of a session"
    return "check the DSN's host and port, and that the server is up and lets this host in"


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
        " pg_catalog.pg_has_role(current_user, 'pg_read_all_settings', 'USAGE')"
    ).fetchone()
    assert row is not None
    version, wal_level, senders, slots, used_slots, used_senders, may, user, superuser, now, all_settings = row
    version = version.split()[0]
    for problem in _no_backup(wal_level, senders, used_senders, may, user):
        raise problem
    databases = [describe.Database(*fields) for fields in conn.execute(describe.databases_sql(major).encode())]
    database = describe.choose_database(databases, config.source.database or conn.info.dbname)
    extensions = _extensions(conn, dsn, database.name)
    engine = find(major, extensions=list(extensions))
    warnings = describe.require_runnable(engine, database, databases, list(extensions))
    if not all_settings:
        warnings.append(f"production's role '{user}' does not see protected settings: GRANT pg_read_all_settings")
    system_identifier, configured = _configuration(dsn, settings.hidden(conn))
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
        engine=engine,
        version=version,
        database=database,
        databases=databases,
        details=details,
        tablespaces=dict(tablespaces),
        bytes=_size(conn),
        slot=used_slots < slots,
        clock_ahead=now - dt.datetime.now(dt.UTC),
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
    extensions = list(_extensions(conn, dsn, database.name))
    describe.require_runnable(find(major, extensions=extensions), database, databases, extensions)


def _require_replication(conn: psycopg.Connection[Any], dsn: str, config: StoreConfig, place: Path) -> None:
    _configuration(dsn, ())


def _require_room(conn: psycopg.Connection[Any], dsn: str, config: StoreConfig, place: Path) -> None:
    size = _size(conn)
    if size is not None:
        describe.require_room(place, size + size // 50 + _ROOM_FOR_WAL)


def _extensions(conn: psycopg.Connection[Any], dsn: str, database: str) -> dict[str, str]:
    sql = "SELECT extname::pg_catalog.text, extversion FROM pg_catalog.pg_extension ORDER BY extname"
    if database == conn.info.dbname:
        return dict(conn.execute(sql).fetchall())
    with contextlib.closing(open_source(dsn, dbname=database)) as other:
        return dict(other.execute(sql).fetchall())


def _configuration(dsn: str, names: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The system's identifier, and what production's configuration says where a session of ours says otherwise.

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
        value = result.get_value(0, 0) if result.status == ExecStatus.TUPLES_OK else None
    return value.decode() if value else "", found


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


def _base_backup(
    conn: psycopg.Connection[Any], found: _Source, into: Path, rate: int | None, on_line: Any
) -> list[str]:
    """Take it; returns the command without places and secrets. `rate` is in bytes per second."""
    program, conninfo, env = client.command(conn, found.engine, "pg_basebackup", application_name="envclone")
    options = [
        "--format=plain", "--wal-method=stream", "--checkpoint=fast", "--no-sync", "--progress", "--verbose",
        "--no-password", "--label=envclone",
    ]  # fmt: skip
    options += [] if found.slot else ["--no-slot"]
    options += [] if rate is None else [f"--max-rate={rate >> 10}k"]
    argv: list[str | Path] = [program, "--dbname", conninfo, "--pgdata", into / "data", *options]
    for oid, location in found.tablespaces.items():
        target = into / "tablespaces" / str(oid)
        target.mkdir(parents=True, mode=0o700)
        argv.append(f"--tablespace-mapping={_mapped(location)}={_mapped(str(target))}")
    try:
        process.stream(argv, on_line, env=env)
    except CommandError as exc:
        raise explained("pg_basebackup", "the base backup", exc.stderr, exc.message) from exc
    return ["pg_basebackup", *options]


def system_of(dsn: str) -> str:
    """The identifier of the cluster behind a DSN, asked over the replication protocol. Raises UnreachableError."""
    return _configuration(dsn, ())[0]


def explained(program: str, what: str, said: str, message: str) -> EnvcloneError:
    """Why a client program failed, by its last words; `what` is what it was to do."""
    errors = [line for line in said.splitlines() if "error:" in line or "FATAL" in line]
    errors = [line for line in errors if not line.endswith("error: disconnected")] or errors  # follows the reason
    text = re.sub(r"^(pg_\w+: )?(error: )?", "", errors[-1] if errors else message)
    text = text.rpartition("FATAL:")[2].strip() or text
    if "SSL support is not compiled in" in said or "no encryption" in text:
        return client.no_tls(program)
    if "No space left on device" in said:
        return ResourceError(f"{what} failed: {text}", hint="envclone gc, or a larger pool (pool.path)")
    return UnreachableError(f"{what} failed: {text}", hint=_connect_hint(text))


def _mapped(path: str) -> str:
    return path.replace("=", "\\=")


@contextlib.contextmanager
def emptied_on_failure(into: Path) -> Iterator[None]:
    """Take everything out of a directory again when the block fails, or is interrupted."""
    try:
        yield
    except BaseException:
        for entry in into.iterdir():
            shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)
        raise
