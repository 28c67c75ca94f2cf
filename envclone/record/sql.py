"""psycopg: every statement of its cursors, with parameters, the settings in force, and what came back.

Rows are not fetched for it: the result that the driver holds is read once more, on the writing thread.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from envclone.record.patches import Hooks, around, around_async, replace
from envclone.record.sessions import CURRENT, PARENT, Session, described, guarded, recorder
from envclone.record.settings import Settings, options
from envclone.record.values import frozen

__all__ = ["install"]

_IDLE = 0
_ROWS = 2000
_BYTES = 2 << 20
"""The most of a result that is recorded; of a larger one only how large it was."""
_LISTS = 100
"""Sets of parameters of `executemany` that are recorded."""
_REPORTED = (b"TimeZone", b"DateStyle", b"IntervalStyle", b"search_path")
"""Settings of a session that the server reports by itself."""
_TUPLES = 2


class _Connection:
    """What is known of a connection."""

    def __init__(self, connection: Any) -> None:
        given = connection.info.get_parameters()
        self.about = {key: given[key] for key in ("host", "port", "dbname") if key in given}
        self.about["user"] = connection.info.user
        self.about["server"] = connection.info.server_version
        self.settings = Settings(options(given.get("options", "")))
        writer = recorder.writer
        if writer is not None:
            writer.secrets.learn(connection.info.password or None)


class _Note:
    __slots__ = ("at", "clock", "cursor", "known", "many", "number", "parameters", "parent", "said", "session", "sql")

    session: Session | None
    known: _Connection
    cursor: Any
    many: bool
    sql: str
    parameters: Any
    said: dict[str, Any]
    number: int
    parent: int | None
    at: float
    clock: float


def install() -> None:
    """Wrap the cursors' and the connections' methods."""
    import psycopg

    def execute(self: Any, args: tuple[Any, ...], named: dict[str, Any]) -> _Note | None:
        return _before(self, args, named)

    def many(self: Any, args: tuple[Any, ...], named: dict[str, Any]) -> _Note | None:
        return _before(self, args, named, many=True)

    for kind in (psycopg.Cursor, psycopg.ServerCursor):
        replace(kind, "execute", around(Hooks(execute, _after, _failed)))
    for other in (psycopg.AsyncCursor, psycopg.AsyncServerCursor):
        replace(other, "execute", around_async(Hooks(execute, _after, _failed)))
    replace(psycopg.Cursor, "executemany", around(Hooks(many, _after, _failed)))
    replace(psycopg.AsyncCursor, "executemany", around_async(Hooks(many, _after, _failed)))
    replace(psycopg.Cursor, "stream", _stream)
    replace(psycopg.AsyncCursor, "stream", _stream_async)
    for copying in (psycopg.Cursor, psycopg.AsyncCursor):
        replace(copying, "copy", _copy)
    for name in ("commit", "rollback"):
        hooks = Hooks(_ending(name), _ended, _not_ended)
        replace(psycopg.Connection, name, around(hooks))
        replace(psycopg.AsyncConnection, name, around_async(hooks))
    replace(psycopg.Transaction, "__exit__", around(Hooks(_leaving, _left, _not_left)))
    replace(psycopg.AsyncTransaction, "__aexit__", around_async(Hooks(_leaving, _left, _not_left)))


def _before(cursor: Any, args: tuple[Any, ...], named: dict[str, Any], *, many: bool = False) -> _Note | None:
    session = CURRENT.get()
    connection = cursor.connection
    query = args[0] if args else named.get("query")
    known = _known(connection)
    if connection.pgconn.transaction_status == _IDLE:
        known.settings.begins()
    note = _Note()
    note.sql = _text(query, cursor)
    note.session = session if session is not None and not session.ended else None
    note.known, note.cursor, note.many = known, cursor, many
    given: Any = args[1] if len(args) > 1 else named.get("params", named.get("params_seq"))
    note.parameters = given
    if note.session is None:
        return note
    if many:  # a sequence is taken once
        listed = isinstance(given, list | tuple)
        note.said = {"many": len(given) if listed else None, "params": frozen(list(given[:_LISTS])) if listed else None}
    else:
        note.said = {"params": frozen(given)}
    note.said |= {
        "sql": note.sql,
        "settings": _settings(connection, known),
        "local": dict(known.settings.local),
        "conn": known.about,
        "autocommit": connection.autocommit,
        "asked": {key: bool(named[key]) for key in ("prepare", "binary") if named.get(key) is not None},
        "cursor": type(cursor).__name__,
    }
    note.number, note.parent = next(note.session.numbers), PARENT.get()
    if recorder.explainer is not None and not many:
        _to_explain(note)
    note.at, note.clock = time.time(), time.perf_counter()
    return note


def _to_explain(note: _Note) -> None:
    """Remember a statement until it is known whether its request is kept."""
    from envclone.record.explain import MOST, Asked, reads

    if note.session is not None and len(note.session.asked) < MOST and reads(note.sql):
        settings = {**note.said["settings"], **note.said["local"]}
        given = note.parameters  # a copy, as far as the application's next line could change it
        kept = list(given) if isinstance(given, list) else dict(given) if isinstance(given, dict) else given
        note.session.asked.append(Asked(note.number, note.sql, kept, settings))


def _after(note: _Note, _: Any) -> None:
    seconds = None if note.session is None else time.perf_counter() - note.clock
    cursor = note.cursor
    within = cursor.connection.pgconn.transaction_status != _IDLE
    if not note.many:
        note.known.settings.ran(note.sql, note.parameters, within=within)
    if note.session is None:
        return
    result = cursor.pgresult
    said, base = note.said, _base(note, seconds)
    base["prepared"] = guarded(_prepared, cursor)
    base["rowcount"] = cursor.rowcount
    named = type(cursor).__name__ in ("ServerCursor", "AsyncServerCursor")

    def made() -> Mapping[str, Any]:
        return {**base, **said, **({} if named or result is None else _read(result))}

    recorder.call(note.session, made, len(note.sql), note.number)


def _failed(note: _Note, error: BaseException) -> None:
    if note.session is None:
        return
    base = _base(note, time.perf_counter() - note.clock)
    state = getattr(error, "sqlstate", None)
    message = getattr(getattr(error, "diag", None), "message_primary", None) if state else None
    first = (message or str(error)).strip().splitlines()
    base["error"] = f"{state} {first[0] if first else ''}".strip() if state else described(error)
    base["sqlstate"] = state
    recorder.call(note.session, {**base, **note.said}, len(note.sql), note.number)


def _base(note: _Note, seconds: float | None) -> dict[str, Any]:
    return {"t": "call", "kind": "sql", "at": note.at, "s": seconds, "parent": note.parent, **_span()}


def _span() -> dict[str, Any]:
    from envclone.record.otel import span_now

    return span_now()


def _text(query: Any, cursor: Any) -> str:
    if isinstance(query, str):
        return query
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    return str(query.as_string(cursor)) if hasattr(query, "as_string") else str(query)


def _known(connection: Any) -> _Connection:
    found = connection.__dict__.get("_envclone")
    if found is None:
        found = connection.__dict__["_envclone"] = _Connection(connection)
    return found  # type: ignore[no-any-return]


def _settings(connection: Any, known: _Connection) -> dict[str, str]:
    """What statements set, and what the server reports."""
    found = dict(known.settings.session)
    for name in _REPORTED:
        value = connection.pgconn.parameter_status(name)
        if value is not None and name.decode().lower() not in known.settings.local:
            found[name.decode().lower()] = value.decode("utf-8", "replace")
    return found


def _prepared(cursor: Any) -> bool:
    """Whether the statement ran as a prepared one of the session's: the driver keeps the text of others alone."""
    return (
        cursor._query is None and "Client" not in type(cursor).__name__ and not cursor.connection.pgconn.pipeline_status
    )


def _read(result: Any) -> dict[str, Any]:
    """A result's columns (name, type, format, table, column) and its values as they came, up to a limit."""
    if result.status != _TUPLES:
        return {"status": (result.command_status or b"").decode()}
    width, height = result.nfields, result.ntuples
    columns = [
        [(result.fname(i) or b"").decode("utf-8", "replace"), result.ftype(i), int(result.fformat(i)), result.ftable(i),
         result.ftablecol(i)]
        for i in range(width)
    ]  # fmt: skip
    rows: list[list[Any]] = []
    size, across, binary, get = 0, range(width), any(one[2] for one in columns), result.get_value
    for number in range(height):
        row = [get(number, i) for i in across]
        size += sum(map(len, filter(None, row)))
        if number >= _ROWS or size > _BYTES:
            return {"columns": columns, "height": height, "cut": True}
        try:
            if binary:
                raise ValueError
            rows.append([None if one is None else one.decode() for one in row])
        except ValueError:  # or bytes that are no text
            rows.append([_value(one, columns[i][2]) for i, one in enumerate(row)])
    return {"columns": columns, "rows": rows, "height": height}


def _value(data: bytes | None, binary: int) -> Any:
    if data is None:
        return None
    if not binary:
        try:
            return data.decode()
        except UnicodeDecodeError:
            pass
    return frozen(data)


def _ending(name: str) -> Any:
    def before(connection: Any, _: Any, __: Any) -> tuple[_Connection, bool]:
        return _known(connection), name == "rollback"

    return before


def _ended(note: tuple[_Connection, bool], _: Any) -> None:
    note[0].settings.ends(rolled_back=note[1])


def _not_ended(note: tuple[_Connection, bool], _: BaseException) -> None:
    note[0].settings.ends(rolled_back=True)


def _leaving(transaction: Any, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, bool]:
    failed = (args[0] if args else named.get("exc_type")) is not None
    return transaction.connection, failed or bool(transaction.force_rollback)


def _left(note: tuple[Any, bool], _: Any) -> None:
    connection, back = note
    if connection.pgconn.transaction_status == _IDLE:
        _known(connection).settings.ends(rolled_back=back)


def _not_left(note: tuple[Any, bool], _: BaseException) -> None:
    _left((note[0], True), None)


def _streamed(cursor: Any, args: tuple[Any, ...], named: dict[str, Any]) -> _Note | None:
    note = _before(cursor, args, named)
    return note if note is not None and note.session is not None else None


def _stream_over(note: _Note, rows: int, error: BaseException | None) -> None:
    """A stream's rows are gone when it ends: the statement is recorded, and how many there were."""
    if note.session is None:
        return
    made = {**_base(note, time.perf_counter() - note.clock), **note.said, "streamed": rows}
    if isinstance(error, GeneratorExit):
        made["closed"] = True
    elif error is not None:
        made["error"] = described(error)
    recorder.call(note.session, made, len(note.sql), note.number)


def _stream(original: Any) -> Any:
    def stream(self: Any, *args: Any, **named: Any) -> Any:
        note = guarded(_streamed, self, args, named)
        if note is None:
            yield from original(self, *args, **named)
            return
        rows = 0
        error: BaseException | None = None
        inner = original(self, *args, **named)
        try:
            for row in inner:
                rows += 1
                yield row
        except BaseException as exc:
            error = exc
            raise
        finally:
            inner.close()
            guarded(_stream_over, note, rows, error)

    return stream


def _stream_async(original: Any) -> Any:
    async def stream(self: Any, *args: Any, **named: Any) -> Any:
        note = guarded(_streamed, self, args, named)
        rows = 0
        error: BaseException | None = None
        inner = original(self, *args, **named)
        try:
            async for row in inner:
                rows += 1
                yield row
        except BaseException as exc:
            error = exc
            raise
        finally:
            await inner.aclose()
            if note is not None:
                guarded(_stream_over, note, rows, error)

    return stream


def _copy(original: Any) -> Any:
    def copy(self: Any, *args: Any, **named: Any) -> Any:
        note = guarded(_streamed, self, args, named)
        inner = original(self, *args, **named)
        return inner if note is None else _Copy(inner, note)

    return copy


class _Copy:
    """A COPY: the statement, how many rows it moved and how it ended; the rows are not kept."""

    def __init__(self, inner: Any, note: _Note) -> None:
        self._inner, self._note = inner, note

    def __enter__(self) -> Any:
        try:
            return self._inner.__enter__()
        except BaseException as exc:
            guarded(_failed, self._note, exc)
            raise

    def __exit__(self, *raised: Any) -> Any:
        try:
            swallowed = self._inner.__exit__(*raised)
        except BaseException as exc:
            guarded(_failed, self._note, exc)
            raise
        guarded(_copied, self._note, raised[1])
        return swallowed

    async def __aenter__(self) -> Any:
        try:
            return await self._inner.__aenter__()
        except BaseException as exc:
            guarded(_failed, self._note, exc)
            raise

    async def __aexit__(self, *raised: Any) -> Any:
        try:
            swallowed = await self._inner.__aexit__(*raised)
        except BaseException as exc:
            guarded(_failed, self._note, exc)
            raise
        guarded(_copied, self._note, raised[1])
        return swallowed


def _copied(note: _Note, error: BaseException | None) -> None:
    if error is not None:
        _failed(note, error)
    elif note.session is not None:
        made = {**_base(note, time.perf_counter() - note.clock), **note.said, "copied": note.cursor.rowcount}
        recorder.call(note.session, made, len(note.sql), note.number)
