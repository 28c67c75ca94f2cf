"""Live models: a request goes by the guard and the gate to its real address and its answer comes back; nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from envclone.cassette.certificates import make_authority, make_certificate
from envclone.cassette.changes import Changed
from envclone.cassette.guard import Guard
from envclone.cassette.live import Live
from envclone.cassette.match import Tape
from envclone.cassette.play import Player, player
from envclone.runtimes.docker.proxy import Proxy, destination
from tests.unit.cassette.tapes import chat

TOKEN = "t" * 64
AS_ASKED = Changed()


class _Model(BaseHTTPRequestHandler):
    """Says what it was asked; a request for a stream gets one in parts."""

    asked: list[tuple[str, Mapping[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.path, dict(self.headers), body))
        parts = [b"data: {}\n\n"] * 3 if b'"stream"' in body else [json.dumps({"ok": True}).encode()]
        self.send_response(200)
        self.send_header("X-Model", "real")
        self.send_header("Content-Length", str(sum(map(len, parts))))
        self.end_headers()
        for part in parts:
            self.wfile.write(part)
            self.wfile.flush()

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        return None


class World:
    """The real address, the gate before it, and the guard before that."""

    def __init__(self, tmp_path: Path, *, tls: bool) -> None:
        self.told: list[Mapping[str, Any]] = []
        self.log: list[Mapping[str, Any]] = []
        self.asked: list[tuple[str, Mapping[str, str], bytes]] = []
        self.authority = make_authority()
        self.outside = make_authority()
        self.trust = ssl.create_default_context(cadata=self.outside[0].decode())
        self.own = ssl.create_default_context(cadata=self.authority[0].decode())
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("M", (_Model,), {"asked": self.asked}))
        if tls:
            made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            (tmp_path / "pem").write_bytes(make_certificate("localhost", *self.outside))
            made.load_cert_chain(tmp_path / "pem")
            self.server.socket = made.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.scheme = "https" if tls else "http"
        self.where: tuple[str, int] = ("", 0)
        self.gate: tuple[str, int] = ("", 0)

    def ask(self, body: Any, host: str = "localhost", port: int | None = None, **headers: str) -> tuple[int, bytes]:
        """One request as a client makes it that was told of a proxy."""
        place = f"{host}:{port or self.port}"
        content = json.dumps(body).encode()
        if self.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                *self.where, timeout=10, context=self.own
            )
            connection.set_tunnel(host, port or self.port)
            target = "/v1/chat/completions"
        else:
            connection = http.client.HTTPConnection(*self.where, timeout=10)
            target = f"http://{place}/v1/chat/completions"
        with contextlib.closing(connection):
            connection.request("POST", target, content, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()


@contextlib.contextmanager
def _world(
    tmp_path: Path, *, tls: bool = True, known: tuple[str, ...] = (), change: Changed | None = None
) -> Iterator[World]:

    world = World(tmp_path, tls=tls)
    threading.Thread(target=world.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    loop, ready = asyncio.new_event_loop(), threading.Event()

    async def gate() -> None:
        proxy = Proxy([destination(f"localhost:{world.port}")], world.log.append, TOKEN)
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        world.gate = server.sockets[0].getsockname()[:2]
        ready.set()

    def run() -> None:
        loop.create_task(gate())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    live = Live(world.gate, TOKEN, Guard(known), world.trust)
    made = Player(
        Tape([chat("hi")]), world.told.append, changed=change or Changed(), authority=world.authority, live=live
    )
    try:
        with player(made, socket.create_server(("127.0.0.1", 0))) as world.where:
            yield world
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        world.server.shutdown()
        world.server.server_close()


@pytest.mark.parametrize("tls", [True, False])
def test_what_the_guard_lets_through_is_answered_by_the_real_address(tmp_path: Path, tls: bool) -> None:
    with _world(tmp_path, tls=tls) as world:
        status, content = world.ask(chat("hi").body, Authorization="Bearer own")
        other = world.ask({"stream": True, "messages": [{"role": "user", "content": "ho"}]})
    assert (status, json.loads(content)) == (200, {"ok": True}) and other == (200, b"data: {}\n\n" * 3)
    path, headers, body = world.asked[0]
    assert path == "/v1/chat/completions" and json.loads(body) == chat("hi").body
    assert headers["Authorization"] == "Bearer own" and "Proxy-Authorization" not in headers
    assert TOKEN not in str(world.asked)
    assert [(one["outcome"], one["live"], one["withheld"]) for one in world.told] == [
        ("played", True, None), ("unmatched", True, None),
    ]  # fmt: skip
    assert [one["allowed"] for one in world.log] == [True, True]


def test_what_looks_like_somebody_elses_is_withheld_and_no_connection_made(tmp_path: Path) -> None:
    with _world(tmp_path, known=("ann@mail.example",)) as world:
        assert world.ask({"messages": [{"role": "user", "content": "of ann@mail.example"}]})[0] == 200
        status, content = world.ask({"messages": [{"role": "user", "content": "of jane@corp.example"}]})
    said = json.loads(content)["error"]["message"]
    assert status == 403 and said.startswith("envclone: withheld: an e-mail address") and "jane" not in said
    assert len(world.asked) == len(world.log) == 1
    assert world.told[1]["withheld"].startswith("an e-mail address")


def test_other_destinations_and_other_clients_do_not_get_out(tmp_path: Path) -> None:
    with _world(tmp_path) as world:
        assert world.ask({}, host="elsewhere.invalid", port=443)[0] == 502
        connection = http.client.HTTPConnection(*world.gate, timeout=10)
        for headers in ({}, {"Proxy-Authorization": "Bearer x"}):  # a program that goes past the guard
            connection = http.client.HTTPConnection(*world.gate, timeout=10)
            with contextlib.closing(connection):
                connection.set_tunnel("localhost", world.port, headers)
                with pytest.raises(OSError, match="403"):
                    connection.request("GET", "/")
        status, _ = _direct(world)
    assert status == 403 and world.asked == []
    assert ["guard" in str(one.get("why")) for one in world.log] == [False, True, True]
    assert [one["outcome"] for one in world.told][:2] == ["unmatched", "refused"]


def _direct(world: World) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*world.where, timeout=10)
    with contextlib.closing(connection):
        connection.request("POST", "/v1/chat/completions", b"{}")
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_another_model_is_asked_on_the_way(tmp_path: Path) -> None:
    with _world(tmp_path, change=Changed(model="m-2", temperature=0.0)) as world:
        assert world.ask(chat("hi").body)[0] == 200
    sent = json.loads(world.asked[0][2])
    assert (sent["model"], sent["temperature"]) == ("m-2", 0.0) and world.told[0]["changed"] == ["model", "temperature"]
