"""Copies of this process that share its memory and work off a list: the one other way to have more processes.

`process` runs programs; this runs a function of ours on several processors, where what it needs (masks, arrays) is
too big or too secret to be sent.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import traceback
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from envclone import interrupts
from envclone.errors import EnvcloneError

__all__ = ["fork_map", "processors", "workers"]

_SHARE = 16 * 2**20
"""Bytes from which a process more is worth its start."""
_TURN = array("Q").itemsize


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def workers(size: int) -> int:
    """How many processes so many bytes are worth."""
    return min(processors(), size // _SHARE + 1)


def fork_map(work: Callable[[Any], Any], jobs: Sequence[Any], workers: int) -> Iterator[Any]:
    """The results of `work` on each job, in the order in which they are done, by copies of this process.

    Each copy takes the next job when it has done one, so that all are busy to the end.

    What this process holds (masks, open files) is shared with the copies without being sent; results are pickled. With
    one worker or job nothing is forked. The first error ends all and is raised; the copies die with this process.
    """
    workers = min(workers, len(jobs))
    if workers <= 1:
        for job in jobs:
            yield work(job)
        return
    context = multiprocessing.get_context("fork")
    parent = os.getpid()
    running: dict[Any, Any] = {}
    turns = _turns(len(jobs))
    try:
        for _ in range(workers):
            reader, writer = context.Pipe(duplex=False)
            child = context.Process(target=_work_off, args=(work, jobs, turns, writer, parent), daemon=True)
            child.start()
            writer.close()
            running[reader] = child
        while running:
            ready: list[Any] = multiprocessing.connection.wait(list(running))
            for reader in ready:
                try:
                    kind, value = reader.recv()
                except EOFError:
                    raise EnvcloneError(
                        "a working process ended before its work", hint="was it killed for memory? see dmesg"
                    ) from None
                if kind == "end":
                    running.pop(reader).join()
                elif kind == "error":
                    raise value
                else:
                    yield value
    finally:
        for child in running.values():
            child.kill()
            child.join()
        os.close(turns)


def _turns(count: int) -> int:
    """A file of the numbers up to `count`: copies of this process share its offset, so each number is read once."""
    turns = os.memfd_create("envclone-turns")
    os.write(turns, array("Q", range(count)).tobytes())
    os.lseek(turns, 0, os.SEEK_SET)
    return turns


def _taken(jobs: Sequence[Any], turns: int) -> Iterator[Any]:
    """The jobs that are this process's to do, each when it is free for it."""
    while turn := _turn(turns):
        yield jobs[int.from_bytes(turn, sys.byteorder)]


def _turn(turns: int) -> bytes:
    """The next number. The kernel does not lock the offset of a file in memory: two reads at once get the same one."""
    fcntl.lockf(turns, fcntl.LOCK_EX)
    try:
        return os.read(turns, _TURN)
    finally:
        fcntl.lockf(turns, fcntl.LOCK_UN)


def _work_off(work: Callable[[Any], Any], jobs: Sequence[Any], turns: int, writer: Any, parent: int) -> None:
    interrupts.ignore()  # the parent is interrupted, and ends this one
    gc.freeze()  # what the parent holds is not looked through again, which would also copy its pages
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)
    try:
        for job in _taken(jobs, turns):
            writer.send(("result", work(job)))
        writer.send(("end", None))
    except EnvcloneError as exc:
        writer.send(("error", exc))
    except BaseException as exc:  # noqa: BLE001 - the parent must hear of it, without what it was about
        writer.send(("error", EnvcloneError(f"a working process failed: {type(exc).__name__}", hint=_where(exc))))
    finally:
        writer.close()
        os._exit(0)


def _where(exc: BaseException) -> str:
    frames = traceback.extract_tb(exc.__traceback__)
    return "report this as a bug: " + ", ".join(f"{Path(f.filename).name}:{f.lineno}" for f in frames[-3:])
