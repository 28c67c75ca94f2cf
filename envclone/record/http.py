"""httpx: every exchange as it goes over the wire, with the parts of a streamed answer and when each came.

The transport is wrapped, below redirects and authentication: each request that a server saw is one exchange. Parts go
to the application as they come; they are kept beside.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any

from envclone.record.patches import replace
from envclone.record.secrets import redacted_url
from envclone.record.sessions import CURRENT, INSIDE, PARENT, Session, described, guarded, recorder
from envclone.record.sql import _span
from envclone.record.values import frozen

__all__ = ["Exchange", "install", "readable", "wanted", "wrap"]

Pairs = Iterable[tuple[Any, Any]]
_AT_ONCE = 0.0005
"""Seconds."""
_STREAMS = ("text/event-stream", "application/x-ndjson", "application/stream+json", "application/jsonl")


class Exchange:
    """One request while it is answered."""

    def __init__(
        self, session: Session, method: str, url: str, headers: Pairs, body: bytes | None, *, sent_in_parts: bool
    ) -> None:
        self.session = session
        self.number = next(session.numbers)
        self.parent = PARENT.get()
        self.span = _span()
        self.at, self.clock = time.time(), time.perf_counter()
        self.method, self.url = method, url
        self.headers = [(str(name), str(value)) for name, value in headers]
        self.body, self.sent_in_parts = body, sent_in_parts
        if body is not None and len(body) > recorder.most_body:
            self.body, self.sent_in_parts = None, True
        self.status: int | None = None
        self.answer_headers: list[tuple[str, str]] = []
        self.parts: list[tuple[float, bytes]] = []
        self.size = 0
        self.cut = False
        self.plain = False
        """Whether the client hands over parts without their compression."""
        self.over = False

    def answered(self, status: int, headers: Pairs) -> None:
        """The answer's head is there."""
        self.status = int(status)
        self.answer_headers = [(str(name), str(value)) for name, value in headers]

    def part(self, data: bytes) -> None:
        """A part of the answer came; what comes at once is one part, though a client takes it byte by byte."""
        self.size += len(data)
        if self.size > recorder.most_body:
            self.cut = True
            self.parts.clear()
        elif not self.cut:
            at = time.perf_counter() - self.clock
            if self.plain and self.parts and at - self.parts[-1][0] < _AT_ONCE:
                before, last = self.parts.pop()
                self.parts.append((before, last + data))
            else:
                self.parts.append((at, bytes(data)))

    def unread(self) -> None:
        """Something else took the answer: what it was is not known."""
        if not self.parts:
            self.cut = True

    def finish(self, error: BaseException | str | None = None) -> None:
        """The exchange is over; the second time nothing happens."""
        writer = recorder.writer
        if self.over or writer is None:
            return
        self.over = True
        seconds = time.perf_counter() - self.clock
        said = described(error) if isinstance(error, BaseException) else error
        secrets = writer.secrets

        def made() -> Mapping[str, Any]:
            answer = {name.lower(): value for name, value in self.answer_headers}
            streamed = answer.get("content-type", "").partition(";")[0].strip().lower() in _STREAMS
            parts, decoded = (
                (self.parts, True) if self.plain else _decoded(self.parts, answer.get("content-encoding", ""))
            )
            whole: dict[str, Any] = {}
            if self.cut:
                whole["cut"] = self.size or True
            elif streamed and decoded:
                whole["parts"] = [[round(at, 6), readable(data)] for at, data in parts]
            else:
                whole["answer"] = readable(b"".join(data for _, data in parts))
            return {
                "t": "call", "kind": "http", "at": self.at, "s": seconds, "parent": self.parent, **self.span,
                "method": self.method, "url": redacted_url(self.url), "headers": secrets.headers(self.headers),
                "body": None if self.body is None else readable(self.body), "sent_in_parts": self.sent_in_parts,
                "status": self.status, "answer_headers": secrets.headers(self.answer_headers), "decoded": decoded,
                "error": said, **whole,
            }  # fmt: skip

        recorder.call(self.session, made, self.size + len(self.body or b""), self.number)


def install() -> None:
    """Wrap httpx."""
    import httpx

    wrap(httpx)


def wrap(httpx: Any) -> None:
    """Wrap both transports of httpx, or of a library that is made as it is."""

    class Tee(httpx.SyncByteStream):  # type: ignore[misc]
        def __init__(self, inner: Any, note: Exchange) -> None:
            self._inner, self._note = inner, note

        def __iter__(self) -> Iterator[bytes]:
            try:
                take = self._note.part
                for part in self._inner:
                    try:
                        take(part)
                    except Exception:  # noqa: BLE001 - as `guarded`, which costs as much as it does
                        recorder.errors += 1
                    yield part
            except GeneratorExit:
                guarded(self._note.finish, "closed before its end")
                raise
            except BaseException as exc:
                guarded(self._note.finish, exc)
                raise
            guarded(self._note.finish)

        def close(self) -> None:
            try:
                self._inner.close()
            finally:
                guarded(self._note.finish, "closed before its end")

    class AsyncTee(httpx.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, inner: Any, note: Exchange) -> None:
            self._inner, self._note = inner, note

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                take = self._note.part
                async for part in self._inner:
                    try:
                        take(part)
                    except Exception:  # noqa: BLE001 - as `guarded`, which costs as much as it does
                        recorder.errors += 1
                    yield part
            except GeneratorExit:
                guarded(self._note.finish, "closed before its end")
                raise
            except BaseException as exc:
                guarded(self._note.finish, exc)
                raise
            guarded(self._note.finish)

        async def aclose(self) -> None:
            try:
                await self._inner.aclose()
            finally:
                guarded(self._note.finish, "closed before its end")

    def sync(original: Callable[..., Any]) -> Callable[..., Any]:
        def handle_request(self: Any, request: Any) -> Any:
            note = guarded(_begun, request)
            if note is None:
                return original(self, request)
            try:
                response = original(self, request)
            except BaseException as exc:
                guarded(note.finish, exc)
                raise
            guarded(_teed, response, note, Tee)
            return response

        return handle_request

    def asynchronous(original: Callable[..., Any]) -> Callable[..., Any]:
        async def handle_async_request(self: Any, request: Any) -> Any:
            note = guarded(_begun, request)
            if note is None:
                return await original(self, request)
            try:
                response = await original(self, request)
            except BaseException as exc:
                guarded(note.finish, exc)
                raise
            guarded(_teed, response, note, AsyncTee)
            return response

        return handle_async_request

    replace(httpx.HTTPTransport, "handle_request", sync)
    replace(httpx.AsyncHTTPTransport, "handle_async_request", asynchronous)


def _begun(request: Any) -> Exchange | None:
    session = wanted()
    if session is None:
        return None
    body, parts = _body(request)
    return Exchange(
        session, str(request.method), str(request.url), request.headers.multi_items(), body, sent_in_parts=parts
    )


def wanted() -> Session | None:
    """The request of the application that an exchange is a part of; None when it is not to be recorded."""
    session = CURRENT.get()
    return None if session is None or session.ended or INSIDE.get() or recorder.writer is None else session


def _teed(response: Any, note: Exchange, tee: Any) -> None:
    note.answered(response.status_code, response.headers.multi_items())
    response.stream = tee(response.stream, note)


def _body(request: Any) -> tuple[bytes | None, bool]:
    """A request's body, and whether it is one that is made while it is sent: that is not recorded."""
    try:
        return bytes(request.content), False
    except Exception:  # noqa: BLE001 - httpx.RequestNotRead
        return None, True


def _decoded(parts: list[tuple[float, bytes]], encoding: str) -> tuple[list[tuple[float, bytes]], bool]:
    """The parts of an answer without their compression, where the standard library has it; and whether they are."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return parts, True
    if encoding not in ("gzip", "deflate"):
        return parts, False
    decoder = zlib.decompressobj(47)
    out, room = [], recorder.most_body
    try:
        for at, data in parts:
            found = decoder.decompress(data, room)
            room -= len(found)
            out.append((at, found))
            if room <= 0 or decoder.unconsumed_tail:
                return parts, False
    except zlib.error:
        return parts, False
    return out, True


def readable(data: bytes) -> Any:
    """Bytes as text where they are, else marked."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return frozen(data)
