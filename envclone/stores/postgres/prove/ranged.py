"""What ranges, and sets of ranges, say: the texts of their bounds."""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator, Iterator

from envclone.stores.postgres.write.inplace.codecs import codec_for

__all__ = ["range_reader"]

_EMPTY, _LOWER_INFINITE, _UPPER_INFINITE, _LOWER_NULL, _UPPER_NULL = 0x01, 0x08, 0x10, 0x20, 0x40
_HEADER = 4
"""Bytes of the header that bodies come without, from which alignment counts."""
_ELEMENTS = {
    "int4": ("int4", 4, 4),
    "int8": ("int8", 8, 8),
    "num": ("numeric", -1, 4),
    "ts": ("timestamp", 8, 8),
    "tstz": ("timestamptz", 8, 8),
    "date": ("date", 4, 4),
}
_BY_OID = {
    3904: "int4range",
    3906: "numrange",
    3908: "tsrange",
    3910: "tstzrange",
    3912: "daterange",
    3926: "int8range",
}
Texts = list[str | bytes]


def range_reader(base: str) -> Callable[[bytes], Texts] | None:
    """How a type of ranges of the server's own is read, by its name; None for any other type."""
    many = base.endswith("multirange")
    name = base.removesuffix("multirange" if many else "range")
    if base == "anyrange":
        return _any
    if name == base or name not in _ELEMENTS:
        return None
    element, length, unit = _ELEMENTS[name]
    codec = codec_for(element, -1, None)
    assert codec is not None
    decode = codec.decode

    def read(body: bytes) -> Texts:
        bounds = _of_many(body, length, unit) if many else _of_one(body, length, unit)
        return [decode(body[start:end]) for start, end in bounds]

    return read


def _any(body: bytes) -> Texts:
    """A range that says its type: GiST keeps one for each set of ranges."""
    read = range_reader(_BY_OID.get(struct.unpack_from("<I", body)[0], ""))
    if read is None:
        raise ValueError("the type of a range is not known")
    return read(body)


def _of_one(body: bytes, length: int, unit: int) -> Iterator[tuple[int, int]]:
    """Bounds of a range (`utils/adt/rangetypes.c`): its type, its bounds, its flags in the last byte."""
    at = yield from _bounds(body, _HEADER, len(body) - 1, [body[-1]], length, unit)
    if at != len(body) - 1:
        raise ValueError("a range does not end where it must")


def _of_many(body: bytes, length: int, unit: int) -> Iterator[tuple[int, int]]:
    """Bounds of a multirange (`utils/adt/multirangetypes.c`): its type, how many, places, flags, bounds."""
    (count,) = struct.unpack_from("<I", body, 4)
    if not count:
        return
    flags = 8 + 4 * (count - 1)
    if count > len(body) or flags + count > len(body):
        raise ValueError("a set of ranges runs over its end")
    yield from _bounds(body, _aligned(flags + count, unit), len(body), body[flags : flags + count], length, unit)


def _bounds(
    body: bytes, at: int, end: int, flags: bytes | list[int], length: int, unit: int
) -> Generator[tuple[int, int], None, int]:
    for flag in flags:
        none = flag & _EMPTY
        for missing in (_LOWER_INFINITE | _LOWER_NULL, _UPPER_INFINITE | _UPPER_NULL):
            if none or flag & missing:
                continue
            start, at = _bound(body, at, length, unit)
            if at > end:
                raise ValueError("a bound runs over its range")
            yield start, at
    return at


def _bound(body: bytes, at: int, length: int, unit: int) -> tuple[int, int]:
    if length > 0:
        at = _aligned(at, unit)
        return at, at + length
    if at < len(body) and body[at] & 1:
        return at + 1, at + (body[at] >> 1)
    at = _aligned(at, unit)
    (word,) = struct.unpack_from("<I", body, at)
    if word & 3 or word >> 2 < 4:
        raise ValueError("a bound is not stored as it must be")
    return at + 4, at + (word >> 2)


def _aligned(at: int, unit: int) -> int:
    return (at + _HEADER + unit - 1) // unit * unit - _HEADER
