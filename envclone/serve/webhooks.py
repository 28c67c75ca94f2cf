"""Webhooks: who wants to know is told of each job that ended, signed, and again when nobody answers.

What is not delivered when the service ends is not delivered.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envclone.errors import EnvcloneError
from envclone.serve.outward import Answered, call

__all__ = ["Delivery", "Webhooks", "signature"]

_WAITING = 1000
_PAUSES = (1.0, 5.0, 30.0, 120.0, 600.0)
"""Seconds before each further attempt."""

Post = Callable[[str, bytes, Mapping[str, str]], Answered]


def signature(secret: bytes, at: str, body: bytes) -> str:
    """What the header X-Envclone-Signature holds: HMAC-SHA256 over the time, a dot and the body."""
    return "sha256=" + hmac.new(secret, at.encode() + b"." + body, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something to be told to one address; `attempt` counts from 0, `due` is by a clock that only goes on."""

    url: str
    id: str
    body: bytes
    attempt: int = 0
    due: float = 0.0


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
    return call("POST", url, body=body, headers=headers)


class Webhooks:
    """Tells addresses, in a thread of its own: a slow one holds up no call."""

    def __init__(
        self,
        urls: Sequence[str],
        secret: bytes,
        *,
        post: Post = _post,
        pauses: Sequence[float] = _PAUSES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._urls = tuple(urls)
        self._secret = secret
        self._post = post
        self._pauses = tuple(pauses)
        self._clock = clock
        self._queue: queue.PriorityQueue[tuple[float, str, Delivery | None]] = queue.PriorityQueue(_WAITING)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def tell(self, event: str, data: Mapping[str, Any]) -> None:
        """Have it told to everybody; what is too much is dropped, and the log says so."""
        if not self._urls:
            return
        body = json.dumps({"event": event, **data}, ensure_ascii=False, separators=(",", ":")).encode()
        for url in self._urls:
            self._put(Delivery(url, secrets.token_hex(8), body, due=self._clock()))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Tell nobody any more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(15)

    def _put(self, delivery: Delivery) -> None:
        try:
            self._queue.put_nowait((delivery.due, secrets.token_hex(4), delivery))
        except queue.Full:
            logging.getLogger("envclone.serve").warning("too many webhooks wait: one was dropped")

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                due, mark, one = self._queue.get(timeout=0.2)
            except queue.Empty:
                continue
            wait = due - self._clock()
            if one is not None and wait > 0:
                self._queue.put((due, mark, one))
                self._ended.wait(min(wait, 0.2))
            elif one is not None:
                self._deliver(one)

    def _deliver(self, one: Delivery) -> None:
        at = str(int(time.time()))
        headers = {
            "content-type": "application/json",
            "user-agent": "envclone",
            "x-envclone-delivery": one.id,
            "x-envclone-timestamp": at,
            "x-envclone-signature": signature(self._secret, at, one.body),
        }
        try:
            answered = self._post(one.url, one.body, headers)
            if 200 <= answered.status < 300:
                return
            why = f"it answered {answered.status}"
        except EnvcloneError as exc:
            why = exc.message
        except Exception as exc:  # noqa: BLE001 - the thread has to go on for the others
            why = type(exc).__name__
        if one.attempt >= len(self._pauses):
            logging.getLogger("envclone.serve").warning("a webhook was not delivered: %s", why)
            return
        due = self._clock() + self._pauses[one.attempt]
        self._put(Delivery(one.url, one.id, one.body, one.attempt + 1, due))
