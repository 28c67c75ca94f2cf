"""The search by windows, compiled: which window of a pattern is its rarest, and where patterns stand in data.

Every offset is checked before it is read: patterns and data are whatever production holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import kernel

__all__ = ["choose", "find", "index", "warm"]

_U = np.uint64
_WIDTH = 8
_GOLDEN = _U(0x9E3779B97F4A7C15)
"""2**64 divided by the golden ratio: Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4)."""
_0, _3, _7, _8, _32, _56, _64 = _U(0), _U(3), _U(7), _U(8), _U(32), _U(56), _U(64)
_ONE = np.uint8(1)
_TAG = _U(0xFF)
_FARTHEST = 0xFF


@kernel
def _number(which: Any, i: Any) -> Any:
    """The number of a pattern's string: all of them are patterns where none is chosen."""
    return np.int64(which[i]) if which.shape[0] else np.int64(i)


@kernel
def choose(block: Any, bounds: Any, which: Any, fold: Any, counters: Any, bits: Any, offsets: Any) -> Any:
    """The offset of each pattern's rarest window, of several the first (at most 255); -1 when all went well.

    `counters` has 2**bits zeros. Else the number of the pattern that is too short, or not in the block.
    """
    shift = _64 - _U(bits)
    for turn in range(2):
        for i in range(offsets.shape[0]):
            at = _number(which, i)
            if not 0 <= at < bounds.shape[0] - 1:
                return i
            start, end = np.int64(bounds[at]), np.int64(bounds[at + 1])
            if start < 0 or end - start < _WIDTH or end > block.shape[0]:
                return i
            last = min(end, start + _WIDTH + _FARTHEST)
            window, best = _0, np.int64(1) << 40
            for k in range(start, last):
                window = (window >> _8) | (_U(fold[block[k]]) << _56)
                if k - start >= _WIDTH - 1:
                    slot = (window * _GOLDEN) >> shift
                    if turn == 0:
                        counters[slot] += 1
                    elif counters[slot] < best:
                        best = np.int64(counters[slot])
                        offsets[i] = k - start - _WIDTH + 1
    return -1


@kernel
def index(
    block: Any,
    bounds: Any,
    which: Any,
    fold: Any,
    offsets: Any,
    tags: Any,
    bitmap: Any,
    bits: Any,
    heads: Any,
    slots: Any,
    chain: Any,
) -> Any:
    """Enter what `choose` accepted into a bitmap of 2**bits bits and a table of 2**slots chains (-1 ends one)."""
    for i in range(offsets.shape[0]):
        first = np.int64(bounds[_number(which, i)]) + np.int64(offsets[i])
        window = _0
        for k in range(first, first + _WIDTH):
            window = (window >> _8) | (_U(fold[block[k]]) << _56)
        hashed = window * _GOLDEN
        bit = hashed >> (_64 - _U(bits))
        bitmap[bit >> _3] |= _ONE << np.uint8(bit & _7)
        slot = hashed >> (_64 - _U(slots))
        tags[i] = np.uint8((hashed >> _32) & _TAG)
        chain[i] = heads[slot]
        heads[slot] = i
    return 0


@kernel
def find(
    data: Any,
    block: Any,
    bounds: Any,
    which: Any,
    fold: Any,
    offsets: Any,
    tags: Any,
    bitmap: Any,
    bits: Any,
    heads: Any,
    slots: Any,
    chain: Any,
    hits: Any,
) -> Any:
    """Where patterns stand: rows (string, start, end) of `hits`; returns how many there are, also when not all fit."""
    size, count = data.shape[0], 0
    shift, to_slot = _64 - _U(bits), _64 - _U(slots)
    window = _0
    for k in range(size):
        window = (window >> _8) | (_U(data[k]) << _56)
        if k < _WIDTH - 1:
            continue
        hashed = window * _GOLDEN
        bit = hashed >> shift
        if not bitmap[bit >> _3] & (_ONE << np.uint8(bit & _7)):
            continue
        tag = np.uint8((hashed >> _32) & _TAG)
        i = np.int64(heads[hashed >> to_slot])
        while i >= 0:
            if tags[i] == tag:
                at = _number(which, i)
                first = np.int64(bounds[at])
                length = np.int64(bounds[at + 1]) - first
                start = k - (_WIDTH - 1) - np.int64(offsets[i])
                if start >= 0 and start + length <= size:
                    same = True
                    for j in range(length):
                        if data[start + j] != fold[block[first + j]]:
                            same = False
                            break
                    if same:
                        if count < hits.shape[0]:
                            hits[count, 0], hits[count, 1], hits[count, 2] = at, start, start + length
                        count += 1
            i = np.int64(chain[i])
    return count


def warm() -> None:
    """Run every kernel of this room once."""
    data = np.frombuffer(bytes(range(32)), np.uint8)
    bounds, which, fold = np.array([0, 8, 17], np.uint32), np.zeros(0, np.uint32), np.frombuffer(bytes(256), np.uint8)
    offsets, tags = np.zeros(2, np.uint8), np.zeros(2, np.uint8)
    strings = data, bounds, which, fold
    choose(*strings, np.zeros(16, np.uint32), 4, offsets)
    tables = np.zeros(32, np.uint8), 8, np.full(4, -1, np.int32), 2, np.zeros(2, np.int32)
    index(*strings, offsets, tags, *tables)
    find(data, *strings, offsets, tags, *tables, np.zeros((4, 3), np.int64))
