"""Strings that begin where no word goes on, compiled: by their first three bytes, then by all of a length.

Every offset is checked before it is read: the bytes are whatever production holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean

__all__ = ["BITS", "HASHED", "enter", "find", "warm"]

_U = np.uint64
BITS = 14
"""The filter has 2**14 places: it stays near the processor."""
_SHORTEST, HASHED = 3, 8
"""Bytes of a string at least, and from which on only so many of them are hashed."""
_GOLDEN = _U(0x9E3779B97F4A7C15)
_MIXED = np.uint32(0x9E3779B1)
_UP = np.uint32(32 - BITS)
_0, _7, _8, _32 = _U(0), _U(7), _U(8), _U(32)
_8_OF_24, _16_OF_24 = np.uint32(8), np.uint32(16)


@lean
def _place(three: Any) -> Any:
    """The place of three bytes in the filter."""
    return np.int64(np.uint32(three * _MIXED) >> _UP)  # numba makes 64 bits of a product


@lean
def _mixed(value: Any, byte: Any) -> Any:
    value = (value ^ _U(byte)) * _GOLDEN
    return value ^ (value >> _32)


@lean
def enter(block: Any, bounds: Any, lengths: Any, table: Any) -> Any:
    """Enter the strings between bounds, of at least three bytes, into a filter of the lengths (one bit each) by the
    first three, and into a table of zeros that has at least twice as many places: by the number of each, plus one."""
    mask = table.shape[0] - 1
    for number in range(bounds.shape[0] - 1):
        start, stop = np.int64(bounds[number]), np.int64(bounds[number + 1])
        if not 0 <= start <= stop - _SHORTEST or stop > block.shape[0]:
            return number
        three = np.uint32(block[start]) | np.uint32(block[start + 1]) << _8_OF_24
        hashed = stop - start if stop - start < HASHED else np.int64(HASHED)
        lengths[_place(three | np.uint32(block[start + 2]) << _16_OF_24)] |= np.uint8(1 << (hashed - 1))
        value = _U(hashed)
        for k in range(start, start + hashed):
            value = _mixed(value, block[k])
        at = np.int64(value >> _7) & mask
        while table[at]:
            at = (at + 1) & mask
        table[at] = number + 1
    return -1


@lean
def find(data: Any, signs: Any, digits: Any, block: Any, bounds: Any, lengths: Any, table: Any, hits: Any) -> Any:
    """Where the strings stand, but where one of the `signs` goes on before it, or of the `digits` before a digit: rows
    of number, start, end; returns how many there are, also when not all fit."""
    count, size, mask = 0, data.shape[0], table.shape[0] - 1
    if lengths.shape[0] < 1 << BITS or size < _SHORTEST:
        return 0
    three = np.uint32(data[0]) << _8_OF_24 | np.uint32(data[1]) << _16_OF_24
    for k in range(size - 2):
        three = three >> _8_OF_24 | np.uint32(data[k + 2]) << _16_OF_24
        its = lengths[_place(three)]
        if its == 0:
            continue
        if k and signs[data[k]] and signs[data[k - 1]] and not (digits[data[k]] and not digits[data[k - 1]]):
            continue
        for hashed in range(_SHORTEST, HASHED + 1):
            if not its >> (hashed - 1) & 1 or k + hashed > size:
                continue
            value = _U(hashed)
            for j in range(k, k + hashed):
                value = _mixed(value, data[j])
            at = np.int64(value >> _7) & mask
            while table[at]:
                number = np.int64(table[at]) - 1
                at = (at + 1) & mask
                first = np.int64(bounds[number])
                length = np.int64(bounds[number + 1]) - first
                if (length != hashed and (hashed < HASHED or length < HASHED)) or k + length > size:
                    continue
                same = 0
                while same < length and data[k + same] == block[first + same]:
                    same += 1
                if same == length:
                    if count < hits.shape[0]:
                        hits[count, 0], hits[count, 1], hits[count, 2] = number, k, k + length
                    count += 1
    return count


def warm() -> None:
    """Run every kernel of this room once."""
    data, signs = np.frombuffer(b"abc abc", np.uint8), np.frombuffer(bytes(256), np.bool_)
    bounds, lengths, table = np.array([0, 3, 7], np.int64), np.zeros(1 << BITS, np.uint8), np.zeros(8, np.int32)
    enter(data, bounds, lengths, table)
    find(data, signs, signs, data, bounds, lengths, table, np.zeros((4, 3), np.int64))
