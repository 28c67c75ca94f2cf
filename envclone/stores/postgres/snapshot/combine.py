"""An incremental backup laid over the raw snapshot that it follows: blocks are shared, and what changed is written.

`pg_combinebackup` does the same block by block through the kernel, at a higher price than a full copy, and leaves stale
visibility maps; here each file is cloned as a whole, and then those blocks are written that were sent. The format and
the rules are those of `src/bin/pg_combinebackup/reconstruct.c` of PostgreSQL 17 and 18.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from envclone.cow.copy import copy_bytes
from envclone.cow.reflink import share_blocks
from envclone.errors import UnsafeError
from envclone.stores.intake import printable
from envclone.stores.postgres.snapshot.visibilitymaps import Sent

__all__ = ["Combined", "combine", "follows"]

_PREFIX = "INCREMENTAL."
_MAGIC = 0xD3AE1F0D
_HEADER = struct.Struct("=III")
"""Magic, number of blocks, least length of the file in blocks; the blocks' numbers follow, and then the blocks."""
_LABEL = "backup_label"
_FROM = re.compile(r"^INCREMENTAL FROM (LSN: \S+|TLI: \d+)\n", re.MULTILINE)
_START = re.compile(r"^START WAL LOCATION: (\S+) .*^START TIMELINE: (\d+)$", re.MULTILINE | re.DOTALL)
_SINCE = re.compile(r"^INCREMENTAL FROM LSN: (\S+)$.*^INCREMENTAL FROM TLI: (\d+)$", re.MULTILINE | re.DOTALL)


@dataclass
class Combined:
    """What was laid over: files and blocks that were sent and differ, and the bytes that were sent in all."""

    files: int = 0
    blocks: int = 0
    bytes: int = 0
    sent: Sent = field(default_factory=Sent)


def follows(increment: Path, base: Path) -> bool:
    """Whether an incremental backup was made to be laid over this base, by what both labels say."""
    try:
        since = _SINCE.search((increment / _LABEL).read_text())
        start = _START.search((base / _LABEL).read_text())
    except (OSError, UnicodeDecodeError):
        return False
    return bool(since and start and since.groups() == start.groups())


def combine(increment: Path, base: Path, into: Path, block: int) -> Combined:
    """Make in `into`, which is empty, the full backup that an incremental one and its base describe.

    The visibility maps are not right yet (see `visibilitymaps`). What was sent as a whole is moved out of `increment`.
    Links are left out. Raises UnsafeError for files that do not fit together, OSError.
    """
    done = Combined()
    for name, entry in _walk(increment):
        target = into / name
        if entry.is_dir(follow_symlinks=False):
            target.mkdir(mode=0o700, exist_ok=True)
            continue
        if not entry.is_file(follow_symlinks=False):
            continue
        done.bytes += entry.stat(follow_symlinks=False).st_size
        if entry.name.startswith(_PREFIX):
            plain = target.with_name(entry.name.removeprefix(_PREFIX))
            there = str(plain.relative_to(into))
            done.sent.add(there, _lay_over(Path(entry.path), base / there, plain, block, done))
        else:
            done.sent.add(name, None)
            _whole(Path(entry.path), base / name, target, done)
    label = into / _LABEL
    if label.exists():
        label.write_text(_FROM.sub("", label.read_text()))
    return done


def _walk(top: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every entry below a directory, folders before what is in them; no link is followed."""
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(f"{top}/{folder}") as entries:
            for entry in entries:
                yield f"{folder}{entry.name}", entry
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{folder}{entry.name}/")


def _whole(sent: Path, base: Path, target: Path, done: Combined) -> None:
    """A file that was sent as a whole; when the base has the very same, its blocks are shared."""
    if _equal(sent, base):
        _share(base, target)
        sent.unlink()
        return
    done.files += 1
    sent.rename(target)


def _equal(one: Path, other: Path) -> bool:
    try:
        if one.stat().st_size != other.stat(follow_symlinks=False).st_size:
            return False
        with one.open("rb") as left, _open(other) as right:
            while chunk := left.read(1 << 20):
                if chunk != right.read(len(chunk)):
                    return False
    except FileNotFoundError:
        return False
    return True


def _lay_over(sent: Path, base: Path, target: Path, block: int, done: Combined) -> list[int]:
    """One file of which only blocks were sent; which."""
    with sent.open("rb") as file:
        least, numbers = _parsed(file, sent, block)
        length = max([least, *(number + 1 for number in numbers)]) * block
        try:
            _share(base, target)
        except FileNotFoundError:
            raise _unfit(sent, "there is none of that name in the snapshot before") from None
        descriptor = os.open(target, os.O_RDWR)
        try:
            was = os.fstat(descriptor).st_size
            if was != length:
                os.ftruncate(descriptor, length)  # what was never written is zero, as PostgreSQL has it
            changed = 0
            for number in numbers:
                page = file.read(block)
                if len(page) != block:
                    raise _unfit(sent, "it is cut short")
                if os.pread(descriptor, block, number * block) != page:
                    os.pwrite(descriptor, page, number * block)
                    changed += 1
            if file.read(1):
                raise _unfit(sent, "something follows its blocks")
        finally:
            os.close(descriptor)
        done.files += bool(changed or was != length)
        done.blocks += changed
        return numbers


def _parsed(file: BinaryIO, sent: Path, block: int) -> tuple[int, list[int]]:
    """The least length in blocks and the blocks' numbers; the file stands at its first block then."""
    header = file.read(_HEADER.size)
    if len(header) != _HEADER.size:
        raise _unfit(sent, "it is cut short")
    magic, count, least = _HEADER.unpack(header)
    if magic != _MAGIC or count > _MOST or least > _MOST:
        raise _unfit(sent, "it has no header of one")
    listed = file.read(4 * count)
    if len(listed) != 4 * count:
        raise _unfit(sent, "it is cut short")
    numbers = [number for (number,) in struct.iter_unpack("=I", listed)]
    if any(number >= _MOST for number in numbers):
        raise _unfit(sent, "it names a block beyond the end of a segment")
    if count:
        file.seek(-(-(_HEADER.size + 4 * count) // block) * block)
    return least, numbers


_MOST = 1 << 20
"""More blocks than a segment of 1 GB has of the smallest size."""


def _share(source: Path, target: Path) -> None:
    """A new file with the blocks of another, copied where they cannot be shared."""
    with _open(source) as original:
        status = os.fstat(original.fileno())
        new = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if status.st_size:
                try:
                    share_blocks(original.fileno(), new, status)
                except OSError:
                    os.ftruncate(new, 0)
                    copy_bytes(original.fileno(), new, status)
        finally:
            os.close(new)


def _open(path: Path) -> BinaryIO:
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK))


def _unfit(sent: Path, why: str) -> UnsafeError:
    return UnsafeError(f"the incremental backup cannot be laid over: {printable(sent.name)}: {why}")
