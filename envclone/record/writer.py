"""The thread that writes: what the application did is handed over in a queue, and everything costly is done here.

The queue is bounded, in items and in bytes. A full queue drops and counts; it never makes the application wait.
To wake a thread costs more than to write a record. So a call wakes it; what begins and what ends lies there until the
next call does, or for a moment.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from envclone.record import frames
from envclone.record.ring import KEPT, Ring
from envclone.record.secrets import Secrets

__all__ = ["Counters", "Writer"]

_BATCH = 64
_MOST_ITEMS = 4096
_MOST_BYTES = 64 << 20
_NOBODY = bytes(16)
_BEHIND = 64
_TURN = 0.0004
"""Seconds that a call waits for the one before to be written: what a process that is killed has not written is then its
last call. When more wait than `_BEHIND`, the disk is what the thread waits for, and nobody else shall."""
_MOMENT = 0.02
"""Seconds that something may lie which wakes nobody."""

Made = Callable[[], Mapping[str, Any]] | Mapping[str, Any]


class Counters:
    """What was recorded, and what was not."""

    def __init__(self) -> None:
        self.written = 0
        self.dropped = 0
        """Because the queue was full."""
        self.lost = 0
        """Because the disk did not take it."""
        self.errors = 0
        """Because our own code failed."""
        self.kept = 0
        self.why = ""


class _Item:
    __slots__ = ("cost", "done", "keep", "kind", "made", "number", "only_kept", "request", "urgent")

    def __init__(
        self, kind: int, request: bytes, number: int, made: Made, cost: int, keep: bool, only_kept: bool, urgent: bool
    ) -> None:
        self.kind, self.request, self.number, self.made = kind, request, number, made
        self.cost, self.keep, self.only_kept, self.urgent, self.done = cost, keep, only_kept, urgent, False


class Writer:
    """Takes what is to be written from any thread; one thread of its own writes it."""

    def __init__(self, ring: Ring, secrets: Secrets, about: Mapping[str, Any]) -> None:
        self.ring = ring
        self.secrets = secrets
        self.counters = Counters()
        self._about = about
        self._told = (0, 0, 0)
        self._fresh()

    def put(
        self, kind: int, request: bytes, number: int, made: Made, *, cost: int = 0, keep: bool = False,
        only_kept: bool = False,
    ) -> bool:  # fmt: skip
        """Hand something over; whether it was taken. `cost` are the bytes it holds, roughly.

        `only_kept` is for what comes behind the end of a request that was kept.
        """
        urgent = keep or kind not in (frames.START, frames.ASKED, frames.END)
        with self._lock:
            if self._items >= _MOST_ITEMS or self._bytes + cost > _MOST_BYTES:
                self.counters.dropped += 1
                return False
            self._items += 1
            self._bytes += cost
            self._urgent += urgent
        self._waiting.append(_Item(kind, request, number, made, cost, keep, only_kept, urgent))
        if self._thread is None:
            self._start()
        elif not urgent:
            if self._asleep:
                self._bell.put(None)
        else:
            self._bell.put(None)
            if 1 < self._urgent < _BEHIND:
                self._turn()
        return True

    def _turn(self) -> None:
        """Wait a little until something that was handed over is written."""
        gate = threading.Lock()
        gate.acquire()
        self._turns.append(gate)
        gate.acquire(timeout=_TURN)

    def start(self) -> None:
        """Begin to write: the thread and its file are there before the first call."""
        if self._thread is None:
            self._start()

    def flush(self, seconds: float) -> bool:
        """Wait until all that was handed over before is written; whether it was in time."""
        if self._thread is None or not self._thread.is_alive():
            return self._items == 0
        done = threading.Event()
        self._waiting.append(done)
        self._bell.put(None)
        return done.wait(seconds)

    def stop(self, seconds: float) -> None:
        """Write what is there, then end."""
        thread = self._thread
        if thread is not None and thread.is_alive():
            self._waiting.append(None)
            self._bell.put(None)
            thread.join(seconds)

    def after_fork(self) -> None:
        """In the child of a fork: no thread, no queue, no open file of the parent's."""
        self.ring.reset()
        self.counters = Counters()
        self.secrets.after_fork()
        self._told = (0, 0, 0)
        self._fresh()

    def _fresh(self) -> None:
        self._waiting: deque[_Item | threading.Event | None] = deque()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._turns: deque[threading.Lock] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._asleep = False
        self._items = self._bytes = self._urgent = 0

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="envclone-record", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        about = self._encoded(frames.ABOUT, _NOBODY, 0, {**self._about, "began": time.time()}) or b""
        self.ring.prepare(about)
        while True:
            batch = self._taken()
            items = [one for one in batch if isinstance(one, _Item)]
            try:
                self._write(items, about)
            except Exception:  # noqa: BLE001 - whatever is wrong with us, the application goes on
                self.counters.errors += 1
            for item in items:
                self._done(item)
            for one in batch:
                if isinstance(one, threading.Event):
                    one.set()
            if None in batch:
                return

    def _taken(self) -> list[_Item | threading.Event | None]:
        """What waits, or will."""
        batch: list[_Item | threading.Event | None] = []
        while True:
            with contextlib.suppress(IndexError):
                while len(batch) < _BATCH and (not batch or batch[-1] is not None):
                    batch.append(self._waiting.popleft())
            if batch:
                return batch
            try:
                self._bell.get(timeout=_MOMENT)
            except queue.Empty:
                self._asleep = True  # from here on everything rings
                if not self._waiting:
                    self._bell.get()
                self._asleep = False

    def _write(self, items: list[_Item], about: bytes) -> None:
        pending: list[tuple[bytes, bytes]] = []
        for one in items:
            if one.kind == frames.START:
                self.ring.begin(one.request)
            if one.kind == frames.END or pending:
                self._note_lost(pending)
            frame = self._encoded(one.kind, one.request, one.number, one.made)
            if one.only_kept:
                if frame is not None:
                    self.counters.written += self.ring.append([(one.request, frame)], about, KEPT)
            elif frame is not None:
                pending.append((one.request, frame))
            if one.keep or (one.urgent and len(items) < _BATCH):
                self._out(pending, about)
            self._done(one)
            if one.keep:
                self.ring.keep(one.request, about)
                self.counters.kept += 1
            if one.kind == frames.END:
                self.ring.end(one.request)
        self._out(pending, about)

    def _done(self, one: _Item) -> None:
        """It is written, or never will be: who waits for it goes on."""
        if one.done:
            return
        one.done = True
        with self._lock:
            self._items -= 1
            self._bytes -= one.cost
            self._urgent -= one.urgent
        if one.urgent:
            while self._turns:
                self._turns.popleft().release()

    def _out(self, pending: list[tuple[bytes, bytes]], about: bytes) -> None:
        if pending:
            self.counters.written += self.ring.append(pending, about)
            pending.clear()
        self.counters.lost, self.counters.why = self.ring.lost, self.ring.why

    def _note_lost(self, pending: list[tuple[bytes, bytes]]) -> None:
        """That something was not recorded is recorded, as soon as something can be again."""
        now = (self.counters.dropped, self.ring.lost, self.counters.errors)
        if now != self._told:
            names = ("dropped", "lost", "errors")
            frame = self._encoded(frames.LOST, _NOBODY, 0, {"at": time.time(), **dict(zip(names, now, strict=True))})
            self._told = now
            if frame is not None:
                pending.append((_NOBODY, frame))

    def _encoded(self, kind: int, request: bytes, number: int, made: Made) -> bytes | None:
        """A record's bytes, without secrets; None for one that cannot be made or is too large."""
        try:
            value: Any = made() if callable(made) else made
            text = _json(value)
            if self.secrets.suspicious(text):
                text = _json(self.secrets.tree(value))
            payload = text.encode("utf-8", "surrogatepass")
        except Exception:  # noqa: BLE001 - one call is not recorded, all others are
            self.counters.errors += 1
            return None
        if len(payload) > frames.LARGEST:
            self.counters.dropped += 1
            return None
        return frames.packed(kind, request, number, payload)


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode
