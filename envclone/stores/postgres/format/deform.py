"""Where the attributes of many tuples stand, a column at a time: `tuples.attributes` for thousands of rows at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from envclone.errors import UnsafeError
from envclone.stores.postgres.format.tuples import Attribute

__all__ = ["COMPRESSED", "EXTERNAL", "FIXED", "LONG", "SHORT", "Column", "deform"]

FIXED, SHORT, LONG, COMPRESSED, EXTERNAL = range(5)
"""How a value is stored: of fixed length, or one of the forms of `varlena.Form`."""

_ALIGN = {"c": 1, "s": 2, "i": 4, "d": 8}
_NATTS, _HAS_NULLS, _BITMAP = 0x07FF, 0x0001, 23

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute in each of many tuples; where `present` is False it is null or not stored.

    `start` is where the value with its header begins, `body` where its bytes do, `end` where it ends: offsets into the
    array that the tuples lie in. `form` is FIXED, SHORT, LONG, COMPRESSED or EXTERNAL.
    """

    present: npt.NDArray[np.bool_]
    start: Ints
    body: Ints
    end: Ints
    form: npt.NDArray[np.uint8]


def deform(
    flat: npt.NDArray[np.uint8], base: Ints, length: Ints, columns: Sequence[Attribute], wanted: Collection[int]
) -> dict[int, Column]:
    """The `wanted` attributes (indexes from 0) of the tuples at `base`, of `length` bytes, in the bytes `flat`.

    `flat` has a multiple of 8 bytes and tuples begin at multiples of 8. The layout is that of `heap_deform_tuple`
    (`src/backend/access/common/heaptuple.c`). Raises UnsafeError when a value runs over the end of its tuple.
    """
    if not len(base) or not wanted:
        empty = np.zeros(0, dtype=np.int64)
        return {i: Column(empty > 0, empty, empty, empty, empty.astype(np.uint8)) for i in wanted}
    words = flat.view("<u4")
    natts = (flat[base + 18].astype(np.int64) | flat[base + 19].astype(np.int64) << 8) & _NATTS
    nulls = flat[base + 20] & _HAS_NULLS != 0
    some_null = bool(nulls.any())
    position = base + flat[base + 22]  # absolute: a tuple's start is aligned, so alignment counts from 0 as well
    limit = base + length
    bitmap = np.where(nulls, _BITMAP + (natts + 7 >> 3), _BITMAP)
    if (position > limit).any() or (position < base + bitmap).any():
        raise _damaged()
    fewest = int(natts.min())
    found: dict[int, Column] = {}
    for index in range(max(wanted) + 1):
        column = columns[index]
        everywhere = index < fewest and not some_null
        present = np.ones(len(base), dtype=np.bool_) if everywhere else natts > index
        if some_null:
            bit = flat[np.where(nulls & present, base + _BITMAP + (index >> 3), base)] >> (index & 7) & 1
            present &= (bit == 1) | ~nulls
        unit = _ALIGN[column.align]
        start, body, end, form = _place(flat, words, position, limit, present, everywhere, column, unit)
        if (end[present] > limit[present]).any():
            raise _damaged()
        position = end if everywhere else np.where(present, end, position)
        if index in wanted:
            found[index] = Column(present, start, body, end, form)
    return found


def _place(
    flat: npt.NDArray[np.uint8],
    words: npt.NDArray[np.uint32],
    position: Ints,
    limit: Ints,
    present: npt.NDArray[np.bool_],
    everywhere: bool,
    column: Attribute,
    unit: int,
) -> tuple[Ints, Ints, Ints, npt.NDArray[np.uint8]]:
    aligned = (position + (unit - 1)) & -unit if unit > 1 else position
    if column.length >= 0:
        return aligned, aligned, aligned + column.length, np.zeros(len(position), dtype=np.uint8)
    if column.length != -1:
        raise UnsafeError(
            f"the column {column.name} is stored as a C string, which is not rewritten in place",
            hint="set sanitize.method to sql in the stack file",
        )
    # where there is no value nothing may be read: behind the last attribute the page can end
    if (position >= limit)[present].any():
        raise _damaged()
    at = position if everywhere else np.where(present, position, 0)
    start = np.where(flat[at] == 0, aligned if everywhere else np.where(present, aligned, 0), at)
    if (start >= limit)[present].any():
        raise _damaged()
    first = flat[start].astype(np.int64)
    external = first == 1
    short = (first & 1 == 1) & ~external
    word = words[start >> 2].astype(np.int64)
    long = ~(short | external)
    if ((start & 3 != 0) & long & present).any():
        raise _damaged()
    end = start + np.where(short, first >> 1, np.where(external, 18, word >> 2))
    body = start + np.where(short, 1, np.where(external, 2, 4))
    form = np.where(short, SHORT, np.where(external, EXTERNAL, np.where(word & 2 != 0, COMPRESSED, LONG)))
    if ((end < body) & present).any():
        raise _damaged()
    return start, body, end, form.astype(np.uint8)


def _damaged() -> UnsafeError:
    return UnsafeError(
        "a value runs over the end of its tuple", hint="check production with pg_amcheck, and take a new snapshot"
    )
