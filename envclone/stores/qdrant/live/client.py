"""Asks a Qdrant server over HTTP: the key goes to the address that the stack file names and nowhere else.

Nothing of the process's environment leads elsewhere: no proxy, no `.netrc`, and no redirect is followed, for all of
these would be given the key. What a server says is never longer than what is read of it, and every wait has an end.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from envclone.errors import ConfigError, EnvcloneError, UnreachableError
from envclone.masking.shown import foreign
from envclone.models import Secret

__all__ = ["Answer", "Client", "Failed", "Waits", "path"]

_MOST = 64 * 2**20
"""Bytes of an answer that is read whole; a downloaded snapshot is not."""
_KEY = "source.api_key is the server's API key, or a token with the right rw on the collections"


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds after which a server is said not to answer: to connect, to be heard again, to have made a snapshot."""

    connect: float = 10.0
    silence: float = 60.0
    making: float = 3600.0
    lost: float = 900.0
    """For a snapshot to appear whose making was cut off: the server goes on with it, unless it ended."""
    between: float = 1.0
    """Between two attempts; it doubles with each."""


class Failed(UnreachableError):
    """A server refused or did not answer; `status` is HTTP's, 0 when there was no answer."""

    def __init__(self, message: str, *, hint: str | None = None, status: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, the server's own clock (its `Date`), and the JSON document's `result`."""

    status: int
    date: str
    result: Any


@dataclass(frozen=True, slots=True)
class Client:
    """One server. Raises Failed for whatever is not the answer that was asked for, with what to do about it."""

    url: str
    key: Secret | None = None
    ca_file: Path | None = None
    waits: Waits = field(default_factory=Waits)

    @property
    def shown(self) -> str:
        """The server for people: host and port, and no path, which could hold a secret."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{_port(parts)}"

    def at(self, url: str) -> Client:
        """The same for another server of the cluster."""
        return Client(url, self.key, self.ca_file, self.waits)

    def get(self, where: str) -> Answer:
        """Ask for a document."""
        return self._ask("GET", where, self.waits.silence)

    def post(self, where: str) -> Answer:
        """Have something made, and wait for it."""
        return self._ask("POST", where, self.waits.making)

    def delete(self, where: str) -> Answer:
        """Have something removed."""
        return self._ask("DELETE", where, self.waits.silence)

    @contextlib.contextmanager
    def download(self, where: str, offset: int) -> Iterator[http.client.HTTPResponse]:
        """A file from a byte on, to be read in pieces; a server may give all of it instead (status 200)."""
        with contextlib.ExitStack() as stack:
            with self._reported(self.waits.silence):  # what the caller does with the bytes is not the server's fault
                connection = stack.enter_context(self._connected(self.waits.silence))
                headers = self._headers() | {"Accept-Encoding": "identity"}
                wanted = {"Range": f"bytes={offset}-"} if offset else {}
                connection.request("GET", self._target(where), headers=headers | wanted)
                answer = connection.getresponse()
                if answer.status not in (200, 206):
                    raise self._refused(answer.status, answer.read(2**16), answer.headers.get("Location"))
            yield answer

    def _ask(self, method: str, where: str, seconds: float) -> Answer:
        until = time.monotonic() + seconds
        with self._reported(seconds), self._connected(seconds) as connection:
            connection.request(method, self._target(where), headers=self._headers())
            answer = connection.getresponse()
            body = b""
            while piece := answer.read1(2**16):
                body += piece
                if len(body) > _MOST or time.monotonic() > until:
                    raise self._strange("its answer does not end")
            date, found = answer.headers.get("Date", ""), answer.headers.get("Location")
            if not 200 <= answer.status < 300:
                raise self._refused(answer.status, body, found)
        try:
            document = json.loads(body)
            json.dumps(document, ensure_ascii=False).encode()  # half a character would be found when it is written
        except (ValueError, RecursionError):
            raise self._strange("its answer is not JSON") from None
        if not isinstance(document, dict):
            raise self._strange("its answer is not a JSON object")
        return Answer(answer.status, date, document.get("result", document))

    @contextlib.contextmanager
    def _connected(self, seconds: float) -> Iterator[http.client.HTTPConnection]:
        parts = urlsplit(self.url)
        if parts.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname or "", _port(parts), timeout=self.waits.connect, context=self._trust()
            )
        else:
            connection = http.client.HTTPConnection(parts.hostname or "", _port(parts), timeout=self.waits.connect)
        try:
            connection.connect()
            if isinstance(connection.sock, socket.socket):
                connection.sock.settimeout(seconds)
            yield connection
        finally:
            connection.close()

    def _trust(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as exc:
            raise ConfigError(
                f"the certificates of {self.ca_file} cannot be read: {_words(exc)}",
                hint="source.ca_file is a file of certificates in PEM",
            ) from exc
        return context

    def _target(self, where: str) -> str:
        return urlsplit(self.url).path.rstrip("/") + where

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "envclone"}
        if self.key is not None:
            key = self.key.reveal()
            if not key.isascii() or not key.isprintable():
                raise ConfigError("source.api_key holds a character that no API key has", hint=_KEY)
            headers["api-key"] = key
        return headers

    @contextlib.contextmanager
    def _reported(self, seconds: float) -> Iterator[None]:
        """Every way in which a server can fail to answer, in one line and with a remedy."""
        try:
            yield
        except EnvcloneError:
            raise
        except ssl.SSLCertVerificationError as exc:
            raise self._strange(
                f"its certificate is not trusted ({exc.verify_message})",
                "source.ca_file names the certificate of who signed it; the name in source.url must be in it",
            ) from exc
        except ssl.SSLError as exc:
            raise self._strange(
                f"no TLS connection comes about ({_words(exc)})", "is source.url of a server without TLS? then http://"
            ) from exc
        except TimeoutError as exc:
            raise self._strange(
                f"it did not answer within {seconds:g} s", "is it up, and is there a way to it from here?"
            ) from exc
        except socket.gaierror as exc:
            raise self._strange("its name has no address", "correct source.url") from exc
        except (http.client.HTTPException, ConnectionResetError) as exc:
            plain = urlsplit(self.url).scheme == "http"
            raise self._strange(
                f"it cut the connection ({type(exc).__name__})",
                "does it want https:// in source.url?" if plain else "look at its log",
            ) from exc
        except OSError as exc:
            raise self._strange(
                f"it cannot be reached: {exc.strerror or _words(exc)}", "is it up, and is source.url right?"
            ) from exc

    def _strange(self, what: str, hint: str | None = None) -> Failed:
        return Failed(f"the Qdrant server at {self.shown}: {what}", hint=hint or "is source.url a Qdrant server's?")

    def _refused(self, status: int, body: bytes, location: str | None) -> Failed:
        said = foreign(_said(body))
        if self.key is not None:
            said = said.replace(self.key.reveal(), "…")
        who = f"the Qdrant server at {self.shown}"
        if status == 401:
            wrong = "does not know the API key" if self.key is not None else "wants an API key"
            return Failed(f"{who} {wrong}", hint=_KEY, status=status)
        if status == 403:
            return Failed(
                f"{who} refuses the API key what it was asked for" + (f": {said}" if said else ""),
                hint="to make and remove shard snapshots a key needs the right rw on each collection; see "
                "docs/production.md",
                status=status,
            )
        if 300 <= status < 400:
            return Failed(
                f"{who} leads to another address" + (f" ({foreign(location)})" if location else ""),
                hint="redirects are not followed, for the key would go there: name that address as source.url",
                status=status,
            )
        return Failed(f"{who} answered {status}" + (f": {said}" if said else ""), hint="look at its log", status=status)


def path(*parts: str | int) -> str:
    """A path of the API; what is between the slashes is quoted, for names of collections are free."""
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


def _port(parts: Any) -> int:
    return int(parts.port or (443 if parts.scheme == "https" else 80))


def _said(body: bytes) -> str:
    """The words of an error, which come as JSON or as plain text."""
    text = body[: 2**16].decode("utf-8", "replace")
    with contextlib.suppress(ValueError, RecursionError):
        document = json.loads(text)
        status = document.get("status") if isinstance(document, dict) else None
        return str(status.get("error", "")) if isinstance(status, dict) else ""
    return text if len(text) < 300 and "<" not in text else ""


def _words(exc: Exception) -> str:
    return foreign(str(getattr(exc, "reason", "") or exc)) or type(exc).__name__
