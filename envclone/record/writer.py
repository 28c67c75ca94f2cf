"""The thread that writes: what the application did is handed over in a queue, and everything costly is done here.

The queue is bounded, in items and in bytes. A full queue drops and counts; it never makes the application wait.
"""

from __future__ import annotations

import json
import queue
import threading
import time
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
_TURN, _TURNS = 50e-6, 8
"""When the writing thread is some items behind, it gets a turn: what a process that is killed has not written is then
its last call. When it is farther behind, the disk is what it waits for, and nobody else shall."""

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
    __slots__ = ("cost", "keep", "kind", "made", "number", "only_kept", "request")

    def __init__(
        self, kind: int, request: bytes, number: int, made: Made, cost: int, keep: bool, only_kept: bool
    ) -> None:
        self.kind, self.request, self.number, self.made = kind, request, number, made
        self.cost, self.keep, self.only_kept = cost, keep, only_kept


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
        with self._lock:
            if self._items >= _MOST_ITEMS or self._bytes + cost > _MOST_BYTES:
                self.counters.dropped += 1
                return False
            self._items += 1
            self._bytes += cost
        self._queue.put(_Item(kind, request, number, made, cost, keep, only_kept))
        if self._thread is None:
            self._start()
        elif 1 < self._items < _BEHIND:
            for _ in range(_TURNS):
                time.sleep(_TURN)
                if self._items <= 1:
                    break
        return True

    def start(self) -> None:
        """Begin to write: the thread and its file are there before the first call."""
        if self._thread is None:
            self._start()

    def flush(self, seconds: float) -> bool:
        """Wait until all that was handed over before is written; whether it was in time."""
        if self._thread is None or not self._thread.is_alive():
            return self._items == 0
        done = threading.Event()
        self._queue.put(done)
        return done.wait(seconds)

    def stop(self, seconds: float) -> None:
        """Write what is there, then end."""
        thread = self._thread
        if thread is not None and thread.is_alive():
            self._queue.put(None)
            thread.join(seconds)

    def after_fork(self) -> None:
        """In the child of a fork: no thread, no queue, no open file of the parent's."""
        self.ring.reset()
        self.counters = Counters()
        self.secrets.after_fork()
        self._told = (0, 0, 0)
        self._fresh()

    def _fresh(self) -> None:
        self._queue: queue.SimpleQueue[_Item | threading.Event | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._items = 0
        self._bytes = 0

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
            first = self._queue.get()
            batch = [first]
            while len(batch) < _BATCH and first is not None:
                try:
                    batch.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            try:
                self._write([one for one in batch if isinstance(one, _Item)], about)
            except Exception:  # noqa: BLE001 - whatever is wrong with us, the application goes on
                self.counters.errors += 1
            for one in batch:
                if isinstance(one, threading.Event):
                    one.set()
            if None in batch:
                return

    def _write(self, items: list[_Item], about: bytes) -> None:
        pending: list[tuple[bytes, bytes]] = []
        for one in items:
            with self._lock:
                self._items -= 1
                self._bytes -= one.cost
            if one.kind == frames.START:
                self._out(pending, about)
                self.ring.begin(one.request)
            if one.kind == frames.END or pending:
                self._note_lost(pending)
            frame = self._encoded(one.kind, one.request, one.number, one.made)
            if one.only_kept:
                if frame is not None:
                    self.counters.written += self.ring.append([(one.request, frame)], about, KEPT)
                continue
            if frame is not None:
                pending.append((one.request, frame))
            if len(items) < _BATCH:
                self._out(pending, about)
            if one.keep:
                self._out(pending, about)
                self.ring.keep(one.request, about)
                self.counters.kept += 1
            if one.kind == frames.END:
                self._out(pending, about)
                self.ring.end(one.request)
        self._out(pending, about)

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
            if self.secrets.suspicious(value):
                value = self.secrets.tree(value)
            payload = _json(value).encode("utf-8", "surrogatepass")
        except Exception:  # noqa: BLE001 - one call is not recorded, all others are
            self.counters.errors += 1
            return None
        if len(payload) > frames.LARGEST:
            self.counters.dropped += 1
            return None
        return frames.packed(kind, request, number, payload)


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode
