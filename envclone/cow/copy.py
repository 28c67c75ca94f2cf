"""Plain copies, for file systems that share no blocks: they cost time and disk, and `cost` says how much."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from envclone.cow import extents
from envclone.cow.placing import discard, placed, reported
from envclone.cow.tree import copy_tree, remove_tree, require_tree

if TYPE_CHECKING:
    from envclone.models import Account

__all__ = ["CopyDriver", "copy_bytes"]

_RATE = 400e6
"""Bytes per second that `cost` reckons with: a modest SSD. An estimate for a message, nothing depends on it."""
_PER_FILE = 1e-4
_STEP = 1 << 26
"""Bytes per call: so large that the calls cost nothing, so small that an interrupt is heard."""
_NOT_POSSIBLE = (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EPERM)


class CopyDriver:
    """Copies every byte; works everywhere, also from another file system."""

    name: ClassVar[str] = "copy"

    def supports(self, path: Path) -> str | None:
        """None when `path` is a directory that can be written to, else the reason."""
        if not path.is_dir():
            return f"{path} is not a directory"
        return None if os.access(path, os.W_OK | os.X_OK) else f"{path} cannot be written"

    def create(self, path: Path) -> None:
        """Make an empty tree (mode 0700). Raises BusyError when it exists."""
        with reported("cannot make", path), placed(path, remove_tree) as partial:
            partial.mkdir(mode=0o700)

    def clone(self, src: Path, dst: Path, *, given: Mapping[str, Account] | None = None) -> None:
        """Copy the tree `src` to `dst`, which must not exist, as `copy_tree` says; nothing is left on failure.

        Holes stay holes. Raises UsageError when there is no `src`, BusyError when there is a `dst`, ResourceError on a
        full disk.
        """
        require_tree(src)
        with reported("cannot copy to", dst), placed(dst, remove_tree) as partial:
            partial.mkdir(mode=0o700)
            copy_tree(src, partial, copy_bytes, given)

    def remove(self, path: Path) -> None:
        """Remove a tree; nothing to do when it is not there. Raises ResourceError when it cannot be removed."""
        with reported("cannot remove", path):
            discard(path, remove_tree)

    def usage(self, path: Path) -> tuple[int, int]:
        """Bytes that the tree refers to, and bytes that it alone occupies (see `extents.usage`)."""
        with reported("cannot measure", path):
            return extents.usage(path)

    def cost(self, src: Path) -> tuple[int, float]:
        """Bytes that a copy of `src` will occupy, and a rough estimate of its duration in seconds."""
        total = files = 0
        for _, _, names, folder in os.fwalk(src):
            files += len(names)
            for name in names:
                total += os.stat(name, dir_fd=folder, follow_symlinks=False).st_blocks * 512
        return total, total / _RATE + files * _PER_FILE


def copy_bytes(source: int, target: int, status: os.stat_result) -> None:
    """Give an empty file the contents of another, holes left out."""
    size = status.st_size
    if status.st_blocks * 512 >= size:
        _range(source, target, 0, size)
        return
    os.ftruncate(target, size)
    end = 0
    while end < size:
        try:
            start = os.lseek(source, end, os.SEEK_DATA)
        except OSError as exc:
            if exc.errno == errno.ENXIO:  # nothing but a hole is left
                return
            raise
        end = os.lseek(source, start, os.SEEK_HOLE)
        _range(source, target, start, end)


def _range(source: int, target: int, start: int, end: int) -> None:
    """Copy the bytes from `start` to `end`, in the kernel where it can, to the same place."""
    offset = start
    try:
        while offset < end:
            done = os.copy_file_range(source, target, min(_STEP, end - offset), offset, offset)
            if done == 0:
                break
            offset += done
    except OSError as exc:
        if exc.errno not in _NOT_POSSIBLE:
            raise
    os.lseek(target, offset, os.SEEK_SET)
    while offset < end:
        done = os.sendfile(target, source, offset, min(_STEP, end - offset))
        if done == 0:  # the file became shorter meanwhile
            break
        offset += done
