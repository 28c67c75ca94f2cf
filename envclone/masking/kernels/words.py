"""Tokens of up to 16 letters as two words of 64 bits, the first letter lowest: compared, cut and joined in one step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from envclone.compiled import lean

__all__ = ["LONGEST", "Dictionary", "fill", "find", "front", "joined", "letter", "slot", "split_at", "tail"]

LONGEST = 16
"""Letters of a token that is masked here."""
_SHORTEST_PART = 3
_0, _1, _8, _64 = np.uint64(0), np.uint64(1), np.uint64(8), np.uint64(64)
_BYTE = np.uint64(0xFF)
_ONE, _TWO, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0xD6E8FEB86659FD93)
_32 = np.uint64(32)


class Dictionary(NamedTuple):
    """Known names as an open table by hash, of a size that is a power of two: in `rows` the two words of each and the
    two of its pseudonym's, all 0 where none is; `given` tells which are given names."""

    rows: Any
    given: Any


@lean
def slot(first: Any, second: Any, size: Any) -> Any:
    """Where a token's search begins in a table of this size."""
    h = (first * _ONE) ^ (second * _TWO)
    h = (h ^ (h >> _32)) * _MIX
    return np.int64((h >> _32) & np.uint64(size - 1))


@lean
def fill(words: Any, rows: Any, places: Any) -> Any:
    """Enter every name into the table, which is at least twice as large as there are names, and note its place."""
    for number in range(min(words.shape[0], places.shape[0])):
        at = slot(words[number, 0], words[number, 1], rows.shape[0])
        while rows[at, 0] != _0:
            at = (at + 1) & (rows.shape[0] - 1)
        rows[at, 0], rows[at, 1] = words[number, 0], words[number, 1]
        places[number] = at
    return 0


@lean
def find(first: Any, second: Any, names: Any) -> Any:
    """The place of a known name, or -1."""
    at = slot(first, second, names.rows.shape[0])
    while True:
        held = names.rows[at, 0]
        if held == _0:
            return np.int64(-1)
        if held == first and names.rows[at, 1] == second:
            return at
        at = (at + 1) & (names.rows.shape[0] - 1)


@lean
def letter(first: Any, second: Any, at: Any) -> Any:
    """One letter."""
    return np.int64(((first if at < 8 else second) >> (_8 * np.uint64(at & 7))) & _BYTE)


@lean
def front(first: Any, second: Any, at: Any) -> Any:
    """The letters before a place from 1 to 15."""
    if at < 8:
        return first & ((_1 << (_8 * np.uint64(at))) - _1), _0
    return first, second & ((_1 << (_8 * np.uint64(at - 8))) - _1)


@lean
def tail(first: Any, second: Any, at: Any) -> Any:
    """The letters from a place on, from 1 to 15."""
    if at < 8:
        by = _8 * np.uint64(at)
        return (first >> by) | (second << (_64 - by)), second >> by
    return second >> (_8 * np.uint64(at - 8)), _0


@lean
def joined(one: Any, two: Any, other: Any, more: Any, at: Any) -> Any:
    """Letters, of which there are 1 to 15, and others behind them."""
    if at < 8:
        by = _8 * np.uint64(at)
        return one | (other << by), two | (other >> (_64 - by)) | (more << by)
    return one, two | (other << (_8 * np.uint64(at - 8)))


@lean
def split_at(first: Any, second: Any, size: Any, names: Any) -> Any:
    """Where the second name of a compound begins, 0 when a token is none; it is not a known name itself."""
    if size <= _SHORTEST_PART:
        return 0
    for at in range(size - _SHORTEST_PART, _SHORTEST_PART - 1, -1):
        one, two = front(first, second, at)
        number = find(one, two, names)
        if number >= 0 and names.given[number]:
            one, two = tail(first, second, at)
            if find(one, two, names) >= 0:
                return at
    one, two = tail(first, second, 1)
    return 1 if find(one, two, names) >= 0 else 0
