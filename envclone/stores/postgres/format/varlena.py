"""Values of variable length, as they stand in a tuple: short, long, compressed, or a pointer to TOAST."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum

from envclone.errors import UnsafeError
from envclone.stores.postgres.format import pglz

__all__ = ["Form", "Pointer", "Varlena", "compressed", "expand", "parse", "pointer", "short_or_long", "shrink"]

_SIZE_BITS = 0x3FFFFFFF
_ON_DISK = 18
_HEADER = 4
_SHORTEST = 127


class Form(Enum):
    """How a value is stored (`src/include/varatt.h`)."""

    SHORT = "short"
    """1-byte header, at most 126 bytes, unaligned"""
    LONG = "long"
    """4-byte header"""
    COMPRESSED = "compressed"
    """4-byte header, then 4 bytes of raw size and method, then the stream"""
    EXTERNAL = "external"
    """a pointer of 18 bytes to chunks in the TOAST table"""


@dataclass(frozen=True, slots=True)
class Varlena:
    """One value's form, where its body begins in the tuple, the body's length, and where the value ends (bytes)."""

    form: Form
    start: int
    length: int
    end: int


@dataclass(frozen=True, slots=True)
class Pointer:
    """A TOAST pointer: raw and stored size of the value in bytes (without headers), method, value and table id."""

    raw_size: int
    stored_size: int
    method: int
    value: int
    table: int

    def datum(self) -> bytes:
        """The pointer as it stands in a tuple."""
        info = self.stored_size | self.method << 30
        return struct.pack("<BBiIII", 1, _ON_DISK, self.raw_size + _HEADER, info, self.value, self.table)

    @property
    def compressed(self) -> bool:
        """Whether the chunks hold a compressed stream, which then begins with a size word of its own."""
        return self.stored_size < self.raw_size


def parse(data: bytes | memoryview, position: int) -> Varlena:
    """The value whose header stands at `position`; padding before an aligned header is skipped by the caller."""
    first = data[position]
    if first == 1:
        tag = data[position + 1]
        if tag != _ON_DISK:
            raise UnsafeError(f"a value on disk has the unknown TOAST tag {tag}")
        return Varlena(Form.EXTERNAL, position + 2, 16, position + 18)
    if first & 1:
        size = first >> 1
        return Varlena(Form.SHORT, position + 1, size - 1, position + size)
    (word,) = struct.unpack_from("<I", data, position)
    size = word >> 2
    form = Form.COMPRESSED if word & 2 else Form.LONG
    if size < _HEADER or position + size > len(data):
        raise UnsafeError("a value runs over the end of its tuple", hint="check production with pg_amcheck")
    return Varlena(form, position + _HEADER, size - _HEADER, position + size)


def pointer(body: bytes | memoryview) -> Pointer:
    """The TOAST pointer in the 16 bytes behind its tag."""
    raw, info, value, table = struct.unpack("<iIII", body[:16])
    return Pointer(raw - _HEADER, info & _SIZE_BITS, info >> 30, value, table)


def expand(body: bytes | memoryview) -> bytes:
    """The raw value in a compressed body: the word of raw size (30 bits) and method (2 bits), then the stream.

    Raises UnsafeError for a method other than pglz (0) and lz4 (1), and for a damaged stream.
    """
    (word,) = struct.unpack_from("<I", body, 0)
    raw_size, method, stream = word & _SIZE_BITS, word >> 30, bytes(body[4:])
    if method == 0:
        return pglz.decompress(stream, raw_size)
    if method == 1:
        import lz4.block

        try:
            return bytes(lz4.block.decompress(stream, uncompressed_size=raw_size))
        except lz4.block.LZ4BlockError as exc:
            raise UnsafeError("a value compressed with lz4 is damaged") from exc
    raise UnsafeError(f"a value is compressed with the unknown method {method}")


def shrink(raw: bytes, method: int, *, harder: bool = False) -> bytes | None:
    """A compressed body for `expand` by pglz (0) or lz4 (1), or None when it would not be smaller than `raw`."""
    if method == 0:
        stream = pglz.compress(raw, len(raw) - 5, harder=harder)
    else:
        import lz4.block

        mode = "high_compression" if harder else "default"
        stream = bytes(lz4.block.compress(raw, mode=mode, store_size=False))
    if stream is None or len(stream) + _HEADER >= len(raw):
        return None
    return struct.pack("<I", len(raw) | method << 30) + stream


def short_or_long(raw: bytes, *, packable: bool = True) -> bytes:
    """A plain value with its header: of one byte when that is allowed and enough."""
    if packable and len(raw) + 1 <= _SHORTEST:
        return bytes(((len(raw) + 1) << 1 | 1,)) + raw
    return struct.pack("<I", (len(raw) + _HEADER) << 2) + raw


def compressed(body: bytes) -> bytes:
    """A compressed value with its header, from what `shrink` gave."""
    return struct.pack("<I", (len(body) + _HEADER) << 2 | 2) + body
