"""Webhooks: who wants to know is told of each job that ended, signed, and again when nobody answers.

What is not delivered yet when the service ends is delivered by the next one. A delivery may come twice, under one id.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from envclone.errors import EnvcloneError
from envclone.serve.outbox import Delivery, Outbox, address
from envclone.serve.outward import Answered, call

__all__ = ["Webhooks", "signature"]

_WAITING = 1000
_PAUSES = (1.0, 5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0)
"""Seconds before each further attempt."""

Post = Callable[[str, bytes, Mapping[str, str]], Answered]


def signature(secret: bytes, at: str, body: bytes) -> str:
    """What the header X-Envclone-Signature holds: HMAC-SHA256 over the time, a dot and the body."""
    return "sha256=" + hmac.new(secret, at.encode() + b"." + body, hashlib.sha256).hexdigest()


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
    return call("POST", url, body=body, headers=headers)


class Webhooks:
    """Tells addresses, each in a thread of its own: a slow one holds up no call and no other address."""

    def __init__(
        self,
        urls: Sequence[str],
        secret: bytes,
        *,
        place: Path | None = None,
        post: Post = _post,
        pauses: Sequence[float] = _PAUSES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`place` is the directory that what is not delivered yet lies in."""
        self._secret = secret
        self._post = post
        self._pauses = tuple(pauses)
        self._clock = clock
        self._outbox = Outbox(place)
        self._ended = threading.Event()
        self._lines = {address(url): _Line(self, url) for url in urls}

    def start(self) -> int:
        """Go on with what an earlier service did not deliver; returns how many that are."""
        count = 0
        for one in self._outbox.waiting():
            line = self._lines.get(one.to)
            if line is None:
                logging.getLogger("envclone.serve").warning("a webhook waited for an address that is told no more")
                self._outbox.drop(one)
            else:
                line.put(one)
                count += 1
        return count

    def tell(self, event: str, data: Mapping[str, Any], *, key: str) -> None:
        """Have it told to everybody; `key` says what it is: told again it is the same delivery."""
        body = json.dumps({"event": event, **data}, ensure_ascii=False, separators=(",", ":"))
        for to, line in self._lines.items():
            ident = hashlib.sha256(f"{to} {event} {key}".encode()).hexdigest()[:32]
            one = Delivery(ident, to, body, due=self._clock())
            if self._outbox.keep(one):
                line.put(one)

    def close(self) -> None:
        """Tell nobody any more; what was not delivered stays."""
        self._ended.set()
        for line in self._lines.values():
            line.join()

    def tried(self, url: str, one: Delivery) -> Delivery | None:
        """Try a delivery; what is to be tried again, and when, or None."""
        body, at = one.body.encode(), str(int(time.time()))
        headers = {
            "content-type": "application/json",
            "user-agent": "envclone",
            "x-envclone-delivery": one.id,
            "x-envclone-timestamp": at,
            "x-envclone-signature": signature(self._secret, at, body),
        }
        try:
            answered = self._post(url, body, headers)
            why = None if 200 <= answered.status < 300 else f"it answered {answered.status}"
        except EnvcloneError as exc:
            why = exc.message
        except Exception as exc:  # noqa: BLE001 - the thread has to go on for the others
            why = type(exc).__name__
        if why is None or one.attempt >= len(self._pauses):
            if why is not None:
                logging.getLogger("envclone.serve").warning("a webhook was not delivered: %s", why)
            self._outbox.drop(one)
            return None
        later = replace(one, attempt=one.attempt + 1, due=self._clock() + self._pauses[one.attempt])
        self._outbox.keep(later)
        return later

    @property
    def ended(self) -> threading.Event:
        """Set when nobody is to be told any more."""
        return self._ended

    def now(self) -> float:
        """The time that deliveries are due by."""
        return self._clock()


class _Line:
    """The deliveries to one address, the one that is due first."""

    def __init__(self, webhooks: Webhooks, url: str) -> None:
        self._webhooks = webhooks
        self._url = url
        self._queue: queue.PriorityQueue[tuple[float, str, Delivery]] = queue.PriorityQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def put(self, one: Delivery) -> None:
        """Have it delivered when it is due."""
        if self._queue.qsize() >= _WAITING:  # its file stays: the next start takes it up
            logging.getLogger("envclone.serve").warning("too many webhooks wait: one waits for the next start")
            return
        self._queue.put((one.due, one.id, one))
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
                self._thread.start()

    def join(self) -> None:
        """Wait for the thread's end."""
        if self._thread is not None:
            self._thread.join(15)

    def _run(self) -> None:
        ended = self._webhooks.ended
        while not ended.is_set():
            try:
                due, mark, one = self._queue.get(timeout=0.2)
            except queue.Empty:
                continue
            wait = due - self._webhooks.now()
            if wait > 0:
                self._queue.put((due, mark, one))
                ended.wait(min(wait, 0.2))
            elif (later := self._webhooks.tried(self._url, one)) is not None:
                self.put(later)
