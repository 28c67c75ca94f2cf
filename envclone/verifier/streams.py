"""Compressed streams and files: what they hold, as far as it can be read, up to 16 MB each.

Zstandard is loaded when a value needs it; where it cannot be, such a value is refused.
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
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

import lz4.block
import lz4.frame

from envclone.errors import UnsafeError

__all__ = ["files"]

_MOST = 1 << 24
"""Bytes of what a compressed value holds that are looked at."""
_STREAM = re.compile(rb"stream\r?\n")
_LZ4, _LZ4_OLD, _MOZILLA = b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18", b"mozLz40\0"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPED = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18", re.DOTALL)
"""A frame of Zstandard or LZ4 that holds nothing of the stream."""
_LZMA = b"\x5d\x00\x00"
_UNREADABLE = (
    OSError, EOFError, ValueError, RuntimeError, MemoryError, struct.error, zlib.error, lzma.LZMAError,
    zipfile.BadZipFile, lz4.block.LZ4BlockError,
)  # fmt: skip


def files(value: bytes) -> Iterator[bytes]:
    """What a compressed file holds, as far as it can be read; nothing of what is none."""
    try:
        if value.startswith(b"\x1f\x8b\x08"):
            yield zlib.decompressobj(31).decompress(value, _MOST)
        elif value[:1] == b"\x78" and value[1:2] in (b"\x01", b"\x5e", b"\x9c", b"\xda"):
            yield zlib.decompressobj().decompress(value, _MOST)
        elif value.startswith(b"BZh"):
            yield bz2.BZ2Decompressor().decompress(value, _MOST)
        elif value.startswith(b"\xfd7zXZ\x00"):
            yield lzma.LZMADecompressor(memlimit=1 << 28).decompress(value, _MOST)
        elif value.startswith(_LZMA):
            yield lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=1 << 28).decompress(value, _MOST)
        elif value.startswith(_ZSTD):
            yield from _of_zstd(value)
        elif value.startswith(_LZ4):
            yield from _in_frames(value, lz4.frame.LZ4FrameDecompressor)
        elif value.startswith(_LZ4_OLD):
            yield from _old_blocks(value)
        elif value.startswith(_MOZILLA):
            yield _block(value[len(_MOZILLA) + 4 :], struct.unpack_from("<I", value, len(_MOZILLA))[0])
        elif _SKIPPED.match(value):
            end = 8 + struct.unpack_from("<I", value, 4)[0]
            yield from files(value[end:]) if end < len(value) else ()
        elif value.startswith(b"PK\x03\x04"):
            yield from _members(value)
        elif value.startswith(b"%PDF"):
            for match in _STREAM.finditer(value):
                if value[match.end() : match.end() + 1] == b"\x78":
                    yield zlib.decompressobj().decompress(value[match.end() :], _MOST)
    except _UNREADABLE:
        return


def _of_zstd(value: bytes) -> Iterator[bytes]:
    """What frames of Zstandard hold. Raises UnsafeError where nothing reads them: nobody would know what is in them."""
    decoder = _zstd()
    if decoder is None:
        raise UnsafeError(
            "a value is a stream of Zstandard, which cannot be read here",
            hint="pip install backports-zstd",
        )
    try:
        yield from _in_frames(value, decoder.ZstdDecompressor)
    except decoder.ZstdError:
        return


@cache
def _zstd() -> Any:
    """Python's own module from 3.14 on, before that the package; None where it is not installed."""
    try:
        return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    except ModuleNotFoundError:
        return None


def _in_frames(value: bytes, make: Any) -> Iterator[bytes]:
    """What stands in one frame behind the other."""
    left = _MOST
    while value and left > 0:
        one = make()
        held = one.decompress(value, left)
        yield held
        left -= len(held)
        value = one.unused_data or b"" if one.eof else b""


def _old_blocks(value: bytes) -> Iterator[bytes]:
    """LZ4 as it was first written: blocks of 8 MB, each behind its size."""
    at, left = 4, _MOST
    while at + 4 <= len(value) and left > 0:
        size = struct.unpack_from("<I", value, at)[0]
        held = _block(value[at + 4 : at + 4 + size], 8 << 20)
        yield held
        at, left = at + 4 + size, left - len(held)


def _block(value: bytes, size: int) -> bytes:
    return bytes(lz4.block.decompress(value, uncompressed_size=min(size, _MOST)))


def _members(value: bytes) -> Iterator[bytes]:
    left = _MOST
    with zipfile.ZipFile(io.BytesIO(value)) as archive:
        for member in archive.infolist():
            with archive.open(member) as opened:
                held = opened.read(left)
            left -= len(held)
            yield member.filename.encode() + b"\n" + held
