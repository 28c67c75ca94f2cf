"""A shard's write-ahead log: it holds the raw upserts, so it is replaced by an empty one that goes on counting.

An empty directory would not do: the engine would count its operations from 0 again and ignore every later update of a
point that an operation with a higher number wrote. So the new log holds one closed, empty segment that starts at the
next number, as a server writes it into its own snapshots (`generate_empty_wal_starting_at_index`). A log segment starts
with "wal", the version 0 and a random uint32; `closed-<n>` begins with the operation n.
"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from envclone.stores.qdrant.layout import Shard

__all__ = ["empty", "has_entries", "locked"]

_MAGIC = b"wal\0"
_SEGMENT_BYTES = 4096


def empty(shard: Shard) -> int:
    """Replace a closed shard's log by an empty one; returns the bytes of operations that went.

    A shard without a log (`wal_enabled` false) keeps having none.
    """
    folder = shard.path / "wal"
    if not folder.is_dir():
        return 0
    following = _following(shard, folder)
    went = sum(_occupied(entry) for entry in folder.rglob("*") if entry.is_file()) if has_entries(shard) else 0
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    header = _MAGIC + secrets.token_bytes(4)
    (folder / f"closed-{following}").write_bytes(header.ljust(_SEGMENT_BYTES, b"\0"))
    return went


def has_entries(shard: Shard) -> bool:
    """Whether a shard's log holds any operation."""
    folder = shard.path / "wal"
    if not folder.is_dir():
        return False
    for entry in folder.iterdir():
        if entry.name.startswith(("open-", "closed-")):
            with entry.open("rb") as file:
                # the first entry's length; 0 where nothing was written
                if file.read(16)[8:].strip(b"\0"):
                    return True
    return False


def locked(folder: Path) -> bool:
    """Whether an engine holds the lock that it takes on the log's directory while the shard is loaded."""
    import fcntl

    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _following(shard: Shard, folder: Path) -> int:
    """The number of the next operation: above all that the segments hold and all that the log began with."""
    known = [segment.last_operation for segment in shard.segments()]
    begun = [
        int(number)
        for kind, _, number in (entry.name.partition("-") for entry in folder.iterdir())
        if kind == "closed" and number.isdecimal()
    ]
    return max([number + 1 for number in known if number is not None] + begun, default=1) or 1


def _occupied(path: Path) -> int:
    status = path.stat()
    return min(status.st_size, status.st_blocks * 512)
