"""Numbers that stand in texts, compiled: digits in a row, signed ones of 32 bits, and hexadecimal digits.

Of a number that stands in many texts near each other the first alone is told.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean

__all__ = ["RECENT", "numbers", "warm"]

RECENT = 4096
"""Numbers that are remembered, by what is left when they are divided by it."""
_DIGIT, _HEX, _LETTER, _X = 1, 2, 4, 8
_KINDS = np.zeros(256, np.uint8)
"""Per byte of a word: a decimal digit, a letter that is a hexadecimal one, an x, any other; 0 for a sign."""
_KINDS[[*range(65, 91), *range(97, 123), *range(128, 256), ord("_")]] = _LETTER
_KINDS[48:58] = _DIGIT
_KINDS[[*b"abcdefABCDEF"]] = _HEX
_KINDS[[*b"xX"]] = _X
_0, _DOT, _DASH = 48, 46, 45
_FEWEST, _LAST, _BEYOND = 10**6, 10**17, 10**18
"""Numbers of 7 to 18 digits; from the second on another digit is one too many."""
_SHORTEST, _LONGEST, _LONGEST_HEX, _OF_ADDRESS = 6, 24, 15, 8
_WIDTH = 1 << 32


@lean
def _decimal(data: Any, start: Any, end: Any) -> Any:
    value = np.int64(0)
    for k in range(start, end):
        if value >= _LAST:
            return np.int64(0)
        value = value * 10 + np.int64(data[k]) - _0
    return value


@lean
def _hexadecimal(data: Any, start: Any, end: Any) -> Any:
    value = np.int64(0)
    if end - start > _LONGEST_HEX:
        return value
    for k in range(start, end):
        byte = np.int64(data[k])
        value = value << 4 | (byte - _0 if byte < 58 else (byte & 15) + 9)
    return value


@lean
def _take(value: Any, text: Any, recent: Any, found: Any, count: Any) -> Any:
    if not _FEWEST <= value < _BEYOND or recent[value % RECENT] == value:
        return count
    recent[value % RECENT] = value
    if count < found.shape[0]:
        found[count, 0], found[count, 1] = value, text
    return count + 1


@lean
def numbers(data: Any, recent: Any, found: Any) -> Any:
    """Put numbers and the numbers of the texts that they stand in, a zero between two, into `found`; returns how many
    there are: there may be too little room. `recent` has RECENT places."""
    count = text = i = np.int64(0)
    n = np.int64(data.shape[0])
    while i < n:
        kind = _KINDS[data[i]]
        if kind == 0:
            text += data[i] == 0
            i += 1
            continue
        start, kinds = i, np.uint8(0)
        while i < n:
            kind = _KINDS[data[i]]
            if kind == 0:
                break
            kinds |= kind
            i += 1
        size = i - start
        if size < _SHORTEST or size > _LONGEST or kinds & _LETTER or not kinds & _DIGIT:
            continue
        if kinds & _X:
            if data[start] == _0 and _KINDS[data[start + 1]] == _X:
                there = np.uint8(0)
                for k in range(start + 2, i):
                    there |= _KINDS[data[k]]
                if not there & _X:
                    count = _take(_hexadecimal(data, start + 2, i), text, recent, found, count)
            continue
        if start > 1 and data[start - 1] == _DOT and _KINDS[data[start - 2]] == _DIGIT:
            continue  # the digits of a fraction
        if kinds & _HEX:
            count = _take(_hexadecimal(data, start, i), text, recent, found, count)
            continue
        value = _decimal(data, start, i)
        count = _take(value, text, recent, found, count)
        if start > 0 and data[start - 1] == _DASH and (start < 2 or _KINDS[data[start - 2]] == 0) and value < _WIDTH:
            count = _take(_WIDTH - value, text, recent, found, count)
        if size == _OF_ADDRESS:
            count = _take(_hexadecimal(data, start, i), text, recent, found, count)
    return count


def warm() -> None:
    """Run every kernel of this room once."""
    numbers(np.frombuffer(b"a 1234567\x000x7fffffff", np.uint8), np.zeros(RECENT, np.int64), np.zeros((4, 2), np.int64))
