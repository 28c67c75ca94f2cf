"""Trees cloned file by file with the FICLONE ioctl, on file systems that share blocks (XFS, btrfs, bcachefs, OCFS2)."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from envclone.cow import extents
from envclone.cow.placing import discard, placed, reported
from envclone.cow.tree import copy_tree, remove_tree, require_tree

if TYPE_CHECKING:
    from envclone.models import Account

__all__ = ["ReflinkDriver", "share_blocks", "share_range"]

_FICLONE = 0x40049409
"""_IOW(0x94, 9, int): linux/fs.h, ioctl_ficlone(2)."""
_FICLONERANGE = 0x4020940D
"""_IOW(0x94, 13, struct file_clone_range): linux/fs.h, ioctl_ficlonerange(2)."""
_RANGE = struct.Struct("=qQQQ")
"""The source's descriptor, where the range begins in it, its length, where it goes."""
_UNSHARED = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EXDEV, errno.ENOSYS, errno.EPERM)
"""What is answered where blocks cannot be shared: other file systems, ranges that are not of whole blocks."""
_FS_IOC_GETFLAGS = 0x80086601
_FS_IOC_SETFLAGS = 0x40086602
_FS_NOCOW_FL = 0x00800000
_PROBE_BYTES = b"\0" * 4096


class ReflinkDriver:
    """Clones a tree by letting each new file refer to the old one's blocks."""

    name: ClassVar[str] = "reflink"

    def supports(self, path: Path) -> str | None:
        """None when files under `path` can share blocks, else why not; found by trying it on two files."""
        return probe(path)

    def create(self, path: Path) -> None:
        """Make an empty tree (mode 0700). Raises BusyError when it exists."""
        with reported("cannot make", path), placed(path, remove_tree) as partial:
            partial.mkdir(mode=0o700)

    def clone(self, src: Path, dst: Path, *, given: Mapping[str, Account] | None = None) -> None:
        """Clone the tree `src` to `dst`, which must not exist, as `copy_tree` says; nothing is left on failure.

        What is cloned must not be written to meanwhile. Nothing is flushed to disk: after a power failure the clone
        may be incomplete. Raises UsageError when there is no `src`, BusyError when there is a `dst`, ResourceError on a
        full disk or when blocks cannot be shared.
        """
        require_tree(src)
        with reported("cannot clone to", dst), placed(dst, remove_tree) as partial:
            partial.mkdir(mode=0o700)
            copy_tree(src, partial, share_blocks, given)

    def remove(self, path: Path) -> None:
        """Remove a tree; nothing to do when it is not there. Raises ResourceError when it cannot be removed."""
        with reported("cannot remove", path):
            discard(path, remove_tree)

    def usage(self, path: Path) -> tuple[int, int]:
        """Bytes that the tree refers to, and bytes that it alone occupies (see `extents.usage`)."""
        with reported("cannot measure", path):
            return extents.usage(path)


def share_blocks(source: int, target: int, status: os.stat_result) -> None:
    """Let an empty file refer to all blocks of another; holes stay holes."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as exc:
        # btrfs shares no blocks between a file that is written in place (chattr +C) and one that is not
        if exc.errno != errno.EINVAL or not _write_in_place_too(source, target):
            raise
        fcntl.ioctl(target, _FICLONE, source)


def share_range(source: int, target: int, offset: int, length: int) -> bool:
    """Let a range of a file refer to the blocks of the same range of another; False where they cannot be shared.

    Raises OSError when the disk is full or cannot be read.
    """
    try:
        fcntl.ioctl(target, _FICLONERANGE, _RANGE.pack(source, offset, length, offset))
    except OSError as exc:
        if exc.errno in _UNSHARED:
            return False
        raise
    return True


def probe(path: Path) -> str | None:
    """None when two files made in the directory `path` can share blocks, else the reason."""
    stem = f".probe-{os.getpid()}-{os.urandom(4).hex()}"
    one, two = path / f"{stem}-1", path / f"{stem}-2"
    try:
        first = os.open(one, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            second = os.open(two, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(first, _PROBE_BYTES)
                fcntl.ioctl(second, _FICLONE, first)
            finally:
                os.close(second)
        finally:
            os.close(first)
    except OSError as exc:
        if exc.errno in (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EXDEV, errno.ENOSYS):
            return f"{_file_system(path)} has no reflink ({exc.strerror})"
        return f"{path} cannot be written: {exc.strerror}"
    finally:
        one.unlink(missing_ok=True)
        two.unlink(missing_ok=True)
    return None


def _file_system(path: Path) -> str:
    from envclone.cow.mounts import mount_of

    found = mount_of(path)
    return found.type if found else "this file system"


def _write_in_place_too(source: int, target: int) -> bool:
    try:
        wanted, flags = (_flags(descriptor) for descriptor in (source, target))
        if not (wanted ^ flags) & _FS_NOCOW_FL:
            return False
        changed = (flags & ~_FS_NOCOW_FL) | (wanted & _FS_NOCOW_FL)
        fcntl.ioctl(target, _FS_IOC_SETFLAGS, changed.to_bytes(8, "little"))
    except OSError:
        return False
    return True


def _flags(descriptor: int) -> int:
    return int.from_bytes(fcntl.ioctl(descriptor, _FS_IOC_GETFLAGS, bytes(8)), "little")
