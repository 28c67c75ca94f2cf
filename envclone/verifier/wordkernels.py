"""Words among bytes, compiled: runs of some signs, as long as they can be, looked up by their hash and compared.

Every offset is checked before it is read: the bytes are whatever production holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean
from envclone.masking.kernels import runs

__all__ = ["enter", "places", "warm", "whole"]

_U = np.uint64
_GOLDEN = _U(0x9E3779B97F4A7C15)
_NEAR = 32
"""Signs of a run that is too long, from which on it is passed over by blocks."""
_WORD = np.uint8(runs.LETTER | runs.CAPITAL | runs.DIGIT)
_0, _6, _7, _8, _32, _63, _64 = _U(0), _U(6), _U(7), _U(8), _U(32), _U(63), _U(64)


@lean
def _mixed(value: Any, eight: Any) -> Any:
    """A hash with eight more bytes: these a number, so that a word is not a chain of products."""
    value = (value ^ eight) * _GOLDEN
    return value ^ (value >> _32)


@lean
def _of(block: Any, start: Any, stop: Any, fold: Any) -> Any:
    """The hash of a word."""
    value = eight = _0
    for k in range(start, stop):
        eight = eight << _8 | _U(fold[block[k]])
        if (k - start) & 7 == 7:
            value, eight = _mixed(value, eight), _0
    return _mixed(value, eight)


@lean
def places(block: Any, bounds: Any, which: Any, fold: Any, size: Any, found: Any) -> Any:
    """Where in a table of so many places some of the strings of a block belong; 0 for none."""
    for i in range(min(which.shape[0], found.shape[0])):
        number, found[i] = np.int64(which[i]), 0
        if 0 <= number < bounds.shape[0] - 1:
            start, stop = np.int64(bounds[number]), np.int64(bounds[number + 1])
            if 0 <= start < stop <= block.shape[0]:
                found[i] = np.int64(_of(block, start, stop, fold) >> _7) & (size - 1)
    return 0


@lean
def enter(block: Any, bounds: Any, which: Any, fold: Any, wanted: Any, bits: Any, table: Any) -> Any:
    """Enter words, some of the strings of a block, into a table of zeros that has twice as many places: by the number
    of each, plus one; and into a filter of 2**bits bits."""
    mask = table.shape[0] - 1
    for i in range(which.shape[0]):
        number = np.int64(which[i])
        if not 0 <= number < bounds.shape[0] - 1:
            continue
        start, stop = np.int64(bounds[number]), np.int64(bounds[number + 1])
        if not 0 <= start < stop <= block.shape[0]:
            continue
        value = _of(block, start, stop, fold)
        wanted[value >> (_64 - _U(bits) + _6)] |= _U(1) << (value >> (_64 - _U(bits)) & _63)
        at = np.int64(value >> _7) & mask
        while table[at]:
            at = (at + 1) & mask
        table[at] = number + 1
    return 0


@lean
def _are_words(signs: Any) -> Any:
    """Whether letters and digits of ASCII are all among some signs."""
    count = 0
    for c in range(128):
        count += signs[c] and (48 <= c <= 57 or 97 <= c | 32 <= 122)
    return count == 62


@lean
def whole(
    data: Any,
    signs: Any,
    least: Any,
    most: Any,
    block: Any,
    bounds: Any,
    fold: Any,
    wanted: Any,
    bits: Any,
    table: Any,
    hits: Any,
) -> Any:
    """Where words of `least` to `most` signs stand: rows of which, start, end; returns how many there are, also when
    not all fit."""
    count, i, size, mask = 0, 0, data.shape[0], table.shape[0] - 1
    plain = _are_words(signs)
    while i < size:
        if not signs[data[i]]:
            i += 1
            continue
        start, value, eight = i, _0, _0
        stop = min(size, start + most + 1)
        while i < stop and signs[data[i]]:
            eight = eight << _8 | _U(data[i])
            if (i - start) & 7 == 7:
                value, eight = _mixed(value, eight), _0
            i += 1
        if i - start > most:
            stop = min(size, i + _NEAR)
            while i < stop and signs[data[i]]:
                i += 1
            if i == stop and plain:
                i, _ = runs.passed(data, i, size, _WORD)
            while i < size and signs[data[i]]:
                i += 1
            continue
        if i - start < least:
            continue
        value = _mixed(value, eight)
        if not wanted[value >> (_64 - _U(bits) + _6)] >> (value >> (_64 - _U(bits)) & _63) & _U(1):
            continue
        at = np.int64(value >> _7) & mask
        while table[at]:
            number = np.int64(table[at]) - 1
            at = (at + 1) & mask
            first = np.int64(bounds[number])
            if np.int64(bounds[number + 1]) - first != i - start:
                continue
            same = 0
            while same < i - start and data[start + same] == fold[block[first + same]]:
                same += 1
            if same == i - start:
                if count < hits.shape[0]:
                    hits[count, 0], hits[count, 1], hits[count, 2] = number, start, i
                count += 1
    return count


def warm() -> None:
    """Run every kernel of this room once."""
    data, signs = np.frombuffer(b"ab cde", np.uint8), np.frombuffer(bytes(256), np.bool_)
    fold, table = np.frombuffer(bytes(256), np.uint8), np.zeros(8, np.int32)
    wanted = np.zeros(16, np.uint64)
    for bounds in (np.array([0, 2, 6], np.uint32), np.array([0, 2, 6], np.int64)):
        enter(data, bounds, np.zeros(2, np.uint32), fold, wanted, 10, table)
        places(data, bounds, np.zeros(2, np.uint32), fold, 8, np.zeros(2, np.int64))
        whole(data, signs, 3, 9, data, bounds, fold, wanted, 10, table, np.zeros((4, 3), np.int64))
