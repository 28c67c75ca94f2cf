"""Telephone numbers, whole numbers and UUIDs, masked as `phone`, `keys` and `uuids` define it."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean
from envclone.masking.kernels.feistel import cycle
from envclone.masking.kernels.shapes import DONE, ODD, TODO, UNFIT, domain, empty, image, permute, span, values_of, wish

__all__ = ["OTHER", "RFC", "calling_code", "mask_integers", "mask_phones", "mask_uuids", "number_room", "warm"]

RFC, OTHER = np.uint64(1), np.uint64(2)
"""The shapes of UUIDs."""
_LONGEST, _LONGEST_INTEGER = 32, 18
_WITH_TRUNK, _SHORTEST_AFTER_CODE = 11, 4
_0, _9, _PLUS, _MINUS, _SLASH, _ASCII, _SPACE, _OPEN = 48, 57, 43, 45, 47, 128, 32, 40
_UNCLEAR = np.array([chr(c).isalpha() or chr(c) in "#,;|\n" for c in range(_ASCII)])
"""What makes several numbers of a text, or an extension."""
_BLANK = np.array([chr(c).isspace() for c in range(_ASCII)])
_SMALLINT, _INTEGER = np.uint64(2**15 - 1), np.uint64(2**31 - 1)
_NONE, _ONE, _TEN = np.uint64(0), np.uint64(1), np.uint64(10)
_HEX = np.array([int(chr(c), 16) if chr(c) in "0123456789abcdefABCDEF" else 255 for c in range(_ASCII)], np.uint8)
_LOWER, _UPPER = np.frombuffer(b"0123456789abcdef", np.uint8), np.frombuffer(b"0123456789ABCDEF", np.uint8)
_NIBBLES, _VERSION, _VARIANT, _HYPHENATED, _HYPHEN = 32, 12, 16, 36, 45
_4, _2, _15, _3 = np.uint64(4), np.uint64(2), np.uint64(15), np.uint64(3)


def number_room() -> tuple[Any, Any]:
    """Room for the digits of one number and their radices."""
    return np.zeros(_LONGEST, np.uint64), np.zeros(_LONGEST, np.uint64)


@lean
def calling_code(digits: Any, start: Any, size: Any, codes: Any) -> Any:
    """The length of the calling code at a place, 0 when there is none; `codes` by 1, 2 and 3 digits in a row."""
    number, first = np.int64(0), np.int64(0)
    for length in range(1, 4):
        if start + length > size:
            return 0
        number = number * 10 + np.int64(digits[start + length - 1])
        if codes[first + number]:
            return length if size - start >= length + _SHORTEST_AFTER_CODE else 0
        first = first * 10 + 10
    return 0


@lean
def _phone(source: Any, start: Any, stop: Any, out: Any, codes: Any, digits: Any, radices: Any, domains: Any) -> Any:
    size, plus = 0, False
    before = np.int64(0)
    for i in range(start, stop):
        char = np.int64(source[i])
        if char >= _ASCII or _UNCLEAR[char] or size == _LONGEST:
            return ODD
        if char == _SLASH and ((i > start and _BLANK[source[i - 1]]) or (i + 1 < stop and _BLANK[source[i + 1] & 127])):
            return ODD
        if _0 <= char <= _9:
            plus = plus or (size == 0 and before == _PLUS)
            digits[size] = np.uint64(char - _0)
            size += 1
        elif size == 0 and char != _SPACE and char != _OPEN:
            before = char
    if size == 0:
        return DONE
    kept = np.int64(0)
    if plus or (size > 1 and digits[0] == _NONE and digits[1] == _NONE):
        kept = np.int64(0) if plus else np.int64(2)
        length = calling_code(digits, kept, size, codes)
        if length == 0:
            return ODD
        kept += length
    for _ in range(2):  # zeros, a 1 or an 8, zeros
        while kept < size - 1 and digits[kept] == _NONE:
            kept += 1
        if size - kept == _WITH_TRUNK and (digits[kept] == _ONE or digits[kept] == np.uint64(8)):
            kept += 1
        else:
            break
    rest = size - kept
    row = domain(np.uint64(rest), domains)
    if row < 0:
        return wish(np.uint64(rest), domains)
    eleven = rest == _WITH_TRUNK
    shown = digits[kept]
    if rest > 1 and (shown == _NONE or (eleven and (shown == _ONE or shown == np.uint64(8)))):
        return ODD
    nine = np.uint64(6) if eleven else np.uint64(8)
    for i in range(rest):
        digits[i], radices[i] = digits[kept + i], _TEN
    if rest > 1:
        digits[0] = nine if shown == np.uint64(9) else shown - (np.uint64(2) if eleven else _ONE)
        radices[0] = nine + _ONE
    state = permute(digits, radices, rest, row, domains)
    if state != DONE:
        return state
    if rest > 1:
        digits[0] = np.uint64(9) if digits[0] == nine else digits[0] + (np.uint64(2) if eleven else _ONE)
    seen = 0
    for i in range(start, stop):
        if _0 <= np.int64(source[i]) <= _9:
            if seen >= kept:
                out[i] = np.uint8(_0 + np.int64(digits[seen - kept]))
            seen += 1
    return DONE


@lean
def _whole(source: Any, start: Any, stop: Any, out: Any, domains: Any) -> Any:
    p = start
    if p < stop and (source[p] == _PLUS or source[p] == _MINUS):
        p += 1
    if p == stop:
        return DONE if p == start else ODD
    for i in range(p, stop):
        if not _0 <= np.int64(source[i]) <= _9:
            return ODD
    while p < stop and source[p] == _0:
        p += 1
    size = stop - p
    if size == 0:
        return DONE
    if size > _LONGEST_INTEGER:
        return ODD
    number, low = _NONE, _ONE
    for i in range(p, stop):
        number = number * _TEN + np.uint64(np.int64(source[i]) - _0)
        if i > p:
            low *= _TEN
    bound = _SMALLINT if size == 5 else _INTEGER if size == 10 else low * _TEN
    beyond = number > bound
    key = np.uint64(2 * size + (1 if beyond else 0))
    row = domain(key, domains)
    if row < 0:
        return wish(key, domains)
    if beyond:
        low = bound + _ONE
    b = domains.rows[row, 1]
    number -= low
    left, right = image(number // b, number % b, row, domains)
    number = left * b + right + low
    for i in range(stop - 1, p - 1, -1):
        rest = number // _TEN
        out[i] = np.uint8(_0 + np.int64(number - rest * _TEN))
        number = rest
    return DONE


@lean
def _uuid(source: Any, start: Any, stop: Any, out: Any, digits: Any, domains: Any) -> Any:
    size = stop - start
    if size != _NIBBLES and size != _HYPHENATED:
        return ODD
    count = 0
    lower: Any = False
    upper: Any = False
    for i in range(start, stop):
        char = np.int64(source[i])
        place = i - start
        if size == _HYPHENATED and (place == 8 or place == 13 or place == 18 or place == 23):
            if char != _HYPHEN:
                return ODD
            continue
        if char >= _ASCII or _HEX[char] == 255:
            return ODD
        lower = lower or char >= 97
        upper = upper or 65 <= char < 97
        digits[count] = np.uint64(_HEX[char])
        count += 1
    variant = digits[_VARIANT]
    rfc = variant >> _2 == _2
    if not rfc and _is_fixed(digits):
        return DONE
    key = RFC if rfc else OTHER
    row = domain(key, domains)
    if row < 0:
        return wish(key, domains)
    words = domains.rows[row]
    if words[6] == UNFIT:
        return ODD
    half = np.uint64(61) if rfc else np.uint64(60)
    mask = (_ONE << half) - _ONE
    left, right = _NONE, _NONE
    for i in range(_NIBBLES):
        if i == _VERSION or (i == _VARIANT and not rfc):
            continue
        by = _2 if i == _VARIANT else _4
        left = (left << by) | (right >> (half - by))
        right = ((right << by) & mask) | (digits[i] & _3 if i == _VARIANT else digits[i])
    while True:
        left, right = cycle(left, right, words)
        one, two = left, right
        for i in range(_NIBBLES - 1, -1, -1):
            if i == _VERSION or (i == _VARIANT and not rfc):
                continue
            by = _2 if i == _VARIANT else _4
            digit = two & (_3 if i == _VARIANT else _15)
            two = (two >> by) | ((one << (half - by)) & mask)
            one >>= by
            digits[i] = digit | np.uint64(8) if i == _VARIANT else digit
        if rfc or not _is_fixed(digits):
            break
    count = 0
    for i in range(start, stop):
        if source[i] != _HYPHEN:
            digit = np.int64(digits[count])
            out[i] = _UPPER[digit] if upper and not lower else _LOWER[digit]
            count += 1
    return DONE


@lean
def _is_fixed(digits: Any) -> Any:
    """Whether these are the digits of the nil or of the max UUID."""
    for i in range(_NIBBLES):
        if digits[i] != digits[0]:
            return False
    return digits[0] == _NONE or digits[0] == _15


@lean
def mask_phones(values: Any, codes: Any, digits: Any, radices: Any, domains: Any) -> Any:
    """Mask values as telephone numbers; those with words, or with several numbers, are left."""
    for i in range(values.states.shape[0]):
        if values.states[i] == TODO:
            start, stop = span(values, i)
            values.states[i] = _phone(values.source, start, stop, values.out, codes, digits, radices, domains)
    return 0


@lean
def mask_integers(values: Any, domains: Any) -> Any:
    """Mask values as whole numbers of up to 18 digits."""
    for i in range(values.states.shape[0]):
        if values.states[i] == TODO:
            start, stop = span(values, i)
            values.states[i] = _whole(values.source, start, stop, values.out, domains)
    return 0


@lean
def mask_uuids(values: Any, digits: Any, domains: Any) -> Any:
    """Mask values as UUIDs with or without hyphens."""
    for i in range(values.states.shape[0]):
        if values.states[i] == TODO:
            start, stop = span(values, i)
            values.states[i] = _uuid(values.source, start, stop, values.out, digits, domains)
    return 0


def warm() -> None:
    """Run every kernel of this room once."""
    text = b"+49 30 1234567\x0042"
    digits, radices = number_room()
    mask_phones(values_of(text), np.zeros(1110, np.bool_), digits, radices, empty())
    mask_integers(values_of(text), empty())
    mask_uuids(values_of(text), digits, empty())
