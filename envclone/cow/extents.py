"""What files refer to and share with others, asked of the file system extent by extent."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

__all__ = ["same_blocks", "usage"]

_FS_IOC_FIEMAP = 0xC020660B
"""_IOWR('f', 11, struct fiemap): linux/fs.h, linux/fiemap.h; Documentation/filesystems/fiemap.rst."""
_FLAG_SYNC = 0x1
_EXTENT_LAST = 0x1
_EXTENT_SHARED = 0x2000
_EXTENT_MERGED = 0x1000
_HEADER = struct.Struct("=QQLLLL")
"""start, length, flags, mapped extents, room for extents, reserved."""
_EXTENT = struct.Struct("=QQQQQLLLL")
"""logical, physical, length, 2 reserved, flags, 3 reserved."""
_ROOM = 256
"""Extents asked for at once."""
_UNKNOWN = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EBADR)
"""What file systems answer that cannot say."""


def usage(path: Path) -> tuple[int, int]:
    """Bytes that the files of a tree refer to on disk, and those of them that no other file shares.

    A file with hard links counts once, holes do not count, preallocated space does. Bytes shared inside the tree count
    as shared. Directories and the file system's own records are not counted. Where the file system cannot say (no
    FIEMAP), all of a file's blocks count as its own.
    Entries that vanish meanwhile are left out. Raises OSError when the tree cannot be read.
    """
    referenced = exclusive = 0
    seen: set[tuple[int, int]] = set()
    for _, _, names, folder in os.fwalk(path, onerror=_unless_gone):
        for name in names:
            try:
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if not stat.S_ISREG(status.st_mode) or status.st_blocks == 0 == status.st_size:
                    continue
                if status.st_nlink > 1:
                    if (status.st_dev, status.st_ino) in seen:
                        continue
                    seen.add((status.st_dev, status.st_ino))
                refers, owns = _of_file(folder, name, status)
            except FileNotFoundError:
                continue
            referenced += refers
            exclusive += owns
    return referenced, exclusive


def same_blocks(one: Path, other: Path) -> bool:
    """Whether two files lie in the same blocks of one file system from beginning to end, so that they are the same
    bytes. What was written to either is flushed first: it has blocks of its own then.

    False also where the file system cannot say, or not for sure: blocks that are compressed, inline or not yet written.
    Raises OSError when a file cannot be read.
    """
    with one.open("rb") as mine, other.open("rb") as its:
        here, there = os.fstat(mine.fileno()), os.fstat(its.fileno())
        if (here.st_dev, here.st_size) != (there.st_dev, there.st_size):
            return False
        try:
            ours, theirs = (list(_plain(file.fileno())) for file in (mine, its))
        except OSError as exc:
            if exc.errno in _UNKNOWN:
                return False
            raise
    return ours == theirs and all(sure for _, _, _, sure in ours)


def _plain(descriptor: int) -> Iterator[tuple[int, int, int, bool]]:
    """A file's extents: where each begins in it, its first block, its length, and whether that tells what it holds."""
    told = _EXTENT_LAST | _EXTENT_SHARED | _EXTENT_MERGED
    for logical, physical, length, flags in _mapped(descriptor):
        yield logical, physical, length, flags & _EXTENT_SHARED != 0 and not flags & ~told


def _of_file(folder: int, name: str, status: os.stat_result) -> tuple[int, int]:
    blocks = status.st_blocks * 512
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as exc:
        if exc.errno in (errno.EACCES, errno.ELOOP, errno.ENXIO):  # not ours to read, or replaced meanwhile
            return blocks, blocks
        raise
    try:
        return _extents(descriptor)
    except OSError as exc:
        if exc.errno in _UNKNOWN:
            return blocks, blocks
        raise
    finally:
        os.close(descriptor)


def _extents(descriptor: int) -> tuple[int, int]:
    referenced = exclusive = 0
    for _, _, length, flags in _mapped(descriptor):
        referenced += length
        exclusive += 0 if flags & _EXTENT_SHARED else length
    return referenced, exclusive


def _mapped(descriptor: int) -> Iterator[tuple[int, int, int, int]]:
    """Every extent of an open file: where it begins in it and on disk, its length, its flags."""
    start = 0
    buffer = bytearray(_HEADER.size + _ROOM * _EXTENT.size)
    while True:
        # SYNC: blocks that are not yet allocated could not be counted
        _HEADER.pack_into(buffer, 0, start, (1 << 64) - 1 - start, _FLAG_SYNC, 0, _ROOM, 0)
        fcntl.ioctl(descriptor, _FS_IOC_FIEMAP, buffer)
        mapped = _HEADER.unpack_from(buffer)[3]
        flags = 0
        for index in range(mapped):
            logical, physical, length, _, _, flags, *_ = _EXTENT.unpack_from(
                buffer, _HEADER.size + index * _EXTENT.size
            )
            yield logical, physical, length, flags
            start = logical + length
        if not mapped or flags & _EXTENT_LAST:
            return


def _unless_gone(exc: OSError) -> None:
    if not isinstance(exc, FileNotFoundError):
        raise exc
