"""Requests of an incident to an application service: sent as recorded, answered as JSON or text."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from envclone.errors import UnreachableError, UsageError
from envclone.incidents.bundle import HttpStep, Step
from envclone.models import Endpoint, StepResult

__all__ = ["HttpService"]

_MOST = 64 << 20
"""The largest answer that is read, in bytes."""

_READING = ("GET", "HEAD", "OPTIONS")


class HttpService:
    """A service that listens for HTTP."""

    @contextlib.contextmanager
    def connect(self, endpoint: Endpoint) -> Iterator[_Runner]:
        """A runner of requests on a branch's service."""
        yield _Runner(f"http://{endpoint.host}:{endpoint.port}", endpoint.store)

    @contextlib.contextmanager
    def connect_source(self, name: str, url: str) -> Iterator[_Runner]:
        """A runner of requests on production's own service: of those that only read."""
        yield _Runner(url, name, reading=True)


class _Runner:
    def __init__(self, base: str, name: str, *, reading: bool = False) -> None:
        self._base = urlsplit(base)
        self._name = name
        self._reading = reading
        if self._base.scheme not in ("http", "https") or not self._base.hostname:
            raise UsageError(f"the address of the service '{name}' is no http:// or https:// URL")

    def run(self, step: Step) -> StepResult:
        """Ask once; a status is a result, whatever it is, and so is an answer that never comes.

        Raises UsageError for a step of another kind, or one that would write in production.
        """
        if not isinstance(step, HttpStep):
            raise UsageError(f"the step '{step.id}' is no request, and '{self._name}' is a service")
        if self._reading and step.method not in _READING:
            raise UsageError(
                f"the step '{step.id}' is a {step.method}, which may change production",
                hint="write what production answered into the step's `expect` by hand",
            )
        began = time.monotonic()
        body, kind = _body(step.body)
        headers = {"Accept": "application/json", **({"Content-Type": kind} if kind else {}), **step.headers}
        connection = self._connection(step.timeout)
        try:
            with contextlib.closing(connection):
                connection.request(step.method, self._base.path.rstrip("/") + step.path, body, headers)
                answer = connection.getresponse()
                content = answer.read(_MOST + 1)
        except TimeoutError:
            return StepResult(error=f"no answer within {step.timeout:g} s", seconds=time.monotonic() - began)
        except ConnectionRefusedError as exc:
            raise UnreachableError(f"the service '{self._name}' does not answer") from exc
        except (OSError, http.client.HTTPException) as exc:
            return StepResult(error=f"the connection ended: {type(exc).__name__}", seconds=time.monotonic() - began)
        if len(content) > _MOST:
            return StepResult(error=f"the answer is larger than {_MOST >> 20} MiB", seconds=time.monotonic() - began)
        return StepResult(
            columns=("status", "body"),
            origins=("", ""),
            rows=((answer.status, _parsed(content)),),
            seconds=time.monotonic() - began,
        )

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
