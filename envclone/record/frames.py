"""How a recording lies on disk: records one behind the other, each with its length and a checksum.

A record is a header (mark, length, checksum, kind, request, number in the request) and JSON. A file that ends in the
middle of a record, because its process was killed, lacks that record and nothing else.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

__all__ = ["ABOUT", "ASKED", "CALL", "END", "FLAG", "HEADER", "LARGEST", "LOST", "MARK", "NAMES", "START", "Head",
           "head", "packed", "whole"]  # fmt: skip

MARK = b"ECR1"
HEADER = struct.Struct("<4sIIB16sI")
LARGEST = 16 << 20
"""The most bytes of a record's JSON."""

ABOUT, START, ASKED, CALL, END, FLAG, LOST = range(7)
"""What is known of the process; a request began; its body; a call of it; its end; a flag; records that were dropped."""
NAMES = ("about", "start", "asked", "call", "end", "flag", "lost")
_REST = struct.Struct("<IB16sI")


class Head(NamedTuple):
    """A record's header."""

    length: int
    checksum: int
    kind: int
    request: bytes
    number: int


def packed(kind: int, request: bytes, number: int, payload: bytes) -> bytes:
    """A record's bytes."""
    number &= 0xFFFFFFFF
    rest = _REST.pack(len(payload), kind, request, number)
    return HEADER.pack(MARK, len(payload), zlib.crc32(payload, zlib.crc32(rest)), kind, request, number) + payload


def head(data: bytes) -> Head | None:
    """A header out of its bytes; None when they are none."""
    if len(data) < HEADER.size:
        return None
    mark, length, checksum, kind, request, number = HEADER.unpack_from(data)
    if mark != MARK or length > LARGEST or kind >= len(NAMES):
        return None
    return Head(length, checksum, kind, request, number)


def whole(found: Head, payload: bytes) -> bool:
    """Whether these are the bytes that were written."""
    rest = _REST.pack(found.length, found.kind, found.request, found.number)
    return len(payload) == found.length and zlib.crc32(payload, zlib.crc32(rest)) == found.checksum
