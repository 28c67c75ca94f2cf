"""Locks: who uses an object holds a shared one, who makes, changes or removes it an exclusive one.

They are flock(2) on files of `locks/`: the kernel releases them when a process dies, and its forked workers with it.
A lock is not re-entrant. Within one process two shared locks of one name go together, and an exclusive one excludes
every other, whichever thread asks.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from envclone.cow.placing import reported
from envclone.errors import BusyError, UsageError

__all__ = ["hold", "holder", "name_of", "named", "owned_by_another", "try_exclusive", "users"]

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,199}")
_TOLD = 1.0
"""Seconds after which a wait is told, and told again."""
_PROBED = 0.25
"""Seconds that a lock is tried for at least: `gc` and `ls` take those they ask about for an instant."""


def name_of(kind: str, id: str) -> str:
    """The name of an object's lock. No name is another's beginning with more behind it: ids hold no dot."""
    return f"{kind}.{id}"


@contextmanager
def hold(
    folder: Path,
    name: str,
    *,
    shared: bool,
    timeout: float = 0,
    what: str = "",
    waiting: Callable[[str], None] | None = None,
) -> Iterator[Path]:
    """Hold the lock `name`; gives its file. `timeout` (s) is how long to wait, `what` says what it guards.

    `waiting` is told each second who holds it.

    Raises BusyError naming the process that holds it.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"'{name}' is not a name of a lock")
    path = folder / f"{name}.lock"
    told = time.monotonic()
    deadline = told + max(timeout, _PROBED)
    pause = 0.005
    with reported("cannot lock", path):
        while (descriptor := _take(path, shared=shared)) is None:
            if time.monotonic() >= deadline:
                pid = holder(path)
                raise BusyError(
                    f"{what or repr(name)} is in use by process {pid or 'unknown'}",
                    hint=f"wait for it to end, or see what it does: ps -fp {pid}" if pid else "wait for it to end",
                    pid=pid,
                )
            if waiting is not None and time.monotonic() - told >= _TOLD:
                told = time.monotonic()
                waiting(f"waiting for process {holder(path) or 'unknown'}: {what or name}")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.1)
    try:
        if not shared:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield path
    finally:
        os.close(descriptor)


@contextmanager
def try_exclusive(folder: Path, name: str) -> Iterator[Path | None]:
    """The exclusive lock without a wait; None when somebody holds it in any way."""
    path = folder / f"{name}.lock"
    with reported("cannot lock", path):
        descriptor = _take(path, shared=False)
    if descriptor is None:
        yield None
        return
    try:
        yield path
    finally:
        os.close(descriptor)


def owned_by_another(folder: Path, name: str) -> bool:
    """Whether somebody holds the exclusive lock now."""
    path = folder / f"{name}.lock"
    if not path.exists():
        return False
    with reported("cannot ask for the lock", path):
        descriptor = _take(path, shared=True)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def holder(path: Path) -> int | None:
    """The process that holds a lock file: as the kernel says, else as the last exclusive holder wrote."""
    with suppress(OSError, ValueError):
        status = path.stat()
        wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            fields = line.split()  # "1: FLOCK ADVISORY WRITE 4711 08:01:1234 0 EOF"; "->" marks one that waits
            if "->" not in fields and fields[1] == "FLOCK" and fields[5] == wanted and int(fields[4]) > 0:
                return int(fields[4])
    with suppress(OSError, ValueError):
        return int(path.read_text(encoding="ascii"))
    return None


def named(pid: int) -> str:
    """What program a process runs; not with which arguments."""
    with suppress(OSError, ValueError):
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    return "gone"


def users(path: Path) -> tuple[int, ...]:
    """The processes that have a lock file open, as far as this user may see; else the one that took the lock.

    A lock goes with a copy of its process: when the one that took it was killed, its copies hold it until they end.
    """
    found = []
    with suppress(OSError):
        wanted = path.stat()
        for process in Path("/proc").iterdir():
            with suppress(OSError):
                if process.name.isdecimal() and any(_is(one, wanted) for one in (process / "fd").iterdir()):
                    found.append(int(process.name))
    first = holder(path)
    return tuple(sorted(found)) or (() if first is None else (first,))


def _is(opened: Path, wanted: os.stat_result) -> bool:
    with suppress(OSError):  # it was closed meanwhile
        return os.path.samestat(opened.stat(), wanted)
    return False


def _take(path: Path, *, shared: bool) -> int | None:
    """An open descriptor that holds the lock; None when it is held by somebody."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:  # lock files are removed under their lock: this one may be gone
                return descriptor
            os.close(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
