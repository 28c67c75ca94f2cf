"""Sets of words by 64 bits of each: which words of a text may be in one."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import frozen, lean

__all__ = ["among", "enter", "warm"]

_BASIS, _PRIME, _MIX = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3), np.uint64(0x9E3779B97F4A7C15)
_29, _1, _0 = np.uint64(29), np.uint64(1), np.uint64(0)


@lean
def _number(codes: Any, start: Any, stop: Any) -> Any:
    """64 bits of a word's code points; never 0."""
    h = _BASIS
    for i in range(start, stop):
        h = (h ^ np.uint64(codes[i])) * _PRIME
    h = (h ^ (h >> _29)) * _MIX
    return (h ^ (h >> _29)) | _1


@lean
def enter(codes: Any, starts: Any, stops: Any, table: Any) -> Any:
    """Enter words into a table that is at least twice as large as there are words."""
    mask = table.shape[0] - 1
    for i in range(starts.shape[0]):
        number = _number(codes, max(0, starts[i]), min(codes.shape[0], stops[i]))
        at = np.int64(number >> _1) & mask
        while table[at] != _0 and table[at] != number:
            at = (at + 1) & mask
        table[at] = number
    return 0


@lean
def among(codes: Any, starts: Any, stops: Any, table: Any, found: Any) -> Any:
    """Of each word whether it is in the table; another word is with a chance of one in 2**40."""
    mask = table.shape[0] - 1
    for i in range(min(starts.shape[0], stops.shape[0], found.shape[0])):
        number = _number(codes, max(0, starts[i]), min(codes.shape[0], stops[i]))
        at = np.int64(number >> _1) & mask
        while table[at] != _0 and table[at] != number:
            at = (at + 1) & mask
        found[i] = table[at] == number
    return 0


def warm() -> None:
    """Run every kernel of this room once."""
    places, table, found = np.array([0, 1], np.int64), np.zeros(8, np.uint64), np.zeros(2, np.bool_)
    enter(frozen(np.zeros(2, np.uint32)), places, places + 1, table)
    for codes in (np.frombuffer(b"ab", np.uint8), np.frombuffer(b"a\0\0\0b\0\0\0", np.uint32)):
        among(codes, places, places + 1, table, found)
