"""Payload indexes: the engine made them from payloads, and what stands in them is searched as values.

    values_to_points.bin, vocab.dat      hash maps from values (words) to points (numbers of words)
    point_to_values.bin                  values by point
    data.bin                             value, uint32 point, padding; sorted
    histogram_borders.bin                uint64 count, then value, uint32 point, twice uint64
    counts_per_hash.bin, points_map.bin  uint64 geohash, twice uint32; points_map_ids.bin: uint32
    postings.dat                         uint64 words, 32 zeros; per word where its points begin and in what parts
    point_to_tokens_count.dat            uint64 per point
    prefix_index.bin                     "QdrPrfx", sizes; per block its size and first key; the keys, each with what it
                                         shares with the one before
    deleted.bin, deleted_mask.bin        points without a value: bits, or a stored bit mask
    a Gridstore                          numbers, or a CBOR list of texts, or a CBOR map of a list of words

Read from Qdrant 1.13 to 1.19 (`lib/segment/src/index/field_index`, `lib/posting_list`).
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from envclone.models import ByteClass, Values
from envclone.stores.qdrant.account import cbor
from envclone.stores.qdrant.account.claims import Claims, Damaged
from envclone.stores.qdrant.account.containers import (
    Decode,
    bitmask,
    bits,
    block_index,
    hash_map,
    point_values,
    spelled,
    text,
)
from envclone.stores.qdrant.account.gridstores import Shares

__all__ = ["FILES", "Index", "read_file", "stored"]

_DERIVED, _STRUCTURE = ByteClass.DERIVED, ByteClass.STRUCTURE
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK_LEN = 128
_POSTING = np.dtype(
    [
        ("offset", "<u8"),
        ("chunks", "<u4"),
        ("ids", "<u4"),
        ("padding", "u1"),
        ("rest", "u1"),
        ("zero", "<u2"),
        ("more", "<u4"),
    ]
)
_BLOCK = np.dtype([("size", "<u4"), ("keys", "<u4"), ("first", "<u4"), ("zero", "<u4"), ("points", "<u8")])


def _integer(data: bytes) -> str:
    return str(int.from_bytes(data, "little", signed=True))


def _float(data: bytes) -> str:
    (number,) = struct.unpack("<d", data)
    return str(int(number)) if number.is_integer() else repr(number)


def _moment(data: bytes) -> str:
    try:
        return (_EPOCH + timedelta(microseconds=int.from_bytes(data, "little", signed=True))).isoformat()
    except OverflowError:
        return ""


def _uuid(data: bytes) -> str:
    return str(uuid.UUID(int=int.from_bytes(data, "little")))


def _place(data: bytes) -> str:
    return ""  # a point on the earth has no spelling that somebody is found by


_BY_SCHEMA: dict[str, tuple[Decode | None, int]] = {
    "keyword": (None, 0),
    "text": (None, 0),
    "integer": (_integer, 8),
    "float": (_float, 8),
    "datetime": (_moment, 8),
    "uuid": (_uuid, 16),
    "geo": (_place, 16),
    "bool": (_place, 8),
}


@dataclass(frozen=True, slots=True)
class Index:
    """One key's index in a segment: its type, where it is in words, the field, and the segment's number of points."""

    schema: str
    place: str
    field: str
    points: int

    @property
    def decode(self) -> Decode | None:
        """What makes a text of a stored value; None for texts. Raises Damaged when the type is not known."""
        return self._known[0]

    @property
    def width(self) -> int:
        """The bytes of a stored value that is not text."""
        return self._known[1]

    @property
    def _known(self) -> tuple[Decode | None, int]:
        if self.schema not in _BY_SCHEMA:
            raise Damaged("the type of the index is not known")
        return _BY_SCHEMA[self.schema]

    def values(self, texts: list[bytes]) -> Values:
        """Values of the index, to be searched."""
        numbers = self.schema in ("integer", "float")
        return Values(self.place, texts, (self.field,), copies=False, numbers=numbers)


def stored(index: Index) -> Callable[[list[int], list[bytes]], tuple[list[Shares], list[Values]]]:
    """What reads the values of an index's Gridstore."""

    def read(points: list[int], values: list[bytes]) -> tuple[list[Shares], list[Values]]:
        found: set[bytes] = set()
        for value in values:
            if index.decode is None:
                found.update(one.encode() for one in cbor.texts(value))
            elif len(value) % index.width:
                raise Damaged("a value of the index has no whole numbers")
            else:
                found.update(spelled(value, index.decode, index.width))
        return [(0, 0, len(value)) for value in values], [index.values(sorted(found))]

    return read


def _entries(claims: Claims, index: Index) -> None:
    claims.values.append(index.values(hash_map(claims, index.decode, 4)))


def _values(claims: Claims, index: Index) -> None:
    claims.values.append(index.values(point_values(claims, index.decode, index.width)))


def _pairs(claims: Claims, index: Index) -> None:
    """Value, point, padding: 16 bytes for a number, 32 for a UUID."""
    decode, width = index.decode, index.width
    if decode is None or claims.size % (2 * width):
        raise Damaged("its size does not fit its values")
    table = claims.array(
        [("value", f"V{width}"), ("point", "<u4"), ("zero", f"V{width - 4}")], 0, claims.size // 2 // width
    )
    starts = np.arange(len(table), dtype=np.int64) * 2 * width
    claims.claim_many(_DERIVED, starts, np.full(len(table), width + 4))
    claims.values.append(index.values(spelled(table["value"].tobytes(), decode, width)))


def _borders(claims: Claims, index: Index) -> None:
    decode, width = index.decode, index.width
    count = claims.number(0)
    row = width + 20
    if decode is None or claims.size != 8 + count * row:
        raise Damaged("its size does not fit its values")
    table = claims.array([("value", f"V{width}"), ("rest", "V20")], 8, count)
    claims.claim(_DERIVED, 0, claims.size)
    claims.values.append(index.values(spelled(table["value"].tobytes(), decode, width)))


def _rows(width: int) -> Callable[[Claims, Index], None]:
    def read(claims: Claims, index: Index) -> None:
        if claims.size % width:
            raise Damaged("its size does not fit its rows")
        claims.claim(_DERIVED, 0, claims.size)

    return read


def _token_counts(claims: Claims, index: Index) -> None:
    claims.claim(_DERIVED, 0, min(claims.size, 8 * index.points))


def _deleted(claims: Claims, index: Index) -> None:
    bits(claims, 0, min(index.points, 8 * claims.size))


def _mask(claims: Claims, index: Index) -> None:
    bitmask(claims)


def _firsts(claims: Claims, index: Index) -> None:
    """The first elements of blocks of a sorted array, whose own file tells their values."""
    block_index(claims)


def _postings(claims: Claims, index: Index) -> None:
    """Which points hold a word; with positions each point takes four bytes more."""
    count = claims.number(0)
    heads = claims.array(_POSTING, 40, count)
    begin = heads["offset"].astype(np.int64)
    for more in (0, 4):
        size = 4 + heads["chunks"] * np.int64(8 + more * _CHUNK_LEN) + heads["rest"] * np.int64(4 + more)
        size = size + heads["ids"] + heads["more"] + heads["padding"]
        ends = begin + size
        if not count or (int(ends[-1]) == claims.size and (ends[:-1] == begin[1:]).all()):
            claims.claim(_STRUCTURE, 0, 8)
            claims.claim(_STRUCTURE, 40, count * _POSTING.itemsize)
            claims.claim_many(_DERIVED, begin, size)
            return
    raise Damaged("its lists do not follow one another")


def _prefixes(claims: Claims, index: Index) -> None:
    """Keys that share their beginnings, in blocks."""
    if claims.read(0, 8) != b"QdrPrfx\0" or claims.number(8, 4) != 1:
        raise Damaged("it is not an index of beginnings that is known")
    blocks, size = claims.number(24), claims.number(32)
    heads = claims.read(40, size)
    body = claims.read(40 + size, claims.size - 40 - size)
    found: set[bytes] = set()
    position = at = 0
    for _ in range(min(blocks, len(heads))):
        block = np.frombuffer(heads, _BLOCK, 1, position) if position + 24 <= len(heads) else None
        if block is None:
            raise Damaged("a block of keys breaks off")
        position += 24 + int(block["first"][0])
        end = at + int(block["size"][0])
        key = b""
        for _ in range(min(int(block["keys"][0]), len(body))):
            shared, own = (int.from_bytes(body[at + 4 * n : at + 4 * n + 4], "little") for n in range(2))
            if at + 12 + own > len(body) or shared > len(key):
                raise Damaged("a key breaks off")
            key = key[:shared] + body[at + 12 : at + 12 + own]
            found.add(text(key))
            at += 12 + own
        if at != end:
            raise Damaged("a block of keys does not end where it should")
    claims.claim(_STRUCTURE, 0, 40)
    claims.claim(_DERIVED, 40, position)
    claims.claim(_DERIVED, 40 + size, at)
    claims.values.append(index.values(sorted(found)))


FILES: dict[str, Callable[[Claims, Index], None]] = {
    "values_to_points.bin": _entries,
    "vocab.dat": _entries,
    "point_to_values.bin": _values,
    "data.bin": _pairs,
    "histogram_borders.bin": _borders,
    "counts_per_hash.bin": _rows(16),
    "points_map.bin": _rows(16),
    "points_map_ids.bin": _rows(4),
    "postings.dat": _postings,
    "point_to_tokens_count.dat": _token_counts,
    "prefix_index.bin": _prefixes,
    "deleted.bin": _deleted,
    "deleted_points.dat": _deleted,
    "deleted_mask.bin": _mask,
    "data_block_index.bin": _firsts,
    "counts_per_hash_block_index.bin": _firsts,
    "points_map_block_index.bin": _firsts,
}


def read_file(name: str, claims: Claims, index: Index) -> None:
    """Account for one file of an index. Raises Damaged."""
    FILES[name](claims, index)
