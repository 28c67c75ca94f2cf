"""The operator's way in: the token opens one store's socket, and nothing else opens any."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from envclone.runtimes.kubernetes import relay

TOKEN = "t" * 43


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A relay before a server that answers each line with itself."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as inside, socket.create_server(("127.0.0.1", 0)) as outside:
        inside.bind(str(path))
        inside.listen()

        def echo() -> None:
            while True:
                try:
                    one, _ = inside.accept()
                except OSError:
                    return
                with one:
                    while data := one.recv(100):
                        one.sendall(data)

        for work in (echo, lambda: relay.serve(outside, TOKEN, {"main": str(path)})):
            threading.Thread(target=work, daemon=True).start()
        yield outside.getsockname()[1]


def _said(port: int, first: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as one:
        found = b""
        with contextlib.suppress(OSError):  # who is not let in may find it closed before all is said
            one.sendall(first + b"hello")
            one.shutdown(socket.SHUT_WR)
            while data := one.recv(100):
                found += data
        return found


def test_who_knows_the_token_reaches_the_store(port: int) -> None:
    assert _said(port, relay.greeting(TOKEN, "main")) == b"hello"


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"\n",
        relay.greeting("x" * 43, "main"),
        relay.greeting(TOKEN, "other"),
        relay.greeting(TOKEN[:-1], "main"),
        TOKEN.encode() + b"\n",
        b"x" * 1000 + b"\n",
    ],
)
def test_nobody_else_does(port: int, first: bytes) -> None:
    assert _said(port, first) == b""
