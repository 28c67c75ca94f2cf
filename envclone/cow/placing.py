"""Making a tree under a temporary name and putting it in its place when it is complete, or not at all."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from envclone.errors import BusyError, EnvcloneError, ResourceError, UsageError

__all__ = [
    "abandoned",
    "discard",
    "image_of",
    "make_directory",
    "owner_of",
    "partial_name",
    "partial_of",
    "placed",
    "reported",
]

_PARTIAL = re.compile(r"\.(?P<name>.+)\.partial-(?P<pid>[1-9][0-9]*)", re.DOTALL)
_CLOCK_SLACK = 2.0
"""Seconds that a process's start, counted in ticks since the boot, may be off the file system's clock."""


def partial_of(path: Path) -> Path:
    """The name that this process makes `path` under: its hidden sibling `.<name>.partial-<pid>`."""
    return path.with_name(f".{path.name}.partial-{os.getpid()}")


def image_of(path: Path) -> Path:
    """Where a loop-mounted pool's image is unless another place was named: `<path>.img`."""
    return path.with_name(f"{path.name}.img")


def owner_of(path: Path) -> int | None:
    """The process id in the name of a partial tree or file; None for any other name."""
    match = _PARTIAL.fullmatch(path.name)
    return int(match["pid"]) if match else None


def partial_name(path: Path) -> str | None:
    """What a partial tree or file was or is to be called; None for any other name."""
    match = _PARTIAL.fullmatch(path.name)
    return match["name"] if match else None


def abandoned(path: Path) -> bool:
    """Whether `path` is a partial whose maker no longer runs.

    A process that has been given the maker's id again is told from it by its start, which is after the last change.
    """
    pid = owner_of(path)
    if pid is None:
        return False
    try:
        changed = path.lstat().st_ctime
        started = _started(pid)
    except (FileNotFoundError, ProcessLookupError):
        return True
    return started > changed + _CLOCK_SLACK


def make_directory(path: Path, mode: int) -> None:
    """Make a directory and those above it that are missing; raises FileExistsError when it exists.

    What root makes on the way gets `mode` too, whatever the umask: the servers' account must pass through.
    """
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            folder.chmod(mode)
    path.mkdir(mode=mode)


@contextmanager
def placed(dst: Path, remove: Callable[[Path], None]) -> Iterator[Path]:
    """Give the temporary name to make `dst` under; it is renamed at the end, and removed with `remove` on failure.

    Raises BusyError when `dst` exists or another thread is making it, UsageError when its directory does not exist.
    """
    if os.path.lexists(dst):
        raise _exists(dst)
    if not dst.parent.is_dir():
        raise UsageError(f"the directory {dst.parent} does not exist")
    partial = partial_of(dst)
    if os.path.lexists(partial):
        if not abandoned(partial):
            raise BusyError(f"{dst} is being made by process {os.getpid()} already")
        remove(partial)
    try:
        yield partial
        try:
            partial.rename(dst)  # of a directory onto a tree that came meanwhile fails: nothing is overwritten
        except OSError as exc:
            if exc.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR):
                raise _exists(dst) from exc
            raise
    except BaseException:
        remove(partial)
        raise


def discard(path: Path, remove: Callable[[Path], None]) -> None:
    """Remove a tree so that a killed removal leaves a partial and never a damaged tree under the good name."""
    if not os.path.lexists(path):
        return
    if owner_of(path) is None:
        partial = partial_of(path)
        try:
            if not os.path.lexists(partial):
                path = path.rename(partial)
        except OSError:  # a mount point, or a directory that we may not write to: removed where it is
            pass
    remove(path)


@contextmanager
def reported(action: str, path: Path) -> Iterator[None]:
    """Turn the operating system's errors into envclone's: a full disk, missing rights, another file system."""
    try:
        yield
    except EnvcloneError:
        raise
    except OSError as exc:
        raise _translated(exc, action, path) from exc


def _translated(exc: OSError, action: str, path: Path) -> EnvcloneError:
    code = exc.errno
    if code in (errno.ENOSPC, errno.EDQUOT):
        return ResourceError(
            f"the pool's disk is full: {action} {path}",
            hint="envclone gc removes what nothing needs, envclone ls shows the branches; or make the pool larger",
        )
    if code == errno.EXDEV:
        return ResourceError(
            f"{action} {path}: blocks can be shared only inside one file system",
            hint="keep the whole pool on one file system, or set pool.driver: copy",
        )
    if code in (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL):
        return ResourceError(
            f"{action} {path}: this file system cannot share blocks ({exc.strerror})",
            hint="envclone pool create makes one that can, or set pool.driver: copy",
        )
    if code in (errno.EACCES, errno.EPERM):
        return ResourceError(
            f"{action} {path}: {exc.strerror}" + (f": {exc.filename!r}" if exc.filename else ""),
            hint="run as the user that the pool belongs to",
        )
    return ResourceError(f"{action} {path}: {exc.strerror or exc}" + (f": {exc.filename!r}" if exc.filename else ""))


def _exists(dst: Path) -> BusyError:
    return BusyError(f"{dst} exists already", hint="remove it first, or choose another name")


def _started(pid: int) -> float:
    """When a process began, in seconds since the epoch; a zombie counts as gone (proc(5), field 22 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    if fields[0] in "ZX":
        raise ProcessLookupError(pid)
    since_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + since_boot
