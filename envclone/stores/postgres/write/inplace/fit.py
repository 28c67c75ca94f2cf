"""A tuple with other values: made from the old one, and put where its line pointer keeps its number."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from envclone.errors import UnsafeError
from envclone.stores.postgres.format.page import HEADER, NORMAL
from envclone.stores.postgres.format.tuples import Attribute, attributes

__all__ = ["aligned_size", "free_space", "put", "rebuilt", "remove"]

_NATTS, _HAS_NULLS, _HAS_EXTERNAL = 0x07FF, 0x0001, 0x0004
_BITMAP = 23
_ALIGN = {"c": 1, "s": 2, "i": 4, "d": 8}
_DEAD = 3
_ALL_VISIBLE = 0x0004


def aligned_size(size: int) -> int:
    """What an item of `size` bytes takes up in a page (MAXALIGN)."""
    return (size + 7) & ~7


def rebuilt(old: bytes, columns: Sequence[Attribute], new: Mapping[int, bytes | None]) -> bytes:
    """The tuple with the values of `new` (by index; with their headers; None is null), all others as they are.

    The layout is that of `heap_fill_tuple` (`src/backend/access/common/heaptuple.c`). Who made and ended the version,
    and where the next one is, stays as it is. A column that the old tuple does not store cannot be given.
    """
    natts = struct.unpack_from("<H", old, 18)[0] & _NATTS
    values: list[bytes | None] = [None] * natts
    for slot in attributes(old, columns):
        values[slot.index] = old[slot.start : slot.end]
    for index, value in new.items():
        if index >= natts:
            raise UnsafeError("a value was to be written that its row does not store", hint="report this as a bug")
        values[index] = value
    null = [value is None for value in values]
    infomask, hoff = struct.unpack_from("<HB", old, 20)
    head = bytearray(old[:hoff])
    if any(null):
        size = aligned_size(_BITMAP + (natts + 7) // 8)
        if not infomask & _HAS_NULLS:
            head = bytearray(old[:_BITMAP]) + bytes(max(size, hoff) - _BITMAP)
        infomask |= _HAS_NULLS
        for i in range((natts + 7) // 8):
            head[_BITMAP + i] = sum(1 << bit for bit, absent in enumerate(null[8 * i : 8 * i + 8]) if not absent)
    elif infomask & _HAS_NULLS:  # the bitmap stays and says that nothing is null
        for i in range((natts + 7) // 8):
            head[_BITMAP + i] = sum(1 << bit for bit, _ in enumerate(null[8 * i : 8 * i + 8]))
    external = False
    body = bytearray()
    for column, value in zip(columns, values, strict=False):
        if value is None:
            continue
        if column.length == -1 and value[0] & 1:
            external |= value[0] == 1
        else:
            body += bytes(-(len(head) + len(body)) % _ALIGN[column.align])
        body += value
    infomask = infomask | _HAS_EXTERNAL if external else infomask & ~_HAS_EXTERNAL
    struct.pack_into("<HB", head, 20, infomask, len(head))
    return bytes(head + body)


def free_space(page: bytearray | memoryview) -> int:
    """The bytes that are left when a page's items are packed without gaps."""
    lower, special = struct.unpack_from("<H", page, 12)[0], struct.unpack_from("<H", page, 16)[0]
    return int(special - lower - sum(aligned_size(length) for _, _, length in _items(page)))


def put(page: bytearray | memoryview, number: int, tuple_: bytes) -> bool:
    """Give the item of a line pointer (from 1) other bytes; False when the page cannot hold them.

    Where it stands if there is room up to the next item, else the page's items are repacked: an index knows a row by
    its page and line pointer number alone, and those stay.
    """
    at = HEADER + 4 * (number - 1)
    (pointer,) = struct.unpack_from("<I", page, at)
    offset, length = pointer & 0x7FFF, pointer >> 17
    if len(tuple_) <= aligned_size(length):
        page[offset : offset + max(length, len(tuple_))] = tuple_ + bytes(max(length - len(tuple_), 0))
        struct.pack_into("<I", page, at, offset | NORMAL << 15 | len(tuple_) << 17)
        return True
    if free_space(page) < aligned_size(len(tuple_)) - aligned_size(length):
        return False
    _pack(page, number, tuple_)
    return True


def remove(page: bytearray | memoryview, number: int) -> bool:
    """Make a line pointer dead and erase its item, as VACUUM does; True when the page had been all visible before.

    The page's flag is cleared then, and the caller clears the visibility map: such a page has no dead line pointers.
    """
    at = HEADER + 4 * (number - 1)
    (pointer,) = struct.unpack_from("<I", page, at)
    offset, length = pointer & 0x7FFF, pointer >> 17
    page[offset : offset + length] = bytes(length)
    struct.pack_into("<I", page, at, _DEAD << 15)
    (flags,) = struct.unpack_from("<H", page, 10)
    struct.pack_into("<H", page, 10, flags & ~_ALL_VISIBLE)
    return bool(flags & _ALL_VISIBLE)


def _items(page: bytearray | memoryview) -> list[tuple[int, int, int]]:
    """Number, offset and length of every item with storage."""
    (lower,) = struct.unpack_from("<H", page, 12)
    pointers = struct.unpack_from(f"<{(lower - HEADER) // 4}I", page, HEADER)
    return [(i + 1, p & 0x7FFF, p >> 17) for i, p in enumerate(pointers) if p >> 15 & 3 == NORMAL]


def _pack(page: bytearray | memoryview, number: int, tuple_: bytes) -> None:
    (lower,) = struct.unpack_from("<H", page, 12)
    (special,) = struct.unpack_from("<H", page, 16)
    kept = {n: tuple_ if n == number else bytes(page[o : o + length]) for n, o, length in _items(page)}
    order = sorted(_items(page), key=lambda item: -item[1])  # from the end of the page, as they stand
    upper = special
    page[lower:special] = bytes(special - lower)
    for n, _, _ in order:
        data = kept[n]
        upper -= aligned_size(len(data))
        page[upper : upper + len(data)] = data
        struct.pack_into("<I", page, HEADER + 4 * (n - 1), upper | NORMAL << 15 | len(data) << 17)
    struct.pack_into("<H", page, 14, upper)
