"""The forward proxy at a sandbox's edge: destinations by name, each connection logged, nothing decrypted.

It speaks what clients speak to a proxy (RFC 9110, 9.3.6 and RFC 9112, 3.2.2): `CONNECT host:port`, and `GET http://…`,
one request a connection. A name is looked up once: the addresses that it gives are checked, and one of those is
connected to.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from envclone.runtimes.docker import reach
from envclone.runtimes.docker.tls import server_name, split_hello

__all__ = ["Destination", "Proxy", "Refused", "destination", "pump"]

_HEAD = 64 * 1024
_PATIENCE = 30.0
_CHUNK = 64 * 1024
_HOP_BY_HOP = (b"proxy-", b"connection:", b"host:", b"keep-alive:", b"upgrade:")
_HEADER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*")
Log = Callable[[Mapping[str, Any]], None]


class Refused(Exception):
    """A request that does not go through: the HTTP status, why, and for the log alone the address that is meant."""

    def __init__(self, status: int, why: str, address: str = "") -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.address = address


@dataclass(frozen=True, slots=True)
class Destination:
    """A host (`*.example.com` for all below it) and a port that may be reached."""

    host: str
    port: int

    def allows(self, host: str, port: int) -> bool:
        """Whether it stands for this host and port."""
        if port != self.port:
            return False
        if self.host.startswith("*."):
            return host.endswith(self.host[1:]) and len(host) >= len(self.host)
        return host == self.host

    def means(self, found: reach.Address) -> bool:
        """Whether this very address was written down; `localhost` means the loopback ones."""
        return found.is_loopback if self.host == "localhost" else reach.address(self.host) == found


def destination(text: str) -> Destination:
    """What `host`, `host:port`, `*.host` or `[address]:port` means; without a port it is 443. Raises ValueError."""
    parts = urlsplit(f"//{text}")
    host, port = parts.hostname, parts.port
    if host and reach.is_number(host):
        raise ValueError(f"'{text}' is an address in an unusual form: write it with four numbers and dots")
    if not host or parts.path or parts.query or parts.username or "*" in host.removeprefix("*."):
        raise ValueError(f"'{text}' is not a destination: write host or host:port")
    return Destination(_plain(host), port or 443)


@dataclass
class Proxy:
    """Passes connections on to allowed destinations, and says of each what became of it."""

    allowed: Sequence[Destination]
    log: Log
    token: str | None = field(default=None, repr=False)
    """What a client has to show; None lets everybody in the sandbox out."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection, to its end."""
        began = time.monotonic()
        event: dict[str, Any] = {"event": "connection", "to": None, "allowed": False}
        try:
            host, port, first, tunnel = await self._request(reader)
            event["to"] = f"{host}:{port}"
            remote_reader, remote_writer = await self._connect(host, port)
            try:
                if tunnel:
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    first = await self._greeting(reader, host)
                event["allowed"] = True
                event["address"] = str(remote_writer.get_extra_info("peername")[0])
                remote_writer.write(first)
                sending = pump(reader, remote_writer) if tunnel else _body(reader, remote_writer, first)
                up, down = await asyncio.gather(sending, pump(remote_reader, writer))
                event |= {"sent": up + len(first), "received": down}
            finally:
                remote_writer.close()
        except Refused as exc:
            event["why"] = exc.why
            event |= {"address": exc.address} if exc.address else {}
            body = f"envclone: {exc.why}\n".encode()
            with contextlib.suppress(OSError):
                writer.write(
                    b"HTTP/1.1 %d Refused\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
                    b"Connection: close\r\n\r\n" % (exc.status, len(body)) + body
                )
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError) as exc:
            event["why"] = type(exc).__name__
        finally:
            self.log({**event, "seconds": round(time.monotonic() - began, 3)})
            writer.close()

    async def _request(self, reader: asyncio.StreamReader) -> tuple[str, int, bytes, bool]:
        """Where to, what to send first, and whether it is a tunnel."""
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _PATIENCE)
        if len(head) > _HEAD:
            raise Refused(431, "the request's head is too long")
        line, *headers = head[:-4].split(b"\r\n")
        words = line.decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise Refused(400, "this is a proxy for HTTP and for tunnels")
        if not all(_HEADER.fullmatch(header) for header in headers):
            raise Refused(400, "a header cannot be read")
        if self.token is not None and not _shows(headers, self.token):
            raise Refused(403, "nothing gets out of this branch but by the guard, while an incident is replayed")
        method, target, version = words
        try:
            parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise Refused(400, "the destination cannot be read") from None
        if not host or (method == "CONNECT" and port is None) or (method != "CONNECT" and parts.scheme != "http"):
            raise Refused(400, "the destination cannot be read")
        if reach.is_number(host):
            raise Refused(400, f"{host} is an address in an unusual form")
        host = _plain(host)
        if method == "CONNECT":
            return host, int(port or 0), b"", True
        if _length(headers) is None:
            raise Refused(400, "the length of the request cannot be read")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        kept = [line for line in headers if not line.lower().startswith(_HOP_BY_HOP)]
        authority = parts.netloc.rpartition("@")[2]
        kept = [f"{method} {path} {version}".encode("latin-1"), b"Host: " + authority.encode("latin-1"), *kept]
        return host, port or 80, b"\r\n".join([*kept, b"Connection: close", b"", b""]), False

    async def _connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to an allowed destination. Raises Refused."""
        entries = [one for one in self.allowed if one.allows(host, port)]
        if not entries:
            raise Refused(403, f"{host}:{port} is not among the destinations that the stack file allows")
        try:
            answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise Refused(502, f"{host} has no address") from None
        forbidden = ""
        for *_, place in answers:
            found = reach.address(str(place[0]))
            if found is None or not self._may(found, port, entries):
                forbidden = str(place[0])
                continue
            with contextlib.suppress(OSError, TimeoutError):
                return await self._opened(found, port, entries)
        if forbidden:
            raise Refused(
                403,
                f"{host}:{port} cannot be reached: it leads to this host, or to a private address that the stack file "
                "does not allow",
                forbidden,
            )
        raise Refused(502, f"{host}:{port} cannot be reached")

    def _may(self, found: reach.Address, port: int, entries: Sequence[Destination]) -> bool:
        """Whether an address may be connected to: public, or written down.

        One of this host's must be what the request itself named; a private one may be what an allowed name leads to.
        """
        if any(one.means(found) for one in entries):
            return True
        if reach.is_this_host(found):
            return False
        return reach.is_public(found) or any(one.port == port and one.means(found) for one in self.allowed)

    async def _opened(
        self, found: reach.Address, port: int, entries: Sequence[Destination]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to this very address, and not to this host by a way that only the connection shows."""
        sock = socket.socket(socket.AF_INET if found.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            place = (str(found), port)
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, place), _PATIENCE)
            here, there = (str(name[0]).partition("%")[0] for name in (sock.getsockname(), sock.getpeername()))
            if reach.address(there) != found or (here == there and not any(one.means(found) for one in entries)):
                raise ConnectionRefusedError
            return await asyncio.open_connection(sock=sock)
        except BaseException:
            sock.close()
            raise

    async def _greeting(self, reader: asyncio.StreamReader, host: str) -> bytes:
        """The tunnel's first bytes: when they open TLS they must name the host that was allowed."""
        first = await asyncio.wait_for(reader.read(_CHUNK), _PATIENCE)
        while len(first) < _CHUNK and first[:1] == b"\x16" and len(first) < 5 + int.from_bytes(first[3:5]):
            more = await asyncio.wait_for(reader.read(_CHUNK), _PATIENCE)
            if not more:
                break
            first += more
        if split_hello(first):
            raise Refused(403, f"a tunnel to {host} opens TLS in pieces, so the name that it asks for cannot be read")
        named = server_name(first)
        if named is not None and named.lower().rstrip(".") != host.lower().rstrip("."):
            raise Refused(403, f"a tunnel to {host} was used for {named}")
        return first


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """Pass bytes on until there are no more, and end the other side; how many there were."""
    total = 0
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
            total += len(data)
        if writer.can_write_eof():
            writer.write_eof()
    return total


async def _body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> int:
    """Pass on the body of the request that was checked, and nothing after it: another request could name any host."""
    left = _length(head.split(b"\r\n")[1:])
    total = 0
    with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        if left == -1:
            total = await _chunks(reader, writer)
        while left and left > 0 and (data := await reader.read(min(_CHUNK, left))):
            writer.write(data)
            await writer.drain()
            total, left = total + len(data), left - len(data)
    return total


async def _chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """The chunks of a body of unknown length (RFC 9112, 7.1), without extensions and trailers."""
    total, size = 0, 1
    while size:
        size = int((await reader.readuntil(b"\r\n")).partition(b";")[0].strip(), 16)
        left = size
        writer.write(b"%x\r\n" % size)
        while left and (data := await reader.read(min(_CHUNK, left))):
            writer.write(data)
            await writer.drain()
            left -= len(data)
        if left or (size and await reader.readexactly(2) != b"\r\n"):
            return total
        writer.write(b"\r\n")
        total += size
    await writer.drain()
    return total


def _length(headers: Sequence[bytes]) -> int | None:
    """The length of a body; -1 when it comes in chunks, None when the headers contradict each other."""
    fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in headers)]
    lengths = {value for name, value in fields if name == b"content-length"}
    codings = [value.lower() for name, value in fields if name == b"transfer-encoding"]
    if codings:
        return -1 if codings == [b"chunked"] and not lengths else None
    if not lengths:
        return 0
    (value, *others) = lengths
    return int(value) if not others and value.isdigit() and len(value) < 16 else None


def _shows(headers: Sequence[bytes], token: str) -> bool:
    """Whether a request has the permit of the gate, which it loses here."""
    shown = [line.partition(b":")[2].strip() for line in headers if line.lower().startswith(b"proxy-authorization:")]
    return len(shown) == 1 and hmac.compare_digest(shown[0], b"Bearer " + token.encode())


def _plain(host: str) -> str:
    """A host as it is compared: an address in its shortest form, a name in lower case."""
    found = reach.address(host)
    return str(found) if found is not None else host.lower()
