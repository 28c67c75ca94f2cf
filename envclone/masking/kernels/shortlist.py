"""Which texts of a block may be in a short list, in any casing and with any blanks: one look-up of a hash for each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from envclone.compiled import lean

__all__ = ["List", "entered", "listed", "warm"]

_BASIS, _PRIME, _MIX = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3), np.uint64(0x9E3779B97F4A7C15)
_0, _1, _29, _SPACE = np.uint64(0), np.uint64(1), np.uint64(29), np.uint64(32)
_A, _Z, _ZERO, _NINE, _CASE, _ASCII = 65, 90, 48, 57, 32, 128
_BLANK, _T, _AT, _DOT, _HYPHEN, _BRACE, _U = 32, 116, 64, 46, 45, 123, 117
_TAB, _RETURN, _FS = 9, 13, 28
_URN, _HEAD = 9, 8


class List(NamedTuple):
    """Open tables of the hashes of words, of the digits of numbers, of how addresses begin up to their @ and how they
    end from it or from their last dot on.

    Whether to look for numbers, for UUIDs that begin with one digit, for words that a time follows.
    """

    words: Any
    digits: Any
    heads: Any
    tails: Any
    numbers: bool
    uuids: bool
    dated: bool


@lean
def _mixed(h: Any) -> Any:
    h = (h ^ (h >> _29)) * _MIX
    return (h ^ (h >> _29)) | _1


@lean
def _holds(h: Any, table: Any) -> Any:
    number = _mixed(h)
    mask = table.shape[0] - 1
    at = np.int64(number >> _1) & mask
    while table[at] != _0:
        if table[at] == number:
            return True
        at = (at + 1) & mask
    return False


@lean
def entered(block: Any, zeros: Any, table: Any) -> Any:
    """Enter texts, which are in small letters, into a table of twice as many zeros and more."""
    mask = table.shape[0] - 1
    for i in range(zeros.shape[0] - 1):
        h = _BASIS
        for k in range(max(0, zeros[i] + 1), min(zeros[i + 1], block.shape[0])):
            h = (h ^ np.uint64(block[k])) * _PRIME
        number = _mixed(h)
        at = np.int64(number >> _1) & mask
        while table[at] != _0 and table[at] != number:
            at = (at + 1) & mask
        table[at] = number
    return 0


@lean
def _is_blank(c: Any) -> Any:
    return c == _BLANK or _TAB <= c <= _RETURN or _FS <= c < _BLANK


@lean
def _alike(block: Any, start: Any, stop: Any) -> Any:
    """Whether a UUID begins with eight times one digit."""
    p = start
    while p < stop and block[p] == _BRACE:
        p += 1
    if p < stop and np.int64(block[p]) | _CASE == _U:
        p += _URN
    while p < stop and block[p] == _BRACE:
        p += 1
    first, count = np.int64(0), 0
    while p < stop and count < _HEAD:
        c = np.int64(block[p]) | _CASE
        p += 1
        if c == _HYPHEN:
            continue
        if count and c != first:
            return False
        first = c
        count += 1
    return count == _HEAD


@lean
def _may_be(block: Any, start: Any, stop: Any, known: Any) -> Any:
    while start < stop and _is_blank(np.int64(block[start])):
        start += 1
    while stop > start and _is_blank(np.int64(block[stop - 1])):
        stop -= 1
    if known.uuids and _alike(block, start, stop):
        return True
    h, tail, dotted, digits = _BASIS, _BASIS, _BASIS, _BASIS
    first, count, same, at = np.int64(0), 0, True, False
    gap = False
    for p in range(start, stop):
        c = np.int64(block[p])
        if c >= _ASCII:
            return True
        if _is_blank(c):
            if known.dated and not gap and _holds(h, known.words):
                return True
            gap = True
            continue
        if gap:
            h, tail, dotted = (h ^ _SPACE) * _PRIME, (tail ^ _SPACE) * _PRIME, (dotted ^ _SPACE) * _PRIME
            gap = False
        if _A <= c <= _Z:
            c |= _CASE
        if known.dated and c == _T and _holds(h, known.words):
            return True
        if known.numbers and _ZERO <= c <= _NINE:
            same = same and (count == 0 or c == first)
            first = c
            count += 1
            digits = (digits ^ np.uint64(c)) * _PRIME
        if c == _AT:
            tail, at = _BASIS, True
        if c == _DOT:
            dotted = _BASIS
        char = np.uint64(c)
        h, tail, dotted = (h ^ char) * _PRIME, (tail ^ char) * _PRIME, (dotted ^ char) * _PRIME
        if c == _AT and _holds(h, known.heads):
            return True
    if start < stop and _holds(h, known.words):
        return True
    if at and (_holds(tail, known.tails) or _holds(dotted, known.tails)):
        return True
    return known.numbers and count > 0 and (same or _holds(digits, known.digits))


@lean
def listed(block: Any, zeros: Any, known: Any, found: Any) -> Any:
    """Note which texts, each between two of the places of zeros, may be listed; those that are not ASCII always may."""
    for i in range(min(zeros.shape[0] - 1, found.shape[0])):
        found[i] = _may_be(block, max(0, zeros[i] + 1), min(zeros[i + 1], block.shape[0]), known)
    return 0


def warm() -> None:
    """Run every kernel of this room once."""
    block, zeros = np.frombuffer(b"n/a\x00000@x", np.uint8), np.array([-1, 3, 9], np.int64)
    table = np.zeros(8, np.uint64)
    entered(block, zeros, table)
    listed(block, zeros, List(table, table, table, table, True, True, True), np.zeros(2, np.bool_))
