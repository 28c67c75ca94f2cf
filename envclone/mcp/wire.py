"""Standard input and output as the protocol's wire: claimed from all else in this process, read by its own thread.

A library's reader waits in a thread that the interpreter waits for at its end, so that a signal could not end a server
whose client keeps the pipe open. This one's thread is a daemon, and no line is longer than a limit.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["LONGEST", "Wire", "claimed"]

LONGEST = 4 << 20
"""Bytes of the longest message that is read; a longer one ends the session."""
_CHUNK = 1 << 16


@contextmanager
def claimed() -> Iterator[tuple[int, int]]:
    """Descriptors of the wire; until the end nothing else reads the client, and stray output goes to stderr."""
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    try:
        yield incoming, outgoing
    finally:
        os.dup2(incoming, 0)
        os.dup2(outgoing, 1)
        os.close(outgoing)  # the reader's thread may still wait at the other


@dataclass
class Wire:
    """The two ends as the protocol's transport takes them: lines in, text out."""

    incoming: int
    outgoing: int

    def __post_init__(self) -> None:
        self._lines: asyncio.Queue[str | None] = asyncio.Queue(maxsize=64)
        self._loop = asyncio.get_running_loop()
        self._pieces: list[str] = []
        self._unsent: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        for work in (self._read, self._send):
            threading.Thread(target=work, name="wire", daemon=True).start()

    def __aiter__(self) -> AsyncIterator[str]:
        return self._each()

    async def _each(self) -> AsyncIterator[str]:
        while (line := await self._lines.get()) is not None:
            yield line

    async def write(self, text: str) -> None:
        """Keep a text until it is flushed."""
        self._pieces.append(text)

    async def flush(self) -> None:
        """Write what was kept; a client that reads slowly holds up nobody else."""
        data, self._pieces = "".join(self._pieces).encode(), []
        sent: asyncio.Future[None] = self._loop.create_future()
        self._unsent.put((data, sent))
        await sent

    def _send(self) -> None:
        """Write one message after another; a client that has gone takes none, and that ends the session."""
        broken = False
        while True:
            data, sent = self._unsent.get()
            view = memoryview(data)
            try:
                while view and not broken:
                    view = view[os.write(self.outgoing, view) :]
            except OSError:
                broken = True
                self._put(None)
            with contextlib.suppress(RuntimeError):  # the loop is gone
                self._loop.call_soon_threadsafe(_settle, sent)

    def _read(self) -> None:
        kept = bytearray()
        try:
            while chunk := os.read(self.incoming, _CHUNK):
                kept += chunk
                *lines, rest = bytes(kept).split(b"\n")
                kept = bytearray(rest)
                for line in lines:
                    self._put(line.decode("utf-8", "replace"))
                if len(kept) > LONGEST:
                    break
        except (OSError, RuntimeError):  # the loop is gone
            return
        finally:
            self._put(None)

    def _put(self, line: str | None) -> None:
        with contextlib.suppress(RuntimeError, concurrent.futures.CancelledError):
            asyncio.run_coroutine_threadsafe(self._lines.put(line), self._loop).result()


def _settle(sent: asyncio.Future[None]) -> None:
    if not sent.done():
        sent.set_result(None)
