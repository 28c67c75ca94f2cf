"""Files of which most is zero, written without a block for what is: segments of the log, which are as long as they must
be and hold little."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

__all__ = ["hollowed", "written"]

_BLOCK = 64 << 10
"""Bytes that are a hole together: a whole number of blocks on every file system."""


def written(source: Path, target: Path) -> None:
    """Write the bytes of a file to a new one that only its owner reads; where they are zero it has holes."""
    with (
        source.open("rb", buffering=0) as read,
        open(target, "xb", buffering=0, opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW, 0o600)) as file,
    ):
        end = 0
        while block := read.read(_BLOCK):
            if block.strip(b"\0"):
                os.pwrite(file.fileno(), block, end)
            end += len(block)
        os.ftruncate(file.fileno(), end)


def hollowed(path: Path) -> None:
    """Put in a file's place one of the same bytes, mode and owner that has holes where they are zero."""
    status = path.stat(follow_symlinks=False)
    other = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        written(path, other)
        other.chmod(status.st_mode & 0o777)
        if os.geteuid() == 0:
            os.chown(other, status.st_uid, status.st_gid)
        other.rename(path)
    finally:
        other.unlink(missing_ok=True)
