"""The containers that several kinds of Qdrant files share: hash maps, values by point, bit masks, block indexes.

    hash map         8 bytes type of key, uint64 where the buckets begin, uint64 how many; a perfect hash function;
                     zeros to a multiple of 4,096; one uint64 per key: where its entry begins behind the buckets; the
                     entries: key (a text ends with 0xFF), uint32 count, that many values, each part aligned
    values by point  uint64 where the ranges begin, uint64 points; zeros to 4,096; per point uint64 start and count;
                     then the values: numbers, or texts behind a uint32 length
    bit mask         "QBMK", uint32 version, uint64 bits, uint32 encoding, uint32 0, uint64 bytes; words or Roaring map
    block index      "QdrntSBI", uint32 version, uint32 width, uint32 per block, uint32 0, uint64 count; the first
                     element of each block

All integers are little-endian (`lib/common/common`, `lib/segment/src/index/field_index`; the perfect hash function is
`fmph` of the crate ph; Roaring is its portable format).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from envclone.models import ByteClass
from envclone.stores.qdrant.account.claims import Claims, Damaged

__all__ = ["Decode", "bitmask", "bits", "block_index", "hash_map", "point_values", "spelled", "text"]

Decode = Callable[[bytes], str]
"""What makes a text of a stored number."""

_TEXT_END = 0xFF
_HEADER = 24
_RANGE = np.dtype([("start", "<u8"), ("count", "<u8")])
_WORDS, _ONES, _ZEROS = range(3)
_PLAIN_COOKIE, _RUN_COOKIE = 12346, 12347


def text(data: bytes) -> bytes:
    """A stored text, which must be UTF-8."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise Damaged("a text is not UTF-8") from None
    return data


def hash_map(claims: Claims, decode: Decode | None, width: int) -> list[bytes]:
    """A map from texts (with `decode`: from 8 or 16 bytes) to values of `width` bytes; returns the keys as texts."""
    kind = claims.read(0, 8).rstrip(b"\0")
    fixed = {b"str": 0, b"i64": 8, b"u128": 16}.get(kind)
    if fixed is None or (decode is None) != (fixed == 0):
        raise Damaged("its keys have a type that is not known")
    buckets, count = claims.number(8), claims.number(16)
    claims.claim(ByteClass.STRUCTURE, 0, _hash_function(claims))
    offsets = claims.array("<u8", buckets, count)
    claims.claim(ByteClass.STRUCTURE, buckets, 8 * count)
    base, align = buckets + 8 * count, max(fixed, 1)
    found: list[bytes] = []
    starts, lengths = [], []
    rest = claims.read(base, claims.size - base)
    for offset in np.sort(offsets).tolist():
        if offset % align or offset >= len(rest):
            raise Damaged("an entry lies outside of it")
        end = rest.find(_TEXT_END, offset) if not fixed else offset + fixed
        if not offset <= end <= len(rest):
            raise Damaged("a key breaks off")
        found.append(text(rest[offset:end]) if decode is None else decode(rest[offset:end]).encode())
        position = offset + -(-(end - offset + (not fixed)) // width) * width
        many = int.from_bytes(rest[position : position + 4], "little")
        position += -(-4 // width) * width + many * width
        starts.append(base + offset)
        lengths.append(position - offset)
    claims.claim_many(ByteClass.DERIVED, starts, lengths)
    return found


def _hash_function(claims: Claims) -> int:
    """The end of the perfect hash function: a count of levels, their sizes in 8-byte words, then the words."""
    limit = claims.number(8)
    head = claims.read(_HEADER, min(4096, max(limit - _HEADER, 0)))
    levels, position = _variable(head, 0)
    words = 0
    for _ in range(min(levels, len(head) + 1)):
        size, position = _variable(head, position)
        words += size
    end = _HEADER + position + 8 * words
    if end > limit:
        raise Damaged("its hash function goes on into the entries")
    return end


def _variable(data: bytes, position: int) -> tuple[int, int]:
    """An integer of seven bits a byte, the lowest first."""
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
    raise Damaged("a number in it breaks off")


def point_values(claims: Claims, decode: Decode | None, width: int) -> list[bytes]:
    """The values of every point: texts, or (with `decode`) values of `width` bytes; returns the different ones."""
    begin, points = claims.number(0), claims.number(8)
    ranges = claims.array(_RANGE, begin, points)
    claims.claim(ByteClass.STRUCTURE, 0, 16)
    claims.claim(ByteClass.STRUCTURE, begin, 16 * points)
    base = begin + 16 * points
    total = int(ranges["count"].astype(np.float64).sum())
    if total > claims.size:
        raise Damaged("it counts more values than it has bytes")
    if decode is not None:
        claims.claim(ByteClass.DERIVED, base, width * total)
        return spelled(claims.read(base, width * total), decode, width)
    rest = claims.read(base, claims.size - base)
    found: set[bytes] = set()
    position = 0
    for _ in range(total):
        length = int.from_bytes(rest[position : position + 4], "little")
        end = position + 4 + length
        if end > len(rest):
            raise Damaged("a text goes on behind it")
        found.add(rest[position + 4 : end])
        position = end
    claims.claim(ByteClass.DERIVED, base, position)
    return [text(value) for value in sorted(found)]


def spelled(data: bytes, decode: Decode, width: int) -> list[bytes]:
    """The different texts that items of `width` bytes are; one that is none is left out."""
    items = {data[start : start + width] for start in range(0, len(data), width)}
    return sorted({text.encode() for text in map(decode, items) if text})


def bits(claims: Claims, start: int, count: int, kind: ByteClass = ByteClass.STRUCTURE) -> None:
    """So many bits from a byte on; those behind them in the last byte are zero, or it is Damaged."""
    whole, odd = divmod(count, 8)
    if start + whole > claims.size:
        raise Damaged("it is shorter than its points")
    claims.claim(kind, start, whole)
    if odd and start + whole < claims.size:
        if claims.number(start + whole, 1) >> odd:
            raise Damaged("a bit is set behind its points")
        claims.claim(kind, start + whole, 1)


def bitmask(claims: Claims, kind: ByteClass = ByteClass.STRUCTURE) -> None:
    """A stored bit mask: words, or a Roaring map of the bits that are set or not."""
    if claims.read(0, 4) != b"QBMK" or claims.number(4, 4) != 1:
        raise Damaged("it is not a bit mask that is known")
    count, encoding, size = claims.number(8), claims.number(16, 4), claims.number(24)
    if 32 + size > claims.size:
        raise Damaged("it ends before its bits")
    if encoding == _WORDS:
        bits(claims, 32, min(count, 8 * size), kind)
    elif encoding in (_ONES, _ZEROS):
        if _roaring(claims.read(32, size)) != size:
            raise Damaged("its bits are not a Roaring map")
        claims.claim(kind, 32, size)
    else:
        raise Damaged("its bits have an encoding that is not known")
    claims.claim(ByteClass.STRUCTURE, 0, 20)
    claims.claim(ByteClass.STRUCTURE, 24, 8)


def _roaring(data: bytes) -> int:
    """How many bytes of `data` a Roaring map takes up."""
    cookie = int.from_bytes(data[:4], "little")
    if cookie == _PLAIN_COOKIE:
        count, position, runs = int.from_bytes(data[4:8], "little"), 8, b""
    elif cookie & 0xFFFF == _RUN_COOKIE:
        count = (cookie >> 16) + 1
        runs = data[4 : 4 + -(-count // 8)]
        position = 4 + len(runs)
    else:
        raise Damaged("its bits are not a Roaring map")
    if count > 65536 or position + 4 * count > len(data):
        raise Damaged("its Roaring map breaks off")
    cards = np.frombuffer(data, "<u2", 2 * count, position)[1::2].astype(np.int64) + 1
    position += 4 * count
    position += 4 * count if not runs or count >= 4 else 0
    for number, card in enumerate(cards.tolist()):
        if runs and runs[number // 8] >> number % 8 & 1:
            position += 2 + 4 * int.from_bytes(data[position : position + 2], "little")
        else:
            position += 2 * card if card <= 4096 else 8192
    return position


def block_index(claims: Claims) -> tuple[int, Any]:
    """The first element of each block of a sorted array; returns the width of one and their bytes."""
    if claims.read(0, 8) != b"QdrntSBI" or claims.number(8, 4) != 1:
        raise Damaged("it is not a block index that is known")
    width, per, count = claims.number(12, 4), claims.number(16, 4), claims.number(24)
    if not width or not per:
        raise Damaged("it is not a block index that is known")
    blocks = -(-count // per)
    rows = claims.array(f"V{width}", 32, blocks)
    claims.claim(ByteClass.STRUCTURE, 0, 20)
    claims.claim(ByteClass.STRUCTURE, 24, 8)
    claims.claim(ByteClass.DERIVED, 32, width * blocks)
    return width, rows
