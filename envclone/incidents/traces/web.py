"""Asks the API of a tool that keeps traces: a key goes to the address that the environment names, and nowhere else.

No proxy, no `.netrc`, no redirect: all of these would be given the key. An answer is never longer than what is read of
it, and every wait has an end.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from envclone.errors import UnreachableError, UsageError
from envclone.incidents.traces.span import VALUES, loads

__all__ = ["Api", "Refused"]

_MOST = 64 << 20
"""Bytes of an answer."""
_ALL = 4 * _MOST
"""Bytes of all pages."""


class Refused(UnreachableError):
    """An API answered with another status than 200."""

    def __init__(self, message: str, status: int, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


@dataclass(frozen=True, slots=True)
class Api:
    """One API. `variable` is the environment's name of its address, for what is said of it."""

    url: str
    variable: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    silence: float = 60.0
    whole: float = 300.0
    _read: list[int] = field(default_factory=lambda: [0], repr=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good or parts.username is not None:
            raise UsageError(f"{self.variable} is no address", hint="https://HOST, without a login in it")
        if parts.scheme == "http" and not _here(parts.hostname or ""):
            raise UsageError(f"{self.variable} is http:// and the key would go in the clear", hint="https://")
        for value in self.headers.values():
            if not value.isascii() or not value.isprintable():
                raise UsageError("a key in the environment holds a character that no key has")

    def ask(self, path: str, query: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """The JSON document at a path. Raises Refused, UnreachableError."""
        parts = urlsplit(self.url)
        target = parts.path.rstrip("/") + path + (f"?{urlencode(query, doseq=True)}" if query else "")
        content = None if body is None else json.dumps(body).encode()
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "envclone",
            **self.headers,
        }
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            status, answer = self._asked("GET" if content is None else "POST", target, content, headers)
        except ssl.SSLCertVerificationError as exc:
            raise self._silent(f"its certificate is not trusted ({exc.verify_message}); SSL_CERT_FILE") from None
        except (OSError, http.client.HTTPException, UnicodeError) as exc:
            raise self._silent(str(exc) or type(exc).__name__) from None
        if status != http.client.OK:
            hint = "are its keys right, and of this project?" if status in (401, 403) else None
            raise Refused(f"{self._shown} answered {status} to {path}", status, hint=hint)
        if answer.count(b",") + answer.count(b"[") + answer.count(b"{") > VALUES:
            raise self._silent(f"its answer holds more than {VALUES:,} values")
        try:
            return loads(answer.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            raise self._silent("its answer is no JSON") from None

    def _asked(
        self, method: str, target: str, content: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytearray]:
        parts = urlsplit(self.url)
        where = (parts.hostname or "", parts.port)
        if parts.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                *where, timeout=self.silence, context=ssl.create_default_context()
            )
        else:
            connection = http.client.HTTPConnection(*where, timeout=self.silence)
        until = time.monotonic() + self.whole
        try:
            connection.request(method, target, content, dict(headers))
            answer = connection.getresponse()
            body = bytearray()
            while piece := answer.read1(1 << 16):
                body += piece
                self._read[0] += len(piece)
                if len(body) > _MOST or self._read[0] > _ALL or time.monotonic() > until:
                    raise self._silent("its answer does not end")
            return answer.status, body
        finally:
            connection.close()

    @property
    def _shown(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

    def _silent(self, why: str) -> UnreachableError:
        return UnreachableError(f"{self._shown} does not tell of the trace: {why}", hint=f"{self.variable} names it")


def _here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
