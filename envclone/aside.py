"""A copy of this process that looks on while this one works, and is told through a pipe.

It imports nothing that takes long, for a branch waits for it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from envclone.interrupts import deferred, ignore

__all__ = ["beside"]

_LAST = 0.5
"""Seconds that the copy has for its last words; one that is stuck in a write is killed then."""


@contextmanager
def beside(work: Callable[[int], None], *, keeping: int) -> Iterator[int]:
    """Run `work` in a copy of this process until the block ends; it gets the pipe's reading end, the block the other.

    Of open files the copy keeps only `keeping`. What is written to the pipe never waits: it fails when the pipe is
    full. The copy ends with this process, however that ends.
    """
    reader, writer = os.pipe()
    parent = os.getpid()
    with deferred():  # a signal must not come between the copy and its number
        pid = os.fork()
        if not pid:
            _work(work, reader, keeping, parent)
    os.close(reader)
    os.set_blocking(writer, False)
    try:
        yield writer
    finally:
        os.close(writer)
        _end(pid)


def _work(work: Callable[[int], None], pipe: int, keeping: int, parent: int) -> None:
    try:
        import ctypes  # here, for the parent does without

        ignore()
        gc.disable()  # what it shares with its parent is not looked through, which would copy the pages
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        low, high = sorted((pipe, keeping))
        for first, last in ((0, low), (low + 1, high), (high + 1, os.sysconf("SC_OPEN_MAX"))):
            os.closerange(first, last)  # the other end of the pipe, and locks that are the parent's
        if os.getppid() == parent:
            work(pipe)
    finally:
        os._exit(0)  # nothing of this process's own goes on in the copy


def _end(pid: int) -> None:
    deadline = time.monotonic() + _LAST
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            if time.monotonic() >= deadline:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return
            time.sleep(0.002)
