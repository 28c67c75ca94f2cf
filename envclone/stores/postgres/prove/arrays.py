"""Arrays of any type, as a value of one stands in a page: where its elements are, and of which type they are.

`body` is the value behind its header (`src/include/utils/array.h`).
"""

from __future__ import annotations

import math
import struct

__all__ = ["elements", "is_array", "kind_of"]

_MOST = 6
"""Dimensions (MAXDIM)."""


def is_array(body: bytes) -> bool:
    """Whether a value can be an array: no text can, for it would hold zeros."""
    if len(body) == 12:
        dimensions, offset, kind = struct.unpack("<iiI", body)
        return bool(dimensions == 0 and offset == 0 and kind > 0)
    if len(body) < 20:
        return False
    dimensions, offset, kind = struct.unpack_from("<iiI", body)
    if not 0 < dimensions <= _MOST or kind == 0 or len(body) < 12 + 8 * dimensions:
        return False
    sizes = struct.unpack_from(f"<{dimensions}i", body, 12)
    room = 8 * (offset - 16 - 8 * dimensions) if offset else 8 * len(body)
    return bool(min(sizes) > 0 and math.prod(sizes) <= room)


def kind_of(body: bytes) -> int:
    """The oid of the type of an array's elements; where these are arrays, of the elements of the first one. 0 for
    what is no array."""
    for _ in range(_MOST):
        if len(body) < 12:
            return 0
        held = elements(body)
        if not held or not is_array(body[slice(*held[0])]):
            return int.from_bytes(body[8:12], "little")
        body = body[slice(*held[0])]
    return 0


def elements(body: bytes) -> list[tuple[int, int]] | None:
    """Where the elements of an array of texts or other values of variable length stand; None when it is no such one."""
    try:
        return _elements(body)
    except struct.error:
        return None


def _elements(body: bytes) -> list[tuple[int, int]] | None:
    dimensions, offset, _ = struct.unpack_from("<iiI", body)
    if not 0 < dimensions <= _MOST:
        return None
    sizes = struct.unpack_from(f"<{dimensions}i", body, 12)
    count, bitmap = math.prod(sizes), 12 + 8 * dimensions
    if count < 1 or min(sizes) < 1 or count > 8 * len(body):
        return None
    there = [True] * count
    if offset:
        there = [bool(body[bitmap + (i >> 3)] >> (i & 7) & 1) for i in range(min(count, 8 * (len(body) - bitmap)))]
    at = offset or (4 + bitmap + 7) & ~7
    found = []
    for _ in range(sum(there)):
        at = (at + 3) & ~3
        (word,) = struct.unpack_from("<I", body, at - 4)
        if word & 3 or word >> 2 < 4 or at - 4 + (word >> 2) > len(body):
            return None
        found.append((at, at - 4 + (word >> 2)))
        at += word >> 2
    return found if len(body) - (at - 4) < 8 else None
