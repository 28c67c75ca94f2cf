"""Runs an incident's SQL steps, read-only, as the session that failed: role, database, settings, parameters."""

from __future__ import annotations

import re
import time
from contextlib import closing, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from envclone.errors import UnreachableError, UsageError
from envclone.incidents.bundle import SqlStep, Step
from envclone.models import Endpoint, StepResult
from envclone.stores.postgres import pinned
from envclone.stores.postgres.parameters import bind, plain

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresRunner"]

_NATIVE = {"bool", "int2", "int4", "int8", "oid", "float4", "float8", "json", "jsonb", "bytea"}
"""Types whose values JSON can hold as such (bytea as hexadecimal digits); all others are read as the server's text."""

_TIMESTAMP = re.compile(rb"\d{4,}-\d\d-\d\d \d\d:\d\d:\d\d")
_ROLE_SETTINGS = (
    "SELECT pg_catalog.unnest(s.setconfig) FROM pg_catalog.pg_db_role_setting s"
    " JOIN pg_catalog.pg_roles r ON r.oid = s.setrole WHERE r.rolname = %s AND s.setdatabase IN"
    " (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))"
    " ORDER BY s.setdatabase"
)


class PostgresRunner:
    """Runs each step in a session of its own: what one sets, the next does not see.

    Over a branch's socket a step runs as the role that production ran it as, so that the settings and rights of that
    role count. Without a socket, or against production (`to`), it runs as the user of the endpoint or DSN, or,
    when that is a superuser, as the role that he takes on, with its settings.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint: Endpoint | None = endpoint
        self._dsn: str | None = None
        self._database: str | None = None

    @classmethod
    def to(cls, dsn: str, database: str | None = None) -> PostgresRunner:
        """A runner against any server, such as production, with that DSN's user; `database` overrides the DSN's."""
        runner = cls.__new__(cls)
        runner._endpoint, runner._dsn, runner._database = None, dsn, database
        return runner

    def __enter__(self) -> PostgresRunner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing is kept open between steps."""

    def run(self, step: Step) -> StepResult:
        """Run one SQL step in a read-only transaction and roll it back; its own failure is a result.

        Raises UsageError for a step of another kind or of a role that this connection cannot have, UnreachableError
        when the server cannot be reached.
        """
        if not isinstance(step, SqlStep):
            raise UsageError(f"the step '{step.id}' is no SQL step, but names the store '{step.store}'")
        with closing(self._connect(step)) as conn:
            return _run(conn, step)

    def _connect(self, step: SqlStep) -> psycopg.Connection[Any]:
        import psycopg

        from envclone.stores.postgres.server import reason
        from envclone.stores.postgres.source import open_source

        if self._dsn is not None:
            database = step.database or self._database
            conn = open_source(self._dsn, pins=pinned.step(), **({"dbname": database} if database else {}))
            return _as_role(conn, step)
        endpoint = self._endpoint
        assert endpoint is not None
        role = step.role or endpoint.user
        local = endpoint.socket is not None
        try:
            conn = pinned.connect(
                pins=pinned.step(superuser=False),
                host=str(endpoint.socket) if local else endpoint.host,
                port=(endpoint.socket_port if local else None) or endpoint.port,
                dbname=step.database or endpoint.database,
                user=role if local else endpoint.user,
                password=endpoint.password.reveal() if endpoint.password and not local else None,
                autocommit=True,
                connect_timeout=10,
                application_name="envclone",
            )
        except psycopg.OperationalError as exc:
            raise UnreachableError(
                f"the step '{step.id}' cannot log in to '{endpoint.store}' as '{role}': {reason(exc)}",
                hint="envclone show says whether the branch runs; the step's `role` must exist in it",
            ) from exc
        return conn if local else _as_role(conn, step)


def _as_role(conn: psycopg.Connection[Any], step: SqlStep) -> psycopg.Connection[Any]:
    """The session of the step's role: the connection's own, or what a superuser can make of his.

    A login as that role would also take the role's settings (ALTER ROLE … SET), so they are applied in the server's
    order: for all databases first, then for this one.
    """
    import psycopg
    from psycopg import sql

    if step.role is None or step.role == conn.info.user:
        return conn
    try:
        row = conn.execute("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user").fetchone()
        if not (row and row[0]):
            raise UsageError(
                f"the step '{step.id}' ran as '{step.role}', and this connection is '{conn.info.user}': another role"
                " has other rights and settings",
                hint=f"give the DSN of '{step.role}' or of a superuser, or leave the step's `role` out",
            )
        settings = conn.execute(_ROLE_SETTINGS, [step.role]).fetchall()
        for (setting,) in settings:
            name, _, value = setting.partition("=")
            with suppress(psycopg.errors.CantChangeRuntimeParam):  # such as a library that only a login loads
                conn.execute("SELECT pg_catalog.set_config(%s, %s, false)", [name, value])
        conn.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(step.role)))
    except BaseException as exc:
        conn.close()
        if isinstance(exc, psycopg.Error):
            raise UsageError(f"the step '{step.id}' cannot run as '{step.role}': {_error(exc)}") from exc
        raise
    return conn


def _run(conn: psycopg.Connection[Any], step: SqlStep) -> StepResult:
    import psycopg

    _register(conn)
    began = time.monotonic()
    try:
        for name, value in step.settings.items():
            conn.execute("SELECT pg_catalog.set_config(%s, %s, false)", [name, value])
        conn.execute("BEGIN READ ONLY")
        for name, value in step.local.items():
            conn.execute("SELECT pg_catalog.set_config(%s, %s, true)", [name, value])
        cursor = conn.cursor()
        began = time.monotonic()
        # a prepared statement is one statement: a second one behind a COMMIT would not be read-only
        cursor.execute(step.sql.encode(), bind(step.sql, step.parameters), prepare=True)
        rows = tuple(tuple(plain(value) for value in row) for row in cursor) if cursor.description else ()
        seconds = time.monotonic() - began
    except psycopg.Error as exc:
        seconds = time.monotonic() - began
        if conn.closed:
            raise UnreachableError(f"the server went away during the step '{step.id}'") from exc
        if exc.sqlstate is None:  # the driver's own: nothing was sent
            raise UsageError(f"the step '{step.id}' cannot be sent: {exc}") from exc
        return StepResult(error=_error(exc), seconds=round(seconds, 6))
    finally:
        if not conn.closed and conn.info.transaction_status:
            conn.execute("ROLLBACK")
    columns = tuple(column.name for column in cursor.description or ())
    ids = _column(rows, columns, step.key, str | int)
    scores = _column(rows, columns, step.score, int | float) if ids else ()
    return StepResult(
        columns=columns,
        origins=_origins(conn, cursor),
        rows=rows,
        ids=ids,
        scores=tuple(float(score) for score in scores),
        seconds=round(seconds, 6),
    )


def _register(conn: psycopg.Connection[Any]) -> None:
    """Read every value that JSON has no type for as the server's text: no date is out of range, no digit is lost."""
    from psycopg.abc import Buffer
    from psycopg.types.string import TextLoader

    class TimestampLoader(TextLoader):
        """The server's text with ISO 8601's T, when the session's DateStyle is ISO."""

        def load(self, data: Buffer) -> bytes | str:
            raw = bytes(data)
            return super().load(raw.replace(b" ", b"T", 1) if _TIMESTAMP.match(raw) else raw)

    for info in conn.adapters.types:
        if info.name not in _NATIVE and info.oid:
            stamp = info.name in ("timestamp", "timestamptz")
            conn.adapters.register_loader(info.oid, TimestampLoader if stamp else TextLoader)


def _error(exc: psycopg.Error) -> str:
    """SQLSTATE and the message's first line; details and context, which quote more data, are left out."""
    message = exc.diag.message_primary or str(exc)
    return f"{exc.sqlstate or '-----'} {message.splitlines()[0] if message else ''}".strip()


def _column(
    rows: tuple[tuple[Any, ...], ...], columns: tuple[str, ...], name: str | None, kind: Any
) -> tuple[Any, ...]:
    """A column's values, or nothing when one of them cannot be an id, or a score."""
    if name is None or name not in columns:
        return ()
    index = columns.index(name)
    values = tuple(row[index] for row in rows)
    return values if all(isinstance(value, kind) for value in values) else ()


def _origins(conn: psycopg.Connection[Any], cursor: psycopg.Cursor[Any]) -> tuple[str, ...]:
    """The field that each column of the result shows, which the protocol tells by table and column number."""
    result = cursor.pgresult
    if result is None or not cursor.description:
        return ()
    conn.execute("SET statement_timeout = 0")  # the step's own is over
    places = [(result.ftable(index), result.ftablecol(index)) for index in range(result.nfields)]
    found = conn.execute(
        "SELECT a.attrelid::int8, a.attnum::int4, n.nspname || '.' || c.relname || '.' || a.attname"
        " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE a.attrelid = ANY (%s::oid[])",
        [sorted({table for table, _ in places if table})],
    ).fetchall()
    names = {(int(table), int(column)): str(name) for table, column, name in found}
    return tuple(names.get(place, "") for place in places)
