"""A live model: a request that the guard lets through goes to its real address by the gate, and the answer back."""

from __future__ import annotations

import contextlib
import http.client
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from envclone.cassette.guard import Guard

__all__ = ["Live", "forwarded"]

_HOP = frozenset(
    ("host", "connection", "content-length", "transfer-encoding", "accept-encoding", "keep-alive", "te", "trailer",
     "upgrade", "expect")
)  # fmt: skip
_PATIENCE = 600.0


def forwarded(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request that go on with it: not those of its connection, and not where it thinks it goes."""
    return {name: value for name, value in headers.items()
            if name.lower() not in _HOP and not name.lower().startswith("proxy-")}  # fmt: skip


@dataclass(frozen=True)
class Live:
    """The way out: the gate's proxy, which lets nobody through without `token`, and the guard before it."""

    proxy: tuple[str, int]
    token: str = field(repr=False)
    guard: Guard
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    @contextlib.contextmanager
    def asked(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer of the real address. Raises OSError, HTTPException, ValueError."""
        parts = urlsplit(url)
        permit = {"Proxy-Authorization": f"Bearer {self.token}"}
        sent = {**forwarded(headers), "Accept-Encoding": "identity", "Connection": "close"}
        if content or method not in ("GET", "HEAD"):
            sent["Content-Length"] = str(len(content))
        host = parts.hostname or ""
        if parts.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                *self.proxy, timeout=_PATIENCE, context=self.context
            )
            connection.set_tunnel(host, parts.port or 443, permit)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        else:
            connection = http.client.HTTPConnection(*self.proxy, timeout=_PATIENCE)
            sent |= permit
            target = url
        with contextlib.closing(connection):
            connection.putrequest(method, target, skip_accept_encoding=True, skip_host=parts.scheme != "https")
            if parts.scheme != "https":
                connection.putheader("Host", parts.netloc.rpartition("@")[2])
            for name, value in sent.items():
                connection.putheader(name, value.encode("latin-1", "replace"))
            connection.endheaders(content or None)
            yield connection.getresponse()
