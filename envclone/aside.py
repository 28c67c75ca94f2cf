"""Copies of this process for a moment: one that looks on while this one works, one that does a part of the work.

They import nothing that takes long, for a branch waits for them.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from envclone.errors import EnvcloneError
from envclone.interrupts import deferred, ignore

__all__ = ["beside", "helped"]

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
        _alone()
        low, high = sorted((pipe, keeping))
        for first, last in ((0, low), (low + 1, high), (high + 1, os.sysconf("SC_OPEN_MAX"))):
            os.closerange(first, last)  # the other end of the pipe, and locks that are the parent's
        if os.getppid() == parent:
            work(pipe)
    finally:
        os._exit(0)  # nothing of this process's own goes on in the copy


@contextmanager
def helped(work: Callable[[], bool]) -> Iterator[Callable[[], bool]]:
    """Do `work` in a copy of this process while the block goes on; what is given waits for it and returns its result.

    What the work raises is raised there. The copy is killed where the block ends before it does, and ends with this
    process. It has the open files of this process, and no other thread may run when it is made.
    """
    reader, writer = os.pipe()
    parent = os.getpid()
    with deferred():
        pid = os.fork()
        if not pid:
            _help(work, writer, parent)
    os.close(writer)

    def ended() -> bool:
        said = b""
        while more := os.read(reader, 65536):
            said += more
        if said in (b"0", b"1"):
            return said == b"1"
        if not said:
            raise EnvcloneError("a working process ended before its work", hint="was it killed for memory? see dmesg")
        import pickle  # not needed otherwise

        raise pickle.loads(said)  # noqa: S301 (of a copy of this very process)

    try:
        yield ended
    finally:
        with deferred():
            os.close(reader)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _help(work: Callable[[], bool], pipe: int, parent: int) -> None:
    try:
        _alone()
        if os.getppid() == parent:
            try:
                said = b"1" if work() else b"0"
            except BaseException as exc:  # noqa: BLE001 (the parent raises it)
                import pickle

                said = pickle.dumps(exc)
            while said:
                said = said[os.write(pipe, said) :]
    finally:
        os._exit(0)


def _alone() -> None:
    """A copy is interrupted through its parent, dies with it, and does not look through what the two share."""
    import ctypes  # here, for the parent does without

    ignore()
    gc.disable()  # else the pages would be copied
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _end(pid: int) -> None:
    deadline = time.monotonic() + _LAST
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            if time.monotonic() >= deadline:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return
            time.sleep(0.002)
