"""The values of many rows at once, compiled: where they stand, which differ between two copies, and texts in one block.

Every offset is checked before it is read: pages are whatever production holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import kernel, lean

__all__ = ["ABSENT", "COMPRESSED", "EXTERNAL", "gather", "places", "unlike", "warm"]

FIXED, SHORT, LONG, COMPRESSED, EXTERNAL, ABSENT = range(6)
"""How a value is stored: of fixed length, or one of the forms of `varlena.Form`; ABSENT: null, or not stored."""


@kernel
def places(flat: Any, base: Any, length: Any, lengths: Any, units: Any, starts: Any, ends: Any, forms: Any) -> Any:
    """Where the value of each attribute stands, without its header, in the rows at `base`, of `length` bytes.

    Per attribute `lengths` (-1 a varlena) and `units` of alignment; `starts`, `ends` and `forms` are by attribute, then
    by row. The layout is that of `heap_deform_tuple`. Returns -1, or the number of a row that runs over its end.
    """
    for i in range(base.shape[0]):
        begin = base[i]
        end = begin + length[i]
        if begin < 0 or length[i] < 23 or end > flat.shape[0]:
            return i
        natts = (np.int64(flat[begin + 18]) | np.int64(flat[begin + 19]) << 8) & 0x07FF
        nulls = flat[begin + 20] & 1 != 0
        at = begin + np.int64(flat[begin + 22])
        bitmap = begin + 23
        if at > end or at < bitmap or (nulls and bitmap + (natts + 7) // 8 > at):
            return i
        for k in range(lengths.shape[0]):
            if k >= natts or (nulls and not flat[bitmap + k // 8] >> (k & 7) & 1):
                starts[k, i] = -1
                ends[k, i] = -1
                forms[k, i] = ABSENT
                continue
            unit, size = units[k], lengths[k]
            if size != -1:
                at = (at - begin + unit - 1) // unit * unit + begin
                last = at + size
                if last > end:
                    return i
                starts[k, i] = at
                ends[k, i] = last
                forms[k, i] = FIXED
                at = last
                continue
            if at >= end:
                return i
            if flat[at] == 0:
                at = (at - begin + unit - 1) // unit * unit + begin
                if at >= end:
                    return i
            first = np.int64(flat[at])
            if first == 1:
                body, last, form = at + 2, at + 18, EXTERNAL
            elif first & 1:
                body, last, form = at + 1, at + (first >> 1), SHORT
            else:
                if at + 4 > end:
                    return i
                word = np.int64(0)
                for byte in range(4):
                    word |= np.int64(flat[at + byte]) << (8 * byte)
                body, last, form = at + 4, at + (word >> 2), LONG
                if word & 2:
                    form = COMPRESSED
            if last < body or last > end:
                return i
            starts[k, i] = body
            ends[k, i] = last
            forms[k, i] = form
            at = last
    return -1


@lean
def unlike(
    ours: Any, our_starts: Any, our_ends: Any, our_forms: Any,
    theirs: Any, their_starts: Any, their_ends: Any, their_forms: Any, sure: Any,
) -> Any:  # fmt: skip
    """How many values of one attribute are not the same bytes in two copies of its rows; `sure` says of which they are.

    A pointer to a TOAST table is never sure, for what it points at is elsewhere. A short header and a long one may
    have the same value behind them.
    """
    count = 0
    for i in range(our_starts.shape[0]):
        mine, other = our_forms[i], their_forms[i]
        same = (mine == ABSENT) == (other == ABSENT) and mine != EXTERNAL and other != EXTERNAL
        same = same and (mine == COMPRESSED) == (other == COMPRESSED)
        if same and mine != ABSENT:
            start, at = our_starts[i], their_starts[i]
            size = our_ends[i] - start
            same = size == their_ends[i] - at
            if same:
                one, two, unlike_ = ours[start : start + size], theirs[at : at + size], np.uint8(0)
                for k in range(min(one.shape[0], two.shape[0])):  # without an end before the last: many at a time
                    unlike_ |= one[k] ^ two[k]
                same = unlike_ == 0 and one.shape[0] == two.shape[0] == size
        sure[i] = same
        if not same:
            count += 1
    return count


@lean
def gather(flat: Any, starts: Any, ends: Any, forms: Any, block: Any) -> Any:
    """Copy values one behind the other into `block`, a zero behind each; one that is absent is empty.

    Returns how many bytes were written, or -1 when the block is too small.
    """
    at = np.int64(0)
    for i in range(starts.shape[0]):
        if forms[i] != ABSENT:
            size = ends[i] - starts[i]
            if at + size >= block.shape[0]:
                return -1
            start = starts[i]
            source, into = flat[start : start + size], block[at : at + size]
            for k in range(min(source.shape[0], into.shape[0])):
                into[k] = source[k]
            at += size
        if at >= block.shape[0]:
            return -1
        block[at] = 0
        at += 1
    return at


def warm() -> None:
    """Run the kernels once."""
    flat, one = np.zeros(64, np.uint8), np.zeros(1, np.int64)
    flat[18], flat[22] = 1, 24
    flat.flags.writeable = False
    starts, ends, forms = np.zeros((1, 1), np.int64), np.zeros((1, 1), np.int64), np.zeros((1, 1), np.uint8)
    size = np.full(1, 32, np.int64)
    places(flat, one, size, one + 4, one + 4, starts, ends, forms)
    sure, block = np.zeros(1, np.bool_), np.zeros(64, np.uint8)
    unlike(flat, starts[0], ends[0], forms[0], flat, starts[0], ends[0], forms[0], sure)
    gather(flat, starts[0], ends[0], forms[0], block)
