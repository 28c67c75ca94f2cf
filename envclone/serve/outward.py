"""What the service itself calls: an identity provider, webhooks. Over TLS or on this machine, and into no trap.

An address is looked up once, judged, and connected to as it was judged: a name that changes its mind in between leads
nowhere else. Nothing is followed.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from envclone.errors import UnreachableError, UnsafeError, UsageError

__all__ = ["Answered", "call", "require_outward"]

_MOST = 1 << 20
_TRIED = 4
_CLOSED = tuple(
    map(
        ipaddress.ip_network,
        ("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "fd20:ce::/32", "fd00:c1::/32", "100.100.100.200/32",
         "168.63.129.16/32", "192.0.0.192/32"),
    )
)  # fmt: skip
"""Where clouds answer with a machine's own credentials."""
_TRANSLATED = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")))
"""Addresses of IPv6 whose last four bytes are one of IPv4, which a network translates them into."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""The one prefix of them that a name server of a network without IPv4 puts in front of all (RFC 6052)."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back."""

    status: int
    body: bytes


def require_outward(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and path of an address that may be called. Raises UsageError, UnsafeError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError("that is no address", hint="such as https://hooks.acme.example/envclone") from None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise UsageError(f"{url} cannot be called", hint="such as https://hooks.acme.example/envclone")
    if parts.scheme == "http" and not all(one.is_loopback for one in _addresses(host)):
        raise UnsafeError(
            f"{host} is not this machine, and the call would cross a network as it is", hint="use https://"
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path


def call(
    method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None, seconds: float = 10.0
) -> Answered:
    """One call. Raises UnreachableError, UnsafeError for an address that leads into the machine's own credentials."""
    scheme, host, port, path = require_outward(url)
    chosen = _judged(host, plain=scheme == "http")
    connection: http.client.HTTPConnection
    if scheme == "https":
        connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=ssl.create_default_context())
    else:
        connection = http.client.HTTPConnection(host, port, timeout=seconds)

    def to_the_judged(address: Any, timeout: Any = seconds, source: Any = None, **_: Any) -> socket.socket:
        return _connected(chosen, port, seconds)

    connection.__dict__["_create_connection"] = to_the_judged
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return Answered(answer.status, answer.read(_MOST))
    except (OSError, http.client.HTTPException) as exc:
        raise UnreachableError(f"{host} does not answer: {type(exc).__name__}") from None
    finally:
        connection.close()


def _connected(addresses: Sequence[str], port: int, seconds: float) -> socket.socket:
    """A connection to the first of a name's addresses that answers: a network may have no way to those of IPv6."""
    for one in addresses[:-1]:
        with suppress(OSError):
            return socket.create_connection((one, port), seconds / len(addresses))
    return socket.create_connection((addresses[-1], port), seconds / len(addresses))


def _judged(host: str, *, plain: bool) -> list[str]:
    """The addresses that are connected to, in their order: none of a name's addresses may be a trap."""
    found = _addresses(host)
    translated = [inner for outer in found for inner in _inner(outer)]
    # of a translated address the one within is what counts: the prefix itself is reserved, wherever it leads
    outer = [one for one in found if not (isinstance(one, ipaddress.IPv6Address) and one in _NAT64)]
    for one in [*outer, *translated]:
        closed = any(one in net for net in _CLOSED) or (one in translated and one.is_loopback)
        if closed or one.is_multicast or one.is_unspecified or one.is_reserved:
            raise UnsafeError(f"{host} leads to {one}, which nothing is sent to", hint="name the server itself")
        if plain and not one.is_loopback:
            raise UnsafeError(f"{host} is not this machine", hint="use https://")
    return [str(one) for one in found][:_TRIED]


def _addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        told = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UnreachableError(f"the name {host[:200]} is not known", hint="is it spelled right?") from None
    found = dict.fromkeys(str(one[4][0]).partition("%")[0] for one in told)
    return [_plain(ipaddress.ip_address(one)) for one in found]


def _inner(one: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The addresses of IPv4 that one of IPv6 may lead to by a tunnel or a translation on the way."""
    if not isinstance(one, ipaddress.IPv6Address) or one.is_loopback:
        return []
    found = [one.sixtofour, *(one.teredo or ())]
    if any(one in net for net in _TRANSLATED):
        found.append(ipaddress.IPv4Address(one.packed[-4:]))
    return [inner for inner in found if inner is not None]


def _plain(
    one: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An IPv4 address that is written as one of IPv6 is the IPv4 address."""
    return (one.ipv4_mapped or one) if isinstance(one, ipaddress.IPv6Address) else one
