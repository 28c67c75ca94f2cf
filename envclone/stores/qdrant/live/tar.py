"""Reads an archive as Qdrant writes one, by offsets: nothing but ordinary files and directories, holes as holes.

The archive is hostile input, so this is not a general reader: links, devices and every other kind of entry are refused
by their type, a name may not lead out of the directory, and no size is believed beyond what limits allow. Qdrant packs
with Rust's `tar`: GNU headers, long names as an entry of their own, and files with holes as GNU's sparse entries.
"""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterator
from dataclasses import dataclass

from envclone.errors import UnsafeError
from envclone.stores.intake import printable

__all__ = ["Entry", "Piece", "Span", "entries"]

_BLOCK = 512
_LONGEST = 4096
"""Bytes of a path; a long name is an entry whose content is the name of the next one."""
_DEEPEST = 32
_MOST = 200_000
"""Entries of one archive: a segment has some hundred files."""
_HOLE = 2**30
"""Bytes of a file that may be holes: the engine makes pages and chunks of 32 MB, and trackers, at their full size."""
_KINDS = {
    b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"6": "a FIFO",
    b"7": "a contiguous file", b"K": "a symbolic link", b"x": "an extended header", b"g": "an extended header",
}  # fmt: skip
_FILE = (b"0", b"\0")


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a file that are there: where they are in the file, where in the archive, and how many."""

    at: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Span:
    """A file inside an open one, as an archive holds it; what no piece covers is zero.

    No piece is empty, and they stand in the order of their places.
    """

    descriptor: int
    size: int
    pieces: tuple[Piece, ...]

    @classmethod
    def whole(cls, descriptor: int) -> Span:
        """All of an open file."""
        size = os.fstat(descriptor).st_size
        return cls(descriptor, size, (Piece(0, 0, size),))

    def read(self, at: int, length: int) -> bytes:
        """Bytes of the file. Raises UnsafeError when it ends before."""
        if at < 0 or length < 0 or at + length > self.size:
            raise _damaged("is cut off")
        found = bytearray(length)
        for piece in self._within(at, length):
            data = os.pread(self.descriptor, piece.length, piece.offset)
            if len(data) != piece.length:
                raise _damaged("is cut off")
            found[piece.at - at : piece.at - at + piece.length] = data
        return bytes(found)

    def part(self, at: int, length: int) -> tuple[Piece, ...]:
        """The pieces of the bytes there, counted from `at`."""
        return tuple(Piece(one.at - at, one.offset, one.length) for one in self._within(at, length))

    def _within(self, at: int, length: int) -> Iterator[Piece]:
        begin = max(bisect.bisect_right(self.pieces, at, key=_place) - 1, 0)  # many pieces cost no more than few
        for index in range(begin, len(self.pieces)):
            piece = self.pieces[index]
            if piece.at >= at + length:
                return
            first, last = max(piece.at, at), min(piece.at + piece.length, at + length)
            if first < last:
                yield Piece(first, piece.offset + first - piece.at, last - first)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or directory of an archive, its path checked."""

    path: str
    folder: bool
    content: Span


def entries(archive: Span) -> Iterator[Entry]:
    """What an archive holds, in order. Raises UnsafeError naming the first entry that no Qdrant packs."""
    position = count = 0
    long_name: bytes | None = None
    while position < archive.size:
        header = archive.read(position, _BLOCK)
        position += _BLOCK
        if not any(header):
            break  # the end
        count += 1
        if count > _MOST:
            raise _damaged(f"holds more than {_MOST} entries")
        _require_sum(header)
        kind, size = header[156:157], _number(header[124:136])
        name = long_name if long_name is not None else _name(header)
        if kind == b"L":
            if size > _LONGEST:
                raise _damaged("holds a name that is too long")
            long_name = archive.read(position, size).split(b"\0")[0]
            position += _padded(size)
            continue
        long_name = None
        path = _checked(name)
        if kind == b"S":
            pieces, real, after = _sparse(archive, header, position, size, path)
            yield Entry(path, False, Span(archive.descriptor, real, pieces))
            position = after + _padded(size)
        elif kind in _FILE and not name.endswith(b"/"):
            if position + size > archive.size:
                raise _damaged("is cut off", path)
            yield Entry(path, False, Span(archive.descriptor, size, archive.part(position, size)))
            position += _padded(size)
        elif kind == b"5" and size == 0:
            yield Entry(path, True, Span(archive.descriptor, 0, ()))
        else:
            raise _damaged(f"holds {_KINDS.get(kind, 'an entry of a kind that Qdrant does not make')}", path)
    if long_name is not None or position > archive.size:
        raise _damaged("is cut off")


def _sparse(archive: Span, header: bytes, position: int, size: int, path: str) -> tuple[tuple[Piece, ...], int, int]:
    """The pieces of a file with holes, its real size, and where its content begins."""
    parts = _parts(header[386:482])
    more, real = header[482], _number(header[483:495])
    while more:
        block = archive.read(position, _BLOCK)
        position += _BLOCK
        parts += _parts(block[:504])
        more = block[504]
    if position + size > archive.size:
        raise _damaged("is cut off", path)
    pieces: list[Piece] = []
    at = stored = 0
    for begin, length in parts:
        if begin < at or begin + length > real or stored + length > size:
            raise _damaged("holds a file whose holes contradict each other", path)
        pieces += [Piece(begin + one.at, one.offset, one.length) for one in archive.part(position + stored, length)]
        at, stored = begin + length, stored + length
    if stored != size or real - stored > _HOLE:
        raise _damaged("holds a file whose holes contradict its size", path)
    return tuple(pieces), real, position


def _parts(table: bytes) -> list[tuple[int, int]]:
    found = []
    for start in range(0, len(table) - 23, 24):
        if table[start] == 0:  # an entry that is not used
            break
        found.append((_number(table[start : start + 12]), _number(table[start + 12 : start + 24])))
    return found


def _place(piece: Piece) -> int:
    return piece.at


def _name(header: bytes) -> bytes:
    name, prefix = header[:100].split(b"\0")[0], b""
    if header[257:263] == b"ustar\0":
        prefix = header[345:500].split(b"\0")[0]
    return prefix + b"/" + name if prefix else name


def _checked(name: bytes) -> str:
    """An entry's path, if it leads into the directory. Raises UnsafeError."""
    try:
        path = name.decode("utf-8")
    except UnicodeDecodeError:
        raise _damaged("holds a name that is not text", printable(os.fsdecode(name))) from None
    path = path.removeprefix("./").removesuffix("/")
    steps = path.split("/")
    if path.startswith("/") or any(step in ("", ".", "..") for step in steps):
        raise _damaged("holds a path that leads out of it", path)
    if len(steps) > _DEEPEST or len(name) > _LONGEST or not path.isprintable() or max(map(len, steps)) > 255:
        raise _damaged("holds a path that no Qdrant makes", path)
    return path


def _number(field: bytes) -> int:
    """A number of a header: octal digits, or from 8 GB on binary with the first bit set."""
    if field[0] & 0x80:
        if field[0] != 0x80:
            raise _damaged("holds a number that is out of range")
        found = int.from_bytes(field[1:], "big")
    else:
        digits = field.split(b"\0")[0].strip(b" ")
        if any(digit not in b"01234567" for digit in digits):
            raise _damaged("holds a header that is damaged")
        found = int(digits or b"0", 8)
    if found >= 1 << 62:
        raise _damaged("holds a number that is out of range")
    return found


def _require_sum(header: bytes) -> None:
    if _number(header[148:156]) != sum(header) - sum(header[148:156]) + 8 * 32:
        raise _damaged("holds a header that is damaged")


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _damaged(what: str, path: str = "") -> UnsafeError:
    return UnsafeError(
        f"the snapshot {what}" + (f": {printable(path)[:200]}" if path else ""),
        hint="nothing of it was kept; take a new one, and look at what stands between here and the server",
    )
