"""Files and directories of a pool that are there whole or not at all, also after a power failure."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

from envclone.cow.placing import reported
from envclone.errors import BusyError, UnsafeError, UsageError
from envclone.private import write_private

__all__ = ["place_tree", "read_json", "write_json"]


def place_tree(tree: Path, place: Path, *, durable: bool = True) -> None:
    """Rename a complete directory to its place; `durable` first waits until its file system is on disk.

    Raises BusyError when the place is taken: nothing of a pool is overwritten.
    """
    with reported("cannot publish", place):
        if os.path.lexists(place):
            raise BusyError(
                f"{place.parent.name} already holds '{place.name}'", hint="objects of a pool are never overwritten"
            )
        if durable:
            _sync(tree)
        try:
            tree.rename(place)
        except OSError as exc:
            if exc.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise BusyError(f"{place.parent.name} already holds '{place.name}'") from exc
            raise
        if durable:
            _fsync(place.parent)


def write_json(path: Path, obj: Any, *, durable: bool = True) -> None:
    """Write a JSON file (mode 0600) so that it is there whole, or as it was before.

    The temporary file is locked while it is written, so that `gc` can tell it from one that was left behind.
    `durable` waits until it is on the disk. Raises ResourceError when the disk is full.
    """
    text = json.dumps(obj, indent=1, ensure_ascii=False) + "\n"
    with reported("cannot write", path):
        write_private(path, text, durable=durable)
        if durable:
            _fsync(path.parent)


def read_json(path: Path) -> Any:
    """What `write_json` wrote. Raises UsageError when there is no such file, UnsafeError when it is not JSON."""
    with reported("cannot read", path):
        try:
            with open(path, encoding="utf-8", opener=_without_waiting) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise UnsafeError(f"{path} is no ordinary file", hint="see what put it there, and restore it")
                return json.loads(file.read())
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise UsageError(f"{path} does not exist") from exc
        except (ValueError, RecursionError) as exc:
            raise UnsafeError(f"{path} is damaged: {exc}", hint="remove what it describes, and make it again") from exc


def _without_waiting(path: str, flags: int) -> int:
    """A pipe that somebody put there has no end that is waited for."""
    return os.open(path, flags | os.O_NONBLOCK)


def _fsync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    """Write back everything of the file system that `path` is on: syncfs(2), which Python's os lacks."""
    import ctypes

    descriptor = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(path))
    finally:
        os.close(descriptor)
