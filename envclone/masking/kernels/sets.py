"""Sets of byte strings, each with a number: known again by comparing their bytes, found by a keyed hash."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean

__all__ = ["enter", "hashes", "put", "seek", "split", "warm"]

_U = np.uint64
_FIRST, _SECOND, _THIRD = _U(0x9E3779B97F4A7C15), _U(0xC2B2AE3D27D4EB4F), _U(0xD6E8FEB86659FD93)
_0, _1, _8, _29, _32, _33 = _U(0), _U(1), _U(8), _U(29), _U(32), _U(33)
_ASCII = 128
_ABSENT = -1
_NUMBER = 0xFFFFFFFF
_NULL, _LONG = 0xFF, 0xFE


@lean
def _hash(block: Any, start: Any, stop: Any, seed: Any) -> Any:
    """64 bits of the bytes between two places of a block."""
    # an index without a sign is no place from the end: eight bytes are read as one number
    h = seed ^ (_U(stop - start) * _SECOND)
    i, end = _U(start), _U(stop)
    while i + _8 <= end:
        word = _0
        for k in range(_8):
            word |= _U(block[i + k]) << (_8 * k)
        h = (h ^ word) * _FIRST
        h ^= h >> _29
        i += _8
    word = _0
    for k in range(end - i):
        word |= _U(block[i + k]) << (_8 * k)
    h = (h ^ word) * _THIRD
    h = (h ^ (h >> _32) ^ seed) * _FIRST
    return h ^ (h >> _29)


@lean
def _entry(hashed: Any, number: Any) -> Any:
    """What stands in the table for a number: 31 bits of its string's hash, and the number plus one; 0 is a gap."""
    return np.int64(hashed >> _33) << 32 | (number + 1)


@lean
def _place(block: Any, start: Any, stop: Any, hashed: Any, held: Any, bounds: Any, table: Any) -> Any:
    """The place in the table of a string, or of the gap where it would be.

    The bits of the hash beside each number tell most strings apart, so that few of those held are looked at: they lie
    far from each other.
    """
    mask = table.shape[0] - 1
    at, tag = np.int64(hashed >> _1) & mask, np.int64(hashed >> _33)
    while table[at] != 0:
        number = (table[at] & _NUMBER) - 1
        first = np.int64(bounds[number]) if table[at] >> 32 == tag else np.int64(0)
        if table[at] >> 32 == tag and np.int64(bounds[number + 1]) - first == stop - start:
            same, there, here = True, _U(first), _U(start)
            for i in range(_U(stop - start)):
                if held[there + i] != block[here + i]:
                    same = False
                    break
            if same:
                return at
        at = (at + 1) & mask
    return at


@lean
def enter(
    block: Any, starts: Any, stops: Any, held: Any, bounds: Any, count: Any, table: Any, seed: Any, numbers: Any
) -> Any:
    """Number strings, new ones from `count` on; returns how many there are then. `held` and `bounds` have room for
    all of them, and the table, a power of two of entries (`_entry`), has more gaps than there are."""
    used = np.int64(bounds[count])
    for i in range(min(starts.shape[0], stops.shape[0], numbers.shape[0])):
        start, stop = np.int64(starts[i]), np.int64(stops[i])
        if start < 0 or stop < start or stop > block.shape[0]:
            numbers[i] = _ABSENT
            continue
        hashed = _hash(block, start, stop, seed)
        at = _place(block, start, stop, hashed, held, bounds, table)
        if table[at] == 0:
            if used + stop - start > held.shape[0] or count + 1 >= bounds.shape[0] or 4 * count >= 3 * table.shape[0]:
                return -1
            there, here = _U(used), _U(start)
            for k in range(_U(stop - start)):
                held[there + k] = block[here + k]
            used += stop - start
            table[at] = _entry(hashed, count)
            count += 1
            bounds[count] = used
        numbers[i] = (table[at] & _NUMBER) - 1
    return count


@lean
def seek(block: Any, starts: Any, stops: Any, held: Any, bounds: Any, table: Any, seed: Any, numbers: Any) -> Any:
    """The numbers of strings, -1 of those that are not in the set."""
    for i in range(min(starts.shape[0], stops.shape[0], numbers.shape[0])):
        start, stop = np.int64(starts[i]), np.int64(stops[i])
        numbers[i] = _ABSENT
        if 0 <= start <= stop <= block.shape[0]:
            hashed = _hash(block, start, stop, seed)
            numbers[i] = (table[_place(block, start, stop, hashed, held, bounds, table)] & _NUMBER) - 1
    return 0


@lean
def put(hashed: Any, numbers: Any, table: Any) -> Any:
    """Enter strings by their hashes (`hashes`), which are not in it, into a table of which all take three of four
    places at most."""
    mask = table.shape[0] - 1
    for i in range(min(hashed.shape[0], numbers.shape[0])):
        its = _U(hashed[i])
        at = np.int64(its >> _1) & mask
        while table[at] != 0:
            at = (at + 1) & mask
        table[at] = _entry(its, numbers[i])
    return 0


@lean
def hashes(block: Any, starts: Any, stops: Any, seed: Any, found: Any) -> Any:
    """64 bits of each string; of one that is not there 0."""
    for i in range(min(starts.shape[0], stops.shape[0], found.shape[0])):
        start, stop = np.int64(starts[i]), np.int64(stops[i])
        found[i] = np.int64(_hash(block, start, stop, seed)) if 0 <= start <= stop <= block.shape[0] else 0
    return 0


@lean
def split(block: Any, starts: Any, stops: Any, plain: Any) -> Any:
    """Where values begin and end that have a zero before and behind each; one byte 0xFF is none.

    Returns how many values there are, more than there is room for as well, or -1 when one byte 0xFE stands for a
    value that is too long to be packed.
    """
    count, start, size = 0, np.int64(1), _U(block.shape[0])
    while start < block.shape[0]:
        place, every = _U(start), np.uint8(0)
        while place < size and block[place] != 0:
            every |= block[place]
            place += _1
        stop, ascii_only = np.int64(place), every < _ASCII
        if stop == start + 1 and block[start] == _LONG:
            return -1
        if count < starts.shape[0]:
            gone = stop == start + 1 and block[start] == _NULL
            starts[count] = _ABSENT if gone else start
            stops[count] = _ABSENT if gone else stop
            plain[count] = ascii_only
        count += 1
        start = stop + 1
    return count


def warm() -> None:
    """Run every kernel of this room once."""
    block = np.frombuffer(b"\0ab\0cd\0", np.uint8)
    starts, stops, plain = np.zeros(2, np.int64), np.zeros(2, np.int64), np.zeros(2, np.bool_)
    split(block, starts, stops, plain)
    held, bounds, table = np.zeros(64, np.uint8), np.zeros(8, np.int64), np.zeros(8, np.int64)
    numbers = np.zeros(2, np.int64)
    enter(block, starts, stops, held, bounds, 0, table, np.uint64(1), numbers)
    seek(block, starts, stops, held, bounds, table, np.uint64(1), numbers)
    put(numbers, numbers, np.zeros(8, np.int64))
    hashes(block, starts, stops, np.uint64(1), numbers)
