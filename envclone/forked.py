"""Copies of this process that share its memory and work off a list: the one other way to have more processes.

`process` runs programs; this runs a function of ours on several processors, where what it needs (masks, arrays) is
too big or too secret to be sent.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import multiprocessing
import multiprocessing.connection
import os
import select
import signal
import sys
import time
import traceback
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from envclone import interrupts
from envclone.errors import EnvcloneError

if TYPE_CHECKING:
    from envclone.models import ProgressEvent
    from envclone.protocols import Progress

__all__ = ["begun", "fork_map", "is_copy", "processors", "together", "workers"]

_T = TypeVar("_T")

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
                kind, value = _heard(reader)
                if kind == "end":
                    running.pop(reader).join()
                else:
                    yield value
    finally:
        for child in running.values():
            child.kill()
            child.join()
        os.close(turns)


def together(
    works: Mapping[str, Callable[[Progress], _T]], apart: Collection[str], progress: Progress
) -> dict[str, _T]:
    """What each work gives, by its name: those `apart` are done by copies of this process while it does the others.

    This process keeps one of them for itself, so that one work alone is done here. Each is told whom it tells how far
    it is. The first error ends all, with what the copies started themselves, and is raised: that of a copy when
    this process next tells how far it is.
    """
    elsewhere = [name for name in works if name in apart][0 if set(works) - set(apart) else 1 :]
    with _Copies({name: works[name] for name in elsewhere}, progress) as copies:
        found = {name: work(copies.tell) for name, work in works.items() if name not in elsewhere}
        found |= copies.results()
    return {name: found[name] for name in works}


@contextlib.contextmanager
def begun(work: Callable[[], _T]) -> Iterator[Callable[[], _T]]:
    """Have a copy of this process do a work while the block goes on: what is given waits for its result.

    For a library that starts threads, which no copy of a process that used it would have. The copy is killed where the
    block ends before it does.
    """

    def run(progress: Progress) -> _T:
        return work()

    with _Copies({"": run}, lambda event: None) as copies:
        yield lambda: cast("_T", copies.results()[""])


def is_copy() -> bool:
    """Whether this process is a copy that this module made."""
    return multiprocessing.parent_process() is not None


class _Copies:
    """Copies of this process with one work each; whatever still runs at the end of the block is killed."""

    def __init__(self, works: Mapping[str, Callable[[Progress], Any]], progress: Progress) -> None:
        self._works, self._progress = works, progress
        self._running: dict[Any, tuple[str, Any]] = {}
        self._found: dict[str, Any] = {}

    def __enter__(self) -> _Copies:
        context = multiprocessing.get_context("fork")
        try:
            for name, work in self._works.items():
                reader, writer = context.Pipe(duplex=False)
                child = context.Process(target=_work_apart, args=(work, writer, os.getpid()))
                with interrupts.deferred():
                    child.start()
                    self._running[reader] = name, child
                writer.close()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with interrupts.deferred():
            for reader, running in self._running.items():
                _end_group(running[1])
                reader.close()
            self._running.clear()

    def tell(self, event: ProgressEvent) -> None:
        """Tell how far this process is, and hear what the copies say meanwhile."""
        self._progress(event)
        self._hear(0)

    def results(self) -> dict[str, Any]:
        """What the copies made, when all are done."""
        while self._running:
            self._hear(None)
        return self._found

    def _hear(self, timeout: float | None) -> None:
        if not self._running:
            return
        ready: list[Any] = multiprocessing.connection.wait(list(self._running), timeout)
        for reader in ready:
            kind, value = _heard(reader)
            if kind == "told":
                self._progress(value)
                continue
            name, child = self._running.pop(reader)
            self._found[name] = value
            child.join()
            reader.close()


def _work_apart(work: Callable[[Progress], Any], writer: Any, parent: int) -> None:
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)  # what it forks is ended with it

    def tell(event: ProgressEvent) -> None:
        if select.select([], [writer], [], 0)[1]:  # who does not listen just now hears the next one
            writer.send(("told", event))

    _answer(lambda: writer.send(("result", work(tell))), writer, parent)


def _end_group(child: Any) -> None:
    """Kill a copy and the copies that it made, and wait until none of them can write any more (for 5 s at most)."""
    deadline = time.monotonic() + 5
    child.kill()
    child.join()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
        while time.monotonic() < deadline:
            os.killpg(child.pid, 0)
            time.sleep(0.002)


def _heard(reader: Any) -> tuple[str, Any]:
    """What a copy says; raises its error, and EnvcloneError when it ended without a word."""
    try:
        kind, value = reader.recv()
    except EOFError:
        raise EnvcloneError(
            "a working process ended before its work", hint="was it killed for memory? see dmesg"
        ) from None
    if kind == "error":
        raise value
    return kind, value


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
    def run() -> None:
        for job in _taken(jobs, turns):
            writer.send(("result", work(job)))
        writer.send(("end", None))

    _answer(run, writer, parent)


def _answer(run: Callable[[], None], writer: Any, parent: int) -> None:
    """Run what a copy is for, tell the parent what goes wrong, and end: nothing of the parent's own goes on in it."""
    interrupts.ignore()  # the parent is interrupted, and ends this one
    gc.freeze()  # what the parent holds is not looked through again, which would also copy its pages
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)
    try:
        run()
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
