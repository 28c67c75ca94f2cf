"""One step's statement in an open session: read-only, one statement, its result read row by row within bounds."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from envclone.address import written
from envclone.errors import UnreachableError, UsageError
from envclone.incidents.bundle import SqlStep
from envclone.incidents.placeholders import standard
from envclone.incidents.terms import Terms
from envclone.models import StepResult
from envclone.stores.postgres.steps.parameters import bind, plain
from envclone.stores.postgres.steps.reading.placeholders import as_sent
from envclone.stores.postgres.steps.vectors import fitted

if TYPE_CHECKING:
    import psycopg
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGresult

__all__ = ["change", "execute", "said", "sent"]

_NATIVE = {"bool", "int2", "int4", "int8", "oid", "float4", "float8", "json", "jsonb", "bytea"}
"""Types whose values JSON can hold as such (bytea as hexadecimal digits); all others are read as the server's text."""

_TIMESTAMP = re.compile(rb"\d{4,}-\d\d-\d\d \d\d:\d\d:\d\d")
_SET = "SELECT pg_catalog.set_config(%s, %s, %s)"
_ORIGINS = """
    SELECT a.attrelid::pg_catalog.int8, a.attnum::pg_catalog.int4,
           n.nspname::pg_catalog.text, c.relname::pg_catalog.text, a.attname::pg_catalog.text
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE a.attrelid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])
"""


def execute(
    conn: psycopg.Connection[Any],
    step: SqlStep,
    terms: Terms | None = None,
    *,
    before: Callable[[psycopg.Connection[Any]], None] | None = None,
    after: Callable[[psycopg.Connection[Any]], None] | None = None,
) -> StepResult:
    """Run the step in a read-only transaction and roll it back; its own failure is a result.

    `before` is called in the transaction, behind the step's settings and before its statement; `after` behind it, also
    when it failed. Raises UsageError when the step cannot be sent or returns more than `terms` allow, UnreachableError
    when the server goes away.
    """
    import psycopg

    _register(conn)
    text, values = sent(step)
    began = time.monotonic()
    result: PGresult | None = None
    rows: tuple[tuple[Any, ...], ...] = ()
    try:
        for name, value in step.settings.items():
            conn.execute(_SET, [name, value, False])
        conn.execute("BEGIN READ ONLY")
        for name, value in step.local.items():
            conn.execute(_SET, [name, value, True])
        if before is not None:
            before(conn)
        values = fitted(conn, text, values)
        began = time.monotonic()
        result, rows, _ = _fetch(conn, step, text, values, terms)
        seconds = time.monotonic() - began
    except psycopg.Error as exc:
        seconds = time.monotonic() - began
        if conn.closed:
            raise UnreachableError(f"the server went away during the step '{step.id}'") from exc
        if exc.sqlstate is None:  # the driver's own: nothing was sent
            raise UsageError(f"the step '{step.id}' cannot be sent: {exc}") from exc
        return StepResult(error=said(exc), seconds=round(seconds, 6))
    finally:
        if not conn.closed and conn.info.transaction_status:
            conn.execute("ROLLBACK")
            if after is not None:
                after(conn)
    columns = _columns(conn, result)
    ids = _column(rows, columns, step.key, str | int)
    scores = _column(rows, columns, step.score, int | float) if ids else ()
    return StepResult(
        columns=columns,
        origins=_origins(conn, result),
        rows=rows,
        ids=ids,
        scores=tuple(float(score) for score in scores),
        seconds=round(seconds, 6),
    )


def change(
    conn: psycopg.Connection[Any], step: SqlStep, terms: Terms, *, alone: bool = False
) -> tuple[StepResult, str]:
    """Run the step in a transaction that is committed (`alone`: in none), and what it did, as the server says it.

    Its own failure is a result, and nothing is changed then. Raises as `execute` does.
    """
    import psycopg

    _register(conn)
    text, values = sent(step)
    began = time.monotonic()
    try:
        if not alone:
            conn.execute("BEGIN")
            values = fitted(conn, text, values)
        result, rows, status = _fetch(conn, step, text, values, terms)
        if not alone:
            conn.execute("COMMIT")
    except psycopg.Error as exc:
        if conn.closed:
            raise UnreachableError(f"the server went away during the step '{step.id}'") from exc
        if exc.sqlstate is None:
            raise UsageError(f"the step '{step.id}' cannot be sent: {exc}") from exc
        return StepResult(error=said(exc), seconds=round(time.monotonic() - began, 6)), ""
    seconds = round(time.monotonic() - began, 6)
    return StepResult(columns=_columns(conn, result), rows=rows, seconds=seconds), status


def sent(step: SqlStep) -> tuple[str, list[Any] | None]:
    """The statement with the server's placeholders, and its parameters in their order.

    Raises UsageError when they do not fit.
    """
    text, parameters = standard(step.id, step.sql, step.parameters)
    return as_sent(step.id, text, bind(text, parameters))


def said(exc: psycopg.Error) -> str:
    """SQLSTATE and the message's first line; details and context, which quote more data, are left out."""
    message = exc.diag.message_primary or str(exc)
    return f"{exc.sqlstate or '-----'} {message.splitlines()[0] if message else ''}".strip()


def _fetch(
    conn: psycopg.Connection[Any], step: SqlStep, text: str, values: Sequence[Any] | None, terms: Terms | None
) -> tuple[PGresult | None, tuple[tuple[Any, ...], ...], str]:
    """The result's description, its rows and what was done, read row by row: the extended protocol takes one statement.

    No cursor is declared for it: under one the planner makes other plans.
    """
    from psycopg import errors, generators
    from psycopg.adapt import PyFormat, Transformer
    from psycopg.pq import ExecStatus

    adapter = Transformer(conn)
    given = adapter.dump_sequence(values or (), [PyFormat.AUTO] * len(values or ()))
    conn.pgconn.send_query_params(
        text.encode(), given, param_types=adapter.types or (), param_formats=adapter.formats or ()
    )
    conn.pgconn.set_single_row_mode()
    rows: list[tuple[Any, ...]] = []
    size = 0
    described: PGresult | None = None
    status = ""

    def fetch() -> PQGen[PGresult | None]:
        one: PGresult | None = yield from generators.fetch(conn.pgconn)
        return one

    while (result := conn.wait(fetch())) is not None:
        if result.status == ExecStatus.SINGLE_TUPLE:
            size += sum(len(result.get_value(0, index) or b"") for index in range(result.nfields))
            if terms is not None and (len(rows) >= terms.rows or size > terms.bytes):
                conn.cancel()
                conn.close()
                raise UsageError(
                    f"the step '{step.id}' returns more than {terms.rows} rows or {terms.bytes >> 20} MiB",
                    hint="give its statement a LIMIT, or fewer columns",
                )
            adapter.set_pgresult(result, set_loaders=described is None)
            described = described or result
            try:
                (row,) = adapter.load_rows(0, 1, tuple)
                rows.append(tuple(plain(value) for value in row))
            except (ValueError, RecursionError):
                conn.cancel()
                conn.close()
                raise UsageError(
                    f"the step '{step.id}' returns a value that cannot be read: nested too deep, or a number too long",
                    hint="have the statement return a part of it, or its length",
                ) from None
        elif result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            described = described or result
            status = (result.command_status or b"").decode()
        elif result.status == ExecStatus.FATAL_ERROR:
            while conn.pgconn.get_result() is not None:
                pass
            raise errors.error_from_result(result, encoding=conn.info.encoding)
        else:
            conn.close()
            raise UsageError(f"the step '{step.id}' cannot be sent: COPY is not a statement of a step")
    return described, tuple(rows), status


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


def _columns(conn: psycopg.Connection[Any], result: PGresult | None) -> tuple[str, ...]:
    if result is None:
        return ()
    encoding = conn.info.encoding
    return tuple((result.fname(index) or b"").decode(encoding) for index in range(result.nfields))


def _column(
    rows: tuple[tuple[Any, ...], ...], columns: tuple[str, ...], name: str | None, kind: Any
) -> tuple[Any, ...]:
    """A column's values, or nothing when one of them cannot be an id, or a score."""
    if name is None or name not in columns:
        return ()
    index = columns.index(name)
    values = tuple(row[index] for row in rows)
    return values if all(isinstance(value, kind) for value in values) else ()


def _origins(conn: psycopg.Connection[Any], result: PGresult | None) -> tuple[str, ...]:
    """The field that each column of the result shows, which the protocol tells by table and column number."""
    if result is None or not result.nfields:
        return ()
    conn.execute("SET statement_timeout = 0")  # the step's own is over
    places = [(result.ftable(index), result.ftablecol(index)) for index in range(result.nfields)]
    found = conn.execute(_ORIGINS, [sorted({table for table, _ in places if table})]).fetchall()
    names = {(int(table), int(column)): written(parts) for table, column, *parts in found}
    return tuple(names.get(place, "") for place in places)
