"""ASGI and WSGI: a request with its body and answer, also when it fails, streams, or its reader goes away."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from envclone import record
from envclone.record import web
from tests.unit.record.ring import Recording

HEADERS = [(b"content-type", b"application/json"), (b"cookie", b"sid=0123456789"), (b"x-request-id", b"r-1")]
SCOPE = {"type": "http", "method": "POST", "path": "/ask", "query_string": b"q=1&token=sesame", "headers": HEADERS}


def _asgi(app: Any, *messages: dict[str, Any], scope: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    waiting, sent = list(messages), []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(record.asgi(app)(scope or SCOPE, receive, send))
    return sent


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    record.note(current=record.current())
    await send({"type": "http.response.start", "status": 200, "headers": [(b"set-cookie", b"sid=9876543210")]})
    await send({"type": "http.response.body", "body": body[:3], "more_body": True})
    await send({"type": "http.response.body", "body": body[3:]})


def test_asgi(recording: Recording) -> None:
    first = {"type": "http.request", "body": b'{"password":', "more_body": True}
    sent = _asgi(_echo, first, {"type": "http.request", "body": b'"sesame99"}'})
    assert b"".join(one.get("body", b"") for one in sent) == b'{"password":"sesame99"}'
    records = {name: values for name, _, values in recording.all()}
    assert records["start"]["path"] == "/ask?q=1&token=***" and ["x-request-id", "r-1"] in records["start"]["headers"]
    assert records["asked"]["body"] == '{"password":"***"}' == records["end"]["body"]
    assert (records["end"]["status"], records["end"]["failed"]) == (200, False)
    assert not [one for one in ("sesame", "0123456789", "9876543210") if one in recording.text()]


def test_what_fails_is_kept(recording: Recording) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/raises":
            raise ValueError("no")
        await send({"type": "http.response.start", "status": 503})
        await send({"type": "http.response.body"})

    _asgi(failing)
    with pytest.raises(ValueError):
        _asgi(failing, scope={**SCOPE, "path": "/raises"})
    ends = [values for name, _, values in recording.all("kept") if name == "end"]
    assert [(one["status"], one["error"]) for one in ends] == [(503, None), (None, "ValueError: no")]


def test_a_reader_that_goes_away_ends_the_request(recording: Recording) -> None:
    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        while True:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    async def cancelled() -> None:
        count = 0

        async def send(_: Any) -> None:
            nonlocal count
            count += 1
            if count > 3:
                raise asyncio.CancelledError

        async def receive() -> None:
            return None

        with pytest.raises(asyncio.CancelledError):
            await record.asgi(endless)(SCOPE, receive, send)

    asyncio.run(cancelled())
    (end,) = [values for name, _, values in recording.all() if name == "end"]
    assert (end["error"], end["failed"], end["body"]) == ("CancelledError", False, "xxx")


def test_other_protocols_pass(recording: Recording) -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["type"], record.current()))

    _asgi(app, scope={"type": "websocket"})
    assert seen == [("websocket", None)] and len(recording.all()) == 1


def _wsgi(app: Any, body: bytes = b"a=1&password=sesame99") -> Iterable[bytes]:
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/ask", "QUERY_STRING": "q=1", "CONTENT_TYPE": "x",
               "HTTP_AUTHORIZATION": "Bearer sesame100", "wsgi.input": io.BytesIO(body)}  # fmt: skip
    return record.wsgi(app)(environ, lambda status, headers, exc_info=None: None)  # type: ignore[no-any-return]


def _numbers(environ: Any, start: Callable[..., Any]) -> Iterator[bytes]:
    environ["wsgi.input"].read()
    start("200 OK", [("X", "y")])
    for number in range(5):
        record.note(n=number)
        yield b"%d" % number


def test_wsgi(recording: Recording) -> None:
    answer = _wsgi(_numbers)
    assert b"".join(answer) == b"01234"
    answer.close()  # type: ignore[attr-defined]
    assert record.current() is None
    records = {name: values for name, _, values in recording.all()}
    assert records["asked"]["body"] == "a=1&password=***" and records["end"]["body"] == "01234"
    assert len(recording.calls()) == 5 and "sesame" not in recording.text()


def test_wsgi_closed_early_and_failing(recording: Recording) -> None:
    answer = iter(_wsgi(_numbers))
    assert next(answer) == b"0"
    answer.close()  # type: ignore[attr-defined]

    def failing(environ: Any, start: Any) -> Any:
        raise ValueError("no")

    def later(environ: Any, start: Any) -> Iterator[bytes]:
        yield b"x"
        raise ValueError("later")

    with pytest.raises(ValueError, match="no"):
        _wsgi(failing)
    stream = _wsgi(later)
    with pytest.raises(ValueError, match="later"):
        list(stream)
    stream.close()  # type: ignore[attr-defined]
    ends = [values for name, _, values in recording.all() if name == "end"]
    assert [one["error"] for one in ends] == [None, "ValueError: no", "ValueError: later"]
    assert record.current() is None


def test_our_failures_do_not_reach_the_application(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("ours")

    body = {"type": "http.request", "body": b"abcdef"}
    for name in ("_begin", "_of_scope", "_of_environ", "_heard", "_said", "_started"):
        with monkeypatch.context() as patched:
            patched.setattr(web, name, broken)
            assert b"".join(one.get("body", b"") for one in _asgi(_echo, dict(body))) == b"abcdef"
            answer = _wsgi(_numbers)
            assert b"".join(answer) == b"01234"
            if hasattr(answer, "close"):
                answer.close()
