"""aiohttp: every request of its sessions with its redirects as one exchange; the answer's parts as they are taken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from envclone.record.http import Exchange, wanted
from envclone.record.patches import replace
from envclone.record.sessions import guarded

__all__ = ["install"]

_MOST = 1000
_reading: dict[Any, Exchange] = {}
"""Answers that are read, by the reader that hands them over: it takes no weak references, so there is a limit."""


def install() -> None:
    """Wrap what sends a request, and what hands its answer over."""
    import aiohttp
    from aiohttp import streams

    _reading.clear()
    replace(aiohttp.ClientSession, "_request", _request)
    replace(streams.StreamReader, "_read_nowait_chunk", _chunk)
    for name in ("close", "release"):
        replace(aiohttp.ClientResponse, name, _over)


def _request(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def request(self: Any, method: str, url: Any, **named: Any) -> Any:
        note = guarded(_begun, self, method, url, named)
        if note is None:
            return await original(self, method, url, **named)
        try:
            response = await original(self, method, url, **named)
        except BaseException as exc:
            guarded(note.finish, exc)
            raise
        guarded(_answered, note, response)
        return response

    return request


def _chunk(original: Callable[..., Any]) -> Callable[..., Any]:
    def read(self: Any, *args: Any, **named: Any) -> Any:
        data = original(self, *args, **named)
        if _reading:
            guarded(_part, self, data)
        return data

    return read


def _over(original: Callable[..., Any]) -> Callable[..., Any]:
    def over(self: Any, *args: Any, **named: Any) -> Any:
        guarded(_closed, self)
        return original(self, *args, **named)

    return over


def _begun(client: Any, method: str, url: Any, named: dict[str, Any]) -> Exchange | None:
    session = wanted()
    if session is None:
        return None
    body, whole = _body(client, named)
    return Exchange(session, method.upper(), str(url), (), body, sent_in_parts=not whole)


def _body(client: Any, named: dict[str, Any]) -> tuple[bytes | None, bool]:
    """A request's body, and whether it is known."""
    document, data = named.get("json"), named.get("data")
    if document is not None:
        made = (getattr(client, "json_serialize", None) or client._json_serialize)(document)
    elif data is None or isinstance(data, bytes | bytearray | str):
        made = data or b""
    elif isinstance(data, dict) and all(isinstance(value, str | int) for value in data.values()):
        made = urlencode(data)
    else:
        return None, False
    return made.encode("utf-8", "surrogatepass") if isinstance(made, str) else bytes(made), True


def _answered(note: Exchange, response: Any) -> None:
    asked = (response.history[0] if response.history else response).request_info
    note.url, note.plain = str(asked.real_url), True
    note.headers = [(str(name), str(value)) for name, value in asked.headers.items()]
    note.answered(response.status, response.headers.items())
    reader = response.content
    while len(_reading) >= _MOST:
        _reading.pop(next(iter(_reading)))
    _reading[reader] = note
    reader.on_eof(lambda: guarded(_ended, reader))
    _ended(reader)


def _part(reader: Any, data: bytes) -> None:
    note = _reading.get(reader)
    if note is not None:
        note.part(data)
        _ended(reader)


def _ended(reader: Any) -> None:
    """The end of an answer: all of it came, and all of it was taken."""
    if reader.at_eof() and reader in _reading:
        _reading.pop(reader).finish()


def _closed(response: Any) -> None:
    note = _reading.pop(response.content, None)
    if note is not None:
        note.unread()
        note.finish(response.content.exception() or "closed before its end")
