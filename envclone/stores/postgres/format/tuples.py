"""Heap tuples: where each attribute of one stands."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from envclone.stores.postgres.format import varlena

__all__ = ["Attribute", "Slot", "attributes", "entry_attributes"]

_NATTS, _HAS_NULLS = 0x07FF, 0x0001
_ALIGN = {"c": 1, "s": 2, "i": 4, "d": 8}
_BITMAP = 23


@dataclass(frozen=True, slots=True)
class Attribute:
    """What `pg_attribute` says of a column: `length` -1 is a varlena, -2 a C string; `align` is c, s, i or d.

    `storage` is p, e, m or x; `typmod` the type's modifier or -1; `base` is the type's name below domains (`text[]`),
    `element` the length and alignment of an array's elements.
    """

    name: str
    type: str
    length: int
    align: str
    dropped: bool = False
    storage: str = "x"
    typmod: int = -1
    nullable: bool = True
    base: str = ""
    element: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """A non-null attribute of one tuple: its index (from 0), where its data start and end, its varlena if it is one."""

    index: int
    start: int
    end: int
    varlena: varlena.Varlena | None = None


def attributes(tuple_: bytes | memoryview, columns: Sequence[Attribute]) -> Iterator[Slot]:
    """The attributes that a tuple stores, nulls left out; offsets count from the tuple's start.

    The layout is that of `heap_deform_tuple` (`src/backend/access/common/heaptuple.c`): the count of attributes in
    `t_infomask2`, the null bitmap from byte 23, data from `t_hoff`; a varlena with a 1-byte header is not aligned,
    which a non-zero byte at the unaligned place tells, for padding is zero.
    """
    infomask2, infomask, hoff = struct.unpack_from("<HHB", tuple_, 18)
    stored = min(infomask2 & _NATTS, len(columns))
    yield from _slots(tuple_, columns[:stored], hoff, _BITMAP if infomask & _HAS_NULLS else None)


def entry_attributes(entry: bytes, columns: Sequence[Attribute], *, nulls: bool) -> Iterator[Slot]:
    """The attributes that an index entry stores (`index_deform_tuple` in `src/backend/access/common/indextuple.c`)."""
    yield from _slots(entry, columns, 16 if nulls else 8, 8 if nulls else None)


def _slots(data: bytes | memoryview, columns: Sequence[Attribute], position: int, bitmap: int | None) -> Iterator[Slot]:
    for index, column in enumerate(columns):
        if bitmap is not None and not data[bitmap + (index >> 3)] >> (index & 7) & 1:
            continue
        unit = _ALIGN[column.align]
        if column.length == -1:
            if data[position] == 0:
                position = -(-position // unit) * unit
            value = varlena.parse(data, position)
            yield Slot(index, position, value.end, value)
            position = value.end
            continue
        position = -(-position // unit) * unit
        start = position
        if column.length == -2:
            while data[position]:
                position += 1
            position += 1
        else:
            position += column.length
        yield Slot(index, start, position)
