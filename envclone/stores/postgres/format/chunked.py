"""Where the chunks of a TOAST table stand, compiled: ordinary pages need but a look at each line pointer and row."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import frozen, lean

__all__ = ["chunks", "warm"]

_XMIN_COMMITTED, _XMIN_INVALID, _XMAX_INVALID, _MOVED = 0x0100, 0x0200, 0x0800, 0xC000
_HEADER, _ROW, _DATA, _NORMAL = 24, 23, 12, 1


@lean
def _word(flat: Any, at: Any, size: Any) -> Any:
    number = np.int64(0)
    for k in range(size):
        number |= np.int64(flat[at + k]) << (8 * k)
    return number


@lean
def chunks(
    flat: Any, size: Any, every: Any, known: Any, committed: Any,
    value: Any, sequence: Any, place: Any, length: Any, number: Any,
) -> Any:  # fmt: skip
    """Write where the chunks in pages of `size` bytes stand: of each its value, its number in that, place, length and
    line pointer. Those that nobody sees are left out, but not when `every` one is wanted.

    A row that does not say whether its transaction ended well is told by the `known` ones, which `committed` or not.
    Returns how many there are; -1 when a page or row is not an ordinary one: then another reader has to say; -2 - x
    when it is not known how the transaction x ended. The arrays have room for every line pointer.
    """
    count, last, well = np.int64(0), np.int64(-1), False
    room = min(value.shape[0], sequence.shape[0], place.shape[0], length.shape[0], number.shape[0])
    for begin in range(0, flat.shape[0] - size + 1, size):
        page = flat[begin : begin + size]
        lower, upper, special = _word(page, 12, 2), _word(page, 14, 2), _word(page, 16, 2)
        if upper == 0:
            some = np.uint8(0)
            for k in range(page.shape[0]):
                some |= page[k]
            if some:
                return -1
            continue
        if lower < _HEADER or lower > upper or upper > special or special > size:
            return -1
        for pointer in range((lower - _HEADER) // 4):
            word = _word(page, _HEADER + 4 * pointer, 4)
            offset, its = word & 0x7FFF, word >> 17
            if word >> 15 & 3 != _NORMAL:
                if its:
                    return -1
                continue
            if offset < upper or its < _ROW or offset + its > special:
                return -1
            mask = _word(page, offset + 20, 2)
            if not every:
                if mask & _MOVED:
                    return -1
                seen = mask & _XMIN_COMMITTED != 0
                if not mask & (_XMIN_COMMITTED | _XMIN_INVALID):
                    began = _word(page, offset, 4)
                    if began != last:
                        found = False
                        for k in range(min(known.shape[0], committed.shape[0])):
                            if known[k] == began:
                                found, well = True, committed[k]
                        if not found:
                            return -2 - began
                        last = began
                    seen = well
                if not seen:
                    continue
                if not mask & _XMAX_INVALID and _word(page, offset + 4, 4):
                    return -1
            at, end = offset + np.int64(page[offset + 22]), offset + its
            if at + _DATA > end and (at + 9 > end or not page[at + 8] & 1):
                return -1
            if page[at + 8] & 1:
                body, stored = at + 9, np.int64(page[at + 8] >> 1) - 1
            else:
                body, stored = at + _DATA, (_word(page, at + 8, 4) >> 2) - 4
            if stored < 0 or body + stored > end or count >= room:
                return -1
            value[count], sequence[count] = _word(page, at, 4), _word(page, at + 4, 4)
            place[count], length[count], number[count] = begin + body, stored, pointer + 1
            count += 1
    return count


def warm() -> None:
    """Run the kernel once."""
    out = [np.zeros(4, kind) for kind in (np.uint32, np.uint32, np.int64, np.uint16, np.uint16)]
    for every in (False, True):
        chunks(frozen(np.zeros(64, np.uint8)), 64, every, np.zeros(1, np.int64), np.zeros(1, np.bool_), *out)
