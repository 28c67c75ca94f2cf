"""How many bytes a tree refers to and how many it shares with others, asked of the file system extent by extent."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from pathlib import Path

__all__ = ["usage"]

_FS_IOC_FIEMAP = 0xC020660B
"""_IOWR('f', 11, struct fiemap): linux/fs.h, linux/fiemap.h; Documentation/filesystems/fiemap.rst."""
_FLAG_SYNC = 0x1
_EXTENT_LAST = 0x1
_EXTENT_SHARED = 0x2000
_HEADER = struct.Struct("=QQLLLL")
"""start, length, flags, mapped extents, room for extents, reserved."""
_EXTENT = struct.Struct("=QQQQQLLLL")
"""logical, physical, length, 2 reserved, flags, 3 reserved."""
_ROOM = 256
"""Extents asked for at once."""


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
        if exc.errno in (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EBADR):
            return blocks, blocks
        raise
    finally:
        os.close(descriptor)


def _extents(descriptor: int) -> tuple[int, int]:
    referenced = exclusive = start = 0
    buffer = bytearray(_HEADER.size + _ROOM * _EXTENT.size)
    while True:
        # SYNC: blocks that are not yet allocated could not be counted
        _HEADER.pack_into(buffer, 0, start, (1 << 64) - 1 - start, _FLAG_SYNC, 0, _ROOM, 0)
        fcntl.ioctl(descriptor, _FS_IOC_FIEMAP, buffer)
        mapped = _HEADER.unpack_from(buffer)[3]
        if mapped == 0:
            return referenced, exclusive
        flags = 0
        for index in range(mapped):
            logical, _, length, _, _, flags, *_ = _EXTENT.unpack_from(buffer, _HEADER.size + index * _EXTENT.size)
            referenced += length
            exclusive += 0 if flags & _EXTENT_SHARED else length
            start = logical + length
        if flags & _EXTENT_LAST:
            return referenced, exclusive


def _unless_gone(exc: OSError) -> None:
    if not isinstance(exc, FileNotFoundError):
        raise exc
