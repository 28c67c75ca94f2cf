"""The digits of numbers of persons as whole numbers: all of them, and those of a national number."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean
from envclone.masking.kernels.people import prefix, room

__all__ = ["dialled", "warm", "whole"]

_ASCII, _PLUS, _SPACE, _OPEN, _0, _9, _DOT, _HASH = 128, 43, 32, 40, 48, 57, 46, 35
_LONGEST = 32
_LETTER = np.array([chr(c).isalpha() for c in range(_ASCII)])
_EXTENDS = np.array([chr(c).lower() in "xepid" for c in range(_ASCII)])
"""How words begin that say an extension follows (`phone`); a # does, too."""
_FEWEST, _LAST, _BEYOND = 10**6, 10**17, 10**18
"""Numbers of 7 to 18 digits; from the second on another digit is one too many."""
_NONE = -1


@lean
def _number(digits: Any, first: Any, size: Any) -> Any:
    """The number that some digits write, when it is in the bounds."""
    value = np.int64(0)
    for k in range(first, size):
        if value >= _LAST:
            return np.int64(_NONE)
        value = value * 10 + np.int64(digits[k])
    return value if value >= _FEWEST else np.int64(_NONE)


@lean
def dialled(block: Any, starts: Any, stops: Any, codes: Any, digits: Any, found: Any, odd: Any) -> Any:
    """Per value the number of all its digits, and the national number of it, -1 for what is out of bounds.

    Of those that need a closer look `odd` is set.
    """
    for i in range(min(starts.shape[0], stops.shape[0], odd.shape[0], found.shape[0])):
        start, stop = np.int64(starts[i]), np.int64(stops[i])
        found[i, 0] = found[i, 1] = _NONE
        if not 0 <= start <= stop <= block.shape[0]:
            continue
        size, plus, unclear, in_word, before = 0, False, False, False, np.int64(0)
        for k in range(start, stop):
            char = np.int64(block[k])
            if char >= _ASCII or size == _LONGEST:
                unclear = True
                break
            letter = _LETTER[char]
            if char == _HASH or (letter and not in_word and _EXTENDS[char]):
                unclear = True
                break
            in_word = letter
            if _0 <= char <= _9:
                plus = plus or (size == 0 and before == _PLUS)
                digits[size] = np.uint64(char - _0)
                size += 1
            elif size == 0 and not letter and char != _SPACE and char != _OPEN:
                before = char
        odd[i] = unclear
        if unclear or size == 0:
            continue
        found[i, 0] = _number(digits, 0, size)
        found[i, 1] = _number(digits, prefix(digits, size, plus, codes), size)
    return 0


@lean
def whole(block: Any, found: Any) -> Any:
    """The whole numbers within the bounds among values with a zero between two, -1 for any other; '.0' may follow."""
    start, size = np.int64(0), block.shape[0]
    for i in range(found.shape[0]):
        found[i] = _NONE
        k, value, good = start, np.int64(0), start < size and block[start] != _0
        while k < size and block[k] != 0:
            char = np.int64(block[k])
            if _0 <= char <= _9:
                value = value * 10 + (char - _0) if value < _LAST else np.int64(_BEYOND)
            elif char == _DOT and k > start and k + 1 < size and block[k + 1] == _0:
                good = good and (k + 2 >= size or block[k + 2] == 0)
                k += 1
            else:
                good = False
            k += 1
        if good and _FEWEST <= value < _BEYOND:
            found[i] = value
        start = k + 1
    return 0


def warm() -> None:
    """Run every kernel of this room once."""
    block = np.frombuffer(b"+49 30 1234567\x0042.0", np.uint8)
    found, odd = np.zeros((1, 2), np.int64), np.zeros(1, np.bool_)
    codes = np.zeros(1110, np.bool_)
    dialled(block, np.zeros(1, np.int64), np.array([14], np.int64), codes, room(), found, odd)
    whole(block, np.zeros(2, np.int64))
