"""requests: every exchange of its adapters, below redirects; the answer's parts as the application takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from envclone.record.http import Exchange, wanted
from envclone.record.patches import replace
from envclone.record.sessions import guarded

__all__ = ["install"]

_NOTE = "_envclone"


def install() -> None:
    """Wrap what sends a request, and what hands its answer over."""
    import requests

    replace(requests.adapters.HTTPAdapter, "send", _send)
    replace(requests.Response, "iter_content", _iter_content)
    replace(requests.Response, "close", _close)


def _send(original: Callable[..., Any]) -> Callable[..., Any]:
    def send(self: Any, request: Any, *args: Any, **named: Any) -> Any:
        note = guarded(_begun, request)
        if note is None:
            return original(self, request, *args, **named)
        try:
            response = original(self, request, *args, **named)
        except BaseException as exc:
            guarded(note.finish, exc)
            raise
        guarded(_answered, note, response)
        return response

    return send


def _iter_content(original: Callable[..., Any]) -> Callable[..., Any]:
    def iter_content(self: Any, *args: Any, **named: Any) -> Any:
        inner = original(self, *args, **named)
        note = self.__dict__.get(_NOTE)
        return inner if note is None or note.over else _teed(inner, note, self)

    return iter_content


def _close(original: Callable[..., Any]) -> Callable[..., Any]:
    def close(self: Any) -> None:
        try:
            original(self)
        finally:
            guarded(_closed, self.__dict__.pop(_NOTE, None))

    return close


def _begun(request: Any) -> Exchange | None:
    session = wanted()
    if session is None:
        return None
    body = request.body
    if isinstance(body, str):
        body = body.encode("utf-8", "surrogatepass")
    known = body is None or isinstance(body, bytes | bytearray)
    return Exchange(
        session, str(request.method), str(request.url), request.headers.items(), bytes(body or b"") if known else None,
        sent_in_parts=not known,
    )  # fmt: skip


def _answered(note: Exchange, response: Any) -> None:
    note.plain = True
    note.answered(response.status_code, response.headers.items())
    response.__dict__[_NOTE] = note


def _teed(inner: Iterator[Any], note: Exchange, response: Any) -> Iterator[Any]:
    try:
        for part in inner:
            guarded(_part, note, part, response)
            yield part
    except GeneratorExit:
        guarded(note.finish, "closed before its end")
        raise
    except BaseException as exc:
        guarded(note.finish, exc)
        raise
    guarded(note.finish)


def _part(note: Exchange, part: Any, response: Any) -> None:
    note.part(part.encode(response.encoding or "utf-8", "replace") if isinstance(part, str) else part)


def _closed(note: Exchange | None) -> None:
    if note is not None:
        note.unread()
        note.finish("closed before its end")
