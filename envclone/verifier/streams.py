"""Compressed streams and files: what they hold, up to 16 MB each, also behind a head of their own and without one.

What cannot be read is told (`Shut`), behind everything else that the value holds.
"""

from __future__ import annotations

import bz2
import io
import lzma
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from functools import cache
from importlib import import_module
from typing import Any

import lz4.block
import lz4.frame

from envclone.verifier.closed import Damaged, Shut, closed

__all__ = ["files"]

_MOST = 1 << 24
"""Bytes of what a compressed value holds that are looked at."""
_STREAM = re.compile(rb"stream\r?\n")
_KERNED = re.compile(rb"\)\s{0,4}-?[\d.]{1,9}\s{0,4}\(")
"""Where a PDF moves two letters closer."""
_GZIP, _BZIP2, _XZ, _ZIP = b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\x00", b"PK\x03\x04"
_SURELY_GZIP = re.compile(rb".{3}[\x00-\x1f].{4}[\x00\x02\x04][\x00-\x0d\xff]", re.DOTALL)
"""What a head of gzip says of it."""
_LZ4, _LZ4_OLD, _MOZILLA = b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18", b"mozLz40\0"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPED = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18", re.DOTALL)
"""A frame of Zstandard or LZ4 that holds nothing of the stream."""
_LZMA = b"\x5d\x00\x00"
_ZLIB = frozenset((b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"))
_WITHIN = (_GZIP, b"BZh91AY&SY", _XZ, _ZIP, _ZSTD, b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07")
"""What tells a stream behind anything else."""
_HEADS = (4, 8, 2, 1)
"""Bytes of a length or a tag that programs write before a stream of zlib."""
_BARE, _PIECE = 20, 64
"""Bytes from which on a value is tried as a bare stream of deflate; and that are tried at once of a damaged stream, but
for its last ones, which are its sum."""
_TELLING = 64
"""Bytes before a damage that are no accident."""
_CHAINED = 64
"""Streams of several kinds one behind the other."""
_METHOD, _STORED, _NO_METHOD = 6, 0, 6
_UNREADABLE = (
    OSError, EOFError, ValueError, RuntimeError, MemoryError, struct.error, zlib.error, lzma.LZMAError,
    zipfile.BadZipFile, lz4.block.LZ4BlockError,
)  # fmt: skip


def files(value: bytes) -> Iterator[bytes]:
    """What a compressed file holds; nothing of what is none. Raises Shut at the end where some of it is not read."""
    for _ in range(_CHAINED):
        while _SKIPPED.match(value):
            value = value[8 + int.from_bytes(value[4:8], "little") :]
        if not value:
            return
        value = yield from _first(value)
    raise Shut("a chain of compressed streams")


def _first(value: bytes) -> Generator[bytes, None, bytes]:
    """What the stream holds with which a value begins; returns what stands behind it."""
    if name := closed(value):
        raise Shut(name)
    if value.startswith(_GZIP):
        return (yield from _frames(value, lambda: zlib.decompressobj(31), "gzip" if _SURELY_GZIP.match(value) else ""))
    if value.startswith(_BZIP2):
        return (yield from _frames(value, bz2.BZ2Decompressor, "bzip2" if value[4:10] == b"1AY&SY" else ""))
    if value.startswith(_XZ):
        return (yield from _frames(value, lambda: lzma.LZMADecompressor(memlimit=1 << 28), "xz"))
    if value.startswith(_LZMA):
        return (yield from _frames(value, lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=1 << 28), ""))
    if value.startswith(_ZSTD):
        if (decoder := _zstd()) is None:
            raise Shut("a stream of Zstandard, which the package backports-zstd reads")
        return (yield from _frames(value, decoder.ZstdDecompressor, "Zstandard"))
    if value.startswith(_LZ4):
        return (yield from _frames(value, lz4.frame.LZ4FrameDecompressor, "LZ4"))
    if value.startswith((_LZ4_OLD, _MOZILLA)):
        yield from _caught(_old_blocks(value) if value.startswith(_LZ4_OLD) else _blocks(value, len(_MOZILLA) + 4))
    elif value.startswith(_ZIP):
        yield from _members(value)
    elif value.startswith(b"%PDF"):
        yield from _of_pdf(value)
    elif value[:2] in _ZLIB and (held := list(_frames(value, zlib.decompressobj, ""))):
        yield from held
    else:
        return (yield from _hidden(value))
    return b""


def _hidden(value: bytes) -> Generator[bytes, None, bytes]:
    """The same where something stands before the stream, or where the stream has no head of its own."""
    for at in _HEADS:
        if value[at : at + 2] in _ZLIB:
            yield from _frames(value[at:], zlib.decompressobj, "")
    places = [at for magic in _WITHIN if (at := value.find(magic, 1)) > 0]
    for at in sorted(places):
        try:
            return (yield from _first(value[at:]))
        except Damaged:
            continue
    if len(value) < _BARE:
        return b""
    kind = value[0] & _METHOD
    if kind != _NO_METHOD and (kind != _STORED or value[1] ^ value[3] == value[2] ^ value[4] == 0xFF):
        yield from _bare(value)
    size = int.from_bytes(value[:4], "little")
    if len(value) < size <= min(_MOST, 255 * len(value)):
        yield from _caught(_blocks(value, 4))
    return b""


def _bare(value: bytes) -> Iterator[bytes]:
    """A stream of deflate without head and sum, from one end of a value to the other."""
    one = zlib.decompressobj(-15)
    try:
        held = one.decompress(value, _MOST)
    except zlib.error:
        return
    if len(held) >= len(value) and (one.eof or not one.unconsumed_tail) and len(one.unused_data) <= len(_HEADS) * 2:
        yield held
    if one.unconsumed_tail:
        raise Shut("a compressed stream of more than 16 MB")


@cache
def _zstd() -> Any:
    """Python's own module from 3.14 on, before that the package; None where it is not installed."""
    try:
        return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    except ModuleNotFoundError:
        return None


def _frames(value: bytes, make: Callable[[], Any], name: str) -> Generator[bytes, None, bytes]:
    """What stands in one frame behind the other; where a frame is damaged, what stands before the damage.

    Returns what stands behind them. `name` is what tells a stream for sure; without one a value that cannot be read at
    all is none.
    """
    left, nothing = _MOST, True
    while value:
        one = make()
        try:
            held = one.decompress(value, left)
            rest = one.unused_data or b"" if one.eof else b""
            long = not one.eof and len(held) >= left
        except Exception as exc:  # of Zstandard's own class too, which need not be there
            if not isinstance(exc, _UNREADABLE) and type(exc).__name__ != "ZstdError":
                raise
            held, rest, long = _before_damage(value, make, left), b"", False
            if nothing and name and not held:
                raise Damaged(f"a stream of {name} that cannot be read") from exc
            if not name and len(held) < _TELLING:
                return b""
        nothing = nothing and not held
        if held:
            yield held
        left -= len(held)
        if long or (rest and left <= 0):
            raise Shut("a compressed stream of more than 16 MB")
        rest = rest.lstrip(b"\0")
        if rest[:3] != value[:3]:
            return rest
        value = rest
    return b""


def _before_damage(value: bytes, make: Callable[[], Any], left: int) -> bytes:
    one, held = make(), bytearray()
    end = max(0, len(value) - _PIECE) // _PIECE * _PIECE
    try:
        for at in (*range(0, end, _PIECE), *range(end, len(value))):
            held += one.decompress(value[at : at + (_PIECE if at < end else 1)], left - len(held))
            if len(held) >= left:
                break
    except Exception:  # noqa: BLE001, S110 - that it is damaged is known
        pass
    return bytes(held)


def _caught(held: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from held
    except _UNREADABLE:
        return


def _old_blocks(value: bytes) -> Iterator[bytes]:
    """LZ4 as it was first written: blocks of 8 MB, each behind its size."""
    at, left = 4, _MOST
    while at + 4 <= len(value) and left > 0:
        size = struct.unpack_from("<I", value, at)[0]
        held = _block(value[at + 4 : at + 4 + size], 8 << 20)
        yield held
        at, left = at + 4 + size, left - len(held)


def _blocks(value: bytes, at: int) -> Iterator[bytes]:
    """A block of LZ4 that stands behind its size, which ends at a place."""
    yield _block(value[at:], struct.unpack_from("<I", value, at - 4)[0])


def _block(value: bytes, size: int) -> bytes:
    return bytes(lz4.block.decompress(value, uncompressed_size=min(size, _MOST)))


def _members(value: bytes) -> Iterator[bytes]:
    """The files of a ZIP archive; one that cannot be read keeps none of the others."""
    left, shut = _MOST, ""
    try:
        archive = zipfile.ZipFile(io.BytesIO(value))
    except _UNREADABLE as exc:
        raise Damaged("a ZIP archive that cannot be read") from exc
    with archive:
        for member in archive.infolist():
            held = b""
            try:
                with archive.open(member) as opened:
                    held = opened.read(left)
                    shut = shut or ("a ZIP archive of more than 16 MB" if opened.read(1) else "")
            except _UNREADABLE:
                shut = "an encrypted ZIP archive" if member.flag_bits & 1 else "a ZIP archive that cannot be read"
            left -= len(held)
            yield member.filename.encode("utf-8", "surrogateescape") + b"\n" + held
    if shut:
        raise Shut(shut)


def _of_pdf(value: bytes) -> Iterator[bytes]:
    """The streams of a PDF, letters that are moved closer put together."""
    shut = ""
    for match in _STREAM.finditer(value):
        if value[match.end() : match.end() + 1] != b"\x78":
            continue
        for held in _frames(value[match.end() :], zlib.decompressobj, ""):
            yield held
            if (joined := _KERNED.sub(b"", held)) != held:
                yield joined
            shut = shut or closed(b"%PDF" + held)
    if shut:
        raise Shut(shut)
