"""The search by windows, compiled: which window of a pattern is its rarest, and where patterns stand in data.

Every offset is checked before it is read: patterns and data are whatever production holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import kernel
from envclone.verifier.windows import WIDTH

__all__ = ["choose", "find", "index", "warm"]

_U = np.uint64
_GOLDEN = _U(0x9E3779B97F4A7C15)
_0, _3, _7, _8, _56, _64 = _U(0), _U(3), _U(7), _U(8), _U(56), _U(64)
_ONE = np.uint8(1)
_FARTHEST = 0xFFFF


@kernel
def choose(block: Any, ends: Any, counters: Any, bits: Any, anchors: Any, offsets: Any) -> Any:
    """Each pattern's rarest window, the first of several, and its offset (at most 65,535); -1 when all went well.

    `counters` has 2**bits zeros. Else the number of the pattern that is too short, or not in the block.
    """
    shift = _64 - _U(bits)
    for turn in range(2):
        start = np.int64(0)
        for i in range(ends.shape[0]):
            end = np.int64(ends[i])
            if end - start < WIDTH or end > block.shape[0]:
                return i
            last = min(end, start + WIDTH + _FARTHEST)
            window, best = _0, np.int64(1) << 40
            for k in range(start, last):
                window = (window >> _8) | (_U(block[k]) << _56)
                if k - start >= WIDTH - 1:
                    slot = (window * _GOLDEN) >> shift
                    if turn == 0:
                        counters[slot] += 1
                    elif counters[slot] < best:
                        best = np.int64(counters[slot])
                        anchors[i] = window
                        offsets[i] = k - start - WIDTH + 1
            start = end
    return -1


@kernel
def index(anchors: Any, bitmap: Any, bits: Any, heads: Any, slots: Any, chain: Any) -> Any:
    """Enter anchors into a bitmap of 2**bits bits and a table of 2**slots chains (-1 ends one)."""
    for i in range(anchors.shape[0]):
        hashed = anchors[i] * _GOLDEN
        bit = hashed >> (_64 - _U(bits))
        bitmap[bit >> _3] |= _ONE << np.uint8(bit & _7)
        slot = hashed >> (_64 - _U(slots))
        chain[i] = heads[slot]
        heads[slot] = i
    return 0


@kernel
def find(
    data: Any,
    block: Any,
    ends: Any,
    anchors: Any,
    offsets: Any,
    bitmap: Any,
    bits: Any,
    heads: Any,
    slots: Any,
    chain: Any,
    hits: Any,
) -> Any:
    """Where patterns stand: rows (pattern, start) of `hits`; returns how many there are, also when not all fit."""
    size, count = data.shape[0], 0
    shift, to_slot = _64 - _U(bits), _64 - _U(slots)
    window = _0
    for k in range(size):
        window = (window >> _8) | (_U(data[k]) << _56)
        if k < WIDTH - 1:
            continue
        hashed = window * _GOLDEN
        bit = hashed >> shift
        if not bitmap[bit >> _3] & (_ONE << np.uint8(bit & _7)):
            continue
        i = np.int64(heads[hashed >> to_slot])
        while i >= 0:
            if anchors[i] == window:
                first = np.int64(ends[i - 1]) if i else np.int64(0)
                length = np.int64(ends[i]) - first
                start = k - (WIDTH - 1) - np.int64(offsets[i])
                if start >= 0 and start + length <= size and first + length <= block.shape[0]:
                    same = True
                    for j in range(length):
                        if data[start + j] != block[first + j]:
                            same = False
                            break
                    if same:
                        if count < hits.shape[0]:
                            hits[count, 0] = i
                            hits[count, 1] = start
                        count += 1
            i = np.int64(chain[i])
    return count


def warm() -> None:
    """Run every kernel of this room once."""
    data = np.arange(32, dtype=np.uint8)
    data.flags.writeable = False
    ends = np.array([8, 17], np.int64)
    anchors, offsets = np.zeros(2, np.uint64), np.zeros(2, np.uint16)
    choose(data, ends, np.zeros(16, np.uint32), 4, anchors, offsets)
    bitmap, heads, chain = np.zeros(32, np.uint8), np.full(4, -1, np.int32), np.zeros(2, np.int32)
    index(anchors, bitmap, 8, heads, 2, chain)
    find(data, data, ends, anchors, offsets, bitmap, 8, heads, 2, chain, np.zeros((4, 2), np.int64))
