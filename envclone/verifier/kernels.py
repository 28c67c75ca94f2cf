"""The search by windows, compiled: which window of a pattern is its rarest, and where patterns stand in data.

Every offset is checked before it is read: patterns and data are whatever production holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import kernel

__all__ = ["beginning", "choose", "count", "enter", "fill", "having", "look", "share", "warm"]

_U = np.uint64
_WIDTH = 8
_GOLDEN = _U(0x9E3779B97F4A7C15)
"""2**64 divided by the golden ratio: Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4)."""
_SECOND = _U(0xD6E8FEB86659FD93)
_0, _6, _8, _16, _29, _48, _56, _63, _64 = (_U(n) for n in (0, 6, 8, 16, 29, 48, 56, 63, 64))
_PART, _FOUR = 4, _U((1 << 32) - 1)
_FARTHEST = _LONGEST = 0xFF
_255, _LOW = _U(0xFF), _U((1 << 48) - 1)


@kernel
def _number(which: Any, i: Any) -> Any:
    """The number of a pattern's string: all of them are patterns where none is chosen."""
    return np.int64(which[i]) if which.shape[0] else np.int64(i)


@kernel
def choose(
    block: Any, bounds: Any, which: Any, fold: Any, counters: Any, bits: Any, offsets: Any, counting: Any
) -> Any:
    """The offset of each pattern's rarest window, of several the first (at most 255), once all were counted.

    `counters` has 2**bits of them. -1 when all went well, else the place of a pattern that is too short, or not in the
    block.
    """
    shift = _64 - _U(bits)
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
                if counting:
                    counters[slot] += 1
                elif counters[slot] < best:
                    best = np.int64(counters[slot])
                    offsets[i] = k - start - _WIDTH + 1
    return -1


@kernel
def _window(block: Any, first: Any, fold: Any) -> Any:
    """The eight bytes at a place, as a number."""
    window = _0
    for k in range(first, first + _WIDTH):
        window = (window >> _8) | (_U(fold[block[k]]) << _56)
    return window


@kernel
def _marks(hashed: Any, bits: Any) -> Any:
    """The two bits of a hash in its word of a filter of 2**bits bits."""
    first, second = (hashed >> (_64 - _U(bits))) & _63, (hashed >> (_64 - _U(bits) - _6)) & _63
    return (_U(1) << first) | (_U(1) << second)


@kernel
def _tag(window: Any) -> Any:
    """Eight bits of a window that say nothing of its other hash."""
    return ((window ^ (window >> _29)) * _SECOND) >> _56


@kernel
def _whole(block: Any, first: Any, end: Any, fold: Any, key: Any) -> Any:
    """A keyed hash of 48 bits of at least eight bytes."""
    hashed = key ^ _U(end - first)
    for k in range(first, end - _WIDTH, _WIDTH):
        hashed = (hashed ^ _window(block, k, fold)) * _GOLDEN
        hashed ^= hashed >> _29
    hashed = (hashed ^ _window(block, end - _WIDTH, fold)) * _SECOND
    return ((hashed ^ (hashed >> _29)) * _GOLDEN) >> _16


@kernel
def _enter_parts(window: Any, parts: Any, bits: Any) -> Any:
    """Enter every four bytes of a window into a filter of 2**bits bits."""
    for _ in range(_WIDTH - _PART + 1):
        hashed = (window & _FOUR) * _GOLDEN
        parts[hashed >> (_64 - _U(bits) + _6)] |= _U(1) << ((hashed >> (_64 - _U(bits))) & _63)
        window >>= _8
    return 0


@kernel
def count(
    block: Any,
    bounds: Any,
    which: Any,
    fold: Any,
    offsets: Any,
    wanted: Any,
    bits: Any,
    parts: Any,
    its_bits: Any,
    heads: Any,
    slots: Any,
) -> Any:
    """Enter what `choose` accepted into a filter of 2**bits bits, and its parts into one of 2**its_bits; count those of
    each of 2**slots slots, one behind its place in `heads`."""
    for i in range(offsets.shape[0]):
        window = _window(block, np.int64(bounds[_number(which, i)]) + np.int64(offsets[i]), fold)
        _enter_parts(window, parts, its_bits)
        hashed = window * _GOLDEN
        wanted[hashed >> (_64 - _U(bits) + _6)] |= _marks(hashed, bits)
        heads[np.int64(hashed >> (_64 - _U(slots))) + 1] += 1
    return 0


@kernel
def fill(
    block: Any,
    bounds: Any,
    which: Any,
    fold: Any,
    offsets: Any,
    slots: Any,
    first: Any,
    places: Any,
    tags: Any,
    order: Any,
    shifts: Any,
    key: Any,
) -> Any:
    """Put the patterns of some slots, from `first` on, into the order of slots; -1 when there is no room.

    `places` says where the next one of each slot goes. A tag has eight bits of the anchor, eight of the length, up to
    255, and 48 of the hash of so many bytes.
    """
    for i in range(offsets.shape[0]):
        number = _number(which, i)
        window = _window(block, np.int64(bounds[number]) + np.int64(offsets[i]), fold)
        slot = np.int64((window * _GOLDEN) >> (_64 - _U(slots))) - first
        if 0 <= slot < places.shape[0]:
            at = np.int64(places[slot])
            if at >= order.shape[0]:
                return -1
            start = np.int64(bounds[number])
            length = np.int64(bounds[number + 1]) - start
            if length > _LONGEST:
                length = np.int64(_LONGEST)
            tags[at] = (_tag(window) << _56) | (_U(length) << _48) | _whole(block, start, start + length, fold, key)
            order[at], shifts[at] = number, offsets[i]
            places[slot] += 1
    return 0


@kernel
def look(
    data: Any,
    places: Any,
    block: Any,
    bounds: Any,
    fold: Any,
    heads: Any,
    slots: Any,
    tags: Any,
    order: Any,
    shifts: Any,
    key: Any,
    plain: Any,
    hits: Any,
    count: Any,
) -> Any:
    """Where patterns stand whose anchors end at some places: rows (string, start, end) of `hits` from `count` on;
    returns how many there are then, also when not all fit. `plain` is the table that changes no byte."""
    size, slot_of = data.shape[0], _64 - _U(slots)
    for place in places:
        k = np.int64(place)
        if not _WIDTH - 1 <= k < size:
            continue
        window = _0
        for j in range(k - _WIDTH + 1, k + 1):
            window = (window >> _8) | (_U(data[j]) << _56)
        tag, slot = _tag(window), np.int64((window * _GOLDEN) >> slot_of)
        for at in range(np.int64(heads[slot]), np.int64(heads[slot + 1])):
            told = tags[at]
            if told >> _56 != tag:
                continue
            # the pattern itself lies far away: of one that is not long its hash is compared
            start, length = k - (_WIDTH - 1) - np.int64(shifts[at]), np.int64((told >> _48) & _255)
            if length < _WIDTH or start < 0 or start + length > size:
                continue
            if _whole(data, start, start + length, plain, key) != told & _LOW:
                continue
            number = np.int64(order[at])
            if length == _LONGEST:
                first = np.int64(bounds[number])
                length = np.int64(bounds[number + 1]) - first
                if start + length > size:
                    continue
                same = True
                for j in range(length):
                    if data[start + j] != fold[block[first + j]]:
                        same = False
                        break
                if not same:
                    continue
            if count < hits.shape[0]:
                hits[count, 0], hits[count, 1], hits[count, 2] = number, start, start + length
            count += 1
    return count


@kernel
def share(
    block: Any,
    bounds: Any,
    fold: Any,
    order: Any,
    shifts: Any,
    wanted: Any,
    bits: Any,
    parts: Any,
    its_bits: Any,
) -> Any:
    """Enter the anchors of listed patterns into another filter of 2**bits bits, and their parts."""
    for at in range(min(order.shape[0], shifts.shape[0])):
        window = _window(block, np.int64(bounds[order[at]]) + np.int64(shifts[at]), fold)
        _enter_parts(window, parts, its_bits)
        hashed = window * _GOLDEN
        wanted[hashed >> (_64 - _U(bits) + _6)] |= _marks(hashed, bits)
    return 0


@kernel
def enter(data: Any, wanted: Any, bits: Any) -> Any:
    """Enter every window of the data into a filter of 2**bits bits."""
    window = _0
    for k in range(data.shape[0]):
        window = (window >> _8) | (_U(data[k]) << _56)
        if k >= _WIDTH - 1:
            hashed = window * _GOLDEN
            wanted[hashed >> (_64 - _U(bits) + _6)] |= _marks(hashed, bits)
    return 0


@kernel
def beginning(block: Any, bounds: Any, which: Any, fold: Any, wanted: Any, bits: Any, found: Any) -> Any:
    """Per pattern whether its first window is in the filter; -1, or the place of one too short, as `choose` says."""
    for i in range(found.shape[0]):
        at = _number(which, i)
        if not 0 <= at < bounds.shape[0] - 1:
            return i
        start, end = np.int64(bounds[at]), np.int64(bounds[at + 1])
        if start < 0 or end - start < _WIDTH or end > block.shape[0]:
            return i
        hashed = _window(block, start, fold) * _GOLDEN
        marks = _marks(hashed, bits)
        found[i] = wanted[hashed >> (_64 - _U(bits) + _6)] & marks == marks
    return -1


@kernel
def having(block: Any, bounds: Any, begin: Any, end: Any, marks: Any, found: Any) -> Any:
    """Per string between two numbers whether one of its bytes is marked in a table of 256."""
    for i in range(max(0, begin), min(end, found.shape[0], bounds.shape[0] - 1)):
        for k in range(np.int64(bounds[i]), np.int64(bounds[i + 1])):
            if not 0 <= k < block.shape[0]:
                break
            if marks[block[k]]:
                found[i] = True
                break
    return 0


def warm() -> None:
    """Run every kernel of this room once."""
    data = np.frombuffer(bytes(range(32)), np.uint8)
    bounds, which, fold = np.array([0, 8, 17], np.uint32), np.zeros(0, np.uint32), np.frombuffer(bytes(256), np.uint8)
    offsets, tags, order = np.zeros(2, np.uint8), np.zeros(2, np.uint64), np.zeros(2, np.uint32)
    strings = data, bounds, which, fold
    choose(*strings, np.zeros(16, np.uint32), 4, offsets, True)
    wanted, heads, parts = np.zeros(16, np.uint64), np.zeros(5, np.uint32), np.zeros(16, np.uint64)
    count(*strings, offsets, wanted, 10, parts, 10, heads, 2)
    fill(*strings, offsets, 2, 0, np.cumsum(heads, dtype=np.uint32)[:-1], tags, order, np.zeros(2, np.uint8), _0)
    shifts, hits = np.zeros(2, np.uint8), np.zeros((4, 3), np.int64)
    look(
        data,
        np.zeros(1, np.int32),
        *strings[:2],
        fold,
        np.zeros(5, np.uint32),
        2,
        tags,
        order,
        shifts,
        _0,
        fold,
        hits,
        0,
    )
    share(*strings[:2], fold, order[:1], shifts, wanted, 10, parts, 10)
    enter(data, wanted, 10)
    for wide in (bounds, bounds.astype(np.int64)):
        having(data, wide, 0, 2, np.frombuffer(bytes(256), np.uint8), np.zeros(2, np.bool_))
    beginning(*strings, wanted, 10, np.zeros(2, np.bool_))
