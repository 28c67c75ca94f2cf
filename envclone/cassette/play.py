"""The player: an HTTP server that answers an application from what was recorded, and tells of every call.

It is asked by its own address (a base URL), as a proxy for HTTP, and through a tunnel with TLS. It asks nobody, save
where the application's models are live: then what the guard lets through goes on by the gate.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from envclone.cassette.certificates import make_certificate
from envclone.cassette.changes import Changed, changed
from envclone.cassette.live import Live, forwarded
from envclone.cassette.match import Found, Tape, plain
from envclone.cassette.normal import normal, of_body
from envclone.incidents.exchanges import Exchange

__all__ = ["MISSED", "Player", "player"]

MISSED = 599
"""The status of a call that nothing recorded answers; no server gives it."""
MOST = 64 << 20
"""The largest body that is read, in bytes."""
_LONGEST = 600.0
"""Seconds that a call which timed out is kept waiting at most."""
_PATIENCE = 120.0
"""Seconds that a connection may say nothing."""
_HOSTS = 256
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|[0-9a-f:]{2,45}")
_OWN = frozenset(
    ("connection", "content-length", "content-encoding", "transfer-encoding", "keep-alive", "trailer", "upgrade",
     "proxy-authenticate", "proxy-authorization", "date", "server", "alt-svc", "strict-transport-security")
)  # fmt: skip
"""Headers of an answer that are of the connection that it came by."""
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
Tell = Callable[[Mapping[str, Any]], None]


@dataclass
class Player:
    """What is played, and to whom each call is told.

    With `timing` the parts of a stream come as far from each other as they were recorded. `changed` is made of every
    request before it is looked for. `authority` is certificate and key of the branch's own authority, for TLS. With
    `live` the real address answers, and the tape only tells whether it was asked the same.
    """

    tape: Tape
    tell: Tell
    timing: bool = False
    changed: Changed = field(default_factory=Changed)
    authority: tuple[bytes, bytes] | None = None
    live: Live | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    _contexts: dict[str, ssl.SSLContext] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def context(self, host: str) -> ssl.SSLContext:
        """What a host's server says at the beginning of TLS. Raises ValueError for a host that cannot be one."""
        with self._lock:
            if host not in self._contexts:
                if self.authority is None or not _HOST.fullmatch(host) or len(self._contexts) >= _HOSTS:
                    raise ValueError("no certificate for this host")
                made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                with tempfile.TemporaryDirectory() as folder:  # the module reads keys from files only
                    path = Path(folder) / "host.pem"
                    path.touch(mode=0o600)
                    path.write_bytes(make_certificate(host, *self.authority))
                    made.load_cert_chain(path)
                self._contexts[host] = made
            return self._contexts[host]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    player: Player

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


@contextlib.contextmanager
def player(made: Player, listening: socket.socket) -> Iterator[tuple[str, int]]:
    """Serve on a socket that listens already, in threads, until the block ends."""
    server = _Server(listening.getsockname()[:2], _Handler, bind_and_activate=False)
    server.socket.close()
    server.socket, server.player = listening, made
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[:2]
    finally:
        made.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Broken(Exception):
    """A request whose body cannot be read: the status that says so."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE
    server: _Server
    _tunnel = ""

    def log_message(self, format: str, *args: object) -> None:
        """Every call is told otherwise."""

    def version_string(self) -> str:
        return "envclone"

    def do_CONNECT(self) -> None:
        """A tunnel, whose other end is this player: with TLS in the name of the host that was asked for."""
        host, port = self.path.rpartition(":")[0].strip("[]").lower(), self.path.rpartition(":")[2]
        if not _HOST.fullmatch(host) or self._tunnel:
            self.send_error(400)
            return
        self.send_response_only(200, "Connection established")
        self.end_headers()
        self.wfile.flush()
        try:
            first = self.connection.recv(1, socket.MSG_PEEK)
            secure = first == b"\x16"
            if secure:
                self.request = self.server.player.context(host).wrap_socket(self.connection, server_side=True)
                self.setup()
        except (OSError, ValueError) as exc:
            self.server.player.tell({"outcome": "refused", "url": f"https://{host}", "why": _why(exc)})
            self.close_connection = True
            return
        self._tunnel = f"{'https' if secure else 'http'}://{f'[{host}]' if ':' in host else host}"
        if re.fullmatch("[0-9]{1,5}", port) and port != ("443" if secure else "80"):
            self._tunnel += f":{port}"
        self.close_connection = False

    def _any(self) -> None:
        """Any other request: found, answered, told."""
        player = self.server.player
        try:
            content = self._content()
        except _Broken as exc:
            self.close_connection = True
            self.send_error(int(str(exc)))
            return
        url = self.path if re.match(r"https?://", self.path) else f"{self._tunnel or 'http://127.0.0.1'}{self.path}"
        headers = dict(self.headers.items())
        try:
            body, made = changed(of_body(content, headers), url, player.changed)
            here = not self._tunnel and self.path.startswith("/")
            asked = normal(self.command, url, headers, body, here=here)
        except (ValueError, RecursionError):
            self.send_error(400)
            return
        found = player.tape.find(asked)
        told = {
            "method": self.command,
            "url": url[:2000],
            "operation": f"{asked.operation.provider} {asked.operation.name}"[:300],
            "changed": list(made),
            **plain(found),
        }
        if player.live is not None:
            self._live(player.live, url, headers, json.dumps(body).encode() if made else content, told)
            return
        player.tell(told)  # before it is answered: who has the answer may look at what was told
        self._answer(found, body, told)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _any

    def _content(self) -> bytes:
        """The body, of a length that is told or in chunks. Raises _Broken."""
        codings = self.headers.get_all("Transfer-Encoding") or []
        lengths = self.headers.get_all("Content-Length") or []
        if [one.strip().lower() for one in codings] == ["chunked"] and not lengths:
            return self._chunks()
        length = lengths[0].strip() if len(lengths) == 1 else "0" if not lengths else ""
        if codings or not re.fullmatch(r"[0-9]{1,15}", length):
            raise _Broken("400")
        if int(length) > MOST:
            raise _Broken("413")
        content = self.rfile.read(int(length))
        if len(content) != int(length):
            raise _Broken("400")
        return content

    def _chunks(self) -> bytes:
        content = bytearray()
        while True:
            line = self.rfile.readline(1024)
            size = line.partition(b";")[0].strip()
            if not re.fullmatch(rb"[0-9a-fA-F]{1,12}", size):
                raise _Broken("400")
            if len(content) + int(size, 16) > MOST:
                raise _Broken("413")
            if int(size, 16) == 0:
                while self.rfile.readline(65536).strip():
                    pass
                return bytes(content)
            content += self.rfile.read(int(size, 16))
            self.rfile.readline(8)

    def _answer(self, found: Found, body: Any, told: Mapping[str, Any]) -> None:
        if found.outcome in ("unmatched", "surplus") or found.exchange is None:
            self._missed(told)
            return
        one = found.exchange
        if one.error is not None and not one.chunks:
            self._fail(one)
            return
        content = None if one.chunks else _content_of(one.answer_encoding, _echoed(one.answer, body))
        self.send_response(one.status)
        kind = False
        for name, value in one.answer_headers.items():
            if name.lower() not in _OWN and _HEADER.fullmatch(name) and not re.search(r"[\r\n\0]", value):
                self.send_header(name, value.encode("latin-1", "replace").decode("latin-1"))
                kind = kind or name.lower() == "content-type"
        if not kind:
            self.send_header("Content-Type", _kind_of(one))
        if content is not None:
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._stream(one)

    def _live(self, live: Live, url: str, headers: Mapping[str, str], content: bytes, told: Mapping[str, Any]) -> None:
        """The real address's answer, as it comes, or why it was not asked."""
        direct = not self._tunnel and self.path.startswith("/")
        why = "it names no address" if direct else live.guard.refusal(url, forwarded(headers), content)
        self.server.player.tell({**told, "live": True, "withheld": why})
        if why is not None:
            self._said(403, "Withheld", {"message": f"envclone: withheld: {why}", "type": "envclone_withheld"})
            return
        begun = False
        try:
            with live.asked(self.command, url, headers, content) as answer:
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in _OWN or name.lower() == "content-encoding":
                        self.send_header(name, value.encode("latin-1", "replace").decode("latin-1"))
                bare = self.command == "HEAD" or answer.status in (204, 304)
                self.send_header(*(("Content-Length", "0") if bare else ("Transfer-Encoding", "chunked")))
                self.end_headers()
                begun, seen, held = True, bytearray(), b""
                while not bare and (data := answer.read1(1 << 16)):
                    seen += data[: MOST - len(seen)]
                    self._part(held)
                    held = data
                live.guard.learn(bytes(seen))  # before its last part is said on: the next request may repeat it
                self._part(held)
                if not bare:
                    self.wfile.write(b"0\r\n\r\n")
        except (OSError, http.client.HTTPException, ValueError) as exc:
            self.close_connection = True
            self.server.player.tell({"outcome": "refused", "url": url[:2000], "why": f"not reached: {str(exc)[:200]}"})
            if not begun:
                self._said(502, "Not reached", {"message": f"envclone: the address was not reached: {str(exc)[:200]}"})

    def _part(self, data: bytes) -> None:
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

    def _said(self, status: int, reason: str, error: Mapping[str, Any]) -> None:
        content = json.dumps({"error": error}).encode()
        self.send_response(status, reason)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Should-Retry", "false")  # clients of models ask again after a 5xx that does not say so
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _stream(self, one: Exchange) -> None:
        """What was streamed, part by part; one that broke off breaks off here."""
        for part in one.chunks:
            if self.server.player.timing and self.server.player.ended.wait(min(part.after, _LONGEST)):
                break
            if data := part.data.encode("utf-8", "surrogatepass"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()
        if one.error is not None:
            self._fail(one)
            return
        self.wfile.write(b"0\r\n\r\n")

    def _fail(self, one: Exchange) -> None:
        """The failure that was recorded: silence until the client leaves or for as long as it took, or a reset."""
        self.close_connection = True
        if re.search(r"time[d]?[ _-]?out|deadline", one.error or "", re.IGNORECASE):
            self._wait(min(one.seconds if one.seconds is not None else _LONGEST, _LONGEST))
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        with contextlib.suppress(OSError):
            self.connection.settimeout(0.1)
            while time.monotonic() < until and not self.server.player.ended.is_set():
                try:
                    if not self.connection.recv(4096):
                        return
                except TimeoutError:
                    continue

    def _missed(self, told: Mapping[str, Any]) -> None:
        """Nothing recorded answers: said to the application so that its own log tells it, too."""
        nearest = told["exchange"]
        if told["outcome"] == "surplus":
            message = f"envclone: this was asked more often than it was recorded (exchange {nearest})"
        elif nearest is None:
            message = "envclone: nothing is recorded that answers this"
        else:
            places = ", ".join(one["place"] for one in told["changes"][:5])
            message = f"envclone: no recorded exchange is this request; the nearest is {nearest}, other in: {places}"
        error = {"message": message, "type": "envclone_not_recorded", "code": told["outcome"], **told}
        self._said(MISSED, "Not recorded", error)

    def finish(self) -> None:
        """The end of a connection, also of one that TLS took over."""
        with contextlib.suppress(OSError, ValueError):
            super().finish()
        if self._tunnel:
            with contextlib.suppress(OSError):
                self.connection.close()


def _content_of(encoding: str, value: Any) -> bytes:
    if encoding == "base64" and isinstance(value, str):
        with contextlib.suppress(ValueError):
            return base64.b64decode(value, validate=True)
    if value is None:
        return b""
    if encoding == "json":
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return str(value).encode("utf-8", "surrogatepass")


def _kind_of(one: Exchange) -> str:
    if one.chunks:
        return "text/event-stream" if one.chunks[0].data.lstrip()[:5] in ("data:", "event", "id: ") else "text/plain"
    return {"json": "application/json", "text": "text/plain; charset=utf-8"}.get(
        one.answer_encoding, "application/octet-stream"
    )


def _echoed(answer: Any, asked: Any) -> Any:
    """An answer of JSON-RPC has the id of the request that it answers."""
    both = isinstance(answer, dict) and isinstance(asked, dict)
    if both and "jsonrpc" in asked and "id" in asked and "id" in answer:
        return {**answer, "id": asked["id"]}
    return answer


def _why(exc: Exception) -> str:
    return getattr(exc, "reason", "") or type(exc).__name__
