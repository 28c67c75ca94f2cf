"""Which runs of base64 and of hexadecimal digits hold a text in another encoding than UTF-8: noise holds none.

It lets through too many rather than too few: of a run that it excuses `otherbytes.said_in` says nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean
from envclone.verifier.digitruns import SURELY_HEXADECIMAL
from envclone.verifier.otherbytes import CASES, CLASSES, IN_FOUR, IN_ROW, LONG_WORD, SHORT, WIDE, WIDTHS

__all__ = ["excuse", "warm"]

_SHORTEST = 16
_BAD = 255
_SIX = np.full(256, _BAD, np.int64)
"""What a digit of base64 is worth, in either of its alphabets."""
for _value, _digit in enumerate(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):
    _SIX[_digit] = _value
_SIX[[*b"-_"]] = 62, 63
_FOUR = np.full(256, _BAD, np.int64)
"""What a hexadecimal digit is worth."""
for _value, _digit in enumerate(b"0123456789abcdef"):
    _FOUR[_digit] = _FOUR[ord(chr(_digit).upper())] = _value
_LETTER, _HIGH, _SIGN = 1, 2, 3
_KIND = np.zeros(256, np.uint8)
for _byte, _class in enumerate(CLASSES):
    _KIND[_byte] = {"a": _LETTER, "H": _HIGH, "s": _SIGN}.get(chr(_class), 0)
_GREAT, _SMALL, _HIGHS = np.zeros(256, np.bool_), np.zeros(256, np.bool_), np.zeros(256, np.bool_)
"""Letters that are great or small, the sharp s both, and those that are not of ASCII."""
for _byte, _case in enumerate(CASES):
    _GREAT[_byte], _SMALL[_byte], _HIGHS[_byte] = (chr(_case) in which for which in ("uUz", "lLz", "LUz"))
_EAST = np.zeros(256, np.bool_)
"""First bytes of ideographs, kana, Hangul, blanks and surrogates in UTF-16."""
_EAST[[0, *range(0x30, 0xA0), *range(0xAC, 0xE0)]] = True
_IN_FOURS, _FEWEST_IN_FOURS = 4 * SHORT, 24
_ASCII = 128


@lean
def _of_base64(data: Any, start: Any, size: Any, room: Any) -> Any:
    """Write what a run of base64 stands for; returns how many bytes that are."""
    size -= size % 4 == 1
    out, i, stop = 0, start, start + size
    while i + 4 <= stop:
        four = _SIX[data[i]] << 18 | _SIX[data[i + 1]] << 12 | _SIX[data[i + 2]] << 6 | _SIX[data[i + 3]]
        room[out], room[out + 1], room[out + 2] = four >> 16, four >> 8 & 255, four & 255
        out += 3
        i += 4
    if i + 2 <= stop:
        room[out] = _SIX[data[i]] << 2 | _SIX[data[i + 1]] >> 4
        out += 1
    if i + 3 <= stop:
        room[out] = (_SIX[data[i + 1]] << 4 | _SIX[data[i + 2]] >> 2) & 255
        out += 1
    return out


@lean
def _of_hexadecimal(data: Any, start: Any, size: Any, room: Any) -> Any:
    for k in range(size // 2):
        room[k] = _FOUR[data[start + 2 * k]] << 4 | _FOUR[data[start + 2 * k + 1]]
    return size // 2


@lean
def _cased(room: Any, start: Any, end: Any) -> Any:
    """Whether among letters and signs a word with a high letter is written as people do."""
    i = start
    while i < end:
        if _KIND[room[i]] == _SIGN:
            i += 1
            continue
        first, high, inner, double, small = i, False, False, False, False
        while i < end and _KIND[room[i]] != _SIGN:
            high |= _HIGHS[room[i]]
            small |= not _GREAT[room[i]]
            if not _SMALL[room[i]]:
                inner |= i > first + 1 and i + 1 < end and _KIND[room[i + 1]] != _SIGN
                double |= i > first and not _SMALL[room[i - 1]]
            i += 1
        if high and (not small or not inner or not (double or not _SMALL[room[i - 1]])):
            return True
    return False


@lean
def _words(room: Any, n: Any) -> Any:
    """Whether there are words: of so many bytes in a row every one that is the last of so many is looked at first."""
    i = LONG_WORD - 1
    while i < n:
        if _KIND[room[i]] == 0:
            i += LONG_WORD
            continue
        start = i
        while start > 0 and _KIND[room[start - 1]] != 0:
            start -= 1
        letters = high = 0
        i = start
        while i < n and _KIND[room[i]] != 0:
            letters += _KIND[room[i]] == _LETTER
            high += _KIND[room[i]] == _HIGH
            i += 1
        if i - start >= LONG_WORD and 0 < 3 * high <= letters and _cased(room, start, i):
            return True
        i += LONG_WORD
    return False


@lean
def _wide(room: Any, n: Any) -> Any:
    """Whether every other byte of so many is low; of each such row two neighbours in `2 * WIDTHS` bytes tell."""
    for last in range(2 * WIDTHS - 2, n + 1, 2 * WIDTHS):
        for middle in range(last, min(last + 2, n)):
            if room[middle] >= WIDE:
                continue
            count, i = 1, middle - 2
            while i >= 0 and room[i] < WIDE:
                count += 1
                i -= 2
            i = middle + 2
            while i < n and room[i] < WIDE:
                count += 1
                i += 2
            if count >= WIDTHS:
                return True
    return False


@lean
def _four_wide(room: Any, n: Any) -> Any:
    """Whether every second pair of so many is zero; of each such row one pair in `4 * IN_FOUR` bytes tells."""
    for last in range(4 * IN_FOUR - 4, n - 1, 4 * IN_FOUR):
        for middle in range(last, min(last + 4, n - 1)):
            if room[middle] != 0 or room[middle + 1] != 0:
                continue
            count, i = 1, middle - 4
            while i >= 0 and room[i] == 0 and room[i + 1] == 0:
                count += 1
                i -= 4
            i = middle + 4
            while i + 1 < n and room[i] == 0 and room[i + 1] == 0:
                count += 1
                i += 4
            if count >= IN_FOUR:
                return True
    return False


@lean
def _says(room: Any, n: Any) -> Any:
    """Whether bytes may be a text."""
    if n < LONG_WORD:
        return False
    signs, zeros, least = 0, 0, 255
    for i in range(n):
        signs |= room[i]
        least = min(least, room[i])
    if signs < _ASCII and least >= WIDE:
        return False
    for i in range(min(n, _IN_FOURS)):
        zeros += room[i] == 0
    if n >= _FEWEST_IN_FOURS and n % 4 == 0 and zeros >= IN_ROW * min(n, _IN_FOURS):
        return True
    if room[0] + room[1] == 255 + 254 or (room[0] == 0 and room[1] == 0):
        return True
    if n <= SHORT and n % 2 == 0:
        first = second = True
        for i in range(0, n, 2):
            first = first and _EAST[room[i]]
            second = second and _EAST[room[i + 1]]
        if first or second:
            return True
    return _words(room, n) or _wide(room, n) or _four_wide(room, n)


@lean
def excuse(data: Any, found: Any, flag: Any, room: Any) -> Any:
    """Take `flag` from those of some texts, a zero between two, whose runs of digits say nothing.

    `room` is for as many bytes as there are.
    """
    number = begin = 0
    n = len(data)
    while begin <= n:
        if number >= len(found):
            return
        if found[number] & flag == 0:
            while begin < n and data[begin] != 0:
                begin += 1
        else:
            says = False
            while begin < n and data[begin] != 0:
                start, hexadecimal = begin, True
                while begin < n and _SIX[data[begin]] != _BAD:
                    hexadecimal = hexadecimal and _FOUR[data[begin]] != _BAD
                    begin += 1
                size = begin - start
                if size >= _SHORTEST and not says:
                    pairs = hexadecimal and size % 2 == 0
                    says = pairs and _says(room, _of_hexadecimal(data, start, size, room))
                    if not says and not (pairs and size >= SURELY_HEXADECIMAL):
                        says = _says(room, _of_base64(data, start, size, room))
                if size == 0:
                    begin += 1
            if not says:
                found[number] &= ~flag
        number += 1
        begin += 1


def warm() -> None:
    """Run each once on what it is called with."""
    data = np.frombuffer(b"0123456789abcdef\x00QUJDREVGR0hJSktMTU5PUA", np.uint8)
    excuse(data, np.full(2, 1 << 15, np.uint16), np.uint16(1 << 15), np.empty(len(data), np.uint8))
