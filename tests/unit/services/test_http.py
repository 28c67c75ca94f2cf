"""Requests of an incident: only those that read go to production, to its address alone, within limits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from envclone.errors import UnsafeError, UsageError
from envclone.incidents.bundle import HttpStep
from envclone.incidents.terms import Terms
from envclone.services.http import HttpService


class Production(BaseHTTPRequestHandler):
    """Answers by path, and remembers what it was asked."""

    asked: list[tuple[str, str]]

    def do_GET(self) -> None:
        type(self).asked.append((self.command, self.path))
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "/other")
            self.end_headers()
        elif self.path == "/large":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * 3000)
        elif self.path == "/drip":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    self.server.stop.wait(0.05)  # type: ignore[attr-defined]
            except OSError:
                return
        else:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"ok": true}')

    do_POST = do_DELETE = do_PUT = do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""


@pytest.fixture
def url() -> Iterator[str]:
    Production.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Production)
    server.stop = threading.Event()  # type: ignore[attr-defined]
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def step(path: str = "/", **more: Any) -> HttpStep:
    return HttpStep(id="s", store="api", path=path, **more)


def ask(url: str, made: HttpStep, terms: Terms | None = None) -> Any:
    with HttpService().connect_source("api", url, terms or Terms()) as runner:
        return runner.run(made)


@pytest.mark.parametrize(
    "made",
    [
        step(method="POST"),
        step(method="DELETE"),
        step(method="PUT"),
        step(method="PATCH"),
        step(method="CONNECT"),
        step(headers={"X-HTTP-Method-Override": "DELETE"}),
        step(headers={"x-http-method": "DELETE"}),
        step(headers={"X-Method-Override": "DELETE"}),
    ],
)
def test_what_may_change_production_is_refused(url: str, made: HttpStep) -> None:
    with pytest.raises(UnsafeError) as caught:
        ask(url, made)
    assert caught.value.problems
    with HttpService().connect_source("api", url, Terms()) as runner:
        assert runner.examine(made) == list(caught.value.problems)
    assert Production.asked == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "elsewhere"},
        {"Transfer-Encoding": "chunked"},
        {"Content-Length": "5"},
        {"Connection": "upgrade"},
        {"X": "a\r\nDELETE / HTTP/1.1"},
        {"X\r\nY": "a"},
        {"X": "\u4e00"},
    ],
)
def test_what_is_no_request_is_not_sent(url: str, headers: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="cannot be sent"):
        ask(url, step(headers=headers))
    assert Production.asked == []


def test_reading_requests_go_to_that_address_and_no_further(url: str) -> None:
    assert ask(url, step("/a?b=%20c")).rows == ((200, {"ok": True}),)
    assert ask(url, step("/away")).rows[0][0] == 302
    assert ask(url, step("//elsewhere.example/x")).rows[0][0] == 200
    assert ask(url, step("/ü")).rows[0][0] == 200
    assert [path for _, path in Production.asked] == ["/a?b=%20c", "/away", "/elsewhere.example/x", "/%C3%BC"]


def test_limits_of_size_and_time(url: str) -> None:
    assert "larger than" in (ask(url, step("/large"), Terms(bytes=1000)).error or "")
    assert "no answer within 0.3 s" in (ask(url, step("/drip", timeout=1e9), Terms(seconds=0.3)).error or "")
