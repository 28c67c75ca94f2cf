"""ASGI and WSGI: each request of the application is a session, with what it was asked and what it answered."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any

from envclone.record import frames
from envclone.record.context import set_back
from envclone.record.http import readable
from envclone.record.patches import install
from envclone.record.secrets import redacted_url
from envclone.record.sessions import CURRENT, PARENT, Session, guarded, recorder

__all__ = ["Asgi", "Wsgi"]

_FAILED = 500
_PREFIX = "HTTP_"


class _Exchange:
    """A request to the application while it is answered."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.asked = _Kept()
        self.answer = _Kept()
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self._told = False

    def told(self) -> None:
        """The request's body is whole: it is written at once, for the process may die of it."""
        if not self._told and recorder.writer is not None:
            self._told = True
            made = {"t": "asked", "at": time.time(), **self.asked.said()}
            recorder.writer.put(frames.ASKED, self.session.id, next(self.session.numbers), made, cost=self.asked.size)

    def over(self, error: BaseException | None) -> None:
        """The request is over."""
        self.told()
        if self.status is not None and self.status >= _FAILED:
            self.session.failed = True
        writer = recorder.writer
        if writer is None:
            return

        def made() -> Mapping[str, Any]:
            return {"status": self.status, "headers": writer.secrets.headers(self.headers), **self.answer.said()}

        recorder.end(self.session, made, error, self.answer.size)


class _Kept:
    """A body as it passes, up to a limit."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.cut = False

    def add(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > recorder.most_body:
            self.cut = True
            self.parts.clear()
        elif not self.cut:
            self.parts.append(bytes(data))

    def said(self) -> dict[str, Any]:
        return {"cut": self.size} if self.cut else {"body": readable(b"".join(self.parts))}


def _begin(kind: str, method: str, path: str, query: str, headers: list[tuple[str, str]]) -> _Exchange | None:
    writer = recorder.writer
    if writer is None:
        return None
    install()
    made = {"kind": kind, "method": method, "path": path + (redacted_url(f"?{query}") if query else ""),
            "headers": writer.secrets.headers(headers)}  # fmt: skip
    session = recorder.begin(f"{method} {path}", made)
    return None if session is None else _Exchange(session)


class Asgi:
    """The application, each of whose HTTP requests is a session."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(
        self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        note = guarded(_of_scope, scope) if scope.get("type") == "http" else None
        if note is None:
            await self._app(scope, receive, send)
            return

        async def heard() -> Any:
            message = await receive()
            guarded(_heard, note, message)
            return message

        async def said(message: Any) -> None:
            guarded(_said, note, message)
            await send(message)

        tokens: list[Any] = [(CURRENT, CURRENT.set(note.session)), (PARENT, PARENT.set(None))]
        error: BaseException | None = None
        try:
            await self._app(scope, heard, said)
        except BaseException as exc:
            error = exc
            raise
        finally:
            set_back(tokens)
            guarded(note.over, error)


def _of_scope(scope: Any) -> _Exchange | None:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope.get("headers") or ()]
    query = (scope.get("query_string") or b"").decode("latin-1")
    return _begin("asgi", str(scope.get("method", "GET")), str(scope.get("path") or "/"), query, headers)


def _heard(note: _Exchange, message: Any) -> None:
    if message.get("type") == "http.request":
        note.asked.add(message.get("body") or b"")
        if not message.get("more_body"):
            note.told()


def _said(note: _Exchange, message: Any) -> None:
    if message.get("type") == "http.response.start":
        note.status = int(message["status"])
        note.headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers") or ()
        ]
    elif message.get("type") == "http.response.body":
        note.answer.add(message.get("body") or b"")


class Wsgi:
    """The application, each of whose requests is a session."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        note = guarded(_of_environ, environ)
        if note is None:
            return self._app(environ, start_response)  # type: ignore[no-any-return]

        def started(status: str, headers: Any, exc_info: Any = None) -> Any:
            guarded(_started, note, status, headers)
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        inner = environ.get("wsgi.input")
        if inner is not None:
            environ = {**environ, "wsgi.input": _Input(inner, note)}
        tokens: list[Any] = [(CURRENT, CURRENT.set(note.session)), (PARENT, PARENT.set(None))]
        try:
            answer = self._app(environ, started)
        except BaseException as exc:
            set_back(tokens)
            guarded(note.over, exc)
            raise
        return _Answer(answer, note, tokens)


def _of_environ(environ: Mapping[str, Any]) -> _Exchange | None:
    headers = [
        (name.removeprefix(_PREFIX).replace("_", "-").lower(), str(value))
        for name, value in environ.items()
        if name.startswith(_PREFIX) or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
    ]
    path = str(environ.get("SCRIPT_NAME") or "") + str(environ.get("PATH_INFO") or "/")
    path = path.encode("latin-1", "replace").decode("utf-8", "replace")
    method = str(environ.get("REQUEST_METHOD", "GET"))
    return _begin("wsgi", method, path, str(environ.get("QUERY_STRING") or ""), headers)


def _started(note: _Exchange, status: str, headers: Any) -> None:
    note.status = int(status.split(" ", 1)[0])
    note.headers = [(str(name), str(value)) for name, value in headers]


class _Input:
    """A request's body, which is kept as the application reads it."""

    def __init__(self, inner: Any, note: _Exchange) -> None:
        self._inner, self._note = inner, note

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def read(self, *args: Any) -> Any:
        """As much as is asked for."""
        return self._seen(self._inner.read(*args))

    def readline(self, *args: Any) -> Any:
        """A line."""
        return self._seen(self._inner.readline(*args))

    def readlines(self, *args: Any) -> Any:
        """All lines."""
        lines = self._inner.readlines(*args)
        for line in lines:
            self._seen(line)
        return lines

    def __iter__(self) -> Iterator[Any]:
        for line in self._inner:
            yield self._seen(line)

    def _seen(self, data: Any) -> Any:
        guarded(self._note.asked.add, data)
        return data


class _Answer:
    """An answer's parts; the request is over when the server closes it."""

    def __init__(self, inner: Any, note: _Exchange, tokens: list[Any]) -> None:
        self._inner, self._note, self._tokens = inner, note, tokens
        self._parts: Iterator[Any] | None = None
        self._error: BaseException | None = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            if self._parts is None:
                self._parts = iter(self._inner)
            part = next(self._parts)
        except StopIteration:
            raise
        except BaseException as exc:
            self._error = exc
            raise
        guarded(self._note.answer.add, part)
        return part

    def close(self) -> None:
        """The server is done, or the reader has gone."""
        try:
            if hasattr(self._inner, "close"):
                self._inner.close()
        finally:
            set_back(self._tokens)
            guarded(self._note.over, self._error)
