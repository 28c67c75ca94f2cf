"""Codes of ASCII letters and digits, bank accounts, cards and hardware addresses, as `shape`, `finance` and `network`
define their masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean
from envclone.masking.kernels.shapes import DONE, ODD, TODO, domain, empty, permute, span, values_of, wish

__all__ = ["HEXADECIMAL", "code_room", "mask_cards", "mask_codes", "mask_ibans", "mask_macs", "warm"]

HEXADECIMAL = np.uint64(1 << 40)
"""Beside a length: the shape of hexadecimal digits. Else a shape is a 1 and a bit a place, set for digits."""
_CHUNK, _ACCOUNT_FROM, _ACCOUNT_TO, _STEPS = 32, 11, 30, 1000
_A, _Z, _0, _9, _CASE, _ASCII, _SPACE, _HYPHEN = 97, 122, 48, 57, 32, 128, 32, 45
_BLANK = np.array([chr(c).isspace() for c in range(_ASCII)])
_NONE, _ONE, _TEN, _LETTERS, _BYTE = np.uint64(0), np.uint64(1), np.uint64(10), np.uint64(26), np.uint64(256)
_SIX, _SIXTEEN = np.uint64(64), np.uint64(16)
_SCHEME = np.array([1, 1, 4, 2, 1, 2, 4, 1, 1, 1])
"""How many leading digits of a card tell its scheme, by the first one."""
_CARD_FROM, _CARD_TO, _LENGTHS = 12, 19, np.uint64(32)
_HEX = np.array([int(chr(c), 16) if chr(c) in "0123456789abcdefABCDEF" else 255 for c in range(_ASCII)], np.uint8)
_LOWER, _UPPER = np.frombuffer(b"0123456789abcdef", np.uint8), np.frombuffer(b"0123456789ABCDEF", np.uint8)
_MAC_MARKS = np.array([chr(c) in ":.- " for c in range(_ASCII)])
_MAC, _EUI = 12, 16


def code_room() -> tuple[Any, Any]:
    """Room for the digits of one number and their radices."""
    return np.zeros(_CHUNK, np.uint64), np.zeros(_CHUNK, np.uint64)


@lean
def _is_letter(char: Any) -> Any:
    return _A <= (np.int64(char) | _CASE) <= _Z


@lean
def _is_digit(char: Any) -> Any:
    return _0 <= np.int64(char) <= _9


@lean
def _shape(text: Any, start: Any, stop: Any, out: Any, digits: Any, radices: Any, domains: Any) -> Any:
    """Every letter and digit within its class; what is read may be what is written."""
    p = start
    while p < stop:
        count, key, q = 0, _ONE, p
        while q < stop and count < _CHUNK:
            char = np.int64(text[q])
            if char >= _ASCII:
                return ODD
            if _is_letter(char):
                digits[count], radices[count] = np.uint64((char | _CASE) - _A), _LETTERS
                key <<= _ONE
                count += 1
            elif _is_digit(char):
                digits[count], radices[count] = np.uint64(char - _0), _TEN
                key = (key << _ONE) | _ONE
                count += 1
            q += 1
        if count == 0:
            return DONE
        row = domain(key, domains)
        if row < 0:
            return wish(key, domains)
        state = permute(digits, radices, count, row, domains)
        if state != DONE:
            return state
        count = 0
        for i in range(p, q):
            char = np.int64(text[i])
            if _is_letter(char):
                out[i] = np.uint8(_A + np.int64(digits[count]) - (0 if char & _CASE else _CASE))
                count += 1
            elif _is_digit(char):
                out[i] = np.uint8(_0 + np.int64(digits[count]))
                count += 1
        p = q
    return DONE


@lean
def _hexadecimal(text: Any, start: Any, stop: Any, out: Any, digits: Any, radices: Any, domains: Any) -> Any:
    """Hexadecimal digits in lower case."""
    p = start
    while p < stop:
        q = min(stop, p + _CHUNK)
        for i in range(p, q):
            char = np.int64(text[i])
            if char >= _ASCII or _HEX[char] == 255:
                return ODD
            digits[i - p], radices[i - p] = np.uint64(_HEX[char]), _SIXTEEN
        key = HEXADECIMAL | np.uint64(q - p)
        row = domain(key, domains)
        if row < 0:
            return wish(key, domains)
        state = permute(digits, radices, q - p, row, domains)
        if state != DONE:
            return state
        for i in range(p, q):
            out[i] = _LOWER[np.int64(digits[i - p])]
        p = q
    return DONE


@lean
def _remainder(text: Any, start: Any, stop: Any, rest: Any) -> Any:
    """The remainder by 97 of the number that the letters (A is 10) and digits spell behind another one."""
    for i in range(start, stop):
        char = np.int64(text[i])
        if _is_digit(char):
            rest = (rest * 10 + char - _0) % 97
        elif _is_letter(char):
            rest = (rest * 100 + (char | _CASE) - _A + 10) % 97
    return rest


@lean
def _is_iban(text: Any, start: Any, stop: Any) -> Any:
    if stop - start < _ACCOUNT_FROM + 4 or not (_is_letter(text[start]) and _is_letter(text[start + 1])):
        return False
    if not (_is_digit(text[start + 2]) and _is_digit(text[start + 3])):
        return False
    count, mark = 0, False
    for i in range(start + 4, stop):
        char = np.int64(text[i])
        if _is_letter(char) or _is_digit(char):
            count += 1
            mark = False
        elif mark or (char != _SPACE and char != _HYPHEN):
            return False
        else:
            mark = True
    check = (np.int64(text[start + 2]) - _0) * 10 + np.int64(text[start + 3]) - _0
    if mark or not _ACCOUNT_FROM <= count <= _ACCOUNT_TO or not 2 <= check <= 98:
        return False
    rest = _remainder(text, start + 4, stop, 0)
    return _remainder(text, start, start + 4, rest) == 1


@lean
def _iban(source: Any, start: Any, stop: Any, out: Any, digits: Any, radices: Any, domains: Any) -> Any:
    for i in range(start, stop):
        if source[i] >= _ASCII:
            return ODD
        out[i] = source[i]
    first, last = start, stop
    while first < last and _BLANK[source[first]]:
        first += 1
    while first < last and _BLANK[source[last - 1]]:
        last -= 1
    if _is_iban(source, first, last):
        state = _shape(source, first + 4, last, out, digits, radices, domains)
        if state == DONE:
            rest = _remainder(source, first, first + 2, _remainder(out, first + 4, last, 0))
            check = 98 - rest * 100 % 97
            out[first + 2], out[first + 3] = np.uint8(_0 + check // 10), np.uint8(_0 + check % 10)
        return state
    for _ in range(_STEPS):
        state = _shape(out, start, stop, out, digits, radices, domains)
        if state != DONE or not _is_iban(out, first, last):
            return state
    return ODD


@lean
def _luhn(digits: Any, size: Any) -> Any:
    """The sum of a number's digits whose last one, if right, makes it a multiple of ten."""
    total = np.int64(0)
    for i in range(size):
        digit = np.int64(digits[size - 1 - i])
        if i & 1:
            digit = 2 * digit - (9 if digit > 4 else 0)
        total += digit
    return total % 10


@lean
def _card(source: Any, start: Any, stop: Any, out: Any, digits: Any, radices: Any, domains: Any) -> Any:
    size = 0
    for i in range(start, stop):
        char = np.int64(source[i])
        if char >= _ASCII or _is_letter(char) or (_is_digit(char) and size == _CARD_TO):
            return ODD
        if _is_digit(char):
            digits[size] = np.uint64(char - _0)
            size += 1
    if size < _CARD_FROM:
        return ODD
    kept = _SCHEME[np.int64(digits[0])]
    key = _ONE
    for i in range(kept):
        key = key * _TEN + digits[i]
    right = _luhn(digits, size) == 0
    moving = size - kept - (1 if right else 0)
    key = key * _LENGTHS + np.uint64(moving)
    row = domain(key, domains)
    if row < 0:
        return wish(key, domains)
    for i in range(moving):
        radices[i] = _TEN
    for _ in range(_STEPS):
        state = permute(digits[kept:], radices, moving, row, domains)
        if state != DONE:
            return state
        if right:
            digits[size - 1] = _NONE
            digits[size - 1] = np.uint64((10 - _luhn(digits, size)) % 10)
            break
        if _luhn(digits, size) != 0:
            break
    count = 0
    for i in range(start, stop):
        if _is_digit(source[i]):
            out[i] = np.uint8(_0 + np.int64(digits[count]))
            count += 1
    return DONE


@lean
def _is_mac_spelling(source: Any, start: Any, stop: Any) -> Any:
    """Whether these are 12 or 16 hexadecimal digits, with no mark or the same one behind every two or four of them, or
    one in the middle of 12."""
    count, marks, mark, step = 0, 0, np.int64(0), 0
    for i in range(start, stop):
        char = np.int64(source[i])
        if char >= _ASCII:
            return False
        if _HEX[char] != 255:
            count += 1
            continue
        if not _MAC_MARKS[char] or (marks and char != mark) or i + 1 == stop:
            return False
        if marks == 0:
            mark, step = char, count
        marks += 1
        if step == 0 or count != step * marks:
            return False
    if count not in (_MAC, _EUI):
        return False
    if marks == 0:
        return True
    if step == 2:
        return marks == count // 2 - 1
    if step == 4:
        return mark != _SPACE and marks == count // 4 - 1
    return step == 6 and count == _MAC and marks == 1 and (mark == 58 or mark == _HYPHEN)


@lean
def _is_nobodys(digits: Any, size: Any) -> Any:
    """Whether all bytes are 00 or all are ff; the first one is apart from its two flags."""
    low, high = True, True
    for i in range(1, size):
        low = low and digits[i] == _NONE
        high = high and digits[i] == np.uint64(255)
    return (low and digits[0] == _NONE) or (high and digits[0] == np.uint64(63))


@lean
def _mac(source: Any, start: Any, stop: Any, out: Any, digits: Any, radices: Any, domains: Any) -> Any:
    first, last = start, stop
    while first < last and source[first] < _ASCII and _BLANK[source[first]]:
        first += 1
    while first < last and source[last - 1] < _ASCII and _BLANK[source[last - 1]]:
        last -= 1
    if not _is_mac_spelling(source, first, last):
        return ODD
    count = 0
    lower: Any = False
    upper: Any = False
    for i in range(first, last):
        char = np.int64(source[i])
        if _HEX[char] != 255:
            lower = lower or char >= _A
            upper = upper or (_ASCII > char > _9 and char < _A)
            digit = np.uint64(_HEX[char])
            digits[count >> 1] = digit if count & 1 == 0 else (digits[count >> 1] << np.uint64(4)) | digit
            count += 1
    size = count >> 1
    flags = digits[0] & np.uint64(3)
    digits[0] >>= np.uint64(2)
    kept = flags == _NONE or flags == np.uint64(3)
    if kept and _is_nobodys(digits, size) and (digits[0] == _NONE) == (flags == _NONE):
        return DONE
    key = np.uint64(size) << np.uint64(2) | flags
    row = domain(key, domains)
    if row < 0:
        return wish(key, domains)
    radices[0] = _SIX
    for i in range(1, size):
        radices[i] = _BYTE
    for _ in range(_STEPS):
        state = permute(digits, radices, size, row, domains)
        if state != DONE:
            return state
        if not (kept and _is_nobodys(digits, size) and (digits[0] == _NONE) == (flags == _NONE)):
            break
    digits[0] = digits[0] << np.uint64(2) | flags
    count = 0
    for i in range(first, last):
        if _HEX[source[i]] != 255:
            byte = np.int64(digits[count >> 1])
            nibble = byte >> 4 if count & 1 == 0 else byte & 15
            out[i] = _UPPER[nibble] if upper and not lower else _LOWER[nibble]
            count += 1
    return DONE


@lean
def mask_codes(values: Any, hexadecimal: Any, digits: Any, radices: Any, domains: Any) -> Any:
    """Mask values within their shape, or as hexadecimal digits in lower case."""
    for i in range(values.states.shape[0]):
        if values.states[i] == TODO:
            start, stop = span(values, i)
            if hexadecimal:
                state = _hexadecimal(values.source, start, stop, values.out, digits, radices, domains)
            else:
                state = _shape(values.source, start, stop, values.out, digits, radices, domains)
            values.states[i] = state
    return 0


@lean
def mask_ibans(values: Any, digits: Any, radices: Any, domains: Any) -> Any:
    """Mask values as international bank account numbers."""
    for i in range(values.states.shape[0]):
        if values.states[i] == TODO:
            start, stop = span(values, i)
            values.states[i] = _iban(values.source, start, stop, values.out, digits, radices, domains)
    return 0


@lean
def mask_cards(values: Any, digits: Any, radices: Any, domains: Any) -> Any:
    """Mask values as card numbers; what is none is left."""
    for i in range(values.states.shape[0]):
        if values.states[i] == TODO:
            start, stop = span(values, i)
            values.states[i] = _card(values.source, start, stop, values.out, digits, radices, domains)
    return 0


@lean
def mask_macs(values: Any, digits: Any, radices: Any, domains: Any) -> Any:
    """Mask values as hardware addresses; what is none is left."""
    for i in range(values.states.shape[0]):
        if values.states[i] == TODO:
            start, stop = span(values, i)
            values.states[i] = _mac(values.source, start, stop, values.out, digits, radices, domains)
    return 0


def warm() -> None:
    """Run every kernel of this room once."""
    digits, radices = code_room()
    for hexadecimal in (False, True):
        mask_codes(values_of(b"AB-12\x00ffee"), hexadecimal, digits, radices, empty())
    mask_ibans(values_of(b"DE89370400440532013000"), digits, radices, empty())
    mask_cards(values_of(b"4111 1111 1111 1111"), digits, radices, empty())
    mask_macs(values_of(b"00:1b:44:11:3a:b7"), digits, radices, empty())
