"""Which class each byte of heap pages belongs to, compiled: what no kernel claims has to be zero.

A map of owners has a number per byte of the pages. 0 is nobody's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import frozen, kernel, lean

__all__ = [
    "DERIVED",
    "KEPT",
    "MASKED",
    "NOBODY",
    "STRUCTURE",
    "UNDECODED",
    "claim_chunks",
    "claim_rows",
    "tally",
    "warm",
]

NOBODY, STRUCTURE, MASKED, KEPT, DERIVED, UNDECODED = range(6)

_BYTE, _EIGHT, _EVERY = np.uint64(0xFF), np.uint64(8), np.uint64(0x0101010101010101)
_ROW, _TABLE_HEADER = 23, 24
_NAME = 64


@kernel
def claim_rows(
    flat: Any, base: Any, length: Any, gone: Any, lengths: Any, units: Any, owners: Any, owner: Any, outside: Any
) -> Any:
    """Claim the rows at `base`, of `length` bytes, in the bytes `flat`; of those that are `gone` the header alone.

    Per column: `lengths` (-1 a varlena, -2 a C string), `units` of alignment and `owners`, NOBODY for a dropped one
    and 100 more for a name, of which the bytes up to its zero are claimed. A value's own header is structure. `outside`
    takes a row per pointer to TOAST: value id, column. Returns how many pointers there are (more than fit are counted),
    or -1 - i when row i runs over its end.
    """
    columns, count = lengths.shape[0], 0
    for i in range(base.shape[0]):
        start = base[i]
        end = start + length[i]
        if start < 0 or end > flat.shape[0] or length[i] < 23 or end > owner.shape[0]:
            return -1 - i
        natts = (np.int64(flat[start + 18]) | np.int64(flat[start + 19]) << 8) & 0x07FF
        nulls = flat[start + 20] & 1 != 0
        header = np.int64(flat[start + 22])
        bitmap = (natts + 7) // 8 if nulls else 0
        if header < 23 + bitmap or header > length[i] or natts > columns:
            return -1 - i
        owner[start : start + 23 + bitmap] = 1
        if gone[i]:
            continue
        at = start + header
        for column in range(natts):
            if nulls and not flat[start + 23 + (column >> 3)] >> (column & 7) & 1:
                continue
            size, unit, who = lengths[column], units[column], owners[column]
            if size == -1:
                if at >= end:
                    return -1 - i
                if flat[at] == 0:
                    at = (at + unit - 1) // unit * unit
                if at >= end:
                    return -1 - i
                first = np.int64(flat[at])
                if first == 1:
                    if at + 18 > end or flat[at + 1] != 18:
                        return -1 - i
                    owner[at : at + 18] = 1
                    if count < outside.shape[0]:
                        value = np.int64(0)
                        for k in range(4):
                            value |= np.int64(flat[at + 10 + k]) << (8 * k)
                        outside[count, 0] = value
                        outside[count, 1] = column
                    count += 1
                    at += 18
                    continue
                if first & 1:
                    body, last = at + 1, at + (first >> 1)
                else:
                    if at + 4 > end:
                        return -1 - i
                    word = np.int64(0)
                    for k in range(4):
                        word |= np.int64(flat[at + k]) << (8 * k)
                    body, last = at + 4, at + (word >> 2)
                if last < body or last > end:
                    return -1 - i
                owner[at:body] = 1
                owner[body:last] = who
                at = last
                continue
            at = (at + unit - 1) // unit * unit
            if size == -2:
                last = at
                while last < end and flat[last] != 0:
                    last += 1
                if last >= end:
                    return -1 - i
                last += 1
            else:
                last = at + size
            if last > end:
                return -1 - i
            if who >= 100:
                stop = at
                while stop < last and flat[stop] != 0:
                    stop += 1
                owner[at:stop] = who - 100
            else:
                owner[at:last] = who
            at = last
    return count


@kernel
def claim_chunks(flat: Any, base: Any, length: Any, gone: Any, values: Any, owners: Any, owner: Any) -> Any:
    """Claim the chunks at `base`: each one's bytes belong to the owner of its value.

    `values` are the known value ids, ascending, with their `owners`. A chunk of no known value keeps its header only:
    its bytes are nobody's. Returns -1, or the number of a chunk that runs over its end.
    """
    for i in range(base.shape[0]):
        start = base[i]
        end = start + length[i]
        if start < 0 or end > flat.shape[0] or length[i] < 23 or end > owner.shape[0]:
            return i
        natts = (np.int64(flat[start + 18]) | np.int64(flat[start + 19]) << 8) & 0x07FF
        nulls = flat[start + 20] & 1 != 0
        header = np.int64(flat[start + 22])
        if header < 23 or header > length[i] or nulls or natts != 3:
            return i
        owner[start : start + 23] = 1
        if gone[i]:
            continue
        at = start + header
        if at + 9 > end:
            return i
        value = np.int64(0)
        for k in range(4):
            value |= np.int64(flat[at + k]) << (8 * k)
        owner[at : at + 8] = 1
        at += 8
        if flat[at] & 1:
            body, last = at + 1, at + np.int64(flat[at] >> 1)
        else:
            if at + 4 > end:
                return i
            word = np.int64(0)
            for k in range(4):
                word |= np.int64(flat[at + k]) << (8 * k)
            body, last = at + 4, at + (word >> 2)
        if last < body or last > end:
            return i
        owner[at:body] = 1
        place = np.searchsorted(values, value)
        if place < values.shape[0] and values[place] == value:
            owner[body:last] = owners[place]
    return -1


@lean
def tally(flat: Any, owner: Any, counts: Any) -> Any:
    """Add to `counts` how many bytes each owner has, and return how many of nobody's are not zero.

    Both maps are given eight bytes at a time. -1 for an owner of whom there is none.
    """
    left, run, before, alike = np.int64(0), np.int64(0), np.uint64(0), True
    for i in range(min(flat.shape[0], owner.shape[0])):
        word, held = owner[i], flat[i]
        if word != before:
            counts[np.int64(before & _BYTE)] += run
            run, before, alike = np.int64(0), word, word == (word & _BYTE) * _EVERY
            if np.int64(word & _BYTE) >= counts.shape[0]:
                return -1
        if alike:
            run += 8
            if word or not held:
                continue
        for _ in range(8):
            who = np.int64(word & _BYTE)
            if who >= counts.shape[0]:
                return -1
            counts[who] += np.int64(not alike)
            left += np.int64(who == 0) & np.int64(held & _BYTE != 0)
            word >>= _EIGHT
            held >>= _EIGHT
    counts[np.int64(before & _BYTE)] += run
    return left


def warm() -> None:
    """Run the kernels once."""
    flat, one = np.zeros(64, np.uint8), np.zeros(1, np.int64)
    flat[22] = 24
    flat = frozen(flat)
    no, owner = np.zeros(1, np.bool_), np.zeros(64, np.uint8)
    size = np.full(1, 32, np.int64)
    claim_rows(flat, one, size, no, one, one + 1, np.zeros(1, np.uint8), owner, np.zeros((1, 2), np.int64))
    claim_chunks(flat, one, size, no, one, np.zeros(1, np.uint8), owner)
    tally(flat.view(np.uint64), owner.view(np.uint64), np.zeros(6, np.int64))
