"""The forward proxy at a sandbox's edge: destinations by name, each connection logged, nothing decrypted.

It speaks what clients speak to a proxy (RFC 9110, 9.3.6 and RFC 9112, 3.2.2): `CONNECT host:port`, and `GET http://…`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from envclone.runtimes.docker.tls import server_name

__all__ = ["Destination", "Proxy", "Refused", "destination", "pump"]

_HEAD = 64 * 1024
_PATIENCE = 30.0
_CHUNK = 64 * 1024
_HOP_BY_HOP = (b"proxy-", b"connection:", b"host:", b"keep-alive:")
Log = Callable[[Mapping[str, Any]], None]


class Refused(Exception):
    """A request that does not go through: the HTTP status, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


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

    @property
    def is_here(self) -> bool:
        """Whether it was written as this host itself, or as an address: then it is meant as it stands."""
        return self.host == "localhost" or _address(self.host) is not None


def destination(text: str) -> Destination:
    """What `host`, `host:port`, `*.host` or `[address]:port` means; without a port it is 443. Raises ValueError."""
    parts = urlsplit(f"//{text}")
    host, port = parts.hostname, parts.port
    if not host or parts.path or parts.query or parts.username or "*" in host.removeprefix("*."):
        raise ValueError(f"'{text}' is no destination: write host or host:port")
    return Destination(host, port or 443)


@dataclass
class Proxy:
    """Passes connections on to allowed destinations, and says of each what became of it."""

    allowed: Sequence[Destination]
    log: Log

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
                remote_writer.write(first)
                up, down = await asyncio.gather(pump(reader, remote_writer), pump(remote_reader, writer))
                event |= {"sent": up + len(first), "received": down}
            finally:
                remote_writer.close()
        except Refused as exc:
            event["why"] = exc.why
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
        method, target, version = words
        try:
            parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise Refused(400, "the destination cannot be read") from None
        if not host or (method == "CONNECT" and port is None) or (method != "CONNECT" and parts.scheme != "http"):
            raise Refused(400, "the destination cannot be read")
        if method == "CONNECT":
            return host, int(port or 0), b"", True
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        kept = [line for line in headers if not line.lower().startswith(_HOP_BY_HOP)]
        authority = parts.netloc.rpartition("@")[2]
        kept = [f"{method} {path} {version}".encode("latin-1"), b"Host: " + authority.encode("latin-1"), *kept]
        return host, port or 80, b"\r\n".join([*kept, b"Connection: close", b"", b""]), False

    async def _connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to an allowed destination. Raises Refused."""
        found = next((one for one in self.allowed if one.allows(host, port)), None)
        if found is None:
            raise Refused(403, f"{host}:{port} is not among the destinations that the stack file allows")
        try:
            addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise Refused(502, f"{host} has no address") from None
        for *_, place in addresses:
            if not found.is_here and not _outside(str(place[0])):
                continue  # a name that leads to this host, its network's metadata or nowhere
            with contextlib.suppress(OSError, TimeoutError):
                return await asyncio.wait_for(asyncio.open_connection(str(place[0]), port), _PATIENCE)
        raise Refused(502, f"{host}:{port} cannot be reached")

    async def _greeting(self, reader: asyncio.StreamReader, host: str) -> bytes:
        """The tunnel's first bytes: when they open TLS they must name the host that was allowed."""
        first = await asyncio.wait_for(reader.read(_CHUNK), _PATIENCE)
        while len(first) < _CHUNK and first[:1] == b"\x16" and len(first) < 5 + int.from_bytes(first[3:5]):
            more = await asyncio.wait_for(reader.read(_CHUNK), _PATIENCE)
            if not more:
                break
            first += more
        named = server_name(first)
        if named is not None and named.lower() != host.lower():
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


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _outside(text: str) -> bool:
    """Whether an address is another machine's: not this host's own, nor a link's, where clouds keep their metadata."""
    address = _address(text.partition("%")[0])
    if address is None:
        return False
    plain = getattr(address, "ipv4_mapped", None) or address
    return not (plain.is_loopback or plain.is_link_local or plain.is_unspecified or plain.is_multicast)
