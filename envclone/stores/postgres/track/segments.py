"""The files of a log in the pool: found by name, checked before they are used, compressed, laid where a server reads.

Who can write to the pool is trusted, but a file in it may be cut short, of another cluster, or somebody's stray: what
is used is an ordinary file with one name, of the right size, whose first page says that it is this very stretch of this
very cluster's log.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from envclone.errors import UnsafeError
from envclone.private import locked_sibling
from envclone.stores.intake import printable
from envclone.stores.postgres.track.lsn import file_name

__all__ = ["Segment", "content", "histories", "lay", "lay_history", "pack", "require", "segments"]

_SEGMENT = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(\.partial)?(\.gz)?")
_HISTORY = re.compile(r"([0-9A-F]{8})\.history")
_PIECE = 1 << 20
_LONG_HEADER = 2
"""xlp_info: the page header of a segment's first page, with the cluster's identifier (XLP_LONG_HEADER)."""
_HISTORY_MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class Segment:
    """One file: `number` counts segments from the log's beginning, `partial` is one that was not received whole."""

    path: Path
    timeline: int
    number: int
    partial: bool = False
    packed: bool = False


def segments(folder: Path, size: int) -> list[Segment]:
    """The segments of `size` bytes in a directory, oldest first; other names are not looked at."""
    per_id = 0x1_0000_0000 // size
    found = []
    for entry in os.scandir(folder) if folder.is_dir() else ():
        if match := _SEGMENT.fullmatch(entry.name):
            timeline, high, low = (int(match[part], 16) for part in (1, 2, 3))
            if timeline and low < per_id:
                number = high * per_id + low
                found.append(Segment(Path(entry.path), timeline, number, bool(match[4]), bool(match[5])))
    return sorted(found, key=lambda one: (one.number, one.timeline, one.partial))


def histories(folder: Path) -> dict[int, Path]:
    """The timeline history files in a directory, by timeline."""
    found = {}
    for entry in os.scandir(folder) if folder.is_dir() else ():
        if match := _HISTORY.fullmatch(entry.name):
            found[int(match[1], 16)] = Path(entry.path)
    return found


def content(segment: Segment, size: int) -> Iterator[bytes]:
    """The bytes of a segment in pieces, unpacked. Raises UnsafeError when they are not `size`."""
    descriptor = _opened(segment.path)
    unpacker = zlib.decompressobj(wbits=31) if segment.packed else None
    total = 0
    with os.fdopen(descriptor, "rb") as file:
        try:
            while piece := file.read(_PIECE):
                for part in _unpacked(unpacker, piece) if unpacker else (piece,):
                    total += len(part)
                    if total > size:
                        raise _unfit(segment.path, f"it holds more than {size} bytes")
                    yield part
        except zlib.error as exc:
            raise _unfit(segment.path, "it cannot be unpacked") from exc
    if total != size or (unpacker is not None and not unpacker.eof):
        raise _unfit(segment.path, f"it holds {total} bytes, and not {size}")


def _unpacked(unpacker: zlib._Decompress, piece: bytes) -> Iterator[bytes]:
    """What a piece unpacks to, a little at a time: a small file can unpack to anything."""
    while piece:
        if part := unpacker.decompress(piece, _PIECE):
            yield part
        if unpacker.eof and (unpacker.unused_data or unpacker.unconsumed_tail):
            raise zlib.error("something follows its end")
        piece = unpacker.unconsumed_tail


def require(segment: Segment, first: bytes, size: int, system: str) -> None:
    """Check the first page of a segment against its name, and against the cluster. Raises UnsafeError."""
    _, info, timeline, address = struct.unpack_from("=HHIQ", first)
    identifier, segment_size = struct.unpack_from("=QI", first, 24)
    if not info & _LONG_HEADER or address != segment.number * size or segment_size != size:
        raise _unfit(segment.path, "its first page is not that of the segment that its name says")
    if str(identifier) != system:
        raise _unfit(segment.path, f"it is of the cluster {identifier}, and production is {system}")
    if not 0 < timeline <= segment.timeline:
        raise _unfit(segment.path, f"its first page is of timeline {timeline}")


def pack(segment: Segment, into: Path, size: int, system: str, *, compress: bool) -> Path:
    """Move a segment that was received into the directory `into`, checked, and compressed if that is wanted.

    It is there whole or not at all; the received file goes last. Raises UnsafeError when it is not what its name says.
    """
    name = file_name(segment.timeline, segment.number, size) + (".partial" if segment.partial else "")
    place = into / (f"{name}.gz" if compress else name)
    partial, descriptor = locked_sibling(place)
    try:
        packer = zlib.compressobj(1, wbits=31) if compress else None
        with os.fdopen(descriptor, "wb") as file:
            for number, piece in enumerate(content(segment, size)):
                if not number:
                    require(segment, piece, size, system)
                file.write(packer.compress(piece) if packer else piece)
            if packer:
                file.write(packer.flush())
            file.flush()
            os.fsync(file.fileno())
            partial.replace(place)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    segment.path.unlink()
    return place


def lay(found: Sequence[Segment], into: Path, size: int, system: str) -> None:
    """Write segments, checked, into a stopped server's pg_wal, under the names that it reads.

    What a base backup brought along stays where it has more of the segment than the pool. Raises UnsafeError.
    """
    for segment in found:
        target = into / file_name(segment.timeline, segment.number, size)
        fresh = target.with_name(f".{target.name}.new")
        used = at = 0
        with open(fresh, "xb", opener=_private) as file:
            for piece in content(segment, size):
                if not at:
                    require(segment, piece, size, system)
                file.write(piece)
                used = at + len(kept) if (kept := piece.rstrip(b"\0")) else used
                at += len(piece)
        if segment.partial and target.is_file() and _used(target) >= used:
            fresh.unlink()
        else:
            fresh.replace(target)


def lay_history(path: Path, into: Path) -> None:
    """Write a timeline's history file into a stopped server's pg_wal. Raises UnsafeError."""
    with os.fdopen(_opened(path), "rb") as file:
        text = file.read(_HISTORY_MOST)
    with open(into / path.name, "wb", opener=_private) as file:
        file.write(text)


def _used(path: Path) -> int:
    """How many bytes of a segment's file were written."""
    used = at = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            used = at + len(kept) if (kept := piece.rstrip(b"\0")) else used
            at += len(piece)
    return used


def _opened(path: Path) -> int:
    """A descriptor of an ordinary file with one name, reached through no link of that name."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        raise _unfit(path, exc.strerror or "it cannot be opened") from exc
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise _unfit(path, "it is no ordinary file with one name")
    return descriptor


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _unfit(path: Path, why: str) -> UnsafeError:
    return UnsafeError(
        f"{printable(str(path))} cannot be used as production's log: {why}",
        hint="remove it: moments behind it are lost, and the track's next base backup begins a new window",
    )
