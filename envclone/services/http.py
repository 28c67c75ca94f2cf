"""Requests of an incident to an application service: sent as recorded, answered as JSON or text."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from envclone.errors import UnreachableError, UnsafeError, UsageError
from envclone.incidents.bundle import HttpStep, Step
from envclone.incidents.terms import Terms
from envclone.models import Endpoint, StepResult

__all__ = ["HttpService"]

_MOST = 64 << 20
"""The largest answer that is read, in bytes."""

_READING = ("GET", "HEAD", "OPTIONS")

_FRAMING = frozenset(
    ("connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")
)
"""Headers that say how a request is sent and to whom: they are this client's."""

_OTHER_METHOD = frozenset(("x-http-method-override", "x-http-method", "x-method-override"))
"""Headers that make a GET something else to many a framework."""

_PIECE = 64 << 10
_KEPT_IN_A_PATH = "/?&=%:@!$'()*+,;~-._[]{}|^`\"<>\\"
"""What stays as it was written: a query may rely on it, and only what is not ASCII is quoted."""


class HttpService:
    """A service that listens for HTTP."""

    @contextlib.contextmanager
    def connect(self, endpoint: Endpoint) -> Iterator[_Runner]:
        """A runner of requests on a branch's service."""
        yield _Runner(f"http://{endpoint.host}:{endpoint.port}", endpoint.store)

    @contextlib.contextmanager
    def connect_source(self, name: str, url: str, terms: Terms) -> Iterator[_Runner]:
        """A runner of requests on production's own service: of those that only read."""
        yield _Runner(url, name, terms)


class _Runner:
    """Asks one address and no other: redirects are answers."""

    def __init__(self, base: str, name: str, terms: Terms | None = None) -> None:
        self._base = urlsplit(base)
        self._name = name
        self._terms = terms
        self._most = _MOST if terms is None else min(_MOST, terms.bytes)
        if self._base.scheme not in ("http", "https") or not self._base.hostname:
            raise UsageError(f"the address of the service '{name}' is not an http:// or https:// URL")

    def settled(self, step: Step) -> Step:
        """The step as it is: nobody asks but this connection."""
        return step

    def examine(self, step: Step) -> list[str]:
        """Why a request may change production, in words. Raises UsageError for a step of another kind."""
        request = self._http(step)
        names = {name.lower() for name in request.headers}
        problems = []
        if request.method not in _READING:
            problems.append(f"it is a {request.method}, which may change production")
        if overriding := sorted(names & _OTHER_METHOD):
            problems.append(f"its header {overriding[0]} can make it another method")
        return problems

    def run(self, step: Step) -> StepResult:
        """Ask once; a status is a result, whatever it is, and so is an answer that never comes.

        Raises UsageError for a step of another kind or one that cannot be sent, UnsafeError for one that may change
        production.
        """
        request = self._http(step)
        if self._terms is not None and (problems := self.examine(request)):
            raise UnsafeError(
                f"the step '{step.id}' does more than read",
                problems=problems,
                hint="write what production answered into the step's `expect` by hand",
            )
        if framing := sorted({name.lower() for name in request.headers} & _FRAMING):
            raise UsageError(f"the step '{step.id}' cannot be sent: the header {framing[0]} is the client's own")
        timeout = request.timeout if self._terms is None else min(request.timeout, self._terms.seconds)
        began = time.monotonic()
        body, kind = _body(request.body)
        headers = {"Accept": "application/json", **({"Content-Type": kind} if kind else {}), **request.headers}
        path = self._base.path.rstrip("/") + quote(request.path, safe=_KEPT_IN_A_PATH)
        connection = self._connection(timeout)
        try:
            with contextlib.closing(connection):
                connection.request(request.method, path, body, headers)
                answer = connection.getresponse()
                content = self._read(answer, began + timeout)
        except TimeoutError:
            return StepResult(error=f"no answer within {timeout:g} s", seconds=time.monotonic() - began)
        except ConnectionRefusedError as exc:
            raise UnreachableError(f"the service '{self._name}' does not answer") from exc
        except (http.client.InvalidURL, ValueError):  # a line break in a header, a character of no header
            raise UsageError(f"the step '{step.id}' cannot be sent: its path or a header is none") from None
        except (OSError, http.client.HTTPException) as exc:
            return StepResult(error=f"the connection ended: {type(exc).__name__}", seconds=time.monotonic() - began)
        if len(content) > self._most:
            return StepResult(
                error=f"the answer is larger than {self._most >> 20} MiB", seconds=time.monotonic() - began
            )
        return StepResult(
            columns=("status", "body"),
            origins=("", ""),
            rows=((answer.status, _parsed(content)),),
            seconds=time.monotonic() - began,
        )

    def _http(self, step: Step) -> HttpStep:
        if not isinstance(step, HttpStep):
            raise UsageError(f"the step '{step.id}' is not a request, and '{self._name}' is a service")
        return step

    def _read(self, answer: http.client.HTTPResponse, until: float) -> bytes:
        """What comes before the deadline, up to one byte more than is taken; a slow answer is none."""
        content = bytearray()
        while len(content) <= self._most and (piece := answer.read1(_PIECE)):
            content += piece
            if time.monotonic() > until:
                raise TimeoutError
        return bytes(content)

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        host, port = self._base.hostname or "", self._base.port
        if self._base.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=timeout)
        return http.client.HTTPConnection(host, port, timeout=timeout)


def _body(value: Any) -> tuple[bytes | None, str | None]:
    if value is None:
        return None, None
    if isinstance(value, str):
        return value.encode(), "text/plain; charset=utf-8"
    return json.dumps(value, ensure_ascii=False).encode(), "application/json"


def _parsed(content: bytes) -> Any:
    text = content.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
